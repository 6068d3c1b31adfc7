"""The asyncio driver: runs one core ``Stack`` on one link, in one event loop.

It is the loop every driver is (feed the stack, ``poll_transmit``, ``poll_event``, wait until ``next_timeout``), turned
inside out for asyncio. Input comes by ``add_reader``; verbs come from coroutines, which change the core and then call
``flush``: packets leave in the caller's own step, with no task and no thread between. There is one timer for
the whole stack, which is set anew only when something is due earlier than it, and looks what is due when it goes off.

Invariants: user code never runs within ``flush`` (futures wake tasks later, callbacks are scheduled), so the stack is
never entered twice. Tasks that wait for what a readable socket brought are resumed when all of it has been handled:
an answer leaves in the same iteration of the loop. A Transmit that the link has no room for is kept, and nothing else
is polled until it is gone. A round sends a bounded number of bytes; if there is more, it goes on in the next
iteration of the loop, after input had its turn. A driver that has lost its last endpoint closes itself, and its link
with it, once everything has been sent.

Where the loop cannot watch file descriptors (Windows' proactor) a task for each socket waits in ``loop.sock_recvfrom``.
What else differs between event loops is in ``loops``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from errno import EAGAIN, ENOBUFS
from typing import Any, Final, Protocol, final

from ..core.association.association import Association, association_of
from ..core.config import NANOSECONDS
from ..core.entropy import RandomBytes
from ..core.events import CommunicationUp, Event
from ..core.outputs import Transmit
from ..core.stack import Stack
from ..core.timers import MILLISECOND, NEVER
from ..deferral import Guard
from ..link import Link, Received, ReturnedPacket, forbids_fragments, reads_ecn
from ..link.addresses import AddressLike
from ..link.interfaces import zone_of_local
from .following import Following
from .loops import Watchable, earliness, watchable
from .waiting import Line

BATCHES_PER_ROUND: Final = 8
"""What is received from a socket in one wake-up."""
ROUND: Final = 8 * 65536
"""Bytes that the stack sends in one round: so many large batches..."""
SEND: Final = 4096
"""...or more small packets, which cost less: what sending anything counts besides its bytes."""
RETRY_DELAY: Final = 0.001
"""Seconds until a full queue of the interface (ENOBUFS) is tried again."""
OVERDUE: Final = 100 * MILLISECOND
"""How late the timer may be, ns, before it is set anew."""
_DATAGRAM_LIMIT: Final = 65535


class Owner(Protocol):
    """What hangs on an association of the core (``Association.owner``) and is told what happens to it."""

    def handle_event(self, event: Event) -> None:
        """Something happened. Must not enter the stack, nor run code of users."""


class Holder(Protocol):
    """What has an SCTP port of the stack: takes the associations that peers set up."""

    def adopt(self, association: Association) -> Owner:
        """A peer set up an association: make its owner."""

    def on_addresses_changed(self) -> None:
        """The addresses of the host are others than before."""

    def close(self) -> None:
        """Give the SCTP port up."""

    def abandon(self) -> None:
        """This is the child of a fork, and the SCTP port is the parent's."""


