"""A peer's addresses before anything is sent: which can be used, and what is reported of the others."""

from __future__ import annotations

import errno
import socket

import pytest

from sctpx.errors import ConnectError
from sctpx.sockapi.addresses import Address, ip_text, pack_ip
from sctpx.sockapi.peer import Peer
from tests.api.support import raises_errno

UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def ips(*texts: str) -> list[bytes]:
    return [pack_ip(text) for text in texts]


def peer_of(*hosts: str, port: int = 5) -> Peer:
    return Peer([(Address(host), port, ips(host)) for host in hosts], 9899)


def test_a_name_stands_for_its_addresses_and_each_address_is_there_once() -> None:
    resolved = [
        (Address("192.0.2.1"), 5, ips("192.0.2.1")),
        (Address("name"), 5, ips("192.0.2.2", "192.0.2.1", "2001:db8::1")),
        (Address("192.0.2.2", udp_port=9899), 5, ips("192.0.2.2")),
        (Address("::ffff:192.0.2.1"), 5, [bytes(10) + b"\xff\xff" + pack_ip("192.0.2.1")]),
    ]
    peer = Peer(resolved, 9899)
    assert [address.ip for address in peer.addresses] == ips("192.0.2.1", "192.0.2.2", "2001:db8::1")
    assert [address.udp_port for address in peer.addresses] == [9899, 9899, 9899]
    assert (peer.port, peer.unusable) == (5, [])


def test_one_address_with_two_udp_ports_is_there_twice() -> None:
    resolved = [
        (Address("192.0.2.1"), 5, ips("192.0.2.1")),
        (Address("name", udp_port=7), 5, ips("192.0.2.2", "192.0.2.1")),
        (Address("192.0.2.1", udp_port=0), 5, ips("192.0.2.1")),
    ]
    peer = Peer(resolved, 9899)
    assert [(address.ip, address.udp_port) for address in peer.addresses] == [
        (pack_ip("192.0.2.1"), 9899),
        (pack_ip("192.0.2.2"), 7),
        (pack_ip("192.0.2.1"), 7),
        (pack_ip("192.0.2.1"), 0),
    ]


def test_a_name_without_addresses_is_reported_unless_nothing_else_is_there() -> None:
    peer = Peer([(Address("nowhere"), 5, UNKNOWN), (Address("192.0.2.1"), 5, ips("192.0.2.1"))], 0)
    assert [(entry.address, entry.answer) for entry in peer.unusable] == [("nowhere", "name not resolved")]
    with pytest.raises(socket.gaierror):
        Peer([(Address("nowhere"), 5, UNKNOWN), (Address("neither"), 5, UNKNOWN)], 0)


def test_a_peer_has_at_least_one_address_and_one_port() -> None:
    for resolved in ([], [(Address("192.0.2.1"), 5, ips("192.0.2.1")), (Address("192.0.2.2"), 6, ips("192.0.2.2"))]):
        with raises_errno(errno.EINVAL):
            Peer(resolved, 0)


def test_each_address_gets_a_source_and_one_that_has_none_is_reported() -> None:
    peer = peer_of("192.0.2.1", "192.0.2.2", "fe80::1%7", "192.0.2.3")
    asked: list[bytes] = []

    def source_for(ip: bytes) -> bytes:
        asked.append(ip)
        if ip == pack_ip("192.0.2.2"):
            raise OSError(errno.ENETUNREACH, "no way")
        return pack_ip("192.0.2.9" if len(ip) == 4 else "fe80::9%7")

    assert peer.find_sources(source_for) == ips("192.0.2.9", "fe80::9%7")
    assert asked == ips("192.0.2.1", "192.0.2.2", "fe80::1%7", "192.0.2.3")
    assert [address.ip for address in peer.addresses] == ips("192.0.2.1", "fe80::1%7", "192.0.2.3")
    assert [(entry.address, entry.error) for entry in peer.unusable] == [("192.0.2.2", errno.ENETUNREACH)]


def test_without_any_way_the_errno_is_that_of_the_first() -> None:
    errors = {"192.0.2.1": errno.EHOSTUNREACH, "192.0.2.2": errno.ENETUNREACH}

    def source_for(ip: bytes) -> bytes:
        raise OSError(errors[ip_text(ip)], "no way")

    with pytest.raises(ConnectError) as caught:
        peer_of(*errors).find_sources(source_for)
    assert caught.value.errno == errno.EHOSTUNREACH
    assert [entry.error for entry in caught.value.report] == list(errors.values())


def test_addresses_of_another_family_than_ours_are_reported_and_the_others_used() -> None:
    peer = peer_of("2001:db8::1", "192.0.2.1")
    peer.keep_reachable(ips("192.0.2.9"))
    assert [address.ip for address in peer.addresses] == ips("192.0.2.1")
    assert [(entry.address, entry.error) for entry in peer.unusable] == [("2001:db8::1", errno.EAFNOSUPPORT)]
    with raises_errno(errno.EAFNOSUPPORT):
        peer.keep_reachable(ips("2001:db8::9"))


