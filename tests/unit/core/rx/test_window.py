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


@pytest.mark.parametrize(("size", "segment", "step"), [(10_000, 1500, 1500), (2000, 1500, 1000), (3001, 1500, 1500)])
def test_the_window_opens_by_a_segment_or_half_of_the_buffer(size: int, segment: int, step: int) -> None:
    """RFC 1122 section 4.2.3.3: the lesser of the two. The buffer may be given this size later."""
    resized = Window(100_000, 500)
    resized.receive(100_000)
    resized.release(100_000)
    resized.resize(size, segment)
    resized.credit = 0
    full = Window(size, segment)
    full.receive(size)
    full.release(size)
    for window in (full, resized):
        window.held = size - step + 1
        assert window.advertise(0) == 0
        window.held = size - step
        assert window.advertise(0) == step


def test_a_buffer_is_never_made_smaller_than_what_it_holds() -> None:
    window = Window(10_000, 1500)
    window.receive(6000)
    window.resize(4000, 1500)
    assert (window.size, window.room, window.credit) == (6000, 0, 4000)
    window.receive(5000)
    assert (window.credit, window.held) == (0, 11_000)
    window.receive(0)
    assert window.credit == 0


@pytest.mark.parametrize(("size", "segment", "due"), [(10_000, 1500, 2500), (4000, 1500, 1500), (10_000, 4000, 4000)])
def test_an_update_is_due_when_a_quarter_of_the_buffer_and_a_step_are_free(size: int, segment: int, due: int) -> None:
    window = Window(size, segment)
    window.receive(size)
    window.held = size - due + 1
    assert not window.update_is_due(0)
    window.held = size - due
    assert window.update_is_due(0)


def test_so_many_messages_have_room_beside_the_data_that_is_held_and_comes() -> None:
    window = Window(1024, 500)
    assert window.places(0) == MEMORY * 1024 // MESSAGE == 16
    assert [window.places(data) for data in (256, 257, 512)] == [15, 14, 14]
    assert window.places(0, 2) == 32
    window.receive(300)
    assert (window.places(0), window.room) == (14, 724)


def test_of_tiny_messages_as_many_bytes_are_told_as_fit_into_the_memory() -> None:
    """From three quarters of it on: 4 KiB, of which a message of one byte takes 257."""
    window = Window(1024, 50)
    window.held = 12
    assert (window.advertise(11), window.update_is_due(11)) == (1024, False)
    window.held, window.credit = 256, 0
    cost = 256 + 11 * MESSAGE
    assert 4 * cost == 3 * MEMORY * 1024
    assert (window.update_is_due(11), window.advertise(11)) == (True, 768)  # Just three quarters.
    window.credit = 0
    assert not window.update_is_due(12)
    assert window.advertise(12) == (MEMORY * 1024 - cost - MESSAGE) * 256 // (cost + MESSAGE) > 0
    assert window.advertise(16) == 0
