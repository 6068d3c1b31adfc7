"""Path MTU discovery (RFC 8899, RFC 9260 section 7.3): probes, their answers, black holes, and what ICMP says.

A path begins with packets of BASE_PLPMTU. The first data that does not fit one of them begins a search (``path.pmtu``):
an association that sends little gains nothing from larger packets, and probes nothing. Ten minutes after a search
(PMTU_RAISE_TIMER) data begins the next one, so nothing waits for a timer while nothing is sent. All paths are searched
together, since the one with the smallest packets decides for all of them (AMDCS).

A probe is a HEARTBEAT with a PAD chunk (section 6.2.1.2), alone in its packet, and never to an address that is not
confirmed. Its answer counts as that of a HEARTBEAT; its loss is neither congestion nor an error of the path. One probe
is under way on a path, so that they are a round trip apart (section 3). PROBE_TIMER is RTO, and a second at least
(``path_mtu_probe_timer``): section 5.1.1 would have it longer than 15 seconds, but RTO is measured.

A black hole is found by T3-rtx: it expires twice for the same TSN, with more in flight than the smallest packet takes.
With several paths, what is lost goes again elsewhere, HEARTBEATs pass, and the next data is lost here as well. There
it is enough that no large packet which was sent after the first expiry was acknowledged before the second one. The
path then falls back to BASE_PLPMTU, IP may fragment whatever is larger than MIN_PLPMTU until a probe has passed, and
the search begins anew. So data that was cut for larger packets gets through (RFC 9260 section 6.9). It is the same
when an ICMP message with the peer's tag says that packets are too big, but that what is in flight goes again at once.
No message makes packets smaller than BASE_PLPMTU, or larger: the size that it names is probed (section 4.6.2). After a
search has shown that more passes than a message said, no message about this path counts for ten minutes (section
5.3.3).

Over IPv6 no router fragments such data. It goes in a packet that padding makes larger than the interface takes, so that
this host fragments it (``Path.lacks``).

If BASE_PLPMTU does not pass where other packets do, packets of MIN_PLPMTU are sent, and IP may fragment them (ERROR,
section 5.4).
"""

from __future__ import annotations

from typing import Final, final

from ...wire import control
from ...wire.codes import CHUNK_HEARTBEAT, CHUNK_PAD, COMMON_HEADER
from ...wire.tlv import ParseError
from .. import extension
from ..association import reachability
from ..association.tcb import Tcb
from ..extension import Extension
from ..path import pmtu, rto
from ..path.heartbeat import NONCE_LENGTH
from ..path.path import Path
from ..path.states import PATH_ACTIVE, PATH_INACTIVE
from ..timers import NEVER, SECOND

PMTU_RAISE_TIMER: Final = 600 * SECOND
PROBE_CHUNKS: Final = (CHUNK_HEARTBEAT, CHUNK_PAD)
# In ERROR, data has BASE_PLPMTU probed again after so long.
_AFTER_ERROR: Final = 60 * SECOND


@final
class _Probing:
    """One path that is searched."""

    __slots__ = ("begun", "deadline", "nonce", "path", "reported", "search", "size")

    def __init__(self, now: int, path: Path, search: pmtu.Search, reported: int) -> None:
        self.begun = now
        self.reported = reported
        """What a router said that it takes; 0 if none did."""
        self.path = path
        self.search = search
        self.size = 0
        """Of the probe that is under way: PROBED_SIZE."""
        self.nonce = b""
        self.deadline = NEVER
        """PROBE_TIMER."""


