"""Signal handlers that raise in the middle of asyncio's callbacks and coroutines, and cancellation wherever they wait.

Nothing is lost, nothing comes twice, and the event loop and its associations go on.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import pytest

import sctpx
from tests.api.support import until
from tests.api.test_protocol import protocols
from tests.interrupting import Interrupted, handler_that_raises, steps, sweep

# An exception between making a coroutine and awaiting it; and one where a link is being opened, whose sockets the
# garbage collector closes.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

PATIENCE = 20
T = TypeVar("T")

try:
    from uvloop import new_event_loop as new_uvloop
except ImportError:
    LOOPS: list[Any] = [asyncio.new_event_loop]
else:
    LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio"), pytest.param(new_uvloop, id="uvloop")]


@asynccontextmanager
async def associated() -> AsyncIterator[tuple[sctpx.Association, sctpx.Association]]:
    async with (
        await sctpx.start_server(None, "127.0.0.1", 5000, udp_port=0) as server,
        sctpx.connect("127.0.0.1", 5000, peer_udp_port=server.udp_port) as a,
        await server.accept() as b,
    ):
        yield a, b


async def receive_until(association: sctpx.Association, last: bytes) -> list[bytes]:
    received = []
    async with asyncio.timeout(PATIENCE):
        while (message := (await association.recv()).data) != last:
            received.append(message)
    return received


def run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """The result. What was interrupted may have left a request to stop in the loop, and that stops another task."""
    task = loop.create_task(work)
    with suppress(RuntimeError):
        loop.run_until_complete(task)
    return loop.run_until_complete(task)


async def end_all_tasks() -> None:
    """What the exception left unfinished is cancelled, as ``asyncio.run`` does it."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=3 * PATIENCE)  # Each context may take its close timeout.
        assert not pending


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("every", steps(211, 29))
def test_a_handler_that_raises_while_messages_are_exchanged(every: int, new_loop: Callable[[], Any]) -> None:
    loop = new_loop()
    context = associated()

    async def exchange() -> None:
        await a.send(b"message")
        sent.append(b"message")
        received.append((await b.recv()).data)

    async def rest() -> list[bytes]:
        await a.send(b"next")
        return await receive_until(b, b"next")

    with handler_that_raises():
        a, b = loop.run_until_complete(context.__aenter__())
        try:
            for interruption in sweep(every):
                sent: list[bytes] = []
                received: list[bytes] = []
                with suppress(Interrupted), interruption:
                    loop.run_until_complete(exchange())
                run(loop, end_all_tasks())
                try:
                    received += run(loop, rest())
                except TimeoutError:
                    pytest.fail(f"nothing comes after {interruption.where}")
                assert received == [b"message"] or not (received or sent), interruption.where
        finally:
            loop.run_until_complete(context.__aexit__(None, None, None))
            loop.close()


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("every", steps(199, 7))
def test_a_handler_that_raises_while_a_protocol_is_handed_messages(every: int, new_loop: Callable[[], Any]) -> None:
    loop = new_loop()
    context = protocols()

    async def exchange() -> None:
        for data in (b"1", b"2"):
            a.transport.send(data)
            sent.append(data)
        await until(lambda: b"2" in b.messages)

    async def rest() -> None:
        a.transport.send(b"next")
        async with asyncio.timeout(PATIENCE):
            await until(lambda: b"next" in b.messages)

    with handler_that_raises():
        a, b = loop.run_until_complete(context.__aenter__())
        try:
            for interruption in sweep(every):
                b.told.clear()
                sent: list[bytes] = []
                with suppress(Interrupted), interruption:
                    loop.run_until_complete(exchange())
                run(loop, end_all_tasks())
                try:
                    run(loop, rest())
                except TimeoutError:
                    pytest.fail(f"nothing comes after {interruption.where}")
                assert b.messages == sorted(set(b.messages)), interruption.where  # In order, and none twice.
                missing = set(sent) - set(b.messages)
                assert not missing or "message_received" in interruption.where, interruption.where
        finally:
            loop.run_until_complete(context.__aexit__(None, None, None))
            loop.close()


@pytest.mark.parametrize("every", steps(4001, 499))
def test_a_handler_that_raises_while_an_association_is_set_up_and_ended(every: int) -> None:
    loop = asyncio.new_event_loop()

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE), associated() as (a, b):
            await a.send(b"message")
            assert (await b.recv()).data == b"message"

    with handler_that_raises():
        for interruption in sweep(every):
            with suppress(Interrupted), interruption:
                loop.run_until_complete(whole())
            run(loop, end_all_tasks())
            run(loop, whole())
    loop.close()
    gc.collect()  # What the filters above are for happens now, and not in another test.


@pytest.mark.parametrize("iterations", range(12))
def test_a_call_that_is_cancelled_after_so_many_iterations_of_the_loop(iterations: int) -> None:
    async def cancelled_call(work: Coroutine[Any, Any, Any]) -> list[Any]:
        task = asyncio.ensure_future(work)
        for _ in range(iterations):
            await asyncio.sleep(0)
        task.cancel()
        return [result for result in await asyncio.gather(task, return_exceptions=True) if result is None or result]

    async def whole() -> None:
        async with associated() as (a, b):
            sending = await cancelled_call(a.send(b"message"))
            receiving = asyncio.create_task(cancelled_call(b.recv()))
            await a.send(b"next")
            taken = [result.data for result in await receiving if isinstance(result, sctpx.Message)]
            await a.send(b"last")
            received = taken + await receive_until(b, b"last")
            assert received == [b"message", b"next"] or (received == [b"next"] and sending != [None])

    asyncio.run(whole())
