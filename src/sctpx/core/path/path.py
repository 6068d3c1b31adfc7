"""Path: everything that belongs to one destination transport address of the peer.

State, RTO, congestion controller, flight size, error count, T3-rtx and the heartbeat live here and nowhere else
(RFC 9260 section 14.3). A path knows nothing of the association; the functions of this package and the
association's handlers work on it.
"""

from __future__ import annotations

from typing import Final, final

from ...wire.codes import COMMON_HEADER
from ..config import USUAL_MTU
from ..outputs import DSCP_SHIFT
from ..rules import Rules
from ..timers import NEVER
from . import pmtu
from .controller import Controller
from .cubic import Cubic
from .newreno import NewReno
from .states import PATH_ACTIVE

UDP_HEADER: Final = 8
IPV4_HEADER: Final = 20
IPV6_HEADER: Final = 40
LARGEST_PADDED: Final = 65_000
"""So large may a packet be with padding: IP has a length for it."""


def largest_packet(mtu: int, remote: bytes, encaps_port: int) -> int:
    """The largest SCTP packet in an IP packet of ``mtu`` bytes: PMTU in the RFC's sense, a multiple of four."""
    header = IPV4_HEADER if len(remote) == 4 else IPV6_HEADER
    return (mtu - header - (UDP_HEADER if encaps_port else 0)) & ~3


def flowinfo(dscp: int, flow_label: int, remote: bytes) -> int:
    """How packets to ``remote`` are marked, as ``Transmit.flowinfo`` has it. IPv4 has no flow label."""
    return dscp << DSCP_SHIFT | (flow_label if len(remote) != 4 else 0)


