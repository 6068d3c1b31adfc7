"""What the user of an association can do with its shared keys while it lives (RFC 4895): a part of ``Association``."""

from __future__ import annotations

from ..core.association.association import Association as CoreAssociation
from ..sockapi.buffers import Data, to_bytes
from .driver import Driver


class KeyCalls:
    """Shared keys are set, used and given up."""

    __slots__ = ()

    _core: CoreAssociation
    _driver: Driver

    def set_key(self, number: int, key: Data) -> None:
        """Add a shared key, or replace the one with this number. What the peer authenticates with it counts then.

        ``OSError``: EINVAL (a number of more than 16 bits, a key of more than 65535 bytes), EBUSY (it was deactivated,
        and messages that have it are not acknowledged).
        """
        data = to_bytes(key)
        with self._driver.guard, self._driver.guard.lock:
            self._core.set_key(self._driver.now(), number, data)
            self._driver.flush_here()

    def activate_key(self, number: int) -> None:
        """Authenticate with this key what is sent from now on. ``OSError`` (EINVAL): there is no such key, or it was
        deactivated.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.activate_key(self._driver.now(), number)
            self._driver.flush_here()

    def deactivate_key(self, number: int) -> None:
        """Send nothing more with this key. ``events.KeyChanged`` tells when all that had it is acknowledged.

        ``OSError`` (EINVAL): there is no such key, or it is the active one.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.deactivate_key(self._driver.now(), number)
            self._driver.flush_here()

    def delete_key(self, number: int) -> None:
        """Forget this key: what the peer authenticates with it does not count any more.

        ``OSError``: EINVAL (there is no such key, or it is the active one), EBUSY (messages that have it are not
        acknowledged).
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.delete_key(self._driver.now(), number)
            self._driver.flush_here()
