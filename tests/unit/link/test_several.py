"""Raw IP beside UDP in one link: the UDP port of a packet says which way it goes."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from sctpx.core.outputs import Transmit
from sctpx.link import Link, LinkSocket, RawLink, Received, SeveralLinks, UdpLink
from tests.namespaces import own_host
from tests.unit.link.conftest import PATIENCE

HERE, THERE, THIRD = (ip_address(f"127.0.0.{number}").packed for number in (1, 2, 3))
PORT = 5000
PACKET = PORT.to_bytes(2, "big") * 2 + bytes(28)


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets."""
    with own_host():
        yield


def several(*addresses: bytes) -> SeveralLinks:
    """A link of both kinds, with an SCTP port open."""
    link = SeveralLinks(RawLink.open(addresses), UdpLink.open(addresses))
    link.open_port(PORT, addresses)
    return link


@pytest.fixture
def links() -> Iterator[tuple[SeveralLinks, SeveralLinks]]:
    """Two of them; closed after the test."""
    pair = several(HERE), several(THERE)
    yield pair
    for link in pair:
        link.close()


def received(link: SeveralLinks) -> list[Received]:
    """What arrives first."""
    ready, _, _ = select.select(link.sockets, [], [], PATIENCE)
    return [batch for sock in ready for batch in link.receive(sock)]


def test_it_is_what_a_driver_asks_for(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    link: Link[LinkSocket] = links[0]
    assert link.addresses == [HERE]
    assert len(link.sockets) == 2
    assert link.port == links[0].udp.port > 0
    assert link.max_packet(THERE) == links[0].udp.max_packet(THERE)


def test_packets_go_by_raw_ip_or_udp_as_their_udp_port_says(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    here, there = links
    assert here.send(Transmit(b"", THERE, 0, PACKET, 32)) == 0
    assert received(there) == [(THERE, HERE, 0, PACKET, 32, 0)]
    assert here.send(Transmit(b"", THERE, there.port, PACKET, 32)) == 0
    assert received(there) == [(THERE, HERE, here.port, PACKET, 32, 0)]


def test_a_udp_datagram_without_a_source_port_is_no_native_packet(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    """Else a stranger who reaches the UDP port alone could have answers leave by raw IP."""
    here, there = links
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as crafted:
        crafted.sendto(struct.pack("!4H", 0, there.port, 8 + len(PACKET), 0) + PACKET, ("127.0.0.2", 0))
    assert received(there) == []
    assert here.send(Transmit(b"", THERE, there.port, PACKET, 32)) == 0
    assert received(there) == [(THERE, HERE, here.port, PACKET, 32, 0)]


def test_a_transmit_waits_for_the_socket_it_leaves_by(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    here, _ = links
    assert here.socket_for(Transmit(b"", THERE, 0, PACKET, 32)) is here.raw.sockets[0]
    assert here.socket_for(Transmit(b"", THERE, 9899, PACKET, 32)) is here.udp.sockets[0]


def test_an_address_is_added_to_both(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    here, _ = links
    here.add_address(THIRD)
    assert here.addresses == here.raw.addresses == here.udp.addresses == [HERE, THIRD]
    assert len(here.sockets) == 4


def test_an_address_that_one_of_them_cannot_have_is_none_of_the_link(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    here, _ = links
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.3", here.port))
        with pytest.raises(OSError, match="taken") as failure:
            here.add_address(THIRD)
    assert failure.value.errno == errno.EADDRINUSE
    assert here.addresses == [HERE]


def test_an_address_without_raw_sockets_leaves_no_udp_socket(
    links: tuple[SeveralLinks, SeveralLinks], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a process that has given up its privileges since."""
    here, _ = links

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no raw sockets any more")

    monkeypatch.setattr(RawLink, "add_address", refuse)
    with pytest.raises(PermissionError):
        here.add_address(THIRD)
    assert here.udp.addresses == [HERE]
    assert here.sockets == [*here.raw.sockets, *here.udp.sockets]
    assert {sock.address for sock in here.sockets} == {HERE}


def test_an_sctp_port_that_is_taken_for_raw_ip_is_taken(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    beside = SeveralLinks(RawLink.open([HERE]), UdpLink.open([HERE]))
    with pytest.raises(OSError, match="SCTP port 5000") as failure:
        beside.open_port(PORT, [HERE])
    assert failure.value.errno == errno.EADDRINUSE
    links[0].close_port(PORT)
    beside.open_port(PORT, [HERE])
    beside.close()


def test_icmp_errors_of_either_come_back(links: tuple[SeveralLinks, SeveralLinks]) -> None:
    here, there = links
    closed = there.port
    there.udp.close()
    assert here.send(Transmit(b"", THERE, closed, PACKET, 32)) == 0
    (sock,), _, _ = select.select(here.sockets, [], [], PATIENCE)
    assert here.receive(sock) == []
    assert here.receive_errors(sock) == [(THERE, closed, errno.ECONNREFUSED, PACKET, 0)]
