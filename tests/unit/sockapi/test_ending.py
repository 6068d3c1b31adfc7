"""Which peers are worth waiting for when the time is limited, and what is told of the data that is lost."""

from __future__ import annotations

import logging

import pytest

from sctpx.core.config import NANOSECONDS, AssociationConfig
from sctpx.core.events import ShutdownComplete
from sctpx.sockapi.ending import SILENCE, Ending, tell_loss
from sctpx.testing import Pair

LIMIT = 10
TOO_LATE = "it was too late"
MESSAGE = bytes(50_000)
CONFIG = AssociationConfig(receive_buffer=100_000)


class Waiting:
    """A has sent more than B's window takes, and is being shut down."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        pair.b.reading = False
        for _ in range(10):
            pair.a.send(MESSAGE)
        self.association = pair.a.association
        pair.network.run_for(0.5)
        self.association.shutdown(pair.network.clock.now)
        self.started = pair.network.clock.now
        self.ending = Ending(self.started + LIMIT * NANOSECONDS, TOO_LATE)

    def reason_after(self, seconds: float) -> str:
        """Why it is given up within so many seconds; ``""`` if it is not."""
        reason = ""
        until = self.pair.network.clock.now + int(seconds * NANOSECONDS)
        while not reason and self.pair.network.clock.now < until:
            self.pair.network.run_for(0.1)
            reason = self.ending.reason_to_abort(self.association, self.pair.network.clock.now)
        return reason

    @property
    def waited(self) -> int:
        """Since the shutdown began, ns."""
        return self.pair.network.clock.now - self.started


@pytest.mark.parametrize("paths", [1, 2])
def test_a_peer_whose_window_is_closed_is_waited_for_until_the_deadline(paths: int) -> None:
    with Pair(1, paths=paths, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        assert waiting.reason_after(LIMIT - 0.2) == ""
        assert waiting.reason_after(1) == TOO_LATE
        assert pair.b.messages() == []


def test_a_peer_that_begins_to_read_in_the_meantime_gets_everything() -> None:
    with Pair(1, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        assert waiting.reason_after(LIMIT / 2) == ""
        pair.b.reading = True
        pair.b.read()
        pair.network.run(lambda: pair.a.events_of(ShutdownComplete), LIMIT / 2)
        assert pair.b.messages() == [MESSAGE] * 10


@pytest.mark.parametrize("paths", [1, 2])
def test_a_peer_that_has_fallen_silent_is_given_up_long_before(paths: int) -> None:
    with Pair(1, paths=paths, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        pair.b.host.crash()
        assert "does not answer" in waiting.reason_after(LIMIT)
        assert SILENCE <= waiting.waited < LIMIT * NANOSECONDS


def test_a_path_that_is_lost_is_no_silence() -> None:
    with Pair(1, paths=2, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        pair.cut(1)
        assert waiting.reason_after(LIMIT - 0.2) == ""


def test_a_peer_that_never_answered_is_given_up_after_the_silence() -> None:
    pair = Pair(1)
    pair.b.host.crash()
    pair.a.connect(pair.b)
    ending = Ending(LIMIT * NANOSECONDS + pair.network.clock.now, TOO_LATE)
    now = pair.network.clock.now
    assert ending.reason_to_abort(pair.a.association, now) == ""
    assert ending.reason_to_abort(pair.a.association, now + SILENCE - 1) == ""
    assert "does not answer" in ending.reason_to_abort(pair.a.association, now + SILENCE)


def test_the_log_is_told_who_did_not_get_how_much_and_why(caplog: pytest.LogCaptureFixture) -> None:
    with Pair(1, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        missing = 10 * len(MESSAGE) - CONFIG.receive_buffer
        waiting.ending.abort(waiting.association, pair.network.clock.now, TOO_LATE)
        waiting.ending.tell()
        waiting.ending.tell()
        pair.network.run_for(0.1)
        assert pair.b.failure
    ((logger, level, text),) = caplog.record_tuples
    assert (logger, level) == ("sctpx", logging.WARNING)
    assert "10.0.1.2 SCTP port" in text
    assert f"{missing} bytes" in text
    assert text.endswith(TOO_LATE)


def test_nothing_is_told_where_everything_was_acknowledged(caplog: pytest.LogCaptureFixture) -> None:
    with Pair(1).connect() as pair:
        pair.a.send(MESSAGE)
        pair.drain()
        ending = Ending(0, TOO_LATE)
        ending.abort(pair.a.association, pair.network.clock.now, TOO_LATE)
        ending.tell()
    assert caplog.record_tuples == []


def test_of_very_many_associations_most_are_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with Pair(1, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        for _ in range(25):
            waiting.ending.abort(waiting.association, pair.network.clock.now, TOO_LATE)
        waiting.ending.tell()
    assert len(caplog.record_tuples) == 11
    assert "15 more associations" in caplog.record_tuples[-1][2]


def test_after_an_interrupt_nobody_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with Pair(1, config=CONFIG).connect() as pair:
        waiting = Waiting(pair)
        waiting.ending.interrupt()
        assert "interrupted" in waiting.ending.reason_to_abort(waiting.association, pair.network.clock.now)
        tell_loss(waiting.association, "it was cut")
    assert caplog.record_tuples[0][2].endswith("it was cut")
