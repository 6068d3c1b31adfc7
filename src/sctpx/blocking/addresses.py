"""From what calls of sockets are given as addresses to packed ones: names resolved, wildcards spelled out.

Three forms come in: the pairs of the socket module, ``(host, port)``, in which the host may be a name or an ``Address``
with options; several of them; and the packed ``sockaddr`` structures of C. Ports are SCTP ports. A socket of family
AF_INET takes IPv4 addresses only, one of AF_INET6 both.

Resolving may take long: it is done before the lock is taken.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final, TypeAlias, final

from ..core.association.connect import ANSWER_NAMES, ANSWER_SEND_ERROR
from ..core.endpoint import PeerAddress
from ..link.interfaces import family_of, interface_addresses, link_scope, socket_address, source_for, wildcard_addresses
from ..sockapi.addresses import (
    Address,
    SocketAddress,
    canonical,
    check_peers,
    check_port,
    ip_text,
    is_wildcard,
    pack_ip,
    parse_ip,
    unpack_sockaddrs,
)
from ..sockapi.failures import connect_failure
from ..sockapi.status import UNRESOLVED, AddressReport

HostPort: TypeAlias = SocketAddress | tuple[Address, int]
"""An address of a peer: ``(host, port)``, the host a string or an ``Address``."""
Addresses: TypeAlias = HostPort | Sequence[HostPort] | bytes | bytearray | memoryview
"""One address, several, or packed ``sockaddr`` structures one behind the other."""

_WILDCARDS: Final = {socket.AF_INET: (bytes(4),), socket.AF_INET6: (bytes(16), bytes(4))}


def listed(addresses: Addresses, count: int | None = None) -> list[HostPort]:
    """The addresses, each by itself; of several the first ``count``.

    ``OSError``: E2BIG (a count of more than there are), EINVAL (a count below 1, none at all, or what is no address).
    ``TypeError`` for what is no form of addresses.
    """
    if isinstance(addresses, bytes | bytearray | memoryview):
        return list(unpack_sockaddrs(bytes(addresses), count))
    given: Any = addresses
    several: list[Any] = [given] if isinstance(given, str) or _is_one(given) else list(given)
    for address in several:
        if not _is_one(address):
            raise TypeError(f"an address is (host, port), not {address!r}")
    if not several or (count is not None and count < 1):
        raise OSError(errno.EINVAL, "no addresses")
    if count is not None and count > len(several):
        raise OSError(errno.E2BIG, f"a count of {count} addresses, there are {len(several)}")
    return several[:count]


def _is_one(address: Any) -> bool:
    return (
        isinstance(address, tuple)
        and len(address) in (2, 4)
        and isinstance(address[0], str | Address)
        and isinstance(address[1], int)
    )


@final
class Peer:
    """A peer's addresses, ready to connect to."""

    __slots__ = ("_zones", "addresses", "port", "unusable")

    def __init__(
        self, addresses: list[PeerAddress], port: int, zones: dict[bytes, str], unusable: list[AddressReport]
    ) -> None:
        self.addresses = addresses
        """In the order given, each once."""
        self.port = port
        """The SCTP port."""
        self._zones = zones
        self.unusable = unusable
        """What to report of names that stand for no address, and of addresses nothing can be sent to."""

    def find_sources(self) -> list[bytes]:
        """Give each address without a source the one the system would send from, and tell those there are.

        ``ConnectError`` with the errno of the first if there is no way to any.
        """
        first = 0
        for address in list(self.addresses):
            if not address.source:
                try:
                    address.source = source_for(self._zones.get(address.ip, ip_text(address.ip)))
                except OSError as error:
                    first = first or error.errno or errno.ENETUNREACH
                    self.give_up(address, error.errno or errno.ENETUNREACH)
        if not self.addresses:
            raise connect_failure(first, self.unusable)
        return list(dict.fromkeys(address.source for address in self.addresses))

    def keep_reachable(self, local: Sequence[bytes]) -> None:
        """Use what addresses of ours are of the family of.

        ``OSError``: EAFNOSUPPORT if that is none, EADDRNOTAVAIL for a source that is not ours.
        """
        lengths = {len(ip) for ip in local}
        for address in list(self.addresses):
            if len(address.ip) not in lengths:
                self.give_up(address, errno.EAFNOSUPPORT)
            elif address.source and address.source not in local:
                raise OSError(errno.EADDRNOTAVAIL, f"the socket is not bound to {ip_text(address.source)}")
        if not self.addresses:
            raise OSError(errno.EAFNOSUPPORT, "the socket is bound to addresses of the other family only")

    def give_up(self, address: PeerAddress, error: int) -> None:
        """This address cannot be used: it is reported, and the others are tried."""
        self.addresses.remove(address)
        answer = ANSWER_NAMES[ANSWER_SEND_ERROR]
        text = ip_text(address.ip)
        self.unusable.append(AddressReport(address=text, udp_port=address.udp_port, answer=answer, error=error))


