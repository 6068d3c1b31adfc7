"""``send``, ``sendto``, ``sendmsg``, ``sctp_sendv`` and the deprecated ones: what goes out, and what is refused."""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HERE,
    HOST,
    IPPROTO_SCTP,
    PORT,
    Thread,
    accepted,
    client,
    connected,
    fill,
    listening,
    new_socket,
    notification,
)
from tests.api.support import linux_only, raises_errno

Send = Callable[[sctpx.Socket, bytes], object]
SEND: list[Send] = [
    lambda sock, data: sock.send(data),
    lambda sock, data: sock.sendall(data),
    lambda sock, data: sock.sendmsg([data]),
    lambda sock, data: sctpx.sctp_sendv(sock, [data]),
    sctpx.sctp_sendmsg,
    sctpx.sctp_send,
    lambda sock, data: sctpx.sctp_sendx(sock, data, [HERE]),
]
NAMES = ["send", "sendall", "sendmsg", "sendv", "sctp_sendmsg", "sctp_send", "sctp_sendx"]
each = pytest.mark.parametrize("send", SEND, ids=NAMES)
WITHOUT_ADDRESS = pytest.mark.parametrize("send", SEND[:-1], ids=NAMES[:-1])


@each
def test_a_message_arrives_whole(send: Send) -> None:
    with connected() as (a, b):
        send(a, b"hello")
        assert b.recvmsg(100)[0:3:2] == (b"hello", c.MSG_EOR)


@WITHOUT_ADDRESS
def test_without_an_association_it_is_a_broken_pipe(send: Send) -> None:
    with new_socket() as sock, raises_errno(errno.EPIPE):
        send(sock, b"x")
    with listening() as sock, raises_errno(errno.EPIPE):
        send(sock, b"x")
    with new_socket(type=sctpx.SOCK_SEQPACKET) as sock, raises_errno(errno.EPIPE):
        send(sock, b"x")


@each
def test_a_closed_socket_sends_nothing(send: Send) -> None:
    sock = new_socket()
    sock.close()
    with raises_errno(errno.EBADF):
        send(sock, b"x")


@each
def test_sctp_has_no_empty_messages(send: Send) -> None:
    with connected() as (a, _), raises_errno(errno.EINVAL):
        send(a, b"")


@each
def test_after_the_own_shutdown_nothing_can_be_sent(send: Send) -> None:
    with connected() as (a, _):
        a.shutdown(sctpx.SHUT_WR)
        with raises_errno(errno.EPIPE):
            send(a, b"x")


@pytest.mark.parametrize("data", [None, "text", 5, ["a"]])
def test_what_is_not_made_of_bytes_is_a_type_error(data: object) -> None:
    with connected() as (a, _):
        with pytest.raises(TypeError):
            a.send(data)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            a.sendmsg([data])  # type: ignore[list-item]


def test_a_message_larger_than_the_limit_is_too_large() -> None:
    with connected() as (a, _), raises_errno(errno.EMSGSIZE):
        a.send(bytes((16 << 20) + 1))


def test_several_buffers_make_one_message() -> None:
    with connected() as (a, b):
        assert a.sendmsg([b"one, ", bytearray(b"two, "), memoryview(b"th"), array("B", b"ree")]) == 15
        assert b.recv(100) == b"one, two, three"


def test_sendto_takes_flags_or_does_without() -> None:
    with connected() as (a, b):
        assert a.sendto(b"one", HERE) == 3
        assert a.sendto(b"two", 0, HERE) == 3
        assert [b.recv(100), b.recv(100)] == [b"one", b"two"]
        with pytest.raises(TypeError):
            a.sendto(b"three")


# --- attributes ---


def test_a_message_goes_as_its_ancillary_data_says_in_bytes_or_as_a_struct() -> None:
    with connected() as (a, b):
        info = s.SndInfo(snd_sid=3, snd_flags=c.SCTP_UNORDERED, snd_ppid=60)
        for value in (info, info.pack()):
            a.sendmsg([b"x"], [(IPPROTO_SCTP, c.SCTP_SNDINFO, value)])
            told = sctpx.sctp_recvmsg(b, 100)[2]
            assert told is not None
            assert (told.sinfo_stream, told.sinfo_ppid, told.sinfo_flags) == (3, 60, c.SCTP_UNORDERED)


