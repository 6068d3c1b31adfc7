"""Options as the kernel takes and gives them."""

from __future__ import annotations

import errno
import struct

import pytest

from sctpx import structs as s
from sctpx.kernel.options import answer, to_ask, to_set
from sctpx.sockapi import constants as c
from sctpx.sockapi.options import OPTIONS

SCTP = c.IPPROTO_SCTP


def test_a_number_is_an_int_of_c_and_a_struct_is_its_bytes() -> None:
    assert to_set(SCTP, c.SCTP_NODELAY, 1) == struct.pack("=i", 1)
    assert to_set(SCTP, c.SCTP_RTOINFO, s.RtoInfo(srto_min=7)) == struct.pack("=iIII", 0, 0, 0, 7)
    assert to_set(c.SOL_SOCKET, c.SO_LINGER, s.Linger(l_onoff=1)) == struct.pack("=ii", 1, 0)


def test_bytes_go_to_the_kernel_as_they_are() -> None:
    assert to_set(SCTP, c.SCTP_RTOINFO, b"abc") == b"abc"
    assert to_set(SCTP, 999, b"abc") == b"abc"


@pytest.mark.parametrize("value", [s.InitMsg(), 1 << 40, "text"])
def test_a_value_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is what is looked at
        to_set(SCTP, c.SCTP_NODELAY, value)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("name", [c.SCTP_EXPLICIT_EOR, c.SCTP_USE_EXT_RCVINFO])
def test_an_option_that_linux_does_not_have_is_refused_by_its_name(name: int) -> None:
    for call in (lambda: to_set(SCTP, name, 1), lambda: to_ask(SCTP, name, None, None)):
        with pytest.raises(OSError, match="the kernel has no SCTP_") as caught:
            call()
        assert caught.value.errno == errno.EOPNOTSUPP


def test_the_association_that_is_asked_for_takes_precedence() -> None:
    given, room = to_ask(SCTP, c.SCTP_STATUS, None, 5)
    assert s.Status.unpack(given).sstat_assoc_id == 5
    assert room == s.Status.size()
    given, _ = to_ask(SCTP, c.SCTP_PEER_ADDR_PARAMS, s.PaddrParams(spp_assoc_id=3, spp_address=("192.0.2.1", 7)), 4)
    asked = s.PaddrParams.unpack(given)
    assert (asked.spp_assoc_id, asked.spp_address) == (4, ("192.0.2.1", 7))


def test_a_list_has_room_for_all_that_the_kernel_may_tell() -> None:
    _, room = to_ask(SCTP, c.SCTP_GET_ASSOC_ID_LIST, None, None)
    assert room >= 4 + 4 * 65_535
    data = struct.pack("=Iii", 2, 8, 9)
    assert answer(SCTP, c.SCTP_GET_ASSOC_ID_LIST, data) == s.AssocIds(gaids_assoc_id=(8, 9))


def test_what_an_older_kernel_does_not_have_is_zeros() -> None:
    short = s.PaddrParams(spp_hbinterval=9).pack()[: s.PaddrParams.offsets()["spp_ipv6_flowlabel"]]
    found = answer(SCTP, c.SCTP_PEER_ADDR_PARAMS, short)
    assert found == s.PaddrParams(spp_hbinterval=9)


def test_the_reset_of_an_association_is_its_identifier_alone() -> None:
    assert to_set(SCTP, c.SCTP_RESET_ASSOC, s.AssocValue(assoc_id=6)) == struct.pack("=i", 6)


def test_every_option_of_the_table_can_be_asked_of_the_kernel_unless_linux_has_no_such() -> None:
    for option in OPTIONS:
        if option.number < 1000:
            given, room = to_ask(option.level, option.number, None, None)
            assert room >= len(given)


@pytest.mark.parametrize(("asked", "linux", "told"), [(0, 1, 0), (1, 2, 1), (2, 2, 1)])
def test_the_exposure_of_potentially_failed_paths_has_the_numbers_of_the_rfc(asked: int, linux: int, told: int) -> None:
    """RFC 7829 section 7.3: "exposed if, and only if, this parameter is non-zero"; with 1 Linux hides them."""
    name = c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE
    packed = s.AssocValue(assoc_id=7, assoc_value=linux).pack()
    assert to_set(SCTP, name, s.AssocValue(assoc_id=7, assoc_value=asked)) == packed
    assert answer(SCTP, name, packed) == s.AssocValue(assoc_id=7, assoc_value=told)
    assert answer(SCTP, name, bytes(8)) == s.AssocValue()  # Linux's default: not set.
    assert to_set(SCTP, c.SCTP_MAXSEG, s.AssocValue(assoc_value=1)) == s.AssocValue(assoc_value=1).pack()
