"""A user message on its way in (RFC 6458 sections 5.3.5 and 8.1.20).

The core hands messages over as plain tuples. A ``Message`` is the same tuple with names: making one is a single call in
C, so that thousands of small messages can be received at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final, NamedTuple

from ..core.rx.streams import MORE, UNORDERED


class Message(NamedTuple):
    """A user message, or with ``more`` a part of one.

    It is a tuple of its first six fields: ``data, stream, ppid, *_ = message``.
    """

    data: bytes
    """The user data."""
    stream: int
    """The stream it came on."""
    ppid: int
    """The payload protocol identifier, in host byte order: a number for the application, such as 60 for NGAP."""
    ssn: int
    """The stream sequence number; without meaning in an unordered message."""
    tsn: int
    """The transmission sequence number of its last chunk so far."""
    flags: int
    """What ``unordered`` and ``more`` are read from."""

    @property
    def unordered(self) -> bool:
        """It was sent to be delivered at once, without regard to the order of its stream."""
        return self.flags & UNORDERED != 0

    @property
    def more(self) -> bool:
        """The message is larger than the receive buffer takes: this is a part of it, and the next one goes on.

        If messages are interleaved (``Association.interleaving``), it is the next one of the same stream.
        """
        return self.flags & MORE != 0


CoreMessage = tuple[bytes, int, int, int, int, int]

to_message: Final = partial(tuple.__new__, Message)
"""The ``Message`` of a tuple from the core."""


def to_messages(taken: Iterable[CoreMessage]) -> list[Message]:
    """The messages of tuples from the core."""
    return list(map(to_message, taken))
