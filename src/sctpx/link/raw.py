"""SCTP over IP itself (protocol 132), by raw sockets: what SCTP stacks in kernels and network equipment speak.

One raw socket per local address, which takes the capability CAP_NET_RAW; Linux only. There are no UDP ports that keep
the programs of a host apart, so the link is told which SCTP ports open and close at which addresses: it takes each of
them for this process (``port_owner``), and its sockets let in what is for them (``packet_filter``). Beside a kernel
with SCTP of its own the link does not open (``kernel_sctp``).

A packet leaves from the address its Transmit names. Where the Transmit names none, it leaves from the address nearest
to the destination of those where its SCTP port is open: at another address the answer would reach nobody.

The sockets and their system calls are in ``raw_socket``. There is no segmentation offload: the packets of a Transmit go
one by one.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Sequence
from typing import Final, final

from ..core.ip import choose_source, same_family
from ..core.outputs import Transmit
from .addresses import AddressLike, address_text
from .base import QUEUE_FULL, SMALL, Received, ReturnedPacket
from .capabilities import probe
from .heap import keep_freed_memory
from .interfaces import DEFAULT_MTU, local_address
from .kernel_sctp import check_absent
from .marks import ECN
from .raw_socket import RawSocket
from .remembered import Remembered

_PORT_BYTES: Final = 2


@final
class RawLink:
    """The raw sockets of one stack. See ``base.Link`` for what the methods promise."""

    def __init__(self) -> None:
        """A link without addresses yet; ``open`` makes one that has them."""
        self.ecn = False
        """Whether the ECN bits of packets are read and set; ``read_ecn`` begins with it."""
        self.forbids_fragments = probe().df
        """Whether IP can be told not to fragment packets."""
        self._sockets: dict[bytes, RawSocket] = {}
        self._nearest: Remembered[tuple[bytes, bytes], RawSocket] = Remembered()

    @classmethod
    def open(cls, addresses: Sequence[AddressLike], *, ecn: bool = False) -> RawLink:
        """Open raw sockets on all of these local addresses. ``ecn=True`` reads and sets the ECN bits.

        ``OSError``: EPERM (``PermissionError``: the message says how to get the privilege), EBUSY (the kernel has SCTP
        of its own), EINVAL (no address, or one that is none), EADDRNOTAVAIL (not an address of this host),
        EAFNOSUPPORT, EOPNOTSUPP (not on this system).
        """
        if not addresses:
            raise OSError(errno.EINVAL, "a link needs at least one local address")
        if sys.platform != "linux":
            raise OSError(errno.EOPNOTSUPP, 'SCTP over IP itself is for Linux; SCTP over UDP (link="udp") is not')
        check_absent()
        keep_freed_memory()
        link = cls()
        try:
            for address in addresses:
                link.add_address(address)
        except OSError:
            link.close()
            raise
        if ecn:
            link.read_ecn()
        return link

    @property
    def port(self) -> int:
        """0: there is no UDP port."""
        return 0

    @property
    def addresses(self) -> list[bytes]:
        """The local addresses, packed, in the order they were added."""
        return list(self._sockets)

    @property
    def sockets(self) -> list[RawSocket]:
        """One socket per address, in that order."""
        return list(self._sockets.values())

    def add_address(self, address: AddressLike) -> None:
        """One more local address, where no SCTP port is open yet; one it has already is no error.

        ``OSError`` as for ``open``.
        """
        if address in self._sockets:
            return
        ip = local_address(address)
        if ip in self._sockets:
            return
        try:
            self._sockets[ip] = RawSocket(ip)
        except PermissionError:
            raise
        except OSError as error:
            text = f"cannot receive SCTP at {address_text(ip)}: {error.strerror}"
            raise OSError(error.errno, text) from None
        if self.ecn:
            self._sockets[ip].read_ecn()
        self._nearest.clear()

    def remove_address(self, address: bytes) -> None:
        """Close the socket of a local address. What is still to be sent from there fails with EADDRNOTAVAIL."""
        sock = self._sockets.pop(address, None)
        if sock is not None:
            self._nearest.clear()
            sock.close()

    def close(self) -> None:
        """Close all sockets. Packets handed over are still sent; closing twice does nothing."""
        for sock in self._sockets.values():
            sock.close()

    def max_packet(self, remote: bytes, local: bytes = b"", anew: bool = False) -> int:
        """The largest IP packet for a destination: the MTU of the interface that has the local address."""
        sock = self._sockets.get(local) or self._sockets.get(choose_source(list(self._sockets), remote, []))
        return sock.max_packet(anew) if sock else DEFAULT_MTU

    def read_ecn(self) -> bool:
        """Read and set the ECN bits of packets from now on. True: raw sockets always can."""
        if not self.ecn:
            self.ecn = True
            for sock in self._sockets.values():
                sock.read_ecn()
        return True

    # --- SCTP ports ---

    @property
    def ports_open(self) -> int:
        """How many SCTP ports are open, each counted at each address: so many file descriptors they take."""
        return sum(len(sock.ports) for sock in self._sockets.values())

    def has_port(self, port: int, addresses: Iterable[bytes]) -> bool:
        """Whether an SCTP port is open at one of these addresses."""
        return any(ip in self._sockets and port in self._sockets[ip].ports for ip in addresses)

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Take an SCTP port at these addresses of the link, or at none if it is taken at one of them.

        ``OSError``: EADDRINUSE (the message says who has it), EADDRNOTAVAIL (no address of the link), EMFILE.
        """
        opened: list[RawSocket] = []
        try:
            for address in addresses:
                sock = self._sockets.get(address)
                if sock is None:
                    raise OSError(errno.EADDRNOTAVAIL, f"{address_text(address)} is no address of this link")
                if port not in sock.ports:
                    sock.ports.open(port)
                    opened.append(sock)
        except OSError:
            for sock in opened:
                sock.ports.close_port(port)
            raise
        self._nearest.clear()

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Give an SCTP port up at these addresses, or at all."""
        for address in list(self._sockets) if addresses is None else addresses:
            if address in self._sockets:
                self._sockets[address].ports.close_port(port)
        self._nearest.clear()

    # --- receiving ---

    def receive(self, sock: RawSocket, budget: int = 8) -> list[Received]:
        """What has arrived, in at most ``budget`` batches. Never raises for what the network does."""
        return sock.receive(budget)

    def receive_errors(self, sock: RawSocket) -> list[ReturnedPacket]:
        """The ICMP errors for packets sent from a socket's address."""
        return sock.receive_errors()

    # --- sending ---

    def socket_for(self, transmit: Transmit) -> RawSocket | None:
        """The socket of ``transmit.local``; if that is ``b""``, of the nearest address where the SCTP port is open."""
        if transmit.local:
            return self._sockets.get(transmit.local)
        port = transmit.data[:_PORT_BYTES]
        return self._nearest.get((transmit.remote, port)) or self._find_nearest(transmit.remote, port)

    def _find_nearest(self, remote: bytes, port: bytes) -> RawSocket | None:
        number = int.from_bytes(port, "big")
        open_at = [ip for ip, sock in self._sockets.items() if number in sock.ports]
        sock = self._sockets.get(choose_source(open_at, remote, []) or choose_source(list(self._sockets), remote, []))
        return self._nearest.remember((remote, port), sock) if sock else None

    def send(self, transmit: Transmit) -> int:
        """Send the packets of a Transmit: 0, or an errno with ``transmit.data`` cut to what was not sent."""
        sock = self._sockets.get(transmit.local) or self.socket_for(transmit)
        if sock is None:
            return errno.EADDRNOTAVAIL if transmit.local else errno.EAFNOSUPPORT
        if transmit.port:
            return errno.EPROTONOSUPPORT  # The packet is meant for UDP.
        if len(transmit.remote) != len(sock.address) and not same_family(transmit.remote, sock.address):
            return errno.EAFNOSUPPORT
        if transmit.fragments != sock.fragments and len(transmit.data) > SMALL:
            sock.let_fragment(transmit.fragments)
        flowinfo = transmit.flowinfo if self.ecn else transmit.flowinfo & ~ECN
        destination = sock.destination(transmit.remote)
        sent, code = sock.send(transmit.data, transmit.segment, flowinfo, destination)
        if code == errno.EMSGSIZE and transmit.fragments and not sock.fragments:
            sock.let_fragment(transmit.fragments)  # The path is even narrower.
            more, code = sock.send(transmit.data[sent:], transmit.segment, flowinfo, destination)
            sent += more
        if code:
            transmit.data = transmit.data[sent:]
        return 0 if transmit.expendable and code in QUEUE_FULL else code
