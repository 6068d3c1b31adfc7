"""The State Cookie (RFC 9260 sections 5.1.3 to 5.1.5): everything needed to build an association, and a MAC.

The listener keeps nothing between INIT and COOKIE ECHO; the peer carries this. Secrets are random, replaced
every hour, and the one before stays valid for another: no cookie that lives up to an hour dies with its secret
before its time. HMAC-SHA-256; the first byte says which secret.

What is inside is not secret, but for the tags, which the peer may know: Tie-Tags are random numbers made for
the purpose (section 5.2.2).
"""

from __future__ import annotations

import hmac
from struct import Struct
from typing import Final, final

from .entropy import RandomBytes
from .timers import SECOND

SECRET_LENGTH: Final = 32
MAC_LENGTH: Final = 32
SECRET_LIFE: Final = 3600 * SECOND
# Cookie Preservative may add that much (section 3.3.2.1.3).
MAX_EXTENSION_MS: Final = 60_000

# created, lifespan (both ns), our tag, peer's tag, our TSN, peer's TSN, peer's a_rwnd, peer's outbound streams,
# peer's inbound streams, our port, peer's port, Tie-Tags, UDP port of the peer, and the lengths of what follows:
# our address, source address, number of addresses, extensions.
_FIXED: Final = Struct(">qqIIIIIHHHHIIHBBBB")


@final
class Cookie:
    """The contents of a State Cookie."""

    __slots__ = (
        "addresses",
        "created",
        "extensions",
        "lifespan",
        "local",
        "local_initial_tsn",
        "local_port",
        "local_tag",
        "local_tie_tag",
        "peer_a_rwnd",
        "peer_inbound_streams",
        "peer_initial_tsn",
        "peer_outbound_streams",
        "peer_port",
        "peer_tag",
        "peer_tie_tag",
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
        """All addresses of the peer, ``source`` included."""
        self.extensions = b""
        """Chunk types the peer supports, for the extensions to ask."""

    def encode(self) -> bytes:
        """The cookie's bytes, without the MAC."""
        fixed = _FIXED.pack(
            self.created,
            self.lifespan,
            self.local_tag,
            self.peer_tag,
            self.local_initial_tsn,
            self.peer_initial_tsn,
            self.peer_a_rwnd,
            self.peer_outbound_streams,
            self.peer_inbound_streams,
            self.local_port,
            self.peer_port,
            self.local_tie_tag,
            self.peer_tie_tag,
            self.udp_port,
            len(self.local),
            len(self.source),
            len(self.addresses),
            len(self.extensions),
        )
        others = [bytes((len(ip),)) + ip for ip in self.addresses]
        return b"".join([fixed, self.local, self.source, *others, self.extensions])


def decode(data: bytes) -> Cookie:
    """The cookie of bytes that passed the MAC: they are our own."""
    cookie = Cookie()
    fields = _FIXED.unpack_from(data)
    (
        cookie.created,
        cookie.lifespan,
        cookie.local_tag,
        cookie.peer_tag,
        cookie.local_initial_tsn,
        cookie.peer_initial_tsn,
        cookie.peer_a_rwnd,
        cookie.peer_outbound_streams,
        cookie.peer_inbound_streams,
        cookie.local_port,
        cookie.peer_port,
        cookie.local_tie_tag,
        cookie.peer_tie_tag,
        cookie.udp_port,
        local_length,
        source_length,
        address_count,
        extension_count,
    ) = fields
    offset = _FIXED.size
    cookie.local = data[offset : offset + local_length]
    offset += local_length
    cookie.source = data[offset : offset + source_length]
    offset += source_length
    for _ in range(address_count):
        length = data[offset]
        cookie.addresses.append(data[offset + 1 : offset + 1 + length])
        offset += 1 + length
    cookie.extensions = data[offset : offset + extension_count]
    return cookie


@final
class CookieJar:
    """The secrets of a stack: signs cookies and knows its own again.

    A secret is kept as the HMAC of nothing, of which copies go on: a third of the time that beginning anew takes.
    """

    __slots__ = ("_key_id", "_previous", "_random_bytes", "_renew", "_secret")

    def __init__(self, random_bytes: RandomBytes, now: int) -> None:
        self._random_bytes = random_bytes
        self._secret = self._new_secret()
        self._previous: hmac.HMAC | None = None
        self._key_id = 0
        self._renew = now + SECRET_LIFE

    def sign(self, cookie: Cookie, now: int) -> bytes:
        """The State Cookie parameter's value."""
        self._rotate(now)
        data = bytes((self._key_id,)) + cookie.encode()
        return data + _mac(self._secret, data)

    def open(self, value: bytes, now: int) -> Cookie | None:
        """The contents of a State Cookie of ours; None if we did not make it, or too long ago."""
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
        if not hmac.compare_digest(_mac(secret, data), value[-MAC_LENGTH:]):
            return None
        return decode(data[1:])

    def _rotate(self, now: int) -> None:
        if now < self._renew:
            return
        # After two periods without a cookie the secret before is too old as well.
        self._previous = self._secret if now < self._renew + SECRET_LIFE else None
        self._secret = self._new_secret()
        self._key_id = (self._key_id + 1) & 0xFF
        self._renew = now + SECRET_LIFE

    def _new_secret(self) -> hmac.HMAC:
        return hmac.new(self._random_bytes(SECRET_LENGTH), digestmod="sha256")


def _mac(secret: hmac.HMAC, data: bytes) -> bytes:
    mac = secret.copy()
    mac.update(data)
    return mac.digest()
