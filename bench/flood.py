"""``python -m bench.flood``: round trips and connects at a server under a flood of packets from strangers.

The server echoes, on a core of its own; the client and the flood share another one. The client asks over an association
that is up, one message after the other with a short pause, and sets associations up meanwhile, one after the other. The
flood comes from many addresses of the loopback network, so many packets a second, of one kind:

    ootb   DATA for an association that is not there ("out of the blue")
    init   INITs that nobody will ever follow up

A round is judged against one without a flood: the median round trip is to stay below 10 ms, and at least half as many
connects are to succeed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from statistics import median, quantiles
from typing import Final

import sctpx
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.setup import Setup
from sctpx.wire.tlv import chunk

from .pair import Process, Report, ports
from .stacks import OURS, Stack, find

SERVER: Final = "127.0.0.1"
PORT: Final = 5000
KINDS: Final = ("ootb", "init")
SOURCES: Final = 64
"""Addresses the flood comes from."""
PAUSE: Final = 0.005
"""Seconds between two questions, and a tenth of those between two connects."""
ROUND_TRIP: Final = 0.010
"""Seconds the median round trip may take."""


# --- the three processes ---


async def serve(udp_port: int, api: str) -> None:
    """Echo until SIGTERM, then report."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    if api == "sockets":
        sock = sctpx.socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET, udp_port=udp_port)
        sock.bind((SERVER, PORT))
        sock.listen(128)
        echo = asyncio.get_running_loop().run_in_executor(None, _echo_on, sock)
        print("READY", flush=True)
        await over.wait()
        sock.close()
        await asyncio.wait([echo], timeout=1)
    else:
        server = await sctpx.start_server(_echo, SERVER, PORT, udp_port=udp_port)
        print("READY", flush=True)
        await over.wait()
        server.close()
    print(json.dumps({"cpu": time.process_time()}), flush=True)


async def _echo(association: sctpx.Association) -> None:
    async for message in association:
        await association.send(message.data)


def _echo_on(sock: sctpx.Socket) -> None:
    while True:
        try:
            data, address = sock.recvfrom(1 << 16)
        except OSError:
            return
        if data:
            sock.sendto(data, address)


def flood(udp_port: int, kind: str, rate: int, seconds: float) -> None:
    """Send packets at that rate."""
    sockets = []
    for number in range(SOURCES):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.{1 + number // 8}.{number % 8 + 1}.1", 0))
        sock.setblocking(False)
        sockets.append(sock)
    packets = [_packet(kind) for _ in range(4096)]
    print("READY", flush=True)
    start = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - start) < seconds:
        while sent < elapsed * rate:
            with suppress(OSError):  # A queue is full: so much the better.
                sockets[sent % SOURCES].sendto(packets[sent % len(packets)], (SERVER, udp_port))
            sent += 1
        time.sleep(0.0005)
    print(json.dumps({"sent": sent, "seconds": elapsed}), flush=True)


def _packet(kind: str) -> bytes:
    port = random.randrange(1024, 65536)
    if kind == "init":
        setup = Setup(random.randrange(1, 1 << 32), 1 << 17, 10, 10, random.randrange(1 << 32))
        return finish_packet(prefix(port, PORT, 0), setup.encode())
    return finish_packet(prefix(port, PORT, random.randrange(1, 1 << 32)), chunk(0, 3, bytes(16)))


async def ask(udp_port: int, seconds: float) -> None:
    """Measure round trips and connects, and report."""
    async with sctpx.connect(SERVER, PORT, peer_udp_port=udp_port) as association:
        print("READY", flush=True)
        connects = asyncio.create_task(_connect_on_and_on(udp_port, seconds))
        times: list[float] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            await association.send(bytes(64))
            try:
                async with asyncio.timeout(max(end - time.monotonic(), 0.1)):
                    await association.recv()
            except TimeoutError:
                times.append(time.monotonic() - start)
                break
            times.append(time.monotonic() - start)
            await asyncio.sleep(PAUSE)
        report = {"median": median(times), "p99": quantiles([*times, *times], n=100)[98], "worst": max(times)}
        print(json.dumps({**report, "connects": await connects}), flush=True)


