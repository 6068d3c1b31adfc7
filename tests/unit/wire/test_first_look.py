"""What can be told of a packet without parsing it."""

from __future__ import annotations

from struct import pack

import pytest

from sctpx.wire.codes import CHUNK_AUTH, CHUNK_DATA, CHUNK_I_DATA, CHUNK_INIT, CHUNK_SACK
from sctpx.wire.first_look import carries_user_data, is_user_data

HEADER = bytes(12)
DATA = pack("!BBHIHHI", CHUNK_DATA, 3, 17, 1, 0, 0, 0) + bytes(4)
I_DATA = pack("!BBHIHHII", CHUNK_I_DATA, 3, 24, 1, 0, 0, 0, 0) + bytes(4)
AUTH = pack("!BBHHH", CHUNK_AUTH, 0, 27, 0, 3) + bytes(20)


def sack(blocks: int = 0) -> bytes:
    """A SACK chunk with so many Gap Ack Blocks."""
    return pack("!BBHIIHH", CHUNK_SACK, 0, 16 + 4 * blocks, 1, 1, blocks, 0) + bytes(4 * blocks)


@pytest.mark.parametrize("kind", [CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK])
def test_user_data_and_acknowledgements_are_told_by_the_first_chunk(kind: int) -> None:
    assert is_user_data(HEADER + bytes([kind]))


@pytest.mark.parametrize("packet", [b"", HEADER, HEADER + bytes([CHUNK_INIT]) + DATA])
def test_other_packets_are_no_user_data(packet: bytes) -> None:
    assert not is_user_data(packet)
    assert not carries_user_data(packet)


@pytest.mark.parametrize("before", [b"", sack(), sack(100), AUTH, AUTH + sack()])
@pytest.mark.parametrize("data", [DATA, I_DATA])
def test_user_data_is_found_behind_its_acknowledgement(before: bytes, data: bytes) -> None:
    assert carries_user_data(HEADER + before + data)


@pytest.mark.parametrize("chunks", [sack(), sack(100), AUTH, AUTH + sack(), sack() + sack() + sack() + DATA])
def test_an_acknowledgement_alone_carries_none(chunks: bytes) -> None:
    assert not carries_user_data(HEADER + chunks)


def test_what_is_cut_short_carries_none() -> None:
    packet = HEADER + sack() + DATA
    for length in range(len(packet)):
        assert carries_user_data(packet[:length]) is (length >= len(HEADER) + 16 + 4)


@pytest.mark.parametrize("length", range(4))
def test_a_chunk_without_a_possible_length_is_passed_over(length: int) -> None:
    assert carries_user_data(HEADER + bytes([CHUNK_SACK, 0, 0, length]) + DATA)
