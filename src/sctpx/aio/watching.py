"""The sockets of a link in the eyes of an event loop, which says when one has something to receive.

Where the loop cannot watch file descriptors (Windows' proactor) a task for each socket waits for what it receives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, final

from .loops import Watchable, watchable


@final
class Watching:
    """What the loop watches for one driver."""

    __slots__ = ("_loop", "_on_readable", "_receive_from", "_receivers", "_watched")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_readable: Callable[[Any], None],
        receive_from: Callable[[Any], Coroutine[Any, Any, None]],
    ) -> None:
        """``on_readable`` is called with a socket that is readable; ``receive_from`` receives where that cannot be."""
        self._loop = loop
        self._on_readable = on_readable
        self._receive_from = receive_from
        self._watched: dict[int, Watchable] = {}
        self._receivers: dict[int, asyncio.Task[None]] = {}

    def see_to(self, sockets: Iterable[Any]) -> None:
        """Watch those of these sockets that are not watched yet. ``OSError`` if one cannot be watched."""
        for sock in sockets:
            descriptor = sock.fileno()
            if descriptor in self._watched or descriptor in self._receivers:
                continue
            watched = watchable(self._loop, descriptor)
            try:
                self._loop.add_reader(watched.fileno(), self._on_readable, sock)
            except NotImplementedError:
                watched.close()
                self._receivers[descriptor] = self._loop.create_task(self._receive_from(sock))
            else:
                self._watched[descriptor] = watched

    def has(self, descriptor: int) -> bool:
        """Whether the loop watches the descriptor itself, so that it can say when it is writable, too."""
        return descriptor in self._watched

    def forget(self, descriptor: int) -> None:
        """This socket will be closed."""
        running = not self._loop.is_closed()
        watched = self._watched.pop(descriptor, None)
        if watched is not None:
            if running:
                self._loop.remove_reader(watched.fileno())
            watched.close()
        receiver = self._receivers.pop(descriptor, None)
        if receiver is not None and running:
            receiver.cancel()

    def leave_loop(self) -> None:
        """Have nothing watched any more."""
        for watched in self._watched.values():
            self._loop.remove_reader(watched.fileno())
        for receiver in self._receivers.values():
            receiver.cancel()

    def close(self) -> None:
        """Free what was needed besides the sockets."""
        for watched in self._watched.values():
            watched.close()
