"""``create_connection`` and ``create_server``: associations for protocols, set up by the calls of ``calls``."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar, final

from ..core.config import AssociationConfig, Limits
from ..link import Link, LinkKind
from .association import CLOSE_TIMEOUT, Association, OnEvent
from .calls import connect, start_server
from .endpoint import UNSET, Announce, Unset
from .protocol import SctpProtocol, SctpTransport
from .resolve import Hosts, LocalHosts
from .server import Server

P = TypeVar("P", bound=SctpProtocol)


@final
class _Taking:
    """A handler that has a protocol made for each association. It can be sent to a worker, but for the context."""

    def __init__(self, factory: Callable[[], SctpProtocol]) -> None:
        self._factory = factory
        self._context = copy_context()

    def __reduce__(self) -> tuple[type[_Taking], tuple[Callable[[], SctpProtocol]]]:
        return _Taking, (self._factory,)

    def __call__(self, association: Association) -> None:
        context = self._context.copy()
        SctpTransport(association, context.run(self._factory), context)


async def create_connection(
    protocol_factory: Callable[[], P],
    hosts: Hosts,
    port: int,
    *,
    peer_udp_port: int | None = None,
    local: LocalHosts = None,
    local_port: int = 0,
    udp_port: int = 0,
    announce: Announce = "auto",
    streams: int | None = None,
    attempt_delay: float | Unset | None = UNSET,
    timeout: float | None = None,
    config: AssociationConfig | None = None,
    close_timeout: float | None = CLOSE_TIMEOUT,
    on_event: OnEvent | None = None,
    link: Link[Any] | LinkKind | None = None,
    reuse_address: bool = False,
    backend: str | None = None,
) -> tuple[SctpTransport, P]:
    """Associate with a peer, and have a protocol told of all that comes: its transport and the protocol.

    ``protocol_factory`` is called without arguments when the association is up. The other arguments, and what is
    raised, are those of ``connect``. The protocol runs in a copy of the context of the caller (``contextvars``).
    """
    association = await connect(
        hosts,
        port,
        peer_udp_port=peer_udp_port,
        local=local,
        local_port=local_port,
        udp_port=udp_port,
        announce=announce,
        streams=streams,
        attempt_delay=attempt_delay,
        timeout=timeout,
        config=config,
        close_timeout=close_timeout,
        on_event=on_event,
        link=link,
        reuse_address=reuse_address,
        backend=backend,
    )
    try:
        protocol = protocol_factory()
        return SctpTransport(association, protocol, copy_context()), protocol
    except BaseException:
        association.abort()
        raise


async def create_server(
    protocol_factory: Callable[[], SctpProtocol],
    local: LocalHosts = None,
    port: int = 0,
    *,
    udp_port: int | None = None,
    backlog: int = 128,
    announce: Announce = "auto",
    config: AssociationConfig | None = None,
    streams: int | None = None,
    close_timeout: float | None = CLOSE_TIMEOUT,
    on_event: OnEvent | None = None,
    limits: Limits | None = None,
    link: Link[Any] | LinkKind | None = None,
    reuse_address: bool = True,
    backend: str | None = None,
    workers: int | None = None,
) -> Server:
    """Listen on an SCTP port, and have a protocol for each association that a peer sets up.

    ``protocol_factory`` is called without arguments for each of them. If it fails, the association is aborted and the
    loop's exception handler told. The other arguments, and what is raised, are those of ``start_server``. The protocols
    run in copies of the context of the caller (``contextvars``), but for those of ``workers``.
    """
    return await start_server(
        _Taking(protocol_factory),
        local,
        port,
        udp_port=udp_port,
        backlog=backlog,
        announce=announce,
        config=config,
        streams=streams,
        close_timeout=close_timeout,
        on_event=on_event,
        limits=limits,
        link=link,
        reuse_address=reuse_address,
        backend=backend,
        workers=workers,
    )
