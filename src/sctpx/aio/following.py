"""An event loop watches the addresses of its host, for drivers with endpoints that were bound to a wildcard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import final

from ..core.config import NANOSECONDS
from ..link.address_watch import NEVER, AddressWatch


@final
class Following:
    """Calls a function whenever the addresses of the host may have changed, until it is closed."""

    __slots__ = ("_clock", "_loop", "_on_change", "_timer", "_watch")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Callable[[], int], on_change: Callable[[], object]
    ) -> None:
        """``clock`` gives nanoseconds."""
        self._loop = loop
        self._clock = clock
        self._on_change = on_change
        self._timer: asyncio.TimerHandle | None = None
        self._watch = self._open()
        self._set_timer()

    def _open(self) -> AddressWatch:
        watch = AddressWatch(self._clock())
        if watch.fileno() >= 0:
            try:
                self._loop.add_reader(watch.fileno(), self._on_readable)
            except NotImplementedError:
                watch.close()
                return AddressWatch(self._clock(), told=False)
        return watch

    def _on_readable(self) -> None:
        self._watch.on_readable()
        self._set_timer()

    def _set_timer(self) -> None:
        deadline = self._watch.next_deadline()
        if deadline != NEVER and self._timer is None:
            self._timer = self._loop.call_later(max(deadline - self._clock(), 0) / NANOSECONDS, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._watch.due(self._clock()):
            self._on_change()
        self._set_timer()

    def leave_loop(self) -> None:
        """Call the function no more."""
        if self._watch.fileno() >= 0:
            self._loop.remove_reader(self._watch.fileno())
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """Free the descriptor. The loop has been left, or is closed."""
        self._watch.close()
