"""What the user of an association can ask about the paths to its peer: a part of ``Association``."""

from __future__ import annotations

from ..core.association.association import Association as CoreAssociation
from ..sockapi.addresses import find_alike, pack_ip
from .driver import Driver


class PathCalls:
    """The primary path is chosen, and a path is asked whether it answers."""

    __slots__ = ()

    _core: CoreAssociation
    _driver: Driver

    def _remote(self, address: str) -> bytes:
        """An address of the peer, packed, with its zone."""
        return find_alike(pack_ip(address), [path.remote for path in self._core.paths])

    def set_primary(self, address: str) -> None:
        """Send data to this address of the peer while its path is active.

        ``OSError``: EINVAL (not an address of the peer, or not confirmed yet), ENOTCONN.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.set_primary(self._driver.now(), self._remote(address))
            self._driver.flush_here()

    def heartbeat(self, address: str) -> None:
        """Send a HEARTBEAT to this address of the peer now; the answer shows in the path's ``srtt``.

        ``OSError``: EINVAL (not an address of the peer), ENOTCONN.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.request_heartbeat(self._driver.now(), self._remote(address))
            self._driver.flush_here()
