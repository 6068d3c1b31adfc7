"""What sockets over the kernel's SCTP do: run in the guest, by ``test_kernel.py``. Both sides are the kernel's."""

from __future__ import annotations

import errno
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx import constants as c

HOST = "127.0.0.1"
OTHER = "10.77.1.2"
NOBODY = "10.77.1.99"
SCTP = c.IPPROTO_SCTP


@pytest.fixture
def opened() -> Iterator[Any]:
    """Makes sockets that are closed in the end."""
    with ExitStack() as closing:

        def open_socket(kind: int = sctpx.SOCK_STREAM, family: int = sctpx.AF_INET, **options: Any) -> sctpx.Socket:
            sock = closing.enter_context(sctpx.socket(family, kind, backend="kernel", **options))
            sock.settimeout(10)
            return sock

        open_socket.closing = closing  # type: ignore[attr-defined]
        yield open_socket


def listening(opened: Any, kind: int = sctpx.SOCK_STREAM) -> tuple[sctpx.Socket, Any]:
    server = opened(kind)
    server.bind((HOST, 0))
    server.listen()
    return server, server.getsockname()


def pair(opened: Any) -> tuple[sctpx.Socket, sctpx.Socket]:
    server, address = listening(opened)
    client = opened()
    client.connect(address)
    accepted, _ = server.accept()
    accepted.settimeout(10)
    return client, opened.closing.enter_context(accepted)


def subscribe(sock: sctpx.Socket, kind: int = c.SCTP_ASSOC_CHANGE) -> None:
    sock.setsockopt(SCTP, c.SCTP_EVENT, sctpx.Event(se_type=kind, se_on=1))


def code(call: Any, *arguments: Any) -> int:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is what is looked at
        call(*arguments)
    return caught.value.errno or 0


def test_a_socket_says_who_carries_its_associations(opened: Any) -> None:
    assert opened().backend == "kernel"
    with sctpx.socket() as other:
        assert other.backend == "userspace"


def test_several_addresses_are_bound_connected_to_and_told(opened: Any) -> None:
    server = opened()
    server.bindx([(HOST, 5001), (OTHER, 5001)])
    server.listen()
    client = opened()
    assert client.connectx([(HOST, 5001), (OTHER, 5001)]) > 0
    assert sorted(client.getpaddrs()) == sorted([(HOST, 5001), (OTHER, 5001)])
    assert server.getladdrs() == [(HOST, 5001), (OTHER, 5001)]
    accepted, address = server.accept()
    assert address in accepted.getpaddrs()
    accepted.close()


def test_a_connect_that_does_not_wait_tells_the_id_and_becomes_writable(opened: Any) -> None:
    _, address = listening(opened)
    client = opened()
    client.setblocking(False)
    with pytest.raises(sctpx.ConnectInProgress) as waiting:
        client.connectx([address])
    assert select.select([], [client], [], 5)[1] == [client]
    assert client.getsockopt(c.SOL_SOCKET, 4) == 0
    assert client.getsockopt(SCTP, c.SCTP_STATUS).sstat_assoc_id == waiting.value.assoc_id


@pytest.mark.parametrize("kind", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_a_refusal_and_silence_raise_what_the_userspace_stack_raises(opened: Any, kind: int) -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        opened(kind).connect((HOST, 1))
    assert isinstance(refused.value, sctpx.ConnectError)
    silent = opened(kind)
    silent.settimeout(0.2)
    with pytest.raises(TimeoutError) as caught:
        silent.connect((NOBODY, 1))
    assert isinstance(caught.value, sctpx.ConnectError)


def test_a_message_goes_with_its_stream_and_ppid_and_comes_with_them(opened: Any) -> None:
    client, server = pair(opened)
    server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    info = sctpx.SndInfo(snd_sid=3, snd_ppid=60, snd_flags=c.SCTP_UNORDERED)
    assert client.sendv(b"hello", None, info).length == 5
    got = server.recvv(3)
    assert (got.data, got.flags & c.MSG_EOR) == (b"hel", 0)
    got = server.recvv(100)
    assert got.data == b"lo"
    assert got.flags & c.MSG_EOR
    assert isinstance(got.info, sctpx.RcvInfo)
    assert (got.info.rcv_sid, got.info.rcv_ppid, got.info.rcv_flags) == (3, 60, c.SCTP_UNORDERED)


def test_what_was_not_asked_for_is_not_told_but_by_the_old_call(opened: Any) -> None:
    client, server = pair(opened)
    sctpx.sctp_sendmsg(client, b"one", ppid=9, stream_no=2)
    assert server.recvmsg(100, 256)[1] == []
    sctpx.sctp_sendmsg(client, b"two", ppid=9, stream_no=2)
    data, _, info, _ = sctpx.sctp_recvmsg(server.fileno(), 100)
    assert info is not None
    assert (data, info.sinfo_stream, info.sinfo_ppid) == (b"two", 2, 9)


def test_partial_reliability_is_the_kernels_to_do(opened: Any) -> None:
    client, server = pair(opened)
    parts = sctpx.SendvSpa(
        sendv_flags=c.SCTP_SEND_SNDINFO_VALID | c.SCTP_SEND_PRINFO_VALID,
        sendv_prinfo=sctpx.PrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=5000),
    )
    client.sendv(b"in time", None, parts)
    assert server.recv(100) == b"in time"


