"""Associations on loopback, and addresses that do not answer."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import pytest

import sctpx
from sctpx.link import UdpLink
from sctpx.link.filter import FilteredLink
from tests.ports import closed_udp_port as closed_udp_port

PORT = 5000
HOST = "127.0.0.1"

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is there on Linux, so are ICMP errors")
with_ipv6 = pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")

QUICK = sctpx.AssociationConfig(
    rto_initial=0.05,
    rto_min=0.02,
    rto_max=0.1,
    sack_delay=0.01,
    association_max_retrans=4,
    path_max_retrans=2,
    max_init_retransmits=2,
    heartbeat_interval=0.05,
)
"""Timers short enough that a test can wait for what they do."""


class Pair(NamedTuple):
    """Both sides of an association: ``a`` connected, ``b`` listened."""

    a: sctpx.Association
    b: sctpx.Association


@asynccontextmanager
async def associated(
    hosts: sctpx.Address | str | Sequence[str | sctpx.Address] = HOST,
    *,
    server: dict[str, Any] | None = None,
    **client: Any,
) -> AsyncIterator[Pair]:
    """An association over loopback with the options of ``connect`` and, in ``server``, of ``start_server``.

    What is left of it in the end is aborted.
    """
    listening = await sctpx.start_server(None, **{"local": hosts, "port": PORT, "udp_port": 0, **(server or {})})
    try:
        a = await sctpx.connect(hosts, PORT, peer_udp_port=listening.udp_port, **client)
        b = await listening.accept()
        try:
            yield Pair(a, b)
        finally:
            a.abort()
            b.abort()
    finally:
        listening.close()
        listening.abort_associations()


def cuttable(*addresses: str) -> FilteredLink:
    """A link on these addresses from which some can be cut off."""
    return FilteredLink(UdpLink.open(addresses))


@contextmanager
def silent(udp_port: int, *addresses: str) -> Iterator[None]:
    """Addresses that take what is sent to this UDP port and never answer."""
    sockets = []
    try:
        for address in addresses:
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            sockets.append(sock)
            sock.bind((address, udp_port))
        yield
    finally:
        for sock in sockets:
            sock.close()


def raises_errno(code: int, match: str = ".") -> pytest.RaisesExc[OSError]:
    """The block raises an ``OSError`` with this errno."""
    return pytest.raises(OSError, match=match, check=lambda error: error.errno == code)


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop run until the condition holds."""
    while not condition():  # noqa: ASYNC110 - there is nothing to wait for but the loop itself
        await asyncio.sleep(0)


async def recv_whole(association: sctpx.Association) -> bytes:
    """A message, put together if it comes in parts."""
    parts = [await association.recv()]
    while parts[-1].more:
        parts.append(await association.recv())
    return b"".join(part.data for part in parts)


@contextmanager
def another_program(udp_port: int = 0) -> Iterator[tuple[int, int]]:
    """A program that has a UDP port of 127.0.0.1: its process id, and the port."""
    text = f"""if True:
        import socket, sys
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", {udp_port}))
        print(sock.getsockname()[1], flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.stdin.close()


def lost(line: str) -> int:
    """How many bytes were not acknowledged, as the line says: at least those that the peer has no room for. On a slow
    machine there are more.
    """
    found = re.search(r"(\d+) bytes not acknowledged", line)
    assert found is not None
    return int(found[1])
