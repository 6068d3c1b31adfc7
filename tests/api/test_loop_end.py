"""What is left in an event loop that is closed: the peer is told, and the program is warned."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from tests.api.running import LOOPS, each_loop
from tests.api.sockets.conftest import bounded as bounded
from tests.api.sockets.support import HERE, HOST, PORT, Running, Thread, accepted, listening
from tests.api.support import QUICK, associated, lost, raises_errno, until

Main = Coroutine[Any, Any, object]
MESSAGE = bytes(50_000)
SMALL = sctpx.AssociationConfig(receive_buffer=100_000)


New = Callable[[], asyncio.AbstractEventLoop]

pytestmark = pytest.mark.usefixtures("bounded")


def run_by_a_runner(new: New, main: Main) -> None:
    with asyncio.Runner(loop_factory=new) as runner:
        runner.run(main)


def run_by_hand(new: New, main: Main) -> None:
    loop = new()
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


def run_in_a_thread(new: New, main: Main) -> None:
    Thread(lambda: run_by_a_runner(new, main)).result()


def connecting(server: sctpx.Socket, **options: Any) -> sctpx.Connecting:
    return sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, **options)


def is_told_of_an_abort(server: sctpx.Socket) -> bool:
    with accepted(server) as sock, suppress(sctpx.AssociationAborted):
        while sock.recv(1 << 20):
            pass
        return False
    return True


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log of sctpx was told."""
    return [text for name, _, text in caplog.record_tuples if name == "sctpx"]


# --- associations left open ---


@each_loop
@pytest.mark.parametrize("run", [run_by_a_runner, run_by_hand, run_in_a_thread])
def test_an_association_left_in_a_loop_that_is_closed_is_aborted_and_named_by_a_warning(
    event_loop: str, run: Callable[[New, Main], None]
) -> None:
    left: list[sctpx.Association] = []

    async def main() -> None:
        left.append(await connecting(server))

    with listening() as server:
        with pytest.warns(ResourceWarning, match=rf"unclosed association .*ESTABLISHED with {HOST} port {PORT}"):
            run(LOOPS[event_loop], main())
        assert is_told_of_an_abort(server)
        assert left[0].ended


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_what_ends_the_main_coroutine_reaches_the_caller(error: type[BaseException]) -> None:
    async def main() -> None:
        await connecting(server)
        raise error

    with listening() as server:
        with pytest.warns(ResourceWarning, match="unclosed association"), pytest.raises(error):
            run_by_a_runner(asyncio.new_event_loop, main())
        assert is_told_of_an_abort(server)


def test_ctrl_c_in_the_main_coroutine_tells_the_peer() -> None:
    async def main() -> None:
        await connecting(server)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    with listening() as server:
        with pytest.warns(ResourceWarning, match="unclosed association"), pytest.raises(KeyboardInterrupt):
            run_by_a_runner(asyncio.new_event_loop, main())
        assert is_told_of_an_abort(server)


def test_each_of_several_loops_ends_what_is_left_in_it() -> None:
    async def main() -> None:
        await connecting(server)

    with listening() as server:
        for _ in range(3):
            with pytest.warns(ResourceWarning, match="unclosed association"):
                run_by_hand(asyncio.new_event_loop, main())
            assert is_told_of_an_abort(server)


@pytest.mark.parametrize("taken", [True, False])
def test_a_server_that_is_left_open_aborts_the_associations_of_its_peers(taken: bool) -> None:
    def talk(udp_port: int) -> None:
        with sctpx.socket(peer_udp_port=udp_port) as sock:
            sock.connect(HERE)
            with pytest.raises(sctpx.AssociationAborted):
                sock.recv(1)

    async def main() -> Running[None]:
        server = await sctpx.start_server(None, HOST, PORT, udp_port=0)
        talking = Thread(lambda: talk(server.udp_port))
        if taken:
            await server.accept()
        else:
            await until(lambda: server.associations)
        return talking

    with asyncio.Runner() as runner:
        talking = runner.run(main())
        with pytest.warns(ResourceWarning, match="unclosed association"):
            runner.close()
    talking.result()


@each_loop
def test_what_was_closed_is_left_alone(event_loop: str) -> None:
    async def main() -> None:
        async with connecting(server) as association:
            await association.send(b"hello")

    with listening() as server:
        run_by_a_runner(LOOPS[event_loop], main())  # A warning would be an error.
        with accepted(server) as sock:
            assert [sock.recv(10), sock.recv(10)] == [b"hello", b""]


def test_a_loop_gets_its_own_close_back_and_can_be_closed_again() -> None:
    async def main() -> None:
        async with connecting(server):
            pass

    with listening() as server:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        assert "close" not in vars(loop)
        loop.close()


def test_a_loop_that_runs_is_not_closed_and_nothing_in_it_ends() -> None:
    async def main() -> None:
        async with connecting(server) as association:
            with pytest.raises(RuntimeError, match="running"):
                asyncio.get_running_loop().close()
            await association.send(b"still here")

    with listening() as server:
        run_by_a_runner(asyncio.new_event_loop, main())
        with accepted(server) as sock:
            assert sock.recv(10) == b"still here"


