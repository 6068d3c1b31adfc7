"""A packet in one line, for traces and for people.

    5000 > 36412 tag 0x1a2b3c4d checksum right 60 bytes: SACK cum 12 a_rwnd 4660 gaps 14-15 17; COOKIE ACK

Any bytes will do: what is broken is named and the rest of the line stays. The line is printable ASCII whatever the
peer wrote, at most ``LIMIT`` characters long, and the work is bounded by that too. ``N bytes`` behind a name is
the length of its value, without header and padding.

A chunk, a parameter or an error cause is told by a ``_Format``: fixed fields, their template, and what tells the
bytes behind them. The three tables at the end hold one for each type; a type without one is told by name and length.
A parameter inside a parameter is only named, so nothing here can be made to recurse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from struct import Struct
from struct import error as StructError
from typing import Final, final

from . import forward
from .codes import (
    CAUSE_INVALID_STREAM,
    CAUSE_MISSING_PARAMETER,
    CAUSE_NAMES,
    CAUSE_NO_USER_DATA,
    CAUSE_PROTOCOL_VIOLATION,
    CAUSE_RESTART_WITH_NEW_ADDRESSES,
    CAUSE_STALE_COOKIE,
    CAUSE_UNRECOGNIZED_CHUNK,
    CAUSE_UNRECOGNIZED_PARAMETERS,
    CAUSE_UNRESOLVABLE_ADDRESS,
    CAUSE_UNSUPPORTED_HMAC,
    CAUSE_USER_ABORT,
    CHUNK_ABORT,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_AUTH,
    CHUNK_CWR,
    CHUNK_DATA,
    CHUNK_ECNE,
    CHUNK_ERROR,
    CHUNK_FORWARD_TSN,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_NAMES,
    CHUNK_RE_CONFIG,
    CHUNK_SACK,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_COMPLETE,
    COMMON_HEADER,
    PARAM_ADAPTATION,
    PARAM_ADD_INCOMING,
    PARAM_ADD_IP,
    PARAM_ADD_OUTGOING,
    PARAM_CHUNK_LIST,
    PARAM_COOKIE_PRESERVATIVE,
    PARAM_DELETE_IP,
    PARAM_ERROR_CAUSE,
    PARAM_HMAC_ALGO,
    PARAM_HOST_NAME,
    PARAM_INCOMING_RESET,
    PARAM_IPV4,
    PARAM_IPV6,
    PARAM_NAMES,
    PARAM_OUTGOING_RESET,
    PARAM_RECONFIG_RESPONSE,
    PARAM_SET_PRIMARY,
    PARAM_SUCCESS,
    PARAM_SUPPORTED_ADDRESS_TYPES,
    PARAM_SUPPORTED_EXTENSIONS,
    PARAM_TSN_RESET,
    PARAM_UNRECOGNIZED,
    PARAM_ZERO_CHECKSUM,
)
from .packet import chunks, parse_prefix
from .params import parse_address
from .reconfig import RESULT_NAMES
from .sack import FIXED
from .seal import finish_packet
from .serial import TSN_MASK
from .tlv import ParseError, split

LIMIT: Final = 2000
"""Longest line, in characters."""

_SHOWN: Final = 16
"""Members of a list that are shown."""
_SHOWN_TEXT: Final = 80
"""Bytes of a text that are shown."""

_FLAGS: Final[dict[int, str]] = {
    CHUNK_DATA: "IUBE",
    CHUNK_I_DATA: "IUBE",
    CHUNK_ABORT: "T",
    CHUNK_SHUTDOWN_COMPLETE: "T",
}
"""Letters of the flags a chunk type has, the lowest bit last, as the figures of the RFCs show them."""


def describe(packet: bytes) -> str:
    """One line about an SCTP packet, or about whatever bytes these are. Never raises."""
    try:
        source_port, destination_port, tag = parse_prefix(packet)
    except ParseError:
        return f"truncated, {_size(packet) or 'empty'}: no common header"
    line = f"{source_port} > {destination_port} tag {tag:#010x}"
    if len(packet) < COMMON_HEADER:  # as ICMP may return it
        return f"{line} truncated, {_size(packet)}"
    line += f" {_checksum(packet)} {_size(packet)}:"
    found, stop = split(packet, COMMON_HEADER)
    separator = " "
    for word, value in found:
        line += separator + _chunk(word >> 8, word & 0xFF, value)
        separator = "; "
        if len(line) > LIMIT:
            break
    if stop < len(packet):
        line += separator + _rest(packet[stop:])
    elif not found:
        line += " no chunks"
    return line if len(line) <= LIMIT else f"{line[: LIMIT - 3]}..."


def chunk_names(packet: bytes) -> list[str]:
    """The names of the whole chunks of a packet, in order; empty where there are none. Never raises."""
    return [_CHUNKS.name(kind) for kind, _, _ in chunks(packet)]


def _checksum(packet: bytes) -> str:
    expected = finish_packet(packet[:8], packet[COMMON_HEADER:])[8:COMMON_HEADER]
    if packet[8:COMMON_HEADER] == expected:
        return "checksum right"
    return f"checksum wrong ({packet[8:COMMON_HEADER].hex()}, right is {expected.hex()})"


def _chunk(kind: int, flags: int, value: bytes) -> str:
    letters = _FLAGS.get(kind, "")
    known = "".join([letter for bit, letter in enumerate(reversed(letters)) if flags >> bit & 1])
    reserved = f"flags {flags:#04x}" if flags >> len(letters) else ""
    words = [_CHUNKS.name(kind), known[::-1], reserved, _CHUNKS.tell(kind, value)]
    return " ".join([word for word in words if word])


def _rest(left: bytes) -> str:
    """What follows the last whole chunk."""
    if len(left) < 4:
        return f"truncated, {_size(left)} left over"
    length = int.from_bytes(left[2:4], "big")
    what = "truncated" if length > len(left) else "broken"
    return f"{_CHUNKS.name(left[0])} {what}: length {length}, {_size(left)} left"


Tell = Callable[[bytes], str]


def _size(value: bytes) -> str:
    return "" if not value else "1 byte" if len(value) == 1 else f"{len(value)} bytes"


def _text(value: bytes) -> str:
    shown = ascii(value[:_SHOWN_TEXT].decode("utf-8", "replace"))
    return shown if len(value) <= _SHOWN_TEXT else f"{shown}... {_size(value)}"


def _several(shown: Sequence[str], count: int, separator: str = " ") -> str:
    """The members that are shown, and how many there are beyond."""
    return separator.join(shown) + (f" and {count - len(shown)} more" if count > len(shown) else "")


def _parameters(value: bytes) -> str:
    return _PARAMETERS.tell_all(value)


def _causes(value: bytes) -> str:
    return _CAUSES.tell_all(value)


def _ipv4(value: bytes) -> str:
    return str(ip_address(parse_address(PARAM_IPV4, value)))


def _ipv6(value: bytes) -> str:
    return str(ip_address(parse_address(PARAM_IPV6, value)))


def _chunk_types(value: bytes) -> str:
    return _several([_CHUNKS.name(kind) for kind in value[:_SHOWN]], len(value), ", ")


def _chunk_type(value: bytes) -> str:
    """The name of the chunk that begins here."""
    return _CHUNKS.name(value[0]) if value else ""


def _parameter_types(value: bytes) -> str:
    kinds = [int.from_bytes(value[at : at + 2], "big") for at in range(0, min(len(value) - 1, 2 * _SHOWN), 2)]
    return _several([_PARAMETERS.name(kind) for kind in kinds], len(value) // 2, ", ")


def _parameter_type(value: bytes) -> str:
    """The name of the parameter that begins here."""
    return _parameter_types(value[:2])


def _address(value: bytes) -> str:
    """The address that a request is about."""
    found, _ = split(value)
    return _PARAMETERS.tell(*found[0]) if found and found[0][0] in (PARAM_IPV4, PARAM_IPV6) else _size(value)


def _cause_types(value: bytes) -> str:
    """The names of error causes: what is in them would be parameters in parameters."""
    found, _ = split(value)
    return _several([_CAUSES.name(code) for code, _ in found[:_SHOWN]], len(found), ", ") or _size(value)


def _streams(value: bytes) -> str:
    """The streams that are reset."""
    return f"streams {_identifiers(value)}" if len(value) >= 2 else "all streams"


def _identifiers(value: bytes) -> str:
    """Numbers of 16 bits."""
    shown = [str(int.from_bytes(value[at : at + 2], "big")) for at in range(0, min(len(value) - 1, 2 * _SHOWN), 2)]
    return _several(shown, len(value) // 2)


def _result(value: bytes) -> str:
    """What a re-configuration request came to; with the next TSNs, if they were reset."""
    words = Struct(f">{len(value) // 4}I").unpack_from(value)
    text = RESULT_NAMES.get(words[0], f"result {words[0]}") if words else "no result"
    return f"{text}, next tsn {words[1]} from here {words[2]} from there" if len(words) == 3 else text


def _sack(value: bytes) -> str:
    """A SACK as it is, gaps as TSNs: what is out of order or inside out stays so."""
    cumulative, a_rwnd, blocks, duplicates = FIXED.unpack_from(value)
    if FIXED.size + 4 * (blocks + duplicates) > len(value):
        raise ParseError("SACK shorter than its counts")
    text = f"cum {cumulative} a_rwnd {a_rwnd}"
    if blocks:
        shown = Struct(f">{2 * min(blocks, _SHOWN)}H").unpack_from(value, FIXED.size)
        tsns = [cumulative + offset & TSN_MASK for offset in shown]
        pairs = zip(tsns[::2], tsns[1::2], strict=True)
        text += " gaps " + _several([f"{a}" if a == b else f"{a}-{b}" for a, b in pairs], blocks)
    if duplicates:
        words = Struct(f">{min(duplicates, _SHOWN)}I").unpack_from(value, FIXED.size + 4 * blocks)
        text += " dups " + _several([f"{tsn}" for tsn in words], duplicates)
    return text


def _forward_tsn(value: bytes) -> str:
    cumulative, skipped = forward.parse(False, value)
    return f"cum {cumulative}" + _skipped([f"stream {stream} ssn {ssn}" for stream, ssn, _ in skipped])


def _i_forward_tsn(value: bytes) -> str:
    cumulative, skipped = forward.parse(True, value)
    found = [f"stream {stream}{' unordered' if unordered else ''} mid {mid}" for stream, mid, unordered in skipped]
    return f"cum {cumulative}" + _skipped(found)


def _skipped(found: list[str]) -> str:
    return " skips " + _several(found[:_SHOWN], len(found), ", ") if found else ""


@final
class _Format:
    """How the value of one type is told: fixed fields by a template, then the bytes behind them."""

    __slots__ = ("fields", "rest", "template")

    def __init__(self, fields: str = "", template: str = "", rest: Tell = _size) -> None:
        self.fields = Struct(f">{fields}")
        self.template = template
        self.rest = rest

    def tell(self, value: bytes) -> str:
        """The value in words; ValueError or StructError if it is malformed."""
        fixed = self.template.format(*self.fields.unpack_from(value))
        rest = self.rest(value[self.fields.size :])
        return f"{fixed}, {rest}" if fixed and rest else fixed or rest


_DEFAULT: Final = _Format()


@final
class _Types:
    """One space of type numbers: its names and formats."""

    __slots__ = ("formats", "names", "unknown")

    def __init__(self, unknown: str, names: dict[int, str], formats: dict[int, _Format]) -> None:
        self.unknown = unknown
        self.names = names
        self.formats = formats

    def name(self, kind: int) -> str:
        """The RFC's name of a type, or its number."""
        return self.names.get(kind) or self.unknown.format(kind)

    def tell(self, kind: int, value: bytes) -> str:
        """What a value says; empty if it has nothing to say."""
        try:
            return self.formats.get(kind, _DEFAULT).tell(value)
        except (ValueError, StructError):
            return f"malformed: {_size(value) or 'empty'}"

    def tell_all(self, data: bytes) -> str:
        """Items one behind the other, each with its name and, in brackets, its value."""
        found, stop = split(data)
        shown: list[str] = []
        for kind, value in found[:_SHOWN]:
            text = self.tell(kind, value)
            shown.append(f"{self.name(kind)} ({text})" if text else self.name(kind))
        told = _several(shown, len(found), ", ")
        if stop < len(data):
            told += f"{', ' if told else ''}malformed: {_size(data[stop:])}"
        return told


