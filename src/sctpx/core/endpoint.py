"""One SCTP port of a stack: listening, its backlog, its associations (RFC 9260 section 1.3, "SCTP Endpoint")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EALREADY, EINVAL, EISCONN
from typing import TYPE_CHECKING, final

from .association.association import Association
from .association.connect import AddressReport
from .association.handshake import start
from .association.state import COOKIE_ECHOED, COOKIE_WAIT
from .config import AssociationConfig, Limits
from .ip import choose_source, same_family, zone_of
from .path.path import flowinfo
from .timers import nanoseconds
from .token_bucket import TokenBucket

if TYPE_CHECKING:
    from .stack import Stack


Scope = Callable[[list[bytes], list[bytes]], list[bytes]]


@final
class PeerAddress:
    """One address of a peer to connect to."""

    __slots__ = ("alternative", "ip", "source", "udp_port")

    def __init__(self, ip: bytes, udp_port: int = 0, source: bytes = b"", alternative: bool = False) -> None:
        self.ip = ip
        """Packed."""
        self.udp_port = udp_port
        """UDP encapsulation port; 0 for none."""
        self.source = source
        """Our address to use towards it, packed; ``b""`` for the best match."""
        self.alternative = alternative
        """Another way to the address before it in the list: asked half an ``attempt_delay`` behind that."""


@final
class Endpoint:
    """One SCTP port. Made by ``Stack.open_endpoint``."""

    __slots__ = (
        "_peers",
        "aborts",
        "announce",
        "associations",
        "backlog",
        "config",
        "incoming",
        "limits",
        "local",
        "port",
        "refusals",
        "scope",
        "stack",
        "unaccepted",
        "wildcards",
    )

    def __init__(
        self,
        stack: Stack,
        port: int,
        local: list[bytes],
        announce: list[bytes],
        config: AssociationConfig,
        limits: Limits,
    ) -> None:
        self.stack = stack
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
        self.scope: Scope | None = None
        """Chooses those of ``announce`` that a peer known by some addresses is told; None for all."""
        self.config = config
        """For associations that peers set up, and the default for ours."""
        self.limits = limits
        """What strangers can have of it."""
        self.aborts = TokenBucket(limits.aborts_per_second)
        """For answers to packets out of the blue."""
        self.refusals = TokenBucket(limits.aborts_per_second)
        """For answers to INITs that are refused: a flood of other packets takes none of these."""
        self.associations: dict[int, Association] = {}
        """By association id."""
        self.incoming = 0
        """Associations that peers have set up, of ``associations``."""
        self._peers: dict[bytes, int] = {}  # How many of these each peer has.
        self.backlog = 0
        """Incoming associations that may wait for ``accept``; 0 while not listening."""
        self.unaccepted: set[int] = set()

    def listen(self, backlog: int = 128) -> None:
        """Accept associations from peers. OSError EINVAL if ``backlog`` is below 1."""
        if backlog < 1:
            raise OSError(EINVAL, f"a backlog of {backlog}: there must be room for an association to wait")
        self.backlog = backlog

    def stop_listening(self) -> None:
        """Refuse further associations."""
        self.backlog = 0

    def change_addresses(self, local: list[bytes], announce: list[bytes], wildcards: Sequence[bytes] = ()) -> None:
        """Other addresses for associations to come; those that there are keep the lists that they have."""
        self.local = list(local)
        self.announce = list(announce)
        self.wildcards = list(wildcards)

    def uses(self, local: bytes) -> bool:
        """True if this is an address of the endpoint, or one that an association sends from."""
        if local in self.local:
            return True
        for association in self.associations.values():
            attempt = association.tcb.attempt
            if attempt is not None and local in [candidate.source for candidate in attempt.candidates]:
                return True
            if local in [path.local for path in association.tcb.paths]:
                return True
        return False

    def announced_to(self, peer: list[bytes]) -> list[bytes]:
        """Our addresses to tell a peer known by these. Associations share the list where it is the same."""
        if self.scope is None:
            return self.announce
        told = self.scope(self.announce, peer)
        return self.announce if told == self.announce else told

    def known_to(self, peer: list[bytes], local: bytes) -> list[bytes]:
        """Our addresses as a peer knows them that set an association up at ``local``, and is known by these."""
        own = self.announced_to(peer) or [local]
        return self.local if own == self.local else own

    def flowinfo_to(self, remote: bytes) -> int:
        """How packets to an address are marked that belong to no association; see ``Transmit``."""
        return flowinfo(self.config.dscp, self.config.flow_label, remote)

    @property
    def own_addresses(self) -> list[bytes]:
        """Its addresses; without any the wildcards of the families it keeps to, and nothing if any will do."""
        return self.local or self.wildcards

    def accept(self, association: Association) -> None:
        """The user took an incoming association: it does not count against the backlog any more."""
        self.unaccepted.discard(association.id)

    def hears(self, local: bytes) -> bool:
        """True if what comes to that address of the host is for this endpoint."""
        if local in self.local:
            return True
        if self.wildcards:
            return any(same_family(local, wildcard) for wildcard in self.wildcards)
        return not self.local

    @property
    def full(self) -> bool:
        """True if as many associations wait to be accepted as may."""
        return len(self.unaccepted) >= self.backlog

    def is_full(self, remote: bytes) -> bool:
        """True if no further association can be accepted now from that address of a peer."""
        limits = self.limits
        return (
            self.full
            or self.incoming >= limits.associations
            or self._peers.get(_peer(remote), 0) >= limits.associations_per_peer
        )

    def admit(self, association: Association, remote: bytes) -> None:
        """A peer has set up an association from that address. It waits to be accepted."""
        self.unaccepted.add(association.id)
        self.incoming += 1
        association.admitted_as = peer = _peer(remote)
        self._peers[peer] = self._peers.get(peer, 0) + 1

    def forget(self, association: Association) -> None:
        """An association is over."""
        self.unaccepted.discard(association.id)
        peer = association.admitted_as
        if peer:
            association.admitted_as = b""
            self.incoming -= 1
            left = self._peers[peer] - 1
            if left:
                self._peers[peer] = left
            else:
                del self._peers[peer]

    def connect(
        self, now: int, remotes: list[PeerAddress], port: int, config: AssociationConfig | None = None
    ) -> Association:
        """Begin to set up an association with a peer through these addresses, the first one preferred.

        The addresses have been checked (``sockapi.addresses``). Each is tried with its encapsulation; what is listed
        twice in the same way is one (CX7). Raises OSError:
        ``EISCONN`` or ``EALREADY`` if there is an association with the peer, or one in the making.
        """
        for remote in remotes:
            existing = self.stack.find_association(remote.ip, port, self.port)
            if existing is not None:
                starting = existing.state in (COOKIE_WAIT, COOKIE_ECHOED)
                raise OSError(EALREADY if starting else EISCONN, "there is an association with this peer")
        config = config or self.config
        told = self.announced_to([remote.ip for remote in remotes])
        candidates: list[AddressReport] = []
        for remote in remotes:
            if (remote.ip, remote.udp_port) not in [(candidate.ip, candidate.udp_port) for candidate in candidates]:
                used = [candidate.source for candidate in candidates if candidate.ip != remote.ip]
                source = remote.source or choose_source(told or self.local, remote.ip, used)
                rto = nanoseconds(config.rto_initial)
                candidate = AddressReport(remote.ip, remote.udp_port, source, True, rto)
                candidate.alternative = remote.alternative
                candidates.append(candidate)
        if not candidates:
            raise OSError(EINVAL, "no addresses")
        association = self.stack.make_association(self, port, config, 0, -1)
        association.tcb.local_addresses = told or self.local
        start(association.tcb, now, candidates, told)
        self.stack.index(association)
        self.stack.touch(association)
        return association

    def close(self, now: int) -> None:
        """Abort what is left and give the port up."""
        self.stop_listening()
        for association in list(self.associations.values()):
            association.abort(now)
        self.stack.endpoints.pop(self.port, None)


def _peer(remote: bytes) -> bytes:
    """What counts as one peer: an IPv4 address, or a /64 of IPv6, of which a host has all addresses it likes.

    The link-local addresses of each link are a /64 of their own.
    """
    return remote[:8] + zone_of(remote)
