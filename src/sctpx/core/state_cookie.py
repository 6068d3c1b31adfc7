"""The State Cookie (RFC 9260 sections 5.1.3 to 5.1.5): everything needed to build an association, and a MAC.

The listener keeps nothing between INIT and COOKIE ECHO; the peer carries this. Secrets are random, replaced
every hour, and the one before stays valid for another: no cookie that lives up to an hour dies with its secret
before its time. Stacks that share a UDP port (``worker``) compute theirs from one seed, so that a cookie of one of them
is good in all. The MAC is a keyed BLAKE2b of 16 bytes (RFC 7693); the first byte says which secret.

The cookie makes the INIT ACK larger than the INIT, so it is as small as it can be (section 12.4): ports and our tag are
not in it. The COOKIE ECHO has them in its header, and the MAC covers them. When it was made is told in microseconds, of
which 34 bits go round in more than the life of two secrets, its life in milliseconds.

If chunks are to be authenticated (RFC 4895), the cookie has what both sides have said of that, from which the keys are
computed again, and no shared key (section 6.3). Our own RANDOM is not in it: it is computed from the rest of the cookie
with another secret, unless it was sent before, in an INIT of ours.

What is inside is not secret, but for the peer's tag, which the peer may know: Tie-Tags are random numbers made for
the purpose (section 5.2.2).
"""

from __future__ import annotations

import hashlib
import hmac
from struct import Struct
from typing import Final, final

from ..wire.auth import RANDOM_LENGTH, AuthParameters
from ..wire.packet import parse_prefix, prefix
from ..wire.params import IPV4_LENGTH, IPV6_LENGTH
from .capabilities import AUTHENTICATION
from .entropy import RandomBytes
from .ip import ZONE_LENGTH, is_ipv4, zone_of
from .timers import MICROSECOND, MILLISECOND, SECOND

SECRET_LENGTH: Final = 32
MAC_LENGTH: Final = 16
SECRET_LIFE: Final = 3600 * SECOND
# Cookie Preservative may add that much (section 3.3.2.1.3).
MAX_EXTENSION_MS: Final = 60_000

# The low bits of created; its two highest bits, lifespan (22 bits) and what follows (8 bits); peer's tag, our TSN,
# peer's TSN, peer's a_rwnd, peer's outbound streams, peer's inbound streams, UDP port of the peer, number of the peer's
# other addresses. "What follows" is whether our address and the source are IPv6, and whether there are Tie-Tags,
# capabilities, an adaptation layer and a preferred address. If our address or the source has a zone, which is rare,
# ``_ZONES`` stands in place of the number of addresses, and two more bytes have which of both, and that number.
_FIXED: Final = Struct(">IIIIIIHHHB")
_TIE_TAGS: Final = Struct(">II")
_LOW: Final = 0xFFFFFFFF
_CREATED: Final = 0x3FFFFFFFF
_LOCAL_IS_V6: Final = 0x80
_SOURCE_IS_V6: Final = 0x40
_HAS_TIE_TAGS: Final = 0x20
_HAS_CAPABILITIES: Final = 0x10
_HAS_ADAPTATION: Final = 0x08
_HAS_PRIMARY: Final = 0x04
_CAPABILITIES_LENGTH: Final = 2
_ADAPTATION_LENGTH: Final = 4
_AUTH: Final = Struct(">BH")
_HAS_RANDOM: Final = 0x80
_RANDOM_LABEL: Final = b"RANDOM of RFC 4895"
_ZONES: Final = 0xFF
_LOCAL_HAS_ZONE: Final = 0x80
_SOURCE_HAS_ZONE: Final = 0x40


