"""The demonstration's server: a process of its own, which takes one association and counts what comes.

It talks to the demonstration by a pipe: first the ``Ports`` it can be reached at, in the end a ``Receipt``; instead of
either the ``OSError`` that prevented it. When the other end of the pipe goes away it ends at once.

The address that refuses is here as well, with an SCTP stack of its own on which nobody listens: it answers with ABORT.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, final

from ...aio import open_endpoint, start_server
from ...link import open_link
from .content import Received
from .story import SCTP_PORT, Total


@final
@dataclass(frozen=True, slots=True)
class Ports:
    """UDP ports."""

    serving: int
    refusing: int


@final
@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server saw."""

    total: Total
    longest_gap: float


def main(connection: Connection[Any, Any], serving: Sequence[str], refusing: str) -> None:
    """The process: it serves on some addresses and refuses on another."""
    for name in ("SIGINT", "SIGHUP"):  # Ctrl-C and a closed terminal are for the one who started this.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(connection,), daemon=True).start()
    try:
        connection.send(asyncio.run(_serve(connection, serving, refusing)))
    except OSError as error:
        connection.send(OSError(error.errno, error.strerror))


def _leave_with(connection: Connection[Any, Any]) -> None:
    """Nothing is ever sent this way: what comes is the end."""
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)


async def _serve(connection: Connection[Any, Any], serving: Sequence[str], refusing: str) -> Receipt:
    async with (
        await open_endpoint(link=open_link("udp", [refusing])) as nobody,
        await start_server(None, serving, SCTP_PORT, udp_port=0) as server,
    ):
        connection.send(Ports(server.udp_port, nobody.udp_port))
        association = await server.accept()
        received = Received()
        while batch := await association.recv_many():
            now = time.monotonic()
            for message in batch:
                received.add(now, message.data, message.more)
        await association.shutdown()  # The client has begun it: an end of any other kind raises.
        return Receipt(received.total(), received.longest_gap)