def test_a_source_has_to_be_ours() -> None:
    peer = Peer([(Address("192.0.2.1", source="192.0.2.8"), 5, ips("192.0.2.1"))], 0)
    peer.keep_reachable(ips("192.0.2.8", "192.0.2.9"))
    with raises_errno(errno.EADDRNOTAVAIL):
        peer.keep_reachable(ips("192.0.2.9"))


def test_the_same_address_on_two_links_is_two_addresses() -> None:
    peer = peer_of("fe80::1%7", "fe80::1%8", "fe80::1%7")
    assert [address.ip for address in peer.addresses] == ips("fe80::1%7", "fe80::1%8")


@pytest.mark.parametrize(
    ("peers", "own", "expected"),
    [
        (["fe80::1"], ["fe80::9%7"], ["fe80::1%7"]),
        (["fe80::1", "192.0.2.1"], ["192.0.2.9", "fe80::9%7"], ["fe80::1%7", "192.0.2.1"]),
        (["fe80::1%8", "fe80::1%7"], ["fe80::9%7"], ["fe80::1%7"]),
        (["fe80::1%8"], ["fe80::9%7", "2001:db8::9"], ["fe80::1%8"]),
        (["2001:db8::1"], ["fe80::9%7"], ["2001:db8::1"]),
    ],
)
def test_a_link_local_address_without_zone_is_on_the_link_of_our_address(
    peers: list[str], own: list[str], expected: list[str]
) -> None:
    peer = peer_of(*peers)
    peer.keep_reachable(ips(*own))
    assert [address.ip for address in peer.addresses] == ips(*expected)


@pytest.mark.parametrize(
    ("host", "code"),
    [("fe80::1%8", errno.ENETUNREACH), ("fe80::1", errno.EINVAL)],
)
def test_an_address_on_a_link_where_we_are_not_cannot_be_used(host: str, code: int) -> None:
    peer = peer_of(host)
    with pytest.raises(ConnectError) as caught:
        peer.keep_reachable(ips("fe80::9%6", "fe80::9%7"))
    assert caught.value.errno == code
    assert [(entry.address, entry.error) for entry in caught.value.report] == [(ip_text(pack_ip(host)), code)]


def test_a_link_local_address_without_zone_is_on_the_link_of_its_source() -> None:
    peer = peer_of("fe80::1")
    peer.find_sources(lambda _: pack_ip("fe80::9%7"))
    assert [(address.ip, address.source) for address in peer.addresses] == [
        (pack_ip("fe80::1%7"), pack_ip("fe80::9%7"))
    ]


@pytest.mark.parametrize("host", ["fe80::1%7", "fe80::1"])
def test_a_source_without_zone_is_on_the_link_of_the_peer(host: str) -> None:
    peer = Peer([(Address(host, source="fe80::8"), 5, ips(host))], 0)
    assert peer.find_sources(lambda _: pack_ip("fe80::9%7")) == ips("fe80::8%7")
    bound = Peer([(Address(host, source="fe80::8"), 5, ips(host))], 0)
    bound.keep_reachable(ips("fe80::8%7"))
    assert [(address.ip, address.source) for address in bound.addresses] == [
        (pack_ip("fe80::1%7"), pack_ip("fe80::8%7"))
    ]


def test_a_link_local_address_without_zone_is_on_the_link_of_the_others_in_the_list() -> None:
    assert [address.ip for address in peer_of("fe80::1", "192.0.2.1", "fe80::2%7").addresses] == ips(
        "fe80::1%7", "192.0.2.1", "fe80::2%7"
    )
    assert next(address.ip for address in peer_of("fe80::1", "fe80::2%7", "fe80::2%8").addresses) == pack_ip("fe80::1")


def ways(peer: Peer) -> list[tuple[str, int, bool]]:
    return [(ip_text(one.ip), one.udp_port, one.alternative) for one in peer.addresses]


def test_each_address_is_asked_natively_first_and_over_udp_behind_that() -> None:
    peer = Peer([(Address("192.0.2.1"), 5000, [pack_ip("192.0.2.1")]), (Address("b"), 5000, [pack_ip("::1")])], 9899)
    peer.race_natively()
    assert ways(peer) == [
        ("192.0.2.1", 0, False),
        ("192.0.2.1", 9899, True),
        ("::1", 0, False),
        ("::1", 9899, True),
    ]


def test_a_udp_port_that_is_named_for_one_address_means_udp_for_all() -> None:
    given = [(Address("a", udp_port=7), 5000, [pack_ip("192.0.2.1")]), (Address("b"), 5000, [pack_ip("192.0.2.2")])]
    peer = Peer(given, 9899)
    peer.race_natively()
    assert ways(peer) == [("192.0.2.1", 7, False), ("192.0.2.2", 9899, False)]


def test_a_peer_that_is_without_udp_is_asked_once() -> None:
    peer = Peer([(Address("a"), 5000, [pack_ip("192.0.2.1")])], 0)
    peer.race_natively()
    assert ways(peer) == [("192.0.2.1", 0, False)]
