"""ASCONF and ASCONF-ACK (RFC 5061 sections 4.1 and 4.2): requests to change addresses, and the answers to them.

    ASCONF      Sequence Number | Address Parameter | requests
    ASCONF-ACK  Sequence Number | answers

A request that is malformed inside its own length spoils nothing but itself: the receiver refuses it, and the others
count. What a request means, and which number is next, is for the core.
"""

from __future__ import annotations

from typing import Final, final

from . import params
from .causes import Cause
from .causes import encode as encode_causes
from .causes import parse as parse_causes
from .codes import (
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_ERROR_CAUSE,
    PARAM_HOST_NAME,
    PARAM_IPV4,
    PARAM_IPV6,
    PARAM_NAMES,
    PARAM_SET_PRIMARY,
    PARAM_SUCCESS,
)
from .tlv import ParseError, chunk, item, items, join, split

REQUESTS: Final = (PARAM_ADD_IP, PARAM_DELETE_IP, PARAM_SET_PRIMARY)
"""What an ASCONF may ask for (table 3)."""
MISPLACED: Final = (PARAM_ADD_IP, PARAM_DELETE_IP, PARAM_ERROR_CAUSE, PARAM_SUCCESS)
"""Parameters that an INIT or INIT ACK must not have: there they are ignored (section 4.2)."""
NUMBER: Final = 4
"""Bytes of a Sequence Number, and of a Correlation ID."""
_HEADER: Final = 4  # Of a parameter.
_LENGTHS: Final = {PARAM_IPV4: params.IPV4_LENGTH, PARAM_IPV6: params.IPV6_LENGTH}


@final
class Request:
    """One parameter of an ASCONF."""

    __slots__ = ("correlation", "ip", "is_host_name", "kind", "value")

    def __init__(self, kind: int, value: bytes, ip: bytes = b"") -> None:
        self.kind = kind
        """The parameter type."""
        self.value = value
        """What it is on the wire, without its header."""
        self.ip = ip
        """The address, packed: a wildcard stands for the source of the packet. ``b""`` if there is none that can be
        read."""
        self.is_host_name = False
        """There is a host name in place of the address."""
        self.correlation = int.from_bytes(value[:NUMBER], "big") if len(value) >= NUMBER else 0
        """The ASCONF-Request Correlation ID."""

    @property
    def is_wildcard(self) -> bool:
        """The address is 0.0.0.0 or ::0."""
        return len(self.ip) > 0 and not any(self.ip)


def request(kind: int, correlation: int, ip: bytes) -> Request:
    """A request about an address."""
    return Request(kind, correlation.to_bytes(NUMBER, "big") + params.address(ip), ip)


@final
class Answer:
    """One parameter of an ASCONF-ACK."""

    __slots__ = ("causes", "correlation")

    def __init__(self, correlation: int, causes: list[Cause]) -> None:
        self.correlation = correlation
        """The ASCONF-Response Correlation ID: that of the request."""
        self.causes = causes
        """Why the request failed; none for a Success Indication."""

    @property
    def parameter(self) -> tuple[int, bytes]:
        """Type and value on the wire."""
        number = self.correlation.to_bytes(NUMBER, "big")
        if not self.causes:
            return PARAM_SUCCESS, number
        return PARAM_ERROR_CAUSE, number + encode_causes(self.causes)

    @property
    def size(self) -> int:
        """Bytes on the wire, with the padding."""
        return len(item(*self.parameter))


def encode(serial: int, lookup: bytes, requests: list[Request]) -> bytes:
    """An ASCONF, with an address of ours by which the peer finds the association."""
    body = params.address(lookup) + join([(one.kind, one.value) for one in requests])
    return chunk(CHUNK_ASCONF, 0, serial.to_bytes(NUMBER, "big") + body)


def encode_ack(serial: int, answers: list[Answer]) -> bytes:
    """An ASCONF-ACK."""
    return chunk(CHUNK_ASCONF_ACK, 0, serial.to_bytes(NUMBER, "big") + join([one.parameter for one in answers]))


def size(requests: list[Request]) -> int:
    """Bytes of an ASCONF with these requests, at most: with an IPv6 address in front."""
    return 4 + NUMBER + 4 + params.IPV6_LENGTH + sum([len(item(0, one.value)) for one in requests])


def serial_of(value: bytes) -> int:
    """The Sequence Number of an ASCONF or ASCONF-ACK. ParseError if there is none."""
    if len(value) < NUMBER:
        raise ParseError("ASCONF too short")
    return int.from_bytes(value[:NUMBER], "big")


def lookup_of(value: bytes) -> bytes:
    """The Address Parameter of an ASCONF, packed: an address of the peer by which the association can be found.

    ``b""`` if there is none that can be read; a host name is ignored (section 4.1.1). Never raises.
    """
    start = NUMBER + _HEADER
    kind, length = int.from_bytes(value[NUMBER : NUMBER + 2], "big"), int.from_bytes(value[NUMBER + 2 : start], "big")
    expected = _LENGTHS.get(kind, 0)
    ip = value[start : start + expected]
    return ip if length == _HEADER + expected and len(ip) == expected else b""


def parse(value: bytes) -> tuple[int, list[Request]]:
    """The Sequence Number of an ASCONF and all parameters behind its Address Parameter, known or not.

    A host name in place of the address is ignored (section 4.1.1). ParseError if there is no Address Parameter, or the
    chunk is malformed.
    """
    serial = serial_of(value)
    found = items(value, NUMBER)
    if not found or found[0][0] not in (PARAM_IPV4, PARAM_IPV6, PARAM_HOST_NAME):
        raise ParseError("ASCONF without an address parameter")
    kind, content = found[0]
    if kind != PARAM_HOST_NAME:
        params.parse_address(kind, content)
    return serial, [parse_request(kind, content) for kind, content in found[1:]]


def parse_request(kind: int, value: bytes) -> Request:
    """A parameter of an ASCONF, or a Set Primary IP Address of an INIT or INIT ACK. Never raises."""
    found = Request(kind, value)
    if kind not in REQUESTS:
        return found
    inner, stop = split(value, NUMBER)
    if len(inner) == 1 and stop == len(value):
        kind, content = inner[0]
        found.is_host_name = kind == PARAM_HOST_NAME
        if kind in _LENGTHS and len(content) == _LENGTHS[kind]:
            found.ip = content
    return found


def parse_ack(value: bytes) -> tuple[int, list[Answer], list[tuple[int, bytes]]]:
    """The Sequence Number of an ASCONF-ACK, its answers, and other parameters. ParseError if it is malformed."""
    serial = serial_of(value)
    answers: list[Answer] = []
    others: list[tuple[int, bytes]] = []
    for kind, content in items(value, NUMBER):
        if kind not in (PARAM_ERROR_CAUSE, PARAM_SUCCESS):
            others.append((kind, content))
            continue
        causes = parse_causes(content[NUMBER:]) if kind == PARAM_ERROR_CAUSE else []
        if len(content) < NUMBER or (kind == PARAM_ERROR_CAUSE and not causes):
            raise ParseError("answer in an ASCONF-ACK too short")
        answers.append(Answer(int.from_bytes(content[:NUMBER], "big"), causes))
    return serial, answers, others


def is_known(kind: int) -> bool:
    """Whether there is such a parameter type: one that is known and stands where it is not allowed is ignored."""
    return kind in PARAM_NAMES
