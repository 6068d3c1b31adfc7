"""Which of several sockets on a UDP port gets a packet: what the program says, and what the kernel makes of it."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.link import UdpLink
from sctpx.link.steering import open_sockets, program
from tests.api.support import linux_only, raises_errno, with_ipv6

V4, V6 = bytes((127, 0, 0, 1)), bytes(15) + b"\1"


def packet(tag: int, port: int = 5000) -> bytes:
    return struct.pack("!HHII", port, 36412, tag, 0) + bytes((1, 0, 0, 4))


def run(instructions: list[bytes], data: bytes, header: bytes) -> int:
    """What the kernel would do with a program: the number it gives, 0 where a load goes beyond the end."""
    a = x = at = 0
    while True:
        code, then, otherwise, k = struct.unpack("=HBBI", instructions[at])
        at += 1
        if code in (0x20, 0x28):
            size = 4 if code == 0x20 else 2
            source, offset = (header, k - 0xFFF00000) if k >= 0xFFF00000 else (data, k)
            if offset + size > len(source):
                return 0
            a = int.from_bytes(source[offset : offset + size], "big")
        elif code == 0x15:
            at += then if a == k else otherwise
        elif code == 0x05:
            at += k
        elif code == 0x16:
            return a
        elif code == 0x07:
            x = a
        elif code == 0x94:
            a %= k
        else:
            a = {0xAC: a ^ x, 0x24: a * k, 0x74: a >> min(k, 32)}[code] & 0xFFFFFFFF


@given(tag=st.integers(1, 2**32 - 1), count=st.integers(1, 256), family=st.sampled_from([V4, V6]))
def test_a_packet_goes_by_the_first_byte_of_its_tag(tag: int, count: int, family: bytes) -> None:
    wanted = socket.AF_INET if family is V4 else socket.AF_INET6
    assert run(program(count, wanted), packet(tag), bytes(40)) == (tag >> 24) % count


@given(port=st.integers(1, 65535), source=st.binary(min_size=16, max_size=16), count=st.integers(1, 256))
def test_an_init_goes_each_time_to_the_same_socket_by_its_port_and_source(port: int, source: bytes, count: int) -> None:
    for family, header in ((socket.AF_INET, bytes(12) + source[12:]), (socket.AF_INET6, bytes(8) + source)):
        found = {run(program(count, family), packet(0, port) + more, header + more) for more in (b"", b"more")}
        assert len(found) == 1
        assert found.pop() < count


@pytest.mark.parametrize("count", [2, 3, 8])
def test_inits_are_spread_whether_peers_differ_in_their_ports_or_in_their_addresses(count: int) -> None:
    instructions = program(count, socket.AF_INET)
    by_port = [run(instructions, packet(0, port), bytes(20)) for port in range(5000, 5400)]
    by_address = [run(instructions, packet(0), bytes(12) + bytes((10, 0, n // 256, n % 256))) for n in range(400)]
    for spread in (by_port, by_address):
        assert all(spread.count(index) > 400 // count // 2 for index in range(count))


@given(data=st.binary(max_size=7))
def test_what_is_too_short_for_a_tag_goes_to_the_first_socket(data: bytes) -> None:
    assert run(program(3, socket.AF_INET), data, bytes(20)) == 0


@contextmanager
def opened(addresses: list[bytes], count: int) -> Iterator[tuple[int, list[list[socket.socket]]]]:
    port, found = open_sockets(addresses, 0, count)
    try:
        yield port, found
    finally:
        for sock in [sock for sockets in found for sock in sockets]:
            sock.close()


@linux_only
@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=with_ipv6)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_kernel_hands_packets_to_the_sockets_as_the_program_says(address: str, count: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        opened([socket.inet_pton(family, address)], count) as (port, found),
        socket.socket(family, socket.SOCK_DGRAM) as sender,
    ):
        sender.bind((address, 0))
        sent = [packet(first << 24 | 1) for first in range(0, 256, 5)] + [packet(0, port) for port in range(5000, 5020)]
        end = socket.inet_pton(family, address)
        header = bytes(12 if family == socket.AF_INET else 8) + end
        for one in sent:
            sender.sendto(one, (address, port))
        for index, [sock] in enumerate(found):
            wanted = [one for one in sent if run(program(count, family), one, header) == index]
            assert [sock.recv(100) for _ in wanted] == wanted
            with pytest.raises(BlockingIOError):
                sock.recv(100)


@linux_only
def test_a_socket_that_others_still_have_open_keeps_its_number() -> None:
    """So a worker may die, and a new one takes its place."""
    with opened([V4], 3) as (port, found), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        copy = found[1][0].dup()
        found[1][0].close()
        sender.sendto(packet(1 << 24), ("127.0.0.1", port))
        sender.sendto(packet(2 << 24), ("127.0.0.1", port))
        assert copy.recv(100) == packet(1 << 24)
        assert found[2][0].recv(100) == packet(2 << 24)
        copy.close()


@linux_only
def test_a_port_that_another_one_has_is_not_shared_with_it() -> None:
    with opened([V4], 2) as (port, _):
        with raises_errno(errno.EADDRINUSE, "is taken"):
            open_sockets([V4], port, 2)
        with raises_errno(errno.EADDRINUSE):
            UdpLink.open([V4], port)


@linux_only
def test_all_addresses_have_one_port() -> None:
    with opened([V4, bytes((127, 0, 0, 2))], 2) as (port, found):
        assert [[sock.getsockname() for sock in sockets] for sockets in found] == [
            [("127.0.0.1", port), ("127.0.0.2", port)]
        ] * 2


@linux_only
def test_a_link_over_such_sockets_has_their_addresses_and_takes_no_others() -> None:
    with opened([V4], 2) as (port, found):
        link = UdpLink.over(found[0])
        assert (link.port, link.addresses) == (port, [V4])
        link.add_address(V4)
        with raises_errno(errno.EOPNOTSUPP):
            link.add_address("127.0.0.2")


def test_elsewhere_than_on_linux_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with raises_errno(errno.EOPNOTSUPP, "Linux"):
        open_sockets([V4], 0, 2)
