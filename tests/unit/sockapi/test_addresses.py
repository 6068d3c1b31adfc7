"""Addresses: text, ``Address``, packed structures, and the checks of ``sctp_connectx``."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.sockapi.addresses import (
    Address,
    SocketAddress,
    canonical,
    check_families,
    check_peers,
    check_port,
    find_alike,
    ip_text,
    is_wildcard,
    pack_host,
    pack_ip,
    pack_sockaddrs,
    parse_ip,
    socket_address,
    unpack_sockaddrs,
)

NO_INTERFACE = 0x7FFFFFF0
"""A number that no interface has."""


def raises(code: int) -> pytest.RaisesExc[OSError]:
    return pytest.raises(OSError, match=r".", check=lambda error: error.errno == code)


def packed(text: str) -> bytes:
    return ip_address(text).packed


# --- text and packed bytes ---


@pytest.mark.parametrize("text", ["0.0.0.0", "127.0.0.1", "192.0.2.10", "::", "::1", "2001:db8::10"])
def test_text_and_packed_bytes_are_the_same_address(text: str) -> None:
    assert parse_ip(text) == pack_ip(text) == packed(text)
    assert ip_text(packed(text)) == text


def test_an_ipv4_mapped_address_is_the_ipv4_address() -> None:
    assert parse_ip("::ffff:192.0.2.1") == packed("192.0.2.1")
    assert canonical(packed("::ffff:192.0.2.1")) == packed("192.0.2.1")
    assert canonical(packed("2001:db8::1")) == packed("2001:db8::1")


@pytest.mark.parametrize("name", ["localhost", "example.com", "192.0.2", "192.0.2.256", "", "1", "[::1]"])
def test_what_is_no_address_may_be_a_name(name: str) -> None:
    assert parse_ip(name) is None
    with raises(errno.EINVAL):
        pack_ip(name)


def test_the_zone_of_a_link_local_address_stands_behind_it() -> None:
    index, name = socket.if_nameindex()[0]
    on_link = packed("fe80::1") + index.to_bytes(4, "big")
    assert parse_ip(f"fe80::1%{name}") == parse_ip(f"fe80::1%{index}") == on_link
    assert ip_text(on_link) == f"fe80::1%{name}"
    assert ip_text(parse_ip(f"fe80::1%{NO_INTERFACE}") or b"") == f"fe80::1%{NO_INTERFACE}"


@pytest.mark.parametrize("text", ["2001:db8::1%lo", "fd00::1%7", "::1%nowhere", "fe80::1%0"])
def test_other_addresses_have_no_zone(text: str) -> None:
    assert parse_ip(text) == packed(text.partition("%")[0])


@pytest.mark.parametrize("zone", ["nowhere", "4294967296", "99999999999999999999"])
def test_a_zone_that_is_no_interface_is_refused(zone: str) -> None:
    for call in (parse_ip, pack_ip):
        with pytest.raises(OSError, match=f"no interface {zone}") as caught:
            call(f"fe80::1%{zone}")
        assert caught.value.errno == errno.ENODEV


def test_a_scope_id_beside_an_address_is_its_zone() -> None:
    assert pack_host(("fe80::1", 5, 0, 7)) == pack_host(("fe80::1%7", 5)) == pack_host(("fe80::1%7", 5, 0, 7))
    assert pack_host(("2001:db8::1", 5, 0, 7)) == packed("2001:db8::1")
    assert pack_host(("192.0.2.1", 5)) == packed("192.0.2.1")
    for contradiction in (("fe80::1%7", 5, 0, 8), ("fe80::1", 5, 0, -1), ("fe80::1", 5, 0, 1 << 31)):
        with raises(errno.EINVAL):
            pack_host(contradiction)


def test_an_address_of_the_socket_module_has_the_zone_as_its_scope_id() -> None:
    assert socket_address(pack_ip("fe80::1%7"), 5) == ("fe80::1", 5, 0, 7)
    assert socket_address(pack_ip("2001:db8::1"), 5) == ("2001:db8::1", 5, 0, 0)


def test_a_link_local_address_without_zone_means_the_only_one_like_it() -> None:
    on_7, on_8, bare, other = map(pack_ip, ("fe80::1%7", "fe80::1%8", "fe80::1", "fe80::2%7"))
    assert find_alike(bare, [other, on_7]) == on_7
    assert find_alike(bare, [on_7, on_8]) == bare
    assert find_alike(bare, [other]) == bare
    assert find_alike(on_8, [on_7]) == on_8


def test_no_address_is_no_text() -> None:
    assert ip_text(b"") == ""


def test_the_wildcards_are_those_of_both_families() -> None:
    assert is_wildcard(packed("0.0.0.0"))
    assert is_wildcard(packed("::"))
    assert not is_wildcard(packed("::1"))


# --- Address ---


def test_an_address_has_options_that_can_be_left_out() -> None:
    assert Address("192.0.2.1") == Address("192.0.2.1", udp_port=None, source=None)
    assert Address("host", 0, "192.0.2.2").source == "192.0.2.2"


@pytest.mark.parametrize("options", [{"udp_port": -1}, {"udp_port": 65536}, {"host": ""}])
def test_an_address_that_cannot_be_is_refused(options: dict[str, int]) -> None:
    with raises(errno.EINVAL):
        Address(**{"host": "192.0.2.1", **options})  # type: ignore[arg-type]


def test_a_port_is_in_its_range() -> None:
    assert [check_port(port, "port") for port in (1, 9899, 65535)] == [1, 9899, 65535]
    assert check_port(0, "port", lowest=0) == 0
    for port in (0, -1, 65536):
        with raises(errno.EINVAL):
            check_port(port, "port")


# --- the checks of sctp_connectx ---


def test_the_addresses_of_a_peer_have_one_port() -> None:
    listed = ["198.51.100.1", "2001:db8::1", "198.51.100.1", "::ffff:198.51.100.1", "192.0.2.1"]
    assert check_peers([(packed(text), 36412) for text in listed]) == 36412


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "239.1.2.3", "ff02::1", "255.255.255.255", "::ffff:224.0.0.1"],
)
def test_wildcard_multicast_and_broadcast_addresses_are_refused_wherever_they_stand(text: str) -> None:
    good = (packed("192.0.2.1"), 5000)
    for addresses in ([(packed(text), 5000)], [good, (packed(text), 5000)]):
        with raises(errno.EINVAL):
            check_peers(addresses)


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        [(b"", 5000)],
        [(b"12345", 5000)],
        [(packed("192.0.2.1"), 0)],
        [(packed("192.0.2.1"), 65536)],
        [(packed("192.0.2.1"), 5000), (packed("192.0.2.2"), 5001)],
        [(packed("192.0.2.1"), 5000), (packed("192.0.2.2"), 0)],
    ],
)
def test_no_addresses_bad_families_port_0_and_differing_ports_are_refused(addresses: list[tuple[bytes, int]]) -> None:
    with raises(errno.EINVAL):
        check_peers(addresses)


def test_a_family_has_to_be_on_both_sides() -> None:
    four, six = packed("192.0.2.1"), packed("2001:db8::1")
    check_families([four, six], [four])
    check_families([six], [four, six])
    for peers, local in (([six], [four]), ([four], [six])):
        with raises(errno.EAFNOSUPPORT):
            check_families(peers, local)


# --- packed sockaddr structures ---

sockets = st.one_of(
    st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 65535)),
    st.tuples(
        st.ip_addresses(v=6).map(str).filter(lambda text: not text.startswith("::ffff:")),
        st.integers(0, 65535),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
    ),
)


@given(st.lists(sockets, max_size=8))
def test_packed_structures_hold_what_was_put_in(addresses: list[SocketAddress]) -> None:
    assert unpack_sockaddrs(pack_sockaddrs(addresses)) == addresses


@given(st.lists(sockets, min_size=1, max_size=8), st.data())
def test_a_count_takes_so_many_and_no_more_than_there_are(addresses: list[SocketAddress], data: st.DataObject) -> None:
    structures = pack_sockaddrs(addresses)
    count = data.draw(st.integers(1, len(addresses)))
    assert unpack_sockaddrs(structures, count) == addresses[:count]
    with raises(errno.E2BIG):
        unpack_sockaddrs(structures, len(addresses) + 1)


@given(st.binary(max_size=100), st.none() | st.integers(-1, 5))
def test_any_bytes_are_addresses_or_an_error(structures: bytes, count: int | None) -> None:
    try:
        found = unpack_sockaddrs(structures, count)
    except OSError as error:
        assert error.errno in (errno.EINVAL, errno.E2BIG)  # noqa: PT017 - or none at all
    else:
        assert len(found) <= len(structures) // 16


def test_the_layout_is_linux_s() -> None:
    structures = pack_sockaddrs([("192.0.2.1", 36412), ("2001:db8::1", 36412, 7, 3)])
    four = struct.pack("=H", 2) + (36412).to_bytes(2, "big") + packed("192.0.2.1") + bytes(8)
    six = struct.pack("=H", 10) + (36412).to_bytes(2, "big") + (7).to_bytes(4, "big") + packed("2001:db8::1")
    assert structures == four + six + struct.pack("=I", 3)


@pytest.mark.skipif(sys.platform != "linux", reason="the layout is Linux's")
def test_the_families_have_linux_s_numbers() -> None:
    families = [struct.unpack_from("=H", pack_sockaddrs([address]))[0] for address in (("127.0.0.1", 1), ("::1", 1))]
    assert families == [socket.AF_INET, socket.AF_INET6]


def test_a_cut_off_address_is_an_error() -> None:
    structures = pack_sockaddrs([("192.0.2.1", 5000), ("2001:db8::1", 5000)])
    with raises(errno.EINVAL):
        unpack_sockaddrs(structures[:-1])
    with raises(errno.E2BIG):
        unpack_sockaddrs(structures[:-1], 2)
    assert unpack_sockaddrs(structures[:-1], 1) == [("192.0.2.1", 5000)]


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_below_1_is_an_error(count: int) -> None:
    with raises(errno.EINVAL):
        unpack_sockaddrs(pack_sockaddrs([("192.0.2.1", 5000)]), count)


def test_an_unknown_family_is_an_error() -> None:
    with raises(errno.EINVAL):
        unpack_sockaddrs(struct.pack("=H", 1) + bytes(26))


def test_a_mapped_address_in_a_structure_is_the_ipv4_address() -> None:
    structure = struct.pack("=H2s4s16sI", 10, b"\x13\x88", bytes(4), packed("::ffff:192.0.2.1"), 0)
    assert unpack_sockaddrs(structure) == [("192.0.2.1", 5000)]


def test_names_and_ports_that_are_none_cannot_be_packed() -> None:
    for address in (("localhost", 5000), ("192.0.2.1", 65536), ("192.0.2.1", -1)):
        with raises(errno.EINVAL):
            pack_sockaddrs([address])
