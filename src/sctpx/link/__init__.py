"""Carrying packets: everything that touches the network below a driver.

``base`` says what a link is to its driver, ``udp`` is the link over UDP (RFC 6951), ``raw`` the one over IP itself,
``several`` makes one link of both, ``opening`` opens one by its name, and ``choice`` says which where nobody names one.
``interfaces`` knows the addresses of this host. A link knows ``core.outputs`` and no other module of the package.
"""

from .base import Link, LinkSocket, Received, ReturnedPacket, read_ecn
from .capabilities import Capabilities, probe
from .choice import Choice, HostFacts, Named, Way, choose, choose_here, host_facts
from .opening import LINK_KINDS, LinkKind, check_kind, forbids_fragments, open_link, open_ways, ways_of
from .raw import RawLink
from .raw_socket import RawSocket
from .several import SeveralLinks
from .udp import SCTP_TUNNELING_PORT, UdpLink
from .udp_socket import UdpSocket

__all__ = [
    "LINK_KINDS",
    "SCTP_TUNNELING_PORT",
    "Capabilities",
    "Choice",
    "HostFacts",
    "Link",
    "LinkKind",
    "LinkSocket",
    "Named",
    "RawLink",
    "RawSocket",
    "Received",
    "ReturnedPacket",
    "SeveralLinks",
    "UdpLink",
    "UdpSocket",
    "Way",
    "check_kind",
    "choose",
    "choose_here",
    "forbids_fragments",
    "host_facts",
    "open_link",
    "open_ways",
    "probe",
    "read_ecn",
    "ways_of",
]
