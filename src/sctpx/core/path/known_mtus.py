"""Path MTUs that associations of a stack have found, for those that come after them (RFC 8899 section 3, item 9).

What was found is no more than a hint: a search probes it before other sizes, and uses it only if that probe passes. It
is kept where the path takes less than the interface, for the ten minutes after which it would be searched for anew, and
no longer than packets of that size get through.
"""

from __future__ import annotations

from typing import Final, final

from ..timers import SECOND
from .path import Path
from .pmtu import headers

LIFE: Final = 600 * SECOND
MOST: Final = 1024
"""Paths that are kept; of more, the oldest are forgotten."""


@final
class KnownMtus:
    """By our address and the peer's: the largest IP packet, bytes, and until when that counts."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[tuple[bytes, bytes], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def note(self, now: int, path: Path) -> None:
        """A search of ``path`` has come to its end."""
        self.forget(path)
        if path.mtu >= path.largest:
            return  # That is probed first anyway.
        if len(self._found) >= MOST:
            del self._found[next(iter(self._found))]
        self._found[path.local, path.remote] = path.mtu + headers(path.remote, path.encaps_port), now + LIFE

    def forget(self, path: Path) -> None:
        """Packets of that size may not pass any more."""
        self._found.pop((path.local, path.remote), None)

    def size(self, now: int, path: Path) -> int:
        """The SCTP packet that ``path`` took of late, bytes; 0 if that is not known."""
        mtu, until = self._found.get((path.local, path.remote), (0, 0))
        return mtu - headers(path.remote, path.encaps_port) & ~3 if now < until else 0
