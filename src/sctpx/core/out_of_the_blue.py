"""Packets that no association owns: what to answer (RFC 9260 section 8.4)."""

from __future__ import annotations

from ..wire import control
from ..wire.causes import parse as parse_causes
from ..wire.codes import (
    CAUSE_STALE_COOKIE,
    CHUNK_ABORT,
    CHUNK_COOKIE_ACK,
    CHUNK_ERROR,
    CHUNK_SHUTDOWN_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
)
from ..wire.tlv import ParseError


def answer(chunks: list[tuple[int, int, bytes]]) -> bytes:
    """The chunk to answer with, its tag reflected; b"" for silence.

    INIT and COOKIE ECHO (rules 3 and 4) have been dealt with. A packet without a whole chunk is "correctly formed
    (i.e., passed the receiver's CRC32c check)", too.
    """
    kinds = [kind for kind, _, _ in chunks]
    if CHUNK_ABORT in kinds:
        return b""  # Rule 2.
    if CHUNK_SHUTDOWN_ACK in kinds:
        return control.shutdown_complete(reflected=True)  # Rule 5.
    if CHUNK_SHUTDOWN_COMPLETE in kinds or CHUNK_COOKIE_ACK in kinds:
        return b""  # Rules 6 and 7.
    for kind, _, value in chunks:
        if kind == CHUNK_ERROR and _is_stale_cookie(value):
            return b""  # Rule 7.
    return control.abort([], reflected=True)  # Rule 8.


def _is_stale_cookie(value: bytes) -> bool:
    try:
        return CAUSE_STALE_COOKIE in [code for code, _ in parse_causes(value)]
    except ParseError:
        return False
