"""The test's side of ``driver.py``: commands to a peer on the kernel's SCTP, and their answers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from tests.interop.kernel_peer.guest import ROOT, Guest
from tests.interop.usrsctp import PeerError

LIFETIME = 900.0
"""Seconds that the driver lives at the most."""


@final
class KernelPeer:
    """A driver in the guest. All its sockets end with ``forget``."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._pending: list[str] = []
        driver = str(Path(__file__).with_name("driver.py"))
        self._program = guest.start(sys.executable, driver, env={"PYTHONPATH": str(ROOT / "src")}, lifetime=LIFETIME)
        self.release: str = self.call("hello")["release"]
        """The version of the kernel."""

    @property
    def busy(self) -> bool:
        """A command has no answer yet."""
        return bool(self._pending)

    def post(self, verb: str, **arguments: Any) -> None:
        """A command whose answer is taken later, by ``reply``."""
        self._pending.append(f"{verb} {arguments}")
        self._program.write(json.dumps([verb, arguments]))

    def reply(self) -> dict[str, Any]:
        """The answer to the earliest command that has none yet. ``PeerError`` if it failed."""
        assert self._pending, "there was no command"
        answer: dict[str, Any] = self._program.result()
        command = self._pending.pop(0)
        if not answer.pop("ok"):
            raise PeerError(command, answer["error"], answer["detail"])
        return answer

    def call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """A command and its answer."""
        self.post(verb, **arguments)
        return self.reply()

    async def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """``call`` for coroutines: the event loop runs on."""
        self.post(verb, **arguments)
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """``reply`` for coroutines."""
        return await asyncio.to_thread(self.reply)

    def open(self, addresses: Sequence[str], *, port: int = 0, listen: bool = False, **options: Any) -> int:
        """A socket on these addresses, with the options of the command ``socket``: its number."""
        number: int = self.call("socket", family=6 if ":" in addresses[0] else 4, **options)["socket"]
        self.call("bind", socket=number, addresses=list(addresses), port=port)
        if listen:
            self.call("listen", socket=number)
        return number

    def end(self) -> None:
        """End the driver."""
        self._program.end()
