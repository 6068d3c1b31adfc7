"""RE-CONFIG (RFC 6525 sections 3.1 and 4): requests to reset or add streams, and the responses to them.

Which request is next, and what one means, is for the core; here is what they look like, and which may be together.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, final

from .codes import (
    CHUNK_HEADER,
    CHUNK_RE_CONFIG,
    PARAM_ADD_INCOMING,
    PARAM_ADD_OUTGOING,
    PARAM_INCOMING_RESET,
    PARAM_OUTGOING_RESET,
    PARAM_RECONFIG_RESPONSE,
    PARAM_REPORT,
    PARAM_SKIP,
    PARAM_TSN_RESET,
)
from .tlv import ParseError, chunk, items, join

# Results of a request (table 3).
NOTHING_TO_DO: Final = 0
PERFORMED: Final = 1
DENIED: Final = 2
WRONG_SSN: Final = 3
ALREADY_IN_PROGRESS: Final = 4
BAD_SEQUENCE_NUMBER: Final = 5
IN_PROGRESS: Final = 6

RESULT_NAMES: Final[dict[int, str]] = {
    NOTHING_TO_DO: "nothing to do",
    PERFORMED: "performed",
    DENIED: "denied",
    WRONG_SSN: "wrong SSN",
    ALREADY_IN_PROGRESS: "request already in progress",
    BAD_SEQUENCE_NUMBER: "bad sequence number",
    IN_PROGRESS: "in progress",
}

_OUTGOING: Final = Struct(">III")
_NUMBER: Final = Struct(">I")
_ADD: Final = Struct(">IHH")
_RESPONSE: Final = Struct(">II")
_LONG_RESPONSE: Final = Struct(">IIII")
_KNOWN: Final = (
    PARAM_OUTGOING_RESET,
    PARAM_INCOMING_RESET,
    PARAM_TSN_RESET,
    PARAM_RECONFIG_RESPONSE,
    PARAM_ADD_OUTGOING,
    PARAM_ADD_INCOMING,
)
_TOGETHER: Final = (
    (PARAM_OUTGOING_RESET,),
    (PARAM_INCOMING_RESET,),
    (PARAM_OUTGOING_RESET, PARAM_INCOMING_RESET),
    (PARAM_TSN_RESET,),
    (PARAM_ADD_OUTGOING,),
    (PARAM_ADD_INCOMING,),
    (PARAM_ADD_OUTGOING, PARAM_ADD_INCOMING),
    (PARAM_RECONFIG_RESPONSE,),
    (PARAM_RECONFIG_RESPONSE, PARAM_OUTGOING_RESET),
    (PARAM_RECONFIG_RESPONSE, PARAM_RECONFIG_RESPONSE),
)


@final
class Parameter:
    """A request or a response. What its kind does not have is -1, or empty."""

    __slots__ = ("count", "kind", "last_tsn", "next_tsns", "number", "response_number", "result", "streams")

    def __init__(self, kind: int, number: int) -> None:
        self.kind = kind
        """One of the parameter types of section 4."""
        self.number = number
        """The Re-configuration Request Sequence Number; of a response, that of the request that it answers."""
        self.response_number = -1
        """Outgoing reset: the Re-configuration Response Sequence Number."""
        self.last_tsn = -1
        """Outgoing reset: the Sender's Last Assigned TSN."""
        self.streams: list[int] = []
        """Resets of outgoing or incoming streams: which, none for all."""
        self.count = -1
        """Added streams: how many."""
        self.result = -1
        """Response: one of table 3."""
        self.next_tsns: tuple[int, int] | None = None
        """Response to a TSN reset: the Sender's and the Receiver's Next TSN."""

    def value(self) -> bytes:
        """What it is on the wire, without its header."""
        kind = self.kind
        streams = b"".join([stream.to_bytes(2, "big") for stream in self.streams])
        if kind == PARAM_OUTGOING_RESET:
            return _OUTGOING.pack(self.number, self.response_number, self.last_tsn) + streams
        if kind == PARAM_RECONFIG_RESPONSE:
            if self.next_tsns is not None:
                return _LONG_RESPONSE.pack(self.number, self.result, self.next_tsns[0], self.next_tsns[1])
            return _RESPONSE.pack(self.number, self.result)
        if kind in (PARAM_ADD_OUTGOING, PARAM_ADD_INCOMING):
            return _ADD.pack(self.number, self.count, 0)
        return _NUMBER.pack(self.number) + streams


