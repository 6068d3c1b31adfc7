"""An association on a socket of the kernel, as asyncio users see it: an ``Association`` like any other.

The kernel has the association, and its socket, which was peeled off, is this one's alone. The event loop tells when
there is something to read; it is asked about writing only while somebody waits for room. What the kernel does not count
or tell is -1 in ``PathInfo``, and raises EOPNOTSUPP where there is no number.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

from ...core.association.state import STATE_NAMES
from ...core.config import AssociationConfig
from ...core.stats import AssociationStats
from ...errors import AssociationAborted, AssociationClosed, AssociationLost
from ...kernel.socket import KernelSocket
from ...sockapi import constants as c
from ...sockapi import events as e
from ...sockapi import structs as s
from ...sockapi.addresses import check_port, pack_ip
from ...sockapi.ancillary import Item, from_policy
from ...sockapi.buffers import Data, to_bytes
from ...sockapi.failures import loss
from ...sockapi.not_now import NotNow
from ...sockapi.peer import Peer
from ...sockapi.receive import Message
from ...sockapi.send import Outgoing, Undelivered, parse_outgoing, parse_policy
from ...sockapi.status import PATH_STATES, AddressReport, PathInfo
from ..association import Association
from ..event_stream import EventStream
from ..waiting import Line
from .incoming import Incoming
from .keys import KernelKeys
from .told import ENDS, to_event, to_undelivered

if TYPE_CHECKING:
    from ..server import Server
    from .endpoint import KernelEndpoint

_AT_ONCE: Final = 64
"""Pieces that are read before others have their turn."""
_MILLISECONDS: Final = 1000
_log: Final = logging.getLogger("sctpx")
_STATES: Final = {
    c.SCTP_ACTIVE: PATH_STATES[0],
    c.SCTP_UNCONFIRMED: PATH_STATES[0],
    c.SCTP_PF: PATH_STATES[1],
    c.SCTP_INACTIVE: PATH_STATES[2],
}


@final
class KernelAssociation(KernelKeys, Association):
    """An association that the kernel carries."""

    __slots__ = (
        "_host",
        "_id",
        "_inbound",
        "_incoming",
        "_incoming_side",
        "_last",
        "_left",
        "_loop",
        "_outbound",
        "_reading",
        "_sock",
        "_writing",
    )

    def __init__(
        self,
        sock: KernelSocket,
        up: s.AssocChange,
        endpoint: KernelEndpoint,
        server: Server | None,
        unusable: tuple[AddressReport, ...] = (),
    ) -> None:
        """Begin with a socket that was peeled off, and the notification that the association is up."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._host = endpoint
        self._endpoint = endpoint
        self._id = up.sac_assoc_id
        self._outbound, self._inbound = up.sac_outbound_streams, up.sac_inbound_streams
        self._incoming_side = server is not None
        self._server = server
        self.close_timeout = endpoint.close_timeout
        self.on_event = endpoint.on_event
        self._unusable = unusable
        self._end = None
        self._peer_done = False
        self._shutting_down = False
        self._events = None
        self._readers, self._writers, self._watchers = Line(), Line(), Line()
        self._incoming = Incoming(sock)
        self._left: list[Undelivered] = []
        self._reading = self._writing = False
        self._last: dict[str, Any] = {}
        """What it was when it ended."""
        self._last = self._snapshot()
        if self.on_event is not None:
            self._want_dry()
        self._read_on()
        self._announce(e.CommunicationUp(self._incoming_side))

    # --- sending ---

    async def send(
        self,
        data: Data,
        *,
        stream: int = 0,
        ppid: int = 0,
        unordered: bool = False,
        immediate: bool = False,
        address: str | None = None,
        lifetime: float | None = None,
        retransmits: int | None = None,
        priority: int | None = None,
        key: int | None = None,
    ) -> None:
        """Send one message. Waits while the kernel's send buffer is full. Raises like ``Association.send``.

        Messages that were given up are among ``undelivered``.
        """
        data = to_bytes(data)
        policy, value = parse_policy(lifetime, retransmits, priority)
        prinfo = from_policy(policy, value)
        flags = (c.SCTP_UNORDERED if unordered else 0) | (c.SCTP_SACK_IMMEDIATELY if immediate else 0)
        peer: Peer | None = None
        if address is not None:
            flags |= c.SCTP_ADDR_OVER
            peer = self._peer(address)
        if self._writers:
            await self._writers.wait()
        try:
            while not self._try_to_send(data, stream, ppid, flags, peer, prinfo, key):
                self._write_on()
                await self._writers.wait()
        finally:
            self._next_writer()

    def _try_to_send(
        self,
        data: bytes,
        stream: int,
        ppid: int,
        flags: int,
        peer: Peer | None,
        prinfo: s.PrInfo | None,
        key: int | None = None,
    ) -> bool:
        """Whether the kernel took a message; there is no room for it otherwise."""
        if self._end is not None:
            self._raise_unsendable()
        if self._shutting_down or self._peer_done:
            raise BrokenPipeError(errno.EPIPE, "the association is shutting down")
        try:
            info = s.SndInfo(snd_sid=stream, snd_flags=flags, snd_ppid=ppid)
            items: list[Item] = [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info)]
            if prinfo is not None:
                items.append((c.IPPROTO_SCTP, c.SCTP_PRINFO, prinfo))
            if key is not None:
                items.append((c.IPPROTO_SCTP, c.SCTP_AUTHINFO, s.AuthInfo(auth_keynumber=key)))
            return not isinstance(self._sock.send_message(data, items, self._sock.prepare(items), peer), NotNow)
        except (AssociationAborted, AssociationLost):
            self._on_readable()  # Notifications tell more of the end.
            raise

    async def send_many(self, messages: Iterable[Outgoing]) -> int:
        """Send messages in order and say how many. Raises like ``Association.send_many``."""
        remaining: Iterator[Outgoing] = iter(messages)
        count = 0
        while True:
            if self._writers:
                await self._writers.wait()
            while self.send_space <= 0 and not self._sending_is_over:
                self._write_on()
                await self._writers.wait()
            message = next(remaining, None)
            if message is None:
                self._next_writer()
                return count
            data, stream, ppid, unordered = parse_outgoing(message)
            await self.send(data, stream=stream, ppid=ppid, unordered=unordered)
            count += 1

    def _next_writer(self) -> None:
        """Whoever had its turn has left the line: the next one tries."""
        self._writers.wake()

    def _write_on(self) -> None:
        if not self._writing and not self._sock.closed:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        self._write_no_more()
        self._writers.wake()

    def _write_no_more(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock.fileno())

    # --- receiving ---

    async def recv(self) -> Message:
        """The next message, or the next part of a large one (``Message.more``). Raises like ``Association.recv``."""
        found = await self._recv(1)
        if not found:
            raise AssociationClosed("the association has ended: there is nothing more to receive")
        return found[0]

    async def recv_many(self, limit: int = 0) -> list[Message]:
        """All messages that are ready, at most ``limit`` unless that is 0; waits for the first. ``[]`` at the end."""
        return await self._recv(limit)

    async def _recv(self, limit: int) -> list[Message]:
        messages = self._incoming.messages
        if self._readers or not messages:
            if self._readers:
                await self._readers.wait()
            while not messages and not self._receiving_is_over:
                await self._readers.wait()
        taken = self._incoming.take(limit)
        self._read_on()
        if self._readers and (messages or self._receiving_is_over):
            self._readers.wake()
        if not taken and not self._peer_done and isinstance(self._end, e.CommunicationLost):
            raise loss(self._end)
        return taken

    def _read_on(self) -> None:
        if not self._reading and self._end is None and not self._incoming.full:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._on_readable)

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        """The event loop: something is there to read."""
        before = len(self._incoming.messages)
        for _ in range(_AT_ONCE):
            if self._end is not None or self._incoming.full:
                break
            try:
                notice = self._incoming.read(self._host.config.receive_buffer)
            except BlockingIOError:
                break
            except OSError as error:
                silent = isinstance(error, AssociationLost)
                code = errno.ETIMEDOUT if silent else errno.ECONNRESET
                self._on_event(e.CommunicationLost(code, not silent, ()))
                break
            if self._incoming.over:
                self._on_event(e.ShutdownComplete())
            elif notice is not None:
                self._on_notice(notice)
        if self._incoming.full:
            self._read_no_more()
        if len(self._incoming.messages) != before:
            self._readers.wake()

    # --- what happens ---

    def _on_notice(self, notice: s.Notification) -> None:
        if isinstance(notice, s.SendFailedEvent):
            self._left.append(to_undelivered(notice))
            return
        event = to_event(notice)
        if isinstance(event, e.Restarted):
            left, self._left = tuple(self._left), []
            event = e.Restarted(left)
        if event is not None:
            self._on_event(event)

    def _on_event(self, event: e.Event) -> None:
        """Something happened to the association."""
        if isinstance(event, e.PeerShutdown):
            self._peer_done = True
        elif isinstance(event, e.Restarted):
            self._peer_done = False
        elif isinstance(event, e.PartialDeliveryAborted):
            self._incoming.forget_parts()
        elif isinstance(event, e.StreamsAdded):
            # Linux tells how many were added, RFC 6525 section 6.1.3 how many there are.
            with suppress(OSError):  # It has just ended: a notification tells how.
                status: s.Status = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_STATUS, s.Status())
                self._outbound, self._inbound = status.sstat_outstrms, status.sstat_instrms
            event = e.StreamsAdded(self._inbound, self._outbound, event.result)
        elif isinstance(event, ENDS):
            self._finish(event)
        if isinstance(event, (e.PeerShutdown, *ENDS)):
            for line in (self._readers, self._writers):
                line.wake()
        self._announce(event)

    def _finish(self, event: e.Event) -> None:
        """The association is over: its socket goes, and what was read stays."""
        if self._end is not None:
            return
        self._read_no_more()
        self._write_no_more()
        self._end = event
        self._sock.close()
        self._readers.wake()
        self._writers.wake()
        self._watchers.wake_all()
        if self._server is not None:
            self._server.on_association_ended(self)
        self._host.on_ended(self)

    def _announce(self, event: e.Event) -> None:
        if self._events is not None:
            self._events.push(event, self.ended)
        if self.on_event is not None:
            self._loop.call_soon(self.on_event, self, event)

    def _want_dry(self) -> None:
        """SenderDry costs a notification whenever everything was acknowledged: only who looks at events pays that."""
        asked = s.Event(se_type=c.SCTP_SENDER_DRY_EVENT, se_on=1)
        if not self._sock.closed:
            self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_EVENT, asked)

    @property
    def events(self) -> EventStream:
        """What happens from the first time this is asked for, as ``Association.events``."""
        if self._events is None:
            self._events = EventStream(self.ended)
            self._want_dry()
        return self._events

    # --- what it is ---

    def _snapshot(self) -> dict[str, Any]:
        """What the kernel knows of it now; once it is over, what it knew last."""
        if self._sock.closed:
            return self._last
        try:
            status = self._sock.status(0)
            self._last = {
                "status": status,
                "peer": self._sock.peer_addresses(0),
                "local": self._sock.local_addresses(self._id),
            }
        except OSError:  # It has just ended.
            pass
        return self._last

    @property
    def id(self) -> int:
        """The association identifier of the kernel, unique on this host."""
        return self._id

    @property
    def state(self) -> str:
        """The state by its RFC name; ``"CLOSED"`` once it is over."""
        if self._end is not None:
            return STATE_NAMES[0]
        status: s.Status = self._snapshot()["status"]
        return STATE_NAMES[status.sstat_state - 1]

    @property
    def incoming(self) -> bool:
        """Whether the peer initiated it."""
        return self._incoming_side

    @property
    def config(self) -> AssociationConfig:
        """What was asked of the kernel."""
        return self._host.config

    @property
    def port(self) -> int:
        """Our SCTP port."""
        return self._host.port

    @property
    def peer_port(self) -> int:
        """The peer's SCTP port."""
        return int(self._snapshot()["peer"][0][1])

    @property
    def local_addresses(self) -> list[str]:
        """Our IP addresses in the association."""
        return [address[0] for address in self._snapshot()["local"]]

    @property
    def peer_addresses(self) -> list[str]:
        """The peer's IP addresses."""
        return [address[0] for address in self._snapshot()["peer"]]

    @property
    def outbound_streams(self) -> int:
        """Streams we can send on."""
        return self._outbound

    @property
    def inbound_streams(self) -> int:
        """Streams the peer can send on."""
        return self._inbound

    @property
    def partial_reliability(self) -> bool:
        """Whether both sides can give messages up of which something was sent (RFC 3758)."""
        if not self._sock.closed:
            found: s.AssocValue = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_PR_SUPPORTED)
            self._last["partial_reliability"] = found.assoc_value != 0
        return bool(self._last.get("partial_reliability", False))

    @property
    def interleaving(self) -> bool:
        """Never: parts of messages are put together here as the kernel tells them without it."""
        return False

    @property
    def paths(self) -> list[PathInfo]:
        """What the kernel tells of the peer's addresses; what it does not tell is -1, and ``local`` is ``""``."""
        return [] if self._sock.closed else [self._path(address) for address in self._snapshot()["peer"]]

    def _path(self, address: Any) -> PathInfo:
        asked = s.PaddrInfo(spinfo_address=address)
        info: s.PaddrInfo = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, asked)
        return PathInfo(
            remote=address[0],
            local="",
            udp_port=self._sock.peer_udp_port,
            state=_STATES.get(info.spinfo_state, PATH_STATES[2]),
            primary=address[0] == self.primary,
            confirmed=info.spinfo_state != c.SCTP_UNCONFIRMED,
            srtt=info.spinfo_srtt / _MILLISECONDS if info.spinfo_srtt else None,
            rttvar=-1,
            rto=info.spinfo_rto / _MILLISECONDS,
            cwnd=info.spinfo_cwnd,
            ssthresh=-1,
            flight_size=-1,
            mtu=info.spinfo_mtu,
            error_count=-1,
            packets_sent=-1,
            bytes_sent=-1,
            heartbeats_sent=-1,
            chunks_retransmitted=-1,
        )

    @property
    def primary(self) -> str:
        """The peer's address that data goes to while its path is active."""
        status: s.Status = self._snapshot()["status"]
        address = status.sstat_primary.spinfo_address
        return "" if address is None else address[0]

    @property
    def stats(self) -> AssociationStats:
        """Those counters that the kernel has (SCTP_GET_ASSOC_STATS), as they are now. The others are 0."""
        if not self._sock.closed:
            found: s.AssocStats = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_GET_ASSOC_STATS)
            self._last["stats"] = found
        counted: s.AssocStats = self._last.get("stats", s.AssocStats())
        stats = AssociationStats()
        stats.packets_sent, stats.packets_received = counted.sas_opackets, counted.sas_ipackets
        stats.sacks_sent, stats.sacks_received = counted.sas_osacks, counted.sas_isacks
        stats.control_chunks_sent, stats.control_chunks_received = counted.sas_octrlchunks, counted.sas_ictrlchunks
        stats.chunks_retransmitted = counted.sas_rtxchunks
        stats.duplicate_tsns, stats.out_of_sequence_tsns = counted.sas_idupchunks, counted.sas_outofseqtsns
        stats.gap_sacks_received = counted.sas_gapcnt
        stats.unordered_sent = counted.sas_ouodchunks
        return stats

    @property
    def report(self) -> tuple[AddressReport, ...]:
        """Names that did not resolve: what each address answered the kernel does not tell."""
        return self._unusable

    @property
    def readable(self) -> int:
        """Messages that ``recv`` gives without waiting."""
        return len(self._incoming.messages)

    @property
    def send_space(self) -> int:
        """1 if the kernel has room for a message, 0 or less if ``send`` would wait: it does not tell how much."""
        return int(not self._sock.closed and self._sock.has_room())

    def undelivered(self) -> list[Undelivered]:
        """After a failure, what did not reach the peer for certain."""
        return list(self._left)

    # --- paths ---

    def _peer(self, address: str) -> Peer:
        port = check_port(self.peer_port, "SCTP port")
        return Peer([self._host.resolved(address, port)], self._sock.peer_udp_port)

    def set_primary(self, address: str) -> None:
        """Send data to this address of the peer. ``OSError``: EINVAL (it is none, or not confirmed), ENOTCONN."""
        self._check_open()
        wanted = s.SetPrim(ssp_addr=(address, self.peer_port))
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, wanted)

    def heartbeat(self, address: str) -> None:
        """Send a HEARTBEAT to this address of the peer now. ``OSError``: EINVAL (it is none), ENOTCONN."""
        self._check_open()
        wanted = s.PaddrParams(spp_address=(address, self.peer_port), spp_flags=c.SPP_HB_DEMAND)
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS, wanted)

    def set_stream_value(self, stream: int, value: int) -> None:
        """The priority of a stream for the kernel's scheduler. ``OSError``: EINVAL (no such stream), ENOTCONN."""
        self._check_open()
        wanted = s.StreamValue(stream_id=stream, stream_value=value)
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_STREAM_SCHEDULER_VALUE, wanted)

    def reset_streams(self, streams: Iterable[int] = (), *, outgoing: bool = True, incoming: bool = False) -> None:
        """Ask for a reset of streams. ``OSError`` as the kernel has it: EAGAIN while data of these streams waits."""
        self._check_open()
        flags = c.SCTP_STREAM_RESET_OUTGOING if outgoing else 0
        flags |= c.SCTP_STREAM_RESET_INCOMING if incoming else 0
        wanted = s.ResetStreams(srs_flags=flags, srs_stream_list=tuple(streams))
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_RESET_STREAMS, wanted)

    def reset_association(self) -> None:
        """Ask for a reset of all SSNs and TSNs. ``OSError`` as the kernel has it."""
        self._check_open()
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_RESET_ASSOC, s.AssocValue())

    def add_streams(self, *, outgoing: int = 0, incoming: int = 0) -> None:
        """Ask for more streams. ``OSError`` as the kernel has it."""
        self._check_open()
        wanted = s.AddStreams(sas_outstrms=outgoing, sas_instrms=incoming)
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_ADD_STREAMS, wanted)

    def add_address(self, address: str) -> None:
        """Have one more address of this host, and the peer told. ``OSError`` as the kernel has it."""
        self._check_open()
        self._sock.bindx([pack_ip(address)], [0], c.SCTP_BINDX_ADD_ADDR)

    def remove_address(self, address: str) -> None:
        """Have the peer send to this address no more. ``OSError`` as the kernel has it."""
        self._check_open()
        self._sock.bindx([pack_ip(address)], [0], c.SCTP_BINDX_REM_ADDR)

    def set_peer_primary(self, address: str) -> None:
        """Ask the peer to send to this address of ours. ``OSError`` as the kernel has it."""
        self._check_open()
        wanted = s.SetPeerPrim(sspp_addr=(address, self.port))
        self._sock.set_option(c.IPPROTO_SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR, wanted)

    @property
    def address_reconfigurable(self) -> bool:
        """Whether the kernel and the peer have agreed on RFC 5061."""
        found = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_ASCONF_SUPPORTED, s.AssocValue())
        return isinstance(found, s.AssocValue) and found.assoc_value != 0

    @property
    def reconfigurable(self) -> bool:
        """Whether the kernel and the peer have agreed on RFC 6525."""
        found = self._sock.get_option(c.IPPROTO_SCTP, c.SCTP_RECONFIG_SUPPORTED, s.AssocValue())
        return isinstance(found, s.AssocValue) and found.assoc_value != 0

    def _check_open(self) -> None:
        if self._end is not None:
            raise OSError(errno.ENOTCONN, "the association is over")

    # --- the end ---

    def _request_shutdown(self) -> None:
        if self._end is None and not self._shutting_down:
            self._shutting_down = True
            with suppress(OSError):  # It has just ended: a notification tells how.
                self._sock.shutdown(read=False, write=True)
            self._writers.wake()

    def abort(self, reason: str | bytes = b"") -> None:
        """End at once; the peer's user is told the reason. Nothing if it is over already."""
        if self._end is not None:
            return
        data = reason.encode() if isinstance(reason, str) else bytes(reason)
        self._sock.abort(data)
        self._on_event(e.CommunicationLost(errno.ECONNABORTED, False, ()))

    def _tell_loss(self, reason: str) -> None:
        _log.warning("the association with %s was aborted: %s", ", ".join(self.peer_addresses), reason)

    def abandon(self) -> None:
        """The endpoint: this is the child of a fork, and the association is the parent's. Here it is over."""
        if self._end is None:
            self._end = e.CommunicationLost(errno.ECONNABORTED, False, ())
