"""Authentication on the wire (RFC 4895): the AUTH chunk, and what INIT and INIT ACK say of it.

    AUTH | 0 | length | Shared Key Identifier | HMAC Identifier | HMAC

The HMAC covers the AUTH chunk itself, with zeroes in place of the HMAC, and all chunks behind it with their padding
(section 6.2). Its key is an association shared key: a shared key of the two endpoints, and what both have said in INIT
and INIT ACK (section 6.1).
"""

from __future__ import annotations

import hmac
from struct import Struct
from typing import Final, final

from .codes import (
    CHUNK_AUTH,
    CHUNK_DATA,
    CHUNK_HEADER,
    CHUNK_I_DATA,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_SACK,
    CHUNK_SHUTDOWN_COMPLETE,
    PARAM_CHUNK_LIST,
    PARAM_HMAC_ALGO,
    PARAM_RANDOM,
)

HMAC_SHA_1: Final = 1
HMAC_SHA_256: Final = 3
DIGESTS: Final[dict[int, tuple[str, int]]] = {HMAC_SHA_1: ("sha1", 20), HMAC_SHA_256: ("sha256", 32)}
"""By HMAC Identifier (section 3.3): the name in ``hashlib``, and the length of the HMAC."""
RANDOM_LENGTH: Final = 32
"""Bytes of a Random Number (section 3.1)."""
MAX_CHUNK_TYPES: Final = 256
"""A CHUNKS parameter has 260 bytes at most (section 3.2)."""
NEVER_LISTED: Final = (CHUNK_INIT, CHUNK_INIT_ACK, CHUNK_SHUTDOWN_COMPLETE, CHUNK_AUTH)
"""Chunk types that must not be listed in CHUNKS, and are passed over there (section 3.2)."""
WITH_DATA: Final = (CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK)
"""Chunks of packets with user data: if one of these has to be authenticated, the way of all such packets is another."""

_IDENTIFIERS: Final = Struct(">HH")
_HEADER: Final = Struct(">BBHHH")
AUTH_HEADER: Final = CHUNK_HEADER + 4
"""Bytes of an AUTH chunk before the HMAC."""


@final
class AuthParameters:
    """What one side has said of authentication: RANDOM, CHUNKS and HMAC-ALGO (section 3), their values as sent."""

    __slots__ = ("algorithms", "chunk_types", "random")

    def __init__(self, random: bytes | None = None, chunk_types: bytes | None = None, algorithms: bytes = b"") -> None:
        self.random = random
        """The Random Number; None if the parameter is missing."""
        self.chunk_types = chunk_types
        """The chunk types that the sender accepts only if they are authenticated; None if there is no such list."""
        self.algorithms = algorithms
        """The HMAC Identifiers that the sender knows, two bytes each; ``b""`` if the parameter is missing."""

    @property
    def complete(self) -> bool:
        """Whether the sender can authenticate: CHUNKS "MAY be omitted if it is empty" (section 6.1)."""
        return not self.missing

    @property
    def missing(self) -> list[int]:
        """The parameters without which the sender cannot authenticate, as far as they are missing."""
        lacks_random = [PARAM_RANDOM] if self.random is None else []
        return lacks_random if self.algorithms else [*lacks_random, PARAM_HMAC_ALGO]

    @property
    def demanded(self) -> frozenset[int]:
        """The chunk types that count only if they are authenticated."""
        return frozenset([kind for kind in self.chunk_types or b"" if kind not in NEVER_LISTED])

    @property
    def identifiers(self) -> list[int]:
        """The HMAC Identifiers, the most preferable first."""
        found = self.algorithms
        return [found[at] << 8 | found[at + 1] for at in range(0, len(found) - 1, 2)]

    def parameters(self) -> list[tuple[int, bytes]]:
        """(type, value) of each parameter that there is, in the order of a key vector."""
        found = [(PARAM_RANDOM, self.random)] if self.random is not None else []
        if self.chunk_types is not None:
            found.append((PARAM_CHUNK_LIST, self.chunk_types))
        if self.algorithms:
            found.append((PARAM_HMAC_ALGO, self.algorithms))
        return found

    def key_vector(self) -> bytes:
        """The parameters one behind the other, without their padding (section 6.1)."""
        return b"".join([_IDENTIFIERS.pack(kind, len(value) + 4) + value for kind, value in self.parameters()])


def encode_algorithms(identifiers: tuple[int, ...]) -> bytes:
    """The value of an HMAC-ALGO parameter."""
    return b"".join([identifier.to_bytes(2, "big") for identifier in identifiers])


def association_key(shared_key: bytes, one: bytes, other: bytes) -> bytes:
    """The association shared key of a shared key and the key vectors of both sides (section 6.1).

    The numerically smaller vector goes first; of two that are equal as numbers, the shorter one.
    """
    first, last = sorted([one, other], key=_as_number)
    return shared_key + first + last


def _as_number(vector: bytes) -> tuple[int, int]:
    return int.from_bytes(vector, "big"), len(vector)


@final
class AssociationKey:
    """One association shared key with one HMAC algorithm: makes and checks AUTH chunks.

    The state of an HMAC that has taken in the key is kept, and copies of it go on.
    """

    __slots__ = ("_begun", "_blank", "key_id", "length")

    def __init__(self, key_id: int, algorithm: int, key: bytes) -> None:
        """``algorithm`` is one of ``DIGESTS``."""
        name, digest = DIGESTS[algorithm]
        self.key_id = key_id
        """The Shared Key Identifier."""
        self.length = AUTH_HEADER + digest
        """Bytes of an AUTH chunk. It needs no padding."""
        self._begun = hmac.new(key, digestmod=name)
        self._blank = _HEADER.pack(CHUNK_AUTH, 0, self.length, key_id, algorithm) + bytes(digest)

    def authenticate(self, chunks: bytes) -> bytes:
        """An AUTH chunk, and these chunks behind it."""
        digest = self._begun.copy()
        digest.update(self._blank)
        digest.update(chunks)
        return self._blank[:AUTH_HEADER] + digest.digest() + chunks

    def verify(self, body: bytes, at: int) -> bool:
        """Whether the AUTH chunk at ``at``, which has the right length, fits what is behind it, to the end of ``body``.

        "Flags [...] MUST be ignored on receipt" (section 5.1), but are covered.
        """
        stop = at + self.length
        digest = self._begun.copy()
        digest.update(body[at : at + AUTH_HEADER])
        digest.update(bytes(self.length - AUTH_HEADER))
        digest.update(body[stop:])
        return hmac.compare_digest(digest.digest(), body[at + AUTH_HEADER : stop])


def identifiers_at(body: bytes, at: int) -> tuple[int, int]:
    """(Shared Key Identifier, HMAC Identifier) of the AUTH chunk at ``at``, which has both."""
    key_id, algorithm = _IDENTIFIERS.unpack_from(body, at + CHUNK_HEADER)
    return key_id, algorithm
