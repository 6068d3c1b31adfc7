"""IP addresses as the core has them, and the links of those that a peer lists."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.ip import (
    GLOBAL,
    LINK_LOCAL,
    LOOPBACK,
    PRIVATE,
    can_reach,
    choose_source,
    index_of,
    lacks_zone,
    place,
    same_family,
    scope_of,
    with_zone,
    without_zone,
    zone_of,
)
from sctpx.testing import pack_address

ON_7 = pack_address("fe80::1%7")


def packed(*addresses: str) -> list[bytes]:
    return [ip_address(address).packed for address in addresses]


def test_a_zone_makes_an_address_another_one_of_the_same_family() -> None:
    assert (without_zone(ON_7), zone_of(ON_7)) == (ip_address("fe80::1").packed, bytes((0, 0, 0, 7)))
    [bare, ipv4] = packed("2001:db8::1", "192.0.2.1")
    assert (without_zone(bare), zone_of(bare), without_zone(ipv4), zone_of(ipv4)) == (bare, b"", ipv4, b"")
    assert same_family(ON_7, bare)
    assert not same_family(ON_7, ipv4)
    assert same_family(ipv4, bytes(4))


def test_only_link_local_ipv6_addresses_have_a_zone() -> None:
    [bare] = packed("fe80::1")
    assert with_zone(bare, 7) == with_zone(pack_address("fe80::1%8"), 7) == ON_7
    assert (index_of(ON_7), index_of(bare)) == (7, 0)
    assert [lacks_zone(ip) for ip in (bare, ON_7)] == [True, False]
    for ip in packed("2001:db8::1", "fd00::1", "::1", "169.254.0.1", "192.0.2.1"):
        assert (with_zone(ip, 7), lacks_zone(ip)) == (ip, False)


@pytest.mark.parametrize(
    ("scope", "ips"),
    [
        (LOOPBACK, ["127.0.0.1", "127.255.255.255", "::1"]),
        (LINK_LOCAL, ["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1", "fe80::1%7"]),
        (PRIVATE, ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"]),
        (PRIVATE, ["fc00::1", "fdff::1"]),
        (GLOBAL, ["8.8.8.8", "192.0.2.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "100.128.0.1", "126.0.0.1"]),
        (GLOBAL, ["11.0.0.1", "169.253.0.1", "192.167.0.1", "192.169.0.1", "254.128.0.1"]),
        (GLOBAL, ["2001:db8::1", "::2", "::", "fec0::1", "fe7f::1", "fbff::1"]),
    ],
)
def test_the_scope_of_an_address_is_told_by_its_prefix(scope: int, ips: list[str]) -> None:
    assert {ip: scope_of(pack_address(ip)) for ip in ips} == dict.fromkeys(ips, scope)


# --- which of our addresses to use ---


def test_an_address_reaches_those_of_its_family_and_if_both_are_link_local_of_its_link() -> None:
    [ipv4, ipv6] = packed("192.0.2.1", "2001:db8::1")
    on_8 = pack_address("fe80::1%8")
    assert can_reach(ON_7, pack_address("fe80::2%7"))
    assert not can_reach(ON_7, on_8)
    assert can_reach(ON_7, ipv6)
    assert can_reach(ipv6, on_8)
    assert not can_reach(ipv4, ipv6)


@pytest.mark.parametrize(
    ("candidates", "peer", "expected"),
    [
        (["192.0.2.1", "127.0.0.1"], "127.0.0.5", "127.0.0.1"),
        (["127.0.0.1", "192.0.2.1"], "192.0.2.9", "192.0.2.1"),
        (["127.0.0.1", "169.254.0.1", "10.0.0.1"], "192.0.2.9", "10.0.0.1"),
        (["192.0.2.1", "10.0.0.1"], "10.9.9.9", "10.0.0.1"),
        (["192.168.1.1", "10.0.0.1"], "10.9.9.9", "10.0.0.1"),
        (["192.168.1.1", "192.168.2.1"], "192.168.2.9", "192.168.2.1"),
        (["10.0.1.1", "10.0.2.1", "2001:db8:1::1"], "10.0.2.9", "10.0.2.1"),
        (["127.0.0.1", "192.0.2.1"], "10.9.9.9", "192.0.2.1"),
        (["192.0.2.1", "2001:db8::1", "fe80::1%7"], "fe80::9%7", "fe80::1%7"),
        (["192.0.2.1", "2001:db8::1"], "fe80::9%7", "2001:db8::1"),
        (["fe80::9%1", "fe80::1%2", "2001:db8::1"], "fe80::9%2", "fe80::1%2"),
        (["fe80::9%1", "fe80::1%2", "2001:db8::1"], "fe80::9%3", "2001:db8::1"),
        (["fe80::1%1", "2001:db8::1"], "fd00::1", "2001:db8::1"),
        (["fe80::1%1"], "fd00::1", "fe80::1%1"),
        (["127.0.0.1", "::1"], "2001:db8::9", "::1"),
        (["192.0.2.1", "192.0.2.2"], "192.0.2.2", "192.0.2.2"),
        (["192.0.2.4", "192.0.2.5"], "192.0.2.1", "192.0.2.4"),
    ],
)
def test_the_source_has_the_best_scope_then_the_longest_prefix(candidates: list[str], peer: str, expected: str) -> None:
    assert choose_source(list(map(pack_address, candidates)), pack_address(peer), []) == pack_address(expected)


def test_there_is_none_of_another_family_or_link() -> None:
    assert choose_source(packed("10.0.1.1"), bytes(16), []) == b""
    assert choose_source([], bytes(4), []) == b""
    assert choose_source([ON_7], pack_address("fe80::2%8"), []) == b""


def test_among_equals_the_one_that_other_paths_need_least_is_chosen_and_then_the_first() -> None:
    own = packed("10.0.1.1", "10.0.1.2")
    [remote] = packed("192.0.2.1")
    assert choose_source(own, remote, []) == own[0]
    assert choose_source(own, remote, own[:1]) == own[1]
    assert choose_source(own, remote, own) == own[0]


@given(
    st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=5),
    st.binary(min_size=4, max_size=4),
    st.data(),
)
def test_no_other_address_of_the_same_scope_has_a_longer_common_prefix(
    own: list[bytes], remote: bytes, data: st.DataObject
) -> None:
    def common(address: bytes) -> int:
        bits = [f"{int.from_bytes(one, 'big'):032b}" for one in (address, remote)]
        return next((index for index in range(32) if bits[0][index] != bits[1][index]), 32)

    used = data.draw(st.lists(st.sampled_from(own)))
    chosen = choose_source(own, remote, used)
    rivals = [address for address in own if scope_of(address) == scope_of(chosen)]
    longest = max(map(common, rivals))
    assert common(chosen) == longest
    assert used.count(chosen) == min(used.count(address) for address in rivals if common(address) == longest)


# --- what a peer lists ---


def test_a_listed_link_local_address_is_placed_on_the_link_it_came_by() -> None:
    listed = packed("192.0.2.1", "fe80::1", "2001:db8::1")
    assert place(listed, [], zone_of(ON_7)) == [listed[0], ON_7, listed[2]]
    assert place(listed, [], b"") == [listed[0], listed[2]]


def test_a_listed_link_local_address_is_where_it_is_known_to_be() -> None:
    on_8, other = pack_address("fe80::1%8"), pack_address("fe80::2%8")
    assert place(packed("fe80::1"), [other, on_8], zone_of(ON_7)) == [on_8]
    assert place(packed("fe80::1"), [ON_7, on_8], b"") == [ON_7, on_8]
    assert place(packed("fe80::1", "fe80::2"), [ON_7], b"") == [ON_7]
