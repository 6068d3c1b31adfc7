"""A user message on its way out."""

from __future__ import annotations

from typing import final

from .reliability import Reliability


@final
class OutMessage:
    """One user message on its way out."""

    __slots__ = (
        "context",
        "data",
        "flags",
        "fragment",
        "number",
        "offset",
        "order",
        "ppid",
        "reliability",
        "remote",
        "stream",
    )

    def __init__(self, data: bytes, stream: int, ppid: int, flags: int, remote: bytes, context: object) -> None:
        self.data = data
        self.stream = stream
        self.ppid = ppid
        self.flags = flags
        """DATA_UNORDERED and DATA_IMMEDIATE."""
        self.remote = remote
        """Destination the user asked for; ``b""`` for the primary path."""
        self.context = context
        """What the user wants to see again if the message is not delivered; None for nothing."""
        self.offset = 0
        """Bytes already cut."""
        self.number = 0
        """SSN or MID, once the first chunk was cut."""
        self.fragment = 0
        """Chunks already cut, where they are counted: the FSN of the next one (RFC 8260 section 2.1)."""
        self.order = 0
        """Its place among all messages of a schedule that does not keep them in one line."""
        self.reliability: Reliability | None = None
        """When it is abandoned; None: never, as by far the most."""

    @property
    def is_cut(self) -> bool:
        """Whether all of it is in chunks."""
        return self.offset == len(self.data)
