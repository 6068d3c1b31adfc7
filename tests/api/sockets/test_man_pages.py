"""The manual pages tell the truth: every errno of their ERRORS is raised when they say so, every example runs."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.cli.man import Page, pages
from sctpx.sockapi.addresses import pack_sockaddrs
from tests.api.sockets.support import (
    HERE,
    HOST,
    PORT,
    associated,
    client,
    connected,
    fill,
    listening,
    notification,
    subscribe,
)
from tests.api.support import QUICK, closed_udp_port, linux_only, raises_errno, silent

pytestmark = pytest.mark.real_time

STREAM, SEQPACKET = sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET
NOWHERE = 1 << 20
"""The id of no association."""
ABOVE_IPV4 = ("2001:db8::1", PORT)
ERRNOS = re.compile(r"`(E[A-Z0-9]+)`")
OF_THE_NETWORK = {"ENETUNREACH", "EHOSTUNREACH"}
"""What depends on where the tests run."""


def section(page: Page, name: str) -> str:
    return page.text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def errnos(page: Page) -> set[str]:
    """What the table of ERRORS promises."""
    rows = [line.split("|")[1] for line in section(page, "ERRORS").splitlines() if line.startswith("| `E")]
    return {name for row in rows for name in ERRNOS.findall(row)}


# --- examples ---


@linux_only
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.title)
def test_the_example_prints_what_the_page_says(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.fullmatch(r"\n```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```\n", section(page, "EXAMPLE"), re.DOTALL)
    assert found is not None
    exec(compile(found[1], page.title, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == found[2]


# --- errors ---

Situation = Callable[[str], object]
"""What raises in the end; it is given the name of the call."""
TRIED: dict[tuple[str, str], list[Situation]] = {}


def when(code: str, *names: str) -> Callable[[Situation], Situation]:
    """The function does what these pages answer with this errno."""

    def remember(situation: Situation) -> Situation:
        for name in names:
            TRIED.setdefault((name, code), []).append(situation)
        return situation

    return remember


SEND = ("sctp_sendv", "sctp_sendmsg", "sctp_send", "sctp_sendx")
SEND_TO = ("sctp_sendv", "sctp_sendmsg", "sctp_sendx")
RECEIVE = ("sctp_recvv", "sctp_recvmsg")
ADDRESSES = ("sctp_getpaddrs", "sctp_getladdrs")
LISTS = ("sctp_bindx", "sctp_connectx", "sctp_sendv", "sctp_sendx")
CALLS = tuple(page.names[0] for page in pages() if page.section == "3")


def send(
    name: str,
    sock: Any,
    data: bytes = b"x",
    to: Any = HERE,
    flags: int = 0,
    stream: int = 0,
    assoc_id: int = 0,
    **more: Any,
) -> object:
    """Send with one of the calls; ``to`` is left out where there is no place for it, or it is ``None``."""
    if name == "sctp_sendmsg":
        return sctpx.sctp_sendmsg(sock, data, to, flags=flags, stream_no=stream)
    if name == "sctp_sendv":
        info = s.SndInfo(snd_sid=stream, snd_flags=flags, snd_assoc_id=assoc_id)
        return sctpx.sctp_sendv(sock, data, to, info=info, **more)
    sinfo = s.SndRcvInfo(sinfo_stream=stream, sinfo_flags=flags, sinfo_assoc_id=assoc_id)
    if name == "sctp_send":
        return sctpx.sctp_send(sock, data, sinfo)
    return sctpx.sctp_sendx(sock, data, to or HERE, sinfo=sinfo, **more)


def call(name: str, sock: Any, addrs: Any = HERE) -> object:
    """Any of the functions, with arguments that are right."""
    if name in SEND:
        return send(name, sock, to=addrs)
    if name in RECEIVE:
        return getattr(sctpx, name)(sock, 100)
    if name in ("sctp_bindx", "sctp_connectx", "sctp_getassocid"):
        return getattr(sctpx, name)(sock, addrs)
    arguments: tuple[int, ...] = (NOWHERE, c.SCTP_RTOINFO) if name == "sctp_opt_info" else (NOWHERE,)
    return getattr(sctpx, name)(sock, *arguments)


@when("EBADF", *CALLS)
def a_closed_socket(name: str) -> None:
    sock = sctpx.socket()
    descriptor = sock.fileno()
    sock.close()
    with raises_errno(errno.EBADF):
        call(name, descriptor)
    call(name, sock)


@when("ENOTSOCK", *CALLS)
def a_descriptor_of_something_else(name: str) -> None:
    with socket.socket() as other:
        call(name, other.fileno())


@when("E2BIG", *LISTS)
def a_count_of_more_than_there_are(name: str) -> None:
    with sctpx.socket() as sock:
        packed = pack_sockaddrs([HERE])
        send(name, sock, to=packed, addrcnt=2) if name in SEND else getattr(sctpx, name)(sock, packed, 2)


@when("EINVAL", *LISTS)
def a_count_that_is_not_the_length_of_the_list(name: str) -> None:
    with sctpx.socket() as sock:
        send(name, sock, to=[HERE], addrcnt=2) if name in SEND else getattr(sctpx, name)(sock, [HERE], 2)


@when("EINVAL", "sctp_sendv")
def a_count_without_addresses(name: str) -> None:
    with connected() as (a, _):
        send(name, a, to=None, addrcnt=0)
        send(name, a, to=None, addrcnt=2)


@when("EAFNOSUPPORT", "sctp_bindx", "sctp_connectx", "sctp_getassocid", *SEND_TO)
def an_ipv6_address_for_an_ipv4_socket(name: str) -> None:
    with sctpx.socket() as sock:
        call(name, sock, ABOVE_IPV4)


@when("ENODEV", "sctp_bindx", "sctp_connectx")
def an_interface_that_is_not_there(name: str) -> None:
    with sctpx.socket(sctpx.AF_INET6) as sock:
        getattr(sctpx, name)(sock, [("fe80::1%nowhere", PORT)])


# sctp_bindx


@when("EINVAL", "sctp_bindx")
def ports_that_differ(name: str) -> None:
    with sctpx.socket(udp_port=0) as sock:
        sctpx.sctp_bindx(sock, [HERE, ("127.0.0.2", PORT + 1)])


@when("EINVAL", "sctp_bindx")
def both_flags_or_neither(name: str) -> None:
    with sctpx.socket(udp_port=0) as sock:
        with raises_errno(errno.EINVAL):
            sctpx.sctp_bindx(sock, HERE, flags=0)
        sctpx.sctp_bindx(sock, HERE, flags=c.SCTP_BINDX_ADD_ADDR | c.SCTP_BINDX_REM_ADDR)


@when("EINVAL", "sctp_bindx")
def a_wildcard_beside_others_or_on_a_bound_socket(name: str) -> None:
    with sctpx.socket(udp_port=0) as sock:
        with raises_errno(errno.EINVAL):
            sctpx.sctp_bindx(sock, [HERE, ("", PORT)])
        sctpx.sctp_bindx(sock, HERE)
        sctpx.sctp_bindx(sock, ("", 0))


@when("EINVAL", "sctp_bindx")
def to_remove_what_is_not_there_or_the_last(name: str) -> None:
    with sctpx.socket(udp_port=0) as sock:
        for address in (HERE, ("127.0.0.2", PORT)):
            with raises_errno(errno.EINVAL):
                sctpx.sctp_bindx(sock, address, flags=c.SCTP_BINDX_REM_ADDR)
            if sock.udp_port == 0:
                sctpx.sctp_bindx(sock, HERE)
        sctpx.sctp_bindx(sock, HERE, flags=c.SCTP_BINDX_REM_ADDR)


@when("EADDRNOTAVAIL", "sctp_bindx")
def an_address_of_another_host(name: str) -> None:
    with sctpx.socket(udp_port=0) as sock:
        sctpx.sctp_bindx(sock, ("192.0.2.1", PORT))


@when("EADDRINUSE", "sctp_bindx")
def an_sctp_port_that_is_taken(name: str) -> None:
    with listening() as server, sctpx.socket(udp_port=server.udp_port) as sock:
        sctpx.sctp_bindx(sock, HERE)


@when("EADDRINUSE", "sctp_bindx")
def a_udp_port_that_something_else_has(name: str) -> None:
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), sctpx.socket(udp_port=udp_port) as sock:
        sctpx.sctp_bindx(sock, HERE)


@when("EOPNOTSUPP", "sctp_bindx")
def a_socket_with_an_association(name: str) -> None:
    with associated() as (_, b, _, _):
        sctpx.sctp_bindx(b, ("127.0.0.2", 0))


@when("ENOBUFS", "sctp_bindx")
def more_changes_than_may_wait_for_a_peer(name: str) -> None:
    def offer(sock: sctpx.Socket) -> None:
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue(assoc_value=1))

    with connected(offer, offer) as (a, _):
        sctpx.sctp_bindx(a, [(f"127.0.{number >> 8}.{number & 0xFF}", 0) for number in range(0x101, 0x202)])


# sctp_connectx


@when("EINVAL", "sctp_connectx")
def addresses_that_are_none_of_one_peer(name: str) -> None:
    wrong: list[Any] = [[], [(HOST, 0)], [HERE, (HOST, PORT + 1)], [("0.0.0.0", PORT)], [("224.0.0.1", PORT)]]
    wrong += [[("255.255.255.255", PORT)], b"\xff" * 16, pack_sockaddrs([HERE])[:-1]]
    with sctpx.socket() as sock:
        for addrs in wrong:
            with raises_errno(errno.EINVAL):
                sctpx.sctp_connectx(sock, addrs)
        sctpx.sctp_connectx(sock, HERE, 0)


@when("EAFNOSUPPORT", "sctp_connectx")
def no_address_of_a_family_the_socket_is_bound_to(name: str) -> None:
    with sctpx.socket(sctpx.AF_INET6, udp_port=0) as sock:
        sock.bind(HERE)
        sctpx.sctp_connectx(sock, ABOVE_IPV4)


@when("EISCONN", "sctp_connectx")
def an_association_that_is_there(name: str) -> None:
    with connected() as (a, _), raises_errno(errno.EISCONN):
        sctpx.sctp_connectx(a, HERE)
    with associated() as (many, _, _, _):
        sctpx.sctp_connectx(many, HERE)


@when("EISCONN", "sctp_connectx")
def a_socket_that_listens(name: str) -> None:
    with listening() as server:
        sctpx.sctp_connectx(server, (HOST, PORT + 1))


@contextmanager
def waiting(style: int) -> Iterator[sctpx.Socket]:
    """A socket with an association in the making."""
    udp_port = closed_udp_port()
    with silent(udp_port, HOST), sctpx.socket(sctpx.AF_INET, style, peer_udp_port=udp_port) as sock:
        sock.setblocking(False)
        with pytest.raises(sctpx.ConnectInProgress):
            sctpx.sctp_connectx(sock, HERE)
        yield sock


@when("EALREADY", "sctp_connectx")
def an_association_in_the_making(name: str) -> None:
    with waiting(STREAM) as sock:
        sctpx.sctp_connectx(sock, HERE)


@when("EINPROGRESS", "sctp_connectx")
def a_socket_that_does_not_wait(name: str) -> None:
    with listening() as server, client(server) as sock:
        sock.setblocking(False)
        sctpx.sctp_connectx(sock, HERE)


@when("EADDRNOTAVAIL", "sctp_connectx", *SEND_TO)
def a_peer_that_belongs_to_another_socket(name: str) -> None:
    with associated() as (a, _, a_id, _), sctpx.sctp_peeloff(a, a_id):
        call(name, a)


@when("EADDRNOTAVAIL", "sctp_connectx")
def a_source_that_is_not_the_sockets(name: str) -> None:
    with listening() as server, client(server, udp_port=0) as sock:
        sock.bind((HOST, 0))
        sctpx.sctp_connectx(sock, (sctpx.Address(HOST, source="127.0.0.2"), PORT))


@when("ECONNREFUSED", "sctp_connectx")
def a_peer_that_refuses(name: str) -> None:
    with listening() as server, client(server) as sock:
        sctpx.sctp_connectx(sock, (HOST, PORT + 1))


@when("ETIMEDOUT", "sctp_connectx")
def one_silent_address_among_others(name: str) -> None:
    udp_port = closed_udp_port("127.0.0.2")
    with silent(udp_port, HOST), sctpx.socket(peer_udp_port=udp_port, config=QUICK) as sock:
        sctpx.sctp_connectx(sock, [HERE, ("127.0.0.2", PORT)])


# Ids


@when("EINVAL", "sctp_peeloff", "sctp_opt_info", *ADDRESSES)
def an_id_of_no_association(name: str) -> None:
    with associated() as (a, _, _, _):
        call(name, a)


@when("EINVAL", "sctp_peeloff")
def an_association_that_is_not_up_or_gone_or_the_only_one(name: str) -> None:
    with waiting(SEQPACKET) as sock, raises_errno(errno.EINVAL):
        sctpx.sctp_peeloff(sock, sctpx.sctp_getassocid(sock, HERE))
    with associated() as (a, _, a_id, _), sctpx.sctp_peeloff(a, a_id) as own:
        with raises_errno(errno.EINVAL):
            sctpx.sctp_peeloff(a, a_id)
        sctpx.sctp_peeloff(own, a_id)


@when("EINVAL", "sctp_getassocid")
def addresses_of_no_peer(name: str) -> None:
    with associated() as (a, _, _, _):
        for address in ((HOST, 0), ("224.0.0.1", PORT)):
            with raises_errno(errno.EINVAL):
                sctpx.sctp_getassocid(a, address)
        sctpx.sctp_getassocid(a, (HOST, PORT + 1))


# sctp_opt_info


@when("EINVAL", "sctp_opt_info")
def an_argument_of_another_option(name: str) -> None:
    with associated() as (a, _, a_id, _):
        wrong = s.PaddrInfo(spinfo_address=("127.0.0.9", PORT))
        for option, asked in ((c.SCTP_STATUS, s.RtoInfo()), (c.SCTP_STATUS, b"\0"), (c.SCTP_GET_PEER_ADDR_INFO, wrong)):
            with raises_errno(errno.EINVAL):
                sctpx.sctp_opt_info(a, a_id, option, asked)
        sctpx.sctp_opt_info(a, 0, c.SCTP_STATUS)


@when("ENOPROTOOPT", "sctp_opt_info")
def an_option_that_does_not_exist(name: str) -> None:
    with sctpx.socket() as sock:
        sctpx.sctp_opt_info(sock, 0, 9999)


@when("EOPNOTSUPP", "sctp_opt_info")
def an_option_that_can_only_be_set(name: str) -> None:
    with sctpx.socket() as sock:
        sctpx.sctp_opt_info(sock, 0, c.SCTP_AUTH_KEY)


# Sending


@when("EINVAL", *SEND)
def a_message_that_is_none(name: str) -> None:
    with connected() as (a, _):
        for wrong in ({"data": b""}, {"flags": c.SCTP_EOF}, {"stream": 60000}, {"flags": 0x4000}):
            with raises_errno(errno.EINVAL):
                send(name, a, **wrong)
        send(name, a, b"")


@when("EINVAL", *SEND_TO)
def to_end_what_is_not_there(name: str) -> None:
    with listening(SEQPACKET) as server, client(server, SEQPACKET) as sock:
        send(name, sock, b"", flags=c.SCTP_EOF)


@when("EINVAL", *SEND_TO)
def to_send_to_the_address_of_no_peer(name: str) -> None:
    with sctpx.socket(type=SEQPACKET) as sock:
        send(name, sock, to=("224.0.0.1", PORT))


@when("EINVAL", "sctp_send", "sctp_sendx", "sctp_sendv")
def an_info_of_a_wrong_length_or_type(name: str) -> None:
    with connected() as (a, _):
        if name == "sctp_sendv":
            with raises_errno(errno.EINVAL):
                sctpx.sctp_sendv(a, b"x", info=bytes(3), infotype=c.SCTP_SENDV_SNDINFO)
            with raises_errno(errno.EINVAL):
                sctpx.sctp_sendv(a, b"x", infotype=99)
            sctpx.sctp_sendv(a, b"x", info=s.RtoInfo())
        elif name == "sctp_send":
            sctpx.sctp_send(a, b"x", bytes(3))
        else:
            sctpx.sctp_sendx(a, b"x", HERE, sinfo=bytes(3))


@when("EINVAL", "sctp_sendv")
def a_message_with_a_key_that_there_is_not(name: str) -> None:
    with connected() as (a, _):
        sctpx.sctp_sendv(a, b"x", info=s.AuthInfo(auth_keynumber=7))


@when("EPIPE", *SEND)
def an_association_that_this_side_has_ended(name: str) -> None:
    with connected() as (a, _):
        a.shutdown(sctpx.SHUT_WR)
        send(name, a)


@when("EPIPE", *SEND)
def a_one_to_one_socket_that_listens(name: str) -> None:
    with listening() as server:
        send(name, server)


@when("EPIPE", "sctp_sendv", "sctp_sendmsg", "sctp_send")
def sockets_that_are_not_told_where_to(name: str) -> None:
    for style in (STREAM, SEQPACKET):
        with sctpx.socket(type=style) as sock, raises_errno(errno.EPIPE):
            send(name, sock, to=None)
    with sctpx.socket(type=STREAM) as sock:
        send(name, sock, to=None)


@when("EPIPE", "sctp_sendv", "sctp_send", "sctp_sendx")
def an_id_the_socket_does_not_have(name: str) -> None:
    with associated() as (a, _, _, _):
        send(name, a, to=None, assoc_id=NOWHERE)


@when("ESHUTDOWN", *SEND)
def an_association_that_the_peer_has_ended(name: str) -> None:
    with connected(lambda sock: subscribe(sock, c.SCTP_SHUTDOWN_EVENT)) as (a, b):
        fill(a)
        a.settimeout(None)
        b.shutdown(sctpx.SHUT_WR)
        assert isinstance(notification(a), s.ShutdownEvent)
        try:
            send(name, a)
        finally:
            sctpx.sctp_sendmsg(a, b"", flags=c.SCTP_ABORT)


@contextmanager
def stopped() -> Iterator[sctpx.Socket]:
    """A one-to-one socket, the peer of which is stopped: it has sent something."""
    program = f"""if True:
        import sctpx, sys
        with sctpx.socket(udp_port=0) as server:
            server.bind({HERE!r})
            server.listen()
            print(server.udp_port, flush=True)
            connection, _ = server.accept()
            print("accepted", flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout is not None
        try:
            udp_port = int(peer.stdout.readline())
            with sctpx.socket(peer_udp_port=udp_port, config=QUICK) as sock:
                sock.connect(HERE)
                peer.stdout.readline()
                os.kill(peer.pid, signal.SIGSTOP)
                sock.send(b"x")
                yield sock
        finally:
            peer.kill()


@when("ETIMEDOUT", *SEND)
def a_peer_that_has_fallen_silent(name: str) -> None:
    with stopped() as sock:
        subscribe(sock, c.SCTP_ASSOC_CHANGE)
        assert notification(sock).sac_state == c.SCTP_COMM_LOST
        send(name, sock)


@when("ETIMEDOUT", *RECEIVE)
def a_peer_that_falls_silent(name: str) -> None:
    with stopped() as sock:
        call(name, sock)


@when("ECONNRESET", *SEND, *RECEIVE)
def an_association_that_was_aborted_and_then_it_is_told(name: str) -> None:
    with connected(lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE)) as (a, b):
        assert notification(a).sac_state == c.SCTP_COMM_UP
        sctpx.sctp_sendmsg(b, b"", flags=c.SCTP_ABORT)
        assert notification(a).sac_state == c.SCTP_COMM_LOST
        try:
            call(name, a)
        finally:
            with raises_errno(errno.EPIPE if name in SEND else errno.ENOTCONN):
                call(name, a)


