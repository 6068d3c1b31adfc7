"""What DATA and I-DATA have in common on their way to messages: whose turn it is, and how much is held."""

from __future__ import annotations

import pytest

from sctpx.core.rx.interleaved import Interleaved
from sctpx.core.rx.reassembly import Reassembly
from sctpx.core.rx.streams import Streams
from sctpx.core.rx.turns import FEW
from sctpx.wire.codes import DATA_BEGIN, DATA_END

LARGE = 1 << 20
WHOLE = DATA_BEGIN | DATA_END


def make(interleaves: bool) -> Streams:
    return Interleaved(LARGE, LARGE) if interleaves else Reassembly(LARGE)


def come(streams: Streams, tsn: int, stream: int, number: int) -> None:
    """A whole message comes in sequence."""
    assert streams.receive(tsn, WHOLE, stream, number, 0, bytes((stream % 256,)), True) == ""
    assert streams.advance(tsn) == ""


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("stream", [0, 1, FEW - 1, FEW, 5 * FEW + 3, 65535])
def test_each_stream_goes_on_behind_the_number_that_is_skipped_as_far_as_numbers_go(
    stream: int, interleaves: bool
) -> None:
    """SSNs have 16 bits (RFC 9260 section 6.5), MIDs 32 (RFC 8260 section 2.1)."""
    streams = make(interleaves)
    last = (1 << 31) - 2 if interleaves else (1 << 15) - 2
    for _ in range(2):
        other = stream ^ 1
        come(streams, 1, other, 0)
        assert streams.skip(2, [(stream, last, False)]) == (0, [])
        come(streams, 3, other, 1)
        come(streams, 4, stream, last + 1)
        come(streams, 5, other, 2)
        come(streams, 6, stream, last + 2)
        assert [message[1] for message in streams.ready] == [other, other, stream, other, stream]
        streams.ready.clear()
        streams.reset([])


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("apart", [0, 1, 2, 3])
def test_what_waits_counts_half_as_much_again_as_what_can_be_read(apart: int, interleaves: bool) -> None:
    streams = make(interleaves)
    come(streams, 1, 1, 0)
    come(streams, 2, 1, 1)
    for number in range(apart):
        come(streams, 3 + number, 2, number + 1)  # Its first message is missing.
    assert (len(streams.ready), streams.apart) == (2, apart)
    assert streams.messages == 2 + (0, 1, 3, 4)[apart]


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("named", [[], [7], [7, 8]])
def test_streams_whose_numbers_begin_anew_begin_with_0(named: list[int], interleaves: bool) -> None:
    """RFC 6525 section 5.2.2 E3."""
    streams = make(interleaves)
    for tsn, stream in enumerate((8, 8, 7, 7)):
        come(streams, tsn, stream, tsn & 1)
    streams.reset(named)
    expected = {7: 0, 8: 0 if named != [7] else 2}
    streams.ready.clear()
    for tsn, stream in enumerate((8, 7), 10):
        come(streams, tsn, stream, expected[stream])
    assert [message[1] for message in streams.ready] == [8, 7]
