"""Interleaved messages and stream schedulers in asyncio (RFC 8260), and the program of docs/extensions.md."""

from __future__ import annotations

import asyncio
import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sctpx
from tests.api.support import associated, raises_errno

PAGE = Path(__file__).parents[2] / "docs" / "extensions.md"
CONFIG = sctpx.AssociationConfig(interleaving=True, scheduler="rr", receive_buffer=200_000)


async def receive_all(association: sctpx.Association, count: int) -> list[tuple[int, bytes]]:
    """So many messages, each with its stream, put together from their parts."""
    parts: dict[int, list[bytes]] = {}
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        for message in await association.recv_many():
            parts.setdefault(message.stream, []).append(message.data)
            if not message.more:
                found.append((message.stream, b"".join(parts.pop(message.stream))))
    return found


async def test_a_small_message_overtakes_a_large_one_on_another_stream() -> None:
    async with associated(config=CONFIG, server={"config": CONFIG}) as (a, b):
        assert a.interleaving
        assert b.interleaving
        receiving = asyncio.create_task(receive_all(b, 2))
        await a.send(bytes(2 << 20), stream=0)
        await a.send(b"small", stream=1)
        assert await receiving == [(1, b"small"), (0, bytes(2 << 20))]


@pytest.mark.parametrize("server", [CONFIG, sctpx.AssociationConfig()])
async def test_it_is_used_if_both_sides_offer_it(server: sctpx.AssociationConfig) -> None:
    async with associated(config=CONFIG, server={"config": server}) as (a, b):
        assert a.interleaving is b.interleaving is server.interleaving


async def test_a_stream_has_a_value_that_can_be_set() -> None:
    async with associated(config=sctpx.AssociationConfig(scheduler="prio")) as (a, b):
        a.set_stream_value(0, 1)
        with raises_errno(errno.EINVAL):
            a.set_stream_value(a.outbound_streams, 1)
        with raises_errno(errno.EINVAL):
            a.set_stream_value(0, 65536)
        await a.send_many([(b"x", stream) for stream in (0, 1)])
        assert {(await b.recv()).stream for _ in range(2)} == {0, 1}


@pytest.mark.one_loop
def test_the_program_of_the_page_prints_what_it_is_about() -> None:
    [program] = re.findall(r"```python\n# interleaved\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert done.stdout.splitlines() == ["interleaving: True", "stream 1: 5 bytes", "stream 0: 4194304 bytes"]
