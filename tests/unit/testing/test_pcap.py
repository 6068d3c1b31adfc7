"""Captures are read back by a small reader that trusts nothing."""

from __future__ import annotations

import errno
from ipaddress import ip_address
from pathlib import Path
from struct import iter_unpack, unpack_from
from typing import NamedTuple

import pytest

from sctpx.core.outputs import CLASS_SHIFT, DSCP_SHIFT
from sctpx.testing import LinkSettings, Network, Packet, VirtualClock, pack_address, write_pcap
from sctpx.testing.pcap import ip_packet
from sctpx.wire.codes import CHUNK_DATA, CHUNK_INIT
from tests.unit.testing.fake_stack import B2, A, B, FakeStack, sctp, two_hosts


class Record(NamedTuple):
    """One packet of a capture."""

    when: int
    source: str
    destination: str
    protocol: int
    ecn: int
    source_port: int
    destination_port: int
    payload: bytes


def ones_complement_sum(data: bytes) -> int:
    """The sum the Internet checksum is made of: 0xFFFF over data that includes a right checksum."""
    words: list[int] = [word for (word,) in iter_unpack(">H", data + b"\0" * (len(data) % 2))]
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def parse_ip(data: bytes, when: int = 0) -> Record:
    """Take an IP packet apart, checking every length and checksum."""
    if data[0] >> 4 == 4:
        assert data[0] == 0x45
        ecn, length, protocol = data[1], int.from_bytes(data[2:4], "big"), data[9]
        source, destination, payload = data[12:16], data[16:20], data[20:]
        assert length == len(data)
        assert ones_complement_sum(data[:20]) == 0xFFFF
        pseudo = source + destination + bytes([0, protocol]) + len(payload).to_bytes(2, "big")
    else:
        assert data[0] >> 4 == 6
        ecn, length, protocol = data[1] >> 4, int.from_bytes(data[4:6], "big"), data[6]
        source, destination, payload = data[8:24], data[24:40], data[40:]
        assert length == len(payload)
        pseudo = source + destination + len(payload).to_bytes(4, "big") + bytes([0, 0, 0, protocol])
    ports = (0, 0)
    if protocol == 17:
        source_port, destination_port, length, checksum = unpack_from(">HHHH", payload)
        assert length == len(payload)
        assert checksum != 0
        assert ones_complement_sum(pseudo + payload) == 0xFFFF
        ports, payload = (source_port, destination_port), payload[8:]
    elif protocol == 1:
        assert ones_complement_sum(payload) == 0xFFFF
    elif protocol == 58:
        assert ones_complement_sum(pseudo + payload) == 0xFFFF
    return Record(when, str(ip_address(source)), str(ip_address(destination)), protocol, ecn, *ports, payload)


def read_pcap(path: Path) -> list[Record]:
    data = path.read_bytes()
    magic, major, minor, zone, accuracy, snaplen, linktype = unpack_from("<IHHiIII", data)
    assert (magic, major, minor, zone, accuracy, linktype) == (0xA1B23C4D, 2, 4, 0, 0, 101)
    records, offset = [], 24
    while offset < len(data):
        seconds, nanoseconds, captured, length = unpack_from("<IIII", data, offset)
        assert nanoseconds < 10**9
        assert captured == length <= snaplen
        offset += 16
        records.append(parse_ip(data[offset : offset + captured], seconds * 10**9 + nanoseconds))
        offset += captured
    assert offset == len(data)
    return records


@pytest.mark.parametrize(("source", "destination"), [("10.0.1.1", "10.0.1.2"), ("2001:db8::1", "2001:db8::2")])
@pytest.mark.parametrize("data", [b"", b"x", bytes(1451), b"\xff" * 1452, bytes(9000)])
def test_sctp_in_udp_reads_back(source: str, destination: str, data: bytes) -> None:
    packet = Packet(0, pack_address(source), pack_address(destination), 40000, 9899, data, flowinfo=2 << CLASS_SHIFT)
    assert parse_ip(ip_packet(packet)) == Record(0, source, destination, 17, 2, 40000, 9899, data)


