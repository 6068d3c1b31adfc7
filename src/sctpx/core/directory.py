"""Which association a packet is for: by its ports and our tag, or by its ports and the address it came from.

Several associations may have one address of a peer. Two attempts to connect may lie on the same peer without knowing
it, until an INIT ACK names an address of the other one. And several stacks behind one IP address, each with a UDP port
of its own, may use the same SCTP port. An address then stands for the association that had it first, and for the next
one when that is gone.

A peer may list addresses that are not its own, to keep their owner out (RFC 5062 section 2, "address camping"). So an
address that is not confirmed (RFC 9260 section 5.4) makes no claim: a setup chunk from there is for another
association. Few associations are found by such an address, so that no packet has many to look at.
"""

from __future__ import annotations

from typing import Final, final

from ..wire.asconf import lookup_of
from ..wire.codes import CHUNK_ASCONF
from ..wire.packet import parse_prefix
from ..wire.tlv import ParseError
from .arrival import Arrival
from .association import elsewhere
from .association.association import Association
from .association.state import COOKIE_ECHOED, COOKIE_WAIT
from .association.tcb import Tcb
from .former_tags import FormerTags
from .state_cookie import Cookie

# Associations that are found by an address which is not shown to be their peer's, beside the first one.
MAX_CLAIMS: Final = 16


