"""A story: numbers of 32 bits that a world lives through. The first one is the world; each further one is a move.

The high eight bits of a number say which move, the others are the seed of what the move draws. So any numbers are a
story, a story can be cut, spliced and changed at any place, and a hundred moves take four hundred bytes.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from .dice import Dice
from .forgeries import FORGERIES
from .moves import MOVES, Move, connect
from .oracle import Violation
from .world import World

_HONEST: Final[list[Move]] = [move for weight, move in MOVES for _ in range(weight)]
_LYING: Final[list[Move]] = [*_HONEST, *[move for weight, move in FORGERIES for _ in range(weight)]]
MICROSECOND: Final = 1000
MOST_MOVES: Final = 250


class Finding(AssertionError):
    """Something does not hold; with the story, and where in it."""

    def __init__(self, numbers: Sequence[int], world: World, error: Exception) -> None:
        super().__init__(f"{type(error).__name__} at move {world.move} of {len(numbers) - 1}: {error}")
        self.numbers = list(numbers)
        self.world = world
        self.place = _place(error)
        """What went wrong, and where: the same for stories that find the same."""


def _place(error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name != "require"]
    last = frames[-1]
    words = re.sub("[0-9]+", "N", str(error)) if isinstance(error, Violation) else type(error).__name__
    return f"{words} ({last.filename.rpartition('/')[2]}:{last.lineno})"


def play(numbers: Sequence[int], meter_every: int = 0, meter_at: int = -1) -> World:
    """Live through a story, to the end of the world. Raises ``Finding`` if something does not hold.

    ``meter_every`` and ``meter_at`` say which inputs have their steps counted, as ``World`` has it.
    """
    world = World(numbers[0], meter_every, meter_at)
    moves = _HONEST if world.settings.honest else _LYING
    count = len(moves)
    try:
        connect(world, Dice(numbers[0] + 1))
        for number in numbers[1:]:
            world.move += 1
            dice = Dice(number)
            world.now += dice.below(200) * 10 * MICROSECOND
            moves[(number >> 24) * count >> 8](world, dice)
        world.told_inputs = world.inputs
        world.finish()
    except Exception as error:
        raise Finding(numbers, world, error) from error
    return world


# --- stories from others ---


def invent(random: Random, length: int) -> list[int]:
    """Any story."""
    return [random.getrandbits(32) for _ in range(length + 1)]


def vary(random: Random, story: Sequence[int], other: Sequence[int]) -> list[int]:
    """A story that is like this one for a while; some of it may come from another one."""
    numbers = list(story)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(1, len(numbers) + 1)
        how = random.randrange(6)
        if how == 0:
            del numbers[at : at + random.choice((1, 2, 8))]
        elif how == 1:
            numbers[at:at] = invent(random, random.choice((0, 1, 7)))
        elif how == 2:
            numbers[at:] = other[random.randrange(1, len(other) + 1) :]
        elif how == 3:
            numbers[at:at] = numbers[at : at + random.choice((1, 2, 8))]
        elif how == 4 and at < len(numbers):
            numbers[at] = numbers[at] & 0xFF000000 | random.getrandbits(24)
        elif random.randrange(4) == 0:
            numbers[0] = random.getrandbits(32)
    if random.randrange(2):
        numbers += invent(random, random.choice((3, 10, 40)))
    return numbers[: MOST_MOVES + 1]


def reduce(numbers: Sequence[int], fails: Callable[[Sequence[int]], bool], tries: int) -> list[int]:
    """A shorter story that still fails: moves are left out, many at a time and then fewer."""
    shortest = list(numbers)
    size = len(shortest) // 2
    while size and tries > 0:
        at = 1
        while at < len(shortest) and tries > 0:
            shorter = shortest[:at] + shortest[at + size :]
            tries -= 1
            if fails(shorter):
                shortest = shorter
            else:
                at += size
        size //= 2
    return shortest
