"""DATA chunks of a batch as the peer would read them: taken out of the packets with ``wire``, not with the queues."""

from __future__ import annotations

from typing import NamedTuple

from sctpx.wire.checksum import verify_packet
from sctpx.wire.codes import CHUNK_DATA, COMMON_HEADER
from sctpx.wire.data import DATA
from sctpx.wire.packet import chunks
from sctpx.wire.tlv import chunk


class DataChunk(NamedTuple):
    """A DATA chunk."""

    flags: int
    tsn: int
    """As it is on the wire: 32 bits."""
    stream: int
    ssn: int
    ppid: int
    data: bytes
    raw: bytes
    """All of it, with its padding."""


def split_packets(data: bytes, segment: int) -> list[bytes]:
    """The packets of one send."""
    return [data[start : start + segment] for start in range(0, len(data), segment)]


def data_chunk(raw: bytes) -> DataChunk:
    """A DATA chunk from its bytes."""
    _, flags, length, tsn, stream, ssn, ppid = DATA.unpack_from(raw)
    return DataChunk(flags, tsn, stream, ssn, ppid, raw[DATA.size : length], raw)


def data_chunks(packet: bytes) -> list[DataChunk]:
    """The DATA chunks of a packet that is right in every byte."""
    assert verify_packet(packet)
    raws = [(kind, chunk(kind, flags, value)) for kind, flags, value in chunks(packet)]
    # Nothing between the chunks and nothing behind them; the padding is all zero.
    assert packet[COMMON_HEADER:] == b"".join([raw for _, raw in raws])
    return [data_chunk(raw) for kind, raw in raws if kind == CHUNK_DATA]
