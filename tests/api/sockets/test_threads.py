"""Threads that share sockets, many sockets, and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.sockets.support import (
    HERE,
    IPPROTO_SCTP,
    Thread,
    accepted,
    client,
    connected,
    listening,
)

pytestmark = pytest.mark.real_time

MANY = sctpx.SOCK_SEQPACKET


def test_sixteen_threads_on_one_socket_lose_nothing_and_get_nothing_twice() -> None:
    count = 100

    def echo(sock: sctpx.Socket) -> int:
        answered = 0
        while True:
            received = sock.recvv(1 << 16)
            if received.data == b"stop":
                return answered
            assert isinstance(received.info, s.RcvInfo)
            sock.sendv(received.data, info=s.SndInfo(snd_assoc_id=received.info.rcv_assoc_id))
            answered += 1

    def send(sock: sctpx.Socket, sender: int) -> None:
        for number in range(count):
            sock.sendto(b"%d %d " % (sender, number) + bytes(1000), HERE)

    def receive(sock: sctpx.Socket) -> list[bytes]:
        return [sock.recv(1 << 16) for _ in range(count)]

    with listening(MANY) as server, client(server, MANY) as a:
        server.setsockopt(IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
        a.connect(HERE)
        echoing = [Thread(lambda: echo(server)) for _ in range(8)]
        sending = [Thread(lambda sender=sender: send(a, sender)) for sender in range(4)]  # type: ignore[misc]
        receiving = [Thread(lambda: receive(a)) for _ in range(4)]
        for thread in sending:
            thread.result()
        received = Counter(message for thread in receiving for message in thread.result())
        for _ in echoing:
            a.sendto(b"stop", HERE)
        assert sum(thread.result() for thread in echoing) == 4 * count
        assert received == Counter(
            b"%d %d " % (sender, number) + bytes(1000) for sender in range(4) for number in range(count)
        )


def test_both_directions_can_be_busy_at_once() -> None:
    total = 4 << 20

    def receive(sock: sctpx.Socket) -> int:
        received = 0
        while received < total:
            received += len(sock.recv(1 << 20))
        return received

    with connected() as (a, b):
        threads = [Thread(lambda sock=sock: receive(sock)) for sock in (a, b)]  # type: ignore[misc]
        threads += [
            Thread(lambda sock=sock: sum(sock.send(bytes(1 << 16)) for _ in range(total >> 16)))  # type: ignore[misc]
            for sock in (a, b)
        ]
        assert [thread.result() for thread in threads] == [total] * 4


def test_two_thousand_sockets_need_neither_threads_nor_descriptors_of_their_own() -> None:
    with listening(backlog=2000) as server:
        before = threading.active_count()
        clients = [sctpx.socket(peer_udp_port=server.udp_port) for _ in range(1000)]
        for sock in clients:
            sock.connect(HERE)
        others = [server.accept()[0] for _ in clients]
        for number, sock in enumerate(clients):
            sock.send(b"%d" % number)
        assert [sock.recv(100) for sock in others] == [b"%d" % number for number in range(1000)]
        assert threading.active_count() <= before
        assert len({sock.udp_port for sock in clients}) == 1
        for sock in (*clients, *others):
            sock.close()


def test_an_interrupt_ends_a_call_that_waits_and_the_socket_goes_on() -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with connected() as (a, b):
        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            main = threading.main_thread().ident
            assert main is not None
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1)).start()
            with pytest.raises(KeyboardInterrupt):
                a.recv(1)
        finally:
            signal.signal(signal.SIGUSR1, before)
        b.send(b"x")
        assert a.recv(1) == b"x"


def test_a_signal_handler_that_returns_does_not_end_the_waiting() -> None:
    with connected() as (a, b):
        before = signal.signal(signal.SIGUSR1, lambda *_: b.send(b"from the handler") and None)
        try:
            main = threading.main_thread().ident
            assert main is not None
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1)).start()
            assert a.recv(100) == b"from the handler"
        finally:
            signal.signal(signal.SIGUSR1, before)


@contextmanager
def signal_calls(handler: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Have a handler called in the main thread. The context gives the function that sends the signal."""
    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGUSR1, lambda *_: handler() and None)
    try:
        yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_calls_in_a_signal_handler_wait_while_it_interrupts_a_call_that_waits() -> None:
    told: list[bytes] = []

    def ask() -> None:
        for request in (b"one", b"two"):
            with client(server) as sock:
                sock.settimeout(10)
                sock.connect(HERE)
                with accepted(server) as other:
                    sock.send(request)
                    told.append(other.recv(100))
        b.send(b"from the handler")

    with listening() as server, connected() as (a, b), signal_calls(ask) as send_signal:
        a.settimeout(10)
        threading.Timer(0.05, send_signal).start()
        assert a.recv(100) == b"from the handler"
        assert told == [b"one", b"two"]


def test_a_call_in_a_signal_handler_goes_on_when_the_call_that_saw_to_the_network_is_over() -> None:
    """That call is made in another thread. The call that the handler interrupts cannot see to the network either."""
    told: list[bytes] = []
    begun = threading.Event()

    def ask() -> None:
        leading_peer.send(b"leave")
        told.append(c.recv(100))

    def lead() -> None:
        begun.set()
        leading.recv(100)
        threading.Timer(0.1, d.send, (b"later",)).start()

    with (
        connected() as (a, b),
        connected() as (c, d),
        connected() as (leading, leading_peer),
        signal_calls(ask) as send_signal,
    ):
        for sock in (a, c):
            sock.settimeout(10)
        thread = Thread(lead)
        begun.wait()
        threading.Timer(0.05, send_signal).start()
        threading.Timer(0.5, b.send, (b"at last",)).start()
        assert a.recv(100) == b"at last"
        assert told == [b"later"]
        thread.result()


def test_the_network_is_seen_to_while_nobody_waits() -> None:
    program = """if True:
        import sys, sctpx
        with sctpx.socket(peer_udp_port=int(sys.argv[1])) as sock:
            sock.connect(("127.0.0.1", 5000))
            sock.send(b"hello")
            sock.shutdown(sctpx.SHUT_WR)
            print(sock.recv(1))
    """
    with listening() as server:
        arguments = [sys.executable, "-c", program, str(server.udp_port)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=True)
        assert done.stdout == "b''\n"
        server.setblocking(False)
        with accepted(server) as sock:
            assert [sock.recv(10), sock.recv(10)] == [b"hello", b""]


def test_servers_and_clients_in_threads_wait_for_each_other() -> None:
    def serve(server: sctpx.Socket) -> None:
        with accepted(server) as sock:
            while data := sock.recv(1000):
                sock.send(data.upper())

    def ask(server: sctpx.Socket, text: bytes) -> bytes:
        with client(server) as sock:
            sock.connect(HERE)
            sock.send(text)
            return sock.recv(1000)

    with listening() as server:
        serving = [Thread(lambda: serve(server)) for _ in range(8)]
        asking = [Thread(lambda number=number: ask(server, b"text %d" % number)) for number in range(8)]  # type: ignore[misc]
        assert [thread.result() for thread in asking] == [b"TEXT %d" % number for number in range(8)]
        for thread in serving:
            thread.result()
