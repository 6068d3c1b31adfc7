"""How a dataclass is a C struct: one table, its annotated fields, is what packing and unpacking read.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class AssocValue(Struct):
        C_NAME: ClassVar[str] = "sctp_assoc_value"
        assoc_id: S32 = 0
        assoc_value: U32 = 0

Layouts are those of C on 64-bit Linux, on every system: fields at multiples of their alignment, the whole a multiple of
the largest; ``PACKED`` structs, which Linux declares ``packed, aligned(4)``, have no holes. Numbers are in host byte
order, but for the ``BE`` ones: C programs keep these as they are on the wire, here they are what stands on the wire.
The PPID is one: C's ``htonl(60)`` is 60 here.

The last field may be of variable length: all the rest, or as many elements as a ``COUNT`` field says. Such counts are
filled in, whatever the caller gave.

``OSError`` (EINVAL) is the one error: bytes of another length than the struct has, or a value its field cannot hold.
"""

from __future__ import annotations

import dataclasses
import errno
import ipaddress
import struct
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Self, TypeAlias, get_type_hints

from ..addresses import AF_INET6, SocketAddress, check_port, pack_sockaddrs, unpack_sockaddrs
from ..buffers import Data, to_bytes

STORAGE: Final = 128
"""Size of a ``sockaddr_storage``."""
_PACKED_ALIGNMENT: Final = 4
_IPV6: Final = struct.Struct("=H2s4s16sI")


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """How one C type is packed: a code of the struct module, and what turns values into what that takes."""

    code: str
    size: int
    alignment: int
    to_c: Callable[[Any], Any] | None = None
    from_c: Callable[[Any], Any] | None = None
    counts: bool = False
    """It holds the number of elements of the last field."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tail:
    """The last field, if it is of variable length: elements of one size."""

    code: str
    size: int
    to_c: Callable[[Any], bytes]
    from_c: Callable[[bytes], Any]


def _number(code: str, counts: bool = False) -> Kind:
    size = struct.calcsize("=" + code)
    return Kind(code, size, size, counts=counts)


def _big_endian(size: int) -> Kind:
    return Kind(f"{size}s", size, size, lambda value: value.to_bytes(size, "big"), lambda b: int.from_bytes(b, "big"))


def _array(code: str) -> Tail:
    size = struct.calcsize("=" + code)
    return Tail(
        code,
        size,
        lambda values: struct.pack(f"={len(values)}{code}", *values),
        lambda data: struct.unpack(f"={len(data) // size}{code}", data[: len(data) // size * size]),
    )


def _pack_storage(address: SocketAddress | None) -> bytes:
    if address is None:
        return bytes(STORAGE)
    if address[0].startswith("::ffff:"):
        # An IPv4-mapped address stays one: the socket asked for it (SCTP_I_WANT_MAPPED_V4_ADDR).
        port = check_port(address[1], "port", lowest=0).to_bytes(2, "big")
        return _IPV6.pack(AF_INET6, port, bytes(4), ipaddress.IPv6Address(address[0]).packed, 0).ljust(STORAGE, b"\0")
    return pack_sockaddrs([address]).ljust(STORAGE, b"\0")


def _unpack_storage(data: bytes) -> SocketAddress | None:
    return unpack_sockaddrs(data, 1)[0] if data[0] or data[1] else None


U8: TypeAlias = Annotated[int, _number("B")]
U16: TypeAlias = Annotated[int, _number("H")]
U32: TypeAlias = Annotated[int, _number("I")]
U64: TypeAlias = Annotated[int, _number("Q")]
S32: TypeAlias = Annotated[int, _number("i")]
S64: TypeAlias = Annotated[int, _number("q")]
BE16: TypeAlias = Annotated[int, _big_endian(2)]
BE32: TypeAlias = Annotated[int, _big_endian(4)]
COUNT16: TypeAlias = Annotated[int, _number("H", counts=True)]
COUNT32: TypeAlias = Annotated[int, _number("I", counts=True)]
STORED: TypeAlias = Annotated[SocketAddress | None, Kind(f"{STORAGE}s", STORAGE, 8, _pack_storage, _unpack_storage)]
"""A ``sockaddr_storage``; ``None`` for one that is all zeros, which C calls unspecified."""
U8S: TypeAlias = Annotated[tuple[int, ...], _array("B")]
U16S: TypeAlias = Annotated[tuple[int, ...], _array("H")]
S32S: TypeAlias = Annotated[tuple[int, ...], _array("i")]
DATA: TypeAlias = Annotated[bytes, Tail("s", 1, bytes, bytes)]


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of a struct are."""

    fixed: struct.Struct
    fields: tuple[tuple[str, Kind], ...]
    offsets: dict[str, int]
    tail: tuple[str, Tail] | None
    count: str
    """The field that counts the elements of the tail; "" for none."""
    alignment: int


