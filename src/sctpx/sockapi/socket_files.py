"""What Python's sockets have to do with files: the file that ``makefile`` makes, and how ``sendfile`` sends one.

A file made from a socket is a stream of bytes. Where one message ends and the next one begins cannot be seen in it, and
what is flushed together is one message.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, Final, Protocol, final

from .buffers import Data, Room

FILE_BLOCK: Final = 1 << 16
"""Bytes of a file that ``sendfile`` sends as one message."""


class Stream(Protocol):
    """What files need of a socket."""

    def recv_into(self, buffer: Room) -> int:
        """Receive into a buffer."""

    def send(self, data: Data) -> int:
        """Send one message."""

    def fileno(self) -> int:
        """The descriptor."""


@final
class SocketFile(io.RawIOBase):
    """An unbuffered file over a one-to-one socket."""

    def __init__(self, stream: Stream, mode: str, on_close: Callable[[], None]) -> None:
        """``mode`` is ``rb``, ``wb`` or ``rwb``; ``on_close`` is called once."""
        super().__init__()
        self._stream = stream
        self._on_close = on_close
        self._timed_out = False
        self.mode = mode

    @property
    def name(self) -> int:
        """The descriptor of the socket; -1 once the file is closed."""
        return -1 if self.closed else self._stream.fileno()

    def readable(self) -> bool:
        """Whether the file was made for reading."""
        self._check_open()
        return "r" in self.mode

    def writable(self) -> bool:
        """Whether the file was made for writing."""
        self._check_open()
        return "w" in self.mode

    def fileno(self) -> int:
        """The descriptor of the socket."""
        self._check_open()
        return self._stream.fileno()

    def readinto(self, buffer: Any) -> int | None:
        """Up to so many bytes of the next message: how many, 0 at the end, ``None`` if the socket must not wait.

        After a timeout nothing can be read any more: ``OSError``.
        """
        if not self.readable():
            raise io.UnsupportedOperation("the file was not made for reading")
        if self._timed_out:
            raise OSError("cannot read from a socket that has timed out")
        try:
            return self._stream.recv_into(buffer)
        except TimeoutError:
            self._timed_out = True
            raise
        except BlockingIOError:
            return None

    def write(self, data: Any) -> int | None:
        """Send one message: how many bytes, ``None`` if the socket must not wait."""
        if not self.writable():
            raise io.UnsupportedOperation("the file was not made for writing")
        try:
            return self._stream.send(data)
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        if not self.closed:
            super().close()
            self._on_close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def raw_mode(mode: str, buffering: int) -> str:
    """The mode of the unbuffered file under a file of this mode. ``ValueError`` for what ``makefile`` cannot make."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    if not buffering and "b" not in mode:
        raise ValueError("unbuffered streams must be binary")
    writing = "w" in mode
    return ("r" if "r" in mode or not writing else "") + ("w" if writing else "") + "b"


def wrap(raw: SocketFile, mode: str, buffering: int, **text: Any) -> Any:
    """The file that was asked for: the unbuffered one itself, a buffered one, or one of text."""
    if not buffering:
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else buffering
    buffered: io.BufferedRWPair | io.BufferedReader | io.BufferedWriter
    if raw.readable() and raw.writable():
        buffered = io.BufferedRWPair(raw, raw, size)
    elif raw.readable():
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if "b" in mode:
        return buffered
    wrapped: Any = io.TextIOWrapper(buffered, **text)
    wrapped.mode = mode
    return wrapped


def send_file(send: Callable[[bytes], int], file: BinaryIO, offset: int, count: int | None) -> int:
    """Send what a file has from ``offset`` on, to its end or ``count`` bytes, in messages: how many bytes were sent.

    The position of the file is behind what was sent. ``ValueError`` for a text file or a count below 1.
    """
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError("file should be opened in binary mode")
    if count is not None and count <= 0:
        raise ValueError(f"count must be a positive integer, not {count!r}")
    seekable = getattr(file, "seekable", lambda: hasattr(file, "seek"))()
    if seekable or offset:
        file.seek(offset)  # Wherever the program has read up to.
    sent = 0
    try:
        while count is None or sent < count:
            block = file.read(FILE_BLOCK if count is None else min(count - sent, FILE_BLOCK))
            if not block:
                break
            sent += send(block)
    finally:
        if sent and seekable:
            file.seek(offset + sent)
    return sent
