"""What a driver asks of a link: the one interface between the core's packets and whatever carries them.

A link carries whole SCTP packets between IP addresses. It knows ``core.outputs.Transmit`` and nothing else of
the protocol: no tags, no associations, no timers. It never blocks, never waits and has no thread; the driver
waits on ``sockets`` and calls. Addresses are packed bytes (4, 16, or 20 with the zone of a link-local one: see
``addresses``), ports are UDP encapsulation ports (RFC 6951; 0 where a link needs none), errors are errno numbers. What
the network does to a link is a value it returns; only opening it and adding to it raise.

The driver's side of the bargain:

* ``open_port`` before the first packet of an SCTP port leaves, ``close_port`` when the port is given up.
* Readable socket: ``receive``, then ``receive_errors`` on the same socket. Both, each time: an error that waits
  makes a socket readable, and ``receive_errors`` costs nothing when ``receive`` saw no sign of one.
* ``send`` answers 0 when all of a ``Transmit`` is on its way. Otherwise **the Transmit holds what is left**: the
  link cuts off of ``data`` what went, at a packet boundary, so nothing is ever sent twice.

  * ``EAGAIN``, ``ENOBUFS``: a queue of this host is full, nothing is lost. Keep the Transmit, stop polling the core,
    and hand in the same Transmit again when ``socket_for(transmit)`` is writable. After ``ENOBUFS`` the full queue is
    the interface's and the socket may be writable all the while: try again by a timer, a millisecond or so, but not for
    ever (``patience``). A Transmit that is ``expendable`` is dropped instead, and the answer is 0.
  * Any other errno is about the destination (``ENETUNREACH``, ``EADDRNOTAVAIL``, ...), or ``EMSGSIZE``: the packet is
    too big for the interface, and IP must not fragment it. Tell ``Stack.handle_send_error`` and drop the Transmit; so
    with ``ENOBUFS`` in the end.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from ..core.outputs import Transmit
from .addresses import AddressLike

SMALL: Final = 548
"""Bytes of a packet which hardly a link is too narrow for: with the headers of IP and UDP, 576 (RFC 791)."""

QUEUE_FULL: Final = frozenset((errno.EAGAIN, errno.ENOBUFS))
"""A queue of this host is full."""

Received: TypeAlias = tuple[bytes, bytes, int, bytes, int, int]
"""``(local, remote, port, data, segment, ecn)``, as ``Stack.receive`` takes them.

``local`` is our address the packets came to, ``remote`` and ``port`` where they came from. ``data`` holds one packet,
or several ``segment`` bytes apart of which the last may be shorter; it is never empty. ``ecn`` are the two ECN
bits of the IP header, 0 where the link does not read them.
"""

ReturnedPacket: TypeAlias = tuple[bytes, int, int, bytes, int]
"""``(remote, port, error, payload, mtu)``, as ``Stack.handle_icmp`` takes them: an ICMP error about a packet of ours.

``remote`` and ``port`` are what that packet was sent to, ``error`` is the errno the system makes of the ICMP
message, ``payload`` the first bytes of the SCTP packet, as many as came back (perhaps none). ``mtu`` is what the next
link takes, bytes of IP, with the error EMSGSIZE.
"""


class LinkSocket(Protocol):
    """Something of a link that a driver can wait on."""

    @property
    def address(self) -> bytes:
        """The local IP address whose packets arrive here."""

    def fileno(self) -> int:
        """The file descriptor to select on; -1 once closed."""


SocketT = TypeVar("SocketT", bound=LinkSocket)


class Link(Protocol[SocketT]):
    """Carries SCTP packets. One driver uses it; it is not safe to call from two threads at once."""

    @property
    def port(self) -> int:
        """The UDP encapsulation port of this side, on every address; 0 if the link does not encapsulate."""

    @property
    def addresses(self) -> list[bytes]:
        """The local IP addresses packets can be sent from, in the order they were added."""

    @property
    def sockets(self) -> Sequence[SocketT]:
        """What the driver waits on: for reading always, for writing while a Transmit is kept."""

    def add_address(self, address: AddressLike) -> None:
        """Carry packets of one more local address. ``OSError`` (EADDRNOTAVAIL, EADDRINUSE) if that cannot be."""

    def remove_address(self, address: bytes) -> None:
        """Carry packets of a local address no longer, and close what received them; nothing if it is none."""

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        """Carry packets of an SCTP port at these of the link's addresses; a port can be opened at more of them later.

        ``OSError`` (EADDRINUSE) if another program has the port there, and then it is opened at none. A link that is
        the only user of its UDP port has nothing to do.
        """

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        """Carry no more packets of an SCTP port at these addresses, or at any. A port that is not open is no error."""

    def socket_for(self, transmit: Transmit) -> SocketT | None:
        """The socket a Transmit leaves by; ``None`` if no local address can send it."""

    def receive(self, sock: SocketT, budget: int = 8) -> list[Received]:
        """What has arrived on a socket, at most ``budget`` datagrams or merged batches of them.

        An empty list means nothing is there. With a full one there may be more: the socket stays readable. A driver may
        ask for one, handle it, and ask for the rest.
        """

    def receive_errors(self, sock: SocketT) -> list[ReturnedPacket]:
        """The ICMP errors that came back to a socket. To be called after ``receive``."""

    def send(self, transmit: Transmit) -> int:
        """Send the packets of a Transmit: 0, or an errno with ``transmit.data`` cut to what was not sent."""

    def max_packet(self, remote: bytes, local: bytes = b"", anew: bool = False) -> int:
        """The largest IP packet for a destination, bytes with all headers, as ``AssociationConfig.mtu`` counts.

        It is what the interface takes, and not what the path takes. ``anew``: ask the system again.
        """

    def close(self) -> None:
        """Free the sockets. What was handed to the system is still sent; closing twice does nothing."""


def read_ecn(link: Any) -> bool:
    """Have a link read and set the ECN bits of packets from now on: whether it does.

    One that cannot begin with it says by its ``ecn`` whether it always has; one that has neither does not.
    """
    begin = getattr(link, "read_ecn", None)
    return bool(getattr(link, "ecn", False) if begin is None else begin())
