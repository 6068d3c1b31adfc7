"""connectx over 1 to 20 addresses, each alive, late, silent or refusing by chance: the contract holds (CX1-CX12).

What must happen follows from the contract alone, by a model of a few lines: when the first INIT goes to each
address (CX9, and CX8 after a refusal), when each is repeated, who wins, or how the attempt fails.
"""

from __future__ import annotations

import errno
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple

import pytest

from sctpx.core.association.connect import ANSWER_ABORT, ANSWER_INIT_ACK, ANSWER_NOT_ASKED, ANSWER_SILENCE
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationUp
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import Pair, seeded_random
from tests.sim.connectx import REFUSALS, attempt, check_that_data_flows, failure, inits, reports
from tests.sweeps import seeds

CASES: Final = 600
CONFIG: Final = AssociationConfig(max_init_retransmits=2)
DELAY: Final = 0.1
REPEATED: Final = (0.0, 1.0, 3.0)
"""When the INITs to a silent address go out after the first one: T1-init of 1 s, doubling, two retransmissions."""
GIVEN_UP: Final = 7.0
"""When the T1-init of the last one expires."""
NEVER: Final = float("inf")


class Peer(NamedTuple):
    """How one address behaves."""

    kind: str
    """``alive``, ``silent``, or a refusal."""
    rtt: float


class Course(NamedTuple):
    """What must happen."""

    starts: list[float]
    """When the first INIT goes to each address, of those whose turn comes."""
    answered: list[float]
    """When each of these answers."""
    end: float
    winner: int


def draw(random: Random) -> list[Peer]:
    """Some addresses. Every round trip is different, so that nothing happens at the same time by chance."""
    count = random.randint(1, 20)
    kinds = random.sample(["alive", "silent", *REFUSALS], random.randint(1, 4))
    peers = []
    for _ in range(count):
        kind = random.choice(kinds)
        longest = random.choice([0.01, 0.3, 3.0]) if kind == "alive" else random.choice([0.01, 0.3])
        peers.append(Peer(kind, 0.0 if kind == "local send error" else random.uniform(0.001, longest)))
    return peers


def draw_kept(random: Random, count: int, winner: int) -> set[int]:
    """The addresses that B calls its own: those its INIT ACK lists, and the one it comes from (CX4)."""
    listed = set(range(count)) if random.random() < 0.5 else set(random.sample(range(count), random.randint(0, count)))
    return listed | {winner} - {-1}


def foresee(peers: list[Peer]) -> Course:
    """What the contract says will happen."""
    starts: list[float] = []
    answered: list[float] = []
    refusals: list[float] = []
    won_at, winner, turn = NEVER, -1, 0.0
    for index, peer in enumerate(peers):
        if turn >= won_at:
            break
        starts.append(turn)
        answered.append(NEVER if peer.kind == "silent" else turn + peer.rtt)
        if peer.kind in REFUSALS:
            heappush(refusals, answered[-1])
        elif answered[-1] < won_at:
            won_at, winner = answered[-1], index
        # The next one's turn: after the delay, or as soon as any address refuses.
        turn = starts[-1] + DELAY
        if refusals and refusals[0] < turn:
            turn = heappop(refusals)
    if winner >= 0:
        return Course(starts, answered, won_at, winner)
    ends = [start + GIVEN_UP if end == NEVER else end for start, end in zip(starts, answered, strict=True)]
    return Course(starts, answered, max(ends), -1)


def expected_inits(peers: list[Peer], course: Course) -> list[list[float]]:
    """When INITs go to each address: until it refuses, or somebody wins."""
    sent: list[list[float]] = [[] for _ in peers]
    for index, start in enumerate(course.starts):
        if peers[index].kind == "local send error":
            continue  # It never gets as far as the network.
        over = min(course.end if course.winner >= 0 else NEVER, course.answered[index])
        sent[index] = [start + later for later in REPEATED if start + later < over]
    return sent


