"""Ladders: drawn, and compared with expected ones."""

from __future__ import annotations

import pytest

from sctpx.testing import LinkSettings, Network, Rung, check_ladder, draw_ladder
from sctpx.wire.codes import (
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_HEARTBEAT,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_SACK,
    CHUNK_SHUTDOWN,
)
from sctpx.wire.packet import finish_packet, prefix
from tests.unit.testing.fake_stack import B2, A, B, sctp, two_hosts


def shutdown(cumulative: int) -> bytes:
    """A packet with a SHUTDOWN."""
    return finish_packet(prefix(5000, 5001, 1), bytes([CHUNK_SHUTDOWN, 0, 0, 8]) + cumulative.to_bytes(4, "big"))


@pytest.fixture
def network() -> Network:
    """A run with a bit of everything."""
    network, a, b = two_hosts(link=LinkSettings(delay=0.025))
    a.send(sctp(CHUNK_INIT))
    network.run_for(0.1)
    b.send(sctp(CHUNK_INIT_ACK), to=A)
    b.send(sctp(CHUNK_HEARTBEAT), to=A)
    network.cut(B2)
    a.send(sctp(CHUNK_COOKIE_ECHO, CHUNK_DATA, CHUNK_DATA), to=B2)
    network.run_for(0.1)
    network.refuse(B)
    a.send(shutdown(77))
    network.run_for(1)
    return network


@pytest.fixture
def rungs(network: Network) -> list[Rung]:
    return network.rungs()


DRAWN = """\
A -> INIT -> B
A -> COOKIE ECHO, DATA, DATA -> lost
B -> INIT ACK -> A
B -> HEARTBEAT -> A
A -> SHUTDOWN -> B
B -> ICMP ECONNREFUSED -> A"""


def test_a_ladder_has_a_line_for_each_packet(network: Network, rungs: list[Rung]) -> None:
    assert draw_ladder(rungs) == DRAWN == network.ladder()


def test_a_ladder_can_show_times_and_addresses(network: Network) -> None:
    assert network.ladder(addresses=True).splitlines()[:3] == [
        "0.000000 A 10.0.1.1 -> INIT -> B 10.0.1.2",
        "0.100000 A 10.0.2.1 -> COOKIE ECHO, DATA, DATA -> lost 10.0.2.2 (cut)",
        "0.100000 B 10.0.1.2 -> INIT ACK -> A 10.0.1.1",
    ]


def test_a_ladder_can_show_what_is_in_the_chunks(network: Network) -> None:
    assert "A -> SHUTDOWN cum 77 -> B" in network.ladder(details=True)


def test_packets_of_no_interest_can_be_left_out(network: Network) -> None:
    assert "HEARTBEAT" not in network.ladder(ignore=["HEARTBEAT"])
    assert network.ladder(ignore=["DATA"]) == DRAWN  # never alone in its packet


def test_what_is_no_sctp_packet_is_shown_as_such() -> None:
    network, a, _ = two_hosts()
    a.send(b"junk")
    network.run_for(1)
    assert network.ladder(ignore=["INIT"]) == "A -> no chunk -> B"
    assert "no common header" in network.ladder(details=True)
    network.assert_ladder("A -> no chunk -> B")


def test_a_copy_made_by_the_network_is_marked() -> None:
    network, a, _ = two_hosts(link=LinkSettings(duplicate=1.0))
    a.send(sctp(CHUNK_SACK))
    network.run_for(1)
    assert network.ladder() == "A -> SACK -> B\nA -> SACK -> B (copy)"
    network.assert_ladder("A -> SACK -> B\nA -> SACK -> B (copy)")


@pytest.mark.parametrize(
    "expected",
    [
        DRAWN,
        DRAWN.replace("\n", "\n\n") + "\n# and a comment",
        "...",
        "...\n...",
        "A -> INIT -> B\n...",
        "...\nB -> INIT ACK -> A  # the answer\n...\nB -> ICMP ECONNREFUSED -> A",
        "A -> INIT -> B\nA -> COOKIE ECHO, * -> lost\n...",
        "A -> INIT -> B\nA -> *, DATA -> lost\n...",
        "A -> * -> B\nA -> COOKIE ECHO, *, DATA, * -> lost\n...",
        "0.0 A 10.0.1.1 -> INIT -> B 10.0.1.2\n0.100 A 10.0.2.1 -> COOKIE ECHO; DATA; DATA -> lost 10.0.2.2 (cut)\n...",
        "...\nA -> SHUTDOWN cum 77 -> B\n...",
        "...\n0. A -> INIT -> B\n...",
    ],
)
def test_a_fitting_ladder_is_accepted(rungs: list[Rung], expected: str) -> None:
    check_ladder(rungs, expected)


@pytest.mark.parametrize(
    "expected",
    [
        "",
        "A -> INIT -> B",
        f"{DRAWN}\nA -> INIT -> B",
        DRAWN.replace("A -> INIT -> B", "B -> INIT -> A"),
        DRAWN.replace("lost", "B"),
        DRAWN.replace("COOKIE ECHO, DATA, DATA", "COOKIE ECHO, DATA"),
        DRAWN.replace("COOKIE ECHO, DATA, DATA", "*, COOKIE ECHO"),
        DRAWN.replace("SHUTDOWN", "SHUTDOWN cum 7"),
        DRAWN.replace("A -> INIT -> B", "A 10.0.2.1 -> INIT -> B"),
        DRAWN.replace("A -> INIT -> B", "A -> INIT -> B 10.0.2.2"),
        DRAWN.replace("A -> INIT -> B", "0.1 A -> INIT -> B"),
        DRAWN.replace("lost", "lost (queue full)"),
        "...\nA -> SACK -> B\n...",
        "B -> INIT ACK -> A\n...",
    ],
)
def test_a_ladder_that_does_not_fit_is_refused(rungs: list[Rung], expected: str) -> None:
    with pytest.raises(AssertionError, match="another ladder"):
        check_ladder(rungs, expected)


def test_the_refusal_points_at_where_the_run_left_the_ladder(rungs: list[Rung]) -> None:
    with pytest.raises(AssertionError) as caught:
        check_ladder(rungs, "A -> INIT -> B\nA -> COOKIE ECHO -> B\n...")
    lines = str(caught.value).splitlines()
    assert lines[1] == "  0.000000 A 10.0.1.1 -> INIT -> B 10.0.1.2"
    assert lines[2] == "> expected from here: A -> COOKIE ECHO -> B"
    assert len(lines) == 8


def test_the_refusal_names_an_end_that_was_expected(rungs: list[Rung]) -> None:
    with pytest.raises(AssertionError, match=r"expected from here: the end\n  0\.1.* COOKIE ECHO"):
        check_ladder(rungs, "A -> INIT -> B")


def test_a_line_that_is_none_is_an_error(rungs: list[Rung]) -> None:
    with pytest.raises(ValueError, match="not a line of a ladder: 'A sends INIT'"):
        check_ladder(rungs, "A sends INIT")
