"""Changes of our own addresses (RFC 5061): what waits, what the peer has been asked for, what the next ASCONF asks for.

The order in an ASCONF is fixed: additions, the address that the peer is to prefer, deletions. So an address that
replaces the last one is there before that goes (section 5.3, F5). A deletion that would leave none waits for an
addition.

The peer must know an address by which we ask for it. Behind a NAT, or where an address means nothing to the peer, the
request has a wildcard in place of the address, and the peer takes the source of the packet (section 4.2).

Nothing is sent from here: ``asconf`` sends, and hears the answers.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EINVAL, ENOBUFS, EOPNOTSUPP
from typing import Final, final

from ...wire import asconf as wire
from ...wire.asconf import Request
from ...wire.codes import PARAM_ADD_IP, PARAM_DELETE_IP, PARAM_SET_PRIMARY
from ...wire.params import IPV4_LENGTH, IPV6_LENGTH, is_unicast
from ...wire.serial import TSN_MASK
from ..association.tcb import Tcb
from ..ip import choose_source, is_ipv4
from ..path.path import Path

MAX_WAITING: Final = 256
"""Changes that may wait."""
_OPPOSITES: Final = {PARAM_ADD_IP: PARAM_DELETE_IP, PARAM_DELETE_IP: PARAM_ADD_IP}


@final
class Change:
    """What is to become of one of our addresses."""

    __slots__ = ("correlation", "hidden", "ip", "kind", "known", "lost")

    def __init__(self, kind: int, ip: bytes, lost: bool = False) -> None:
        self.kind = kind
        """The type of the parameter that asks for it."""
        self.ip = ip
        self.lost = lost
        """The host has the address no more."""
        self.known = False
        """The peer knew the address when it was asked."""
        self.correlation = 0
        """Of the request, once it is sent."""
        self.hidden = False
        """The request has a wildcard: the address means nothing to the peer."""

    def request(self) -> Request:
        """What asks the peer for it."""
        return wire.request(self.kind, self.correlation, wildcard(self.ip) if self.hidden else self.ip)


@final
class Changes:
    """The changes of one association's addresses."""

    __slots__ = ("_next_correlation", "_tcb", "under_way", "unknown_to_peer", "waiting")

    def __init__(self, tcb: Tcb) -> None:
        self._tcb = tcb
        self._next_correlation = 0
        self.waiting: list[Change] = []
        self.under_way: list[Change] = []
        """Those of the ASCONF that has no answer yet, in its order."""
        self.unknown_to_peer: list[int] = []
        """Types of requests that the peer does not know."""

    # --- what is asked of them -------------------------------------------------------------------------------

    @property
    def leaving(self) -> list[bytes]:
        """Our addresses that the peer has been asked to delete, and has not answered yet."""
        return [change.ip for change in self.under_way if change.kind == PARAM_DELETE_IP]

    @property
    def coming(self) -> list[bytes]:
        """Addresses that are to be added."""
        return [change.ip for change in [*self.under_way, *self.waiting] if change.kind == PARAM_ADD_IP]

    @property
    def given_back(self) -> list[bytes]:
        """Those that the peer was asked to delete and knows, should it not delete them."""
        return [change.ip for change in self.under_way if change.kind == PARAM_DELETE_IP and change.known]

    def uses(self, ip: bytes) -> bool:
        """Whether packets may still come to that address of ours, or leave from it."""
        return ip in self.leaving or ip in self._tcb.local_addresses or ip in self.coming

    def wanted(self) -> list[bytes]:
        """Our addresses when all is done that is under way or waits."""
        ips = [*self._tcb.local_addresses, *self.leaving]
        for change in [*self.under_way, *self.waiting]:
            if change.kind == PARAM_ADD_IP and change.ip not in ips:
                ips.append(change.ip)
            elif change.kind == PARAM_DELETE_IP and change.ip in ips:
                ips.remove(change.ip)
        return ips

    @property
    def is_understood(self) -> bool:
        """Whether the peer has not said that it does not know how addresses are added and deleted."""
        return PARAM_ADD_IP not in self.unknown_to_peer

    def is_told(self, ip: bytes) -> bool:
        """Whether the peer can do something with that address of ours."""
        tcb = self._tcb
        return tcb.endpoint.tells(ip, tcb.remotes())

    # --- what is wanted --------------------------------------------------------------------------------------

    def ask(self, added: list[bytes], removed: list[bytes], follows: bool) -> list[bytes]:
        """More and fewer addresses; those that are given up by this. OSError: ``Association.change_addresses``.

        If it ``follows`` the host, all addresses may be gone: the last one is deleted as soon as another one is there.
        """
        wanted = self.wanted()
        gone = [ip for ip in dict.fromkeys(removed) if ip in wanted]
        fresh = [ip for ip in dict.fromkeys(added) if ip not in wanted]
        if not follows:
            self._check(wanted, fresh, gone, removed)
        elif not self.is_understood or len(self.waiting) + len(fresh) + len(gone) > MAX_WAITING:
            return []
        for ip in fresh:
            self.put(PARAM_ADD_IP, ip)
        for ip in gone:
            self.put(PARAM_DELETE_IP, ip, follows)
        return gone

    def _check(self, wanted: list[bytes], fresh: list[bytes], gone: list[bytes], removed: list[bytes]) -> None:
        self._check_known(PARAM_ADD_IP)
        if len(self.waiting) + len(fresh) + len(gone) > MAX_WAITING:
            raise OSError(ENOBUFS, f"more than {MAX_WAITING} changes wait for the peer")
        if not all(is_unicast(ip) for ip in fresh):
            raise OSError(EINVAL, "no address that a host can have")
        if len(gone) < len(set(removed)):
            raise OSError(EADDRNOTAVAIL, "not an address of the association")
        if not fresh and len(gone) == len(wanted):
            raise OSError(EINVAL, "an association cannot do without an address (RFC 5061 section 5.3, F5)")

    def prefer(self, ip: bytes) -> None:
        """The peer is to send to this address of ours. OSError: see ``Association.set_peer_primary``."""
        if ip not in self.wanted():
            raise OSError(EADDRNOTAVAIL, "not an address of the association")
        self._check_known(PARAM_SET_PRIMARY)
        self.waiting = [change for change in self.waiting if change.kind != PARAM_SET_PRIMARY]
        self.waiting.append(Change(PARAM_SET_PRIMARY, ip))

    def _check_known(self, kind: int) -> None:
        """F3a, F3b and A9."""
        if kind in self.unknown_to_peer:
            raise OSError(EOPNOTSUPP, "the peer does not know such requests")

    def put(self, kind: int, ip: bytes, lost: bool = False) -> None:
        """One change more; it and its opposite, not sent yet, are none. ``lost``: the host has the address no more."""
        if kind == PARAM_DELETE_IP:
            self.waiting = [one for one in self.waiting if one.kind != PARAM_SET_PRIMARY or one.ip != ip]
        for change in self.waiting:
            if change.kind == _OPPOSITES.get(kind) and change.ip == ip:
                self.waiting.remove(change)
                return
        self.waiting.append(Change(kind, ip, lost))

    def take_vain(self) -> list[Change]:
        """Wishes for addresses that are not added after all: they do not wait any more (section 5.4)."""
        wanted = self.wanted()
        vain = [one for one in self.waiting if one.kind == PARAM_SET_PRIMARY and one.ip not in wanted]
        self.waiting = [one for one in self.waiting if one not in vain]
        return vain

    # --- the next ASCONF -------------------------------------------------------------------------------------

    def begin(self, room: int) -> list[Request]:
        """The requests of the next ASCONF, of so many bytes: their changes are under way. None if there is nothing."""
        changes = self._choose(room)
        if not changes:
            return []
        self.waiting = [change for change in self.waiting if change not in changes]
        self.under_way = changes
        for change in changes:
            change.known = change.ip in self._tcb.local_addresses
            change.correlation = self._next_correlation
            self._next_correlation = (self._next_correlation + 1) & TSN_MASK
        return [change.request() for change in changes]

    def _choose(self, room: int) -> list[Change]:
        """Of the changes that wait, those that go into the next ASCONF, in their order there."""
        tcb = self._tcb
        additions = [change for change in self.waiting if change.kind == PARAM_ADD_IP]
        wishes = [change for change in self.waiting if change.kind == PARAM_SET_PRIMARY]
        deletions = [change for change in self.waiting if change.kind == PARAM_DELETE_IP]
        if not self.wanted() and all(change.lost for change in deletions):
            return []  # The host has no address now.
        for change in self.waiting:
            change.hidden = not self.is_told(change.ip)
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

    def choose_source(self, path: Path, former: bytes) -> bytes:
        """From where an ASCONF leaves: not from an address that it deletes (F6), nor from one that is to be deleted.

        ``former`` is the source that drew no answer, ``b""`` the first time. An address that is being added comes next,
        and one that waits for its deletion.
        """
        known, coming, there, back, lost = self._sources()
        pinned = [one.ip for one in self.under_way if one.hidden and one.kind != PARAM_DELETE_IP]
        ours = known + coming
        others = [ip for ip in ours if ip != former] if former else known
        for ips in ([ip for ip in pinned if ip in ours], others, known, coming, there, back, lost):
            source = choose_source(ips, path.remote, [])
            if source:
                return source
        return b""

    def reaches(self, path: Path) -> bool:
        """Whether an ASCONF can leave for this address of the peer, from one that the host has."""
        known, coming, there, back, _ = self._sources()
        return choose_source([*known, *coming, *there, *back], path.remote, []) != b""

    def _sources(self) -> tuple[list[bytes], list[bytes], list[bytes], list[bytes], list[bytes]]:
        """Addresses of ours that an ASCONF may leave from: the peer knows them; they are being added; they wait for
        their deletion; they are being deleted, and the host has them back; the host has them no more.
        """
        leaving = self.leaving
        waiting = [one for one in self.waiting if one.kind == PARAM_DELETE_IP and one.ip not in leaving]
        doomed = [one.ip for one in waiting]
        known = [ip for ip in self._tcb.local_addresses if ip not in doomed]
        coming = [ip for ip in self.coming if ip not in doomed and ip not in leaving]
        # The host is back where it came from, before the peer has answered: there is no other way to get an answer.
        back = [ip for ip in self.coming if ip in leaving]
        there = [one.ip for one in waiting if not one.lost]
        return known, coming, there, back, [one.ip for one in waiting if one.lost]


def wildcard(ip: bytes) -> bytes:
    """That of the family of an address."""
    return bytes(IPV4_LENGTH if is_ipv4(ip) else IPV6_LENGTH)
