"""A slice of the soak: short virtual days, and a moment on loopback. ``make soak`` runs the whole of it."""

from __future__ import annotations

import pytest

from sctpx.cli.demo import loopback
from tests.soak import page, real
from tests.soak.ledger import Ledger
from tests.soak.world import Tally, World
from tests.sweeps import some

MINUTES = 1 / 60


@pytest.mark.parametrize("seed", some([1, 12], range(200, 220)))
def test_whatever_goes_wrong_what_must_hold_does(seed: int, request: pytest.FixtureRequest) -> None:
    slow = request.node.get_closest_marker("slow") is not None
    tally = World(seed, 1.0 if slow else 5 * MINUTES, most=36 if slow else 12).run()
    assert tally.calms
    assert tally.nights
    assert tally.messages
    assert tally.forged


def test_a_seed_repeats_a_day_exactly() -> None:
    first, second = [World(7, 2 * MINUTES, most=8).run() for _ in range(2)]
    assert first == second


@pytest.mark.parametrize("wrong", ["twice", "out of order", "lost", "changed", "longer"])
def test_the_ledger_sees_what_is_wrong(wrong: str) -> None:
    """What is held to it could not fail otherwise."""
    ledger = Ledger(1, 0)
    sent = []
    for _ in range(3):
        message, data = ledger.add((0, False), 100, reliable=wrong != "out of order")
        ledger.on_sent(message)
        sent.append(data)
    came = {
        "twice": [sent[0], sent[0]],
        "out of order": [sent[1], sent[0]],
        "lost": [sent[0], sent[2]],
        "changed": [sent[0][:-1] + b"?"],
        "longer": [sent[0] + b"?"],
    }
    *before, last = came[wrong]
    for data in before:
        ledger.on_arrival(data, (0, False))
    with pytest.raises(AssertionError, match="message"):
        ledger.on_arrival(last, (0, False))


def test_what_has_neither_arrived_nor_was_reported_is_missing() -> None:
    ledger = Ledger(1, 0)
    messages = []
    for reliable in (True, True, False):
        message, data = ledger.add((3, True), 50, reliable)
        ledger.on_sent(message)
        messages.append((message, data))
    ledger.on_arrival(messages[0][1], (3, True))
    ledger.on_undelivered((b"", 3, 0, True, True, messages[1][0], True))
    assert ledger.missing() == [messages[2][0]]
    ledger.on_abandoned((b"", 3, 0, True, True, messages[2][0], True))
    assert not ledger.missing()
    assert (ledger.arrived, ledger.given_up) == (1, 1)


@pytest.mark.skipif(not loopback.is_possible(), reason="one loopback address only")
@pytest.mark.parametrize("seconds", some([1.5], [20.0]))
def test_messages_pour_over_loopback_while_paths_are_cut(seconds: float) -> None:
    result = real.run(seconds, each=1)
    assert result.associations == 4
    assert result.bytes > 100_000


@pytest.mark.texts
def test_the_page_has_what_the_command_writes() -> None:
    table = page.stated(page.DOCUMENT.read_text(encoding="utf-8"))
    found = page.parse(table)
    assert page.render(found) == table
    assert found.days >= 1
    assert found.sessions
    assert found.real_seconds


def test_figures_are_read_as_they_are_written() -> None:
    tally = Tally(virtual_seconds=86400.0, sessions=1234, messages=1_000_000, bytes=5_500_000, nights=4)
    result = real.Result(600.0, 8, 30_000_000_000, 200, 3.25, 90 << 20, 1.01)
    table = page.render(page.figures(5, tally, result))
    found = page.parse(table)
    assert (found.first_seed, found.days, found.sessions, found.real_rate) == (5, 1.0, 1234, 50.0)
    assert page.render(found) == table
    with pytest.raises(ValueError, match="not the figures"):
        page.parse(table.replace("associations", "pairs"))