_SETUP: Final = _Format("IIHHI", "tag {:#010x} a_rwnd {} streams {} out {} in tsn {}", _parameters)
_WITH_PARAMETERS: Final = _Format(rest=_parameters)
_WITH_CAUSES: Final = _Format(rest=_causes)
_WITH_TEXT: Final = _Format(rest=_text)

_CHUNKS: Final = _Types(
    "chunk {}",
    CHUNK_NAMES,
    {
        CHUNK_DATA: _Format("IHHI", "tsn {} stream {} ssn {} ppid {}"),
        CHUNK_I_DATA: _Format("IHxxII", "tsn {} stream {} mid {} ppid or fsn {}"),
        CHUNK_INIT: _SETUP,
        CHUNK_INIT_ACK: _SETUP,
        CHUNK_SACK: _Format(rest=_sack),
        CHUNK_HEARTBEAT: _WITH_PARAMETERS,
        CHUNK_HEARTBEAT_ACK: _WITH_PARAMETERS,
        CHUNK_ABORT: _WITH_CAUSES,
        CHUNK_SHUTDOWN: _Format("I", "cum {}"),
        CHUNK_ERROR: _WITH_CAUSES,
        CHUNK_FORWARD_TSN: _Format(rest=_forward_tsn),
        CHUNK_I_FORWARD_TSN: _Format(rest=_i_forward_tsn),
        CHUNK_RE_CONFIG: _WITH_PARAMETERS,
        CHUNK_ASCONF: _Format("I", "serial {}", _parameters),
        CHUNK_ASCONF_ACK: _Format("I", "serial {}", _parameters),
        CHUNK_AUTH: _Format("HH", "key {} hmac {}"),
        CHUNK_ECNE: _Format("I", "tsn {}"),
        CHUNK_CWR: _Format("I", "tsn {}"),
    },
)

