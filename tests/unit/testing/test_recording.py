"""The recording of a run keeps what was sent last."""

from __future__ import annotations

from sctpx.testing import Packet
from sctpx.testing.recording import Recording


def run(data: bytes, segment: int = 0) -> Packet:
    return Packet(0, b"\n\0\0\1", b"\n\0\0\2", 0, 0, data, segment)


def test_runs_are_given_packet_by_packet_with_what_became_of_them() -> None:
    recording = Recording(1000)
    packet = run(b"aabbc", 2)
    recording.append(packet)
    packet.fate, packet.arrived = "delivered", 5
    assert [(p.data, p.fate, p.arrived, p.count) for p in recording] == [
        (b"aa", "delivered", 5, 1),
        (b"bb", "delivered", 5, 1),
        (b"c", "delivered", 5, 1),
    ]


def test_the_oldest_packets_are_forgotten_when_the_limit_is_reached() -> None:
    recording = Recording(100)
    for number in range(30):
        recording.append(run(bytes([number]) * 10, 5))
    assert [packet.data[0] for packet in recording] == [number for number in range(20, 30) for _ in range(2)]
    assert recording.forgotten == 40


def test_a_limit_of_zero_keeps_nothing() -> None:
    recording = Recording(0)
    recording.append(run(b"x"))
    assert list(recording) == []
    assert recording.forgotten == 1


def test_a_cleared_recording_begins_anew() -> None:
    recording = Recording(10)
    recording.append(run(bytes(20)))
    recording.clear()
    recording.append(run(bytes(10)))
    assert len(list(recording)) == 1
    assert recording.forgotten == 0