@final
class Directory:
    """The associations of a stack."""

    __slots__ = ("_by_address", "_former_tags", "_leaving", "_rivals", "by_prefix", "now")

    def __init__(self, now: int) -> None:
        self.now = now
        """When a packet came last that could draw a State Cookie, ns."""
        self.by_prefix: dict[bytes, Association] = {}
        """By the first eight bytes of the packets they receive: ports and Verification Tag."""
        self._by_address: dict[bytes, Association] = {}
        self._rivals: dict[bytes, list[Association]] = {}
        self._former_tags = FormerTags()
        self._leaving: set[bytes] = set()

    def find(self, remote: bytes, peer_port: int, local_port: int) -> Association | None:
        """The association with that transport address of a peer."""
        return self._by_address.get(_key(remote, peer_port, local_port))

    def at(self, remote: bytes, peer_port: int, local_port: int) -> list[Association]:
        """All associations with that transport address, the first one first."""
        key = _key(remote, peer_port, local_port)
        first = self._by_address.get(key)
        return [] if first is None else [first, *self._rivals.get(key, [])]

    def claimed_by(self, arrival: Arrival, addresses: list[bytes]) -> list[Association]:
        """The associations a setup chunk may be for, by its source or any address in it (RFC 9260 section 5.1.2 D).

        Hardly ever are there several. Those whose peer is at the UDP port that the packet came from go first.
        """
        there: dict[Association, None] = {}
        elsewhere: dict[Association, None] = {}
        for ip in [arrival.remote, *addresses]:
            for association in self.at(ip, arrival.peer_port, arrival.local_port):
                path = association.tcb.find_path(ip)
                if not _may_claim(association.tcb, ip):
                    continue
                found = there if path is None or path.encaps_port == arrival.port else elsewhere
                found[association] = None
        return [*there, *[association for association in elsewhere if association not in there]]

    def find_sender(self, remote: bytes, packet: bytes) -> Association | None:
        """The association that has sent this packet to ``remote``."""
        try:
            local_port, peer_port, tag = parse_prefix(packet)
        except ParseError:
            return None
        found = self.at(remote, peer_port, local_port)
        return with_peer_tag(found, tag) if found else None

    def is_named(self, arrival: Arrival) -> bool:
        """Whether an ASCONF in a packet names an address of some association's peer (RFC 5061 section 5.2, D2)."""
        if not arrival.has(CHUNK_ASCONF):
            return False
        named = [lookup_of(value) for kind, _, value in arrival.chunks if kind == CHUNK_ASCONF]
        return any(
            elsewhere.is_named(association.tcb, arrival)
            for ip in arrival.placed([ip for ip in named if ip], [], None)
            for association in self.at(ip, arrival.peer_port, arrival.local_port)
        )

    def enter(self, association: Association) -> None:
        """Make an association findable by its tag and the peer's addresses as they are now."""
        tcb = association.tcb
        if not tcb.moved:
            return
        tcb.moved = False
        ips = tcb.remotes()
        keys = [tcb.peer_prefix, *[_key(ip, tcb.peer_port, tcb.local_port) for ip in ips]]
        before = association.indexed
        if keys != before:
            if before and before[0] != keys[0]:
                self._former_tags.add(self.now, before[0])  # The peer has restarted.
            self.remove(association)
        self.by_prefix[keys[0]] = association
        for place, ip in enumerate(ips):
            key = keys[place + 1]
            if self._by_address.setdefault(key, association) is not association:
                rivals = self._rivals.setdefault(key, [])
                if association not in rivals and (len(rivals) < MAX_CLAIMS or _may_claim(tcb, ip)):
                    rivals.append(association)
        association.indexed = keys

    def retire(self, association: Association) -> None:
        """An association is over. What it was known by is kept for ``is_over``."""
        if association.ready:
            self._leaving.add(association.tcb.peer_prefix)
        keys = association.indexed
        if keys and association.tcb.peer_tag:
            tag = association.tcb.peer_tag.to_bytes(4, "big")
            for key in [keys[0], *[key + tag for key in keys[1:]]]:
                self._former_tags.add(self.now, key)
        self.remove(association)

    def is_leaving(self, prefix: bytes) -> bool:
        """Whether an association is over whose packets begin so, and its last packet has not left yet.

        What arrives for it was sent before its peer knows of the end, and is not out of the blue (RFC 9260 section
        8.4): an ABORT would leave before a SHUTDOWN COMPLETE, and turn a graceful end into another one.
        """
        return prefix in self._leaving

    def has_left(self, association: Association) -> None:
        """An association that is over has nothing more to send."""
        self._leaving.discard(association.tcb.peer_prefix)

    def is_over(self, prefix: bytes, cookie: Cookie, alone: bool) -> bool:
        """Whether a cookie would set up again what is over; ``prefix`` begins its packet, and no association has it.

        If no other association with that peer lives (``alone``), the peer's tag tells as well: the cookie may answer
        one INIT of the peer, which an INIT of ours has crossed, and the association was set up by the cookie of the
        other one. Then the cookie is older than the end. Else the peer just uses a tag once more.
        """
        former = self._former_tags
        former.age(self.now, cookie.lifespan)
        if former.ended(prefix) >= 0:
            return True
        if not alone:
            return False
        tag = cookie.peer_tag.to_bytes(4, "big")
        keys = [_key(ip, cookie.peer_port, cookie.local_port) + tag for ip in cookie.addresses]
        return any(former.ended(key) >= cookie.created for key in keys)

    def remove(self, association: Association) -> None:
        """Forget by what an association is found."""
        keys = association.indexed
        if keys and self.by_prefix.get(keys[0]) is association:
            del self.by_prefix[keys[0]]
        for key in keys[1:]:
            if self._by_address.get(key) is association:
                del self._by_address[key]
            if self._rivals:
                self._hand_over(key, association)

    def _hand_over(self, key: bytes, association: Association) -> None:
        """This address is not that of ``association`` any more: the next one has it, if it is free."""
        rivals = [rival for rival in self._rivals.pop(key, []) if rival is not association]
        if rivals and key not in self._by_address:
            self._by_address[key] = rivals.pop(0)
        if rivals:
            self._rivals[key] = rivals


def with_peer_tag(found: list[Association], tag: int) -> Association:
    """The association whose peer has this Verification Tag; the first one if none has."""
    for association in found:
        if association.tcb.peer_tag == tag:
            return association
    return found[0]


def _may_claim(tcb: Tcb, ip: bytes) -> bool:
    """Whether what comes from that address may be the peer's: not if the peer has only said so."""
    if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
        return True  # Whose addresses these are, turns out now.
    path = tcb.find_path(ip)
    return path is None or path.confirmed


def _key(remote: bytes, peer_port: int, local_port: int) -> bytes:
    return remote + (peer_port << 16 | local_port).to_bytes(4, "big")
