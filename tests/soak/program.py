"""The programs of a soak world: a ``Session`` is one association as two programs know it, an ``End`` is one of them.

An end sends what it is told to, reads as soon as something is there (unless it sleeps), and hears of events. It checks
that events come in an order that makes sense, and has the ledger of the other end check each message.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random
from typing import Final, final

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.events import (
    Abandoned,
    AssociationReset,
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    Event,
    PartialDeliveryAborted,
    Readable,
    Restarted,
    ShutdownComplete,
)
from sctpx.core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from sctpx.wire.codes import CAUSE_USER_ABORT

from .ledger import MARK, Lane, Ledger, Message

CLIENT: Final = 0
SERVER: Final = 1
CRASHED: Final = "crashed"
GRACEFUL: Final = "graceful"
NOT_NOW: Final = frozenset(
    (
        errno.EPIPE,
        errno.ENOTCONN,
        errno.EALREADY,
        errno.EAGAIN,
        errno.EOPNOTSUPP,
        errno.EINVAL,
        errno.EMSGSIZE,
        errno.EADDRNOTAVAIL,
        errno.ENOBUFS,
        errno.EBUSY,
    )
)
"""How an association says that something cannot be asked of it now."""
SECOND: Final = 1_000_000_000


@final
class Session:
    """One life of an association."""

    def __init__(self, number: int, lying: bool) -> None:
        self.number = number
        self.lying = lying
        """One of the two hosts lies: nothing is known of what arrives."""
        self.ledgers = [Ledger(number, CLIENT), Ledger(number, SERVER)]
        self.ends: list[End | None] = [None, None]
        self.served = ""
        """What became of the server's end; empty if there is none yet."""
        self.deaf = [False, False]
        """A side that died, or did not listen to the end: what it had acknowledged may not have reached its program."""

    @property
    def is_over(self) -> bool:
        """No program has anything of it any more."""
        return all(end is None or end.over for end in self.ends)

    def check_end(self) -> None:
        """It is over on both sides: every message has arrived, or its sender knows that it has not for certain."""
        if self.lying:
            return
        for side, ledger in enumerate(self.ledgers):
            sender = self.ends[side]
            if sender is None or sender.over == CRASHED or ledger.lax or self.deaf[1 - side]:
                continue
            missing = ledger.missing()
            if missing:
                lost = ", ".join(f"{message.number} of {message.lane}" for message in missing[:5])
                reader = self.ends[1 - side]
                how = f"{sender.over} at the sender, {reader.over if reader else 'unknown'} at the receiver"
                raise AssertionError(f"session {self.number}: {len(missing)} messages of side {side}, {lost}; {how}")


