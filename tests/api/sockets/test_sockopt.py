"""``getsockopt``, ``setsockopt`` and ``sctp_opt_info`` on sockets; the options themselves are in tests/unit/sockapi."""

from __future__ import annotations

import errno
import socket
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
    associated,
    client,
    closed_udp_port,
    connected,
    listening,
    new_socket,
    notification,
    silent,
    subscribe,
)
from tests.api.support import raises_errno


def test_options_are_values_or_bytes() -> None:
    with new_socket() as sock:
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY) == 0
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, b"\1\0\0\0")
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 4) == b"\1\0\0\0"
        info = sock.getsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO)
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO, info.pack())
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO, 100) == info.pack()


def test_options_tell_what_the_config_of_the_socket_says_and_leave_it_when_they_set_something_else() -> None:
    config = sctpx.AssociationConfig(sack_delay=0.05, heartbeat_interval=5.0)
    with sctpx.socket(config=config) as sock:
        sack = s.SackInfo(sack_delay=50, sack_freq=2)
        for value in (None, s.PaddrParams(spp_pathmaxrxt=3)):
            if value is not None:
                sock.setsockopt(IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS, value)
            assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_DELAYED_SACK) == sack
            told = sock.getsockopt(IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS)
            assert (told.spp_hbinterval, told.spp_sackdelay) == (5000, 50)
    with sctpx.socket(config=sctpx.AssociationConfig(sack_delay=0.0, heartbeat_interval=0.0)) as sock:
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_DELAYED_SACK).sack_freq == 1
        assert sock.getsockopt(IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS).spp_flags & c.SPP_HB_DISABLE


def test_rto_max_that_is_set_later_bounds_the_rto_of_the_paths_there_are() -> None:
    with connected() as (a, _):
        [address] = a.getpaddrs()
        a.setsockopt(IPPROTO_SCTP, c.SCTP_RTOINFO, s.RtoInfo(srto_initial=100, srto_max=200, srto_min=50))
        asked = s.PaddrInfo(spinfo_address=address)
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, asked).spinfo_rto == 200


@pytest.mark.parametrize(
    ("level", "option", "value", "code"),
    [
        (IPPROTO_SCTP, c.SCTP_NODELAY, b"\1", errno.EINVAL),
        (IPPROTO_SCTP, c.SCTP_RTOINFO, s.RtoInfo().pack()[:-1], errno.EINVAL),
        (IPPROTO_SCTP, c.SCTP_RTOINFO, 5, errno.EINVAL),
        (IPPROTO_SCTP, c.SCTP_STATUS, s.Status(), errno.EOPNOTSUPP),
        (IPPROTO_SCTP, c.SCTP_REUSE_PORT, 1, errno.EOPNOTSUPP),
        (IPPROTO_SCTP, 4711, 1, errno.ENOPROTOOPT),
        (6, 1, 1, errno.ENOPROTOOPT),
    ],
)
def test_a_wrong_option_raises(level: int, option: int, value: object, code: int) -> None:
    with new_socket() as sock:
        with raises_errno(code):
            sock.setsockopt(level, option, value)  # type: ignore[arg-type]
        sock.close()
        with raises_errno(errno.EBADF):
            sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1)
        with raises_errno(errno.EBADF):
            sock.getsockopt(IPPROTO_SCTP, c.SCTP_NODELAY)


def test_options_set_before_connecting_hold_for_the_association() -> None:
    def prepare(sock: sctpx.Socket) -> None:
        sock.setsockopt(IPPROTO_SCTP, c.SCTP_INITMSG, s.InitMsg(sinit_num_ostreams=5, sinit_max_instreams=4))

    with connected(prepare, prepare) as (a, b):
        for sock in (a, b):
            status = sock.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS)
            assert (status.sstat_outstrms, status.sstat_instrms) == (4, 4)


