"""Verbs of an association: what each lets out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from errno import EINTR, EINVAL, EMSGSIZE, ENOTCONN, EPIPE
from typing import Any, Final

import pytest

from sctpx.core.association.association import INTERRUPTED, MAX_REASON, Association, association_of
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import Abandoned, CommunicationLost, PathChange, Readable, Writable
from sctpx.core.overhead import MESSAGE
from sctpx.core.stack import Stack
from sctpx.core.timers import SECOND
from sctpx.core.tx.reliability import PRIORITY, RETRANSMISSIONS, TIMED
from sctpx.testing import seeded_bytes
from sctpx.wire import causes
from sctpx.wire.codes import CAUSE_USER_ABORT, DATA_BEGIN, DATA_END, DATA_IMMEDIATE, DATA_UNORDERED
from tests.conformance.peer import FULL, PORT, START, Peer

DATA_WHOLE: Final = DATA_BEGIN | DATA_END


def test_data_that_the_new_primary_path_has_room_for_leaves_at_once() -> None:
    """RFC 9260 section 6.1 D: Max.Burst limits each round of sending; the verb begins another one."""
    peer = Peer(paths=2)
    peer.send(*[FULL] * 20)
    assert [packet.path for packet in peer.take()] == [1, 1, 1, 1]
    peer.set_primary(2)
    assert [packet.path for packet in peer.take()] == [2, 2, 2, 2]


def test_an_address_that_is_not_confirmed_is_made_no_primary_path() -> None:
    """RFC 9260 section 5.4: no data is sent there."""
    peer = Peer(paths=2)
    peer.path(2).confirmed = False
    with pytest.raises(OSError, match="not confirmed") as caught:
        peer.set_primary(2)
    assert caught.value.errno == EINVAL
    assert peer.association.primary is peer.path(1)
    assert peer.events_of(PathChange) == []


def test_a_verb_that_asks_for_control_chunks_lets_no_data_out() -> None:
    """RFC 9260 section 6.1 D: a round releases Max.Burst and what was acknowledged, and none begins here."""
    peer = Peer(max_burst=1)
    peer.send(*[FULL] * 20)
    assert len(peer.take()) == 1
    assert peer.path().room > 0
    peer.request_heartbeat(1)
    assert [packet.names for packet in peer.take()] == [["HEARTBEAT"]]
    peer.association.abort(peer.now)
    peer.settle()
    assert [packet.names for packet in peer.take()] == [["ABORT"]]


def test_room_in_the_send_buffer_is_told_to_whoever_has_asked_and_once() -> None:
    peer = Peer()
    for number, asks in enumerate((False, True, False), 1):
        peer.send(10)
        if asks:
            peer.association.want_writable()
        peer.sack(number)
        assert len(peer.events_of(Writable)) == (number > 1)


def test_more_packets_in_a_round_are_those_of_its_parameters() -> None:
    """RFC 9260 section 11.1.12."""
    peer = Peer(max_burst=1)
    peer.send(*[FULL] * 20)
    assert len(peer.take()) == 1
    peer.shutdown()
    assert len(peer.take()) == 1


def up(**how: Any) -> tuple[Peer, Association]:
    peer = Peer(**how)
    return peer, peer.association


def as_given(message: Any) -> tuple[bytes, int, int, bool]:
    """What ``send_many`` is given beside bytes: here it is what it wants already."""
    data, stream, ppid, unordered = message
    return data, stream, ppid, unordered


# --- messages ---


@pytest.mark.parametrize(
    ("how", "flags"),
    [
        ({}, DATA_WHOLE),
        ({"unordered": True}, DATA_WHOLE | DATA_UNORDERED),
        ({"immediate": True}, DATA_WHOLE | DATA_IMMEDIATE),
        ({"unordered": True, "immediate": True}, DATA_WHOLE | DATA_UNORDERED | DATA_IMMEDIATE),
    ],
)
def test_a_message_leaves_at_once_as_it_was_asked_for(how: dict[str, Any], flags: int) -> None:
    """RFC 9260 sections 3.3.1 and 11.1.5."""
    peer, association = up()
    association.send(peer.now, b"text", stream=9, ppid=0xFFFFFFFF, **how)
    peer.settle()
    [packet] = peer.take()
    [data] = packet.data
    assert (data.flags, data.stream, data.ppid, data.data) == (flags, 9, 0xFFFFFFFF, b"text")
    stats = association.stats
    assert (stats.messages_sent, stats.bytes_sent, stats.unordered_sent) == (1, 4, int(how.get("unordered", False)))


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"data": b""}, EINVAL),
        ({"data": bytes(101)}, EMSGSIZE),
        ({"stream": 10}, EINVAL),
        ({"stream": -1}, EINVAL),
        ({"stream": 1 << 16}, EINVAL),
        ({"ppid": 1 << 32}, EINVAL),
        ({"ppid": -1}, EINVAL),
        ({"remote": bytes((10, 0, 2, 2))}, EINVAL),
        ({"policy": -1}, EINVAL),
        ({"policy": PRIORITY + 1}, EINVAL),
        ({"policy": PRIORITY, "value": -1}, EINVAL),
        ({"value": -1}, EINVAL),
        ({"key": 2}, EINVAL),
        ({"key": 0}, EINVAL),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused_and_leaves_no_trace(what: dict[str, Any], error: int) -> None:
    peer, association = up(max_message_size=100, shared_keys=((1, b"key"),))
    space = association.send_space
    with pytest.raises(OSError, match=r".") as refused:
        association.send(peer.now, **{"data": b"text", **what})
    peer.settle()
    assert refused.value.errno == error
    assert peer.take() == []
    assert (association.send_space, association.pending, association.stats.messages_sent) == (space, 0, 0)


def test_a_message_may_be_as_long_as_the_parameters_say() -> None:
    peer, association = up(max_message_size=100)
    association.send(peer.now, bytes(100))
    assert association.pending == 100


def test_each_message_takes_its_length_and_an_overhead_of_the_send_buffer() -> None:
    peer, association = up(send_buffer=1000)
    association.send(peer.now, bytes(100))
    assert association.send_space == 1000 - 100 - MESSAGE
    peer.settle()
    peer.sack(1)
    assert association.send_space == 1000


@pytest.mark.parametrize("policy", [TIMED, RETRANSMISSIONS, PRIORITY])
def test_any_policy_may_have_the_value_0(policy: int) -> None:
    peer, association = up(forwards=True)
    association.send(peer.now, b"first", policy=policy, value=0)
    association.send(peer.now, b"second", policy=policy, value=0)
    assert len(association.tcb.extensions) == 1  # One for all messages.
    peer.settle()
    assert peer.take_tsns() == [1, 2]


def test_a_message_for_another_address_goes_there() -> None:
    peer, association = up(paths=2)
    association.send(peer.now, b"text", remote=peer.path(2).remote)
    peer.settle()
    assert [packet.path for packet in peer.take()] == [2]


def test_before_the_association_is_up_there_is_no_sending() -> None:
    """The number of streams is not known yet."""
    stack = Stack(seeded_bytes(1), START)
    endpoint = stack.open_endpoint(PORT, [bytes((10, 0, 1, 1))], AssociationConfig())
    association = endpoint.connect(START, [PeerAddress(bytes((10, 0, 1, 2)), 9899)], PORT)
    for verb in (
        lambda: association.send(START, b"text"),
        lambda: association.send_many(iter([b"text"]), as_given, 10),
        lambda: association.set_primary(START, bytes((10, 0, 1, 2))),
        lambda: association.request_heartbeat(START, bytes((10, 0, 1, 2))),
    ):
        with pytest.raises(OSError, match="not up") as refused:
            verb()
        assert refused.value.errno == ENOTCONN


# --- many messages ---


@pytest.mark.parametrize(
    ("room", "limit", "expected"),
    [
        (1000, 1000, (3, True)),
        (2 * (10 + MESSAGE) + 1, 1000, (3, False)),
        (2 * (10 + MESSAGE), 1000, (2, False)),
        (1, 1000, (1, False)),
        (0, 1000, (0, False)),
        (1000, 21, (3, False)),
        (1000, 20, (2, False)),
        (1000, 1, (1, False)),
        (1000, 0, (0, False)),
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_messages_are_taken_while_there_is_room(plain: bool, room: int, limit: int, expected: tuple[int, bool]) -> None:
    peer, association = up()
    association.send(peer.now, bytes(50))
    association.reconfigure(peer.now, replace(association.config, send_buffer=association.tcb.buffered + room))
    one: Any = bytes(10) if plain else (bytes(10), 0, 0, False)
    assert association.send_many(iter([one] * 3), as_given, limit) == expected
    assert association.stats.messages_sent == 1 + expected[0]
    assert association.pending == 50 + 10 * expected[0]


def test_each_of_many_messages_is_sent_as_it_is_given_or_in_order_on_stream_0() -> None:
    peer, association = up()
    given: list[Any] = [b"plain", (b"other", 9, 7, False), (b"unordered", 1, 0, True)]
    assert association.send_many(iter(given), as_given, 1000) == (3, True)
    peer.settle()
    sent = [(data.data, data.stream, data.ppid, data.flags) for packet in peer.take() for data in packet.data]
    assert sent == [
        (b"plain", 0, 0, DATA_WHOLE),
        (b"other", 9, 7, DATA_WHOLE),
        (b"unordered", 1, 0, DATA_WHOLE | DATA_UNORDERED),
    ]
    assert association.stats.unordered_sent == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (b"", EINVAL),
        (bytes(101), EMSGSIZE),
        ((b"", 0, 0, False), EINVAL),
        ((b"text", 10, 0, False), EINVAL),
        ((b"text", 0, -1, False), EINVAL),
    ],
)
def test_what_comes_before_a_message_that_is_refused_leaves(wrong: Any, error: int) -> None:
    peer, association = up(max_message_size=100)
    with pytest.raises(OSError, match=r".") as refused:
        association.send_many(iter([b"first", bytes(100), wrong, b"last"]), as_given, 1000)
    assert refused.value.errno == error
    peer.settle()
    assert peer.take_tsns() == [1, 2]


@pytest.mark.parametrize("unordered", [True, False])
def test_only_the_first_and_the_last_chunk_of_a_message_have_its_flags(unordered: bool) -> None:
    """RFC 9260 section 3.3.1: the B, E and I bits."""
    peer, association = up()
    association.send(peer.now, bytes(FULL + 1), unordered=unordered, immediate=True)
    association.send_many(iter([(bytes(FULL + 1), 0, 0, unordered)]), as_given, 10)
    peer.settle()
    flags = [data.flags for packet in peer.take() for data in packet.data]
    also = DATA_UNORDERED if unordered else 0
    assert flags == [DATA_BEGIN | also, DATA_END | DATA_IMMEDIATE | also, DATA_BEGIN | also, DATA_END | also]


def test_nothing_is_taken_from_the_source_of_messages_that_cannot_be_sent() -> None:
    peer, association = up()
    peer.shutdown()
    source = iter([b"text"])
    with pytest.raises(OSError, match="shutting down") as refused:
        association.send_many(source, as_given, 10)
    assert refused.value.errno == EPIPE
    assert next(source) == b"text"


@pytest.mark.parametrize("plain", [True, False])
def test_messages_are_refused_from_when_their_source_ends_the_association(plain: bool) -> None:
    """An iterator of the user may do anything."""
    peer, association = up()

    def source() -> Iterator[object]:
        yield b"first"
        association.shutdown(peer.now)
        yield b"last" if plain else (b"last", 0, 0, False)

    with pytest.raises(OSError, match="shutting down") as refused:
        association.send_many(source(), as_given, 1000)
    assert refused.value.errno == EPIPE
    assert association.stats.messages_sent == 1


# --- messages that may be given up (RFC 7496) ---


def test_nothing_is_given_up_of_an_association_without_policies() -> None:
    peer, association = up(forwards=True, send_buffer=100)
    peer.send(100)
    assert not association.make_room(peer.now)
    assert association.abandoned() == (0, 0)


def test_room_is_made_of_what_is_less_important_alone() -> None:
    """RFC 7496 section 3.2: the higher the value, the lower the priority. No policy at all is the most important."""
    peer, association = up(forwards=True)
    peer.send(*[FULL] * 4)  # The window is full.
    for value in (3, 5, 5):
        association.send(peer.now, bytes(100), stream=1, policy=PRIORITY, value=value)
    association.reconfigure(peer.now, replace(association.config, send_buffer=association.tcb.buffered))
    assert not association.make_room(peer.now, PRIORITY, 5)
    assert association.make_room(peer.now, PRIORITY, 4)
    assert association.abandoned() == association.abandoned(1) == association.abandoned(1, PRIORITY) == (1, 0)
    assert association.abandoned(0) == association.abandoned(policy=TIMED) == (0, 0)
    association.reconfigure(peer.now, replace(association.config, send_buffer=association.tcb.buffered))
    assert association.make_room(peer.now, TIMED, 9)
    association.reconfigure(peer.now, replace(association.config, send_buffer=association.tcb.buffered))
    association.shutdown(peer.now)
    assert not association.make_room(peer.now)  # Nothing can be sent any more.
    assert association.abandoned() == (2, 0)


def test_what_waited_behind_a_message_that_makes_room_leaves_at_once() -> None:
    """RFC 9260 section 6.1 D: the verb begins a round. Here the next acknowledgement could be a second away."""
    peer, association = up(a_rwnd=1500)
    peer.send(700)
    peer.send(1200, policy=PRIORITY, value=5)  # The peer has no room for it,
    peer.send(50)  # but for this one.
    assert peer.take_tsns() == [1]
    association.reconfigure(peer.now, replace(association.config, send_buffer=association.tcb.buffered))
    peer.settle()
    assert association.make_room(peer.now, PRIORITY, 1)
    peer.settle()
    assert peer.take_tsns() == [2]


# --- reading ---


@pytest.mark.parametrize(("limit", "expected"), [(0, 3), (1, 1), (2, 2), (3, 3), (4, 3)])
def test_as_many_messages_are_read_as_asked_for(limit: int, expected: int) -> None:
    peer, association = up()
    peer.deliver(*[peer.data(tsn, b"%d" % tsn) for tsn in (1, 2, 3)])
    assert [message[0] for message in association.read(limit)] == [b"1", b"2", b"3"][:expected]
    assert association.readable == 3 - expected
    assert len(association.read()) == 3 - expected
    assert association.read() == []


def test_fewer_than_no_messages_cannot_be_read() -> None:
    peer, association = up()
    peer.deliver(peer.data(1))
    with pytest.raises(OSError, match="-1 messages") as refused:
        association.read(-1)
    assert refused.value.errno == EINVAL
    assert association.readable == 1


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_what_comes_after_all_was_read_is_told_again(limit: int) -> None:
    peer, association = up()
    peer.deliver(peer.data(1), peer.data(2))
    association.read(limit)
    peer.deliver(peer.data(3))
    assert len(peer.events_of(Readable)) == (1 if limit == 1 else 2)


def test_reading_opens_the_window_and_the_peer_is_told() -> None:
    """RFC 9260 section 6.2: a SACK goes when the window has opened far enough."""
    peer, association = up(receive_buffer=8192)
    for tsn in range(1, 6):
        peer.deliver(peer.data(tsn, 1400))
    peer.advance(1)
    before = peer.take()[-1].sack.a_rwnd
    association.read()
    peer.settle()
    [packet] = peer.take()
    assert packet.names == ["SACK"]
    assert packet.sack.a_rwnd == before + 5 * 1400


# --- the end ---


@pytest.mark.parametrize("length", [10, MAX_REASON, MAX_REASON + 1])
def test_the_reason_of_an_abort_reaches_the_peer_as_far_as_there_is_room(length: int) -> None:
    """RFC 9260 sections 9.1 and 3.3.10.12."""
    peer, association = up()
    association.abort(peer.now, bytes(length))
    peer.settle()
    [packet] = peer.take()
    assert packet.names == ["ABORT"]
    assert causes.parse(packet.value("ABORT")) == [(CAUSE_USER_ABORT, bytes(min(length, MAX_REASON)))]
    association.abort(peer.now)
    peer.settle()
    assert peer.take() == []
    assert len(peer.events_of(CommunicationLost)) == 1


def test_what_did_not_reach_the_peer_can_be_had_at_the_end() -> None:
    """RFC 9260 section 11.1.14."""
    peer, association = up()
    association.send(peer.now, b"text", stream=3, ppid=7)
    association.abort(peer.now)
    assert [message[:3] for message in association.undelivered()] == [(b"text", 3, 7)]


@pytest.mark.parametrize("owned", [True, False])
def test_an_association_that_was_left_in_the_middle_of_a_change_ends_with_an_abort(owned: bool) -> None:
    peer, association = up()
    association.owner = object() if owned else None
    association.send(peer.now, bytes(FULL))
    association.ready = True  # As while its packets are being built: it is in no queue.
    association.break_off()
    peer.settle()
    assert [packet.names for packet in peer.take()] == [["ABORT"]]
    [lost] = peer.events_of(CommunicationLost)
    assert (lost.error, lost.by_peer, lost.causes) == (EINTR, False, [causes.user_abort(INTERRUPTED)])
    assert (association.ended, association.pending, association.undelivered()) == (True, 0, [])
    association.break_off()
    peer.settle()
    assert len(peer.events_of(CommunicationLost)) == 2 if owned else 1
    assert peer.take() == []


# --- paths ---


def test_an_address_that_is_not_the_peers_can_be_asked_nothing() -> None:
    peer, association = up()
    stranger = bytes((10, 0, 9, 9))
    for verb in (association.set_primary, association.request_heartbeat, association.configure_path):
        with pytest.raises(OSError, match="not an address of the peer") as refused:
            verb(peer.now, stranger)
        assert refused.value.errno == EINVAL


def test_an_association_that_is_ending_sends_no_heartbeat() -> None:
    """RFC 9260 section 8.3."""
    peer, association = up()
    peer.shutdown()
    with pytest.raises(OSError, match="ending") as refused:
        peer.request_heartbeat(1)
    assert refused.value.errno == ENOTCONN
    peer.association.abort(peer.now)
    with pytest.raises(OSError, match="not up") as over:
        association.set_primary(peer.now, peer.path().remote)
    assert over.value.errno == ENOTCONN


def test_what_is_set_for_a_path_is_waited_for_from_then_on() -> None:
    peer, association = up(heartbeat_interval=30.0)
    association.configure_path(peer.now, peer.path().remote, heartbeat_interval=5 * SECOND)
    peer.settle()
    assert (peer.stack.next_timeout() or 0) - peer.now < 10 * SECOND
    association.reconfigure(peer.now, replace(association.config, heartbeat_interval=2.0))
    peer.settle()
    assert (peer.stack.next_timeout() or 0) - peer.now < 5 * SECOND


def test_a_timer_begins_a_round_of_sending() -> None:
    """RFC 9260 section 6.1 D."""
    peer, association = up(forwards=True, max_burst=1, rtt=0.5)
    peer.send(*[FULL] * 10)
    association.send(peer.now, b"short life", policy=TIMED, value=SECOND // 10)
    peer.settle()
    assert len(peer.take()) == 2
    peer.advance(0.2)
    assert len(peer.events_of(Abandoned)) == 1
    assert peer.take_tsns() == [3]


# --- streams ---


def test_streams_have_the_value_that_was_set_or_0() -> None:
    """RFC 8260 section 4.3.3."""
    association = Peer(scheduler="prio").association
    assert association.stream_value(9) == 0
    for value in (1, 0xFFFF, 0):
        association.set_stream_value(9, value)
        assert association.stream_value(9) == value
    for stream, value in ((10, 0), (-1, 0), (1 << 16, 0), (9, 1 << 16), (9, -1)):
        with pytest.raises(OSError, match=r".") as refused:
            association.set_stream_value(stream, value)
        assert refused.value.errno == EINVAL


def test_the_stream_with_the_smaller_value_sends_first() -> None:
    """RFC 8260 section 3.4."""
    peer, association = up(scheduler="prio")
    peer.send(*[FULL] * 4)
    association.set_stream_value(1, 2)
    association.set_stream_value(2, 1)
    peer.take()
    for stream in (1, 2):
        association.send(peer.now, bytes(FULL), stream=stream)
    peer.sack(4)
    assert [data.stream for packet in peer.take() for data in packet.data] == [2, 1]


def test_of_an_association_that_is_over_any_stream_may_be_named() -> None:
    """How many it had does not count any more."""
    peer, association = up()
    association.abort(peer.now)
    association.set_stream_value(0xFFFF, 1)
    assert association.stream_value(0xFFFF) == 1
    with pytest.raises(OSError, match="no stream 65536"):
        association.set_stream_value(0x10000, 1)


# --- a new life ---


def test_a_restart_leaves_the_name_the_settings_and_the_counters() -> None:
    """RFC 9260 section 5.2.4 A."""
    association = Peer(authentication=True, stream_values=((3, 4),)).association
    association.set_stream_value(1, 2)
    old = association.tcb
    old.incoming = True
    new = association.begin_anew(0x12345678, 99)
    assert association.tcb is new is not old
    assert (new.local_tag, new.initial_tsn, new.association) == (0x12345678, 99, association)
    assert new.stats is old.stats
    assert new.keys is old.keys is not None
    assert new.report is old.report
    assert new.config is old.config
    assert new.stream_values == {1: 2, 3: 4}
    assert (new.peer_port, new.local_addresses, association.incoming) == (PORT, old.local_addresses, True)


def test_an_event_names_its_association() -> None:
    peer, association = up()
    assert [association_of(event) for event in peer.events] == [association] * len(peer.events)
    assert association.endpoint is association.tcb.endpoint
