"""A peer to set an association up with: its addresses, those that can be used, and what to report of the others.

Resolving names and asking the routing table is left to whoever may wait for the answers. A host name stands for all
addresses it resolves to, at its place in the list. A name that does not resolve is like an address that does not
answer: it goes into the report, and the others are tried; only if nothing is left does its error come out.

A link-local address that came without its zone is on the link of the others in the list, if they are on one link; else
on that of the address of ours that it is reached from.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from typing import final

from ..core.association.connect import ANSWER_NAMES, ANSWER_SEND_ERROR
from ..core.endpoint import PeerAddress
from ..core.ip import can_reach, lacks_zone, same_family, zone_of
from .addresses import Address, canonical, check_families, check_peers, find_alike, ip_text, pack_ip
from .failures import connect_failure
from .status import UNRESOLVED, AddressReport


@final
class Peer:
    """A peer's addresses, ready to connect to."""

    __slots__ = ("_names_udp_port", "_without_udp_port", "addresses", "port", "unusable")

    def __init__(self, resolved: Iterable[tuple[Address, int, Sequence[bytes] | OSError]], udp_port: int) -> None:
        """Each address as it was given, its SCTP port, and what it stands for.

        ``udp_port`` is for those that do not have one of their own. ``OSError``: the first one if nothing resolved,
        and as ``check_peers`` says.
        """
        candidates: dict[tuple[bytes, int], PeerAddress] = {}
        ports: list[tuple[bytes, int]] = []
        failure: OSError | None = None
        self._without_udp_port: list[PeerAddress] = []
        self._names_udp_port = False
        self.unusable: list[AddressReport] = []
        """What to report of names that stand for no address, and of addresses nothing can be sent to."""
        for address, port, ips in resolved:
            if isinstance(ips, OSError):
                failure = failure or ips
                self.unusable.append(AddressReport(address=address.host, answer=UNRESOLVED, error=ips.errno or 0))
                continue
            its_port = udp_port if address.udp_port is None else address.udp_port
            self._names_udp_port = self._names_udp_port or bool(address.udp_port)
            source = b"" if address.source is None else pack_ip(address.source)
            for ip in map(canonical, ips):
                ports.append((ip, port))
                candidate = candidates.setdefault((ip, its_port), PeerAddress(ip, its_port, source))
                if address.udp_port is None:
                    self._without_udp_port.append(candidate)
        if failure is not None and not candidates:
            raise failure
        zones = [ip for ip, _ in candidates if zone_of(ip)]
        for candidate in candidates.values():
            self._complete(candidate, zones)
        self.port = check_peers(ports)
        """The SCTP port."""
        self.addresses = list(candidates.values())
        """In the order given, each IP address once with each of its UDP ports."""

    def find_listeners(self, udp_port_for: Callable[[bytes], int]) -> None:
        """Give each address for which no UDP port was named that of a listener, where one is known; 0 for none."""
        for address in self._without_udp_port:
            address.udp_port = udp_port_for(address.ip) or address.udp_port

    def race_natively(self) -> None:
        """Ask each address natively, too: first, and over UDP behind that. Not if a UDP port was named for any."""
        if self._names_udp_port:
            return
        addresses: list[PeerAddress] = []
        for address in self.addresses:
            if address.udp_port:
                addresses.append(PeerAddress(address.ip, 0, address.source))
                address.alternative = True
            addresses.append(address)
        self.addresses = addresses

    def find_sources(self, source_for: Callable[[bytes], bytes]) -> list[bytes]:
        """Give each address without a source the one the system would send from, and tell those there are.

        One that has none cannot be used. ``ConnectError`` with the errno of the first if no address can.
        """
        for address in list(self.addresses):
            if not address.source or lacks_zone(address.source):
                try:
                    found = source_for(address.ip)
                except OSError as error:
                    self._give_up(address, error.errno or errno.ENETUNREACH)
                    continue
                address.source = address.source + zone_of(found) if address.source else found
            self._complete(address, [address.source])
        self._check_left()
        return list(dict.fromkeys(address.source for address in self.addresses))

    def check_without_udp(self) -> None:
        """``OSError`` (EINVAL) if an address was given a UDP port, where packets travel without UDP."""
        for address in self.addresses:
            if address.udp_port:
                text = f"{ip_text(address.ip)} has UDP port {address.udp_port}, and this endpoint does without UDP"
                raise OSError(errno.EINVAL, text)

    def keep_reachable(self, local: Sequence[bytes]) -> None:
        """Only addresses that our own can reach can be used: of their families, and on their links if link-local.

        ``OSError``: EAFNOSUPPORT if there are none of our families, EADDRNOTAVAIL for a source that is not ours.
        ``ConnectError``: ENETUNREACH if none can be reached, EINVAL if it is not clear which link is meant.
        """
        check_families([address.ip for address in self.addresses], local)
        for address in list(self.addresses):
            on_its_link = [ip for ip in local if zone_of(ip) == zone_of(address.ip)]
            address.source = find_alike(address.source, on_its_link or local)
            self._complete(address, [address.source] if address.source else local)
            if address.source and address.source not in local:
                ours = ", ".join(map(ip_text, local))
                raise OSError(errno.EADDRNOTAVAIL, f"the source {ip_text(address.source)} is none of ours ({ours})")
            sources = [address.source] if address.source else local
            if not any(same_family(ip, address.ip) for ip in sources):
                self._give_up(address, errno.EAFNOSUPPORT)
            elif lacks_zone(address.ip):
                self._give_up(address, errno.EINVAL)
            elif not any(can_reach(ip, address.ip) for ip in sources):
                self._give_up(address, errno.ENETUNREACH)
        self._check_left()

    @staticmethod
    def _complete(address: PeerAddress, others: Sequence[bytes]) -> None:
        """Give a link-local address without zone that of these others, if they are on one link."""
        zones = {zone_of(other) for other in others} - {b""}
        if lacks_zone(address.ip) and len(zones) == 1:
            address.ip += zones.pop()

    def _check_left(self) -> None:
        if not self.addresses:
            failures = [report for report in self.unusable if report.answer != UNRESOLVED]
            raise connect_failure(failures[0].error, self.unusable)

    def _give_up(self, address: PeerAddress, error: int) -> None:
        """This address cannot be used: it is reported, and the others are tried."""
        self.addresses.remove(address)
        answer = ANSWER_NAMES[ANSWER_SEND_ERROR]
        text = ip_text(address.ip)
        self.unusable.append(AddressReport(address=text, udp_port=address.udp_port, answer=answer, error=error))
