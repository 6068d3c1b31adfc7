"""Authenticated chunks (RFC 4895): keys and their events, which packets count, which key a packet is sent with.

How it goes: INIT and INIT ACK carry RANDOM, CHUNKS and HMAC-ALGO (``init_answer``, ``association.handshake``; the State
Cookie keeps both sides' for the listener). Once both have offered it, ``Tcb.agree`` makes ``Tcb.authentication``, which
computes keys and looks at packets, and a seal that puts AUTH chunks into packets (``wire.seal.AuthSeal``).

What an extension has to know whose chunks are to be authenticated, like ASCONF (RFC 5061):

* Its row in ``core.capabilities`` has ``needs=AUTHENTICATION``: whoever offers the extension offers authentication, and
  without that on both sides ``agreed`` does not have the extension's bit. The row lists its chunk types in
  ``authenticated``: our CHUNKS parameter has them (``AssociationConfig.demanded_chunks``).
* Sending: it leaves chunks in ``Tcb.control`` by ``Tcb.send_control``. The seal puts an AUTH chunk before the first
  chunk that the peer has listed, with the active key. A packet has room for so many bytes of chunks:
  ``path.mtu - COMMON_HEADER - tcb.seal.overhead``.
* Receiving: packets pass ``admit`` before their chunks reach ``association.dispatch``. Chunks of types in our CHUNKS
  parameter that are not authenticated are gone by then, counted in ``stats.unauthenticated_chunks``: a handler has
  nothing to ask. A packet without an association by its tag or source (``stack``) has its AUTH chunk unread in
  ``Arrival.has_auth``, and ``Arrival.chunks`` begins behind it; once the association is found by these chunks,
  ``admitted`` gives those that count.
"""

from __future__ import annotations

from typing import final

from ...wire import causes
from ...wire.auth import AuthParameters
from ...wire.codes import CHUNK_COOKIE_ECHO, COMMON_HEADER
from ...wire.packet import chunks
from ...wire.seal import AuthSeal
from .. import extension
from ..arrival import Arrival
from ..association import transfer
from ..association.state import COOKIE_ECHOED, COOKIE_WAIT
from ..association.tcb import Tcb
from ..authentication import NO_AUTH, UNSUPPORTED, Authentication
from ..events import KEY_FREE, KEY_NEW, KeyChange
from ..extension import Extension
from ..local_side import LocalSide
from ..shared_keys import SharedKeys
from ..state_cookie import Cookie

# --- what comes ---------------------------------------------------------------------------------------------


def admit(tcb: Tcb, body: bytes, offset: int) -> bytes:
    """The chunks of the packet being processed, without the AUTH chunk and, from ``offset`` on, without those that do
    not count (section 6.3). Both sides have agreed on authentication."""
    authentication = tcb.authentication
    assert authentication is not None  # Or nothing is to be looked at.
    kept, missing, verdict = authentication.admit(body, offset)
    tcb.stats.unauthenticated_chunks += missing
    if verdict >= 0:
        if verdict != authentication.peer_key:
            authentication.peer_key = verdict
            tcb.events.append(KeyChange(tcb.association, KEY_NEW, verdict))
    elif verdict != NO_AUTH:
        tcb.stats.auth_chunks_rejected += 1
        if verdict == UNSUPPORTED:
            transfer.respond_error(tcb, [causes.unsupported_hmac(authentication.rejected_algorithm)])
    return kept


def admitted(tcb: Tcb, arrival: Arrival) -> list[tuple[int, int, bytes]]:
    """The chunks of a packet that count, for an association that was found without its own tag in the packet."""
    assert tcb.authentication is not None  # Or nothing is to be looked at.
    kept, missing, verdict = tcb.authentication.admit(arrival.packet[COMMON_HEADER:])
    tcb.stats.unauthenticated_chunks += missing
    if verdict < NO_AUTH:
        tcb.stats.auth_chunks_rejected += 1
    return chunks(bytes(COMMON_HEADER) + kept)


def admits_cookie(tcb: Tcb | None, endpoint: LocalSide | None, cookie: Cookie, arrival: Arrival) -> bool:
    """Whether a COOKIE ECHO counts, with a cookie of ours, and what is bundled with it behind an AUTH chunk (6.3).

    An association that is up has the keys: so a peer that has restarted has to know the old ones, if COOKIE ECHO chunks
    have to be authenticated. Until then, all that they are computed from is in the cookie; in a collision RANDOM is
    that of the peer's INIT, as its Verification Tag is (section 6.1).
    """
    authentication = None if tcb is None or tcb.state in (COOKIE_WAIT, COOKIE_ECHOED) else tcb.authentication
    if authentication is None:
        authentication = of_cookie(tcb, endpoint, cookie)
    if authentication is None:
        return not arrival.has_auth  # An unknown chunk that ends the packet.
    if not arrival.has_auth:
        return CHUNK_COOKIE_ECHO not in authentication.demanded
    # The COOKIE ECHO is the chunk behind the AUTH chunk: it counts if that is right (section 6.3).
    _, _, verdict = authentication.admit(arrival.packet[COMMON_HEADER:])
    return verdict >= 0


