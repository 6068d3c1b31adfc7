"""One side of a small world: a stack, and a program that takes the steps of its script.

A host is a function of its inputs: packets that are delivered, timers that expire, steps of the program, each at a
time. What it sends in answer is what ``apply`` returns. Whatever must hold on one side alone is checked here, in each
state; ``Violation`` says what does not.

The program reads as soon as something is there. Its messages name the life of the sender, the stream and their
number, so that the receiver knows what comes next.
"""

from __future__ import annotations

import hashlib
from errno import EALREADY, EISCONN, ENOTCONN, EPIPE
from typing import Any, Final, NamedTuple, final

from sctpx.core.association.association import Association, association_of
from sctpx.core.association.state import (
    CLOSED,
    COOKIE_ECHOED,
    COOKIE_WAIT,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
)
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.events import (
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    Event,
    Readable,
    Restarted,
    ShutdownComplete,
)
from sctpx.core.stack import Stack
from sctpx.core.timers import SECOND
from sctpx.core.tx.reliability import RELIABLE, RETRANSMISSIONS
from sctpx.wire.serial import TSN_MASK

from .fingerprint import fingerprint

START: Final = 1000 * SECOND
"""The time when a world begins, ns."""
PORT: Final = 5000
UDP_PORT: Final = 9899
MAX_OUTPUTS: Final = 200
"""Packets and events that one input may cause."""

MOVED: Final = bytes((10, 0, 9, 1))
"""Where A moves to."""
LARGE: Final = 1400
"""Bytes of a large message: the fourth one does not fit into a receive buffer of 4096 bytes."""

Step = str
"""What a program does:

``connect``; ``send`` followed by nothing, a stream, ``unordered``, ``once`` (never again) or ``large``; ``hear``, wait
for one more message; ``hold``, read no more; ``take``, read on; ``reset`` followed by ``outgoing``, ``incoming``,
``both`` or ``all`` (RFC 6525: streams, or the association); ``add outgoing``, ``add incoming`` (a stream); ``move`` to
another address (RFC 5061); ``shutdown``; ``shutdown at once``, whatever the state; ``abort``; ``restart``.
"""

DELIVER: Final = 0
TIMER: Final = 1
STEP: Final = 2
Op = tuple[int, bytes]
"""What happens to a host: a packet comes, the earliest timer expires, the program takes its next step."""


class Violation(AssertionError):
    """Something does not hold that must hold in every state."""


class Summary(NamedTuple):
    """What the other side, and the explorer, have to know of a host."""

    deadline: int
    """When its earliest timer expires, ns; -1 for none."""
    step: Step
    """What the program can do next; empty if it has to wait, or is done."""
    done: bool
    """The program has taken all its steps, or there never was an association to take them with."""
    live: tuple[tuple[int, int, int, int, int, int], ...]
    """(state, our tag, peer's tag, cumulative TSN ack point, next TSN, the peer's cumulative TSN) of associations; the
    next TSN is -1 if TSNs were reset."""
    holds: bool
    """The program does not read."""
    gives_up: bool
    """Some of its messages may be given up."""
    complete: tuple[str, ...]
    """The lives that ended gracefully."""
    sent: tuple[tuple[str, int], ...]
    """How many messages were sent, by life and stream."""
    received: tuple[tuple[str, int], ...]
    """The number of the next one expected, by life and stream of the sender; if they are unordered, a bit for each."""
    log: tuple[str, ...]
    """What the program was told, in order, without messages."""


