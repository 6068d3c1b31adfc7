"""``reuse_address``, and endpoints that named no port, in asyncio."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from sctpx.link import LinkKind
from tests.api.support import HOST, PORT, another_program, linux_only, raises_errno, until

USUAL = 9899


async def start(udp_port: int = 0, **options: object) -> sctpx.Server:
    return await sctpx.start_server(None, HOST, PORT, udp_port=udp_port, **options)  # type: ignore[arg-type]


async def read_all(association: sctpx.Association) -> int:
    """How many bytes come until the graceful end."""
    return sum([len(message.data) async for message in association])


async def fill(association: sctpx.Association) -> None:
    """Send until nothing more is taken, since the peer does not read."""
    try:
        while True:
            await asyncio.wait_for(association.send(bytes(1 << 17)), 0.05)
    except TimeoutError:
        pass


# --- servers ---


async def test_a_server_starts_anew_while_associations_of_the_one_before_are_served() -> None:
    first = await start()
    old = await sctpx.connect(HOST, PORT, peer_udp_port=first.udp_port)
    served = await first.accept()
    first.close()
    async with await start(first.udp_port) as second:
        async with sctpx.connect(HOST, PORT, peer_udp_port=second.udp_port) as new:
            accepted = await second.accept()
            assert (second.associations, second.endpoint.associations) == ([accepted], [accepted])
            for sender, receiver in ((old, served), (new, accepted), (served, old)):
                await sender.send(b"hello")
                assert (await receiver.recv()).data == b"hello"
        assert served.state == "ESTABLISHED"
    await served.send(b"outlives both servers")
    assert (await old.recv()).data == b"outlives both servers"
    await asyncio.gather(old.close(), served.close())
    async with await start(first.udp_port):
        pass  # The port was given up with the last association.


async def test_without_it_the_error_says_what_has_the_port_and_how_it_can_be_had() -> None:
    first = await start()
    old = await sctpx.connect(HOST, PORT, peer_udp_port=first.udp_port)
    with raises_errno(errno.EADDRINUSE, f"SCTP port {PORT} .* by a server: .*port="):
        await start(first.udp_port)
    served = await first.accept()
    first.close()
    with raises_errno(errno.EADDRINUSE, "associations of a closed endpoint .*reuse_address=True"):
        await start(first.udp_port, reuse_address=False)
    old.abort()
    served.abort()


async def test_the_port_of_an_open_endpoint_is_not_taken_over() -> None:
    endpoint = await sctpx.open_endpoint(HOST, PORT, udp_port=0)
    with raises_errno(errno.EADDRINUSE, "by an endpoint that is open"):
        await start(endpoint.udp_port)
    endpoint.close()
    async with await start(endpoint.udp_port):
        pass


async def test_an_association_of_an_open_client_keeps_its_port() -> None:
    async with await start() as server:
        client = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, udp_port=0)
        with raises_errno(errno.EADDRINUSE):
            await sctpx.connect(
                HOST,
                PORT,
                peer_udp_port=server.udp_port,
                local_port=2905,
                udp_port=client.endpoint.udp_port,
                reuse_address=True,
            )
        client.abort()


async def test_a_client_on_a_port_of_its_own_connects_again_though_its_last_words_were_not_read() -> None:
    async with await start() as server:
        first = await sctpx.connect(
            HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, udp_port=0, close_timeout=None
        )
        old = await server.accept()
        await fill(first)
        closing = asyncio.create_task(first.close())
        await until(lambda: first.state == "SHUTDOWN-PENDING")
        udp_port = first.endpoint.udp_port
        with raises_errno(errno.EADDRINUSE, "reuse_address=True"):
            await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, udp_port=udp_port)
        second = await sctpx.connect(
            HOST, PORT, peer_udp_port=server.udp_port, local_port=2905, udp_port=udp_port, reuse_address=True
        )
        new = await server.accept()
        await second.send(b"again")
        assert (await new.recv()).data == b"again"
        with pytest.raises(sctpx.AssociationAborted):
            await read_all(old)
        await closing
        await second.close()


# --- endpoints that named no port ---


@pytest.mark.udp_9899
@pytest.mark.parametrize("link", [None, "udp"])
async def test_an_endpoint_that_named_no_port_is_found_once_it_listens(link: LinkKind | None) -> None:
    async with await sctpx.open_endpoint(HOST, link=link) as endpoint:
        port, before = endpoint.port, endpoint.udp_port
        assert before != USUAL
        server = endpoint.listen()
        assert (endpoint.port, endpoint.udp_port, server.udp_port) == (port, USUAL, USUAL)
        async with sctpx.connect(HOST, port) as association:
            await association.send(b"found")
            assert (await (await server.accept()).recv()).data == b"found"


@pytest.mark.udp_9899
async def test_an_endpoint_that_has_associations_listens_where_it_is_and_is_found_there() -> None:
    async with await start() as server, await sctpx.open_endpoint(HOST) as endpoint:
        await endpoint.connect(HOST, PORT, peer_udp_port=server.udp_port)
        before = endpoint.udp_port
        listening = endpoint.listen()
        assert endpoint.udp_port == before
        async with sctpx.connect(HOST, endpoint.port):
            await listening.accept()


@pytest.mark.udp_9899
@linux_only
async def test_an_endpoint_is_found_in_its_loop_though_another_program_has_the_usual_udp_port() -> None:
    with another_program(USUAL):
        async with await sctpx.open_endpoint(HOST) as endpoint:
            server = endpoint.listen()
            assert endpoint.udp_port != USUAL
            async with sctpx.connect(HOST, endpoint.port):
                await server.accept()
            async with await sctpx.open_endpoint(HOST) as other, other.connect(HOST, endpoint.port):
                await server.accept()