@when("ECONNREFUSED", *SEND, *RECEIVE)
def an_association_that_did_not_come_about(name: str) -> None:
    with listening() as server, client(server) as sock:
        subscribe(sock, c.SCTP_ASSOC_CHANGE)
        sock.sendto(b"x", (HOST, PORT + 1))
        assert notification(sock).sac_state == c.SCTP_CANT_STR_ASSOC
        call(name, sock)


@when("EMSGSIZE", *SEND)
def a_message_longer_than_a_packet(name: str) -> None:
    with connected() as (a, _):
        with raises_errno(errno.EMSGSIZE):
            send(name, a, bytes((16 << 20) + 1))
        a.setsockopt(c.IPPROTO_SCTP, c.SCTP_DISABLE_FRAGMENTS, 1)
        send(name, a, bytes(2000))


@when("EAGAIN", *SEND)
def a_full_send_buffer(name: str) -> None:
    with connected() as (a, _):
        fill(a)
        a.setblocking(False)
        try:
            send(name, a)
        finally:
            sctpx.sctp_sendmsg(a, b"", flags=c.SCTP_ABORT)


# Receiving


@when("EAGAIN", *RECEIVE)
def nothing_is_there(name: str) -> None:
    with connected() as (a, _):
        a.setblocking(False)
        call(name, a)


