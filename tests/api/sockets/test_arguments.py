"""Arguments are looked at as CPython's socket module looks at them: always, first, and before anything is taken."""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import HERE, IPPROTO_SCTP, connected, new_socket
from tests.api.support import raises_errno

Call = Callable[[Any], object]
READ_ONLY = b"I cannot be written to"

WRONG_TYPES: dict[str, Call] = {
    "recv of a float": lambda sock: sock.recv(10.0),
    "recv of nothing": lambda sock: sock.recv(None),
    "recv with object flags": lambda sock: sock.recv(10, object()),
    "recv with no flags": lambda sock: sock.recv(10, None),
    "recv_into an int": lambda sock: sock.recv_into(10),
    "recv_into bytes": lambda sock: sock.recv_into(READ_ONLY),
    "recv_into of an object": lambda sock: sock.recv_into(bytearray(10), object()),
    "recv_into with object flags": lambda sock: sock.recv_into(bytearray(10), 5, object()),
    "recvfrom with text flags": lambda sock: sock.recvfrom(10, "0"),
    "recvfrom_into with object flags": lambda sock: sock.recvfrom_into(bytearray(10), 5, object()),
    "recvmsg of an object": lambda sock: sock.recvmsg(object()),
    "recvmsg with object room": lambda sock: sock.recvmsg(10, object()),
    "recvmsg with object flags": lambda sock: sock.recvmsg(10, 0, object()),
    "recvmsg_into a number": lambda sock: sock.recvmsg_into(10, 0, 0),
    "recvmsg_into bytes": lambda sock: sock.recvmsg_into([READ_ONLY]),
    "recvmsg_into an object behind a buffer": lambda sock: sock.recvmsg_into([bytearray(10), object()]),
    "recvmsg_into with object room": lambda sock: sock.recvmsg_into([bytearray(10)], object()),
    "recvmsg_into with object flags": lambda sock: sock.recvmsg_into([bytearray(10)], 0, object()),
    "recvv with object flags": lambda sock: sock.recvv(10, object()),
    "sctp_recvmsg with object flags": lambda sock: sctpx.sctp_recvmsg(sock, 10, object()),  # type: ignore[arg-type]
    "send of text": lambda sock: sock.send("text"),
    "send with object flags": lambda sock: sock.send(b"x", object()),
    "sendall with object flags": lambda sock: sock.sendall(b"x", object()),
    "sendto with object flags": lambda sock: sock.sendto(b"x", object(), HERE),
    "sendmsg of bytes": lambda sock: sock.sendmsg(b"not in a list"),
    "sendmsg of a bytearray": lambda sock: sock.sendmsg(bytearray(b"not in a list")),
    "sendmsg of an array": lambda sock: sock.sendmsg(array("B", b"not in a list")),
    "sendmsg of an object": lambda sock: sock.sendmsg(object()),
    "sendmsg of an object in a list": lambda sock: sock.sendmsg([b"x", object()]),
    "sendmsg of text in a list": lambda sock: sock.sendmsg(["x"]),
    "sendmsg with object control messages": lambda sock: sock.sendmsg([b"x"], object()),
    "sendmsg with an object as control message": lambda sock: sock.sendmsg([b"x"], [object()]),
    "sendmsg with a control message that is too short": lambda sock: sock.sendmsg([b"x"], [(0, 0)]),
    "sendmsg with object flags": lambda sock: sock.sendmsg([b"x"], [], object()),
    "sendmsg to an object": lambda sock: sock.sendmsg([b"x"], [], 0, object()),
    "sendv with object flags": lambda sock: sock.sendv(b"x", flags=object()),
    "getsockopt of an object": lambda sock: sock.getsockopt(IPPROTO_SCTP, object()),
    "getsockopt with object length": lambda sock: sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, object()),
    "setsockopt at a text level": lambda sock: sock.setsockopt("SCTP", c.SCTP_NODELAY, 1),
    "setsockopt of text": lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, "on"),
    "setsockopt of a float": lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1.0),
    "listen with a float": lambda sock: sock.listen(1.5),
    "shutdown of nothing": lambda sock: sock.shutdown(None),
    "settimeout of text": lambda sock: sock.settimeout("10"),
    "makefile with an object": lambda sock: sock.makefile("rb", object()),
}
WRONG_VALUES: dict[str, Call] = {
    "recv": lambda sock: sock.recv(-1),
    "recv_into": lambda sock: sock.recv_into(bytearray(10), -1),
    "recv_into more than it holds": lambda sock: sock.recv_into(bytearray(10), 11),
    "recvfrom": lambda sock: sock.recvfrom(-1),
    "recvfrom_into": lambda sock: sock.recvfrom_into(bytearray(10), -1),
    "recvfrom_into more than it holds": lambda sock: sock.recvfrom_into(bytearray(10), 11),
    "recvmsg": lambda sock: sock.recvmsg(-1),
    "recvmsg with negative room": lambda sock: sock.recvmsg(10, -1),
    "recvmsg with room beyond all bounds": lambda sock: sock.recvmsg(10, 1 << 31),
    "recvmsg_into with negative room": lambda sock: sock.recvmsg_into([bytearray(10)], -1),
    "recvv": lambda sock: sock.recvv(-1),
    "sctp_recvmsg": lambda sock: sctpx.sctp_recvmsg(sock, -1),
    "settimeout": lambda sock: sock.settimeout(-1),
    "settimeout of what is no number": lambda sock: sock.settimeout(float("nan")),
    "settimeout beyond all bounds": lambda sock: sock.settimeout(1e30),
    "makefile": lambda sock: sock.makefile("a"),
    "makefile of text without a buffer": lambda sock: sock.makefile("r", 0),
}
TOO_LARGE: dict[str, Call] = {
    "recv": lambda sock: sock.recv(10, 1 << 31),
    "send": lambda sock: sock.send(b"x", 1 << 31),
    "setsockopt": lambda sock: sock.setsockopt(1 << 31, 0, 1),
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_an_argument_of_a_wrong_type_is_a_type_error_and_nothing_happens(name: str) -> None:
    """Whether a message is there, so that the call need not wait, or not."""
    check(WRONG_TYPES[name], TypeError)


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_an_argument_out_of_bounds_is_a_value_error_and_nothing_happens(name: str) -> None:
    check(WRONG_VALUES[name], ValueError)


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_number_that_is_no_int_in_c_is_an_overflow_error(name: str) -> None:
    check(TOO_LARGE[name], OverflowError)


def check(call: Call, kind: type[Exception]) -> None:
    with connected() as (a, b):
        a.settimeout(0.05)
        with pytest.raises(kind):
            call(a)
        b.send(b"message")
        assert a.recv(100, c.MSG_PEEK) == b"message"
        with pytest.raises(kind):
            call(a)
        assert a.recv(100) == b"message"
        a.send(b"all is well")
        assert b.recv(100) == b"all is well"


# --- what is taken ---


def test_any_buffer_can_be_sent_received_into_and_set_as_an_option() -> None:
    with connected() as (a, b):
        room = array("i", [0, 0, 0])
        assert a.send(array("B", b"one")) == 3
        assert b.recv_into(room) == 3
        assert room.tobytes() == b"one" + bytes(9)
        assert a.sendmsg([array("B", b"tw"), memoryview(b"o")]) == 3
        assert b.recvfrom_into(room, 2)[0] == 2
        assert (room.tobytes()[:2], b.recv(10)) == (b"tw", b"o")
        assert a.sendv(array("B", b"three")).length == 5
        assert b.recv(10) == b"three"
        a.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, array("i", [1]))
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY) == 1


