"""A line of coroutines: its order, and what cancellation does to it."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from sctpx.aio.waiting import Line
from tests.api.running import LOOPS, each_loop


async def in_line(line: Line, names: str) -> tuple[list[str], dict[str, asyncio.Task[None]]]:
    """Tasks that wait, in this order, and note their name when they were woken."""
    woken: list[str] = []

    async def wait(name: str) -> None:
        await line.wait()
        woken.append(name)

    tasks = {name: asyncio.create_task(wait(name)) for name in names}
    await asyncio.sleep(0)
    return woken, tasks


async def test_the_first_in_line_is_woken_first() -> None:
    line = Line()
    woken, _ = await in_line(line, "abc")
    for expected in (["a"], ["a", "b"], ["a", "b", "c"]):
        line.wake()
        await asyncio.sleep(0)
        assert woken == expected
    assert not line


async def test_waking_twice_before_the_first_has_run_wakes_one() -> None:
    line = Line()
    woken, tasks = await in_line(line, "ab")
    line.wake()
    line.wake()
    await asyncio.sleep(0)
    assert woken == ["a"]
    line.wake()
    await tasks["b"]


async def test_who_was_woken_stays_in_line_until_it_runs() -> None:
    line = Line()
    await in_line(line, "a")
    line.wake()
    assert line
    await asyncio.sleep(0)
    assert not line


async def test_who_is_cancelled_leaves_the_line() -> None:
    line = Line()
    woken, tasks = await in_line(line, "abc")
    tasks["a"].cancel()
    tasks["b"].cancel()
    line.wake()
    await asyncio.wait(tasks.values())
    assert woken == ["c"]
    assert not line


async def test_who_is_cancelled_after_having_been_woken_passes_its_turn_on() -> None:
    line = Line()
    woken, tasks = await in_line(line, "ab")
    line.wake()
    tasks["a"].cancel()
    await tasks["b"]
    assert woken == ["b"]
    assert tasks["a"].cancelled()


async def test_all_can_be_woken_at_once() -> None:
    line = Line()
    woken, tasks = await in_line(line, "abc")
    line.wake_all()
    await asyncio.wait(tasks.values())
    assert woken == ["a", "b", "c"]


async def test_waking_an_empty_line_is_not_remembered() -> None:
    line = Line()
    line.wake()
    line.wake_all()
    woken, tasks = await in_line(line, "a")
    assert woken == []
    line.wake()
    await tasks["a"]


def from_the_loop(line: Line) -> asyncio.Future[None]:
    """Resume the first in line from a callback of the loop, as the driver does; done when that has returned."""
    returned = asyncio.get_running_loop().create_future()

    def resume() -> None:
        line.resume()
        returned.set_result(None)

    asyncio.get_running_loop().call_soon(resume)
    return returned


async def test_who_is_resumed_has_run_when_the_call_returns() -> None:
    line = Line()
    woken, _ = await in_line(line, "ab")
    seen: list[list[str]] = []

    def resume() -> None:
        for _ in "abc":
            line.resume()
            seen.append(list(woken))

    asyncio.get_running_loop().call_soon(resume)
    await asyncio.sleep(0)
    assert seen == [["a"], ["a", "b"], ["a", "b"]]
    assert not line


async def test_who_is_resumed_runs_in_its_own_context() -> None:
    line = Line()
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")
    seen = []

    async def wait(own: str) -> None:
        name.set(own)
        await line.wait()
        seen.append((name.get(), asyncio.current_task()))

    task = asyncio.create_task(wait("its own"))
    await asyncio.sleep(0)
    await from_the_loop(line)
    assert seen == [("its own", task)]
    assert name.get() == "nobody"


async def test_who_was_woken_already_is_not_resumed_as_well() -> None:
    line = Line()
    woken, tasks = await in_line(line, "ab")
    line.wake()
    line.resume()
    assert woken == []
    await tasks["a"]
    assert woken == ["a"]
    line.wake()
    await tasks["b"]


async def test_resuming_passes_over_who_was_cancelled() -> None:
    line = Line()
    woken, tasks = await in_line(line, "ab")
    tasks["a"].cancel()
    await from_the_loop(line)
    assert woken == ["b"]
    assert tasks["a"].cancelled()


async def test_the_failure_of_who_is_resumed_is_its_own() -> None:
    line = Line()

    async def fail() -> None:
        await line.wait()
        raise LookupError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await from_the_loop(line)
    assert isinstance(task.exception(), LookupError)


async def test_all_can_be_resumed_at_once_and_one_may_cancel_another() -> None:
    line = Line()
    woken: list[str] = []
    tasks: dict[str, asyncio.Task[None]] = {}

    async def wait(name: str) -> None:
        await line.wait()
        woken.append(name)
        tasks["c"].cancel()

    for name in "abcd":
        tasks[name] = asyncio.create_task(wait(name))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(line.resume_all)
    await asyncio.wait(tasks.values())
    assert woken == ["a", "b", "d"]
    assert tasks["c"].cancelled()


@each_loop
def test_the_others_in_line_go_on_when_one_who_is_resumed_stops_the_loop(event_loop: str) -> None:
    loop = LOOPS[event_loop]()
    woken: list[str] = []
    line = Line()

    async def wait(name: str) -> None:
        await line.wait()
        woken.append(name)
        if name == "a":
            raise KeyboardInterrupt

    tasks = [loop.create_task(wait(name)) for name in "abc"]
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_soon(line.resume_all)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.run_until_complete(asyncio.wait(tasks, timeout=1))
    loop.close()
    assert woken == ["a", "b", "c"]
    assert isinstance(tasks[0].exception(), KeyboardInterrupt)


async def test_who_stands_in_a_line_is_called_each_time_the_first_would_be_woken() -> None:
    line = Line()
    calls: list[str] = []
    line.stand(lambda: calls.append("called"))
    assert line
    line.wake()
    line.wake_all()
    assert calls == []
    await asyncio.sleep(0)
    assert len(calls) >= 2
    calls.clear()
    line.resume()
    line.resume_all()
    assert calls == ["called"] * 2
    assert line
