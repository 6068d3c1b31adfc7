"""``Reassembly`` against messages that are known beforehand, cut into fragments that come in any order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.rx.reassembly import Reassembly
from sctpx.core.rx.streams import MORE, TINY, UNORDERED, Message
from sctpx.core.rx.tsn_map import TsnMap
from sctpx.wire.codes import DATA_BEGIN, DATA_END, DATA_IMMEDIATE, DATA_UNORDERED
from sctpx.wire.serial import TSN_MASK
from tests.sweeps import some

INITIAL = (1 << 33) - 3
"""The TSN wraps on the wire soon."""
LARGE = 1 << 20


@dataclass(frozen=True)
class Fragment:
    """What a DATA chunk says."""

    tsn: int
    flags: int
    stream: int
    ssn: int
    ppid: int
    data: bytes


@dataclass(frozen=True)
class Sent:
    """A message as it was sent."""

    stream: int
    unordered: bool
    parts: tuple[bytes, ...]
    ppid: int = 0


@dataclass
class Receiver:
    """What is around a ``Reassembly``: it is told what is in sequence, and read from now and then."""

    reassembly: Reassembly
    tsn_map: TsnMap = field(default_factory=lambda: TsnMap(INITIAL))
    read: list[Message] = field(default_factory=list)

    def receive(self, fragment: Fragment) -> str:
        """One new chunk; what it violates."""
        self.tsn_map.record(fragment.tsn)
        cumulative_tsn = self.tsn_map.cumulative_tsn
        violation = self.reassembly.receive(
            fragment.tsn,
            fragment.flags,
            fragment.stream,
            fragment.ssn,
            fragment.ppid,
            fragment.data,
            fragment.tsn <= cumulative_tsn,
        )
        return violation or self.reassembly.advance(cumulative_tsn)

    @property
    def delivered(self) -> list[Message]:
        """Everything handed over so far."""
        return self.read + self.reassembly.ready

    def take(self) -> None:
        """The user reads."""
        self.read += self.reassembly.ready
        self.reassembly.ready = []


def cut(messages: list[Sent]) -> list[Fragment]:
    """The chunks of messages, in the order of their TSNs."""
    fragments: list[Fragment] = []
    ssns: dict[int, int] = {}
    for message in messages:
        ssn = ssns.get(message.stream, 0)
        if not message.unordered:
            ssns[message.stream] = ssn + 1
        for index, part in enumerate(message.parts):
            flags = DATA_UNORDERED if message.unordered else 0
            flags |= DATA_BEGIN if index == 0 else 0
            flags |= DATA_END if index == len(message.parts) - 1 else 0
            fragments.append(
                Fragment(INITIAL + len(fragments), flags, message.stream, ssn, message.ppid + (index > 0), part)
            )
    return fragments


def whole(delivered: list[Message]) -> list[Message]:
    """Messages whose parts follow each other, put together; nothing may come between the parts."""
    found: list[Message] = []
    parts: list[Message] = []
    for message in delivered:
        if parts:
            assert (message[1], message[5] & UNORDERED) == (parts[0][1], parts[0][5] & UNORDERED)
            assert message[3] == parts[0][3] or message[5] & UNORDERED
        parts.append(message)
        if not message[5] & MORE:
            data = b"".join([part[0] for part in parts])
            found.append((data, *parts[0][1:3], *message[3:]))
            parts = []
    return found


def open_part(delivered: list[Message]) -> bool:
    """True if a message is being handed over in parts."""
    return bool(delivered) and bool(delivered[-1][5] & MORE)


def deliverable(messages: list[Sent], fragments: list[Fragment], received: set[int]) -> set[int]:
    """The messages, by their index, that the user could have by now (section 6.6)."""
    found: set[int] = set()
    blocked: set[int] = set()
    tsns = iter(fragments)
    for index, message in enumerate(messages):
        complete = {next(tsns).tsn for _ in message.parts} <= received
        if complete and (message.unordered or message.stream not in blocked):
            found.add(index)
        elif not message.unordered:
            blocked.add(message.stream)
    return found


@st.composite
def message_lists(draw: st.DrawFn, streams: int = 3) -> list[Sent]:
    """Messages whose data say which they are."""
    number = count(1)
    sizes = draw(st.lists(st.integers(1, 6) | st.just(1), min_size=1, max_size=12))
    return [
        Sent(
            draw(st.integers(0, streams - 1)),
            draw(st.booleans()),
            tuple([b"%d." % next(number) * draw(st.integers(1, 3)) for _ in range(size)]),
            draw(st.integers(0, 5)) * 10,
        )
        for size in sizes
    ]


@st.composite
def arrivals(draw: st.DrawFn, fragments: list[Fragment]) -> list[Fragment]:
    """An order in which chunks come: quite any, or with some that are late."""
    if draw(st.booleans()):
        return draw(st.permutations(fragments))
    late = draw(st.sets(st.sampled_from(fragments)))
    return [fragment for fragment in fragments if fragment not in late] + draw(
        st.permutations(sorted(late, key=tsn_of))
    )


def tsn_of(fragment: Fragment) -> int:
    return fragment.tsn


@given(data=st.data(), messages=message_lists(), buffer=st.sampled_from([LARGE, 100, 40, 16]))
def test_every_message_comes_once_and_whole_and_in_the_order_of_its_stream(
    data: st.DataObject, messages: list[Sent], buffer: int
) -> None:
    fragments = cut(messages)
    receiver = Receiver(Reassembly(buffer // 2))
    received: set[int] = set()
    for fragment in data.draw(arrivals(fragments)):
        flags = fragment.flags | data.draw(st.sampled_from([0, DATA_IMMEDIATE, 0x80]))
        assert receiver.receive(replace(fragment, flags=flags)) == ""
        received.add(fragment.tsn)
        come = whole(receiver.delivered)
        could = deliverable(messages, fragments, received)
        # Nothing early; nothing late either, unless a message is being handed over in parts.
        texts = {b"".join(messages[index].parts) for index in could}
        assert {message[0] for message in come} <= texts
        assert open_part(receiver.delivered) or len(come) == len(could)
        if data.draw(st.booleans()):
            receiver.take()
    ends = {fragment.tsn for fragment in fragments if fragment.flags & DATA_END}
    expected = []
    tsns = iter(sorted(ends))
    for message in messages:
        tsn = next(tsns)
        ssn = next(fragment.ssn for fragment in fragments if fragment.tsn == tsn)
        flags = UNORDERED if message.unordered else 0
        expected.append((b"".join(message.parts), message.stream, message.ppid, ssn, tsn & TSN_MASK, flags))
    come = whole(receiver.delivered)
    assert sorted(come) == sorted(expected)
    for stream in range(3):
        ordered = [message for message in come if message[1] == stream and not message[5] & UNORDERED]
        assert ordered == [message for message in expected if message[1] == stream and not message[5] & UNORDERED]


@given(data=st.data(), messages=message_lists(streams=1))
def test_parts_are_handed_over_before_half_of_the_buffer_is_held(data: st.DataObject, messages: list[Sent]) -> None:
    buffer = 24
    fragments = cut(messages)
    receiver = Receiver(Reassembly(buffer // 2))
    received: set[int] = set()
    for fragment in data.draw(arrivals(fragments)):
        assert receiver.receive(fragment) == ""
        received.add(fragment.tsn)
        run = receiver.reassembly.open_run
        if run is not None:
            assert run.end == receiver.tsn_map.cumulative_tsn + 1
            assert run.length == sum(map(len, run.parts))
            assert run.length < buffer // 2


@given(data=st.data(), messages=message_lists())
def test_every_breach_of_the_rules_of_fragmentation_is_found_and_nothing_else(
    data: st.DataObject, messages: list[Sent]
) -> None:
    fragments = cut(messages)
    index = data.draw(st.integers(0, len(fragments) - 1))
    victim = fragments[index]
    flag = data.draw(st.sampled_from([DATA_BEGIN, DATA_END, DATA_UNORDERED]))
    changes: list[Fragment] = [replace(victim, flags=victim.flags ^ flag)]
    if victim.flags & (DATA_BEGIN | DATA_END) != DATA_BEGIN | DATA_END:
        changes.append(replace(victim, stream=victim.stream + 10))
        if not victim.flags & DATA_UNORDERED:
            changes.append(replace(victim, ssn=victim.ssn + 1000))
    fragments[index] = data.draw(st.sampled_from(changes))
    receiver = Receiver(Reassembly(LARGE // 2))
    found = [receiver.receive(fragment) for fragment in data.draw(arrivals(fragments))]
    assert any(found) == breaks_the_rules(fragments)


def breaks_the_rules(fragments: list[Fragment]) -> bool:
    """Whether chunks in the order of their TSNs make messages (section 6.9)."""
    begun: Fragment | None = None
    for fragment in fragments:
        if fragment.flags & DATA_BEGIN:
            if begun is not None:
                return True
            begun = fragment
        if begun is None or begun.stream != fragment.stream or (begun.flags ^ fragment.flags) & DATA_UNORDERED:
            return True
        if begun.ssn != fragment.ssn and not fragment.flags & DATA_UNORDERED:
            return True
        if fragment.flags & DATA_END:
            begun = None
    return False


def test_stream_sequence_numbers_go_round() -> None:
    receiver = Receiver(Reassembly(LARGE // 2))
    total = 65536 + 10
    for number in range(total):
        fragment = Fragment(INITIAL + number, DATA_BEGIN | DATA_END, 7, number & 0xFFFF, 0, b"%d" % number)
        assert receiver.receive(fragment) == ""
    assert [message[0] for message in receiver.delivered] == [b"%d" % number for number in range(total)]


@pytest.mark.parametrize("first", some([65535], [65534, 65536]))
def test_messages_around_the_wrap_of_their_ssn_wait_for_their_turn(first: int) -> None:
    receiver = Receiver(Reassembly(LARGE // 2))
    fragments = cut([Sent(0, False, (b"%d" % number,)) for number in range(first + 3)])
    fragments = [replace(fragment, ssn=fragment.ssn & 0xFFFF) for fragment in fragments]
    for fragment in [*fragments[:first], *reversed(fragments[first:])]:
        assert receiver.receive(fragment) == ""
    assert [message[0] for message in receiver.delivered] == [b"%d" % number for number in range(first + 3)]


def test_the_ssn_of_an_unordered_message_means_nothing() -> None:
    receiver = Receiver(Reassembly(LARGE // 2))
    flags = DATA_UNORDERED
    assert receiver.receive(Fragment(INITIAL, flags | DATA_BEGIN, 1, 500, 0, b"a")) == ""
    assert receiver.receive(Fragment(INITIAL + 1, flags, 1, 7, 0, b"b")) == ""
    assert receiver.receive(Fragment(INITIAL + 2, flags | DATA_END, 1, 0, 0, b"c")) == ""
    assert [message[0] for message in receiver.delivered] == [b"abc"]


def test_two_messages_with_one_ssn_are_a_violation() -> None:
    receiver = Receiver(Reassembly(LARGE // 2))
    flags = DATA_BEGIN | DATA_END
    assert receiver.receive(Fragment(INITIAL, flags, 1, 5, 0, b"a")) == ""
    assert receiver.receive(Fragment(INITIAL + 1, flags, 1, 5, 0, b"b")) == "one SSN for two messages"


def test_what_is_finished_while_a_message_is_handed_over_in_parts_waits_for_its_end() -> None:
    receiver = Receiver(Reassembly(4))
    fragments = cut([Sent(0, False, (b"aa", b"bb", b"cccc", b"d")), Sent(1, True, (b"small",))])
    for index in (0, 1, 4):
        assert receiver.receive(fragments[index]) == ""
    assert [(message[0], message[5]) for message in receiver.delivered] == [(b"aabb", MORE)]
    assert receiver.receive(fragments[2]) == ""
    assert receiver.receive(fragments[3]) == ""
    assert [(message[0], message[5]) for message in receiver.delivered] == [
        (b"aabb", MORE),
        (b"cccc", MORE),
        (b"d", 0),
        (b"small", UNORDERED),
    ]


def test_fragments_of_a_byte_each_do_not_cost_more_than_they_hold() -> None:
    """Whatever their order: in sequence, from the end, with holes between."""
    count = 10_000
    for order in (range(count), range(count - 1, -1, -1), [*range(1, count, 2), *range(0, count, 2)]):
        reassembly = Reassembly(1 << 20)
        arrived: set[int] = set()
        cumulative = -1
        most = 0
        for tsn in order:
            arrived.add(tsn)
            while cumulative + 1 in arrived:
                cumulative += 1
            flags = (DATA_BEGIN if tsn == 0 else 0) | (DATA_END if tsn == count - 1 else 0)
            assert not reassembly.receive(tsn, flags, 0, 0, 0, bytes([tsn & 255]), tsn <= cumulative)
            assert not reassembly.advance(cumulative)
            run = reassembly.open_run
            if run is not None:
                most = max(most, len(run.parts) + len(run.front or ()))
        [message] = reassembly.ready
        assert message[0] == bytes([tsn & 255 for tsn in range(count)])
        assert most <= 2 * count // TINY + 2
        assert reassembly.apart == 0


def test_what_waits_for_others_is_counted() -> None:
    reassembly = Reassembly(1 << 20)
    whole_message = DATA_BEGIN | DATA_END
    reassembly.receive(5, whole_message, 0, 3, 0, b"waits for its turn", False)
    reassembly.receive(7, DATA_BEGIN, 1, 0, 0, b"waits for its end", False)
    assert reassembly.apart == 2


def test_what_waited_for_the_end_of_a_message_in_parts_can_be_read_when_that_is_broken_off() -> None:
    reassembly = Reassembly(10)
    reassembly.receive(0, DATA_BEGIN, 0, 0, 0, bytes(20), True)
    reassembly.receive(2, DATA_BEGIN | DATA_END | DATA_UNORDERED, 0, 0, 0, b"whole", False)
    assert [message[0] for message in reassembly.ready] == [bytes(20)]
    assert reassembly.apart == 1
    [broken] = reassembly.break_off()
    assert (broken.stream, broken.ssn) == (0, 0)
    assert [message[0] for message in reassembly.ready] == [bytes(20), b"whole"]
    assert Reassembly(10).break_off() == []


def test_a_lower_limit_hands_over_what_is_there_of_the_open_message() -> None:
    receiver = Receiver(Reassembly(LARGE))
    first, second, last = cut([Sent(0, False, (bytes(1000), bytes(1000), b"end"))])
    receiver.receive(first)
    receiver.receive(second)
    receiver.reassembly.limit(3000, LARGE)
    assert receiver.reassembly.ready == []
    receiver.reassembly.limit(2000, LARGE)
    [part] = receiver.reassembly.ready
    assert (len(part[0]), part[5]) == (2000, MORE)
    receiver.receive(last)
    assert [message[0] for message in receiver.reassembly.ready] == [bytes(2000), b"end"]


@given(st.data(), message_lists(), st.sampled_from([LARGE, 6]))
def test_what_is_skipped_holds_up_nothing(data: st.DataObject, messages: list[Sent], partial_limit: int) -> None:
    """Messages are given up; what is in flight of the others comes later (RFC 3758 section 3.6)."""
    receiver = Receiver(Reassembly(partial_limit))
    fragments = cut(messages)
    whose = [index for index, message in enumerate(messages) for _ in message.parts]
    given_up = data.draw(st.sets(st.integers(0, len(messages) - 1)))
    arrived = {tsn for tsn in range(len(fragments)) if data.draw(st.booleans())}
    for tsn in data.draw(st.permutations(sorted(arrived))):
        assert receiver.receive(fragments[tsn]) == ""
    # The peer goes on behind the first of what is not acknowledged and not given up.
    end = next(
        (tsn for tsn in range(len(fragments)) if tsn not in arrived and whose[tsn] not in given_up), len(fragments)
    )
    while end and whose[end - 1] not in given_up:
        end -= 1
    skipped = {
        fragments[tsn].stream: fragments[tsn].ssn
        for tsn in range(end)
        if whose[tsn] in given_up and not fragments[tsn].flags & DATA_UNORDERED
    }
    held = sum(len(fragments[tsn].data) for tsn in arrived)
    if end:
        for tsn in range(end):
            if tsn not in arrived:
                receiver.tsn_map.record(INITIAL + tsn)
        entries = [(stream, ssn, False) for stream, ssn in skipped.items()]
        dropped, _ = receiver.reassembly.skip(INITIAL + end - 1, entries)
        held -= dropped
        assert receiver.reassembly.advance(receiver.tsn_map.cumulative_tsn) == ""
    later = [tsn for tsn in range(end, len(fragments)) if tsn not in arrived]
    for tsn in data.draw(st.permutations(later)):
        assert receiver.receive(fragments[tsn]) == ""
        held += len(fragments[tsn].data)
        arrived.add(tsn)
    complete = [
        index
        for index in range(len(messages))
        if all(tsn in arrived for tsn in range(len(fragments)) if whose[tsn] == index)
    ]
    ended = [message for message in receiver.delivered if not message[5] & MORE]
    assert len(ended) == len(complete)
    assert receiver.reassembly.apart == 0
    assert held == sum(len(message[0]) for message in receiver.delivered)


def test_after_a_reset_stream_sequence_numbers_begin_at_0() -> None:
    reassembly = Reassembly(LARGE)
    whole_message = DATA_BEGIN | DATA_END
    for tsn in range(3):
        reassembly.receive(tsn, whole_message, tsn, 0, 0, b"x", True)
    reassembly.reset([1])
    reassembly.receive(3, whole_message, 1, 0, 0, b"again", True)
    reassembly.receive(4, whole_message, 2, 0, 0, b"waits", True)
    assert [message[0] for message in reassembly.ready] == [b"x", b"x", b"x", b"again"]


def test_a_reset_hands_over_what_waits_for_a_number_that_was_left_out() -> None:
    reassembly = Reassembly(LARGE)
    whole_message = DATA_BEGIN | DATA_END
    for tsn, (stream, ssn) in enumerate(((1, 7), (1, 3), (2, 5))):
        reassembly.receive(tsn, whole_message, stream, ssn, 0, b"%d" % ssn, True)
    assert reassembly.reset([1]) == (0, [])
    assert [message[0] for message in reassembly.ready] == [b"3", b"7"]
    assert reassembly.apart == 1


def test_a_flush_drops_what_is_not_whole_and_begins_anew() -> None:
    reassembly = Reassembly(10)
    reassembly.receive(0, DATA_BEGIN, 1, 0, 0, bytes(20), True)
    reassembly.receive(1, 0, 1, 0, 0, bytes(5), True)
    reassembly.receive(5, DATA_BEGIN, 2, 0, 0, bytes(3), False)
    reassembly.receive(7, DATA_BEGIN | DATA_END, 3, 4, 0, b"whole", False)
    dropped, [broken] = reassembly.flush()
    assert (dropped, broken.stream, broken.ssn) == (8, 1, 0)
    assert reassembly.ready[-1][0] == b"whole"
    assert reassembly.apart == 0
    reassembly.receive(100, DATA_BEGIN | DATA_END, 3, 0, 0, b"new", True)
    assert reassembly.ready[-1][0] == b"new"
