"""The filter of a raw socket: the kernel runs it on packets that were sent."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from sctpx.link.packet_filter import PORTS_LIMIT, Others, attach, program
from tests.namespaces import own_host

SCTP = 132
DATA, INIT, SACK, HEARTBEAT, SHUTDOWN_ACK, I_DATA = 0, 1, 3, 4, 8, 64


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else sends SCTP packets."""
    with own_host():
        yield


@pytest.fixture(params=["127.0.0.1", "::1"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """A raw socket to filter on, one to send from, and their address."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_RAW, SCTP) as filtered,
        socket.socket(family, socket.SOCK_RAW, SCTP) as sender,
    ):
        filtered.setblocking(False)
        filtered.bind((request.param, 0))
        yield filtered, sender, request.param


def packet(port: int, kind: int) -> bytes:
    """An SCTP packet for a port with one chunk."""
    return struct.pack("!HHII", 1, port, 7, 0) + bytes((kind, 0, 0, 4))


def passing(
    ends: tuple[socket.socket, socket.socket, str], ports: list[int], others: Others, packets: list[bytes]
) -> list[bytes]:
    """Which of the packets a filter lets in."""
    filtered, sender, address = ends
    attach(filtered, program(ports, others, ipv6=filtered.family == socket.AF_INET6))
    for one in packets:
        sender.sendto(one, (address, 0))
    arrived = []
    while True:
        try:
            arrived.append(filtered.recv(2048))
        except BlockingIOError:
            break
    return [one[20:] if filtered.family == socket.AF_INET else one for one in arrived]


def test_packets_for_open_ports_are_let_in_whatever_they_hold(ends: tuple[socket.socket, socket.socket, str]) -> None:
    packets = [packet(port, kind) for port in (1, 5000, 65535) for kind in (DATA, INIT, SACK)]
    assert passing(ends, [65535, 5000, 1], Others.NONE, packets) == packets


def test_packets_for_other_ports_are_not(ends: tuple[socket.socket, socket.socket, str]) -> None:
    packets = [packet(port, INIT) for port in (4999, 5001, 1, 0)]
    assert passing(ends, [5000], Others.NONE, packets) == []
    assert passing(ends, [], Others.NONE, packets) == []


def test_control_chunks_for_other_ports_are_let_in_on_demand(ends: tuple[socket.socket, socket.socket, str]) -> None:
    control = [packet(9, kind) for kind in (INIT, HEARTBEAT, SHUTDOWN_ACK)]
    bulk = [packet(9, kind) for kind in (DATA, SACK, I_DATA)]
    own = [packet(5000, DATA)]
    assert passing(ends, [5000], Others.CONTROL, control + bulk + own) == control + own


def test_all_packets_are_let_in_on_demand(ends: tuple[socket.socket, socket.socket, str]) -> None:
    packets = [packet(9, DATA), packet(5000, DATA)]
    assert passing(ends, [5000], Others.ALL, packets) == packets


def test_too_short_a_packet_is_dropped_by_the_kernel(ends: tuple[socket.socket, socket.socket, str]) -> None:
    assert passing(ends, [5000], Others.CONTROL, [b"\0\0\0", packet(9, INIT)[:12]]) == []


def test_as_many_ports_as_are_compared_one_by_one_fit_into_a_program(
    ends: tuple[socket.socket, socket.socket, str],
) -> None:
    ports = list(range(1, PORTS_LIMIT + 1))
    packets = [packet(port, DATA) for port in (1, PORTS_LIMIT, PORTS_LIMIT + 1)]
    assert passing(ends, ports, Others.CONTROL, packets) == packets[:2]


def test_with_more_ports_everything_is_let_in(ends: tuple[socket.socket, socket.socket, str]) -> None:
    packets = [packet(1, DATA), packet(60000, DATA)]
    assert passing(ends, list(range(1, PORTS_LIMIT + 2)), Others.NONE, packets) == packets
