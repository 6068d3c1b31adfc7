"""What the calls of sockets mean, without I/O: implicit setup, autoclose, order of delivery, interleaving."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import RemoteError, ShutdownComplete
from sctpx.core.overhead import MESSAGE
from sctpx.sockapi import constants as c
from sctpx.sockapi import structs as s
from sctpx.sockapi.ancillary import SendOptions
from sctpx.sockapi.delivery import Piece
from sctpx.sockapi.not_now import NotNow
from sctpx.sockapi.one_to_many import OneToMany
from sctpx.sockapi.one_to_one import OneToOne
from tests.unit.sockapi.styles import World, message, read_all, send

KINDS = frozenset({c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT, c.SCTP_SENDER_DRY_EVENT})


def test_messages_wait_for_the_association_and_leave_in_order() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    for text in (b"one", b"two"):
        send(world, association, message(text))
    assert association.starting
    world.run()
    assert [world.server.receive(100).data for _ in range(2)] == [b"one", b"two"]


def test_what_waits_counts_against_the_send_buffer() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    room = association.space
    send(world, association, message(bytes(1000)))
    assert association.space == room - 1000 - MESSAGE
    send(world, association, message(bytes(room)))
    assert isinstance(world.client.send_on(association, message(b"x")), NotNow)
    world.run()
    assert world.client.send_on(association, message(b"x")) == association.id


def test_a_graceful_end_before_the_association_is_up_comes_after_what_waits() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    send(world, association, message(b"last"))
    world.client.send_on(association, message(b"", flags=c.SCTP_EOF))
    world.run()
    world.pass_time(1)
    assert world.server.receive(100).data == b"last"
    assert association.end is not None
    assert (world.client.associations, world.server.associations) == ({}, {})


def test_a_message_that_waited_for_a_stream_the_peer_does_not_take_comes_back() -> None:
    world = World(OneToMany, OneToMany)
    world.server.set_option(c.IPPROTO_SCTP, c.SCTP_INITMSG, s.InitMsg(sinit_max_instreams=5))
    world.client.settings.future.subscribed = KINDS
    association = world.start()
    send(world, association, message(b"nowhere", stream=5, context=7))
    world.run()
    told = [world.client.receive(1000).item.notice for _ in range(2)]
    assert told[0].sac_state == c.SCTP_COMM_UP
    assert isinstance(told[1], s.SendFailedEvent)
    assert (told[1].ssfe_data, told[1].ssfe_info.snd_context) == (b"nowhere", 7)


def test_an_idle_association_is_closed_and_one_that_is_used_is_not() -> None:
    world = World(OneToMany, OneToMany)
    world.client.set_option(c.IPPROTO_SCTP, c.SCTP_AUTOCLOSE, 10)
    association = world.start()
    world.run()
    world.pass_time(9)
    world.client.send_on(association, message(b"busy"))
    world.run()
    world.pass_time(9)
    assert association.end is None
    world.pass_time(2)
    assert association.end is not None


def test_another_time_for_idle_associations_holds_for_those_there_are_and_0_is_never() -> None:
    world = World(OneToMany, OneToMany)
    world.server.set_option(c.IPPROTO_SCTP, c.SCTP_AUTOCLOSE, 100)
    association = world.start()
    world.run()
    world.pass_time(5)
    world.server.set_option(c.IPPROTO_SCTP, c.SCTP_AUTOCLOSE, 0)
    world.pass_time(200)
    assert association.end is None
    world.client.send_on(association, message(b"busy"))
    world.run()
    world.server.set_option(c.IPPROTO_SCTP, c.SCTP_AUTOCLOSE, 10)
    world.pass_time(9)
    assert association.end is None
    world.pass_time(2)
    assert association.end is not None


def test_the_time_it_takes_to_set_an_association_up_does_not_count_as_idle() -> None:
    world = World(OneToMany, OneToMany)
    world.client.set_option(c.IPPROTO_SCTP, c.SCTP_AUTOCLOSE, 10)
    association = world.start()
    world.lost = True
    world.pass_time(12)
    world.lost = False
    while association.starting:
        world.pass_time(1)
    assert not association.ending
    world.pass_time(8)
    assert association.end is None
    world.pass_time(3)
    assert association.end is not None


def test_what_is_there_when_reading_is_shut_down_can_be_read_and_what_comes_later_is_dropped() -> None:
    world = World(OneToOne, OneToOne)
    world.client.settings.future.subscribed = frozenset({c.SCTP_REMOTE_ERROR})
    association = world.start()
    world.run()
    peer = world.server.accept().association
    send(world, peer, message(b"one"))
    world.run()
    association.handle_event(world.now, RemoteError(association.core, [(1, bytes(4))]))
    for text in (b"two", b"three"):
        send(world, peer, message(text))
    world.run()
    world.client.shutdown(read=True, write=False)
    send(world, peer, message(b"late"))
    world.run()
    assert association.core.readable == 0
    read = [world.client.receive(1000) for _ in range(5)]
    assert [piece.data for piece in read if not piece.flags & c.MSG_NOTIFICATION] == [b"one", b"two", b"three", b""]
    assert read[1].flags & c.MSG_NOTIFICATION


def test_an_association_that_is_over_cannot_be_aborted() -> None:
    world = World(OneToOne, OneToOne)
    world.start()
    world.run()
    world.server.accept().association.abort(world.now)
    world.run()
    with pytest.raises(ConnectionResetError):
        world.client.send(b"x")
    with pytest.raises(BrokenPipeError):
        world.client.send_message(b"", [], SendOptions(flags=c.SCTP_ABORT), None)


def test_a_record_that_was_not_finished_comes_back_at_a_graceful_end() -> None:
    world = World(OneToMany, OneToMany)
    world.client.settings.explicit_eor = True
    world.client.settings.future.subscribed = KINDS
    association = world.start()
    world.run()
    assert world.client.receive(1000).item.notice.sac_state == c.SCTP_COMM_UP
    world.client.send_on(association, message(b"begun", context=7))
    world.client.send_on(association, message(b"", flags=c.SCTP_EOF))
    world.run()
    failed, over = [world.client.receive(1000).item.notice for _ in range(2)]
    assert (failed.ssfe_data, failed.ssfe_info.snd_context, failed.ssfe_flags) == (b"begun", 7, c.SCTP_DATA_UNSENT)
    assert over.sac_state == c.SCTP_SHUTDOWN_COMP


def test_a_notification_stands_behind_what_came_before_it_and_before_what_came_after() -> None:
    world = World(OneToMany, OneToMany)
    world.server.settings.future.subscribed = frozenset({c.SCTP_ASSOC_CHANGE, c.SCTP_SHUTDOWN_EVENT})
    association = world.start()
    send(world, association, message(b"with the setup"))
    world.run()
    send(world, association, message(b"later"))
    world.client.send_on(association, message(b"", flags=c.SCTP_EOF))
    world.run()
    read = [world.server.receive(1000) for _ in range(5)]
    assert [piece.flags & c.MSG_NOTIFICATION != 0 for piece in read] == [True, False, False, True, True]
    assert [read[1].data, read[2].data] == [b"with the setup", b"later"]
    assert read_all(world.server) == []


# --- too many notifications ---


def flood(world: World, count: int) -> list[Any]:
    """The client's peer reports errors that nobody reads; all that is there to read then."""
    [mine] = world.server.associations.values()
    for _ in range(count):
        mine.handle_event(world.now, RemoteError(mine.core, [(1, bytes(4))]))
    return [piece.item.notice for piece in read_all(world.server) if piece.item is not None]


