"""A dictionary that cannot grow without end."""

from __future__ import annotations

from typing import Final, TypeVar, final

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

CAPACITY: Final = 1024


@final
class Remembered(dict[KeyT, ValueT]):
    """Results worth keeping, for keys that come from the network. When it is full it forgets all and starts over.

    Read it as the ``dict`` it is, which costs no more; write it by ``remember``.
    """

    def remember(self, key: KeyT, value: ValueT) -> ValueT:
        """Keep ``value`` for ``key`` and return it."""
        if len(self) >= CAPACITY:
            self.clear()
        self[key] = value
        return value
