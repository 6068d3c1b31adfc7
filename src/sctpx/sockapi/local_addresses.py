"""The local addresses of an SCTP port: those that associations to come use, and those that their peers are told.

An association keeps the addresses that it began with. Its peer knows no others: what came from another one would be out
of the blue there and draw an ABORT (RFC 9260 section 8.4). Only a peer that speaks RFC 5061 can be told of others: when
the user says so, or when the host's addresses change (``AssociationConfig.auto_asconf``).

A port that was bound to a wildcard has the addresses of the interfaces, as these come and go (``follow``): from then
on, peers can set up associations at a new address, and are told of it. An address that is gone is told no more. A port
that was bound to addresses keeps them, whatever the host does. What receives packets at an address that the port has no
more stays until no association uses that address.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, final

from ..core.association.association import Association
from ..core.endpoint import Endpoint
from ..core.stack import Stack
from .addresses import ip_text
from .sctp_port import PortCarrier

_log: Final = logging.getLogger("sctpx")


class Carrier(PortCarrier, Protocol):
    """What runs a stack and carries its packets."""

    @property
    def stack(self) -> Stack:
        """The stack."""

    def add_address(self, address: bytes) -> None:
        """Carry packets of one more local address, packed. ``OSError``: EADDRINUSE, EADDRNOTAVAIL."""

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer."""

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Carry no more packets of an SCTP port at these local addresses, or at any."""

    def now(self) -> int:
        """The time, ns."""

    def watch_addresses(self) -> None:
        """From now on, tell the users of ports whenever the addresses of the host may have changed."""


@final
class LocalAddresses:
    """The local addresses of one SCTP port of a carrier that has them."""

    __slots__ = ("_announce", "_beside", "_carrier", "_endpoint", "_gone", "_refused", "_wildcards", "ips")

    def __init__(
        self,
        carrier: Carrier,
        ips: Sequence[bytes],
        *,
        wildcards: Sequence[bytes] = (),
        beside: Sequence[bytes] = (),
        announce: str = "auto",
    ) -> None:
        """Packed addresses, the wildcards that they come from, and those that stand beside the wildcards.

        ``announce`` says which of them peers are told: "auto" several or none, "all", "none".
        """
        self._carrier = carrier
        self._wildcards = tuple(wildcards)
        self._announce = announce
        self._endpoint: Endpoint | None = None
        self._gone: tuple[bytes, ...] = ()
        self._beside = tuple(beside)
        self._refused: tuple[bytes, ...] = ()
        self.ips = list(ips)
        """The addresses, packed."""

    @property
    def wildcards(self) -> tuple[bytes, ...]:
        """``0.0.0.0`` and ``::``, packed, as far as the port was bound to them."""
        return self._wildcards

    @property
    def told(self) -> list[bytes]:
        """Those that peers may be told."""
        tells = self._announce == "all" or (self._announce == "auto" and len(self.ips) > 1)
        return list(self.ips) if tells else []

    def belong_to(self, endpoint: Endpoint) -> None:
        """They are those of this endpoint from now on, which is open at them."""
        self._endpoint = endpoint
        self._change(self.ips)

    def add(self, ips: Iterable[bytes]) -> bool:
        """More addresses. Whether anything has changed. ``OSError`` as ``Carrier`` says: none was added."""
        fresh = [ip for ip in dict.fromkeys(ips) if ip not in self.ips]
        if not fresh:
            return False
        self._open(fresh)
        self._change([*self.ips, *fresh])
        return True

    def remove(self, ips: Iterable[bytes]) -> None:
        """Fewer addresses."""
        gone = set(ips)
        self._change([ip for ip in self.ips if ip not in gone])
        self.let_go()

    def moved_to(self, carrier: Carrier) -> LocalAddresses:
        """The same for an endpoint of another carrier, which has the addresses."""
        return LocalAddresses(
            carrier, self.ips, wildcards=self._wildcards, beside=self._beside, announce=self._announce
        )

    def replace(
        self, ips: Sequence[bytes], wildcards: Sequence[bytes], beside: Sequence[bytes] = (), announce: str = "auto"
    ) -> None:
        """Have these addresses instead. ``OSError`` as ``Carrier`` says: then all is as before."""
        self._open(ips)
        self._wildcards = tuple(wildcards)
        self._beside = tuple(beside)
        self._announce = announce
        self._change(list(ips))
        self.let_go()

    def follow(self, found: Sequence[bytes]) -> bool:
        """The wildcards stand for these addresses now. Whether anything has changed."""
        kept = [ip for ip in self.ips if ip in found or ip in self._beside]
        fresh = [ip for ip in dict.fromkeys(found) if ip not in self.ips and self._can_have(ip)]
        self._refused = tuple(ip for ip in self._refused if ip in found)
        if not fresh and len(kept) == len(self.ips):
            return False
        self._change([*kept, *fresh])
        if self._endpoint is not None:
            for association in list(self._endpoint.associations.values()):
                self.take_along(association)
        self.let_go()
        return True

    def take_along(self, association: Association) -> None:
        """Have the peer of an association told what the wildcards stand for now, if that is wanted."""
        if self._wildcards and association.config.auto_asconf:
            association.follow_addresses(self._carrier.now(), self.ips)

    @staticmethod
    def check(associations: Iterable[Association], added: Sequence[bytes], removed: Sequence[bytes]) -> None:
        """``OSError`` (ENOBUFS) if one of the associations has no place for so many changes; to be asked before any."""
        count = len({*added, *removed})
        if any(association.places_for_changes < count for association in associations):
            raise OSError(errno.ENOBUFS, "too many changes wait for the answer of a peer")

    def change(self, associations: Iterable[Association], added: Sequence[bytes], removed: Sequence[bytes]) -> None:
        """More and fewer addresses for associations that live; the port itself keeps those that it has.

        ``OSError`` as ``Carrier`` and ``Association.change_addresses`` say.
        """
        fresh = [ip for ip in dict.fromkeys(added) if ip not in self.ips and ip not in self._gone]
        self._open(fresh)
        self._gone = (*self._gone, *fresh)  # They are carried as long as an association uses them.
        try:
            for association in associations:
                association.change_addresses(self._carrier.now(), added, removed)
        finally:
            self.let_go()

    def _can_have(self, ip: bytes) -> bool:
        try:
            self._open([ip])
        except OSError as error:
            if ip not in self._refused:
                self._refused = (*self._refused, ip)
                _log.warning("a wildcard does not cover the new address %s: %s", ip_text(ip), error.strerror)
            return False
        return True

    def _open(self, ips: Sequence[bytes]) -> None:
        added: list[bytes] = []
        try:
            for ip in ips:
                self._carrier.add_address(ip)
                added.append(ip)
            if self._endpoint is not None:
                self._carrier.open_port(self._endpoint.port, ips)
        except OSError:
            for ip in added:
                self._remove_unused(ip)
            raise

    def _remove_unused(self, ip: bytes) -> bool:
        """Have the carrier give up an address that no SCTP port uses. Whether that was so."""
        if any(endpoint.uses(ip) for endpoint in self._carrier.stack.endpoints.values()):
            return False
        self._carrier.remove_address(ip)
        return True

    def let_go(self) -> None:
        """An association is over, or addresses are gone: those that nobody uses any more are given up."""
        if self._endpoint is None:
            return
        for ip in [ip for ip in self._gone if not self._endpoint.uses(ip)]:
            self._carrier.close_port(self._endpoint.port, [ip])
            if self._remove_unused(ip):
                self._gone = tuple(other for other in self._gone if other != ip)

    def _change(self, ips: list[bytes]) -> None:
        self._gone = tuple(ip for ip in dict.fromkeys([*self._gone, *self.ips]) if ip not in ips)
        self.ips = ips
        if self._wildcards:
            self._carrier.watch_addresses()
        if self._endpoint is not None:
            self._endpoint.change_addresses(ips, self.told, self._wildcards)
            self._endpoint.hides = self._announce == "none"
