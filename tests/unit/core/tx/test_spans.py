"""Which TSNs belong to messages that may be abandoned: found by TSN, and forgotten with the last one."""

from __future__ import annotations

from random import Random

import pytest

from sctpx.core.timers import NEVER
from sctpx.core.tx.out_message import OutMessage
from sctpx.core.tx.reliability import RETRANSMISSIONS, Reliability
from sctpx.core.tx.spans import Spans
from sctpx.wire.ranges import Ranges


def message(cut: bool = True) -> OutMessage:
    """One with a policy, all of it in chunks or not."""
    made = OutMessage(bytes(100), 0, 0, 0, b"", None)
    made.reliability = Reliability(RETRANSMISSIONS, 0, NEVER, 0)
    made.offset = 100 if cut else 50
    return made


def tsns(one: OutMessage) -> Ranges:
    """The TSNs of its chunks."""
    assert one.reliability is not None
    return one.reliability.tsns


def test_a_tsn_leads_to_its_message_and_those_between_to_none() -> None:
    spans = Spans()
    first, second = message(), message()
    spans.add(10, 3, first)
    spans.add(15, 1, second)
    found = [spans.find(tsn) for tsn in range(9, 17)]
    assert found == [None, first, first, first, None, None, second, None]
    assert len(spans) == 2


def test_chunks_cut_one_behind_the_other_are_one_span() -> None:
    spans = Spans()
    one, other = message(), message()
    spans.add(10, 3, one)
    spans.add(13, 2, one)
    assert len(spans) == 1
    spans.add(15, 1, other)  # Next to it, of another message.
    spans.add(17, 1, other)  # Of the same message, with a gap.
    assert len(spans) == 3
    assert [spans.find(tsn) for tsn in range(12, 18)] == [one, one, one, other, None, other]
    assert (tsns(one), tsns(other)) == ([(10, 15)], [(15, 16), (17, 18)])


def test_a_span_goes_on_after_all_before_it_was_forgotten() -> None:
    spans = Spans()
    one = message(cut=False)
    spans.add(10, 2, one)
    assert spans.forget(11) == []
    assert len(spans) == 0
    spans.add(12, 2, one)
    assert [spans.find(tsn) for tsn in range(11, 15)] == [None, one, one, None]


def test_a_message_is_over_with_the_last_of_its_chunks() -> None:
    spans = Spans()
    one = message()
    spans.add(10, 3, one)
    assert spans.forget(9) == spans.forget(11) == []
    assert spans.find(10) is one, "the span is forgotten whole"
    assert spans.forget(12) == [one]
    assert (spans.forget(12), spans.find(12), len(spans)) == ([], None, 0)


def test_of_a_message_in_several_spans_the_last_one_is_its_end() -> None:
    """With interleaving, chunks of others are between those of a message (RFC 8260 section 2.1)."""
    spans = Spans()
    one, other = message(), message()
    for tsn, owner in ((10, one), (11, other), (12, one), (13, other)):
        spans.add(tsn, 1, owner)
    assert spans.forget(11) == []
    assert spans.forget(12) == [one]
    assert spans.forget(13) == [other]


def test_a_message_of_which_more_will_be_cut_is_not_over() -> None:
    spans = Spans()
    one = message(cut=False)
    spans.add(10, 3, one)
    assert spans.forget(12) == []
    one.offset = 100
    spans.add(13, 1, one)
    assert spans.forget(13) == [one]


def test_several_messages_may_end_at_once() -> None:
    spans = Spans()
    every = [message() for _ in range(5)]
    for number, each in enumerate(every):
        spans.add(10 + 2 * number, 1, each)
    assert spans.forget(13) == every[:2]
    assert (len(spans), spans.find(12), spans.find(14)) == (3, None, every[2])
    assert spans.forget(15) == every[2:3]
    assert [spans.find(tsn) for tsn in (14, 16, 18)] == [None, every[3], every[4]]
    assert spans.forget(100) == every[3:]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_and_goes_each_tsn_leads_to_its_message(seed: int) -> None:
    random = Random(seed)
    spans = Spans()
    owners: dict[int, OutMessage] = {}
    over: list[OutMessage] = []
    current = message()
    tsn, cumulative = 1, 0
    for _ in range(300):
        if random.random() < 0.5:
            current = message() if random.random() < 0.6 else current
            tsn += random.choice([0, 0, 1, 3])
            count = random.randint(1, 3)
            spans.add(tsn, count, current)
            owners |= dict.fromkeys(range(tsn, tsn + count), current)
            tsn += count
        else:
            cumulative = random.randint(cumulative, tsn - 1)
            over += spans.forget(cumulative)
        for each in range(cumulative + 1, tsn + 2):
            assert spans.find(each) is owners.get(each)
    assert len(spans) <= tsn - cumulative
    over += spans.forget(tsn)
    assert len(spans) == 0
    assert set(over) == set(owners.values())
