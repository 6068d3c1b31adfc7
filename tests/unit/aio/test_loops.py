"""Event loops that are not asyncio's own: errors of descriptors, timers of whole milliseconds."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from collections.abc import Iterator

import pytest

from sctpx.aio.driver import Driver
from sctpx.aio.loops import earliness, watchable
from sctpx.core.outputs import Transmit
from sctpx.link import UdpLink
from tests.api.running import LOOPS, UVLOOP, run
from tests.ports import closed_udp_port

HERE = bytes((127, 0, 0, 1))

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a queue of errors")


@pytest.fixture
def link() -> Iterator[UdpLink]:
    """A link on the loopback interface."""
    opened = UdpLink.open([HERE])
    yield opened
    opened.close()


def draw_an_error(link: UdpLink) -> None:
    """Send to a port that nobody has. The ICMP error is in the queue when this returns."""
    assert link.send(Transmit(b"", HERE, closed_udp_port(), b"a packet of ours", 20)) == 0


async def laps(count: int) -> None:
    """Let the event loop make so many rounds."""
    for _ in range(count):
        await asyncio.sleep(0)


@linux_only
async def test_a_reader_is_called_for_every_error_and_for_what_arrives_after_it(link: UdpLink) -> None:
    loop = asyncio.get_running_loop()
    (sock,) = link.sockets
    watched = watchable(loop, sock.fileno())
    heard: asyncio.Queue[str] = asyncio.Queue()

    def on_readable() -> None:
        heard.put_nowait("data" if link.receive(sock) else "error" if link.receive_errors(sock) else "nothing")

    loop.add_reader(watched.fileno(), on_readable)
    for expected in ("error", "error", "data", "error", "data"):
        if expected == "error":
            draw_an_error(link)
        else:
            link.send(Transmit(b"", HERE, link.port, b"a packet to ourselves", 21))
        assert await heard.get() == expected
    await laps(10)
    assert heard.empty()
    loop.remove_reader(watched.fileno())
    watched.close()


@linux_only
async def test_what_is_watched_is_freed_and_the_socket_stays(link: UdpLink) -> None:
    (sock,) = link.sockets
    watched = watchable(asyncio.get_running_loop(), sock.fileno())
    descriptor = watched.fileno()
    watched.close()
    assert os.fstat(sock.fileno())
    if descriptor != sock.fileno():
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.one_loop
async def test_a_loop_of_asyncio_watches_the_socket_itself(link: UdpLink) -> None:
    (sock,) = link.sockets
    assert watchable(asyncio.get_running_loop(), sock.fileno()).fileno() == sock.fileno()
    assert earliness(asyncio.get_running_loop()) == 0


@linux_only
@pytest.mark.parametrize("event_loop", [UVLOOP])
def test_a_driver_that_cannot_watch_its_link_says_so_and_closes_it(event_loop: str) -> None:
    import resource  # noqa: PLC0415 - Unix only

    async def no_descriptor_is_left() -> None:
        link = UdpLink.open([HERE])
        free = os.dup(0)
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
                Driver(link)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert link.sockets[0].fileno() == -1

    run(event_loop, no_descriptor_is_left())


@pytest.mark.parametrize("milliseconds", [0.1, 0.3, 0.7, 1.2, 2.9])
async def test_a_timer_that_allows_for_the_loop_goes_off_no_earlier_than_wanted(milliseconds: float) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(5):
        time.sleep(0.0003)  # noqa: ASYNC251 - the loop's clock stands still meanwhile, as it does in long callbacks
        wanted = time.monotonic() + milliseconds / 1000
        gone_off = loop.create_future()
        loop.call_at(loop.time() + milliseconds / 1000 + earliness(loop), gone_off.set_result, None)
        await gone_off
        assert time.monotonic() >= wanted - 1e-6


def test_every_loop_of_the_tests_is_told_apart() -> None:
    for name, make in LOOPS.items():
        loop = make()
        assert (earliness(loop) > 0) is (name == "uvloop")
        loop.close()
