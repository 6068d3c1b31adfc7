"""The asyncio driver: runs one core ``Stack`` on one link, in one event loop.

It is the loop every driver is (feed the stack, ``poll_transmit``, ``poll_event``, wait until ``next_timeout``), turned
inside out for asyncio. Input comes by ``add_reader``; verbs come from coroutines, which change the core and then call
``flush``: packets leave in the caller's own step, with no task and no thread between. There is one timer for
the whole stack, which is set anew only when something is due earlier than it, and looks what is due when it goes off.

Invariants: user code never runs within ``flush`` (futures wake tasks later, callbacks are scheduled), so the stack is
never entered twice. Tasks that wait for what a readable socket brought are resumed when all of it has been handled:
an answer leaves in the same iteration of the loop. A driver that has lost its last endpoint closes itself, and its
link with it, once everything has been sent (``output``).

Changes are made under a guard (``deferral``), with one exception: signal handlers run between steps of interpreted
code only, and where the driver, its link and the stack are compiled, there are none of these between a message and its
packets. So user data comes and goes without a guard there, and takes one for what calls the owners or the event loop.

What differs between event loops is in ``watching`` and ``loops``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol, final

from ..core.association.association import Association, association_of
from ..core.config import NANOSECONDS
from ..core.entropy import RandomBytes
from ..core.events import CommunicationUp, Event, Readable
from ..core.stack import Stack
from ..core.timers import MILLISECOND, NEVER
from ..core.worker import Worker
from ..deferral import Guard, is_orderly
from ..link import Link, Received, ReturnedPacket, forbids_fragments, read_ecn
from ..link.addresses import AddressLike
from ..link.arrivals import Arrivals
from ..link.busy_poll import polling_limit
from ..link.interfaces import zone_of_local
from ..link.udp import UdpLink
from ..sockapi.message_calls import REFUSALS
from ..sockapi.receive import CoreMessage
from ..wire.compiled import COMPILED
from ..wire.first_look import is_user_data
from .following import Following
from .loops import earliness, waking
from .output import RETRY_DELAY, Output
from .polling import Polling
from .waiting import Line
from .watching import Watching

BATCHES_PER_ROUND: Final = 8
"""What is received from a socket in one wake-up."""
OVERDUE: Final = 100 * MILLISECOND
"""How late the timer may be, ns, before it is set anew."""
_DATAGRAM_LIMIT: Final = 65535


class Owner(Protocol):
    """What hangs on an association of the core (``Association.owner``) and is told what happens to it."""

    @property
    def readers(self) -> Line:
        """Those who wait for messages."""

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
        "_arrivals",
        "_clock",
        "_due",
        "_earliness",
        "_following",
        "_holders",
        "_latest",
        "_loop",
        "_on_closed",
        "_output",
        "_polling",
        "_quiet",
        "_timer",
        "_watching",
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
        worker: Worker | None = None,
    ) -> None:
        """Run a new stack over ``link`` in the running event loop. The driver closes the link.

        ``clock`` gives nanoseconds; ``on_closed`` is called when the driver has closed itself. A link without sockets
        hands in what it receives by ``receive``. ``OSError`` if the loop cannot watch the sockets; the link is closed.
        """
        self.link = link
        self.stack = Stack(random_bytes, clock(), zone_of_local=zone_of_local, worker=worker)
        self.stack.read_ecn = partial(read_ecn, link)
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
        self._quiet = COMPILED and type(link) is UdpLink and clock is time.monotonic_ns
        self._arrivals = Arrivals()
        self._due: list[Callable[[], None]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = NEVER
        self._following: Following | None = None
        self._polling = Polling(self._loop, polling_limit() if clock is time.monotonic_ns else 0)
        self._watching = Watching(self._loop, self._on_readable, self._receive_from)
        self._output = Output(self.stack, link, self._loop, self._watching, self._arrivals, self.flush, self._send_kept)
        try:
            self._watching.see_to(link.sockets)
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
        self._watching.see_to(self.link.sockets)

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer. A Transmit that is kept for it is lost."""
        for sock in self.link.sockets:
            if sock.address == address:
                if not self._loop.is_closed():
                    self._output.drop_for(sock.fileno())
                self._watching.forget(sock.fileno())
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

    def _on_readable(self, sock: Any) -> None:
        """Take what has arrived, and poll for the next packet if that pays."""
        came = time.monotonic_ns()
        if self._take(sock) and not self.closed:
            self._polling.go_on(came, self._arrivals.in_dialogue)

    def _take(self, sock: Any) -> bool:
        """Take all there is where many packets come at a time; else the first alone is answered first. False: none."""
        arrivals = self._arrivals
        first: list[Received] = []
        if not arrivals.crowded:
            first = self._receive_and_resume(sock, 1)
            if not first or self.closed:
                return False
            if not arrivals.note_first(first[0]):
                return True
        rest = self._receive_and_resume(sock, BATCHES_PER_ROUND)
        arrivals.note_rest(rest)
        return bool(first or rest)

    def _receive_and_resume(self, sock: Any, limit: int) -> list[Received]:
        """Take so much from a socket, and let go on who waited for it, with signal handlers as they are."""
        due: list[Callable[[], None]] = []
        batches: list[Received] = self.link.receive(sock, limit) if self._quiet else []
        try:
            if limit == 1 and batches and is_user_data(batches[0][3]):
                self._due = due
                self._feed(batches, ())
                self._flush_quietly()
                self._due = None
            else:
                self._receive_guarded(sock, limit, batches, due)
            while due:
                due[0]()
                del due[0]
        finally:
            self._due = None
            for resume in due:  # Something has stopped the loop, as who is resumed may: the others go on with it.
                self._loop.call_soon(resume)
        return batches

    def _receive_guarded(self, sock: Any, limit: int, batches: list[Received], due: list[Callable[[], None]]) -> None:
        """Handle what was taken from a socket, or take it if that was not done yet; who waits for it is in ``due``."""
        with self.guard, self.guard.lock:
            if not self._quiet:
                batches += self.link.receive(sock, limit)
            # The first packet is answered before anything else is looked at.
            errors = () if batches and limit == 1 else self.link.receive_errors(sock)
            if batches or errors or limit == 1:
                self._due = due
                self._feed(batches, errors)
                self.flush_here()
                self._due = None

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

    # --- user data ---

    def send(
        self,
        core: Association,
        data: bytes,
        stream: int,
        ppid: int,
        unordered: bool,
        immediate: bool,
        remote: bytes,
        policy: int,
        value: int,
        key: int,
        flush: bool = True,
    ) -> None:
        """``Association.send`` of the core, and with ``flush`` what can leave of it leaves. Raises like that.

        If an exception comes in the middle, the association ends with an ABORT.
        """
        changing = self._quiet
        try:
            if changing:
                core.send(self.now(), data, stream, ppid, unordered, immediate, remote, None, policy, value, key)
                if flush:
                    self._flush_quietly()
            else:
                with self.guard, self.guard.lock:
                    changing = True
                    core.send(self.now(), data, stream, ppid, unordered, immediate, remote, None, policy, value, key)
                    if flush:
                        self.flush_here()
                    changing = False
        except BaseException as error:
            if changing:
                self.break_off_after(core, error)
            raise

    def read(self, core: Association, limit: int, taken: list[CoreMessage]) -> None:
        """``Association.read`` of the core, into ``taken``: what is there is not lost if this raises.

        If that opens the window, the peer is told. If an exception comes in the middle, the association ends with an
        ABORT.
        """
        changing = self._quiet
        try:
            if changing:
                taken += core.read(limit)
                if core.ready:
                    self._flush_quietly()
            else:
                with self.guard, self.guard.lock:
                    changing = True
                    taken += core.read(limit)
                    if core.ready:
                        self.flush_here()
                    changing = False
        except BaseException as error:
            if changing and not taken:
                self.break_off_after(core, error)
            raise

    def break_off_after(self, core: Association, error: BaseException) -> None:
        """If an exception has left an association in the middle of a change, end it with an ABORT."""
        if not isinstance(error, REFUSALS) and not is_orderly(error) and core.owner is not None:
            with self.guard, self.guard.lock:
                core.break_off()
                self.flush_here()

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

    def _flush_quietly(self) -> None:
        """The same after user data came or went in compiled code, with a guard only where it takes one."""
        if self.closed:
            return
        try:
            sent = self._output.send_ready(self.now())
            if self._hand_on_messages() and sent and self._holders and self._missed_deadline() == NEVER:
                return
            self.flush()
        except BaseException:
            self.break_off()
            raise

    def _hand_on_messages(self) -> bool:
        """Tell those who wait for messages, as long as that takes no interpreted code. True if that was all."""
        event = self.stack.first_event()
        while event is not None:
            owner: Any = association_of(event).owner
            if type(event) is not Readable or owner is None:
                return False
            readers: Line = owner.readers
            if readers.waiting:
                if self._due is None:
                    return False
                self._due.append(readers.resume)
            event = self.stack.next_event()
        return True

    def _step(self) -> None:
        """Send what can be sent now, tell what happened, and close if nobody is left."""
        self._output.go_on(self.now())
        event = self.stack.first_event()
        if event is not None:
            self._pass_on(event)
        if not self._holders and not self._output.busy:
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

    def _send_kept(self) -> None:
        """There may be room again for the Transmit that was kept."""
        with self.guard, self.guard.lock:
            if self._output.try_kept(self.now()):
                self.flush_here()

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
        deadline = self._missed_deadline()
        if deadline != NEVER and not self.closed:
            self._armed = deadline
            if self._timer is not None:
                self._timer.cancel()
            delay = max(deadline - self.now(), 0) / NANOSECONDS + self._earliness
            self._timer = self._loop.call_at(self._loop.time() + delay, self._on_timer)

    def _missed_deadline(self) -> int:
        """What is due before the timer goes off, ns; ``NEVER`` if the timer is set well.

        A timer that should have gone off was lost with the callback that an exception of another one ended.
        """
        deadline = self.stack.next_timeout()
        if deadline is not None and (deadline < self._armed or self._armed + OVERDUE < self._latest):
            return deadline
        return NEVER

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
        return self._output.kept is not None

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
        self._output.send_all(self.now())  # An ABORT leaves before what it makes out of the blue is answered.
        for sock in self.link.sockets:
            self._feed(self.link.receive(sock, BATCHES_PER_ROUND), ())
            self._feed((), self.link.receive_errors(sock))
        now = self.now()
        deadline = self.stack.next_timeout()
        if deadline is not None and deadline <= now:
            self.stack.handle_timeout(now)
        self._output.send_all(now)
        while (event := self.stack.poll_event()) is not None:
            with waking(self._loop):
                self._dispatch(event)

    def give_up(self) -> None:
        """Close all endpoints, and the driver with them."""
        for holder in list(self._holders.values()):
            with waking(self._loop):
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
        self._polling.stop()
        self._output.stop_waiting()
        if self._timer is not None:
            self._timer.cancel()
        self._watching.leave_loop()
        if self._following is not None:
            self._following.leave_loop()

    def _close_sockets(self) -> None:
        self._watching.close()
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
