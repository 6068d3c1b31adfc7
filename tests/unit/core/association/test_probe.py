"""Zero window probing (RFC 9260 section 6.1 A): what is known of it."""

from __future__ import annotations

from sctpx.core.association.probe import IDLE, Probe
from sctpx.core.timers import NEVER


def test_once_the_window_is_open_probing_begins_anew() -> None:
    fresh = Probe()
    assert (fresh.deadline, fresh.interval, fresh.state) == (NEVER, 0, IDLE)
    used = Probe()
    used.deadline, used.interval = 5, 7
    used.rest()
    assert (used.deadline, used.interval) == (NEVER, 0)