class Struct:
    """A C struct as a value. Fields have the names they have in C."""

    __slots__ = ()

    __dataclass_fields__: ClassVar[dict[str, Any]]
    C_NAME: ClassVar[str]
    PACKED: ClassVar[bool] = False

    def pack(self) -> bytes:
        """The struct as C has it in memory."""
        layout = layout_of(type(self))
        try:
            values = [
                getattr(self, name) if kind.to_c is None else kind.to_c(getattr(self, name))
                for name, kind in layout.fields
            ]
            packed = layout.fixed.pack(*values)
            if layout.tail is not None:
                name, tail = layout.tail
                packed += tail.to_c(getattr(self, name))
        except (struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise OSError(errno.EINVAL, f"{self.C_NAME}: {error}") from None
        return packed

    @classmethod
    def unpack(cls, data: Data) -> Self:
        """The struct in these bytes. OSError EINVAL if they are too few, or too many for one of fixed size."""
        data = to_bytes(data)
        layout = layout_of(cls)
        size = layout.fixed.size
        if len(data) < size or (layout.tail is None and len(data) > size):
            raise OSError(errno.EINVAL, f"{cls.C_NAME} in {len(data)} bytes, it has {size}")
        values: dict[str, Any] = {}
        for (name, kind), value in zip(layout.fields, layout.fixed.unpack_from(data), strict=True):
            values[name] = value if kind.from_c is None else kind.from_c(value)
        if layout.tail is not None:
            name, tail = layout.tail
            rest = data[size:]
            if layout.count:
                length = values[layout.count] * tail.size
                if length > len(rest):
                    raise OSError(errno.EINVAL, f"{cls.C_NAME} counts {length} bytes of {name}, there are {len(rest)}")
                rest = rest[:length]
            values[name] = tail.from_c(rest)
        return cls(**values)

    @classmethod
    def size(cls) -> int:
        """``sizeof`` in C: without what is of variable length."""
        return layout_of(cls).fixed.size

    @classmethod
    def offsets(cls) -> dict[str, int]:
        """``offsetof`` in C, for each field."""
        return dict(layout_of(cls).offsets)


class Counted(Struct):
    """A struct that counts the elements of its last field."""

    __slots__ = ()

    def __post_init__(self) -> None:
        layout = layout_of(type(self))
        assert layout.tail is not None
        object.__setattr__(self, layout.count, len(getattr(self, layout.tail[0])))


_LAYOUTS: Final[dict[type[Struct], Layout]] = {}


def layout_of(kind: type[Struct]) -> Layout:
    """The layout of a struct, worked out once."""
    layout = _LAYOUTS.get(kind)
    if layout is None:
        layout = _LAYOUTS[kind] = _lay_out(kind)
    return layout


def _lay_out(kind: type[Struct]) -> Layout:
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind)]
    code, offset, largest = "=", 0, 1
    fields: list[tuple[str, Kind]] = []
    offsets: dict[str, int] = {}
    tail: tuple[str, Tail] | None = None
    for name in names:
        how = _how(hints[name])
        if isinstance(how, Tail):
            tail = name, how
            offsets[name] = offset
            continue
        alignment = 1 if kind.PACKED else how.alignment
        hole = -offset % alignment
        code += "x" * hole + how.code
        offsets[name] = offset + hole
        offset += hole + how.size
        largest = max(largest, alignment)
        fields.append((name, how))
    largest = _PACKED_ALIGNMENT if kind.PACKED else largest
    code += "x" * (-offset % largest)
    counting = [name for name, how in fields if how.counts]
    return Layout(struct.Struct(code), tuple(fields), offsets, tail, counting[0] if counting else "", largest)


def _how(hint: Any) -> Kind | Tail:
    """How a field is packed, by its annotation: one of those above, or another struct inside."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        inner = layout_of(hint)
        return Kind(f"{inner.fixed.size}s", inner.fixed.size, inner.alignment, hint.pack, hint.unpack)
    how: Kind | Tail = hint.__metadata__[0]
    return how
