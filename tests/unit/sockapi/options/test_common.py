"""Options that sockets of every kind have: done, accepted, or refused with the reason; docs/sockets.md says which."""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path

import pytest

from sctpx.sockapi import constants as c
from sctpx.sockapi.options import COMMON, Option
from sctpx.sockapi.structs import PaddrParams
from tests.unit.sockapi.holder import connected, make_socket, raises

PAGE = Path(__file__).parents[4] / "docs" / "sockets.md"
IP, IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
TOS, TCLASS, V6ONLY = socket.IP_TOS, 67, socket.IPV6_V6ONLY
SECOND = ("10.0.2.2", 5000)
BY_NAME = {option.name: option for option in COMMON}
ACCEPTED = [option for option in COMMON if option.name in ("SO_KEEPALIVE", "SO_BROADCAST", "SO_OOBINLINE")]
REFUSED = [option for option in COMMON if option.refused]


def named(option: Option) -> str:
    return option.name


# --- DSCP ---


def test_ip_tos_sets_the_dscp_of_associations_to_come() -> None:
    socket = make_socket()
    assert socket.get(TOS, level=IP) == 0
    socket.set(TOS, 0xB8, level=IP)
    assert socket.get(TOS, level=IP) == 0xB8
    assert socket.settings.begin().config.dscp == 46


@pytest.mark.parametrize("one_to_many", [False, True])
def test_ip_tos_sets_the_dscp_of_all_associations_and_of_all_their_paths(one_to_many: bool) -> None:
    socket, pair = connected(one_to_many)
    socket.set(TOS, 0xB8, level=IP)
    assert [path.flowinfo for path in pair.a.association.paths] == [46 << 22, 46 << 22]


def test_the_ecn_bits_of_an_octet_are_not_the_programs() -> None:
    socket = make_socket()
    socket.set(TOS, 0xBB, level=IP)
    assert socket.get(TOS, level=IP) == 0xB8


def test_the_octet_can_be_a_single_byte_as_on_linux() -> None:
    socket = make_socket()
    socket.set(TOS, b"\xb8", level=IP)
    assert socket.get(TOS, level=IP) == 0xB8


@pytest.mark.parametrize("value", [-1, 256])
def test_what_is_no_octet_is_refused(value: int) -> None:
    socket = make_socket(ipv6=True)
    with raises(errno.EINVAL):
        socket.set(TOS, value, level=IP)
    with raises(errno.EINVAL):
        socket.set(TCLASS, value * 2, level=IPV6)


def test_ipv6_tclass_is_the_same_setting_and_minus_one_its_default() -> None:
    socket = make_socket(ipv6=True)
    socket.set(TCLASS, 0xB8, level=IPV6)
    assert (socket.get(TCLASS, level=IPV6), socket.get(TOS, level=IP)) == (0xB8, 0xB8)
    socket.set(TCLASS, -1, level=IPV6)
    assert socket.get(TOS, level=IP) == 0


def test_an_ipv4_socket_has_no_ipv6_traffic_class() -> None:
    with raises(errno.ENOPROTOOPT):
        make_socket().set(TCLASS, 0xB8, level=IPV6)


def test_a_dscp_set_by_the_options_of_sctp_has_precedence() -> None:
    """RFC 6458 section 8.1.12: "This setting has precedence over any IPv4- or IPv6-layer setting"."""
    socket, pair = connected()
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=SECOND, spp_flags=c.SPP_DSCP, spp_dscp=160))
    socket.set(TOS, 0xB8, level=IP)
    assert [path.flowinfo >> 22 for path in pair.a.association.paths] == [46, 40]
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_DSCP, spp_dscp=32))
    socket.set(TOS, 4, level=IP)
    assert [path.flowinfo >> 22 for path in pair.a.association.paths] == [8, 8]
    assert pair.a.association.config.dscp == 8
    assert socket.get(TOS, level=IP) == 4


def test_of_future_associations_too() -> None:
    socket = make_socket()
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_DSCP, spp_dscp=32))
    socket.set(TOS, 4, level=IP)
    assert socket.settings.begin().config.dscp == 8


# --- families ---


def test_ipv6_v6only_is_off_by_default_and_can_be_set_until_the_socket_is_bound() -> None:
    socket = make_socket(ipv6=True)
    assert socket.get(V6ONLY, level=IPV6) == 0
    socket.set(V6ONLY, 1, level=IPV6)
    assert socket.get(V6ONLY, level=IPV6) == 1
    socket.bound = True
    with raises(errno.EINVAL):
        socket.set(V6ONLY, 0, level=IPV6)
    socket.set(V6ONLY, 1, level=IPV6)  # It changes nothing.
    assert socket.get(V6ONLY, level=IPV6) == 1


def test_an_ipv4_socket_has_no_ipv6_v6only() -> None:
    with raises(errno.ENOPROTOOPT):
        make_socket().set(V6ONLY, 1, level=IPV6)


# --- what has no meaning here, and what cannot be done ---


@pytest.mark.parametrize("option", ACCEPTED, ids=named)
def test_an_option_without_a_meaning_is_what_it_was_set_to(option: Option) -> None:
    socket = make_socket()
    assert socket.get(option.number, level=option.level) == 0
    for value in (1, 0, 5):
        socket.set(option.number, value, level=option.level)
        assert socket.get(option.number, level=option.level) == int(value != 0)


@pytest.mark.parametrize("option", REFUSED, ids=named)
def test_an_option_that_cannot_be_done_is_refused_with_the_reason_and_can_be_off(option: Option) -> None:
    socket = make_socket()
    for value in (1, b"\1\0\0\0", b"eth0\0"):
        with pytest.raises(OSError, match=f"{option.name}: .{{20,}}") as caught:
            socket.set(option.number, value, level=option.level)
        assert caught.value.errno == errno.EOPNOTSUPP
    for value in (0, b"\0\0\0\0", b""):
        socket.set(option.number, value, level=option.level)
    assert socket.get(option.number, level=option.level) == 0


def test_no_two_options_have_one_number() -> None:
    numbers = {(option.level, option.number) for option in COMMON}
    assert len(numbers) == len(COMMON)


def test_the_table_of_the_page_says_of_each_option_what_becomes_of_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (done|accepted|refused)\b", PAGE.read_text(), re.MULTILINE)
    known = {option.name: "refused" if option.refused else "done" for option in COMMON}
    known |= {option.name: "accepted" for option in ACCEPTED}
    assert [row for row in rows if row[0] in known] == list(known.items())