def test_the_marks_of_a_packet_are_in_its_ip_header() -> None:
    flowinfo = 46 << DSCP_SHIFT | 1 << CLASS_SHIFT | 0xABCDE
    ipv4 = Packet(0, pack_address("10.0.1.1"), pack_address("10.0.1.2"), 9899, 9899, b"x", flowinfo=flowinfo)
    ipv6 = Packet(0, pack_address("2001:db8::1"), pack_address("2001:db8::2"), 9899, 9899, b"x", flowinfo=flowinfo)
    assert ip_packet(ipv4)[1] == 46 << 2 | 1
    assert ip_packet(ipv6)[:4].hex() == "6b9abcde"
    assert (ipv6.dscp, ipv6.ecn, ipv6.flow_label) == (46, 1, 0xABCDE)
    ipv6.ecn = 3
    assert (ipv6.dscp, ipv6.ecn, ipv6.flow_label) == (46, 3, 0xABCDE)


@pytest.mark.parametrize(("source", "destination"), [("10.0.1.1", "10.0.1.2"), ("2001:db8::1", "2001:db8::2")])
def test_without_udp_ports_it_is_ip_protocol_132(source: str, destination: str) -> None:
    packet = Packet(0, pack_address(source), pack_address(destination), 0, 0, sctp(CHUNK_INIT))
    assert parse_ip(ip_packet(packet)) == Record(0, source, destination, 132, 0, 0, 0, sctp(CHUNK_INIT))


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    blank = Packet(0, pack_address("10.0.1.1"), pack_address("10.0.1.2"), 9899, 9899, bytes(2))
    checksum = ip_packet(blank)[26:28]
    packet = Packet(0, blank.source, blank.destination, 9899, 9899, checksum)
    assert ip_packet(packet)[26:28] == b"\xff\xff"
    assert parse_ip(ip_packet(packet)).payload == checksum


@pytest.mark.parametrize(
    ("source", "destination", "error", "protocol", "kind", "code"),
    [
        ("10.0.1.2", "10.0.1.1", errno.ECONNREFUSED, 1, 3, 3),
        ("10.0.1.2", "10.0.1.1", errno.EHOSTUNREACH, 1, 3, 1),
        ("10.0.1.2", "10.0.1.1", errno.ENOPROTOOPT, 1, 3, 2),
        ("2001:db8::2", "2001:db8::1", errno.ECONNREFUSED, 58, 1, 4),
        ("2001:db8::2", "2001:db8::1", errno.ENETUNREACH, 58, 1, 0),
    ],
)
def test_icmp_errors_return_the_packet(
    source: str, destination: str, error: int, protocol: int, kind: int, code: int
) -> None:
    icmp = Packet(0, pack_address(source), pack_address(destination), 9899, 40000, b"quoted", icmp=error)
    record = parse_ip(ip_packet(icmp))
    assert (record.source, record.destination, record.protocol) == (source, destination, protocol)
    assert record.payload[:2] == bytes([kind, code])
    returned = parse_ip(record.payload[8:])
    assert returned == Record(0, destination, source, 17, 0, 40000, 9899, b"quoted")


def test_a_file_has_every_packet_at_the_time_it_was_sent(tmp_path: Path) -> None:
    start = VirtualClock(3).now
    packets = [Packet(start + n, pack_address(A), pack_address(B), 9899, 9899, bytes([n % 256])) for n in (1, 5, 1500)]
    write_pcap(tmp_path / "run.pcap", packets)
    assert [(r.when - start, r.payload) for r in read_pcap(tmp_path / "run.pcap")] == [
        (1, b"\1"),
        (5, b"\5"),
        (1500, b"\xdc"),
    ]


def test_a_run_is_captured_whole_or_as_one_host_saw_it(tmp_path: Path) -> None:
    network, a, b = two_hosts(link=LinkSettings(delay=0.1))
    answer(b)
    network.cut(B2)
    one, two = sctp(CHUNK_INIT), sctp(CHUNK_DATA)
    a.send(one + two, segment=len(one))
    a.send(one, to=B2)
    network.run_for(1)
    assert [(when, r.source) for when, r in seen(network, tmp_path)] == [
        (0, "10.0.1.1"),
        (0, "10.0.1.1"),
        (0, "10.0.2.1"),
        (100, "10.0.1.2"),
    ]
    assert [when for when, _ in seen(network, tmp_path, "A")] == [0, 0, 0, 200]
    assert [when for when, _ in seen(network, tmp_path, "B")] == [100, 100, 100]


def answer(stack: FakeStack) -> None:
    stack.on_arrival = lambda arrival: stack.send(b"answer", to=A)


def seen(network: Network, directory: Path, host: str = "") -> list[tuple[int, Record]]:
    """(milliseconds, packet) of a capture."""
    network.write_pcap(directory / "run.pcap", host)
    return [((record.when - network.clock.start) // 10**6, record) for record in read_pcap(directory / "run.pcap")]