@final
class End:
    """One side of a session: a program and its association."""

    def __init__(
        self, session: Session, side: int, association: Association, now: Callable[[], int], peer: object = None
    ) -> None:
        self.session = session
        self.side = side
        self.peer = peer
        """A client's server: its host."""
        self.association = association
        self.up = False
        self.over = ""
        """How it ended."""
        self.asleep = False
        """It does not read."""
        self.closed = False
        """The program has asked for the end."""
        self.parts_read = 0
        self.resets = 0
        """Successful resets of the association that it was told of."""
        self._now = now
        self._parts: dict[Lane, tuple[int, bytes]] = {}
        self._broken: set[Lane] = set()
        self._before = self._counters()
        session.ends[side] = self
        if side == SERVER:
            session.served = "lives"

    @property
    def sends(self) -> Ledger:
        """What it has sent."""
        return self.session.ledgers[self.side]

    @property
    def hears(self) -> Ledger:
        """What the other side has sent."""
        return self.session.ledgers[1 - self.side]

    @property
    def known(self) -> set[bytes]:
        """The addresses of this side that its association has."""
        return set(self.association.local_addresses)

    @property
    def now(self) -> int:
        """The time, ns."""
        return self._now()

    @property
    def name(self) -> str:
        """For people."""
        return f"session {self.session.number}, {'server' if self.side else 'client'}"

    def _be_over(self, how: str) -> None:
        self.over = how
        self._parts.clear()
        if self.side == SERVER:
            self.session.served = how

    # --- what the stack tells ---

    def on_event(self, event: Event) -> None:
        """Anything but the beginning of an association, or a restart that begins another session."""
        assert not self.over, f"{self.name}: {type(event).__name__} after the end ({self.over})"
        if isinstance(event, CommunicationUp):
            assert not self.up, f"{self.name} comes up twice"
            self.up = True
        elif isinstance(event, Readable):
            if not self.asleep:
                self.read()
        elif isinstance(event, PartialDeliveryAborted):
            if event.readable:
                self.read(event.readable)
            self._on_broken(event.stream, event.ssn)
        elif isinstance(event, Abandoned):
            self.sends.on_abandoned(event.message)
        elif isinstance(event, AssociationReset):
            self.resets += 1
        elif isinstance(event, ShutdownComplete):
            self._end(GRACEFUL)
        elif isinstance(event, (CannotStart, CommunicationLost)):
            how = errno.errorcode.get(event.error, str(event.error))
            if isinstance(event, CommunicationLost):
                self._check_blame(event)
            self._end(f"{type(event).__name__} {how}")

    def _check_blame(self, event: CommunicationLost) -> None:
        """Hosts that do not lie are never found to lie, and never break off by themselves."""
        kinds = [kind for kind, _ in event.causes]
        assert self.session.lying or not kinds or kinds == [CAUSE_USER_ABORT], f"{self.name} ends by {event.causes}"

    def on_restarted(self, event: Restarted) -> None:
        """The peer has started anew: this session is over, and its association belongs to the next one."""
        if event.readable:
            self.read(event.readable)
        for told in event.undelivered:
            self.sends.on_undelivered(told)
        self._check_counters()
        self._be_over("restarted")

    def _check_counters(self) -> None:
        """The association has counted what the program has. Its counters go on when the peer restarts."""
        if self.session.lying:
            return
        sent, size, given_up, received = [
            now - before for now, before in zip(self._counters(), self._before, strict=True)
        ]
        ledger = self.sends
        assert (sent, size) == (ledger.count, ledger.bytes), f"{self.name}: {sent} messages sent, {size} bytes"
        assert given_up == ledger.given_up, f"{self.name}: {given_up} messages given up, {ledger.given_up} told"
        assert received >= self.parts_read, f"{self.name}: {received} messages gone, {self.parts_read} read"

    def _counters(self) -> tuple[int, int, int, int]:
        stats = self.association.stats
        given_up = stats.messages_abandoned_sent + stats.messages_abandoned_unsent
        read = stats.messages_received - self.association.readable
        return stats.messages_sent, stats.bytes_sent, given_up, read

    def on_crash(self) -> None:
        """The host has died."""
        if not self.over:
            self._be_over(CRASHED)
            self.session.deaf[self.side] = True

    def _end(self, how: str) -> None:
        self.read()
        for told in self.association.undelivered():
            self.sends.on_undelivered(told)
        for _, message, _ in self.association.tcb.send_queue.contexts:
            # Its end is acknowledged by a Gap Ack Block at most: it is at the peer, and may have to wait there in vain.
            if isinstance(message, Message):
                message.reported = True
        self._check_counters()
        if how == GRACEFUL and not self.session.lying:
            assert self._parts.keys() <= self._broken, f"{self.name}: a graceful end within a message"
        self._be_over(how)

    # --- what the program does ---

    def read(self, limit: int = 0) -> None:
        """Read what is there, or so much of it."""
        for data, stream, _, ssn, _, flags in self.association.read(limit):
            self.parts_read += 1
            lane = stream, bool(flags & 1)
            _, begun = self._parts.pop(lane, (0, b""))
            broken = lane in self._broken and data[: len(MARK)] == MARK
            self._broken.discard(lane)
            data = data if broken else begun + data
            if flags & 2:
                self._parts[lane] = ssn, data
            elif not self.session.lying:
                assert data[: len(MARK)] == MARK, f"{self.name} gets something that is no message, on {lane}"
                self.hears.on_arrival(data, lane)

    def _on_broken(self, stream: int, ssn: int) -> None:
        """The rest of a message will not come. The event does not say whether that is unordered: what follows does."""
        for lane in ((stream, False), (stream, True)):
            if lane in self._parts and self._parts[lane][0] == ssn:
                self._broken.add(lane)

    def wake(self) -> None:
        """Read again."""
        self.asleep = False
        if not self.over and self.association.readable:
            self.read()

    def send(self, random: Random, size: int) -> bool:
        """Send a message of that size in some way; whether there was room for it."""
        association = self.association
        lane = random.randrange(association.outbound_streams), random.random() < 0.2
        policy = RELIABLE if random.random() < 0.7 else random.choice((TIMED, RETRANSMISSIONS, PRIORITY))
        values = {TIMED: random.choice((SECOND // 20, SECOND, 20 * SECOND)), RELIABLE: 0}
        value = values.get(policy, random.randrange(4))
        if association.send_space <= 0 and not association.make_room(self._now(), policy, value):
            return False
        message, data = self.sends.add(lane, size, policy == RELIABLE)
        remote = random.choice(association.paths).remote if random.random() < 0.05 else b""
        association.send(
            self._now(),
            data,
            lane[0],
            random.getrandbits(32),
            lane[1],
            random.random() < 0.05,
            remote,
            message,
            policy,
            value,
        )
        self.sends.on_sent(message)
        return True

    def shutdown(self) -> None:
        """Ask for a graceful end."""
        self.closed = True
        self.association.shutdown(self._now())

    def abort(self) -> None:
        """End at once."""
        self.closed = True
        self.association.abort(self._now(), b"soak")


def any_config(random: Random) -> AssociationConfig:
    """All extensions, in any combination."""
    authenticates = random.random() < 0.3
    moves = random.random() < 0.4
    discovers = random.random() < 0.8
    return AssociationConfig(
        streams=random.choice((1, 5, 40)),
        loss_recovery=random.choice(("rack", "rack", "rfc9260")),
        congestion=random.choice(("newreno", "cubic")),
        association_max_retrans=random.choice((10, 10, 1000)),
        path_max_retrans=random.choice((2, 5)),
        potentially_failed_max_retrans=random.choice((0, 0, 5)),
        heartbeat_interval=random.choice((10.0, 30.0, 120.0)),
        sack_delay=random.choice((0.0, 0.2, 0.2)),
        stretch_sack=random.random() < 0.2,
        nodelay=random.random() < 0.7,
        on_restart=random.choice(("continue", "continue", "end")),
        on_protocol_unreachable=random.choice(("end", "continue")),
        attempt_delay=random.choice((0.1, 0.1, None)),
        connect_timeout=random.choice((None, 30.0)),
        receive_buffer=random.choice((4096, 20_000, 1 << 18, 1 << 20)),
        send_buffer=random.choice((20_000, 1 << 18, 1 << 20)),
        path_mtu_discovery=discovers,
        mtu=None if discovers else random.choice((576, 1280)),
        partial_delivery_point=random.choice((0, 0, 3000)),
        partial_reliability=random.random() < 0.8,
        interleaving=random.random() < 0.4,
        scheduler=random.choice(("fcfs", "rr", "rr_pkt", "prio", "fc", "wfq")),
        allow_stream_reset=random.random() < 0.8,
        allow_association_reset=random.random() < 0.5,
        allow_added_streams=random.random() < 0.8,
        max_inbound_streams=200,
        max_outbound_streams=200,
        address_reconfiguration=moves,
        authentication=authenticates,
        authenticated_chunks=random.choice(((), (0,), (0, 3, 4, 192))) if authenticates else (),
        shared_keys=((0, b""), (1, b"soak")) if authenticates or moves else ((0, b""),),
        ecn=random.random() < 0.3,
    )
