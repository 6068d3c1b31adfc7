"""The explorer itself: it finds what is wrong, and takes no two states for one."""

from __future__ import annotations

import pytest

from tests.sweeps import some

from .explorer import Faults
from .host import Violation
from .worlds import ONE, WORLDS, World


@pytest.mark.parametrize(
    "world", some([WORLDS[8]], [WORLDS[1], WORLDS[5], WORLDS[9], WORLDS[18]]), ids=lambda world: world.name
)
def test_hosts_with_one_fingerprint_do_the_same(world: World) -> None:
    explorer = world.explorer(world.shallow)
    explorer.explore()
    assert sum(hosts.audit() for hosts in explorer.hosts) > 200


def test_a_fault_is_told_as_the_shortest_way_to_it() -> None:
    """An association that may not repeat anything does not survive a loss."""
    settings = {"association_max_retrans": 0, "loss_recovery": "rfc9260"}
    world = World("frail", ("connect", "send", "shutdown"), (), ONE, ONE, settings=settings)
    with pytest.raises(Violation) as caught:
        world.explorer(Faults(losses=1)).explore()
    what, *way = str(caught.value).splitlines()
    assert what == "A: CommunicationLost 110, without a reason"
    before = way[: way.index("-- and then, without further faults:")]
    assert [line.split()[1:3] for line in before] == [
        ["step", "A"],
        ["deliver", "B"],
        ["deliver", "A"],
        ["deliver", "B"],
        ["deliver", "A"],
        ["step", "A"],
        ["lose", "B"],
    ]
    assert "DATA" in before[-1]


def test_a_world_that_never_ends_is_found() -> None:
    """Nobody shuts down: HEARTBEATs go on for ever."""
    world = World("endless", ("connect",), (), ONE, ONE)
    with pytest.raises(Violation, match="no rest after 2000 inputs"):
        world.explorer(Faults()).explore()


def test_a_program_that_waits_for_ever_is_found() -> None:
    world = World("waiting", ("connect", "send", "hear", "shutdown"), (), ONE, ONE, settings={"heartbeat_interval": 0})
    with pytest.raises(Violation, match="the program of A waits for ever"):
        world.explorer(Faults()).explore()


def test_a_search_may_end_before_all_was_seen() -> None:
    count = WORLDS[0].explorer(ONE).explore(max_depth=5)
    assert not count.whole
    assert count.depth == 5
    assert count.states < WORLDS[0].explorer(ONE).explore().states
