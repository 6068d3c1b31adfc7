"""FORWARD-TSN (RFC 3758 section 3.2) and I-FORWARD-TSN (RFC 8260 section 2.3.1): what they have room for."""

from __future__ import annotations

import pytest

from sctpx.wire import forward


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("room", [8, 11, 12, 16, 1000, 1452])
def test_a_chunk_names_as_many_streams_as_fit(interleaves: bool, room: int) -> None:
    most = forward.most_streams(interleaves, room)
    skipped = [(stream, 7, False) for stream in range(most + 1)]
    assert len(forward.encode(interleaves, 1, skipped[:most])) <= room
    assert len(forward.encode(interleaves, 1, skipped)) > room
