"""When the time to end is limited: which peers are worth waiting for, and what was lost where none was.

The process ends, or an event loop does, and associations are still being shut down: their peers have not taken all that
was sent. Waiting goes on as long as a peer makes progress, until a deadline. A peer makes progress as long as it
answers. One whose window is closed answers too, it acknowledges the probes of the window: its program may be about to
read. A peer has stopped when ``TIMEOUTS`` retransmission timers have expired in a row and nothing has come from it for
``SILENCE``.

This does not end anything itself: whoever carries the associations asks ``reason_to_abort`` now and then, and aborts.
What the peer had not acknowledged by then is lost, and since nobody is left to be told, the log is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, NamedTuple, final

from ..core.association.association import Association
from ..core.association.state import COOKIE_ECHOED, COOKIE_WAIT
from ..core.config import NANOSECONDS
from .addresses import ip_text
from .socket_association import SocketAssociation

SILENCE: Final = 3 * NANOSECONDS
"""Nothing has to come from a peer for so long, ns, before it counts as gone."""
TIMEOUTS: Final = 2
"""Retransmission timers that have to expire in a row before a peer counts as gone."""
_TOLD: Final = 10
"""Associations that are told one by one."""

_log: Final = logging.getLogger("sctpx")


class Loss(NamedTuple):
    """An association that was aborted before its peer had acknowledged everything."""

    peer: str
    bytes: int
    """User data that was accepted from the user and that the peer has not acknowledged."""
    reason: str


def _loss_by_abort(association: Association, reason: str) -> Loss | None:
    """What is lost if the association is aborted now; ``None`` if that is nothing."""
    owner = association.owner
    lost = owner.pending if isinstance(owner, SocketAssociation) else association.pending
    if not lost:
        return None
    addresses = [path.remote for path in association.paths] or [candidate.ip for candidate in association.report]
    return Loss(f"{', '.join(map(ip_text, addresses))} SCTP port {association.peer_port}", lost, reason)


def tell_loss(association: Association, reason: str) -> None:
    """Tell the log what is lost if the association is aborted now, for this reason."""
    loss = _loss_by_abort(association, reason)
    if loss is not None:
        _tell([loss])


def _tell(losses: Sequence[Loss]) -> None:
    """A warning for each association in the log ``sctpx``, which by default goes to standard error."""
    for loss in losses[:_TOLD]:
        _log.warning("the association with %s was aborted with %d bytes not acknowledged: %s", *loss)
    others = losses[_TOLD:]
    if others:
        total = sum(loss.bytes for loss in others)
        _log.warning("so were %d more associations, with %d bytes", len(others), total)


@final
class Ending:
    """Associations that are being shut down within a limited time."""

    def __init__(self, deadline: int, too_late: str) -> None:
        """Waiting goes on until ``deadline``, ns; ``too_late`` tells the log so."""
        self.deadline = deadline
        self._too_late = too_late
        self._heard: dict[Association, tuple[int, int]] = {}
        self._losses: list[Loss] = []

    def reason_to_abort(self, association: Association, now: int) -> str:
        """Why there is no point in waiting any longer; ``""`` if there is."""
        received = association.stats.packets_received
        before, since = self._heard.get(association, (-1, now))
        if received != before:
            self._heard[association] = (received, now)
            since = now
        if now >= self.deadline:
            return self._too_late
        asked = association.timeouts >= TIMEOUTS or association.state in (COOKIE_WAIT, COOKIE_ECHOED)
        return "the peer does not answer any more" if asked and now - since >= SILENCE else ""

    def interrupt(self) -> None:
        """The user does not want to wait any longer."""
        self.deadline = 0
        self._too_late = "waiting for the peer was interrupted"

    def abort(self, association: Association, now: int, reason: str) -> None:
        """Abort an association, and note what that loses."""
        loss = _loss_by_abort(association, reason)
        if loss is not None:
            self._losses.append(loss)
        association.abort(now)

    def tell(self) -> None:
        """Tell the log what was lost, once."""
        losses, self._losses = self._losses, []
        _tell(losses)
