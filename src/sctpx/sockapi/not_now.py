"""How a call of a socket says "not now": by its result, which tells what to wait for and how to go on.

No call of a socket in ``sockapi`` waits. A call succeeds, raises, or returns a ``NotNow``. The caller then waits, in
its own way, for what ``until`` names, and tries again: the same call, or ``again`` where only a part of the call is
left. A caller that must not wait raises ``refusal()``, and a caller that waited for too long raises ``time_is_up()``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Final

READABLE: Final = 0
"""There is something to receive, or to accept."""
WRITABLE: Final = 1
"""There is room to send."""
CHANGED: Final = 2
"""An association came up or ended."""


class NotNow:
    """The call cannot be completed now."""

    __slots__ = ("again", "until")

    def __init__(self, until: int, again: Callable[[], Any] | None = None) -> None:
        self.until = until
        """What to wait for: ``READABLE``, ``WRITABLE`` or ``CHANGED``."""
        self.again = again
        """What to try then; the result may be "not now" again. ``None``: the same call."""

    def refusal(self) -> OSError:
        """What a socket that does not wait raises."""
        return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def time_is_up(self) -> OSError:
        """What a socket raises when its timeout has passed."""
        return TimeoutError("timed out")


UNTIL_READABLE: Final = NotNow(READABLE)
"""Wait for something to receive or to accept, and try the same call again."""
UNTIL_WRITABLE: Final = NotNow(WRITABLE)
"""Wait for room to send, and try the same call again."""
