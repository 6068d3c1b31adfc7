"""What a driver makes of how packets arrive."""

from __future__ import annotations

from struct import pack

import pytest

from sctpx.link import Received
from sctpx.link.arrivals import LOOKS, SURE, Arrivals

DATA = bytes(12) + pack("!BBHIHHI", 0, 3, 20, 1, 0, 0, 0) + bytes(4)
INIT = bytes(12) + bytes([1, 0, 0, 20]) + bytes(16)
SACK = bytes(12) + pack("!BBHIIHH", 3, 0, 16, 1, 1, 0, 0)


def received(packet: bytes, count: int = 1) -> Received:
    """So many packets of one size that came as one batch."""
    return bytes(4), bytes(4), 9899, packet * count, len(packet), 0


def test_when_nothing_came_behind_many_packets_a_driver_looks_every_so_many_times() -> None:
    arrivals = Arrivals()
    looks = []
    for _ in range(SURE + 3 * LOOKS):
        looks.append(arrivals.note_first(received(DATA)))
        if looks[-1]:
            arrivals.note_rest([])
    assert looks == [True] * SURE + [True, *[False] * (LOOKS - 1)] * 3
    assert not arrivals.crowded


def test_behind_a_batch_a_driver_always_looks() -> None:
    arrivals = Arrivals()
    for _ in range(SURE + LOOKS):
        arrivals.note_first(received(DATA))
        arrivals.note_rest([])
    for _ in range(2 * LOOKS):
        assert arrivals.note_first(received(DATA, 2))


def test_what_comes_behind_the_first_makes_a_crowd_until_one_comes_alone() -> None:
    arrivals = Arrivals()
    assert arrivals.note_first(received(DATA))
    arrivals.note_rest([received(DATA)])
    assert arrivals.crowded
    for crowd in ([received(DATA), received(DATA)], [received(DATA, 2)]):
        arrivals.note_rest(crowd)
        assert arrivals.crowded
    arrivals.note_rest([received(DATA)])
    assert not arrivals.crowded


def test_after_a_crowd_a_driver_looks_every_time_again() -> None:
    arrivals = Arrivals()
    for _ in range(SURE):
        arrivals.note_first(received(DATA))
        arrivals.note_rest([])
    assert arrivals.note_first(received(DATA))
    for batches in ([received(DATA)], [received(DATA)]):
        arrivals.note_rest(batches)
    for _ in range(SURE):
        assert arrivals.note_first(received(DATA))
        arrivals.note_rest([])


def test_a_crowd_of_which_nothing_is_left_is_none() -> None:
    arrivals = Arrivals()
    assert arrivals.note_first(received(DATA))
    arrivals.note_rest([received(DATA)])
    arrivals.note_rest([])
    assert not arrivals.crowded


def answered() -> Arrivals:
    """User data was sent, and nothing has come since."""
    arrivals = Arrivals()
    arrivals.note_sent(DATA)
    return arrivals


def test_a_dialogue_is_a_packet_of_user_data_after_user_data_was_sent() -> None:
    arrivals = answered()
    assert not arrivals.in_dialogue
    arrivals.note_first(received(DATA))
    assert arrivals.in_dialogue
    arrivals.note_first(received(DATA))
    assert not arrivals.in_dialogue, "nothing was sent in between"
    arrivals.note_sent(DATA)
    arrivals.note_sent(SACK)
    arrivals.note_first(received(DATA))
    assert arrivals.in_dialogue


@pytest.mark.parametrize("sent", [SACK, INIT, b""])
def test_what_else_is_sent_makes_no_dialogue(sent: bytes) -> None:
    arrivals = Arrivals()
    arrivals.note_sent(sent)
    arrivals.note_first(received(DATA))
    assert not arrivals.in_dialogue


@pytest.mark.parametrize("packet", [SACK, INIT, bytes(12)])
def test_what_else_comes_is_no_dialogue(packet: bytes) -> None:
    arrivals = answered()
    arrivals.note_first(received(packet))
    assert not arrivals.in_dialogue


def test_a_crowd_is_no_dialogue() -> None:
    arrivals = answered()
    arrivals.note_first(received(DATA, 2))
    assert not arrivals.in_dialogue
    arrivals.note_rest([])
    arrivals = answered()
    arrivals.note_first(received(DATA))
    arrivals.note_rest([])
    assert arrivals.in_dialogue, "nothing came behind the packet"
    arrivals.note_sent(DATA)
    arrivals.note_first(received(DATA))
    arrivals.note_rest([received(DATA)])
    assert not arrivals.in_dialogue


def test_the_packet_that_ends_a_crowd_is_no_dialogue() -> None:
    arrivals = answered()
    arrivals.note_first(received(DATA))
    arrivals.note_rest([received(DATA), received(DATA)])
    arrivals.note_rest([received(DATA)])
    assert not arrivals.crowded
    assert not arrivals.in_dialogue
