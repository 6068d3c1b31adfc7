"""What the kernel tells of an association that it carries: a part of ``KernelAssociation``.

What the kernel does not count or tell is -1 in ``PathInfo``. An association that is over is what it was last.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ...core.association.state import STATE_NAMES
from ...core.config import AssociationConfig
from ...core.stats import AssociationStats
from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import structs as s
from ...sockapi.status import PATH_STATES, PathInfo

if TYPE_CHECKING:
    from .endpoint import KernelEndpoint

_MILLISECONDS: Final = 1000
_STATES: Final = {
    c.SCTP_ACTIVE: PATH_STATES[0],
    c.SCTP_UNCONFIRMED: PATH_STATES[0],
    c.SCTP_PF: PATH_STATES[1],
    c.SCTP_INACTIVE: PATH_STATES[2],
}


class KernelFacts:
    """What can be asked of an association at any time, by the options of its socket."""

    __slots__ = ()

    _sock: KernelSocket
    _host: KernelEndpoint
    _id: int
    _incoming_side: bool
    _outbound: int
    _inbound: int
    _end: Any
    _last: dict[str, Any]
    """The status and the addresses, as the kernel has told them last."""
    _told: dict[int, s.Struct]
    """What it has told last of these options."""

    def _snapshot(self) -> dict[str, Any]:
        """What the kernel knows of it now; once it is over, what it knew last."""
        if self._sock.closed:
            return self._last
        with suppress(OSError):  # It may just have ended.
            self._last.update(
                status=self._sock.status(0),
                peer=self._sock.peer_addresses(0),
                local=self._sock.local_addresses(self._id),
            )
        return self._last

    @property
    def id(self) -> int:
        """The association identifier of the kernel, unique on this host."""
        return self._id

    @property
    def state(self) -> str:
        """The state by its RFC name; ``"CLOSED"`` once it is over."""
        if self._end is not None:
            return STATE_NAMES[0]
        status: s.Status = self._snapshot()["status"]
        return STATE_NAMES[status.sstat_state - 1]

    @property
    def incoming(self) -> bool:
        """Whether the peer initiated it."""
        return self._incoming_side

    @property
    def config(self) -> AssociationConfig:
        """What was asked of the kernel."""
        return self._host.config

    @property
    def port(self) -> int:
        """Our SCTP port."""
        return self._host.port

    @property
    def peer_port(self) -> int:
        """The peer's SCTP port."""
        return int(self._snapshot()["peer"][0][1])

    @property
    def local_addresses(self) -> list[str]:
        """Our IP addresses in the association."""
        return [address[0] for address in self._snapshot()["local"]]

    @property
    def peer_addresses(self) -> list[str]:
        """The peer's IP addresses."""
        return [address[0] for address in self._snapshot()["peer"]]

    @property
    def outbound_streams(self) -> int:
        """Streams we can send on."""
        return self._outbound

    @property
    def inbound_streams(self) -> int:
        """Streams the peer can send on."""
        return self._inbound

    @property
    def partial_reliability(self) -> bool:
        """Whether both sides can give messages up of which something was sent (RFC 3758)."""
        return self._agreed(c.SCTP_PR_SUPPORTED)

    @property
    def ecn(self) -> bool:
        """Whether routers may mark packets instead of dropping them: both sides have offered that (RFC 3168)."""
        return self._agreed(c.SCTP_ECN_SUPPORTED)

    def _agreed(self, option: int) -> bool:
        """What the kernel tells of an extension, or has told last."""
        if not self._sock.closed:
            found: s.AssocValue = self._sock.get_option(c.IPPROTO_SCTP, option)
            self._told[option] = found
        last = self._told.get(option)
        return isinstance(last, s.AssocValue) and last.assoc_value != 0

    @property
    def interleaving(self) -> bool:
        """Never: parts of messages are put together here as the kernel tells them without it."""
        return False

    @property
    def paths(self) -> list[PathInfo]:
        """What the kernel tells of the peer's addresses; what it does not tell is -1, and ``local`` is ``""``."""
        return [] if self._sock.closed else [self._path(address) for address in self._snapshot()["peer"]]

    def _path(self, address: Any) -> PathInfo:
        asked = s.PaddrInfo(spinfo_address=address)
        try:
            info: s.PaddrInfo = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, asked)
        except PermissionError:
            # It is potentially failed, and that is not exposed.
            unknown = -_MILLISECONDS
            info = replace(asked, spinfo_state=c.SCTP_ACTIVE, spinfo_rto=unknown, spinfo_cwnd=-1, spinfo_mtu=-1)
        return PathInfo(
            remote=address[0],
            local="",
            udp_port=self._sock.peer_udp_port,
            state=_STATES.get(info.spinfo_state, PATH_STATES[2]),
            primary=address[0] == self.primary,
            confirmed=info.spinfo_state != c.SCTP_UNCONFIRMED,
            srtt=info.spinfo_srtt / _MILLISECONDS if info.spinfo_srtt else None,
            rttvar=-1,
            rto=info.spinfo_rto / _MILLISECONDS,
            cwnd=info.spinfo_cwnd,
            ssthresh=-1,
            flight_size=-1,
            mtu=info.spinfo_mtu,
            error_count=-1,
            max_retrans=-1,
            potentially_failed_max_retrans=-1,
            primary_switchover_max_retrans=-1,
            packets_sent=-1,
            bytes_sent=-1,
            heartbeats_sent=-1,
            chunks_retransmitted=-1,
        )

    @property
    def primary(self) -> str:
        """The peer's address that data goes to while its path is active."""
        status: s.Status = self._snapshot()["status"]
        address = status.sstat_primary.spinfo_address
        return "" if address is None else address[0]

    @property
    def stats(self) -> AssociationStats:
        """Those counters that the kernel has (SCTP_GET_ASSOC_STATS), as they are now. The others are 0."""
        if not self._sock.closed:
            found: s.AssocStats = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_GET_ASSOC_STATS)
            self._told[c.SCTP_GET_ASSOC_STATS] = found
        counted: Any = self._told.get(c.SCTP_GET_ASSOC_STATS, s.AssocStats())
        stats = AssociationStats()
        stats.packets_sent, stats.packets_received = counted.sas_opackets, counted.sas_ipackets
        stats.sacks_sent, stats.sacks_received = counted.sas_osacks, counted.sas_isacks
        stats.control_chunks_sent, stats.control_chunks_received = counted.sas_octrlchunks, counted.sas_ictrlchunks
        stats.chunks_retransmitted = counted.sas_rtxchunks
        stats.duplicate_tsns, stats.out_of_sequence_tsns = counted.sas_idupchunks, counted.sas_outofseqtsns
        stats.gap_sacks_received = counted.sas_gapcnt
        stats.unordered_sent = counted.sas_ouodchunks
        return stats
