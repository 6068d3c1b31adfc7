"""``shutdown``, ``close``, SO_LINGER, SCTP_EOF and SCTP_ABORT: ways to end an association."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Callable

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
    connected,
    listening,
    new_socket,
    notification,
    subscribe,
)
from tests.api.support import raises_errno


def test_what_was_sent_before_close_is_delivered() -> None:
    with connected() as (a, b):
        a.send(bytes(1 << 19))
        a.close()
        assert len(b.recv(1 << 20)) == 1 << 19
        assert b.recv(1) == b""


def test_closing_twice_does_nothing() -> None:
    with connected() as (a, _):
        a.close()
        a.close()
        assert a.fileno() == -1


def test_a_linger_of_0_aborts() -> None:
    with connected() as (a, b):
        a.setsockopt(c.SOL_SOCKET, c.SO_LINGER, s.Linger(l_onoff=1, l_linger=0))
        a.close()
        with pytest.raises(sctpx.AssociationAborted):
            b.recv(1)


def test_a_lingering_close_returns_when_the_association_is_over() -> None:
    with connected() as (a, b):
        a.setsockopt(c.SOL_SOCKET, c.SO_LINGER, s.Linger(l_onoff=1, l_linger=60))
        a.send(b"last")
        closing = Thread(a.close)
        assert [b.recv(100), b.recv(100)] == [b"last", b""]
        closing.result()


def test_an_eof_flag_ends_the_association_and_an_abort_flag_tells_a_reason() -> None:
    with associated() as (a, b, a_id, b_id):
        subscribe(a, c.SCTP_ASSOC_CHANGE)
        for sock, assoc_id in ((a, a_id), (b, b_id)):
            event = s.Event(se_assoc_id=assoc_id, se_type=c.SCTP_ASSOC_CHANGE, se_on=1)
            sock.setsockopt(IPPROTO_SCTP, c.SCTP_EVENT, event)
        with raises_errno(errno.EINVAL):
            sctpx.sctp_sendv(a, b"data", info=s.SndInfo(snd_flags=c.SCTP_EOF, snd_assoc_id=a_id))
        sctpx.sctp_sendv(a, b"", info=s.SndInfo(snd_flags=c.SCTP_EOF, snd_assoc_id=a_id))
        assert notification(a).sac_state == c.SCTP_SHUTDOWN_COMP
        assert notification(b).sac_state == c.SCTP_SHUTDOWN_COMP
        with raises_errno(errno.EPIPE):
            sctpx.sctp_sendv(a, b"x", info=s.SndInfo(snd_assoc_id=a_id))
        subscribe(b, c.SCTP_ASSOC_CHANGE)
        again = a.connectx([HERE])
        assert again != a_id
        assert [notification(sock).sac_state for sock in (a, b)] == [c.SCTP_COMM_UP] * 2
        sctpx.sctp_sendv(a, b"enough", info=s.SndInfo(snd_flags=c.SCTP_ABORT, snd_assoc_id=again))
        lost = notification(b)
        assert lost.sac_state == c.SCTP_COMM_LOST
        assert b"enough" in lost.sac_info


@pytest.mark.parametrize("flag", [c.SCTP_EOF, c.SCTP_ABORT])
def test_many_associations_are_ended_one_by_one_by_a_flag(flag: int) -> None:
    count = 10
    with listening(sctpx.SOCK_SEQPACKET) as server:
        subscribe(server, c.SCTP_ASSOC_CHANGE)
        clients = [new_socket(type=sctpx.SOCK_SEQPACKET, peer_udp_port=server.udp_port) for _ in range(count)]
        for sock in clients:
            subscribe(sock, c.SCTP_ASSOC_CHANGE)
            sock.connect(HERE)
            assert notification(sock).sac_state == c.SCTP_COMM_UP
        ids = [notification(server).sac_assoc_id for _ in clients]
        assert server.getsockopt(IPPROTO_SCTP, c.SCTP_GET_ASSOC_NUMBER) == count
        for assoc_id in ids:
            sctpx.sctp_sendv(server, b"", info=s.SndInfo(snd_flags=flag, snd_assoc_id=assoc_id))
        ends = [notification(server) for _ in clients]
        state = c.SCTP_SHUTDOWN_COMP if flag == c.SCTP_EOF else c.SCTP_COMM_LOST
        assert [end.sac_state for end in ends] == [state] * count
        assert sorted(end.sac_assoc_id for end in ends) == sorted(ids)
        assert [notification(sock).sac_state for sock in clients] == [state] * count
        assert server.getsockopt(IPPROTO_SCTP, c.SCTP_GET_ASSOC_NUMBER) == 0
        for sock in clients:
            sock.close()


def test_an_idle_association_closes_by_itself() -> None:
    with listening(sctpx.SOCK_SEQPACKET) as server, client(server, sctpx.SOCK_SEQPACKET) as a:
        subscribe(a, c.SCTP_ASSOC_CHANGE)
        a.setsockopt(IPPROTO_SCTP, c.SCTP_AUTOCLOSE, 1)
        a.connect(HERE)
        assert [notification(a).sac_state for _ in range(2)] == [c.SCTP_COMM_UP, c.SCTP_SHUTDOWN_COMP]


def test_the_flags_that_end_an_association_work_on_one_to_one_sockets_too() -> None:
    with connected() as (a, b):
        with raises_errno(errno.EINVAL):
            sctpx.sctp_sendmsg(a, b"data", flags=c.SCTP_EOF)
        a.send(b"last")
        sctpx.sctp_sendmsg(a, b"", flags=c.SCTP_EOF)
        assert [b.recv(100), b.recv(100)] == [b"last", b""]
        with pytest.raises(BrokenPipeError):
            a.send(b"x")
    with connected() as (a, b):
        sctpx.sctp_sendmsg(a, b"reason", flags=c.SCTP_ABORT)
        with pytest.raises(sctpx.AssociationAborted, match="reason"):
            b.recv(1)


def test_closing_a_one_to_many_socket_ends_all_its_associations() -> None:
    other = (HOST, PORT + 1)
    with listening() as one, listening(address=other, udp_port=one.udp_port) as two:
        a = new_socket(type=sctpx.SOCK_SEQPACKET, peer_udp_port=one.udp_port)
        a.connect(HERE)
        a.connect(other)
        with accepted(one) as b, accepted(two) as d:
            a.close()
            assert [b.recv(1), d.recv(1)] == [b"", b""]


@pytest.mark.real_time
def test_a_socket_that_is_forgotten_warns_and_is_closed() -> None:
    with listening() as server:
        sockets = [new_socket(peer_udp_port=server.udp_port)]
        sockets[0].connect(HERE)
        with accepted(server) as b:
            with pytest.warns(ResourceWarning, match="unclosed SCTP socket"):
                sockets.clear()
            assert b.recv(1) == b""


@pytest.mark.real_time
def test_a_socket_that_is_forgotten_before_it_has_a_port_warns_once_and_leaves_no_descriptor() -> None:
    sockets = [new_socket()]
    descriptor = sockets[0].fileno()

    def forget() -> None:
        sockets.clear()
        gc.collect()

    with pytest.warns(ResourceWarning) as warned:
        forget()
    assert [str(warning.message) for warning in warned] == ["unclosed SCTP socket"]
    with raises_errno(errno.EBADF):
        os.fstat(descriptor)


@pytest.mark.real_time
@pytest.mark.parametrize("ending", [pytest.param("sys.exit(0)", id="exit"), pytest.param("1 / 0", id="exception")])
def test_sockets_left_open_at_exit_are_shut_down_gracefully(ending: str) -> None:
    program = """if True:
        import sys, warnings, sctpx
        warnings.simplefilter("ignore")
        sock = sctpx.socket(peer_udp_port=int(sys.argv[1]))
        sock.connect(("127.0.0.1", 5000))
        sock.send(b"last words")
    """
    with listening() as server:
        arguments = [sys.executable, "-c", program + f"    {ending}\n", str(server.udp_port)]
        with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process, accepted(server) as b:
            assert [b.recv(100), b.recv(100)] == [b"last words", b""]
            process.wait(20)


def in_child(check: Callable[[], object]) -> str:
    """Fork, and what a check says in the child."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, repr(check()).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with os.fdopen(read) as answers:
        return answers.read()


@pytest.mark.real_time
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_after_a_fork_the_childs_copies_are_closed_and_the_parents_go_on() -> None:
    def check() -> list[object]:
        codes: list[object] = []
        for call in (lambda: a.recv(1), lambda: a.send(b"x"), server.accept):
            try:
                call()
            except OSError as error:
                codes.append(error.errno)
        with listening() as other, client(other) as sock:
            sock.connect(HERE)
            codes.append(sock.getpeername())
        return [*codes, a.fileno()]

    with listening() as server, client(server) as a:
        a.connect(HERE)
        assert in_child(check) == repr([errno.EBADF] * 3 + [HERE, -1])
        with accepted(server) as b:
            a.send(b"still here")
            assert b.recv(100) == b"still here"
