"""What has arrived on the socket of one association: whole messages, and notifications between them.

The kernel tells of the association's end behind all messages. So messages are read ahead, up to a limit: from there on
they stay in the kernel, which then closes the window to the peer, and an end behind them is known when they were read.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from ...core.rx.streams import MORE, UNORDERED
from ...kernel.received import infos
from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi.not_now import NotNow
from ...sockapi.receive import Message
from ...sockapi.structs import Notification, RcvInfo

_AT_ONCE: Final = 1 << 16
"""Bytes that one call reads at the most."""
_AHEAD: Final = 1 << 18
"""Bytes of messages that are read ahead."""


@final
class Incoming:
    """The messages and notifications of one association."""

    __slots__ = ("_held", "_info", "_parts", "_sizes", "_sock", "messages", "over")

    def __init__(self, sock: KernelSocket) -> None:
        self._sock = sock
        self._parts: list[bytes] = []
        self._info = RcvInfo()
        self._sizes = 0  # Bytes in ``_parts``.
        self._held = 0  # Bytes in ``messages``.
        self.messages: deque[Message] = deque()
        """Those that nobody has taken yet."""
        self.over = False
        """Nothing will come any more."""

    @property
    def full(self) -> bool:
        """So much was read ahead that the rest stays in the kernel."""
        return self._held >= _AHEAD

    def take(self, limit: int) -> list[Message]:
        """Messages in order, at most ``limit`` unless that is 0."""
        count = min(limit, len(self.messages)) if limit else len(self.messages)
        taken = [self.messages.popleft() for _ in range(count)]
        self._held -= sum(len(message.data) for message in taken)
        return taken

    def read(self, largest: int) -> Notification | None:
        """Read one piece: a notification, or a part of a message. ``BlockingIOError`` when nothing is there.

        A message of more than ``largest`` bytes is handed over in parts. ``OSError`` that ended the association.
        """
        piece = self._sock.receive(_AT_ONCE)
        if isinstance(piece, NotNow):
            raise piece.refusal()
        if piece.flags & c.MSG_NOTIFICATION:
            return piece.notice
        if not piece.data and not piece.flags & c.MSG_EOR:
            self.over = True
            return None
        info = infos(piece.control).get(c.SCTP_RCVINFO)
        if isinstance(info, RcvInfo):
            self._info = info
        self._parts.append(piece.data)
        self._sizes += len(piece.data)
        complete = piece.flags & c.MSG_EOR
        if complete or self._sizes >= largest:
            self._deliver(more=not complete)
        return None

    def _deliver(self, *, more: bool) -> None:
        info = self._info
        flags = (UNORDERED if info.rcv_flags & c.SCTP_UNORDERED else 0) | (MORE if more else 0)
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self.messages.append(Message(data, info.rcv_sid, info.rcv_ppid, info.rcv_ssn, info.rcv_tsn, flags))
        self._held += len(data)
        self._parts.clear()
        self._sizes = 0

    def forget_parts(self) -> None:
        """The rest of a message will not come (partial delivery aborted)."""
        self._parts.clear()
        self._sizes = 0