@final
class Cookie:
    """The contents of a State Cookie."""

    __slots__ = (
        "adaptation",
        "addresses",
        "capabilities",
        "created",
        "lifespan",
        "local",
        "local_auth",
        "local_initial_tsn",
        "local_port",
        "local_tag",
        "local_tie_tag",
        "peer_a_rwnd",
        "peer_auth",
        "peer_inbound_streams",
        "peer_initial_tsn",
        "peer_outbound_streams",
        "peer_port",
        "peer_tag",
        "peer_tie_tag",
        "primary",
        "source",
        "udp_port",
    )

    def __init__(self) -> None:
        self.created = 0
        self.lifespan = 0
        self.local_tag = 0
        self.peer_tag = 0
        self.local_initial_tsn = 0
        self.peer_initial_tsn = 0
        self.peer_a_rwnd = 0
        self.peer_outbound_streams = 0
        self.peer_inbound_streams = 0
        self.local_port = 0
        self.peer_port = 0
        self.local_tie_tag = 0
        self.peer_tie_tag = 0
        self.udp_port = 0
        """UDP encapsulation port the INIT came from."""
        self.local = b""
        """Our address the INIT came to."""
        self.source = b""
        """The address the INIT came from and the INIT ACK went to."""
        self.addresses: list[bytes] = []
        """All addresses of the peer; ``source`` is the first."""
        self.capabilities = 0
        """What both sides can do (``capabilities``): 16 bits."""
        self.adaptation = -1
        """The peer's Adaptation Layer Indication; -1 for none."""
        self.primary = 0
        """Which of ``addresses`` the peer would be sent to; 0, where it is heard from, if it does not say."""
        self.local_auth: AuthParameters | None = None
        """What we say of authentication, if it is agreed on. ``CookieJar.sign`` makes the RANDOM if it has none."""
        self.peer_auth: AuthParameters | None = None
        """What the peer has said of it."""

    @property
    def header(self) -> bytes:
        """Ports and our tag, as the packet with the COOKIE ECHO begins."""
        return prefix(self.peer_port, self.local_port, self.local_tag)

    @property
    def spoken(self) -> int:
        """Bytes for what the peer said of itself: its other addresses, and what it can do."""
        size = sum([1 + len(ip) for ip in self.addresses[1:]]) + (_CAPABILITIES_LENGTH if self.capabilities else 0)
        size += (_ADAPTATION_LENGTH if self.adaptation >= 0 else 0) + (1 if self.primary else 0)
        return size if self.peer_auth is None else size + len(_encode_auth(self.peer_auth))

    def encode(self) -> bytes:
        """The cookie's bytes, without ``header`` and without the MAC."""
        follows = 0
        if not is_ipv4(self.local):
            follows |= _LOCAL_IS_V6
        if not is_ipv4(self.source):
            follows |= _SOURCE_IS_V6
        others = len(self.addresses) - 1
        zones = (_LOCAL_HAS_ZONE if zone_of(self.local) else 0) | (_SOURCE_HAS_ZONE if zone_of(self.source) else 0)
        tie_tags = b""
        if self.local_tie_tag or self.peer_tie_tag:
            follows |= _HAS_TIE_TAGS
            tie_tags = _TIE_TAGS.pack(self.local_tie_tag, self.peer_tie_tag)
        agreed = b""
        if self.capabilities:
            follows |= _HAS_CAPABILITIES
            agreed = self.capabilities.to_bytes(_CAPABILITIES_LENGTH, "big")
        wishes = b""
        if self.adaptation >= 0:
            follows |= _HAS_ADAPTATION
            wishes = self.adaptation.to_bytes(_ADAPTATION_LENGTH, "big")
        if self.primary:
            follows |= _HAS_PRIMARY
            wishes += bytes((self.primary,))
        created = -(-self.created // MICROSECOND) & _CREATED
        fixed = _FIXED.pack(
            created & _LOW,
            created >> 32 << 30 | -(-self.lifespan // MILLISECOND) << 8 | follows,
            self.peer_tag,
            self.local_initial_tsn,
            self.peer_initial_tsn,
            self.peer_a_rwnd,
            self.peer_outbound_streams,
            self.peer_inbound_streams,
            self.udp_port,
            _ZONES if zones else others,
        )
        placed = bytes((zones, others)) if zones else b""
        if self.capabilities & AUTHENTICATION:
            for auth in (self.local_auth, self.peer_auth):
                agreed += _encode_auth(auth or AuthParameters())
        listed = [bytes((len(ip),)) + ip for ip in self.addresses[1:]]
        return b"".join([fixed, placed, tie_tags, agreed, wishes, self.local, self.source, *listed])


def decode(data: bytes, header: bytes, now: int) -> Cookie:
    """The cookie of bytes that passed the MAC, with the header of their packet: they are our own."""
    cookie = Cookie()
    (
        created,
        more,
        cookie.peer_tag,
        cookie.local_initial_tsn,
        cookie.peer_initial_tsn,
        cookie.peer_a_rwnd,
        cookie.peer_outbound_streams,
        cookie.peer_inbound_streams,
        cookie.udp_port,
        others,
    ) = _FIXED.unpack_from(data)
    now_us = -(-now // MICROSECOND)
    age = (now_us - (more >> 30 << 32 | created)) & _CREATED
    cookie.created = (now_us - age) * MICROSECOND
    cookie.lifespan = (more >> 8 & 0x3FFFFF) * MILLISECOND
    cookie.peer_port, cookie.local_port, cookie.local_tag = parse_prefix(header)
    offset = _FIXED.size
    zones = 0
    if others == _ZONES:
        zones, others = data[offset], data[offset + 1]
        offset += 2
    if more & _HAS_TIE_TAGS:
        cookie.local_tie_tag, cookie.peer_tie_tag = _TIE_TAGS.unpack_from(data, offset)
        offset += _TIE_TAGS.size
    if more & _HAS_CAPABILITIES:
        cookie.capabilities = int.from_bytes(data[offset : offset + _CAPABILITIES_LENGTH], "big")
        offset += _CAPABILITIES_LENGTH
    if cookie.capabilities & AUTHENTICATION:
        cookie.local_auth, offset = _decode_auth(data, offset)
        cookie.peer_auth, offset = _decode_auth(data, offset)
    if more & _HAS_ADAPTATION:
        cookie.adaptation = int.from_bytes(data[offset : offset + _ADAPTATION_LENGTH], "big")
        offset += _ADAPTATION_LENGTH
    if more & _HAS_PRIMARY:
        cookie.primary = data[offset]
        offset += 1
    length = _length(more & _LOCAL_IS_V6, zones & _LOCAL_HAS_ZONE)
    cookie.local = data[offset : offset + length]
    offset += length
    length = _length(more & _SOURCE_IS_V6, zones & _SOURCE_HAS_ZONE)
    cookie.source = data[offset : offset + length]
    offset += length
    cookie.addresses = [cookie.source]
    for _ in range(others):
        length = data[offset]
        cookie.addresses.append(data[offset + 1 : offset + 1 + length])
        offset += 1 + length
    return cookie


def _length(is_v6: int, has_zone: int) -> int:
    """The length of an address, by the bits of a cookie that tell it."""
    if not is_v6:
        return IPV4_LENGTH
    return IPV6_LENGTH + ZONE_LENGTH if has_zone else IPV6_LENGTH


def _encode_auth(auth: AuthParameters) -> bytes:
    """What one side has said of authentication: the number of HMAC algorithms and whether there is a RANDOM, the number
    of chunk types and one more if they are listed, and these."""
    count = len(auth.algorithms) // 2 | (_HAS_RANDOM if auth.random is not None else 0)
    listed = 0 if auth.chunk_types is None else 1 + len(auth.chunk_types)
    return b"".join([_AUTH.pack(count, listed), auth.algorithms, auth.chunk_types or b"", auth.random or b""])


def _decode_auth(data: bytes, offset: int) -> tuple[AuthParameters, int]:
    """What ``_encode_auth`` has made, and where it ends."""
    count, listed = _AUTH.unpack_from(data, offset)
    offset += _AUTH.size
    auth = AuthParameters()
    length = 2 * (count & ~_HAS_RANDOM)
    auth.algorithms = data[offset : offset + length]
    offset += length
    if listed:
        auth.chunk_types = data[offset : offset + listed - 1]
        offset += listed - 1
    if count & _HAS_RANDOM:
        auth.random = data[offset : offset + RANDOM_LENGTH]
        offset += RANDOM_LENGTH
    return auth, offset


@final
class CookieJar:
    """The secrets of a stack: signs cookies and knows its own again.

    A secret is kept as the MAC of nothing, of which copies go on: half of the time that beginning anew takes.
    """

    __slots__ = ("_key_id", "_previous", "_random_bytes", "_renew", "_secret", "_seed")

    def __init__(self, random_bytes: RandomBytes, now: int, seed: bytes = b"") -> None:
        """With a ``seed`` the secrets are those of all jars that have it and look at the same clock."""
        self._random_bytes = random_bytes
        self._seed = seed
        self._previous: hashlib.blake2b | None = None
        if seed:
            self._renew = 0
            self._take_turn(now)
            return
        self._secret = self._new_secret()
        self._key_id = 0
        self._renew = now + SECRET_LIFE

    def sign(self, cookie: Cookie, now: int) -> bytes:
        """The State Cookie parameter's value."""
        self._rotate(now)
        data = bytes((self._key_id,)) + cookie.encode()
        _make_random(self._secret, cookie, data)
        return data + _mac(self._secret, cookie.header, data)

    def open(self, value: bytes, header: bytes, now: int) -> Cookie | None:
        """The contents of a State Cookie of ours, which came in a packet with this ``header``, ports and tag.

        None if we did not make it, or not for these ports and this tag (section 5.1.5, 1 to 3), or too long ago.
        """
        self._rotate(now)
        if len(value) < 1 + _FIXED.size + MAC_LENGTH:
            return None
        if value[0] == self._key_id:
            secret = self._secret
        elif value[0] == (self._key_id - 1) & 0xFF and self._previous is not None:
            secret = self._previous
        else:
            return None
        data = value[:-MAC_LENGTH]
        if not hmac.compare_digest(_mac(secret, header, data), value[-MAC_LENGTH:]):
            return None
        cookie = decode(data[1:], header, now)
        _make_random(secret, cookie, data)
        return cookie

    def _rotate(self, now: int) -> None:
        if now < self._renew:
            return
        if self._seed:
            self._take_turn(now)
            return
        # After two periods without a cookie the secret before is too old as well.
        self._previous = self._secret if now < self._renew + SECRET_LIFE else None
        self._secret = self._new_secret()
        self._key_id = (self._key_id + 1) & 0xFF
        self._renew = now + SECRET_LIFE

    def _take_turn(self, now: int) -> None:
        """The secrets of this hour, and of the one before, as the seed has them."""
        turn = now // SECRET_LIFE
        self._secret = self._secret_of(turn)
        self._previous = self._secret_of(turn - 1)
        self._key_id = turn & 0xFF
        self._renew = (turn + 1) * SECRET_LIFE

    def _secret_of(self, turn: int) -> hashlib.blake2b:
        key = hashlib.blake2b(turn.to_bytes(8, "big", signed=True), key=self._seed, digest_size=SECRET_LENGTH).digest()
        return hashlib.blake2b(key=key, digest_size=MAC_LENGTH)

    def _new_secret(self) -> hashlib.blake2b:
        return hashlib.blake2b(key=self._random_bytes(SECRET_LENGTH), digest_size=MAC_LENGTH)


def _mac(secret: hashlib.blake2b, header: bytes, data: bytes) -> bytes:
    mac = secret.copy()
    mac.update(header + data)
    return mac.digest()


def _make_random(secret: hashlib.blake2b, cookie: Cookie, data: bytes) -> None:
    """Our RANDOM, if this cookie is to have one and does not bring it."""
    auth = cookie.local_auth
    if auth is not None and auth.random is None:
        another = secret.copy()
        another.update(_RANDOM_LABEL)  # No MAC is ever computed of so few bytes.
        auth.random = hashlib.blake2b(cookie.header + data, key=another.digest(), digest_size=RANDOM_LENGTH).digest()
