"""Serial number arithmetic of RFC 1982 around the wrap (RFC 9260 section 1.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.wire.serial import TSN_MASK, extend_tsn


@pytest.mark.parametrize(
    ("tsn", "reference", "extended"),
    [
        (0x7FFFFFFF + 7, 7, 0x7FFFFFFF + 7),
        (7, 7, 7),
        (8, 7, 8),
        (6, 7, 6),
        (0, 0xFFFFFFFF, 0x100000000),
        (5, 0xFFFFFFFE, 0x100000005),
        (0xFFFFFFFF, 0x100000000, 0xFFFFFFFF),
        (0xFFFFFFF0, 0x100000005, 0xFFFFFFF0),
        (3, 0x3_00000001, 0x3_00000003),
        (0xFFFFFFFF, 0x3_00000001, 0x2_FFFFFFFF),
        (0xFFFFFFFF, 0, -1),
        # Half the circle apart: RFC 1982 section 3.2 leaves it open; it counts as old.
        (0x80000000, 0, -0x80000000),
    ],
)
def test_a_tsn_is_extended_to_the_nearest_number(tsn: int, reference: int, extended: int) -> None:
    assert extend_tsn(tsn, reference) == extended


@given(reference=st.integers(-(1 << 40), 1 << 40), distance=st.integers(-(1 << 31) + 1, (1 << 31) - 1))
def test_extending_undoes_the_cut_to_32_bits(reference: int, distance: int) -> None:
    assert extend_tsn((reference + distance) & TSN_MASK, reference) == reference + distance


@given(tsn=st.integers(0, TSN_MASK), reference=st.integers(-(1 << 40), 1 << 40))
def test_an_extended_tsn_keeps_its_32_bits_and_is_near(tsn: int, reference: int) -> None:
    extended = extend_tsn(tsn, reference)
    assert extended & TSN_MASK == tsn
    assert abs(extended - reference) <= 1 << 31
