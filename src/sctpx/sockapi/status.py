"""What can be asked about an association, in strings and seconds: its paths, and how setting it up went.

Both are snapshots: plain values that stay as they were when they were asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from ..core.association.association import Association
from ..core.association.connect import ANSWER_NAMES, ANSWER_NOT_ASKED
from ..core.association.connect import AddressReport as CoreReport
from ..core.config import NANOSECONDS
from ..core.events import CHANGE_STATE, Event, PathChange
from ..core.path.path import Path
from ..core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from ..core.rules import NO_SWITCHOVER
from .addresses import ip_text

PATH_STATES: Final = ("active", "potentially failed", "inactive")
"""Names of a path's states, by ``core.events.PATH_*``."""

UNRESOLVED: Final = "name not resolved"
"""``AddressReport.answer`` of a host name that stands for no address."""
BY_KERNEL: Final = "asked by the kernel"
"""``AddressReport.answer`` of an address that the kernel's SCTP was given."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PathInfo:
    """One path of an association: an address of the peer, and what is known of the way there."""

    remote: str
    """The peer's IP address."""
    local: str
    """The local IP address packets leave from; ``""`` where the link chooses."""
    udp_port: int
    """The peer's UDP port (RFC 6951); 0 without encapsulation."""
    state: str
    """``"active"``, ``"potentially failed"`` (RFC 7829) or ``"inactive"``."""
    primary: bool
    """Data goes here while the path is active."""
    confirmed: bool
    """The peer has been shown to own the address (RFC 9260 section 5.4)."""
    srtt: float | None
    """Smoothed round-trip time, seconds; ``None`` before the first measurement."""
    rttvar: float
    """Its variation, seconds."""
    rto: float
    """The retransmission timeout, seconds."""
    cwnd: int
    """Congestion window, bytes."""
    ssthresh: int
    """Slow start threshold, bytes."""
    flight_size: int
    """Bytes sent here and not acknowledged yet."""
    mtu: int
    """The largest SCTP packet, bytes."""
    error_count: int
    """Timeouts in a row."""
    max_retrans: int
    """With more of them the path is inactive..."""
    potentially_failed_max_retrans: int
    """...with more than that potentially failed..."""
    primary_switchover_max_retrans: int | None
    """...and with more than that no longer the primary path; ``None`` for never."""
    packets_sent: int
    bytes_sent: int
    heartbeats_sent: int
    chunks_retransmitted: int


def shown(state: int, expose_pf: bool) -> int:
    """The state of a path as the user sees it. Where PF is not exposed, "the simpler state transition model" holds (RFC
    7829 section 3.2, 12), in which such a path has not failed.
    """
    return PATH_ACTIVE if state == PATH_POTENTIALLY_FAILED and not expose_pf else state


def is_hidden(event: Event, expose_pf: bool) -> bool:
    """Whether an event tells of nothing but a change between states that are shown as the same one."""
    if expose_pf or not isinstance(event, PathChange) or event.what != CHANGE_STATE:
        return False
    return shown(event.state, expose_pf) == shown(event.before, expose_pf)


def path_info(path: Path, primary: Path | None, expose_pf: bool = True) -> PathInfo:
    """A path of the core as it is now."""
    psmr = path.primary_switchover_max_retrans
    return PathInfo(
        remote=ip_text(path.remote),
        local=ip_text(path.local),
        udp_port=path.encaps_port,
        state=PATH_STATES[shown(path.state, expose_pf)],
        primary=path is primary,
        confirmed=path.confirmed,
        srtt=path.srtt / NANOSECONDS if path.srtt else None,
        rttvar=path.rttvar / NANOSECONDS,
        rto=path.rto / NANOSECONDS,
        cwnd=path.cwnd,
        ssthresh=path.ssthresh,
        flight_size=path.flight_size,
        mtu=path.mtu,
        error_count=path.error_count,
        max_retrans=path.max_retrans,
        potentially_failed_max_retrans=path.potentially_failed_max_retrans,
        primary_switchover_max_retrans=None if psmr == NO_SWITCHOVER else psmr,
        packets_sent=path.packets_sent,
        bytes_sent=path.bytes_sent,
        heartbeats_sent=path.heartbeats_sent,
        chunks_retransmitted=path.chunks_retransmitted,
    )


