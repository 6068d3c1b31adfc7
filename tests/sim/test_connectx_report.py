"""connectx tells what became of each address (CX11)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import association_of
from sctpx.core.association.connect import (
    ANSWER_ABORT,
    ANSWER_COOKIE_ECHO,
    ANSWER_ICMP,
    ANSWER_INIT_ACK,
    ANSWER_MALFORMED,
    ANSWER_NAMES,
    ANSWER_NOT_ASKED,
    ANSWER_SEND_ERROR,
    ANSWER_SILENCE,
    AddressReport,
)
from sctpx.core.config import AssociationConfig
from sctpx.testing import SECOND, Pair
from sctpx.wire.codes import CAUSE_OUT_OF_RESOURCE
from tests.sim.connectx import REFUSALS, RTT, attempt, failure, reports


def line(pair: Pair, report: AddressReport) -> tuple[int, float | None, str, float | None, int, bool]:
    """INITs, when the first one left, the answer, when it came, the errno, and whether it was kept."""

    def seconds(when: int) -> float | None:
        return None if when < 0 else round((when - pair.network.clock.start) / SECOND, 6)

    return (
        report.inits,
        seconds(report.first_sent),
        ANSWER_NAMES[report.answer],
        seconds(report.answered),
        report.error,
        report.kept,
    )


def test_a_success_tells_of_every_address() -> None:
    with Pair(1, paths=6) as pair:
        REFUSALS["ABORT"].arrange(pair, "10.0.1.2")
        REFUSALS["ICMP host unreachable"].arrange(pair, "10.0.2.2")
        REFUSALS["malformed INIT ACK"].arrange(pair, "10.0.3.2")
        pair.cut(4)
        attempt(pair)
        assert [line(pair, report) for report in pair.a.association.report] == [
            (1, 0.0, "ABORT", 0.02, errno.ECONNREFUSED, True),
            (1, 0.02, "ICMP", 0.04, errno.EHOSTUNREACH, True),
            (1, 0.04, "malformed INIT ACK", 0.06, errno.ECONNREFUSED, True),
            (1, 0.06, "silence", None, 0, True),
            (1, 0.16, "INIT ACK", 0.18, 0, True),
            (0, None, "not asked", None, 0, True),
        ]
        assert reports(pair)["10.0.1.2"].causes == [(CAUSE_OUT_OF_RESOURCE, b"")]


def test_a_failure_tells_of_every_address_after_the_association_is_gone() -> None:
    with Pair(1, paths=3, config=AssociationConfig(max_init_retransmits=1)) as pair:
        REFUSALS["local send error"].arrange(pair, "10.0.1.2")
        REFUSALS["ICMP port unreachable"].arrange(pair, "10.0.2.2")
        pair.cut(3)
        attempt(pair)
        assert failure(pair) == errno.ETIMEDOUT
        assert [line(pair, report) for report in pair.a.association.report] == [
            (1, 0.0, "send error", 0.0, errno.ENETDOWN, False),
            (1, 0.0, "ICMP", 0.02, errno.ECONNREFUSED, False),
            (2, 0.02, "silence", None, 0, False),
        ]


def test_an_address_that_was_not_kept_is_told_as_dropped() -> None:
    """CX4."""
    with Pair(1, paths=3) as pair:
        pair.b.endpoint.announce[:] = pair.b.host.packed[1:]
        pair.cut(1)
        attempt(pair)
        assert [report.kept for report in reports(pair).values()] == [False, True, True]


def test_an_address_that_was_learnt_is_told_as_not_listed() -> None:
    with Pair(1, paths=3) as pair:
        pair.b.endpoint.listen()
        pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
        pair.network.run(lambda: pair.a.host.events)
        report = association_of(pair.a.host.events[0]).report
        assert [(entry.ip, entry.listed, entry.kept, entry.inits) for entry in report] == [
            (pair.b.host.packed[0], True, True, 1),
            (pair.b.host.packed[1], False, True, 0),
            (pair.b.host.packed[2], False, True, 0),
        ]


def test_a_late_init_ack_is_told() -> None:
    """RFC 9260 5.2.3: it is discarded; it enters the report all the same."""
    with Pair(1, paths=2) as pair:
        pair.set_path(1, delay=0.4)
        attempt(pair)
        assert reports(pair)["10.0.1.2"].answer == ANSWER_SILENCE
        pair.network.run_for(1)
        assert line(pair, reports(pair)["10.0.1.2"]) == (1, 0.0, "INIT ACK", 0.8, 0, True)


def test_during_the_attempt_it_tells_what_is_known_so_far() -> None:
    with Pair(1, paths=3) as pair:
        for path in (1, 2, 3):
            pair.cut(path)
        pair.a.connect(pair.b)
        pair.network.run_for(0.15)
        assert [report.inits for report in reports(pair).values()] == [1, 1, 0]


def test_an_address_has_been_asked_when_its_init_has_left() -> None:
    """A link that takes nothing holds the INIT back: nobody was asked then."""
    with Pair(1) as pair:
        pair.a.connect(pair.b)
        [report] = pair.a.association.report
        assert line(pair, report) == (0, None, "not asked", None, 0, False)
        assert pair.a.host.stack.poll_transmit(pair.a.host.now) is not None
        assert line(pair, report) == (1, 0.0, "silence", None, 0, False)


def test_the_answers_have_names() -> None:
    assert list(range(len(ANSWER_NAMES))) == [
        ANSWER_NOT_ASKED,
        ANSWER_SILENCE,
        ANSWER_INIT_ACK,
        ANSWER_ABORT,
        ANSWER_ICMP,
        ANSWER_SEND_ERROR,
        ANSWER_MALFORMED,
        ANSWER_COOKIE_ECHO,
    ]


def test_after_a_stale_cookie_the_report_still_tells_of_every_address() -> None:
    """The INITs of both rounds, and the address that was dropped."""
    with Pair(1, paths=3, b_config=AssociationConfig(cookie_life=0.5)) as pair:
        pair.cut(1)
        pair.b.endpoint.announce[:] = pair.b.host.packed[1:]
        pair.network.delay("COOKIE ECHO", 0.6)
        attempt(pair)
        report = reports(pair)
        assert list(report) == list(pair.b.host.addresses)
        assert [(entry.inits, entry.kept) for entry in report.values()] == [(1, False), (2, True), (0, True)]
        assert report["10.0.1.2"].first_sent == pair.network.clock.start
        assert report["10.0.2.2"].answered == pair.network.clock.start + int((0.1 + RTT) * SECOND)


def test_a_connect_to_one_address_has_a_report_too() -> None:
    with Pair(1) as pair:
        attempt(pair)
        assert [line(pair, report) for report in pair.a.association.report] == [(1, 0.0, "INIT ACK", 0.02, 0, True)]


def test_an_incoming_association_has_none() -> None:
    with Pair(1, paths=2).connect() as pair:
        assert pair.b.association.report == []


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_failed_attempt_tells_of_the_refusal_of_its_only_address(name: str) -> None:
    with Pair(1) as pair:
        REFUSALS[name].arrange(pair, "10.0.1.2")
        attempt(pair)
        assert line(pair, pair.a.association.report[0]) == (
            1,
            0.0,
            ANSWER_NAMES[REFUSALS[name].answer],
            0.0 if name == "local send error" else RTT,
            REFUSALS[name].error,
            False,
        )
