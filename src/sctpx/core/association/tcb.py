"""The Transmission Control Block: the state of one association (RFC 9260 section 14.2), and no logic.

Handlers of this package work on it: ``inbound``, ``handshake``, ``restart``, ``transfer``, ``shutdown``,
``reachability``; ``outbound`` turns what they leave here into packets.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from ...wire.auth import AuthParameters
from ...wire.checksum import NO_CHECKSUM, crc32c, header_checksum
from ...wire.codes import (
    CHUNK_ASCONF_ACK,
    CHUNK_COOKIE_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    COMMON_HEADER,
)
from ...wire.framing import DATA_FRAMING, I_DATA_FRAMING
from ...wire.packet import prefix
from ...wire.seal import AuthSeal, Seal
from ...wire.setup import MINIMUM_RWND
from ..authentication import Authentication
from ..capabilities import AUTHENTICATION, INTERLEAVING, SENDS_ZERO_CHECKSUM, TAKES_ZERO_CHECKSUM, authenticated
from ..config import AssociationConfig
from ..entropy import RandomBytes
from ..events import CHANGE_PRIMARY, CHANGE_STATE, Event, PathChange
from ..extension import Extension
from ..ip import choose_source
from ..local_side import LocalSide
from ..path import failover
from ..path.path import Path, flowinfo
from ..path.states import PATH_INACTIVE
from ..rx.deferred import Deferred
from ..rx.interleaved import Interleaved
from ..rx.reassembly import Reassembly
from ..rx.sack_policy import SackPolicy
from ..rx.streams import Streams
from ..rx.tsn_map import TsnMap
from ..rx.window import Window
from ..shared_keys import SharedKeys
from ..stats import AssociationStats
from ..timers import NEVER
from ..tx.outstanding import Outstanding
from ..tx.schedule import Keyed
from ..tx.send_queue import SendQueue
from .answering import Answering
from .closing import Closing
from .connect import AddressReport
from .identity import Identity
from .opening import Opening
from .probe import Probe
from .state import CLOSED, COOKIE_ECHOED, is_legal
from .tail_probe import TailProbe

# What may go to an address that is not confirmed (section 5.4). The setup chunks have a HEARTBEAT beside them.
# An ASCONF-ACK answers what came from there (RFC 5061 section 5.3, F1).
_TO_UNCONFIRMED: Final = (
    CHUNK_HEARTBEAT,
    CHUNK_HEARTBEAT_ACK,
    CHUNK_COOKIE_ECHO,
    CHUNK_COOKIE_ACK,
    CHUNK_ASCONF_ACK,
)
# Control chunks that may wait to be sent, for answers to be added: the peer may be faster than the link.
MAX_CONTROL: Final = 256


Reply = tuple[int, bytes, Path | None]
"""(tag, chunk, where it goes; None for where the packet being processed came from)."""


_NO_SEAL: Final = Seal(bytes(8))


@final
class Tcb:
    """Everything one association knows."""

    __slots__ = (
        "answering",
        "association",
        "authentication",
        "buffered",
        "burst",
        "capabilities",
        "closing",
        "config",
        "control",
        "data_path",
        "deferred",
        "endpoint",
        "error_count",
        "events",
        "extensions",
        "fast_retransmit_now",
        "former",
        "former_tsn",
        "framing",
        "heartbeat_burst",
        "heartbeat_window",
        "inbound_streams",
        "incoming",
        "initial_tsn",
        "keyed",
        "keys",
        "local_addresses",
        "local_port",
        "local_tag",
        "local_tie_tag",
        "moved",
        "no_repeat_until",
        "opening",
        "outbound_streams",
        "outstanding",
        "packet_limit",
        "paths",
        "peer_adaptation",
        "peer_former_tsn",
        "peer_initial_tsn",
        "peer_port",
        "peer_prefix",
        "peer_rwnd",
        "peer_seed",
        "peer_tag",
        "peer_tie_tag",
        "peer_window",
        "preferred_primary",
        "primary",
        "probe",
        "random_bytes",
        "readable_told",
        "reassembly",
        "repeat_room",
        "replies",
        "report",
        "rules",
        "sack_chunks",
        "sack_local",
        "sack_path",
        "sack_policy",
        "seal",
        "send_queue",
        "shutdown_requested",
        "sources",
        "state",
        "stats",
        "stream_values",
        "tail_probe",
        "takes_short_way",
        "tsn_map",
        "wants_writable",
        "was_dry",
        "window",
    )

    def __init__(
        self,
        association: Identity,
        endpoint: LocalSide,
        config: AssociationConfig,
        random_bytes: RandomBytes,
        events: deque[Event],
        replies: list[Reply],
        local_addresses: list[bytes],
        peer_port: int,
        local_tag: int,
        initial_tsn: int,
    ) -> None:
        self.association = association
        """The name of this association, for events."""
        self.endpoint = endpoint
        """What it knows of its SCTP port."""
        self.config = config
        """What the user asked for. ``configure`` sets it."""
        self.rules = rules = config.rules
        """The same, as the core counts."""
        self.random_bytes = random_bytes
        self.events = events
        """The stack's events, shared."""
        self.replies = replies
        """Packets to be sent that are not this association's. Shared."""
        self.stats = AssociationStats()
        self.state: int = CLOSED
        self.incoming = False

        # Identity (section 14.2).
        self.local_port = endpoint.port
        self.peer_port = peer_port
        self.local_tag = local_tag
        """My Verification Tag."""
        self.peer_tag = 0
        self.local_tie_tag = 0
        self.peer_tie_tag = 0
        self.seal = _NO_SEAL
        """Makes the packets that we send final; the peer's tag has to be known."""
        self.peer_prefix = prefix(peer_port, endpoint.port, local_tag)
        """Ports and tag of the packets we receive, and the CRC of that header: ``NO_CHECKSUM`` if they have none."""
        self.peer_seed = header_checksum(self.peer_prefix)
        self.initial_tsn = initial_tsn
        self.peer_initial_tsn = 0
        self.outbound_streams = rules.streams
        self.inbound_streams = rules.max_inbound_streams
        self.capabilities = 0
        """What both sides can do beyond RFC 9260 (``core.capabilities``); before the peer answered, what we can do."""
        self.peer_adaptation = -1
        """The peer's Adaptation Layer Indication (RFC 5061 section 4.2.6); -1 for none."""

        self.keys = SharedKeys(config) if rules.capabilities & AUTHENTICATION else None
        """The shared keys, if chunks may be authenticated (RFC 4895)."""
        self.authentication: Authentication | None = None
        """What both sides have agreed on of that."""
        self.keyed: Keyed | None = None
        """The keys of messages that wait, if user data is sent authenticated."""

        self.framing = DATA_FRAMING
        """How user data is put into chunks, both ways."""
        self.stream_values = dict(config.stream_values)
        """Priorities or weights of streams, for the scheduler (RFC 8260 section 4.3.3)."""

        # Paths.
        self.moved = True
        """Tag or addresses changed: the stack has to index the association again."""
        self.local_addresses = local_addresses
        """Our addresses that the peer knows, to send from; until that is settled, those of the endpoint."""
        self.former: dict[bytes, int] = {}
        """Addresses of ours that the peer has deleted, the last ones (RFC 5061): until when what comes there counts."""
        self.packet_limit = 0
        """The largest packet that fits all paths, bytes (section 7.3, AMDCS), without what ``seal`` adds to it."""
        self.paths: list[Path] = []
        self.primary: Path | None = None
        self.preferred_primary: Path | None = None
        """The caller's first address, if another one won the race (CX10)."""
        self.data_path: Path | None = None
        """Where data went last."""
        self.error_count = 0
        """Consecutive retransmissions over all paths (section 8.1)."""
        self.heartbeat_window = 0
        """HB.Max.Burst: until when it counts, and how many HEARTBEATs it saw."""
        self.heartbeat_burst = 0

        # Phases.
        self.opening: Opening | None = None
        """While this side sets the association up."""
        self.closing: Closing | None = None
        """While the association ends."""
        self.report: list[AddressReport] = []
        """What each address answered when the association was set up."""
        self.extensions: list[Extension] = []
        """Those that both sides have agreed on."""

        # Sending.
        self.send_queue = SendQueue(self.framing, config.scheduler, self.stream_values)
        self.outstanding = Outstanding(initial_tsn, by_time=rules.by_time)
        self.former_tsn = -1
        """The last of our TSNs before they were reset, 32 bits (RFC 6525); below 0 if they never were."""
        self.peer_rwnd = 0
        """rwnd: what the peer has room for beyond what is in flight (section 6.2.1)."""
        self.peer_window = 0
        """The a_rwnd of the peer's INIT or INIT ACK: its receive buffer."""
        self.buffered = 0
        """Bytes of the send buffer that are taken, by messages accepted and not yet acknowledged for good."""
        self.wants_writable = False
        self.was_dry = True
        self.burst = 0
        """Packets that new data may still fill in this round (section 6.1 D)."""
        self.fast_retransmit_now = False
        """The next retransmission leaves whatever cwnd says (sections 6.3.3 E3 and 7.2.4, 3)."""
        self.probe: Probe | None = None
        """While the peer's window has no room."""
        self.tail_probe: TailProbe | None = None
        """A tail loss probe that is owed, or was sent and not yet understood (RFC 8985)."""
        self.no_repeat_until = 0
        """Until then, a window that opens does not have all go again that the peer had no room for."""
        self.repeat_room = -1
        """Bytes of marked chunks that may leave before more is acknowledged; below 0 for any number."""

        # Receiving.
        self.tsn_map = TsnMap(0)
        self.window = Window(rules.receive_buffer, rules.usual_mtu)
        self.sack_policy = SackPolicy(rules.sack_delay, rules.stretch_sack)
        self.reassembly: Streams = Reassembly(rules.partial_limit)
        self.peer_former_tsn = -1
        """The last of the peer's TSNs before they were reset, 32 bits (RFC 6525); below 0 if they never were."""
        self.deferred: Deferred | None = None
        """Data that waits for a reset of its stream (RFC 6525). ``defer`` sets it."""
        self.takes_short_way = True
        """Whether packets of DATA or SACKs alone are taken the short way: nothing is deferred, and none of these has to
        be authenticated."""
        self.readable_told = False
        self.sack_chunks: list[bytes] = []
        """SACKs that are owed, in order."""
        self.sack_path: Path | None = None
        """Where the last DATA came from (section 6.7)."""
        self.sack_local = b""
        """Our address that the last DATA came to: it works, whatever became of the others."""

        self.sources: list[tuple[int, bytes]] = []
        """Where messages came from: (the first one's position, counted in ``stats.messages_received``, address)."""

        self.answering = Answering()
        """The packet being processed."""

        # Control chunks that wait to be sent: (path, chunk, our address).
        self.control: list[tuple[Path, bytes, bytes]] = []
        self.shutdown_requested = False
        """A graceful end, by the user, whatever the state was."""

    def configure(self, config: AssociationConfig) -> None:
        """What is looked at when it is needed is as ``config`` says from now on; ``settings`` does the rest."""
        self.config = config
        self.rules = config.rules

    def transition(self, state: int) -> None:
        """The one writer of ``state``."""
        if not is_legal(self.state, state):
            raise AssertionError(f"illegal transition from {self.state} to {state}")
        self.state = state

    def set_peer_tag(self, tag: int) -> None:
        """The peer's Verification Tag is known."""
        self.peer_tag = tag
        self._make_seal(self.seal.checked)

    def _make_seal(self, checked: bool) -> None:
        start = prefix(self.local_port, self.peer_port, self.peer_tag)
        authentication = self.authentication
        if authentication is None:
            self.seal = Seal(start, checked)
        else:
            key = authentication.sending_key(authentication.keys.active)
            # Extensions whose chunks are always authenticated do not rely on the peer's list.
            always = frozenset(authenticated(self.capabilities))
            self.seal = AuthSeal(start, checked, authentication.peer_demanded | always, key)

    def agree(self, capabilities: int, local: AuthParameters | None, peer: AuthParameters | None) -> None:
        """What both sides can do is known; no user data was sent or received yet.

        ``local`` and ``peer`` are what they have said of authentication.
        """
        self.capabilities = capabilities
        self.authentication = None
        if capabilities & AUTHENTICATION and local is not None and peer is not None:
            self.keys = self.keys or SharedKeys(self.config)
            self.authentication = Authentication(self.keys, local, peer)
        checked = capabilities & SENDS_ZERO_CHECKSUM == 0
        # In a collision a peer may take back what its INIT ACK has said.
        authenticates = self.authentication is not None or isinstance(self.seal, AuthSeal)
        if checked is not self.seal.checked:
            self.peer_seed = header_checksum(self.peer_prefix) if checked else NO_CHECKSUM
            self._make_seal(checked)
        elif authenticates:
            self._make_seal(checked)
        if authenticates:
            self.defer(self.deferred)
            self.limit_packets()
        interleaves = capabilities & INTERLEAVING != 0
        if interleaves is self.framing.interleaves:
            self._key_messages()
            return
        self.framing = I_DATA_FRAMING if interleaves else DATA_FRAMING
        self._begin_queues(self.initial_tsn)

    def use_keys(self) -> None:
        """The active key is another one now: for control chunks, and for messages that are handed over from now on."""
        if self.authentication is not None:
            self._make_seal(self.seal.checked)
        if self.keyed is not None and self.keys is not None:
            self.keyed.active = self.keys.active

    def _key_messages(self) -> None:
        """If user data is sent authenticated, each message has a key."""
        authentication = self.authentication
        if authentication is not None and authentication.covers_data:
            self.keyed = self.send_queue.authenticate(authentication.keys.active)
        else:
            self.keyed = None
            self.send_queue.forget_keys()

    def defer(self, deferred: Deferred | None) -> None:
        """Data waits for a reset of its stream from now on, or does not any more."""
        self.deferred = deferred
        guarded = self.authentication is not None and self.authentication.guards_data
        self.takes_short_way = deferred is None and not guarded

    def takes(self, body: bytes, checksum: int) -> bool:
        """Whether a packet with our tag, this checksum and these chunks is intact (RFC 9260 section 6.8).

        Without a checksum it is, if we have said that we take such packets (RFC 9653 section 5.3): what carries them
        has checked it.
        """
        if not checksum and self.capabilities & TAKES_ZERO_CHECKSUM:
            return True
        return checksum == crc32c(body, header_checksum(self.peer_prefix))

    def forget_data(self) -> None:
        """Give up what was to be sent and what has arrived: nothing of it can be relied on."""
        self._begin_queues(self.outstanding.cumulative_tsn_ack_point + 1)
        self.buffered = 0

    def _begin_queues(self, initial_tsn: int) -> None:
        config, rules = self.config, self.rules
        self.send_queue = SendQueue(self.framing, config.scheduler, self.stream_values)
        self.outstanding = Outstanding(initial_tsn, self.framing.header, rules.by_time)
        self.tail_probe = None
        if self.framing.interleaves:
            self.reassembly = Interleaved(rules.partial_limit, rules.hold_limit)
        else:
            self.reassembly = Reassembly(rules.partial_limit)
        self._key_messages()
        self.limit_packets()

    def add_path(self, remote: bytes, local: bytes, encaps_port: int) -> Path:
        """A new destination address."""
        used = [path.local for path in self.paths]
        local = local or choose_source(self.local_addresses, remote, used)
        side = self.endpoint
        path = Path(remote, local, encaps_port, self.rules, side.link_mtu(remote, local), side.forbids_fragments)
        self.paths.append(path)
        self.limit_packets()
        self.moved = True
        return path

    def learn_port(self, path: Path, port: int) -> None:
        """The peer's UDP encapsulation port at this address is ``port`` now (RFC 6951 sections 5.4 and 5.6)."""
        path.set_encapsulation(port)
        self.limit_packets()

    def limit_packets(self) -> None:
        """The largest packet follows from the paths, the peer's buffer and the user's wish (RFC 6458 section 8.1.16).

        A packet larger than the peer's buffer would wait for a window that never opens as far as that.
        """
        # "the smallest PMDCS discovered for all of the peer's destination addresses" (section 7.3): those of which
        # nothing was discovered yet, such as addresses that do not answer, make no packet smaller.
        least = least_sized = NEVER
        for path in self.paths:
            least = min(least, path.mtu)
            if path.sized:
                least_sized = min(least_sized, path.mtu)
        limit = (least if least_sized == NEVER else least_sized) - self.seal.reserve
        if self.peer_window:
            limit = min(limit, max(self.peer_window // 2, MINIMUM_RWND) & ~3)
        if self.rules.max_segment:
            limit = min(limit, self.rules.max_segment + COMMON_HEADER + self.framing.header & ~3)
        self.packet_limit = limit if self.paths else 0

    @property
    def largest_payload(self) -> int:
        """User data that fits into a packet of ``packet_limit`` bytes."""
        return self.packet_limit - COMMON_HEADER - self.framing.header

    def remotes(self) -> list[bytes]:
        """The peer's addresses; before it has told them, those that it is asked at."""
        if not self.paths and self.opening is not None:
            return [candidate.ip for candidate in self.opening.attempt.candidates]
        return [path.remote for path in self.paths]

    def find_path(self, remote: bytes) -> Path | None:
        """The path to that address of the peer."""
        for path in self.paths:
            if path.remote == remote:
                return path
        return None

    @property
    def own_addresses(self) -> list[bytes]:
        """Its source addresses; without any the wildcards of the families that the endpoint keeps to."""
        return self.local_addresses or self.endpoint.wildcards

    def flowinfo_to(self, remote: bytes) -> int:
        """How packets to that address are marked, whether it is a path already or not; see ``Transmit``."""
        path = self.find_path(remote)
        return flowinfo(self.rules.dscp, self.rules.flow_label, remote) if path is None else path.flowinfo

    def send_control(self, path: Path, chunk: bytes, local: bytes = b"", first: bool = False) -> None:
        """A control chunk leaves for ``path``, from ``local`` if that is given and not from the path's own source."""
        if path.cut_off and not local:
            return
        if path.confirmed or chunk[0] in _TO_UNCONFIRMED:  # Else no address is confirmed, and none gets it.
            self.control.insert(0 if first else len(self.control), (path, chunk, local or path.local))

    def begin_packet(self, path: Path) -> None:
        """A packet from ``path`` is processed now."""
        packet = self.answering
        packet.path = path
        packet.answered_to = None
        packet.room = path.mtu - COMMON_HEADER
        packet.verdict = -1
        packet.first_answer = len(self.control)

    def discard_packet(self) -> None:
        """The packet being processed is silently discarded after all: nothing is answered to it."""
        self.stats.packets_discarded += 1
        del self.control[self.answering.first_answer :]

    def respond(self, chunks: bytes, first: bool = False) -> Path:
        """Answer the packet being processed; returns where to: where it came from (section 6.4), if that may be (5.4).

        All answers to one packet leave in one (section 12.4): what does not fit or has to go elsewhere is dropped.
        """
        packet = self.answering
        path = packet.path
        assert path is not None  # There is a packet.
        local = packet.local
        if not path.confirmed and chunks[0] not in _TO_UNCONFIRMED:
            path = self.data_destination()
            local = b""
        fits = len(chunks) <= packet.room - self.seal.overhead and len(self.control) < MAX_CONTROL
        if fits and packet.answered_to in (None, path):
            packet.answered_to = path
            packet.room -= len(chunks)
            self.send_control(path, chunks, local, first)
        else:
            self.stats.packets_discarded += 1
        return path

    def reply(self, tag: int, chunk: bytes) -> None:
        """Answer the packet being processed with one that is not this association's, if it had no answer yet."""
        if self.answering.answered_to is None and self.answering.room:
            self.answering.room = 0
            self.replies.append((tag, chunk, None))

    def tell_state(self, path: Path, error: int = 0) -> None:
        """The state of ``path`` changed; ``error`` is an errno if the network said why."""
        if path is self.preferred_primary and path.state == PATH_INACTIVE:
            self.preferred_primary = None  # It failed since: the caller's wish has lapsed (CX10).
        if self.state != COOKIE_ECHOED:  # Before it is up, there is nobody to tell.
            told = path.told_state
            path.told_state = path.state
            self.events.append(PathChange(self.association, path.remote, CHANGE_STATE, path.state, error, told))

    def count_error(self, path: Path, error: int = 0) -> None:
        """Something was not answered on ``path``; ``error`` is an errno if the network said why. What it changes
        follows: the state of the path, and the primary path.
        """
        if failover.on_timeout(path):
            self.tell_state(path, error)
        self.leave_failed_primary()

    def leave_failed_primary(self) -> None:
        """A primary path with more errors than PSMR gives way to the one that carries the data (RFC 7829 section 5).

        To be asked whenever its errors grow, and whenever another path becomes one for data: there may have been none.
        """
        primary = self.primary
        if primary is None or primary.error_count <= primary.primary_switchover_max_retrans:
            return
        if self.state not in (COOKIE_ECHOED, CLOSED):  # Before it is up, there is nobody to tell.
            self.set_primary(self.data_destination())

    def set_primary(self, path: Path) -> None:
        """New data goes to ``path`` from now on (section 6.4)."""
        self.preferred_primary = None
        if path is not self.primary:
            self.primary = path
            self.events.append(PathChange(self.association, path.remote, CHANGE_PRIMARY, path.state))

    def data_destination(self, avoid: Path | None = None) -> Path:
        """Where data goes by default: the primary path or what stands in for it."""
        assert self.primary is not None  # Every association has one from its first path on.
        return failover.select(self.paths, self.primary, avoid)