@final
class PathMtu(Extension):
    """The searches of one association; it is there while there are any."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        self._probings: list[_Probing] = []

    def search(self, now: int, path: Path, state: int, reported: int = 0, known: int = 0) -> None:
        """Begin a search of ``path``, instead of the one that is under way, if there is one.

        ``reported``: what a router says that it takes; ``known``: what another association has found.
        """
        added = pmtu.headers(path.remote, path.encaps_port)
        search = pmtu.Search(path.mtu, min(path.base, path.largest), path.largest, added, state)
        for hint in (known, reported):
            if path.mtu < hint < path.largest:
                search.hint = hint
        path.search_from = NEVER
        probing = _Probing(now, path, search, reported)
        self._probings = [one for one in self._probings if one.path is not path]
        self._probings.append(probing)
        self._go_on(now, probing)

    def handle_timeout(self, now: int) -> None:
        """PROBE_TIMER has expired for some paths."""
        for probing in list(self._probings):
            if probing.deadline > now:
                continue
            path = probing.path
            # If nothing at all is answered, the path tells nothing of sizes.
            silent = probing.search.state == pmtu.BASE and path.last_acknowledged < probing.begun
            if path.state == PATH_INACTIVE or not reachability.heartbeats_run(self._tcb):
                # Loss of connectivity (section 5.2): data begins another search, once it is sent here again.
                self._end(probing, now)
                continue
            if path.error_count == 0:
                self._tcb.stats.path_mtu_probes_lost += 1
                probing.search.on_lost(probing.size)
                if silent and probing.search.state == pmtu.ERROR:
                    self._end(probing, now + _AFTER_ERROR)
                    continue
            self._go_on(now, probing)
        self._schedule()

    def on_answer(self, now: int, info: bytes) -> bool:
        """A HEARTBEAT ACK with this Heartbeat Info came: whether it answers a probe."""
        for probing in self._probings:
            if probing.nonce and info[:NONCE_LENGTH] == probing.nonce and info[NONCE_LENGTH:] == probing.path.remote:
                self._on_passed(now, probing)
                return True
        return False

    def on_too_big(self, now: int, path: Path, limit: int) -> bool:
        """A packet to ``path`` was too big for the network, which takes ``limit``: whether it has been a probe."""
        for probing in self._probings:
            if probing.path is path and path.mtu <= limit < probing.size:
                probing.reported = limit
                probing.search.on_too_big(probing.size, limit)
                self._go_on(now, probing)
                return True
        return False

    def on_refused(self, now: int, path: Path, size: int) -> None:
        """This host does not send a probe of that size: the interface takes less."""
        for probing in self._probings:
            if probing.path is path and probing.size == size:
                self._tcb.stats.path_mtu_probes_lost += 1
                probing.search.on_too_big(size, 0)
                self._go_on(now, probing)
                return

    def forget(self, path: Path) -> None:
        """The path MTU of ``path`` is not discovered any more."""
        self._probings = [one for one in self._probings if one.path is not path]
        self._schedule()

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """The peer has deleted the address (RFC 5061)."""
        self.forget(path)

    def _on_passed(self, now: int, probing: _Probing) -> None:
        path, search = probing.path, probing.search
        probing.nonce = b""
        reachability.on_answer(self._tcb, now, path)
        if path.discovers:
            if 0 < probing.reported < probing.size:
                path.too_big_from = now + PMTU_RAISE_TIMER
            search.on_passed(probing.size)
            self._use(path, probing.size, probing.size)
            path.sized = True
        self._go_on(now, probing)

    def _go_on(self, now: int, probing: _Probing) -> None:
        """Send the next probe, or end the search."""
        path, search = probing.path, probing.search
        size = search.next_size() if path.discovers else 0
        if not size:
            if search.state == pmtu.ERROR:
                self._use(path, min(path.minimum, path.mtu), 0)
            path.sized = True
            if path.discovers and search.state == pmtu.SEARCH_COMPLETE:
                self._tcb.endpoint.known_mtus.note(now, path)
            self._end(probing, now + (_AFTER_ERROR if search.state == pmtu.ERROR else PMTU_RAISE_TIMER))
            return
        tcb = self._tcb
        search.left -= 1
        probing.size = size
        probing.nonce = tcb.random_bytes(NONCE_LENGTH)
        wait = path.rto if path.error_count else rto.without_backoff(path, tcb.rules)
        probing.deadline = now + max(wait, path.probe_timer)
        room = size - COMMON_HEADER - tcb.seal.added_to(PROBE_CHUNKS)
        tcb.send_control(path, control.probe(probing.nonce + path.remote, room))
        tcb.stats.path_mtu_probes_sent += 1
        self._schedule()

    def _use(self, path: Path, mtu: int, whole: int) -> None:
        path.set_mtu(mtu, whole)
        self._tcb.limit_packets()

    def _end(self, probing: _Probing, search_from: int) -> None:
        path = probing.path
        if path.discovers:
            path.search_from = search_from
        self._tcb.limit_packets()
        self.forget(path)

    def _schedule(self) -> None:
        tcb = self._tcb
        self.deadline = min([probing.deadline for probing in self._probings], default=NEVER)
        if not self._probings:
            tcb.extensions = [one for one in tcb.extensions if one is not self]


def find(tcb: Tcb) -> PathMtu | None:
    """The searches that are under way."""
    return extension.find(tcb.extensions, PathMtu)


def _searches(tcb: Tcb) -> PathMtu:
    """The same, to begin one."""
    room = find(tcb)
    if room is None:
        room = PathMtu(tcb)
        tcb.extensions = [*tcb.extensions, room]
    return room


def begin(tcb: Tcb, now: int) -> None:
    """There is data for more than one packet: search those paths that it is time for."""
    for path in tcb.paths:
        if now < path.search_from or not path.confirmed or path.state != PATH_ACTIVE:
            continue
        if path.sized:
            # The interface may be another one by now.
            path.link_mtu = tcb.endpoint.link_mtu(path.remote, path.local, True)
            path.limit_mtu(tcb.rules)
            tcb.limit_packets()
        if path.mtu < path.largest:
            base = not path.sized or path.mtu < path.base
            known = 0 if path.sized else tcb.endpoint.known_mtus.size(now, path)
            _searches(tcb).search(now, path, pmtu.BASE if base else pmtu.SEARCHING, known=known)
        else:
            path.sized = True  # It has what the interface takes.
            path.search_from = now + PMTU_RAISE_TIMER


def handle_heartbeat_ack(tcb: Tcb, now: int, value: bytes) -> bool:
    """A HEARTBEAT ACK: whether it answers a probe."""
    room = find(tcb)
    if room is None:
        return False
    try:
        info = control.parse_heartbeat_info(value)
    except ParseError:
        return False
    return room.on_answer(now, info)


def on_t3(tcb: Tcb, now: int, path: Path) -> None:
    """T3-rtx has expired: for the second time because packets do not get through that are larger than others?"""
    on_lost(tcb, now, path, path.flight_size, path.earliest_tsn)


def on_lost(tcb: Tcb, now: int, path: Path, size: int, tsn: int) -> None:
    """So many bytes in flight to ``path``, this TSN first, were not acknowledged in time."""
    if size <= path.minimum or path.whole <= path.minimum:
        return
    before = path.timed_out_tsn
    path.timed_out_tsn = tsn
    if path.timed_out_tsn != before and (before < 0 or len(tcb.paths) == 1):
        return
    tcb.stats.path_mtu_black_holes += 1
    _fall_back(tcb, now, path, 0)


def handle_icmp(tcb: Tcb, now: int, path: Path, mtu: int) -> None:
    """An ICMP message with the peer's tag: a packet to ``path`` was too big for a link of that MTU, bytes of IP."""
    limit = mtu - pmtu.headers(path.remote, path.encaps_port) & ~3
    if not path.discovers or limit < path.minimum or now < path.too_big_from:
        return
    room = find(tcb)
    if room is not None and room.on_too_big(now, path, limit):
        tcb.stats.path_mtu_reports += 1
    elif limit < path.mtu and path.whole > path.minimum:
        tcb.stats.path_mtu_reports += 1
        _fall_back(tcb, now, path, limit)
        reachability.repeat_flight(tcb, path)