SNDINFO_AT_ONCE = s.SndInfo(snd_flags=c.SCTP_SACK_IMMEDIATELY)


def _as_default(sock: sctpx.Socket, data: bytes) -> None:
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_DEFAULT_SNDINFO, SNDINFO_AT_ONCE)
    sock.send(data)


AT_ONCE: dict[str, Send] = {
    "default": _as_default,
    "sendmsg": lambda sock, data: sock.sendmsg([data], [(IPPROTO_SCTP, c.SCTP_SNDINFO, SNDINFO_AT_ONCE)]),
    "sendv": lambda sock, data: sctpx.sctp_sendv(sock, [data], info=SNDINFO_AT_ONCE),
    "sctp_sendmsg": lambda sock, data: sctpx.sctp_sendmsg(sock, data, flags=c.SCTP_SACK_IMMEDIATELY),
    "sctp_send": lambda sock, data: sctpx.sctp_send(sock, data, s.SndRcvInfo(sinfo_flags=c.SCTP_SACK_IMMEDIATELY)),
}


def dry_after(send: Send) -> bool:
    """A message is acknowledged within 0.15 s by a peer that waits 0.5 s, but for the first one.

    After 0.2 s and two round trips a tail loss probe asks for it (RFC 8985).
    """
    slow = s.SackInfo(sack_delay=500)
    with connected(configure=lambda b: b.setsockopt(IPPROTO_SCTP, c.SCTP_DELAYED_SACK, slow)) as (a, b):
        a.send(b"first")
        b.recvmsg(100)
        a.setsockopt(IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_SENDER_DRY_EVENT, se_on=1))
        a.settimeout(0.15)
        notification(a)  # It is dry now.
        send(a, b"second")
        b.recvmsg(100)
        try:
            return isinstance(notification(a), s.SenderDryEvent)
        except TimeoutError:
            return False


@pytest.mark.virtual_time
@pytest.mark.parametrize("send", AT_ONCE.values(), ids=AT_ONCE)
def test_an_acknowledgement_can_be_asked_for_at_once(send: Send) -> None:
    """RFC 7053, by SCTP_SACK_IMMEDIATELY."""
    assert dry_after(send)
    assert not dry_after(lambda sock, data: sock.send(data))


def test_messages_without_attributes_go_as_the_default_says() -> None:
    with connected() as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_DEFAULT_SNDINFO, s.SndInfo(snd_sid=2, snd_ppid=7))
        for send in SEND[:4]:
            send(a, b"x")
            told = sctpx.sctp_recvmsg(b, 100)[2]
            assert told is not None
            assert (told.sinfo_stream, told.sinfo_ppid) == (2, 7)


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([(0, c.SCTP_SNDINFO, s.SndInfo())], errno.EINVAL),
        ([(IPPROTO_SCTP, 99, b"")], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo().pack()[:-1])], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_flags=0x4000))], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_sid=999))], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo()), (IPPROTO_SCTP, c.SCTP_SNDRCV, s.SndRcvInfo())], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_flags=c.SCTP_EOF))], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_PRINFO, s.PrInfo(pr_policy=c.SCTP_PR_SCTP_ALL))], errno.EINVAL),
        ([(IPPROTO_SCTP, c.SCTP_AUTHINFO, s.AuthInfo(auth_keynumber=7))], errno.EINVAL),
    ],
)
def test_wrong_ancillary_data_raises_and_nothing_is_sent(items: list[tuple[int, int, object]], code: int) -> None:
    with connected() as (a, b):
        with raises_errno(code):
            a.sendmsg([b"wrong"], items)  # type: ignore[arg-type]
        a.send(b"right")
        assert b.recv(100) == b"right"


def test_messages_that_are_not_to_be_cut_are_refused_when_too_large_for_a_packet() -> None:
    with connected() as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_DISABLE_FRAGMENTS, 1)
        with raises_errno(errno.EMSGSIZE):
            a.send(bytes(1500))
        a.send(bytes(1400))
        assert len(b.recv(2000)) == 1400


