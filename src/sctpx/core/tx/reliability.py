"""How long a sender insists on a message: the policies of RFC 3758 section 4.1 and RFC 7496 section 3.

Each message that has one carries a ``Reliability``, and ``spans`` knows which TSNs belong to such messages. Messages
without a policy, which are sent until they are acknowledged, have neither.
"""

from __future__ import annotations

from typing import Final, final

from ...wire.ranges import Ranges

RELIABLE: Final = 0
"""No policy: the message is sent until it is acknowledged."""
TIMED: Final = 1
"""Abandoned when its lifetime is over (RFC 3758 section 4.1)."""
RETRANSMISSIONS: Final = 2
"""Abandoned when a chunk would be retransmitted too often (RFC 7496 section 3.1)."""
PRIORITY: Final = 3
"""Abandoned when the send buffer has no room for something more important (RFC 7496 section 3.2)."""


@final
class Reliability:
    """The policy of one message, and what has become of it."""

    __slots__ = ("deadline", "order", "over", "policy", "tsns", "value")

    def __init__(self, policy: int, value: int, deadline: int, order: int) -> None:
        self.policy = policy
        self.value = value
        """Nanoseconds, retransmissions, or a priority: 0 is the highest."""
        self.deadline = deadline
        """When its lifetime is over; ``NEVER`` for other policies."""
        self.order = order
        """Its place among all messages with a policy."""
        self.tsns: Ranges = []
        """Its chunks that were sent."""
        self.over = False
        """Acknowledged or abandoned: nothing more is to be decided."""

    def note(self, tsn: int, count: int) -> None:
        """These TSNs are chunks of the message."""
        if self.tsns and self.tsns[-1][1] == tsn:
            self.tsns[-1] = (self.tsns[-1][0], tsn + count)
        else:
            self.tsns.append((tsn, tsn + count))
