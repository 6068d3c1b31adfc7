"""``Window`` against the right edge it may never take back (RFC 9260 section 6.2, RFC 1122 section 4.2.3.3)."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sctpx.core.overhead import MESSAGE
from sctpx.core.rx.window import MEMORY, Window

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

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def advertise_while_memory_is_short(self, data: st.DataObject) -> None:
        size = self.window.size
        least = max((3 * MEMORY * size // 4 - self.held) // MESSAGE + 1, 1)
        messages = data.draw(st.integers(least, max(least, MEMORY * size // MESSAGE + 5)))
        before = self.window.credit
        cost = self.held + MESSAGE * messages
        fitting = max(MEMORY * size - cost, 0) * self.held // cost
        assert self.window.advertise(messages) <= max(fitting, 0)
        assert self.window.credit <= max(before, min(fitting, size - self.held))
        # What is told holds enough messages of the present size, and no more than that.
        assert cost + self.window.credit * cost // self.held <= max(MEMORY * size, cost)
        if cost >= MEMORY * size:
            assert self.window.credit == 0
        self.edge = self.received + self.window.credit

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


def test_tiny_messages_that_nobody_reads_close_the_window_step_by_step() -> None:
    window = Window(1 << 20, SEGMENT)
    told = []
    messages = 0
    while messages < window.places(100):
        window.receive(100)
        messages += 100
        told.append(window.advertise(messages))
    assert messages == 16_400  # 4 MiB, at 257 bytes each.
    assert told == sorted(told, reverse=True)
    assert told[121] == (1 << 20) - 12_200
    assert told[123] < 5000  # So many bytes, and not the 1 MiB that their data leaves.
    assert told[-1] == 0
    window.release(2000)
    assert not window.update_is_due(messages - 2000)
    window.release(messages - 2000)
    assert window.update_is_due(0)
    assert window.advertise(0) == 1 << 20


@pytest.mark.parametrize("size", [86, 100, 512])
def test_messages_that_are_not_tiny_can_use_the_whole_window(size: int) -> None:
    window = Window(1 << 20, SEGMENT)
    messages = 0
    while window.credit:
        before = window.credit
        length = min(size, before)
        window.receive(length)
        messages += 1
        assert window.advertise(messages) == before - length
    assert window.held == 1 << 20
    assert messages < window.places(0)
