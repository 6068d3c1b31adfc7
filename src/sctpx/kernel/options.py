"""Options of the kernel's sockets as typed values: what goes to the kernel, and what comes back. Nothing but computing.

Which struct an option has is in the table that all backends share (``sockapi.options``), and the kernel takes these
structs as they are. An option that the table does not know can be used all the same, with bytes or a number.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from typing import Any, Final

from ..sockapi import constants as c
from ..sockapi.options import Option, Value, assoc_field, decode_value, find_option
from ..sockapi.structs import AssocIds, AssocValue, AuthChunks, HmacAlgo, Struct

_INT: Final = struct.Struct("=i")
_LISTS: Final[dict[type[Struct], int]] = {AssocIds: 1 << 18, AuthChunks: 1 << 9, HmacAlgo: 1 << 8}
"""Bytes that these lists have at the most."""
_HIDDEN: Final = 1
_EXPOSED: Final = 2
"""What Linux has for SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, where RFC 7829 section 7.3 has 0 and all else."""
_NOT_LINUX: Final = 1000
"""Options above this number are not Linux's (``sockapi.constants``)."""


def _find(level: int, name: int) -> Option | None:
    """The row of an option. ``OSError`` (EOPNOTSUPP) if Linux has no such."""
    try:
        option = find_option(level, name)
    except OSError:
        return None
    if level == c.IPPROTO_SCTP and name > _NOT_LINUX:
        raise OSError(errno.EOPNOTSUPP, f"the kernel has no {option.name}")
    return option


def to_set(level: int, name: int, value: Any) -> bytes:
    """What ``setsockopt`` gives to the kernel. ``OSError``: EINVAL (not of this option), EOPNOTSUPP."""
    option = _find(level, name)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)  # Its length is the kernel's to judge.
    if option is None:
        return value.pack() if isinstance(value, Struct) else _pack_int(value)
    decoded = decode_value(option, value)
    if not isinstance(decoded, Struct):
        return _pack_int(decoded)
    if isinstance(decoded, AssocValue) and _is_exposure(level, name):
        decoded = replace(decoded, assoc_value=_EXPOSED if decoded.assoc_value else _HIDDEN)
    packed: bytes = decoded.pack()
    # RFC 6525 section 6.3.3 and Linux have the association identifier alone.
    return packed[: _INT.size] if name == c.SCTP_RESET_ASSOC and level == c.IPPROTO_SCTP else packed


def to_ask(level: int, name: int, asked: Any, assoc_id: int | None) -> tuple[bytes, int]:
    """What ``getsockopt`` gives to the kernel, and how many bytes the answer may have. ``OSError`` as ``to_set``.

    ``asked`` says which association, address or event is meant, and ``assoc_id`` takes precedence over what is in it.
    """
    option = _find(level, name)
    if option is None or option.kind is int:
        return b"", _INT.size
    kind: Any = option.kind
    template = kind() if asked is None else decode_value(option, asked)
    field = assoc_field(template)
    if assoc_id is not None and field is not None:
        template = replace(template, **{field: assoc_id})
    packed = template.pack()
    return packed, max(_LISTS.get(kind, 0), len(packed))


def answer(level: int, name: int, data: bytes) -> Value:
    """The value that ``getsockopt`` brought. An older kernel has less of some structs: the rest is zeros."""
    option = _find(level, name)
    if option is None or option.kind is int:
        return int(_INT.unpack(data[: _INT.size].ljust(_INT.size, b"\0"))[0])
    kind: Any = option.kind
    found: Struct = kind.unpack(data if kind in _LISTS else data.ljust(kind.size(), b"\0"))
    if isinstance(found, AssocValue) and _is_exposure(level, name):
        return replace(found, assoc_value=int(found.assoc_value == _EXPOSED))
    return found


def _is_exposure(level: int, name: int) -> bool:
    return (level, name) == (c.IPPROTO_SCTP, c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE)


def _pack_int(value: Any) -> bytes:
    try:
        return _INT.pack(value)
    except struct.error as error:
        raise OSError(errno.EINVAL, str(error)) from None
