"""Streams that rest while the peer is asked to reset them: what was there before goes, what comes waits."""

from __future__ import annotations

import pytest

from sctpx.core.config import SCHEDULERS
from sctpx.core.tx.send_queue import SendQueue
from sctpx.wire.codes import DATA_UNORDERED
from sctpx.wire.framing import DATA_FRAMING, I_DATA_FRAMING
from tests.unit.core.tx.packets import DataChunk
from tests.unit.core.tx.test_send_queue import fill, message, read


def cut(queue: SendQueue) -> list[DataChunk]:
    """All that can be sent."""
    found: list[DataChunk] = []
    while packets := read(fill(queue)):
        found += [chunk for packet in packets for chunk in packet]
    return found


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("streams", [[1], []])
def test_what_came_before_is_sent_and_what_comes_then_waits(scheduler: str, streams: list[int]) -> None:
    queue = SendQueue(DATA_FRAMING, scheduler)
    for stream in (1, 2, 1):
        queue.push(message(bytes(100), stream=stream))
    queue.hold(streams)
    assert queue.ahead == (2 if streams else 3)
    queue.push(message(bytes(200), stream=1))
    queue.push(message(bytes(300), stream=2))
    sent = [(chunk.stream, len(chunk.data)) for chunk in cut(queue)]
    assert sorted(sent) == sorted([(1, 100), (1, 100), (2, 100)] + ([(2, 300)] if streams else []))
    assert queue.ahead == 0
    assert queue.peek() is None
    assert len(queue) == len(queue.messages()) == (1 if streams else 2)
    queue.use("rr")
    queue.reset(streams)
    queue.release()
    assert (1, 0) in [(chunk.stream, chunk.ssn) for chunk in cut(queue)]
    assert len(queue) == queue.queued_bytes == 0


def test_numbers_are_fresh_until_one_is_given_away() -> None:
    queue = SendQueue(I_DATA_FRAMING)
    assert queue.is_fresh([])
    queue.push(message(bytes(10), 3, DATA_UNORDERED))
    fill(queue)
    assert not queue.is_fresh([])
    assert not queue.is_fresh([3])
    assert queue.is_fresh([1, 2])
    queue.reset([3])
    assert queue.is_fresh([])


def test_a_message_that_was_begun_can_begin_anew() -> None:
    queue = SendQueue()
    queue.push(message(bytes(5000)))
    fill(queue, cwnd=1)
    begun = 5000 - queue.queued_bytes
    assert begun > 0
    assert queue.begin_anew() == begun
    assert queue.queued_bytes == 5000


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("streams", [[1], []])
def test_a_message_can_be_taken_back_whether_it_came_before_or_waits(scheduler: str, streams: list[int]) -> None:
    queue = SendQueue(DATA_FRAMING, scheduler)
    before = message(bytes(100), stream=1)
    waits = message(bytes(200), stream=1)
    queue.push(before)
    queue.hold(streams)
    queue.push(waits)
    assert queue.ahead == 1
    queue.remove(waits)
    assert queue.messages() == [before]
    queue.remove(before)
    assert queue.ahead == len(queue) == queue.queued_bytes == 0
    queue.release()
    assert queue.peek() is None
