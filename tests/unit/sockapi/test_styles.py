"""What sockets mean, without sockets: implicit setup, autoclose, order of delivery, interleaving."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.events import ShutdownComplete
from sctpx.sockapi import constants as c
from sctpx.sockapi import structs as s
from sctpx.sockapi.one_to_many import OneToMany
from sctpx.sockapi.one_to_one import OneToOne
from tests.unit.sockapi.styles import World, message

KINDS = frozenset({c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT, c.SCTP_SENDER_DRY_EVENT})


def test_messages_wait_for_the_association_and_leave_in_order() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    for text in (b"one", b"two"):
        association.send(world.now, message(text))
    assert association.starting
    world.run()
    assert [world.server.receive(100).data for _ in range(2)] == [b"one", b"two"]


def test_what_waits_counts_against_the_send_buffer() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    room = association.space
    association.send(world.now, message(bytes(1000)))
    assert association.space == room - 1000
    association.send(world.now, message(bytes(room)))
    assert world.client.send_to(world.now, association, message(b"x")) is False
    world.run()
    assert world.client.send_to(world.now, association, message(b"x")) is True


def test_a_graceful_end_before_the_association_is_up_comes_after_what_waits() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    association.send(world.now, message(b"last"))
    world.client.send_to(world.now, association, message(b"", flags=c.SCTP_EOF))
    world.run()
    world.pass_time(1)
    assert world.server.receive(100).data == b"last"
    assert association.end is not None
    assert (world.client.attached, world.server.attached) == ({}, {})


def test_a_message_that_waited_for_a_stream_there_is_not_comes_back() -> None:
    world = World(OneToMany, OneToMany)
    world.client.settings.future.subscribed = KINDS
    association = world.start()
    association.send(world.now, message(b"nowhere", stream=500, context=7))
    world.run()
    told = [world.client.receive(1000).item.notice for _ in range(2)]
    assert told[0].sac_state == c.SCTP_COMM_UP
    assert isinstance(told[1], s.SendFailedEvent)
    assert (told[1].ssfe_data, told[1].ssfe_info.snd_context) == (b"nowhere", 7)


def test_an_idle_association_is_closed_and_one_that_is_used_is_not() -> None:
    world = World(OneToMany, OneToMany)
    world.client.settings.autoclose = 10
    association = world.start()
    world.run()
    world.pass_time(9)
    world.client.send_to(world.now, association, message(b"busy"))
    world.run()
    world.pass_time(9)
    assert association.end is None
    world.pass_time(2)
    assert association.end is not None


def test_a_notification_stands_behind_what_came_before_it_and_before_what_came_after() -> None:
    world = World(OneToMany, OneToMany)
    world.server.settings.future.subscribed = frozenset({c.SCTP_ASSOC_CHANGE, c.SCTP_SHUTDOWN_EVENT})
    association = world.start()
    association.send(world.now, message(b"with the setup"))
    world.run()
    association.send(world.now, message(b"later"))
    world.client.send_to(world.now, association, message(b"", flags=c.SCTP_EOF))
    world.run()
    read = [world.server.receive(1000) for _ in range(5)]
    assert [piece.flags & c.MSG_NOTIFICATION != 0 for piece in read] == [True, False, False, True, True]
    assert [read[1].data, read[2].data] == [b"with the setup", b"later"]
    assert world.server.receive(1000) is None


def test_messages_that_come_after_a_notification_stand_behind_it_even_if_nothing_was_read_between() -> None:
    world = World(OneToMany, OneToOne)
    association = world.start()
    world.run()
    association.send(world.now, message(b"before"))
    world.run()
    [mine] = world.server.attached.values()
    world.server.queue.on_notice(mine, s.SenderDryEvent(), mine.core.readable)
    association.send(world.now, message(b"behind"))
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
    association.send(world.now, message(large))
    world.run()
    first = world.server.receive(1 << 20)
    assert not first.flags & c.MSG_EOR
    [mine] = world.server.attached.values()
    world.server.queue.on_notice(mine, s.SenderDryEvent(), mine.core.readable)
    read = [first]
    while b"".join(piece.data for piece in read if not piece.flags & c.MSG_NOTIFICATION) != large:
        world.run()
        piece = world.server.receive(1 << 20)
        assert piece is not None
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
        world.client.set_option(world.now, c.IPPROTO_SCTP, c.SCTP_EVENT, event)
    assert isinstance(world.client.receive(100).item.notice, s.SenderDryEvent)
    assert world.client.receive(100) is None
    association.send(world.now, message(b"x"))
    world.client.set_option(world.now, c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_SENDER_DRY_EVENT))
    world.client.set_option(world.now, c.IPPROTO_SCTP, c.SCTP_EVENT, event)
    assert world.client.receive(100) is None
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
    [stranger] = other.server.attached.values()
    for association, sender in ((first, world), (second, other)):
        for number in range(3):
            association.send(sender.now, message(b"%d" % number, stream=number))
    world.run()
    stranger.style = world.server
    other.run()
    owners = [world.server.receive(10).item.association is stranger for _ in range(6)]
    assert owners == [False, True] * 3


def test_what_nobody_reads_once_the_socket_is_closed_does_not_keep_the_peer_from_its_end() -> None:
    world = World(OneToOne, OneToOne)
    association = world.start()
    world.run()
    own = OneToOne(world.server.settings.inherit(), world.server.alarm)
    own.take(world.server.accept(), world.server)
    for _ in range(4):  # More than the receive buffer takes.
        association.send(world.now, message(bytes(1 << 20)))
    world.run()
    own.close(world.now)
    world.pass_time(10)
    assert isinstance(association.end, ShutdownComplete)
    with pytest.raises(OSError, match="over") as caught:
        association.send(world.now, message(b"x"))
    assert caught.value.errno == errno.EPIPE


def test_who_waits_is_told_of_messages_room_and_changes() -> None:
    world = World(OneToMany, OneToMany)
    association = world.start()
    world.run()
    assert "changed" in world.client.alarm.rung
    association.send(world.now, message(bytes(1 << 20)))
    association.core.want_writable()
    world.run()
    world.pass_time(1)
    assert "readable" in world.server.alarm.rung
    assert "writable" in world.client.alarm.rung
