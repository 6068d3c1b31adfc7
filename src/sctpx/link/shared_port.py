"""Which of several carriers a new SCTP port goes to: a rule that asyncio's drivers and those of sockets share.

One UDP port is one carrier. Whoever names a UDP port gets the carrier that has it on one of the wanted addresses; two
on different addresses may have the same number without knowing of each other. Without UDP, the carrier of raw sockets
at one of the wanted addresses takes every SCTP port that it does not have yet: its sockets see all packets anyway.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from .addresses import AddressLike
from .base import Link
from .opening import NO_RAW
from .raw import RawLink


class Carrier(Protocol):
    """What runs a link."""

    link: Link[Any]

    def has_sctp_port(self, port: int) -> bool:
        """Whether an endpoint of its stack has this SCTP port."""

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


def find_raw(carriers: Iterable[CarrierT], addresses: Sequence[bytes], port: int) -> CarrierT | None:
    """The carrier of raw sockets for one more SCTP port at these addresses, which it has now; ``None`` if none is.

    One that has the port at one of the addresses already is given: its stack says that the port is taken, and by whom.
    ``OSError`` as ``Link.add_address`` says.
    """
    free = None
    for carrier in carriers:
        link = carrier.link
        if not isinstance(link, RawLink) or set(link.addresses).isdisjoint(addresses):
            continue
        if link.has_port(port, addresses):
            free = carrier
            break
        if free is None and not carrier.has_sctp_port(port):
            free = carrier
    if free is not None:
        _add(free, addresses)
    return free


def extend(carrier: Carrier, addresses: Iterable[bytes]) -> bool:
    """Give a carrier these addresses as well; ``False`` if that needs another one.

    Another program has its UDP port on one of them, or its raw sockets were opened with a privilege that is gone.
    """
    try:
        _add(carrier, addresses)
    except OSError as error:
        if error.errno != errno.EADDRINUSE and error.errno not in NO_RAW:
            raise
        return False
    return True


def _add(carrier: Carrier, addresses: Iterable[bytes]) -> None:
    known = carrier.link.addresses
    for address in addresses:
        if address not in known:
            carrier.add_address(address)
