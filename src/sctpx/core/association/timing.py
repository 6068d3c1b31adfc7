"""The timers of an association: one loop over what owns them.

An owner knows its earliest deadline, and what to do when it has come. ``OWNERS`` has all of them, in the order in which
they act. Nobody else keeps a list of timers: whoever adds one, adds it to its owner, or adds an owner. What belongs to
a phase is gone with it (``opening``, ``closing``, ``probe``), and an association that is over has no timers.
"""

from __future__ import annotations

from typing import Final, final

from ..timers import NEVER
from . import handshake, reachability, recovery, shutdown, transfer
from .state import CLOSED
from .tcb import Tcb


class TimerOwner:
    """A part of an association that has timers."""

    def next_deadline(self, tcb: Tcb) -> int:
        """When it has something to do, ns; ``NEVER`` for not at all."""
        raise NotImplementedError

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        """Its earliest deadline has come."""
        raise NotImplementedError


@final
class _SettingUp(TimerOwner):
    """T1-init of each address, T1-cookie, the limit on the whole attempt."""

    def next_deadline(self, tcb: Tcb) -> int:
        return NEVER if tcb.opening is None else tcb.opening.next_deadline()

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        handshake.handle_timeout(tcb, now)


@final
class _Ending(TimerOwner):
    """T5-shutdown-guard, the drain guard, T2-shutdown."""

    def next_deadline(self, tcb: Tcb) -> int:
        return NEVER if tcb.closing is None else tcb.closing.next_deadline()

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        shutdown.handle_timeout(tcb, now)


@final
class _DelayedSack(TimerOwner):
    """SACK.Delay."""

    def next_deadline(self, tcb: Tcb) -> int:
        return tcb.sack_policy.deadline

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        transfer.make_sack(tcb)


@final
class _Retransmission(TimerOwner):
    """T3-rtx of each path, and what may come before it: reordering timers and tail loss probes (RFC 8985)."""

    def next_deadline(self, tcb: Tcb) -> int:
        deadline = NEVER
        for path in tcb.paths:
            if path.t3_deadline < deadline:
                deadline = path.t3_deadline
            if path.loss_deadline < deadline:
                deadline = path.loss_deadline
        return deadline

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        for path in tcb.paths:
            if path.loss_deadline <= now:
                recovery.handle_loss_deadline(tcb, now, path)
            if path.t3_deadline <= now and tcb.state != CLOSED:
                recovery.handle_t3(tcb, now, path)


@final
class _Heartbeats(TimerOwner):
    """HEARTBEATs of each path that are due, or unanswered."""

    def next_deadline(self, tcb: Tcb) -> int:
        deadline = NEVER
        for path in tcb.paths:
            if path.heartbeat_timeout < deadline:
                deadline = path.heartbeat_timeout
            due = path.heartbeat_deadline
            if due < deadline:
                # With HB.Max.Burst used up, the next HEARTBEAT waits for the next window.
                if due < tcb.heartbeat_window and tcb.heartbeat_burst >= tcb.rules.heartbeat_max_burst:
                    due = tcb.heartbeat_window
                if due < deadline:
                    deadline = due
        return deadline

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        reachability.handle_heartbeat_timers(tcb, now)


@final
class _Probing(TimerOwner):
    """Zero window probes. They come behind the HEARTBEAT that the first one waits for."""

    def next_deadline(self, tcb: Tcb) -> int:
        return NEVER if tcb.probe is None else tcb.probe.deadline

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        transfer.handle_probe_timer(tcb, now)


@final
class _Extensions(TimerOwner):
    """Whatever the extensions wait for."""

    def next_deadline(self, tcb: Tcb) -> int:
        deadline = NEVER
        for extension in tcb.extensions:
            if extension.deadline < deadline:
                deadline = extension.deadline
        return deadline

    def handle_timeout(self, tcb: Tcb, now: int) -> None:
        for extension in tcb.extensions:
            if extension.deadline <= now and tcb.state != CLOSED:
                extension.handle_timeout(now)


OWNERS: Final[tuple[TimerOwner, ...]] = (
    _SettingUp(),
    _Ending(),
    _DelayedSack(),
    _Retransmission(),
    _Heartbeats(),
    _Probing(),
    _Extensions(),
)


def next_deadline(tcb: Tcb) -> int:
    """The earliest deadline of an association, ns; ``NEVER`` if nothing is waited for."""
    deadline = NEVER
    if tcb.state != CLOSED:
        for owner in OWNERS:
            due = owner.next_deadline(tcb)
            if due < deadline:
                deadline = due
    return deadline


def handle_timeout(tcb: Tcb, now: int) -> None:
    """Time has passed: let each owner act whose deadline has come."""
    for owner in OWNERS:
        if tcb.state == CLOSED:
            return
        if owner.next_deadline(tcb) <= now:
            owner.handle_timeout(tcb, now)
