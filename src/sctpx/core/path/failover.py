"""Error counts, path states and the choice of a path: RFC 9260 sections 6.4, 8.1 and 8.2, RFC 7829.

A path is active, potentially failed (PF: more than PotentiallyFailed.Max.Retrans timeouts in a row) or
inactive (more than Path.Max.Retrans). Data goes to the primary path while it is active, else to another
active one, else to the PF path with the fewest errors, and with all of them inactive (the dormant state) to
the one with the fewest errors, each time the last acknowledged first: PF paths are asked by a HEARTBEAT every RTO,
so one that has been PF for longer has left more unanswered. Choosing a path never changes it.

After a timeout, acknowledgements of data that was sent before it make a path active again (RFC 7829 section
3.2 (10)). They prove that it worked then, not that it works now: while other active paths exist, new data
returns only when a HEARTBEAT or data sent since was answered. Until then the path is *doubtful*.

Data returns to the primary path when that is active again. Where the user sets Primary.Switchover.Max.Retrans (section
5), a primary path with more errors than that gives way instead: the path that carries the data is primary from then on.
"""

from __future__ import annotations

from typing import Final

from .path import Path
from .states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED

# How far error counts go above the threshold in the dormant state, as a factor (RFC 7829 section 4.1).
DORMANT_FACTOR: Final = 10


def on_timeout(path: Path) -> bool:
    """Count a T3-rtx expiry or an unanswered HEARTBEAT; True if that changed the path's state."""
    path.doubtful = path.heartbeat_enabled  # Without heartbeats, only data could end the doubt.
    if path.error_count < DORMANT_FACTOR * (path.max_retrans + 1):
        path.error_count += 1
    return judge(path)


def foresee_timeout(path: Path) -> None:
    """The network has said that what is under way there is lost, and it is counted: its timeout is no further error."""
    path.timeout_foreseen = True


def was_foreseen(path: Path) -> bool:
    """Whether the timeout that has come now is counted already; the next one is not."""
    foreseen = path.timeout_foreseen
    path.timeout_foreseen = False
    return foreseen


def judge(path: Path) -> bool:
    """Set the state that the path's errors and thresholds call for; True if it was another one."""
    if path.error_count > path.max_retrans:
        state = PATH_INACTIVE
    elif path.confirmed and path.error_count > path.potentially_failed_max_retrans:
        # A path to be verified is probed by its own rules (RFC 9260 section 5.4).
        state = PATH_POTENTIALLY_FAILED
    else:
        state = PATH_ACTIVE
    changed = state != path.state
    path.state = state
    return changed


def on_reached(path: Path, now: int, fresh: bool = True) -> bool:
    """The peer answered there, what was sent since the last timeout if ``fresh``; True if it is active again."""
    path.error_count = 0
    path.timeout_foreseen = False
    if fresh:
        path.doubtful = False
    path.last_acknowledged = now
    path.unanswered_inits = 0
    changed = path.state != PATH_ACTIVE
    path.state = PATH_ACTIVE
    return changed


def select(paths: list[Path], preferred: Path, avoid: Path | None = None) -> Path:
    """The path for data: ``preferred`` if it is as good as any, another one than ``avoid`` if there is one.

    ``avoid`` is the path on which the data timed out (RFC 9260 section 6.4.1). Unconfirmed paths carry no
    data (section 5.4); an association always has a confirmed one. Those that are cut off come last.
    """
    # Not ``usable``, which is a call: this runs for each packet.
    usable = preferred.state == PATH_ACTIVE and preferred.confirmed and not preferred.cut_off
    if usable and not preferred.doubtful and preferred is not avoid:
        return preferred  # Nothing ranks before it.
    best = preferred
    best_rank = _rank(preferred, preferred, avoid)
    for path in paths:
        rank = _rank(path, preferred, avoid)
        if rank < best_rank:
            best = path
            best_rank = rank
    return best


def _rank(path: Path, preferred: Path, avoid: Path | None) -> tuple[bool, bool, int, int, int, int]:
    """Smaller is better. RFC 7829 section 3.2 (3, 4) and section 4.1."""
    state = path.state
    avoided = 1 if path is avoid else 0
    if state == PATH_ACTIVE:
        # Among equally healthy paths the most divergent one from where the data was lost.
        trouble = (2 if path.doubtful else 0) + avoided
    elif state == PATH_POTENTIALLY_FAILED:
        trouble = path.error_count
    else:
        trouble = (path.error_count << 1) + avoided
    heard = -path.last_acknowledged if state != PATH_ACTIVE else 0
    return path.cut_off, not path.confirmed, state, trouble, heard, 2 * avoided + (path is not preferred)
