"""Taking an SCTP port: in the stack, which knows its own endpoints, and in the link, which knows the rest of the host.

Drivers open endpoints by this, so that both agree. A port that the stack draws may be another program's: then the
stack draws again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeVar

from .base import Link

_DRAWS: Final = 256
"""With half of all ports taken by other programs, so many draws fail once in 2^256 times."""


class SctpPort(Protocol):
    """An endpoint of a stack."""

    @property
    def port(self) -> int:
        """Its SCTP port."""


PortT = TypeVar("PortT", bound=SctpPort)


def take(
    link: Link[Any],
    addresses: Iterable[bytes],
    port: int,
    open_endpoint: Callable[[int], PortT],
    close_endpoint: Callable[[PortT], object],
) -> PortT:
    """The endpoint that ``open_endpoint`` makes of a port, once the link has that port at these addresses.

    With port 0 ``open_endpoint`` draws one. An endpoint whose port the link cannot have is closed again. ``OSError``
    (EADDRINUSE) as the two say.
    """
    wanted = list(addresses)
    for draw in range(1 if port else _DRAWS):
        endpoint = open_endpoint(port)
        try:
            link.open_port(endpoint.port, wanted)
        except OSError as error:
            close_endpoint(endpoint)
            if port or error.errno != errno.EADDRINUSE or draw == _DRAWS - 1:
                raise
        else:
            return endpoint
    raise AssertionError("the last draw has returned or raised")
