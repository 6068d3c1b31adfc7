"""Answers to strangers: few wait, the newest; associations take turns with them; their number is limited."""

from __future__ import annotations

import pytest

from sctpx.core.answers import Answers
from sctpx.core.config import Limits
from sctpx.core.endpoint import Endpoint
from sctpx.core.stack import Stack
from sctpx.core.stats import StackStats
from sctpx.core.timers import SECOND
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_ABORT, CHUNK_DATA, CHUNK_INIT_ACK, CHUNK_SHUTDOWN_COMPLETE
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup
from tests.conformance.peer import Peer

NOW = 10**18
OWN = bytes([10, 0, 1, 1])


def stranger(number: int) -> bytes:
    """An address."""
    return bytes([10, 9, number >> 8, number & 0xFF])


def out_of_the_blue(stack: Stack, number: int, now: int = NOW, port: int = 5000, chunk: bytes = b"") -> None:
    """A packet for an association that is not there arrives."""
    packet = finish_packet(prefix(6000, port, number + 1), chunk or control.heartbeat(bytes(8)))
    stack.receive(now, OWN, stranger(number), 9899, packet, len(packet))


def init(stack: Stack, number: int, now: int = NOW, port: int = 5000) -> None:
    """An INIT arrives."""
    packet = finish_packet(prefix(6000, port, 0), Setup(number + 1, 1 << 16, 10, 10, 1).encode())
    stack.receive(now, OWN, stranger(number), 9899, packet, len(packet))


def sent(stack: Stack, now: int = NOW) -> list[tuple[bytes, int]]:
    """What leaves: where to, and the type of the first chunk."""
    found = []
    while (transmit := stack.poll_transmit(now)) is not None:
        found.append((transmit.remote, chunks(transmit.data)[0][0]))
    return found


def make_stack(limits: Limits | None = None, port: int = 5000) -> tuple[Stack, Endpoint]:
    """A stack with a port."""
    stack = Stack(seeded_bytes(1), NOW)
    return stack, stack.open_endpoint(port, [OWN], limits=limits)


# --- the queue ---


def test_the_oldest_is_dropped_for_the_newest() -> None:
    stats = StackStats()
    answers = Answers({}, stats)
    answers.limit = 3
    for number in range(5):
        answers.add(OWN, stranger(number), 9899, bytes([number]), 0)
    assert stats.answers_dropped == 2
    left = []
    while (transmit := answers.take()) is not None:
        left.append(transmit.data)
    assert left == [b"\2", b"\3", b"\4"]
    assert len(answers) == 0


def test_a_flood_that_nobody_polls_leaves_the_newest_answers_and_a_count() -> None:
    stack, endpoint = make_stack(Limits(answers=10))
    endpoint.listen()
    for number in range(300):
        init(stack, number)
    assert sent(stack) == [(stranger(number), CHUNK_INIT_ACK) for number in range(290, 300)]
    assert stack.stats.answers_dropped == 290


def test_of_ports_that_share_a_stack_the_largest_limit_holds() -> None:
    stack, _ = make_stack(Limits(answers=10))
    stack.open_endpoint(5001, [OWN], limits=Limits(answers=20)).listen()
    for number in range(100):
        init(stack, number, port=5001)
    assert len(sent(stack)) == 20


# --- turns ---


def test_answers_and_associations_take_turns() -> None:
    peer = Peer()
    for number in range(100):
        out_of_the_blue(peer.stack, number, peer.now)
    peer.association.send(peer.now, bytes(100))
    kinds = [kind for _, kind in sent(peer.stack, peer.now)]
    assert kinds.count(CHUNK_ABORT) == 100
    assert CHUNK_DATA in kinds[:2]


def test_what_an_association_has_ready_is_not_dropped_for_answers() -> None:
    """Another association's packet was looked at to see whether it can go along, and waits for its turn."""
    stack, endpoint = make_stack(Limits(answers=1))
    endpoint.listen()
    packets = []
    for number in range(3):
        init(stack, number)
        [answer] = [stack.poll_transmit(NOW)]
        assert answer is not None
        value = chunks(answer.data)[0][2]
        cookie = value[20:]
        tag = int.from_bytes(value[:4], "big")
        length = int.from_bytes(value[18:20], "big") - 4
        packets.append(finish_packet(prefix(6000, 5000, tag), control.cookie_echo(cookie[:length])))
    for number, packet in enumerate(packets):
        stack.receive(NOW, OWN, stranger(number), 9899, packet, len(packet))
    first = stack.poll_transmit(NOW)  # It has looked at the next one.
    assert first is not None
    for number in range(50):
        init(stack, 10 + number)
    rest = sent(stack)
    assert {first.remote, *(remote for remote, _ in rest)} == {*map(stranger, range(3)), stranger(59)}


# --- how many ---


def test_answers_out_of_the_blue_are_so_many_a_second() -> None:
    stack, _ = make_stack(Limits(aborts_per_second=10))
    for number in range(50):
        out_of_the_blue(stack, number)
    assert sent(stack) == [(stranger(number), CHUNK_ABORT) for number in range(10)]
    assert stack.stats.answers_withheld == 40
    assert stack.stats.out_of_the_blue == 50
    for number in range(50):
        out_of_the_blue(stack, number, NOW + SECOND // 2, chunk=control.shutdown_ack())
    assert sent(stack) == [(stranger(number), CHUNK_SHUTDOWN_COMPLETE) for number in range(5)]


def test_a_flood_out_of_the_blue_keeps_no_init_from_being_answered_or_refused() -> None:
    stack, endpoint = make_stack(Limits(aborts_per_second=10))
    for number in range(50):
        out_of_the_blue(stack, number)
    sent(stack)
    init(stack, 1)
    assert sent(stack) == [(stranger(1), CHUNK_ABORT)]  # Nobody listens.
    endpoint.listen()
    for number in range(30):
        init(stack, number)
    assert [kind for _, kind in sent(stack)] == [CHUNK_INIT_ACK] * 30


def test_refusals_are_so_many_a_second() -> None:
    stack, _ = make_stack(Limits(aborts_per_second=10))
    for number in range(50):
        init(stack, number)
    assert len(sent(stack)) == 10
    assert stack.stats.answers_withheld == 40


@pytest.mark.parametrize("flooded", [5001, 7000], ids=["a port of another endpoint", "a port of nobody"])
def test_a_flood_for_one_port_takes_nothing_from_another(flooded: int) -> None:
    stack, _ = make_stack()
    stack.open_endpoint(5001, [OWN])
    for number in range(1000):
        out_of_the_blue(stack, number, port=flooded)
    sent(stack)
    out_of_the_blue(stack, 1)
    assert sent(stack) == [(stranger(1), CHUNK_ABORT)]


def test_limits_are_checked() -> None:
    for wrong in ({"answers": 0}, {"aborts_per_second": -1}):
        with pytest.raises(ValueError, match="not between"):
            Limits(**wrong)
    with pytest.raises(TypeError, match="an int"):
        Limits(answers=1.5)  # type: ignore[arg-type] # wrong on purpose