def outgoing_reset(number: int, response_number: int, last_tsn: int, streams: list[int]) -> Parameter:
    """An Outgoing SSN Reset Request (section 4.1)."""
    made = Parameter(PARAM_OUTGOING_RESET, number)
    made.response_number = response_number
    made.last_tsn = last_tsn
    made.streams = streams
    return made


def incoming_reset(number: int, streams: list[int]) -> Parameter:
    """An Incoming SSN Reset Request (section 4.2)."""
    made = Parameter(PARAM_INCOMING_RESET, number)
    made.streams = streams
    return made


def tsn_reset(number: int) -> Parameter:
    """An SSN/TSN Reset Request (section 4.3)."""
    return Parameter(PARAM_TSN_RESET, number)


def response(number: int, result: int, next_tsns: tuple[int, int] | None = None) -> Parameter:
    """A Re-configuration Response (section 4.4)."""
    made = Parameter(PARAM_RECONFIG_RESPONSE, number)
    made.result = result
    made.next_tsns = next_tsns
    return made


def add_outgoing(number: int, count: int) -> Parameter:
    """An Add Outgoing Streams Request (section 4.5)."""
    made = Parameter(PARAM_ADD_OUTGOING, number)
    made.count = count
    return made


def add_incoming(number: int, count: int) -> Parameter:
    """An Add Incoming Streams Request (section 4.6)."""
    made = Parameter(PARAM_ADD_INCOMING, number)
    made.count = count
    return made


def encode(parameters: list[Parameter]) -> bytes:
    """The chunk."""
    return chunk(CHUNK_RE_CONFIG, 0, join([(one.kind, one.value()) for one in parameters]))


def size_of_reset(streams: int, outgoing: bool, incoming: bool) -> int:
    """Bytes of a chunk that resets so many streams, in one direction or both."""
    size = CHUNK_HEADER
    if outgoing:
        size += 16 + 2 * streams + 3 & ~3
    if incoming:
        size += 8 + 2 * streams + 3 & ~3
    return size


def parse(value: bytes) -> tuple[list[Parameter], list[tuple[int, bytes]]]:
    """The parameters of a RE-CONFIG chunk, and those to be reported as unrecognized.

    An unrecognized parameter is skipped, or ends the processing of the chunk, by its high bits (RFC 9260 section
    3.2.1). ParseError if a length is not that of its type.
    """
    found: list[Parameter] = []
    reported: list[tuple[int, bytes]] = []
    for kind, content in items(value):
        if kind in _KNOWN:
            found.append(_parse(kind, content))
            continue
        if kind & PARAM_REPORT:
            reported.append((kind, content))
        if not kind & PARAM_SKIP:
            break
    return found, reported


def may_be_together(parameters: list[Parameter]) -> bool:
    """Whether section 3.1 has this combination of parameters in one chunk, in whatever order."""
    kinds = [one.kind for one in parameters]
    return tuple(kinds) in _TOGETHER or (len(kinds) == 2 and (kinds[1], kinds[0]) in _TOGETHER)


def _parse(kind: int, value: bytes) -> Parameter:
    size = len(value)
    if size < 4:
        raise ParseError("re-configuration parameter too short")
    made = Parameter(kind, int.from_bytes(value[:4], "big"))
    if kind == PARAM_OUTGOING_RESET:
        if size < _OUTGOING.size or size & 1:
            raise ParseError("Outgoing SSN Reset Request of a wrong length")
        _, made.response_number, made.last_tsn = _OUTGOING.unpack_from(value)
        made.streams = _streams(value, _OUTGOING.size)
    elif kind == PARAM_INCOMING_RESET:
        if size & 1:
            raise ParseError("Incoming SSN Reset Request of a wrong length")
        made.streams = _streams(value, 4)
    elif kind == PARAM_TSN_RESET:
        if size != _NUMBER.size:
            raise ParseError("SSN/TSN Reset Request of a wrong length")
    elif kind == PARAM_RECONFIG_RESPONSE:
        if size == _LONG_RESPONSE.size:
            _, made.result, sender, receiver = _LONG_RESPONSE.unpack(value)
            made.next_tsns = (sender, receiver)
        elif size == _RESPONSE.size:
            _, made.result = _RESPONSE.unpack(value)
        else:
            raise ParseError("Re-configuration Response of a wrong length")
    else:
        if size != _ADD.size:
            raise ParseError("request to add streams of a wrong length")
        _, made.count, _ = _ADD.unpack(value)
    return made


def _streams(value: bytes, offset: int) -> list[int]:
    return [int.from_bytes(value[at : at + 2], "big") for at in range(offset, len(value), 2)]
