"""Messages made whole again before they are sent back: one larger than the receive buffer takes comes in parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ..sockapi.receive import Message


@final
class WholeMessages:
    """Puts the parts of messages together. Nothing here offers interleaving, so the parts of two messages never mix."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def join(self, batch: Sequence[Message]) -> Sequence[Message]:
        """The messages that are complete with this batch."""
        if not self._parts and not any(message.more for message in batch):
            return batch
        whole = []
        for message in batch:
            self._parts.append(message.data)
            if not message.more:
                whole.append(message._replace(data=b"".join(self._parts)))
                self._parts.clear()
        return whole