def test_a_message_is_received_into_several_buffers_one_after_the_other() -> None:
    with connected(lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)) as (a, b):
        b.send(b"first, second, third")
        buffers: list[Any] = [bytearray(7), array("B", bytes(8)), memoryview(bytearray(100))]
        length, items, flags, source = a.recvmsg_into(iter(buffers), 1000)
        assert (length, flags, source) == (20, c.MSG_EOR, b.getsockname())
        assert [bytes(buffer) for buffer in buffers] == [b"first, ", b"second, ", b"third" + bytes(95)]
        assert [(level, kind) for level, kind, _ in items] == [(IPPROTO_SCTP, c.SCTP_RCVINFO)]


def test_what_the_buffers_have_no_room_for_comes_with_the_next_call() -> None:
    with connected() as (a, b):
        b.send(b"message")
        buffer = bytearray(4)
        assert a.recvmsg_into([buffer, bytearray(0)])[::2] == (4, 0)
        assert bytes(buffer) == b"mess"
        assert a.recvmsg_into([buffer], 0, c.MSG_PEEK)[::2] == (3, c.MSG_EOR)
        assert a.recvmsg_into([buffer])[::2] == (3, c.MSG_EOR)
        assert bytes(buffer) == b"ages"


def test_for_nothing_nothing_is_waited_for() -> None:
    with connected() as (a, _):
        assert (a.recv(0), a.recv_into(bytearray(0))) == (b"", 0)
        a.close()
        with raises_errno(errno.EBADF):
            a.recv(0)


def test_flags_that_mean_nothing_here_change_nothing() -> None:
    with connected() as (a, b):
        b.send(b"message", 0x4000)  # MSG_NOSIGNAL
        assert a.recv(100, 0x100) == b"message"  # MSG_WAITALL


def test_control_messages_can_be_lists_and_hold_structs_or_any_buffer_of_their_bytes() -> None:
    with connected() as (a, b):
        info = s.SndInfo(snd_sid=3)
        for data in (info, info.pack(), array("B", info.pack())):
            item: Any = [IPPROTO_SCTP, c.SCTP_SNDINFO, data]
            a.sendmsg([b"x"], [item])
            received = sctpx.sctp_recvmsg(b, 10)[2]
            assert received is not None
            assert received.sinfo_stream == 3


def test_a_timeout_can_be_any_number_of_seconds_within_reason() -> None:
    with new_socket() as sock:
        for seconds in (0, 1, 0.5, 1e9, None):
            sock.settimeout(seconds)
            assert sock.gettimeout() == seconds
