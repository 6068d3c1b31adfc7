"""Packets from worker to worker."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sctpx.aio.workers.mail import Mail, mailboxes

V4, V6 = bytes((10, 0, 0, 1)), bytes(15) + b"\1"


@contextmanager
def mails(count: int) -> Iterator[list[Mail]]:
    inboxes, outboxes = mailboxes(count)
    try:
        yield [Mail(inbox, outboxes) for inbox in inboxes]
    finally:
        for box in inboxes + outboxes:
            box.close()


def test_a_packet_comes_as_it_was_sent_to_the_worker_it_was_sent_to() -> None:
    with mails(3) as (first, second, third):
        first.pass_on(2, 1, V4, V6, 9899, b"packet", 0, 0)
        second.pass_on(2, 0, b"", V4, 40000, b"payload", errno.EMSGSIZE, 1280)
        assert list(third.receive()) == [
            (1, V4, V6, 9899, b"packet", 0, 0),
            (0, b"", V4, 40000, b"payload", errno.EMSGSIZE, 1280),
        ]
        assert list(first.receive()) == list(second.receive()) == []


def test_a_packet_may_be_as_large_as_a_datagram() -> None:
    with mails(1) as (only,):
        only.pass_on(0, 0, V6, V6, 9899, bytes(65507), 0, 0)
        assert [len(passed[4]) for passed in only.receive()] == [65507]


def test_what_finds_no_room_is_lost_and_what_nobody_takes_any_more_too() -> None:
    inboxes, outboxes = mailboxes(1)
    mail = Mail(inboxes[0], outboxes)
    for number in range(10_000):
        mail.pass_on(0, 0, V4, V4, number, b"", 0, 0)
    first = list(mail.receive())
    assert [passed[3] for passed in first] == list(range(len(first)))
    inboxes[0].close()
    mail.pass_on(0, 0, V4, V4, 9899, b"packet", 0, 0)
    assert list(mail.receive()) == []
    outboxes[0].close()


def test_what_others_have_written_there_is_no_packet() -> None:
    inboxes, outboxes = mailboxes(1)
    outboxes[0].send(b"short")
    assert list(Mail(inboxes[0], outboxes).receive()) == []
    for box in inboxes + outboxes:
        box.close()
