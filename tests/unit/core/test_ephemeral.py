"""``EphemeralPorts``: the SCTP ports of stacks behind one address stay apart, as far as 16 bits allow."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sctpx.core.ephemeral import DYNAMIC_COUNT, DYNAMIC_FIRST, RUN_COUNT, RUN_FIRST, EphemeralPorts
from sctpx.testing import seeded_bytes, seeded_random

UDP_PORTS = range(32768, 65536)
"""What systems choose from: Linux 32768 to 60999, others 49152 to 65535."""


def ports_of(udp_port: int) -> EphemeralPorts:
    """Those of a stack; 0 for one whose UDP port the system has not chosen."""
    ports = EphemeralPorts(seeded_bytes("ports", udp_port))
    if udp_port:
        ports.follow(udp_port)
    return ports


def draw(ports: EphemeralPorts, count: int) -> list[int]:
    """So many ports, each of which stays taken."""
    taken: list[int] = []
    for _ in range(count):
        taken.append(ports.draw(frozenset(taken)))
    return taken


def test_the_first_port_of_a_stack_is_its_udp_port() -> None:
    assert [ports_of(udp_port).draw(()) for udp_port in (32768, 40000, 65535)] == [32768, 40000, 65535]


def test_no_further_port_of_one_stack_is_the_first_port_of_another() -> None:
    for udp_port in UDP_PORTS[::97]:
        assert set(draw(ports_of(udp_port), 300)[1:]).isdisjoint(UDP_PORTS)


def test_a_port_that_was_given_up_is_not_given_again_soon() -> None:
    """The peer may still have an association from before."""
    ports = ports_of(40000)
    assert len({ports.draw(()) for _ in range(1 + RUN_COUNT)}) == 1 + RUN_COUNT


def test_what_is_taken_is_passed_over() -> None:
    first, second, third = draw(ports_of(40000), 3)
    assert ports_of(40000).draw({first}) == second
    assert ports_of(40000).draw({first, second}) == third


@pytest.mark.parametrize("count", [2, 5, 10, 50, 100, 233, 300, 1000])
def test_stacks_with_neighbouring_udp_ports_meet_late(count: int) -> None:
    for base in UDP_PORTS[:-count:3001]:
        starts = sorted(ports_of(base + number).draw({base + number}) for number in range(count))
        gaps = [after - before for before, after in pairwise([*starts, starts[0] + RUN_COUNT])]
        assert min(gaps) >= 8000 // count


def test_stacks_with_unrelated_udp_ports_hardly_meet() -> None:
    """With n and m further ports: (n + m - 1) / 16384."""
    random = seeded_random("stacks")
    pairs = [random.sample(UDP_PORTS, 2) for _ in range(4000)]
    met = sum(not set(draw(ports_of(one), 21)).isdisjoint(draw(ports_of(other), 11)) for one, other in pairs)
    assert met / len(pairs) == pytest.approx((20 + 10 - 1) / RUN_COUNT, abs=0.001)


def test_without_a_udp_port_of_its_own_a_stack_draws_each_port_at_random() -> None:
    drawn = draw(ports_of(0), 200)
    assert len(set(drawn)) == 200
    assert all(DYNAMIC_FIRST <= port < DYNAMIC_FIRST + DYNAMIC_COUNT for port in drawn)
    assert sum(abs(after - before) == 1 for before, after in pairwise(drawn)) < 3


def test_when_the_run_is_used_up_ports_are_drawn_at_random_until_there_is_none() -> None:
    ports = ports_of(40000)
    used = {40000, *range(RUN_FIRST, RUN_FIRST + RUN_COUNT)}
    assert ports.draw(used) >= DYNAMIC_FIRST
    assert ports.draw(used | set(range(DYNAMIC_FIRST, 65536))) == 0
