"""A user message on its way out, and what is left of one that did not get there (RFC 6458 sections 5.3.4, 6.1.11)."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any, Final, NamedTuple, TypeAlias

from ..core.events import Undelivered as CoreUndelivered
from ..core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from .buffers import Data, to_bytes
from .receive import Message

Outgoing: TypeAlias = (
    "Data | Message | tuple[Data] | tuple[Data, int] | tuple[Data, int, int] | tuple[Data, int, int, bool]"
)
"""What can be sent in one go with others: data, ``(data, stream, ppid, unordered)`` of which the end may be left out,
or a received ``Message``, which is passed on with its stream, PPID and order."""

_DEFAULTS: Final = (b"", 0, 0, False)
_SECOND: Final = 1_000_000_000
# 32 bits of milliseconds, as sockets have them.
_MOST: Final = 0xFFFFFFFF * 1_000_000


def parse_outgoing(message: Outgoing) -> tuple[bytes, int, int, bool]:
    """A message to send as ``(data, stream, ppid, unordered)``. ``TypeError`` for anything that is none."""
    if type(message) is bytes:
        return message, 0, 0, False
    if isinstance(message, Message):
        return message.data, message.stream, message.ppid, message.unordered
    if isinstance(message, tuple):
        fields: tuple[Any, ...] = message
        if not 1 <= len(fields) <= len(_DEFAULTS):
            raise TypeError(f"a message is (data, stream, ppid, unordered), not a tuple of {len(fields)}")
        data, stream, ppid, unordered = fields + _DEFAULTS[len(fields) :]
        return to_bytes(data), stream, ppid, unordered
    return to_bytes(message), 0, 0, False


def parse_policy(lifetime: float | None, retransmits: int | None, priority: int | None) -> tuple[int, int]:
    """The policy of a message, and its value, as ``Association.send`` of the core has them.

    ``ValueError`` for more than one of them, or a negative one.
    """
    if (lifetime is not None) + (retransmits is not None) + (priority is not None) > 1:
        raise ValueError("a message has one of lifetime, retransmits and priority, or none")
    policy, value = RELIABLE, 0
    if lifetime is not None:
        policy, value = TIMED, round(lifetime * _SECOND)
    elif retransmits is not None:
        policy, value = RETRANSMISSIONS, index(retransmits)
    elif priority is not None:
        policy, value = PRIORITY, index(priority)
    if not 0 <= value <= _MOST:
        raise ValueError("lifetime, retransmits and priority are 0 or more, and fit 32 bits (a lifetime: milliseconds)")
    return policy, value


class Undelivered(NamedTuple):
    """A message that did not reach the peer for certain."""

    data: bytes
    """The user data; of a message that was acknowledged in part, what was not."""
    stream: int
    ppid: int
    sent: bool
    """It was sent, in part at least, and not acknowledged: the peer may have it. ``False``: the peer cannot have it."""


def to_undelivered(left: Iterable[CoreUndelivered]) -> list[Undelivered]:
    """What the core has left, with names."""
    return [Undelivered(*message[:4]) for message in left]