def resolve_peer(addresses: Sequence[HostPort], family: int, udp_port: int) -> Peer:
    """The addresses of one peer; ``udp_port`` is for those that do not have one of their own.

    ``OSError``: as ``sockapi.addresses.check_peers`` says, EAFNOSUPPORT (IPv6 on a socket of family AF_INET), or
    ``socket.gaierror`` if no name resolves.
    """
    candidates: dict[bytes, PeerAddress] = {}
    ports: list[tuple[bytes, int]] = []
    zones: dict[bytes, str] = {}
    unresolved: list[AddressReport] = []
    failure: OSError | None = None
    for wanted, port, *_ in addresses:
        host = wanted if isinstance(wanted, Address) else Address(wanted)
        try:
            ips = _resolve(host.host, family)
        except socket.gaierror as error:
            failure = failure or error
            unresolved.append(AddressReport(address=host.host, answer=UNRESOLVED, error=error.errno or 0))
            continue
        source = b"" if host.source is None else pack_ip(host.source)
        for ip in ips:
            ports.append((ip, port))
            candidates.setdefault(ip, PeerAddress(ip, udp_port if host.udp_port is None else host.udp_port, source))
            if "%" in host.host:
                zones[ip] = host.host
    if failure is not None and not candidates:
        raise failure
    ips, port = check_peers(ports)
    return Peer([candidates[ip] for ip in ips], port, zones, unresolved)


def resolve_local(addresses: Sequence[HostPort], family: int) -> tuple[list[bytes], list[int], bool]:
    """Our own addresses, the ports beside them, and whether they are a wildcard's.

    ``OSError``: EINVAL (a wildcard beside others, a port that is none), EAFNOSUPPORT, ``socket.gaierror``.
    """
    ips: list[bytes] = []
    ports: list[int] = []
    wildcard = False
    for host, port, *_ in addresses:
        if not isinstance(host, str):
            raise TypeError("a local address is a string")
        ports.append(check_port(port, "SCTP port", lowest=0))
        packed = None if host == "" else parse_ip(host)
        if host == "" or (packed is not None and is_wildcard(packed)):
            wildcard = True
            wanted = _WILDCARDS[socket.AddressFamily(family)]
            _check_family([packed or wanted[0]], family)
            for form in wanted:
                ips += filter(_can_be_bound, wildcard_addresses(form, interface_addresses(refresh=True)))
        else:
            ips += _resolve(host, family)
    if wildcard and len(ports) > 1:
        raise OSError(errno.EINVAL, "a wildcard stands alone")
    if not ips:
        raise OSError(errno.EADDRNOTAVAIL, "no local addresses")
    return list(dict.fromkeys(ips)), ports, wildcard


def _resolve(host: str, family: int) -> list[bytes]:
    """The addresses a host stands for, of the families the socket has."""
    ip = parse_ip(host)
    if ip is not None:
        _check_family([ip], family)
        return [ip]
    if not host:
        raise OSError(errno.EINVAL, "an empty host")
    try:
        entries = socket.getaddrinfo(
            host, None, socket.AF_INET if family == socket.AF_INET else 0, type=socket.SOCK_DGRAM
        )
    except UnicodeError:
        raise OSError(errno.EINVAL, f"{host!r} is no host name") from None
    except socket.gaierror as error:
        error.filename = host  # What it is about.
        raise
    found = [socket.inet_pton(entry[0], str(entry[4][0]).partition("%")[0]) for entry in entries]
    return list(dict.fromkeys(map(canonical, found)))


def _check_family(ips: Sequence[bytes], family: int) -> None:
    if family == socket.AF_INET and any(len(ip) != 4 for ip in ips):
        raise OSError(errno.EAFNOSUPPORT, "a socket of family AF_INET has no use for IPv6 addresses")


def _can_be_bound(ip: bytes) -> bool:
    """Whether an address of an interface can be used: a new IPv6 address cannot until it is known to be unique."""
    try:
        with socket.socket(family_of(ip), socket.SOCK_DGRAM) as trying:
            trying.bind(socket_address(ip, 0, link_scope(ip)))
    except OSError:
        return False
    return True
