"""Bytes as programs have them: ``bytes``, ``bytearray``, ``memoryview``, an array, whatever else has a buffer.

Python's socket module takes all of them alike, and so do the calls here. Inside, data is ``bytes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Data: TypeAlias = "ReadableBuffer"
"""Anything with a buffer that can be read."""
Room: TypeAlias = "WriteableBuffer"
"""Anything with a buffer that can be written to."""


def held_by(value: Any) -> bytes | None:
    """The bytes in a buffer of any kind: a copy, unless they are ``bytes`` already. ``None`` for what is no buffer."""
    if isinstance(value, bytes):
        return value
    try:
        return memoryview(value).tobytes()
    except TypeError:
        return None


def to_bytes(data: Data) -> bytes:
    """The bytes in a buffer of any kind: a copy, unless they are ``bytes`` already. ``TypeError`` for other things."""
    held = held_by(data)
    if held is None:
        raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}")
    return held


def writable(buffer: Room) -> memoryview:
    """A buffer of any kind, to be filled: while the view is held, the buffer cannot change its size.

    ``TypeError`` for one that is read-only and for what is no buffer, ``BufferError`` for one that is not contiguous.
    """
    view = memoryview(buffer)
    if view.readonly:
        raise TypeError(f"a buffer to receive into is needed, and this {type(buffer).__name__!r} is read-only")
    if not view.c_contiguous:
        raise BufferError("the buffer to receive into is not contiguous")
    return view


def fill(views: Sequence[memoryview], data: bytes) -> None:
    """Write bytes to buffers, one after the other, whatever the elements of the buffers are."""
    source = BytesIO(data)
    for view in views:
        source.readinto(view)
