"""SCTP sockets that work anywhere Python does: associations over several addresses, no root, no kernel module.

    import sctpx

    async with sctpx.connect(["192.0.2.10", "198.51.100.10"], 36412, streams=16) as association:
        await association.send(b"...", stream=3, ppid=60)
        message = await association.recv()

    server = await sctpx.start_server(handler, ["192.0.2.10", "198.51.100.10"], 36412)

``connect``, ``start_server`` and ``open_endpoint`` are where to begin with asyncio. Without it there are sockets
(RFC 6458), that wait or do not, in both styles:

    sock = sctpx.socket(sctpx.AF_INET, sctpx.SOCK_STREAM)
    assoc_id = sctpx.sctp_connectx(sock, [("192.0.2.10", 36412), ("198.51.100.10", 36412)])

The names of C are here, ``sctpx.SCTP_NODELAY``, and its structs, ``sctpx.SndInfo``; ``sctpx.constants`` and
``sctpx.structs`` have them too. ``sctpx.errors`` has all exceptions, ``sctpx.events`` what an association tells of
itself, ``sctpx.testing`` a network in virtual time for your tests.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_SEQPACKET, SOCK_STREAM
from typing import Final

from . import errors as errors
from .aio import (
    Association,
    Connecting,
    Endpoint,
    EventStream,
    SctpProtocol,
    SctpTransport,
    Server,
    connect,
    create_connection,
    create_server,
    open_endpoint,
    start_server,
)
from .blocking.functions import (
    sctp_bindx,
    sctp_connectx,
    sctp_freeladdrs,
    sctp_freepaddrs,
    sctp_getassocid,
    sctp_getladdrs,
    sctp_getpaddrs,
    sctp_opt_info,
    sctp_peeloff,
    sctp_recvmsg,
    sctp_recvv,
    sctp_send,
    sctp_sendmsg,
    sctp_sendv,
    sctp_sendx,
)
from .blocking.socket import Socket
from .core.config import AssociationConfig, Limits
from .errors import (
    AssociationAborted,
    AssociationClosed,
    AssociationLost,
    AssociationRestarted,
    ConnectError,
    ConnectInProgress,
)
from .sockapi import constants as constants
from .sockapi import events as events
from .sockapi import structs as structs
from .sockapi.addresses import Address
from .sockapi.constants import *  # noqa: F403 - all names of C
from .sockapi.message_calls import Sent
from .sockapi.messaging import Received
from .sockapi.receive import Message
from .sockapi.send import Undelivered
from .sockapi.status import AddressReport, PathInfo
from .sockapi.structs import *  # noqa: F403 - all structs of C
from .wire.compiled import COMPILED as _COMPILED

__version__ = "0.1.0"

socket: Final = Socket
"""The sockets of RFC 6458, by the name the socket module has for them."""

COMPILED: Final = _COMPILED
"""Whether the core runs as compiled extensions; the same source runs interpreted as well."""

__all__ = [
    "AF_INET",
    "AF_INET6",
    "COMPILED",
    "SHUT_RD",
    "SHUT_RDWR",
    "SHUT_WR",
    "SOCK_SEQPACKET",
    "SOCK_STREAM",
    "Address",
    "AddressReport",
    "Association",
    "AssociationAborted",
    "AssociationClosed",
    "AssociationConfig",
    "AssociationLost",
    "AssociationRestarted",
    "ConnectError",
    "ConnectInProgress",
    "Connecting",
    "Endpoint",
    "EventStream",
    "Limits",
    "Message",
    "PathInfo",
    "Received",
    "SctpProtocol",
    "SctpTransport",
    "Sent",
    "Server",
    "Socket",
    "Undelivered",
    "__version__",
    "connect",
    "constants",
    "create_connection",
    "create_server",
    "errors",
    "events",
    "open_endpoint",
    "sctp_bindx",
    "sctp_connectx",
    "sctp_freeladdrs",
    "sctp_freepaddrs",
    "sctp_getassocid",
    "sctp_getladdrs",
    "sctp_getpaddrs",
    "sctp_opt_info",
    "sctp_peeloff",
    "sctp_recvmsg",
    "sctp_recvv",
    "sctp_send",
    "sctp_sendmsg",
    "sctp_sendv",
    "sctp_sendx",
    "socket",
    "start_server",
    "structs",
]
__all__ += constants.__all__
__all__ += structs.__all__
