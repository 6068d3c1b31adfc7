"""A line of coroutines: its order, and what cancellation does to it."""

from __future__ import annotations

import asyncio

from sctpx.aio.waiting import Line


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
