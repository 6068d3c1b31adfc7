"""What a packet without an association is answered with: the rules of RFC 9260 section 8.4, one by one."""

from __future__ import annotations

import pytest

from sctpx.core.out_of_the_blue import answer
from sctpx.wire import causes, control
from sctpx.wire.codes import (
    CHUNK_ABORT,
    CHUNK_COOKIE_ACK,
    CHUNK_DATA,
    CHUNK_ERROR,
    CHUNK_HEARTBEAT,
    CHUNK_SACK,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_ACK,
    CHUNK_SHUTDOWN_COMPLETE,
)

ABORT = control.abort([], reflected=True)
SHUTDOWN_COMPLETE = control.shutdown_complete(reflected=True)
STALE = causes.encode([causes.stale_cookie(7)])
OTHER = causes.encode([causes.invalid_stream(7)])


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], ABORT),
        ([(CHUNK_ABORT, 0, b"")], b""),
        ([(CHUNK_DATA, 3, b""), (CHUNK_ABORT, 0, b"")], b""),
        ([(CHUNK_SHUTDOWN_ACK, 0, b"")], SHUTDOWN_COMPLETE),
        ([(CHUNK_SHUTDOWN_COMPLETE, 0, b"")], b""),
        ([(CHUNK_COOKIE_ACK, 0, b"")], b""),
        ([(CHUNK_COOKIE_ACK, 0, b""), (CHUNK_DATA, 3, b"")], b""),
        ([(CHUNK_ERROR, 0, STALE)], b""),
        ([(CHUNK_ERROR, 0, OTHER)], ABORT),
        ([(CHUNK_ERROR, 0, b"\0")], ABORT),
        ([(CHUNK_DATA, 3, b"")], ABORT),
        ([(CHUNK_SACK, 0, b"")], ABORT),
        ([(CHUNK_HEARTBEAT, 0, b"")], ABORT),
        ([(CHUNK_SHUTDOWN, 0, b"")], ABORT),
        ([(0x3F, 0, b"")], ABORT),
    ],
)
def test_a_packet_out_of_the_blue_draws_what_the_rules_say(
    chunks: list[tuple[int, int, bytes]], expected: bytes
) -> None:
    assert answer(chunks) == expected
