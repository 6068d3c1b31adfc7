"""Who has a UDP port: for the error message when it is taken. This runs only when a bind has failed."""

from __future__ import annotations

from typing import Final

from .host_sockets import ip_sockets, owner_of

_TABLES: Final = {4: ("udp", "udp6"), 16: ("udp6",)}
"""By length of the address. A socket on ``::`` may take a port from IPv4 as well."""


def port_holder(ip: bytes, port: int) -> str:
    """Who has the UDP port on an address: "this process", "process 4711 (python3)", or ``""`` if it cannot be told."""
    sockets = [sock for table in _TABLES[len(ip)] for sock in ip_sockets(table) if sock.port == port]
    return owner_of([sock.inode for sock in sockets if sock.address == ip or not any(sock.address)])
