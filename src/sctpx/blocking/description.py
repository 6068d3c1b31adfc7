"""A socket behind its calls: what it means (``sockapi``), the port it has, and who waits for it.

Each call follows one pattern under the hub's lock: try; if that cannot be done now, wait in the line for it, or raise
what a socket that does not wait raises; try again. What changed is flushed before the call returns, and whoever comes
next in line is woken if there is more. A call that waits when the socket is closed raises EBADF.

It does not know the ``Socket`` in front of it, so that one that nobody holds any more is collected and closes it.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Sequence
from typing import Final, final
from weakref import WeakSet

from ..core.config import NANOSECONDS, AssociationConfig
from ..core.timers import NEVER
from ..errors import ConnectError, ConnectInProgress, connect_error
from ..link import SCTP_TUNNELING_PORT
from ..link.interfaces import source_for
from ..sockapi.attached import Attached, Outgoing
from ..sockapi.constants import MSG_DONTWAIT, MSG_PEEK
from ..sockapi.delivery import Piece
from ..sockapi.one_to_many import OneToMany
from ..sockapi.one_to_one import OneToOne
from ..sockapi.options.whole import MICROSECONDS
from ..sockapi.peer import Peer
from ..sockapi.settings import EndpointSettings
from ..sockapi.structs import Timeval
from .binding import Binding
from .driver import Driver
from .hub import hub
from .readiness import Readiness, forget
from .sharing import client_driver, port_driver
from .waiting import Line


def closed_error() -> OSError:
    """The socket is closed."""
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


def _would_block() -> BlockingIOError:
    return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@final
class Description:
    """One open socket."""

    __slots__ = (
        "__weakref__",
        "_changes",
        "_readers",
        "_writers",
        "binding",
        "closed",
        "family",
        "readiness",
        "style",
        "timeout",
        "udp_port",
    )

    def __init__(self, one_to_many: bool, settings: EndpointSettings, family: int, udp_port: int | None) -> None:
        self.family = family
        kind = OneToMany if one_to_many else OneToOne
        self.style: OneToOne | OneToMany = kind(settings, self, ipv6=family == socket.AF_INET6)
        self.binding: Binding | None = None
        self.udp_port = udp_port
        """Our UDP port, as asked for: ``None`` for the usual one, 0 for any."""
        self.timeout: float | None = None
        """Seconds a call waits; ``None`` for as long as it takes."""
        self.readiness: Readiness | None = None
        self.closed = False
        self._readers = Line()
        self._writers = Line()
        self._changes = Line()
        _open.add(self)

    def check_open(self) -> None:
        """``OSError`` (EBADF) if it is closed."""
        if self.closed:
            raise closed_error()

    @property
    def one_to_one(self) -> OneToOne:
        """What it means, in the one-to-one style. ``OSError`` (EOPNOTSUPP) for a one-to-many socket."""
        if isinstance(self.style, OneToMany):
            raise OSError(errno.EOPNOTSUPP, "not with a one-to-many socket")
        return self.style

    @property
    def one_to_many(self) -> OneToMany:
        """What it means, in the one-to-many style. ``OSError`` (EINVAL) for a one-to-one socket."""
        if isinstance(self.style, OneToOne):
            raise OSError(errno.EINVAL, "only with a one-to-many socket")
        return self.style

    # --- the alarm ---

    def on_readable(self) -> None:
        """There is something to receive or to accept."""
        self._readers.wake()
        self.show()

    def on_writable(self) -> None:
        """There may be room to send."""
        if self.style.one_to_many:
            self._writers.wake_all()  # Each may wait for another association.
        else:
            self._writers.wake()
        self.show()

    def on_changed(self) -> None:
        """An association began or ended."""
        self._readers.wake_all()
        self._writers.wake_all()
        self._changes.wake_all()
        self.show()

    def show(self) -> None:
        """Let the descriptor show what holds now."""
        if self.readiness is not None:
            self.readiness.update(self.style.readable, self.style.writable)
            if not self.style.writable:
                for association in self.style.attached.values():
                    association.core.want_writable()

    # --- waiting ---

    def _wait(self, line: Line, deadline: int, limit: Timeval, flags: int = 0) -> int:
        """Wait in line: the deadline of the whole call, 0 at first.

        ``BlockingIOError`` (EAGAIN) if the call must not wait, or longer than ``limit`` where no timeout is set;
        ``TimeoutError`` if it has waited for the timeout.
        """
        if self.timeout == 0 or flags & MSG_DONTWAIT:
            raise _would_block()
        now = time.monotonic_ns()
        if not deadline:
            patience = self.timeout
            if patience is None:
                patience = limit.tv_sec + limit.tv_usec / MICROSECONDS or None
            deadline = NEVER if patience is None else now + int(patience * NANOSECONDS)
        if now >= deadline:
            raise TimeoutError("timed out") if self.timeout is not None else _would_block()
        hub.wait(line, deadline)
        self.check_open()
        return deadline

    def flush(self) -> None:
        """Something was changed: let it go out."""
        if self.binding is not None:
            self.binding.driver.flush()
        self.show()

    def now(self) -> int:
        """The time of its driver, ns."""
        return time.monotonic_ns() if self.binding is None else self.binding.driver.now()

    # --- ports ---

    def bind(self, addresses: Sequence[bytes], port: int, *, wildcard: bool) -> None:
        """Take an SCTP port on these local addresses. ``OSError``: EINVAL (bound already), EADDRINUSE, ..."""
        if self.binding is not None:
            raise OSError(errno.EINVAL, "the socket is bound already")
        udp_port = self.udp_port
        if udp_port is None:
            udp_port = SCTP_TUNNELING_PORT if port else 0
        shared = self.udp_port is None and not port
        driver = client_driver(addresses) if shared else port_driver(addresses, udp_port)
        self._take(driver, addresses, port, wildcard=wildcard)

    def _take(self, driver: Driver, addresses: Sequence[bytes], port: int, *, wildcard: bool) -> None:
        self.binding = Binding(driver, port, addresses, self.style, wildcard=wildcard)
        self.on_options()

    def on_options(self) -> None:
        """An option was set: the port is told."""
        if self.binding is not None and self.binding.style is self.style:
            self.binding.configure()
            if self.style.settings.autoclose and self.style.one_to_many:
                self.binding.driver.timed.add(self.binding)
            else:
                self.binding.driver.timed.discard(self.binding)

    def bind_towards(self, peer: Peer) -> Binding:
        """See to it that there is a port that reaches a peer: the socket's own, or a new one."""
        if self.binding is None:
            sources = peer.find_sources(source_for)
            driver = client_driver(sources) if self.udp_port is None else port_driver(sources, self.udp_port)
            self._take(driver, sources, 0, wildcard=True)
        elif self.binding.wildcard:
            self.binding.add(peer.find_sources(source_for))
        else:
            peer.keep_reachable(self.binding.addresses)
        assert self.binding is not None
        return self.binding

    # --- associations ---

    def prepare_connect(self) -> None:
        """Wait until an association that is being shut down is over. ``OSError`` if the socket cannot begin another."""
        association = self.style.association if isinstance(self.style, OneToOne) else None
        deadline = 0
        while association is not None and association.closing and self.timeout != 0:
            deadline = self._wait(self._changes, deadline, self.style.settings.send_timeout)
        self.style.check_connect()

    def start(self, peer: Peer, config: AssociationConfig | None = None) -> Attached:
        """Begin an association with a peer."""
        self.style.check_connect()
        binding = self.bind_towards(peer)
        config = binding.config(config or self.style.settings.future.config)
        try:
            association = self.style.start(self.now(), peer.addresses, peer.port, config)
        finally:
            binding.driver.flush()
        association.unusable = tuple(peer.unusable)
        self.show()
        return association

    def wait_connected(self, association: Attached) -> None:
        """Wait until an association that was started is up.

        ``ConnectError`` if it fails, or is not up in time: then it is given up. ``ConnectInProgress`` if the socket
        does not wait, or not longer (SO_SNDTIMEO).
        """
        deadline = 0
        style = self.style
        try:
            while not style.connected(association):
                try:
                    deadline = self._wait(self._changes, deadline, style.settings.send_timeout)
                except BlockingIOError:
                    raise ConnectInProgress(association.id) from None
                except TimeoutError:
                    association.abort(self.now())
                    self.flush()
                    raise connect_error(errno.ETIMEDOUT, "timed out", style.report(association)) from None
        except ConnectError:
            style.error = None  # It has been told.
            raise

    def accept(self) -> Description:
        """The next association that a peer set up, as a socket of its own."""
        style = self.one_to_one
        deadline = 0
        try:
            while (association := style.accept()) is None:
                deadline = self._wait(self._readers, deadline, style.settings.receive_timeout)
        finally:
            self._wake_reader()
        self.show()
        return self._branch(association)

    def peeloff(self, assoc_id: int) -> Description:
        """An association as a socket of its own. ``OSError`` (EINVAL): no such association, or a one-to-one socket.

        Calls that wait for it on this socket learn that it is not this socket's any more.
        """
        other = self._branch(self.one_to_many.peeloff(assoc_id))
        self.on_changed()
        return other

    def _branch(self, association: Attached) -> Description:
        other = Description(False, self.style.settings.inherit(association.settings), self.family, self.udp_port)
        assert self.binding is not None
        self.binding.retain()
        other.binding = self.binding
        other.one_to_one.take(association, self.style)
        return other

    # --- messages ---

    def receive(self, limit: int, flags: int = 0) -> Piece:
        """Up to ``limit`` bytes of the next message or notification; waits for it."""
        style = self.style
        deadline = 0
        try:
            while (piece := style.receive(limit, peek=flags & MSG_PEEK != 0)) is None:
                if isinstance(style, OneToMany) and self.timeout != 0 and not flags & MSG_DONTWAIT:
                    style.check_waiting()
                deadline = self._wait(self._readers, deadline, style.settings.receive_timeout, flags)
            item = piece.item
            if item is not None and item.association.core.ready and self.binding is not None:
                self.binding.driver.flush()  # Reading may have opened the window: the peer is told.
        finally:
            self._wake_reader()
        self.show()
        return piece

    def _wake_reader(self) -> None:
        """There may be more than one call took, or it failed after it was told: the next one in line is told."""
        if self._readers and self.style.readable:
            self._readers.wake()

    def send(self, association: Attached, message: Outgoing, flags: int = 0) -> None:
        """Send a message on an association; waits for room. ``OSError`` (EPIPE) if another socket has it meanwhile."""
        style = self.style
        deadline = 0
        try:
            while not style.send_to(self.now(), association, message):
                association.core.want_writable()
                deadline = self._wait(self._writers, deadline, style.settings.send_timeout, flags)
                if association.style not in (style, None):
                    raise OSError(errno.EPIPE, "the association is another socket's")
        finally:
            if self._writers and association.space > 0:
                self._writers.wake()
            self.flush()

    def send_to_all(self, style: OneToMany, message: Outgoing, flags: int = 0) -> None:
        """Send a message on all associations; waits until all have room."""
        deadline = 0
        try:
            while not style.send_to_all(self.now(), message):
                deadline = self._wait(self._writers, deadline, style.settings.send_timeout, flags)
        finally:
            self.flush()

    # --- the end ---

    def close(self) -> None:
        """End what it has gracefully, or as SO_LINGER says (RFC 6458 section 8.1.4). Closing twice does nothing."""
        if self.closed:
            return
        linger = self.style.settings.linger
        lingering = list(self.style.attached.values())
        self._close(abort=bool(linger.l_onoff and not linger.l_linger))
        binding = self.binding
        if linger.l_onoff and linger.l_linger and binding is not None and not binding.driver.closed:
            deadline = time.monotonic_ns() + linger.l_linger * NANOSECONDS
            while any(association.end is None for association in lingering) and time.monotonic_ns() < deadline:
                hub.wait(binding.ended, deadline)

    def _close(self, *, abort: bool) -> None:
        self.closed = True
        now = self.now()
        self.style.close(now, abort=abort)
        if self.binding is not None:
            self.binding.release(now, self.style)
            self.binding.driver.flush()
        self.give_up()

    def abandon(self) -> None:
        """Nobody holds the socket any more, and nobody closed it."""
        if not self.closed:
            self._close(abort=False)

    def give_up(self) -> None:
        """It is closed: let go of whoever waits and of the descriptor."""
        self.closed = True
        for line in (self._readers, self._writers, self._changes):
            line.wake_all()
        if self.readiness is not None:
            forget(self.readiness.fileno())
            self.readiness.close()
            self.readiness = None


_open: Final[WeakSet[Description]] = WeakSet()


def _close_after_fork() -> None:
    """This is the child of a fork: its sockets are the parent's."""
    for description in list(_open):
        if not description.closed:
            description.give_up()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_after_fork)
