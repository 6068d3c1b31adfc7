"""One packet's life: the packet that is being processed, and the answer to it.

One object serves all packets of an association, one after the other: ``Tcb.begin_packet`` begins the next one.
"""

from __future__ import annotations

from typing import final

from ..path.path import Path


@final
class Answering:
    """The packet that is being processed."""

    __slots__ = ("answered_to", "first_answer", "local", "path", "room", "udp_port", "verdict")

    def __init__(self) -> None:
        self.local = b""
        """Our address that it came to."""
        self.udp_port = 0
        """The UDP port it came from; 0 without encapsulation."""
        self.path: Path | None = None
        """Where it came from."""
        self.first_answer = 0
        """Where in ``Tcb.control`` the answers to it begin."""
        self.room = 0
        """Bytes of answers it may still cause (RFC 9260 section 12.4)."""
        self.answered_to: Path | None = None
        """Where the answers go; None before the first one."""
        self.verdict = -1
        """What the SACK must know of a chunk that counts as DATA does (``transfer.handle_data``); -1 without one."""
