"""``reset_streams``, ``reset_association``, ``add_streams`` of associations in asyncio, and their events (RFC 6525)."""

from __future__ import annotations

import asyncio
import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sctpx
from sctpx import events
from tests.api.support import associated, raises_errno

PAGE = Path(__file__).parents[2] / "docs" / "extensions.md"
ALLOWED = sctpx.AssociationConfig(allow_stream_reset=True, allow_association_reset=True, allow_added_streams=True)


async def told(association: sctpx.Association, kind: type[events.Event], count: int = 1) -> list[events.Event]:
    """The next events of a kind."""
    found: list[events.Event] = []
    async for event in association.events:
        if isinstance(event, kind):
            found.append(event)
        if len(found) == count:
            break
    return found


async def test_streams_are_reset_in_either_direction() -> None:
    async with associated(config=ALLOWED, server={"config": ALLOWED}) as (a, b):
        assert a.reconfigurable
        assert b.reconfigurable
        await a.send(b"before", stream=1)
        assert (await b.recv()).ssn == 0
        assert a.events is not b.events  # From here on they are kept.
        a.reset_streams([1, 2])
        await a.send(b"after", stream=1)
        assert (await b.recv()).ssn == 0
        assert await told(a, events.StreamsReset) == [events.StreamsReset(True, False, (1, 2))]
        assert await told(b, events.StreamsReset) == [events.StreamsReset(False, True, (1, 2))]
        a.reset_streams(outgoing=False, incoming=True)
        assert await told(a, events.StreamsReset) == [events.StreamsReset(False, True, ())]
        assert await told(b, events.StreamsReset) == [events.StreamsReset(True, False, ())]


async def test_streams_are_added_and_tsns_are_reset() -> None:
    async with associated(config=ALLOWED, server={"config": ALLOWED}) as (a, b):
        assert a.events is not b.events  # From here on they are kept.
        a.add_streams(outgoing=2, incoming=1)
        async with asyncio.timeout(5):
            assert await told(a, events.StreamsAdded, 2) == [
                events.StreamsAdded(10, 12),
                events.StreamsAdded(11, 12),
            ]
        assert await told(b, events.StreamsAdded, 2) == [events.StreamsAdded(12, 10), events.StreamsAdded(12, 11)]
        assert (b.inbound_streams, b.outbound_streams) == (12, 11)
        await a.send(b"new", stream=11)
        assert (await b.recv()).stream == 11
        b.reset_association()
        [event] = await told(b, events.AssociationReset)
        assert isinstance(event, events.AssociationReset)
        assert event.result == "done"
        await a.send(b"anew", stream=11)
        assert (await b.recv()).ssn == 0


async def test_what_the_peer_does_not_allow_is_denied() -> None:
    async with associated() as (a, _):
        assert a.events is a.events  # From here on they are kept.
        a.reset_streams()
        assert await told(a, events.StreamsReset) == [events.StreamsReset(True, False, (), "denied")]
        a.add_streams(incoming=1)
        assert await told(a, events.StreamsAdded) == [events.StreamsAdded(10, 10, "denied")]
        a.reset_association()
        [event] = await told(a, events.AssociationReset)
        assert isinstance(event, events.AssociationReset)
        assert event.result == "denied"


async def test_a_second_request_has_to_wait() -> None:
    async with associated(config=ALLOWED, server={"config": ALLOWED}) as (a, _):
        a.reset_streams()
        with raises_errno(errno.EALREADY):
            a.add_streams(outgoing=1)


@pytest.mark.parametrize("wrong", [{"outgoing": False}, {"streams": [10]}])
async def test_a_wrong_request_raises(wrong: dict[str, object]) -> None:
    async with associated() as (a, _):
        with raises_errno(errno.EINVAL):
            a.reset_streams(**wrong)  # type: ignore[arg-type]


async def test_a_peer_without_it_is_not_asked() -> None:
    plain = sctpx.AssociationConfig(stream_reconfiguration=False)
    async with associated(server={"config": plain}) as (a, _):
        assert not a.reconfigurable
        for ask in (a.reset_streams, a.reset_association, lambda: a.add_streams(outgoing=1)):
            with raises_errno(errno.EOPNOTSUPP):
                ask()


def test_the_program_of_the_page_prints_what_it_is_about() -> None:
    [program] = re.findall(r"```python\n# reconfigured\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert sorted(done.stdout.splitlines()) == ["reset: done (3,)", "stream 3 ssn 0: one", "stream 3 ssn 0: two"]
