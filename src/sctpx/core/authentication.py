"""Authentication of one association (RFC 4895), once both sides have agreed on it: which chunks count, and with which
key chunks are sent.

It knows no association: packets go in, and what counts of them comes out. ``ext.auth`` has what it means to the user.

A packet costs one HMAC at most, and none if its AUTH chunk names a key or an algorithm that there is not, has a wrong
length, or has nothing behind it.
"""

from __future__ import annotations

from typing import Final, final

from ..wire.auth import (
    AUTH_HEADER,
    DIGESTS,
    HMAC_SHA_1,
    MAX_CHUNK_TYPES,
    RANDOM_LENGTH,
    WITH_DATA,
    AssociationKey,
    AuthParameters,
    association_key,
    encode_algorithms,
    identifiers_at,
)
from ..wire.causes import Cause, missing_parameter, protocol_violation
from ..wire.codes import CHUNK_ASCONF, CHUNK_AUTH
from ..wire.setup import Setup
from .capabilities import AUTHENTICATION
from .config import AssociationConfig
from .entropy import RandomBytes
from .shared_keys import SharedKeys

MAX_ALGORITHMS: Final = 16
"""HMAC Identifiers that a peer may list: a State Cookie has to repeat them."""
# What came of an AUTH chunk, besides the identifier of its key.
NO_AUTH: Final = -1
"""There was none, or nothing behind it."""
REJECTED: Final = -2
"""It does not count, nor does what is behind it."""
UNSUPPORTED: Final = -3
"""The same, since we did not list its algorithm."""


def our_parameters(config: AssociationConfig, random: bytes | None) -> AuthParameters:
    """What INIT or INIT ACK of an association with this configuration say. ``random`` None: it is made later."""
    return AuthParameters(random, config.demanded_chunks or None, encode_algorithms(config.hmac_algorithms))


def draw_parameters(config: AssociationConfig, random_bytes: RandomBytes) -> AuthParameters | None:
    """What an INIT says; None if authentication is not offered."""
    if not config.capabilities & AUTHENTICATION:
        return None
    return our_parameters(config, random_bytes(RANDOM_LENGTH))


def refusal(setup: Setup, config: AssociationConfig) -> Cause | None:
    """Why an association cannot be set up with the peer of this INIT or INIT ACK; None if it can.

    A peer that does not authenticate is refused if the user demands that chunks are authenticated: else whoever is on
    the way could switch that off by removing a parameter.
    """
    if not config.capabilities & AUTHENTICATION:
        return None
    said = setup.auth
    if said is None or not said.complete:
        if said is not None and said.random is not None and len(said.random) != RANDOM_LENGTH:
            return protocol_violation("RANDOM of a wrong length")
        if CHUNK_ASCONF in setup.extensions and config.address_reconfiguration and not config.unauthenticated_asconf:
            # "under NO circumstance is an implementation allowed to proceed" (RFC 5061 section 6).
            return protocol_violation("ASCONF without AUTH")
        if config.authenticated_chunks or (said is not None and said.demanded):
            # A peer that demands what it makes impossible would drop what it gets: sections 3.1 and 3.3 have both
            # parameters in the INIT or INIT ACK of whoever wants to receive authenticated chunks.
            return missing_parameter(said.missing if said is not None else AuthParameters().missing)
        return None
    if len(said.random or b"") != RANDOM_LENGTH:
        return protocol_violation("RANDOM of a wrong length")  # Section 6.1: "MUST be aborted".
    if len(said.chunk_types or b"") > MAX_CHUNK_TYPES:
        return protocol_violation("CHUNKS is too long")
    identifiers = said.identifiers
    if len(said.algorithms) & 1 or len(identifiers) > MAX_ALGORITHMS:
        return protocol_violation("HMAC-ALGO of a wrong length")
    if HMAC_SHA_1 not in identifiers:
        # "The HMAC algorithm based on SHA-1 MUST be supported and included" (section 6.1).
        return protocol_violation("HMAC-ALGO lacks SHA-1")
    return None


