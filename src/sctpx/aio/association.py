"""An association as asyncio users see it: messages, paths, events, and ways to end it.

It hangs on its association of the core as ``owner`` and hears of it from the driver. Verbs change the core and flush
the driver in the caller's own step; waiting is only done where there is nothing to read, no room to send, or an end to
come, each in a line that serves in order (``waiting``). Thousands of idle associations are to be cheap: no task, queue
or future belongs to one, and its lines hold nothing while nobody waits.

Three facts decide what reading and writing do: whether the core has messages ready, whether the peer has shut down
(``_peer_done``: it sent everything and takes no more), and the event that ended the association (``_end``). What has
arrived can be read even after the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from errno import ECONNABORTED, EPIPE
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypeVar

from ..core import events as core_events
from ..core.association.association import Association as CoreAssociation
from ..core.association.state import COOKIE_ECHOED, COOKIE_WAIT
from ..errors import AssociationClosed
from ..sockapi.buffers import Data, to_bytes
from ..sockapi.ending import tell_loss
from ..sockapi.events import CommunicationLost, Event, to_event
from ..sockapi.failures import connect_failure, loss
from ..sockapi.receive import CoreMessage, Message, to_message, to_messages
from ..sockapi.send import Outgoing, Undelivered, parse_outgoing, parse_policy, to_undelivered
from ..sockapi.status import AddressReport, address_reports
from .address_calls import AddressCalls
from .driver import Driver
from .event_stream import EventStream
from .facts import Facts
from .key_calls import KeyCalls
from .path_calls import PathCalls
from .stream_calls import StreamCalls
from .waiting import Line

if TYPE_CHECKING:
    from .endpoint import Endpoint
    from .protocol import SctpTransport
    from .server import Server

CLOSE_TIMEOUT: Final = 10.0
"""Seconds that leaving an association's context gives it to shut down, unless told otherwise."""

R = TypeVar("R")
_NOTHING: Final[list[CoreMessage]] = []
OnEvent: TypeAlias = Callable[["Association", Event], object]
"""Called with each event of an association, soon after it happened."""

LOST: Final = (core_events.CommunicationLost, CommunicationLost)
"""An association that has ended with one of these has failed."""
# Of many messages, so many bytes are queued before packets are made of them.
_FLUSH_BYTES: Final = 1 << 18
_STARTING: Final = (COOKIE_WAIT, COOKIE_ECHOED)