def of_cookie(tcb: Tcb | None, endpoint: LocalSide | None, cookie: Cookie) -> Authentication | None:
    """What both sides have agreed on by the INIT and INIT ACK of this cookie; None for nothing, and for an SCTP port
    that nobody has any more: its shared keys are gone. The peer computes the same keys when it has the INIT ACK.
    """
    if cookie.local_auth is None or cookie.peer_auth is None:
        return None
    keys = None if tcb is None else tcb.keys
    if keys is None and endpoint is not None:
        keys = SharedKeys(endpoint.config)
    return None if keys is None else Authentication(keys, cookie.local_auth, cookie.peer_auth)


def answer_to(tcb: Tcb, cookie: Cookie, chunk: bytes) -> bytes:
    """This answer to a COOKIE ECHO that does not count, with an AUTH chunk if the peer demands that: it has the keys of
    the cookie, and no others."""
    authentication = of_cookie(tcb, None, cookie)
    return chunk if authentication is None else authentication.protect(chunk)


def on_peer_random(tcb: Tcb, peer: AuthParameters | None) -> None:
    """In a collision the peer's INIT counts, with its RANDOM as with its tag (section 6.1)."""
    authentication = tcb.authentication
    if authentication is not None and peer is not None:
        tcb.agree(tcb.capabilities, authentication.local, peer)


# --- what is sent -------------------------------------------------------------------------------------------


def begin_data(tcb: Tcb) -> None:
    """Packets of new data, which has keys, are about to be made: with the key of the message that is next."""
    message = tcb.send_queue.peek()
    assert message is not None
    assert tcb.keyed is not None
    _use_for_data(tcb, tcb.keyed.key_of(message))


def begin_retransmission(tcb: Tcb, tsn: int) -> int:
    """Data, which has keys, is about to be sent again, this TSN first: with the key that it was sent with.

    Returns the first TSN behind it with another one, -1 for none.
    """
    authentication = tcb.authentication
    assert authentication is not None
    key_id, stop = authentication.key_of(tsn)
    _use_for_data(tcb, key_id)
    return stop


def _use_for_data(tcb: Tcb, key_id: int) -> None:
    seal = tcb.seal
    assert tcb.authentication is not None
    assert isinstance(seal, AuthSeal)
    seal.data_key = tcb.authentication.sending_key(key_id)


def note_sent(tcb: Tcb, first_tsn: int) -> None:
    """New data with the TSNs from this one on leaves, with the key that was begun with."""
    seal = tcb.seal
    assert tcb.authentication is not None
    assert isinstance(seal, AuthSeal)
    tcb.authentication.note_sent(first_tsn, seal.data_key.key_id, tcb.outstanding.cumulative_tsn_ack_point)


# --- keys ---------------------------------------------------------------------------------------------------


@final
class KeyWatch(Extension):
    """Waits until keys that were deactivated are not used any more: made when the first one is."""

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self._tcb = tcb

    def before_sending(self, now: int) -> None:
        """Tell of the keys that no message has any more (RFC 6458 section 6.1.8, ``SCTP_AUTH_FREE_KEY``)."""
        keys = self._tcb.keys
        assert keys is not None  # One of them was deactivated.
        for key_id in list(keys.deactivated):
            if not is_used(self._tcb, key_id):
                keys.deactivated.remove(key_id)
                keys.freed.add(key_id)
                self._tcb.events.append(KeyChange(self._tcb.association, KEY_FREE, key_id))


def is_used(tcb: Tcb, key_id: int) -> bool:
    """Whether a message has that key that waits, or that is not acknowledged."""
    if tcb.keyed is None:
        return False
    assert tcb.authentication is not None  # Or messages have no keys.
    outstanding = tcb.outstanding
    flies = tcb.authentication.is_in_flight(key_id, outstanding.cumulative_tsn_ack_point, outstanding.next_tsn)
    return flies or key_id in tcb.keyed.waiting


def _keys(tcb: Tcb) -> SharedKeys:
    if tcb.keys is None:
        tcb.keys = SharedKeys(tcb.config)
    return tcb.keys


def set_key(tcb: Tcb, key_id: int, key: bytes) -> None:
    """Add or replace a shared key. OSError as ``SharedKeys.set``."""
    _keys(tcb).set(key_id, key)
    if tcb.authentication is not None:
        tcb.authentication.forget_key(key_id)
    tcb.use_keys()


def activate_key(tcb: Tcb, key_id: int) -> None:
    """Use this key from now on. OSError as ``SharedKeys.activate``."""
    _keys(tcb).activate(key_id)
    tcb.use_keys()


def deactivate_key(tcb: Tcb, key_id: int) -> None:
    """Give this key to no message any more. OSError as ``SharedKeys.deactivate``."""
    _keys(tcb).deactivate(key_id)
    watch(tcb)


def watch(tcb: Tcb) -> None:
    """If keys are deactivated, somebody waits until they are not used any more."""
    if tcb.keys is not None and tcb.keys.deactivated and extension.find(tcb.extensions, KeyWatch) is None:
        tcb.extensions.append(KeyWatch(tcb))


def delete_key(tcb: Tcb, key_id: int) -> None:
    """Forget this key. OSError as ``SharedKeys.delete``."""
    _keys(tcb).delete(key_id, is_used(tcb, key_id))
    if tcb.authentication is not None:
        tcb.authentication.forget_key(key_id)


def give_key(tcb: Tcb, key_id: int) -> None:
    """The next message that is queued has this key. OSError EINVAL if no message can have it."""
    _keys(tcb).check_usable(key_id)
    if tcb.keyed is not None:
        tcb.keyed.given = key_id
