"""From what users give as hosts to packed addresses: names resolved in the event loop, wildcards spelled out.

What the addresses of a peer mean is in ``sockapi.peer``.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

from ..link.addresses import packed_address
from ..link.interfaces import bindable_addresses, check_zone, zoned
from ..sockapi.addresses import Address, canonical, check_port, is_wildcard, parse_ip
from ..sockapi.peer import Peer

Hosts: TypeAlias = str | Address | Sequence[str | Address]
"""Addresses of a peer: one host (an IP address or a name) or several."""
LocalHosts: TypeAlias = str | Sequence[str] | None
"""Our own addresses: one host or several; ``None``, ``""``, ``"0.0.0.0"`` and ``"::"`` stand for those of the
interfaces."""

_WILDCARDS: Final = (bytes(4), bytes(16))


async def resolve_peer(hosts: Hosts, port: int, udp_port: int) -> Peer:
    """The addresses of a peer whose SCTP port is ``port``; ``udp_port`` is for those that do not have one of their own.

    ``OSError``: as ``sockapi.addresses.check_peers`` says, or ``socket.gaierror`` if no name resolves.
    """
    check_port(udp_port, "UDP port", lowest=0)
    wanted = listed(hosts)
    names = list(dict.fromkeys(address.host for address in wanted if parse_ip(address.host) is None))
    found = dict(zip(names, await asyncio.gather(*map(_resolve, names)), strict=True)) if names else {}
    resolved: list[tuple[Address, int, list[bytes] | OSError]] = []
    for address in wanted:
        ip = parse_ip(address.host)
        resolved.append((address, port, found[address.host] if ip is None else [zoned(ip)]))
    return Peer(resolved, udp_port)


async def resolve_local(local: LocalHosts) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Our own addresses, the wildcards among them, and those of the addresses that were named beside wildcards.

    ``OSError``: EINVAL if there are none, or it is not clear which is meant; ``socket.gaierror``.
    """
    hosts = [""] if local is None else [local] if isinstance(local, str) else list(local)
    wildcards: list[bytes] = []
    ips: list[bytes] = []
    named: list[bytes] = []
    for host in hosts:
        packed = None if host == "" else parse_ip(host)
        if host == "" or (packed is not None and is_wildcard(packed)):
            forms = _WILDCARDS if packed is None else (packed,)
            wildcards += forms
            for form in forms:
                ips += bindable_addresses(form)
            continue
        resolved = await _resolve(host) if packed is None else [check_zone(packed)]
        if isinstance(resolved, OSError):
            raise resolved
        ips += resolved
        named += resolved
    if not ips:
        raise OSError(errno.EINVAL, "no local addresses")
    return list(dict.fromkeys(ips)), list(dict.fromkeys(wildcards)), named


def listed(hosts: Hosts) -> list[Address]:
    """One host or several, each an ``Address``. ``TypeError`` for what is none, as the pairs of the socket module."""
    listed = [hosts] if isinstance(hosts, str | Address | bytes) else list(hosts)
    for host in listed:
        if not isinstance(host, str | Address):
            raise TypeError(f"a host is a string or an Address, not {host!r}")
    return [host if isinstance(host, Address) else Address(host) for host in listed]


async def _resolve(host: str) -> list[bytes] | OSError:
    """The addresses a host name stands for; the error rather than raising it."""
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        error.filename = host  # What it is about.
        return error
    except UnicodeError:
        return OSError(errno.EINVAL, f"{host!r} is no host name")
    return list(dict.fromkeys(zoned(canonical(packed_address(entry[4]))) for entry in entries))
