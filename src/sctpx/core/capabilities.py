"""What the two sides of an association can do beyond RFC 9260: what is offered, and what both have agreed on.

A capability is a bit. ``CAPABILITIES`` has a row for each: how INIT and INIT ACK say it, and which parameter of
``AssociationConfig`` switches it on. A side offers what its row allows, the other one offers its own, and what both
have offered is agreed: the State Cookie of the listener keeps it in two bytes.

This is the only place that reads or writes the Supported Extensions parameter (RFC 5061 section 4.2.7) and its like.
An extension asks ``tcb.capabilities`` for its bit.
"""

from __future__ import annotations

from typing import Any, Final, final

from ..wire.codes import (
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_AUTH,
    CHUNK_FORWARD_TSN,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_RE_CONFIG,
    PARAM_ECN_CAPABLE,
    PARAM_FORWARD_TSN_SUPPORTED,
)
from ..wire.setup import Setup


@final
class Capability:
    """A row: one extension, and how an INIT or INIT ACK says that its sender has it."""

    __slots__ = ("authenticated", "bit", "chunks", "field", "name", "needs", "parameter", "section")

    def __init__(
        self,
        bit: int,
        name: str,
        field: str,
        chunks: bytes,
        parameter: int,
        section: str,
        needs: int = 0,
        authenticated: bytes = b"",
    ) -> None:
        self.bit = bit
        self.name = name
        """The extension's name."""
        self.field = field
        """The field of ``AssociationConfig`` that switches it on."""
        self.chunks = chunks
        """Chunk types that Supported Extensions lists. A peer that lists the first of them has the extension."""
        self.parameter = parameter
        """A parameter without a value that says as much; -1 for none. Either is enough."""
        self.section = section
        """Where the standard says so."""
        self.needs = needs
        """Bits of the extensions without which this one is not spoken. Whoever offers it offers those."""
        self.authenticated = authenticated
        """Its chunk types that count only if they are authenticated (RFC 4895): our CHUNKS parameter lists them."""


INTERLEAVING: Final = 1 << 0
PARTIAL_RELIABILITY: Final = 1 << 2
INTERLEAVED_PARTIAL_RELIABILITY: Final = 1 << 3
RECONFIGURATION: Final = 1 << 4
AUTHENTICATION: Final = 1 << 5
ECN: Final = 1 << 6
TAKES_ZERO_CHECKSUM: Final = 1 << 7
"""We have said that we take packets with a checksum of 0: that holds whatever the peer says (RFC 9653 section 5.3)."""
SENDS_ZERO_CHECKSUM: Final = 1 << 8
"""The peer has said so too, and names the same method: both sides send packets with a checksum of 0."""
ADDRESS_RECONFIGURATION: Final = 1 << 9
UNAUTHENTICATED_ASCONF: Final = 1 << 10
"""Addresses may be changed without RFC 4895, as far as we are concerned. It is not told to the peer."""

CAPABILITIES: Final[tuple[Capability, ...]] = (
    Capability(
        INTERLEAVING,
        "user message interleaving",
        "interleaving",
        bytes((CHUNK_I_DATA,)),
        -1,
        "RFC 8260 section 2.2.1",
    ),
    Capability(
        PARTIAL_RELIABILITY,
        "partial reliability",
        "partial_reliability",
        bytes((CHUNK_FORWARD_TSN,)),
        PARAM_FORWARD_TSN_SUPPORTED,
        "RFC 3758 section 3.3",
    ),
    Capability(
        INTERLEAVED_PARTIAL_RELIABILITY,
        "partial reliability with interleaving",
        "interleaved_partial_reliability",
        bytes((CHUNK_I_FORWARD_TSN,)),
        -1,
        "RFC 8260 section 2.3.1",
        needs=INTERLEAVING,
    ),
    Capability(
        RECONFIGURATION,
        "stream reconfiguration",
        "stream_reconfiguration",
        bytes((CHUNK_RE_CONFIG,)),
        -1,
        "RFC 6525 section 5.1.1",
    ),
    Capability(
        AUTHENTICATION,
        "authentication",
        "authenticates",
        bytes((CHUNK_AUTH,)),
        -1,  # Its parameters have values, and say it: RFC 4895 does not ask for the list of RFC 5061.
        "RFC 4895 section 6.1",
    ),
    Capability(ECN, "ECN", "ecn", b"", PARAM_ECN_CAPABLE, "RFC 4960 appendix A"),
    Capability(
        TAKES_ZERO_CHECKSUM,
        "zero checksum",
        "error_detection_method",
        b"",
        -1,  # It has a value.
        "RFC 9653 section 4",
    ),
    Capability(
        ADDRESS_RECONFIGURATION,
        "address reconfiguration",
        "address_reconfiguration",
        bytes((CHUNK_ASCONF, CHUNK_ASCONF_ACK)),
        -1,
        "RFC 5061 section 4.2.7",
        needs=AUTHENTICATION,
        authenticated=bytes((CHUNK_ASCONF, CHUNK_ASCONF_ACK)),
    ),
    Capability(
        UNAUTHENTICATED_ASCONF,
        "address reconfiguration without authentication",
        "unauthenticated_asconf",
        b"",
        -1,  # Nothing tells it.
        "",
    ),
)
"""The extensions there are."""
_DEPENDENT: Final = tuple([row for row in CAPABILITIES if row.needs])


def offered(config: Any, rows: tuple[Capability, ...] = CAPABILITIES) -> int:
    """What an association with this ``AssociationConfig`` can do: the bits."""
    bits = 0
    for row in rows:
        if getattr(config, row.field):
            bits |= row.bit | row.needs
    return bits


def authenticated(bits: int, rows: tuple[Capability, ...] = CAPABILITIES) -> bytes:
    """The chunk types that these extensions take only if they are authenticated."""
    return b"".join([row.authenticated for row in rows if bits & row.bit])


def offer(setup: Setup, bits: int, rows: tuple[Capability, ...] = CAPABILITIES, method: int = 0) -> None:
    """Have an INIT or INIT ACK say that its sender can do this.

    ``method`` is the error detection method of ``AssociationConfig``.
    """
    if bits & TAKES_ZERO_CHECKSUM:
        setup.error_detection_method = method
    for row in rows:
        if bits & row.bit:
            setup.extensions += row.chunks
            if row.parameter >= 0:
                setup.flags.append(row.parameter)


def said(setup: Setup, rows: tuple[Capability, ...] = CAPABILITIES) -> int:
    """What the sender of an INIT or INIT ACK can do: the bits."""
    bits = TAKES_ZERO_CHECKSUM if setup.error_detection_method else 0
    for row in rows:
        if row.parameter in setup.flags or (row.chunks and row.chunks[0] in setup.extensions):
            bits |= row.bit
    # Parameters with values say this one, whether it is listed or not.
    authenticates = setup.auth is not None and setup.auth.complete
    return bits | AUTHENTICATION if authenticates else bits & ~AUTHENTICATION


def agreed(ours: int, setup: Setup, method: int) -> int:
    """What both sides can do: we said ``ours`` and ``method``, the peer sends this INIT or INIT ACK."""
    bits = ours & said(setup)
    for row in _DEPENDENT:
        waived = row.bit == ADDRESS_RECONFIGURATION and ours & UNAUTHENTICATED_ASCONF
        if bits & row.needs != row.needs and not waived:
            bits &= ~row.bit
    if bits & TAKES_ZERO_CHECKSUM and setup.error_detection_method == method:
        bits |= SENDS_ZERO_CHECKSUM
    return bits | ours & (TAKES_ZERO_CHECKSUM | UNAUTHENTICATED_ASCONF)
