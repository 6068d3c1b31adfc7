"""The driver of blocking sockets: one core ``Stack`` on one link, run by whoever holds the hub's lock.

The loop is that of every driver: feed the stack, ``poll_transmit``, ``poll_event``, wait until ``next_timeout``. A call
changes the core and then calls ``flush``: its packets leave in the caller's own step. What arrives is fed by the hub's
leader, and ``run`` sends what that calls for. Where packets come one at a time, whoever waited for one goes on before
the socket is asked for another, so that an answer is not held up by a look that finds nothing.

A Transmit the link has no room for is kept and tried again a little later; nothing else is polled until it is gone.
In a leader's round a bounded number of bytes is sent, so that input has its turn. A driver that has lost its last
SCTP port closes itself, and its link with it.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, final

from ..core.events import Event
from ..core.outputs import Transmit
from ..core.stack import Stack
from ..core.timers import MILLISECOND, NEVER
from ..link import Link, forbids_fragments, read_ecn, ways_of
from ..link.address_watch import AddressWatch
from ..link.addresses import AddressLike
from ..link.arrivals import Arrivals
from ..link.interfaces import zone_of_local
from ..link.patience import Patience
from ..sockapi.ending import Ending
from ..sockapi.ports import Ports
from .hub import hub

BATCHES_PER_ROUND: Final = 8
"""What is received from a socket in one wake-up."""
ROUND: Final = 8 * 65536
"""Bytes that the stack sends in a leader's round: so many large batches..."""
SEND: Final = 4096
"""...or more small packets, which cost less: what sending anything counts besides its bytes."""
RETRY_DELAY: Final = MILLISECOND
"""Until a full queue of this host is tried again, ns."""

_ids: Final = itertools.count(3)
"""Association ids, unique in the process; 0, 1 and 2 have meanings of their own (RFC 6458 section 7.2)."""


