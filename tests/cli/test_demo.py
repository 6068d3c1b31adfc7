"""``sctpx demo``: the whole story, and what makes it fail."""

from __future__ import annotations

import errno
import io

import pytest
from rich.console import Console

from sctpx import AddressReport
from sctpx.cli.demo import loopback, simulated
from sctpx.cli.demo.content import Content, Received
from sctpx.cli.demo.screen import Screen
from sctpx.cli.demo.story import Outcome, Teller, Total
from tests.cli.commands import invoke, parsed, run

needs_loopback = pytest.mark.skipif(not loopback.is_possible(), reason="this system has one loopback address only")


def a_good_outcome() -> Outcome:
    total = Total(1_000_000, 16, "0" * 64)
    return Outcome(
        link="loopback",
        report=(
            AddressReport(address="127.0.0.5", inits=1, first_sent=0.0),
            AddressReport(
                address="127.0.0.6", inits=1, first_sent=0.1, answered=0.1, answer="ICMP", error=errno.ECONNREFUSED
            ),
            AddressReport(address="127.0.0.2", inits=1, first_sent=0.1, answered=0.1, answer="INIT ACK", kept=True),
        ),
        primary="127.0.0.2",
        cut_at=1.0,
        failed_over_at=2.0,
        failed_over_to="127.0.0.3",
        sent=total,
        received=total,
        graceful=True,
    )


@pytest.mark.parametrize("link", [pytest.param("loopback", marks=needs_loopback), "simulated"])
def test_the_story_holds_to_its_end(link: str) -> None:
    done = run("demo", "--json", "--size", "4M", *(["--simulated"] if link == "simulated" else []))
    assert (done.returncode, done.stderr) == (0, b"")
    told = parsed(done.stdout)
    assert told["ok"] is True
    assert set(told["checks"].values()) == {True}
    assert told["link"] == link
    assert [entry["listed"] for entry in told["report"]] == [True, True, True, True, False]
    assert [entry["kept"] for entry in told["report"]] == [False, False, True, True, True]
    assert told["report"][0]["answer"] == "silence"
    assert told["report"][1]["answer"] == "ABORT"
    assert told["sent"] == told["received"]
    assert told["sent"]["bytes"] == 4_000_000
    assert told["failed_over_to"] == told["report"][3]["address"]
    assert told["up_at"] < told["cut_at"] < told["failed_over_at"]
    if link == "simulated":
        assert 0 < told["longest_gap"] < 0.5  # No timeout, which takes a second at least, is waited for.
    used = {path["remote"]: path["bytes_sent"] for path in told["paths"]}
    assert used[told["primary"]] > 0
    assert used[told["failed_over_to"]] > 0
    assert told["chunks_retransmitted"] > 0


@pytest.mark.parametrize("link", [pytest.param("loopback", marks=[needs_loopback, pytest.mark.slow]), "simulated"])
def test_without_a_terminal_it_is_told_in_plain_lines(link: str) -> None:
    done = run("demo", "--size", "2M", *(["--simulated"] if link == "simulated" else []))
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b" not in text
    for words in (
        "1 CONNECT",
        "silence",
        "ABORT",
        "association up after",
        "2 SEND",
        "is cut",
        "data goes to",
        " 100 %",
        "3 SHUTDOWN",
        "SHA-256 is equal",
        "paths used",
        "retransmitted",
        "all held",
    ):
        assert words in text


def test_the_simulated_story_is_the_same_each_time() -> None:
    first, second = (simulated.run(Teller(), 1_000_000) for _ in range(2))
    assert first == second
    assert all(first.checks().values())


def test_on_a_terminal_the_bar_and_the_table_are_drawn_again_and_again_and_then_give_way() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, highlight=False, markup=False, legacy_windows=False)
    with Screen(console) as screen:
        outcome = simulated.run(screen, 2_000_000)
        screen.finished(outcome)
    text = file.getvalue()
    assert "\x1b[" in text
    assert "━" in text
    assert "all held" in text


def test_a_story_that_breaks_off_leaves_the_terminal_as_it_was() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, legacy_windows=False)
    with Screen(console) as screen:
        screen.sending(1000)
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert file.getvalue().count(hidden) == file.getvalue().count(shown) == 1


def test_a_good_outcome_holds_in_everything() -> None:
    assert set(a_good_outcome().checks().values()) == {True}
    assert a_good_outcome().as_json()["ok"] is True


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"report": ()}, "first_address_silent"),
        ({"report": a_good_outcome().report[1:]}, "first_address_silent"),
        ({"report": a_good_outcome().report[::2]}, "second_address_refused"),
        ({"primary": "127.0.0.6"}, "connected_to_another"),
        ({"primary": ""}, "connected_to_another"),
        ({"failed_over_at": None}, "failed_over"),
        ({"failed_over_to": ""}, "failed_over"),
        ({"failed_over_to": "127.0.0.2"}, "failed_over"),
        ({"received": Total(999_999, 16, "0" * 64)}, "all_received"),
        ({"received": Total(1_000_000, 15, "0" * 64)}, "all_received"),
        ({"received": Total(1_000_000, 16, "1" * 64)}, "sha256_equal"),
        ({"graceful": False}, "graceful_end"),
    ],
)
def test_an_outcome_says_what_did_not_hold(change: dict[str, object], check: str) -> None:
    outcome = a_good_outcome()
    for name, value in change.items():
        setattr(outcome, name, value)
    assert outcome.checks()[check] is False
    assert outcome.as_json()["ok"] is False


def test_what_did_not_hold_is_in_the_summary() -> None:
    file = io.StringIO()
    outcome = a_good_outcome()
    outcome.graceful = False
    with Screen(Console(file=file, width=100)) as screen:
        screen.finished(outcome)
    assert "did not hold: graceful end" in file.getvalue()
    assert "all held" not in file.getvalue()


def test_the_messages_sent_are_all_different_and_counted_alike_on_both_sides() -> None:
    content, received = Content(200_000), Received()
    messages = list(iter(content.take, b""))
    assert len(set(messages)) == len(messages) == 4
    for moment, message in enumerate(messages):
        received.add(moment, message[:10], more=True)
        received.add(moment, message[10:])
    assert content.total() == received.total()
    assert content.total().bytes == 200_000
    assert received.longest_gap == 1


def test_the_content_can_be_cut_short_on_the_way() -> None:
    content = Content(1 << 20)
    taken = len(content.take())
    content.size = taken
    assert content.take() == b""
    assert content.total().bytes == taken


def test_too_little_to_send_is_a_matter_of_usage() -> None:
    done = invoke("demo", "--size", "1k")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--size" in done.stderr
