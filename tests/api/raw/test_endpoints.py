"""``link="raw"`` in one event loop: what endpoints share, what they are refused, and raw IP beside UDP."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

import sctpx
from sctpx.link import RawLink, SeveralLinks, UdpLink
from sctpx.link.filter import FilteredLink
from tests.api.support import raises_errno, until
from tests.namespaces import own_host

pytestmark = pytest.mark.one_loop

PORT = 5001
HOST, OTHER = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets."""
    with own_host():
        yield


def raw_sockets() -> int:
    """How many raw sockets the host has."""
    with open("/proc/thread-self/net/raw") as table:
        return len(table.readlines()) - 1


async def test_an_endpoint_says_that_it_does_without_udp() -> None:
    async with await sctpx.open_endpoint(HOST, PORT, link="raw") as endpoint:
        assert endpoint.udp_port == 0
        assert repr(endpoint) == "<sctpx.Endpoint port 5001 on 127.0.0.1 without UDP>"


async def test_endpoints_at_an_address_share_its_raw_socket_and_the_last_one_closes_it() -> None:
    before = raw_sockets()
    endpoints = [await sctpx.open_endpoint(HOST, link="raw") for _ in range(5)]
    assert raw_sockets() == before + 1
    assert len({endpoint.port for endpoint in endpoints}) == 5
    for endpoint in endpoints:
        endpoint.close()
    assert raw_sockets() == before


async def test_clients_and_a_server_of_one_loop_reach_each_other() -> None:
    async with await sctpx.start_server(None, HOST, PORT, link="raw") as server:
        clients = [await sctpx.connect(HOST, PORT, link="raw") for _ in range(3)]
        for client in clients:
            await client.send(b"hello")
            assert (await (await server.accept()).recv()).data == b"hello"
            client.abort()


async def test_a_port_of_an_address_has_one_endpoint_and_another_address_another() -> None:
    async with await sctpx.open_endpoint([HOST, OTHER], PORT, link="raw"):
        with raises_errno(errno.EADDRINUSE, "SCTP port 5001 is in use in this event loop"):
            await sctpx.open_endpoint(HOST, PORT, link="raw")
        async with await sctpx.open_endpoint("127.0.0.3", PORT, link="raw"):
            pass
        async with await sctpx.open_endpoint([OTHER, "127.0.0.4"], PORT + 1, link="raw"):
            pass
    async with await sctpx.open_endpoint(HOST, PORT, link="raw"):
        pass


async def test_the_same_port_of_a_link_of_ones_own_is_refused_in_the_stack() -> None:
    link = RawLink.open([HOST])
    async with await sctpx.open_endpoint(port=PORT, link=link):
        with raises_errno(errno.EADDRINUSE, "SCTP port 5001 is in use in this event loop"):
            await sctpx.open_endpoint(port=PORT, link=link)


async def test_a_server_is_started_anew_while_associations_of_the_one_before_go_on() -> None:
    first = await sctpx.start_server(None, HOST, PORT, link="raw")
    async with sctpx.connect(HOST, PORT, link="raw") as association:
        served = await first.accept()
        first.close()
        async with await sctpx.start_server(None, [HOST, OTHER], PORT, link="raw") as second:
            async with sctpx.connect(OTHER, PORT, link="raw") as other:
                await other.send(b"to the second")
                assert (await (await second.accept()).recv()).data == b"to the second"
            await association.send(b"to the first")
            assert (await served.recv()).data == b"to the first"


async def test_a_filtered_raw_link_carries_packets() -> None:
    async with (
        await sctpx.start_server(None, port=PORT, link=FilteredLink(RawLink.open([HOST]))),
        sctpx.connect(HOST, PORT, link=FilteredLink(RawLink.open([OTHER]))) as association,
    ):
        assert association.local_addresses == [OTHER]


async def test_a_link_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="link is 'tcp': not one of udp, raw"):
        await sctpx.connect(HOST, PORT, link="tcp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="link is 'tcp'"):
        await sctpx.start_server(None, HOST, PORT, link="tcp")  # type: ignore[arg-type]


async def test_a_udp_port_of_an_address_is_refused_without_udp() -> None:
    address = sctpx.Address(HOST, udp_port=9800)
    with raises_errno(errno.EINVAL, "UDP port 9800"):
        await sctpx.connect(address, PORT, link="raw")
    async with await sctpx.open_endpoint(HOST, link="raw") as endpoint:
        with raises_errno(errno.EINVAL, "UDP port 9800"):
            await endpoint.connect(address, PORT)


async def test_beside_another_implementation_a_closed_port_is_not_refused_for_it() -> None:
    """Its ports are not known: an ABORT in its name would end its associations."""
    async with await sctpx.open_endpoint(HOST, PORT, link="raw"):
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, 132), raises_errno(errno.ETIMEDOUT):
            await sctpx.connect(HOST, PORT + 1, local=OTHER, link="raw", timeout=0.3)
        with raises_errno(errno.ECONNREFUSED):
            await sctpx.connect(HOST, PORT + 1, local=OTHER, link="raw", timeout=5)


async def test_one_endpoint_reaches_peers_by_raw_ip_and_by_udp() -> None:
    both = SeveralLinks(RawLink.open([HOST]), UdpLink.open([HOST]))
    async with (
        await sctpx.start_server(None, OTHER, PORT, link="raw") as native,
        await sctpx.start_server(None, OTHER, PORT, udp_port=9800) as encapsulated,
        await sctpx.open_endpoint(link=both) as endpoint,
    ):
        ways = []
        for peer_udp_port, server in ((0, native), (9800, encapsulated)):
            async with endpoint.connect(OTHER, PORT, peer_udp_port=peer_udp_port) as association:
                await association.send(b"hello")
                assert (await (await server.accept()).recv()).data == b"hello"
                ways.append(association.paths[0].udp_port)
        assert ways == [0, 9800]


async def test_peers_reach_one_endpoint_by_raw_ip_and_by_udp() -> None:
    both = SeveralLinks(RawLink.open([HOST]), UdpLink.open([HOST], 9800))
    async with await sctpx.start_server(None, port=PORT, link=both) as server:
        for client in (
            sctpx.connect(HOST, PORT, local=OTHER, link="raw"),
            sctpx.connect(HOST, PORT, local=OTHER, peer_udp_port=9800),
        ):
            async with client as association:
                await association.send(b"hello")
                assert (await (await server.accept()).recv()).data == b"hello"


async def test_a_transport_and_a_protocol_do_without_udp_as_well() -> None:
    heard: list[bytes] = []

    class Hearing(sctpx.SctpProtocol):
        def message_received(self, message: sctpx.Message) -> None:
            heard.append(message.data)

    async with await sctpx.create_server(Hearing, HOST, PORT, link="raw"):
        transport, _ = await sctpx.create_connection(sctpx.SctpProtocol, HOST, PORT, link="raw")
        transport.send(b"hello")
        await until(lambda: heard)
        assert heard == [b"hello"]
        transport.close()
        await transport.association.wait_closed()
