"""What one side of an association has sent, and what has become of each message: the model that deliveries are held to.

Each message names itself: its session, the side that sent it, its lane (a stream, ordered or not) and its number there.
All behind that follows from these, so that a single wrong byte is seen. A message that the receiver gets is crossed
out. What is left in the end is what did not arrive, and the sender has to have been told of each.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final, final

from sctpx.core.events import Undelivered

HEADER: Final = Struct(">4sIBBHII")
"""What a message begins with: MARK, session, side, whether it is unordered, stream, number, bytes of the message."""
MARK: Final = b"soak"
Lane = tuple[int, bool]
"""A stream, and whether its unordered messages are meant."""


@final
class Message:
    """One message that was handed over to be sent."""

    __slots__ = ("lane", "number", "reliable", "reported", "size")

    def __init__(self, lane: Lane, number: int, size: int, reliable: bool) -> None:
        self.lane = lane
        self.number = number
        self.size = size
        self.reliable = reliable
        """Nobody may give it up."""
        self.reported = False
        """The sender was told that it did not arrive for certain."""


def write(session: int, side: int, message: Message) -> bytes:
    """The bytes of a message."""
    stream, unordered = message.lane
    header = HEADER.pack(MARK, session, side, unordered, stream, message.number, message.size)
    filling = blake2b(header, digest_size=32).digest()
    left = message.size - len(header)
    return header + (filling * (left // len(filling) + 1))[:left]


@final
class Ledger:
    """All messages that one side has sent in one session."""

    def __init__(self, session: int, side: int) -> None:
        self.session = session
        self.side = side
        self.count = 0
        self.bytes = 0
        self.arrived = 0
        self.arrived_bytes = 0
        self.given_up = 0
        """Messages that the sender was told to be abandoned."""
        self.lax = False
        """The association was reset (RFC 6525 section 5.2.4 G3): what was in flight may be lost without a word."""
        self._numbers: dict[Lane, int] = {}
        self._open: dict[Lane, dict[int, Message]] = {}
        self._passed: dict[Lane, int] = {}  # The highest number of each ordered lane that has arrived.

    def add(self, lane: Lane, size: int, reliable: bool) -> tuple[Message, bytes]:
        """A message that is about to be sent."""
        number = self._numbers.get(lane, 0)
        message = Message(lane, number, max(size, HEADER.size), reliable)
        return message, write(self.session, self.side, message)

    def on_sent(self, message: Message) -> None:
        """The stack has taken it."""
        self._numbers[message.lane] = message.number + 1
        self._open.setdefault(message.lane, {})[message.number] = message
        self.count += 1
        self.bytes += message.size

    def on_arrival(self, data: bytes, lane: Lane) -> None:
        """The other side has got a whole message. AssertionError: it should not have."""
        mark, session, side, unordered, stream, number, size = HEADER.unpack_from(data)
        name = f"message {number} of side {self.side} of session {self.session}, lane {lane}"
        assert (mark, session, side) == (MARK, self.session, self.side), f"{name}: it belongs to session {session}"
        assert (stream, bool(unordered), size) == (*lane, len(data)), f"{name}: {len(data)} bytes came, of {size}"
        waiting = self._open.get(lane, {})
        message = waiting.pop(number, None)
        assert message is not None, f"{name} came twice, or was never sent"
        assert data == write(session, side, message), f"{name} came with other bytes"
        self.arrived += 1
        self.arrived_bytes += size
        if lane[1]:
            return
        before = self._passed.get(lane, -1)
        assert number > before, f"{name} came behind message {before}"
        self._passed[lane] = number
        if not self.lax:
            for skipped in range(before + 1, number):
                left_out = waiting.get(skipped)
                assert left_out is None or not left_out.reliable, f"{name} came, and message {skipped} did not"

    def on_undelivered(self, told: Undelivered) -> None:
        """The sender is told that a message did not arrive for certain."""
        message = told[5]
        assert isinstance(message, Message), f"undelivered, and its context is {message!r}"
        message.reported = True

    def on_abandoned(self, told: Undelivered) -> None:
        """The sender is told that a message was given up."""
        message = told[5]
        assert isinstance(message, Message), f"abandoned, and its context is {message!r}"
        assert not message.reliable, f"message {message.number} of {message.lane} was given up: nobody has allowed that"
        assert not message.reported, f"message {message.number} of {message.lane} was given up twice"
        message.reported = True
        self.given_up += 1

    def missing(self) -> list[Message]:
        """What has not arrived, and of which the sender was not told."""
        return [message for lane in self._open.values() for message in lane.values() if not message.reported]

    @property
    def is_settled(self) -> bool:
        """Every message has arrived, or the sender was told of it."""
        return not self.missing()
