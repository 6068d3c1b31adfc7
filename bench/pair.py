"""Runs a server and a client of one stack against each other, pinned, and collects what they report.

The server gets CPU 0 and the client CPU 1 (of those this process may use), so that neither waits for the other; what
is between them (the relay) goes where there is room. A driver that has reported is ended here, by its process id.
"""

from __future__ import annotations

import itertools
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from .network import CLIENT, SERVER, Network
from .stacks import ROOT, Stack

FIRST_PORT, PORTS = 20000, 12000
"""The UDP ports used in turn: below those that the system hands out."""
PORTS_A_PAIR = 4

# Processes that measure, or test this, at the same time have process ids near each other, and begin far apart.
_turns = itertools.count(os.getpid() * 89)
_CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

Report = dict[str, Any]


class Failed(Exception):
    """A driver did not report; the text says what it said instead."""


def pinned() -> bool:
    """Whether there are CPUs enough for a server and a client."""
    return len(_CPUS) > 1


def ports() -> tuple[int, int, int, int]:
    """Four UDP ports not used lately: server, client, and two for a relay between them."""
    first = FIRST_PORT + next(_turns) * PORTS_A_PAIR % PORTS
    return first, first + 1, first + 2, first + 3


@contextmanager
def _on_cpu(role: int | None) -> Iterator[None]:
    """Processes started within run on one CPU only; children inherit that of this process."""
    if role is None or not pinned():
        yield
        return
    os.sched_setaffinity(0, {_CPUS[role]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, _CPUS)


class Process:
    """A driver, or what goes between two."""

    def __init__(self, command: Iterable[str], role: int | None = None) -> None:
        """Start it. ``role`` says which CPU it is pinned to, ``None`` does not."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in ``end``)
        self._input = b""
        with _on_cpu(role):
            self._process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
            )

    def line(self, seconds: float) -> str:
        """The next line it prints, within so many seconds. ``Failed`` if none comes."""
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self._input:
                if not selector.select(deadline - time.monotonic()):
                    raise Failed(f"no answer in {seconds:.0f} s")
                received = os.read(stdout.fileno(), 1 << 16)
                if not received:
                    raise Failed(self._last_words())
                self._input += received
        line, _, self._input = self._input.partition(b"\n")
        return line.decode()

    def await_ready(self) -> None:
        """Until it says READY."""
        line = self.line(30.0)
        if line != "READY":
            raise Failed(line)

    def report(self, seconds: float) -> Report:
        """What it measured."""
        report: Report = json.loads(self.line(seconds))
        if "error" in report:
            raise Failed(report["error"])
        return report

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"ended with status {self._process.returncode}"


class Pair:
    """A server and a client at work. A context manager: both end with it."""

    def __init__(
        self, stack: Stack, mode: str, options: Mapping[str, Any], network: Network, relayed: bool = False
    ) -> None:
        """Prepare; nothing runs yet. ``relayed``: both send to the ports between instead of to each other."""
        self._stack = stack
        self._mode = mode
        self._options = {**dict(stack.options), **options}
        self._network = network
        server, client, to_server, to_client = ports()
        self.ports = to_server, to_client, client, server
        """For a relay: where the client sends to, where the server does, and their own."""
        self._udp = (server, to_client if relayed else client), (client, to_server if relayed else server)
        self._processes = ExitStack()

    def __enter__(self) -> Pair:
        """Start the server."""
        try:
            self._server = self.start(self.command(SERVER), SERVER)
            self._server.await_ready()
        except BaseException:
            self._processes.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._processes.close()

    def start(self, command: Iterable[str], role: int | None = None) -> Process:
        """Start a process in the network of this pair that ends with it."""
        process = Process([*self._network.prefix(SERVER if role is None else role), *command], role)
        self._processes.callback(process.end)
        return process

    def start_client(self) -> None:
        """Now the client."""
        self._client = self.start(self.command(CLIENT), CLIENT)

    def command(self, role: int) -> list[str]:
        """The command line of a side."""
        local, remote = self._network.addresses(role), self._network.addresses(1 - role)
        ludp, rudp = self._udp[role]
        words = {"laddr": ",".join(local), "raddr": ",".join(remote), "ludp": ludp, "rudp": rudp, **self._options}
        arguments = [f"{key}={value}" for key, value in words.items()]
        return [*self._stack.command, self._mode, ("server", "client")[role], *arguments]

    def server_report(self, seconds: float) -> Report:
        """What the server measured."""
        return self._server.report(seconds)

    def client_report(self, seconds: float) -> Report:
        """What the client measured."""
        return self._client.report(seconds)