@pytest.mark.parametrize(
    ("level", "option", "change"),
    [
        (IPPROTO_SCTP, c.SCTP_RTOINFO, {"srto_initial": 600, "srto_min": 500, "srto_max": 2000}),
        (IPPROTO_SCTP, c.SCTP_ASSOCINFO, {"sasoc_asocmaxrxt": 4, "sasoc_cookie_life": 5000}),
        (IPPROTO_SCTP, c.SCTP_INITMSG, {"sinit_num_ostreams": 3, "sinit_max_attempts": 2, "sinit_max_init_timeo": 900}),
        (IPPROTO_SCTP, c.SCTP_DEFAULT_SNDINFO, {"snd_sid": 2, "snd_ppid": 60}),
        (IPPROTO_SCTP, c.SCTP_DEFAULT_SEND_PARAM, {"sinfo_stream": 3, "sinfo_ppid": 61}),
        (IPPROTO_SCTP, c.SCTP_DELAYED_SACK, {"sack_delay": 100}),
        (IPPROTO_SCTP, c.SCTP_EVENTS, {"sctp_data_io_event": 1, "sctp_shutdown_event": 1}),
        (c.SOL_SOCKET, c.SO_LINGER, {"l_onoff": 1, "l_linger": 0}),
        (c.SOL_SOCKET, c.SO_RCVBUF, 100_000),
        (c.SOL_SOCKET, c.SO_SNDBUF, 100_000),
        (IPPROTO_SCTP, c.SCTP_NODELAY, 1),
        (IPPROTO_SCTP, c.SCTP_DISABLE_FRAGMENTS, 1),
    ],
)
@pytest.mark.parametrize("style", [sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET])
def test_what_is_set_is_read_again(style: int, level: int, option: int, change: Any) -> None:
    with new_socket(type=style) as sock:
        before = sock.getsockopt(level, option)
        if isinstance(change, dict):
            wanted = type(before)(**change)
            sock.setsockopt(level, option, wanted)
            after = sock.getsockopt(level, option)
            assert {name: getattr(after, name) for name in change} == change
        else:
            sock.setsockopt(level, option, change)
            assert sock.getsockopt(level, option) == change
        assert sock.getsockopt(level, option) != before


def test_the_status_of_an_association_and_its_primary_address() -> None:
    with new_socket() as sock:
        for option in (c.SCTP_STATUS, c.SCTP_PRIMARY_ADDR, c.SCTP_GET_ASSOC_STATS):
            with raises_errno(errno.EINVAL):
                sock.getsockopt(IPPROTO_SCTP, option)
    with connected() as (a, _):
        status = a.getsockopt(IPPROTO_SCTP, c.SCTP_STATUS)
        assert status.sstat_state == c.SCTP_ESTABLISHED
        assert status.sstat_primary.spinfo_address == HERE
        a.setsockopt(IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, s.SetPrim(ssp_addr=HERE))
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR).ssp_addr == HERE
        with raises_errno(errno.EINVAL):
            a.setsockopt(IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, s.SetPrim(ssp_addr=("127.0.0.77", 5000)))


@pytest.mark.parametrize("assoc_id", [0, 1, 2, 99, -1])
def test_opt_info_needs_an_association_there_is(assoc_id: int) -> None:
    with associated() as (a, _, a_id, _):
        with raises_errno(errno.EINVAL):
            sctpx.sctp_opt_info(a, assoc_id, c.SCTP_STATUS)
        status = sctpx.sctp_opt_info(a, a_id, c.SCTP_STATUS)
        assert isinstance(status, s.Status)
        assert status.sstat_assoc_id == a_id


@pytest.mark.real_time
def test_opt_info_tells_closed_descriptors_from_foreign_ones() -> None:
    sock = new_socket()
    descriptor = sock.fileno()
    sock.close()
    for closed in (sock, descriptor):
        with raises_errno(errno.EBADF):
            sctpx.sctp_opt_info(closed, 0, c.SCTP_RTOINFO)
    with socket.socket() as foreign, raises_errno(errno.ENOTSOCK):
        sctpx.sctp_opt_info(foreign, 0, c.SCTP_RTOINFO)


