"""Authentication as users have it (RFC 4895): keys, what is demanded, events, and the program of docs/extensions.md."""

from __future__ import annotations

import re
import subprocess
import sys
from errno import EINVAL
from pathlib import Path

import pytest

import sctpx
from tests.api.support import associated, until

PAGE = Path(__file__).parents[2] / "docs" / "extensions.md"
CONFIG = sctpx.AssociationConfig(authenticated_chunks=(0, 6), shared_keys=((1, b"one"), (2, b"two")))


async def test_both_sides_tell_what_was_agreed_on() -> None:
    async with associated(config=CONFIG, server={"config": CONFIG}) as (a, b):
        for side in (a, b):
            assert side.authenticates
            assert side.authenticated_chunks == side.peer_authenticated_chunks == (0, 6)
            assert side.active_key == 1
        await a.send(b"with one")
        await a.send(b"with two", key=2)
        assert [(await b.recv()).data for _ in range(2)] == [b"with one", b"with two"]
        assert b.stats.unauthenticated_chunks == 0


async def test_keys_are_changed_while_data_flows_and_events_tell() -> None:
    async with associated(config=CONFIG, server={"config": CONFIG}) as (a, b):
        told: list[tuple[str, int, str]] = []

        def note(name: str, event: sctpx.events.Event) -> None:
            if isinstance(event, sctpx.events.KeyChanged):
                told.append((name, event.key, event.what))

        a.on_event = lambda _, event: note("a", event)
        b.on_event = lambda _, event: note("b", event)
        for side in (a, b):
            side.set_key(3, bytearray(b"three"))
        await a.send(bytes(10_000))
        a.activate_key(3)
        a.deactivate_key(1)
        await a.send(b"with three")
        while (await b.recv()).data != b"with three":
            pass
        await until(lambda: {("a", 1, "free"), ("b", 3, "new")} <= set(told))
        a.delete_key(1)
        with pytest.raises(OSError, match="shared key") as caught:
            await a.send(b"x", key=1)
        assert caught.value.errno == EINVAL


async def test_without_it_keys_say_nothing() -> None:
    async with associated() as (a, b):
        assert not a.authenticates
        assert a.authenticated_chunks == a.peer_authenticated_chunks == ()
        a.set_key(1, b"one")
        await a.send(b"plain", key=1)
        assert (await b.recv()).data == b"plain"


@pytest.mark.one_loop
def test_the_program_of_the_page_prints_what_it_is_about() -> None:
    [program] = re.findall(r"```python\n# keys\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    assert done.stdout.splitlines() == [
        "demanded of us: (0, 6)",
        "received: authentic",
        "received: with the next key",
    ]
