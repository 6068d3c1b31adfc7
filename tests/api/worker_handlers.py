"""What workers run in their own processes: importable, as handlers for ``workers=`` have to be."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import sctpx


async def tell(association: sctpx.Association) -> None:
    """Answer with the process id; "crash" ends the process."""
    async for message in association:
        if message.data == b"crash":
            os._exit(3)
        await association.send(b"%d" % os.getpid(), stream=message.stream)


class Tell(sctpx.SctpProtocol):
    """The same as a protocol."""

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        self.transport = transport

    def message_received(self, message: sctpx.Message) -> None:
        self.transport.send(b"%d" % os.getpid())


def on_event(association: sctpx.Association, event: sctpx.Event) -> None:
    """Greet the peer."""
    if isinstance(event, sctpx.events.CommunicationUp):
        association.post(b"hello")


class Unreadable:
    """A handler that cannot be made in another process."""

    def __call__(self, association: sctpx.Association) -> None:
        """Never."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return fail, ()


def fail() -> NoReturn:
    """What is made of it there."""
    sys.exit("not to be had here")
