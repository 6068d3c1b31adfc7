"""``lifetime``, ``retransmits`` and ``priority`` of ``Association.send``, and the program of docs/extensions.md."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sctpx
from tests.api.support import associated, until

PAGE = Path(__file__).parents[2] / "docs" / "extensions.md"
NARROW = sctpx.AssociationConfig(receive_buffer=4096, send_buffer=20_000)


def abandoned(association: sctpx.Association) -> list[sctpx.Undelivered]:
    """Where what is given up is told from now on."""
    told: list[sctpx.Undelivered] = []

    def on_event(_: sctpx.Association, event: sctpx.events.Event) -> None:
        if isinstance(event, sctpx.events.MessageAbandoned):
            told.append(event.message)

    association.on_event = on_event
    return told


async def close_window(association: sctpx.Association) -> None:
    """Send as much as a peer takes that does not read, and a little more."""
    await association.send(bytes(4000))
    await asyncio.sleep(0.05)
    await association.send(bytes(4000))
    await asyncio.sleep(0.3)  # Acknowledgements may be delayed by 200 ms.


@pytest.mark.parametrize("how", [{"lifetime": 5.0}, {"retransmits": 0}, {"priority": 3}, {"lifetime": 0}])
async def test_what_can_be_sent_is_sent(how: dict[str, Any]) -> None:
    async with associated() as (a, b):
        assert a.partial_reliability
        await a.send(b"quick", **how)
        assert (await b.recv()).data == b"quick"


async def test_a_message_that_is_too_old_is_given_up_and_told() -> None:
    async with associated(config=NARROW, server={"config": NARROW}) as (a, b):
        told = abandoned(a)
        await close_window(a)
        await a.send(b"perishable", stream=3, ppid=60, lifetime=0.05)
        await a.send(b"lasting")
        await until(lambda: told)
        assert told == [sctpx.Undelivered(b"perishable", 3, 60, False)]
        assert a.stats.messages_abandoned_unsent == 1
        received = b""
        while not received.endswith(b"lasting"):
            received += (await b.recv()).data
        assert received == bytes(8000) + b"lasting"


async def test_what_is_important_takes_the_room_of_what_is_not_and_does_not_wait() -> None:
    async with associated(config=NARROW, server={"config": NARROW}) as (a, _):
        told = abandoned(a)
        await close_window(a)
        while a.send_space > 0:
            await a.send(bytes(1000), priority=5)
        waiting = asyncio.create_task(a.send(b"as important", priority=5))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        async with asyncio.timeout(1):
            await a.send(b"more important", priority=4)
        await until(lambda: told)
        assert len(told[0].data) == 1000
        async with asyncio.timeout(1):
            while a.send_space > 0:
                await a.send(bytes(1000), priority=5)
            await a.send(b"reliable")
        waiting.cancel()


@pytest.mark.parametrize(
    "how",
    [
        {"lifetime": 1.0, "retransmits": 1},
        {"priority": 0, "lifetime": 0},
        {"lifetime": -0.1},
        {"retransmits": -1},
        {"priority": -1},
        {"retransmits": 1 << 52},
        {"lifetime": 1e12},
    ],
)
async def test_wrong_wishes_are_refused(how: dict[str, Any]) -> None:
    async with associated() as (a, b):
        with pytest.raises(ValueError, match="lifetime"):
            await a.send(b"x", **how)
        await a.send(b"right")
        assert (await b.recv()).data == b"right"


async def test_without_the_extension_messages_are_sent_all_the_same() -> None:
    async with associated(config=sctpx.AssociationConfig(partial_reliability=False)) as (a, b):
        assert not a.partial_reliability
        assert not b.partial_reliability
        await a.send(b"x", retransmits=0)
        assert (await b.recv()).data == b"x"


@pytest.mark.one_loop
def test_the_program_of_the_page_prints_what_it_is_about() -> None:
    [program] = re.findall(r"```python\n# perishable\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    told, *received = done.stdout.splitlines()
    assert told == "partial reliability: True"
    assert [line for line in received if line.startswith("received")] == [
        f"received {size} bytes" for size in (8, 5, 3, 4)
    ]