@final
class Path:
    """One destination address. Read-only for the layers above the core."""

    __slots__ = (
        "asked",
        "asked_again",
        "bytes_sent",
        "chunks_retransmitted",
        "confirmed",
        "congestion_answered",
        "controller",
        "cut_off",
        "discoverable",
        "discovers",
        "doubtful",
        "dscp",
        "earliest_tsn",
        "encaps_port",
        "error_count",
        "errors_pause",
        "flight_size",
        "flow_label",
        "flowinfo",
        "heartbeat_deadline",
        "heartbeat_enabled",
        "heartbeat_interval",
        "heartbeat_nonce",
        "heartbeat_repeated",
        "heartbeat_sent",
        "heartbeat_timeout",
        "heartbeats_sent",
        "idle_since",
        "largest",
        "last_acknowledged",
        "last_batch_tsn",
        "last_data_sent",
        "last_used",
        "least_rtt",
        "least_rtt_of_late",
        "link_mtu",
        "local",
        "loss_deadline",
        "max_retrans",
        "measurements",
        "moved_on_at",
        "mtu",
        "packets_sent",
        "pmdcs",
        "potentially_failed_max_retrans",
        "primary_switchover_max_retrans",
        "probe_timer",
        "probed_at",
        "question_nonce",
        "question_pause",
        "questioned_at",
        "remote",
        "rto",
        "rto_highest",
        "rtt_sent",
        "rtt_size",
        "rtt_tsn",
        "rttvar",
        "search_from",
        "sized",
        "srtt",
        "state",
        "t3_deadline",
        "timed_out_tsn",
        "timeout_foreseen",
        "told_state",
        "too_big_from",
        "unanswered_inits",
        "whole",
    )

    def __init__(
        self,
        remote: bytes,
        local: bytes,
        encaps_port: int,
        rules: Rules,
        link_mtu: int = 0,
        discoverable: bool = False,
    ) -> None:
        """``link_mtu``: the largest IP packet that the link takes, 0 if it does not say.

        ``discoverable``: the link can forbid IP to fragment packets.
        """
        self.remote = remote
        """The peer's IP address, packed."""
        self.local = local
        """Our source address towards it, packed; ``b""`` leaves the choice to the link."""
        self.encaps_port = encaps_port
        """The peer's UDP encapsulation port at this address (RFC 6951 section 5.1); 0 for none."""
        self.state: int = PATH_ACTIVE
        self.told_state: int = PATH_ACTIVE
        """The state that the user was told last."""
        self.confirmed = False
        """Whether the peer has been shown to own the address (RFC 9260 section 5.4)."""
        self.cut_off = False
        """No address of ours reaches this one: nothing leaves for it (``association.path_set``)."""
        self.error_count = 0
        self.errors_pause = 0
        """Until then, ICMP errors tell of what was counted already."""
        self.timeout_foreseen = False
        """The network has said that what is under way here was not delivered, and that is counted."""
        self.doubtful = False
        """Something timed out here, and nothing sent since has been answered."""
        self.max_retrans = rules.path_max_retrans
        """Path.Max.Retrans."""
        self.potentially_failed_max_retrans = rules.potentially_failed_max_retrans
        """PFMR of RFC 7829."""
        self.primary_switchover_max_retrans = rules.primary_switchover_max_retrans
        """PSMR of RFC 7829; ``NO_SWITCHOVER``: as the primary path it is never replaced."""

        self.srtt = 0
        """Smoothed round-trip time, ns; 0 before the first measurement."""
        self.rttvar = 0
        self.rto = rules.rto_initial
        self.rto_highest = self.rto
        """The longest it has been, ns."""
        self.least_rtt = 0
        """The least of the last 64 to 128 round-trip times that were measured, ns; 0 before the first measurement."""
        self.least_rtt_of_late = 0
        """The same of the last 63 at most."""
        self.measurements = 0
        """How many round-trip times were measured."""
        self.probed_at = -1
        """So many they were when the last tail loss probe was due here."""
        self.rtt_tsn = -1
        """The TSN whose round trip is being measured; -1 for none."""
        self.rtt_sent = 0
        self.rtt_size = 0
        """Bytes of the packet that had that TSN."""

        self.link_mtu = link_mtu
        """The largest IP packet that the link takes, bytes; 0 if it does not say."""
        self.discoverable = discoverable
        """The link can forbid IP to fragment packets."""
        self.discovers = discoverable and rules.path_mtu_discovery
        """The path MTU is discovered (``pmtu``); else the size of packets is fixed, and IP may fragment them."""
        self.largest = largest_packet(_limit(rules, link_mtu), remote, encaps_port)
        """MAX_PLPMTU: no larger SCTP packet is sent here, bytes."""
        start = self.base if self.discovers else largest_packet(rules.usual_mtu, remote, encaps_port)
        self.mtu = min(start, self.largest)
        """The largest SCTP packet, bytes: PLPMTU, if it is discovered."""
        self.whole = self.mtu if self.discovers else 0
        """The largest SCTP packet that IP must not fragment, bytes. Larger ones than ``mtu`` were cut before the path
        MTU fell, and IP has to fragment them (RFC 9260 section 6.9)."""
        self.sized = not self.discovers
        """``mtu`` is what the path takes, and not only where the search for it begins."""
        self.search_from = 0 if self.discovers else NEVER
        """Data that is sent from then on begins a search; ``NEVER`` while one is under way."""
        self.probe_timer = rules.path_mtu_probe_timer
        """PROBE_TIMER at least, ns."""
        self.timed_out_tsn = -1
        """The lowest TSN in flight when T3-rtx last expired with more in flight than the smallest packet takes; -1 once
        a larger packet that was sent since has been acknowledged."""
        self.too_big_from = 0
        """From then on it counts if the network says that packets are too big."""
        self.pmdcs = self.mtu - COMMON_HEADER
        """Path Maximum DATA Chunk Size."""
        self.dscp = -1
        """The DSCP of packets to this address alone; -1 for the association's."""
        self.flow_label = -1
        """The IPv6 flow label of packets to this address alone; -1 for the association's."""
        self.flowinfo = flowinfo(rules.dscp, rules.flow_label, remote)
        """How packets to this address are marked; see ``Transmit``."""
        self.controller = _controller(rules, self.pmdcs, remote)
        """The congestion window of this path (section 7.2)."""
        self.congestion_answered = -1
        """The highest TSN sent when the window was last reduced: congestion that was met up to there is dealt with."""
        self.flight_size = 0
        """Bytes of DATA chunks in flight, with their headers and padding (section 7.2)."""

        self.t3_deadline = NEVER
        self.loss_deadline = NEVER
        """When to look, before T3-rtx expires, whether something in flight is lost, or to probe for it (RFC 8985). No
        later than that is due, and perhaps earlier: what has happened since is looked at then."""
        self.last_batch_tsn = -1
        """The first TSN of the last new data that was sent here."""
        self.moved_on_at = 0
        """When the earliest data in flight was sent, what was earlier was acknowledged, or a second batch followed the
        first. What is sent then, while cwnd has room, puts no tail loss probe off (RFC 8985 section 7.2)."""
        self.earliest_tsn = -1
        """The lowest TSN in flight to this address; -1 for none (rule R3 of section 6.3.2)."""
        self.last_used = 0
        """When something was last sent here that can measure the path."""
        self.last_data_sent = 0
        """When a DATA chunk was last sent here."""
        self.last_acknowledged = 0
        """When the peer last proved to be reachable here."""
        self.unanswered_inits = 0
        """INITs sent here that drew no answer yet: each may still draw a late ABORT."""

        self.heartbeat_enabled = rules.heartbeat_interval > 0
        self.heartbeat_interval = rules.heartbeat_interval
        self.heartbeat_deadline = NEVER
        """When the next HEARTBEAT is due."""
        self.heartbeat_timeout = NEVER
        """When the HEARTBEAT that is under way counts as lost."""
        self.heartbeat_nonce = b""
        self.question_nonce = b""
        """The nonce of the HEARTBEAT that was last sent out of turn; b"" once that HEARTBEAT was answered."""
        self.questioned_at = -NEVER
        """When the last HEARTBEAT out of turn was sent, ns."""
        self.question_pause = 0
        """How long after ``questioned_at`` a tail loss probe has no other HEARTBEAT sent out of turn, ns."""
        self.heartbeat_sent = 0
        self.heartbeat_repeated = False
        """The HEARTBEAT that is under way left more than once."""
        self.asked = -1
        """When a HEARTBEAT first asked, of late, whether the peer lives here at all, ns; -1 for never."""
        self.asked_again = -1
        """When the second HEARTBEAT asked so; the time of the first one before that."""
        self.idle_since = 0
        """When the present heartbeat period began (section 8.3)."""

        self.packets_sent = 0
        self.bytes_sent = 0
        """Bytes of SCTP packets sent here."""
        self.heartbeats_sent = 0
        self.chunks_retransmitted = 0

    @property
    def cwnd(self) -> int:
        """The congestion window, bytes: for reports of the path's status."""
        return self.controller.cwnd

    @property
    def ssthresh(self) -> int:
        """Where slow start ends, bytes: for reports of the path's status."""
        return self.controller.ssthresh

    @property
    def room(self) -> int:
        """Bytes of chunks until the congestion window is full; 0 or less if it is (section 6.1 B)."""
        return self.controller.room(self.flight_size)

    def end_pause(self, now: int) -> None:
        """Data is about to be sent while none is in flight: a pause costs some of the window (section 7.2.1)."""
        periods = (now - self.last_data_sent) // self.rto
        if periods > 0:
            self.controller.on_idle(periods)
            self.last_data_sent = now

    def forget_tsns(self) -> None:
        """Our TSNs begin anew elsewhere, and none is in flight (RFC 6525): the old ones mean nothing any more."""
        self.rtt_tsn = self.earliest_tsn = self.timed_out_tsn = self.congestion_answered = self.last_batch_tsn = -1

    @property
    def usable(self) -> bool:
        """Whether more may leave for it than what verifies it (RFC 9260 section 5.4)."""
        return self.confirmed and not self.cut_off

    def use_controller(self, rules: Rules) -> None:
        """The congestion window grows and shrinks from now on as ``rules`` say."""
        controller = _controller(rules, self.pmdcs, self.remote)
        controller.take_over(self.controller)
        controller.on_rtt(self.srtt)
        self.controller = controller

    def reset_congestion(self, rules: Rules) -> None:
        """Packets go another way, or through other queues: "the congestion control parameters for the affected
        destination addresses MUST be reset to their initial values" (sections 7.2.5.1 and 7.2.5.2)."""
        self.controller = _controller(rules, self.pmdcs, self.remote)

    def begin_anew(self, rules: Rules) -> None:
        """The same destination by another way, as after a move: what was measured on the old way says nothing."""
        self.srtt = self.rttvar = self.least_rtt = 0
        self.rto = rules.rto_initial
        self.rtt_tsn = -1
        self.reset_congestion(rules)
        self.error_count = 0
        self.doubtful = self.timeout_foreseen = False
        self.heartbeat_timeout = NEVER
        self.heartbeat_nonce = self.question_nonce = b""
        self.questioned_at = -NEVER
        self.question_pause = 0

    @property
    def base(self) -> int:
        """BASE_PLPMTU: where discovery begins, and what it falls back to (RFC 8899 section 5.1.2)."""
        return pmtu.base_size(self.remote, self.encaps_port)

    @property
    def minimum(self) -> int:
        """MIN_PLPMTU: discovery goes no lower."""
        return pmtu.minimum_size(self.remote, self.encaps_port)

    @property
    def expected_mtu(self) -> int:
        """The largest SCTP packet as far as is known; until something is, that of most paths."""
        if self.sized:
            return self.mtu
        return min(largest_packet(USUAL_MTU, self.remote, self.encaps_port), self.largest)

    def lacks(self, size: int) -> int:
        """Bytes of padding with which IP fragments a packet that was cut before the path MTU fell; 0 for none.

        Over IPv6 no router fragments it, and this host only does if it is larger than the interface takes.
        """
        if len(self.remote) == 4 or not self.link_mtu:
            return 0
        larger = largest_packet(self.link_mtu, self.remote, self.encaps_port) + 4
        return max(larger - size, 0) if larger <= LARGEST_PADDED else 0

    def set_mtu(self, mtu: int, whole: int = 0) -> None:
        """The largest SCTP packet is one of so many bytes, and the largest one that IP must not fragment ``whole``."""
        self.mtu = mtu & ~3
        self.whole = whole & ~3
        self.pmdcs = self.controller.pmdcs = self.mtu - COMMON_HEADER

    def fix_mtu(self, mtu: int = 0) -> None:
        """The path MTU is not discovered: packets have so many bytes, whatever the path takes. 0: as they are."""
        if not mtu:
            mtu = self.expected_mtu
        self.discovers = False
        self.sized = True
        self.search_from = NEVER
        self.set_mtu(mtu)

    def discover_mtu(self) -> None:
        """Discover the path MTU, if the link is able to: with the data that is sent next."""
        if self.discoverable and not self.discovers:
            self.discovers = True
            self.sized = False
            self.search_from = 0
            start = min(self.base, self.largest)
            self.set_mtu(start, start)

    def limit_mtu(self, rules: Rules) -> None:
        """``rules`` or ``link_mtu`` have changed: no larger packets than these allow, and larger ones if they do."""
        before = self.largest
        self.largest = largest_packet(_limit(rules, self.link_mtu), self.remote, self.encaps_port)
        if not self.discovers:
            self.set_mtu(self.largest if self.mtu == before else min(self.mtu, self.largest))
        elif self.mtu > self.largest:
            self.set_mtu(self.largest, min(self.whole, self.largest))
        elif self.largest > before and self.search_from != NEVER:
            self.search_from = 0

    def keep_settings(self, other: Path) -> None:
        """This is the same destination as ``other``, anew: what the user has set for it stays set."""
        self.max_retrans = other.max_retrans
        self.potentially_failed_max_retrans = other.potentially_failed_max_retrans
        self.primary_switchover_max_retrans = other.primary_switchover_max_retrans
        self.heartbeat_enabled = other.heartbeat_enabled
        self.heartbeat_interval = other.heartbeat_interval
        self.dscp = other.dscp
        self.flow_label = other.flow_label
        self.flowinfo = other.flowinfo
        self.probe_timer = other.probe_timer
        if not other.discovers:
            self.fix_mtu(min(self.largest, other.mtu))
        elif self.discovers and other.sized:
            self.sized = True
            self.set_mtu(min(self.largest, other.mtu), min(self.largest, other.whole))

    def mark(self, rules: Rules) -> None:
        """Packets to this address are marked as is set for it, and otherwise as for the association."""
        dscp = self.dscp if self.dscp >= 0 else rules.dscp
        label = self.flow_label if self.flow_label >= 0 else rules.flow_label
        before = self.flowinfo
        self.flowinfo = flowinfo(dscp, label, self.remote)
        if before >> DSCP_SHIFT != dscp:
            self.reset_congestion(rules)

    def set_encapsulation(self, port: int) -> None:
        """The peer is at another UDP port; PMTU follows if encapsulation begins or ends (RFC 6951 section 5.6)."""
        change = UDP_HEADER * (bool(self.encaps_port) - bool(port))
        self.encaps_port = port
        if change:
            self.largest += change
            self.set_mtu(self.mtu + change, self.whole + change if self.whole else 0)


def _controller(rules: Rules, pmdcs: int, remote: bytes) -> Controller:
    """The congestion controller that ``rules`` name, with the initial window."""
    ipv4 = len(remote) == 4
    return Cubic(pmdcs, ipv4) if rules.cubic else NewReno(pmdcs, ipv4)


def _limit(rules: Rules, link_mtu: int) -> int:
    """The largest IP packet, bytes: what the link takes and the user allows."""
    if not rules.mtu:
        return link_mtu or USUAL_MTU
    return min(rules.mtu, link_mtu or rules.mtu)
