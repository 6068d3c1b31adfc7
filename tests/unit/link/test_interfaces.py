"""Addresses of this host: scopes, what is announced to whom, sources, interfaces."""

from __future__ import annotations

import errno
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from sctpx.link.interfaces import (
    DEFAULT_MTU,
    GLOBAL,
    LINK_LOCAL,
    LOOPBACK,
    PRIVATE,
    InterfaceAddress,
    address_mtu,
    announced,
    family_of,
    interface_address,
    interface_addresses,
    interface_mtu,
    link_scope,
    nearest,
    parse_address,
    scope_of,
    socket_address,
    source_for,
    wildcard_addresses,
)
from tests.unit.link.conftest import Elsewhere

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks as Linux is asked")


def pack(ip: str) -> bytes:
    return ip_address(ip).packed


def packed(*ips: str) -> list[bytes]:
    return [pack(ip) for ip in ips]


def texts(ips: list[bytes]) -> list[str]:
    return [str(ip_address(ip)) for ip in ips]


# --- what an address is ---


@pytest.mark.parametrize(
    ("address", "ip", "scope_id"),
    [
        ("192.0.2.1", "192.0.2.1", 0),
        (b"\xc0\x00\x02\x01", "192.0.2.1", 0),
        ("2001:db8::1", "2001:db8::1", 0),
        (("fe80::1", 7), "fe80::1", 7),
        ("fe80::1%7", "fe80::1", 7),
    ],
)
def test_an_address_is_read_in_every_form(address: str | bytes | tuple[str, int], ip: str, scope_id: int) -> None:
    assert parse_address(address) == (pack(ip), scope_id)


def test_a_scope_may_be_the_name_of_an_interface() -> None:
    index, name = socket.if_nameindex()[0]
    assert parse_address(f"fe80::1%{name}") == (pack("fe80::1"), index)


def test_a_scope_that_is_no_interface_is_refused() -> None:
    with pytest.raises(OSError, match="no interface"):
        parse_address("fe80::1%nowhere")


@pytest.mark.parametrize("address", ["", "example.org", "1.2.3", b"12345", "192.0.2.1/24"])
def test_what_is_no_address_is_refused(address: str | bytes) -> None:
    with pytest.raises(OSError, match="is not an IP address") as failure:
        parse_address(address)
    assert failure.value.errno == errno.EINVAL


def test_a_packed_address_becomes_a_socket_address_of_its_family() -> None:
    ipv4, ipv6 = packed("192.0.2.1", "fe80::1")
    assert (family_of(ipv4), family_of(ipv6)) == (socket.AF_INET, socket.AF_INET6)
    assert socket_address(ipv4, 9899) == ("192.0.2.1", 9899)
    assert socket_address(ipv6, 9899, 3) == ("fe80::1", 9899, 0, 3)