@pytest.fixture
def world() -> World:
    """Two associations of a server that wants to hear of errors, data and ends, with room for few notifications."""
    world = World(OneToMany, OneToMany)
    wanted = {c.SCTP_REMOTE_ERROR, c.SCTP_ASSOC_CHANGE, c.SCTP_DATA_IO_EVENT}
    world.server.settings.future.subscribed = frozenset(wanted)
    world.server.settings.future.config = AssociationConfig(receive_buffer=8192)
    world.start()
    world.run()
    assert world.server.receive(1000).item.notice.sac_state == c.SCTP_COMM_UP
    return world


def test_a_flood_of_notifications_is_ended_by_one_that_says_so(world: World) -> None:
    """Section 6.1.10: it has "the sn_length field set to the size of an sctp_tlv structure, and the sn_flags 0"."""
    *told, last = flood(world, 10_000)
    assert {type(notice) for notice in told} == {s.RemoteError}
    assert 5 < len(told) < 20
    assert last == s.NotificationsStopped()
    assert (last.sn_flags, last.sn_length) == (0, 8)


def test_after_that_nothing_is_told_until_somebody_subscribes_again(world: World) -> None:
    """Section 6.1.10: "except for the sctp_data_io_event"."""
    flood(world, 100)
    [mine] = world.server.associations.values()
    assert mine.settings.subscribed == world.server.settings.future.subscribed == {c.SCTP_DATA_IO_EVENT}
    assert flood(world, 100) == []
    again = s.Event(se_assoc_id=mine.id, se_type=c.SCTP_REMOTE_ERROR, se_on=1)
    world.server.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, again)
    assert [type(notice) for notice in flood(world, 3)] == [s.RemoteError] * 3


def test_notifications_that_are_read_make_room(world: World) -> None:
    for _ in range(100):
        assert [type(notice) for notice in flood(world, 5)] == [s.RemoteError] * 5


def test_data_is_still_delivered_behind_the_last_notification(world: World) -> None:
    [mine] = world.server.associations.values()
    [theirs] = world.client.associations.values()
    for _ in range(100):
        mine.handle_event(world.now, RemoteError(mine.core, [(1, bytes(4))]))
    send(world, theirs, message(b"data"))
    world.run()
    read: list[Any] = read_all(world.server)
    assert read[-2].item.notice == s.NotificationsStopped()
    assert read[-1].data == b"data"


