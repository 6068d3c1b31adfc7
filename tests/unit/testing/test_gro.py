"""Packets that arrived together are joined as Linux joins them."""

from __future__ import annotations

from sctpx.core.outputs import CLASS_SHIFT
from sctpx.testing import Packet, pack_address
from sctpx.testing.gro import joined, one_by_one

A, B = pack_address("10.0.0.1"), pack_address("10.0.0.2")


def packet(data: bytes, segment: int = 0, port: int = 9899, ecn: int = 0) -> Packet:
    return Packet(0, A, B, port, 9899, data, segment, ecn << CLASS_SHIFT)


def shapes(packets: list[Packet]) -> list[tuple[int, int]]:
    """(bytes, segment) of each batch."""
    return [(len(data), segment) for _, data, segment in joined(packets)]


def test_nothing_makes_no_batch() -> None:
    assert list(joined([])) == []


def test_packets_of_one_size_make_one_batch() -> None:
    [(first, data, segment)] = joined([packet(b"aaaa"), packet(b"bbbb"), packet(b"cccc")])
    assert (first.data, data, segment) == (b"aaaa", b"aaaabbbbcccc", 4)


def test_a_shorter_packet_ends_a_batch() -> None:
    assert shapes([packet(bytes(100)), packet(bytes(60)), packet(bytes(60)), packet(bytes(100))]) == [
        (160, 100),
        (60, 60),
        (100, 100),
    ]


def test_a_longer_packet_begins_a_batch() -> None:
    assert shapes([packet(bytes(60)), packet(bytes(100))]) == [(60, 60), (100, 100)]


def test_runs_are_joined_when_their_segments_are_equal_and_the_first_has_no_short_end() -> None:
    assert shapes([packet(bytes(300), 100), packet(bytes(250), 100)]) == [(550, 100)]
    assert shapes([packet(bytes(250), 100), packet(bytes(300), 100)]) == [(250, 100), (300, 100)]
    assert shapes([packet(bytes(300), 100), packet(bytes(160), 80)]) == [(300, 100), (160, 80)]


def test_a_batch_holds_at_most_64_packets_and_65535_bytes() -> None:
    assert shapes([packet(bytes(100)) for _ in range(70)]) == [(6400, 100), (600, 100)]
    assert shapes([packet(bytes(1452)) for _ in range(50)]) == [(45 * 1452, 1452), (5 * 1452, 1452)]


def test_packets_of_different_ports_or_ecn_bits_stay_apart() -> None:
    assert len(list(joined([packet(b"aaaa"), packet(b"bbbb", port=1000), packet(b"cccc", port=1000, ecn=1)]))) == 3


def test_an_empty_packet_is_a_batch_too() -> None:
    assert [data for _, data, _ in joined([packet(b""), packet(b"")])] == [b"", b""]


def test_one_by_one_takes_runs_apart() -> None:
    batches = list(one_by_one([packet(b"aaaabb", 4), packet(b"c")]))
    assert [(data, segment) for _, data, segment in batches] == [(b"aaaa", 4), (b"bb", 2), (b"c", 1)]
