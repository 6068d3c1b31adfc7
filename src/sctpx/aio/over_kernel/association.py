"""An association on a socket of the kernel, as asyncio users see it: an ``Association`` like any other.

The kernel has the association, and its socket, which was peeled off, is this one's alone. The event loop tells when
there is something to read; it is asked about writing only while somebody waits for room.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from ...errors import AssociationAborted, AssociationClosed, AssociationLost
from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import events as e
from ...sockapi import structs as s
from ...sockapi.addresses import check_port
from ...sockapi.buffers import Data
from ...sockapi.failures import loss
from ...sockapi.peer import Peer
from ...sockapi.receive import Message
from ...sockapi.send import Outgoing, Undelivered, parse_outgoing
from ...sockapi.status import AddressReport
from ..association import Association
from ..waiting import Line
from .addresses import KernelAddresses
from .facts import KernelFacts
from .incoming import Incoming
from .keys import KernelKeys
from .outgoing import OutMessage, Unsent
from .streams import KernelStreams
from .told import ENDS, to_event, to_undelivered

if TYPE_CHECKING:
    from ..server import Server
    from .endpoint import KernelEndpoint

_AT_ONCE: Final = 64
"""Pieces that are read before others have their turn."""
R = TypeVar("R")
_log: Final = logging.getLogger("sctpx")


@final
class KernelAssociation(KernelFacts, KernelAddresses, KernelKeys, KernelStreams, Association):
    """An association that the kernel carries."""

    __slots__ = (
        "_host",
        "_id",
        "_inbound",
        "_incoming",
        "_incoming_side",
        "_last",
        "_left",
        "_loop",
        "_outbound",
        "_reading",
        "_sock",
        "_told",
        "_unsent",
        "_writing",
    )

    def __init__(
        self,
        sock: KernelSocket,
        up: s.AssocChange,
        endpoint: KernelEndpoint,
        server: Server | None,
        unusable: tuple[AddressReport, ...] = (),
    ) -> None:
        """Begin with a socket that was peeled off, and the notification that the association is up."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._host = endpoint
        self._endpoint = endpoint
        self._id = up.sac_assoc_id
        self._outbound, self._inbound = up.sac_outbound_streams, up.sac_inbound_streams
        self._incoming_side = server is not None
        self._server = server
        self.close_timeout = endpoint.close_timeout
        self._listener = endpoint.on_event
        self._unusable = unusable
        self._end = None
        self._peer_done = False
        self._shutting_down = False
        self._events = None
        self._transport = None
        self.readers, self._writers, self._watchers = Line(), Line(), Line()
        self._incoming = Incoming(sock)
        self._unsent = Unsent(sock)
        self._left: list[Undelivered] = []
        self._reading = self._writing = False
        self._last = {}
        self._told = {}
        """What it was when it ended."""
        self._last = self._snapshot()
        if not self._nobody_listens:
            self._listen()
        self._read_on()
        self._announce(e.CommunicationUp(self._incoming_side))

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
        """Send one message. Waits while the kernel's send buffer is full. Raises like ``Association.send``.

        Messages that were given up are among ``undelivered``.
        """
        peer = None if address is None else self._peer(address)
        sent = self._unsent.make(data, stream, ppid, unordered, immediate, peer, lifetime, retransmits, priority, key)
        if self._writers:
            await self._writers.wait()
        try:
            while self._unsent or not self._try_to_send(sent):
                self._write_on()
                await self._writers.wait()
        finally:
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
        """For transports: send one message, and keep it here while the kernel's send buffer is full."""
        peer = None if address is None else self._peer(address)
        sent = self._unsent.make(data, stream, ppid, unordered, immediate, peer, lifetime, retransmits, priority, key)
        self._check_sendable()
        if self._unsent or not self._try_to_send(sent):
            self._unsent.keep(sent)
            self._write_on()

    def _check_sendable(self) -> None:
        if self._end is not None:
            self._raise_unsendable()
        if self._shutting_down or self._peer_done:
            raise BrokenPipeError(errno.EPIPE, "the association is shutting down")

    def _try_to_send(self, message: OutMessage) -> bool:
        """Whether the kernel took a message; there is no room for it otherwise."""
        self._check_sendable()
        try:
            return self._unsent.send(message)
        except (AssociationAborted, AssociationLost):
            self._read_ahead()  # Notifications tell more of the end.
            self.readers.wake()
            raise

    def _send_kept(self) -> None:
        """There is room again for what a transport has sent."""
        if self._end is None and self._unsent:
            self._unsent.send_kept(self._on_refusal)
            if self._unsent:
                self._write_on()
            elif self._shutting_down:
                self._shut_down_socket()
            if self._transport is not None:
                self.wake_transport()

    def _on_refusal(self, message: OutMessage, error: OSError) -> None:
        """The kernel does not send what a transport has sent."""
        if not isinstance(error, AssociationAborted | AssociationLost | BrokenPipeError):
            text = f"a message of {len(message.data)} bytes was not sent"
            told = {"message": text, "exception": error, "transport": self._transport}
            self._loop.call_exception_handler(told)

    async def send_many(self, messages: Iterable[Outgoing]) -> int:
        """Send messages in order and say how many. Raises like ``Association.send_many``."""
        remaining: Iterator[Outgoing] = iter(messages)
        count = 0
        while True:
            if self._writers:
                await self._writers.wait()
            while self.send_space <= 0 and not self._sending_is_over:
                self._write_on()
                await self._writers.wait()
            message = next(remaining, None)
            if message is None:
                self._next_writer()
                return count
            data, stream, ppid, unordered = parse_outgoing(message)
            await self.send(data, stream=stream, ppid=ppid, unordered=unordered)
            count += 1

    def _next_writer(self) -> None:
        """Whoever had its turn has left the line: the next one tries."""
        self._writers.wake()

    def _write_on(self) -> None:
        if not self._writing and not self._sock.closed:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        self._write_no_more()
        self._send_kept()
        self._writers.wake()

    def _write_no_more(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    # --- receiving ---

    async def recv(self) -> Message:
        """The next message, or the next part of a large one (``Message.more``). Raises like ``Association.recv``."""
        found = await self._recv(1)
        if not found:
            raise AssociationClosed("the association has ended: there is nothing more to receive")
        return found[0]

    async def recv_many(self, limit: int = 0) -> list[Message]:
        """All messages that are ready, at most ``limit`` unless that is 0; waits for the first. ``[]`` at the end."""
        return await self._recv(limit)

    async def _recv(self, limit: int) -> list[Message]:
        messages = self._incoming.messages
        if self.readers or not messages:
            if self.readers:
                await self.readers.wait()
            while not messages and not self._receiving_is_over:
                await self.readers.wait()
        taken = self._incoming.take(limit)
        self._read_on()
        if self.readers and (messages or self._receiving_is_over):
            self.readers.wake()
        if not taken and not self._peer_done and isinstance(self._end, e.CommunicationLost):
            raise loss(self._end)
        return taken

    def _read_on(self) -> None:
        if not self._reading and self._end is None and not self._incoming.full:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._on_readable)

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        """The event loop: something is there to read."""
        self._read_ahead()
        if self._transport is not None:
            self._transport.deliver()

    def _read_ahead(self) -> None:
        before = len(self._incoming.messages)
        for _ in range(_AT_ONCE):
            if self._end is not None or self._incoming.full:
                break
            try:
                notice = self._incoming.read(self._host.config.receive_buffer)
            except BlockingIOError:
                break
            except OSError as error:
                silent = isinstance(error, AssociationLost)
                code = errno.ETIMEDOUT if silent else errno.ECONNRESET
                self._on_event(e.CommunicationLost(code, not silent, ()))
                break
            if self._incoming.over:
                self._on_event(e.ShutdownComplete())
            elif notice is not None:
                self._on_notice(notice)
        if self._incoming.full:
            self._read_no_more()
        if len(self._incoming.messages) != before and self._transport is None:
            self.readers.wake()

    # --- what happens ---

    def _on_notice(self, notice: s.Notification) -> None:
        if isinstance(notice, s.SendFailedEvent):
            self._left.append(to_undelivered(notice))
            return
        event = to_event(notice)
        if isinstance(event, e.Restarted):
            left, self._left = tuple(self._left), []
            event = e.Restarted(left)
        if event is not None:
            self._on_event(event)

    def _on_event(self, event: e.Event) -> None:
        """Something happened to the association."""
        if isinstance(event, e.PeerShutdown):
            self._peer_done = True
        elif isinstance(event, e.Restarted):
            self._peer_done = False
        elif isinstance(event, e.PartialDeliveryAborted):
            self._incoming.forget_parts()
        elif isinstance(event, e.StreamsAdded):
            # Linux tells how many were added, RFC 6525 section 6.1.3 how many there are.
            with suppress(OSError):  # It has just ended: a notification tells how.
                status: s.Status = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_STATUS, s.Status())
                self._outbound, self._inbound = status.sstat_outstrms, status.sstat_instrms
            event = e.StreamsAdded(self._inbound, self._outbound, event.result)
        elif isinstance(event, ENDS):
            self._finish(event)
        if isinstance(event, (e.PeerShutdown, *ENDS)):
            for line in (self.readers, self._writers):
                line.wake()
        self._announce(event)

    def _finish(self, event: e.Event) -> None:
        """The association is over: its socket goes, and what was read stays."""
        if self._end is not None:
            return
        self._read_no_more()
        self._write_no_more()
        self._end = event
        self._sock.close()
        self.readers.wake()
        self._writers.wake()
        self._watchers.wake_all()
        if self._server is not None:
            self._server.on_association_ended(self)
        self._host.on_ended(self)

    def _announce(self, event: e.Event) -> None:
        if self._events is not None:
            self._events.push(event, self.ended)
        if self._transport is not None:
            self._transport.on_event(event, len(self._incoming.messages))
        if self.on_event is not None:
            self._loop.call_soon(self.on_event, self, event)

    def _listen(self) -> None:
        """SenderDry costs a notification whenever everything was acknowledged: only who looks at events pays that."""
        asked = s.Event(se_type=c.SCTP_SENDER_DRY_EVENT, se_on=int(not self._nobody_listens))
        if not self._sock.closed:
            self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, asked)

    # --- what it is ---

    @property
    def report(self) -> tuple[AddressReport, ...]:
        """Names that did not resolve: what each address answered the kernel does not tell."""
        return self._unusable

    @property
    def readable(self) -> int:
        """Messages that ``recv`` gives without waiting."""
        return len(self._incoming.messages)

    @property
    def buffered(self) -> int:
        """Bytes that wait here for room in the kernel's send buffer."""
        return self._unsent.buffered

    @property
    def send_space(self) -> int:
        """1 if the kernel has room for a message, 0 or less if ``send`` would wait: it does not tell how much."""
        return int(not self._sock.closed and self._sock.has_room())

    def undelivered(self) -> list[Undelivered]:
        """After a failure, what did not reach the peer for certain."""
        return list(self._left)

    # --- paths ---

    def _peer(self, address: str) -> Peer:
        port = check_port(self.peer_port, "SCTP port")
        return Peer([self._host.resolved(address, port)], self._sock.peer_udp_port)

    def _check_open(self) -> None:
        if self._end is not None:
            raise OSError(errno.ENOTCONN, "the association is over")

    # --- the end ---

    def begin_shutdown(self) -> None:
        """What ``shutdown`` begins with; does not wait."""
        if self._end is None and not self._shutting_down:
            self._shutting_down = True
            if not self._unsent:
                self._shut_down_socket()
            self._writers.wake()

    def _shut_down_socket(self) -> None:
        with suppress(OSError):  # It has just ended: a notification tells how.
            self._sock.shutdown(read=False, write=True)

    def abort(self, reason: str | bytes = b"") -> None:
        """End at once; the peer's user is told the reason. Nothing if it is over already."""
        if self._end is not None:
            return
        data = reason.encode() if isinstance(reason, str) else bytes(reason)
        self._sock.abort(data)
        self._on_event(e.CommunicationLost(errno.ECONNABORTED, False, ()))

    def _tell_loss(self, reason: str) -> None:
        _log.warning("the association with %s was aborted: %s", ", ".join(self.peer_addresses), reason)

    def abandon(self) -> None:
        """The endpoint: this is the child of a fork, and the association is the parent's. Here it is over."""
        if self._end is None:
            self._end = e.CommunicationLost(errno.ECONNABORTED, False, ())

    # --- for the transport of a protocol ---

    def read_into(self, messages: list[Any]) -> None:
        """Put all messages that were read ahead into a list."""
        messages += self._incoming.take(0)
        self._read_on()

    def want_room(self) -> None:
        """The transport is told in any case."""

    def wake_transport(self) -> None:
        """Have the transport look soon."""
        self.readers.wake()

    def flush(self) -> None:
        """Nothing waits for that."""
