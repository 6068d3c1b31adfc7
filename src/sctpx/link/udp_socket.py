"""One UDP socket of a link: one local address, one port.

It owns the socket options, the conversion between packed addresses and the socket module's, and the system calls.
Which packets to send together, and what an error means for them, is the link's business.

``receive`` and ``send`` run once per batch of up to 44 packets and are written for that: bound methods are kept,
conversions of addresses and control messages are remembered in dictionaries of bounded size. A peer can make them
forget (by sending from many addresses), not make them grow.

An ICMP error shows in two ways: it is queued with the packet that drew it, and it fails one later call on the socket,
whatever that call was about. A call that fails so, and a wake-up that brings no datagram, are the signs that the
queue holds something; without a sign ``receive_errors`` makes no system call. The entry stays in the system's queue
until then, so that the socket stays readable and the driver comes for it.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias, final

from ..core.outputs import FLOW_LABEL, FRAGMENTS
from .addresses import SocketAddress, family_of, packed_address, socket_address
from .base import QUEUE_FULL, Received, ReturnedPacket
from .buffers import enlarge_buffers
from .capabilities import SOL_UDP, UDP_GRO, Capabilities, set_fragmentation
from .error_queue import IP_RECVERR, IPV6_RECVERR, read_error_queue
from .interfaces import address_mtu
from .marks import TRAFFIC_CLASS, ancillary, lease_flow_label
from .remembered import Remembered

_DATAGRAM_LIMIT: Final = 65535
_ANCILLARY_LIMIT: Final = 128
_ERRORS_AT_ONCE: Final = 64

# linux/in.h, linux/in6.h
_IP_RECVTOS: Final = 13
_IPV6_RECVTCLASS: Final = 66

GSO_REFUSALS: Final = frozenset((errno.EIO, errno.EINVAL, errno.EMSGSIZE))
"""A GSO send refused as such: the route cannot (EIO), or the packets do not fit the interface (EINVAL, EMSGSIZE)."""
_DATAGRAMS_PER_BATCH: Final = 8
"""Single datagrams that count as much as one batch that the system merged."""
_SMALLEST_PACKET: Final = 12
"""What is shorter than an SCTP common header is not merged: it has no place among packets."""

_Ancillary: TypeAlias = Iterable[tuple[int, int, bytes]]


@final
class UdpSocket:
    """A UDP socket bound to one local address."""

    __slots__ = (
        "_ancillary",
        "_destinations",
        "_df",
        "_error_queue",
        "_errors_waiting",
        "_gave_one",
        "_max_packet",
        "_peers",
        "_recvmsg",
        "_sendmsg",
        "_sendto",
        "_unlabelled",
        "address",
        "fragments",
        "port",
        "socket",
    )

    def __init__(self, ip: bytes, port: int, capabilities: Capabilities, bound: socket.socket | None = None) -> None:
        """Bind to ``port`` (0: any) on ``ip``, or take a socket that is ``bound``. ``OSError`` as ``bind`` says."""
        self.address = ip
        # Now, as a program opens its links when nothing is under way: the first time takes some milliseconds.
        self._max_packet = address_mtu(ip)
        self.socket = bound_socket(ip, port, capabilities) if bound is None else bound
        """The socket itself, for an event loop that receives by its own means; see ``received``."""
        self.port: int = self.socket.getsockname()[1]
        self.fragments = FRAGMENTS
        """How IP may fragment what is sent: see ``Transmit``."""
        self._df = capabilities.df
        self._error_queue = capabilities.error_queue
        self._errors_waiting = False
        self._gave_one = False
        self._unlabelled = False  # The system refuses flow labels here.
        self._sendto = self.socket.sendto
        self._sendmsg: Callable[..., int]
        self._recvmsg: Callable[[int, int], tuple[bytes, _Ancillary, int, Any]] = self._recvfrom
        calls: Any = self.socket  # as typed for Windows it has neither recvmsg nor sendmsg
        if capabilities.messages:
            self._sendmsg = calls.sendmsg
        if capabilities.gro:
            self._recvmsg = calls.recvmsg
        self._peers: Remembered[SocketAddress, tuple[bytes, int]] = Remembered()
        self._destinations: Remembered[tuple[bytes, int], SocketAddress] = Remembered()
        self._ancillary: Remembered[tuple[int, int], list[tuple[int, int, bytes]]] = Remembered()

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close the socket. Closing twice does nothing."""
        self.socket.close()

    def read_ecn(self) -> None:
        """Read the ECN bits of what arrives from now on."""
        calls: Any = self.socket
        wide = self.socket.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if wide else socket.IPPROTO_IP
        with suppress(OSError):
            self.socket.setsockopt(level, _IPV6_RECVTCLASS if wide else _IP_RECVTOS, 1)
        self._recvmsg = calls.recvmsg

    def let_fragment(self, fragments: int) -> None:
        """Let IP fragment so what is sent from now on, if the system can."""
        self.fragments = fragments
        if self._df:
            set_fragmentation(self.socket, fragments)

    def max_packet(self, anew: bool = False) -> int:
        """The largest IP packet to send from here, bytes: the interface's MTU as first seen, or as it is (``anew``)."""
        if anew:
            self._max_packet = address_mtu(self.address)
        return self._max_packet

    # --- receiving ---

    def receive(self, budget: int) -> list[Received]:
        """At most ``budget`` batches; asked for one, a single datagram. Never raises.

        What the system did not merge is merged here, when it has one size and comes from one source, as the packets of
        a bulk transfer do: a batch costs the core little more than a packet. Hot: earns its length in the rows of
        ``make bench`` without offload and with loss.
        """
        batches: list[Received] = []
        run: list[bytes] = []
        size = 0
        origin: SocketAddress | None = None
        left = budget * _DATAGRAMS_PER_BATCH if budget > 1 else 1
        recvmsg = self._recvmsg
        while left > 0:
            try:
                data, ancillary, _flags, source = recvmsg(_DATAGRAM_LIMIT, _ANCILLARY_LIMIT)
            except BlockingIOError:
                if not batches and not run and not self._gave_one:
                    self._errors_waiting = self._error_queue
                break
            except OSError:
                self._errors_waiting = self._error_queue
                left -= _DATAGRAMS_PER_BATCH
                continue
            left -= _DATAGRAMS_PER_BATCH if ancillary else 1
            if not data:
                continue
            if run and (
                ancillary or source != origin or not _SMALLEST_PACKET <= len(data) <= size or len(run[-1]) < size
            ):
                batches.append(self._joined(run, origin))
                run = []
            if ancillary:
                batches.append(self.received(data, source, ancillary))
                continue
            if not run:
                size = len(data)
                origin = source
            run.append(data)
        if run:
            batches.append(self._joined(run, origin))
        self._gave_one = budget == 1 and bool(batches)
        return batches

    def _joined(self, run: list[bytes], source: Any) -> Received:
        """Datagrams of one size, but for the last, as one batch."""
        ip, port = self._peers.get(source) or self._learn(source)
        return self.address, ip, port, b"".join(run) if len(run) > 1 else run[0], len(run[0]), 0

    def received(self, data: bytes, source: SocketAddress, ancillary: _Ancillary = ()) -> Received:
        """A datagram from ``source``, in the core's terms."""
        segment = len(data)
        ecn = 0
        for level, kind, value in ancillary:
            if level == SOL_UDP and kind == UDP_GRO:
                segment = int.from_bytes(value, sys.byteorder)
            elif (level, kind) in TRAFFIC_CLASS:
                ecn = int.from_bytes(value, sys.byteorder) & 3
        peer = self._peers.get(source) or self._learn(source)
        return self.address, peer[0], peer[1], data, segment, ecn

    def receive_errors(self) -> list[ReturnedPacket]:
        """The ICMP errors queued for packets sent from here. Never raises."""
        if not self._errors_waiting:
            return []
        entries = read_error_queue(self.socket, _ERRORS_AT_ONCE)
        self._errors_waiting = len(entries) == _ERRORS_AT_ONCE
        return [(e.remote, e.port, e.error, e.payload, e.mtu) for e in entries if e.concerns_destination]

    # --- sending ---

    def destination(self, remote: bytes, port: int) -> SocketAddress:
        """Where to send for a packed address of this socket's family and a UDP port."""
        return self._destinations.get((remote, port)) or self._new_destination(remote, port)

    def send_packets(self, data: bytes, segment: int, start: int, destination: SocketAddress) -> int:
        """Send packets ``segment`` bytes apart, one by one, until one is refused: the offset of that, or of the end.

        Hot: earns its keep in the rows of ``make bench`` without segmentation offload.
        """
        sendto = self._sendto
        try:
            for offset in range(start, len(data), segment):
                sendto(data[offset : offset + segment], destination)
        except OSError:
            return offset
        return len(data)

    def send(self, piece: bytes, segment: int, flowinfo: int, destination: SocketAddress) -> int:
        """Send one packet, or with ``segment`` > 0 a piece the system cuts into packets. 0, or the errno.

        ``flowinfo`` is that of a ``Transmit``.

        An error that ICMP brought may belong to any earlier packet. Reporting it used it up, so a second try tells
        whether it was this one's; an error of this call comes again.
        """
        code = self._try_send(piece, segment, flowinfo, destination)
        if code == errno.EINVAL and flowinfo & FLOW_LABEL and not self._unlabelled:
            code = self._send_labelled(piece, segment, flowinfo, destination)
        if not code or not self._error_queue or code in QUEUE_FULL or (segment and code in GSO_REFUSALS):
            return code
        self._errors_waiting = True
        return self._try_send(piece, segment, flowinfo, destination)

    def _try_send(self, piece: bytes, segment: int, flowinfo: int, destination: SocketAddress) -> int:
        try:
            if segment or flowinfo:
                ancillary = self._ancillary.get((segment, flowinfo)) or self._new_ancillary(segment, flowinfo)
                self._sendmsg((piece,), ancillary, 0, destination)
            else:
                self._sendto(piece, destination)
        except BlockingIOError:
            return errno.EAGAIN
        except OSError as error:
            return error.errno or errno.EINVAL
        return 0

    def _send_labelled(self, piece: bytes, segment: int, flowinfo: int, destination: SocketAddress) -> int:
        """Send with a flow label that was refused: lease it; if the label is not to be had, go without."""
        lease_flow_label(self.socket, flowinfo, destination)
        code = self._try_send(piece, segment, flowinfo, destination)
        if code == errno.EINVAL:
            code = self._try_send(piece, segment, flowinfo & ~FLOW_LABEL, destination)
            if not code:
                self._unlabelled = True
                self._ancillary.clear()
        return code

    # --- what is not remembered yet ---

    def _learn(self, source: SocketAddress) -> tuple[bytes, int]:
        return self._peers.remember(source, (packed_address(source), source[1]))

    def _new_destination(self, remote: bytes, port: int) -> SocketAddress:
        return self._destinations.remember((remote, port), socket_address(remote, port))

    def _new_ancillary(self, segment: int, flowinfo: int) -> list[tuple[int, int, bytes]]:
        marks = flowinfo & ~FLOW_LABEL if self._unlabelled else flowinfo
        return self._ancillary.remember((segment, flowinfo), ancillary(self.socket, segment, marks))

    def _recvfrom(self, limit: int, _ancillary_limit: int) -> tuple[bytes, _Ancillary, int, Any]:
        data, source = self.socket.recvfrom(limit)
        return data, (), 0, source


def bound_socket(ip: bytes, port: int, capabilities: Capabilities, shared: bool = False) -> socket.socket:
    """A socket as ``UdpSocket`` takes it; ``shared``: one of several on that port (SO_REUSEPORT). ``OSError``."""
    sock = socket.socket(family_of(ip), socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        enlarge_buffers(sock)
        if sys.platform == "linux":
            _set_linux_options(sock, capabilities)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(socket_address(ip, port))
    except OSError:
        sock.close()
        raise
    return sock


def _set_linux_options(sock: socket.socket, capabilities: Capabilities) -> None:
    """DF off, until the core asks for it packet by packet; the rest as able."""
    set_fragmentation(sock, FRAGMENTS)
    wide = sock.family == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if wide else socket.IPPROTO_IP
    wanted = []
    if capabilities.gro:
        wanted.append((SOL_UDP, UDP_GRO, 1))
    if capabilities.error_queue:
        wanted.append((level, IPV6_RECVERR if wide else IP_RECVERR, 1))
    for option in wanted:
        with suppress(OSError):
            sock.setsockopt(*option)
