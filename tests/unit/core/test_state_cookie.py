"""State Cookies: what goes in comes out, and only out of the jar it was signed in, while it lives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sctpx.core.ip import ZONE_LENGTH
from sctpx.core.state_cookie import SECRET_LIFE, Cookie, CookieJar
from sctpx.core.timers import MICROSECOND, MILLISECOND, SECOND
from sctpx.testing import seeded_bytes
from sctpx.wire.packet import parse_prefix, prefix

NOW = 10**18
HEADER = prefix(6000, 5000, 0x12345678)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
ADDRESS = st.one_of([st.binary(min_size=size, max_size=size) for size in (4, 16, 16 + ZONE_LENGTH)])
FIELDS = {
    "created": st.integers(0, 2 * SECRET_LIFE // MICROSECOND).map(lambda age: NOW - age * MICROSECOND),
    "lifespan": st.integers(0, 3_660_000).map(lambda life: life * MILLISECOND),
    "local_tag": U32,
    "peer_tag": U32,
    "local_initial_tsn": U32,
    "peer_initial_tsn": U32,
    "peer_a_rwnd": U32,
    "peer_outbound_streams": U16,
    "peer_inbound_streams": U16,
    "local_port": U16,
    "peer_port": U16,
    "local_tie_tag": U32,
    "peer_tie_tag": U32,
    "udp_port": U16,
    "local": ADDRESS,
    "source": ADDRESS,
    "addresses": st.lists(ADDRESS, max_size=254),
    "capabilities": U16,
}


@st.composite
def cookies(draw: st.DrawFn) -> Cookie:
    cookie = Cookie()
    for name, strategy in FIELDS.items():
        setattr(cookie, name, draw(strategy))
    cookie.addresses.insert(0, cookie.source)
    return cookie


def plain(peer_tag: int = 0) -> Cookie:
    """A cookie for the ports and the tag of ``HEADER``."""
    cookie = Cookie()
    cookie.peer_port, cookie.local_port, cookie.local_tag = parse_prefix(HEADER)
    cookie.local = cookie.source = bytes([192, 0, 2, 1])
    cookie.addresses = [cookie.source]
    cookie.created = NOW
    cookie.peer_tag = peer_tag
    return cookie


def contents(cookie: Cookie | None) -> dict[str, object] | None:
    return None if cookie is None else {name: getattr(cookie, name) for name in FIELDS}


@given(cookies())
def test_a_cookie_comes_back_as_it_was(cookie: Cookie) -> None:
    jar = CookieJar(seeded_bytes(1), NOW)
    assert contents(jar.open(jar.sign(cookie, NOW), cookie.header, NOW)) == contents(cookie)


@given(cookie=cookies(), data=st.data())
def test_a_cookie_with_any_bit_changed_is_nobodys(cookie: Cookie, data: st.DataObject) -> None:
    jar = CookieJar(seeded_bytes(1), NOW)
    value = bytearray(jar.sign(cookie, NOW))
    index = data.draw(st.integers(0, len(value) - 1))
    value[index] ^= 1 << data.draw(st.integers(0, 7))
    assert jar.open(bytes(value), cookie.header, NOW) is None


@given(cookie=cookies(), bit=st.integers(0, 63))
def test_a_cookie_is_for_its_ports_and_its_tag_alone(cookie: Cookie, bit: int) -> None:
    jar = CookieJar(seeded_bytes(1), NOW)
    header = (int.from_bytes(cookie.header, "big") ^ 1 << bit).to_bytes(8, "big")
    assert jar.open(jar.sign(cookie, NOW), header, NOW) is None


@given(cookie=cookies(), data=st.data())
def test_a_cookie_cut_short_or_prolonged_is_nobodys(cookie: Cookie, data: st.DataObject) -> None:
    jar = CookieJar(seeded_bytes(1), NOW)
    value = jar.sign(cookie, NOW)
    assert jar.open(value[: data.draw(st.integers(0, len(value) - 1))], cookie.header, NOW) is None
    assert jar.open(value + data.draw(st.binary(min_size=1, max_size=40)), cookie.header, NOW) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_nobodys_cookie(value: bytes) -> None:
    assert CookieJar(seeded_bytes(1), NOW).open(value, HEADER, NOW) is None


def test_the_cookie_of_another_jar_is_nobodys() -> None:
    value = CookieJar(seeded_bytes(1), NOW).sign(plain(), NOW)
    assert CookieJar(seeded_bytes(2), NOW).open(value, HEADER, NOW) is None


@pytest.mark.parametrize("seconds", [0, 1, 3599, 3600])
def test_a_cookie_outlives_its_secret_by_an_hour(seconds: int) -> None:
    jar = CookieJar(seeded_bytes(1), NOW)
    value = jar.sign(plain(), NOW + SECRET_LIFE - 1)
    assert jar.open(value, HEADER, NOW + SECRET_LIFE - 1 + seconds * SECOND) is not None


class JarMachine(RuleBasedStateMachine):
    """Every cookie, when it was made; the contract is a life of an hour at least, and of two and a bit at most."""

    def __init__(self) -> None:
        super().__init__()
        self.jar = CookieJar(seeded_bytes(3), NOW)
        self.now = NOW
        self.made: list[tuple[int, int, bytes]] = []

    @rule()
    def sign(self) -> None:
        cookie = plain(len(self.made))
        cookie.created = self.now
        self.made.append((self.now, len(self.made), self.jar.sign(cookie, self.now)))

    @rule(seconds=st.sampled_from([1, 600, 1800, 3599, 3600, 3601, 10_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @invariant()
    def young_cookies_are_known_and_old_ones_are_not(self) -> None:
        for created, number, value in self.made:
            cookie = self.jar.open(value, HEADER, self.now)
            if self.now - created <= SECRET_LIFE:
                assert cookie is not None
            if self.now - created > 3 * SECRET_LIFE:
                assert cookie is None
            assert cookie is None or (cookie.created, cookie.peer_tag) == (created, number)


TestJar = JarMachine.TestCase


def test_a_cookie_is_not_taken_for_a_new_one_when_the_numbers_of_the_secrets_have_gone_round() -> None:
    jar = CookieJar(seeded_bytes(1), NOW)
    old = jar.sign(plain(), NOW)
    for period in range(1, 300):
        jar.sign(plain(), NOW + period * SECRET_LIFE)
        assert period < 2 or jar.open(old, HEADER, NOW + period * SECRET_LIFE) is None


@pytest.mark.parametrize(("length", "size"), [(4, 56), (16, 80)])
def test_a_cookie_is_as_small_as_it_can_be(length: int, size: int) -> None:
    """It makes the INIT ACK larger than the INIT (RFC 9260 section 12.4)."""
    cookie = plain()
    cookie.local = cookie.source = bytes(length)
    assert len(CookieJar(seeded_bytes(1), NOW).sign(cookie, NOW)) == size
