"""A descriptor that shows what holds, level-triggered, both ways."""

from __future__ import annotations

import select

import pytest

from sctpx.blocking.readiness import Readiness


def shown(readiness: Readiness) -> tuple[bool, bool]:
    readable, writable, _ = select.select([readiness.fileno()], [readiness.fileno()], [], 0)
    return bool(readable), bool(writable)


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("writable", [True, False])
def test_each_of_both_is_shown_by_itself_and_again(readable: bool, writable: bool) -> None:
    readiness = Readiness()
    try:
        assert shown(readiness) == (False, True)
        for _ in range(3):
            readiness.update(readable, writable)
            assert shown(readiness) == (readable, writable)
            readiness.update(not readable, not writable)
            assert shown(readiness) == (not readable, not writable)
    finally:
        readiness.close()