def test_a_graceful_end_is_an_end_of_file_on_both_sides(opened: Any) -> None:
    client, server = pair(opened)
    client.send(bytes(100_000))
    client.shutdown(sctpx.SHUT_WR)
    got = 0
    while data := server.recv(1 << 16):
        got += len(data)
    assert got == 100_000
    assert server.recv(10) == b""
    assert client.recv(10) == b""
    assert code(client.send, b"x") == errno.EPIPE


def test_a_reader_that_subscribed_hears_of_the_end_before_the_end_of_file(opened: Any) -> None:
    client, server = pair(opened)
    subscribe(server)
    threading.Timer(0.1, client.shutdown, [sctpx.SHUT_WR]).start()
    notice = server.recvv(100).notification
    assert isinstance(notice, sctpx.AssocChange)
    assert notice.sac_state == c.SCTP_SHUTDOWN_COMP
    assert server.recv(100) == b""


def test_an_abort_raises_once_and_is_no_end_of_file(opened: Any) -> None:
    client, server = pair(opened)
    client.setsockopt(c.SOL_SOCKET, c.SO_LINGER, sctpx.Linger(l_onoff=1))
    client.close()
    with pytest.raises(sctpx.AssociationAborted):
        server.recv(10)
    assert code(server.recv, 10) == errno.ENOTCONN


def test_a_notification_is_whole_however_short_the_buffer_and_has_the_abort_chunk(opened: Any) -> None:
    many, address = listening(opened, sctpx.SOCK_SEQPACKET)
    subscribe(many)
    client = opened(sctpx.SOCK_SEQPACKET)
    assoc_id = client.connectx([address])
    assert many.recvv(5).notification == many.recvv(100).notification
    end = sctpx.SndInfo(snd_flags=c.SCTP_ABORT, snd_assoc_id=assoc_id)
    client.sendmsg([b"why"], [(SCTP, c.SCTP_SNDINFO, end)])
    notice = many.recvv(100).notification
    assert isinstance(notice, sctpx.AssocChange)
    assert (notice.sac_state, notice.sac_error) == (c.SCTP_COMM_LOST, 12)
    assert notice.sac_info == b"\x06\x00\x00\x0b\x00\x0c\x00\x07why"


def test_a_one_to_many_socket_sends_by_id_and_address_and_gives_associations_away(opened: Any) -> None:
    many, address = listening(opened, sctpx.SOCK_SEQPACKET)
    subscribe(many)
    client = opened(sctpx.SOCK_SEQPACKET)
    assert client.sendto(b"by address", address) == 10
    assoc_id = client.getassocid(address)
    assert client.sendv(b"by id", None, sctpx.SndInfo(snd_assoc_id=assoc_id)) == (5, assoc_id)
    up = many.recvv(100).notification
    assert isinstance(up, sctpx.AssocChange)
    with many.peeloff(up.sac_assoc_id) as peeled:
        peeled.settimeout(10)
        assert (peeled.type, peeled.getpeername()[1]) == (sctpx.SOCK_STREAM, client.getsockname()[1])
        assert [peeled.recv(100), peeled.recv(100)] == [b"by address", b"by id"]
        peeled.send(b"back")
        assert client.recv(100) == b"back"
        threading.Timer(0.1, client.sendmsg, [[], [(SCTP, c.SCTP_SNDINFO, _end(assoc_id))]]).start()
        assert peeled.recvv(100).notification is not None
        assert peeled.recv(100) == b""
    assert code(many.peeloff, up.sac_assoc_id) == errno.EINVAL


def _end(assoc_id: int) -> sctpx.SndInfo:
    return sctpx.SndInfo(snd_flags=c.SCTP_EOF, snd_assoc_id=assoc_id)


