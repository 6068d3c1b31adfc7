"""Carrying packets: everything that touches the network below a driver.

``base`` says what a link is to its driver, ``udp`` is the link over UDP (RFC 6951), ``raw`` the one over IP itself,
``several`` makes one link of both, and ``opening`` opens one by its name. ``interfaces`` knows the addresses of this
host. A link knows ``core.outputs`` and no other module of the package.
"""

from .base import Link, LinkSocket, Received, ReturnedPacket
from .capabilities import Capabilities, probe
from .opening import LINK_KINDS, LinkKind, check_kind, open_link
from .raw import RawLink
from .raw_socket import RawSocket
from .several import SeveralLinks
from .udp import SCTP_TUNNELING_PORT, UdpLink
from .udp_socket import UdpSocket

__all__ = [
    "LINK_KINDS",
    "SCTP_TUNNELING_PORT",
    "Capabilities",
    "Link",
    "LinkKind",
    "LinkSocket",
    "RawLink",
    "RawSocket",
    "Received",
    "ReturnedPacket",
    "SeveralLinks",
    "UdpLink",
    "UdpSocket",
    "check_kind",
    "open_link",
    "probe",
]
