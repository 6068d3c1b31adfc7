"""Which addresses of an INIT are taken, and which INITs are refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.config import AssociationConfig
from sctpx.core.init_answer import init_ack, make_cookie, passed_over, peer_addresses, refusal, told
from sctpx.core.state_cookie import MAX_EXTENSION_MS, CookieJar
from sctpx.core.timers import SECOND
from sctpx.testing import seeded_bytes
from sctpx.wire.codes import CAUSE_INVALID_PARAMETER, CAUSE_UNRESOLVABLE_ADDRESS, PARAM_UNRECOGNIZED
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import item

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


@pytest.mark.parametrize(("length", "cause"), [(255, CAUSE_UNRESOLVABLE_ADDRESS), (256, CAUSE_INVALID_PARAMETER)])
def test_a_host_name_of_255_bytes_is_quoted_and_a_longer_one_is_not(length: int, cause: int) -> None:
    """RFC 9260 section 5.1.2 B; RFC 1035 section 2.3.4 has no longer ones."""
    named = Setup(1, 1500, 1, 1, 0)
    named.host_name = b"x" * length + b"\0"
    found = refusal(named)
    assert found is not None
    assert found[0] == cause


def test_an_init_ack_says_what_the_sctp_port_is_configured_to_say() -> None:
    config = AssociationConfig(streams=7, max_inbound_streams=9, receive_buffer=50_000, adaptation_layer=5)
    setup = Setup(11, 1 << 16, 6, 20, 1)
    cookie = make_cookie(setup, config, 0, SOURCE, SOURCE, 0, [], 64)
    cookie.local_tag, cookie.local_initial_tsn = 3, 4
    jar = CookieJar(seeded_bytes(1), 0)
    told = parse(init_ack(setup, cookie, jar, config, 0, [])[4:], ack=True)
    assert (told.initiate_tag, told.a_rwnd, told.initial_tsn, told.adaptation) == (3, 50_000, 4, 5)
    assert (told.outbound_streams, told.inbound_streams) == (7, 9)
    assert told.cookie is not None
    assert jar.open(told.cookie, cookie.header, 0) is not None


IPV4, OTHER_IPV4 = packed("198.51.100.1", "198.51.100.2")
[IPV6] = packed("2001:db8::7")


@pytest.mark.parametrize(
    ("families", "expected"), [([], [OTHER_IPV4, IPV6]), ([4], [OTHER_IPV4]), ([16], [OTHER_IPV4, IPV6])]
)
def test_a_stranger_is_told_other_addresses_of_the_families_that_it_speaks(
    families: list[int], expected: list[bytes]
) -> None:
    """RFC 9260 sections 3.3.2.1.5 and 12.4: the family that the INIT came by is spoken in any case."""
    setup = Setup(1, 1500, 1, 1, 0)
    setup.families = families
    assert told(setup, IPV4, SOURCE, [IPV4, OTHER_IPV4, IPV6]) == expected


def test_what_none_of_our_addresses_reaches_is_passed_over() -> None:
    assert peer_addresses(SOURCE, [OTHER_IPV4, IPV6], [IPV4], 64) == [SOURCE, OTHER_IPV4]
    assert peer_addresses(SOURCE, [OTHER_IPV4, IPV6], [IPV4, packed("2001:db8::1")[0]], 64)[1:] == [OTHER_IPV4, IPV6]


@pytest.mark.parametrize(("asked", "seconds"), [(0, 60), (5000, 65), (1 << 31, 60 + MAX_EXTENSION_MS / 1000)])
def test_a_cookie_lives_as_much_longer_as_the_peer_asks_for_within_bounds(asked: int, seconds: float) -> None:
    """RFC 9260 section 3.3.2.1.3, Cookie Preservative."""
    setup = Setup(11, 1 << 16, 6, 20, 1)
    setup.cookie_preservative, setup.adaptation = asked, 77
    cookie = make_cookie(setup, AssociationConfig(), 5, SOURCE, SOURCE, 0, [], 64)
    assert (cookie.created, cookie.lifespan, cookie.adaptation) == (5, seconds * SECOND, 77)


def test_parameters_that_nobody_knows_are_reported() -> None:
    """RFC 9260 section 3.2.1."""
    setup = parse(Setup(11, 1 << 16, 6, 20, 1).encode()[4:] + item(0xC123, b"what"))
    config = AssociationConfig()
    cookie = make_cookie(setup, config, 0, SOURCE, SOURCE, 0, [], 64)
    ack = init_ack(setup, cookie, CookieJar(seeded_bytes(1), 0), config, 0, [])
    assert item(PARAM_UNRECOGNIZED, item(0xC123, b"what")) in ack