@pytest.mark.parametrize("case", seeds(CASES // 5, CASES))
def test_any_mix_of_addresses_ends_as_the_contract_says(case: int) -> None:
    random = seeded_random("connectx", case)
    peers = draw(random)
    course = foresee(peers)
    kept = draw_kept(random, len(peers), course.winner)
    with Pair(case, paths=len(peers), config=CONFIG) as pair:
        arrange(pair, peers, kept)
        took = attempt(pair)
        check_inits(pair, expected_inits(peers, course))
        if course.winner < 0:
            assert took == pytest.approx(course.end, abs=1e-6)
            assert failure(pair) == expected_error(peers)
            check_failed_report(pair, peers, course)
            return
        handshake = course.end + peers[course.winner].rtt
        assert took == pytest.approx(handshake, abs=1e-6)
        assert len(pair.a.events_of(CommunicationUp)) == 1
        check_paths(pair, peers, course, kept)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)
        # What is still under way to late addresses, and comes back, changes nothing.
        pair.network.run_for(7.0)
        check_report(pair, peers, course, kept)
        check_that_data_flows(pair)
        assert len(inits(pair.network)) == sum(map(len, expected_inits(peers, course)))
        pair.shutdown()


def arrange(pair: Pair, peers: list[Peer], kept: set[int]) -> None:
    pair.b.endpoint.announce[:] = pair.b.endpoint.local[:] = [pair.b.host.packed[index] for index in sorted(kept)]
    for address, peer in zip(pair.b.host.addresses, peers, strict=True):
        pair.network.set(address, delay=peer.rtt / 2)
        if peer.kind == "silent":
            pair.network.cut(address)
        elif peer.kind in REFUSALS:
            REFUSALS[peer.kind].arrange(pair, address)


def check_inits(pair: Pair, expected: list[list[float]]) -> None:
    """CX2 and CX9, and the rules that make a race safe: all INITs are the same bytes from the same UDP port."""
    sent = inits(pair.network)
    for address, times in zip(pair.b.host.addresses, expected, strict=True):
        assert [init.time for init in sent if init.to == address] == pytest.approx(times, abs=1e-6), address
    packets = [packet for packet in pair.network.packets() if packet.chunks == ["INIT"]]
    assert len({packet.data for packet in packets}) <= 1
    assert len({packet.source_port for packet in packets}) <= 1


def expected_error(peers: list[Peer]) -> int:
    """CX8: any silence is a timeout, any refusal ECONNREFUSED, and if all are unreachable, it is said why."""
    if any(peer.kind == "silent" for peer in peers):
        return errno.ETIMEDOUT
    errors = [REFUSALS[peer.kind].error for peer in peers]
    return errno.ECONNREFUSED if errno.ECONNREFUSED in errors else errors[0]


def check_failed_report(pair: Pair, peers: list[Peer], course: Course) -> None:
    """CX2: every address got an INIT. CX11: what each one answered."""
    report = reports(pair)
    assert list(report) == list(pair.b.host.addresses)
    for index, (entry, peer) in enumerate(zip(report.values(), peers, strict=True)):
        assert entry.inits == (3 if peer.kind == "silent" else 1)
        assert entry.first_sent == pytest.approx(pair.network.clock.start + course.starts[index] * 1e9, abs=1000)
        assert entry.answer == (ANSWER_SILENCE if peer.kind == "silent" else REFUSALS[peer.kind].answer)
        assert entry.error == (0 if peer.kind == "silent" else REFUSALS[peer.kind].error)
        assert not entry.kept


def check_paths(pair: Pair, peers: list[Peer], course: Course, kept: set[int]) -> None:
    """CX4: what the INIT ACK does not list is dropped. CX3: listed addresses are confirmed at COMM_UP.

    Reachable are the winner and those that were not asked.
    """
    association = pair.a.association
    assert [path.remote for path in association.paths] == [pair.b.host.packed[index] for index in sorted(kept)]
    assert all(path.confirmed for path in association.paths)
    up = course.end + peers[course.winner].rtt
    for index, path in zip(sorted(kept), association.paths, strict=True):
        expected = PATH_ACTIVE
        if index < len(course.starts) and index != course.winner:
            refused_late = peers[index].kind == "ABORT" and course.end < course.answered[index] < up
            expected = PATH_INACTIVE if refused_late else PATH_POTENTIALLY_FAILED
        elif peers[index].kind.startswith("ICMP"):
            continue  # What we answer to a HEARTBEAT from there may have drawn an error already.
        assert path.state == expected, pair.b.host.addresses[index]
    assert association.primary is not None
    assert association.primary.remote == pair.b.host.packed[course.winner]


def check_report(pair: Pair, peers: list[Peer], course: Course, kept: set[int]) -> None:
    """CX11, after everything that was under way has arrived: late answers are in it, too."""
    start = pair.network.clock.start
    expected = expected_inits(peers, course)
    for index, (entry, peer) in enumerate(zip(reports(pair).values(), peers, strict=True)):
        assert entry.listed
        assert entry.kept == (index in kept)
        if index >= len(course.starts):
            assert (entry.inits, entry.first_sent, entry.answer) == (0, -1, ANSWER_NOT_ASKED)
            continue
        assert entry.inits == (1 if peer.kind == "local send error" else len(expected[index]))
        assert entry.first_sent == pytest.approx(start + course.starts[index] * 1e9, abs=1000)
        if peer.kind == "alive":
            # What B does not call its own refuses, unless its association is up and found by the source of the INIT.
            assert entry.answer in ((ANSWER_INIT_ACK,) if index in kept else (ANSWER_INIT_ACK, ANSWER_ABORT))
            assert entry.answered == pytest.approx(start + course.answered[index] * 1e9, abs=1000)
        elif peer.kind == "silent":
            assert (entry.answer, entry.answered) == (ANSWER_SILENCE, -1)
        elif course.answered[index] < course.end or peer.kind == "ABORT":
            assert (entry.answer, entry.error) == (REFUSALS[peer.kind].answer, REFUSALS[peer.kind].error)
            assert entry.answered == pytest.approx(start + course.answered[index] * 1e9, abs=1000)