class Stubborn(asyncio.SelectorEventLoop):
    """A loop whose ``close`` cannot be taken over."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "close":
            raise AttributeError(name)
        super().__setattr__(name, value)


def test_a_loop_that_was_closed_without_notice_is_seen_to_when_the_next_one_begins() -> None:
    waiting: list[asyncio.Task[object]] = []

    async def main() -> None:
        association = await connecting(server)
        waiting.append(asyncio.create_task(association.recv()))
        await asyncio.sleep(0)

    async def another() -> None:
        async with connecting(server):
            pass

    with listening() as server:
        run_by_hand(Stubborn, main())
        with pytest.warns(ResourceWarning, match="unclosed association"):
            run_by_hand(asyncio.new_event_loop, another())
        assert is_told_of_an_abort(server)
    waiting.clear()
    gc.collect()  # asyncio complains of the task, as it does of any that a loop leaves behind: now, not in other tests.


# --- associations that are being shut down ---


def read_all(server: sctpx.Socket, begin: threading.Event) -> int:
    """How many bytes come, once it begins to read."""
    with accepted(server) as sock:
        begin.wait(10)
        total = 0
        while data := sock.recv(1 << 20):
            total += len(data)
        return total


async def send_and_leave(server: sctpx.Socket) -> None:
    """Send more than the peer's window takes, begin to shut down, and do not wait."""
    association = await connecting(server)
    for _ in range(10):
        await association.send(MESSAGE)
    ending = asyncio.create_task(association.shutdown())
    await asyncio.sleep(0)
    ending.cancel()


@pytest.fixture
def small_window() -> Iterator[sctpx.Socket]:
    """A socket that listens, and whose associations take little before somebody reads."""
    with listening() as server:
        server.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, SMALL.receive_buffer)
        yield server


@each_loop
def test_a_shutdown_under_way_is_seen_to_its_end(event_loop: str, small_window: sctpx.Socket) -> None:
    begin = threading.Event()
    reading = Thread(lambda: read_all(small_window, begin))

    async def main() -> None:
        await send_and_leave(small_window)
        begin.set()

    run_by_a_runner(LOOPS[event_loop], main())
    assert reading.result() == 10 * len(MESSAGE)


def test_a_shutdown_that_takes_longer_than_the_limit_is_cut_off_and_the_log_says_so(
    small_window: sctpx.Socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SCTPX_EXIT_TIMEOUT", "0.2")
    run_by_a_runner(asyncio.new_event_loop, send_and_leave(small_window))
    assert is_told_of_an_abort(small_window)
    (text,) = told(caplog)
    assert f"with {HOST} SCTP port {PORT}" in text
    assert lost(text) >= 400_000
    assert "0.2 s (SCTPX_EXIT_TIMEOUT)" in text


def test_two_sides_in_one_loop_are_both_seen_to_the_end() -> None:
    left: list[sctpx.Association] = []

    async def main() -> None:
        server = await sctpx.start_server(None, HOST, PORT, udp_port=0)
        a = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        b = await server.accept()
        left.extend((a, b))
        for association in left:
            await association.send(MESSAGE)
        ending = [asyncio.create_task(association.shutdown()) for association in left]
        await asyncio.sleep(0)
        for task in ending:
            task.cancel()

    run_by_a_runner(asyncio.new_event_loop, main())
    assert [association.ended for association in left] == [True, True]


async def test_a_close_that_takes_too_long_tells_the_log_what_was_lost(caplog: pytest.LogCaptureFixture) -> None:
    async with associated(server={"config": SMALL}, close_timeout=0.05) as (a, b):
        for _ in range(10):
            await a.send(MESSAGE)
        await a.close()
        await b.wait_closed()
    (text,) = told(caplog)
    assert lost(text) >= 400_000
    assert "0.05 s (close_timeout)" in text


# --- fork ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
async def test_after_a_fork_the_childs_copies_are_over_and_the_parents_go_on() -> None:
    async with associated(config=QUICK, server={"config": QUICK}) as (a, b):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = []
            try:
                for call in (a.send(b"x"), a.recv()):
                    try:
                        call.send(None)
                    except (OSError, StopIteration) as error:
                        said.append(type(error).__name__)
                await a.close()
                with raises_errno(errno.EBADF):
                    await a.endpoint.associate(None, QUICK)  # type: ignore[arg-type]
                said.append(str(a.ended))
            finally:
                os.write(write, repr(said).encode())
                os._exit(0)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - the child does not wait for this loop
        os.close(write)
        with os.fdopen(read) as answers:
            assert answers.read() == repr(["AssociationAborted", "AssociationAborted", "True"])
        await a.send(b"still here")
        assert (await b.recv()).data == b"still here"
        await b.send(b"here as well")
        assert (await a.recv()).data == b"here as well"
