"""Carrying packets: everything that touches the network below a driver.

``base`` says what a link is to its driver, ``udp`` is the link over UDP (RFC 6951), ``interfaces`` knows the addresses
of this host. A link knows ``core.outputs`` and no other module of the package.
"""

from .base import Link, LinkSocket, Received, ReturnedPacket
from .capabilities import Capabilities, probe
from .udp import SCTP_TUNNELING_PORT, UdpLink
from .udp_socket import UdpSocket

__all__ = [
    "SCTP_TUNNELING_PORT",
    "Capabilities",
    "Link",
    "LinkSocket",
    "Received",
    "ReturnedPacket",
    "UdpLink",
    "UdpSocket",
    "probe",
]
