"""What this host has: interfaces, links, MTUs, and the source addresses its routes choose."""

from __future__ import annotations

import errno
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from sctpx.core.ip import GLOBAL, LINK_LOCAL, LOOPBACK, with_zone, without_zone, zone_of
from sctpx.link.interfaces import (
    DEFAULT_MTU,
    InterfaceAddress,
    address_mtu,
    check_zone,
    interface_address,
    interface_addresses,
    interface_mtu,
    source_for,
    wildcard_addresses,
    zone_of_local,
    zoned,
)
from tests.unit.link.conftest import Elsewhere

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks as Linux is asked")


def pack(ip: str) -> bytes:
    return ip_address(ip).packed


def packed(*ips: str) -> list[bytes]:
    return [pack(ip) for ip in ips]


def texts(ips: list[bytes]) -> list[str]:
    return [str(ip_address(without_zone(ip))) for ip in ips]


# --- the interfaces ---

FOUND = [
    InterfaceAddress("lo", pack("127.0.0.1"), 8, 1),
    InterfaceAddress("lo", pack("::1"), 128, 1),
    InterfaceAddress("eth0", pack("192.0.2.1"), 24, 2),
    InterfaceAddress("eth0", with_zone(pack("fe80::1"), 2), 64, 2),
    InterfaceAddress("eth1", with_zone(pack("fe80::1"), 3), 64, 3),
]


def test_a_wildcard_stands_for_all_addresses_of_its_family() -> None:
    assert texts(wildcard_addresses(pack("0.0.0.0"), FOUND)) == ["127.0.0.1", "192.0.2.1"]
    assert texts(wildcard_addresses(pack("::"), FOUND)) == ["::1", "fe80::1", "fe80::1"]


def test_an_interface_address_knows_its_scope_and_its_link() -> None:
    assert [address.scope for address in FOUND] == [LOOPBACK, LOOPBACK, GLOBAL, LINK_LOCAL, LINK_LOCAL]
    assert [int.from_bytes(address.zone, "big") for address in FOUND] == [0, 0, 2, 2, 3]


def test_this_host_has_its_loopback_address() -> None:
    found = interface_address(pack("127.0.0.1"))
    assert found in interface_addresses()
    assert found is not None
    assert (found.prefix, found.zone, found.scope) == (8, b"", LOOPBACK)


def test_no_interface_has_an_address_of_another_host() -> None:
    assert interface_address(pack("203.0.113.1")) is None


def test_only_link_local_addresses_have_a_zone() -> None:
    for address in interface_addresses(refresh=True):
        assert bool(zone_of(address.ip)) == (address.scope == LINK_LOCAL and len(address.ip) > 4)


def test_an_interface_that_came_after_the_first_look_is_found(own_network: Elsewhere) -> None:
    late = pack("fd00::77")
    assert interface_address(late) is None
    found = own_network(1500, lambda: interface_address(late), ["fd00::77"])
    assert found is not None
    assert (found.interface, found.ip, found.prefix) == ("lo", late, 128)


def test_a_link_local_address_belongs_to_its_interface_or_to_the_only_link(own_network: Elsewhere) -> None:
    own, other, ipv4, wide = packed("fe80::77", "fe80::99", "169.254.0.1", "2001:db8::1")

    def links() -> list[int]:
        return [int.from_bytes(zone_of(zoned(ip)), "big") - socket.if_nametoindex("lo") for ip in (own, other)]

    assert own_network(1500, links, ["fe80::77"]) == [0, 0]
    assert own_network(1500, lambda: zoned(other)) == other
    assert (zoned(ipv4), zoned(wide)) == (ipv4, wide)


def test_an_address_that_has_a_zone_keeps_it(own_network: Elsewhere) -> None:
    elsewhere = with_zone(pack("fe80::77"), 4711)
    assert own_network(1500, lambda: check_zone(elsewhere), ["fe80::77"]) == elsewhere


def test_a_link_local_address_that_could_be_anywhere_is_refused(own_network: Elsewhere) -> None:
    def refusal() -> OSError:
        with pytest.raises(OSError, match="fe80::99 is a link-local address") as failure:
            check_zone(pack("fe80::99"))
        return failure.value

    error = own_network(1500, refusal)
    assert error.errno == errno.EINVAL
    assert "this host has no link" in str(error)


def test_loopback_is_no_link() -> None:
    assert [zone_of_local(ip) for ip in packed("127.0.0.1", "127.0.0.2", "203.0.113.1")] == [b"", b"", b""]


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
    assert own_network(9000, lambda: address_mtu(pack("127.1.2.3"))) == 9000
    assert address_mtu(pack("203.0.113.1")) == DEFAULT_MTU
