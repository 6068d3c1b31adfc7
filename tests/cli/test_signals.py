"""Signals that end commands, and standard streams that are closed: the peer is told, and the exit status is right."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import sctpx
from tests.api.sockets.conftest import bounded as bounded
from tests.api.sockets.support import accepted, listening
from tests.cli.commands import Running

pytestmark = [
    pytest.mark.usefixtures("bounded"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there"),
]

HOST = "127.0.0.1"
PORT = "5000"
LASTING = [signal.SIGTERM, signal.SIGHUP]


def listener(*options: str, prepare: Callable[[], object] | None = None) -> Running:
    return Running("listen", "-v", "--udp-port", "0", *options, HOST, PORT, prepare=prepare)


@contextmanager
def peer_of(command: Running, port: int = int(PORT)) -> Iterator[sctpx.Socket]:
    """A socket that is associated with a command that listens."""
    with sctpx.socket(peer_udp_port=int(command.udp_port(command.stderr))) as sock:
        sock.connect((HOST, port))
        yield sock


@pytest.mark.parametrize("number", LASTING)
def test_a_listener_shuts_down_and_writes_what_came_until_then(number: int) -> None:
    with listener() as command, peer_of(command) as sock:
        sock.send(b"before\n")
        assert command.stdout.readline() == b"before\n"
        command.signal(number)
        assert sock.recv(1) == b""
        status, output, errors = command.finish()
    assert (status, output) == (128 + number, b"")
    assert errors.splitlines()[-1].endswith(b"ended gracefully")


def test_what_is_on_its_way_when_the_signal_comes_is_written() -> None:
    with listener() as command, peer_of(command) as sock:
        for _ in range(20):
            sock.send(bytes(50_000))
        command.signal(signal.SIGTERM)
        status, output, _ = command.finish()
    assert (status, len(output)) == (128 + signal.SIGTERM, 20 * 50_000)


@pytest.mark.parametrize("number", LASTING)
def test_a_caller_delivers_what_it_has_read_and_shuts_down(number: int) -> None:
    with listening() as server, Running("connect", "--peer-udp-port", str(server.udp_port), HOST, PORT) as command:
        command.write(b"hello\n")
        with accepted(server) as sock:
            assert sock.recv(100) == b"hello\n"
            command.signal(number)
            assert sock.recv(100) == b""
        assert command.finish() == (128 + number, b"", b"")


def test_a_caller_that_waits_for_a_peer_ends_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:  # A port that nobody has would refuse, by ICMP.
        silent.bind((HOST, 0))
        with Running("connect", "-v", "--peer-udp-port", str(silent.getsockname()[1]), HOST, PORT) as command:
            assert b"connecting" in command.stderr.readline()
            assert silent.recv(2000)
            command.signal(signal.SIGTERM)
            assert command.finish()[0] == 128 + signal.SIGTERM


def test_a_server_of_perf_shuts_down() -> None:
    with Running("perf", "server", "--udp-port", "0", "--json") as command, peer_of(command, 5001) as sock:
        sock.send(b"anything")
        command.signal(signal.SIGTERM)
        assert sock.recv(1) == b""
        assert command.finish()[0] == 128 + signal.SIGTERM


def test_a_client_of_perf_shuts_down_and_tells_what_it_measured() -> None:
    with Running("perf", "server", "--udp-port", "0", "--once", "--json") as server:
        options = ("--udp-port", server.udp_port(server.stderr), "--seconds", "50")
        with Running("perf", "client", HOST, *options) as command:
            assert command.stdout.readline().endswith(b"/s\n")
            command.signal(signal.SIGTERM)
            status, output, errors = command.finish()
        assert server.finish()[0] == 0
    assert (status, errors) == (128 + signal.SIGTERM, b"")
    assert b"client: bulk" in output


@pytest.mark.slow
def test_a_client_of_perf_whose_server_does_not_answer_shuts_down_all_the_same() -> None:
    with listening(address=(HOST, 5001)) as server:
        options = ("--udp-port", str(server.udp_port), "--mode", "pingpong")
        with Running("perf", "client", HOST, *options) as command, accepted(server) as sock:
            assert sock.recv(1000)
            command.signal(signal.SIGTERM)
            while sock.recv(1 << 20):
                pass
            assert command.finish()[0] == 128 + signal.SIGTERM


@pytest.mark.parametrize("options", [("--size", "10G"), ("--simulated", "--size", "10G")])
def test_the_demonstration_ends(options: tuple[str, ...]) -> None:
    with Running("demo", *options) as command:
        while b"2 SEND" not in (line := command.stdout.readline()):
            assert line
        command.signal(signal.SIGTERM)
        assert command.finish()[0] == 128 + signal.SIGTERM


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with listener(prepare=ignore) as command, peer_of(command) as sock:
        command.signal(signal.SIGHUP)
        sock.send(b"still here\n")
        assert command.stdout.readline() == b"still here\n"
        command.signal(signal.SIGTERM)
        assert command.finish()[0] == 128 + signal.SIGTERM


@pytest.mark.slow
def test_output_that_nobody_takes_does_not_hold_up_the_end() -> None:
    with listener() as command, peer_of(command) as sock:
        sock.send(bytes(1 << 18))  # More than a pipe takes.
        assert command.stdout.read(1)
        command.signal(signal.SIGTERM)
        assert sock.recv(1) == b""
        assert command.process.wait(20) == 128 + signal.SIGTERM


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1)])
def test_standard_streams_that_are_closed_are_done_without(closed: tuple[int, ...]) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    with listener("--once", prepare=close) as command, peer_of(command) as sock:
        sock.send(b"hello\n")
        sock.shutdown(sctpx.SHUT_WR)
        status, output, errors = command.finish()
    assert (status, output) == (0, b"" if 1 in closed else b"hello\n")
    assert errors.splitlines()[-1].endswith(b"ended gracefully")
