"""Packets leave only from addresses that the peer knows, also where clients on several networks share a UDP port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.blocking.hub import hub
from tests.api.sockets.support import no_sockets_are_left
from tests.links.conftest import SERVER
from tests.links.hosts import Host, hosts
from tests.links.server import ASYNCIO, UDP_PORTS

NETWORKS = ("192.0.2", "198.51.100")
TIMEOUT = 5.0
"""Seconds that are never reached."""


@pytest.fixture
def between() -> Iterator[Host]:
    """A host on two networks; on both is the host where ``server.py`` runs."""
    with hosts(2) as (here, there):
        for number, network in enumerate(NETWORKS):
            here.connect(f"c{number}", there, f"s{number}")
            here.add(f"{network}.1/24", f"c{number}")
            there.add(f"{network}.2/24", f"s{number}")
        with there.start(SERVER) as program:
            assert program.line() == "up"
            yield here


def connected(network: str) -> sctpx.Socket:
    sock = sctpx.socket(peer_udp_port=UDP_PORTS[ASYNCIO])
    sock.settimeout(TIMEOUT)
    sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_PEER_ADDR_CHANGE, se_on=1))
    sock.connect((f"{network}.2", ASYNCIO))
    return sock


def test_each_of_two_clients_keeps_to_its_own_address(between: Host) -> None:
    """The server has told both of its addresses. Each client asks the other one, too, and is known by one address."""

    before = list(hub.carriers)

    def call() -> None:
        with connected(NETWORKS[0]) as first, connected(NETWORKS[1]) as second:
            assert first.udp_port == second.udp_port
            for sock, network in ((first, NETWORKS[0]), (second, NETWORKS[1])):
                assert [address[0] for address in sock.getladdrs()] == [f"{network}.1"]
                assert len(sock.getpaddrs()) == len(NETWORKS)
                sock.send(b"hello")
                while (received := sock.recvv(100)).notification is not None:
                    pass
                assert received.data == b"hello"
        no_sockets_are_left(before)  # As long as the server is there.

    between.run(call)
