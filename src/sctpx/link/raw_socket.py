"""One raw socket of a link: IP protocol 132 at one local address.

It owns the socket options and the system calls. Which packets to send together, and what an error means for them, is
the link's business; which packets are for this socket is known to ``socket_ports``.

What is particular to raw sockets:

* IPv4 packets arrive with their IP header, which is cut off here; IPv6 packets arrive without. What is sent has no IP
  header in either case: the kernel writes it.
* A new raw socket takes in the packets of all addresses until it is bound. So a filter that lets nothing in comes
  first, and what was queued before the filter was there is thrown away.
* Packets of the whole host arrive. A packet for a port that is not open here is dropped, unless this socket answers
  for the ports that nobody has: then it goes up, and the stack finds it out of the blue.
* While a raw socket is open at an address, Linux sends no ICMP "protocol unreachable" from there; while none is open
  it does. So a socket is there before the first INIT leaves, and is closed last.

The error queue holds the ICMP errors. A ``recv`` that fails and a wake-up without a packet are the signs that there are
some; without a sign ``receive_errors`` makes no system call. Unlike those of UDP sockets, sends do not fail with what
ICMP said of earlier packets. The kernel queues an ICMP error at every raw socket of the address, so there may be errors
about packets of other programs: the core finds no association for them. An ICMP error that says a port is unreachable
is left out (RFC 9260 section 10, ICMP3), and one that says the protocol is unreachable has one errno, ENOPROTOOPT, for
IPv4 and IPv6.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, TypeAlias, final

from ..core.outputs import FLOW_LABEL, FRAGMENTS
from .addresses import SocketAddress, family_of, packed_address, socket_address
from .base import Received, ReturnedPacket
from .buffers import enlarge_buffers
from .capabilities import set_fragmentation
from .error_queue import IP_RECVERR, IPV6_RECVERR, read_error_queue
from .interfaces import address_mtu
from .marks import TRAFFIC_CLASS, ancillary, lease_flow_label
from .packet_filter import Others, attach, program
from .privilege import missing_privilege
from .raw_users import IPPROTO_SCTP
from .remembered import Remembered
from .socket_ports import SocketPorts

_PACKET_LIMIT: Final = 65535
_ANCILLARY_LIMIT: Final = 128
_ERRORS_AT_ONCE: Final = 64
_PACKETS_PER_BATCH: Final = 8
"""Single packets that count as much as one batch that a system merged."""
_SMALLEST_PACKET: Final = 12
"""What is shorter than an SCTP common header is not merged: it has no place among packets."""

# linux/in.h, linux/in6.h
_IPV6_CHECKSUM: Final = 7
_IPV6_RECVTCLASS: Final = 66
_NO_CHECKSUM: Final = -1

# An IPv4 header: the length in 32-bit words with the version, the ECN bits in the second byte, where the source is.
_IPV4_LENGTH_MASK: Final = 15
_IPV4_TRAFFIC_CLASS: Final = 1
_IPV4_SOURCE: Final = slice(12, 16)
_ECN_MASK: Final = 3
_PORT: Final = slice(2, 4)
"""Where an SCTP packet has its destination port."""

_Packet: TypeAlias = tuple[bytes, bytes, int]
"""An SCTP packet, the IP address it came from, its ECN bits."""


@final
class RawSocket:
    """A raw socket for SCTP, bound to one local address."""

    __slots__ = (
        "_ancillary",
        "_buffer",
        "_destinations",
        "_ecn",
        "_errors_waiting",
        "_gave_one",
        "_max_packet",
        "_peers",
        "_read",
        "_sendto",
        "_unlabelled",
        "_view",
        "address",
        "fragments",
        "ports",
        "socket",
    )

    def __init__(self, ip: bytes) -> None:
        """Open at a local address, with no SCTP port.

        ``PermissionError`` without CAP_NET_RAW, ``OSError`` as ``bind``.
        """
        self.address = ip
        self._max_packet = address_mtu(ip)
        self._ecn = False
        self.socket = _bound_socket(ip)
        try:
            self.ports = SocketPorts(self.socket, ip)
        except OSError:
            self.socket.close()
            raise
        self.fragments = FRAGMENTS
        """How IP may fragment what is sent: see ``Transmit``."""
        self._errors_waiting = False
        self._gave_one = False
        self._unlabelled = False  # The system refuses flow labels here.
        self._buffer = bytearray(_PACKET_LIMIT)
        self._view = memoryview(self._buffer)
        self._sendto = self.socket.sendto
        self._read: Callable[[], _Packet] = self._read_ipv4 if family_of(ip) == socket.AF_INET else self._read_ipv6
        self._peers: Remembered[SocketAddress, bytes] = Remembered()
        self._destinations: Remembered[bytes, SocketAddress] = Remembered()
        self._ancillary: Remembered[int, list[tuple[int, int, bytes]]] = Remembered()

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close the socket, and give its ports up after that. Closing twice does nothing."""
        self.socket.close()
        self.ports.close()

    def read_ecn(self) -> None:
        """Read the ECN bits of what arrives from now on."""
        self._ecn = True
        if self.socket.family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVTCLASS, 1)

    def let_fragment(self, fragments: int) -> None:
        """Let IP fragment so what is sent from now on."""
        self.fragments = fragments
        set_fragmentation(self.socket, fragments)

    def max_packet(self, anew: bool = False) -> int:
        """The largest IP packet to send from here, bytes: the interface's MTU as first seen, or as it is (``anew``)."""
        if anew:
            self._max_packet = address_mtu(self.address)
        return self._max_packet

    # --- receiving ---

    def receive(self, budget: int) -> list[Received]:
        """At most ``budget`` batches; asked for one, a single packet. Never raises.

        Packets are merged here when they have one size and come from one source, as the packets of a bulk transfer do:
        a batch costs the core little more than a packet.
        """
        batches: list[Received] = []
        run: list[bytes] = []
        size = 0
        origin = b""
        run_ecn = 0
        left = most = budget * _PACKETS_PER_BATCH if budget > 1 else 1
        read = self._read
        ports = self.ports
        open_ports = ports.in_packets
        ports.begin_round()
        while left > 0:
            try:
                packet, source, ecn = read()
            except BlockingIOError:
                if left == most and not self._gave_one:
                    self._errors_waiting = True
                break
            except OSError:
                self._errors_waiting = True
                left -= _PACKETS_PER_BATCH
                continue
            left -= 1
            if packet[_PORT] not in open_ports and not ports.answers_for(packet[_PORT]):
                continue
            if run and (
                source != origin or ecn != run_ecn or not _SMALLEST_PACKET <= len(packet) <= size or len(run[-1]) < size
            ):
                batches.append((self.address, origin, 0, b"".join(run), size, run_ecn))
                run = []
            if not run:
                size, origin, run_ecn = len(packet), source, ecn
            run.append(packet)
        if run:
            batches.append((self.address, origin, 0, b"".join(run) if len(run) > 1 else run[0], size, run_ecn))
        self._gave_one = budget == 1 and left < most
        return batches

    def _read_ipv4(self) -> _Packet:
        """The next packet, without the IP header it comes with."""
        buffer, view = self._buffer, self._view
        size = self.socket.recv_into(buffer)
        header = (buffer[0] & _IPV4_LENGTH_MASK) * 4
        ecn = buffer[_IPV4_TRAFFIC_CLASS] & _ECN_MASK if self._ecn else 0
        return bytes(view[header:size]), bytes(view[_IPV4_SOURCE]), ecn

    def _read_ipv6(self) -> _Packet:
        """The next packet, which comes without an IP header."""
        ecn = 0
        if self._ecn:
            size, control, _flags, source = self.socket.recvmsg_into((self._buffer,), _ANCILLARY_LIMIT)
            for level, kind, value in control:
                if (level, kind) in TRAFFIC_CLASS:
                    ecn = int.from_bytes(value, sys.byteorder) & _ECN_MASK
        else:
            size, source = self.socket.recvfrom_into(self._buffer)
        return bytes(self._view[:size]), self._peers.get(source) or self._learn(source), ecn

    def receive_errors(self) -> list[ReturnedPacket]:
        """The ICMP errors queued for packets sent from this address. Never raises."""
        if not self._errors_waiting:
            return []
        entries = read_error_queue(self.socket, _ERRORS_AT_ONCE)
        self._errors_waiting = len(entries) == _ERRORS_AT_ONCE
        return [
            (
                entry.remote,
                0,
                errno.ENOPROTOOPT if entry.protocol_unreachable else entry.error,
                entry.payload,
                entry.mtu,
            )
            for entry in entries
            if entry.concerns_destination and not entry.port_unreachable
        ]

    # --- sending ---

    def destination(self, remote: bytes) -> SocketAddress:
        """Where to send for a packed address of this socket's family."""
        return self._destinations.get(remote) or self._new_destination(remote)

    def send(self, data: bytes, segment: int, flowinfo: int, destination: SocketAddress) -> tuple[int, int]:
        """Send packets ``segment`` bytes apart until one is refused: where that packet begins, or the end; the errno.

        ``flowinfo`` is that of a ``Transmit``. What ICMP said of earlier packets does not fail a send of a raw socket,
        as it does of a UDP socket: an error is about the packet. Linux tells of a full send buffer by ENOBUFS.
        """
        sent, code = self._send_from(0, data, segment, flowinfo, destination)
        if code == errno.EINVAL and flowinfo & FLOW_LABEL and not self._unlabelled:
            lease_flow_label(self.socket, flowinfo, destination)
            sent, code = self._send_from(sent, data, segment, flowinfo, destination)
            if code == errno.EINVAL:
                self._unlabelled = True
                self._ancillary.clear()
                sent, code = self._send_from(sent, data, segment, flowinfo, destination)
        return sent, code

    def _send_from(
        self, start: int, data: bytes, segment: int, flowinfo: int, destination: SocketAddress
    ) -> tuple[int, int]:
        sendto = self._sendto
        sendmsg = self.socket.sendmsg
        marks = (self._ancillary.get(flowinfo) or self._new_ancillary(flowinfo)) if flowinfo else []
        offset = start
        try:
            for offset in range(start, len(data), segment):
                if marks:
                    sendmsg((data[offset : offset + segment],), marks, 0, destination)
                else:
                    sendto(data[offset : offset + segment], destination)
        except OSError as error:
            return offset, error.errno or errno.EINVAL
        return len(data), 0

    # --- what is not remembered yet ---

    def _learn(self, source: SocketAddress) -> bytes:
        return self._peers.remember(source, packed_address(source))

    def _new_destination(self, remote: bytes) -> SocketAddress:
        return self._destinations.remember(remote, socket_address(remote, 0))

    def _new_ancillary(self, flowinfo: int) -> list[tuple[int, int, bytes]]:
        marks = flowinfo & ~FLOW_LABEL if self._unlabelled else flowinfo
        return self._ancillary.remember(flowinfo, ancillary(self.socket, 0, marks))


