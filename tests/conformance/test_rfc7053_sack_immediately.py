"""RFC 7053, as RFC 9260 sections 3.3.1, 6.1 and 6.2 have it: the I bit asks for a SACK without delay.

Single rules are also in test_rfc9260_6_1_transmission.py, test_rfc9260_6_2_acknowledgement.py and
test_rfc8260_2_interleaving.py; here are both chunks, both ways, and the paths that packets take through the code.
"""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.testing import Pair
from sctpx.wire.codes import CHUNK_I_DATA, DATA_BEGIN, DATA_END, DATA_IMMEDIATE, DATA_UNORDERED
from tests.conformance.peer import FULL, PMDCS, Peer, Sent

WHOLE = DATA_BEGIN | DATA_END
I = DATA_IMMEDIATE  # noqa: E741  # As the RFC calls it.
chunk_kinds = pytest.mark.parametrize("interleaving", [False, True], ids=["DATA", "I-DATA"])


def make_peer(interleaving: bool, **config: Any) -> Peer:
    return Peer(extensions=[CHUNK_I_DATA], interleaving=True, **config) if interleaving else Peer(**config)


def data(peer: Peer, interleaving: bool, tsn: int, size: int = 100, **how: Any) -> bytes:
    """A chunk of the peer."""
    if not interleaving:
        return peer.data(tsn, size, **how)
    number = how.pop("ssn", None)
    return peer.i_data(tsn, size, mid=number, **how)


def settled(interleaving: bool, **config: Any) -> Peer:
    """The first DATA of an association, which is acknowledged at once anyhow, has come."""
    peer = make_peer(interleaving, **config)
    peer.deliver(data(peer, interleaving, 1))
    peer.take()
    return peer


def bits(sent: list[Sent]) -> list[bool]:
    """The I bit of each chunk that left."""
    flags = [[one.flags for one in packet.data] or [one.flags for one in packet.i_data] for packet in sent]
    return [bool(one & I) for packet in flags for one in packet]


# Received (section 6.2): "the receiver SHOULD NOT delay the sending of the corresponding SACK chunk".


@chunk_kinds
@pytest.mark.parametrize("more", [0, DATA_UNORDERED])
def test_a_single_chunk_with_the_i_bit_is_acknowledged_without_delay(interleaving: bool, more: int) -> None:
    peer = settled(interleaving)
    peer.deliver(data(peer, interleaving, 2, flags=WHOLE | more))
    assert peer.take() == []
    peer = settled(interleaving)
    peer.deliver(data(peer, interleaving, 2, flags=WHOLE | more | I))
    assert [packet.sack.cumulative for packet in peer.take()] == [2]
    peer.advance(1)
    assert peer.take() == []  # Nothing is acknowledged twice.


@chunk_kinds
@pytest.mark.parametrize("place", [0, 1, 2])
def test_it_may_be_any_chunk_of_the_packet_and_one_sack_answers_all(interleaving: bool, place: int) -> None:
    peer = settled(interleaving)
    peer.deliver(*[data(peer, interleaving, 2 + n, flags=WHOLE | (I if n == place else 0)) for n in range(3)])
    assert [packet.sack.cumulative for packet in peer.take()] == [4]


@chunk_kinds
@pytest.mark.parametrize("place", range(1, 6))
@pytest.mark.parametrize("stretch", [False, True])
def test_it_is_seen_in_packets_that_arrive_together(interleaving: bool, place: int, stretch: bool) -> None:
    """As in one delivery of GRO. Behind the packet with the I bit no other is waited for."""
    peer = settled(interleaving, stretch_sack=stretch)
    packets = [data(peer, interleaving, 1 + n, flags=WHOLE | (I if n == place else 0)) for n in range(1, place + 1)]
    peer.deliver_together(*packets)
    assert peer.take()[-1].sack.cumulative == 1 + place


