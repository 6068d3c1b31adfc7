"""How packets arrive: many at a time, or one alone, as in a dialogue. What a driver asks its sockets for follows that.

Where packets come one at a time, the first is handled and answered before a socket is asked for another. In a dialogue
nothing comes behind the first, and looking for it costs as much as a packet does: so after a while a driver does not
look every time. If there is something, the next wait says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from ..wire.first_look import carries_user_data
from .base import Received

SURE: Final = 8
"""A driver looks behind every packet until it has found nothing behind so many packets in a row."""
LOOKS: Final = 4
"""From then on a driver looks behind every so many packets."""


@final
class Arrivals:
    """How packets came of late, for all sockets of a driver together."""

    __slots__ = ("_alone", "_talks", "crowded", "in_dialogue")

    def __init__(self) -> None:
        self._alone = 0  # How often nothing came behind the first packet, or the driver did not look.
        self._talks = False  # User data was sent since the last packet came.
        self.crowded = False
        """Many packets came at a time: the driver takes all there are at once."""
        self.in_dialogue = False
        """The last packet came alone and with user data, after user data had been sent."""

    def note_sent(self, packets: bytes) -> None:
        """The driver has sent one or several packets of a kind."""
        if not self._talks:
            self._talks = carries_user_data(packets)

    def note_first(self, batch: Received) -> bool:
        """The driver has asked for one packet, and got ``batch``. True: the driver is to look for more behind it."""
        single = len(batch[3]) <= batch[4]
        self.in_dialogue = single and self._talks and carries_user_data(batch[3])
        self._talks = False
        if single and self._alone >= SURE and self._alone % LOOKS:
            self._alone += 1
            return False
        return True

    def note_rest(self, batches: Sequence[Received]) -> None:
        """The driver has asked for all there is, behind a first packet or in a crowd, and got ``batches``."""
        if self.crowded:
            self.crowded = len(batches) > 1 or any(len(batch[3]) > batch[4] for batch in batches)
            self.in_dialogue = False
        elif batches:
            self.crowded = True
            self._alone = 0
            self.in_dialogue = False
        else:
            self._alone += 1