@linux_only
def test_an_address_of_the_peer_can_be_chosen_and_a_strange_one_is_refused() -> None:
    with new_socket(udp_port=0) as server:
        server.bindx([("127.0.0.2", PORT), ("127.0.0.3", PORT)])
        server.listen()
        with client(server) as a:
            a.connectx([("127.0.0.2", PORT), ("127.0.0.3", PORT)])
            with accepted(server) as b:
                a.sendto(b"this way", ("127.0.0.3", PORT))
                assert b.recv(100) == b"this way"
                with raises_errno(errno.EINVAL):
                    a.sendto(b"x", ("127.0.0.4", PORT))


def test_an_address_with_another_port_is_not_the_peers() -> None:
    with listening(address=(HOST, PORT + 1)), connected() as (a, b):
        with raises_errno(errno.EINVAL):
            a.sendto(b"for another", (HOST, PORT + 1))
        a.send(b"for the peer")
        assert b.recv(100) == b"for the peer"


@pytest.mark.parametrize("size", [1, 1400, 1472, 1500, 3000, 8192, 32_768, 65_536, 100_001])
def test_messages_of_any_size_arrive_as_they_were_sent(size: int) -> None:
    with connected() as (a, b):
        data = bytes(number % 251 for number in range(size))
        a.send(data)
        a.send(data[::-1])
        assert b.recv(size + 1) == data
        assert b.recv(size + 1) == data[::-1]


@pytest.mark.parametrize(
    ("info", "infotype", "sent"),
    [
        (None, c.SCTP_SENDV_NOINFO, (0, 0)),
        (s.SndInfo(snd_sid=1, snd_ppid=60), c.SCTP_SENDV_SNDINFO, (1, 60)),
        (s.PrInfo(), c.SCTP_SENDV_PRINFO, (0, 0)),
        (
            s.SendvSpa(sendv_flags=c.SCTP_SEND_SNDINFO_VALID, sendv_sndinfo=s.SndInfo(snd_sid=2)),
            c.SCTP_SENDV_SPA,
            (2, 0),
        ),
        (
            s.SendvSpa(
                sendv_flags=c.SCTP_SEND_SNDINFO_VALID | c.SCTP_SEND_PRINFO_VALID, sendv_sndinfo=s.SndInfo(snd_ppid=5)
            ),
            c.SCTP_SENDV_SPA,
            (0, 5),
        ),
        (s.SendvSpa(sendv_sndinfo=s.SndInfo(snd_sid=2)), c.SCTP_SENDV_SPA, (0, 0)),
    ],
)
def test_sendv_takes_each_kind_of_info_typed_or_packed(
    info: s.Struct | None, infotype: int, sent: tuple[int, int]
) -> None:
    with connected() as (a, b):
        for form in (info, info and info.pack()):
            assert sctpx.sctp_sendv(a, [b"da", b"ta"], info=form, infotype=infotype).length == 4
            data, _, told, _ = sctpx.sctp_recvmsg(b, 100)
            assert told is not None
            assert (data, told.sinfo_stream, told.sinfo_ppid) == (b"data", *sent)


@pytest.mark.parametrize(
    ("info", "infotype", "code"),
    [
        (s.SndInfo(), c.SCTP_SENDV_PRINFO, errno.EINVAL),
        (s.SndInfo().pack()[:-1], c.SCTP_SENDV_SNDINFO, errno.EINVAL),
        (s.SndInfo(), c.SCTP_SENDV_NOINFO, errno.EINVAL),
        (None, c.SCTP_SENDV_SNDINFO, errno.EINVAL),
        (s.SndInfo(), 99, errno.EINVAL),
        (s.RcvInfo(), None, errno.EINVAL),
        (s.AuthInfo(auth_keynumber=7), c.SCTP_SENDV_AUTHINFO, errno.EINVAL),
        (s.PrInfo(pr_policy=c.SCTP_PR_SCTP_RTX + 1), c.SCTP_SENDV_PRINFO, errno.EINVAL),
        (
            s.SendvSpa(sendv_flags=c.SCTP_SEND_AUTHINFO_VALID, sendv_authinfo=s.AuthInfo(auth_keynumber=7)),
            c.SCTP_SENDV_SPA,
            errno.EINVAL,
        ),
    ],
)
def test_sendv_refuses_infos_that_are_wrong(info: s.Struct | bytes | None, infotype: int | None, code: int) -> None:
    with connected() as (a, b):
        with raises_errno(code):
            sctpx.sctp_sendv(a, b"wrong", info=info, infotype=infotype)
        a.send(b"right")
        assert b.recv(100) == b"right"


