"""What did not reach the peer (RFC 9260 sections 11.1.14 and 11.1.15), also where messages are interleaved."""

from __future__ import annotations

import pytest

from sctpx.wire.codes import CHUNK_I_DATA
from tests.conformance.peer import Peer


def make(interleaves: bool, scheduler: str = "rr") -> Peer:
    return Peer(interleaving=interleaves, extensions=[CHUNK_I_DATA] if interleaves else [], scheduler=scheduler)


@pytest.mark.parametrize("ppid", [0, 51])
@pytest.mark.parametrize("context", [None, "mine"])
@pytest.mark.parametrize("size", [4000, 40_000], ids=["all of it sent", "a part of it sent"])
@pytest.mark.parametrize("interleaves", [False, True])
def test_a_message_whose_beginning_has_arrived_has_its_ppid_all_the_same(
    interleaves: bool, size: int, context: object, ppid: int
) -> None:
    """RFC 8260 section 2.1: of the I-DATA chunks of a message, the first one alone has the PPID."""
    peer = make(interleaves)
    peer.send(size, stream=3, ppid=ppid, context=context)
    sent = peer.take()
    peer.sack(1)
    first = len((sent[0].i_data or sent[0].data)[0].data)
    [(data, *rest)] = peer.association.undelivered()
    assert len(data) == size - first
    assert rest == [3, ppid, True, False, context, False]


@pytest.mark.parametrize("part_sent", [False, True])
@pytest.mark.parametrize(
    ("one", "other"),
    [((0, True), (1, False)), ((0, False), (0, True)), ((1, False), (2, False)), ((3, True), (4, False))],
)
def test_the_fragments_of_messages_that_alternate_are_told_apart(
    one: tuple[int, bool], other: tuple[int, bool], part_sent: bool
) -> None:
    """By stream, U bit and MID (RFC 8260 section 2.1), which begin with 0 for all of these."""
    peer = make(True)
    size = 9000 if part_sent else 2500
    for ppid, (stream, unordered) in enumerate((one, other), 1):
        data = bytes([ppid]) * size
        peer.association.send(peer.now, data, stream, ppid, unordered, context=ppid)
    peer.settle()
    tsns = [(chunk.stream, chunk.flags & 4 != 0) for packet in peer.take() for chunk in packet.i_data]
    if one[0] != other[0]:
        assert tsns[:2] == [one, other], "they alternate"
    found = peer.association.undelivered()
    assert [(len(data), set(data)) for data, *_ in found] == [(size, {1}), (size, {2})]
    assert [(stream, unordered) for _, stream, _, _, unordered, _, _ in found] == [one, other]
    assert [(ppid, context) for _, _, ppid, _, _, context, _ in found] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("interleaves", [False, True])
@pytest.mark.parametrize("size", [100, 4000, 40_000], ids=["one chunk", "all of it sent", "a part of it sent"])
def test_a_message_of_which_nothing_has_arrived_is_whole(size: int, interleaves: bool) -> None:
    peer = make(interleaves)
    peer.send(size, stream=3, ppid=51)
    [(data, *rest)] = peer.association.undelivered()
    assert len(data) == size
    assert rest == [3, 51, True, False, None, True]


@pytest.mark.parametrize("interleaves", [False, True])
def test_what_was_not_begun_is_whole_and_was_not_sent(interleaves: bool) -> None:
    peer = make(interleaves)
    peer.send(40_000)
    peer.association.send(peer.now, b"waits", 5, 9, True, context="mine")
    assert peer.association.undelivered()[-1] == (b"waits", 5, 9, False, True, "mine", True)
