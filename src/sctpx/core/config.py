"""The protocol parameters of RFC 9260 section 16 and the limits around them, with the RFC's defaults.

Times are in seconds here, where people write them; the core counts in nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from ..wire.auth import DIGESTS, HMAC_SHA_1, HMAC_SHA_256, NEVER_LISTED
from ..wire.codes import CHUNK_DATA, CHUNK_FORWARD_TSN, CHUNK_I_DATA, CHUNK_I_FORWARD_TSN
from . import capabilities
from .rules import Rules

Scheduler: TypeAlias = Literal["fcfs", "rr", "rr_pkt", "prio", "fc", "wfq"]
LossRecovery: TypeAlias = Literal["rack", "rfc9260"]
Congestion: TypeAlias = Literal["newreno", "cubic"]

NANOSECONDS: Final = 1_000_000_000
SMALLEST_MTU: Final = 576
LARGEST_MTU: Final = 65535
"""The largest IP packet that may be asked for: at least, and at most what IP has a length for, bytes."""
USUAL_MTU: Final = 1500
"""The largest IP packet of most links, bytes: what is sent where the path MTU cannot be discovered."""
MIN_SEGMENT: Final = 484
"""User data that a packet of 512 bytes has room for."""


@dataclass(frozen=True, kw_only=True)
class AssociationConfig:
    """How one association behaves. Every field can be left at its default."""

    streams: int = 10
    """Outbound streams asked for, 1 to 65535 (RFC 6458 section 8.1.3, sinit_num_ostreams)."""
    max_inbound_streams: int = 65535
    """Inbound streams allowed to the peer, 1 to 65535."""

    rto_initial: float = 1.0
    """RTO.Initial, seconds."""
    rto_min: float = 1.0
    """RTO.Min, seconds."""
    rto_max: float = 60.0
    """RTO.Max, seconds."""
    loss_recovery: LossRecovery = "rack"
    """How a loss is found before T3-rtx expires.

    ``"rack"``: by time, with tail loss probes (RFC 8985). What was sent before something that has arrived is lost once
    it is overdue; when nothing is heard for two round trips, a probe asks. ``"rfc9260"``: by three miss indications
    alone (section 7.2.4), so that the loss of the last packet, or of a retransmission, may cost ``rto_min``."""
    max_burst: int = 4
    """Max.Burst, packets: what cwnd may release beyond what was just acknowledged (section 6.1 D)."""
    congestion: Congestion = "newreno"
    """Congestion control: how the congestion window of each path grows, and what a loss makes of it.

    ``"newreno"``: as RFC 9260 section 7.2 has it, by a packet in a round trip, and halved by a loss. ``"cubic"``: CUBIC
    (RFC 9438), which is back at the old window after some seconds, however long a round trip takes, and whose first
    slow start ends before packets are lost (HyStart++, RFC 9406). It is for long round trips at high rates."""
    association_max_retrans: int = 10
    """Association.Max.Retrans."""
    path_max_retrans: int = 5
    """Path.Max.Retrans, for each path."""
    potentially_failed_max_retrans: int = 0
    """PFMR of RFC 7829: timeouts after which a path is avoided. At or above path_max_retrans: never."""
    primary_switchover_max_retrans: int | None = None
    """PSMR of RFC 7829 section 5: after more errors than that, the path that carries the data then becomes the primary
    path, and stays it when the old one works again. At least ``potentially_failed_max_retrans`` (the recommended value)
    or ``path_max_retrans``, whichever is lower. None: data returns to the primary path when that works again."""
    expose_potentially_failed: bool = True
    """Tell of potentially failed paths (RFC 7829 section 3.2, 12). False: they are shown as active ones, as without
    RFC 7829, and no event tells that a path has come into this state or has left it. They are avoided all the same."""
    max_init_retransmits: int = 8
    """Max.Init.Retransmits, for each address."""
    max_init_timeout: float | None = None
    """The longest T1-init, seconds; None: RTO.Max (RFC 6458 section 5.3.1, sinit_max_init_timeo)."""
    heartbeat_interval: float = 30.0
    """HB.interval, seconds; 0 switches heartbeats to idle paths off."""
    heartbeat_max_burst: int = 1
    """HB.Max.Burst: packets with a HEARTBEAT sent per RTO while paths are being verified."""
    sack_delay: float = 0.2
    """SACK.Delay, seconds, at most 0.5 (RFC 9260 section 6.2)."""
    stretch_sack: bool = False
    """Acknowledge a burst of packets that arrived together with one SACK. Departs from the SHOULD of
    section 6.2 that at least every second packet is acknowledged; used only in a loss-free steady phase."""
    nodelay: bool = True
    """Send small messages at once; False waits for acknowledgements to fill packets (Nagle)."""
    cookie_life: float = 60.0
    """Valid.Cookie.Life, seconds."""
    shutdown_guard: float | None = None
    """T5-shutdown-guard, seconds; None: five times RTO.Max, whatever that is (RFC 9260 section 9.2)."""
    drain_guard: float | None = 300.0
    """A graceful end waits until the peer has acknowledged all data, but no longer than so many seconds without any new
    acknowledgement from a peer that answers; then it aborts. None: for ever."""
    on_restart: Literal["continue", "end"] = "continue"
    """What becomes of the association when the peer restarts (RFC 9260 section 5.2.4 A).

    ``"continue"``: it begins anew under the same name, and an event tells of that. ``"end"``: it ends with
    ``AssociationRestarted``. The restarted peer then sets another association up: an endpoint that listens accepts it,
    and one that does not listen refuses it.
    """

    on_protocol_unreachable: Literal["end", "continue"] = "end"
    """What an ICMP error "protocol unreachable" does, by which a host without SCTP answers, to an association over IP.

    ``"end"``: it ends the association like an ABORT, as RFC 9260 section 10 (ICMP8) demands. ``"continue"``: it counts
    as an error of that path, as other ICMP errors do. The association then outlives a peer host that has no SCTP for
    some seconds, and ends by ``association_max_retrans`` if that lasts.
    """

    attempt_delay: float | None = 0.1
    """Delay between the first INITs to the listed addresses, seconds, at least 0.01.
    None: one address at a time, as RFC 9260 section 5.1 has it."""
    connect_timeout: float | None = None
    """Give a connect up after this many seconds; None: when every address refused or ran out of INITs."""

    receive_buffer: int = 1 << 20
    """Bytes of user data held for the peer's messages: the window it is told (a_rwnd). At least 4096. With the overhead
    of 256 bytes for each message, they take at most four times as much: for messages of fewer than 86 bytes the window
    closes earlier."""
    send_buffer: int = 1 << 20
    """Bytes of messages accepted from the user and not acknowledged yet. Each counts 256 bytes more than its data: what
    it costs to hold it. A message is taken as long as there is any room, whatever its size."""
    max_message_size: int = 16 << 20
    """Largest message ``send`` takes, bytes."""
    path_mtu_discovery: bool = True
    """Discover how large a packet each path takes, by probes (RFC 8899). False: packets of a fixed size, which IP may
    fragment on their way. It is False in effect where the link cannot forbid IP to fragment packets."""
    path_mtu_probe_timer: float = 1.0
    """PROBE_TIMER of RFC 8899 at least, seconds, at least 1: what a probe is waited for that may be too large. It is
    never shorter than the path's RTO."""
    mtu: int | None = None
    """Largest IP packet sent, bytes, headers and all, 576 to 65535. None: what the path is found to take, up to the MTU
    of the interface; without discovery at most 1500. Packets are never larger than the MTU of the interface that they
    leave from, whatever is asked for here: the ``mtu`` of a path tells what holds."""
    dscp: int = 0
    """The Differentiated Services code point of every IP packet sent, 0 to 63 (RFC 2474)."""
    flow_label: int = 0
    """The flow label of every IPv6 packet sent, 20 bits (RFC 6437). 0 leaves the choice to the system."""

    max_segment: int = 0
    """Largest user data in one DATA chunk, bytes, at least 484; 0: what the paths take (RFC 6458 section 8.1.16)."""
    partial_delivery_point: int = 0
    """Bytes of one message in the receive buffer from which on it is handed over in parts (RFC 6458 section 8.1.21).
    0: as late as possible."""

    partial_reliability: bool = True
    """Offer the peer that messages may be given up (RFC 3758): ``send`` says of which message, and when.

    If the peer does not offer it too, a message that was sent in part is sent to its end; one of which nothing was sent
    is given up all the same."""
    interleaving: bool = False
    """Offer the peer to interleave messages (RFC 8260): a large message on one stream does not hold up another stream.

    If the peer offers it too, parts of messages on different streams may come in turn: whoever reads has to sort them
    by their streams (RFC 8260 section 2.2.1 has it off unless the user says so)."""
    scheduler: Scheduler = "fcfs"
    """Which stream sends next (RFC 8260 section 3): first come first served, round robin, round robin per packet, by
    priority, fair capacity, weighted fair queueing. Without interleaving, a message that was begun is sent to its end
    first."""
    stream_values: tuple[tuple[int, int], ...] = ()
    """(stream, priority or weight) for the scheduler; see ``Association.set_stream_value``."""

    stream_reconfiguration: bool = True
    """Offer the peer to reset and to add streams (RFC 6525). By itself that allows the peer nothing: see the next
    three."""
    allow_stream_reset: bool = False
    """Do what the peer asks for: to reset streams of either direction, so that their SSNs begin at 0 again. The SSNs of
    received messages then no longer only grow."""
    allow_association_reset: bool = False
    """Do what the peer asks for: to reset all SSNs, and the TSNs. Data of ours that is in flight then counts as
    acknowledged (RFC 6525 section 5.2.4 G3)."""
    allow_added_streams: bool = False
    """Do what the peer asks for: to add streams, those of the peer up to ``max_inbound_streams``, ours up to
    ``max_outbound_streams``."""
    max_outbound_streams: int = 65535
    """Outbound streams that there may be when the peer has asked for more of them, 1 to 65535."""

    address_reconfiguration: bool = False
    """Offer the peer to add and delete addresses of either side while the association lives (RFC 5061). The requests
    are authenticated (RFC 4895), which this offers as well; a peer that would do without is refused."""
    unauthenticated_asconf: bool = False
    """Do without authentication where the peer does not offer it: whoever learns the Verification Tag of an association
    can then take the association over. RFC 5061 forbids it; for networks of which every host is trusted."""
    auto_asconf: bool = False
    """Tell the peer when this host gets or loses an address, if the SCTP port was bound to all addresses (RFC 6458
    section 8.1.23)."""
    adaptation_layer: int | None = None
    """A number of 32 bits for whatever the peer has above SCTP, sent when the association is set up (RFC 5061 section
    4.2.6). None: nothing is sent."""

    error_detection_method: int = 0
    """Take packets with a checksum of 0, and send them to a peer that takes them by the same method (RFC 9653).

    It is the Error Detection Method Identifier of what the link protects each packet with in place of CRC32c: 1 is DTLS
    (RFC 8261). Both sides have to name the same one, and the link has to have it. 0: all packets have a checksum."""

    ecn: bool = False
    """Offer the peer Explicit Congestion Notification (RFC 3168, RFC 4960 appendix A): routers mark packets instead of
    dropping them. The link has to be able to read and set the ECN bits. Off unless the user says so: RFC 9260 has taken
    it out of SCTP, and some networks treat marked packets badly."""

    authentication: bool = False
    """Offer the peer to authenticate chunks (RFC 4895). By itself it demands nothing: see ``authenticated_chunks``."""
    authenticated_chunks: tuple[int, ...] = ()
    """Chunk types that the peer has to authenticate: what comes without an AUTH chunk is dropped, and a peer that does
    not authenticate is refused. 0 is DATA, and with ``interleaving`` I-DATA as well. It switches ``authentication`` on.
    INIT, INIT ACK, SHUTDOWN COMPLETE and AUTH itself cannot be authenticated."""
    hmac_algorithms: tuple[int, ...] = (HMAC_SHA_256, HMAC_SHA_1)
    """HMAC algorithms for the peer to choose from, the best first: 3 is SHA-256, and 1 is SHA-1, which has to be among
    them (RFC 4895 section 6.1)."""
    shared_keys: tuple[tuple[int, bytes], ...] = field(default=((0, b""),), repr=False)
    """(identifier, key) of each key that both sides know from elsewhere, identifiers with 16 bits. Without any, the key
    0 is empty: then who has seen the association being set up can authenticate as well. If others are given, the empty
    key is accepted no more, unless it is among them. An association has keys of its own from its beginning on:
    ``Association.set_key``."""
    active_key: int | None = None
    """The identifier of the key for what is sent; None for the first one of ``shared_keys``."""
    deactivated_keys: tuple[int, ...] = ()
    """Identifiers of those of ``shared_keys`` that only authenticate what comes."""

    @property
    def authenticates(self) -> bool:
        """Whether it offers to authenticate."""
        return self.authentication or len(self.authenticated_chunks) > 0

    @property
    def first_key(self) -> int:
        """The identifier of the key that is active in the beginning."""
        return self.active_key if self.active_key is not None else self.shared_keys[0][0] if self.shared_keys else -1

    @cached_property
    def demanded_chunks(self) -> bytes:
        """Chunk types that count only if they are authenticated: those of the user, and those of extensions.

        What is demanded of a chunk is demanded of the one that takes its place if messages are interleaved, too: the
        user does not know which of both the peer speaks.
        """
        kinds = {*self.authenticated_chunks, *capabilities.authenticated(self.capabilities)}
        if self.interleaving:
            for pair in _INTERLEAVED:
                if not kinds.isdisjoint(pair):
                    kinds.update(pair)
        return bytes(sorted(kinds))

    @property
    def interleaved_partial_reliability(self) -> bool:
        """Both at once, which has a chunk of its own (RFC 8260 section 2.3.1)."""
        return self.interleaving and self.partial_reliability

    @cached_property
    def capabilities(self) -> int:
        """What it can do beyond RFC 9260 (``core.capabilities``): the extensions that are switched on."""
        return capabilities.offered(self)

    @cached_property
    def rules(self) -> Rules:
        """The same as the core counts."""
        return Rules(self)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: the fields, and nothing that follows from them."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def usual_mtu(self) -> int:
        """The largest IP packet that is expected of a path of which nothing is known yet, bytes."""
        return USUAL_MTU if self.mtu is None else self.mtu

    @property
    def t5_shutdown_guard(self) -> float:
        """How long a shutdown may take, seconds."""
        return 5 * self.rto_max if self.shutdown_guard is None else self.shutdown_guard

    @cached_property
    def hold_limit(self) -> int:
        """Bytes of unfinished messages from which on parts of them are handed over.

        All of the buffer but two packets, or the window would close before it is reached.
        """
        return max(self.receive_buffer - 2 * self.usual_mtu, self.receive_buffer // 2)

    @cached_property
    def partial_limit(self) -> int:
        """Bytes of one message from which on it is handed over in parts."""
        return min(self.partial_delivery_point, self.hold_limit) if self.partial_delivery_point else self.hold_limit

    def __post_init__(self) -> None:
        _check(self, _BOUNDS)
        if self.on_restart not in _ON_RESTART:
            raise ValueError(f"on_restart is {self.on_restart!r}: not one of {', '.join(_ON_RESTART)}")
        if self.on_protocol_unreachable not in _ON_PROTOCOL_UNREACHABLE:
            choices = ", ".join(_ON_PROTOCOL_UNREACHABLE)
            raise ValueError(f"on_protocol_unreachable is {self.on_protocol_unreachable!r}: not one of {choices}")
        if self.loss_recovery not in LOSS_RECOVERIES:
            raise ValueError(f"loss_recovery is {self.loss_recovery!r}: not one of {', '.join(LOSS_RECOVERIES)}")
        if self.congestion not in CONGESTION:
            raise ValueError(f"congestion is {self.congestion!r}: not one of {', '.join(CONGESTION)}")
        if self.scheduler not in SCHEDULERS:
            raise ValueError(f"scheduler is {self.scheduler!r}: not one of {', '.join(SCHEDULERS)}")
        for stream, value in self.stream_values:
            if not (0 <= stream <= 0xFFFF and 0 <= value <= 0xFFFF):
                raise ValueError(f"stream_values has {(stream, value)!r}: both have 16 bits")
        _check_authentication(self)
        switchover = self.primary_switchover_max_retrans
        least = least_switchover(self.path_max_retrans, self.potentially_failed_max_retrans)
        if switchover is not None and switchover < least:
            raise ValueError(f"primary_switchover_max_retrans is {switchover}: below {least} a path has not failed yet")
        if 0 < self.max_segment < MIN_SEGMENT:
            raise ValueError(f"max_segment is {self.max_segment}: below {MIN_SEGMENT}")
        if not self.rto_min <= self.rto_initial <= self.rto_max:
            raise ValueError("rto_initial is not between rto_min and rto_max")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What strangers can have of one SCTP port, however many they are. Every field can be left at its default.

    What one association may cost is in ``AssociationConfig``: its buffers and streams. Counters tell how often a limit
    was met: ``Endpoint.stats``.
    """

    associations: int = 65536
    """Associations that peers have set up and that live."""
    associations_per_peer: int = 16384
    """Those of one peer: of one IPv4 address, or of the addresses of one /64 of IPv6."""
    peer_addresses: int = 64
    """Addresses of a peer that are kept, 1 to 255: each costs memory and heartbeats. Further ones are passed over."""
    aborts_per_second: float = 500.0
    """Answers to packets that belong to no association, and as many again to INITs that are refused; 0: none.
    As many leave at once after a second of rest."""
    answers: int = 256
    """Answers that may wait to be sent, INIT ACKs among them; beyond, the oldest are dropped. Of the ports that share a
    UDP port the largest limit holds."""

    def __post_init__(self) -> None:
        _check(self, _LIMITS)


def least_switchover(max_retrans: int, potentially_failed_max_retrans: int) -> int:
    """The lowest PSMR that is allowed: PFMR, or PMR where no path turns potentially failed (RFC 7829 section 5, 1)."""
    return min(max_retrans, potentially_failed_max_retrans)


def _check(values: Any, bounds: tuple[tuple[str, float, float], ...]) -> None:
    """TypeError, ValueError: a field that counts is no int, or a field is out of bounds."""
    for one in fields(values):
        value = getattr(values, one.name)
        counts = one.type == "int" or (one.type == "int | None" and value is not None)
        if counts and not isinstance(value, int):
            raise TypeError(f"{one.name} is {value!r}: it counts, and is an int")
    for name, low, high in bounds:
        value = getattr(values, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"{name} is {value!r}: not between {low} and {high}")


def _check_authentication(config: AssociationConfig) -> None:
    """ValueError: what it says of authentication cannot be."""
    for kind in config.authenticated_chunks:
        if not 0 <= kind <= 255 or kind in NEVER_LISTED:
            raise ValueError(f"authenticated_chunks has {kind!r}: no type of a chunk that can be authenticated")
    algorithms = config.hmac_algorithms
    if HMAC_SHA_1 not in algorithms or len(set(algorithms)) < len(algorithms) or not set(algorithms) <= set(DIGESTS):
        raise ValueError(f"hmac_algorithms is {algorithms!r}: 1, and perhaps 3")
    for key_id, key in config.shared_keys:
        if not 0 <= key_id <= 0xFFFF or len(key) > 0xFFFF:
            raise ValueError(f"shared_keys has key {key_id!r}: 16 bits, with 65535 bytes at most")
    usable = {key_id for key_id, _ in config.shared_keys}.difference(config.deactivated_keys)
    if config.first_key not in usable:
        raise ValueError(f"active_key is {config.active_key!r}: not one of shared_keys, or deactivated")


# Chunks, and those that take their place (RFC 8260 sections 2.1 and 2.3.1).
_INTERLEAVED: Final = ((CHUNK_DATA, CHUNK_I_DATA), (CHUNK_FORWARD_TSN, CHUNK_I_FORWARD_TSN))

SCHEDULERS: Final[tuple[Scheduler, ...]] = ("fcfs", "rr", "rr_pkt", "prio", "fc", "wfq")
"""What ``AssociationConfig.scheduler`` can be."""
LOSS_RECOVERIES: Final[tuple[LossRecovery, ...]] = ("rack", "rfc9260")
"""What ``AssociationConfig.loss_recovery`` can be."""
CONGESTION: Final[tuple[Congestion, ...]] = ("newreno", "cubic")
"""What ``AssociationConfig.congestion`` can be."""
_ON_RESTART: Final = ("continue", "end")
_ON_PROTOCOL_UNREACHABLE: Final = ("end", "continue")
_BOUNDS: Final[tuple[tuple[str, float, float], ...]] = (
    ("streams", 1, 65535),
    ("max_inbound_streams", 1, 65535),
    ("max_outbound_streams", 1, 65535),
    ("rto_initial", 0.001, 3600),
    ("rto_min", 0.001, 3600),
    ("rto_max", 0.001, 3600),
    ("max_burst", 1, 1 << 16),
    ("association_max_retrans", 0, 1 << 16),
    ("path_max_retrans", 0, 1 << 16),
    ("potentially_failed_max_retrans", 0, 1 << 16),
    ("primary_switchover_max_retrans", 0, (1 << 16) - 2),  # 0xFFFF says "never" in RFC 7829 section 7.2
    ("max_init_retransmits", 0, 1 << 16),
    ("max_init_timeout", 0.001, 3600),
    ("heartbeat_interval", 0, 86400),
    ("heartbeat_max_burst", 1, 1 << 16),
    ("sack_delay", 0, 0.5),
    ("cookie_life", 0.001, 3600),
    ("shutdown_guard", 0.001, 86400),
    ("drain_guard", 0.001, 86400),
    ("attempt_delay", 0.01, 3600),
    ("connect_timeout", 0.001, 86400),
    ("receive_buffer", 4096, 1 << 31),
    ("send_buffer", 1, 1 << 31),
    ("max_message_size", 1, 1 << 31),
    ("path_mtu_probe_timer", 1, 3600),
    ("mtu", SMALLEST_MTU, LARGEST_MTU),
    ("dscp", 0, 63),
    ("flow_label", 0, 0xFFFFF),
    ("max_segment", 0, 65535),
    ("partial_delivery_point", 0, 1 << 31),
    ("error_detection_method", 0, 0xFFFFFFFF),
    ("adaptation_layer", 0, 0xFFFFFFFF),
)

_LIMITS: Final[tuple[tuple[str, float, float], ...]] = (
    ("associations", 0, 1 << 31),
    ("associations_per_peer", 0, 1 << 31),
    ("peer_addresses", 1, 255),
    ("aborts_per_second", 0, 1_000_000_000),
    ("answers", 1, 1 << 20),
)
