"""Which addresses of an INIT are taken, and which INITs are refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.init_answer import passed_over, peer_addresses, refusal
from sctpx.wire.codes import CAUSE_INVALID_PARAMETER, CAUSE_UNRESOLVABLE_ADDRESS
from sctpx.wire.setup import Setup

SOURCE = ip_address("192.0.2.1").packed


def packed(*addresses: str) -> list[bytes]:
    return [ip_address(address).packed for address in addresses]


def test_the_source_comes_first_and_each_address_counts_once() -> None:
    listed = packed("198.51.100.1", "192.0.2.1", "2001:db8::1", "198.51.100.1")
    assert peer_addresses(SOURCE, listed, [], 64) == [SOURCE, *packed("198.51.100.1", "2001:db8::1")]


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "255.255.255.255", "224.0.0.1", "239.1.2.3", "::", "ff02::1", "::ffff:192.0.2.7", "127.0.0.1", "::1"],
)
def test_what_cannot_be_an_address_of_the_peer_is_passed_over(address: str) -> None:
    assert peer_addresses(SOURCE, packed(address), [], 64) == [SOURCE]


def test_a_peer_on_this_host_may_list_loopback_addresses() -> None:
    [source, other] = packed("127.0.0.1", "127.0.0.2")
    assert peer_addresses(source, [other], [], 64) == [source, other]


@given(st.lists(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), max_size=200))
def test_addresses_are_different_and_bounded(listed: list[bytes]) -> None:
    found = peer_addresses(SOURCE, listed, [], 64)
    assert found[0] == SOURCE
    assert len(found) == len(set(found)) <= 64
    assert set(found) <= {SOURCE, *listed}


def test_more_addresses_than_the_limit_are_passed_over() -> None:
    listed = [bytes((10, 0, number >> 8, number & 255)) for number in range(1, 300)]
    assert peer_addresses(SOURCE, listed, [], 64) == [SOURCE, *listed[:63]]
    assert passed_over(listed, [SOURCE, *listed[:63]], 64) == 236
    assert passed_over(listed, [SOURCE, *listed[:62]], 64) == 0


def test_an_init_without_a_window_or_streams_is_refused_and_so_is_a_host_name() -> None:
    assert refusal(Setup(1, 1500, 1, 1, 0)) is None
    for broken in (Setup(1, 1499, 1, 1, 0), Setup(1, 1500, 0, 1, 0), Setup(1, 1500, 1, 0, 0)):
        cause = refusal(broken)
        assert cause is not None
        assert cause[0] == CAUSE_INVALID_PARAMETER
    named = Setup(1, 1500, 1, 1, 0)
    named.host_name = b"example.net\0"
    cause = refusal(named)
    assert cause is not None
    assert cause[0] == CAUSE_UNRESOLVABLE_ADDRESS
    assert b"example.net" in cause[1]
