"""State Cookies: what goes in comes out, and only out of the jar it was signed in, while it lives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sctpx.core.ip import ZONE_LENGTH
from sctpx.core.state_cookie import MAC_LENGTH, SECRET_LIFE, Cookie, CookieJar
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


def test_jars_with_one_seed_know_each_others_cookies() -> None:
    """As the workers of one server do, of which a packet may come to any."""
    one, other = CookieJar(seeded_bytes(1), NOW, b"seed"), CookieJar(seeded_bytes(2), NOW + SECRET_LIFE // 2, b"seed")
    value = one.sign(plain(7), NOW)
    assert contents(other.open(value, HEADER, NOW)) == contents(one.open(value, HEADER, NOW))
    assert other.open(value, HEADER, NOW) is not None
    assert CookieJar(seeded_bytes(1), NOW, b"another").open(value, HEADER, NOW) is None
    assert CookieJar(seeded_bytes(1), NOW).open(value, HEADER, NOW) is None


@pytest.mark.parametrize("later", [0, SECRET_LIFE - 1, SECRET_LIFE])
def test_a_cookie_with_a_seed_outlives_its_secret_by_an_hour(later: int) -> None:
    began = NOW - NOW % SECRET_LIFE
    value = CookieJar(seeded_bytes(1), began, b"seed").sign(plain(), began + SECRET_LIFE - 1)
    old, new = CookieJar(seeded_bytes(1), began, b"seed"), CookieJar(seeded_bytes(1), began + later, b"seed")
    for jar in (old, new):
        assert jar.open(value, HEADER, began + SECRET_LIFE - 1 + later) is not None
    for hours in (2, 255, 256):
        assert old.open(value, HEADER, began + SECRET_LIFE * hours + SECRET_LIFE - 1) is None


def test_the_mac_of_a_cookie_depends_on_each_bit_of_the_secret_and_of_the_cookie() -> None:
    """RFC 9260 section 5.1.3: "A MAC with acceptable security properties SHOULD be used"; section 14.1: the secret has
    "a sufficient length". 128 bits of MAC, about half of which change with any bit of a secret of 256 bits.
    """
    asked: list[int] = []

    def sign(secret: int, cookie: Cookie) -> int:
        def random_bytes(count: int) -> bytes:
            asked.append(count)
            return (secret % (1 << 8 * count)).to_bytes(count, "big")

        return int.from_bytes(CookieJar(random_bytes, NOW).sign(cookie, NOW)[-MAC_LENGTH:], "big")

    mac = sign(0, plain())
    others = [sign(1 << bit, plain()) for bit in range(256)] + [sign(0, plain(1 << bit)) for bit in range(32)]
    assert set(asked) == {32}
    assert MAC_LENGTH == 16
    assert len({mac, *others}) == 1 + len(others)
    assert all(32 <= (mac ^ other).bit_count() <= 96 for other in others)
