"""An association as its user sees it: verbs, what can be read, what it did.

A thin face over the ``Tcb`` and its handlers; the stack calls ``handle_timeout``, the layers above the rest. After a
verb that takes ``now`` the driver drains the stack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from errno import EINTR, EINVAL, EMSGSIZE, ENOTCONN
from typing import Any, Final, final

from ...wire import causes, control
from ...wire.codes import DATA_IMMEDIATE, DATA_UNORDERED
from ..config import AssociationConfig
from ..entropy import RandomBytes
from ..events import CommunicationLost, Event, Undelivered
from ..ext import auth, partial_reliability
from ..local_side import LocalSide
from ..overhead import MESSAGE
from ..path.path import Path
from ..rx.streams import Message
from ..tx.out_message import OutMessage
from ..tx.reliability import PRIORITY, RELIABLE
from . import reachability, settings, shutdown, timing, transfer
from .extension_verbs import ExtensionVerbs
from .identity import Keeper
from .state import CLOSED, COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from .tcb import Reply, Tcb
from .undelivered import undelivered

Convert = Callable[[Any], tuple[bytes, int, int, bool]]

# What an ABORT chunk has room for.
MAX_REASON: Final = 1024
INTERRUPTED: Final = b"interrupted in the middle of a change"
_EXHAUSTED: Final = object()


@final
class Association(ExtensionVerbs):
    """One association of an endpoint. Made by ``Endpoint.connect`` or by a peer."""

    __slots__ = ("__weakref__", "endpoint")

    def __init__(
        self,
        keeper: Keeper,
        endpoint: LocalSide,
        association_id: int,
        config: AssociationConfig,
        random_bytes: RandomBytes,
        events: deque[Event],
        replies: list[Reply],
        peer_port: int,
        local_tag: int,
        initial_tsn: int,
    ) -> None:
        super().__init__(association_id, keeper)
        self.endpoint = endpoint
        """What it knows of its SCTP port."""
        self.tcb = Tcb(
            self,
            endpoint,
            config,
            random_bytes,
            events,
            replies,
            endpoint.local,
            peer_port,
            local_tag,
            initial_tsn,
        )

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
        policy: int = RELIABLE,
        value: int = 0,
        key: int = -1,
    ) -> None:
        """Queue one user message, whole or not at all (RFC 9260 section 11.1.5).

        ``immediate`` sets the I bit on its last chunk; ``remote`` asks for another destination than the
        primary path. Does not look at the send buffer: that is for the caller, by ``send_space``.

        ``policy`` says when the message may be given up (``core.tx.reliability``): when it is older than ``value`` ns,
        when a chunk would be retransmitted more than ``value`` times, or when there is no room for something with a
        priority above ``value``, of which 0 is the highest. An event tells what was given up.

        ``key`` is the identifier of the shared key to authenticate it with, if the peer demands that of user data;
        below 0 it is the active one.

        Raises OSError: ``EINVAL`` (empty, no such stream, PPID, address, policy or key), ``EMSGSIZE``, ``ENOTCONN``
        (not up yet: the number of streams is not known), ``EPIPE`` (shutting down or over).
        """
        self.check_sendable()
        self._check_message(data, stream, ppid)
        if remote and self.tcb.find_path(remote) is None:
            raise OSError(EINVAL, "not an address of the peer")
        if not RELIABLE <= policy <= PRIORITY or value < 0:
            raise OSError(EINVAL, f"no policy {policy} with {value}")
        if key >= 0:
            auth.give_key(self.tcb, key)
        flags = (DATA_UNORDERED if unordered else 0) | (DATA_IMMEDIATE if immediate else 0)
        if unordered:
            self.tcb.stats.unordered_sent += 1
        message = OutMessage(data, stream, ppid, flags, remote, context)
        if policy == RELIABLE:
            self._push(message)
        else:
            self._push_with_policy(now, message, policy, value)
        self._after_push()

    def _push_with_policy(self, now: int, message: OutMessage, policy: int, value: int) -> None:
        tcb = self.tcb
        policies = partial_reliability.find(tcb)
        if policies is None:
            policies = partial_reliability.PartialReliability(tcb)
            tcb.extensions.append(policies)
        message.reliability = policies.promise(now, policy, value)
        self._push(message)
        policies.accept(message, message.reliability)

    def make_room(self, now: int, policy: int = RELIABLE, value: int = 0) -> bool:
        """The send buffer is full, and a message with this policy is to be sent: give up what is less important.

        Those are messages with the policy "priority", and among them the ones with a lower one (RFC 7496 section 3.2).
        Returns whether there is room now because of that.
        """
        policies = partial_reliability.find(self.tcb)
        if policies is None or self.tcb.state != ESTABLISHED:
            return False
        self.begin_round()
        self.keeper.touch(self)
        return policies.make_room(now, value if policy == PRIORITY else partial_reliability.RELIABLE_FIRST)

    def abandoned(self, stream: int = -1, policy: int = -1) -> tuple[int, int]:
        """How many messages were given up before, and after, a part of them was sent (RFC 7496 section 4.3).

        Of one outgoing stream or all, and of one policy or all.
        """
        policies = partial_reliability.find(self.tcb)
        return (0, 0) if policies is None else policies.counts(stream, policy)

    def send_many(self, messages: Iterator[object], convert: Convert, limit: int) -> tuple[int, bool]:
        """Queue messages as long as the send buffer has room, at most ``limit`` bytes of data and the last one.

        Each is ``bytes`` or what ``convert`` makes (data, stream, PPID, unordered) of. Returns how many were taken and
        whether there are no more. Raises like ``send``; those before the one that cannot be sent have been queued.
        """
        self.check_sendable()
        tcb = self.tcb
        room = tcb.rules.send_buffer - tcb.buffered
        count = 0
        try:
            while room > 0 and limit > 0:
                message = next(messages, _EXHAUSTED)
                if message is _EXHAUSTED:
                    return count, True
                if type(message) is bytes:
                    data = message
                    if not 0 < len(data) <= tcb.rules.max_message_size or tcb.state != ESTABLISHED:
                        self.check_sendable()
                        self._check_message(data, 0, 0)
                    self._push(OutMessage(data, 0, 0, 0, b"", None))
                else:
                    data, stream, ppid, unordered = convert(message)
                    self.check_sendable()
                    self._check_message(data, stream, ppid)
                    if unordered:
                        tcb.stats.unordered_sent += 1
                    self._push(OutMessage(data, stream, ppid, DATA_UNORDERED if unordered else 0, b"", None))
                room -= len(data) + MESSAGE
                limit -= len(data)
                count += 1
        finally:
            self._after_push()
        return count, False

    def _check_message(self, data: bytes, stream: int, ppid: int) -> None:
        tcb = self.tcb
        if not data:
            raise OSError(EINVAL, "SCTP has no empty messages")
        if len(data) > tcb.rules.max_message_size:
            raise OSError(EMSGSIZE, f"message of {len(data)} bytes, the limit is {tcb.rules.max_message_size}")
        if stream & ~0xFFFF or stream >= tcb.outbound_streams:
            raise OSError(EINVAL, f"no stream {stream}: the association has {tcb.outbound_streams}, from 0")
        if ppid & ~0xFFFFFFFF:
            raise OSError(EINVAL, f"payload protocol identifier {ppid} does not fit 32 bits")

    def _push(self, message: OutMessage) -> None:
        tcb = self.tcb
        length = len(message.data)
        tcb.send_queue.push(message)
        tcb.buffered += length + MESSAGE
        tcb.stats.messages_sent += 1
        tcb.stats.bytes_sent += length

    def _after_push(self) -> None:
        self.begin_round()
        if not self.ready:
            self.keeper.touch(self)

    def want_writable(self) -> None:
        """Ask for one ``Writable`` event when the send buffer has room again."""
        self.tcb.wants_writable = True

    def read(self, limit: int = 0) -> list[Message]:
        """Take up to ``limit`` messages, all that are ready if 0; [] if none is. OSError EINVAL if it is below 0.

        Each is (data, stream, PPID, SSN, TSN, flags); flags: 1 unordered, 2 more of this message follows.
        """
        tcb = self.tcb
        reassembly = tcb.reassembly
        ready = reassembly.ready
        if limit < 0:
            raise OSError(EINVAL, f"at most {limit} messages")
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
                self.keeper.touch(self)
        return taken

    def undelivered(self) -> list[Undelivered]:
        """What did not reach the peer for certain, in order.

        Of a message that was acknowledged in part, what was not (RFC 9260 sections 11.1.14 and 11.1.15).
        """
        return undelivered(self.tcb)

    # --- the association ---

    def begin_round(self) -> None:
        """Input, a timer, or a verb that may let data out begins a new round of sending (section 6.1 D)."""
        tcb = self.tcb
        tcb.burst = max(tcb.burst, tcb.rules.max_burst)

    def shutdown(self, now: int) -> None:
        """End gracefully: what is queued is delivered first (RFC 9260 section 9.2)."""
        self.begin_round()
        shutdown.shutdown(self.tcb, now)
        self.keeper.touch(self)

    def abort(self, now: int, reason: bytes = b"") -> None:
        """End at once; ``reason`` reaches the peer's user (section 9.1). Nothing if it is over already."""
        if self.tcb.state != CLOSED:
            shutdown.abort(self.tcb, [causes.user_abort(reason[:MAX_REASON])])
        self.keeper.touch(self)

    def break_off(self) -> None:
        """End at once, with an ABORT: something has left this association in the middle of a change.

        Nothing but what says where the peer is can be relied on: what was to be sent and what arrived is given up.
        """
        tcb = self.tcb
        tcb.forget_data()
        why = [causes.user_abort(INTERRUPTED)]
        if tcb.state != CLOSED:
            event = CommunicationLost(self, EINTR, False, why)
            try:
                shutdown.end(tcb, event, control.abort(why))
            except Exception:
                tcb.state = CLOSED
        if self.owner is not None and not self.keeper.will_tell_end(self):
            tcb.events.append(CommunicationLost(self, EINTR, False, why))
        self.ready = False
        self.keeper.touch(self)

    def set_primary(self, now: int, remote: bytes) -> None:
        """Make ``remote`` the primary path (section 11.1.6). OSError EINVAL if it cannot be."""
        path = self._established_path(remote)
        if not path.confirmed:
            raise OSError(EINVAL, "the address is not confirmed yet")
        self.begin_round()
        self.tcb.set_primary(path)
        self.keeper.touch(self)

    def stream_value(self, stream: int) -> int:
        """What ``set_stream_value`` has set, or the default: 0."""
        return self.tcb.stream_values.get(stream, 0)

    def set_stream_value(self, stream: int, value: int) -> None:
        """The priority or weight of a stream, for ``AssociationConfig.scheduler`` (RFC 8260 section 4.3.3).

        With ``"prio"``, the stream with the smallest value goes first, and 0 is the default. With ``"wfq"``, a stream
        gets capacity by its value; 0, the default, counts as 1. Other schedulers do not ask for it. OSError EINVAL if
        there is no such stream, or the value does not fit 16 bits.
        """
        if stream & ~0xFFFF or (self.tcb.state != CLOSED and stream >= self.tcb.outbound_streams):
            raise OSError(EINVAL, f"no stream {stream}: the association has {self.tcb.outbound_streams}, from 0")
        if value & ~0xFFFF:
            raise OSError(EINVAL, f"{value} does not fit 16 bits")
        self.tcb.send_queue.set_value(stream, value)

    def request_heartbeat(self, now: int, remote: bytes) -> None:
        """Send a HEARTBEAT now (section 11.1.10).

        OSError EINVAL if ``remote`` is no address of the peer, ENOTCONN if the association is not up, or ending:
        HEARTBEATs are "discontinued after sending either a SHUTDOWN chunk or SHUTDOWN ACK chunk" (section 8.3).
        """
        path = self._established_path(remote)
        if not reachability.heartbeats_run(self.tcb):
            raise OSError(ENOTCONN, "the association is ending")
        reachability.send_heartbeat(self.tcb, now, path)
        self.keeper.touch(self)

    def reconfigure(self, now: int, config: AssociationConfig) -> None:
        """Behave by ``config`` from now on (section 11.1.12): so do the paths, in what changes.

        What was negotiated stays as it is. What is to differ from path to path is for ``configure_path``.
        """
        self.begin_round()
        settings.reconfigure(self.tcb, now, config)
        self.keeper.touch(self)

    def configure_path(
        self,
        now: int,
        remote: bytes,
        heartbeats: bool | None = None,
        heartbeat_interval: int = -1,
        max_retrans: int = -1,
        encaps_port: int = -1,
        potentially_failed_max_retrans: int = -1,
        mtu: int = -1,
        dscp: int = -1,
        flow_label: int = -1,
        mtu_discovery: bool | None = None,
        probe_timer: int = -1,
        primary_switchover_max_retrans: int = -1,
    ) -> None:
        """Change what is set for one path, as ``settings.configure_path`` says; times are in ns.

        Left out, or below 0: as it is. OSError EINVAL if ``remote`` is no address of the peer, or PSMR is too low.
        """
        path = self.tcb.find_path(remote)
        if path is None:
            raise OSError(EINVAL, "not an address of the peer")
        settings.check_switchover(path, max_retrans, potentially_failed_max_retrans, primary_switchover_max_retrans)
        settings.configure_path(
            self.tcb,
            now,
            path,
            heartbeats,
            heartbeat_interval,
            max_retrans,
            encaps_port,
            potentially_failed_max_retrans,
            mtu,
            dscp,
            flow_label,
            mtu_discovery,
            probe_timer,
            primary_switchover_max_retrans,
        )
        self.keeper.touch(self)

    def _established_path(self, remote: bytes) -> Path:
        if self.tcb.state in (CLOSED, COOKIE_WAIT, COOKIE_ECHOED):
            raise OSError(ENOTCONN, "the association is not up")
        path = self.tcb.find_path(remote)
        if path is None:
            raise OSError(EINVAL, "not an address of the peer")
        return path

    # --- for the stack ---

    def begin_anew(self, local_tag: int, initial_tsn: int) -> Tcb:
        """The peer restarted (section 5.2.4 A): a new life, with the name, the settings and the counters of the old."""
        old = self.tcb
        self.tcb = Tcb(
            self,
            self.endpoint,
            old.config,
            old.random_bytes,
            old.events,
            old.replies,
            old.local_addresses,
            old.peer_port,
            local_tag,
            initial_tsn,
        )
        self.tcb.stats = old.stats
        self.tcb.keys = old.keys
        self.tcb.incoming = old.incoming
        self.tcb.report = old.report
        self.tcb.stream_values.update(old.stream_values)
        return self.tcb

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""
        self.begin_round()
        timing.handle_timeout(self.tcb, now)


def association_of(event: Event) -> Association:
    """The association that an event is about. Events themselves know it by its name alone."""
    association = event.association
    assert isinstance(association, Association)
    return association
