"""``getsockopt``, ``setsockopt`` and ``sctp_opt_info`` (RFC 6458 sections 7.2 and 8), over the table of all options.

Values are the structs of ``structs``, or integers; ``setsockopt`` takes them and their bytes in C, ``pack_value`` makes
bytes of what ``getsockopt`` gives. Whatever is wrong is found before anything changes:

    ENOPROTOOPT   no such option
    EOPNOTSUPP    it can only be read, or only be set, or needs an extension that sctpx does not speak yet, or cannot be
                  done in user space: the message says why
    EINVAL        wrong type, length, range, association or address

A socket brings its settings and associations as a ``Holder``. After ``set_option`` it gives ``settings.future.config``
to its endpoint, for the associations that peers set up.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from dataclasses import fields, replace
from typing import Any, Final, TypeAlias

from ..buffers import Data, held_by
from ..structs import AssocIds, AuthChunks, Struct
from .common import COMMON
from .option import Option
from .scope import Holder, Member, Reach, Scope, scopes
from .table import OPTIONS

__all__ = [
    "COMMON",
    "OPTIONS",
    "Holder",
    "Member",
    "Option",
    "Reach",
    "Scope",
    "Value",
    "assoc_field",
    "decode_value",
    "find_option",
    "get_option",
    "pack_value",
    "set_option",
]

Value: TypeAlias = Struct | int

_INT: Final = struct.Struct("=i")
_TCP_NODELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY)
_LISTS: Final = (AssocIds, AuthChunks)
_BY_NUMBER: Final = {(option.level, option.number): option for option in (*OPTIONS, *COMMON)}


def find_option(level: int, name: int) -> Option:
    """The option with that level and number. OSError ENOPROTOOPT if there is none."""
    option = _BY_NUMBER.get((level, name))
    if option is None:
        hint = ": for SCTP there is SCTP_NODELAY, of level IPPROTO_SCTP" if (level, name) == _TCP_NODELAY else ""
        raise OSError(errno.ENOPROTOOPT, f"no option {name} at level {level}{hint}")
    return option


def _refuse(option: Option, only: str) -> OSError:
    """It cannot be done with this option: read, or set."""
    return OSError(errno.EOPNOTSUPP, f"{option.name} {f'needs {option.needs}' if option.needs else only}")


def get_option(
    holder: Holder,
    level: int,
    name: int,
    asked: Struct | Data | None = None,
    assoc_id: int | None = None,
) -> Value:
    """The value of an option.

    ``asked`` says of which association, address or event, as what C passes in does; ``assoc_id`` takes precedence over
    what is in it (``sctp_opt_info``).
    """
    option = find_option(level, name)
    if option.refused:
        return 0
    if option.get is None:
        raise _refuse(option, "can only be set")
    template: Any = None
    if option.kind is not int:
        template = option.kind() if asked is None else decode_value(option, asked)
    if assoc_id is None:
        assoc_id = _assoc_id(template)
    elif (field := assoc_field(template)) is not None:
        template = replace(template, **{field: assoc_id})
    [scope] = scopes(holder, 0, option.reach, assoc_id, setting=False)
    value: Value = option.get(scope, template)
    return value


def set_option(holder: Holder, now: int, level: int, name: int, value: Value | Data) -> None:
    """Set an option, for all it is for or for nothing."""
    option = find_option(level, name)
    if option.refused:
        if _is_off(value):
            return
        raise OSError(errno.EOPNOTSUPP, f"{option.name}: {option.refused}")
    if option.set is None:
        raise _refuse(option, "can only be read")
    decoded = decode_value(option, value)
    found = scopes(holder, now, option.reach, _assoc_id(decoded), setting=True)
    changes = [option.set(scope, decoded) for scope in found]
    for change in changes:
        change()


def pack_value(value: Value, length: int) -> bytes:
    """A value as it is in C, for a buffer of ``length`` bytes.

    OSError if that is too small: EINVAL, or ENOBUFS for a list of chunks (section 8.2.3).
    """
    packed = _INT.pack(value) if isinstance(value, int) else value.pack()
    if length < len(packed):
        short = errno.ENOBUFS if isinstance(value, AuthChunks) else errno.EINVAL
        raise OSError(short, f"a buffer of {length} bytes, the value has {len(packed)}")
    return packed


def decode_value(option: Option, given: Any) -> Any:
    """A typed value, from what the caller gave. OSError EINVAL unless it is one of this option."""
    data = None if isinstance(given, int | Struct) else held_by(given)
    if data is not None:
        if not issubclass(option.kind, Struct):
            if len(data) in option.shorter:
                return int.from_bytes(data, sys.byteorder)
            if len(data) != _INT.size:
                raise OSError(errno.EINVAL, f"{option.name} in {len(data)} bytes, an int has {_INT.size}")
            return _INT.unpack(data)[0]
        if len(data) in option.shorter:
            data = data.ljust(option.kind.size(), b"\0")
        return option.kind.unpack(data)
    if not isinstance(given, option.kind):
        raise OSError(errno.EINVAL, f"{option.name} is set with {option.kind.__name__}, not {type(given).__name__}")
    if isinstance(given, Struct):
        given.pack()  # Only what fits its fields.
    elif not -(1 << 31) <= given < 1 << 31:
        raise OSError(errno.EINVAL, f"{given} is not an int in C")
    return given


def _is_off(value: Value | Data) -> bool:
    """Whether an option is only switched off: 0, or bytes that are nothing or zeros."""
    data = None if isinstance(value, int | Struct) else held_by(value)
    return value == 0 or (data is not None and not any(data))


def assoc_field(value: Any) -> str | None:
    """The field of a struct that has the association identifier."""
    if not isinstance(value, Struct) or isinstance(value, AssocIds):
        return None
    for field in fields(value):
        if field.name.endswith("assoc_id"):
            return field.name
    return None


def _assoc_id(value: Any) -> int:
    field = assoc_field(value)
    return getattr(value, field) if field is not None else 0
