"""What the user of an association can ask about its addresses while it lives (RFC 5061): a part of ``Association``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.association.association import Association as CoreAssociation
from ..link.interfaces import local_address
from ..sockapi.addresses import find_alike, pack_ip
from .driver import Driver

if TYPE_CHECKING:
    from .endpoint import Endpoint


class AddressCalls:
    """Addresses are added and deleted."""

    __slots__ = ()

    _core: CoreAssociation
    _driver: Driver
    _endpoint: Endpoint

    def add_address(self, address: str) -> None:
        """Have one more address of this host in the association, and tell the peer (RFC 5061).

        ``events.LocalAddressChanged`` tells what became of it. Nothing if the association has it already.

        ``OSError``: EOPNOTSUPP (both sides have to offer it: ``address_reconfigurable``), EADDRNOTAVAIL (not an address
        of this host), EADDRINUSE (another program has our UDP port there), EINVAL, ENOTCONN.
        """
        self._change([local_address(address)], [])

    def remove_address(self, address: str) -> None:
        """Have the peer send to this address no more (RFC 5061). ``events.LocalAddressChanged`` tells.

        ``OSError`` as ``add_address``; EADDRNOTAVAIL (not an address of the association), EINVAL (the last one).
        """
        self._change([], [self._local(address)])

    def _change(self, added: list[bytes], removed: list[bytes]) -> None:
        with self._driver.guard, self._driver.guard.lock:
            self._endpoint.change_addresses(self._core, added, removed)
            self._driver.flush_here()

    def set_peer_primary(self, address: str) -> None:
        """Ask the peer to send to this address of ours, as long as that works (RFC 5061 section 5.4).

        ``events.LocalAddressChanged`` tells whether it will. ``OSError`` as ``remove_address``.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.set_peer_primary(self._driver.now(), self._local(address))
            self._driver.flush_here()

    def _local(self, address: str) -> bytes:
        """An address of ours, packed, with its zone."""
        return find_alike(pack_ip(address), self._core.wanted_addresses)

    @property
    def address_reconfigurable(self) -> bool:
        """Whether addresses can be added and deleted: both sides have offered it (RFC 5061)."""
        return self._core.address_reconfigurable