# --- room ---


def test_sending_waits_while_the_buffer_is_full() -> None:
    with connected() as (a, b):
        count = 64
        sending = Thread(lambda: [a.send(bytes(1 << 16)) for _ in range(count)])
        total = 0
        while total < count << 16:
            total += len(b.recv(1 << 20))
        assert sending.result() == [1 << 16] * count


def test_a_socket_that_does_not_wait_raises_eagain_when_the_buffer_is_full() -> None:
    with connected() as (a, _):
        fill(a)  # Until it times out; what is acknowledged late still makes room.
        a.setblocking(False)
        with raises_errno(errno.EAGAIN):
            while True:
                a.send(bytes(1 << 18))


@pytest.mark.parametrize("end", ["close", "peer"])
def test_a_blocked_call_wakes_when_the_association_ends(end: str) -> None:
    with connected() as (a, b):

        def fill() -> None:
            while True:
                a.send(bytes(1 << 20))

        sending = Thread(fill)
        if end == "close":
            a.close()
            with raises_errno(errno.EBADF):
                sending.result()
        else:
            sctpx.sctp_sendmsg(b, b"", flags=c.SCTP_ABORT)
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                sending.result()


# --- explicit end of records ---


def test_a_record_is_sent_when_its_last_piece_is_there() -> None:
    with connected() as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_EXPLICIT_EOR, 1)
        for text in (b"one, ", b"two, "):
            assert sctpx.sctp_sendmsg(a, text, stream_no=1) == len(text)
        with raises_errno(errno.EINVAL):
            sctpx.sctp_sendmsg(a, b"other", stream_no=2, flags=c.SCTP_EOR)
        sctpx.sctp_sendmsg(a, b"three", stream_no=1, flags=c.SCTP_EOR)
        sctpx.sctp_sendmsg(a, b"alone", stream_no=2, flags=c.SCTP_EOR)
        assert b.recvmsg(100)[0:3:2] == (b"one, two, three", c.MSG_EOR)
        assert b.recv(100) == b"alone"


def test_a_record_may_be_larger_than_the_send_buffer() -> None:
    with connected() as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_EXPLICIT_EOR, 1)
        a.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 1 << 16)
        for number in range(8):
            sctpx.sctp_sendmsg(a, bytes(1 << 14), flags=c.SCTP_EOR if number == 7 else 0)
        assert len(b.recv(1 << 20)) == 8 << 14


def test_a_record_for_a_stream_there_is_not_is_refused_with_its_first_piece() -> None:
    with connected() as (a, b):
        a.setsockopt(IPPROTO_SCTP, c.SCTP_EXPLICIT_EOR, 1)
        with raises_errno(errno.EINVAL):
            sctpx.sctp_sendmsg(a, b"nowhere", stream_no=500)
        sctpx.sctp_sendmsg(a, b"somewhere", flags=c.SCTP_EOR)
        assert b.recv(100) == b"somewhere"


# --- implicit setup ---


@pytest.mark.parametrize("style", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_sending_to_a_peer_sets_the_association_up(style: int) -> None:
    with listening() as server, client(server, style) as a:
        a.sendto(b"first", HERE)
        a.sendto(b"second", HERE)
        with accepted(server) as b:
            assert [b.recv(100), b.recv(100)] == [b"first", b"second"]
            b.send(b"answer")
            assert a.recv(100) == b"answer"


def test_parameters_of_the_setup_can_come_with_the_message() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        init = s.InitMsg(sinit_num_ostreams=3)
        a.sendmsg([b"x"], [(IPPROTO_SCTP, c.SCTP_INIT, init)], 0, HERE)
        with accepted(server) as b:
            assert b.recv(1) == b"x"
            status = b.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS)
            assert status.sstat_instrms == 3


