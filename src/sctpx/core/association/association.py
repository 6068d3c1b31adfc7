"""An association as its user sees it: verbs, what can be read, what it did.

A thin face over the ``Tcb`` and its handlers; the stack calls ``handle_timeout`` and ``poll_transmit``, the
layers above the rest. After a verb that takes ``now`` the driver drains the stack.
"""

from __future__ import annotations

from collections import deque
from errno import EINVAL, EMSGSIZE, ENOTCONN, EPIPE
from typing import TYPE_CHECKING, final

from ...wire import causes
from ...wire.codes import DATA_BEGIN, DATA_END, DATA_HEADER, DATA_IMMEDIATE, DATA_UNORDERED
from ...wire.data import DATA
from ..config import AssociationConfig
from ..entropy import RandomBytes
from ..events import Event
from ..outputs import Transmit
from ..path.path import Path
from ..rx.reassembly import Message
from ..stats import AssociationStats
from ..timers import NEVER
from ..tx.send_queue import OutMessage
from . import handshake, outbound, reachability, shutdown, transfer
from .connect import AddressReport
from .state import CLOSED, COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from .tcb import Tcb

if TYPE_CHECKING:
    from ..endpoint import Endpoint

# What an ABORT chunk has room for.
MAX_REASON = 1024


@final
class Association:
    """One association of an endpoint. Made by ``Endpoint.connect`` or by a peer."""

    __slots__ = ("__weakref__", "_tcb", "endpoint", "id", "indexed", "owner", "ready", "scheduled")

    def __init__(
        self,
        endpoint: Endpoint,
        association_id: int,
        config: AssociationConfig,
        random_bytes: RandomBytes,
        events: deque[Event],
        replies: list[tuple[int, bytes]],
        peer_port: int,
        local_tag: int,
        initial_tsn: int,
    ) -> None:
        self.endpoint = endpoint
        self.id = association_id
        """Unique in the stack, above 0 (RFC 6458's association identifier)."""
        self.owner: object | None = None
        """Whatever the layer above hangs here."""
        self.ready = False
        """Stack: it is in the queue of those that may have packets to send."""
        self.scheduled = NEVER
        """Stack: the earliest deadline it has in the heap."""
        self.indexed: list[bytes] = []
        """Stack: the keys under which it is found."""
        self._tcb = Tcb(
            self,
            config,
            random_bytes,
            events,
            replies,
            endpoint.local,
            endpoint.port,
            peer_port,
            local_tag,
            initial_tsn,
        )

    @property
    def tcb(self) -> Tcb:
        """The state of the association, for the core."""
        return self._tcb

    @property
    def state(self) -> int:
        """One of ``association.state``."""
        return self._tcb.state

    @property
    def ended(self) -> bool:
        """True when the association is over, or never came about."""
        return self._tcb.state == CLOSED

    @property
    def incoming(self) -> bool:
        """Whether the peer initiated it."""
        return self._tcb.incoming

    @property
    def config(self) -> AssociationConfig:
        """How it behaves."""
        return self._tcb.config

    @property
    def peer_port(self) -> int:
        """The peer's SCTP port."""
        return self._tcb.peer_port

    @property
    def paths(self) -> list[Path]:
        """The peer's addresses and what is known of them."""
        return self._tcb.paths

    @property
    def primary(self) -> Path | None:
        """The path data goes to while it is active; None before the peer answered."""
        return self._tcb.primary

    @property
    def outbound_streams(self) -> int:
        """Streams that can be sent on, after negotiation (RFC 9260 section 5.1.1)."""
        return self._tcb.outbound_streams

    @property
    def inbound_streams(self) -> int:
        """Streams the peer can send on."""
        return self._tcb.inbound_streams

    @property
    def stats(self) -> AssociationStats:
        """Counters."""
        return self._tcb.stats

    @property
    def report(self) -> list[AddressReport]:
        """What each address answered when the association was set up (C11)."""
        attempt = self._tcb.attempt
        return self._tcb.report if attempt is None else attempt.candidates

    # --- user data ---

    def send(
        self,
        now: int,
        data: bytes,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        immediate: bool = False,
        remote: bytes = b"",
        context: object = None,
    ) -> None:
        """Queue one user message, whole or not at all (RFC 9260 section 11.1.5).

        ``immediate`` sets the I bit on its last chunk; ``remote`` asks for another destination than the
        primary path. Does not look at the send buffer: that is for the caller, by ``send_space``.

        Raises OSError: ``EINVAL`` (empty, no such stream, PPID or address), ``EMSGSIZE``, ``ENOTCONN`` (not up
        yet: the number of streams is not known), ``EPIPE`` (shutting down or over).
        """
        tcb = self._tcb
        if tcb.state in (COOKIE_WAIT, COOKIE_ECHOED):
            raise OSError(ENOTCONN, "the association is not up yet")
        if tcb.state != ESTABLISHED:
            raise OSError(EPIPE, "the association is shutting down or over")
        if not data:
            raise OSError(EINVAL, "SCTP has no empty messages")
        if len(data) > tcb.config.max_message_size:
            raise OSError(EMSGSIZE, f"message of {len(data)} bytes, the limit is {tcb.config.max_message_size}")
        if not 0 <= stream < tcb.outbound_streams:
            raise OSError(EINVAL, f"stream {stream}, there are {tcb.outbound_streams}")
        if not 0 <= ppid <= 0xFFFFFFFF:
            raise OSError(EINVAL, f"payload protocol identifier {ppid} does not fit 32 bits")
        if remote and tcb.find_path(remote) is None:
            raise OSError(EINVAL, "not an address of the peer")
        flags = (DATA_UNORDERED if unordered else 0) | (DATA_IMMEDIATE if immediate else 0)
        tcb.send_queue.push(OutMessage(data, stream, ppid, flags, remote, context))
        tcb.buffered += len(data)
        tcb.stats.messages_sent += 1
        tcb.stats.bytes_sent += len(data)
        if tcb.burst < tcb.config.max_burst:
            tcb.burst = tcb.config.max_burst
        if not self.ready:
            self.endpoint.stack.touch(self)

    @property
    def send_space(self) -> int:
        """Bytes the send buffer has room for; below 0 if a message overfilled it."""
        return self._tcb.config.send_buffer - self._tcb.buffered

    def want_writable(self) -> None:
        """Ask for one ``Writable`` event when the send buffer has room again."""
        self._tcb.wants_writable = True

    @property
    def readable(self) -> int:
        """Messages that can be read now."""
        return len(self._tcb.reassembly.ready)

    def read(self, limit: int = 0) -> list[Message]:
        """Take up to ``limit`` messages, all that are ready if 0; [] if none is.

        Each is (data, stream, PPID, SSN, TSN, flags); flags: 1 unordered, 2 more of this message follows.
        """
        tcb = self._tcb
        reassembly = tcb.reassembly
        ready = reassembly.ready
        if limit and limit < len(ready):
            taken = ready[:limit]
            del ready[:limit]
        else:
            taken = ready
            reassembly.ready = []
            tcb.readable_told = False
        if taken:
            transfer.on_read(tcb, sum([len(message[0]) for message in taken]))
            if tcb.sack_chunks:
                self.endpoint.stack.touch(self)
        return taken

    def undelivered(self) -> list[tuple[bytes, int, int, bool]]:
        """What did not reach the peer for certain: (data, stream, PPID, whether it was sent).

        Of a message sent in part and acknowledged in part, what was not acknowledged
        (RFC 9260 sections 11.1.14 and 11.1.15).
        """
        found: list[tuple[bytes, int, int, bool]] = []
        parts: list[bytes] = []
        tail = self._tcb.send_queue.messages()
        for chunk in self._tcb.outstanding.unacknowledged():
            _, flags, length, _, stream, _, ppid = DATA.unpack_from(chunk)
            if flags & DATA_BEGIN:
                parts = []
            parts.append(chunk[DATA_HEADER:length])
            if flags & DATA_END:
                found.append((b"".join(parts), stream, ppid, True))
                parts = []
        for message in tail:
            sent = message.offset > 0
            head = b"".join(parts) if sent else b""
            found.append((head + message.data[message.offset :], message.stream, message.ppid, sent))
        return found

    # --- the association ---

    def shutdown(self, now: int) -> None:
        """End gracefully: what is queued is delivered first (RFC 9260 section 9.2)."""
        self.begin_round()
        shutdown.shutdown(self._tcb, now)
        self.endpoint.stack.touch(self)

    def abort(self, now: int, reason: bytes = b"") -> None:
        """End at once; ``reason`` reaches the peer's user (section 9.1). Nothing if it is over already."""
        self.begin_round()
        if self._tcb.state != CLOSED:
            shutdown.abort(self._tcb, [causes.user_abort(reason[:MAX_REASON])])
        self.endpoint.stack.touch(self)

    def set_primary(self, now: int, remote: bytes) -> None:
        """Make ``remote`` the primary path (section 11.1.6). OSError EINVAL if it cannot be."""
        path = self._established_path(remote)
        if not path.confirmed:
            raise OSError(EINVAL, "the address is not confirmed yet")
        self.begin_round()
        reachability.set_primary(self._tcb, path)
        self.endpoint.stack.touch(self)

    def request_heartbeat(self, now: int, remote: bytes) -> None:
        """Send a HEARTBEAT now (section 11.1.10). OSError EINVAL if ``remote`` is no address of the peer."""
        path = self._established_path(remote)
        self.begin_round()
        reachability.send_heartbeat(self._tcb, now, path)
        self.endpoint.stack.touch(self)

    def _established_path(self, remote: bytes) -> Path:
        if self._tcb.state in (CLOSED, COOKIE_WAIT, COOKIE_ECHOED):
            raise OSError(ENOTCONN, "the association is not up")
        path = self._tcb.find_path(remote)
        if path is None:
            raise OSError(EINVAL, "not an address of the peer")
        return path

    # --- for the stack ---

    def begin_round(self) -> None:
        """Input, a timer or a verb begins a new round of sending (section 6.1 D)."""
        self._tcb.burst = max(self._tcb.burst, self._tcb.config.max_burst)

    def handle_timeout(self, now: int) -> None:
        """See which timers have expired."""
        tcb = self._tcb
        self.begin_round()
        if tcb.attempt is not None and tcb.attempt.next_deadline() <= now:
            handshake.handle_attempt_timer(tcb, now)
        if tcb.t1_cookie_deadline <= now:
            handshake.handle_t1_cookie(tcb, now)
        if tcb.t5_deadline <= now:
            shutdown.handle_t5(tcb)
        if tcb.t2_deadline <= now:
            shutdown.handle_t2(tcb, now)
        if tcb.sack_policy.deadline <= now:
            transfer.handle_sack_timer(tcb)
        if tcb.probe_deadline <= now:
            transfer.handle_probe_timer(tcb)
        for path in tcb.paths:
            if path.t3_deadline <= now and tcb.state != CLOSED:
                transfer.handle_t3(tcb, now, path)
        if tcb.state != CLOSED and tcb.paths:
            reachability.handle_heartbeat_timers(tcb, now)

    def poll_transmit(self, now: int) -> Transmit | None:
        """The next packets to send; None if there are none now."""
        return outbound.poll(self._tcb, now)

    def next_timeout(self) -> int:
        """When ``handle_timeout`` has something to do."""
        return self._tcb.next_deadline()