def test_options_are_the_structs_of_the_table(opened: Any) -> None:
    client, _ = pair(opened)
    status = client.getsockopt(SCTP, c.SCTP_STATUS)
    assert (status.sstat_state, status.sstat_primary.spinfo_state) == (c.SCTP_ESTABLISHED, c.SCTP_ACTIVE)
    assert len(client.getsockopt(SCTP, c.SCTP_STATUS, 176)) == 176
    client.setsockopt(SCTP, c.SCTP_RTOINFO, sctpx.RtoInfo(srto_initial=500, srto_min=300))
    assert client.opt_info(0, c.SCTP_RTOINFO) == sctpx.RtoInfo(
        srto_assoc_id=status.sstat_assoc_id, srto_initial=500, srto_max=60000, srto_min=300
    )
    peer = sctpx.PaddrParams(spp_address=client.getpeername(), spp_flags=c.SPP_HB_ENABLE, spp_hbinterval=7000)
    client.setsockopt(SCTP, c.SCTP_PEER_ADDR_PARAMS, peer)
    asked = sctpx.PaddrParams(spp_address=client.getpeername())
    assert client.getsockopt(SCTP, c.SCTP_PEER_ADDR_PARAMS, asked).spp_hbinterval == 7000
    many, address = listening(opened, sctpx.SOCK_SEQPACKET)
    other = opened(sctpx.SOCK_SEQPACKET)
    assoc_id = other.connectx([address])
    assert other.getsockopt(SCTP, c.SCTP_GET_ASSOC_ID_LIST).gaids_assoc_id == (assoc_id,)
    assert many.getsockopt(SCTP, c.SCTP_GET_ASSOC_NUMBER) == 1


@pytest.mark.parametrize("family", [sctpx.AF_INET, sctpx.AF_INET6])
def test_a_config_becomes_options(opened: Any, family: int) -> None:
    config = sctpx.AssociationConfig(streams=64, rto_initial=0.5, rto_min=0.2, dscp=46, heartbeat_interval=5)
    sock = opened(family=family, config=config)
    assert sock.getsockopt(SCTP, c.SCTP_INITMSG).sinit_num_ostreams == 64
    assert sock.getsockopt(SCTP, c.SCTP_RTOINFO).srto_initial == 500
    paths = sock.getsockopt(SCTP, c.SCTP_PEER_ADDR_PARAMS)
    assert (paths.spp_hbinterval, paths.spp_dscp) == (5000, 46 << 2)


def test_the_thresholds_of_rfc_7829_are_the_kernels(opened: Any) -> None:
    config = sctpx.AssociationConfig(potentially_failed_max_retrans=1, primary_switchover_max_retrans=3)
    sock = opened(config=config)
    thresholds = sctpx.PaddrThldsV2(spt_pathmaxrxt=5, spt_pathpfthld=1, spt_pathcpthld=3)
    assert sock.getsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2) == thresholds
    with pytest.raises(OSError, match=r".") as caught:
        sock.setsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2, sctpx.PaddrThldsV2(spt_pathpfthld=3, spt_pathcpthld=2))
    assert caught.value.errno == errno.EINVAL
    assert opened().getsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2).spt_pathcpthld == 0xFFFF
    without_pf = sctpx.AssociationConfig(potentially_failed_max_retrans=9, primary_switchover_max_retrans=5)
    assert opened(config=without_pf).getsockopt(SCTP, c.SCTP_PEER_ADDR_THLDS_V2).spt_pathcpthld == 5
    exposed = sctpx.AssocValue(assoc_value=1)
    sock.setsockopt(SCTP, c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, exposed)
    assert sock.getsockopt(SCTP, c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE) == exposed


def test_an_acknowledgement_can_be_asked_for_at_once(opened: Any) -> None:
    """RFC 7053: the kernel's receiver waits 500 ms with others."""
    server, address = listening(opened)
    server.setsockopt(SCTP, c.SCTP_DELAYED_SACK, sctpx.SackInfo(sack_delay=500, sack_freq=2))
    client = opened()
    client.connect(address)
    accepted, _ = server.accept()
    opened.closing.enter_context(accepted)
    client.send(b"the first is acknowledged at once")
    accepted.recv(100)
    took = []
    for flags in (c.SCTP_SACK_IMMEDIATELY, 0):
        begin = time.monotonic()
        client.sendv(b"data", None, sctpx.SndInfo(snd_flags=flags))
        accepted.recv(100)
        while client.getsockopt(SCTP, c.SCTP_STATUS).sstat_unackdata:
            time.sleep(0.005)
        took.append(time.monotonic() - begin)
    assert took[0] < took[1]
    assert took[1] > 0.2