@when("ENOTCONN", *RECEIVE)
def sockets_to_which_nothing_can_come(name: str) -> None:
    for style in (STREAM, SEQPACKET):
        with sctpx.socket(type=style) as sock, raises_errno(errno.ENOTCONN):
            call(name, sock)
    with connected(lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE)) as (a, _):
        sctpx.sctp_sendmsg(a, b"", flags=c.SCTP_ABORT)
        assert [notification(a).sac_state for _ in range(2)] == [c.SCTP_COMM_UP, c.SCTP_COMM_LOST]
        call(name, a)


# Making a socket


@when("EAFNOSUPPORT", "sctp")
def another_family(name: str) -> None:
    sctpx.socket(socket.AF_UNIX)


@when("EINVAL", "sctp")
def another_type(name: str) -> None:
    with raises_errno(errno.EINVAL):
        sctpx.socket(udp_port=65536)
    sctpx.socket(type=socket.SOCK_DGRAM)


@when("EPROTONOSUPPORT", "sctp")
def another_protocol(name: str) -> None:
    sctpx.socket(proto=socket.IPPROTO_TCP)


@linux_only
@pytest.mark.parametrize(("name", "code"), TRIED, ids="-".join)
def test_a_page_names_the_errno_of_a_situation(name: str, code: str) -> None:
    for situation in TRIED[name, code]:
        with raises_errno(getattr(errno, code)):
            situation(name)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.title)
def test_the_errnos_of_a_page_are_those_that_are_tried(page: Page) -> None:
    tried = {code for name, code in TRIED if name == page.names[0]}
    assert errnos(page) - OF_THE_NETWORK == tried
