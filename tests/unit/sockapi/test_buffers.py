"""Any buffer is data, as in Python's socket module, and nothing else is."""

from __future__ import annotations

import array
import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import pytest

from sctpx.sockapi import constants as c
from sctpx.sockapi.ancillary import from_sendv, parse
from sctpx.sockapi.buffers import fill, held_by, to_bytes, writable
from sctpx.sockapi.send import parse_outgoing
from sctpx.sockapi.settings import AssociationSettings
from sctpx.sockapi.structs import AssocChange, RtoInfo, SndInfo, unpack_notification
from tests.unit.sockapi.holder import make_socket

FORMS: list[Callable[[bytes], Any]] = [
    bytes,
    bytearray,
    memoryview,
    lambda data: array.array("B", data),
    lambda data: array.array("i", data.ljust(-(-len(data) // 4) * 4, b"\0")),
    lambda data: (ctypes.c_char * len(data)).from_buffer_copy(data),
    lambda data: memoryview(bytes(byte for one in data for byte in (one, 0)))[::2],
]
forms = pytest.mark.parametrize("form", FORMS, ids=["bytes", "bytearray", "view", "array", "ints", "ctypes", "strided"])
ITEM = SndInfo(snd_sid=3, snd_ppid=60)


@forms
def test_a_message_is_the_bytes_of_any_buffer(form: Callable[[bytes], Any]) -> None:
    assert to_bytes(form(b"abcdefgh")) == b"abcdefgh"
    assert parse_outgoing(form(b"abcd")) == (b"abcd", 0, 0, False)
    assert parse_outgoing((form(b"abcd"), 1)) == (b"abcd", 1, 0, False)


@forms
def test_structs_options_and_control_messages_are_the_bytes_of_any_buffer(form: Callable[[bytes], Any]) -> None:
    change = AssocChange(sac_state=3, sac_assoc_id=7)
    assert RtoInfo.unpack(form(RtoInfo(srto_max=5).pack())) == RtoInfo(srto_max=5)
    assert unpack_notification(form(change.pack())) == change
    items = [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, form(ITEM.pack()))]
    assert parse(items, AssociationSettings()).stream == 3
    assert from_sendv(form(ITEM.pack()), c.SCTP_SENDV_SNDINFO) == [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, ITEM)]
    socket = make_socket()
    socket.set(c.SCTP_RTOINFO, form(RtoInfo(srto_max=5000).pack()))
    socket.set(c.SCTP_NODELAY, form(b"\1\0\0\0"))
    assert (socket.settings.future.config.rto_max, socket.settings.future.config.nodelay) == (5.0, True)


@pytest.mark.parametrize("thing", ["text", 5, None, [b"x"], object()])
def test_what_has_no_buffer_is_a_type_error(thing: Any) -> None:
    assert held_by(thing) is None
    with pytest.raises(TypeError, match="bytes-like"):
        to_bytes(thing)


def test_the_very_bytes_are_not_copied() -> None:
    data = bytes(1000)
    assert to_bytes(data) is data


ROOMS: list[Any] = [
    bytearray(8),
    array.array("i", [0, 0]),
    mmap.mmap(-1, 8),
    (ctypes.c_int * 2)(),
    memoryview(bytearray(8)),
]


@pytest.mark.parametrize("room", ROOMS, ids=["bytes", "ints", "map", "ctypes", "view"])
def test_room_is_counted_and_filled_in_bytes_whatever_the_buffer_holds(room: Any) -> None:
    view = writable(room)
    assert view.nbytes == 8
    fill([view], b"abcd")
    assert memoryview(room).tobytes() == b"abcd" + bytes(4)


def test_a_buffer_that_cannot_be_written_to_has_no_room() -> None:
    with pytest.raises(TypeError, match="read-only"):
        writable(memoryview(b"abc"))
    with pytest.raises(TypeError):
        writable("text")  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        writable(memoryview(bytearray(8))[::2])


# --- the shape of control messages ---


@pytest.mark.parametrize(
    "item",
    [
        object(),
        0,
        b"",
        (c.IPPROTO_SCTP, c.SCTP_SNDINFO),
        (c.IPPROTO_SCTP, c.SCTP_SNDINFO, ITEM, 42),
        (object(), c.SCTP_SNDINFO, ITEM),
        (c.IPPROTO_SCTP, object(), ITEM),
        (c.IPPROTO_SCTP, c.SCTP_SNDINFO, object()),
        (float(c.IPPROTO_SCTP), c.SCTP_SNDINFO, ITEM),
    ],
)
def test_a_control_message_of_a_wrong_shape_is_a_type_error_before_anything_else_is_looked_at(item: Any) -> None:
    """Also behind one that would be EINVAL by itself."""
    for items in ([item], [(0, 0, b""), item]):
        with pytest.raises(TypeError):
            parse(items, AssociationSettings())
