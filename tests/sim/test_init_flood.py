"""A flood of INITs and COOKIE ECHOs from forged sources costs answers, and no memory (RFC 9260 section 5.1 B)."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.stack import Stack
from sctpx.testing import Pair, VirtualClock, seeded_bytes, seeded_random
from sctpx.wire import control
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup
from tests.sim.connectx import check_that_data_flows
from tests.sweeps import some

LOCAL = bytes([10, 0, 0, 1])


def forged_inits(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Sources, and an INIT of each, with some addresses more."""
    random = seeded_random("flood")
    for number in range(count):
        source = bytes([10, 1, number >> 8, number & 0xFF])
        setup = Setup(random.randrange(1, 1 << 32), 1 << 16, 10, 10, random.randrange(1 << 32))
        setup.addresses = [source, *(bytes([11, *random.randbytes(3)]) for _ in range(3))]
        yield source, finish_packet(prefix(random.randrange(1024, 65536), 5000, 0), setup.encode())


def drain(stack: Stack, now: int) -> list[bytes]:
    """What the stack sends."""
    sent = []
    while (transmit := stack.poll_transmit(now)) is not None:
        sent.append(transmit.data)
    assert stack.poll_event() is None
    return sent


@pytest.mark.parametrize("count", some([2000], [10_000]))
def test_thousands_of_inits_leave_nothing_behind(count: int) -> None:
    """RFC 9260 5.1 B: "Z" MUST NOT allocate any resources or keep any states for the new association"."""
    clock = VirtualClock(1)
    stack = Stack(seeded_bytes(1), clock.now)
    endpoint = stack.open_endpoint(5000, [LOCAL])
    endpoint.listen()
    flood = list(forged_inits(count))

    def pour() -> None:
        for source, packet in flood:
            stack.receive(clock.now, LOCAL, source, 9899, packet, len(packet))
            [answer] = drain(stack, clock.now)
            assert answer[12] == 2  # INIT ACK
            assert len(answer) < 2 * len(packet) + 100  # No amplifier.

    pour()  # What is cached for good is cached now.
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        pour()
        gc.collect()
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    only_ours = [tracemalloc.Filter(True, "*/sctpx/*")]
    grown = after.filter_traces(only_ours).compare_to(before.filter_traces(only_ours), "filename")
    assert sum(entry.size_diff for entry in grown) < 4096
    assert endpoint.associations == {}
    assert stack.next_timeout() is None
    assert stack.stats.inits_received == 2 * count


def test_answers_that_nobody_takes_do_not_pile_up() -> None:
    """The driver polls after each batch; if it does not, the answers are bounded all the same."""
    clock = VirtualClock(1)
    stack = Stack(seeded_bytes(1), clock.now)
    stack.open_endpoint(5000, [LOCAL]).listen()
    for source, packet in forged_inits(2000):
        stack.receive(clock.now, LOCAL, source, 9899, packet, len(packet))
    assert 0 < len(drain(stack, clock.now)) <= 256


def test_forged_cookies_are_not_answered() -> None:
    random = seeded_random("cookies")
    clock = VirtualClock(1)
    stack = Stack(seeded_bytes(1), clock.now)
    endpoint = stack.open_endpoint(5000, [LOCAL])
    endpoint.listen()
    for source, init in forged_inits(2000):
        echo = control.cookie_echo(random.randbytes(random.choice([20, 104, 116, 300])))
        packet = finish_packet(init[:4] + random.randbytes(4), echo)
        stack.receive(clock.now, LOCAL, source, 9899, packet, len(packet))
    assert drain(stack, clock.now) == []
    assert stack.stats.cookies_rejected == 2000
    assert endpoint.associations == {}


def test_an_association_lives_through_a_flood() -> None:
    with Pair(1).connect() as pair:
        for source, packet in forged_inits(1000):
            pair.b.host.stack.receive(pair.b.host.now, pair.b.host.packed[0], source, 9899, packet, len(packet))
        check_that_data_flows(pair)
        assert pair.b.association.state == ESTABLISHED


def test_a_flood_of_inits_for_an_existing_association_changes_nothing_in_it() -> None:
    """RFC 9260 5.2.2: "the existing association, including its current state, [...] MUST NOT be changed"."""
    with Pair(1, paths=2).connect() as pair:
        random = seeded_random("inits")
        stack = pair.b.host.stack
        for _ in range(1000):
            setup = Setup(random.randrange(1, 1 << 32), 1 << 16, 10, 10, 1)
            packet = finish_packet(prefix(5000, 5000, 0), setup.encode())
            stack.receive(pair.b.host.now, pair.b.host.packed[0], pair.a.host.packed[0], 9899, packet, len(packet))
        check_that_data_flows(pair)
        assert len(pair.b.endpoint.associations) == 1
        assert {len(chunks(packet.data)) for packet in pair.network.packets() if packet.chunks == ["INIT ACK"]} == {1}
