"""Which of several carriers has a UDP port: the rule that asyncio's drivers and those of blocking sockets share.

One UDP port is one carrier. Whoever names a UDP port gets the carrier that has it on one of the wanted addresses; two
on different addresses may have the same number without knowing of each other.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from .base import Link
from .interfaces import AddressLike


class Carrier(Protocol):
    """What runs a link."""

    link: Link[Any]

    def add_address(self, address: AddressLike) -> None:
        """Carry packets of one more local address."""


CarrierT = TypeVar("CarrierT", bound=Carrier)


def find(carriers: Iterable[CarrierT], addresses: Sequence[bytes], udp_port: int) -> CarrierT | None:
    """The carrier that has this UDP port on one of these addresses, and now on all; ``None`` if none has.

    ``OSError`` as ``Link.add_address`` says.
    """
    for carrier in carriers:
        link = carrier.link
        if udp_port and link.port == udp_port and not set(link.addresses).isdisjoint(addresses):
            _add(carrier, addresses)
            return carrier
    return None


def extend(carrier: Carrier, addresses: Iterable[bytes]) -> bool:
    """Give a carrier these addresses as well; ``False`` if another program has its UDP port on one of them."""
    try:
        _add(carrier, addresses)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def _add(carrier: Carrier, addresses: Iterable[bytes]) -> None:
    known = carrier.link.addresses
    for address in addresses:
        if address not in known:
            carrier.add_address(address)
