"""How long a driver waits for a queue of this host that is full: until it may well be something else.

``EAGAIN`` says that the send buffer of the socket is full, and the system says when it is not. ``ENOBUFS`` says that
the interface has no room, and nothing tells when it has. But some interfaces say so of packets that they cannot carry:
one end of a virtual link of Linux (veth) does while the other end takes only smaller packets. Such a packet is refused
for ever, and all that is to be sent waits behind it.
"""

from __future__ import annotations

import errno
from typing import Final, final

from ..core.outputs import Transmit

TRIES: Final = 100
"""How often a Transmit is handed in, a millisecond or so apart, while the interface takes nothing of it."""


@final
class Patience:
    """What one driver has tried."""

    __slots__ = ("_left", "_size", "_transmit")

    def __init__(self) -> None:
        self._transmit: Transmit | None = None
        self._size = 0
        self._left = 0

    def keeps(self, transmit: Transmit, error: int) -> bool:
        """Whether a Transmit that was refused so is to be kept, and handed in once more."""
        if error != errno.ENOBUFS:
            return error == errno.EAGAIN
        size = len(transmit.data)
        if transmit is not self._transmit or size != self._size:
            self._transmit = transmit
            self._size = size
            self._left = TRIES
        self._left -= 1
        if not self._left:
            self._transmit = None
        return self._left > 0