_PARAMETERS: Final = _Types(
    "parameter {:#06x}",
    PARAM_NAMES,
    {
        PARAM_IPV4: _Format(rest=_ipv4),
        PARAM_IPV6: _Format(rest=_ipv6),
        PARAM_UNRECOGNIZED: _Format(rest=_parameter_type),
        PARAM_COOKIE_PRESERVATIVE: _Format("I", "{} ms"),
        PARAM_HOST_NAME: _WITH_TEXT,
        PARAM_SUPPORTED_ADDRESS_TYPES: _Format(rest=_parameter_types),
        PARAM_SUPPORTED_EXTENSIONS: _Format(rest=_chunk_types),
        PARAM_OUTGOING_RESET: _Format("III", "request {} response {} last tsn {}", _streams),
        PARAM_INCOMING_RESET: _Format("I", "request {}", _streams),
        PARAM_TSN_RESET: _Format("I", "request {}"),
        PARAM_RECONFIG_RESPONSE: _Format("I", "response {}", _result),
        PARAM_ADD_OUTGOING: _Format("IH2x", "request {} streams {}"),
        PARAM_ADD_INCOMING: _Format("IH2x", "request {} streams {}"),
        PARAM_ZERO_CHECKSUM: _Format("I", "method {}"),
        PARAM_ADD_IP: _Format("I", "request {}", _address),
        PARAM_DELETE_IP: _Format("I", "request {}", _address),
        PARAM_SET_PRIMARY: _Format("I", "request {}", _address),
        PARAM_ERROR_CAUSE: _Format("I", "request {}", _cause_types),
        PARAM_SUCCESS: _Format("I", "request {}"),
        PARAM_ADAPTATION: _Format("I", "{:#x}"),
        PARAM_CHUNK_LIST: _Format(rest=_chunk_types),
        PARAM_HMAC_ALGO: _Format(rest=_identifiers),
    },
)

_CAUSES: Final = _Types(
    "cause {}",
    CAUSE_NAMES,
    {
        CAUSE_INVALID_STREAM: _Format("H2x", "{}"),
        CAUSE_MISSING_PARAMETER: _Format("4x", rest=_parameter_types),
        CAUSE_STALE_COOKIE: _Format("I", "{} us"),
        CAUSE_UNRESOLVABLE_ADDRESS: _WITH_PARAMETERS,
        CAUSE_UNRECOGNIZED_CHUNK: _Format(rest=_chunk_type),
        CAUSE_UNRECOGNIZED_PARAMETERS: _WITH_PARAMETERS,
        CAUSE_NO_USER_DATA: _Format("I", "tsn {}"),
        CAUSE_UNSUPPORTED_HMAC: _Format("H", "{}"),
        CAUSE_RESTART_WITH_NEW_ADDRESSES: _WITH_PARAMETERS,
        CAUSE_USER_ABORT: _WITH_TEXT,
        CAUSE_PROTOCOL_VIOLATION: _WITH_TEXT,
    },
)
