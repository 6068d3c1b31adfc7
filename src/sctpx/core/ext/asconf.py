"""Dynamic address reconfiguration (RFC 5061): addresses are added and deleted while the association lives.

Changes to *our* addresses wait in a queue. One ASCONF is under way at a time; when it is answered, the next one takes
what has come together meanwhile. The order in it is fixed: additions, the address that the peer is to prefer,
deletions. So an address that replaces the last one is there before that goes (F5). A deletion that would leave none
waits for an addition.

Packets leave from ``Tcb.local_addresses``, the addresses that the peer knows and we do not give up. An address joins
them when its addition is answered (F1), and leaves them when its deletion is sent (F4). Until then nothing but ASCONFs
leave from an address that is added: it may be the only one that works. What comes to an address counts as long as the
system has it.

The peer must know an address by which we ask for it. Behind a NAT, or where an address means nothing to the peer, the
request has a wildcard in place of the address, and the peer takes the source of the packet (section 4.2).

Requests of the *peer* have a number, and the answers to those of the last packet are kept: if they come again, so do
the answers. The association has the object from the first ASCONF on, of either side: before, the extension costs
nothing. The peer's requests are carried out in ``address_requests``.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EINVAL, ENOBUFS, ENOTCONN, EOPNOTSUPP
from typing import Final, final

from ...wire import asconf as wire
from ...wire import causes
from ...wire.asconf import Answer, Request
from ...wire.codes import (
    CAUSE_UNRECOGNIZED_CHUNK,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CHUNK_ASCONF,
    COMMON_HEADER,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_REPORT,
    PARAM_SET_PRIMARY,
)
from ...wire.params import IPV4_LENGTH, IPV6_LENGTH, is_unicast
from ...wire.serial import TSN_MASK
from .. import extension
from ..association import path_set, reachability, shutdown, transfer
from ..association.state import CLOSED, ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED, SHUTDOWN_SENT
from ..association.tcb import Tcb
from ..capabilities import ADDRESS_RECONFIGURATION
from ..events import (
    ADDRESS_ADDED,
    ADDRESS_MADE_PRIMARY,
    ADDRESS_REMOVED,
    ASCONF_DONE,
    ASCONF_FAILED,
    ASCONF_REFUSED,
    LocalAddressChange,
)
from ..extension import Extension
from ..ip import choose_source, is_ipv4
from ..path import rto
from ..path.path import Path
from ..timers import NEVER, nanoseconds
from .address_requests import carry_out

COUNTS: Final[tuple[int, ...]] = (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED, SHUTDOWN_SENT)
"""States in which ASCONF and ASCONF-ACK are sent (rule C4)."""
MAX_BUNDLED: Final = 8
"""New ASCONFs of the peer that count between two packets that leave: an honest peer waits for the answer, and bundles
few (section 5.5)."""
MAX_QUEUE: Final = 256
"""Changes that may wait."""
MAX_FORMER: Final = 16
"""Addresses that have been ours that are remembered."""
MAX_REPEATS: Final = 4
"""How often in a row a deletion is asked for that was refused because of where the ASCONF came from."""
_HALF: Final = 1 << 31
_OPPOSITES: Final = {PARAM_ADD_IP: PARAM_DELETE_IP, PARAM_DELETE_IP: PARAM_ADD_IP}
_TOLD: Final = {
    PARAM_ADD_IP: ADDRESS_ADDED,
    PARAM_DELETE_IP: ADDRESS_REMOVED,
    PARAM_SET_PRIMARY: ADDRESS_MADE_PRIMARY,
}


@final
class Change:
    """What is to become of one of our addresses."""

    __slots__ = ("correlation", "hidden", "ip", "kind")

    def __init__(self, kind: int, ip: bytes) -> None:
        self.kind = kind
        """The type of the parameter that asks for it."""
        self.ip = ip
        self.correlation = 0
        """Of the request, once it is sent."""
        self.hidden = False
        """The request has a wildcard: the address means nothing to the peer."""

    def request(self) -> Request:
        """What asks the peer for it."""
        return wire.request(self.kind, self.correlation, _wildcard(self.ip) if self.hidden else self.ip)


@final
class AddressReconfiguration(Extension):
    """RFC 5061 in one association."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        # Each side's numbers begin with its Initial TSN (A2).
        self._next_serial = tcb.initial_tsn & TSN_MASK
        self._next_correlation = 0
        self._queue: list[Change] = []  # What waits.
        self._under_way: list[Change] = []
        self._chunk = b""
        self._path: Path | None = None
        self._source = b""
        self._sources: set[bytes] = set()  # From which the ASCONF has left.
        self._tries = 0
        self._unknown_to_peer: list[int] = []  # Types of requests.
        self._repeats = 0  # Of deletions that were refused, in a row.
        self.has_changed = False
        """Whether the peer has added or deleted an address of ours."""
        self.former: list[bytes] = []
        """Addresses of ours that the peer has deleted, the last ones."""
        self._peer_serial = (tcb.peer_initial_tsn - 1) & TSN_MASK
        self._answers: dict[int, bytes] = {}  # By number.
        self._packet = -1
        self._bundled = 0

    # --- what is asked for -----------------------------------------------------------------------------------

    @property
    def leaving(self) -> list[bytes]:
        """Our addresses that the peer has been asked to delete, and has not answered yet."""
        return [change.ip for change in self._under_way if change.kind == PARAM_DELETE_IP]

    def uses(self, ip: bytes) -> bool:
        """Whether packets may still come to that address of ours, or leave from it."""
        if ip in self.leaving or ip in self._tcb.local_addresses:
            return True
        return any(change.ip == ip and change.kind == PARAM_ADD_IP for change in [*self._under_way, *self._queue])

    def wanted(self) -> list[bytes]:
        """Our addresses when all is done that is under way or waits."""
        ips = [*self._tcb.local_addresses, *self.leaving]
        for change in [*self._under_way, *self._queue]:
            if change.kind == PARAM_ADD_IP and change.ip not in ips:
                ips.append(change.ip)
            elif change.kind == PARAM_DELETE_IP and change.ip in ips:
                ips.remove(change.ip)
        return ips

    def change(self, now: int, added: list[bytes], removed: list[bytes], follows: bool) -> None:
        """More and fewer addresses of ours. OSError: see ``Association.change_addresses``.

        If it ``follows`` the host, all addresses may be gone: the last one is deleted as soon as another one is there.
        """
        wanted = self.wanted()
        gone = [ip for ip in dict.fromkeys(removed) if ip in wanted]
        fresh = [ip for ip in dict.fromkeys(added) if ip not in wanted]
        if not follows:
            self._check(wanted, fresh, gone, removed)
        elif PARAM_ADD_IP in self._unknown_to_peer or len(self._queue) + len(fresh) + len(gone) > MAX_QUEUE:
            return
        for ip in fresh:
            self._put(PARAM_ADD_IP, ip)
        for ip in gone:
            self._put(PARAM_DELETE_IP, ip)
        if follows and self._source in gone and self._under_way:
            self._send(now)  # No answer will come to an address that is no more.

    def _check(self, wanted: list[bytes], fresh: list[bytes], gone: list[bytes], removed: list[bytes]) -> None:
        self._check_known(PARAM_ADD_IP)
        if len(self._queue) + len(fresh) + len(gone) > MAX_QUEUE:
            raise OSError(ENOBUFS, f"more than {MAX_QUEUE} changes wait for the peer")
        if not all(is_unicast(ip) for ip in fresh):
            raise OSError(EINVAL, "no address that a host can have")
        if len(gone) < len(set(removed)):
            raise OSError(EADDRNOTAVAIL, "not an address of the association")
        if not fresh and len(gone) == len(wanted):
            raise OSError(EINVAL, "an association cannot do without an address (RFC 5061 section 5.3, F5)")

    def _put(self, kind: int, ip: bytes) -> None:
        """One change more; it and its opposite, not sent yet, are none."""
        for change in self._queue:
            if change.kind == _OPPOSITES.get(kind) and change.ip == ip:
                self._queue.remove(change)
                return
        if kind == PARAM_DELETE_IP:
            self._queue = [one for one in self._queue if one.kind != PARAM_SET_PRIMARY or one.ip != ip]
        self._queue.append(Change(kind, ip))

    def prefer(self, ip: bytes) -> None:
        """The peer is asked to send to this address of ours. OSError: see ``Association.set_peer_primary``."""
        if ip not in self.wanted():
            raise OSError(EADDRNOTAVAIL, "not an address of the association")
        self._check_known(PARAM_SET_PRIMARY)
        self._queue = [change for change in self._queue if change.kind != PARAM_SET_PRIMARY]
        self._queue.append(Change(PARAM_SET_PRIMARY, ip))

    @property
    def is_understood(self) -> bool:
        """Whether the peer has not said that it does not know how addresses are added and deleted."""
        return PARAM_ADD_IP not in self._unknown_to_peer

    def _check_known(self, kind: int) -> None:
        """F3a, F3b and A9."""
        if kind in self._unknown_to_peer:
            raise OSError(EOPNOTSUPP, "the peer does not know such requests")

    # --- ASCONFs of ours -------------------------------------------------------------------------------------

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: is there something to ask for, and does it leave from where it may?"""
        self._bundled = 0
        tcb = self._tcb
        if tcb.state not in COUNTS:
            self._fail()
        elif self._queue and not self._under_way:
            self._begin(now)
        known = tcb.local_addresses
        if known:
            # What answers a packet leaves from where that came to: perhaps an address that is not the peer's to know.
            tcb.control = [
                (path, chunk, path.local if local not in known and chunk[0] != CHUNK_ASCONF else local)
                for path, chunk, local in tcb.control
            ]
            if tcb.sack_local not in known:
                tcb.sack_local = b""

    def _begin(self, now: int) -> None:
        """Make the next ASCONF of what waits, and send it (A1 to A4)."""
        tcb = self._tcb
        path = tcb.data_destination()
        if not path.confirmed:
            return  # It may not be sent there (RFC 9260 section 5.4).
        changes = self._choose(path.mtu - COMMON_HEADER - tcb.seal.overhead)
        if not changes:
            return
        self._queue = [change for change in self._queue if change not in changes]
        self._under_way = changes
        for change in changes:
            change.correlation = self._next_correlation
            self._next_correlation = (self._next_correlation + 1) & TSN_MASK
        # "an address that is part of the association", "the one being deleted" if there is no other (section 5.3.2)
        told = [ip for ip in tcb.local_addresses if self._is_told(ip)]
        lookup = told[0] if told else _wildcard(path.remote)
        self._chunk = wire.encode(self._next_serial, lookup, [change.request() for change in changes])
        self._next_serial = (self._next_serial + 1) & TSN_MASK
        leaving = self.leaving
        staying = [ip for ip in tcb.local_addresses if ip not in leaving]
        if staying:
            path_set.use_sources(tcb, now, staying)
        elif leaving:
            tcb.local_addresses = []
            self.holds = True
        self._tries = 0
        self._path = None
        self._sources.clear()
        self._send(now)

    def _choose(self, room: int) -> list[Change]:
        """Of the changes that wait, those that go into the next ASCONF, in their order there."""
        tcb = self._tcb
        if not self.wanted():
            return []  # The host has no address now.
        additions = [change for change in self._queue if change.kind == PARAM_ADD_IP]
        wishes = [change for change in self._queue if change.kind == PARAM_SET_PRIMARY]
        deletions = [change for change in self._queue if change.kind == PARAM_DELETE_IP]
        for change in self._queue:
            change.hidden = not self._is_told(change.ip)
        # The source of the packet stands for one address.
        hidden = [change for change in additions if change.hidden][:1]
        additions = [change for change in additions if not change.hidden or change in hidden]
        if hidden:
            wishes = [change for change in wishes if not change.hidden or change.ip == hidden[0].ip]
        chosen: list[Change] = []
        for change in additions + wishes + deletions:
            if wire.size([one.request() for one in [*chosen, change]]) > room:
                break
            chosen.append(change)
        left = [*tcb.local_addresses, *[change.ip for change in chosen if change.kind == PARAM_ADD_IP]]
        for change in list(chosen):
            if change.kind != PARAM_DELETE_IP:
                continue
            if len(left) == 1 and change.ip in left:
                chosen.remove(change)  # F5
            elif change.ip in left:
                left.remove(change.ip)
        return chosen

    def _is_told(self, ip: bytes) -> bool:
        """Whether the peer can do something with that address of ours."""
        tcb = self._tcb
        return tcb.endpoint.tells(ip, tcb.remotes())

    def _send(self, now: int) -> None:
        """The chunk leaves; again, if there are others, for another address and from another source (B4, B5)."""
        tcb = self._tcb
        path = tcb.data_destination(avoid=self._path)
        self._source = source = self._choose_source(path)
        self._sources.add(source)
        self._path = path
        known = source in tcb.local_addresses
        # What was measured on the way from another source says nothing.
        interval = path.rto if known else nanoseconds(tcb.config.rto_initial) << min(self._tries, 16)
        self.deadline = now + min(interval, nanoseconds(tcb.config.rto_max))
        tcb.control = [entry for entry in tcb.control if entry[1] is not self._chunk]
        tcb.send_control(path, self._chunk, source)

    def _choose_source(self, path: Path) -> bytes:
        """From where an ASCONF leaves: not from an address that it deletes (F6), nor from one that is to be deleted.

        An address that is being added comes next, and one that waits for its deletion since it is the last.
        """
        leaving = self.leaving
        doomed = [one.ip for one in self._queue if one.kind == PARAM_DELETE_IP and one.ip not in leaving]
        known = [ip for ip in self._tcb.local_addresses if ip not in doomed]
        additions = [one.ip for one in [*self._under_way, *self._queue] if one.kind == PARAM_ADD_IP]
        coming = [ip for ip in additions if ip not in doomed and ip not in leaving]
        # The host is back where it came from, before the peer has answered: there is no other way to get an answer.
        back = [ip for ip in additions if ip in leaving]
        pinned = [one.ip for one in self._under_way if one.hidden and one.kind != PARAM_DELETE_IP]
        others = [ip for ip in [*known, *coming] if ip != self._source] if self._tries else known
        for ips in ([ip for ip in pinned if ip not in doomed], others, known, coming, back, doomed):
            source = choose_source(ips, path.remote, [])
            if source:
                return source
        return b""

    def handle_timeout(self, now: int) -> None:
        """T4-RTO expired (B1 to B5)."""
        self.deadline = NEVER
        tcb = self._tcb
        path = self._path
        if not self._under_way or path is None:
            return
        if tcb.state not in COUNTS:
            self._fail()
            return
        reachability.on_timeout(tcb, path, True)
        if tcb.state == CLOSED:
            return
        rto.back_off(path, tcb.config)
        self._tries += 1
        tcb.stats.asconfs_retransmitted += 1
        self._send(now)

    def on_path_removed(self, path: Path, heir: Path) -> None:
        """The peer has deleted the address that the ASCONF went to."""
        if self._path is path:
            self._path = heir

    # --- answers ---------------------------------------------------------------------------------------------

    def handle_answer(self, now: int, value: bytes) -> None:
        """ASCONF-ACK. ParseError if it is malformed."""
        tcb = self._tcb
        serial, answers, others = wire.parse_ack(value)
        if not self._under_way:
            if (serial - self._next_serial) & TSN_MASK < _HALF:
                shutdown.abort(tcb, [causes.illegal_asconf_ack()])  # F0
            else:
                tcb.stats.packets_discarded += 1
            return
        if serial != (self._next_serial - 1) & TSN_MASK:
            tcb.stats.packets_discarded += 1
            return
        self.deadline = NEVER  # A5
        tcb.error_count = 0
        reported = [(kind, content) for kind, content in others if not wire.is_known(kind) and kind & PARAM_REPORT]
        if reported:
            transfer.respond_error(tcb, [causes.unrecognized_parameters(reported)])
        changes, self._under_way = self._under_way, []
        held, self.holds = self.holds, False
        tcb.control = [entry for entry in tcb.control if entry[1] is not self._chunk]
        if len(self._sources) > 1 and any(change.hidden for change in changes):
            self._ask_again(changes)
        else:
            self._conclude(now, changes, {answer.correlation: answer for answer in answers}, held)
        if self._path is not None and (not self._tries or len(tcb.paths) == 1):
            reachability.on_reached(tcb, now, self._path)

    def _ask_again(self, changes: list[Change]) -> None:
        """A wildcard left from several sources: nobody knows which of them the peer has taken for the address."""
        waiting, self._queue = self._queue, []
        for change in changes:
            self._queue.append(Change(change.kind, change.ip))
            if change.kind == PARAM_DELETE_IP:
                self._tcb.local_addresses = [*self._tcb.local_addresses, change.ip]
        for change in waiting:
            self._put(change.kind, change.ip)

    def _conclude(self, now: int, changes: list[Change], answers: dict[int, Answer], held: bool) -> None:
        """What has become of the changes (A6 to A8).

        While nothing could leave (``held``), one round trip has passed: what is in flight still is lost.
        """
        tcb = self._tcb
        known = list(tcb.local_addresses)
        failed = again = False
        for change in changes:
            answer = answers.get(change.correlation)
            why = [] if answer is None else answer.causes
            done = not why and (answer is not None or not failed)
            failed = failed or not done
            if CAUSE_UNRECOGNIZED_PARAMETERS in [code for code, _ in why]:
                both = (PARAM_ADD_IP, PARAM_DELETE_IP)
                self._unknown_to_peer.extend(both if change.kind in both else (change.kind,))  # F3a, F3b
            if change.kind == (PARAM_ADD_IP if done else PARAM_DELETE_IP) and change.ip not in known:
                known.append(change.ip)
            if change.kind == PARAM_DELETE_IP and not done and (again or change.ip in self._sources):
                # It was refused as the source (F6, F8), and so what comes behind it (F11): not for good.
                again = self._repeats < MAX_REPEATS
                if again:
                    self._put(PARAM_DELETE_IP, change.ip)
                    continue
            self.has_changed = self.has_changed or (done and change.kind != PARAM_SET_PRIMARY)
            if done and change.kind == PARAM_DELETE_IP:
                self.former = [*self.former, change.ip][-MAX_FORMER:]
            self._tell(change, ASCONF_DONE if done else ASCONF_REFUSED, why)
        self._repeats = self._repeats + 1 if again else 0
        if any(change.hidden and change.kind == PARAM_DELETE_IP for change in changes) and not failed:
            # The peer has no other address of ours than the source.
            self._queue[:0] = [Change(PARAM_ADD_IP, ip) for ip in known if ip != self._source]
            known = [self._source]
        path_set.use_sources(tcb, now, known, held)

    def _tell(self, change: Change, result: int, why: list[causes.Cause]) -> None:
        tcb = self._tcb
        tcb.events.append(LocalAddressChange(tcb.association, change.ip, _TOLD[change.kind], result, why))

    def _fail(self) -> None:
        """Nothing will be answered any more."""
        changes = [*self._under_way, *self._queue]
        leaving = self.leaving
        self._under_way, self._queue = [], []
        self.deadline = NEVER
        self.holds = False
        if leaving:
            self._tcb.local_addresses = [*self._tcb.local_addresses, *leaving]
        for change in changes:
            self._tell(change, ASCONF_FAILED, [])

    def on_unknown(self) -> None:
        """The peer does not know ASCONF chunks (A9)."""
        self._unknown_to_peer = list(wire.REQUESTS)
        self._fail()

    # --- requests of the peer --------------------------------------------------------------------------------

    def handle_chunk(self, now: int, value: bytes) -> None:
        """ASCONF: carry it out, or repeat what was answered (E1 to E7). ParseError if it is malformed."""
        tcb = self._tcb
        serial = wire.serial_of(value)
        ahead = (serial - self._peer_serial) & TSN_MASK
        packet = tcb.stats.packets_received
        first = packet != self._packet
        self._packet = packet
        if ahead == 1 and self._bundled < MAX_BUNDLED:
            _, requests = wire.parse(value)
            self._bundled += 1
            if first:
                self._answers.clear()  # E1; in E1-ext, those of the chunks before stay.
            answers = carry_out(tcb, now, requests)
            self._peer_serial = serial
            self._answers[serial] = wire.encode_ack(serial, answers)
            tcb.stats.asconfs += 1
        elif 1 <= ahead < _HALF:
            tcb.stats.packets_discarded += 1  # E5
            return
        answer = self._answers.get(serial)
        if answer is not None:
            respond(tcb, now, answer)


def respond(tcb: Tcb, now: int, answer: bytes) -> None:
    """The ASCONF-ACK goes to where the ASCONF came from (E6), beside a HEARTBEAT if that is to be verified (F1)."""
    source = tcb.answering.path
    assert source is not None  # There is a packet.
    path = tcb.find_path(source.remote)
    if path is not None:
        tcb.answering.path = path
    tcb.respond(answer)
    if path is not None and not path.confirmed and reachability.heartbeats_run(tcb):
        reachability.send_heartbeat(tcb, now, path, tcb.answering.local)


def _wildcard(ip: bytes) -> bytes:
    """That of the family of an address."""
    return bytes(IPV4_LENGTH if is_ipv4(ip) else IPV6_LENGTH)


# --- for the association, its handlers and the stack ----------------------------------------------------------


def find_room(tcb: Tcb) -> AddressReconfiguration | None:
    """The association's object, if it has one."""
    return extension.find(tcb.extensions, AddressReconfiguration)