def handle_send_error(tcb: Tcb, now: int, path: Path, packet: bytes) -> None:
    """This host refuses to send a packet, as it is too big for the interface."""
    room = find(tcb)
    if control.is_probe(packet[COMMON_HEADER:]):
        if room is not None:
            room.on_refused(now, path, len(packet))
    elif path.whole > path.minimum:
        _fall_back(tcb, now, path, 0)
        reachability.repeat_flight(tcb, path)


def handle_no_room(path: Path, size: int) -> None:
    """The interface had no room for a packet, however often it was tried: perhaps since the packet is too big for it.

    As it may be congestion, that is no black hole yet. But it counts as the first expiry of T3-rtx.
    """
    if size > path.minimum and path.timed_out_tsn < 0:
        path.timed_out_tsn = path.earliest_tsn


def _fall_back(tcb: Tcb, now: int, path: Path, reported: int) -> None:
    """Packets of the size in use do not pass any more: BASE, and another search. ``reported``: what a router takes."""
    path.timed_out_tsn = -1
    tcb.endpoint.known_mtus.forget(path)
    path.link_mtu = tcb.endpoint.link_mtu(path.remote, path.local, True)
    path.limit_mtu(tcb.rules)
    base = min(path.base, path.mtu)
    path.set_mtu(base, min(path.minimum, base))
    tcb.limit_packets()
    _searches(tcb).search(now, path, pmtu.BASE, reported)


def on_new_way(tcb: Tcb, path: Path) -> None:
    """Packets leave from another address of ours: what was found for the old way says nothing (RFC 5061)."""
    room = find(tcb)
    if room is not None:
        room.forget(path)
    path.link_mtu = tcb.endpoint.link_mtu(path.remote, path.local, True)
    path.limit_mtu(tcb.rules)
    path.timed_out_tsn = -1
    if path.discovers:
        path.discovers = False
        path.discover_mtu()
    tcb.limit_packets()
