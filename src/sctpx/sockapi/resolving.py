"""From what calls of sockets are given as addresses to packed ones: names looked up, wildcards spelled out.

Three forms come in: the pairs of the socket module, ``(host, port)``, in which the host may be a name or an ``Address``
with options; several of them; and the packed ``sockaddr`` structures of C. Ports are SCTP ports. A socket of family
AF_INET takes IPv4 addresses only, one of AF_INET6 both.

The host of the socket looks names up, which may take long: it is done before the socket's lock is taken.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from operator import index
from typing import Any, Final, TypeAlias

from ..core.ip import is_ipv4
from . import constants as c
from .addresses import (
    Address,
    SocketAddress,
    canonical,
    check_port,
    is_wildcard,
    on_link,
    parse_ip,
    unpack_sockaddrs,
)
from .buffers import Data, held_by
from .host import NameHost
from .peer import Peer

HostPort: TypeAlias = SocketAddress | tuple[Address, int]
"""An address of a peer: ``(host, port)``, the host a string or an ``Address``."""
Addresses: TypeAlias = "HostPort | Sequence[HostPort] | Data"
"""One address, several, or packed ``sockaddr`` structures one behind the other."""

_WILDCARDS: Final = {socket.AF_INET: (bytes(4),), socket.AF_INET6: (bytes(16), bytes(4))}


def listed(addresses: Addresses, count: int | None = None) -> list[HostPort]:
    """The addresses, each by itself.

    ``count`` says how many there are, as C has it: of packed structures the first ``count`` are used. A list of Python
    knows its length, so that another count is a mistake, which would drop addresses without a word.

    ``OSError``: EINVAL (no addresses; a count below 1, or not the length of the list; flags in the place of the count;
    bytes that are no addresses), E2BIG (a count of more than the bytes hold). ``TypeError`` for what is no form of
    addresses.
    """
    if isinstance(count, c.BindxFlags):
        flags = f"SCTP_BINDX_{count.name}"
        raise OSError(errno.EINVAL, f"{flags} stands where the count of addresses belongs: give it as flags={flags}")
    if count is not None:
        count = index(count)
    packed = held_by(addresses)
    if packed is not None:
        return list(unpack_sockaddrs(packed, count))
    given: Any = addresses
    several: list[Any] = [given] if isinstance(given, str) or _is_one(given) else list(given)
    for address in several:
        if not _is_one(address):
            raise TypeError(f"an address is (host, port), not {address!r}")
    if not several:
        raise OSError(errno.EINVAL, "no addresses" if not count else f"a count of {count}, and no addresses")
    if count is not None and count != len(several):
        raise OSError(
            errno.EINVAL,
            f"a count of {count} addresses for a list of {len(several)}: with a list, addrcnt can be left out",
        )
    return several


def single(address: HostPort | Data) -> list[HostPort]:
    """The one address that a call takes, in a list; of packed structures the first one, as in C.

    ``TypeError`` for several addresses, or what is none; ``OSError`` (EINVAL) for bytes that begin with none.
    """
    packed = held_by(address)
    if packed is not None:
        return listed(packed, 1)
    given: Any = address
    if not _is_one(given):
        raise TypeError(f"one address is needed here, (host, port), not {given!r}; connectx and bindx take a list")
    return [given]


def _is_one(address: Any) -> bool:
    return (
        isinstance(address, tuple)
        and len(address) in (2, 4)
        and isinstance(address[0], str | Address)
        and isinstance(address[1], int)
    )


def resolve_peer(
    host: NameHost, addresses: Sequence[HostPort], family: int, udp_port: int, *, v6only: bool = False
) -> Peer:
    """The addresses of one peer; ``udp_port`` is for those that do not have one of their own.

    ``OSError``: as ``addresses.check_peers`` says, EAFNOSUPPORT (IPv6 on a socket of family AF_INET, IPv4 where
    IPV6_V6ONLY is on), or ``socket.gaierror`` if no name resolves.
    """
    resolved: list[tuple[Address, int, list[bytes] | OSError]] = []
    for given in addresses:
        wanted, port = given[:2]
        address = wanted if isinstance(wanted, Address) else Address(wanted)
        try:
            resolved.append((address, port, _resolve(host, address.host, family, _scope_id(given), v6only=v6only)))
        except socket.gaierror as error:
            resolved.append((address, port, error))
    return Peer(resolved, udp_port)


def resolve_local(
    host: NameHost, addresses: Sequence[HostPort], family: int, *, v6only: bool = False
) -> tuple[list[bytes], list[int], tuple[bytes, ...]]:
    """Our own addresses, the ports beside them, and the wildcards (packed) that they are those of, if they are.

    ``OSError``: EINVAL (a wildcard beside others, a port that is none), EAFNOSUPPORT, ``socket.gaierror``.
    """
    ips: list[bytes] = []
    ports: list[int] = []
    wildcards: tuple[bytes, ...] = ()
    for address in addresses:
        name, port = address[:2]
        if not isinstance(name, str):
            raise TypeError("a local address is a string")
        ports.append(check_port(port, "SCTP port", lowest=0))
        packed = None if name == "" else parse_ip(name)
        if name == "" or (packed is not None and is_wildcard(packed)):
            wildcards = _WILDCARDS[socket.AddressFamily(family)]
            _check_family(packed or wildcards[0], family, v6only=v6only)
            if v6only:
                wildcards = wildcards[:1]
            for form in wildcards:
                ips += host.wildcard_addresses(form)
        else:
            ips += _resolve(host, name, family, _scope_id(address), v6only=v6only)
    if wildcards and len(ports) > 1:
        raise OSError(errno.EINVAL, "a wildcard stands for all addresses, and is not listed with others")
    if not ips:
        raise OSError(errno.EADDRNOTAVAIL, "no local addresses")
    return list(dict.fromkeys(ips)), ports, wildcards


def _scope_id(address: HostPort) -> int:
    """The scope id that stands beside a host; 0 for none."""
    return address[3] if len(address) > 3 else 0


def _resolve(host: NameHost, name: str, family: int, scope_id: int, *, v6only: bool) -> list[bytes]:
    """The addresses a host name stands for, of the families the socket has; link-local ones with their zones."""
    ip = parse_ip(name)
    if ip is not None:
        _check_family(ip, family, v6only=v6only)
        found = [ip]
    elif not name:
        raise OSError(errno.EINVAL, "an empty host")
    else:
        found = [canonical(ip) for ip in host.lookup(name, ipv6=family == socket.AF_INET6)]
        if v6only:
            found = [ip for ip in found if not is_ipv4(ip)]
        if not found:
            raise OSError(errno.EAFNOSUPPORT, f"{name} has no IPv6 address, and IPV6_V6ONLY is on")
    return list(dict.fromkeys(host.zoned(on_link(ip, scope_id)) for ip in found))


def _check_family(ip: bytes, family: int, *, v6only: bool) -> None:
    if family == socket.AF_INET and not is_ipv4(ip):
        raise OSError(errno.EAFNOSUPPORT, "a socket of family AF_INET takes IPv4 addresses only, one of AF_INET6 both")
    if v6only and is_ipv4(ip):
        raise OSError(errno.EAFNOSUPPORT, "IPV6_V6ONLY is on: the socket has no use for IPv4 addresses")
