"""One SCTP port of a stack: listening, its backlog, its associations (RFC 9260 section 1.3, "SCTP Endpoint")."""

from __future__ import annotations

from collections.abc import Callable
from errno import EALREADY, EINVAL, EISCONN, EOPNOTSUPP
from typing import final

from .association.association import Association
from .association.connect import AddressReport
from .association.handshake import start
from .association.identity import Keeper
from .association.state import COOKIE_ECHOED, COOKIE_WAIT
from .capabilities import ECN
from .config import AssociationConfig, Limits
from .ip import choose_source, zone_of
from .local_side import LinkMtu, LocalSide
from .path.known_mtus import KnownMtus
from .token_bucket import TokenBucket
from .worker import Worker


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


ReadEcn = Callable[[], bool]


class EndpointKeeper(Keeper):
    """Who keeps endpoints: the stack."""

    error_detection_method: int = 0
    """How the link protects each packet: an Error Detection Method Identifier (RFC 9653), 0 for not at all.

    A link that has one says so here, before the first SCTP port is taken.
    """
    read_ecn: ReadEcn | None = None
    """Has the link read and set the ECN bits of packets from now on: whether it can. Said at the same time."""
    ask_link_mtu: LinkMtu | None = None
    forbids_fragments: bool = False
    """What the link takes, and whether it can forbid IP to fragment packets; said at the same time."""
    worker: Worker | None = None
    """Which of several stacks on its UDP port this is; said at the same time."""

    def __init__(self) -> None:
        self.known_mtus = KnownMtus()
        """Path MTUs that its associations have found of late."""

    def find_association(self, remote: bytes, peer_port: int, local_port: int) -> Association | None:
        """The association with that transport address of a peer; of several the first one."""
        raise NotImplementedError

    def make_association(
        self, endpoint: Endpoint, peer_port: int, config: AssociationConfig, local_tag: int, initial_tsn: int
    ) -> Association:
        """A new association in CLOSED; a tag of 0 and a TSN of -1 are drawn."""
        raise NotImplementedError

    def check(self, config: AssociationConfig) -> None:
        """OSError EOPNOTSUPP if this relies on an error detection method, or on ECN, that the link has not.

        A link reads the ECN bits from the first time on that somebody relies on them.
        """
        rules = config.rules
        method = rules.error_detection_method
        if method not in (0, self.error_detection_method):
            raise OSError(EOPNOTSUPP, f"the link does not protect packets by error detection method {method}")
        read_ecn = self.read_ecn
        if rules.capabilities & ECN and (read_ecn is None or not read_ecn()):
            raise OSError(EOPNOTSUPP, "the link does not read the ECN bits of packets")

    def index(self, association: Association) -> None:
        """Make an association findable by its tag and the peer's addresses as they are now."""
        raise NotImplementedError

    def work_on(self, association: Association) -> None:
        """Input is about to change an association."""
        raise NotImplementedError

    def after_input(self, association: Association, local: bytes, remote: bytes, port: int) -> None:
        """An association has processed input that came so."""
        raise NotImplementedError

    def forget_port(self, port: int) -> None:
        """Nobody has this SCTP port any more."""
        raise NotImplementedError


@final
class Endpoint(LocalSide):
    """One SCTP port. Made by ``Stack.open_endpoint``."""

    __slots__ = (
        "_peers",
        "aborts",
        "associations",
        "backlog",
        "incoming",
        "keeper",
        "refusals",
        "unaccepted",
    )

    def __init__(
        self,
        keeper: EndpointKeeper,
        port: int,
        local: list[bytes],
        announce: list[bytes],
        config: AssociationConfig,
        limits: Limits,
    ) -> None:
        self.keeper = keeper
        super().__init__(port, local, announce, config, limits)
        self.ask_link_mtu = keeper.ask_link_mtu
        self.forbids_fragments = keeper.forbids_fragments
        self.known_mtus = keeper.known_mtus
        self.worker = keeper.worker
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
        self.unaccepted: dict[int, Association] = {}
        """Incoming associations that wait to be accepted, by id. A dict, as an empty set takes more memory."""

    def listen(self, backlog: int = 128) -> None:
        """Accept associations from peers. OSError EINVAL if ``backlog`` is below 1."""
        if backlog < 1:
            raise OSError(EINVAL, f"a backlog of {backlog}: there must be room for an association to wait")
        self.backlog = backlog

    def stop_listening(self) -> None:
        """Refuse further associations."""
        self.backlog = 0

    def uses(self, local: bytes) -> bool:
        """True if this is an address of the endpoint, or one that an association sends from."""
        if local in self.local:
            return True
        return any(association.uses(local) for association in self.associations.values())

    def accept(self, association: Association) -> None:
        """The user took an incoming association: it does not count against the backlog any more."""
        self.unaccepted.pop(association.id, None)

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
        self.unaccepted[association.id] = association
        self.incoming += 1
        association.admitted_as = peer = _peer(remote)
        self._peers[peer] = self._peers.get(peer, 0) + 1

    def forget(self, association: Association) -> None:
        """An association is over."""
        self.unaccepted.pop(association.id, None)
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
        ``EINVAL`` for a port that no peer can have, 0 among them (RFC 9260 section 3.1); ``EISCONN`` or ``EALREADY`` if
        there is an association with the peer, or one in the making; ``EOPNOTSUPP`` if ``config`` relies on what the
        link has not.
        """
        if not 0 < port <= 65535:
            raise OSError(EINVAL, f"SCTP port {port} is not between 1 and 65535")
        self.keeper.check(config or self.config)
        for remote in remotes:
            existing = self.keeper.find_association(remote.ip, port, self.port)
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
                rto = config.rules.rto_initial
                candidate = AddressReport(remote.ip, remote.udp_port, source, True, rto)
                candidate.alternative = remote.alternative
                candidates.append(candidate)
        if not candidates:
            raise OSError(EINVAL, "no addresses")
        association = self.keeper.make_association(self, port, config, 0, -1)
        association.tcb.local_addresses = told or self.local
        start(association.tcb, now, candidates, told)
        self.keeper.index(association)
        self.keeper.touch(association)
        return association

    def close(self, now: int) -> None:
        """Abort what is left and give the port up."""
        self.stop_listening()
        for association in list(self.associations.values()):
            association.abort(now)
        self.keeper.forget_port(self.port)


def _peer(remote: bytes) -> bytes:
    """What counts as one peer: an IPv4 address, or a /64 of IPv6, of which a host has all addresses it likes.

    The link-local addresses of each link are a /64 of their own.
    """
    return remote[:8] + zone_of(remote)
