"""States of an association and the legal ways between them (RFC 9260 section 4), as data with one writer.

CLOSED stands for the absence of the association: it is where one begins and ends. A peer's restart (section
5.2.4 A) is no way between states: it begins another life, from CLOSED to ESTABLISHED.
"""

from __future__ import annotations

from typing import Final

CLOSED: Final = 0
COOKIE_WAIT: Final = 1
COOKIE_ECHOED: Final = 2
ESTABLISHED: Final = 3
SHUTDOWN_PENDING: Final = 4
SHUTDOWN_SENT: Final = 5
SHUTDOWN_RECEIVED: Final = 6
SHUTDOWN_ACK_SENT: Final = 7

STATE_NAMES: Final[tuple[str, ...]] = (
    "CLOSED",
    "COOKIE-WAIT",
    "COOKIE-ECHOED",
    "ESTABLISHED",
    "SHUTDOWN-PENDING",
    "SHUTDOWN-SENT",
    "SHUTDOWN-RECEIVED",
    "SHUTDOWN-ACK-SENT",
)

TRANSITIONS: Final[dict[int, tuple[int, ...]]] = {
    CLOSED: (COOKIE_WAIT, ESTABLISHED),
    # ESTABLISHED at once: a collision resolved by the peer's COOKIE ECHO (section 5.2.4 B).
    COOKIE_WAIT: (COOKIE_ECHOED, ESTABLISHED, CLOSED),
    # Back to COOKIE-WAIT: a stale cookie (section 5.2.6).
    COOKIE_ECHOED: (ESTABLISHED, COOKIE_WAIT, CLOSED),
    ESTABLISHED: (SHUTDOWN_PENDING, SHUTDOWN_RECEIVED, CLOSED),
    SHUTDOWN_PENDING: (SHUTDOWN_SENT, SHUTDOWN_RECEIVED, CLOSED),
    SHUTDOWN_SENT: (SHUTDOWN_ACK_SENT, CLOSED),
    SHUTDOWN_RECEIVED: (SHUTDOWN_ACK_SENT, CLOSED),
    SHUTDOWN_ACK_SENT: (CLOSED,),
}


def is_legal(old: int, new: int) -> bool:
    """True if the association may go from ``old`` to ``new``."""
    return new in TRANSITIONS[old]
