"""Taking an SCTP port: in the stack, which knows its own endpoints, and in what carries its packets, which knows more.

Over UDP the stack is alone behind its UDP port. Without UDP another program of this host can have a port. So an
endpoint is open once both agree. A port that the stack draws and another program has is drawn again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from ..core.config import AssociationConfig, Limits
from ..core.endpoint import Endpoint
from ..core.stack import Stack

_DRAWS: Final = 256
"""With half of all ports taken by other programs, so many draws fail once in 2^256 times."""


class PortCarrier(Protocol):
    """What carries the packets of SCTP ports: a link, or what drives one."""

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Carry packets of an SCTP port at these local addresses. ``OSError`` (EADDRINUSE): another program has it."""


def open_endpoint(
    stack: Stack,
    carrier: PortCarrier,
    now: int,
    port: int,
    addresses: Sequence[bytes],
    config: AssociationConfig,
    limits: Limits | None = None,
) -> Endpoint:
    """Take an SCTP port, 0 for a free one, whose packets come to these local addresses.

    ``OSError`` (EADDRINUSE) if another endpoint of the stack or another program has the port; an endpoint whose port
    cannot be had is closed again.
    """
    for draw in range(1 if port else _DRAWS):
        endpoint = stack.open_endpoint(port, addresses, config, limits=limits)
        try:
            carrier.open_port(endpoint.port, addresses)
        except OSError as error:
            endpoint.close(now)
            if port or error.errno != errno.EADDRINUSE or draw == _DRAWS - 1:
                raise
            stack.leap_port()
        else:
            return endpoint
    raise AssertionError("the last draw has returned or raised")
