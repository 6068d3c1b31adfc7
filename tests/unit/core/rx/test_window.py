"""``Window`` against the right edge it may never take back (RFC 9260 section 6.2, RFC 1122 section 4.2.3.3)."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.rx.window import MAX_MESSAGES, Window

SEGMENT = 1500


class WindowMachine(RuleBasedStateMachine):
    """The right edge is what was received in all and what may still come."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(1 << 16, SEGMENT)
        self.received = 0
        self.held = 0
        self.edge = 0
        self.shrunk = False

    @initialize(size=st.sampled_from([4096, 5000, 8192, 1 << 16, 1 << 20]))
    def open(self, size: int) -> None:
        self.window = Window(size, SEGMENT)
        self.edge = size

    def note_edge(self) -> int:
        """How far the right edge moved on, which never goes back."""
        edge = self.received + self.window.credit
        moved = edge - self.edge
        assert moved >= 0
        self.edge = edge
        return moved

    @precondition(lambda self: self.window.credit > 0)
    @rule(data=st.data())
    def receive_within_the_window(self, data: st.DataObject) -> None:
        length = data.draw(st.integers(1, min(self.window.credit, 3000)))
        self.window.receive(length)
        self.received += length
        self.held += length
        assert self.note_edge() == 0

    @rule(length=st.integers(1, 3000))
    def receive_whatever_the_window(self, length: int) -> None:
        over = max(length - self.window.credit, 0)
        self.window.receive(length)
        self.received += length
        self.held += length
        assert self.note_edge() == over

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        length = data.draw(st.integers(1, self.held) | st.just(self.held))
        self.window.release(length)
        self.held -= length
        assert self.note_edge() == 0

    @rule(size=st.sampled_from([4096, 5000, 8192, 1 << 16, 1 << 20]))
    def resize(self, size: int) -> None:
        self.window.resize(size, SEGMENT)
        assert self.window.size == max(size, self.held)
        self.shrunk = self.window.credit > self.window.size - self.held
        assert self.note_edge() == 0

    @rule()
    def advertise(self) -> None:
        due = self.window.update_is_due(1)
        room = self.window.size - self.held
        before = self.window.credit
        a_rwnd = self.window.advertise(1)
        assert a_rwnd == self.window.credit
        moved = self.note_edge()
        step = min(self.window.size // 2, SEGMENT)
        # Silly window: a worthwhile step, up to all the room there is, or none at all.
        assert moved == (room - before if room - before >= step else 0)
        if due:
            assert moved >= max(self.window.size // 4, step)
        assert not self.window.update_is_due(1)

    @rule()
    def advertise_with_too_many_messages(self) -> None:
        before = self.window.credit
        assert self.window.advertise(MAX_MESSAGES) == 0
        assert self.window.credit == before
        assert not self.window.update_is_due(MAX_MESSAGES // 2)
        assert self.window.update_is_due(MAX_MESSAGES // 2 - 1)
        self.window.advertise(MAX_MESSAGES - 1)
        self.note_edge()

    @invariant()
    def promises_no_more_than_there_is(self) -> None:
        assert self.window.held == self.held
        fits = 0 <= self.window.credit <= max(self.window.size - self.held, 0)
        self.shrunk = self.shrunk and not fits
        assert fits or self.shrunk or self.held > self.window.size


TestWindow = WindowMachine.TestCase


def test_a_window_begins_with_all_of_the_buffer() -> None:
    assert Window(100_000, SEGMENT).advertise(0) == 100_000


def test_a_reader_that_takes_a_byte_at_a_time_opens_the_window_in_segments() -> None:
    window = Window(10_000, SEGMENT)
    window.receive(10_000)
    told = [window.advertise(1)]
    for _ in range(10_000):
        window.release(1)
        if window.advertise(1) != told[-1]:
            told.append(window.credit)
    assert told == list(range(0, 10_000, SEGMENT))


@pytest.mark.parametrize("size", [4096, 5999, 6000, 20_000])
def test_an_update_that_is_due_tells_something_new(size: int) -> None:
    window = Window(size, SEGMENT)
    window.receive(size)
    for _ in range(size):
        window.release(1)
        before = window.credit
        if window.update_is_due(1):
            assert window.advertise(1) > before


def test_a_flood_of_tiny_messages_that_nobody_reads_closes_the_window_until_half_are_read() -> None:
    window = Window(1 << 20, SEGMENT)
    window.receive(MAX_MESSAGES)
    assert window.advertise(MAX_MESSAGES) == 0
    window.release(MAX_MESSAGES - 1)
    assert not window.update_is_due(MAX_MESSAGES // 2)
    assert window.update_is_due(MAX_MESSAGES // 2 - 1)
    assert window.advertise(1) == (1 << 20) - 1
