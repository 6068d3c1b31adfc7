"""The one promise of all parsers: any bytes give a value or ``ParseError``, never anything else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire import causes, control, forward, packet, params, sack, setup, tlv
from sctpx.wire.codes import CAUSE_NAMES, PARAM_IPV4, PARAM_IPV6, PARAM_NAMES
from sctpx.wire.tlv import ParseError, item

PARSERS: dict[str, Callable[[bytes], object]] = {
    "tlv.split": tlv.split,
    "tlv.items": tlv.items,
    "packet.parse_prefix": packet.parse_prefix,
    "packet.chunks": packet.chunks,
    "packet.verify_packet": packet.verify_packet,
    "setup.parse of an INIT": setup.parse,
    "setup.parse of an INIT ACK": lambda value: setup.parse(value, ack=True),
    "sack.parse": lambda value: sack.parse(value, 1 << 32),
    "forward.parse of a FORWARD-TSN": lambda value: forward.parse(False, value),
    "forward.parse of an I-FORWARD-TSN": lambda value: forward.parse(True, value),
    "causes.parse": causes.parse,
    "control.parse_heartbeat_info": control.parse_heartbeat_info,
    "control.parse_shutdown": control.parse_shutdown,
    "params.parse_address of IPv4": lambda value: params.parse_address(PARAM_IPV4, value),
    "params.parse_address of IPv6": lambda value: params.parse_address(PARAM_IPV6, value),
}

KINDS = st.sampled_from(sorted(PARAM_NAMES)) | st.sampled_from(sorted(CAUSE_NAMES)) | st.integers(0, 0xFFFF)
ITEMS = st.lists(st.builds(item, KINDS, st.binary(max_size=20)), max_size=5).map(b"".join)
FIXED = st.binary(min_size=16, max_size=16) | st.just(b"")
LIKELY = st.builds(
    lambda fixed, items, cut: (fixed + items)[: len(fixed + items) - cut], FIXED, ITEMS, st.integers(0, 9)
)


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=200) | LIKELY)
def test_any_bytes_give_a_value_or_a_parse_error(name: str, data: bytes) -> None:
    with suppress(ParseError):
        PARSERS[name](data)


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("byte", [b"\0", b"\x04", b"\xff"])
def test_the_largest_packet_is_no_exception(name: str, byte: bytes) -> None:
    with suppress(ParseError):
        PARSERS[name](byte * 65535)
