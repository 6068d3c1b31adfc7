"""The processes of the real part: ``python -m tests.soak.peers server | asyncio | sockets``, on loopback sockets.

The server is asyncio's, on several addresses; its link (``FilteredLink``) cuts these and heals them, one or two at a
time. Both clients have associations that pour messages as fast as they go, to the server (``up``) or from it.
Whoever receives hashes what comes, compares it in the end with what the sender has hashed, and knows the longest time
without a message. Each process looks now and then at how much memory it has. What there is to tell is printed, a JSON
object in a line.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any, Final, final

import sctpx
from sctpx.link import open_link
from sctpx.link.filter import FilteredLink

SERVER: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
CLIENT: Final = ("127.0.0.12", "127.0.0.13", "127.0.0.14")
"""One for each path: a path keeps the address that it leaves from, and a server with one way out would have to wait."""
PORT: Final = 5000
SIZES: Final = (100, 1000, 4000, 16_000, 60_000)
DATA: Final = b"D"
END: Final = b"E"
LOOK: Final = 0.25
"""Seconds between two looks at the memory."""
UP: Final = "up"
DOWN: Final = "down"


@final
class Content:
    """Messages to send, all different, for so many seconds: then one with the hash of all."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        filling = hashlib.shake_128(b"soak").digest(max(SIZES))
        digest = hashlib.sha256()
        number = 0
        while time.monotonic() < self._end:
            number += 1
            message = DATA + number.to_bytes(8, "big") + filling[: SIZES[number % len(SIZES)]]
            digest.update(message)
            yield message
        yield END + digest.digest()


@final
class Received:
    """What comes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._gap = 0.0
        self._last = self._first = time.monotonic()

    def add(self, data: bytes) -> bool:
        """A message; whether it was the last one, which tells the hash of all others. ``ValueError``: another one."""
        if data[:1] == END:
            if data[1:] != self._digest.digest():
                raise ValueError("what came is not what was sent")
            return True
        now = time.monotonic()
        self._gap = max(self._gap, now - self._last)
        self._last = now
        self._digest.update(data)
        self._bytes += len(data)
        return False

    def report(self, name: str) -> dict[str, object]:
        """For the one who started this."""
        seconds = max(self._last - self._first, 0.001)
        return {"name": name, "bytes": self._bytes, "seconds": seconds, "gap": self._gap}


def say(**facts: object) -> None:
    """Print a line."""
    print(json.dumps(facts), flush=True)


def memory() -> int:
    """Bytes of memory that this process has; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@final
class Memory(threading.Thread):
    """Looks at the memory again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[int] = []

    def run(self) -> None:
        while True:
            self.seen.append(memory())
            time.sleep(LOOK)


# --- the server ---


async def serve(seed: int) -> None:
    """Serve until a line comes from the standard input."""
    link = FilteredLink(open_link("udp", SERVER))
    watch = Memory()
    watch.start()
    cuts: list[str] = []
    async with await sctpx.start_server(_answer, port=PORT, link=link):
        say(port=link.port)
        cutting = asyncio.create_task(_cut(link, Random(seed), cuts))
        await asyncio.to_thread(sys.stdin.readline)
        cutting.cancel()
    say(cuts=len(cuts), memory=watch.seen)


async def _cut(link: FilteredLink, random: Random, cuts: list[str]) -> None:
    while True:
        await asyncio.sleep(random.uniform(0.5, 3.0))
        for address in random.sample(SERVER, random.choice((1, 1, 2))):
            cuts.append(address)
            link.cut(address)
        await asyncio.sleep(random.uniform(0.3, 4.0))
        link.heal()


async def _answer(association: sctpx.Association) -> None:
    """Receive, or send, as the first message asks for."""
    what, seconds = (await association.recv()).data.split()
    if what == DOWN.encode():
        for message in Content(float(seconds)):
            await association.send(message)
    else:
        received = Received()
        while not received.add((await association.recv()).data):
            pass
        await association.send(json.dumps(received.report("asyncio server")).encode())


# --- the clients ---


async def run_asyncio(udp_port: int, seconds: float, each: int) -> None:
    """So many associations each way."""
    watch = Memory()
    watch.start()
    kinds = [UP, DOWN] * each
    reports = await asyncio.gather(*[_use(udp_port, seconds, kind) for kind in kinds])
    say(reports=reports, memory=watch.seen)


async def _use(udp_port: int, seconds: float, kind: str) -> dict[str, Any]:
    async with sctpx.connect(SERVER, PORT, peer_udp_port=udp_port, local=CLIENT) as association:
        await association.send(f"{kind} {seconds}".encode())
        if kind == UP:
            for message in Content(seconds):
                await association.send(message)
            report: dict[str, Any] = json.loads((await association.recv()).data)
            return report
        received = Received()
        while not received.add((await association.recv()).data):
            pass
        return received.report("asyncio client")


def run_sockets(udp_port: int, seconds: float, each: int) -> None:
    """The same with sockets and threads."""
    watch = Memory()
    watch.start()
    kinds = [UP, DOWN] * each
    with ThreadPoolExecutor(len(kinds)) as pool:
        reports = list(pool.map(lambda kind: _use_socket(udp_port, seconds, kind), kinds))
    say(reports=reports, memory=watch.seen)


def _use_socket(udp_port: int, seconds: float, kind: str) -> dict[str, Any]:
    with sctpx.socket(sctpx.AF_INET, sctpx.SOCK_STREAM, peer_udp_port=udp_port, link="udp") as sock:
        sock.bindx([(address, 0) for address in CLIENT])
        sock.connectx([(address, PORT) for address in SERVER])
        sock.send(f"{kind} {seconds}".encode())
        if kind == UP:
            for message in Content(seconds):
                sock.send(message)
            report: dict[str, Any] = json.loads(sock.recv(1 << 16))
            return report
        received = Received()
        while not received.add(sock.recv(1 << 16)):
            pass
        return received.report("sockets client")


def main() -> None:
    """One of the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("server", "asyncio", "sockets"))
    parser.add_argument("--udp-port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.role == "server":
        asyncio.run(serve(options.seed))
    elif options.role == "asyncio":
        asyncio.run(run_asyncio(options.udp_port, options.seconds, options.each))
    else:
        client: Callable[[int, float, int], None] = run_sockets
        client(options.udp_port, options.seconds, options.each)


if __name__ == "__main__":
    main()
