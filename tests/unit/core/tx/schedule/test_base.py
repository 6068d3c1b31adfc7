"""Stream schedulers by themselves (RFC 8260 section 3): which message is next, whatever comes and is taken back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sctpx.core.tx.out_message import OutMessage
from sctpx.core.tx.schedule import make_schedule as make
from sctpx.core.tx.schedule.base import Schedule, Wrapper

EVERY = ("fcfs", "rr", "rr_pkt", "prio", "fc", "wfq")
BY_STREAM = EVERY[1:]
FAIR = ("fc", "wfq")


def message(stream: int, size: int = 100) -> OutMessage:
    return OutMessage(bytes(size), stream, 0, 0, b"", None)


def pushed(schedule: Schedule, *what: tuple[int, int]) -> list[OutMessage]:
    """Messages as (stream, size) are handed over."""
    messages = [message(stream, size) for stream, size in what]
    for one in messages:
        schedule.push(one)
    return messages


def cut(schedule: Schedule, size: int = 100, packet: bool = False) -> OutMessage:
    """A chunk of no more than so many bytes is cut, which fills a packet or does not: of which message."""
    one = schedule.peek()
    assert one is not None
    count = min(size, len(one.data) - one.offset)
    one.offset += count
    schedule.take(count)
    if packet:
        schedule.end_packet()
    return one


def streams(schedule: Schedule, size: int = 100, packet: bool = False) -> list[int]:
    """The streams of all chunks that can be cut."""
    found = []
    while len(schedule):
        found.append(cut(schedule, size, packet).stream)
    assert schedule.peek() is None
    return found


# --- what holds for each of them ---


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_the_messages_of_a_stream_keep_their_order(name: str, interleaves: bool) -> None:
    schedule = make(name, interleaves, {})
    messages = pushed(schedule, *[(number % 3, 100 + 50 * (number % 4)) for number in range(20)])
    assert len(schedule) == 20
    done = []
    while len(schedule):
        one = cut(schedule)
        if one.is_cut:
            done.append(one)
    for stream in range(3):
        assert [one for one in done if one.stream == stream] == [one for one in messages if one.stream == stream]


@pytest.mark.parametrize("name", EVERY)
def test_without_interleaving_a_message_that_was_begun_is_finished_first(name: str) -> None:
    """RFC 8260 section 1.1: DATA chunks of two messages never alternate."""
    schedule = make(name, False, {1: 0, 2: 9})
    [first] = pushed(schedule, (2, 300))
    assert cut(schedule) is first
    pushed(schedule, (1, 100), (2, 100))
    schedule.on_value(1)
    assert schedule.peek() is first
    assert schedule.lasts
    assert [cut(schedule, packet=True), cut(schedule, packet=True)] == [first, first]
    assert streams(schedule) in ([1, 2], [2, 1])


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_all_that_waits_is_told_as_it_came(name: str, interleaves: bool) -> None:
    schedule = make(name, interleaves, {1: 9, 2: 0})
    messages = pushed(schedule, (1, 100), (2, 100), (1, 100), (3, 100))
    assert schedule.messages() == messages
    schedule.peek()
    assert schedule.messages() == messages


def test_a_message_that_has_to_go_on_is_told_first() -> None:
    """Whoever takes over from this schedule must finish it."""
    schedule = make("prio", False, {1: 9, 2: 0})
    first, second, third = pushed(schedule, (1, 100), (2, 300), (2, 100))
    assert cut(schedule) is second
    assert schedule.messages() == [second, first, third]
    other = make("rr", False, {})
    for one in schedule.messages():
        other.push(one)
    assert [cut(other) for _ in range(4)] == [second, second, first, third]


def test_with_interleaving_none_has_to_go_on() -> None:
    schedule = make("prio", True, {1: 9, 2: 0})
    first, second = pushed(schedule, (1, 100), (2, 300))
    assert cut(schedule) is second
    assert schedule.messages() == [first, second]
    other = make("rr", True, {})
    for one in (second, first):
        other.push(one)
    assert [cut(other) for _ in range(3)] == [second, first, second]


@pytest.mark.parametrize("name", BY_STREAM)
def test_the_next_message_stays_the_next_one_unless_streams_take_turns(name: str) -> None:
    assert make(name, False, {}).lasts
    schedule = make(name, True, {})
    pushed(schedule, (1, 100), (1, 100))
    assert schedule.lasts
    pushed(schedule, (2, 100))
    assert schedule.lasts is (name == "prio")
    assert [make(each, False, {}).one_stream for each in EVERY] == [False, False, True, False, False, False]


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_message_that_is_taken_back_makes_room_for_the_next_one(name: str, begun: bool, interleaves: bool) -> None:
    """RFC 3758 section 3.5: whatever was sent of it, no more will be."""
    schedule = make(name, interleaves, {})
    first, second, third = pushed(schedule, (1, 300), (1, 100), (2, 100))
    assert (cut(schedule) if begun else schedule.peek()) is first
    schedule.remove(first)
    assert len(schedule) == 2
    assert schedule.messages() == [second, third]
    assert {cut(schedule), cut(schedule)} == {second, third}
    assert (schedule.peek(), len(schedule)) == (None, 0)
    [again] = pushed(schedule, (1, 100))
    assert cut(schedule) is again


@pytest.mark.parametrize("name", EVERY)
def test_a_message_in_the_middle_is_taken_back_and_nothing_else_changes(name: str) -> None:
    schedule = make(name, False, {})
    first, second, third = pushed(schedule, (1, 300), (1, 100), (1, 100))
    assert cut(schedule) is first
    schedule.remove(second)
    assert [cut(schedule) for _ in range(3)] == [first, first, third]


def test_after_a_message_that_was_begun_is_taken_back_the_most_important_one_is_next() -> None:
    schedule = make("prio", False, {1: 0, 2: 9})
    [slow] = pushed(schedule, (2, 300))
    assert cut(schedule) is slow
    [waits] = pushed(schedule, (2, 100))
    schedule.remove(slow)
    assert schedule.peek() is waits
    [urgent] = pushed(schedule, (1, 100))
    assert [cut(schedule), cut(schedule)] == [urgent, waits]


# --- round robin (sections 3.2 and 3.3) ---


@pytest.mark.parametrize(("interleaves", "expected"), [(False, [1, 1, 1, 2, 3, 1, 2]), (True, [1, 2, 3, 1, 2, 1, 1])])
def test_streams_take_turns_by_messages_or_chunks(interleaves: bool, expected: list[int]) -> None:
    schedule = make("rr", interleaves, {})
    pushed(schedule, (1, 300), (1, 100), (2, 100), (2, 100), (3, 100))
    assert streams(schedule) == expected


def test_streams_take_turns_by_packets_and_a_packet_that_nobody_filled_is_no_turn() -> None:
    schedule = make("rr_pkt", True, {})
    pushed(schedule, *[(stream, 100) for stream in (1, 2, 1, 2, 1, 2, 1, 2)])
    schedule.end_packet()
    found = []
    for _ in range(4):
        found += [cut(schedule).stream, cut(schedule, packet=True).stream]
        schedule.end_packet()
    assert found == [1, 1, 2, 2, 1, 1, 2, 2]


def test_a_stream_whose_turn_ends_with_its_last_message_leaves_the_turn_to_the_next_one() -> None:
    schedule = make("rr_pkt", True, {})
    pushed(schedule, (1, 100), (2, 100), (3, 100))
    assert streams(schedule, packet=True) == [1, 2, 3]
    pushed(schedule, (1, 100), (2, 100), (2, 100))
    assert streams(schedule, packet=True) == [1, 2, 2]


# --- fair shares (sections 3.5 and 3.6) ---


@pytest.mark.parametrize("name", FAIR)
@pytest.mark.parametrize("interleaves", [False, True])
def test_equal_streams_take_turns_for_ever(name: str, interleaves: bool) -> None:
    """No byte is counted that was not sent, or one stream would soon be ahead."""
    schedule = make(name, interleaves, {})
    pushed(schedule, *[(stream, 100) for stream in (1, 2)] * 20)
    assert streams(schedule) == [1, 2] * 20


@pytest.mark.parametrize("name", FAIR)
def test_large_messages_count_as_many_bytes_as_they_have(name: str) -> None:
    schedule = make(name, False, {})
    pushed(schedule, (1, 300), (1, 300), *[(2, 100)] * 6)
    assert streams(schedule) == [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("values", "counts"), [({1: 4}, (4, 1)), ({1: 1, 2: 4}, (1, 4)), ({1: 0, 2: 2}, (1, 2)), ({1: 0}, (1, 1))]
)
def test_streams_get_as_much_as_their_weights_say_and_1_is_the_weight_of_others(
    values: dict[int, int], counts: tuple[int, int]
) -> None:
    schedule = make("wfq", True, values)
    pushed(schedule, *[(stream, 100) for stream in (1, 2)] * 60)
    first = [cut(schedule).stream for _ in range(10 * sum(counts))]
    assert (first.count(1), first.count(2)) == (10 * counts[0], 10 * counts[1])


def begin(schedule: Schedule, sizes: Sequence[tuple[int, int]]) -> None:
    """These are sent."""
    pushed(schedule, *sizes)
    streams(schedule, 10_000)


@pytest.mark.parametrize("name", FAIR)
def test_when_nobody_waits_what_was_sent_before_is_forgotten(name: str) -> None:
    schedule = make(name, True, {})
    begin(schedule, [(1, 5000), (2, 100)])
    pushed(schedule, (1, 100), (2, 100), (1, 100), (2, 100))
    assert streams(schedule) == [1, 2, 1, 2]
    first, second = pushed(schedule, (1, 5000), (2, 100))
    assert cut(schedule, 5000) is first
    schedule.remove(second)
    pushed(schedule, (1, 100), (2, 100), (1, 100), (2, 100))
    assert streams(schedule) == [1, 2, 1, 2]


@pytest.mark.parametrize("name", FAIR)
def test_a_stream_that_has_sent_much_waits_though_it_had_nothing_to_send_in_between(name: str) -> None:
    schedule = make(name, True, {})
    pushed(schedule, (1, 450), *[(2, 100)] * 9)
    assert cut(schedule, 450).stream == 1
    pushed(schedule, (1, 100))
    assert streams(schedule) == [2, 2, 2, 2, 2, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("name", FAIR)
def test_a_stream_that_was_silent_begins_where_the_others_are(name: str) -> None:
    schedule = make(name, True, {})
    pushed(schedule, *[(1, 100)] * 10)
    for _ in range(5):
        cut(schedule)
    pushed(schedule, *[(2, 100)] * 5)
    assert streams(schedule)[:6] == [2, 1, 2, 1, 2, 1]


# --- a schedule around another one ---


def test_a_wrapper_does_what_the_schedule_in_it_does() -> None:
    inner = make("rr_pkt", True, {})
    schedule = Wrapper(inner)
    first, second, third = pushed(schedule, (1, 200), (2, 100), (1, 100))
    assert (len(schedule), schedule.messages(), schedule.one_stream) == (3, [first, second, third], True)
    assert schedule.lasts is inner.lasts is False
    assert cut(schedule, packet=True) is first
    assert schedule.peek() is second
    schedule.remove(second)
    assert [cut(schedule), cut(schedule)] == [first, third]
    assert (len(schedule), len(inner), schedule.lasts) == (0, 0, inner.lasts)
    values = {1: 0, 2: 1}
    by_priority = Wrapper(make("prio", False, values))
    one, other = pushed(by_priority, (1, 100), (2, 100))
    assert by_priority.peek() is one
    values[1] = 2
    by_priority.on_value(1)
    assert by_priority.peek() is other
