"""What sockets read, and in which order, of a message in parts whose end never comes (RFC 6458 section 6.1.7).

SCTP_PARTIAL_DELIVERY_ABORTED stands behind the last part of the message that it is about, and in front of everything
that comes later, whatever SCTP_FRAGMENT_INTERLEAVE says (section 8.1.20).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.testing import SimulatedSocket
from sctpx.wire import causes, control, forward
from sctpx.wire.codes import PARAM_FORWARD_TSN_SUPPORTED
from tests.sim.scripted import P_TAG, P_TSN, UDP_PORT, Scripted

A_PORT, P_PORT, OTHER_PORT = 5001, 5000, 5002
BEGIN, MIDDLE, WHOLE, UNORDERED = 2, 0, 3, 7
PART = bytes(1000)
NOTICES = {
    c.SCTP_PARTIAL_DELIVERY_EVENT: "broken off",
    c.SCTP_REMOTE_ERROR: "remote error",
    c.SCTP_ASSOC_CHANGE: "change",
}
ALL = tuple(NOTICES)
ONE, MANY = sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET


class Peer:
    """A scripted peer, at one SCTP port, of a socket."""

    def __init__(self, lab: Scripted, port: int = P_PORT) -> None:
        self.lab = lab
        self.port = port
        self.a_tag = 0
        self.p_tag, self.p_tsn = P_TAG + port, P_TSN

    def ask(self, *said: bytes, tag: int | None = None) -> None:
        self.lab.ask(*said, tag=self.a_tag if tag is None else tag, port=self.port, a_port=A_PORT)

    def set_up(self) -> None:
        """Begin an association; if there is one, the peer has restarted."""
        self.p_tsn += 100_000
        self.p_tag += 1
        self.ask(
            self.lab.init(initiate_tag=self.p_tag, initial_tsn=self.p_tsn, flags=[PARAM_FORWARD_TSN_SUPPORTED]), tag=0
        )
        self.a_tag = self.lab.a_tag
        self.ask(control.cookie_echo(self.lab.cookie()))

    def data(self, data: bytes, flags: int, stream: int = 3, ssn: int = 0, ahead: int = 0) -> bytes:
        tsn = self.p_tsn + ahead
        if not ahead:
            self.p_tsn += 1
        return self.lab.data(data, tsn=tsn, flags=flags, stream=stream, ssn=ssn)

    def send_parts(self, *flags: int) -> None:
        """Send these fragments of a message, each of which is handed over by itself."""
        for one in flags:
            self.ask(self.data(PART, one))

    def begin_message(self) -> None:
        """Send a part of a message, and behind a hole another message, which has to wait for the end of that one."""
        self.send_parts(BEGIN)
        self.ask(self.data(b"next", UNORDERED, stream=4, ahead=1))

    def give_up(self) -> None:
        """Abandon the message (RFC 3758)."""
        self.ask(forward.encode(False, self.p_tsn, [(3, 0, False)]))
        self.p_tsn += 2

    def abort(self) -> None:
        self.ask(control.abort([]))

    def report_error(self) -> None:
        self.ask(control.error([causes.invalid_stream(1)]))


class World:
    """A listening socket with associations."""

    def __init__(self, lab: Scripted, style: int, subscribed: tuple[int, ...] = (), level: int = -1) -> None:
        self.listener = lab.a.socket(type=style, udp_port=UDP_PORT)
        self.listener.setsockopt(c.IPPROTO_SCTP, c.SCTP_PARTIAL_DELIVERY_POINT, len(PART))
        if level >= 0:
            self.listener.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)  # Level 2 needs it.
            self.listener.setsockopt(c.IPPROTO_SCTP, c.SCTP_FRAGMENT_INTERLEAVE, level)
        self.listener.bind((lab.a.addresses[0], A_PORT))
        self.listener.listen()
        self.peer = Peer(lab)
        self.peer.set_up()
        self.sock: SimulatedSocket = self.listener
        if style == ONE:
            self.sock, _ = self.listener.accept()
        self.sock.settimeout(0)
        for kind in subscribed:
            self.subscribe(kind)

    def subscribe(self, kind: int) -> None:
        self.sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_assoc_id=c.SCTP_ALL_ASSOC, se_type=kind, se_on=1))

    def read(self) -> list[str]:
        """What there is to read: parts, the data of messages, and the names of notifications."""
        read: list[str] = []
        while True:
            try:
                data, _, flags, _ = self.sock.recvmsg(10_000)
            except (BlockingIOError, ConnectionError):
                return read
            if flags & c.MSG_NOTIFICATION:
                read.append(NOTICES[int.from_bytes(data[:2], "little")])
            elif not data:
                return read
            else:
                read.append(data.decode() if flags & c.MSG_EOR else "part")


LEVELS = pytest.mark.parametrize(("style", "level"), [(ONE, 0), (ONE, 1), (ONE, 2), (MANY, 0), (MANY, 1)])
PDAPI = (c.SCTP_PARTIAL_DELIVERY_EVENT,)


@LEVELS
@pytest.mark.parametrize("part_read", [False, True])
@pytest.mark.parametrize("how", [Peer.give_up, Peer.abort])
def test_the_news_comes_before_the_next_message(
    style: int, level: int, part_read: bool, how: Callable[[Peer], None]
) -> None:
    with Scripted() as lab:
        world = World(lab, style, PDAPI, level)
        world.peer.begin_message()
        before = world.read() if part_read else []
        how(world.peer)
        assert before + world.read() == ["part", "broken off", "next"]


@pytest.mark.parametrize("parts_read", [False, True])
def test_at_level_0_no_message_of_another_association_comes_before_the_news(parts_read: bool) -> None:
    """Nor between the parts. What happened in between is told in its order."""
    with Scripted() as lab:
        world = World(lab, MANY, ALL, 0)
        assert not world.read()
        other = Peer(lab, OTHER_PORT)
        other.set_up()
        world.peer.send_parts(BEGIN)
        other.ask(other.data(b"other", UNORDERED))
        world.peer.send_parts(MIDDLE, MIDDLE)
        world.peer.report_error()
        before = world.read() if parts_read else []
        world.peer.give_up()
        told = [one for one in before + world.read() if one != "change"]
        assert told == ["part", "part", "part", "remote error", "broken off", "other"]


def test_without_a_subscription_the_messages_of_others_come_too() -> None:
    """At level 0, a message that is being read in parts keeps all others back; one that was broken off does not."""
    with Scripted() as lab:
        world = World(lab, MANY, (), 0)
        other = Peer(lab, OTHER_PORT)
        other.set_up()
        world.peer.send_parts(BEGIN)
        other.ask(other.data(b"other", UNORDERED))
        world.peer.give_up()
        assert world.read() == ["part", "other"]


def test_a_level_that_is_set_in_the_middle_of_a_message_counts_at_once() -> None:
    with Scripted() as lab:
        world = World(lab, MANY, (), 0)
        other = Peer(lab, OTHER_PORT)
        other.set_up()
        world.peer.begin_message()
        other.ask(other.data(b"other", UNORDERED))
        assert world.read() == ["part"]
        world.sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_FRAGMENT_INTERLEAVE, 1)
        assert world.read() == ["other"]


@LEVELS
@pytest.mark.parametrize("subscribed", [(), PDAPI, ALL])
def test_after_an_abort_what_waited_for_the_end_of_the_message_can_be_read(
    style: int, level: int, subscribed: tuple[int, ...]
) -> None:
    with Scripted() as lab:
        world = World(lab, style, subscribed, level)
        world.peer.begin_message()
        assert world.read() == ["part"]
        world.peer.abort()
        assert world.read() == [
            *(["broken off"] if subscribed else []),
            "next",
            *(["change"] if subscribed is ALL else []),
        ]


@LEVELS
@pytest.mark.parametrize("subscribed", [(), PDAPI, ALL])
def test_after_a_restart_too_and_at_once(style: int, level: int, subscribed: tuple[int, ...]) -> None:
    with Scripted() as lab:
        world = World(lab, style, subscribed, level)
        world.peer.begin_message()
        assert world.read() == ["part"]
        world.peer.set_up()
        assert world.read() == [
            *(["broken off"] if subscribed else []),
            "next",
            *(["change"] if subscribed is ALL else []),
        ]


@LEVELS
def test_what_happened_before_a_restart_is_told_before_the_new_life(style: int, level: int) -> None:
    """Parts that were not read are dropped, so that there is less to read before the notification than there was."""
    with Scripted() as lab:
        world = World(lab, style, ALL, level)
        world.peer.ask(world.peer.data(b"whole", UNORDERED))
        world.peer.send_parts(BEGIN)
        world.peer.report_error()
        world.peer.set_up()
        world.peer.ask(world.peer.data(b"new life", UNORDERED))
        assert world.read() == ["whole", "remote error", "broken off", "change", "new life"]


def test_so_it_is_without_a_subscription_to_the_restart() -> None:
    with Scripted() as lab:
        world = World(lab, ONE, (c.SCTP_REMOTE_ERROR,))
        world.peer.send_parts(BEGIN)
        world.peer.report_error()
        world.peer.set_up()
        world.peer.ask(world.peer.data(b"new life", UNORDERED))
        assert world.read() == ["remote error", "new life"]


def test_parts_of_a_message_that_was_broken_off_before_the_restart_stay() -> None:
    """They have been told of, in their place: a restart changes nothing for them."""
    with Scripted() as lab:
        world = World(lab, ONE, ALL)
        world.peer.begin_message()
        world.peer.give_up()
        world.peer.set_up()
        world.peer.ask(world.peer.data(b"new life", UNORDERED))
        assert world.read() == ["part", "broken off", "next", "change", "new life"]
