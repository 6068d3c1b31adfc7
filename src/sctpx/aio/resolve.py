"""From what users give as hosts to packed addresses: names resolved, wildcards spelled out, sources found.

A host name stands for all addresses it resolves to, in the resolver's order, at its place in the list. A name that
does not resolve is like an address that does not answer: it goes into the report, and the others are tried; only if
nothing is left does its ``socket.gaierror`` come out.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias, final

from ..core.association.connect import ANSWER_NAMES, ANSWER_SEND_ERROR
from ..core.endpoint import PeerAddress
from ..link.interfaces import family_of, interface_addresses, link_scope, socket_address, source_for, wildcard_addresses
from ..sockapi.addresses import (
    Address,
    canonical,
    check_families,
    check_peers,
    check_port,
    ip_text,
    is_wildcard,
    pack_ip,
    parse_ip,
)
from ..sockapi.failures import connect_failure
from ..sockapi.status import UNRESOLVED, AddressReport

Hosts: TypeAlias = str | Address | Sequence[str | Address]
"""Addresses of a peer: one host (an IP address or a name) or several."""
LocalHosts: TypeAlias = str | Sequence[str] | None
"""Our own addresses: one host or several; ``None``, ``""``, ``"0.0.0.0"`` and ``"::"`` stand for those of the
interfaces."""

_WILDCARDS: Final = (bytes(4), bytes(16))


@final
class Peer:
    """A peer's addresses, ready to connect to."""

    __slots__ = ("_zones", "addresses", "port", "unusable")

    def __init__(
        self, addresses: list[PeerAddress], port: int, zones: dict[bytes, str], unresolved: list[AddressReport]
    ) -> None:
        self.addresses = addresses
        """In the order given, each once."""
        self.port = port
        """The SCTP port."""
        self._zones = zones
        self.unusable = unresolved
        """What to report of names that stand for no address, and of addresses nothing can be sent to."""

    def find_sources(self) -> None:
        """Give each address without a source the one the system would send from.

        One that has none cannot be used. ``ConnectError`` with the errno of the first if no address can.
        """
        for address in list(self.addresses):
            if not address.source:
                try:
                    address.source = source_for(self._zones.get(address.ip, ip_text(address.ip)))
                except OSError as error:
                    self._give_up(address, error.errno or errno.ENETUNREACH)
        if not self.addresses:
            failures = [report for report in self.unusable if report.answer != UNRESOLVED]
            raise connect_failure(failures[0].error, self.unusable)

    def keep_families(self, local: list[bytes]) -> None:
        """Only addresses of the families of our own can be used. ``OSError`` (EAFNOSUPPORT) if there are none."""
        check_families([address.ip for address in self.addresses], local)
        lengths = {len(ip) for ip in local}
        for address in list(self.addresses):
            if len(address.ip) not in lengths:
                self._give_up(address, errno.EAFNOSUPPORT)

    def _give_up(self, address: PeerAddress, error: int) -> None:
        self.addresses.remove(address)
        answer = ANSWER_NAMES[ANSWER_SEND_ERROR]
        text = ip_text(address.ip)
        self.unusable.append(AddressReport(address=text, udp_port=address.udp_port, answer=answer, error=error))


async def resolve_peer(hosts: Hosts, port: int, udp_port: int) -> Peer:
    """The addresses of a peer whose SCTP port is ``port``; ``udp_port`` is for those that do not have one of their own.

    ``OSError``: as ``sockapi.addresses.check_peers`` says, or ``socket.gaierror`` if no name resolves.
    """
    check_port(udp_port, "UDP port", lowest=0)
    wanted = _listed(hosts)
    names = list(dict.fromkeys(address.host for address in wanted if parse_ip(address.host) is None))
    found = dict(zip(names, await asyncio.gather(*map(_resolve, names)), strict=True)) if names else {}
    candidates: dict[bytes, PeerAddress] = {}
    zones: dict[bytes, str] = {}
    unresolved: list[AddressReport] = []
    failure: OSError | None = None
    for address in wanted:
        ip = parse_ip(address.host)
        ips = found[address.host] if ip is None else [ip]
        if isinstance(ips, OSError):
            failure = failure or ips
            unresolved.append(AddressReport(address=address.host, answer=UNRESOLVED, error=ips.errno or 0))
            continue
        its_port = udp_port if address.udp_port is None else address.udp_port
        source = b"" if address.source is None else pack_ip(address.source)
        for ip in ips:
            candidates.setdefault(ip, PeerAddress(ip, its_port, source))
            if "%" in address.host:
                zones[ip] = address.host
    if failure is not None and not candidates:
        raise failure
    ips, port = check_peers([(ip, port) for ip in candidates])
    return Peer([candidates[ip] for ip in ips], port, zones, unresolved)


async def resolve_local(local: LocalHosts) -> tuple[list[bytes], bool]:
    """Our own addresses, and whether a wildcard was among them. ``OSError`` (EINVAL) if there are none."""
    hosts = [""] if local is None else [local] if isinstance(local, str) else list(local)
    ips: list[bytes] = []
    wildcard = False
    for host in hosts:
        packed = None if host == "" else parse_ip(host)
        if packed is not None and not is_wildcard(packed):
            ips.append(packed)
        elif host == "" or packed is not None:
            wildcard = True
            for family in _WILDCARDS if packed is None else (packed,):
                ips += filter(_can_be_bound, wildcard_addresses(family, interface_addresses(refresh=True)))
        else:
            resolved = await _resolve(host)
            if isinstance(resolved, OSError):
                raise resolved
            ips += resolved
    if not ips:
        raise OSError(errno.EINVAL, "no local addresses")
    return list(dict.fromkeys(ips)), wildcard


def _listed(hosts: Hosts) -> list[Address]:
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
    return list(dict.fromkeys(canonical(socket.inet_pton(entry[0], _bare(str(entry[4][0])))) for entry in entries))


def _bare(text: str) -> str:
    """An address without its zone."""
    return text.partition("%")[0]


def _can_be_bound(ip: bytes) -> bool:
    """Whether an address of an interface can be used: a new IPv6 address cannot until it is known to be unique."""
    try:
        with socket.socket(family_of(ip), socket.SOCK_DGRAM) as trying:
            trying.bind(socket_address(ip, 0, link_scope(ip)))
    except OSError:
        return False
    return True
