"""``recv``, ``recvfrom``, ``recvmsg``, ``sctp_recvv``: what arrives, in pieces, and what is known of it."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HERE,
    IPPROTO_SCTP,
    PORT,
    Thread,
    accepted,
    associated,
    client,
    connected,
    listening,
    new_socket,
    notification,
    subscribe,
)
from tests.api.support import linux_only, raises_errno

RECEIVE: list[Callable[[sctpx.Socket], object]] = [
    lambda sock: sock.recv(100),
    lambda sock: sock.recv_into(bytearray(100)),
    lambda sock: sock.recvfrom(100),
    lambda sock: sock.recvmsg(100),
    lambda sock: sctpx.sctp_recvv(sock, 100),
    lambda sock: sctpx.sctp_recvmsg(sock, 100),
]
each = pytest.mark.parametrize(
    "receive", RECEIVE, ids=["recv", "recv_into", "recvfrom", "recvmsg", "recvv", "sctp_recvmsg"]
)


@each
def test_a_socket_without_a_connection_receives_nothing(receive: Callable[[sctpx.Socket], object]) -> None:
    with new_socket() as sock, raises_errno(errno.ENOTCONN):
        receive(sock)
    with listening() as sock, raises_errno(errno.ENOTCONN):
        receive(sock)
    with new_socket(type=sctpx.SOCK_SEQPACKET) as sock, raises_errno(errno.ENOTCONN):
        receive(sock)


@each
def test_a_closed_socket_receives_nothing(receive: Callable[[sctpx.Socket], object]) -> None:
    sock = new_socket()
    sock.close()
    with raises_errno(errno.EBADF):
        receive(sock)


@each
def test_a_socket_that_does_not_wait_raises_eagain(receive: Callable[[sctpx.Socket], object]) -> None:
    with connected() as (a, _):
        a.setblocking(False)
        with raises_errno(errno.EAGAIN):
            receive(a)
    with listening(sctpx.SOCK_SEQPACKET) as sock:
        sock.setblocking(False)
        with raises_errno(errno.EAGAIN):
            receive(sock)


@each
def test_a_timeout_ends_the_waiting(receive: Callable[[sctpx.Socket], object]) -> None:
    with connected() as (a, _):
        a.settimeout(0.01)
        with pytest.raises(TimeoutError):
            receive(a)


def test_a_single_call_can_do_without_waiting() -> None:
    with connected() as (a, b):
        with raises_errno(errno.EAGAIN):
            a.recv(1, c.MSG_DONTWAIT)
        receiving = Thread(lambda: a.recv(100))
        b.send(b"x")
        assert receiving.result() == b"x"


# --- the end ---


def test_the_peers_end_is_an_end_of_file_again_and_again() -> None:
    with connected() as (a, b):
        b.send(b"last")
        b.close()
        assert [a.recv(100) for _ in range(3)] == [b"last", b"", b""]
        assert a.recvfrom(100) == (b"", None)
        assert a.recvmsg(100) == (b"", [], 0, None)
        assert sctpx.sctp_recvv(a, 100) == sctpx.Received(b"", None, c.SCTP_RECVV_NOINFO, None, 0)


def test_what_had_arrived_can_be_read_after_the_own_shutdown_and_then_comes_the_end_of_file() -> None:
    with connected() as (a, b):
        b.send(b"pending")
        assert a.recv(100, c.MSG_PEEK) == b"pending"
        a.shutdown(sctpx.SHUT_WR)
        assert [a.recv(100) for _ in range(3)] == [b"pending", b"", b""]


def test_a_call_that_waits_gets_the_end_of_file_when_the_own_graceful_end_is_complete() -> None:
    with connected() as (a, b):
        receiving = Thread(lambda: a.recv(100))
        a.shutdown(sctpx.SHUT_WR)
        assert receiving.result() == b""
        assert b.recv(100) == b""


def test_when_both_sides_end_at_once_both_read_the_end_of_file() -> None:
    with connected() as (a, b):
        for sock in (a, b):
            sock.send(b"last")
        for sock in (a, b):
            sock.shutdown(sctpx.SHUT_WR)
        assert [sock.recv(100) for sock in (a, b, a, b)] == [b"last"] * 2 + [b""] * 2


def test_an_abort_is_told_once_with_its_reason_after_what_had_arrived() -> None:
    with connected() as (a, b):
        b.send(b"before")
        assert a.recv(3) == b"bef"
        sctpx.sctp_sendmsg(b, b"enough", flags=c.SCTP_ABORT)
        assert a.recv(100) == b"ore"
        with pytest.raises(sctpx.AssociationAborted, match="enough"):
            a.recv(100)
        with raises_errno(errno.ENOTCONN):
            a.recv(100)


@pytest.mark.parametrize("end", ["close", "shutdown", "abort"])
def test_a_blocked_call_wakes_when_the_peer_ends_the_association(end: str) -> None:
    with connected() as (a, b):
        receiving = Thread(lambda: a.recv(100))
        if end == "close":
            b.close()
        elif end == "shutdown":
            b.shutdown(sctpx.SHUT_WR)
        else:
            sctpx.sctp_sendmsg(b, b"", flags=c.SCTP_ABORT)
        if end == "abort":
            with raises_errno(errno.ECONNRESET):
                receiving.result()
        else:
            assert receiving.result() == b""


def test_a_blocked_call_gets_ebadf_when_another_thread_closes_the_socket() -> None:
    with connected() as (a, _):
        several = [Thread(lambda: a.recv(100)) for _ in range(4)]
        a.close()
        for receiving in several:
            with raises_errno(errno.EBADF):
                receiving.result()


def test_reading_can_be_shut_down_alone() -> None:
    with connected() as (a, b):
        a.shutdown(sctpx.SHUT_RD)
        assert a.recv(100) == b""
        a.send(b"still sends")
        assert b.recv(100) == b"still sends"


# --- pieces ---


def test_a_message_larger_than_the_buffer_comes_in_pieces_and_only_the_last_has_msg_eor() -> None:
    with connected() as (a, b):
        b.send(b"0123456789")
        b.send(b"next")
        assert [a.recvmsg(4)[0::2] for _ in range(4)] == [
            (b"0123", 0),
            (b"4567", 0),
            (b"89", c.MSG_EOR),
            (b"next", c.MSG_EOR),
        ]


def test_a_message_larger_than_the_receive_buffer_comes_in_parts() -> None:
    with connected() as (a, b):
        whole = bytes(range(256)) * 16384
        sending = Thread(lambda: b.send(whole))
        parts = [a.recvmsg(1 << 20)]
        while not parts[-1][2] & c.MSG_EOR:
            parts.append(a.recvmsg(1 << 20))
        assert b"".join(part[0] for part in parts) == whole
        assert len(parts) > 4
        assert sending.result() == len(whole)


def test_peeking_leaves_the_message_there() -> None:
    with connected() as (a, b):
        b.send(b"message")
        assert [a.recv(4, c.MSG_PEEK), a.recv(100, c.MSG_PEEK), a.recv(4), a.recv(4)] == [
            b"mess",
            b"message",
            b"mess",
            b"age",
        ]


def test_receiving_into_a_buffer_fills_what_it_has_room_for() -> None:
    with connected() as (a, b):
        b.send(b"message")
        buffer = bytearray(b"..........")
        assert a.recv_into(buffer, 4) == 4
        assert a.recvfrom_into(memoryview(buffer)[4:]) == (3, b.getsockname())
        assert buffer == b"message..."


def test_a_buffer_that_cannot_be_written_to_takes_nothing() -> None:
    with connected() as (a, b):
        b.send(b"message")
        with pytest.raises(TypeError, match="read-only"):
            a.recv_into(b"read-only")
        assert a.recv(100) == b"message"


def test_nothing_is_taken_by_a_buffer_of_no_size_and_a_negative_one_is_a_mistake() -> None:
    with connected() as (a, b):
        b.send(b"message")
        assert a.recv(0) == b""
        with pytest.raises(ValueError, match="negative"):
            a.recv(-1)
        assert a.recv(100) == b"message"


# --- what is known of a message ---


def test_what_is_asked_for_comes_with_a_message_in_bytes_and_as_structs() -> None:
    with connected(lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)) as (a, b):
        info = s.SndInfo(snd_sid=3, snd_flags=c.SCTP_UNORDERED, snd_ppid=60)
        for _ in range(3):
            sctpx.sctp_sendv(b, b"data", info=info)
        data, items, flags, address = a.recvmsg(100, 100)
        assert (data, flags, address) == (b"data", c.MSG_EOR, b.getsockname())
        [(level, kind, packed)] = items
        assert (level, kind) == (IPPROTO_SCTP, c.SCTP_RCVINFO)
        told = s.RcvInfo.unpack(packed)
        assert (told.rcv_sid, told.rcv_ppid, told.rcv_flags) == (3, 60, c.SCTP_UNORDERED)
        received = sctpx.sctp_recvv(a, 100)
        assert received.infotype == c.SCTP_RECVV_RCVINFO
        assert isinstance(received.info, s.RcvInfo)
        assert received.info.rcv_tsn == told.rcv_tsn + 1
        assert a.recvmsg(100, 8)[1:3] == ([], c.MSG_EOR | c.MSG_CTRUNC)


def test_the_next_message_is_told_once_the_one_before_was_read_whole() -> None:
    def prepare(sock: sctpx.Socket) -> None:
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_RECVNXTINFO, 1)

    with connected(prepare) as (a, b):
        b.send(b"first")
        sctpx.sctp_sendv(b, b"second", info=s.SndInfo(snd_sid=2))
        b.shutdown(sctpx.SHUT_WR)  # Everything is there before its end is.
        assert a.recv(2) == b"fi"
        received = sctpx.sctp_recvv(a, 100)
        assert received.infotype == c.SCTP_RECVV_RN
        assert isinstance(received.info, s.RecvvRn)
        following = received.info.recvv_nxtinfo
        assert (following.nxt_sid, following.nxt_length, following.nxt_flags) == (2, 6, c.SCTP_COMPLETE)
        assert sctpx.sctp_recvv(a, 100).infotype == c.SCTP_RECVV_RCVINFO


def test_sctp_recvmsg_tells_of_each_message_whether_asked_for_or_not() -> None:
    with connected() as (a, b):
        sctpx.sctp_sendmsg(b, b"data", ppid=7, stream_no=1)
        data, address, info, flags = sctpx.sctp_recvmsg(a, 100)
        assert (data, address, flags) == (b"data", b.getsockname(), c.MSG_EOR)
        assert info is not None
        assert (info.sinfo_stream, info.sinfo_ppid) == (1, 7)


def test_a_received_context_is_that_of_the_association() -> None:
    with connected() as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_CONTEXT, s.AssocValue(assoc_value=42))
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        b.send(b"x")
        info = sctpx.sctp_recvv(a, 100).info
        assert isinstance(info, s.RcvInfo)
        assert info.rcv_context == 42


@linux_only
def test_a_message_has_the_address_it_came_from() -> None:
    theirs = [("127.0.0.2", PORT), ("127.0.0.3", PORT)]
    mine = [("127.0.0.8", 2905), ("127.0.0.9", 2905)]
    with new_socket(udp_port=0) as server:
        server.bindx(theirs)
        server.listen()
        with client(server, udp_port=0) as a:
            a.bindx(mine)
            a.connectx(theirs)
            with accepted(server) as b:
                came = []
                for to in (theirs[0], theirs[1], theirs[0]):
                    a.sendto(b"this way", to)
                    came.append(b.recvfrom(100)[1])
                assert came[0] == came[2] != came[1]
                assert {came[0], came[1]} == set(mine)


def test_the_cumulative_tsn_is_that_of_all_that_had_arrived() -> None:
    with connected(lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)) as (a, b):
        for _ in range(5):
            b.send(b"x")
        b.shutdown(sctpx.SHUT_WR)  # Everything is there before its end is.
        assert a.recv(1, c.MSG_PEEK) == b"x"
        infos = [sctpx.sctp_recvv(a, 100).info for _ in range(5)]
        told = [(info.rcv_tsn, info.rcv_cumtsn) for info in infos if isinstance(info, s.RcvInfo)]
        assert told[0][0] < told[-1][0]
        assert [cumulative for _, cumulative in told] == [told[-1][0]] * 5


# --- notifications ---


def test_notifications_come_in_order_with_the_data_and_are_marked() -> None:
    kinds = (c.SCTP_ASSOC_CHANGE, c.SCTP_SHUTDOWN_EVENT)
    with connected(lambda sock: subscribe(sock, *kinds)) as (a, b):
        b.send(b"one")
        b.send(b"two")
        b.close()
        received = [a.recvmsg(1000) for _ in range(5)]
        assert [bool(entry[2] & c.MSG_NOTIFICATION) for entry in received] == [True, False, False, True, True]
        assert all(entry[2] & c.MSG_EOR for entry in received)
        first, last = s.unpack_notification(received[0][0]), s.unpack_notification(received[4][0])
        assert isinstance(first, s.AssocChange)
        assert isinstance(last, s.AssocChange)
        assert (first.sac_state, last.sac_state) == (c.SCTP_COMM_UP, c.SCTP_SHUTDOWN_COMP)
        assert [received[1][0], received[2][0]] == [b"one", b"two"]
        assert s.unpack_notification(received[3][0]).sn_type == c.SCTP_SHUTDOWN_EVENT
        assert a.recv(100) == b""


def test_a_notification_larger_than_the_buffer_comes_in_pieces_and_whole_as_a_struct() -> None:
    with connected(lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE)) as (a, _):
        received = sctpx.sctp_recvv(a, 4)
        assert (len(received.data), received.flags) == (4, c.MSG_NOTIFICATION)
        assert isinstance(received.notification, s.AssocChange)
        rest = a.recvmsg(1000)
        assert rest[2] == c.MSG_NOTIFICATION | c.MSG_EOR
        assert received.data + rest[0] == received.notification.pack()


def test_messages_that_were_not_delivered_come_back_with_their_context() -> None:
    kinds = (c.SCTP_SEND_FAILED_EVENT, c.SCTP_ASSOC_CHANGE)
    with (
        listening(sctpx.SOCK_SEQPACKET) as server,
        new_socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET, peer_udp_port=server.udp_port) as sock,
    ):
        server.listen(0)
        subscribe(sock, *kinds)
        sctpx.sctp_sendmsg(sock, b"in vain", HERE, ppid=5, stream_no=1, context=99)
        failed = notification(sock)
        assert isinstance(failed, s.SendFailedEvent)
        told = (failed.ssfe_data, failed.ssfe_info.snd_context, failed.ssfe_flags)
        assert told == (b"in vain", 99, c.SCTP_DATA_UNSENT)
        assert notification(sock).sac_state == c.SCTP_CANT_STR_ASSOC


def test_messages_of_several_associations_take_turns() -> None:
    with (
        associated() as (a, b, a_id, _),
        new_socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET, peer_udp_port=b.udp_port) as other,
    ):
        sctpx.sctp_sendmsg(other, b"", HERE)
        for _ in range(3):
            sctpx.sctp_sendv(a, b"a", info=s.SndInfo(snd_assoc_id=a_id))
        for _ in range(3):
            other.sendto(b"o", HERE)
        received = [b.recv(100) for _ in range(6)]
        assert sorted(received) == [b"a"] * 3 + [b"o"] * 3
