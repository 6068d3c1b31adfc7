"""What an association of asyncio tells of itself: what the core knows, as users have it."""

from __future__ import annotations

from ..core.association.association import Association as CoreAssociation
from ..core.association.state import STATE_NAMES
from ..core.config import AssociationConfig
from ..core.stats import AssociationStats
from ..sockapi.addresses import ip_text
from ..sockapi.status import PathInfo, local_ips, path_info


class Facts:
    """What can be asked of an association at any time."""

    __slots__ = ("_core",)

    _core: CoreAssociation

    @property
    def id(self) -> int:
        """The association identifier (RFC 6458), above 0 and unique on this UDP port."""
        return self._core.id

    @property
    def state(self) -> str:
        """The state by its RFC name, such as ``"ESTABLISHED"``; ``"CLOSED"`` once it is over."""
        return STATE_NAMES[self._core.state]

    @property
    def incoming(self) -> bool:
        """Whether the peer initiated it."""
        return self._core.incoming

    @property
    def config(self) -> AssociationConfig:
        """How it behaves."""
        return self._core.config

    @property
    def port(self) -> int:
        """Our SCTP port."""
        return self._core.endpoint.port

    @property
    def peer_port(self) -> int:
        """The peer's SCTP port."""
        return self._core.peer_port

    @property
    def local_addresses(self) -> list[str]:
        """Our IP addresses: those told to the peer, or the one in use if none was."""
        return [ip_text(ip) for ip in local_ips(self._core)]

    @property
    def peer_addresses(self) -> list[str]:
        """The peer's IP addresses."""
        return [ip_text(path.remote) for path in self._core.paths]

    @property
    def outbound_streams(self) -> int:
        """Streams we can send on, after negotiation: 0 to one less than this."""
        return self._core.outbound_streams

    @property
    def inbound_streams(self) -> int:
        """Streams the peer can send on."""
        return self._core.inbound_streams

    @property
    def partial_reliability(self) -> bool:
        """Whether both sides can give messages up of which something was sent (RFC 3758)."""
        return self._core.partial_reliability

    @property
    def interleaving(self) -> bool:
        """Whether messages on different streams may alternate: both sides have offered that (RFC 8260).

        Parts of messages on different streams (``Message.more``) may then come in turn; those of one stream never mix.
        """
        return self._core.interleaving

    @property
    def ecn(self) -> bool:
        """Whether routers may mark packets instead of dropping them: both sides have offered that (RFC 3168)."""
        return self._core.ecn

    @property
    def authenticates(self) -> bool:
        """Whether chunks can be authenticated: both sides have offered that (RFC 4895)."""
        return self._core.authenticates

    @property
    def authenticated_chunks(self) -> tuple[int, ...]:
        """The chunk types that the peer has to authenticate, or they are dropped."""
        return tuple(self._core.local_authenticated_chunks)

    @property
    def peer_authenticated_chunks(self) -> tuple[int, ...]:
        """The chunk types that this side has to authenticate, which it does."""
        return tuple(self._core.peer_authenticated_chunks)

    @property
    def active_key(self) -> int:
        """The number of the shared key that is used for what is sent."""
        return self._core.active_key

    @property
    def paths(self) -> list[PathInfo]:
        """What is known of the peer's addresses now."""
        primary, expose_pf = self._core.primary, self._core.config.expose_potentially_failed
        return [path_info(path, primary, expose_pf) for path in self._core.paths]

    @property
    def primary(self) -> str:
        """The peer's address that data goes to while its path is active."""
        primary = self._core.primary
        return "" if primary is None else ip_text(primary.remote)

    @property
    def stats(self) -> AssociationStats:
        """Counters; they go on counting."""
        return self._core.stats
