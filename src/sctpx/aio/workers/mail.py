"""Packets from worker to worker, by datagrams between processes. What finds no room is lost, as on any network."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from struct import Struct
from typing import Final, final

_HEADER: Final = Struct(">BBBHHI")
"""How many have seen it; the lengths of the local and the remote address, which follow; the UDP port; errno and MTU."""
_LARGEST: Final = 1 << 17
_AT_ONCE: Final = 64

Passed = tuple[int, bytes, bytes, int, bytes, int, int]
"""How many have seen it and do not know it; our address, the peer's and its UDP port; the packet; of an ICMP error the
errno and the MTU."""


def mailboxes(count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """For each of so many workers, where it receives and where the others send to."""
    inboxes, outboxes = [], []
    for _ in range(count):
        inbox, outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        inbox.setblocking(False)
        outbox.setblocking(False)
        inboxes.append(inbox)
        outboxes.append(outbox)
    return inboxes, outboxes


@final
class Mail:
    """What one worker has of it."""

    def __init__(self, inbox: socket.socket, outboxes: Sequence[socket.socket]) -> None:
        """``outboxes`` are those to each worker, by number."""
        self.inbox = inbox
        self._outboxes = outboxes

    def pass_on(
        self, to: int, seen: int, local: bytes, remote: bytes, port: int, packet: bytes, error: int, mtu: int
    ) -> None:
        """Send a packet to another worker; see ``core.worker.PassOn``."""
        with suppress(OSError):  # There is no room, or the worker is gone.
            header = _HEADER.pack(seen, len(local), len(remote), port, error, mtu)
            self._outboxes[to].send(header + local + remote + packet)

    def receive(self) -> Iterator[Passed]:
        """What others have sent, as much as is handled at a time."""
        for _ in range(_AT_ONCE):
            try:
                data = self.inbox.recv(_LARGEST)
            except OSError:
                return
            if len(data) > _HEADER.size:
                seen, local, remote, port, error, mtu = _HEADER.unpack_from(data)
                middle = _HEADER.size + local
                end = middle + remote
                yield seen, data[_HEADER.size : middle], data[middle:end], port, data[end:], error, mtu