async def _connect_on_and_on(udp_port: int, seconds: float) -> int:
    count = 0
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            association = await sctpx.connect(SERVER, PORT, peer_udp_port=udp_port, timeout=left)
        except OSError:
            continue
        count += 1
        association.abort()
        await asyncio.sleep(10 * PAUSE)
    return count


# --- putting them together ---


def measure(stack: Stack, kind: str, options: argparse.Namespace) -> Report:
    """One round: a server, perhaps a flood, and a client."""
    udp_port = ports()[0]
    python = [stack.command[0], "-m", "bench.flood", "--udp-port", str(udp_port)]
    seconds = ["--seconds", str(options.seconds)]
    server = Process([*python, "--role", "server", "--api", options.api], 0)
    others = []
    try:
        server.await_ready()
        client = Process([*python, "--role", "client", *seconds], 1)
        others.append(client)
        client.await_ready()
        if kind:
            flooding = ["--seconds", str(options.seconds + 1), "--rate", str(options.rate), "--kinds", kind]
            others.append(Process([*python, "--role", "flood", *flooding], 1))
        report = client.report(options.seconds + 30)
        server.ask_to_end()
        report["cpu"] = server.report(30.0)["cpu"] / options.seconds
        return report
    finally:
        for process in (server, *others):
            process.end()


def line(stack: str, kind: str, report: Report) -> str:
    """A row of the table."""
    times = "  ".join(f"{report[name] * 1e3:8.2f}" for name in ("median", "p99", "worst"))
    return f"{stack:20} {kind or 'quiet':6} {times}  {report['connects']:8}  {report['cpu'] * 100:6.0f}"


def judge(stack: str, kind: str, quiet: Report, report: Report) -> list[str]:
    """What a round misses."""
    missed = []
    if report["median"] > ROUND_TRIP:
        missed.append(f"{stack}, {kind}: the median round trip takes more than {ROUND_TRIP * 1e3:.0f} ms")
    if 2 * report["connects"] < quiet["connects"]:
        missed.append(f"{stack}, {kind}: fewer than half the connects of a quiet server")
    return missed


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description="A server under a flood.")
    parser.add_argument("--rate", type=int, default=20_000, help="packets of the flood a second")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long a round takes")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="what the floods consist of")
    parser.add_argument("--stacks", nargs="+", choices=OURS, default=OURS, help="only these builds")
    parser.add_argument("--api", choices=("asyncio", "sockets"), default="asyncio", help="what the server uses")
    parser.add_argument("--role", choices=("server", "client", "flood"), help=argparse.SUPPRESS)
    parser.add_argument("--udp-port", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    options = parse(arguments)
    if options.role == "server":
        asyncio.run(serve(options.udp_port, options.api))
    elif options.role == "client":
        asyncio.run(ask(options.udp_port, options.seconds))
    elif options.role == "flood":
        flood(options.udp_port, options.kinds[0], options.rate, options.seconds)
    if options.role:
        return 0
    stacks, missing = find(options.stacks)
    print("".join(f"{text}\n" for text in missing), end="")
    print(f"{options.rate} packets a second, {options.seconds:.0f} s, server: {options.api}")
    print(
        f"{'build':20} {'flood':6} {'median':>8}  {'p99':>8}  {'worst ms':>8}  {'connects':>8}  {'CPU %':>6}",
        flush=True,
    )
    missed: list[str] = []
    for name, stack in stacks.items():
        quiet = measure(stack, "", options)
        print(line(name, "", quiet), flush=True)
        for kind in options.kinds:
            report = measure(stack, kind, options)
            print(line(name, kind, report), flush=True)
            missed += judge(name, kind, quiet, report)
    print("\n".join(missed) or "All as wanted.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
