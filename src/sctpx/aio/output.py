"""What a driver sends: rounds of bounded size, and the Transmit that the link had no room for.

A Transmit that the link has no room for is kept until the socket can be written to, and nothing else is polled until it
is gone, or was given up (``link.patience``). A round sends a bounded number of bytes; if there is more, it goes on in
the next iteration of the loop, after input had its turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from errno import EAGAIN
from typing import Any, Final, final

from ..core.outputs import Transmit
from ..core.stack import Stack
from ..link import Link
from ..link.arrivals import Arrivals
from ..link.patience import Patience
from .watching import Watching

ROUND: Final = 8 * 65536
"""Bytes that the stack sends in one round: so many large batches..."""
SEND: Final = 4096
"""...or more small packets, which cost less: what sending anything counts besides its bytes."""
RETRY_DELAY: Final = 0.001
"""Seconds until a full queue of the interface (ENOBUFS) is tried again."""


@final
class Output:
    """The packets of one stack on their way to its link."""

    __slots__ = (
        "_arrivals",
        "_continuing",
        "_error",
        "_flush",
        "_link",
        "_loop",
        "_patience",
        "_refused",
        "_retry",
        "_send",
        "_send_kept",
        "_stack",
        "_watching",
        "_writer",
        "kept",
    )

    def __init__(
        self,
        stack: Stack,
        link: Link[Any],
        loop: asyncio.AbstractEventLoop,
        watching: Watching,
        arrivals: Arrivals,
        flush: Callable[[], None],
        send_kept: Callable[[], None],
    ) -> None:
        """``flush`` is called to go on with the next round, ``send_kept`` when there may be room for what is kept."""
        self._stack = stack
        self._link = link
        self._loop = loop
        self._watching = watching
        self._arrivals = arrivals
        self._flush = flush
        self._send_kept = send_kept
        self._send = link.send
        self._refused: Transmit | None = None  # What the link has just refused to send,
        self._error = 0  # and why.
        self.kept: Transmit | None = None
        """What the link had no room for."""
        self._patience = Patience()
        self._writer = -1
        self._retry: asyncio.TimerHandle | None = None
        self._continuing = False

    @property
    def busy(self) -> bool:
        """Whether there is more to send: a Transmit is kept, or the next round will come."""
        return self.kept is not None or self._continuing

    def send_ready(self, now: int) -> bool:
        """Send what is ready. False if that was not all: this round is over, or the link has refused something.

        ``go_on`` sees to the rest.
        """
        if self.kept is not None:
            return True
        poll_transmit = self._stack.poll_transmit
        send = self._send
        arrivals = self._arrivals
        left = ROUND
        while left > 0:
            transmit = poll_transmit(now)
            if transmit is None:
                return True
            left -= len(transmit.data) + SEND
            arrivals.note_sent(transmit.data)
            error = send(transmit)
            if error:
                self._refused = transmit
                self._error = error
                return False
        return False

    def go_on(self, now: int) -> None:
        """Send what is ready, after ``send_ready`` or without; what cannot be sent now is sent later."""
        refused = self._refused is not None
        while refused or not self.send_ready(now):
            refused = False
            transmit, self._refused = self._refused, None
            if transmit is None:
                if not self._continuing:
                    self._continuing = True
                    self._loop.call_soon(self._continue)
                return
            self._on_error(now, transmit, self._error)

    def _continue(self) -> None:
        """The next round of what did not fit into one."""
        self._continuing = False
        self._flush()

    def _on_error(self, now: int, transmit: Transmit, error: int) -> None:
        if not self._patience.keeps(transmit, error):
            self._stack.handle_send_error(now, transmit, error)
            return
        self.kept = transmit
        sock = self._link.socket_for(transmit) if error == EAGAIN else None
        if sock is not None and self._watching.has(sock.fileno()):
            self._writer = sock.fileno()
            self._loop.add_writer(self._writer, self._send_kept)
        else:
            self._retry = self._loop.call_later(RETRY_DELAY, self._send_kept)

    def try_kept(self, now: int) -> bool:
        """There may be room again for the Transmit that was kept. False if none is."""
        transmit = self.kept
        if transmit is None:
            return False
        self.stop_waiting()
        error = self._send(transmit)
        if error:
            self._on_error(now, transmit, error)
        return True

    def drop_for(self, descriptor: int) -> None:
        """This socket will be closed: a Transmit that waits for room in it is lost."""
        if self._writer == descriptor:
            self.stop_waiting()
            self._loop.call_soon(self._flush)

    def stop_waiting(self) -> None:
        """Keep nothing any more, nor wait for room for it."""
        self.kept = None
        if self._writer >= 0:
            self._loop.remove_writer(self._writer)
            self._writer = -1
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def send_all(self, now: int) -> None:
        """Without the loop: send all there is, or as much as the link has room for."""
        transmit = self.kept
        if not self._loop.is_closed():
            self.stop_waiting()
        while transmit is not None or (transmit := self._stack.poll_transmit(now)) is not None:
            error = self._send(transmit)
            if error:
                if self._patience.keeps(transmit, error):
                    self.kept = transmit
                    return
                self._stack.handle_send_error(now, transmit, error)
            transmit = None
        self.kept = None
