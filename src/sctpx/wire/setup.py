"""INIT and INIT ACK (RFC 9260 sections 3.3.2 and 3.3.3): one layout, one class.

    Initiate Tag | a_rwnd | Outbound Streams, Inbound Streams | Initial TSN | parameters

``parse`` obeys the high bits of unknown parameters (section 3.2.1): it keeps those that must be reported and
stops where it must stop, without undoing what came before.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, final

from . import params
from .asconf import MISPLACED, parse_request
from .auth import AuthParameters
from .codes import (
    CHUNK_HEADER,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    PARAM_ADAPTATION,
    PARAM_CHUNK_LIST,
    PARAM_COOKIE_PRESERVATIVE,
    PARAM_ECN_CAPABLE,
    PARAM_FORWARD_TSN_SUPPORTED,
    PARAM_HMAC_ALGO,
    PARAM_HOST_NAME,
    PARAM_IPV4,
    PARAM_IPV6,
    PARAM_RANDOM,
    PARAM_REPORT,
    PARAM_SET_PRIMARY,
    PARAM_SKIP,
    PARAM_STATE_COOKIE,
    PARAM_SUPPORTED_ADDRESS_TYPES,
    PARAM_SUPPORTED_EXTENSIONS,
    PARAM_UNRECOGNIZED,
    PARAM_ZERO_CHECKSUM,
)
from .numbers import u16, u32
from .tlv import MAX_LENGTH, ParseError, chunk, item, items, join

_FIXED: Final = Struct(">IIHHI")
MINIMUM_RWND: Final = 1500
_FAMILIES: Final = ((PARAM_IPV4, 4), (PARAM_IPV6, 16))
# Parameters that say all by being there.
_FLAGS: Final = (PARAM_ECN_CAPABLE, PARAM_FORWARD_TSN_SUPPORTED)
_AUTHENTICATION: Final = (PARAM_RANDOM, PARAM_CHUNK_LIST, PARAM_HMAC_ALGO)


@final
class Setup:
    """The contents of an INIT or INIT ACK chunk."""

    __slots__ = (
        "a_rwnd",
        "adaptation",
        "addresses",
        "auth",
        "cookie",
        "cookie_preservative",
        "error_detection_method",
        "extensions",
        "families",
        "flags",
        "host_name",
        "inbound_streams",
        "initial_tsn",
        "initiate_tag",
        "outbound_streams",
        "parameters",
        "primary",
        "unrecognized",
    )

    def __init__(
        self, initiate_tag: int, a_rwnd: int, outbound_streams: int, inbound_streams: int, initial_tsn: int
    ) -> None:
        self.initiate_tag = initiate_tag
        self.a_rwnd = a_rwnd
        self.outbound_streams = outbound_streams
        self.inbound_streams = inbound_streams
        self.initial_tsn = initial_tsn
        self.addresses: list[bytes] = []
        self.adaptation = -1
        """Adaptation Layer Indication (RFC 5061 section 4.2.6): a number for whoever is above SCTP; -1 for none."""
        self.primary = b""
        """The address that the sender prefers to be sent to, by its Set Primary IP Address; ``b""`` for none."""
        self.auth: AuthParameters | None = None
        """What the sender says of authentication (RFC 4895 section 3), whole or not; None for nothing."""
        self.cookie: bytes | None = None
        """State Cookie, which may be empty; None where the parameter is missing."""
        self.cookie_preservative = 0
        """Suggested cookie life-span increment, milliseconds."""
        self.error_detection_method = 0
        """What protects packets with a checksum of 0, which the sender takes (RFC 9653); 0: it takes none."""
        self.host_name: bytes | None = None
        """Value of a Host Name Address parameter, which must not be used (section 3.3.2.1.4)."""
        self.extensions = b""
        """Chunk types of the Supported Extensions parameter (RFC 5061 section 4.2.7)."""
        self.flags: list[int] = []
        """Types of parameters that have no value, and say all by being there."""
        self.families: list[int] = []
        """Lengths of addresses of the families that the sender of an INIT speaks, by its Supported Address Types
        parameter and its addresses (section 5.1.2); empty if it does not say."""
        self.parameters = 0
        """Bytes of parameters there were in the chunk that was parsed."""
        self.unrecognized: list[tuple[int, bytes]] = []
        """Unknown parameters to be reported; in an INIT ACK we send, reported to the peer."""

    def encode(self, ack: bool = False, limit: int = MAX_LENGTH, reports: int = MAX_LENGTH) -> bytes:
        """The INIT (or INIT ACK) chunk.

        What was not recognized is reported as far as ``limit`` bytes of the chunk, and ``reports`` bytes, hold it.
        """
        fixed = _FIXED.pack(
            self.initiate_tag, self.a_rwnd, self.outbound_streams, self.inbound_streams, self.initial_tsn
        )
        parameters = [params.address_parameter(ip) for ip in self.addresses]
        if self.families and not ack:
            types = [kind for kind, length in _FAMILIES if length in self.families]
            parameters.append((PARAM_SUPPORTED_ADDRESS_TYPES, b"".join([kind.to_bytes(2, "big") for kind in types])))
        if self.cookie is not None:
            parameters.append((PARAM_STATE_COOKIE, self.cookie))
        if self.cookie_preservative:
            parameters.append((PARAM_COOKIE_PRESERVATIVE, self.cookie_preservative.to_bytes(4, "big")))
        if self.extensions:
            parameters.append((PARAM_SUPPORTED_EXTENSIONS, self.extensions))
        parameters.extend([(kind, b"") for kind in self.flags])
        if self.error_detection_method:
            parameters.append((PARAM_ZERO_CHECKSUM, self.error_detection_method.to_bytes(4, "big")))
        if self.adaptation >= 0:
            parameters.append((PARAM_ADAPTATION, self.adaptation.to_bytes(4, "big")))
        if self.auth is not None:
            parameters.extend(self.auth.parameters())
        if ack and self.unrecognized:
            # What is last now gets up to three bytes of padding when more follows.
            room = limit - CHUNK_HEADER - len(fixed) - len(join(parameters)) - 3
            parameters.extend(self._reports(min(room, reports)))
        return chunk(CHUNK_INIT_ACK if ack else CHUNK_INIT, 0, fixed + join(parameters))

    def _reports(self, room: int) -> list[tuple[int, bytes]]:
        """Unrecognized Parameter parameters (section 3.2.2), as many as ``room`` holds: the peer chose their number."""
        reports: list[tuple[int, bytes]] = []
        for parameter in self.unrecognized:
            report = join([parameter])
            room -= len(item(PARAM_UNRECOGNIZED, report))
            if room < 0:
                break
            reports.append((PARAM_UNRECOGNIZED, report))
        return reports


def initiate_tag(value: bytes) -> int:
    """The Initiate Tag of an INIT or INIT ACK chunk value that may be malformed; 0 if it is too short for one."""
    return u32(value, 0) if len(value) >= 4 else 0


def parse(value: bytes, ack: bool = False) -> Setup:
    """The contents of an INIT or INIT ACK chunk value; ParseError if it is malformed."""
    if len(value) < _FIXED.size:
        raise ParseError("INIT too short")
    setup = Setup(u32(value, 0), u32(value, 4), u16(value, 8), u16(value, 10), u32(value, 12))
    setup.parameters = len(value) - _FIXED.size
    for kind, content in items(value, _FIXED.size):
        if kind in (PARAM_IPV4, PARAM_IPV6):
            setup.addresses.append(params.parse_address(kind, content))
        elif kind == PARAM_STATE_COOKIE and ack:
            setup.cookie = content
        elif kind == PARAM_COOKIE_PRESERVATIVE:
            if len(content) != 4:
                raise ParseError("Cookie Preservative of a wrong length")
            setup.cookie_preservative = int.from_bytes(content, "big")
        elif kind == PARAM_HOST_NAME:
            setup.host_name = content
        elif kind == PARAM_SUPPORTED_EXTENSIONS:
            setup.extensions = content
        elif kind == PARAM_SUPPORTED_ADDRESS_TYPES:
            types = [content[at] << 8 | content[at + 1] for at in range(0, len(content) - 1, 2)]
            setup.families.extend([length for known, length in _FAMILIES if known in types])
        elif kind in _FLAGS:
            setup.flags.append(kind)
        elif kind == PARAM_ZERO_CHECKSUM:
            if len(content) != 4:
                raise ParseError("Zero Checksum Acceptable of a wrong length")
            # "The parameter MUST NOT appear more than once" (RFC 9653 section 4): the first one counts.
            setup.error_detection_method = setup.error_detection_method or int.from_bytes(content, "big")
        elif kind == PARAM_ADAPTATION:
            if len(content) != 4:
                raise ParseError("Adaptation Layer Indication of a wrong length")
            setup.adaptation = int.from_bytes(content, "big")
        elif kind == PARAM_SET_PRIMARY:
            setup.primary = parse_request(kind, content).ip
        elif kind in MISPLACED:
            continue  # "the parameter MUST be ignored" (RFC 5061 section 4.2)
        elif kind in _AUTHENTICATION:
            _take_authentication(setup, kind, content)
        elif kind in (PARAM_UNRECOGNIZED, PARAM_STATE_COOKIE):
            continue  # What the peer did not recognize is simply not used.
        else:
            if kind & PARAM_REPORT:
                setup.unrecognized.append((kind, content))
            if not kind & PARAM_SKIP:
                break
    if setup.families:
        # "the address family that is not listed [...] SHOULD also be considered as supported" (section 5.1.2)
        setup.families.extend([len(ip) for ip in setup.addresses])
    return setup


def _take_authentication(setup: Setup, kind: int, content: bytes) -> None:
    """RANDOM, CHUNKS or HMAC-ALGO (RFC 4895 section 3), each of which "MUST be included once": the first one counts."""
    auth = setup.auth = setup.auth or AuthParameters()
    if kind == PARAM_RANDOM:
        auth.random = content if auth.random is None else auth.random
    elif kind == PARAM_CHUNK_LIST:
        auth.chunk_types = content if auth.chunk_types is None else auth.chunk_types
    else:
        auth.algorithms = auth.algorithms or content