def test_what_the_kernel_cannot_do_is_said(opened: Any) -> None:
    client, _ = pair(opened)
    assert code(client.report) == errno.EOPNOTSUPP
    assert code(client.setsockopt, SCTP, c.SCTP_EXPLICIT_EOR, 1) == errno.EOPNOTSUPP
    abort = sctpx.SndInfo(snd_flags=c.SCTP_ABORT)
    assert code(client.sendmsg, [b"x"], [(SCTP, c.SCTP_SNDINFO, abort)]) == errno.EOPNOTSUPP
    with pytest.raises(OSError, match=r"net\.sctp\.udp_port"):
        sctpx.socket(backend="kernel", udp_port=7)
    with pytest.raises(OSError, match="on_restart"):
        sctpx.socket(backend="kernel", config=sctpx.AssociationConfig(on_restart="end"))
    with pytest.raises(OSError, match="source"):
        opened().connectx([(sctpx.Address(HOST, source=OTHER), 1)])


def test_errors_of_calls_are_those_of_the_userspace_stack(opened: Any) -> None:
    with sctpx.socket() as other:
        for call in (lambda sock: sock.recv(1), lambda sock: sock.send(b"x"), lambda sock: sock.getpeername()):
            assert code(call, opened()) == code(call, other)
    with sctpx.socket(type=sctpx.SOCK_SEQPACKET) as other:
        for call in (
            lambda sock: sock.recv(1),
            lambda sock: sock.send(b"x"),
            lambda sock: sock.shutdown(sctpx.SHUT_WR),
            lambda sock: sock.accept(),
            lambda sock: sock.peeloff(7),
        ):
            assert code(call, opened(sctpx.SOCK_SEQPACKET)) == code(call, other)
    closed = opened()
    closed.close()
    assert code(closed.recv, 1) == errno.EBADF


def test_a_timeout_and_a_close_end_a_call_that_waits(opened: Any) -> None:
    client, server = pair(opened)
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(None)
    client.setsockopt(c.SOL_SOCKET, c.SO_RCVTIMEO, sctpx.Timeval(tv_usec=50_000))
    assert code(client.recv, 1) == errno.EAGAIN
    threading.Timer(0.1, server.close).start()
    assert code(server.recv, 1) == errno.EBADF


def sent_now(client: sctpx.Socket) -> int:
    """The bytes of a message that there was room for; 0 if there was none."""
    try:
        return client.send(bytes(10_000))
    except BlockingIOError:
        return 0


def test_a_full_send_buffer_makes_the_sender_wait_until_there_is_room(opened: Any) -> None:
    client, server = pair(opened)
    client.setblocking(False)
    sent = sum(iter(lambda: sent_now(client), 0))
    assert sent
    client.settimeout(10)
    waiting = threading.Thread(target=client.send, args=(bytes(10_000),))
    waiting.start()
    got = 0
    while got < sent + 10_000:
        got += len(server.recv(1 << 16))
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.udp_9899
def test_the_userspace_stack_and_the_kernel_of_one_host_meet_over_udp(opened: Any) -> None:
    with sctpx.socket(udp_port=7777) as server:
        server.bind((HOST, 5001))
        server.listen()
        client = opened(peer_udp_port=7777)
        client.connect((HOST, 5001))
        accepted, _ = server.accept()
        with accepted:
            client.send(b"from the kernel")
            assert accepted.recv(100) == b"from the kernel"
            assert client.getsockopt(SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT).sue_port == 7777
            subscribe(accepted)
            client.shutdown(sctpx.SHUT_WR)
            over = accepted.recvv(100).notification
            assert isinstance(over, sctpx.AssocChange)
            assert over.sac_state == c.SCTP_SHUTDOWN_COMP


def test_a_socket_of_family_inet6_tells_ipv4_addresses_as_such(opened: Any) -> None:
    server = opened(family=sctpx.AF_INET6)
    server.bind(("", 5001))
    server.listen()
    client = opened(family=sctpx.AF_INET6)
    client.connectx([("::1", 5001), (HOST, 5001)])
    assert (HOST, 5001) in client.getpaddrs()
    assert ("::1", 5001, 0, 0) in client.getpaddrs()


def test_calls_that_end_leave_no_descriptors(opened: Any) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    client, server = pair(opened)
    client.settimeout(0.01)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.close()
    server.close()
    time.sleep(0)
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1  # The one that listens.


@pytest.mark.parametrize("kind", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_who_names_nothing_takes_the_kernel(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCTPX_LINK", raising=False)
    with sctpx.socket(sctpx.AF_INET, kind) as sock, sctpx.socket(udp_port=0) as other:
        assert sock.backend == "kernel"
        assert other.backend == "userspace"
        sock.bind((HOST, 0))
        sock.listen()
        with sctpx.socket() as client:
            client.connect(sock.getsockname()[:2])
            client.send(b"x")
            if kind == sctpx.SOCK_SEQPACKET:
                assert sock.recv(10) == b"x"
