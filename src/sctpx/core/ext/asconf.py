"""Dynamic address reconfiguration (RFC 5061): addresses are added and deleted while the association lives.

Changes to *our* addresses wait (``address_changes``). One ASCONF is under way at a time; when it is answered, the next
one takes what has come together meanwhile.

Packets leave from ``Tcb.local_addresses``, the addresses that the peer knows and we do not give up. An address joins
them when its addition is answered (F1), and leaves them when its deletion is sent (F4). Until then nothing but ASCONFs
leave from an address that is added: it may be the only one that works. What comes to an address that the peer has
deleted counts for two RTOs more.

Requests of the *peer* are the affair of ``address_requests``. The association has the object from the first ASCONF on,
of either side: before, the extension costs nothing.
"""

from __future__ import annotations

from errno import ENOTCONN, EOPNOTSUPP
from typing import Final, final

from ...wire import asconf as wire
from ...wire import causes
from ...wire.asconf import Answer
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
from ..path import failover, rto
from ..path.path import Path
from ..path.states import PATH_INACTIVE
from ..timers import NEVER
from .address_changes import MAX_WAITING, Change, Changes, wildcard
from .address_requests import PeerRequests

COUNTS: Final[tuple[int, ...]] = (ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED, SHUTDOWN_SENT)
"""States in which ASCONF and ASCONF-ACK are sent (rule C4)."""
MAX_FORMER: Final = 16
"""Addresses that have been ours that are remembered."""
MAX_REPEATS: Final = 4
"""How often in a row a deletion is asked for that was refused because of where the ASCONF came from."""
_HALF: Final = 1 << 31
_TOLD: Final = {
    PARAM_ADD_IP: ADDRESS_ADDED,
    PARAM_DELETE_IP: ADDRESS_REMOVED,
    PARAM_SET_PRIMARY: ADDRESS_MADE_PRIMARY,
}


