"""An event loop looks at the addresses of the host when it is told that they changed, or else every few seconds."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from sctpx.aio.following import Following
from sctpx.link import address_watch
from tests.api.running import each_loop, run
from tests.unit.link.conftest import Elsewhere, add_to_loopback
from tests.unit.link.conftest import own_network as own_network


@pytest.mark.blind_loop
async def test_a_loop_that_cannot_watch_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_watch, "INTERVAL", 1_000_000)
    changed = asyncio.Event()
    following = Following(asyncio.get_running_loop(), time.monotonic_ns, changed.set)
    for _ in range(3):
        await changed.wait()
        changed.clear()
    following.leave_loop()
    following.close()


@each_loop
@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of changes")
def test_a_loop_that_can_watch_looks_when_something_changed(event_loop: str, own_network: Elsewhere) -> None:
    async def changes() -> int:
        count = 0
        changed = asyncio.Event()

        def on_change() -> None:
            nonlocal count
            count += 1
            changed.set()

        following = Following(asyncio.get_running_loop(), time.monotonic_ns, on_change)
        for number in (7, 8):
            add_to_loopback(f"fd00::{number}")
            await changed.wait()
            changed.clear()
        following.leave_loop()
        following.close()
        add_to_loopback("fd00::9")
        await asyncio.sleep(0)
        return count

    assert own_network(1500, lambda: run(event_loop, changes())) == 2