@pytest.mark.parametrize(
    ("stream", "size", "code"), [(3, 1, errno.EINVAL), (65535, 1, errno.EINVAL), (0, (16 << 20) + 1, errno.EMSGSIZE)]
)
@pytest.mark.parametrize("style", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_a_message_that_no_association_could_take_sets_none_up(style: int, stream: int, size: int, code: int) -> None:
    with listening() as server, client(server, style, config=sctpx.AssociationConfig(streams=3)) as a:
        with raises_errno(code):
            sctpx.sctp_sendmsg(a, bytes(size), HERE, stream_no=stream)
        assert a.getladdrs() == []
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_streams_that_the_setup_asks_for_are_those_that_can_be_sent_on() -> None:
    items: list[Any] = [
        (IPPROTO_SCTP, c.SCTP_INIT, s.InitMsg(sinit_num_ostreams=1)),
        (IPPROTO_SCTP, c.SCTP_SNDINFO, s.SndInfo(snd_sid=2)),
    ]
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        with raises_errno(errno.EINVAL, "stream 2"):
            a.sendmsg([b"x"], items, 0, HERE)
        a.sendmsg([b"x"], [(IPPROTO_SCTP, c.SCTP_INIT, s.InitMsg(sinit_num_ostreams=3)), items[1]], 0, HERE)
        with accepted(server) as b:
            told = sctpx.sctp_recvmsg(b, 10)[2]
            assert told is not None
            assert told.sinfo_stream == 2


@pytest.mark.parametrize("explicit_eor", [0, 1])
def test_what_is_sent_before_the_association_is_up_is_checked_as_afterwards(explicit_eor: int) -> None:
    with listening() as server, client(server, config=sctpx.AssociationConfig(streams=2)) as a:
        a.setsockopt(IPPROTO_SCTP, c.SCTP_EXPLICIT_EOR, explicit_eor)
        a.setblocking(False)
        assert a.connect_ex(HERE) == errno.EINPROGRESS
        for stream, size, code in ((2, 1, errno.EINVAL), (0, (16 << 20) + 1, errno.EMSGSIZE)):
            with raises_errno(code):
                sctpx.sctp_sendmsg(a, bytes(size), stream_no=stream)
        with raises_errno(errno.EINVAL):
            sctpx.sctp_sendmsg(a, b"x", ("127.0.0.4", PORT), flags=c.SCTP_EOR)
        sctpx.sctp_sendmsg(a, b"right", stream_no=1, flags=c.SCTP_EOR)
        with accepted(server) as b:
            assert b.recv(10) == b"right"


@pytest.mark.virtual_time
def test_a_message_for_an_address_that_the_peer_does_not_keep_takes_another() -> None:
    """The message is sent before the association is up. Real sockets may be quicker than the test."""
    with listening() as server, client(server) as a:
        a.setblocking(False)
        with pytest.raises(sctpx.ConnectInProgress):
            sctpx.sctp_connectx(a, [HERE, ("127.0.0.9", PORT)])
        a.sendto(b"anyhow", ("127.0.0.9", PORT))
        with accepted(server) as b:
            assert b.recv(10) == b"anyhow"
            assert a.getpaddrs() == [HERE]


def test_sendv_sets_up_over_several_addresses_and_tells_the_id() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        sent = sctpx.sctp_sendv(a, b"data", [(HOST, PORT), (HOST, PORT)], 2)
        assert sent == (4, sctpx.sctp_getassocid(a, HERE))
        again = sctpx.sctp_sendx(a, b"more", [HERE])
        assert again == sent
        with accepted(server) as b:
            assert [b.recv(100), b.recv(100)] == [b"data", b"more"]


@linux_only
@pytest.mark.parametrize("style", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
@pytest.mark.parametrize("send", [sctpx.sctp_sendx, sctpx.sctp_sendv])
def test_a_list_of_addresses_can_be_given_again_though_the_first_one_was_not_kept(send: Any, style: int) -> None:
    addresses = [("127.0.0.9", PORT), HERE]
    with listening() as server, client(server, style) as a:
        first = send(a, b"first", addresses)
        with accepted(server) as b:
            assert b.recv(100) == b"first"
            assert a.getpaddrs(first.assoc_id) == [HERE]
            assert send(a, b"second", addresses) == (6, first.assoc_id)
            assert b.recv(100) == b"second"


def test_an_association_cannot_begin_with_its_end() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        for flag in (c.SCTP_EOF, c.SCTP_ABORT):
            with raises_errno(errno.EINVAL):
                sctpx.sctp_sendmsg(a, b"", HERE, flags=flag)


def test_a_message_without_data_only_sets_up() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        assert a.sendto(b"", HERE) == 0
        with accepted(server) as b:
            a.sendto(b"x", HERE)
            assert b.recv(10) == b"x"
