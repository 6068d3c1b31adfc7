"""The one lock of all blocking sockets, and who of them waits for the network: leader and followers.

Everything that touches a stack happens under the lock, and the lock is never held while anybody waits. A call that has
to wait becomes the *leader*: it waits in ``select`` on the UDP sockets of all drivers itself, feeds what arrived to
their stacks, lets them send, and goes back to its caller as soon as what it waited for has happened. In a dialogue the
leader polls before it sleeps (``link.busy_poll``). Calls that wait meanwhile are *followers*, each behind a gate of its
own; the leader opens the gates of those it can help, and when it leaves, one of them leads. So a ``recv`` in a loop
reads the UDP socket itself, with no thread between.

The I/O thread does the leader's work while no call waits: retransmissions, acknowledgements, heartbeats and incoming
associations go on while the program does something else. It does not take over at once: as long as calls keep
leading, it sleeps for a while (``GRACE``), looks again, and parks for good while one call waits for long. A call takes
the lead from it without asking: the thread, when something wakes it, sees that it does not lead any more and
leaves what has arrived to the other. The thread begins with the first driver, and ends a little after the last one.

Whoever waits for the network does so until the earliest deadline known then; a change that brings an earlier one
interrupts it. A deadline that moved into the future is not followed: it costs one needless look, not a system call
each time.

Whoever has the lock has signals deferred (``deferral``): a signal handler runs, and raises, while a call waits and when
it is over, and never in the middle of a change. One place gives the lock back for a wait and takes it again
(``Guard.wait``), and leaving a line can be done twice: what is interrupted is one call, not all sockets. An exception
that nothing can hold back, as that of a trace function, ends the associations concerned (``Driver.break_off``).
A signal handler can also make calls that wait, while it interrupts a call of the main thread that waits. The
interrupted call can do nothing before the handler returns. So a call in the handler takes the lead from it and gives
the lead back, and the follower that is promoted is the one that came last: the interrupted call came before the
handler's.

The hub lives as long as the process. In the child of a ``fork`` it starts anew and empty. When the process ends
(``process_end``) all sockets are shut down gracefully, as long as their peers make progress and within a limited time
(``sockapi.ending``); the rest is aborted. Finalizers of Python objects run anywhere, even while the lock is held: they
only queue their work.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from _thread import RLock, allocate_lock
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar, final

from .. import process_end
from ..core.config import NANOSECONDS
from ..core.timers import MILLISECOND, NEVER
from ..deferral import Guard
from ..link.busy_poll import BusyPoll, polling_limit
from ..sockapi.ending import Ending
from .waiting import Line, Waiter

GRACE: Final = 0.02
"""Seconds the I/O thread lets pass without a leader before it leads."""
IDLE: Final = 100 * MILLISECOND
"""How long the I/O thread outlives the last driver, ns: a program without sockets has no thread of ours."""
LOOK: Final = 100 * MILLISECOND
"""How often it is seen at the end of the process whether peers make progress, ns."""
LAST_WORDS: Final = 200 * MILLISECOND
"""How long the last packets may take to leave this host, ns."""
IO_THREAD: Final = "sctpx"
"""The name of the I/O thread."""
_BUFFER: Final = 4096
T = TypeVar("T")


class Carrier(Protocol):
    """What the hub drives: one stack on its sockets."""

    closed: bool

    @property
    def in_dialogue(self) -> bool:
        """The last packet came alone and with user data, after user data had been sent."""

    def descriptors(self) -> list[int]:
        """File descriptors to wait on."""

    def feed(self, descriptor: int) -> bool:
        """A descriptor is readable: give what arrived to the stack. ``run`` has something to do then.

        True if there may be more, and what has been fed is worth an answer first: this will be called again.
        """

    def run(self) -> None:
        """Look at the timers, send what can be sent, tell what happened."""

    def next_deadline(self) -> int:
        """When ``run`` has something to do, ns."""

    def shut_down(self) -> None:
        """The process ends: begin to end all associations gracefully."""

    def cut_off(self, ending: Ending) -> None:
        """Abort the associations that are not worth waiting for."""

    def break_off(self) -> None:
        """``feed`` or ``run`` was left in the middle of a change: what is concerned ends with an ABORT."""

    def abandon(self) -> None:
        """This is the child of a fork: give up the descriptors and touch nothing else."""


@final
class Hub:
    """The lock, the leader and the thread."""

    def __init__(self) -> None:
        self.carriers: list[Carrier] = []
        """All drivers there are."""
        self._begin()

    def _begin(self) -> None:
        self.lock: Any = RLock()
        """The lock: taken and given back in C, so that no signal handler comes between."""
        self.guard = Guard(self.lock, reentrant=False)
        """Defers signals while the lock is held. ``RuntimeError`` for a finalizer that interrupts whoever holds it."""
        self._selector: selectors.BaseSelector | None = None
        self._interrupting: tuple[socket.socket, ...] = ()
        self._busy_poll = BusyPoll(0)
        self._no_poll = BusyPoll(0)  # For the I/O thread.
        self._leader: Waiter | None = None
        self._followers: dict[Waiter, None] = {}
        self._armed = 0
        self._unfinished: list[selectors.SelectorKey] = []
        self._turns = 0
        self._background: threading.Thread | None = None
        self._thread_polls_until = 0
        self._thread_is_parked = False
        self._idle = allocate_lock()
        self._idle.acquire()
        self._deferred: deque[Callable[[], None]] = deque()
        self.emptied = Line()
        """Whoever waits until there is no driver left."""

    # --- the lock ---

    @property
    def held_here(self) -> bool:
        """This thread has the lock: a finalizer that sees it so interrupts a call."""
        return bool(self.lock._is_owned())  # noqa: SLF001 - what ``threading.Condition`` asks of a lock

    # --- drivers ---

    def add(self, carrier: Carrier) -> None:
        """Drive this one as well."""
        if self._selector is None:
            self._open()
        if not self.carriers:
            self._busy_poll = BusyPoll(polling_limit())
        self.carriers.append(carrier)
        self.watch(carrier)
        process_end.watch()
        if self._background is None or not self._background.is_alive():
            self._background = threading.Thread(target=self._run_thread, name=IO_THREAD, daemon=True)
            self._background.start()

    def watch(self, carrier: Carrier) -> None:
        """See to those descriptors of a driver that are not seen to yet."""
        assert self._selector is not None
        known = self._selector.get_map()
        for descriptor in carrier.descriptors():
            if descriptor not in known:
                self._selector.register(descriptor, selectors.EVENT_READ, carrier)
        self.interrupt()

    def unwatch(self, descriptor: int) -> None:
        """A descriptor of a driver is about to be closed."""
        assert self._selector is not None
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def remove(self, carrier: Carrier) -> None:
        """A driver is about to close."""
        assert self._selector is not None
        self.carriers.remove(carrier)
        for descriptor in carrier.descriptors():
            self._selector.unregister(descriptor)
        if not self.carriers:
            self.emptied.wake_all()
            self.interrupt()  # The thread sees that there is nothing left to do.

    def _open(self) -> None:
        self._interrupting = self._interrupting or socket.socketpair()
        for end in self._interrupting:
            end.setblocking(False)
        selector = selectors.DefaultSelector()
        selector.register(self._interrupting[0], selectors.EVENT_READ)
        self._selector = selector

    # --- waiting ---

    def wait(self, line: Line, deadline: int = NEVER) -> None:
        """Stand in line until woken, at most until ``deadline``, ns; the lock is free meanwhile.

        The caller looks itself at what it waited for: this says neither whether it happened nor that the time is up.
        """
        waiter = Waiter()
        try:
            try:
                line.join(waiter)
                leader = self._leader
                if leader is not None and leader.thread != waiter.thread:
                    self._follow(waiter, deadline)
                else:
                    waiter.interrupted = leader
                    self._leader = waiter
                if self._leader is waiter:
                    self._lead(waiter, deadline)
            finally:
                self._leave(waiter, line)
        except BaseException:
            # Once more: a signal handler may have raised in the middle of it. And another gets what this one was told.
            self._leave(waiter, line)
            if waiter.woken:
                line.wake()
            raise

    def _leave(self, waiter: Waiter, line: Line) -> None:
        """Wait no longer, and lead no longer: then another one leads, or the thread sees to it soon.

        Doing it again completes what was interrupted.
        """
        line.leave(waiter)
        self._followers.pop(waiter, None)
        if self._leader is waiter:
            self._turns += 1
            self._leader = waiter.interrupted or next(reversed(self._followers), None)
        if self._leader is not None:
            self._followers.pop(self._leader, None)
            self._leader.open()
            if waiter.interrupted is not None:
                self.interrupt()  # What the interrupted call was armed for may have changed.
        elif self._thread_polls_until:
            # The thread never left: all is well if it looks in time.
            self._armed = self._thread_polls_until
            self.expect(self._next_deadline())
        else:
            self._armed = 0
            if self._thread_is_parked:
                if self._idle.locked():
                    self._idle.release()
                self._thread_is_parked = False

    def _follow(self, waiter: Waiter, deadline: int) -> None:
        """Wait behind the gate until woken, promoted, or the time is up."""
        waiter.gate = gate = allocate_lock()
        gate.acquire()
        self._followers[waiter] = None
        patience = -1.0
        if deadline != NEVER:
            patience = min(max(deadline - time.monotonic_ns(), 0) / NANOSECONDS, threading.TIMEOUT_MAX)
        self.guard.wait(gate.acquire, True, patience)

    def _lead(self, waiter: Waiter, deadline: int) -> None:
        """Wait for the network until woken or the time is up."""
        while not waiter.woken:
            if time.monotonic_ns() >= deadline:
                return
            waiter.interrupt = self.interrupt
            try:
                ready = self._select(self._arm(deadline))
            finally:
                waiter.interrupt = None
            self._work(ready)

    # --- the leader's work ---

    def _arm(self, deadline: int = NEVER) -> int:
        """Until when to wait for the network: at most until ``deadline``, and until something is due."""
        until = self._next_deadline()
        if time.monotonic_ns() < self._armed < until:
            until = self._armed
        self._armed = until = min(until, deadline)
        return until

    def _select(self, until: int) -> list[selectors.SelectorKey]:
        """What can be read, or nothing when the time is up; the lock is free meanwhile.

        What was not read to its end the last time comes first: nobody waits for that.
        """
        if self._unfinished:
            unfinished, self._unfinished = self._unfinished, []
            return unfinished
        selector = self._selector
        assert selector is not None
        poll = self._busy_poll if self._is_led else self._no_poll
        return [key for key, _ in self.guard.wait(poll.wait, selector.select, until)]

    def _work(self, ready: list[selectors.SelectorKey]) -> None:
        """What arrived is fed before anything is sent."""
        carrier: Carrier | None = None
        try:
            for key in ready:
                carrier = key.data
                if carrier is None:
                    # Another may have been here in the meantime.
                    with suppress(BlockingIOError):
                        self._interrupting[0].recv(_BUFFER)
                elif not carrier.closed:
                    if carrier.feed(key.fd):
                        self._unfinished.append(key)
                    self._busy_poll.in_dialogue = carrier.in_dialogue
            while self._deferred:
                self._deferred.popleft()()
            now = time.monotonic_ns()
            for carrier in list(self.carriers):
                if carrier.next_deadline() <= now:
                    carrier.run()
        except BaseException:
            if carrier is not None:
                carrier.break_off()
            raise

    def _next_deadline(self) -> int:
        soonest = NEVER
        for carrier in self.carriers:
            soonest = min(soonest, carrier.next_deadline())
        return soonest

    def expect(self, deadline: int) -> None:
        """Something is due then: whoever waits for the network must not wait for longer."""
        if deadline < self._armed:
            self._armed = deadline
            self.interrupt()

    def interrupt(self) -> None:
        """Have whoever waits for the network look again. Safe anywhere, with or without the lock."""
        if self._interrupting:
            # A full buffer interrupts as well.
            with suppress(OSError):
                self._interrupting[1].send(b"\0")

    # --- the thread ---

    @property
    def _is_led(self) -> bool:
        """Whether a call leads. mypyc takes ``_leader`` for what it was at the last look, whatever was called since."""
        return self._leader is not None

    def _run_thread(self) -> None:
        with self.guard, self.lock:
            while True:
                turns = self._turns
                if not self._is_led:
                    idle = not self.carriers
                    self._thread_polls_until = self._arm(time.monotonic_ns() + IDLE if idle else NEVER)
                    ready = self._select(self._thread_polls_until)
                    self._thread_polls_until = 0
                    if not self._is_led:
                        self._work(ready)
                        if idle and not ready and not self.carriers:
                            self._background = None  # Another begins with the next driver.
                            return
                if turns != self._turns or self._is_led:
                    self._rest()

    def _rest(self) -> None:
        """Sleep until no call has led for a while."""
        while True:
            turns = self._turns
            self._sleep(GRACE)
            if turns != self._turns:
                continue
            if not self._is_led:
                return
            self._thread_is_parked = True
            self._sleep(-1.0)

    def _sleep(self, seconds: float) -> None:
        self.guard.wait(self._idle.acquire, True, seconds)

    # --- the end ---

    def defer(self, work: Callable[[], None]) -> None:
        """Have this done under the lock, soon: for finalizers, which may run while it is held."""
        self._deferred.append(work)
        self.interrupt()

    def shut_down(self, deadline: int) -> None:
        """The process ends: shut everything down gracefully until ``deadline``, ns, then abort."""
        ending = Ending(deadline, process_end.too_late())
        try:
            with self.guard, self.lock:
                self._end(ending)
        finally:
            ending.tell()

    def _end(self, ending: Ending) -> None:
        try:
            for carrier in list(self.carriers):
                carrier.shut_down()
            while self._see_out(ending):
                self.wait(self.emptied, min(ending.deadline, time.monotonic_ns() + LOOK))
        except BaseException:  # Ctrl-C: the user does not want to wait.
            ending.interrupt()
            self._see_out(ending)
            raise
        finally:
            last = time.monotonic_ns() + LAST_WORDS
            while self.carriers and time.monotonic_ns() < last:
                self.wait(self.emptied, last)

    def _see_out(self, ending: Ending) -> bool:
        """Whether there is anything left to wait for; what is not worth it is aborted."""
        for carrier in list(self.carriers):
            carrier.cut_off(ending)
        return bool(self.carriers) and time.monotonic_ns() < ending.deadline

    def start_anew(self) -> None:
        """This is the child of a fork: nothing here belongs to it."""
        if self._selector is not None:
            for carrier in self.carriers:
                carrier.abandon()
            # Closing is all: unregistering would reach into the parent's.
            self._selector.close()
            for end in self._interrupting:
                end.close()
        self.carriers.clear()
        self._begin()


hub: Final = Hub()
"""The one of this process."""
process_end.at_process_end(hub.shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=hub.start_anew)
