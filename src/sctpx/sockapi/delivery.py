"""What a socket gives its reader, in order: messages of its associations and notifications between them.

Messages stay in the core until they are read, so that unread messages keep the peer's window closed. The queue holds
only the order of messages: a *run* stands for all messages of an association up to a position, or, while the run is
open, for all messages that are still to come. A notification closes the run of its association, and a new run begins
behind the notification. The open runs of several associations take turns, one message each.

The queue holds the next item itself once a call has asked for it: a message that was larger than the reader's buffer, a
message that a call only looked at (MSG_PEEK), or a message that a call told of (SCTP_NXTINFO). While a message is
delivered in parts (partial delivery), other messages come in between as SCTP_FRAGMENT_INTERLEAVE says (RFC 6458 section
8.1.20). The core keeps the messages of one association apart, so that levels 1 and 2 are the same here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, final

from ..core.rx.streams import MORE, Message
from .constants import MSG_EOR, MSG_NOTIFICATION
from .settings import EndpointSettings
from .structs import Notification, PdapiEvent, SendFailed, SendFailedEvent

if TYPE_CHECKING:
    from .socket_association import SocketAssociation

OPEN: Final = 1 << 62
"""The end of a run that has none yet."""
NOTICE_COST: Final = 512
"""Bytes that a notification takes beside its data, at the least."""


@final
class Run:
    """Messages of one association that follow each other."""

    __slots__ = ("association", "until")

    def __init__(self, association: SocketAssociation, until: int = OPEN) -> None:
        self.association = association
        self.until = until
        """The position behind the last message of the run, counted from the association's first message."""


@final
class Place:
    """Where the reader of one association is. Only queues write it."""

    __slots__ = ("broken", "run", "taken")

    def __init__(self) -> None:
        self.taken = 0
        """Messages taken from the core."""
        self.broken: list[int] = []
        """Positions behind which no more comes of a message, although its end did not come."""
        self.run: Run | None = None
        """The open run, for the messages that are still to come."""


@final
class Item:
    """A message, a part of one, or a notification, on its way to the reader."""

    __slots__ = ("association", "complete", "data", "message", "notice", "offset", "source")

    def __init__(
        self, association: SocketAssociation, message: Message | None, notice: Notification | None, source: bytes = b""
    ) -> None:
        self.association = association
        self.message = message
        """As the core has it; ``None`` for a notification."""
        self.notice = notice
        """``None`` for a message."""
        self.data = notice.pack() if notice is not None else message[0] if message is not None else b""
        self.complete = message is None or not message[5] & MORE
        """The end of the item is the end of a message, or of a notification."""
        self.offset = 0
        """Bytes of the item that were read."""
        self.source = source
        """The peer's address that a message came from, packed."""

    @property
    def cost(self) -> int:
        """Bytes that a notification takes of the receive buffer: 0 for one with data that the send buffer held."""
        if self.notice is None or isinstance(self.notice, SendFailed | SendFailedEvent):
            return 0
        return NOTICE_COST + len(self.data)


class Piece(NamedTuple):
    """What one call reads."""

    data: bytes
    flags: int
    """``MSG_EOR`` with the end of a message, ``MSG_NOTIFICATION``."""
    item: Item | None
    """The item that the piece is a part of; ``None`` at the end of file."""


END: Final = Piece(b"", 0, None)
"""Nothing will come any more."""