@final
class Authentication:
    """The keys and the demands of both sides."""

    __slots__ = (
        "_accepted",
        "_known",
        "_local_vector",
        "_peer_vector",
        "_tsn_keys",
        "algorithm",
        "demanded",
        "keys",
        "local",
        "peer",
        "peer_demanded",
        "peer_key",
        "rejected_algorithm",
    )

    def __init__(self, keys: SharedKeys, local: AuthParameters, peer: AuthParameters) -> None:
        self.keys = keys
        self.local = local
        """What we have said."""
        self.peer = peer
        """What the peer has said."""
        self.demanded = local.demanded
        """Chunk types that count only if they are authenticated."""
        self.peer_demanded = peer.demanded
        """Chunk types that the peer accepts only if they are authenticated."""
        self._accepted = frozenset(local.identifiers)
        # "The receiver of an HMAC-ALGO parameter SHOULD use the first listed algorithm it supports" (section 6.1).
        self.algorithm = HMAC_SHA_1
        """The algorithm for what is sent: an HMAC Identifier."""
        for identifier in peer.identifiers:
            if identifier in self._accepted and identifier in DIGESTS:
                self.algorithm = identifier
                break
        self.peer_key = 0
        """The identifier of the key that the peer used last."""
        self.rejected_algorithm = 0
        """The HMAC Identifier of the last AUTH chunk that was rejected for it."""
        self._local_vector = local.key_vector()
        self._peer_vector = peer.key_vector()
        self._known: dict[tuple[int, int], AssociationKey] = {}
        self._tsn_keys: list[tuple[int, int]] = []  # From which TSN on data was sent with which key.

    # --- keys ---

    def key(self, key_id: int, algorithm: int) -> AssociationKey | None:
        """The association shared key for that shared key; None if there is none."""
        shared = self.keys.find(key_id)
        if shared is None:
            return None
        found = self._known.get((key_id, algorithm))
        if found is None:
            secret = association_key(shared, self._local_vector, self._peer_vector)
            found = self._known[key_id, algorithm] = AssociationKey(key_id, algorithm, secret)
        return found

    def sending_key(self, key_id: int) -> AssociationKey:
        """The key for what is sent with that shared key, which there is."""
        found = self.key(key_id, self.algorithm)
        assert found is not None  # It cannot be deleted while it is used.
        return found

    def forget_key(self, key_id: int) -> None:
        """The shared key is another one now, or gone."""
        for algorithm in DIGESTS:
            self._known.pop((key_id, algorithm), None)

    def protect(self, chunk: bytes) -> bytes:
        """A chunk that leaves by itself, behind an AUTH chunk if the peer demands that."""
        if chunk[0] not in self.peer_demanded:
            return chunk
        return self.sending_key(self.keys.active).authenticate(chunk)

    # --- data in flight ---

    @property
    def covers_data(self) -> bool:
        """Whether user data is sent authenticated: the peer demands that, or that of the SACK in the same packet."""
        return not self.peer_demanded.isdisjoint(WITH_DATA)

    @property
    def guards_data(self) -> bool:
        """Whether DATA or SACKs that come count only if they are authenticated."""
        return not self.demanded.isdisjoint(WITH_DATA)

    def note_sent(self, first_tsn: int, key_id: int, cumulative_tsn: int) -> None:
        """Data with the TSNs from this one on was sent with that key; all up to ``cumulative_tsn`` was acknowledged."""
        self.forget_sent(cumulative_tsn)
        if not self._tsn_keys or self._tsn_keys[-1][1] != key_id:
            self._tsn_keys.append((first_tsn, key_id))

    def forget_sent(self, cumulative_tsn: int) -> None:
        """All up to this TSN was acknowledged."""
        kept = self._tsn_keys
        past = 0
        while past + 1 < len(kept) and kept[past + 1][0] <= cumulative_tsn + 1:
            past += 1
        del kept[:past]

    def forget_all_sent(self) -> None:
        """Nothing is in flight, and TSNs begin anew elsewhere."""
        self._tsn_keys.clear()

    def key_of(self, tsn: int) -> tuple[int, int]:
        """The identifier of the key that data in flight was sent with, and the first TSN behind it with another one,
        -1 for none."""
        key_id, stop = self.keys.active, -1
        for first, used in self._tsn_keys:
            if first > tsn:
                stop = first
                break
            key_id = used
        return key_id, stop

    def is_in_flight(self, key_id: int, cumulative_tsn: int, next_tsn: int) -> bool:
        """Whether data sent with that key is not acknowledged yet."""
        self.forget_sent(cumulative_tsn)
        return cumulative_tsn + 1 < next_tsn and key_id in [used for _, used in self._tsn_keys]

    # --- what comes ---

    def admit(self, body: bytes, offset: int = 0) -> tuple[bytes, int, int]:
        """Of the chunks of a packet, from ``offset`` on, those that count (section 6.3).

        Returns the packet's chunks without the AUTH chunk and without those that do not count, how many chunks of a
        type that we demand came unauthenticated, and the identifier of the key, ``NO_AUTH``, ``REJECTED`` or
        ``UNSUPPORTED``.
        """
        start = at = offset
        end = len(body)
        parts: list[bytes] = []
        missing = 0
        verdict = NO_AUTH
        while end - at >= 4:
            kind = body[at]
            length = body[at + 2] << 8 | body[at + 3]
            if length < 4 or at + length > end:
                break
            stop = min(at + (length + 3 & ~3), end)
            if kind == CHUNK_AUTH:
                parts.append(body[start:at])
                start = stop
                # It "MUST NOT appear more than once" (section 5.1).
                verdict = REJECTED if verdict >= 0 else self._verify(body, at, length)
                if verdict < 0:
                    start = end
                    break
            elif verdict < 0 and kind in self.demanded:
                parts.append(body[start:at])
                start = stop
                missing += 1
                if kind == CHUNK_ASCONF:
                    # "MUST silently discard this chunk and the rest of the packet" (RFC 5061 section 5.2, D5)
                    start = end
                    break
            at = stop
        if start == offset:
            return body, missing, verdict
        parts.append(body[start:])
        return body[:offset] + b"".join(parts), missing, verdict

    def _verify(self, body: bytes, at: int, length: int) -> int:
        """The identifier of the key by which the AUTH chunk at ``at`` fits what is behind it, or why it does not."""
        if length < AUTH_HEADER:
            return REJECTED
        key_id, algorithm = identifiers_at(body, at)
        if algorithm not in self._accepted:
            self.rejected_algorithm = algorithm
            return UNSUPPORTED
        key = self.key(key_id, algorithm)
        if key is None or length != key.length:
            return REJECTED
        if at + length == len(body):
            return NO_AUTH
        return key_id if key.verify(body, at) else REJECTED
