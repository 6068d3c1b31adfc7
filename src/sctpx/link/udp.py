"""SCTP over UDP (RFC 6951): the default link, for which no privilege is needed.

One socket per local address, all on one port number, as RFC 6951 section 5.1 has it: the peer sees the same source
port whichever address a packet leaves from, and each packet's local address is known from its socket. The kernel
picks the port for the first address; if another program has that number on one of the other addresses, all are
given up and the kernel picks again. No SO_REUSEPORT, since two stacks on one port would steal each other's packets, but
for workers that know of each other: ``over`` takes the sockets of one of them (``steering``).

Packets that are marked (DSCP, IPv6 flow label) have the marks beside them, packet by packet, since associations with
different marks share a socket: ``marks``.

A batch leaves by UDP_SEGMENT, one system call for up to 64 packets, where the system has it. Where it has not, or
refuses it for this batch, the packets go one by one. One packet alone always goes plain. Whether IP may fragment a
packet is a setting of the socket, which is changed when a packet differs from those before: that is seldom, since the
small packets that set associations up leave under either setting.

``open`` takes the addresses as they are; what a wildcard stands for and which addresses a client needs is answered by
``interfaces``. The sockets and their system calls are in ``udp_socket``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import replace
from socket import socket
from typing import Final, final
from weakref import WeakValueDictionary

from ..core.ip import choose_source, same_family, without_zone
from ..core.outputs import CLASS_SHIFT, Transmit
from .addresses import AddressLike, SocketAddress, address_text, packed_address
from .base import QUEUE_FULL, SMALL, Received, ReturnedPacket
from .capabilities import Capabilities, probe
from .heap import keep_freed_memory
from .interfaces import DEFAULT_MTU, interface_addresses, local_address
from .marks import ECN, traffic_class
from .port_holder import port_holder
from .remembered import Remembered
from .udp_socket import GSO_REFUSALS, UdpSocket

SCTP_TUNNELING_PORT: Final = 9899
"""The UDP port IANA assigned to SCTP (RFC 6951 section 5.1)."""

_PORT_ATTEMPTS: Final = 16
_SEGMENTS_LIMIT: Final = 64
_GSO_BYTES_LIMIT: Final = 65507

_bound: WeakValueDictionary[tuple[bytes, int], socket] = WeakValueDictionary()
"""The sockets of this process's links by address and port, to say so when one of them is in the way."""


