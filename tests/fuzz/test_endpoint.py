"""The corpus of the endpoint fuzzer, what it reaches, and that what must hold is found out where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_DATA, COMMON_HEADER
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.tlv import chunk
from tests.fuzz import world as worlds
from tests.fuzz.cost import Meter
from tests.fuzz.dice import Dice
from tests.fuzz.fuzz_endpoint import CORPUS, Fuzzer, read_stories, repeat, text_of
from tests.fuzz.host import Datagram
from tests.fuzz.moves import connect, establish
from tests.fuzz.oracle import Violation, check_association, check_packet
from tests.fuzz.reach import Reach
from tests.fuzz.story import Finding, play, reduce
from tests.fuzz.world import World
from tests.sim.steps import only_interpreted

LARGEST_CORPUS = 200_000
MORE_INPUTS = 20_000


def honest_world() -> World:
    """A world with an association between the first two hosts, and a network that makes no chunks of its own."""
    for number in range(100):
        world = World(number)
        settings = world.settings
        plain = not settings.configs[0].error_detection_method and not settings.configs[0].authenticates
        if settings.honest and plain and settings.paths == 1 and settings.hosts == 2:
            connect(world, Dice(1))
            for _ in range(5):
                establish(world, Dice(1))
            return world
    raise AssertionError("no such world")


def test_the_corpus_finds_nothing_and_reaches_all_that_is_demanded(tmp_path: Path) -> None:
    """A change of the core may have stories go another way: what they miss then, varied ones have to reach."""
    fuzzer = Fuzzer(1, tmp_path)
    for story in read_stories(CORPUS):
        fuzzer.play(story)
    most = fuzzer.reach.inputs + MORE_INPUTS
    while fuzzer.reach.missing() and not fuzzer.found and fuzzer.reach.inputs < most:
        fuzzer.run([], fuzzer.reach.inputs + 1000)
    assert fuzzer.found == {}
    assert fuzzer.reach.missing() == []


def test_the_corpus_is_small() -> None:
    assert CORPUS.stat().st_size < LARGEST_CORPUS


def test_a_run_follows_from_its_seed(tmp_path: Path) -> None:
    runs = []
    for seed in (1, 1, 2):
        fuzzer = Fuzzer(seed, tmp_path)
        fuzzer.run([], 300)
        runs.append((fuzzer.pool, fuzzer.reach.inputs))
    assert runs[0] == runs[1] != runs[2]


def test_a_reach_that_lacks_something_says_so() -> None:
    reach = Reach()
    reach.add(play([7, 1, 2, 3]))
    assert "restart" in reach.missing()
    assert "state COOKIE-WAIT" not in reach.missing()


# --- what must hold is found out ---


@pytest.mark.parametrize(
    ("tag", "body", "why"),
    [
        (7, b"", "bytes"),
        (7, chunk(CHUNK_DATA, 3, bytes(12)), "without a byte"),
        (7, chunk(CHUNK_DATA, 3, bytes(16)) + control.cookie_ack(), "behind user data"),
        (7, control.cookie_ack() + control.shutdown_complete(), "not alone"),
        (7, control.cookie_ack() + control.cookie_echo(bytes(8)), "not the first"),
        (7, control.heartbeat(bytes(3))[:-1] + b"\1", "padding"),
        (7, chunk(11, 1, b""), "flags"),
        (7, b"\x0b\0\0\x08", "length"),
        (0, control.cookie_ack(), "tag 0"),
        (7, chunk(1, 0, bytes(16)), "tag 0"),
        (7, chunk(3, 0, bytes(12)) * 2, "several SACKs"),
    ],
)
def test_a_packet_that_breaks_a_rule_is_found_out(tag: int, body: bytes, why: str) -> None:
    with pytest.raises(Violation, match=why):
        check_packet(finish_packet(prefix(1, 2, tag), body))


def test_user_data_that_nobody_has_sent_is_found_out() -> None:
    world = honest_world()
    [sender] = world.hosts[0].associations()
    [receiver] = world.hosts[1].associations()
    assert sender.state == receiver.state == ESTABLISHED
    world.hosts[0].send(sender, 0, 100)
    world.hosts[0].drain()
    [datagram] = world.under_way
    body = bytearray(datagram.data[COMMON_HEADER:])
    body[-1] ^= 1
    data = finish_packet(datagram.data[:8], bytes(body))
    with pytest.raises(Violation, match="other bytes"):
        world.deliver(Datagram(datagram.local, datagram.remote, datagram.port, data, len(data), datagram.kinds))


def test_a_message_that_was_acknowledged_and_not_delivered_is_found_out() -> None:
    world = honest_world()
    [sender] = world.hosts[0].associations()
    world.hosts[0].send(sender, 0, 100)
    world.hosts[0].drain()
    for _ in range(5):
        establish(world, Dice(1))
    world.hosts[1].lives[0].received.clear()
    with pytest.raises(Violation, match="1 messages on 0 were acknowledged, and 0 delivered"):
        world.finish()


def test_an_association_that_waits_without_a_timer_is_found_out() -> None:
    world = honest_world()
    [sender] = world.hosts[0].associations()
    world.hosts[0].send(sender, 0, 100)
    world.hosts[0].drain()
    check_association(sender, world.now, world.now)
    with pytest.raises(Violation, match="no timer"):
        check_association(sender, world.now, None)


def test_bytes_of_a_window_that_nothing_takes_are_found_out() -> None:
    world = honest_world()
    [receiver] = world.hosts[1].associations()
    check_association(receiver, world.now, world.now)
    receiver.tcb.window.receive(1)
    with pytest.raises(Violation, match="1 bytes of the window are taken"):
        check_association(receiver, world.now, world.now)


@only_interpreted
def test_a_packet_that_costs_more_than_its_bytes_is_found_out() -> None:
    world = honest_world()

    def much() -> None:
        for _ in range(200):
            check_sums_of(world)

    with pytest.raises(Violation, match="steps for 16 bytes in 1 packets"):
        Meter().measure(much, world.hosts[0].stack, 16, 1)


def check_sums_of(world: World) -> None:
    """Some lines of the core run."""
    for association in world.hosts[0].associations():
        association.tcb.outstanding.check_invariants()


# --- findings ---


def test_a_finding_is_made_short_and_written_with_what_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = [5, *range(1, 0x20000000, 0x1000000)]
    with monkeypatch.context() as patch:
        patch.setattr(worlds, "MAX_TIMERS", 1)
        with pytest.raises(Finding, match="no rest after 1 inputs"):
            play(story)
        fuzzer = Fuzzer(1, tmp_path)
        fuzzer.play(story)
        [path] = fuzzer.found.values()
        [numbers] = read_stories(path)
        assert len(numbers) < len(story)
        assert f"--repeat {path}" in path.read_text()
        assert repeat(path) == 1
    assert repeat(path) == 0


def test_reducing_leaves_out_what_does_not_matter() -> None:
    numbers = [9, *range(50)]
    assert reduce(numbers, lambda story: 13 in story[1:] and 31 in story[1:], 1000) == [9, 13, 31]


def test_a_story_is_a_line_of_text(tmp_path: Path) -> None:
    path = tmp_path / "story.txt"
    path.write_text("# what was found\n" + text_of([1, 0xFFFFFFFF]) + "\n")
    assert read_stories(path) == [[1, 0xFFFFFFFF]]
