"""The asyncio API.

``calls`` are the functions users begin with, ``endpoint``, ``association`` and ``server`` what they then have in hands.
Underneath, ``driver`` runs a stack of the core on a link in an event loop, ``sharing`` finds the driver for a UDP port,
``resolve`` turns hosts into addresses, and ``waiting`` is the line in which coroutines wait. ``protocol_calls`` and
``protocol`` do without coroutines: a transport and a protocol.
"""

from .association import Association
from .calls import connect, open_endpoint, start_server
from .endpoint import Connecting, Endpoint
from .event_stream import EventStream
from .protocol import SctpProtocol, SctpTransport
from .protocol_calls import create_connection, create_server
from .server import Server

__all__ = [
    "Association",
    "Connecting",
    "Endpoint",
    "EventStream",
    "SctpProtocol",
    "SctpTransport",
    "Server",
    "connect",
    "create_connection",
    "create_server",
    "open_endpoint",
    "start_server",
]
