"""What an association knows of its SCTP port: the addresses, which of them a peer is told, the limits.

``endpoint.Endpoint`` is one; its associations know it as this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .config import LARGEST_MTU, SMALLEST_MTU, AssociationConfig, Limits
from .entropy import RandomBytes, random_tag
from .ip import same_family
from .path.known_mtus import KnownMtus
from .path.path import flowinfo
from .worker import Worker

Scope = Callable[[list[bytes], list[bytes]], list[bytes]]
LinkMtu = Callable[[bytes, bytes, bool], int]
"""Tells the largest IP packet that the link takes to a remote address from a local one, bytes; asked anew if true."""


class LocalSide:
    """One SCTP port, without its associations."""

    __slots__ = (
        "announce",
        "ask_link_mtu",
        "config",
        "forbids_fragments",
        "hides",
        "known_mtus",
        "limits",
        "local",
        "port",
        "scope",
        "wildcards",
        "worker",
    )

    def __init__(
        self, port: int, local: list[bytes], announce: list[bytes], config: AssociationConfig, limits: Limits
    ) -> None:
        self.port = port
        """The SCTP port."""
        self.local = local
        """Its addresses, packed: sources for associations to come, and where peers may set them up. Empty for any.

        Associations share the list, so it never changes: ``change_addresses`` puts another one in its place.
        """
        self.wildcards: list[bytes] = []
        """Peers may set associations up at every address of these families, those that are not in ``local`` included:
        the wildcard of each family, packed."""
        self.announce = announce
        """Addresses told to peers in INIT and INIT ACK; none when single-homed or behind a NAT."""
        self.hides = False
        """Its addresses mean nothing to peers: it is behind a NAT."""
        self.scope: Scope | None = None
        """Chooses those of ``announce`` that a peer known by some addresses is told; None for all."""
        self.config = config
        """For associations that peers set up, and the default for ours."""
        self.limits = limits
        """What strangers can have of it."""
        self.ask_link_mtu: LinkMtu | None = None
        """None where the link does not tell."""
        self.known_mtus = KnownMtus()
        """Path MTUs that were found of late; the stack's."""
        self.forbids_fragments = False
        """The link can forbid IP to fragment packets (DF): path MTUs can be discovered over it."""
        self.worker: Worker | None = None
        """None where the stack has its UDP port for itself."""

    def draw_tag(self, random_bytes: RandomBytes) -> int:
        """A Verification Tag of ours."""
        return random_tag(random_bytes) if self.worker is None else self.worker.draw_tag(random_bytes)

    def link_mtu(self, remote: bytes, local: bytes, anew: bool = False) -> int:
        """The largest IP packet that the link takes to ``remote``, bytes; 0 if it does not tell."""
        ask = self.ask_link_mtu
        return 0 if ask is None else min(max(ask(remote, local, anew), SMALLEST_MTU), LARGEST_MTU)

    def change_addresses(self, local: list[bytes], announce: list[bytes], wildcards: Sequence[bytes] = ()) -> None:
        """Other addresses for associations to come; those that there are keep the lists that they have."""
        self.local = list(local)
        self.announce = list(announce)
        self.wildcards = list(wildcards)

    def announced_to(self, peer: list[bytes]) -> list[bytes]:
        """Our addresses to tell a peer known by these. Associations share the list where it is the same."""
        if self.scope is None:
            return self.announce
        told = self.scope(self.announce, peer)
        return self.announce if told == self.announce else told

    def tells(self, ip: bytes, peer: list[bytes]) -> bool:
        """Whether a peer known by these addresses may be told that one of ours, whatever others there are."""
        if self.scope is None:
            return not self.hides
        return ip in self.scope([ip, ip], peer)  # Of a single address the packets tell: so it is there twice.

    def known_to(self, peer: list[bytes], local: bytes) -> list[bytes]:
        """Our addresses as a peer knows them that set an association up at ``local``, and is known by these."""
        own = self.announced_to(peer) or [local]
        return self.local if own == self.local else own

    def flowinfo_to(self, remote: bytes) -> int:
        """How packets to an address are marked that belong to no association; see ``Transmit``."""
        rules = self.config.rules
        return flowinfo(rules.dscp, rules.flow_label, remote)

    @property
    def own_addresses(self) -> list[bytes]:
        """Its addresses; without any the wildcards of the families it keeps to, and nothing if any will do."""
        return self.local or self.wildcards

    def hears(self, local: bytes) -> bool:
        """True if what comes to that address of the host is for this endpoint."""
        if local in self.local:
            return True
        if self.wildcards:
            return any(same_family(local, wildcard) for wildcard in self.wildcards)
        return not self.local
