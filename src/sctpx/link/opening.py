"""Opening a link by its name: the one place that knows which kinds of links there are.

Callers say ``"udp"`` or ``"raw"`` and get something that is a ``base.Link``; or they take both, as ``choice`` says
(``open_ways``). What a wildcard stands for and which addresses a client needs is answered by ``interfaces`` before.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

from .addresses import AddressLike
from .base import Link
from .choice import Way
from .raw import RawLink
from .several import SeveralLinks
from .udp import UdpLink

LinkKind: TypeAlias = Literal["udp", "raw"]
"""How packets travel: "udp" in UDP (RFC 6951), without privilege; "raw" in IP itself, with CAP_NET_RAW."""

LINK_KINDS: Final[tuple[LinkKind, ...]] = get_args(LinkKind)

NO_RAW: Final = frozenset(
    {
        *(errno.EPERM, errno.EACCES, errno.EBUSY, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT),
        errno.ENOPROTOOPT,
    }
)
"""Raw sockets cannot be opened here, whatever the address; or what they need is not there, as filters in a sandbox."""


def check_kind(kind: str) -> LinkKind:
    """The kind, if it is one. ``ValueError`` if not."""
    if kind not in LINK_KINDS:
        raise ValueError(f"link is {kind!r}: not one of {', '.join(LINK_KINDS)}")
    return kind


def open_link(
    kind: LinkKind,
    addresses: Sequence[AddressLike],
    udp_port: int | Sequence[int] = 0,
    *,
    offload: bool = True,
    ecn: bool = False,
) -> Link[Any]:
    """Open a link on these local addresses.

    ``udp_port`` and ``offload`` are for UDP alone (see ``UdpLink.open``). ``OSError`` as ``UdpLink.open`` and
    ``RawLink.open`` say.
    """
    if kind == "raw":
        return RawLink.open(addresses, ecn=ecn)
    return UdpLink.open(addresses, udp_port, offload=offload, ecn=ecn)


def open_ways(
    ways: Sequence[Way], addresses: Sequence[AddressLike], udp_port: int = 0, *, offload: bool = True
) -> Link[Any]:
    """Open a link that goes these ways of sctpx's own stack, on these local addresses.

    Raw sockets beside UDP are dispensable: where they cannot be opened, it is a link over UDP. ``OSError`` as
    ``open_link``.
    """
    if ways == ("raw",):
        return RawLink.open(addresses)
    try:
        udp = UdpLink.open(addresses, udp_port, offload=offload)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or "raw" not in ways:
            raise
        raise OSError(error.errno, f'{error.strerror}, or do without UDP by link="raw"') from None
    if "raw" not in ways:
        return udp
    try:
        return SeveralLinks(RawLink.open(addresses), udp)
    except OSError as error:
        if error.errno in NO_RAW:
            return udp
        udp.close()
        raise


def ways_of(link: Link[Any]) -> tuple[Way, ...]:
    """The ways that a link goes, the preferred one first."""
    if isinstance(link, SeveralLinks):
        return ("raw", "udp")
    return ("udp",) if link.port else ("raw",)


def forbids_fragments(link: Link[Any]) -> bool:
    """Whether a link can tell IP not to fragment packets. One that does not say so cannot."""
    return bool(getattr(link, "forbids_fragments", False))
