"""A transport and a protocol, as asyncio has them: what arrives is handed to a method, with no task in between.

A ``SctpTransport`` stands where coroutines would read: its association tells it what can be read and what happened, and
it calls the ``SctpProtocol`` from the very callback of the event loop that received it, when nothing is half done and
no guard is held. So a protocol may call whatever it likes.

Messages and events are told in the order in which they came. An event knows how many messages were there before it;
here that becomes its place in the count of all messages. While reading is paused, messages stay in the association,
whose window closes, and the events behind them wait, up to a limit. The last call is ``connection_lost``.

A signal handler may raise anywhere (``deferral``). So messages are read into a list that is there before, and handed
over in C, from an iterator that knows how far it is: none is lost or comes twice. What was interrupted goes on with the
event loop.

What a callback raises is told to the exception handler of the loop, and the association goes on: messages are whole, so
that one which could not be handled says nothing about the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context
from errno import ECONNABORTED, EPIPE
from functools import partial
from itertools import islice
from operator import length_hint
from typing import Any, Final, final

from ..core.association.state import ESTABLISHED, STATE_NAMES
from ..errors import AssociationAborted, AssociationClosed, AssociationLost
from ..sockapi import events as e
from ..sockapi.buffers import Data
from ..sockapi.failures import loss
from ..sockapi.receive import CoreMessage, Message, to_message
from .association import Association
from .event_stream import EVENTS_KEPT

_ESTABLISHED: Final = STATE_NAMES[ESTABLISHED]
_ITS_OWN_END: Final = (AssociationClosed, AssociationAborted, AssociationLost, BrokenPipeError)
_ENDS: Final = (e.CommunicationLost, e.ShutdownComplete, e.CannotStart)
_NOT_TOLD: Final = (e.CommunicationUp, e.SenderDry)
_LOW_SHARE: Final = 4
"""How many times the upper limit of the send buffer is the lower one, unless told otherwise, as in asyncio."""


class SctpProtocol:
    """What is called for an association: to be derived from. Every method but ``message_received`` may be left out.

    The calls come from the event loop, one at a time, in this order: ``connection_made`` once, then any of the others,
    then ``connection_lost`` once.
    """

    def connection_made(self, transport: SctpTransport) -> None:
        """The association is up."""

    def message_received(self, message: Message) -> None:
        """A message has come, or the next part of a large one (``Message.more``)."""

    def event_received(self, event: e.Event) -> None:
        """Something else has happened: one of ``sctpx.events``, but for the beginning and the end.

        ``SenderDry`` is not told either, which would be a call for each answer in a dialogue. With
        ``set_write_buffer_limits(0)`` ``resume_writing`` says that everything was acknowledged.
        """

    def pause_writing(self) -> None:
        """More waits to be sent than the upper limit says: send nothing for now."""

    def resume_writing(self) -> None:
        """What waits to be sent is down to the lower limit."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The association is over, and nothing else comes.

        ``exc`` is ``None`` if it was shut down, or aborted by this side; else an ``AssociationAborted`` (by the peer,
        and an ``AssociationRestarted`` if that restarted) or an ``AssociationLost`` (the peer is gone).
        """


@final
class SctpTransport(asyncio.BaseTransport):
    """An association, for a protocol. Made by ``create_connection`` and by servers of ``create_server``."""

    def __init__(self, association: Association, protocol: SctpProtocol, context: Context) -> None:
        """Take an association that is up, and call ``connection_made``. The protocol runs in ``context``."""
        super().__init__()
        self._association = association
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._run: Callable[[], object] = partial(context.run, self._deliver)
        self._read: list[CoreMessage] = []  # What was read last...
        self._unhanded: Iterator[CoreMessage] = iter(self._read)  # ...and of it what was not handed over.
        self._before = 0  # How many messages were read before that.
        self._told: deque[tuple[int, e.Event]] = deque()  # Events, each behind so many messages.
        self._paused = self._closing = self._over = False
        self._reading = True  # Neither paused nor closing.
        self._gathered = False  # Something was sent that has not left yet.
        self._full = False  # The protocol was asked to pause writing.
        self._high = association.config.send_buffer
        self._low = self._high // _LOW_SHARE
        self._deadline: asyncio.TimerHandle | None = None
        context.run(self._call, "connection_made", self)
        association.attach(self, self._run)

    def __repr__(self) -> str:
        return f"<sctpx.SctpTransport of {self._association!r}>"

    @property
    def association(self) -> Association:
        """The association: its state, paths, counters, and all its calls but those that receive."""
        return self._association

    # --- sending ---

    def send(
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
        """Send one message, with the arguments of ``Association.send``. Never waits: ``pause_writing`` tells to.

        What a protocol sends while it is handed several messages leaves together, behind the last one.

        Raises ``OSError`` as ``Association.send`` does: EINVAL, EMSGSIZE, ``BrokenPipeError`` (closing, shutting down
        or over); ``AssociationAborted`` or ``AssociationLost`` once it has failed.
        """
        if self._closing:
            raise BrokenPipeError(EPIPE, "the transport is closing")
        association = self._association
        gather = self._reading and length_hint(self._unhanded) > 0
        if gather:
            self._gathered = True
        association.post(
            data,
            stream,
            ppid,
            unordered,
            immediate,
            address,
            lifetime,
            retransmits,
            priority,
            key,
            flush=not gather,
        )
        if not self._full and association.buffered > self._high:
            self._pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Above ``high`` bytes in the send buffer ``pause_writing`` is called, then down at ``low`` ``resume_writing``.

        By default ``high`` is ``AssociationConfig.send_buffer``, or four times ``low``, and ``low`` a quarter of
        ``high``. ``ValueError`` unless ``high`` >= ``low`` >= 0.
        """
        if high is None:
            high = self._association.config.send_buffer if low is None else _LOW_SHARE * low
        if low is None:
            low = high // _LOW_SHARE
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be at least low ({low}), and low at least 0")
        self._high, self._low = high, low
        if not self._full and self._association.buffered > high:
            self._pause_writing()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The lower and the upper limit."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """Bytes in the send buffer: what was not sent or not acknowledged, each message with its overhead."""
        return self._association.buffered

    def _pause_writing(self) -> None:
        self._full = True
        self._association.want_room()
        self._call("pause_writing")

    def _resume_writing(self) -> None:
        """There may be less in the send buffer."""
        if self._association.buffered > self._low:
            self._association.want_room()
        else:
            self._full = False
            self._call("resume_writing")

    # --- receiving ---

    def is_reading(self) -> bool:
        """Whether messages are handed over: it is neither paused nor closing."""
        return self._reading

    def pause_reading(self) -> None:
        """Hand over no messages until ``resume_reading``. The peer can send what the receive buffer takes."""
        self._paused = True
        self._reading = False

    def resume_reading(self) -> None:
        """Hand over messages again, soon."""
        self._paused = False
        self._reading = not self._closing
        self._soon()

    # --- the end ---

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more: it is closing, the peer shuts down, or it is over."""
        return self._closing or self._association.state != _ESTABLISHED

    def close(self) -> None:
        """End gracefully: what was sent is delivered first. No more messages are handed over.

        If that takes longer than ``Association.close_timeout`` the association is aborted.
        """
        if self._closing:
            return
        self._stop()
        if not self._association.ended:
            self._association.begin_shutdown()
            timeout = self._association.close_timeout
            if timeout is not None and not self._association.ended:
                self._deadline = self._loop.call_later(timeout, self._association.give_up_shutdown)

    def abort(self, reason: str | bytes = b"") -> None:
        """End at once, whatever is under way; the peer's user is told the reason."""
        self._stop()
        self._association.abort(reason)

    def _stop(self) -> None:
        self._closing = True
        self._reading = False
        self._soon()  # What has arrived is dropped, and makes room for the peer to end.

    # --- what else a transport has ---

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``"peername"`` and ``"sockname"``, address and SCTP port of the primary path's ends; ``"association"``."""
        association = self._association
        if name == "association":
            return association
        if name == "peername" and association.primary:
            return association.primary, association.peer_port
        if name == "sockname" and association.local_addresses:
            return association.local_addresses[0], association.port
        return default

    def set_protocol(self, protocol: SctpProtocol) -> None:  # type: ignore[override]
        """Call another protocol from now on."""
        self._protocol = protocol

    def get_protocol(self) -> SctpProtocol:  # type: ignore[override]
        """The protocol that is called."""
        return self._protocol

    # --- for the association ---

    def on_event(self, event: e.Event, readable: int) -> None:
        """Something happened, when so many messages could be read. The protocol is told later."""
        if isinstance(event, _NOT_TOLD):
            return
        place = self._before + len(self._read) + readable
        told = self._told
        told.append((place, event))
        # Parts of a message that a restart has cut short are dropped: there are fewer messages before than there were.
        for index in range(len(told) - 2, -1, -1):
            if told[index][0] <= place:
                break
            told[index] = place, told[index][1]
        self._association.wake_transport()

    def deliver(self) -> None:
        """Tell the protocol now; for callbacks of the event loop that have nothing half done."""
        self._run()

    # --- telling the protocol ---

    def _soon(self) -> None:
        """Deliver in the next iteration of the loop. Twice: the first call may be interrupted where it begins."""
        self._loop.call_soon(self._run)
        self._loop.call_soon(self._run)

    def _deliver(self) -> None:
        try:
            if self._closing:
                self._drop()
            while not self._over:
                if self._told and self._is_due(self._told[0][0]):
                    self._tell(self._told.popleft()[1])
                elif not (self._reading and self._hand_over()):
                    break
            if self._gathered:
                self._association.flush()
                self._gathered = False
            if self._full and not self._over:
                self._resume_writing()
        except BaseException:
            self._soon()  # The rest.
            raise

    @property
    def _handed(self) -> int:
        """How many messages were handed over."""
        return self._before + len(self._read) - length_hint(self._unhanded)

    def _is_due(self, place: int) -> bool:
        """Whether all messages before an event were handed over, or are gone; or too many events wait for that."""
        unread = length_hint(self._unhanded) or self._association.readable
        return place <= self._handed or not unread or len(self._told) > EVENTS_KEPT

    def _hand_over(self) -> bool:
        """Hand messages over, up to the next event. Whether there may be more to tell."""
        if not length_hint(self._unhanded):
            if not self._association.readable:
                return False
            self._read_more()
        protocol = self._protocol
        calls: Iterator[object] = map(protocol.message_received, map(to_message, self._unhanded))
        if self._told:
            calls = islice(calls, self._told[0][0] - self._handed)
        try:
            for _ in calls:
                if not self._reading or self._protocol is not protocol:
                    break
        except BaseException as error:
            self._on_failure("message_received", error)
        return bool(self._told) or length_hint(self._unhanded) > 0

    def _read_more(self) -> None:
        """All messages that are ready. An iterator sees what a list is given later."""
        read: list[CoreMessage] = []
        before = self._before + len(self._read)
        self._read, self._unhanded, self._before = read, iter(read), before
        self._association.read_into(read)

    def _drop(self) -> None:
        """Nobody wants what has arrived."""
        self._read_more()
        self._unhanded = iter(())

    def _tell(self, event: e.Event) -> None:
        if isinstance(event, _ENDS):
            self._over = True
            if self._deadline is not None:
                self._deadline.cancel()
            self._call("connection_lost", _failure(event))
        else:
            self._call("event_received", event)

    def _call(self, name: str, *arguments: object) -> None:
        """Call a method of the protocol."""
        try:
            getattr(self._protocol, name)(*arguments)
        except BaseException as error:
            self._on_failure(name, error)

    def _on_failure(self, name: str, error: BaseException) -> None:
        """A method of the protocol has raised. That the association is ending is no failure of the method."""
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise error
        if isinstance(error, _ITS_OWN_END) and self.is_closing():
            return
        text = f"{name} of {self._protocol!r} failed"
        self._loop.call_exception_handler(
            {"message": text, "exception": error, "transport": self, "protocol": self._protocol}
        )


def _failure(end: e.Event) -> Exception | None:
    """What an association has failed by; ``None`` if it was shut down, or aborted by this side."""
    if not isinstance(end, e.CommunicationLost) or (end.error == ECONNABORTED and not end.by_peer):
        return None
    return loss(end)
