"""The calls users begin with: ``connect``, ``open_endpoint``, ``start_server``."""

from __future__ import annotations

import errno
from typing import Any

from ..core.config import AssociationConfig, Limits
from ..link import SCTP_TUNNELING_PORT, Link, LinkKind, ways_of
from ..sockapi.backend import KERNEL, check_backend
from .association import CLOSE_TIMEOUT, OnEvent
from .endpoint import (
    DEFAULT_CONFIG,
    UNSET,
    Announce,
    Connecting,
    Endpoint,
    Unset,
    check_announce,
    check_udp_port,
    tuned,
)
from .over_kernel.endpoint import open_kernel_endpoint
from .resolve import Hosts, LocalHosts, resolve_local
from .server import Handler, Server
from .sharing import link_driver, port_driver, raw_driver
from .ways import Client, choose


def connect(
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
) -> Connecting:
    """Associate with a peer through one or several of its addresses: ``sctp_connectx``.

    The result is awaited for the ``Association``, or entered, which closes it in the end::

        association = await sctpx.connect("192.0.2.10", 36412)
        async with sctpx.connect(["192.0.2.10", "198.51.100.10"], 36412) as association: ...

    ``hosts`` are IP addresses, host names (each stands for all its addresses) or ``Address`` values, the preferred one
    first. INITs go to one after the other, ``attempt_delay`` seconds (0.1) apart, without waiting for the earlier
    ones; the first answer wins, a refusal moves on at once. ``attempt_delay=None`` tries one address at a time.
    ``timeout`` ends the attempt after so many seconds; without it, it ends when every address refused or was asked
    nine times. ``report`` tells what each answered, on the association and on the exception.

    ``port`` is the peer's SCTP port, ``peer_udp_port`` the UDP port it is reached at (RFC 6951), by default 9899; with
    the kernel what its ``net.sctp.encap_port`` says, which is without UDP unless it was changed. ``local`` are our
    addresses; by default those the system would send from. ``local_port`` is our SCTP port and ``udp_port`` our UDP
    port, 0 for any free one. ``announce`` says which of our addresses the peer is told: "auto" those in its reach if
    there are several, "all", or "none" (behind a NAT). ``streams`` are asked for outbound, the rest is in ``config``.
    ``close_timeout`` is how many seconds leaving the context gives a shutdown before it aborts. ``on_event`` is called
    with the association and each of its events, from the first one on. ``reuse_address`` takes ``local_port`` over from
    associations that are being shut down; one with the same peer is aborted.

    ``link`` says how packets travel: "udp", or "raw" for IP protocol 132 without UDP, which Linux allows with the
    capability CAP_NET_RAW and which makes no use of the UDP ports. A ``Link`` carries the packets instead of sockets
    opened here, and is closed with the last endpoint on it. ``backend="kernel"`` has the SCTP of Linux carry the
    association (docs/kernel.md); what the kernel cannot do is EOPNOTSUPP. Where none of these and no UDP port is named,
    the best that this host has is taken (docs/links.md): the kernel's SCTP where it is loaded, with UDP beside it for
    peers that have nothing else; else both kinds of packets where raw sockets are allowed, so that each address is
    asked natively and, half an ``attempt_delay`` later, over UDP; else UDP. ``peer_udp_port=0`` says that the peer is
    without UDP.

    ``OSError``: ``ConnectionRefusedError`` (all addresses refused), ``TimeoutError`` (any stayed silent), or the errno
    of the network (all unreachable), each also a ``ConnectError`` with the report; EINVAL (no addresses, one that is
    none of a single host, a port that is none), ENODEV (no such interface, as in ``fe80::1%eth0``), EAFNOSUPPORT,
    EADDRNOTAVAIL and EADDRINUSE (our side), ``socket.gaierror``; with "raw" ``PermissionError``, and EBUSY where the
    kernel has SCTP of its own.
    """

    check_backend(backend)
    client = Client(
        hosts=hosts,
        port=port,
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
    return Connecting(client.connect)


async def open_endpoint(
    local: LocalHosts = None,
    port: int = 0,
    *,
    udp_port: int | None = None,
    announce: Announce = "auto",
    config: AssociationConfig | None = None,
    streams: int | None = None,
    close_timeout: float | None = CLOSE_TIMEOUT,
    on_event: OnEvent | None = None,
    limits: Limits | None = None,
    link: Link[Any] | LinkKind | None = None,
    reuse_address: bool = False,
    backend: str | None = None,
) -> Endpoint:
    """Open an SCTP port that both connects and listens: ``Endpoint.connect``, ``Endpoint.listen``.

    ``local`` are our addresses; ``None``, ``""``, ``"0.0.0.0"`` and ``"::"`` stand for those of the interfaces, as they
    come and go. ``port`` 0 is any free SCTP port. ``udp_port`` is our UDP port: by default 9899 if ``port`` is given,
    since peers are to find it. Without both, it is any free one, and 9899 once the endpoint listens, if no other
    program has that; endpoints of this event loop find the listener in any case. 0 takes a free one. Endpoints of one
    event loop can share a UDP port, each with its SCTP port. With ``link="raw"`` there is no UDP port, and an SCTP port
    of an address has one endpoint on the whole host. Where neither a UDP port nor ``link`` nor ``backend`` is named,
    the endpoint goes the ways that ``connect`` would take; it listens natively and over UDP where raw sockets are
    allowed, and through the kernel alone where its SCTP is loaded. ``limits`` are what strangers can have of the SCTP
    port. ``reuse_address`` takes the SCTP port over if only associations still have it, of a server that is closed or
    on their way to their end; they go on. The other arguments are those of ``connect``, for all associations of the
    endpoint.

    ``OSError``: EADDRINUSE (another program has the UDP port, or another endpoint the SCTP port: the message says who
    and what to do), EADDRNOTAVAIL, EINVAL, ENODEV, ``socket.gaierror``.
    """
    usual = SCTP_TUNNELING_PORT if port else 0
    return await _open(
        local,
        port,
        usual,
        named=port != 0 or udp_port is not None or link not in (None, "udp"),
        udp_port=udp_port,
        announce=announce,
        config=config,
        streams=streams,
        close_timeout=close_timeout,
        on_event=on_event,
        limits=limits,
        link=link,
        reuse_address=reuse_address,
        backend=backend,
    )


async def _open(
    local: LocalHosts,
    port: int,
    usual_udp_port: int,
    *,
    named: bool,
    udp_port: int | None,
    announce: Announce,
    config: AssociationConfig | None,
    streams: int | None,
    close_timeout: float | None,
    on_event: OnEvent | None,
    limits: Limits | None,
    link: Link[Any] | LinkKind | None,
    reuse_address: bool,
    backend: str | None,
) -> Endpoint:
    """An SCTP port. ``usual_udp_port`` is its UDP port where none was named; see ``Endpoint`` for ``named``."""
    check_announce(announce)
    choice = choose(
        check_backend(backend),
        link,
        names_udp_port=udp_port is not None,
        announce=announce,
        config=config,
        limits=limits,
    )
    if choice.kernel:
        return await open_kernel_endpoint(
            local,
            port,
            udp_port=udp_port or 0,
            announce=announce,
            config=config,
            streams=streams,
            close_timeout=close_timeout,
            on_event=on_event,
            link=link,
            reuse_address=reuse_address,
            limits=limits,
        )
    if udp_port is None:
        udp_port = usual_udp_port
    check_udp_port(udp_port)
    chosen = tuned(config or DEFAULT_CONFIG, streams)
    ways = choice.ways
    wildcards: list[bytes] = []
    beside: list[bytes] = []
    if link is not None and not isinstance(link, str):
        driver, addresses = link_driver(link), list(link.addresses)
    else:
        addresses, wildcards, beside = await resolve_local(local)
        driver = port_driver(addresses, udp_port, ways) if "udp" in ways else raw_driver(addresses, port)
    return Endpoint(
        driver,
        port,
        addresses,
        chosen,
        wildcards=wildcards,
        beside=beside,
        announce=announce,
        close_timeout=close_timeout,
        on_event=on_event,
        limits=limits,
        reuse_address=reuse_address,
        named=named or "udp" not in ways,
        races=len(ways) > 1 and len(ways_of(driver.link)) > 1,
    )


async def start_server(
    handler: Handler | None,
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
    """Listen on an SCTP port, and call ``handler`` with each association that a peer sets up.

    A coroutine function runs as a task: when it returns the association is closed, when it fails the association is
    aborted and the loop's exception handler told. A plain function does with the association what it likes. With
    ``None`` the associations wait for ``Server.accept``, at most ``backlog`` of them; more are refused.

    The server is to be closed, or entered: leaving it closes the associations, too. The other arguments and the errors
    are those of ``open_endpoint``, but the UDP port is 9899 unless told otherwise, and ``reuse_address`` is on, as with
    asyncio's servers: a server can be started anew while associations of the one before are being served.

    ``workers`` has so many processes serve, on Linux and over UDP: each association lives in one of them, where
    ``handler`` and ``on_event`` are called, which are importable functions (docs/asyncio.md). The addresses are those
    of the moment, and ``limits`` count in each worker. ``OSError`` (EOPNOTSUPP) where that cannot be, ``ValueError``
    without a handler.
    """
    if workers is not None:
        from .workers.server import start_workers  # noqa: PLC0415 - multiprocessing takes its time, and few need it

        check_announce(announce)
        if link not in (None, "udp") or check_backend(backend) == KERNEL:
            raise OSError(errno.EOPNOTSUPP, "several workers share a UDP port: they take no other link= or backend=")
        options = {
            "backlog": backlog,
            "announce": announce,
            "config": config,
            "streams": streams,
            "close_timeout": close_timeout,
            "on_event": on_event,
            "limits": limits,
        }
        shared = check_udp_port(SCTP_TUNNELING_PORT if udp_port is None else udp_port)
        return await start_workers(start_server, handler, local, port, shared, workers, options)
    endpoint = await _open(
        local,
        port,
        SCTP_TUNNELING_PORT,
        named=True,
        udp_port=udp_port,
        announce=announce,
        config=config,
        streams=streams,
        close_timeout=close_timeout,
        on_event=on_event,
        limits=limits,
        link=link,
        reuse_address=reuse_address,
        backend=backend,
    )
    try:
        server = endpoint.listen(handler, backlog)
    except OSError:
        endpoint.close()
        raise
    server.closes_endpoint = True
    return server
