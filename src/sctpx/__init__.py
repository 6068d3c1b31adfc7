"""SCTP sockets that work anywhere Python does: associations over several addresses, no root, no kernel module.

    import sctpx

    async with sctpx.connect(["192.0.2.10", "198.51.100.10"], 36412, streams=16) as association:
        await association.send(b"...", stream=3, ppid=60)
        message = await association.recv()

    server = await sctpx.start_server(handler, ["192.0.2.10", "198.51.100.10"], 36412)

``connect``, ``start_server`` and ``open_endpoint`` are where to begin. ``sctpx.errors`` has all exceptions,
``sctpx.events`` what an association tells of itself, ``sctpx.testing`` a network in virtual time for your tests.
"""

from __future__ import annotations

from typing import Final

from . import errors as errors
from .aio import Association, Connecting, Endpoint, EventStream, Server, connect, open_endpoint, start_server
from .core import stack as _stack
from .core.config import AssociationConfig
from .errors import AssociationAborted, AssociationClosed, AssociationLost, ConnectError
from .sockapi import events as events
from .sockapi.addresses import Address
from .sockapi.receive import Message
from .sockapi.send import Undelivered
from .sockapi.status import AddressReport, PathInfo

__version__ = "0.1.0"

COMPILED: Final = not _stack.__file__.endswith((".py", ".pyc"))
"""Whether the core runs as compiled extensions; the same source runs interpreted as well."""

__all__ = [
    "COMPILED",
    "Address",
    "AddressReport",
    "Association",
    "AssociationAborted",
    "AssociationClosed",
    "AssociationConfig",
    "AssociationLost",
    "ConnectError",
    "Connecting",
    "Endpoint",
    "EventStream",
    "Message",
    "PathInfo",
    "Server",
    "Undelivered",
    "__version__",
    "connect",
    "errors",
    "events",
    "open_endpoint",
    "start_server",
]
