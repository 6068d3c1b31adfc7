"""A program of its own that uses raw IP, for tests with several processes: ``python -m tests.api.raw.child``.

It takes a command a line and answers with a JSON object a line; ``Child`` is the side of the test. Its standard input
is its life: it ends when that closes.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sctpx
from sctpx.link import LinkKind

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0
"""Seconds to wait for an answer that is certain to come."""


class ChildError(Exception):
    """The child could not do it; the text is its error, ``code`` the name of the errno."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Child:
    """Runs the program, and talks to it."""

    def __init__(self, run_by: Sequence[str] = (), **environment: str) -> None:
        """``run_by`` is a command that runs it, as ``Host.command`` gives."""
        self._process = subprocess.Popen(
            [*run_by, sys.executable, "-m", "tests.api.raw.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/src{os.pathsep}{ROOT}", **environment},
        )
        self._input = b""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it without any farewell."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def ask(self, verb: str, **arguments: Any) -> Any:
        """A command and its answer. ``ChildError`` if it failed."""
        self.tell(verb, **arguments)
        return self.answer()

    async def ask_meanwhile(self, verb: str, **arguments: Any) -> Any:
        """``ask`` for coroutines: the event loop runs on."""
        return await asyncio.to_thread(self.ask, verb, **arguments)

    def tell(self, verb: str, **arguments: Any) -> None:
        """A command whose answer is taken later, by ``answer``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([verb, arguments]).encode() + b"\n")

    def answer(self) -> Any:
        """The answer to the earliest command that has none yet."""
        found = json.loads(self._read_line())
        if "error" in found:
            raise ChildError(found["error"], found["text"])
        return found["value"]

    def _read_line(self) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self._input:
                assert selector.select(deadline - time.monotonic()), "the child does not answer"
                received = os.read(stdout.fileno(), 1 << 16)
                assert received, f"the child is gone, status {self._process.wait()}"
                self._input += received
        line, _, self._input = self._input.partition(b"\n")
        return line


class Children:
    """Starts programs, and lends those that a test has left in good order to the next one: starting takes a while."""

    def __init__(self, run_by: Sequence[str] = ()) -> None:
        """``run_by`` is a command that runs them."""
        self._run_by = run_by
        self._idle: list[Child] = []

    @contextmanager
    def lent(self) -> Iterator[Callable[[], Child]]:
        """A function that gives one more program, with nothing open. All of them come back in the end."""
        lent: list[Child] = []

        def give() -> Child:
            lent.append(self._idle.pop() if self._idle else Child(self._run_by))
            return lent[-1]

        try:
            yield give
            for child in lent:
                if child.alive:
                    child.ask("forget")
                    self._idle.append(child)
        finally:
            for child in lent:
                if child not in self._idle:
                    child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._idle:
            child.kill()


class Program:
    """What the child does."""

    def __init__(self) -> None:
        self._server: sctpx.Server | None = None
        self._up: list[sctpx.Association] = []
        """All there were, the latest last."""
        self._begun = asyncio.Event()

    async def listen(self, hosts: list[str], port: int, link: LinkKind | None = "raw") -> int:
        """Listen and echo; the SCTP port."""
        self._server = await sctpx.start_server(self._echo, hosts, port, link=link)
        return self._server.port

    async def _echo(self, association: sctpx.Association) -> None:
        self._note(association)
        while batch := await association.recv_many():
            await association.send_many(batch)

    async def connect(
        self,
        hosts: list[str],
        port: int,
        local_port: int = 0,
        local: list[str] | None = None,
        link: LinkKind | None = "raw",
        attempt_delay: float = 0.1,
    ) -> int:
        """Associate; our SCTP port."""
        association = await sctpx.connect(
            hosts, port, local_port=local_port, local=local, link=link, attempt_delay=attempt_delay, timeout=10
        )
        self._note(association)
        return association.port

    async def report(self) -> list[tuple[str, str]]:
        """How each address was asked by the latest association, and what it answered."""
        return [(entry.encapsulation, entry.answer) for entry in (await self._latest()).report]

    def _note(self, association: sctpx.Association) -> None:
        self._up.append(association)
        self._begun.set()

    async def _latest(self) -> sctpx.Association:
        await self._begun.wait()
        return self._up[-1]

    async def exchange(self, size: int, count: int = 1) -> bool:
        """Send messages to something that sends them back: whether all came back as they were."""
        association = await self._latest()
        data = os.urandom(size)
        sending = asyncio.create_task(association.send_many([data] * count))
        received, wanted = hashlib.sha256(), hashlib.sha256(data * count)
        left = size * count
        while left:
            for message in await association.recv_many():
                received.update(message.data)
                left -= len(message.data)
        await sending
        return received.digest() == wanted.digest()

    async def settle(self) -> None:
        """Wait until everything is acknowledged."""
        while any(association.undelivered() for association in self._up):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)

    async def heartbeat(self, address: str) -> None:
        """Ask a path."""
        (await self._latest()).heartbeat(address)

    async def states(self) -> list[str]:
        """The states of all associations there were."""
        return [association.state for association in self._up]

    async def forget(self) -> None:
        """Close everything."""
        for association in self._up:
            association.abort()
        if self._server is not None:
            self._server.close()
        self._server = None
        self._up = []
        self._begun.clear()

    async def end(self) -> str:
        """Wait for the end of the association: how it ended."""
        association = await self._latest()
        try:
            while await association.recv_many():
                pass
        except OSError as error:
            return type(error).__name__
        return "shutdown"

    async def shutdown(self) -> None:
        """End it gracefully."""
        await (await self._latest()).shutdown()

    async def abort(self) -> None:
        """End it at once."""
        (await self._latest()).abort("enough")


async def _main() -> None:
    program = Program()
    while line := await asyncio.to_thread(sys.stdin.readline):
        verb, arguments = json.loads(line)
        try:
            answer = {"value": await getattr(program, verb)(**arguments)}
        except OSError as error:
            answer = {"error": errno.errorcode.get(error.errno or 0, type(error).__name__), "text": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