@pytest.mark.parametrize(
    ("scope", "ips"),
    [
        (LOOPBACK, ["127.0.0.1", "127.255.255.255", "::1"]),
        (LINK_LOCAL, ["169.254.0.1", "fe80::1", "febf::1"]),
        (PRIVATE, ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fdff::1"]),
        (GLOBAL, ["8.8.8.8", "192.0.2.1", "172.32.0.1", "100.128.0.1", "126.0.0.1", "2001:db8::1", "::2", "fec0::1"]),
    ],
)
def test_the_scope_of_an_address_is_told_by_its_prefix(scope: int, ips: list[str]) -> None:
    assert {ip: scope_of(pack(ip)) for ip in ips} == dict.fromkeys(ips, scope)


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


# --- which address sends ---


@pytest.mark.parametrize(
    ("candidates", "peer", "expected"),
    [
        (["192.0.2.1", "127.0.0.1"], "127.0.0.5", "127.0.0.1"),
        (["127.0.0.1", "192.0.2.1"], "192.0.2.9", "192.0.2.1"),
        (["127.0.0.1", "169.254.0.1", "10.0.0.1"], "192.0.2.9", "10.0.0.1"),
        (["192.0.2.1", "10.0.0.1"], "10.9.9.9", "10.0.0.1"),
        (["192.168.1.1", "10.0.0.1"], "10.9.9.9", "10.0.0.1"),
        (["192.168.1.1", "192.168.2.1"], "192.168.2.9", "192.168.2.1"),
        (["127.0.0.1", "192.0.2.1"], "10.9.9.9", "192.0.2.1"),
        (["192.0.2.1", "2001:db8::1", "fe80::1"], "fe80::9", "fe80::1"),
        (["192.0.2.1", "2001:db8::1"], "fe80::9", "2001:db8::1"),
        (["127.0.0.1", "::1"], "2001:db8::9", "::1"),
        (["192.0.2.1", "192.0.2.2"], "192.0.2.2", "192.0.2.2"),
        (["192.0.2.4", "192.0.2.5"], "192.0.2.1", "192.0.2.4"),
    ],
)
def test_the_nearest_address_has_the_best_scope_then_the_longest_prefix(
    candidates: list[str], peer: str, expected: str
) -> None:
    assert texts([nearest(packed(*candidates), pack(peer))]) == [expected]


def test_no_address_of_the_peers_family_is_nearest() -> None:
    assert nearest(packed("192.0.2.1"), pack("2001:db8::1")) == b""


# --- the interfaces ---

FOUND = [
    InterfaceAddress("lo", pack("127.0.0.1"), 8, 0),
    InterfaceAddress("lo", pack("::1"), 128, 0),
    InterfaceAddress("eth0", pack("192.0.2.1"), 24, 0),
    InterfaceAddress("eth0", pack("fe80::1"), 64, 2),
    InterfaceAddress("eth1", pack("fe80::1"), 64, 3),
]


def test_a_wildcard_stands_for_all_addresses_of_its_family() -> None:
    assert texts(wildcard_addresses(pack("0.0.0.0"), FOUND)) == ["127.0.0.1", "192.0.2.1"]
    assert texts(wildcard_addresses(pack("::"), FOUND)) == ["::1", "fe80::1"]


def test_an_interface_address_knows_its_scope() -> None:
    assert [address.scope for address in FOUND] == [LOOPBACK, LOOPBACK, GLOBAL, LINK_LOCAL, LINK_LOCAL]


def test_this_host_has_its_loopback_address() -> None:
    found = interface_address(pack("127.0.0.1"))
    assert found in interface_addresses()
    assert found is not None
    assert (found.prefix, found.scope_id, found.scope) == (8, 0, LOOPBACK)


def test_no_interface_has_an_address_of_another_host() -> None:
    assert interface_address(pack("203.0.113.1")) is None


def test_only_link_local_addresses_have_a_scope_id() -> None:
    for address in interface_addresses(refresh=True):
        assert (address.scope_id > 0) == (address.scope == LINK_LOCAL and len(address.ip) == 16)


def test_an_interface_that_came_after_the_first_look_is_found(own_network: Elsewhere) -> None:
    late = pack("fd00::77")
    assert interface_address(late) is None
    found = own_network(1500, lambda: interface_address(late), ["fd00::77"])
    assert found == InterfaceAddress("lo", late, 128, 0)


def test_a_link_local_address_belongs_to_its_interface_or_to_the_only_link(own_network: Elsewhere) -> None:
    own, other, ipv4, wide = packed("fe80::77", "fe80::99", "169.254.0.1", "2001:db8::1")

    def scopes() -> list[int]:
        return [link_scope(ip) - socket.if_nametoindex("lo") for ip in (own, other)]

    assert own_network(1500, scopes, ["fe80::77"]) == [0, 0]
    assert own_network(1500, lambda: link_scope(other)) == 0
    assert (link_scope(ipv4), link_scope(wide)) == (0, 0)


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not socket.has_ipv6, reason=""))]
)
def test_the_source_for_a_loopback_address_is_loopback(ip: str) -> None:
    assert texts([source_for(ip)]) == [ip]


def test_the_source_for_a_link_local_address_is_on_its_link(own_network: Elsewhere) -> None:
    assert texts([own_network(1500, lambda: source_for("fe80::77"), ["fe80::77"])]) == ["fe80::77"]


def test_there_is_no_source_where_no_route_leads(own_network: Elsewhere) -> None:
    def refusal() -> int | None:
        with pytest.raises(OSError, match="unreachable") as failure:
            source_for("192.0.2.1")
        return failure.value.errno

    assert own_network(1500, refusal) == errno.ENETUNREACH


@on_linux
def test_the_mtu_of_an_interface_is_the_systems() -> None:
    loopback = interface_address(pack("127.0.0.1"))
    assert loopback is not None
    mtu = int(Path("/sys/class/net", loopback.interface, "mtu").read_text())
    assert interface_mtu(loopback.interface) == mtu


def test_an_interface_that_does_not_exist_has_the_default_mtu() -> None:
    assert interface_mtu("nowhere0") == DEFAULT_MTU


def test_an_address_may_send_up_to_its_interfaces_mtu(own_network: Elsewhere) -> None:
    loopback = pack("127.0.0.1")
    assert own_network(1300, lambda: address_mtu(loopback)) == 1300
    assert own_network(9000, lambda: address_mtu(loopback)) == 9000
    assert own_network(65536, lambda: address_mtu(loopback)) == 65535
    assert address_mtu(pack("203.0.113.1")) == DEFAULT_MTU
