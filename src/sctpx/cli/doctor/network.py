"""UDP, socket buffers and interfaces of this host, and which processes have what SCTP needs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ...link import SCTP_TUNNELING_PORT, Capabilities, probe
from ...link.addresses import address_text
from ...link.buffers import WANTED, enlarge_buffers
from ...link.host_sockets import HostSocket, ip_sockets, owner_of
from ...link.interfaces import InterfaceAddress, interface_addresses, interface_mtu
from ...sockapi.constants import IPPROTO_SCTP
from .facts import LINUX, InterfaceFacts, NetworkFacts
from .files import text_of

THE_KERNEL: Final = "the kernel's SCTP"
"""It has a UDP port where ``net.sctp.udp_port`` says so."""
_SOMEBODY: Final = "a process of another user"


def network_facts(kind: str, sysctls: Mapping[str, str]) -> NetworkFacts:
    """What is known; ``sysctls`` are those of ``net.sctp``."""
    able = _capabilities()
    received, sent = _buffers(kind)
    return NetworkFacts(
        gso=able.gso,
        gro=able.gro,
        df=able.df,
        port_holders=port_holders(SCTP_TUNNELING_PORT, kind, sysctls),
        raw_users=raw_users(),
        buffer_wanted=WANTED,
        receive_buffer=received,
        send_buffer=sent,
        interfaces=tuple(_interfaces(interface_addresses(refresh=True), kind)),
    )


def _capabilities() -> Capabilities:
    try:
        return probe()
    except OSError:
        return Capabilities()


def port_holders(port: int, kind: str, sysctls: Mapping[str, str]) -> tuple[str, ...]:
    """Who has a UDP port, at each local address: from the tables of Linux; elsewhere whether it can be bound."""
    if kind != LINUX:
        return _refused_binds(port)
    kernel = THE_KERNEL if sysctls.get("udp_port") == str(port) else ""
    places: dict[str, list[str]] = {}
    found = [sock for table in ("udp", "udp6") for sock in ip_sockets(table) if sock.port == port]
    for sock in sorted(found, key=lambda sock: (len(sock.address), sock.address)):
        places.setdefault(_owner(sock, kernel), []).append(address_text(sock.address))
    return tuple(f"{owner} at {', '.join(dict.fromkeys(addresses))}" for owner, addresses in places.items())


def _owner(sock: HostSocket, otherwise: str = "") -> str:
    return owner_of([sock.inode]) or otherwise or _SOMEBODY


def _refused_binds(port: int) -> tuple[str, ...]:
    """The port is bound for a moment and given back: other systems have no table that everybody may read."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trying:
            trying.bind(("0.0.0.0", port))  # noqa: S104 - that is the question
    except OSError as error:
        return (f"a program ({error.strerror or error})",)
    return ()


def raw_users() -> tuple[str, ...]:
    """Which processes receive SCTP by raw sockets, each once. Linux tells."""
    found = [sock for table in ("raw", "raw6") for sock in ip_sockets(table) if sock.port == IPPROTO_SCTP]
    return tuple(dict.fromkeys(map(_owner, found)))


def _buffers(kind: str) -> tuple[int, int]:
    """What a socket of ours gets, receiving and sending. Linux counts twice what was asked for (socket(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        enlarge_buffers(asking)
        received, sent = (
            asking.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_RCVBUF, socket.SO_SNDBUF)
        )
    share = 2 if kind == LINUX else 1
    return received // share, sent // share


def _interfaces(found: tuple[InterfaceAddress, ...], kind: str) -> Iterator[InterfaceFacts]:
    names = dict.fromkeys(address.interface for address in found)
    for name in names:
        yield InterfaceFacts(
            name=name,
            state=text_of(Path("/sys/class/net", name, "operstate")).strip(),
            mtu=interface_mtu(name) if kind == LINUX and sys.platform == "linux" else None,
            addresses=tuple(
                f"{address_text(address.ip)}/{address.prefix}" for address in found if address.interface == name
            ),
        )
