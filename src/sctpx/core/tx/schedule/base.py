"""What a stream scheduler is (RFC 8260 section 3): messages wait in it, and it says of which one the next chunk is.

The send queue asks ``peek``, cuts a chunk, and tells of it by ``take``. A schedule knows nothing of packets but where
one ends. Without interleaving, chunks of two messages never alternate: a message that was begun stays the next one
until it is cut. With interleaving (I-DATA), that holds for the messages of each stream.
"""

from __future__ import annotations

from collections import deque

from ..out_message import OutMessage


class Schedule:
    """Messages that wait, and their order."""

    __slots__ = ()

    def __len__(self) -> int:
        """How many messages are not wholly cut."""
        raise NotImplementedError

    def push(self, message: OutMessage) -> None:
        """Take a message, which comes after all others of its stream."""
        raise NotImplementedError

    def peek(self) -> OutMessage | None:
        """The message that the next chunk is cut from; None if there is none. Asking changes nothing."""
        raise NotImplementedError

    def take(self, size: int) -> None:
        """Chunks with so many bytes of user data were cut from the message that ``peek`` names."""
        raise NotImplementedError

    def remove(self, message: OutMessage) -> None:
        """Take a message back, of which chunks may have been cut: no more will be."""
        raise NotImplementedError

    def messages(self) -> list[OutMessage]:
        """All messages that are not wholly cut, as they came; one that must go on before all others is first."""
        raise NotImplementedError

    @property
    def lasts(self) -> bool:
        """Whether the message that ``peek`` names stays the next one until it is cut, if none is pushed meanwhile."""
        return True

    @property
    def one_stream(self) -> bool:
        """Whether the chunks of a packet are all of one stream."""
        return False

    def end_packet(self) -> None:
        """The packet is full."""

    def on_value(self, stream: int) -> None:
        """The value that the user has set for this stream is another one now."""


class Wrapper(Schedule):
    """A schedule around another one, which it asks for whatever it does not do in its own way."""

    __slots__ = ("schedule",)

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def __len__(self) -> int:
        """How many messages are not wholly cut."""
        return len(self.schedule)

    def push(self, message: OutMessage) -> None:
        """Take a message, which comes after all others of its stream."""
        self.schedule.push(message)

    def peek(self) -> OutMessage | None:
        """The message that the next chunk is cut from."""
        return self.schedule.peek()

    def take(self, size: int) -> None:
        """Chunks with so many bytes of user data were cut from the message that ``peek`` names."""
        self.schedule.take(size)

    def remove(self, message: OutMessage) -> None:
        """Take a message back, of which chunks may have been cut: no more will be."""
        self.schedule.remove(message)

    def messages(self) -> list[OutMessage]:
        """All messages that are not wholly cut, as they came; one that must go on before all others is first."""
        return self.schedule.messages()

    @property
    def lasts(self) -> bool:
        """Whether the message that ``peek`` names stays the next one until it is cut."""
        return self.schedule.lasts

    @property
    def one_stream(self) -> bool:
        """Whether the chunks of a packet are all of one stream."""
        return self.schedule.one_stream

    def end_packet(self) -> None:
        """The packet is full."""
        self.schedule.end_packet()

    def on_value(self, stream: int) -> None:
        """The value that the user has set for this stream is another one now."""
        self.schedule.on_value(stream)


class StreamSchedule(Schedule):
    """A line of messages for each stream; what derives from it chooses between the streams."""

    __slots__ = ("_chosen", "_committed", "_count", "_interleaves", "_order", "_queues", "_spent")

    def __init__(self, interleaves: bool) -> None:
        self._interleaves = interleaves
        self._queues: dict[int, deque[OutMessage]] = {}
        self._count = 0
        self._order = 0
        self._chosen: OutMessage | None = None
        self._committed = False  # The chosen message was begun, and has to be finished.
        self._spent = 0  # Bytes cut since it was chosen.

    # What derives from it:

    def _activate(self, stream: int) -> None:
        """The stream, which had no messages, has one."""
        raise NotImplementedError

    def _choose(self) -> int:
        """The stream whose turn it is. There is one."""
        raise NotImplementedError

    def _release(self, stream: int, size: int, more: bool) -> None:
        """The stream that was chosen has used its turn for so many bytes; ``more`` says whether it has more to send."""
        raise NotImplementedError

    def _withdraw(self, stream: int, more: bool) -> None:
        """The first message of the stream is gone without having had its turn."""
        raise NotImplementedError

    # What a schedule is:

    def __len__(self) -> int:
        """How many messages are not wholly cut."""
        return self._count

    def push(self, message: OutMessage) -> None:
        """Take a message, which comes after all others of its stream."""
        message.order = self._order
        self._order += 1
        self._count += 1
        if not self._committed:
            self._chosen = None
        queue = self._queues.get(message.stream)
        if queue is not None:
            queue.append(message)
            return
        self._queues[message.stream] = deque([message])
        self._activate(message.stream)
        if message.offset and not self._interleaves:
            self._chosen = message
            self._committed = True

    def peek(self) -> OutMessage | None:
        """The message that the next chunk is cut from."""
        if self._chosen is None and self._count:
            self._chosen = self._queues[self._choose()][0]
        return self._chosen

    def take(self, size: int) -> None:
        """Chunks with so many bytes of user data were cut from the message that ``peek`` names."""
        message = self._chosen
        assert message is not None
        self._spent += size
        if not message.is_cut and not self._interleaves:
            self._committed = True
            return
        stream = message.stream
        if message.is_cut:
            queue = self._queues[stream]
            queue.popleft()
            self._count -= 1
            if not queue:
                del self._queues[stream]
        spent = self._spent
        self._spent = 0
        self._chosen = None
        self._committed = False
        self._release(stream, spent, stream in self._queues)

    def remove(self, message: OutMessage) -> None:
        """Take a message back, of which chunks may have been cut: no more will be."""
        stream = message.stream
        queue = self._queues[stream]
        first = queue[0] is message
        queue.remove(message)
        self._count -= 1
        if not queue:
            del self._queues[stream]
        if self._chosen is message and self._committed:
            spent = self._spent
            self._spent = 0
            self._chosen = None
            self._committed = False
            self._release(stream, spent, stream in self._queues)
        elif first:
            if not self._committed:
                self._chosen = None
            self._withdraw(stream, stream in self._queues)

    def messages(self) -> list[OutMessage]:
        """All messages that are not wholly cut, as they came; one that must go on before all others is first."""
        found = sorted([message for queue in self._queues.values() for message in queue], key=_order_of)
        if self._committed and self._chosen is not None:
            found.remove(self._chosen)
            found.insert(0, self._chosen)
        return found

    @property
    def lasts(self) -> bool:
        """Whether the message that ``peek`` names stays the next one until it is cut."""
        return not self._interleaves or len(self._queues) == 1


def _order_of(message: OutMessage) -> int:
    return message.order