def local_ips(association: Association) -> list[bytes]:
    """Our addresses in an association, packed: those told to the peer, or the one in use if none was."""
    paths, own = association.paths, association.local_addresses
    if association.has_changed_addresses:
        return list(own)
    told = association.endpoint.announced_to([path.remote for path in paths])
    # The endpoint may have been bound to others since (RFC 6458 section 9.1).
    told = [ip for ip in told if not own or ip in own]
    return told or list(dict.fromkeys(path.local for path in paths if path.local))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AddressReport:
    """What became of one address that an association was to be set up over.

    An IP address that is listed with several UDP ports has a report for each of them.
    """

    address: str
    """The IP address; for a host name that could not be resolved, that name."""
    udp_port: int = 0
    """The UDP port INITs were sent to; 0 without encapsulation. The peer may answer from another one."""
    source: str = ""
    """The local IP address they were to leave from; ``""`` where that was left open."""
    listed: bool = True
    """The caller listed it; ``False``: it was learnt from the peer's INIT ACK."""
    inits: int = 0
    """INITs sent."""
    first_sent: float | None = None
    """When the first one left, in seconds from the beginning; ``None`` for never."""
    answered: float | None = None
    """When the first answer came, in seconds from the beginning; ``None`` for never."""
    answer: str = ANSWER_NAMES[ANSWER_NOT_ASKED]
    """What came back, one of these:

    * ``"not asked"``: no INIT went there, since another address answered first or the attempt ended; or the peer
      named the address (``listed`` is false).
    * ``"silence"``: nothing came back.
    * ``"INIT ACK"``: the peer is there.
    * ``"COOKIE ECHO"``: the peer is there, and was setting the association up at the same time.
    * ``"ABORT"``: SCTP is there and refuses.
    * ``"ICMP"``: the network says that nobody is there (``error``).
    * ``"malformed INIT ACK"``: the answer could not be used.
    * ``"send error"``: this system could not send to the address (``error``).
    * ``"name not resolved"``: a host name stands for no address.
    * ``"asked by the kernel"``: the kernel's SCTP was asked to set the association up, and does not tell what a single
      address answered. ``error`` tells how that ended for all of them; 0: it was given up, or won (``kept``).
    """
    error: int = 0
    """The errno of a refusal."""
    causes: tuple[tuple[int, bytes], ...] = ()
    """The error causes of an ABORT, each ``(code, value)`` as RFC 9260 section 3.3.10 has them."""
    kept: bool = False
    """It became a path of the association."""

    @property
    def encapsulation(self) -> str:
        """How it was asked: ``"native"`` (IP protocol 132), or ``"UDP"`` and the port."""
        return f"UDP {self.udp_port}" if self.udp_port else "native"


def address_reports(candidates: Iterable[CoreReport], started: int) -> tuple[AddressReport, ...]:
    """The core's report on an attempt that began at ``started``, ns."""
    return tuple(
        AddressReport(
            address=ip_text(candidate.ip),
            udp_port=candidate.udp_port,
            source=ip_text(candidate.source),
            listed=candidate.listed,
            inits=candidate.inits,
            first_sent=_since(started, candidate.first_sent),
            answered=_since(started, candidate.answered),
            answer=ANSWER_NAMES[candidate.answer],
            error=candidate.error,
            causes=tuple(candidate.causes),
            kept=candidate.kept,
        )
        for candidate in candidates
    )


def _since(started: int, when: int) -> float | None:
    return None if when < 0 else (when - started) / NANOSECONDS
