"""Small worlds, explored exhaustively: docs/exploration.md says what that means, and what holds in every state."""

from __future__ import annotations

import pytest

from tests.sweeps import some

from .explorer import Count
from .page import lies
from .worlds import WORLDS, World

WRITE = "python -m tests.exploration --write"


LARGE = (
    "both connect and send",
    "two messages",
    "unordered messages",
    "a message that may be given up",
    "again",
    "streams are added",
    "a window that closes",
)
"""Worlds that take a second each although they are shallow. All their states are states of the deep worlds as well."""
SMALL = [world for world in WORLDS if world.name not in LARGE]
SHALLOW = some(SMALL, [world for world in WORLDS if world.name in LARGE])


@pytest.fixture(scope="module", params=SHALLOW, ids=lambda world: world.name)
def explored(request: pytest.FixtureRequest) -> tuple[World, Count]:
    """A world of which all states were seen, and what must hold did."""
    world: World = request.param
    return world, world.explore()


def test_whatever_happens_in_a_small_world_what_must_hold_does(explored: tuple[World, Count]) -> None:
    _, count = explored
    assert count.whole
    assert count.ends


@pytest.mark.texts
def test_the_page_says_how_many_states_there_are(explored: tuple[World, Count]) -> None:
    world, count = explored
    assert not lies(world, False, count), WRITE


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_whatever_happens_in_a_deep_world_what_must_hold_does(world: World) -> None:
    assert not lies(world, True, world.explore(deep=True)), WRITE
