"""Opening a link by its name: the one place that knows which kinds of links there are.

Callers say ``"udp"`` or ``"raw"`` and get something that is a ``base.Link``. What a wildcard stands for and which
addresses a client needs is answered by ``interfaces`` before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

from .addresses import AddressLike
from .base import Link
from .raw import RawLink
from .udp import UdpLink

LinkKind: TypeAlias = Literal["udp", "raw"]
"""How packets travel: "udp" in UDP (RFC 6951), without privilege; "raw" in IP itself, with CAP_NET_RAW."""

LINK_KINDS: Final[tuple[LinkKind, ...]] = get_args(LinkKind)


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
