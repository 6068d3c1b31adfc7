"""Error causes (RFC 9260 section 3.3.10), carried by ABORT and ERROR chunks.

A cause travels through the core as ``(code, value)``; the functions here make the ones sctpx sends.
"""

from __future__ import annotations

from . import params
from .codes import (
    CAUSE_COOKIE_WHILE_SHUTTING_DOWN,
    CAUSE_ILLEGAL_ASCONF_ACK,
    CAUSE_INVALID_PARAMETER,
    CAUSE_INVALID_STREAM,
    CAUSE_MISSING_PARAMETER,
    CAUSE_NO_USER_DATA,
    CAUSE_OUT_OF_RESOURCE,
    CAUSE_PROTOCOL_VIOLATION,
    CAUSE_RESTART_WITH_NEW_ADDRESSES,
    CAUSE_STALE_COOKIE,
    CAUSE_UNRECOGNIZED_CHUNK,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CAUSE_UNRESOLVABLE_ADDRESS,
    CAUSE_UNSUPPORTED_HMAC,
    CAUSE_USER_ABORT,
)
from .tlv import ParseError, items, join

Cause = tuple[int, bytes]


def encode(causes: list[Cause]) -> bytes:
    """The causes one behind the other, as an ABORT or ERROR chunk carries them."""
    return join(causes)


def parse(value: bytes) -> list[Cause]:
    """The causes of an ABORT or ERROR chunk; ParseError if they are malformed."""
    return items(value)


def parse_or_none(value: bytes) -> list[Cause] | None:
    """The causes of an ABORT; None if it has "a format error" and must silently be discarded (section 3.3.7)."""
    try:
        return parse(value)
    except ParseError:
        return None


def invalid_stream(stream: int) -> Cause:
    """Section 3.3.10.1."""
    return CAUSE_INVALID_STREAM, stream.to_bytes(2, "big") + b"\0\0"


def missing_parameter(kinds: list[int]) -> Cause:
    """Section 3.3.10.2."""
    return CAUSE_MISSING_PARAMETER, len(kinds).to_bytes(4, "big") + b"".join([k.to_bytes(2, "big") for k in kinds])


def stale_cookie(staleness_us: int) -> Cause:
    """Section 3.3.10.3; the staleness is in microseconds, at most what 32 bits hold is told."""
    return CAUSE_STALE_COOKIE, min(staleness_us, 0xFFFFFFFF).to_bytes(4, "big")


def out_of_resource() -> Cause:
    """Section 3.3.10.4."""
    return CAUSE_OUT_OF_RESOURCE, b""


def unresolvable_address(parameter: bytes) -> Cause:
    """Section 3.3.10.5; ``parameter`` is the address parameter, header and all."""
    return CAUSE_UNRESOLVABLE_ADDRESS, parameter


def unrecognized_chunk(chunk: bytes) -> Cause:
    """Section 3.3.10.6; ``chunk`` with its header, without its padding."""
    return CAUSE_UNRECOGNIZED_CHUNK, chunk


def invalid_parameter() -> Cause:
    """Section 3.3.10.7."""
    return CAUSE_INVALID_PARAMETER, b""


def unrecognized_parameters(parameters: list[tuple[int, bytes]]) -> Cause:
    """Section 3.3.10.8."""
    return CAUSE_UNRECOGNIZED_PARAMETERS, join(parameters)


def no_user_data(tsn: int) -> Cause:
    """Section 3.3.10.9."""
    return CAUSE_NO_USER_DATA, tsn.to_bytes(4, "big")


def cookie_while_shutting_down() -> Cause:
    """Section 3.3.10.10."""
    return CAUSE_COOKIE_WHILE_SHUTTING_DOWN, b""


def restart_with_new_addresses(ips: list[bytes]) -> Cause:
    """Section 3.3.10.11."""
    return CAUSE_RESTART_WITH_NEW_ADDRESSES, params.addresses(ips)


def user_abort(reason: bytes) -> Cause:
    """Section 3.3.10.12."""
    return CAUSE_USER_ABORT, reason


def protocol_violation(text: str) -> Cause:
    """Section 3.3.10.13."""
    return CAUSE_PROTOCOL_VIOLATION, text.encode()


def refused(code: int, parameter: tuple[int, bytes]) -> Cause:
    """RFC 5061 sections 4.3.1 to 4.3.3 and 4.3.5: why a request to change an address is refused, and that request."""
    return code, join([parameter])


def illegal_asconf_ack() -> Cause:
    """RFC 5061 section 4.3.4."""
    return CAUSE_ILLEGAL_ASCONF_ACK, b""


def unsupported_hmac(identifier: int) -> Cause:
    """RFC 4895 section 4.1: its length is 6, and the padding is added where it is sent."""
    return CAUSE_UNSUPPORTED_HMAC, identifier.to_bytes(2, "big")
