"""Busy polling: in a dialogue, look for the next packet again and again before sleeping until it comes.

A thread that sleeps takes longer to be woken than a packet takes to be handled: a round trip of two hosts that sleep is
mostly waking. So where packets with user data come one at a time, in short intervals, and user data is sent in between,
a driver keeps looking for the next packet, for ``LIMIT`` at most, and sleeps only then.

Polling takes processor time that no other program gets meanwhile. Polling begins only after ``ENOUGH`` waits in a row
that were shorter than ``LIMIT``. The first longer wait ends it, and so does the first that was polled in vain. What is
sent in one direction only is not polled for, nor are packets of strangers: each poll takes a packet with user data that
this driver has sent.

The environment variable ``SCTPX_BUSY_POLL`` gives the limit in microseconds; 0 turns polling off. Polling is off where
the machine has a single processor, which the peer may need.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, final

from .address_watch import NEVER

LIMIT: Final = 200_000
"""How long one wait is polled, ns, and how long a short wait takes at most."""
ENOUGH: Final = 8
"""So many short waits in a row, and the next one is polled."""
VARIABLE: Final = "SCTPX_BUSY_POLL"
_MICROSECOND: Final = 1000
_SECOND: Final = 10**9
T = TypeVar("T", bound=Sequence[Any])


def polling_limit() -> int:
    """How long to poll, ns: what ``SCTPX_BUSY_POLL`` says if that is a number, in microseconds."""
    if os.cpu_count() == 1:
        return 0
    try:
        return max(int(os.environ[VARIABLE]), 0) * _MICROSECOND
    except (KeyError, ValueError):
        return LIMIT


@final
class BusyPoll:
    """Whether the next wait is to be polled. For one thread, or one event loop."""

    __slots__ = ("_limit", "_short", "in_dialogue")

    def __init__(self, limit: int) -> None:
        """Poll for ``limit`` ns; 0: never."""
        self._limit = limit
        self._short = 0
        self.in_dialogue = False
        """A packet came alone and with user data, after user data had been sent, and was not polled behind yet."""

    def note(self, waited: int) -> None:
        """A wait of so many ns has brought something."""
        self._short = min(self._short + 1, ENOUGH) if waited < self._limit else 0

    @property
    def budget(self) -> int:
        """How long to poll in the wait that begins, ns; 0 if it does not pay."""
        return self._limit if self.in_dialogue and self._short >= ENOUGH else 0

    def wait(self, select: Callable[[float | None], T], until: int) -> T:
        """Wait until ``until``, ns, or until ``select(timeout)`` finds something: polling first, if that pays."""
        began = time.monotonic_ns()
        polled_until = min(began + self.budget, until)
        self.in_dialogue = False
        ready: T | None = None
        now = began
        while not ready and now < polled_until:
            ready = select(0)
            now = time.monotonic_ns()
        if not ready:
            if now > began:
                self._short = 0
            ready = select(None if until == NEVER else max(until - now, 0) / _SECOND)
            now = time.monotonic_ns()
        if ready:
            self.note(now - began)
        return ready