@final
class Driver:
    """One stack, one link, one event loop."""

    __slots__ = (
        "_armed",
        "_clock",
        "_continuing",
        "_crowded",
        "_due",
        "_earliness",
        "_following",
        "_holders",
        "_kept",
        "_latest",
        "_loop",
        "_on_closed",
        "_receivers",
        "_retry",
        "_timer",
        "_watched",
        "_writer",
        "closed",
        "guard",
        "link",
        "stack",
    )

    def __init__(
        self,
        link: Link[Any],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        random_bytes: RandomBytes = os.urandom,
        on_closed: Callable[[Driver], object] | None = None,
    ) -> None:
        """Run a new stack over ``link`` in the running event loop. The driver closes the link.

        ``clock`` gives nanoseconds; ``on_closed`` is called when the driver has closed itself. A link without sockets
        hands in what it receives by ``receive``. ``OSError`` if the loop cannot watch the sockets; the link is closed.
        """
        self.link = link
        self.stack = Stack(random_bytes, clock(), zone_of_local=zone_of_local)
        self.stack.reads_ecn = reads_ecn(link)
        self.stack.ask_link_mtu = link.max_packet
        self.stack.forbids_fragments = forbids_fragments(link)
        self.closed = False
        self.guard = Guard()
        """Defers signals: whoever changes the stack, or hears of it, does so under it and its lock."""
        self._loop = asyncio.get_running_loop()
        self._earliness = earliness(self._loop)
        self._clock = clock
        self._on_closed: Callable[[Driver], object] | None = None
        self._latest = 0
        self._holders: dict[int, Holder] = {}
        self._kept: Transmit | None = None
        self._writer = -1
        self._retry: asyncio.TimerHandle | None = None
        self._continuing = False
        self._crowded = False
        self._due: list[Callable[[], None]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = NEVER
        self._following: Following | None = None
        self._watched: dict[int, Watchable] = {}
        self._receivers: dict[int, asyncio.Task[None]] = {}
        try:
            self._watch()
        except OSError:
            self.close()
            raise
        self._on_closed = on_closed

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop it runs in."""
        return self._loop

    def now(self) -> int:
        """The time, ns. Never goes back: a timer may have gone off a little early, at the time it was set for."""
        now = self._clock()
        if now > self._latest:
            self._latest = now
        return self._latest

    # --- addresses and ports ---

    def add_address(self, address: AddressLike) -> None:
        """Carry packets of one more local address. ``OSError`` as ``Link.add_address`` says."""
        self.link.add_address(address)
        self._watch()

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer. A Transmit that is kept for it is lost."""
        for sock in self.link.sockets:
            descriptor = sock.fileno()
            if sock.address != address:
                continue
            running = not self._loop.is_closed()
            if self._writer == descriptor and running:
                self._stop_waiting()
                self._loop.call_soon(self.flush)
            watched = self._watched.pop(descriptor, None)
            if watched is not None:
                if running:
                    self._loop.remove_reader(watched.fileno())
                watched.close()
            receiver = self._receivers.pop(descriptor, None)
            if receiver is not None and running:
                receiver.cancel()
        self.link.remove_address(address)

    def watch_addresses(self) -> None:
        """From now on, tell the holders of ports whenever the addresses of the host may have changed."""
        if self._following is None:
            self._following = Following(self._loop, self._clock, self._on_addresses_changed)

    def _on_addresses_changed(self) -> None:
        with self.guard, self.guard.lock:
            for holder in list(self._holders.values()):
                holder.on_addresses_changed()
            self.flush_here()

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Carry packets of an SCTP port at these addresses. ``OSError`` as ``Link.open_port`` says."""
        self.link.open_port(port, addresses)

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Carry no more packets of an SCTP port at these addresses, or at any."""
        self.link.close_port(port, addresses)

    def has_sctp_port(self, port: int) -> bool:
        """Whether an endpoint of the stack has this SCTP port."""
        return port in self.stack.endpoints

    def register(self, port: int, holder: Holder) -> None:
        """``holder`` has this SCTP port of the stack."""
        self._holders[port] = holder

    def holder(self, port: int) -> Holder | None:
        """Who has this SCTP port of the stack."""
        return self._holders.get(port)

    def release(self, port: int) -> None:
        """The SCTP port has been given up. After the last one the next ``flush`` closes the driver."""
        self._holders.pop(port, None)
        self.link.close_port(port)

    # --- input ---

    def receive(self, batches: Iterable[Received], errors: Iterable[ReturnedPacket] = ()) -> None:
        """Packets have arrived, and ICMP errors for packets of ours."""
        with self.guard, self.guard.lock:
            self._feed(batches, errors)
            self.flush_here()

    def _feed(self, batches: Iterable[Received], errors: Iterable[ReturnedPacket]) -> None:
        stack = self.stack
        try:
            for batch in batches:
                stack.receive(self.now(), *batch)
            for error in errors:
                stack.handle_icmp(self.now(), *error)
        except BaseException:
            self.break_off()
            raise

    def break_off(self) -> None:
        """An exception has left the stack in the middle of a change: what is concerned ends with an ABORT, soon."""
        self.stack.break_off()
        if not self._loop.is_closed():
            self._loop.call_soon(self.flush)

    def _watch(self) -> None:
        """See to the sockets of the link that are not seen to yet."""
        for sock in self.link.sockets:
            descriptor = sock.fileno()
            if descriptor in self._watched or descriptor in self._receivers:
                continue
            watched = watchable(self._loop, descriptor)
            try:
                self._loop.add_reader(watched.fileno(), self._on_readable, sock)
            except NotImplementedError:
                watched.close()
                self._receivers[descriptor] = self._loop.create_task(self._receive_from(sock))
            else:
                self._watched[descriptor] = watched

    def _on_readable(self, sock: Any) -> None:
        """Take what has arrived: all of it where there is much at a time; else the first alone is answered first."""
        if not self._crowded:
            first = self._receive_and_resume(sock, 1)
            if not first or self.closed:
                return
        batches = self._receive_and_resume(sock, BATCHES_PER_ROUND)
        if self._crowded:
            self._crowded = len(batches) > 1 or any(len(batch[3]) > batch[4] for batch in batches)
        else:
            self._crowded = bool(batches)

    def _receive_and_resume(self, sock: Any, limit: int) -> list[Received]:
        """Take so much from a socket, and let go on who waited for it, with signal handlers as they are."""
        due: list[Callable[[], None]] = []
        try:
            with self.guard, self.guard.lock:
                batches = self.link.receive(sock, limit)
                # The first packet is answered before anything else is looked at.
                errors = () if batches and limit == 1 else self.link.receive_errors(sock)
                if batches or errors or limit == 1:
                    self._due = due
                    self._feed(batches, errors)
                    self.flush_here()
                    self._due = None
            while due:
                due[0]()
                del due[0]
        finally:
            self._due = None
            for resume in due:  # Something has stopped the loop, as who is resumed may: the others go on with it.
                self._loop.call_soon(resume)
        return batches

    def wake(self, line: Line) -> None:
        """For owners, when they are told what happened: wake the first in this line."""
        if self._due is None:
            line.wake()
        elif line.waiting:
            self._due.append(line.resume)

    def wake_all(self, line: Line) -> None:
        """For owners: wake all in this line."""
        if self._due is None:
            line.wake_all()
        elif line.waiting:
            self._due.append(line.resume_all)

    async def _receive_from(self, sock: Any) -> None:
        """Receive without ``add_reader``: wait for one datagram, then take what came with it."""
        while not self.closed:
            batches: list[Received] = []
            try:
                data, source = await self._loop.sock_recvfrom(sock.socket, _DATAGRAM_LIMIT)
            except OSError:
                # That something sent earlier was refused is reported here. Whatever it is, it must not make this spin.
                await asyncio.sleep(RETRY_DELAY)
            else:
                batches.append(sock.received(data, source))
            batches += self.link.receive(sock, BATCHES_PER_ROUND - 1)
            self.receive([batch for batch in batches if batch[3]], self.link.receive_errors(sock))

    # --- output ---

    def flush(self) -> None:
        """After every change to the stack: send what can be sent now, tell what happened, set the timer."""
        with self.guard, self.guard.lock:
            self.flush_here()

    def flush_here(self) -> None:
        """The same, for who is under the guard already."""
        if not self.closed:
            try:
                self._step()
                self._set_timer()
            except BaseException:
                self.break_off()
                raise

    def _step(self) -> None:
        """Send what can be sent now, tell what happened, and close if nobody is left."""
        if self._kept is None:
            self._transmit(self.now())
        event = self.stack.first_event()
        if event is not None:
            self._pass_on(event)
        if not self._holders and self._kept is None and not self._continuing:
            self.close()

    def _pass_on(self, first: Event) -> None:
        """All events, from the first one on."""
        next_event = self.stack.next_event
        event: Event | None = first
        try:
            while event is not None:
                self._dispatch(event)
                event = next_event()
        except BaseException:
            self.stack.break_off_event()
            raise

    def _transmit(self, now: int) -> None:
        poll_transmit = self.stack.poll_transmit
        send = self.link.send
        left = ROUND
        while left > 0:
            transmit = poll_transmit(now)
            if transmit is None:
                return
            left -= len(transmit.data) + SEND
            error = send(transmit)
            if error:
                self._on_send_error(now, transmit, error)
                if self._kept is not None:
                    return
        if not self._continuing:
            self._continuing = True
            self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        """The next round of what did not fit into one."""
        self._continuing = False
        self.flush()

    def _on_send_error(self, now: int, transmit: Transmit, error: int) -> None:
        if error not in (EAGAIN, ENOBUFS):
            self.stack.handle_send_error(now, transmit, error)
            return
        self._kept = transmit
        sock = self.link.socket_for(transmit) if error == EAGAIN else None
        if sock is not None and sock.fileno() in self._watched:
            self._writer = sock.fileno()
            self._loop.add_writer(self._writer, self._send_kept)
        else:
            self._retry = self._loop.call_later(RETRY_DELAY, self._send_kept)

    def _send_kept(self) -> None:
        """There may be room again for the Transmit that was kept."""
        with self.guard, self.guard.lock:
            transmit = self._kept
            if transmit is None:
                return
            self._stop_waiting()
            error = self.link.send(transmit)
            if error:
                self._on_send_error(self.now(), transmit, error)
            self.flush_here()

    def _stop_waiting(self) -> None:
        self._kept = None
        if self._writer >= 0:
            self._loop.remove_writer(self._writer)
            self._writer = -1
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _dispatch(self, event: Event) -> None:
        association = association_of(event)
        owner: Any = association.owner
        if owner is None:
            holder = self._holders.get(association.endpoint.port)
            if holder is None or not isinstance(event, CommunicationUp):
                return
            association.owner = owner = holder.adopt(association)
        owner.handle_event(event)

    # --- time ---

    def _set_timer(self) -> None:
        """See to it that the driver wakes up when something is due."""
        deadline = self.stack.next_timeout()
        if deadline is None or self.closed:
            return
        # A timer that should have gone off was lost with the callback that an exception of another one ended.
        if deadline < self._armed or self._armed + OVERDUE < self._latest:
            self._armed = deadline
            if self._timer is not None:
                self._timer.cancel()
            delay = max(deadline - self.now(), 0) / NANOSECONDS + self._earliness
            self._timer = self._loop.call_at(self._loop.time() + delay, self._on_timer)

    def _on_timer(self) -> None:
        """The time the timer was set for has come; what it was set for may have moved on."""
        with self.guard, self.guard.lock:
            self._latest = max(self._latest, self._armed)
            self._timer = None
            self._armed = NEVER
            now = self.now()
            deadline = self.stack.next_timeout()
            if deadline is not None and deadline <= now:
                try:
                    self.stack.handle_timeout(now)
                except BaseException:
                    self.break_off()
                    raise
            self.flush_here()

    # --- the end ---

    @property
    def blocked(self) -> bool:
        """Whether a Transmit is kept because the link had no room for it."""
        return self._kept is not None

    @property
    def descriptors(self) -> list[int]:
        """The file descriptors of the link's sockets."""
        return [sock.fileno() for sock in self.link.sockets]

    def run_once(self) -> None:
        """Do without the event loop what it would have this driver do now."""
        if not self.closed:
            with self.guard, self.guard.lock:
                self._run_once()

    def _run_once(self) -> None:
        self._send_all()  # An ABORT leaves before what it makes out of the blue is answered.
        for sock in self.link.sockets:
            self._feed(self.link.receive(sock, BATCHES_PER_ROUND), ())
            self._feed((), self.link.receive_errors(sock))
        now = self.now()
        deadline = self.stack.next_timeout()
        if deadline is not None and deadline <= now:
            self.stack.handle_timeout(now)
        self._send_all()
        while (event := self.stack.poll_event()) is not None:
            with self._waking():
                self._dispatch(event)

    def _send_all(self) -> None:
        """Send all there is, or as much as the link has room for."""
        now = self.now()
        transmit = self._kept
        if not self._loop.is_closed():
            self._stop_waiting()
        while transmit is not None or (transmit := self.stack.poll_transmit(now)) is not None:
            error = self.link.send(transmit)
            if error in (EAGAIN, ENOBUFS):
                self._kept = transmit
                return
            if error:
                self.stack.handle_send_error(now, transmit, error)
            transmit = None
        self._kept = None

    def _waking(self) -> AbstractContextManager[None]:
        """Where those who wait are woken: a loop that is closed does not take their callbacks, and says so."""
        return suppress(RuntimeError) if self._loop.is_closed() else nullcontext()

    def give_up(self) -> None:
        """Close all endpoints, and the driver with them."""
        for holder in list(self._holders.values()):
            with self._waking():
                holder.close()
        self.close()

    def close(self) -> None:
        """Stop at once and close the link. Closing twice does nothing."""
        if self.closed:
            return
        self.closed = True
        if not self._loop.is_closed():
            self._leave_loop()
        self._close_sockets()
        if self._on_closed is not None:
            self._on_closed(self)

    def _leave_loop(self) -> None:
        self._stop_waiting()
        if self._timer is not None:
            self._timer.cancel()
        for watched in self._watched.values():
            self._loop.remove_reader(watched.fileno())
        for receiver in self._receivers.values():
            receiver.cancel()
        if self._following is not None:
            self._following.leave_loop()

    def _close_sockets(self) -> None:
        for watched in self._watched.values():
            watched.close()
        if self._following is not None:
            self._following.close()
        self.link.close()

    def abandon(self) -> None:
        """This is the child of a fork: give up the sockets. Nothing is sent, and the event loop is left alone.

        Parent and child share what the loop waits in (epoll): what the child removes there, the parent does not hear.
        """
        self.closed = True
        self._close_sockets()
        for holder in self._holders.values():
            holder.abandon()
