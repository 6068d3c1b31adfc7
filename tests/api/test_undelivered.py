"""``Association.undelivered``: what did not reach the peer for certain (RFC 9260 section 11.1)."""

from __future__ import annotations

import pytest

import sctpx
from tests.api.support import QUICK, associated, cuttable, linux_only, until

NARROW = sctpx.AssociationConfig(receive_buffer=8192)


async def test_nothing_is_undelivered_after_a_graceful_end() -> None:
    async with associated() as (a, _):
        await a.send_many([b"one", b"two"])
        await a.shutdown()
        assert a.undelivered() == []


async def test_after_an_abort_what_was_sent_and_what_was_not_can_be_told_apart() -> None:
    async with associated(server={"config": NARROW}) as (a, b):
        messages = [b"%01000d" % number for number in range(100)]
        await a.send_many((message, 1, number) for number, message in enumerate(messages))
        await until(lambda: b.readable >= 6)
        a.abort()
        left = a.undelivered()
        sent = [message for message in left if message.sent]
        unsent = [message for message in left if not message.sent]
        assert left == sent + unsent
        assert unsent
        assert [message.data for message in left] == messages[-len(left) :]
        assert [message.ppid for message in left] == list(range(100 - len(left), 100))
        assert {message.stream for message in left} == {1}


@linux_only
async def test_after_a_loss_everything_that_was_not_acknowledged_is_there() -> None:
    link = cuttable("127.0.0.9")
    async with associated("127.0.0.2", link=link, config=QUICK) as (a, b):
        await a.send(b"arrived", immediate=True)
        await b.recv()
        await until(lambda: a.stats.sacks_received)
        link.cut("127.0.0.2")
        await a.send_many([(b"one", 3, 60), (b"two", 4, 61)])
        with pytest.raises(sctpx.AssociationLost):
            await a.recv()
        assert [tuple(message) for message in a.undelivered()] == [(b"one", 3, 60, True), (b"two", 4, 61, True)]
