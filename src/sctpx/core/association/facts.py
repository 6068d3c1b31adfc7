"""What an association can be asked: its state, what was agreed on, its counters, what waits. Asking changes nothing."""

from __future__ import annotations

from ...wire.serial import TSN_MASK
from ..capabilities import ADDRESS_RECONFIGURATION, AUTHENTICATION, ECN, INTERLEAVING, RECONFIGURATION
from ..config import AssociationConfig
from ..ext import asconf, auth, partial_reliability
from ..path.path import Path
from ..shared_keys import SharedKeys
from ..stats import AssociationStats
from . import transfer
from .connect import AddressReport
from .identity import Identity
from .state import CLOSED
from .tcb import Tcb


class Facts(Identity):
    """One association, without what it can do. ``association.Association`` is one."""

    __slots__ = ("tcb",)

    tcb: Tcb
    """All its state."""

    @property
    def state(self) -> int:
        """One of ``association.state``."""
        return self.tcb.state

    @property
    def ended(self) -> bool:
        """True when the association is over, or never came about."""
        return self.tcb.state == CLOSED

    @property
    def incoming(self) -> bool:
        """Whether the peer initiated it."""
        return self.tcb.incoming

    @property
    def config(self) -> AssociationConfig:
        """How it behaves."""
        return self.tcb.config

    @property
    def peer_port(self) -> int:
        """The peer's SCTP port."""
        return self.tcb.peer_port

    @property
    def paths(self) -> list[Path]:
        """The peer's addresses and what is known of them."""
        return self.tcb.paths

    @property
    def local_addresses(self) -> list[bytes]:
        """Our addresses it may use; none: the link knows which."""
        return self.tcb.local_addresses

    @property
    def primary(self) -> Path | None:
        """The path data goes to while it is active; None before the peer answered."""
        return self.tcb.primary

    @property
    def outbound_streams(self) -> int:
        """Streams that can be sent on, after negotiation (RFC 9260 section 5.1.1)."""
        return self.tcb.outbound_streams

    @property
    def inbound_streams(self) -> int:
        """Streams the peer can send on."""
        return self.tcb.inbound_streams

    @property
    def stats(self) -> AssociationStats:
        """Counters."""
        return self.tcb.stats

    @property
    def peer_rwnd(self) -> int:
        """Bytes the peer has room for beyond what is in flight (section 6.2.1)."""
        return self.tcb.peer_rwnd

    @property
    def local_rwnd(self) -> int:
        """Bytes the peer may still send by what it was told last."""
        return self.tcb.window.credit

    @property
    def cumulative_tsn(self) -> int:
        """The last TSN received in sequence, 32 bits."""
        return self.tcb.tsn_map.cumulative_tsn & TSN_MASK

    @property
    def unacknowledged(self) -> int:
        """DATA chunks sent and not acknowledged yet."""
        return self.tcb.outstanding.flight_chunks + self.tcb.outstanding.marked_chunks

    @property
    def timeouts(self) -> int:
        """Retransmission timers that expired in a row, on whichever path, while nothing was answered (section 8.1)."""
        return self.tcb.error_count

    @property
    def fragmentation_point(self) -> int:
        """Bytes of user data from which on a message is fragmented; 0 before the peer answered."""
        return max(self.tcb.largest_payload, 0)

    @property
    def report(self) -> list[AddressReport]:
        """What each address answered when the association was set up (CX11)."""
        return self.tcb.report

    @property
    def interleaving(self) -> bool:
        """Whether messages are interleaved (RFC 8260 section 2.2.1); before the peer answered, whether we offer it."""
        return self.tcb.capabilities & INTERLEAVING != 0

    @property
    def partial_reliability(self) -> bool:
        """Whether messages of which a part was sent may be given up (RFC 3758 section 3.3); before the peer answered,
        whether we offer it."""
        return partial_reliability.agreed(self.tcb)

    @property
    def send_space(self) -> int:
        """Bytes the send buffer has room for, each message with its overhead; below 0 if a message overfilled it."""
        return self.tcb.rules.send_buffer - self.tcb.buffered

    @property
    def pending(self) -> int:
        """Bytes of user data that were accepted and are not acknowledged for good."""
        return self.tcb.send_queue.queued_bytes + self.tcb.outstanding.payload

    @property
    def readable(self) -> int:
        """Messages that can be read now."""
        return len(self.tcb.reassembly.ready)

    @property
    def unordered_received(self) -> int:
        """Unordered messages received, of ``stats.messages_received``, since the peer last restarted."""
        return self.tcb.reassembly.unordered

    @property
    def source(self) -> bytes:
        """The peer's address that what is read next came from, packed; ``b""`` if nothing ever came.

        Of a message in several chunks, where the last one came from.
        """
        return transfer.source(self.tcb)

    @property
    def reconfigurable(self) -> bool:
        """Whether streams can be reset and added: both sides have offered it (RFC 6525 section 5.1.1)."""
        return self.tcb.capabilities & RECONFIGURATION != 0

    @property
    def ecn(self) -> bool:
        """Whether routers may mark packets instead of dropping them: both sides have offered it (RFC 3168)."""
        return self.tcb.capabilities & ECN != 0

    # --- addresses (RFC 5061) ---

    @property
    def address_reconfigurable(self) -> bool:
        """Whether addresses can be added and deleted: both sides have offered it (RFC 5061 section 4.2.7)."""
        return self.tcb.capabilities & ADDRESS_RECONFIGURATION != 0

    @property
    def can_change_addresses(self) -> bool:
        """Whether the peer can be asked now to take other addresses of ours."""
        return self.address_reconfigurable and asconf.may_ask(self.tcb)

    @property
    def wanted_addresses(self) -> list[bytes]:
        """Our addresses, when all is done that the peer has been asked for, or will be."""
        room = asconf.find_room(self.tcb)
        return list(self.tcb.local_addresses) if room is None else room.changes.wanted()

    @property
    def places_for_changes(self) -> int:
        """How many more changes of our addresses may wait until the peer is asked for them."""
        return asconf.places(self.tcb)

    @property
    def has_changed_addresses(self) -> bool:
        """Whether the peer has added or deleted an address of ours since the setup."""
        room = asconf.find_room(self.tcb)
        return room is not None and room.has_changed

    def uses(self, local: bytes) -> bool:
        """Whether packets may leave from that address of ours, or come to it although it is being added or deleted."""
        tcb = self.tcb
        opening = tcb.opening
        if opening is not None and local in [candidate.source for candidate in opening.attempt.candidates]:
            return True
        if local in [path.local for path in tcb.paths]:
            return True
        room = asconf.find_room(tcb)
        return room is not None and room.changes.uses(local)

    # --- authentication (RFC 4895) ---

    @property
    def authenticates(self) -> bool:
        """Whether chunks can be authenticated: both sides offer it; before the peer answered, whether we do."""
        return self.tcb.capabilities & AUTHENTICATION != 0

    @property
    def peer_authenticated_chunks(self) -> list[int]:
        """The chunk types that the peer takes only if they are authenticated, in its order."""
        authentication = self.tcb.authentication
        if authentication is None:
            return []
        return [kind for kind in authentication.peer.chunk_types or b"" if kind in authentication.peer_demanded]

    @property
    def local_authenticated_chunks(self) -> list[int]:
        """The chunk types that we take only if they are authenticated."""
        authentication = self.tcb.authentication
        return list(
            self.tcb.config.demanded_chunks if authentication is None else authentication.local.chunk_types or b""
        )

    @property
    def hmac_algorithm(self) -> int:
        """The HMAC Identifier of what we send, of those that the peer takes; 0 without authentication."""
        return 0 if self.tcb.authentication is None else self.tcb.authentication.algorithm

    @property
    def shared_keys(self) -> SharedKeys:
        """A copy of its shared keys."""
        keys, config = self.tcb.keys, self.tcb.config
        return SharedKeys(config) if keys is None else keys.copy(config)

    def is_key_used(self, key_id: int) -> bool:
        """Whether a message has that key that waits to be sent, or to be acknowledged."""
        return auth.is_used(self.tcb, key_id)

    @property
    def active_key(self) -> int:
        """The identifier of the shared key that new messages, and control chunks, are authenticated with."""
        return self.tcb.config.first_key if self.tcb.keys is None else self.tcb.keys.active