@chunk_kinds
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_it_is_seen_in_each_fragment_of_a_message(interleaving: bool, place: str) -> None:
    """Middle fragments that arrive together have a way of their own."""
    peer = settled(interleaving)
    size = FULL - (4 if interleaving else 0)
    flags = {"first": DATA_BEGIN, "middle": 0, "last": DATA_END}
    for tsn, (name, kind) in enumerate(flags.items(), 2):
        how = {"flags": kind | (I if name == place else 0), "ssn": 1}
        if interleaving:
            how["last"] = tsn - 2 if name != "first" else 0
        peer.deliver_together(data(peer, interleaving, tsn, size, **how))
        acknowledged = [packet.sack.cumulative for packet in peer.take()]
        if name == place:
            assert acknowledged == [tsn]
    assert peer.read()[-1] == bytes(3 * size)


@chunk_kinds
def test_behind_a_hole_and_as_a_duplicate_it_is_answered_as_any_other(interleaving: bool) -> None:
    peer = settled(interleaving)
    peer.deliver(data(peer, interleaving, 3, flags=WHOLE | I))
    assert [(packet.sack.cumulative, packet.sack.gaps) for packet in peer.take()] == [(1, [(3, 3)])]
    peer.deliver(data(peer, interleaving, 3, flags=WHOLE | I))
    assert [packet.sack.duplicates for packet in peer.take()] == [[3]]


def test_why_it_was_set_is_irrelevant_and_no_packet_draws_two_sacks() -> None:
    """Section 6.2: "MUST NOT generate more than one SACK chunk for every incoming packet"."""
    peer = settled(False)
    for tsn in range(2, 60):
        peer.deliver(peer.data(tsn, flags=WHOLE | I))
        assert len(peer.take()) == 1


# Sent (section 6.1).


@chunk_kinds
@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize("size", [10, 3 * FULL])
def test_the_users_i_bit_is_on_the_last_chunk_of_the_message_only(
    interleaving: bool, unordered: bool, size: int
) -> None:
    """ "The application requests that the I bit of the last DATA chunk of a user message be set"."""
    peer = make_peer(interleaving, max_burst=100)
    peer.grow(40 * PMDCS)
    peer.send(size, immediate=True, unordered=unordered)
    found = bits(peer.take())
    assert found == [False] * (len(found) - 1) + [True]
    peer.send(size, unordered=unordered)
    assert not any(bits(peer.take()))


@chunk_kinds
def test_it_stays_on_what_is_sent_again(interleaving: bool) -> None:
    peer = make_peer(interleaving)
    peer.send(10, immediate=True)
    assert bits(peer.take()) == [True]
    assert bits(peer.wait()) == [True]


@chunk_kinds
def test_after_the_user_has_asked_for_the_end_all_data_has_it(interleaving: bool) -> None:
    """ "The sender is in the SHUTDOWN-PENDING state." """
    peer = make_peer(interleaving, max_burst=1)
    peer.grow(40 * PMDCS)
    peer.send(FULL - 4, FULL - 4, FULL - 4)
    assert bits(peer.take()) == [False]
    peer.shutdown()
    assert all(bits(peer.take()))


@chunk_kinds
def test_the_chunk_that_fills_a_window_of_one_packet_has_it(interleaving: bool) -> None:
    """ "The sending of a DATA chunk fills the congestion or receiver window." After T3-rtx cwnd is one packet."""
    peer = make_peer(interleaving)
    peer.path().controller.on_timeout()
    peer.send(*[FULL - 4] * 6)
    assert bits(peer.take()) == [True]


@chunk_kinds
def test_the_chunk_that_fills_the_receivers_window_has_it(interleaving: bool) -> None:
    peer = make_peer(interleaving, max_burst=100)
    peer.sack(peer.grow(20 * PMDCS), a_rwnd=5 * FULL)
    peer.send(50 * FULL)
    found = bits(peer.take())
    assert found[-1]
    assert not all(found)


def test_two_stacks_save_the_delay() -> None:
    """What it is for: the end of a message is acknowledged a round trip later, not SACK.Delay."""
    for immediate, least, most in ((True, 0.0, 0.06), (False, 0.2, 0.3)):
        with Pair(1).connect() as pair:
            pair.a.send(b"the first is acknowledged at once")
            pair.drain()
            start = pair.network.elapsed
            pair.a.association.send(pair.a.host.now, b"data", immediate=immediate)
            pair.network.run(lambda: pair.a.association.tcb.outstanding.empty)
            assert least <= pair.network.elapsed - start <= most
