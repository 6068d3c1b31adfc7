"""A message that is handed over in parts, and whose end never comes (RFC 6458 section 6.1.7): the reader can tell."""

from __future__ import annotations

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, PartialDeliveryAborted, Readable, Restarted
from sctpx.core.rx.streams import MORE
from sctpx.wire import control
from tests.sim.scripted import Scripted

CONFIG = AssociationConfig(receive_buffer=4096)
NEW_TAG = 0x4E455721
NEW_TSN = 900_000
BEGIN, MIDDLE = 2, 0


def begin_message(lab: Scripted, before: bytes = b"") -> Association:
    """P sends so much of a message that the first part of it is ready, and perhaps a whole one before it."""
    association = lab.up_incoming()
    if before:
        lab.ask(lab.data(before, flags=3, stream=3, ssn=0))
    for flags in (BEGIN, MIDDLE, MIDDLE):
        lab.ask(lab.data(bytes(1000), flags=flags, stream=3, ssn=1 if before else 0))
    assert association.readable
    return association


def restart(lab: Scripted) -> None:
    lab.p_tag, lab.p_tsn = NEW_TAG, NEW_TSN
    lab.ask(lab.init(), tag=0)
    lab.ask(control.cookie_echo(lab.cookie()))
    assert len(lab.events_of(Restarted)) == 1


def told(lab: Scripted) -> list[tuple[int, int]]:
    return [(event.stream, event.ssn) for event in lab.events_of(PartialDeliveryAborted)]


def test_after_a_restart_parts_that_were_not_read_are_gone() -> None:
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab, b"whole")
        restart(lab)
        lab.ask(lab.data(b"of the new life", flags=3, stream=3, ssn=0))
        assert [(message[0], message[5]) for message in association.read()] == [(b"whole", 0), (b"of the new life", 0)]


def test_after_a_restart_what_waited_for_the_end_of_the_parts_can_be_read() -> None:
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab)
        lab.ask(lab.data(b"behind a hole", flags=7, stream=4, tsn=lab.p_tsn + 1))
        restart(lab)
        assert told(lab) == [(3, 0)]
        assert [(message[0], message[5]) for message in association.read()] == [(b"behind a hole", 1)]


def test_after_a_restart_the_reader_of_a_part_is_told() -> None:
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab)
        assert association.read()[-1][5] == MORE
        restart(lab)
        assert told(lab) == [(3, 0)]
        kinds = [type(event) for event in lab.a.events]
        assert kinds.index(PartialDeliveryAborted) < kinds.index(Restarted)
        lab.ask(lab.data(b"of the new life", flags=3, stream=3, ssn=0))
        assert [message[0] for message in association.read()] == [b"of the new life"]


def test_a_reader_that_was_told_of_parts_which_are_gone_is_told_of_the_new_life() -> None:
    with Scripted(config=CONFIG) as lab:
        begin_message(lab)
        before = len(lab.events_of(Readable))
        restart(lab)
        lab.ask(lab.data(b"of the new life", flags=3, stream=3, ssn=0))
        assert len(lab.events_of(Readable)) == before + 1


def test_the_news_that_parts_are_gone_stands_behind_what_can_still_be_read() -> None:
    with Scripted(config=CONFIG) as lab:
        begin_message(lab, b"whole")
        restart(lab)
        assert [event.readable for event in lab.events_of(PartialDeliveryAborted)] == [1]


def test_a_restart_between_messages_tells_nothing() -> None:
    with Scripted(config=CONFIG) as lab:
        association = lab.up_incoming()
        lab.ask(lab.data(b"whole"))
        restart(lab)
        assert told(lab) == []
        assert [message[0] for message in association.read()] == [b"whole"]


def test_the_window_of_the_new_life_is_charged_with_what_is_left_to_read() -> None:
    with Scripted(config=CONFIG) as lab:
        begin_message(lab, bytes(500))
        restart(lab)
        [answer] = lab.ask(lab.data(b"x", flags=11, stream=3, ssn=0))
        assert answer.startswith(f"P: SACK cum {NEW_TSN} a_rwnd {4096 - 500 - 1}")


@pytest.mark.parametrize("read", [False, True])
def test_when_the_association_ends_the_reader_is_told_before_the_end(read: bool) -> None:
    """SCTP_PARTIAL_DELIVERY_ABORTED: "This happens, for example, if an association is aborted while a partial delivery
    is going on". What was received can still be read.
    """
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab)
        if read:
            association.read()
        lab.ask(control.abort([]))
        assert told(lab) == [(3, 0)]
        assert [type(event) for event in lab.a.events][-2:] == [PartialDeliveryAborted, CommunicationLost]
        assert {message[5] for message in association.read()} == (set() if read else {MORE})


def test_an_end_between_messages_tells_nothing() -> None:
    with Scripted(config=CONFIG) as lab:
        begin_message(lab)
        lab.ask(lab.data(b"the end", flags=1, stream=3, ssn=0))
        lab.ask(control.abort([]))
        assert told(lab) == []
