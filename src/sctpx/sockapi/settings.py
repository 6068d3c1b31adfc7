"""What a socket has been told: its own settings, and those each of its associations has a copy of.

``EndpointSettings`` belongs to a socket. Its ``future`` is what new associations begin with: ``future.config`` is the
``AssociationConfig`` for ``Endpoint.connect`` and, for associations that peers set up, ``Endpoint.config``. An
association's own settings begin as ``EndpointSettings.begin()`` and go their own way from there. A socket that comes
from another, by accept or peeloff, begins with ``inherit``.

``options`` reads and writes them; nothing here acts on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, final

from ..core.config import AssociationConfig, Limits
from . import constants as c
from .structs import InitMsg, Linger, PrInfo, SndInfo, Timeval

MILLISECONDS: Final = 1000
"""Milliseconds in a second: the core's parameters are in seconds, those of RFC 6458 in milliseconds."""


def sockets_config() -> AssociationConfig:
    """What RFC 6458 makes the default: Nagle's algorithm is on (section 8.1.5)."""
    return AssociationConfig(nodelay=False)


@final
@dataclass(slots=True)
class AssociationSettings:
    """What is kept for each association."""

    config: AssociationConfig = field(default_factory=sockets_config)
    """The core's parameters. Of an association that lives, ``Association.config`` is what counts."""
    subscribed: frozenset[int] = frozenset()
    """Types of the notifications that are subscribed to (section 6.2); none by default."""
    sndinfo: SndInfo = field(default_factory=SndInfo)
    """How messages are sent that come without ancillary data (section 8.1.31)."""
    prinfo: PrInfo = field(default_factory=PrInfo)
    """When messages are given up that come without ancillary data that says so (section 8.1.32)."""
    context: int = 0
    """What ``rcv_context`` of received messages is (section 8.1.25)."""
    sack_delay: int = 200
    """Milliseconds (section 8.1.19)."""
    sack_every: int = 2
    """Packets that call for a SACK: 2, or 1 for no delay."""
    heartbeats: bool = True
    heartbeat_interval: int = 30_000
    """Milliseconds (section 8.1.12)."""
    dscp_chosen: bool = False
    """SPP_DSCP has set the DSCP, which IP_TOS and IPV6_TCLASS leave as it is then (section 8.1.12)."""
    encaps_port: int = 0
    """The peer's UDP port on future paths (RFC 6951 section 6.1); 0 for no encapsulation."""
    encaps_port_named: bool = False
    """SCTP_REMOTE_UDP_ENCAPS_PORT has set that: peers are asked in no other way."""

    @classmethod
    def of(cls, config: AssociationConfig) -> AssociationSettings:
        """The settings of an association with these parameters of the core, of which some are 0 for "off"."""
        found = cls(config)
        if config.sack_delay:
            found.sack_delay = round(config.sack_delay * MILLISECONDS)
        else:
            found.sack_every = 1
        if config.heartbeat_interval:
            found.heartbeat_interval = round(config.heartbeat_interval * MILLISECONDS)
        else:
            found.heartbeats = False
        return found

    def copy(self) -> AssociationSettings:
        """The same, to go its own way."""
        return replace(self)


@final
@dataclass(slots=True)
class EndpointSettings:
    """What is kept for each socket."""

    future: AssociationSettings = field(default_factory=AssociationSettings)
    limits: Limits = field(default_factory=Limits)
    """What strangers can have of the socket's SCTP port."""
    linger: Linger = field(default_factory=Linger)
    receive_timeout: Timeval = field(default_factory=Timeval)
    """How long receiving and accepting wait (SO_RCVTIMEO)."""
    send_timeout: Timeval = field(default_factory=Timeval)
    """How long sending and connecting wait (SO_SNDTIMEO)."""
    autoclose: int = 0
    """Seconds without user data after which an association is shut down (section 8.1.8); 0 for never."""
    v6only: bool = False
    """No IPv4 addresses on an AF_INET6 socket (IPV6_V6ONLY, RFC 3493 section 5.3)."""
    mapped_v4: bool = False
    """IPv4 addresses are told as IPv4-mapped IPv6 ones (section 8.1.15)."""
    disable_fragments: bool = False
    """Messages larger than a packet are refused (section 8.1.11)."""
    fragment_interleave: int = 0
    """0 to 2 (section 8.1.20)."""
    reuse_address: bool = False
    """An SCTP port that no open socket was bound to can be taken over from the associations that still have it."""
    explicit_eor: bool = False
    """Messages end where SCTP_EOR says so (section 8.1.26)."""
    traffic_class: int = -1
    """The octet that IP_TOS or IPV6_TCLASS has set; -1 for none."""
    meaningless: frozenset[str] = frozenset()
    """Options that are on and change nothing, such as SO_KEEPALIVE."""
    recvrcvinfo: bool = False
    recvnxtinfo: bool = False
    use_ext_rcvinfo: bool = False

    @classmethod
    def of_style(cls, one_to_many: bool, config: AssociationConfig | None = None) -> EndpointSettings:
        """The defaults of a new socket; one-to-many ones interleave associations (section 8.1.20)."""
        future = AssociationSettings.of(config or sockets_config())
        return cls(future, fragment_interleave=1 if one_to_many else 0)

    def begin(self) -> AssociationSettings:
        """The settings of a new association."""
        return self.future.copy()

    def inherit(self, association: AssociationSettings | None = None) -> EndpointSettings:
        """The settings of a socket that comes from this one, with an association of it.

        "All socket options set on a one-to-one style listening socket also apply to all future accepted sockets"
        (section 7.2).
        """
        return replace(self, future=(association or self.future).copy())

    def wants_ancillary(self, association: AssociationSettings) -> bool:
        """Whether ``recvmsg`` has ancillary data to give for a message of this association."""
        return self.recvrcvinfo or self.recvnxtinfo or c.SCTP_DATA_IO_EVENT in association.subscribed


def with_init(config: AssociationConfig, init: InitMsg) -> AssociationConfig:
    """The config with what an SCTP_INIT or SCTP_INITMSG asks for; 0 leaves a value as it is (section 5.3.1)."""
    return replace(
        config,
        streams=init.sinit_num_ostreams or config.streams,
        max_inbound_streams=init.sinit_max_instreams or config.max_inbound_streams,
        max_init_retransmits=init.sinit_max_attempts or config.max_init_retransmits,
        max_init_timeout=init.sinit_max_init_timeo / MILLISECONDS or config.max_init_timeout,
    )
