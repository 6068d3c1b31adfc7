"""Signal handlers that raise in the middle of a call: nothing is lost, nothing comes twice, and the socket goes on."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

import sctpx
from sctpx import constants as c
from sctpx.blocking.hub import hub
from tests.api.sockets.support import HERE, IPPROTO_SCTP, Pair, accepted, client, listening
from tests.api.sockets.support import connected as connected_by_default
from tests.interrupting import (
    Interrupted,
    Interruption,
    from_handler,
    handler_that_raises,
    out_of_the_blue,
    steps,
    sweep,
)

pytestmark = pytest.mark.real_time

PATIENCE = 30


def connected() -> AbstractContextManager[Pair]:
    """An association, on which no message waits for the acknowledgement of another."""
    return connected_by_default(lambda sock: sock.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1))


@pytest.fixture(autouse=True)
def _raising() -> Iterator[None]:
    with handler_that_raises():
        yield
    assert not hub.held_here


def patient_sweep(every: int, act: Callable[[], object] = from_handler) -> Iterator[Interruption]:
    """A sweep in which each step, and not all of it, has a limited time."""
    for interruption in sweep(every, act):
        signal.alarm(PATIENCE)
        yield interruption


def receive_until(sock: sctpx.Socket, last: bytes) -> list[bytes]:
    """The messages up to the last one."""
    return list(iter(lambda: sock.recv(100), last))


def is_told_of_the_end(sock: sctpx.Socket) -> bool:
    """The association turns out to be over by an error, not by an end of file."""
    try:
        while sock.recv(100):
            pass
    except OSError as error:
        return not isinstance(error, TimeoutError)
    return False


@pytest.mark.parametrize("every", steps(31))
def test_send(every: int) -> None:
    with connected() as (a, b):
        b.settimeout(PATIENCE)
        for interruption in patient_sweep(every):
            returned = False
            try:
                with interruption:
                    a.send(b"message")
                returned = True
            except Interrupted:
                pass
            a.send(b"next")
            received = receive_until(b, b"next")
            assert received == [b"message"] or not (received or returned), interruption.where


@pytest.mark.parametrize("every", steps(41, 5))
def test_recv(every: int) -> None:
    with connected() as (a, b):
        b.settimeout(PATIENCE)
        for interruption in patient_sweep(every):
            for message in (b"one", b"two", b"three"):
                a.send(message)
            received = []
            try:
                with interruption:
                    received.append(b.recv(100))
            except Interrupted:
                pass
            a.send(b"next")
            assert received + receive_until(b, b"next") == [b"one", b"two", b"three"], interruption.where


@pytest.mark.parametrize("every", steps(1999, 23))
def test_connect(every: int) -> None:
    with listening() as server:
        server.settimeout(PATIENCE)
        for interruption in patient_sweep(every):
            with client(server) as a:
                try:
                    with interruption:
                        a.connect(HERE)
                except Interrupted:
                    again = a.connect_ex(HERE)
                    assert again in (0, errno.EISCONN, errno.EALREADY), interruption.where
                a.send(b"message")
                with accepted(server) as b:
                    b.settimeout(PATIENCE)
                    assert b.recv(100) == b"message", interruption.where


@pytest.mark.parametrize("every", steps(17))
def test_accept(every: int) -> None:
    with listening() as server:
        server.settimeout(PATIENCE)
        for interruption in patient_sweep(every):
            with client(server) as a:
                a.connect(HERE)
                a.send(b"message")
                try:
                    with interruption:
                        b, _ = server.accept()
                except Interrupted:
                    b, _ = server.accept()
                with b:
                    b.settimeout(PATIENCE)
                    assert b.recv(100) == b"message", interruption.where
                del b  # Its finalizer is to be interrupted as little as it is by itself.


@pytest.mark.parametrize("every", steps(47, 5))
def test_close(every: int) -> None:
    for interruption in patient_sweep(every):
        with connected() as (a, b):
            b.settimeout(PATIENCE)
            a.send(b"message")
            try:
                with interruption:
                    a.close()
            except Interrupted:
                a.close()
            assert [b.recv(100), b.recv(100)] == [b"message", b""], interruption.where


@pytest.mark.parametrize("every", steps(193, 7))
def test_what_cannot_be_held_back_ends_loudly_if_it_does_any_harm(every: int) -> None:
    """A trace function can raise anywhere. Then all is well, or both ends are told that the association is over."""
    interruptions = patient_sweep(every, out_of_the_blue)
    done = False
    while not done:
        with connected() as (a, b):
            for sock in (a, b):
                sock.settimeout(PATIENCE)
            done = True
            for interruption in interruptions:
                received = []
                returned = False
                try:
                    with interruption:
                        a.send(b"message")
                        returned = True
                        received.append(b.recv(100))
                except (Interrupted, ConnectionError):
                    pass
                try:
                    a.send(b"next")
                    received += receive_until(b, b"next")
                except ConnectionError:
                    for sock in (a, b):
                        assert is_told_of_the_end(sock), interruption.where
                    done = False
                    break
                assert received == [b"message"] or not (received or returned), interruption.where


def test_a_handler_that_raises_is_called_when_the_call_is_complete() -> None:
    with connected() as (a, b):
        seen = []

        def note(_number: int, _frame: object) -> None:
            seen.append(hub.held_here)

        before = signal.signal(signal.SIGALRM, note)
        try:
            with hub.guard, hub.lock:
                signal.raise_signal(signal.SIGALRM)
                assert seen == []
            assert seen == [False]
        finally:
            signal.signal(signal.SIGALRM, before)
        a.send(b"x")
        assert b.recv(1) == b"x"
