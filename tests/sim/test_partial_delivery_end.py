"""A message that is handed over in parts, and whose end never comes (RFC 6458 section 6.1.7): the reader can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, PartialDeliveryAborted, Readable, Restarted
from sctpx.core.rx.streams import MORE
from sctpx.testing import address_text, pack_address
from sctpx.wire import control, forward
from sctpx.wire.codes import CHUNK_I_DATA, I_DATA_HEADER, PARAM_FORWARD_TSN_SUPPORTED
from sctpx.wire.data import I_DATA, PADDING
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


def test_what_could_not_be_handed_over_before_comes_behind_the_news() -> None:
    """RFC 9260 section 6.9: no other message comes while one is handed over in parts. The end lets it go."""
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab)
        lab.ask(lab.data(b"behind a hole", flags=7, stream=4, tsn=lab.p_tsn + 1))
        parts = association.readable
        lab.ask(control.abort([]))
        assert [event.readable for event in lab.events_of(PartialDeliveryAborted)] == [parts]
        assert [message[0] for message in association.read()][parts:] == [b"behind a hole"]


END = pytest.mark.parametrize("end", [lambda lab: lab.ask(control.abort([])), restart], ids=["abort", "restart"])


@END
@pytest.mark.parametrize("read", [False, True])
def test_the_reader_is_told_that_what_had_to_wait_can_be_read(end: Callable[[Scripted], object], read: bool) -> None:
    """Once: a reader who has not read the parts knows already. Whoever is told of the end has heard of it before."""
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab)
        if read:
            association.read()
        lab.ask(lab.data(b"behind a hole", flags=7, stream=4, tsn=lab.p_tsn + 1))
        before = len(lab.a.events)
        end(lab)
        assert association.readable == (1 if read or end is restart else 2)
        wakes = read or end is restart
        after = lab.a.events[before:]
        kinds = [type(event) for event in after]
        last = Restarted if end is restart else CommunicationLost
        assert kinds == [PartialDeliveryAborted, *([Readable] if wakes else []), last]
        assert after[-1].readable == association.readable


@END
def test_what_had_to_wait_is_counted(end: Callable[[Scripted], object]) -> None:
    """``messages_received`` counts all that was handed over, so that the place of each can be told."""
    with Scripted(config=CONFIG) as lab:
        association = begin_message(lab)
        association.read()
        before = association.stats.messages_received
        lab.ask(lab.data(b"behind a hole", flags=7, stream=4, tsn=lab.p_tsn + 1))
        end(lab)
        assert association.stats.messages_received == before + 1


def test_what_arrives_together_with_the_abort_can_be_read() -> None:
    with Scripted(config=CONFIG) as lab:
        association = lab.up_incoming()
        before = len(lab.events_of(Readable))
        lab.ask(lab.data(b"last words"), control.abort([]))
        assert association.readable == 1
        assert len(lab.events_of(Readable)) == before + 1
        assert [event.readable for event in lab.events_of(CommunicationLost)] == [1]


@END
@pytest.mark.parametrize("waits", [False, True])
def test_the_source_of_what_is_left_is_known(end: Callable[[Scripted], object], waits: bool) -> None:
    """Also if parts were dropped that came from elsewhere."""
    with Scripted(config=CONFIG, paths=2) as lab:
        association = lab.up_incoming(addresses=[pack_address(address) for address in lab.p.addresses])
        first, second = lab.p.addresses
        lab.ask(lab.data(b"a", flags=3, stream=3, ssn=0), source=first)
        lab.ask(lab.data(b"b", flags=3, stream=3, ssn=1), source=second)
        for flags in (BEGIN, MIDDLE, MIDDLE):
            lab.ask(lab.data(bytes(1000), flags=flags, stream=3, ssn=2), source=first)
        if waits:
            lab.ask(lab.data(b"behind a hole", flags=7, stream=4, tsn=lab.p_tsn + 1), source=first)
        end(lab)
        read = []
        while association.readable:
            source = association.source
            [message] = association.read(1)
            read.append((message[0], address_text(source)))
        parts = [] if end is restart else [(bytes(3000), first)]
        assert read == [(b"a", first), (b"b", second), *parts, *([(b"behind a hole", first)] if waits else [])]


@pytest.mark.parametrize("how", ["data", "forward"])
def test_what_a_violation_let_go_is_counted_and_told(how: str) -> None:
    """That a fragment breaks the rules comes out when the hole in front of it closes, behind what else waited."""
    with Scripted(config=CONFIG) as lab:
        association = lab.up_incoming(flags=[PARAM_FORWARD_TSN_SUPPORTED])
        first = lab.p_tsn
        lab.ask(lab.data(b"early", flags=3, stream=4, ssn=1, tsn=first + 1))
        lab.ask(lab.data(b"without a beginning", flags=1, stream=3, tsn=first + 2))
        lab.ask(
            lab.data(b"on time", flags=3, stream=4, ssn=0, tsn=first)
            if how == "data"
            else forward.encode(False, first, [(4, 0, False)])
        )
        assert len(lab.events_of(CommunicationLost)) == 1
        assert association.readable == association.stats.messages_received == (2 if how == "data" else 1)
        assert len(lab.events_of(Readable)) == 1


def test_a_restart_drops_the_parts_of_messages_that_have_no_end_and_no_others() -> None:
    """With I-DATA, ordered and unordered messages of a stream have numbers of their own (RFC 8260 section 2.1)."""
    with Scripted(config=replace(CONFIG, interleaving=True, partial_delivery_point=1)) as lab:
        association = lab.up_incoming(extensions=bytes([CHUNK_I_DATA]))

        def say(data: bytes, flags: int, stream: int, last: int) -> None:
            length = I_DATA_HEADER + len(data)
            chunk = I_DATA.pack(CHUNK_I_DATA, flags, length, lab.p_tsn, stream, 0, last) + data + PADDING[length & 3]
            lab.p_tsn += 1
            lab.ask(chunk)

        say(b"whole, ", BEGIN, 3, 0)
        say(b"in parts", 1, 3, 1)
        say(b"dropped", 4 | BEGIN, 3, 0)
        say(b"of another stream", 3, 5, 0)
        say(b"dropped too", BEGIN, 4, 0)
        restart(lab)
        assert sorted(told(lab)) == [(3, 0), (4, 0)]
        assert [message[0] for message in association.read()] == [b"whole, ", b"in parts", b"of another stream"]
