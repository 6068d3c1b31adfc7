"""The small control chunks (RFC 9260 sections 3.3.5 to 3.3.9 and 3.3.11 to 3.3.13; RFC 4960 appendix A for ECN)."""

from __future__ import annotations

from .causes import Cause
from .causes import encode as encode_causes
from .codes import (
    CHUNK_ABORT,
    CHUNK_AUTH,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_CWR,
    CHUNK_ECNE,
    CHUNK_ERROR,
    CHUNK_HEADER,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_PAD,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
    FLAG_T,
    PARAM_HEARTBEAT_INFO,
)
from .serial import TSN_MASK
from .tlv import ParseError, chunk, items, join


def abort(causes: list[Cause], reflected: bool = False) -> bytes:
    """ABORT (section 3.3.7); ``reflected`` sets the T bit."""
    return chunk(CHUNK_ABORT, FLAG_T if reflected else 0, encode_causes(causes))


def error(causes: list[Cause]) -> bytes:
    """ERROR (section 3.3.10)."""
    return chunk(CHUNK_ERROR, 0, encode_causes(causes))


def heartbeat(info: bytes) -> bytes:
    """HEARTBEAT (section 3.3.5) with its Heartbeat Info."""
    return chunk(CHUNK_HEARTBEAT, 0, join([(PARAM_HEARTBEAT_INFO, info)]))


def probe(info: bytes, size: int) -> bytes:
    """A HEARTBEAT with a PAD chunk (RFC 4820): ``size`` bytes together, a multiple of four (RFC 8899 section 6.2).

    There has to be room for the HEARTBEAT and a chunk header.
    """
    asking = heartbeat(info)
    return asking + padding(size - len(asking))


def padding(size: int) -> bytes:
    """A PAD chunk of so many bytes, a multiple of four."""
    return chunk(CHUNK_PAD, 0, bytes(size - CHUNK_HEADER))


def is_probe(chunks: bytes) -> bool:
    """Whether this is a HEARTBEAT with a PAD chunk behind it; perhaps all of it behind an AUTH chunk."""
    after = (chunks[2] << 8 | chunks[3]) + 3 & ~3
    if chunks[0] == CHUNK_AUTH and len(chunks) >= after + CHUNK_HEADER:
        chunks = chunks[after:]
        after = (chunks[2] << 8 | chunks[3]) + 3 & ~3
    return chunks[0] == CHUNK_HEARTBEAT and len(chunks) > after and chunks[after] == CHUNK_PAD


def heartbeat_ack(value: bytes) -> bytes:
    """HEARTBEAT ACK (section 3.3.6): the HEARTBEAT's value, copied unchanged."""
    return chunk(CHUNK_HEARTBEAT_ACK, 0, value)


def parse_heartbeat_info(value: bytes) -> bytes:
    """The Heartbeat Info of a HEARTBEAT or HEARTBEAT ACK value; ParseError if it has none."""
    for kind, info in items(value):
        if kind == PARAM_HEARTBEAT_INFO:
            return info
    raise ParseError("no Heartbeat Info")


def cookie_echo(cookie: bytes) -> bytes:
    """COOKIE ECHO (section 3.3.11)."""
    return chunk(CHUNK_COOKIE_ECHO, 0, cookie)


def cookie_ack() -> bytes:
    """COOKIE ACK (section 3.3.12)."""
    return chunk(CHUNK_COOKIE_ACK, 0, b"")


def shutdown(cumulative_tsn_ack: int) -> bytes:
    """SHUTDOWN (section 3.3.8)."""
    return chunk(CHUNK_SHUTDOWN, 0, (cumulative_tsn_ack & TSN_MASK).to_bytes(4, "big"))


def parse_shutdown(value: bytes) -> int:
    """The Cumulative TSN Ack of a SHUTDOWN value, 32 bits."""
    if len(value) != 4:
        raise ParseError("SHUTDOWN of a wrong length")
    return int.from_bytes(value, "big")


def shutdown_ack() -> bytes:
    """SHUTDOWN ACK (section 3.3.9)."""
    return chunk(CHUNK_SHUTDOWN_ACK, 0, b"")


def shutdown_complete(reflected: bool = False) -> bytes:
    """SHUTDOWN COMPLETE (section 3.3.13); ``reflected`` sets the T bit."""
    return chunk(CHUNK_SHUTDOWN_COMPLETE, FLAG_T if reflected else 0, b"")


def ecne(lowest_tsn: int) -> bytes:
    """ECNE: the lowest TSN of a packet that came marked CE."""
    return chunk(CHUNK_ECNE, 0, (lowest_tsn & TSN_MASK).to_bytes(4, "big"))


def cwr(lowest_tsn: int) -> bytes:
    """CWR: the TSN of the ECNE that the congestion window was reduced for."""
    return chunk(CHUNK_CWR, 0, (lowest_tsn & TSN_MASK).to_bytes(4, "big"))


def parse_lowest_tsn(value: bytes) -> int:
    """The TSN of an ECNE or CWR value, 32 bits. What some implementations have behind it is passed over."""
    if len(value) < 4:
        raise ParseError("ECNE or CWR too short")
    return int.from_bytes(value[:4], "big")
