"""The middle of the story, the same on every link: when the primary path is cut, and who takes over.

It is fed with what the association tells (``on_path_state``) and with looks at how far the transfer is (``on_look``),
passes on what is worth telling, and keeps what was measured in the ``Outcome``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, final

from ...sockapi.status import PathInfo
from .story import Outcome, Progress, Teller

_ONE_PACKET: Final = 1000
"""Bytes sent on a path that are more than a HEARTBEAT: data goes there."""


@final
class Plot:
    """One transfer with one cut. Times are seconds from the beginning of the connect."""

    def __init__(self, teller: Teller, outcome: Outcome, cut: Callable[[str], object]) -> None:
        """``cut`` is called with the primary path's address when its hour has come."""
        self._teller = teller
        self._outcome = outcome
        self._cut = cut
        self._began = 0.0
        self._sent_before: dict[str, int] = {}

    def begin(self, now: float, total: int) -> None:
        """The association is up and ``total`` bytes are about to be sent."""
        self._began = now
        self._teller.sending(total)

    def on_look(self, now: float, sent: int, total: int, paths: Sequence[PathInfo]) -> None:
        """So far is the transfer now, and these are the paths."""
        outcome = self._outcome
        if outcome.cut_at is None and sent * 2 >= total:
            outcome.cut_at = now
            self._sent_before = {path.remote: path.bytes_sent for path in paths}
            self._cut(outcome.primary)
            self._teller.event(now, f"{outcome.primary} is cut: nothing gets through any more")
        self._look_for_heir(now, paths)
        self._tell_progress(now, sent, total, paths)

    def on_path_state(self, now: float, address: str, state: str, paths: Sequence[PathInfo]) -> None:
        """A path became active, potentially failed or inactive."""
        text = f"{address} is {state}"
        if state == "active":
            text += " again: what it carried before was acknowledged"
        self._teller.event(now, text)
        self._look_for_heir(now, paths)

    def end(self, now: float, total: int, paths: Sequence[PathInfo]) -> None:
        """Everything was sent and acknowledged."""
        self._look_for_heir(now, paths)
        self._tell_progress(now, total, total, paths)
        self._outcome.sending_seconds = now - self._began
        self._outcome.paths = paths
        self._teller.sent(self._outcome)

    def _tell_progress(self, now: float, sent: int, total: int, paths: Sequence[PathInfo]) -> None:
        self._teller.progress(Progress(now, now - self._began, sent, total, paths, self._outcome.cut))

    def _look_for_heir(self, now: float, paths: Sequence[PathInfo]) -> None:
        """Another path takes over as soon as it has carried more than a packet of data since the cut."""
        outcome = self._outcome
        if outcome.cut_at is None or outcome.failed_over_at is not None:
            return
        for path in paths:
            grown = path.bytes_sent - self._sent_before.get(path.remote, 0)
            if path.remote != outcome.primary and grown > _ONE_PACKET:
                outcome.failed_over_at = now
                outcome.failed_over_to = path.remote
                self._teller.event(now, f"data goes to {path.remote}")
                return
