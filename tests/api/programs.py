"""Programs as users write them, each a process of its own, watched by a test from the other end of an association.

The test serves with a socket (``tests.api.sockets.support.listening``), whose UDP port the program gets. A program
prints a line when it has come to where the test waits for it. Every wait has a limit, and no process is left behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, Protocol

import sctpx

SOURCES: Final = Path(sctpx.__file__).parents[1]
LIMIT: Final = 20
"""Seconds after which a program is given up."""

BEGINNING: Final = """
import asyncio, atexit, os, signal, sys, threading, time
import sctpx

PEER = ("127.0.0.1", 5000)


def connected():
    sock = sctpx.socket(peer_udp_port=int(sys.argv[1]))
    sock.connect(PEER)
    return sock


def association():
    return sctpx.connect(*PEER, peer_udp_port=int(sys.argv[1]))


"""
"""What every program begins with."""


class Ended(NamedTuple):
    """How a program ended."""

    status: int
    output: str
    errors: str


class Program:
    """A program that runs while the test does something else."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def line(self) -> str:
        """Wait for the next line that it prints."""
        return self._output.readline().strip()

    def go_on(self) -> None:
        """Give it the line that it waits for with ``input()``."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ended(self) -> Ended:
        """Wait for its end."""
        output, errors = self._process.communicate(timeout=LIMIT)
        return Ended(self._process.returncode, output, errors)


class Run(Protocol):
    """The fixture ``run``."""

    def __call__(self, text: str, server: sctpx.Socket, *options: str, **environment: str) -> Program:
        """Begin to run a program that talks to ``server``."""


@contextmanager
def running(file: Path, text: str, udp_port: int, *options: str, **environment: str) -> Iterator[Program]:
    """A program, written to ``file``. ``options`` are those of Python."""
    file.write_text(BEGINNING + text)
    with subprocess.Popen(
        [sys.executable, *options, str(file), str(udp_port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES), **environment},
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()