def test_messages_that_come_back_take_no_room_from_other_notifications(world: World) -> None:
    """They were in the send buffer before; and the end of the association is told behind them."""
    [mine] = world.server.associations.values()
    mine.settings.subscribed |= {c.SCTP_SEND_FAILED_EVENT}
    world.lost = True
    for _ in range(100):
        send(world, mine, message(bytes(1000)))
    mine.abort(world.now)
    world.run()
    read = [piece.item.notice for piece in read_all(world.server, 2000) if piece.item is not None]
    assert [type(notice) for notice in read] == [s.SendFailedEvent] * 100 + [s.AssocChange]


def test_notifications_of_a_peeled_off_association_go_with_it(world: World) -> None:
    [mine] = world.server.associations.values()
    count = 0
    while world.server.queue.has_room:
        mine.handle_event(world.now, RemoteError(mine.core, [(1, bytes(4))]))
        count += 1
    other = world.server.peeloff(mine.id)
    assert not world.server.queue
    assert world.server.queue.has_room
    for _ in range(20):
        mine.handle_event(world.now, RemoteError(mine.core, [(1, bytes(4))]))
    *told, last = [piece.item.notice for piece in read_all(other) if piece.item is not None]
    assert [type(notice) for notice in told] == [s.RemoteError] * count
    assert last == s.NotificationsStopped()


# --- the order of delivery ---


def test_messages_that_come_after_a_notification_stand_behind_it_even_if_nothing_was_read_between() -> None:
    world = World(OneToMany, OneToOne)
    association = world.start()
    world.run()
    send(world, association, message(b"before"))
    world.run()
    [mine] = world.server.associations.values()
    world.server.queue.on_notice(mine, s.SenderDryEvent(), mine.core.readable)
    send(world, association, message(b"behind"))
    world.run()
    read = [world.server.receive(100) for _ in range(3)]
    assert [piece.flags & c.MSG_NOTIFICATION != 0 for piece in read] == [False, True, False]
    assert (read[0].data, read[2].data) == (b"before", b"behind")


@pytest.mark.parametrize("interleave", [0, 1])
def test_nothing_comes_between_the_parts_of_a_message_unless_it_may(interleave: int) -> None:
    world = World(OneToMany, OneToOne)
    world.server.settings.fragment_interleave = interleave
    large = bytes(range(256)) * 8192
    association = world.start()
    world.run()
    send(world, association, message(large))
    world.run()
    first = world.server.receive(1 << 20)
    assert not first.flags & c.MSG_EOR
    [mine] = world.server.associations.values()
    world.server.queue.on_notice(mine, s.SenderDryEvent(), mine.core.readable)
    read = [first]
    while b"".join(piece.data for piece in read if not piece.flags & c.MSG_NOTIFICATION) != large:
        world.run()
        piece = world.server.receive(1 << 20)
        assert isinstance(piece, Piece)
        read.append(piece)
    between = [piece for piece in read if piece.flags & c.MSG_NOTIFICATION]
    assert len(between) == interleave
    assert read[-1].flags & c.MSG_EOR


def test_a_dry_sender_is_told_when_it_asks_and_again_when_it_is_dry_again() -> None:
    world = World(OneToMany, OneToOne)
    association = world.start()
    world.run()
    event = s.Event(se_type=c.SCTP_SENDER_DRY_EVENT, se_on=1)
    for _ in range(2):  # Asking again changes nothing.
        world.client.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, event)
    assert isinstance(world.client.receive(100).item.notice, s.SenderDryEvent)
    assert read_all(world.client) == []
    send(world, association, message(b"x"))
    world.client.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_SENDER_DRY_EVENT))
    world.client.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, event)
    assert read_all(world.client) == []
    world.run()
    world.pass_time(1)
    assert isinstance(world.client.receive(100).item.notice, s.SenderDryEvent)


def test_two_associations_take_turns() -> None:
    world = World(OneToMany, OneToMany)
    first = world.start()
    world.run()
    other = World(OneToMany, OneToMany)
    second = other.start()
    other.run()
    [stranger] = other.server.associations.values()
    for association, sender in ((first, world), (second, other)):
        for number in range(3):
            send(sender, association, message(b"%d" % number, stream=number))
    world.run()
    stranger.socket = world.server
    other.run()
    owners = [world.server.receive(10).item.association is stranger for _ in range(6)]
    assert owners == [False, True] * 3


def test_what_nobody_reads_once_the_socket_is_closed_does_not_keep_the_peer_from_its_end() -> None:
    world = World(OneToOne, OneToOne)
    association = world.start()
    world.run()
    own = world.server.accept()
    for _ in range(4):  # More than the receive buffer takes.
        association.core.send(world.now, bytes(1 << 20))
    world.run()
    own.close()
    world.pass_time(10)
    assert isinstance(association.end, ShutdownComplete)
    with pytest.raises(OSError, match="over") as caught:
        send(world, association, message(b"x"))
    assert caught.value.errno == errno.EPIPE


def test_who_waits_is_told_of_messages_room_and_changes() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    world.run()
    assert "changed" in world.client.alarm.rung
    send(world, association, message(bytes(1 << 20)))
    association.core.want_writable()
    world.run()
    world.pass_time(1)
    assert "readable" in world.server.alarm.rung
    assert "writable" in world.client.alarm.rung