@final
class Driver:
    """One stack, one link."""

    __slots__ = (
        "_arrivals",
        "_begun",
        "_by_descriptor",
        "_kept",
        "_latest",
        "_more",
        "_patience",
        "_retry",
        "_watch",
        "closed",
        "for_clients",
        "link",
        "ports",
        "stack",
    )

    def __init__(self, link: Link[Any]) -> None:
        """Run a new stack over ``link``, which the driver closes. Under the lock."""
        self.link = link
        self.stack = Stack(os.urandom, time.monotonic_ns(), _ids.__next__, zone_of_local)
        self.stack.read_ecn = partial(read_ecn, link)
        self.stack.ask_link_mtu = link.max_packet
        self.stack.forbids_fragments = forbids_fragments(link)
        self.closed = False
        self.for_clients: object = None
        """The host that opened it for sockets whose users do not care for their UDP port."""
        self.ports = Ports()
        self._by_descriptor: dict[int, Any] = {}
        self._begun: set[int] = set()  # Of these the first packet was taken, and not yet the rest.
        self._arrivals = Arrivals()
        self._kept: Transmit | None = None
        self._patience = Patience()
        self._retry = NEVER
        self._more = False
        self._latest = 0
        self._watch: AddressWatch | None = None
        self._note_sockets()
        hub.add(self)

    def _note_sockets(self) -> None:
        self._by_descriptor = {sock.fileno(): sock for sock in self.link.sockets}

    def now(self) -> int:
        """The time, ns. Never goes back."""
        now = time.monotonic_ns()
        if now > self._latest:
            self._latest = now
        return self._latest

    # --- the link ---

    @property
    def udp_port(self) -> int:
        """The UDP port of the link; 0 if it has none."""
        return self.link.port

    @property
    def native_too(self) -> bool:
        """The link carries native SCTP beside UDP."""
        return len(ways_of(self.link)) > 1

    def add_address(self, address: AddressLike) -> None:
        """Carry packets of one more local address. ``OSError`` as ``Link.add_address`` says."""
        known = len(self.link.addresses)
        self.link.add_address(address)
        if len(self.link.addresses) != known:
            self._note_sockets()
            hub.watch(self)

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer."""
        for descriptor, sock in self._by_descriptor.items():
            if sock.address == address:
                hub.unwatch(descriptor)
                self._begun.discard(descriptor)
        self.link.remove_address(address)
        self._note_sockets()

    def watch_addresses(self) -> None:
        """From now on, tell the ports whenever the addresses of the host may have changed."""
        if self._watch is None:
            self._watch = AddressWatch(self.now())
            hub.watch(self)

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Carry packets of an SCTP port at these addresses. ``OSError`` as ``Link.open_port`` says."""
        self.link.open_port(port, addresses)

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Carry no more packets of an SCTP port at these addresses, or at any."""
        self.link.close_port(port, addresses)

    def has_sctp_port(self, port: int) -> bool:
        """Whether an endpoint of the stack has this SCTP port."""
        return port in self.stack.endpoints

    # --- for the hub ---

    @property
    def in_dialogue(self) -> bool:
        """The last packet came alone and with user data, after user data had been sent."""
        return self._arrivals.in_dialogue

    def descriptors(self) -> list[int]:
        """File descriptors to wait on."""
        watched = -1 if self._watch is None else self._watch.fileno()
        return [*self._by_descriptor, *([watched] if watched >= 0 else [])]

    def feed(self, descriptor: int) -> bool:
        """A descriptor is readable: give what arrived to the stack.

        All of it where there is much at a time. Else the first packet alone, and whoever waits for it can answer before
        the socket is asked for another: if this returns true, the next call takes the rest.
        """
        sock = self._by_descriptor.get(descriptor)
        if sock is None:
            if self._watch is not None and descriptor == self._watch.fileno():
                self._watch.on_readable()
            return False
        stack = self.stack
        arrivals = self._arrivals
        alone = not arrivals.crowded and descriptor not in self._begun
        batches = self.link.receive(sock, 1 if alone else BATCHES_PER_ROUND)
        if batches:
            self._more = True
            for batch in batches:
                stack.receive(self.now(), *batch)
        if not alone:
            self._begun.discard(descriptor)
            arrivals.note_rest(batches)
        elif batches:
            looks_behind = arrivals.note_first(batches[0])
            if looks_behind:
                self._begun.add(descriptor)
            return looks_behind
        for error in self.link.receive_errors(sock):
            self._more = True
            stack.handle_icmp(self.now(), *error)
        return False

    def run(self) -> None:
        """Look at the timers, send what can be sent in a round, tell what happened."""
        if self.closed:
            return
        now = self.now()
        if self._retry <= now:
            self._send_kept(now)
        deadline = self.stack.next_timeout()
        if deadline is not None and deadline <= now:
            self.stack.handle_timeout(now)
        if self.ports.timed:
            self.ports.handle_timeout(now)
        if self._watch is not None and self._watch.due(now):
            self.ports.on_addresses_changed()
        self._step(now, ROUND)

    def next_deadline(self) -> int:
        """When ``run`` has something to do, ns."""
        if self._more:
            return 0
        soonest = self._retry
        deadline = self.stack.next_timeout()
        if deadline is not None and deadline < soonest:
            soonest = deadline
        if self._watch is not None:
            soonest = min(soonest, self._watch.next_deadline())
        return min(soonest, self.ports.next_deadline()) if self.ports.timed else soonest

    def shut_down(self) -> None:
        """The process ends: begin to end all associations gracefully."""
        self.ports.shut_down(self.now())
        self.flush()

    def cut_off(self, ending: Ending) -> None:
        """Abort the associations that are not worth waiting for."""
        now = self.now()
        for endpoint in list(self.stack.endpoints.values()):
            for association in list(endpoint.associations.values()):
                reason = ending.reason_to_abort(association, now)
                if reason:
                    ending.abort(association, now, reason)
        self.flush()

    def abandon(self) -> None:
        """This is the child of a fork: give up the descriptors and touch nothing else."""
        self.closed = True
        self._close_descriptors()

    # --- output ---

    def flush(self) -> None:
        """After a call has changed the stack: send all that can be sent, tell what happened."""
        if self.closed:
            return
        try:
            self._step(self.now(), 0)
        except BaseException:
            self.break_off()
            raise
        finally:
            if not self.closed:
                hub.expect(self.next_deadline())

    def _step(self, now: int, limit: int) -> None:
        """Packets and events until there are no more, or ``limit`` bytes were sent; all of them if that is 0."""
        stack = self.stack
        self._more = True
        while True:
            full = self._transmit(now, limit)
            event = stack.first_event()
            if event is None and not full:
                break
            if event is not None:
                self._dispatch(now, event)
            if full:
                return
        self._more = False
        if not self.ports.users and self._kept is None:
            self._close()

    def _dispatch(self, now: int, first: Event) -> None:
        next_event = self.stack.next_event
        dispatch = self.ports.dispatch
        event: Event | None = first
        try:
            while event is not None:
                dispatch(now, event)
                event = next_event()
        except BaseException:
            self.stack.break_off_event()
            raise

    def break_off(self) -> None:
        """An exception has left the stack in the middle of a change: what is concerned ends with an ABORT, soon."""
        self.stack.break_off()
        self._more = True
        hub.expect(0)

    def _transmit(self, now: int, limit: int) -> bool:
        """Send what there is, and say whether the limit was reached."""
        if self._kept is not None:
            return False
        poll_transmit = self.stack.poll_transmit
        send = self.link.send
        arrivals = self._arrivals
        sent = 0
        while (transmit := poll_transmit(now)) is not None:
            sent += len(transmit.data) + SEND
            arrivals.note_sent(transmit.data)
            error = send(transmit)
            if error and self._keeps(now, transmit, error):
                return False
            if 0 < limit <= sent:
                return True
        return False

    def _keeps(self, now: int, transmit: Transmit, error: int) -> bool:
        """The link has not sent this. Whether it is kept, to be sent later."""
        if self._patience.keeps(transmit, error):
            self._kept = transmit
            self._retry = now + RETRY_DELAY
            return True
        self.stack.handle_send_error(now, transmit, error)
        return False

    def _send_kept(self, now: int) -> None:
        """There may be room again for the Transmit that was kept."""
        transmit = self._kept
        assert transmit is not None
        self._kept = None
        self._retry = NEVER
        error = self.link.send(transmit)
        if error:
            self._keeps(now, transmit, error)

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            hub.remove(self)
            self._close_descriptors()

    def _close_descriptors(self) -> None:
        self.link.close()
        if self._watch is not None:
            self._watch.close()
