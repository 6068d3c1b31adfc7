"""Packed addresses, their forms and zones, and what is announced to whom."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

import pytest

from sctpx.core.ip import with_zone
from sctpx.link.addresses import (
    address_text,
    announced,
    family_of,
    interface_name,
    packed_address,
    parse_address,
    socket_address,
)

NO_INTERFACE = 0x7FFFFFF0
"""A number that no interface has."""


def pack(ip: str) -> bytes:
    return ip_address(ip).packed


def packed(*ips: str) -> list[bytes]:
    return [pack(ip) for ip in ips]


def texts(ips: list[bytes]) -> list[str]:
    return [str(ip_address(ip)) for ip in ips]


def on(link: int, *ips: str) -> list[bytes]:
    """Link-local addresses on the link with this number."""
    return [with_zone(pack(ip), link) for ip in ips]


# --- what an address is ---


@pytest.mark.parametrize(
    ("address", "ip", "scope_id"),
    [
        ("192.0.2.1", "192.0.2.1", 0),
        (b"\xc0\x00\x02\x01", "192.0.2.1", 0),
        ("2001:db8::1", "2001:db8::1", 0),
        (("fe80::1", 7), "fe80::1", 7),
        ("fe80::1%7", "fe80::1", 7),
        ("fe80::1", "fe80::1", 0),
        (pack("fe80::1") + bytes((0, 0, 0, 7)), "fe80::1", 7),
    ],
)
def test_an_address_is_read_in_every_form(address: str | bytes | tuple[str, int], ip: str, scope_id: int) -> None:
    assert parse_address(address) == with_zone(pack(ip), scope_id)


def test_a_zone_may_be_the_name_of_an_interface() -> None:
    index, name = socket.if_nameindex()[0]
    assert parse_address(f"fe80::1%{name}") == with_zone(pack("fe80::1"), index)


def test_a_zone_that_is_no_interface_is_refused() -> None:
    with pytest.raises(OSError, match="no interface nowhere") as failure:
        parse_address("fe80::1%nowhere")
    assert failure.value.errno == errno.ENODEV


def test_a_zone_is_shown_as_the_name_of_its_interface_or_else_its_number() -> None:
    index, name = socket.if_nameindex()[0]
    assert address_text(with_zone(pack("fe80::1"), index)) == f"fe80::1%{name}"
    assert address_text(with_zone(pack("fe80::1"), NO_INTERFACE)) == f"fe80::1%{NO_INTERFACE}"
    assert interface_name(1 << 40) == str(1 << 40)
    assert address_text(pack("2001:db8::1")) == "2001:db8::1"


@pytest.mark.parametrize(
    ("address", "ip"),
    [
        (("192.0.2.1", 5), pack("192.0.2.1")),
        (("2001:db8::1", 5, 0, 0), pack("2001:db8::1")),
        (("fe80::1", 5, 0, 7), with_zone(pack("fe80::1"), 7)),
        (("fe80::1%eth0", 5, 0, 7), with_zone(pack("fe80::1"), 7)),
        (("2001:db8::1", 5, 0, 7), pack("2001:db8::1")),
    ],
)
def test_what_the_socket_module_gives_is_read_with_its_scope_id(address: tuple[str, int], ip: bytes) -> None:
    assert packed_address(address) == ip


@pytest.mark.parametrize("address", ["", "example.org", "1.2.3", b"12345", "192.0.2.1/24"])
def test_what_is_no_address_is_refused(address: str | bytes) -> None:
    with pytest.raises(OSError, match="is not an IP address") as failure:
        parse_address(address)
    assert failure.value.errno == errno.EINVAL


def test_a_packed_address_becomes_a_socket_address_of_its_family() -> None:
    ipv4, ipv6 = packed("192.0.2.1", "fe80::1")
    assert (family_of(ipv4), family_of(ipv6)) == (socket.AF_INET, socket.AF_INET6)
    assert socket_address(ipv4, 9899) == ("192.0.2.1", 9899)
    assert socket_address(ipv6, 9899) == ("fe80::1", 9899, 0, 0)
    assert socket_address(with_zone(ipv6, 3), 9899) == ("fe80::1", 9899, 0, 3)


# --- what is announced ---

EVERYTHING = ["127.0.0.1", "169.254.1.1", "10.0.0.1", "192.0.2.1", "::1", "fe80::1", "fd00::1", "2001:db8::1"]


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("198.51.100.1", ["192.0.2.1", "2001:db8::1"]),
        ("2001:db8::2", ["192.0.2.1", "2001:db8::1"]),
        ("10.9.9.9", ["10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"]),
        ("fd99::1", ["10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1"]),
        ("fe80::2", ["169.254.1.1", "10.0.0.1", "192.0.2.1", "fe80::1", "fd00::1", "2001:db8::1"]),
        ("127.0.0.2", EVERYTHING),
        ("::1", EVERYTHING),
    ],
)
def test_only_addresses_that_reach_as_far_as_the_peer_are_announced(peer: str, expected: list[str]) -> None:
    assert texts(announced(packed(*EVERYTHING), pack(peer))) == expected


def test_one_near_address_of_the_peer_is_enough_to_announce_near_ones() -> None:
    bound = packed("192.0.2.1", "10.0.0.1", "127.0.0.1")
    assert texts(announced(bound, *packed("198.51.100.1", "10.0.0.2"))) == ["192.0.2.1", "10.0.0.1"]


def test_to_nobody_known_only_global_addresses_are_announced() -> None:
    assert texts(announced(packed(*EVERYTHING))) == ["192.0.2.1", "2001:db8::1"]


def test_nothing_is_announced_if_nothing_reaches_the_peer() -> None:
    assert announced(packed("127.0.0.1", "10.0.0.1"), pack("192.0.2.1")) == []


def test_a_link_local_address_is_announced_on_its_own_link() -> None:
    bound = [*on(1, "fe80::a"), *on(2, "fe80::b"), *packed("2001:db8::1")]
    assert announced(bound, *on(2, "fe80::9")) == [bound[1], bound[2]]
    assert announced(bound, *on(3, "fe80::9")) == [bound[2]]
    assert announced(bound, *on(1, "fe80::9"), *on(2, "fe80::9")) == bound


def test_a_peer_on_this_host_is_told_no_address_of_a_link() -> None:
    assert announced([*packed("::1"), *on(1, "fe80::a")], pack("::1")) == packed("::1")


def test_a_peer_that_lists_several_link_local_addresses_may_be_on_any_link() -> None:
    bound = [*on(1, "fe80::a"), *on(2, "fe80::b")]
    assert announced(bound, *on(1, "fe80::8", "fe80::9")) == bound
