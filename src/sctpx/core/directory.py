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

from .arrival import Arrival
from .association.association import Association
from .association.state import COOKIE_ECHOED, COOKIE_WAIT
from .association.tcb import Tcb

# Associations that are found by an address which is not shown to be their peer's, beside the first one.
MAX_CLAIMS: Final = 16


@final
class Directory:
    """The associations of a stack."""

    __slots__ = ("_by_address", "_rivals", "by_prefix")

    def __init__(self) -> None:
        self.by_prefix: dict[bytes, Association] = {}
        """By the first eight bytes of the packets they receive: ports and Verification Tag."""
        self._by_address: dict[bytes, Association] = {}
        self._rivals: dict[bytes, list[Association]] = {}

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

    def enter(self, association: Association) -> None:
        """Make an association findable by its tag and the peer's addresses as they are now."""
        tcb = association.tcb
        if not tcb.moved:
            return
        tcb.moved = False
        ips = tcb.remotes()
        keys = [tcb.peer_prefix, *[_key(ip, tcb.peer_port, tcb.local_port) for ip in ips]]
        if keys != association.indexed:
            self.remove(association)
        self.by_prefix[keys[0]] = association
        for key, ip in zip(keys[1:], ips, strict=True):
            if self._by_address.setdefault(key, association) is not association:
                rivals = self._rivals.setdefault(key, [])
                if association not in rivals and (len(rivals) < MAX_CLAIMS or _may_claim(tcb, ip)):
                    rivals.append(association)
        association.indexed = keys

    def remove(self, association: Association) -> None:
        """Forget an association."""
        keys = association.indexed
        association.indexed = []
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
