"""What a user who has never seen SCTP is told when connecting or binding fails: what is wrong, and what helps."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from tests.api.sockets.support import client, listening
from tests.api.support import PORT, linux_only, raises_errno

CURES = "end it first, or connect from another SCTP port"
ELSEWHERE = "203.0.113.1"
"""An address of documentation (RFC 5737), which this host does not have."""

# --- an address belongs to another association ---


@linux_only
async def test_a_listed_address_of_another_association_is_named_with_that_one_and_the_cures() -> None:
    async with (
        await sctpx.start_server(None, ["127.0.0.1", "127.0.0.2"], PORT, udp_port=0) as server,
        await sctpx.open_endpoint("127.0.0.1", udp_port=0) as endpoint,
    ):
        first = await endpoint.connect("127.0.0.1", PORT, peer_udp_port=server.udp_port)
        named = f"127.0.0.2 port {PORT} is the peer of association {first.id} .with 127.0.0.1, 127.0.0.2."
        with raises_errno(errno.EISCONN, named) as caught:
            await endpoint.connect(["127.0.0.3", "127.0.0.2"], PORT, peer_udp_port=server.udp_port)
        assert f"our SCTP port {endpoint.port} has already: use that one, {CURES}" in str(caught.value)


async def test_an_association_in_the_making_is_named_too() -> None:
    async with await sctpx.open_endpoint("127.0.0.1", udp_port=0) as endpoint:
        first = asyncio.create_task(_connected(endpoint, "127.0.0.1", endpoint.udp_port))
        while not endpoint.associations:  # noqa: ASYNC110 - there is nothing to wait for but the loop itself
            await asyncio.sleep(0)
        with raises_errno(errno.EALREADY, f"is setting up already: wait for that one, {CURES}"):
            await endpoint.connect("127.0.0.1", PORT, peer_udp_port=endpoint.udp_port)
        first.cancel()


@linux_only
async def test_an_address_that_turns_out_to_be_another_associations_is_named_with_it() -> None:
    """Both attempts begin before either knows that their addresses are those of one peer."""
    async with (
        await sctpx.start_server(None, ["127.0.0.1", "127.0.0.2"], PORT, udp_port=0) as server,
        await sctpx.open_endpoint("127.0.0.1", udp_port=0) as endpoint,
    ):
        ways = [_connected(endpoint, address, server.udp_port) for address in ("127.0.0.1", "127.0.0.2")]
        association, refusal = await asyncio.gather(*ways, return_exceptions=True)
        assert isinstance(association, sctpx.Association)
        assert isinstance(refusal, sctpx.ConnectError)
        assert refusal.errno in (errno.EISCONN, errno.EALREADY)
        assert f"is the peer of association {association.id} (with 127.0.0.1, 127.0.0.2)" in str(refusal)
        assert CURES in str(refusal)


async def _connected(endpoint: sctpx.Endpoint, host: str, udp_port: int) -> sctpx.Association:
    return await endpoint.connect(host, PORT, peer_udp_port=udp_port)


@linux_only
def test_a_socket_names_the_association_that_has_the_address() -> None:
    with listening() as server, client(server, sctpx.SOCK_SEQPACKET) as sock:
        first = sock.connectx([("127.0.0.1", PORT)])
        with raises_errno(errno.EISCONN, f"of association {first} .*which this socket has already: .*{CURES}"):
            sock.connectx([("127.0.0.3", PORT), ("127.0.0.1", PORT)])
        with sock.peeloff(first), raises_errno(errno.EADDRNOTAVAIL, f"of association {first} .*another socket has"):
            sock.connect(("127.0.0.1", PORT))


# --- addresses that cannot be used ---


async def test_a_loopback_source_reaches_no_other_host() -> None:
    with pytest.raises(sctpx.ConnectError, match=r"127\.0\.0\.1 is a loopback address, which reaches nobody"):
        await sctpx.connect(ELSEWHERE, PORT, peer_udp_port=1, local="127.0.0.1")


def test_a_socket_that_is_bound_to_loopback_reaches_no_other_host() -> None:
    with sctpx.socket(peer_udp_port=1) as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(sctpx.ConnectError, match=r"127\.0\.0\.1 is a loopback address"):
            sock.connect((ELSEWHERE, PORT))


async def test_an_address_of_another_host_cannot_be_bound_and_ours_are_told() -> None:
    with raises_errno(errno.EADDRNOTAVAIL, f"of {ELSEWHERE}: this host does not have it, but .*127.0.0.1"):
        await sctpx.start_server(None, ELSEWHERE, PORT, udp_port=0)
    with sctpx.socket(udp_port=0) as sock, raises_errno(errno.EADDRNOTAVAIL, "does not have it, but .*127.0.0.1"):
        sock.bind((ELSEWHERE, PORT))


@linux_only
async def test_a_source_that_is_not_bound_is_told_with_those_that_are() -> None:
    with raises_errno(errno.EADDRNOTAVAIL, r"the source 127.0.0.9 is none of ours \(127.0.0.1, 127.0.0.2\)"):
        peer = sctpx.Address("127.0.0.1", source="127.0.0.9")
        await sctpx.connect(peer, PORT, peer_udp_port=1, local=["127.0.0.1", "127.0.0.2"])


# --- nobody is there ---


@linux_only
async def test_who_is_not_there_is_told_apart() -> None:
    async with await sctpx.start_server(None, "127.0.0.1", PORT, udp_port=0) as server:
        with pytest.raises(sctpx.ConnectError, match="nobody listens at that SCTP port"):
            await sctpx.connect("127.0.0.1", PORT + 1, peer_udp_port=server.udp_port)
        with pytest.raises(sctpx.ConnectError, match="no program receives at that UDP port"):
            await sctpx.connect("127.0.0.9", PORT, peer_udp_port=server.udp_port)


async def test_a_full_backlog_is_told() -> None:
    async with (
        await sctpx.start_server(None, "127.0.0.1", PORT, udp_port=0, backlog=1) as server,
        sctpx.connect("127.0.0.1", PORT, peer_udp_port=server.udp_port),
    ):
        with pytest.raises(sctpx.ConnectError, match="takes no more associations now"):
            await sctpx.connect("127.0.0.1", PORT, peer_udp_port=server.udp_port)
