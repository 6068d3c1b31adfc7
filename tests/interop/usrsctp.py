"""A usrsctp peer for tests and benchmarks: builds the driver in ``driver/`` and talks to it.

The driver is a process of its own that takes one command a line and answers with one JSON object a line; the
head of ``driver/peer.c`` lists the commands. ``Usrsctp.call`` is one such exchange. A command that waits for the
other side is split into ``post`` and ``reply``, so that a test can act in between. Every wait has a limit, and
the process ends when its standard input closes, so none is left behind.

The content of messages is known to both sides: ``content(seed, size)`` is what the driver's ``send`` sends.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DRIVER = Path(__file__).with_name("driver")
BUILD = Path(__file__).parents[2] / "build" / "interop"
PATIENCE = 45.0
"""Seconds until what does not come is given up. No test waits for them to pass; a busy machine needs some of them."""


class BuildError(Exception):
    """The driver cannot be built here; the text says what is missing."""


class PeerError(Exception):
    """The driver refused a command. ``error`` is the name of the errno."""

    def __init__(self, command: str, error: str, detail: str) -> None:
        super().__init__(f"{command}: {error} ({detail})")
        self.error = error


def content(seed: int, size: int) -> bytes:
    """The content of the driver's message with this seed and size."""
    blocks = (hashlib.sha256(b"%d:%d" % (seed, i)).digest() for i in range((size + 31) // 32))
    return b"".join(blocks)[:size]


def digest(data: bytes) -> str:
    """The hash under which the driver reports a message."""
    return hashlib.sha256(data).hexdigest()


def build() -> Path:
    """The driver's program, compiled against the system's usrsctp (Debian: libusrsctp-dev) if that is necessary.

    Raises ``BuildError`` without a compiler or the library. ``CC`` names another compiler.
    """
    sources = sorted(DRIVER.glob("*.[ch]"))
    key = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    program = BUILD / f"usrsctp_peer-{key}"
    if program.exists():
        return program
    BUILD.mkdir(parents=True, exist_ok=True)
    fresh = program.with_suffix(f".{os.getpid()}")
    units = [str(source) for source in sources if source.suffix == ".c"]
    command = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-O2", "-Wall", "-Wextra", *units]
    try:
        subprocess.run(
            [*command, "-o", str(fresh), "-lusrsctp", "-lpthread"],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        fresh.replace(program)
    except FileNotFoundError as error:
        raise BuildError(f"no C compiler: {error.filename}") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{command[0]} failed (is libusrsctp-dev installed?)\n{error.stderr[-2000:]}") from error
    return program


class Usrsctp:
    """One usrsctp host: a process with its own loopback addresses and UDP port.

    ``addresses`` are the host's; ``peers`` are the other side's, each reached from the address at the same place,
    as if every pair had a cable of its own. ``udp_port`` 0 takes a free one. ``lifetime`` bounds the process, seconds;
    ``run_by`` is a command that runs it, such as ``["taskset", "-c", "0"]``. The options are those of ``init``.
    """

    def __init__(
        self,
        program: Path,
        addresses: Sequence[str],
        peers: Sequence[str] = (),
        *,
        udp_port: int = 0,
        lifetime: int = 120,
        run_by: Sequence[str] = (),
        **options: Any,
    ) -> None:
        self.addresses = list(addresses)
        self._process = subprocess.Popen(
            [*run_by, str(program), str(lifetime)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._pending: list[tuple[str, float]] = []
        self._input = b""
        try:
            self.udp_port: int = self.call("init", port=udp_port, addresses=addresses, peers=peers, **options)["port"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process. Associations still open are forgotten, not closed."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(0.0 if self._pending else 1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def post(self, verb: str, *, timeout: float = PATIENCE, **arguments: Any) -> None:
        """Send one command; its answer is due by ``reply``. Lists become comma lists, None and () are left out."""
        words = [verb, f"timeout={timeout}"]
        for key, value in arguments.items():
            if isinstance(value, list | tuple):
                value = ",".join(map(str, value))
            if value is not None and value != "":
                words.append(f"{key}={int(value) if isinstance(value, bool) else value}")
        line = " ".join(words)
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        # Two seconds more than the driver's own limit: it should be the one to say what it waited for.
        self._pending.append((line, timeout + 2.0))

    def reply(self) -> dict[str, Any]:
        """The answer to the earliest command that has none yet. Raises ``PeerError`` when the command failed."""
        line, limit = self._pending.pop(0)
        answer: dict[str, Any] = json.loads(self._read_line(line, time.monotonic() + limit))
        if not answer.pop("ok"):
            raise PeerError(line, answer["error"], answer["detail"])
        return answer

    def call(self, verb: str, *, timeout: float = PATIENCE, **arguments: Any) -> dict[str, Any]:
        """One command and its answer."""
        self.post(verb, timeout=timeout, **arguments)
        return self.reply()

    async def ask(self, verb: str, *, timeout: float = PATIENCE, **arguments: Any) -> dict[str, Any]:
        """``call`` for coroutines: the event loop runs on while the driver works."""
        self.post(verb, timeout=timeout, **arguments)
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """``reply`` for coroutines."""
        return await asyncio.to_thread(self.reply)

    def open(
        self,
        style: str = "one-to-one",
        *,
        port: int = 0,
        listen: bool = False,
        auth: Sequence[dict[str, Any]] = (),
        **options: Any,
    ) -> int:
        """A socket bound to all the host's addresses, with the options of ``set``. Returns its number.

        ``auth`` are what to say by ``auth``, one after the other.
        """
        family = 6 if any(":" in address for address in self.addresses) else 4
        socket: int = self.call("socket", style=style, family=family)["socket"]
        self.call("set", socket=socket, **options)
        for words in auth:
            self.call("auth", socket=socket, **words)
        self.call("bind", socket=socket, addresses=self.addresses, port=port)
        if listen:
            self.call("listen", socket=socket)
        return socket

    def _read_line(self, command: str, deadline: float) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self._input:
                if not selector.select(deadline - time.monotonic()):
                    raise PeerError(command, "ETIMEDOUT", "the driver does not answer")
                received = os.read(stdout.fileno(), 1 << 16)
                if not received:
                    raise PeerError(command, "EPIPE", f"the driver is gone, status {self._process.wait(1.0)}")
                self._input += received
        line, _, self._input = self._input.partition(b"\n")
        return line
