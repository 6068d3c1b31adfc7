"""``Interleaved`` against messages that are known beforehand, cut into I-DATA fragments that come in any order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.rx.interleaved import Interleaved
from sctpx.core.rx.streams import MORE, UNORDERED, Message
from sctpx.wire.codes import DATA_BEGIN, DATA_END, DATA_UNORDERED
from sctpx.wire.serial import MID_MASK

LARGE = 1 << 20


@dataclass(frozen=True)
class Fragment:
    """What an I-DATA chunk says, and which message it is of."""

    index: int
    flags: int
    stream: int
    mid: int
    last: int
    data: bytes


@dataclass(frozen=True)
class Sent:
    """A message as it was sent."""

    stream: int
    unordered: bool
    parts: tuple[bytes, ...]
    mid: int = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    def fragment(self, index: int, place: int, ppid: int = 60) -> Fragment:
        flags = DATA_UNORDERED if self.unordered else 0
        flags |= DATA_BEGIN if place == 0 else 0
        flags |= DATA_END if place == len(self.parts) - 1 else 0
        return Fragment(index, flags, self.stream, self.mid, ppid if place == 0 else place, self.parts[place])


def numbered(messages: list[Sent]) -> list[Sent]:
    """With the MIDs they get: one counter for ordered and one for unordered messages of each stream."""
    counters: dict[tuple[int, bool], int] = {}
    found = []
    for message in messages:
        mid = counters.get((message.stream, message.unordered), 0)
        counters[message.stream, message.unordered] = mid + 1
        found.append(Sent(message.stream, message.unordered, message.parts, mid))
    return found


def cut(messages: list[Sent]) -> list[Fragment]:
    return [
        message.fragment(index, place) for index, message in enumerate(messages) for place in range(len(message.parts))
    ]


@st.composite
def message_lists(draw: st.DrawFn) -> list[Sent]:
    """Messages whose data say which they are."""
    found = []
    for number, size in enumerate(draw(st.lists(st.integers(1, 5), min_size=1, max_size=10))):
        parts = [b"%d.%d," % (number, place) * draw(st.integers(1, 3)) for place in range(size)]
        found.append(Sent(draw(st.integers(0, 2)), draw(st.booleans()), tuple(parts)))
    return numbered(found)


def receive(streams: Interleaved, fragment: Fragment, tsn: int = 1) -> str:
    return streams.receive(
        tsn, fragment.flags, fragment.stream, fragment.mid, fragment.last, fragment.data, in_sequence=False
    )


def whole(delivered: list[Message]) -> list[tuple[int, bool, bytes]]:
    """Messages put together from their parts: of one stream, no two ever mix."""
    parts: dict[int, list[Message]] = {}
    found = []
    for message in delivered:
        before = parts.setdefault(message[1], [])
        if before:
            assert (message[3], message[5] & UNORDERED) == (before[0][3], before[0][5] & UNORDERED)
        before.append(message)
        if not message[5] & MORE:
            found.append((message[1], message[5] & UNORDERED != 0, b"".join([part[0] for part in before])))
            before.clear()
    return found


@given(st.data(), message_lists(), st.sampled_from([LARGE, 40, 6]), st.sampled_from([LARGE, 60, 10]))
def test_messages_arrive_whole_and_in_order_whatever_order_their_fragments_come_in(
    data: st.DataObject, messages: list[Sent], partial_limit: int, hold_limit: int
) -> None:
    streams = Interleaved(partial_limit, hold_limit)
    for tsn, fragment in enumerate(data.draw(st.permutations(cut(messages)))):
        assert receive(streams, fragment, tsn) == ""
        assert streams.advance(tsn) == ""
    found = whole(streams.ready)
    assert sorted(found) == sorted([(one.stream, one.unordered, one.data) for one in messages])
    for stream in range(3):
        ordered = [one.data for one in messages if one.stream == stream and not one.unordered]
        assert [data for where, unordered, data in found if where == stream and not unordered] == ordered
    assert streams.apart == 0
    assert {message[2] for message in streams.ready} == {60}


@given(st.data(), message_lists())
def test_what_is_complete_and_in_turn_is_readable_at_once(data: st.DataObject, messages: list[Sent]) -> None:
    streams = Interleaved(LARGE, LARGE)
    arrived: set[Fragment] = set()
    fragments = cut(messages)
    for fragment in data.draw(st.permutations(fragments)):
        receive(streams, fragment)
        arrived.add(fragment)
        expected = set()
        waiting: set[int] = set()
        for index, message in enumerate(messages):
            complete = {one for one in fragments if one.index == index} <= arrived
            if complete and (message.unordered or message.stream not in waiting):
                expected.add(message.data)
            elif not message.unordered:
                waiting.add(message.stream)
        assert {message[0] for message in streams.ready} == expected


@given(st.data(), message_lists(), st.sampled_from([LARGE, 6]), st.sampled_from([LARGE, 12]))
def test_what_is_skipped_holds_up_nothing(
    data: st.DataObject, messages: list[Sent], partial_limit: int, hold_limit: int
) -> None:
    """Messages are given up; some of their fragments came before, and none comes after (RFC 8260 section 2.3.1)."""
    streams = Interleaved(partial_limit, hold_limit)
    given_up = data.draw(st.sets(st.integers(0, len(messages) - 1)))
    held = 0
    before = [one for one in data.draw(st.permutations(cut(messages))) if data.draw(st.booleans())]
    for fragment in before:
        receive(streams, fragment)
        held += len(fragment.data)
    # Whatever the peer names is the largest number it gives up, so what lies below has arrived or is given up too.
    largest = {(one.stream, one.unordered): one.mid for index, one in enumerate(messages) if index in given_up}
    arrived = set(before)
    for fragment in cut(messages):
        message = messages[fragment.index]
        below = message.mid <= largest.get((message.stream, message.unordered), -1)
        if below and fragment.index not in given_up and fragment not in arrived:
            receive(streams, fragment)
            arrived.add(fragment)
            held += len(fragment.data)
    dropped, broken = streams.skip(0, [(stream, mid, unordered) for (stream, unordered), mid in largest.items()])
    held -= dropped
    for fragment in cut(messages):
        if fragment.index not in given_up and fragment not in arrived:
            assert receive(streams, fragment) == ""
            held += len(fragment.data)
            arrived.add(fragment)
    complete = [
        one
        for index, one in enumerate(messages)
        if {fragment for fragment in cut(messages) if fragment.index == index} <= arrived
    ]
    ready = streams.ready
    for lost in broken:  # What was read of them in parts is thrown away by the user.
        at = [one for one in ready if one[1] == lost.stream and one[3] == lost.ssn and one[5] & MORE]
        assert at
    ended = [one for one in ready if not one[5] & MORE]
    assert len(ended) == len(complete)
    if not broken:
        assert sorted(whole(ready)) == sorted([(one.stream, one.unordered, one.data) for one in complete])
    assert streams.apart == 0
    assert held == sum(len(one[0]) for one in ready)


@pytest.mark.parametrize(
    ("fragments", "violation"),
    [
        ([(2, 0, 60), (2, 0, 60)], "a message begins twice"),
        ([(0, 0, 2), (0, 0, 2)], "one FSN for two fragments"),
        ([(2, 0, 60), (0, 0, 1), (0, 0, 1)], "one FSN for two fragments"),
        ([(0, 0, 0)], "one FSN for two fragments"),
        ([(1, 0, 2), (1, 0, 3)], "a message ends twice"),
        ([(1, 0, 2), (0, 0, 3)], "a fragment behind the end of its message"),
        ([(0, 0, 3), (1, 0, 2), (2, 0, 60), (0, 0, 1)], "a fragment behind the end of its message"),
        ([(3, 0, 60), (3, 0, 60)], "a message that was received before"),
        ([(3, 0, 60), (0, 0, 1)], "a message that was received before"),
        ([(3, MID_MASK, 60)], "a message that was received before"),
    ],
)
def test_what_breaks_the_rules_of_fragmentation_is_a_violation(
    fragments: list[tuple[int, int, int]], violation: str
) -> None:
    streams = Interleaved(LARGE, LARGE)
    said = [streams.receive(1, flags, 5, mid, last, b"x", in_sequence=True) for flags, mid, last in fragments]
    assert said[-1] == violation
    assert not any(said[:-1])


def test_large_messages_that_fill_the_buffer_together_are_handed_over_in_parts() -> None:
    streams = Interleaved(LARGE, 10_000)
    for place in range(3):
        for stream in range(5):
            flags = DATA_BEGIN if place == 0 else 0
            assert streams.receive(1, flags, stream, 0, place, bytes(1000), in_sequence=True) == ""
    assert sum(len(message[0]) for message in streams.ready) >= 5000
    assert all(message[5] & MORE for message in streams.ready)


def test_the_ssn_of_a_message_is_the_low_half_of_its_mid() -> None:
    streams = Interleaved(LARGE, LARGE)
    streams.skip(0, [(0, 0x12345677, False)])
    streams.receive(1, 3, 0, 0x12345678, 60, b"x", in_sequence=True)
    assert streams.ready == [(b"x", 0, 60, 0x5678, 1, 0)]


def test_message_identifiers_go_round() -> None:
    streams = Interleaved(LARGE, LARGE)
    for number in (0x7FFFFFFF, 0xFFFFFFFE):
        streams.skip(0, [(0, number, False)])
    for mid in (0, 1, MID_MASK):
        assert streams.receive(1, 3, 0, mid, 60, b"%d" % mid, in_sequence=True) == ""
    assert [message[0] for message in streams.ready] == [b"4294967295", b"0", b"1"]


def test_after_a_reset_numbers_begin_at_0() -> None:
    streams = Interleaved(LARGE, LARGE)
    for stream in (1, 2, 3):
        streams.receive(1, 3, stream, 0, 60, b"x", in_sequence=True)
    streams.reset([1, 3])
    assert [streams.receive(1, 3, stream, 0, 60, b"x", in_sequence=True) for stream in (1, 3)] == ["", ""]
    assert streams.receive(1, 3, 2, 0, 60, b"x", in_sequence=True) == "a message that was received before"
    streams.reset([])
    assert streams.receive(1, 3, 2, 0, 60, b"x", in_sequence=True) == ""


def test_what_was_handed_over_in_parts_is_broken_off() -> None:
    streams = Interleaved(10, LARGE)
    streams.receive(1, 2, 3, 0, 60, bytes(20), in_sequence=True)
    streams.receive(2, 7, 3, 0, 60, b"waits", in_sequence=True)
    assert len(streams.ready) == 1
    [broken] = streams.break_off()
    assert (broken.stream, broken.ssn) == (3, 0)
    assert streams.ready[1][0] == b"waits"


def test_a_reset_hands_over_what_is_whole_and_drops_the_rest_of_its_streams() -> None:
    streams = Interleaved(LARGE, LARGE)
    streams.receive(1, 3, 1, 4, 60, b"four", in_sequence=True)
    streams.receive(2, 3, 1, 2, 60, b"two", in_sequence=True)
    streams.receive(3, 2, 1, 0, 60, b"begun", in_sequence=True)
    streams.receive(4, 2, 2, 0, 60, b"other", in_sequence=True)
    assert streams.reset([1]) == (5, [])
    assert [message[0] for message in streams.ready] == [b"two", b"four"]
    assert streams.apart == 1
    streams.receive(5, 3, 1, 0, 60, b"new", in_sequence=True)
    assert streams.ready[-1][0] == b"new"


def test_a_flush_drops_what_is_not_whole_unordered_messages_too() -> None:
    streams = Interleaved(10, LARGE)
    streams.receive(1, 2, 1, 0, 60, bytes(20), in_sequence=True)
    streams.receive(2, 6, 1, 0, 60, b"unordered", in_sequence=True)
    streams.receive(3, 3, 2, 1, 60, b"ahead", in_sequence=True)
    dropped, broken = streams.flush()
    assert (dropped, [(one.stream, one.ssn) for one in broken]) == (9, [(1, 0)])
    assert streams.ready[-1][0] == b"ahead"
    assert streams.apart == 0
