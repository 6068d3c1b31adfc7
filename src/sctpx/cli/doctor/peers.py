"""A peer as seen from here: its addresses, what packets for them leave from, and what ``auto`` does first."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from ...aio.kernel_first import PATIENCE
from ...aio.resolve import resolve_peer
from ...core.config import AssociationConfig
from ...link import SCTP_TUNNELING_PORT
from ...link.addresses import address_text, family_of, socket_address
from ...link.interfaces import address_mtu, interface_address, source_for
from ..failure import explain
from .facts import Attempt, PeerAddressFacts, PeerFacts

_ANY_PORT: Final = 1
"""An SCTP port, where none is needed."""
# linux/in.h, linux/in6.h
_IP_MTU: Final = 14
_IPV6_MTU: Final = 24


async def peer_facts(hosts: Sequence[str], ways: Sequence[str]) -> PeerFacts:
    """What is known of a peer that has these addresses or names. Nothing is sent there."""
    asked = ",".join(hosts)
    try:
        peer = await resolve_peer(list(hosts), _ANY_PORT, SCTP_TUNNELING_PORT)
    except OSError as error:
        return PeerFacts(asked=asked, error=explain(error))
    unknown = (PeerAddressFacts(address=entry.address, error=entry.answer) for entry in peer.unusable)
    found = (*map(_address_facts, (address.ip for address in peer.addresses)), *unknown)
    return PeerFacts(asked=asked, addresses=found, attempts=tuple(_attempts(found, ways)))


def _address_facts(ip: bytes) -> PeerAddressFacts:
    text = address_text(ip)
    try:
        source = source_for(ip)
    except OSError as error:
        return PeerAddressFacts(address=text, error=error.strerror or str(error))
    interface = interface_address(source)
    return PeerAddressFacts(
        address=text,
        source=address_text(source),
        interface=interface.interface if interface else "",
        mtu=path_mtu(ip, source),
    )


def path_mtu(ip: bytes, source: bytes) -> int:
    """The largest IP packet to an address, as far as the system knows the path; else what the interface takes."""
    if sys.platform == "linux":
        family = family_of(ip)
        option = (socket.IPPROTO_IP, _IP_MTU) if family == socket.AF_INET else (socket.IPPROTO_IPV6, _IPV6_MTU)
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect(socket_address(ip, SCTP_TUNNELING_PORT))
            return asking.getsockopt(*option)
    return address_mtu(source)


def _attempts(addresses: Sequence[PeerAddressFacts], ways: Sequence[str]) -> Iterator[Attempt]:
    """A connect in order. The kernel has its own order of addresses, and sctpx's own stack asks beside it later."""
    usable = [entry.address for entry in addresses if not entry.error]
    delay = AssociationConfig.attempt_delay or 0.0
    for way in ways:
        if way == "kernel" and usable:
            yield Attempt(after=0.0, address=", ".join(usable), way=way)
    begin = PATIENCE if "kernel" in ways else 0.0
    own = [way for way in ways if way != "kernel"]
    for index, address in enumerate(usable):
        for place, way in enumerate(own):
            yield Attempt(after=begin + delay * (index + place / len(own)), address=address, way=way)
