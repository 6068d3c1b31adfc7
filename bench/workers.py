"""``python -m bench.workers``: how much more a server does with several workers than with one.

Many associations each have one request under way, and send the next one when the answer has come. A handler works for
each request (so many rounds of PBKDF2, half a millisecond or so by default), as the handlers of services do; with
``--work 0`` it only answers. The client, which is one process without coroutines, takes its share of the same cores:
on two cores, a server that only answers cannot gain much, since the client costs as much as a worker.

Rounds with one worker and with several take turns; the ratio is that of their medians.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import json
import signal
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

import sctpx

from .pair import Process, ports
from .stacks import OURS, Stack, find

SERVER: Final = "127.0.0.1"
PORT: Final = 5000
WANTED: Final = 1.7
"""The ratio that is wanted of two workers on two cores."""
SIZE: Final = 64
WARM_UP: Final = 0.5
"""Seconds before the count begins."""


# --- the server ---


class Answering(sctpx.SctpProtocol):
    """Works for each request, and answers."""

    def __init__(self, work: int) -> None:
        self._work = work

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        """The association is up."""
        self._transport = transport

    def message_received(self, message: sctpx.Message) -> None:
        """A request."""
        if self._work:
            hashlib.pbkdf2_hmac("sha256", message.data, b"", self._work)
        self._transport.send(message.data)


async def serve(udp_port: int, workers: int, work: int) -> None:
    """Answer until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    factory = functools.partial(Answering, work)
    async with await sctpx.create_server(factory, SERVER, PORT, udp_port=udp_port, workers=workers, close_timeout=0):
        print("READY", flush=True)
        await over.wait()


# --- the client ---


class Asking(sctpx.SctpProtocol):
    """Sends a request whenever the last one is answered."""

    answers = 0
    """Of all of them."""

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        """The association is up."""
        self._transport = transport
        transport.send(bytes(SIZE))

    def message_received(self, message: sctpx.Message) -> None:
        """An answer."""
        Asking.answers += 1
        self._transport.send(message.data)


async def ask(udp_port: int, associations: int, seconds: float) -> None:
    """Count answers, and report them."""
    print("READY", flush=True)
    made: list[Any] = [
        await sctpx.create_connection(Asking, SERVER, PORT, peer_udp_port=udp_port) for _ in range(associations)
    ]
    await asyncio.sleep(WARM_UP)
    before, began, cpu = Asking.answers, time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    busy = (time.process_time() - cpu) / took
    print(json.dumps({"rate": (Asking.answers - before) / took, "busy": busy}), flush=True)
    for transport, _ in made:
        transport.abort()


# --- putting them together ---


def measure(stack: Stack, workers: int, options: argparse.Namespace) -> dict[str, float]:
    """One round: answers a second, and how busy the client was."""
    udp_port = ports()[0]
    python = [stack.command[0], "-m", "bench.workers", "--udp-port", str(udp_port), "--work", str(options.work)]
    server = Process([*python, "--role", "server", "--workers", str(workers)])
    client: Process | None = None
    try:
        server.await_ready()
        seconds = ["--seconds", str(options.seconds), "--associations", str(options.associations)]
        client = Process([*python, "--role", "client", *seconds])
        client.await_ready()
        report: dict[str, float] = client.report(options.seconds + 60)
        server.ask_to_end()
        return report
    finally:
        for process in (server, client):
            if process is not None:
                process.end()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description="Several workers against one.")
    parser.add_argument("--workers", type=int, default=2, help="so many")
    parser.add_argument("--associations", type=int, default=64, help="with one request each")
    parser.add_argument("--work", type=int, default=1000, help="rounds of PBKDF2 for each request")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a round takes")
    parser.add_argument("--rounds", type=int, default=3, help="of each kind")
    parser.add_argument("--stacks", nargs="+", choices=OURS, default=OURS, help="only these builds")
    parser.add_argument("--role", choices=("server", "client"), help=argparse.SUPPRESS)
    parser.add_argument("--udp-port", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    options = parse(arguments)
    if options.role == "server":
        asyncio.run(serve(options.udp_port, options.workers, options.work))
    elif options.role == "client":
        asyncio.run(ask(options.udp_port, options.associations, options.seconds))
    if options.role:
        return 0
    stacks, missing = find(options.stacks)
    print("".join(f"{text}\n" for text in missing), end="")
    print(f"{options.associations} associations, {options.work} rounds of PBKDF2 a request")
    print(
        f"{'build':20} {'1 worker':>12}  {f'{options.workers} workers':>12}  {'ratio':>6}  {'client busy':>11}",
        flush=True,
    )
    worst = None
    for name, stack in stacks.items():
        rates: dict[int, list[float]] = {1: [], options.workers: []}
        busy = 0.0
        for _ in range(options.rounds):
            for workers, found in rates.items():
                report = measure(stack, workers, options)
                found.append(report["rate"])
                busy = max(busy, report["busy"])
        one, several = median(rates[1]), median(rates[options.workers])
        ratio = several / one
        worst = ratio if worst is None else min(worst, ratio)
        print(f"{name:20} {one:10,.0f}/s  {several:10,.0f}/s  {ratio:6.2f}  {busy:11.0%}", flush=True)
    return 0 if worst is None or options.workers != 2 or not options.work or worst >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