@final
class UdpLink:
    """The UDP sockets of one stack. See ``base.Link`` for what the methods promise."""

    def __init__(self, udp_port: int, capabilities: Capabilities) -> None:
        """A link without addresses yet; ``open`` makes one that has them."""
        self.gso = capabilities.gso
        """Whether batches leave by UDP_SEGMENT. Turns false when a route cannot (EIO)."""
        self.gro = capabilities.gro
        """Whether packets arrive merged."""
        self.ecn = False
        """Whether the ECN bits of packets are read and set; ``read_ecn`` begins with it."""
        self.forbids_fragments = capabilities.df
        """Whether IP can be told not to fragment packets."""
        self._capabilities = capabilities
        self._port = udp_port
        self._shared = False
        self._sockets: dict[bytes, UdpSocket] = {}
        self._nearest: Remembered[bytes, UdpSocket] = Remembered()

    @classmethod
    def open(
        cls,
        addresses: Sequence[AddressLike],
        udp_port: int | Sequence[int] = 0,
        *,
        offload: bool = True,
        ecn: bool = False,
        capabilities: Capabilities | None = None,
    ) -> UdpLink:
        """Open one port number on all of these local addresses.

        ``udp_port`` is that number, or several to try in turn; 0 takes one the system has free on all addresses.
        ``offload=False`` does without UDP_SEGMENT and UDP_GRO, ``ecn=True`` reads and sets the ECN bits where that is
        possible, ``capabilities`` stands in for what the system is found to have.

        ``OSError``: EINVAL (no address, or one that is none), EADDRINUSE (the port is taken; the message says where,
        and by whom if that can be told), EADDRNOTAVAIL (not an address of this host), EAFNOSUPPORT.
        """
        wanted = [local_address(address) for address in addresses]
        if not wanted:
            raise OSError(errno.EINVAL, "a link needs at least one local address")
        keep_freed_memory()
        able = probe() if capabilities is None else capabilities
        able = replace(able, gso=able.gso and offload, gro=able.gro and offload)
        if isinstance(udp_port, int):
            udp_port = (udp_port,) if udp_port else (0,) * _PORT_ATTEMPTS
        for attempt, port in enumerate(udp_port, 1):
            link = cls(port, able)
            try:
                for ip in wanted:
                    link._bind(ip)
            except OSError as error:
                link.close()
                if error.errno != errno.EADDRINUSE or attempt == len(udp_port):
                    raise _explained(error, ip, link.port) from None
            else:
                if ecn:
                    link.read_ecn()
                return link
        raise OSError(errno.EINVAL, "no UDP port to try")

    @classmethod
    def over(cls, sockets: Sequence[socket]) -> UdpLink:
        """A link over sockets that are bound, one for each address, on one of several workers' shared UDP port.

        It has these addresses and no others.
        """
        keep_freed_memory()
        able = replace(probe(), ecn=False)
        link = cls(sockets[0].getsockname()[1], able)
        link._shared = True
        for bound in sockets:
            ip = packed_address(bound.getsockname())
            bound.setblocking(False)
            link._sockets[ip] = UdpSocket(ip, link._port, able, bound)
        return link

    @property
    def port(self) -> int:
        """The UDP port, the same on every address."""
        return self._port

    @property
    def addresses(self) -> list[bytes]:
        """The local addresses, packed, in the order they were added."""
        return list(self._sockets)

    @property
    def sockets(self) -> list[UdpSocket]:
        """One socket per address, in that order."""
        return list(self._sockets.values())

    def add_address(self, address: AddressLike) -> None:
        """One more local address on the link's port; one it has already is no error. ``OSError`` as for ``open``."""
        if address in self._sockets:
            return
        if self._shared:
            raise OSError(errno.EOPNOTSUPP, "a server with several workers keeps the addresses that it began with")
        ip = local_address(address)
        try:
            self._bind(ip)
        except OSError as error:
            raise _explained(error, ip, self._port) from None

    def remove_address(self, address: bytes) -> None:
        """Close the socket of a local address. What is still to be sent from there fails with EADDRNOTAVAIL."""
        sock = self._sockets.pop(address, None)
        if sock is not None:
            self._nearest.clear()
            sock.close()

    def _bind(self, ip: bytes) -> None:
        if ip in self._sockets:
            return
        sock = UdpSocket(ip, self._port, self._capabilities)
        if self.ecn:
            sock.read_ecn()
        self._port = sock.port
        self._sockets[ip] = sock
        _bound[ip, sock.port] = sock.socket
        self._nearest.clear()

    def read_ecn(self) -> bool:
        """Read and set the ECN bits of packets from now on: whether the system can."""
        if self._capabilities.ecn and not self.ecn:
            self.ecn = True
            for sock in self._sockets.values():
                sock.read_ecn()
        return self.ecn

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Nothing: the UDP port is this link's alone, and with it all SCTP ports behind it."""

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Nothing, as for ``open_port``."""

    def close(self) -> None:
        """Close all sockets. Packets handed over are still sent; closing twice does nothing."""
        for sock in self._sockets.values():
            sock.close()

    def max_packet(self, remote: bytes, local: bytes = b"", anew: bool = False) -> int:
        """The largest IP packet for a destination: the MTU of the interface that has the local address."""
        sock = self._sockets.get(local) or self._socket_near(remote)
        return sock.max_packet(anew) if sock else DEFAULT_MTU

    # --- receiving ---

    def receive(self, sock: UdpSocket, budget: int = 8) -> list[Received]:
        """At most ``budget`` datagrams, or batches the system merged. Never raises for what the network does."""
        return sock.receive(budget)

    def receive_errors(self, sock: UdpSocket) -> list[ReturnedPacket]:
        """The ICMP errors for packets sent from a socket; none on systems that keep no such queue."""
        return sock.receive_errors()

    # --- sending ---

    def socket_for(self, transmit: Transmit) -> UdpSocket | None:
        """The socket of ``transmit.local``; if that is ``b""``, of the address nearest to the destination."""
        if transmit.local:
            return self._sockets.get(transmit.local)
        return self._socket_near(transmit.remote)

    def send(self, transmit: Transmit) -> int:
        """Send the packets of a Transmit: 0, or an errno with ``transmit.data`` cut to what was not sent."""
        sock = self._sockets.get(transmit.local) or self.socket_for(transmit)
        if sock is None:
            return errno.EADDRNOTAVAIL if transmit.local else errno.EAFNOSUPPORT
        if len(transmit.remote) != len(sock.address) and not same_family(transmit.remote, sock.address):
            return errno.EAFNOSUPPORT
        length = len(transmit.data)
        if transmit.fragments != sock.fragments and (length > SMALL or transmit.flowinfo):
            sock.let_fragment(transmit.fragments)
        destination = sock.destination(transmit.remote, transmit.port)
        segment = transmit.segment
        if length <= segment and not transmit.flowinfo:
            code = sock.send(transmit.data, 0, 0, destination)
            if code == errno.EMSGSIZE and transmit.fragments and not sock.fragments:
                sock.let_fragment(transmit.fragments)  # The path is even narrower.
                code = sock.send(transmit.data, 0, 0, destination)
            return 0 if transmit.expendable and code in QUEUE_FULL else code
        flowinfo = transmit.flowinfo if self.ecn else transmit.flowinfo & ~ECN
        if flowinfo and not self._capabilities.marks:
            with traffic_class(sock.socket, flowinfo >> CLASS_SHIFT):
                return self._send_batch(sock, transmit, destination, 0)
        return self._send_batch(sock, transmit, destination, flowinfo)

    def _send_batch(self, sock: UdpSocket, transmit: Transmit, destination: SocketAddress, flowinfo: int) -> int:
        stride = segment = transmit.segment
        if self.gso:
            stride *= max(1, min(_SEGMENTS_LIMIT, _GSO_BYTES_LIMIT // segment))
        sent, code = _send_pieces(sock, transmit, destination, flowinfo, stride, 0)
        if code in GSO_REFUSALS and stride > segment:
            self.gso = self.gso and code != errno.EIO
            sent, code = _send_pieces(sock, transmit, destination, flowinfo, segment, sent)
        if code:
            transmit.data = transmit.data[sent:]
        return 0 if transmit.expendable and code in QUEUE_FULL else code

    def _socket_near(self, remote: bytes) -> UdpSocket | None:
        known = self._nearest.get(remote)
        if known is not None:
            return known
        sock = self._sockets.get(choose_source(list(self._sockets), remote, []))
        return self._nearest.remember(remote, sock) if sock else None


def _send_pieces(
    sock: UdpSocket, transmit: Transmit, destination: SocketAddress, flowinfo: int, stride: int, start: int
) -> tuple[int, int]:
    """Send the data from ``start`` on in pieces of ``stride`` bytes: ``(bytes sent in all, errno)``."""
    data = transmit.data
    if stride == transmit.segment and not flowinfo:
        start = sock.send_packets(data, stride, start, destination)
    for offset in range(start, len(data), stride):
        piece = data[offset : offset + stride]
        segment = transmit.segment if len(piece) > transmit.segment else 0
        code = sock.send(piece, segment, flowinfo, destination)
        if code:
            return offset, code
    return len(data), 0


def _explained(error: OSError, ip: bytes, port: int) -> OSError:
    """A failed bind, with the address and port and, for a taken port, who has it and what to do."""
    address = address_text(ip)
    if error.errno != errno.EADDRINUSE:
        wanted = f"UDP port {port}" if port else "a UDP port"
        return OSError(error.errno, f"cannot bind {wanted} of {address}: {_reason(error, ip)}")
    in_the_way = _bound.get((ip, port))
    here = in_the_way is not None and in_the_way.fileno() >= 0
    holder = "another link of this process" if here else port_holder(without_zone(ip), port)
    taken = f"taken by {holder}" if holder else "taken"
    return OSError(
        errno.EADDRINUSE, f"UDP port {port} of {address} is {taken}: choose another with udp_port= (0 takes a free one)"
    )


def _reason(error: OSError, ip: bytes) -> str:
    """Why an address or port cannot be had, in words that help."""
    known = [own.ip for own in interface_addresses(refresh=True)]
    if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENODEV) and ip not in known:
        ours = ", ".join(address_text(own) for own in known if same_family(own, ip))
        return f"this host does not have it, but {ours}" if ours else "this host has no address of that family"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "the system does not allow it (ports below 1024 take a privilege)"
    return error.strerror or str(error)