@final
class ReceiveQueue:
    """The order of delivery of one socket."""

    __slots__ = ("_entries", "_head", "_noticed", "_settings", "_unfinished")

    def __init__(self, settings: EndpointSettings) -> None:
        self._entries: deque[Run | Item] = deque()
        self._head: Item | None = None
        self._unfinished: SocketAssociation | None = None
        self._settings = settings
        self._noticed = 0  # What the notifications in ``_entries`` cost.

    # --- what happens ---

    def on_readable(self, association: SocketAssociation) -> None:
        """The core has messages of this association."""
        place = association.place
        if place.run is None:
            place.run = Run(association)
            self._entries.append(place.run)

    def drop(self, association: SocketAssociation) -> None:
        """Take the messages that the core has of this association, and forget them."""
        association.place.taken += len(association.core.read())

    def on_notice(self, association: SocketAssociation, notice: Notification, readable: int) -> None:
        """Something happened after which ``readable`` messages of the core were ready."""
        place = association.place
        position = place.taken + readable
        run = place.run
        if run is not None:
            run.until = position
        elif readable:
            self._entries.append(Run(association, position))
        item = Item(association, None, notice)
        self._entries.append(item)
        self._noticed += item.cost
        if run is not None:
            place.run = Run(association)
            self._entries.append(place.run)

    @property
    def has_room(self) -> bool:
        """The receive buffer takes another notification."""
        return self._noticed < self._settings.future.config.receive_buffer

    def on_partial_aborted(self, association: SocketAssociation, readable: int) -> None:
        """The rest of a message will not come, of which parts are the last of the ``readable`` messages, or were read.

        To be called before ``on_notice`` for the same event. After a restart of the peer there may be fewer messages
        than before, since unread parts were dropped: what happened before the restart stands behind no later message.
        """
        place = association.place
        position = place.taken + readable
        for entry in self._entries:
            if isinstance(entry, Run) and entry.association is association and entry is not place.run:
                entry.until = min(entry.until, position)
        place.broken = [*[end for end in place.broken if place.taken <= end < position], position]

    def keep(self, association: SocketAssociation) -> None:
        """Take the messages that the core has of this association now: later ones are not read any more."""
        kept: deque[Run | Item] = deque()
        for entry in self._entries:
            if isinstance(entry, Item) or entry.association is not association:
                kept.append(entry)
                continue
            while (item := self._read(entry)) is not None:
                kept.append(item)
        self._entries = kept
        self._unfinished = association.place.run = None

    def move(self, association: SocketAssociation, other: ReceiveQueue) -> None:
        """The messages and notifications of this association are for the reader of another socket from now on."""
        if self._head is not None and self._head.association is association:
            other._head = self._head
            self._head = None
        moved = [entry for entry in self._entries if entry.association is association]
        cost = sum([entry.cost for entry in moved if isinstance(entry, Item)])
        self._noticed -= cost
        other._noticed += cost
        other._entries.extend(moved)
        self._entries = deque(entry for entry in self._entries if entry.association is not association)
        if self._unfinished is association:
            other._unfinished = association
            self._unfinished = None

    # --- reading ---

    def __bool__(self) -> bool:
        """True if there is something to read."""
        return self.head() is not None

    def head(self) -> Item | None:
        """The item that is read next; the call does not take it."""
        if self._head is None:
            self._head = self._fetch()
        return self._head

    def take(self, limit: int, *, peek: bool = False) -> Piece | None:
        """Up to ``limit`` bytes of the next item; ``None`` if there is none."""
        item = self._head
        if item is None:
            item = self._head = self._fetch()
            if item is None:
                return None
        start = item.offset
        end = min(start + limit, len(item.data))
        whole = end == len(item.data)
        data = item.data if whole and not start else item.data[start:end]
        if not peek:
            item.offset = end
            if whole:
                self._head = None
        flags = MSG_EOR if whole and item.complete else 0
        return Piece(data, flags if item.notice is None else flags | MSG_NOTIFICATION, item)

    def put_back(self, piece: Piece) -> None:
        """Nobody got this piece, which was taken last: it is the next one again."""
        item = piece.item
        if item is None:
            return
        item.offset -= len(piece.data)
        head, self._head = self._head, item
        if head is not None and head is not item:
            self._entries.appendleft(head)  # Another call has looked at what follows.
            self._noticed += head.cost

    def forget(self, association: SocketAssociation) -> None:
        """Nothing that this association has is to be read any more."""
        if self._head is not None and self._head.association is association:
            self._head = None
        if self._unfinished is association:
            self._unfinished = None
        association.place.run = None
        self._entries = deque(entry for entry in self._entries if entry.association is not association)
        self._noticed = sum([entry.cost for entry in self._entries if isinstance(entry, Item)])

    def _fetch(self) -> Item | None:
        """Take the next item from the order, and a message from the core."""
        unfinished = self._unfinished
        if unfinished is not None:
            if not self._settings.fragment_interleave:  # The level may have changed since the last part was read.
                broken = unfinished.place.taken in unfinished.place.broken
                item = self._take_news(unfinished) if broken else self._continue(unfinished)
                if item is not None or not (broken or unfinished.core.ended):
                    return item
            self._unfinished = None
        entries = self._entries
        while entries:
            entry = entries.popleft()
            if isinstance(entry, Item):
                self._noticed -= entry.cost
                return entry
            item = self._read(entry)
            if item is None:
                if entry is entry.association.place.run:
                    entry.association.place.run = None
                continue
            if entry is entry.association.place.run:
                entries.append(entry)
            else:
                entries.appendleft(entry)
            return item
        return None

    def _continue(self, association: SocketAssociation) -> Item | None:
        """The next part of a message whose parts must follow each other."""
        for entry in self._entries:
            if isinstance(entry, Run) and entry.association is association:
                item = self._read(entry)
                if item is not None:
                    return item
        return None

    def _take_news(self, association: SocketAssociation) -> Item | None:
        """The next of what was told of an association up to the news that the message that is being read has no end.

        ``None`` if there is no such news, or no more.
        """
        told = [entry for entry in self._entries if isinstance(entry, Item) and entry.association is association]
        if not any(isinstance(item.notice, PdapiEvent) for item in told):
            return None
        item = told[0]
        self._entries.remove(item)
        self._noticed -= item.cost
        if isinstance(item.notice, PdapiEvent):
            self._unfinished = None
        return item

    def _read(self, run: Run) -> Item | None:
        association = run.association
        core, place = association.core, association.place
        if place.taken >= run.until or not core.readable:
            return None
        place.taken += 1
        source = core.source
        item = Item(association, core.read(1)[0], None, source)
        if not self._settings.fragment_interleave:
            self._unfinished = None if item.complete else association
        return item
