"""A program that runs in the guest or beside it, as the tests see it: lines in, lines out, and an exit status."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from collections import deque
from types import TracebackType
from typing import IO, Any, Final, Self

PATIENCE: Final = 60.0
"""Seconds that a test waits for one line of a program at the most."""


class Program:
    """A program on one of both sides, line by line. Leaving its context ends it."""

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[str] | None,
        wire: socket.socket | None,
        lifetime: float = 2 * PATIENCE,
    ) -> None:
        """Either a process beside the guest, or a connection to the one in the guest. It ends after ``lifetime``."""
        self._name = name
        self._process = process
        self._wire = wire
        if wire is not None:
            self._from: IO[str] = wire.makefile("r")
            self._to: IO[str] = wire.makefile("w")
        else:
            assert process is not None
            assert process.stdout is not None
            assert process.stdin is not None
            self._from, self._to = process.stdout, process.stdin
        self._told: deque[str] = deque(maxlen=200)
        self._timer = threading.Timer(lifetime, self.end)
        self._timer.daemon = True
        self._timer.start()

    def write(self, line: str) -> None:
        """A line of input."""
        self._to.write((json.dumps(line) if self._process is None else line) + "\n")
        self._to.flush()

    def line(self) -> str:
        """The next line of output. ``AssertionError`` with all of it when the program has ended."""
        read = self._next()
        if isinstance(read, int):
            raise AssertionError(f"{self._name} ended with {read}:\n" + "\n".join(self._told))
        return read

    def line_with(self, text: str) -> str:
        """The next line with this text in it."""
        while text not in (line := self.line()):
            pass
        return line

    def _next(self) -> str | int:
        """The next line, or the exit status behind the last one."""
        read: Any = self._from.readline()
        if self._process is None:
            read = json.loads(read) if read else -1
        elif not read:
            read = self._process.wait(10)
        if isinstance(read, int):
            return read
        self._told.append(read.rstrip("\n"))
        return self._told[-1]

    def finish(self) -> tuple[int, str]:
        """Its exit status, and all that it has said, once it has ended."""
        while not isinstance(read := self._next(), int):
            pass
        return read, "\n".join(self._told)

    def result(self) -> Any:
        """The JSON value that stands alone in the next line which has one. Other lines are kept for failures."""
        while True:
            try:
                return json.loads(self.line())
            except json.JSONDecodeError:
                continue

    def end(self) -> None:
        """End it, whatever it does."""
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self.end()
        for stream in (self._from, self._to):
            with contextlib.suppress(OSError):
                stream.close()
        if self._wire is not None:
            self._wire.close()
        if self._process is not None:
            self._process.wait(10)
