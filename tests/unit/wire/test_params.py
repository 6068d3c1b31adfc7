"""Address parameters (RFC 9260 sections 3.3.2.1.1 and 3.3.2.1.2)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from sctpx.wire.codes import PARAM_IPV4, PARAM_IPV6
from sctpx.wire.params import address, address_parameter, addresses, is_unicast, parse_address
from sctpx.wire.tlv import ParseError, items

IPV4 = bytes.fromhex("c0000201")
IPV6 = bytes.fromhex("20010db8 00000000 00000000 00000001")


def test_an_ipv4_address_parameter_is_8_bytes_of_type_5() -> None:
    assert address(IPV4) == bytes.fromhex("0005 0008 c0000201")


def test_an_ipv6_address_parameter_is_20_bytes_of_type_6() -> None:
    assert address(IPV6) == bytes.fromhex("0006 0014 20010db8 00000000 00000000 00000001")


def test_several_addresses_of_both_families_follow_each_other() -> None:
    assert addresses([IPV4, IPV6, IPV4]) == address(IPV4) + address(IPV6) + address(IPV4)
    assert addresses([]) == b""


def test_the_zone_of_a_link_local_address_stays_on_this_host() -> None:
    link_local = bytes.fromhex("fe800000 00000000 00000000 00000001")
    assert address(link_local + bytes.fromhex("00000007")) == address(link_local)


@pytest.mark.parametrize(("ip", "kind"), [(IPV4, PARAM_IPV4), (IPV6, PARAM_IPV6)])
def test_an_address_can_be_parsed_back(ip: bytes, kind: int) -> None:
    assert address_parameter(ip) == (kind, ip)
    assert items(address(ip)) == [(kind, ip)]
    assert parse_address(kind, ip) == ip


@pytest.mark.parametrize("length", [0, 3, 5, 8, 15, 16, 17])
def test_an_ipv4_address_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(ParseError):
        parse_address(PARAM_IPV4, bytes(length))


@pytest.mark.parametrize("length", [0, 4, 15, 17])
def test_an_ipv6_address_of_another_length_is_malformed(length: int) -> None:
    with pytest.raises(ParseError):
        parse_address(PARAM_IPV6, bytes(length))


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1", "1.0.0.0", "127.0.0.1", "223.255.255.255", "2001:db8::1", "::1", "fe80::1", "::ffff:192.0.2.1"],
)
def test_addresses_of_one_host_are_unicast(text: str) -> None:
    assert is_unicast(ip_address(text).packed)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "::ffff:255.255.255.255",
    ],
)
def test_wildcard_multicast_and_broadcast_addresses_are_not_unicast(text: str) -> None:
    assert not is_unicast(ip_address(text).packed)