def find(tcb: Tcb) -> AddressReconfiguration:
    """The association's object. OSError: ENOTCONN if it is not up, EOPNOTSUPP if this was not agreed on."""
    if tcb.state not in COUNTS:
        raise OSError(ENOTCONN, "the association is not up")
    room = find_room(tcb)
    if room is not None:
        return room
    if not tcb.capabilities & ADDRESS_RECONFIGURATION:
        raise OSError(EOPNOTSUPP, "the peer, or this side, does not change addresses (RFC 5061)")
    made = AddressReconfiguration(tcb)
    tcb.extensions.append(made)
    return made


def may_ask(tcb: Tcb) -> bool:
    """Whether the association is up, and the peer has not said that it does not know such requests."""
    room = find_room(tcb)
    return tcb.state in COUNTS and (room is None or room.is_understood)


def is_unsettled(tcb: Tcb, local: bytes, reflected: bool) -> bool:
    """Whether an ABORT that comes to that address of ours counts for nothing.

    So it is while the address is being deleted (section 5.3.1). If it has been, that something came out of the blue
    from there (``reflected``) says nothing of the association; also if it is being added again.
    """
    room = find_room(tcb)
    if room is None:
        return False
    return local in room.leaving or (reflected and local in room.former and local not in tcb.local_addresses)


def handle_asconf(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """ASCONF, in a state in which it counts, of a peer that we have agreed with."""
    find(tcb).handle_chunk(now, value)
    return True


def handle_asconf_ack(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """ASCONF-ACK, in a state in which it counts, of a peer that we have agreed with."""
    find(tcb).handle_answer(now, value)
    return tcb.state != CLOSED


def on_error(tcb: Tcb, code: int, value: bytes) -> None:
    """The peer reports an error: perhaps that it does not know what an ASCONF is."""
    room = find_room(tcb) if code == CAUSE_UNRECOGNIZED_CHUNK and value[:1] == bytes((CHUNK_ASCONF,)) else None
    if room is not None:
        room.on_unknown()