@final
class _Entropy:
    """The same bytes for the same draw of the same host."""

    __slots__ = ("drawn", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.drawn = 0

    def draw(self, count: int) -> bytes:
        self.drawn += 1
        return hashlib.blake2b(f"{self.name} {self.drawn}".encode(), digest_size=count).digest()


@final
class _Life:
    """An association, as the program knows it."""

    def __init__(self, association: Association, name: str) -> None:
        self.association = association
        self.name = name
        self.is_up = False
        self.end = ""


@final
class Host:
    """A stack and its program."""

    def __init__(
        self,
        name: str,
        script: tuple[Step, ...],
        config: AssociationConfig,
        own: list[bytes],
        peer: list[bytes],
        gives_up: bool,
    ) -> None:
        """``gives_up``: the peer sends messages that it may give up, so that the numbers of others may have gaps."""
        self.name = name
        self.script = script
        self.config = config
        self.own = own
        self.peer = peer
        self.gives_up = gives_up
        self.holds = False
        self.position = 0
        self.lives: list[_Life] = []
        self.log: list[str] = []
        self.sent: dict[str, int] = {}
        self.received: dict[str, int] = {}
        self._entropy = _Entropy(name)
        self._origins: dict[str, int] = {}  # Of each life of the peer that sent messages, to which boot of ours.
        self._boots = 0
        self._heard = 0
        self._boot(START)

    def _boot(self, now: int) -> None:
        self._boots += 1
        self.stack = Stack(self._entropy.draw, now)
        announce = self.own if len(self.own) > 1 else []
        self.endpoint: Endpoint = self.stack.open_endpoint(PORT, self.own, self.config, announce)
        self.endpoint.listen()
        self._life: _Life | None = None

    # --- inputs ---

    def apply(self, op: Op, now: int) -> list[bytes]:
        """Let something happen; what the host sends: our address, the peer's, and the packet."""
        kind, data = op
        if kind == DELIVER:
            self.stack.receive(now, data[:4], data[4:8], UDP_PORT, data[8:], len(data) - 8)
        elif kind == TIMER:
            self.stack.handle_timeout(now)
        else:
            self._take_step(now)
        return self._drain(now)

    def _drain(self, now: int) -> list[bytes]:
        packets: list[bytes] = []
        for _ in range(MAX_OUTPUTS):
            transmit = self.stack.poll_transmit(now)
            if transmit is not None:
                places = transmit.remote + (transmit.local or self.own[0])
                data, size = transmit.data, transmit.segment
                packets += [places + data[start : start + size] for start in range(0, len(data), size)]
                continue
            event = self.stack.poll_event()
            if event is None:
                return packets
            self._on_event(event)
        raise Violation(f"{self.name} does not come to rest: {MAX_OUTPUTS} packets and events at one instant")

    def _take_step(self, now: int) -> None:
        step = self.script[self.position]
        self.position += 1
        life = self._life
        if step == "connect":
            remotes = [PeerAddress(ip, UDP_PORT) for ip in self.peer]
            try:
                self._begin(self.endpoint.connect(now, remotes, PORT))
            except OSError as error:
                if error.errno not in (EISCONN, EALREADY):
                    raise
                self.log.append("connected already")  # The peer was faster.
        elif step == "restart":
            self.log.append("boot")
            for gone in self.lives:
                gone.end = gone.end or "gone"
            self._boot(now)
        elif step == "hear":
            self._heard += 1
        elif life is not None and not life.end:
            self._use(life, step, now)

    def _use(self, life: _Life, step: Step, now: int) -> None:
        what, _, how = step.partition(" ")
        association = life.association
        try:
            if what == "shutdown":
                association.shutdown(now)
            elif what == "abort":
                association.abort(now)
            elif what == "reset" and how == "all":
                association.reset_association(now)
            elif what == "reset":
                association.reset_streams(now, how != "incoming", how != "outgoing", [])
            elif what == "add":
                association.add_streams(now, how == "outgoing", how == "incoming")
            elif what == "move":
                association.change_addresses(now, [MOVED], self.own)
            elif what == "hold":
                self.holds = True
            elif what == "take":
                self.holds = False
                self._read(association)
            else:
                self._send(life, how, now)
        except OSError as error:
            if error.errno not in (EPIPE, ENOTCONN, EALREADY):
                raise
            self.log.append(f"{step}: not now")

    def _send(self, life: _Life, how: str, now: int) -> None:
        stream = int(how) if how.isdigit() else 0
        key = f"{life.name} {stream}{'u' if how == 'unordered' else ''}"
        data = f"{key} {self.sent.get(key, 0)}".encode()
        if how == "large":
            data += bytes(LARGE - len(data))
        policy = RETRANSMISSIONS if how == "once" else RELIABLE
        life.association.send(now, data, stream, unordered=how == "unordered", policy=policy)
        self.sent[key] = self.sent.get(key, 0) + 1

    @property
    def next_step(self) -> Step:
        """What the program can do now; empty if it has to wait, or is done."""
        if self.position >= len(self.script):
            return ""
        step = self.script[self.position]
        life = self._life
        over = life is not None and life.end != ""
        if step == "restart":
            return step
        if step == "connect":
            return step if life is None or over else ""
        if step == "hear":
            return step if over or sum(self.received.values()) > self._heard else ""
        if life is not None and (life.is_up or over or step in ("abort", "shutdown at once")):
            return step
        return ""

    # --- what the program is told ---

    def _begin(self, association: Association) -> _Life:
        life = _Life(association, f"{self.name}{self._boots}.{len(self.lives)}")
        self.lives.append(life)
        self._life = life
        return life

    def _on_event(self, event: Event) -> None:
        association = association_of(event)
        life = next((life for life in self.lives if life.association is association), None)
        if life is None:
            if not isinstance(event, CommunicationUp):
                raise Violation(f"{self.name}: {type(event).__name__} of an association that never came up")
            life = self._begin(association)
            self.endpoint.accept(association)
        if life.end:
            raise Violation(f"{self.name}: {type(event).__name__} after the end of the association")
        if isinstance(event, CommunicationUp):
            if life.is_up:
                raise Violation(f"{self.name}: the association comes up twice")
            life.is_up = True
            self.log.append("up")
        elif isinstance(event, Restarted):
            if not life.is_up:
                raise Violation(f"{self.name}: a restart of an association that was not up")
            life.name += "'"
            self.log.append("restarted")
        elif isinstance(event, Readable):
            if not self.holds:
                self._read(association)
        elif isinstance(event, (CannotStart, CommunicationLost)):
            self._end(life, f"{type(event).__name__} {event.error}")
        elif isinstance(event, ShutdownComplete):
            self._end(life, "complete")

    def _end(self, life: _Life, how: str) -> None:
        """An association is over: the program reads what is left, and is told no more."""
        self._read(life.association)
        self.holds = False
        life.end = how
        self.log.append(how)

    def _read(self, association: Association) -> None:
        for message in association.read():
            key, _, number = message[0].rstrip(b"\0").decode().rpartition(" ")
            expected = self.received.get(key, 0)
            life = key.split()[0]
            if self._origins.setdefault(life, self._boots) != self._boots or life != list(self._origins)[-1]:
                raise Violation(f"{self.name} gets a message of {life}, which is a life of the peer that is over")
            if key.endswith("u"):
                bit = 1 << int(number)
                if expected & bit:
                    raise Violation(f"{self.name} gets message {number} of {key} twice")
                self.received[key] = expected | bit
            elif int(number) == expected or (self.gives_up and int(number) > expected):
                self.received[key] = int(number) + 1
            else:
                raise Violation(f"{self.name} gets message {number} of {key}: {expected} is next")

    # --- what must hold, and what others see ---

    def check(self, op: Op, now: int) -> None:
        """Whatever must hold on this side, after something has happened."""
        deadline = self.stack.next_timeout()
        if op[0] == TIMER and deadline is not None and deadline <= now:
            raise Violation(f"{self.name}: a timer is due again at the instant when it expired")
        for association in self.endpoint.associations.values():
            self._check_association(association, deadline)
        for life in self.lives:
            if (life.association.state == CLOSED) != (life.end != "") and life.end != "gone":
                raise Violation(f"{self.name}: state {life.association.state}, and the program knows {life.end!r}")
        live = [life for life in self.lives if not life.end]
        if len(live) != len(self.endpoint.associations):
            raise Violation(f"{self.name}: {len(live)} associations live, {len(self.endpoint.associations)} are kept")

    def _check_association(self, association: Association, deadline: int | None) -> None:
        tcb = association.tcb
        out = tcb.outstanding
        name = f"{self.name} in {STATE_NAMES[tcb.state]}"
        waiting = len(tcb.send_queue) > 0 or not out.empty
        ends = tcb.state in (SHUTDOWN_RECEIVED, SHUTDOWN_SENT, SHUTDOWN_ACK_SENT)
        if (tcb.state in (COOKIE_WAIT, COOKIE_ECHOED) or ends or waiting) and deadline is None:
            raise Violation(f"{name}: it waits for something, and no timer runs")
        if tcb.state in (SHUTDOWN_SENT, SHUTDOWN_ACK_SENT) and waiting:
            raise Violation(f"{name}: there is data that was not acknowledged (section 9.2)")
        if sum(path.flight_size for path in tcb.paths) != out.flight_size or out.flight_size < 0:
            raise Violation(f"{name}: the bytes in flight of the paths do not add up to {out.flight_size}")
        if (out.flight_size == 0) != (out.flight_chunks == 0):
            raise Violation(f"{name}: {out.flight_chunks} chunks in flight, {out.flight_size} bytes")
        if not waiting and tcb.buffered:
            raise Violation(f"{name}: nothing waits, and {tcb.buffered} bytes of the send buffer are taken")
        if tcb.buffered < 0 or tcb.error_count < 0 or out.cumulative_tsn_ack_point >= out.next_tsn:
            raise Violation(f"{name}: a counter is out of its bounds")
        if tcb.error_count > tcb.config.association_max_retrans:
            raise Violation(f"{name}: {tcb.error_count} errors in a row, and it lives (section 8.1)")
        if association.readable and not self.holds:
            raise Violation(f"{name}: there are messages that the program was not told of")

    def fingerprint(self) -> bytes:
        """16 bytes for the whole state."""
        lives: list[Any] = [(life.name, life.is_up, life.end) for life in self.lives]
        known = None if self._life is None else self._life.name
        program = (self.position, lives, known, self._boots, self._heard, self.holds, list(self._origins.items()))
        said = (self.log, sorted(self.sent.items()), sorted(self.received.items()))
        return fingerprint(program, said, self.stack)

    def summary(self) -> Summary:
        """What others have to know."""
        deadline = self.stack.next_timeout()
        live = []
        for association in self.endpoint.associations.values():
            tcb = association.tcb
            acknowledged = tcb.outstanding.cumulative_tsn_ack_point & TSN_MASK
            was_reset = tcb.former_tsn >= 0 or tcb.peer_former_tsn >= 0
            next_tsn = -1 if was_reset else tcb.outstanding.next_tsn & TSN_MASK
            live.append((tcb.state, tcb.local_tag, tcb.peer_tag, acknowledged, next_tsn, association.cumulative_tsn))
        return Summary(
            -1 if deadline is None else deadline,
            self.next_step,
            self.position >= len(self.script) or (self._life is None and self.script[self.position] != "connect"),
            tuple(live),
            self.holds,
            "send once" in self.script,
            tuple(life.name for life in self.lives if life.end == "complete"),
            tuple(sorted(self.sent.items())),
            tuple(sorted(self.received.items())),
            tuple(self.log),
        )