@final
class AddressReconfiguration(Extension):
    """RFC 5061 in one association."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb
        # Each side's numbers begin with its Initial TSN (A2).
        self._next_serial = tcb.initial_tsn & TSN_MASK
        self._chunk = b""
        self._path: Path | None = None
        self._source = b""
        self._sources: set[bytes] = set()  # From which the ASCONF has left.
        self._tried: list[Path] = []  # Where it has gone since all were tried.
        self._tries = 0
        self._repeats = 0  # Of deletions that were refused, in a row.
        self.changes = Changes(tcb)
        """Those of our addresses."""
        self.peer_requests = PeerRequests(tcb)
        self.has_changed = False
        """Whether the peer has added or deleted an address of ours."""

    def change(self, now: int, added: list[bytes], removed: list[bytes], follows: bool) -> None:
        """More and fewer addresses of ours: see ``Changes.ask``."""
        gone = self.changes.ask(added, removed, follows)
        if follows and self._source in gone and self.changes.under_way:
            self._send(now)  # No answer will come to an address that is no more.

    # --- ASCONFs of ours -------------------------------------------------------------------------------------

    def before_sending(self, now: int) -> None:
        """Packets are about to be built: is there something to ask for, and does it leave from where it may?"""
        self.peer_requests.on_sending()
        tcb = self._tcb
        if tcb.state not in COUNTS:
            self._fail()
        elif self.changes.waiting and not self.changes.under_way:
            self._begin(now)
        path_set.readdress(tcb)
        if tcb.local_addresses and tcb.sack_local not in tcb.local_addresses:
            tcb.sack_local = b""

    def _begin(self, now: int) -> None:
        """Make the next ASCONF of what waits, and send it (A1 to A4)."""
        tcb = self._tcb
        sizes = [path.mtu for path in tcb.paths if path.confirmed]
        if not sizes:
            return  # It may not be sent to any other (RFC 9260 section 5.4).
        requests = self.changes.begin(min(sizes) - COMMON_HEADER - tcb.seal.overhead)
        if not requests:
            return
        # "an address that is part of the association", "the one being deleted" if there is no other (section 5.3.2)
        told = [ip for ip in tcb.local_addresses if self.changes.is_told(ip)]
        self._chunk = wire.encode(self._next_serial, told[0] if told else wildcard(tcb.paths[0].remote), requests)
        self._next_serial = (self._next_serial + 1) & TSN_MASK
        leaving = self.changes.leaving
        staying = [ip for ip in tcb.local_addresses if ip not in leaving]
        if staying:
            path_set.use_sources(tcb, now, staying)
        elif leaving:
            tcb.local_addresses = []
            self.holds = True
        self._tries = 0
        self._path = None
        self._sources.clear()
        self._tried.clear()
        self._send(now)

    def _send(self, now: int) -> None:
        """The chunk leaves; again, if there are others, for another address and from another source (B4, B5)."""
        tcb = self._tcb
        path = self._choose_path()
        self._source = source = self.changes.choose_source(path, self._source if self._tries else b"")
        self._sources.add(source)
        self._path = path
        known = source in tcb.local_addresses
        # What was measured on the way from another source says nothing.
        interval = path.rto if known else tcb.rules.rto_initial << min(self._tries, 16)
        self.deadline = now + min(interval, tcb.rules.rto_max)
        self._withdraw()
        if source:
            tcb.send_control(path, self._chunk, source)

    def _withdraw(self) -> None:
        """The ASCONF does not leave, if it still waits to."""
        self._tcb.control = [entry for entry in self._tcb.control if entry[1] is not self._chunk]

    def _choose_path(self) -> Path:
        """Where the ASCONF goes: to the peer's addresses in turn, as far as an address of the host reaches them.

        If the host has addresses of one family only, those of the other one can wait. A path that is cut off has failed
        for no other reason: an address that is being added may reach it.
        """
        tcb = self._tcb
        reached = [path for path in tcb.paths if path.confirmed and self.changes.reaches(path)]
        if not reached:
            return tcb.data_destination(avoid=self._path)
        hopeful = [path for path in reached if path.cut_off or path.state != PATH_INACTIVE] or reached
        left = [path for path in hopeful if path not in self._tried]
        if not left:
            self._tried.clear()
            left = [path for path in hopeful if path is not self._path] or hopeful
        preferred = tcb.primary if tcb.primary in left else None
        path = failover.select(left, preferred or left[0])
        self._tried.append(path)
        return path

    def handle_timeout(self, now: int) -> None:
        """T4-RTO expired (B1 to B5)."""
        self.deadline = NEVER
        tcb = self._tcb
        path = self._path
        if not self.changes.under_way or path is None:
            return
        reachability.on_timeout(tcb, path, True)
        if tcb.state == CLOSED:
            return
        rto.back_off(path, tcb.rules)
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
        if not self.changes.under_way:
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
        changes, self.changes.under_way = self.changes.under_way, []
        held, self.holds = self.holds, False
        self._withdraw()
        if len(self._sources) > 1 and any(change.hidden for change in changes):
            self._ask_again(changes)
        else:
            self._conclude(now, changes, answers, held)
        if self._path is not None and (not self._tries or len(tcb.paths) == 1):
            reachability.on_reached(tcb, now, self._path)

    def _ask_again(self, changes: list[Change]) -> None:
        """A wildcard left from several sources: nobody knows which of them the peer has taken for the address."""
        waiting, self.changes.waiting = self.changes.waiting, []
        for change in changes:
            self.changes.waiting.append(Change(change.kind, change.ip, change.lost))
            if change.kind == PARAM_DELETE_IP and change.known:
                self._tcb.local_addresses = [*self._tcb.local_addresses, change.ip]
        for change in waiting:
            self.changes.put(change.kind, change.ip, change.lost)

    def _conclude(self, now: int, changes: list[Change], answers: list[Answer], held: bool) -> None:
        """What has become of the changes (A6 to A8).

        While nothing could leave (``held``), one round trip has passed: what is in flight still is lost.
        """
        tcb = self._tcb
        known = list(tcb.local_addresses)
        again = False
        # A refusal of what was not asked for may mean any of these: what is not said to be done is not relied on.
        asked = [change.correlation for change in changes]
        failed = any(one.causes and one.correlation not in asked for one in answers)
        said: dict[int, Answer] = {}
        for one in answers:
            if one.causes or one.correlation not in said:
                said[one.correlation] = one
        for change in changes:
            answer = said.get(change.correlation)
            why = [] if answer is None else answer.causes
            done = not why and (answer is not None or not failed)
            failed = failed or not done
            if CAUSE_UNRECOGNIZED_PARAMETERS in [code for code, _ in why]:
                both = (PARAM_ADD_IP, PARAM_DELETE_IP)
                self.changes.unknown_to_peer.extend(both if change.kind in both else (change.kind,))  # F3a, F3b
            kept = change.kind == PARAM_ADD_IP if done else change.kind == PARAM_DELETE_IP and change.known
            if kept and change.ip not in known:
                known.append(change.ip)
            if change.kind == PARAM_DELETE_IP and not done and (again or change.ip in self._sources):
                # It was refused as the source (F6, F8), and so what comes behind it (F11): not for good.
                again = self._repeats < MAX_REPEATS
                if again:
                    self.changes.put(PARAM_DELETE_IP, change.ip, change.lost)
                    continue
            self.has_changed = self.has_changed or (done and change.kind != PARAM_SET_PRIMARY)
            if done and change.kind == PARAM_DELETE_IP:
                self._give_up(now, change.ip)
            self._tell(change, ASCONF_DONE if done else ASCONF_REFUSED, why)
        self._repeats = self._repeats + 1 if again else 0
        if any(change.hidden and change.kind == PARAM_DELETE_IP for change in changes) and not failed:
            # The peer has no other address of ours than the source.
            self.changes.waiting[:0] = [Change(PARAM_ADD_IP, ip) for ip in known if ip != self._source]
            known = [self._source]
        path_set.use_sources(tcb, now, known, held)
        for change in self.changes.take_vain():
            self._tell(change, ASCONF_FAILED, [])

    def _give_up(self, now: int, ip: bytes) -> None:
        """The peer has deleted this address of ours: what it has sent there may be under way for a while."""
        tcb = self._tcb
        # "it MUST NOT hold it valid longer than 2 RTO intervals" (section 5.3)
        tcb.former.pop(ip, None)
        tcb.former[ip] = now + 2 * min([path.rto for path in tcb.paths])
        if len(tcb.former) > MAX_FORMER:
            del tcb.former[next(iter(tcb.former))]

    def _tell(self, change: Change, result: int, why: list[causes.Cause]) -> None:
        tcb = self._tcb
        tcb.events.append(LocalAddressChange(tcb.association, change.ip, _TOLD[change.kind], result, why))

    def _fail(self) -> None:
        """Nothing will be answered any more."""
        changes = [*self.changes.under_way, *self.changes.waiting]
        given_back = self.changes.given_back
        self.changes.under_way, self.changes.waiting = [], []
        self.deadline = NEVER
        self.holds = False
        self._withdraw()
        if given_back:
            self._tcb.local_addresses = [*self._tcb.local_addresses, *given_back]
        for change in changes:
            self._tell(change, ASCONF_FAILED, [])

    def on_restart(self) -> None:
        """The peer knows nothing of this life any more."""
        self._fail()

    def on_unknown(self) -> None:
        """The peer does not know ASCONF chunks (A9)."""
        self.changes.unknown_to_peer = list(wire.REQUESTS)
        self._fail()


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
    return tcb.state in COUNTS and (room is None or room.changes.is_understood)


def places(tcb: Tcb) -> int:
    """How many more changes may wait."""
    room = find_room(tcb)
    return MAX_WAITING if room is None else MAX_WAITING - len(room.changes.waiting)


def is_unsettled(tcb: Tcb, now: int, local: bytes, reflected: bool) -> bool:
    """Whether an ABORT that comes to that address of ours counts for nothing.

    So it is while the address is being deleted (section 5.3.1). If it has been, that something came out of the blue
    from there (``reflected``) says nothing of the association; also if it is being added again, or was added again at
    once.
    """
    room = find_room(tcb)
    if room is None:
        return False
    late = reflected and local in tcb.former and (local not in tcb.local_addresses or now <= tcb.former[local])
    return late or local in room.changes.leaving


def is_given_up(tcb: Tcb, now: int, local: bytes) -> bool:
    """Whether what comes to that address of ours is out of the blue: the peer has deleted it, two RTOs ago or longer.

    Not if it is being added again: "MUST NOT treat this data as an OOTB datagram" (section 5.3).
    """
    until = tcb.former.get(local)
    room = None if until is None or now <= until else find_room(tcb)
    return room is not None and not room.changes.uses(local)


def has_answered(tcb: Tcb, serial: int) -> bool:
    """Whether an ASCONF of the peer with this number has been answered, and would be answered again."""
    room = find_room(tcb)
    return room is not None and room.peer_requests.has_answered(serial)


def on_restart(old: Tcb) -> None:
    """The peer has restarted: nothing of what was asked for in its former life will be answered."""
    room = find_room(old)
    if room is not None:
        room.on_restart()


def handle_asconf(tcb: Tcb, now: int, path: Path, flags: int, value: bytes) -> bool:
    """ASCONF, in a state in which it counts, of a peer that we have agreed with."""
    find(tcb).peer_requests.handle(now, value)
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
