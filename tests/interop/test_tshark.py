"""Captures of simulated runs, read by tshark: every packet decodes without a warning, its checksum included.

What one side sent is what tshark shows: a dissector written by others from the same RFCs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sctpx.core.events import CommunicationLost
from sctpx.testing import LinkSettings, Pair
from tests.interop.conftest import cannot_be_had, said_by
from tests.interop.matrix import Matrix
from tests.sweeps import rows

PEER = "tshark, which reads captures"
pytestmark = pytest.mark.matrix(peer=PEER)
WARNING = "0x00600000"
CHUNKS = ["DATA", "INIT", "INIT_ACK", "SACK", "HEARTBEAT", "HEARTBEAT_ACK", "ABORT", "SHUTDOWN", "SHUTDOWN_ACK"]
"""Chunk types 0 to 8, in order."""


@pytest.fixture(scope="module")
def tshark(matrix: Matrix) -> str:
    """The program."""
    program = shutil.which("tshark")
    if program is None:
        cannot_be_had("tshark is not installed")
    matrix.versions[PEER] = re.sub(r"[^\d.].*", "", said_by(program, "--version").removeprefix("TShark (Wireshark) "))
    return program


def read(tshark: str, capture: Path, *arguments: str) -> list[str]:
    """What tshark says of a capture, checksums verified, line by line."""
    options = ["-o", "sctp.checksum:CRC-32C", "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    command = [tshark, "-n", "-r", str(capture), "-d", "udp.port==9899,sctp", *options, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


def warnings(tshark: str, capture: Path) -> list[str]:
    complaint = f"_ws.malformed or _ws.expert.severity >= {WARNING} or sctp.checksum.status == 0"
    return read(tshark, capture, "-Y", complaint, "-V")


def chunk_types(tshark: str, capture: Path) -> set[str]:
    """The names of the chunk types that tshark finds, of those it is asked about."""
    lines = read(tshark, capture, "-T", "fields", "-e", "sctp.chunk_type")
    numbers = {int(number) for line in lines for number in line.split(",") if number}
    return {CHUNKS[number] for number in numbers if number < len(CHUNKS)}


@pytest.mark.parametrize(("ipv6", "udp_port"), rows([(False, 9899), (True, 0)], [(False, 0), (True, 9899)]))
def test_an_association_over_two_paths_is_read_without_a_warning(
    tshark: str, tmp_path: Path, ipv6: bool, udp_port: int
) -> None:
    capture = tmp_path / "association.pcap"
    with Pair(1, paths=2, ipv6=ipv6, udp_port=udp_port).connect() as pair:
        for size in (1, 2, 3, 4, 1000, 100_000):
            pair.a.send(bytes(size), stream=1, ppid=100_001)
            pair.b.send(bytes(size), stream=2, ppid=100_002, unordered=True)
        pair.drain()
        pair.network.run_for(40)
        pair.shutdown()
        pair.network.write_pcap(capture)
    assert warnings(tshark, capture) == []
    assert chunk_types(tshark, capture) == set(CHUNKS) - {"ABORT"}


def test_selective_acknowledgements_and_retransmissions_are_read_without_a_warning(tshark: str, tmp_path: Path) -> None:
    capture = tmp_path / "loss.pcap"
    with Pair(2, paths=2, link=LinkSettings(delay=0.01, jitter=0.002, loss=0.02)).connect() as pair:
        for _ in range(20):
            pair.a.send(bytes(50_000))
        pair.drain()
        pair.network.write_pcap(capture)
    assert warnings(tshark, capture) == []
    assert any(read(tshark, capture, "-Y", "sctp.sack_number_of_gap_blocks > 0"))


def test_an_abort_with_its_reason_is_read_without_a_warning(tshark: str, tmp_path: Path) -> None:
    capture = tmp_path / "abort.pcap"
    with Pair(3).connect() as pair:
        pair.a.association.abort(pair.network.clock.now, b"enough")
        pair.network.run(lambda: pair.b.events_of(CommunicationLost))
        pair.network.write_pcap(capture)
    assert warnings(tshark, capture) == []
    assert "ABORT" in chunk_types(tshark, capture)
