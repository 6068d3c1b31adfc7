"""What a socket gives its reader, in order: messages of its associations and notifications between them.

Messages stay in the core until they are read, so that what the reader leaves there keeps the peer's window closed. The
queue holds only where they stand in the order: a *run* stands for all messages of an association up to a position, or,
while it is open, for all that are still to come. A notification closes the run of its association and a new one begins
behind it. The open runs of several associations take turns, one message each.

What is read next is held here once anybody has asked for it: a message that was larger than the reader's buffer, one
that was only looked at (MSG_PEEK), or told of (SCTP_NXTINFO). A message of which parts are to come (partial delivery)
lets others in between as SCTP_FRAGMENT_INTERLEAVE says (RFC 6458 section 8.1.20); the core keeps the messages of one
association apart, so levels 1 and 2 are the same here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, final

from ..core.rx.reassembly import MORE, Message
from .constants import MSG_EOR, MSG_NOTIFICATION
from .settings import EndpointSettings
from .structs import Notification, SendFailed, SendFailedEvent

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
        """The position behind its last message, counted from the association's first."""


@final
class Item:
    """A message, a part of one, or a notification, on its way to the reader."""

    __slots__ = ("association", "data", "message", "notice", "offset", "source")

    def __init__(
        self, association: SocketAssociation, message: Message | None, notice: Notification | None, source: bytes = b""
    ) -> None:
        self.association = association
        self.message = message
        """As the core has it; ``None`` for a notification."""
        self.notice = notice
        """``None`` for a message."""
        self.data = notice.pack() if notice is not None else message[0] if message is not None else b""
        self.offset = 0
        """What has been read of it, bytes."""
        self.source = source
        """The peer's address that a message came from, packed."""

    @property
    def cost(self) -> int:
        """Bytes that a notification takes of the receive buffer. What was in the send buffer before takes none."""
        if self.notice is None or isinstance(self.notice, SendFailed | SendFailedEvent):
            return 0
        return NOTICE_COST + len(self.data)

    @property
    def complete(self) -> bool:
        """Its end is the end of a message."""
        return self.message is None or not self.message[5] & MORE


class Piece(NamedTuple):
    """What one call reads."""

    data: bytes
    flags: int
    """``MSG_EOR`` with the end of a message, ``MSG_NOTIFICATION``."""
    item: Item | None
    """What it is of; ``None`` at the end of all."""


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
        if association.run is None:
            association.run = Run(association)
            self._entries.append(association.run)

    def on_notice(self, association: SocketAssociation, notice: Notification, readable: int) -> None:
        """Something happened after which ``readable`` messages of the core were ready."""
        position = association.taken + readable
        run = association.run
        if run is not None:
            run.until = position
        elif readable:
            self._entries.append(Run(association, position))
        item = Item(association, None, notice)
        self._entries.append(item)
        self._noticed += item.cost
        if run is not None:
            association.run = Run(association)
            self._entries.append(association.run)

    @property
    def has_room(self) -> bool:
        """The receive buffer takes another notification."""
        return self._noticed < self._settings.future.config.receive_buffer

    def on_partial_aborted(self, association: SocketAssociation) -> None:
        """The rest of a message that is being handed over in parts will not come."""
        if self._unfinished is association:
            self._unfinished = None

    def keep(self, association: SocketAssociation) -> None:
        """Take from the core what is there of this association: what comes later is not read any more."""
        kept: deque[Run | Item] = deque()
        for entry in self._entries:
            if isinstance(entry, Item) or entry.association is not association:
                kept.append(entry)
                continue
            while (item := self._read(entry)) is not None:
                kept.append(item)
        self._entries = kept
        self._unfinished = association.run = None

    def move(self, association: SocketAssociation, other: ReceiveQueue) -> None:
        """What is there for this association is another socket's from now on."""
        if self._head is not None and self._head.association is association:
            self._head, other._head = None, self._head
        moved = [entry for entry in self._entries if entry.association is association]
        cost = sum([entry.cost for entry in moved if isinstance(entry, Item)])
        self._noticed -= cost
        other._noticed += cost
        other._entries.extend(moved)
        self._entries = deque(entry for entry in self._entries if entry.association is not association)
        if self._unfinished is association:
            self._unfinished, other._unfinished = None, association

    # --- reading ---

    def __bool__(self) -> bool:
        """True if there is something to read."""
        return self.head() is not None

    def head(self) -> Item | None:
        """What is read next, without taking it."""
        if self._head is None:
            self._head = self._fetch()
        return self._head

    def take(self, limit: int, *, peek: bool = False) -> Piece | None:
        """Up to ``limit`` bytes of what is next; ``None`` if nothing is there."""
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

    def _fetch(self) -> Item | None:
        """Take the next item from the order, and a message from the core."""
        if self._unfinished is not None:
            item = self._continue(self._unfinished)
            if item is not None or not self._unfinished.core.ended:
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
                if entry is entry.association.run:
                    entry.association.run = None
                continue
            if entry is entry.association.run:
                entries.append(entry)
            else:
                entries.appendleft(entry)
            return item
        return None

    def _continue(self, association: SocketAssociation) -> Item | None:
        """The next part of a message that nothing may come between."""
        for entry in self._entries:
            if isinstance(entry, Run) and entry.association is association:
                item = self._read(entry)
                if item is not None:
                    return item
        return None

    def _read(self, run: Run) -> Item | None:
        association = run.association
        core = association.core
        if association.taken >= run.until or not core.readable:
            return None
        association.taken += 1
        source = core.source
        item = Item(association, core.read(1)[0], None, source)
        if not self._settings.fragment_interleave:
            self._unfinished = None if item.complete else association
        return item
