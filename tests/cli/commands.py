"""Running the command as users do: as a process of its own.

A command that serves says so in a line with the word ``udp-port``, which ``Running`` waits for. Every wait has a limit,
and no process is left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from click.testing import CliRunner

import sctpx
from sctpx.cli.main import main
from tests.guards.house import ROOT

SOURCES = Path(sctpx.__file__).parents[1]
"""Where these tests have it from."""
LIMIT = 60
"""Seconds after which a command is given up."""


def environment() -> dict[str, str]:
    """That of the commands: what this process has, and what makes them speak plainly."""
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCES),
        "PYTHONUTF8": "1",
        # A command is compiled once, not at each start, and the sources stay clean.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode"),
    }


SCTPX = (sys.executable, "-W", "error", "-m", "sctpx")


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run ``sctpx`` with these arguments to its end, with ``given`` on its standard input."""
    return subprocess.run(
        (*SCTPX, *arguments), input=given, capture_output=True, env=environment(), timeout=LIMIT, check=False
    )


def invoke(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The same within this process, where nothing has to be imported: for commands that end before they begin."""
    result = CliRunner().invoke(main, arguments)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout_bytes, result.stderr_bytes)


def parsed(output: bytes) -> dict[str, Any]:
    """The one JSON object that a command printed."""
    (line,) = output.splitlines()
    values = json.loads(line)
    assert isinstance(values, dict)
    return values


class Running:
    """A command that runs while the test does something else."""

    def __init__(self, *arguments: str, prepare: Callable[[], object] | None = None) -> None:
        """Begin; ``prepare`` is done in the new process before."""
        self.process = subprocess.Popen(
            (*SCTPX, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            preexec_fn=prepare,  # noqa: PLW1509 - the tests have no threads that hold a lock it needs
        )

    @property
    def stdin(self) -> IO[bytes]:
        """Its standard input."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        """Its standard error."""
        assert self.process.stderr is not None
        return self.process.stderr

    def udp_port(self, stream: IO[bytes]) -> str:
        """Wait until it listens, and says so on ``stream``: its UDP port."""
        words = stream.readline().split()
        assert b"udp-port" in words, (words, self.finish())
        return words[words.index(b"udp-port") + 1].decode()

    def write(self, line: bytes) -> None:
        """Give it a line, and leave its standard input open."""
        self.stdin.write(line)
        self.stdin.flush()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.signal(signal.SIGINT)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def finish(self) -> tuple[int, bytes, bytes]:
        """End its standard input, and wait for its end: exit status, standard output, standard error."""
        output, errors = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, output, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def perf(client: Sequence[str], server: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """One run of ``sctpx perf``: what the client and the server came to."""
    with Running("perf", "server", "--udp-port", "0", "--once", "--json", *server) as listener:
        udp_port = listener.udp_port(listener.stderr)
        done = run("perf", "client", "127.0.0.1", "--udp-port", udp_port, "--json", *client)
        assert done.returncode == 0, done.stderr
        status, output, errors = listener.finish()
        assert status == 0, errors
    return parsed(done.stdout), parsed(output)
