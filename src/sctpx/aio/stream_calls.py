"""What the user of an association can ask about its streams while it lives (RFC 6525): a part of ``Association``."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.association.association import Association as CoreAssociation
from .driver import Driver


class StreamCalls:
    """Streams are reset and added."""

    __slots__ = ()

    _core: CoreAssociation
    _driver: Driver

    def reset_streams(self, streams: Iterable[int] = (), *, outgoing: bool = True, incoming: bool = False) -> None:
        """Have the SSNs of these streams, or of all if none is named, begin at 0 again (RFC 6525).

        ``outgoing`` are streams that we send on: what was sent before is delivered first, and what is sent from now on
        leaves when the peer has agreed. ``incoming`` are those that the peer sends on: the peer is asked to reset them.
        What becomes of it is told by ``events.StreamsReset``, once for each direction. One request is under way at a
        time; the peer does what its ``AssociationConfig.allow_stream_reset`` allows.

        ``OSError``: EINVAL (no such stream, no direction), EMSGSIZE (more streams than a packet holds), EALREADY (a
        request is under way), EOPNOTSUPP (the peer cannot do this), ENOTCONN, ``BrokenPipeError`` (shutting down).
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.reset_streams(self._driver.now(), outgoing, incoming, tuple(streams))
            self._driver.flush_here()

    def reset_association(self) -> None:
        """Have all SSNs begin at 0 again, both ways, and the TSNs elsewhere (RFC 6525).

        What was sent before is delivered first. What the peer has in flight then may be lost: agree on a pause before.
        ``events.AssociationReset`` tells what became of it. Raises ``OSError`` like ``reset_streams``, and EAGAIN less
        than 30 seconds after the last time.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.reset_association(self._driver.now())
            self._driver.flush_here()

    def add_streams(self, *, outgoing: int = 0, incoming: int = 0) -> None:
        """Have so many more streams, numbered on from those that there are (RFC 6525).

        ``events.StreamsAdded`` tells what became of it, once for each direction. Raises ``OSError`` like
        ``reset_streams``, with EINVAL for no streams at all or more than there can be.
        """
        with self._driver.guard, self._driver.guard.lock:
            self._core.add_streams(self._driver.now(), outgoing, incoming)
            self._driver.flush_here()

    @property
    def reconfigurable(self) -> bool:
        """Whether streams can be reset and added: both sides have offered it (RFC 6525)."""
        return self._core.reconfigurable