class Association(Facts, StreamCalls, KeyCalls, AddressCalls, PathCalls):
    """An SCTP association with a peer. Made by ``connect`` and by servers; it cannot be made directly.

    As an asynchronous context manager it is closed in the end, and aborted if an exception leaves the context. As an
    asynchronous iterator it gives the messages up to the peer's shutdown.
    """

    __slots__ = (
        "__weakref__",
        "_driver",
        "_end",
        "_endpoint",
        "_events",
        "_listener",
        "_peer_done",
        "_returned",
        "_server",
        "_shutting_down",
        "_started",
        "_transport",
        "_unusable",
        "_watchers",
        "_writers",
        "close_timeout",
        "readers",
    )

    def __init__(
        self,
        core: CoreAssociation,
        driver: Driver,
        endpoint: Endpoint,
        server: Server | None = None,
        started: int = 0,
        unusable: tuple[AddressReport, ...] = (),
    ) -> None:
        self._core = core
        self._driver = driver
        self._endpoint = endpoint
        self._server = server
        self.close_timeout: float | None = endpoint.close_timeout
        """Seconds that ``close``, and leaving the context, give a shutdown before they abort; ``None`` for no limit."""
        self._listener: OnEvent | None = endpoint.on_event
        self._started = started
        self._unusable = unusable
        self._end: core_events.Event | Event | None = None
        self._peer_done = False
        self._shutting_down = False
        self._events: EventStream | None = None
        self._returned = _NOTHING  # Messages that were taken from the core, and nobody got them.
        self._transport: SctpTransport | None = None
        self.readers = Line()
        """Those who wait for messages: for the driver."""
        self._writers = Line()
        self._watchers = Line()
        self._listen()

    def __repr__(self) -> str:
        peers = ", ".join(self.peer_addresses)
        return f"<sctpx.Association {self.id} {self.state} with {peers or 'nobody'} port {self.peer_port}>"

    # --- sending ---

    async def send(
        self,
        data: Data,
        *,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        immediate: bool = False,
        address: str | None = None,
        lifetime: float | None = None,
        retransmits: int | None = None,
        priority: int | None = None,
        key: int | None = None,
    ) -> None:
        """Send one message. Waits while the send buffer is full; what the windows allow has left on return.

        ``ppid`` is the payload protocol identifier, a number for the peer's application. ``immediate`` asks the peer to
        acknowledge at once (RFC 7053). ``address`` is an address of the peer to use instead of the primary one.

        One of these three says when the message may be given up (RFC 3758, RFC 7496), which ``events.MessageAbandoned``
        tells; without them it is sent until it is acknowledged. ``lifetime``: seconds after which nothing of it is sent
        any more; 0 is now or never. ``retransmits``: how often each part of it may be sent again. ``priority``: when
        the send buffer is full, what has a lower priority makes room for what has a higher one; 0 is the highest, and
        messages without a priority come before all. If the peer does not take part (``partial_reliability``), a message
        of which something was sent is not given up.

        ``key`` is the number of the shared key to authenticate it with, if the peer demands that of user data (RFC
        4895); ``None`` for the active one.

        If this is cancelled, the message was queued whole or not at all. Raises ``OSError``: EINVAL (no data, no such
        stream, PPID, address or key), EMSGSIZE (more than ``max_message_size``), ``BrokenPipeError`` (shutting down or
        over); ``AssociationAborted`` or ``AssociationLost`` once it has failed. ``ValueError`` for more than one of
        ``lifetime``, ``retransmits`` and ``priority``, or one below 0.
        """
        if type(data) is not bytes:
            data = to_bytes(data)
        remote = b"" if address is None else self._remote(address)
        policy = value = 0
        if lifetime is not None or retransmits is not None or priority is not None:
            policy, value = parse_policy(lifetime, retransmits, priority)
        core = self._core
        # What makes room for itself does not wait in line.
        if (self._writers.waiting or core.send_space <= 0) and (
            core.send_space > 0 or not self._make_room(policy, value)
        ):
            await self._turn_to_write(policy, value)
        try:
            if self._end is not None:
                self._raise_unsendable()
            used = -1 if key is None else key
            self._driver.send(core, data, stream, ppid, unordered, immediate, remote, policy, value, used)
        finally:
            if self._writers.waiting:
                self._next_writer()

    def post(
        self,
        data: Data,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        immediate: bool = False,
        address: str | None = None,
        lifetime: float | None = None,
        retransmits: int | None = None,
        priority: int | None = None,
        key: int | None = None,
        *,
        flush: bool = True,
    ) -> None:
        """For transports: queue one message, whether there is room or not. Raises like ``send``.

        What the windows allow has left on return, unless ``flush`` is false: then ``flush`` has it leave.
        """
        if type(data) is not bytes:
            data = to_bytes(data)
        remote = b"" if address is None else self._remote(address)
        policy = value = 0
        if lifetime is not None or retransmits is not None or priority is not None:
            policy, value = parse_policy(lifetime, retransmits, priority)
        if self._end is not None:
            self._raise_unsendable()
        used = -1 if key is None else key
        self._driver.send(self._core, data, stream, ppid, unordered, immediate, remote, policy, value, used, flush)

    async def send_many(self, messages: Iterable[Outgoing]) -> int:
        """Send messages in order and say how many: data, tuples ``(data, stream, ppid, unordered)``, or received ones.

        Each is taken only when there is room for it: if this is cancelled nothing is lost, and the same iterator can be
        handed in again. Raises like ``send``; the messages before the one that cannot be sent are on their way.
        """
        remaining: Iterator[object] = iter(messages)
        count = 0
        try:
            if self._writers:
                await self._turn_to_write()
            while True:
                if self._core.send_space <= 0:
                    self._next_writer()
                    await self._turn_to_write()
                if self._end is not None:
                    self._raise_unsendable()
                with self._driver.guard, self._driver.guard.lock:
                    taken, exhausted = self._core.send_many(remaining, parse_outgoing, _FLUSH_BYTES)
                    self._driver.flush_here()
                count += taken
                if exhausted:
                    return count
        finally:
            self._driver.flush()
            self._next_writer()

    def _raise_unsendable(self) -> None:
        if isinstance(self._end, LOST):
            raise loss(self._end)
        raise BrokenPipeError(EPIPE, "the association is over")

    @property
    def _sending_is_over(self) -> bool:
        return self._shutting_down or self._peer_done or self._end is not None

    async def _turn_to_write(self, policy: int = 0, value: int = 0) -> None:
        """Until those who came before were served and there is room, or sending is over."""
        if self._writers:
            await self._writers.wait()
        while self._core.send_space <= 0 and not self._sending_is_over:
            if self._make_room(policy, value):
                break
            self._core.want_writable()
            await self._writers.wait()

    def _make_room(self, policy: int, value: int) -> bool:
        """Whether there is room now, since less important messages were given up."""
        with self._driver.guard, self._driver.guard.lock:
            return self._core.make_room(self._driver.now(), policy, value)

    def _next_writer(self) -> None:
        """Whoever had its turn has left the line."""
        if self._writers.waiting:
            if self._core.send_space > 0 or self._sending_is_over:
                self._writers.wake()
            else:
                self._core.want_writable()

    # --- receiving ---

    async def recv(self) -> Message:
        """The next message, or the next part of a message larger than the receive buffer takes (``Message.more``).

        A cancelled call leaves the message for the next one; several callers are served in order. Raises
        ``AssociationClosed`` (an ``EOFError``) after a graceful end, when everything was read; ``AssociationAborted``
        or ``AssociationLost`` after another.
        """
        readers = self.readers
        if readers.waiting:
            await readers.wait()
        # As ``_turn_to_read``, without a coroutine for it.
        while not (self._core.readable or self._returned or self._peer_done or self._end is not None):
            await readers.wait()
        return self._take(1, _single)

    async def recv_many(self, limit: int = 0) -> list[Message]:
        """All messages that are ready, at most ``limit`` unless that is 0; waits for the first.

        ``[]`` after a graceful end. Raises like ``recv`` after another.
        """
        if self.readers.waiting or not (self._core.readable or self._returned):
            await self._turn_to_read()
        return self._take(limit, to_messages)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """The next message; the iteration ends with the association, if that ends gracefully."""
        try:
            return await self.recv()
        except AssociationClosed:
            raise StopAsyncIteration from None

    @property
    def _receiving_is_over(self) -> bool:
        return self._peer_done or self._end is not None

    async def _turn_to_read(self) -> None:
        """Until those who came before were served and there is something to read, or nothing will come any more."""
        if self.readers.waiting:
            await self.readers.wait()
        while not (self._core.readable or self._returned or self._receiving_is_over):
            await self.readers.wait()

    def _next_reader(self) -> None:
        if self.readers.waiting and (self._core.readable or self._returned or self._receiving_is_over):
            self.readers.wake()

    def _take(self, limit: int, make: Callable[[list[CoreMessage]], R]) -> R:
        """Messages from the core, made what the caller wants; none after a graceful end.

        When a signal handler raises in the end and nobody gets them, they are the next to be taken again.
        """
        taken: list[CoreMessage] = []
        try:
            if self._returned:
                taken = self._take_returned(limit)
            else:
                self._driver.read(self._core, limit, taken)
            if self.readers.waiting:
                self._next_reader()
            if not taken and not self._peer_done and isinstance(self._end, core_events.CommunicationLost):
                raise loss(self._end)
            return make(taken)
        except BaseException:
            self._returned = [*taken, *self._returned]
            self._next_reader()
            raise

    def _take_returned(self, limit: int) -> list[CoreMessage]:
        returned = self._returned
        count = limit or len(returned)
        self._returned = returned[count:]
        return returned[:count]

    # --- what it is ---

    @property
    def ended(self) -> bool:
        """Whether it is over. What had arrived before can still be read."""
        return self._end is not None

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint it belongs to."""
        return self._endpoint

    @property
    def report(self) -> tuple[AddressReport, ...]:
        """What each address answered when the association was set up; nothing for an incoming one."""
        return address_reports(self._core.report, self._started) + self._unusable

    def add_to_report(self, entries: Iterable[AddressReport]) -> None:
        """For who set it up: there is more to tell than what was asked of these addresses in this way."""
        self._unusable += tuple(entries)

    @property
    def readable(self) -> int:
        """Messages, or parts of one, that ``recv`` gives without waiting."""
        return self._core.readable + len(self._returned)

    @property
    def buffered(self) -> int:
        """Bytes in the send buffer: what was not sent or not acknowledged, each message with its overhead."""
        return self._core.config.send_buffer - self._core.send_space

    @property
    def send_space(self) -> int:
        """Bytes the send buffer has room for; 0 or less if ``send`` would wait."""
        return self._core.send_space

    def undelivered(self) -> list[Undelivered]:
        """After a failure, what did not reach the peer for certain: messages not sent and those not acknowledged."""
        return to_undelivered(self._core.undelivered())

    # --- streams and events ---

    def set_stream_value(self, stream: int, value: int) -> None:
        """The priority or weight of a stream, 0 to 65535, for ``AssociationConfig.scheduler`` (RFC 8260 section 3).

        With ``"prio"`` the stream with the smallest value sends first; with ``"wfq"`` each stream has a share of the
        capacity by its value. ``OSError``: EINVAL (no such stream, or no such value).
        """
        self._core.set_stream_value(stream, value)

    @property
    def on_event(self) -> OnEvent | None:
        """Called with the association and each of its events, soon after it happened; ``None`` for nothing."""
        return self._listener

    @on_event.setter
    def on_event(self, call: OnEvent | None) -> None:
        self._listener = call
        self._listen()

    @property
    def events(self) -> EventStream:
        """What happens from the first time this is asked for: ``async for event in association.events``.

        Everybody who asks gets the same stream, and an event goes to one of those who wait. See ``sctpx.events``.
        """
        if self._events is None:
            self._events = EventStream(self.ended)
            self._listen()
        return self._events

    @property
    def _nobody_listens(self) -> bool:
        return self._events is None and self._listener is None

    def _listen(self) -> None:
        """Who listens to events has changed: SenderDry comes with every answer, and is made only for somebody."""
        self._core.ignores_dry = self._nobody_listens

    # --- the end ---

    async def shutdown(self) -> None:
        """End gracefully: what was sent is delivered first, then both sides agree that it is over. Waits for that.

        Messages of the peer can be read meanwhile, and must be if there are more than the receive buffer takes. Raises
        ``AssociationAborted`` or ``AssociationLost`` if it ends otherwise.
        """
        self.begin_shutdown()
        await self.wait_closed()
        if isinstance(self._end, LOST):
            raise loss(self._end)

    def begin_shutdown(self) -> None:
        """What ``shutdown`` begins with; does not wait."""
        with self._driver.guard, self._driver.guard.lock:
            self._shutting_down = True
            self._core.shutdown(self._driver.now())
            self._driver.flush_here()
            self._writers.wake()

    def abort(self, reason: str | bytes = b"") -> None:
        """End at once, whatever is under way; the peer's user is told the reason. Nothing if it is over already."""
        if self._end is None:
            with self._driver.guard, self._driver.guard.lock:
                self._core.abort(self._driver.now(), reason.encode() if isinstance(reason, str) else bytes(reason))
                self._driver.flush_here()

    async def close(self) -> None:
        """Shut down within ``close_timeout`` seconds, then abort; abort at once if this is cancelled.

        Does not say how it went: ``shutdown`` does. What is lost when the time is up is told to the log ``sctpx``.
        """
        if self._end is not None:
            return
        try:
            async with asyncio.timeout(self.close_timeout):
                self.begin_shutdown()
                await self.wait_closed()
        except TimeoutError:
            self.give_up_shutdown()
        except BaseException:
            self.abort()
            raise

    def give_up_shutdown(self) -> None:
        """Abort what was not shut down within ``close_timeout``, and tell the log what is lost."""
        self._tell_loss(f"the peer had not taken them within {self.close_timeout:g} s (close_timeout)")
        self.abort("the shutdown took too long")

    def _tell_loss(self, reason: str) -> None:
        """Tell the log what an abort loses."""
        tell_loss(self._core, reason)

    async def wait_closed(self) -> None:
        """Wait until it is over, however it ends."""
        while self._end is None:
            await self._watchers.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # That the peer has shut down is no failure: cutting it short would make it one, for the peer.
        if kind is None or issubclass(kind, AssociationClosed):
            await self.close()
        else:
            self.abort()

    # --- for the endpoint and the driver ---

    def abandon(self) -> None:
        """The endpoint: this is the child of a fork, and the association is the parent's. Here it is over."""
        if self._end is None:
            self._end = core_events.CommunicationLost(self._core, ECONNABORTED, False, [])

    async def wait_established(self) -> None:
        """Wait until an association that was started is up; a ``ConnectError`` if it does not come up."""
        try:
            while self._core.state in _STARTING:
                await self._watchers.wait()
        except BaseException:
            self.abort()
            raise
        if isinstance(self._end, core_events.CannotStart):
            raise connect_failure(self._end.error, self.report, self._core)

    def handle_event(self, event: core_events.Event) -> None:
        """The driver: something happened."""
        kind = type(event)
        if kind is core_events.Readable:
            self._driver.wake(self.readers)
            return
        if kind is core_events.Writable:
            self._writers.wake()
            if self._transport is not None:
                self.wake_transport()
            return
        if kind in core_events.ENDS:
            self._end = event
            self._core.owner = None
            if self._server is not None:
                self._server.on_association_ended(self)
            self._endpoint.on_association_ended()
        elif kind is core_events.PeerShutdown:
            self._peer_done = True
        elif kind is core_events.Restarted:
            self._peer_done = False
        elif kind is not core_events.CommunicationUp:
            if kind is core_events.LocalAddressChange:
                self._endpoint.on_local_change()
            self._tell(event)
            return
        self._driver.wake(self.readers)
        self._writers.wake()
        self._driver.wake_all(self._watchers)
        self._tell(event)

    def _tell(self, event: core_events.Event) -> None:
        if self._nobody_listens and self._transport is None:
            return
        told = to_event(event, self._core.config.expose_potentially_failed)
        if told is None:
            return
        if self._events is not None:
            self._events.push(told, self.ended)
        if self._transport is not None:
            self._transport.on_event(told, event.readable)
        if self._listener is not None:
            self._driver.loop.call_soon(self._listener, self, told)

    # --- for the transport of a protocol (``protocol``) ---

    def attach(self, transport: SctpTransport, deliver: Callable[[], object]) -> None:
        """From now on this transport is told of events, and ``deliver`` is called when something is there to read.

        What was missed is told at once.
        """
        self._transport = transport
        self.readers.stand(deliver)
        told = self._end if isinstance(self._end, Event) or self._end is None else to_event(self._end)
        if told is not None:
            transport.on_event(told, self.readable)
        elif self.readable:
            self.wake_transport()

    def read_into(self, messages: list[CoreMessage]) -> None:
        """Put all messages that are ready into a list: what is there is not lost if this raises."""
        if self._returned:
            messages += self._take_returned(0)
        self._driver.read(self._core, 0, messages)

    def want_room(self) -> None:
        """Wake the transport when there may be less in the send buffer."""
        self._core.want_writable()

    def wake_transport(self) -> None:
        """Call ``deliver`` when all that has just arrived was handled, under no guard."""
        self._driver.wake(self.readers)

    def flush(self) -> None:
        """Have what was posted without a flush leave."""
        self._driver.flush()


def _single(taken: list[CoreMessage]) -> Message:
    """The message that was taken."""
    if not taken:
        raise AssociationClosed("the association has ended: there is nothing more to receive")
    return to_message(taken[0])
