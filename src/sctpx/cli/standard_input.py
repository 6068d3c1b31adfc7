"""Standard input as messages, read without holding up the event loop.

A thread reads, because files, pipes and terminals can be waited for together in no other way on all systems. It reads
ahead a little, no further, and by the file descriptor alone: whoever ends the program does not have to wait for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, final

_PIECE: Final = 64 * 1024
_PIECES_AHEAD: Final = 4


@final
class StandardInput:
    """What is read from a file descriptor, by default standard input. One event loop, one reader."""

    def __init__(self, descriptor: int = 0) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(_PIECES_AHEAD)
        threading.Thread(target=self._read, args=(descriptor, asyncio.get_running_loop()), daemon=True).start()

    def _read(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        piece = b"."
        while piece:
            self._room.acquire()
            piece = b""
            with suppress(OSError):  # What cannot be read has ended.
                piece = os.read(descriptor, _PIECE)
            with suppress(RuntimeError):  # The event loop is closed: nobody listens any more.
                loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def _next(self) -> bytes:
        """The next piece; ``b""`` at the end."""
        piece = await self._pieces.get()
        self._room.release()
        return piece

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines, each with its newline."""
        parts: list[bytes] = []
        while piece := await self._next():
            first, *others = piece.split(b"\n")
            parts.append(first)
            for other in others:
                yield b"".join(parts) + b"\n"
                parts = [other]
        if any(parts):
            yield b"".join(parts)

    async def blocks(self, size: int) -> AsyncIterator[bytes]:
        """All of it in blocks of ``size`` bytes, the last of which may be shorter."""
        held = bytearray()
        while piece := await self._next():
            held += piece
            offset = 0
            while len(held) - offset >= size:
                yield bytes(held[offset : offset + size])
                offset += size
            del held[:offset]
        if held:
            yield bytes(held)
