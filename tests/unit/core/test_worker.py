"""Which packets are one worker's own."""

from __future__ import annotations

import pytest

from sctpx.core.arrival import Arrival
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.local_side import LocalSide
from sctpx.core.worker import MOST, Worker
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.setup import Setup


def pass_on(*_: object) -> None:
    """Nowhere."""


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 255, MOST])
def test_tags_lead_to_the_worker_that_draws_them(count: int) -> None:
    random_bytes = seeded_bytes(count)
    for index in {0, count // 2, count - 1}:
        worker = Worker(index, count, pass_on, b"seed")
        tags = {worker.draw_tag(random_bytes) for _ in range(500)}
        assert {(tag >> 24) % count for tag in tags} == {index}
        assert all(0 < tag < 1 << 32 for tag in tags)
        assert len(tags) > 490
        assert len({tag >> 24 for tag in tags}) > MOST // count // 2


def test_a_tag_of_zero_is_not_drawn() -> None:
    """RFC 9260 section 3.3.2: the value 0 is none."""
    drawn = iter([bytes((1, 0, 0, 0)), bytes((1, 0, 0, 5))])
    assert Worker(0, 256, pass_on, b"seed").draw_tag(lambda _: next(drawn)) == 5


def test_an_sctp_port_draws_its_tags_as_its_worker_does() -> None:
    side = LocalSide(5000, [], [], AssociationConfig(), Limits())
    assert side.draw_tag(lambda _: bytes((2, 0, 0, 1))) == 0x02000001
    side.worker = Worker(1, 2, pass_on, b"seed")
    assert side.draw_tag(lambda _: bytes((2, 0, 0, 1))) == 0x03000001


@pytest.mark.parametrize("index", range(3))
def test_what_a_worker_does_not_know_goes_round_all_others(index: int) -> None:
    passed: list[tuple[int, int]] = []

    def note(to: int, seen: int, *_: object) -> None:
        passed.append((to, seen))

    packet = Arrival(0, bytes(4), bytes(4), 9899, finish_packet(prefix(1, 2, 0), Setup(7, 1 << 16, 1, 1, 1).encode()))
    for seen in range(3):
        worker = Worker(index, 3, note, b"seed")
        worker.seen = seen
        assert worker.asks_others(packet) is (seen < 2)
    assert passed == [((index + 1) % 3, 1), ((index + 1) % 3, 2)]


def test_few_questions_are_asked_but_what_others_ask_goes_on_and_so_does_every_init() -> None:
    """A flood of packets that belong to nobody must not multiply; INITs are answered by whoever listens."""
    passed: list[tuple[object, ...]] = []

    def note(*what: object) -> None:
        passed.append(what)

    def packet(said: bytes) -> Arrival:
        return Arrival(0, b"here", b"ther", 9899, finish_packet(prefix(1, 2, 0), said))

    worker = Worker(1, 4, note, b"seed")
    stray, init = packet(control.heartbeat(bytes(8))), packet(Setup(7, 1 << 16, 1, 1, 1).encode())
    for _ in range(10_000):
        assert worker.asks_others(stray)
    full = len(passed)
    assert 0 < full == worker.stats.passed_on < 10_000
    assert worker.asks_others(init)
    assert len(passed) == full + 1
    assert passed[-1] == (2, 1, b"here", b"ther", 9899, init.packet, 0, 0)
    worker.seen = 1
    assert worker.asks_others(stray)
    assert passed[-1] == (2, 2, b"here", b"ther", 9899, stray.packet, 0, 0)


def test_icmp_errors_go_round_in_the_same_way() -> None:
    passed: list[tuple[object, ...]] = []

    def note(*what: object) -> None:
        passed.append(what)

    worker = Worker(3, 4, note, b"seed")
    for _ in range(10_000):
        worker.asks_about_error(0, b"ther", 9899, 5, b"returned", 1400)
    full = len(passed)
    assert 0 < full == worker.stats.passed_on < 10_000
    assert passed[0] == (0, 1, b"", b"ther", 9899, b"returned", 5, 1400)
    worker.seen = 2
    worker.asks_about_error(0, b"ther", 9899, 5, b"returned", 1400)
    assert passed[-1] == (0, 3, b"", b"ther", 9899, b"returned", 5, 1400)
    worker.seen = 3
    worker.asks_about_error(0, b"ther", 9899, 5, b"returned", 1400)
    assert len(passed) == full + 1