def test_a_buffer_one_byte_short_of_the_value_is_an_error() -> None:
    with connected() as (a, _):
        for option in (c.SCTP_NODELAY, c.SCTP_RTOINFO, c.SCTP_STATUS, c.SCTP_EVENTS, c.SCTP_GET_ASSOC_STATS):
            value = a.getsockopt(IPPROTO_SCTP, option, 1000)
            assert a.getsockopt(IPPROTO_SCTP, option, len(value)) == value
            with raises_errno(errno.EINVAL):
                a.getsockopt(IPPROTO_SCTP, option, len(value) - 1)


def test_an_association_can_be_set_up_with_the_longest_t1_init_left_at_0() -> None:
    with listening() as server, client(server) as a:
        a.setsockopt(IPPROTO_SCTP, c.SCTP_INITMSG, s.InitMsg(sinit_max_attempts=4, sinit_max_init_timeo=0))
        assert a.getsockopt(IPPROTO_SCTP, c.SCTP_INITMSG).sinit_max_init_timeo == 60_000
        a.connect(HERE)


def test_a_receive_buffer_that_grows_lets_the_peer_go_on() -> None:
    def small(sock: sctpx.Socket) -> None:
        sock.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 4096)

    with connected(configure=small) as (a, b):
        for _ in range(100):
            a.send(bytes(1000))
        subscribe(a, c.SCTP_SENDER_DRY_EVENT)
        b.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 1 << 20)
        assert b.getsockopt(c.SOL_SOCKET, c.SO_RCVBUF) == 1 << 20
        # Everything is acknowledged while nobody reads.
        assert isinstance(notification(a), s.SenderDryEvent)


def test_a_receive_buffer_that_shrinks_still_gives_what_it_holds() -> None:
    with connected() as (a, b):
        whole = bytes(range(256)) * 8192
        sending = Thread(lambda: a.send(whole))
        assert b.recv(1000, c.MSG_PEEK) == whole[:1000]
        b.setsockopt(c.SOL_SOCKET, c.SO_RCVBUF, 4096)
        received = b""
        while len(received) < len(whole):
            received += b.recv(1 << 20)
        assert received == whole
        sending.result()


def test_so_rcvtimeo_and_so_sndtimeo_bound_the_waiting_of_a_socket_without_a_timeout() -> None:
    moment = s.Timeval(tv_usec=10_000)
    with listening() as server, client(server) as a:
        for option in (c.SO_RCVTIMEO, c.SO_SNDTIMEO):
            server.setsockopt(c.SOL_SOCKET, option, moment.pack())
        with raises_errno(errno.EAGAIN):
            server.accept()
        a.connect(HERE)
        with accepted(server) as b:
            assert b.getsockopt(c.SOL_SOCKET, c.SO_RCVTIMEO) == moment
            with raises_errno(errno.EAGAIN):
                b.recv(1)
            with raises_errno(errno.EAGAIN):
                while True:
                    b.send(bytes(1 << 18))
            b.settimeout(0.01)
            with pytest.raises(TimeoutError):
                b.recv(1)


def test_connecting_waits_no_longer_than_so_sndtimeo_and_goes_on() -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), new_socket() as sock:
        sock.setsockopt(c.SOL_SOCKET, c.SO_SNDTIMEO, s.Timeval(tv_usec=10_000))
        with pytest.raises(sctpx.ConnectInProgress):
            sock.connect((sctpx.Address(HOST, udp_port=udp_port), PORT))
        with raises_errno(errno.EALREADY):
            sock.connect(HERE)


def test_a_socket_tells_what_it_is() -> None:
    kind = socket.SOCK_SEQPACKET | getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0)
    with new_socket(sctpx.AF_INET6, kind) as sock:
        assert sock.getblocking() == (not hasattr(socket, "SOCK_NONBLOCK"))
        assert sock.type == sock.getsockopt(c.SOL_SOCKET, socket.SO_TYPE) == sctpx.SOCK_SEQPACKET
        assert sock.getsockopt(c.SOL_SOCKET, getattr(socket, "SO_DOMAIN", 39)) == sctpx.AF_INET6
        assert sock.getsockopt(c.SOL_SOCKET, getattr(socket, "SO_PROTOCOL", 38)) == IPPROTO_SCTP