def _bound_socket(ip: bytes) -> socket.socket:
    """A raw socket that receives at an address and lets nothing in."""
    family = family_of(ip)
    try:
        sock = socket.socket(family, socket.SOCK_RAW, IPPROTO_SCTP)
    except PermissionError:
        raise missing_privilege() from None
    try:
        attach(sock, program((), Others.NONE, ipv6=family == socket.AF_INET6))
        sock.setblocking(False)
        enlarge_buffers(sock)
        set_fragmentation(sock, FRAGMENTS)
        for option in _options(family):
            sock.setsockopt(*option)
        sock.bind(socket_address(ip, 0))
        _discard_queued(sock)
    except OSError:
        sock.close()
        raise
    return sock


def _options(family: int) -> Iterable[tuple[int, int, int]]:
    """ICMP errors.

    The SCTP checksum is the core's work, so the kernel is told to write none into IPv6 packets.
    """
    if family == socket.AF_INET:
        return ((socket.IPPROTO_IP, IP_RECVERR, 1),)
    level = socket.IPPROTO_IPV6
    return (
        (level, _IPV6_CHECKSUM, _NO_CHECKSUM),
        (level, IPV6_RECVERR, 1),
    )


def _discard_queued(sock: socket.socket) -> None:
    """Throw away what came before the filter was there: at most a full buffer."""
    with suppress(OSError):
        while True:
            sock.recv(1)
