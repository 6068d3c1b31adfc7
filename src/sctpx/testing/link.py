"""A seeded link in one direction: what happens to packets between the one who sends and the one who receives.

A packet passes these stations, each of which may end its way:

1. the filters, which may change it, delay it, hold it or drop it;
2. a cut link loses it;
3. the MTU: a larger packet is dropped, or counts as several fragments that must all get through;
4. the line: with a ``rate``, a queue and the time the bits take. A long queue, or chance, marks packets (ECN);
5. loss, drawn for each packet by itself, however many were sent together;
6. the delay, with jitter. The order is kept, but for packets that ``reorder`` picks out and holds back.

Packets that arrive at the same instant are handed over together, so that the receiver's batch path is used
(see ``gro``). A run of packets that the stations would treat all alike is not even taken apart.

Every link draws from a random generator of its own: what one link does never depends on the traffic of
another. A link knows nothing of hosts; whoever owns it is told what became of each packet (``LinkUser``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol, final

from sctpx.core.outputs import CE

from .clock import SECOND, VirtualClock, to_nanoseconds
from .packet import CUT, FILTERED, HELD_BACK, LOST, QUEUE_FULL, TOO_BIG, UNDER_WAY, Packet

Filter = Callable[[Packet], bool]
"""Looks at each packet that enters a link: true lets it pass, false takes it away. It may change the packet,
and may keep one it took away and ``release`` it later."""


@dataclass(frozen=True, kw_only=True)
class LinkSettings:
    """What a link does to packets. Times are in seconds, probabilities from 0 to 1."""

    delay: float = 0.01
    """From the end of sending to arrival."""
    jitter: float = 0.0
    """Up to so much is added to the delay of each packet, drawn evenly. The order of packets stays."""
    loss: float = 0.0
    """Probability that a packet is lost."""
    duplicate: float = 0.0
    """Probability that a packet arrives twice."""
    reorder: float = 0.0
    """Probability that a packet is held back, so that those behind it overtake it."""
    reorder_delay: float = 0.005
    """How long such a packet is held back."""
    rate: float | None = None
    """Bits per second of IP packets, headers included; ``None``: no limit."""
    queue: int | None = None
    """Bytes that fit in before the line, the packet that is being sent included; ``None``: no limit."""
    mark: float = 0.0
    """Probability that a packet is marked CE, if its sender has said by ECT that it reacts to marks (RFC 3168)."""
    mark_queue: int | None = None
    """Bytes in the queue of a link with a ``rate`` from which on such packets are marked; ``None``: none is."""
    mtu: int = 1500
    """Largest IP packet, bytes, headers included."""
    fragment: bool = False
    """Larger packets are fragmented by IP instead of dropped; those whose sender allows it always are."""
    reports: bool = False
    """The sender of a packet that is too big is told so by ICMP. Else such packets vanish: the link is a black hole."""
    batches: bool = True
    """Packets that arrive together reach the receiver as one buffer; false: one by one."""
    coalesce: float = 0.0
    """The receiver waits so long after a packet arrived for more to hand over with it."""

    error_detection_method: int = 0
    """The Error Detection Method Identifier of what protects each packet (RFC 9653), as DTLS does; 0: nothing does.
    It counts where the network is given it at the beginning."""

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder", "mark"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: not between 0 and 1")
        for name in ("delay", "jitter", "reorder_delay", "coalesce", "queue", "mark_queue"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}: negative")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate is {self.rate!r}: not positive")
        if self.mtu < 68:
            raise ValueError(f"mtu is {self.mtu!r}: below the least of IP, 68")


class LinkUser(Protocol):
    """Who owns a link: hears of every packet, and gets those that arrive."""

    def on_sent(self, packet: Packet) -> None:
        """A packet, or a run of them, entered the link."""

    def on_settled(self, packet: Packet) -> None:
        """It will not arrive: ``packet.fate`` says why."""

    def deliver(self, packets: list[Packet], together: bool) -> None:
        """These packets arrived now; ``together``: they may be handed over as batches."""


@final
class _Flight:
    """Packets that arrive at the same time."""

    __slots__ = ("epoch", "packets", "until")

    def __init__(self, epoch: int, until: int) -> None:
        self.epoch = epoch
        self.until = until
        self.packets: list[Packet] = []


@final
class Link:
    """A link in one direction, on virtual time."""

    def __init__(
        self,
        clock: VirtualClock,
        user: LinkUser,
        random: Random,
        settings: LinkSettings | None = None,
        shared_filters: list[Filter] | None = None,
    ) -> None:
        self.filters: list[Filter] = []
        """Asked in this order about each packet that enters; those shared with other links come first."""
        self.is_cut = False
        """Everything is lost."""
        self.packets_sent = 0
        """Packets that entered, those taken by filters not included."""
        self.packets_lost = 0
        """How many of them did not make it through, for whatever reason."""
        self._clock = clock
        self._user = user
        self._random = random
        self._shared_filters: list[Filter] = [] if shared_filters is None else shared_filters
        self._epoch = 0
        self._line_free = 0
        self._last_arrival = 0
        self._open: _Flight | None = None
        self._adopt(settings or LinkSettings())

    @property
    def settings(self) -> LinkSettings:
        """What the link does to packets now."""
        return self._settings

    def set(self, **changes: Any) -> None:
        """Change some of the settings, for packets that are sent from now on: ``link.set(loss=0.1, delay=0.2)``.

        Raises TypeError for an unknown name and ValueError for an impossible value; nothing is changed then.
        """
        self._adopt(replace(self._settings, **changes))

    def cut(self) -> None:
        """Lose everything from now on, what is under way included."""
        self.is_cut = True
        self.lose_all_under_way()

    def heal(self) -> None:
        """Carry packets again."""
        self.is_cut = False

    def lose_all_under_way(self) -> None:
        """Lose the packets in the queue and on the line, as if the link had been cut and healed at once."""
        self._epoch += 1
        self._line_free = self._last_arrival = 0
        self._open = None

    def carry(self, packet: Packet) -> None:
        """Take in a packet, or a run of them; from here it is lost, or delivered later."""
        packet.carrier = self
        if len(packet.data) <= packet.segment or self._treats_alike(packet):
            self._enter(packet)
        else:
            for single in packet.singles():
                self._enter(single)

    def release(self, packet: Packet, after: float = 0.0) -> None:
        """Send on a packet that a filter took away; see ``Packet.release``."""
        packet.fate = HELD_BACK
        self._clock.call_at(self._clock.now + to_nanoseconds(after), self._enter_again, packet)

    def _adopt(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._delay = to_nanoseconds(settings.delay)
        self._jitter = to_nanoseconds(settings.jitter)
        self._reorder_delay = to_nanoseconds(settings.reorder_delay)
        self._coalesce = to_nanoseconds(settings.coalesce)
        self._alike = not (
            settings.loss
            or settings.jitter
            or settings.reorder
            or settings.duplicate
            or settings.mark
            or settings.rate is not None
        )

    def _treats_alike(self, run: Packet) -> bool:
        """Nothing here tells the packets of a run apart."""
        return self._alike and not (self.filters or self._shared_filters) and run.ip_size <= self._settings.mtu

    def _enter(self, packet: Packet) -> None:
        self._user.on_sent(packet)
        if (self._shared_filters or self.filters) and not self._passes_filters(packet):
            return
        self.packets_sent += packet.count
        if self.is_cut:
            self._lose(packet, CUT)
        else:
            self._pass_line(packet)

    def _passes_filters(self, packet: Packet) -> bool:
        for accept in (*self._shared_filters, *self.filters):
            accepted = accept(packet)
            packet.segment = max(len(packet.data), 1)
            if not accepted:
                if packet.fate == UNDER_WAY:
                    packet.fate = FILTERED
                    self._user.on_settled(packet)
                return False
        return True

    def _pass_line(self, packet: Packet) -> None:
        settings, random = self._settings, self._random
        leaves = self._clock.now
        size = packet.ip_size
        fragments = -(-size // settings.mtu)
        if fragments > 1 and not (settings.fragment or packet.fragments):
            self._lose(packet, TOO_BIG)
            return
        if settings.rate is not None:
            start = max(self._line_free, leaves)
            waiting = int((start - leaves) * settings.rate / (8 * SECOND))
            if settings.queue is not None and waiting + size > settings.queue:
                self._lose(packet, QUEUE_FULL)
                return
            if settings.mark_queue is not None and waiting + size > settings.mark_queue:
                _mark(packet)
            leaves = self._line_free = start + round(size * 8 * SECOND / settings.rate)
        if settings.mark and random.random() < settings.mark:
            _mark(packet)
        if settings.loss and random.random() >= (1 - settings.loss) ** fragments:
            self._lose(packet, LOST)
            return
        arrival = leaves + self._delay
        if self._jitter:
            arrival += random.randrange(self._jitter + 1)
        if settings.reorder and random.random() < settings.reorder:
            self._depart(arrival + self._reorder_delay).packets.append(packet)
        else:
            self._keep_order(packet, arrival)
        if settings.duplicate and random.random() < settings.duplicate:
            copy = packet.duplicate(self._clock.now)
            self._user.on_sent(copy)
            self._keep_order(copy, arrival)

    def _keep_order(self, packet: Packet, arrival: int) -> None:
        self._last_arrival = arrival = max(arrival, self._last_arrival)
        flight = self._open
        if flight is None or arrival > flight.until:
            flight = self._open = self._depart(arrival + self._coalesce)
        flight.packets.append(packet)

    def _depart(self, arrival: int) -> _Flight:
        flight = _Flight(self._epoch, arrival)
        self._clock.call_at(arrival, self._arrive, flight)
        return flight

    def _arrive(self, flight: _Flight) -> None:
        if self._open is flight:
            self._open = None
        if flight.epoch == self._epoch:
            self._user.deliver(flight.packets, self._settings.batches)
            return
        for packet in flight.packets:
            self._lose(packet, CUT)

    def _enter_again(self, packet: Packet) -> None:
        if packet.copy:
            self._user.on_sent(packet)
        self.packets_sent += 1
        packet.fate = UNDER_WAY
        packet.segment = max(len(packet.data), 1)
        if self.is_cut:
            self._lose(packet, CUT)
        else:
            self._depart(self._clock.now + self._delay).packets.append(packet)

    def _lose(self, packet: Packet, fate: str) -> None:
        self.packets_lost += packet.count
        packet.fate = fate
        self._user.on_settled(packet)


def _mark(packet: Packet) -> None:
    """Congestion: mark a packet that may be marked."""
    if packet.ecn:
        packet.ecn = CE
