"""When the addresses of the host are to be read again."""

from __future__ import annotations

import select
import sys

import pytest

from sctpx.link.address_watch import INTERVAL, NEVER, PAUSE, AddressWatch
from tests.unit.link.conftest import PATIENCE, Elsewhere, add_to_loopback

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of changes")
NOW = 10**12


def test_where_nothing_is_told_addresses_are_read_every_few_seconds() -> None:
    watch = AddressWatch(NOW, told=False)
    assert (watch.fileno(), watch.next_deadline()) == (-1, NOW + INTERVAL)
    assert not watch.due(NOW + INTERVAL - 1)
    assert watch.due(NOW + INTERVAL + 5)
    assert not watch.due(NOW + INTERVAL + 6)
    assert watch.next_deadline() == NOW + 2 * INTERVAL + 5
    watch.on_readable()
    watch.close()
    watch.close()


@linux_only
def test_where_changes_are_told_addresses_are_read_for_nothing_else() -> None:
    watch = AddressWatch(NOW)
    assert watch.fileno() >= 0
    assert watch.next_deadline() == NEVER
    assert not watch.due(NOW + 100 * INTERVAL)
    watch.close()
    watch.close()


@linux_only
def test_between_two_readings_there_is_a_pause() -> None:
    watch = AddressWatch(NOW)
    for _ in range(3):
        watch.on_readable()
    assert watch.next_deadline() == NOW + PAUSE
    assert not watch.due(NOW + PAUSE - 1)
    assert watch.due(NOW + PAUSE)
    assert watch.next_deadline() == NEVER
    watch.on_readable()
    assert watch.next_deadline() == NOW + 2 * PAUSE
    watch.close()


@linux_only
def test_a_change_after_a_while_is_read_at_once() -> None:
    watch = AddressWatch(NOW)
    watch.on_readable()
    assert watch.due(NOW + 50 * PAUSE)
    watch.close()


@linux_only
def test_the_system_tells_of_a_new_address(own_network: Elsewhere) -> None:
    def told() -> tuple[list[AddressWatch], list[AddressWatch]]:
        watch = AddressWatch(NOW)
        add_to_loopback("fd00::9")
        heard = select.select([watch], [], [], PATIENCE)[0]
        watch.on_readable()
        rest = select.select([watch], [], [], 0)[0]
        watch.close()
        return heard, rest

    heard, rest = own_network(1500, told)
    assert len(heard) == 1
    assert rest == []
