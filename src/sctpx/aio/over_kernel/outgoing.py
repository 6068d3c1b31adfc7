"""What is to be sent on the socket of one association: messages as the kernel takes them, and those that wait.

The kernel's send buffer takes a message or refuses it. A coroutine waits then; what a transport sends, which never
waits, is kept here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, final

from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import structs as s
from ...sockapi.ancillary import Item, from_policy
from ...sockapi.buffers import Data, to_bytes
from ...sockapi.not_now import NotNow
from ...sockapi.peer import Peer
from ...sockapi.send import parse_policy


class OutMessage(NamedTuple):
    """A message on its way to the kernel."""

    data: bytes
    items: list[Item]
    peer: Peer | None


@final
class Unsent:
    """The messages of one association that the kernel is given."""

    __slots__ = ("_kept", "_sock", "buffered")

    def __init__(self, sock: KernelSocket) -> None:
        self._sock = sock
        self._kept: deque[OutMessage] = deque()
        self.buffered = 0
        """Bytes that are kept here."""

    def __bool__(self) -> bool:
        """Whether messages are kept here."""
        return bool(self._kept)

    def make(
        self,
        data: Data,
        stream: int,
        ppid: int,
        unordered: bool,
        immediate: bool,
        peer: Peer | None,
        lifetime: float | None,
        retransmits: int | None,
        priority: int | None,
        key: int | None,
    ) -> OutMessage:
        """A message with the arguments of ``Association.send``, to an address of the peer if there is one."""
        data = to_bytes(data)
        prinfo = from_policy(*parse_policy(lifetime, retransmits, priority))
        flags = (c.SCTP_UNORDERED if unordered else 0) | (c.SCTP_SACK_IMMEDIATELY if immediate else 0)
        if peer is not None:
            flags |= c.SCTP_ADDR_OVER
        info = s.SndInfo(snd_sid=stream, snd_flags=flags, snd_ppid=ppid)
        items: list[Item] = [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info)]
        if prinfo is not None:
            items.append((c.IPPROTO_SCTP, c.SCTP_PRINFO, prinfo))
        if key is not None:
            items.append((c.IPPROTO_SCTP, c.SCTP_AUTHINFO, s.AuthInfo(auth_keynumber=key)))
        return OutMessage(data, items, peer)

    def send(self, message: OutMessage) -> bool:
        """Whether the kernel took a message; there is no room for it otherwise. ``OSError`` as the kernel has it."""
        sock = self._sock
        return not isinstance(
            sock.send_message(message.data, message.items, sock.prepare(message.items), message.peer), NotNow
        )

    def keep(self, message: OutMessage) -> None:
        """Send this when there is room again."""
        self._kept.append(message)
        self.buffered += len(message.data)

    def send_kept(self, on_refusal: Callable[[OutMessage, OSError], object]) -> None:
        """There may be room again for what is kept. ``on_refusal`` is told what the kernel will not send."""
        while self._kept:
            message = self._kept[0]
            try:
                if not self.send(message):
                    return
            except OSError as error:
                on_refusal(message, error)
            self._kept.popleft()
            self.buffered -= len(message.data)
