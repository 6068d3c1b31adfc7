"""Associations that are over, as long as a State Cookie could bring one of them back.

A State Cookie is good until it is stale, whatever became of the association that it has set up. If its COOKIE ECHO is
late, or there is a copy of it, the association would be set up once more, with the same tags and the same TSNs: nobody
would be at the other side, old packets would be taken for new ones, and data be delivered twice. "A new Verification
Tag value MUST be used each time the endpoint tears down and then reestablishes an association to the same peer"
(RFC 9260 section 5.3.1).

Two generations are kept. The older one is dropped when a new one begins, so each tag stays at least as long as a cookie
is good. Of a generation the newest ``MAX_TAGS`` are kept: all together take less than 2 MiB.
"""

from __future__ import annotations

from typing import Final, final

from .timers import SECOND

MAX_TAGS: Final = 1 << 13
_USUAL_LIFESPAN: Final = 60 * SECOND  # Valid.Cookie.Life (RFC 9260 section 16).


@final
class FormerTags:
    """When associations of one stack ended, by keys that have the tag of one side in them."""

    __slots__ = ("_lifespan", "_newer", "_older", "_renew")

    def __init__(self) -> None:
        self._newer: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}
        self._lifespan = _USUAL_LIFESPAN
        self._renew = 0

    def add(self, now: int, key: bytes) -> None:
        """An association with that key has ended."""
        self.age(now, 0)
        if len(self._newer) >= MAX_TAGS:
            del self._newer[next(iter(self._newer))]
        self._newer[key] = now

    def age(self, now: int, lifespan: int) -> None:
        """There is a cookie that is good for so long, ns."""
        self._lifespan = max(self._lifespan, lifespan)
        if now >= self._renew:
            self._older = self._newer
            self._newer = {}
            self._renew = now + self._lifespan

    def ended(self, key: bytes) -> int:
        """When the association with that key ended; -1 if there was none."""
        return self._newer.get(key, self._older.get(key, -1))
