"""Raw IP between two hosts with cables between them: associations of every kind of life, and what ICMP tells.

The test's own thread is on the first host, programs run on the second one.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator

import pytest

import sctpx
from tests.api.raw.child import Child, Children
from tests.api.support import recv_whole
from tests.namespaces import Host, two_hosts

pytestmark = pytest.mark.one_loop

PORT = 5001


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with two cables between them."""
    with two_hosts(cables=2) as pair:
        yield pair


@pytest.fixture(scope="module")
def children(hosts: tuple[Host, Host]) -> Iterator[Children]:
    """Programs on the second host."""
    with Children(hosts[1].command()) as programs:
        yield programs


@pytest.fixture
def here(hosts: tuple[Host, Host]) -> Iterator[Host]:
    """The first host, which this thread is on."""
    with hosts[0].entered():
        yield hosts[0]


@pytest.fixture
def there(hosts: tuple[Host, Host]) -> Host:
    """The second host."""
    return hosts[1]


@pytest.fixture
def start(children: Children) -> Iterator[Callable[[], Child]]:
    """Have one more program on the second host."""
    with children.lent() as give:
        yield give


def addresses(host: Host, family: str) -> list[str]:
    """The addresses of a host, of one family or of both."""
    return {"IPv4": host.addresses, "IPv6": host.addresses6, "both": host.addresses + host.addresses6}[family]


BRISK = sctpx.AssociationConfig(rto_initial=0.2, rto_min=0.1, rto_max=0.5, sack_delay=0.02)
"""Timers short enough that a test can wait for a failover."""

families = pytest.mark.parametrize("family", ["IPv4", "IPv6", "both"])
one_family = pytest.mark.parametrize("family", ["IPv4", "IPv6"])


@families
async def test_we_connect_exchange_and_shut_down(
    here: Host, there: Host, start: Callable[[], Child], family: str
) -> None:
    peer = start()
    peer.ask("listen", hosts=addresses(there, family), port=PORT)
    async with sctpx.connect(addresses(there, family), PORT, local=addresses(here, family), link="raw") as association:
        for size in (1, 1452, 1453, 200_000):
            data = bytes(range(256)) * (size // 256) + bytes(size % 256)
            await association.send(data)
            assert await recv_whole(association) == data
        assert {path.remote for path in association.paths} == set(addresses(there, family))
        assert association.endpoint.udp_port == 0
        await association.shutdown()
    assert await peer.ask_meanwhile("end") == "shutdown"


@families
async def test_a_peer_connects_exchanges_and_shuts_down(
    here: Host, there: Host, start: Callable[[], Child], family: str
) -> None:
    peer = start()
    async with await sctpx.start_server(None, addresses(here, family), PORT, link="raw") as server:
        await peer.ask_meanwhile("connect", hosts=addresses(here, family), port=PORT, local=addresses(there, family))
        association = await server.accept()
        peer.tell("exchange", size=200_000, count=3)
        for _ in range(3):
            await association.send(await recv_whole(association))
        assert await asyncio.to_thread(peer.answer)
        peer.tell("shutdown")
        assert await association.recv_many() == []
        await asyncio.to_thread(peer.answer)


@one_family
async def test_an_abort_of_either_side_reaches_the_other(
    here: Host, there: Host, start: Callable[[], Child], family: str
) -> None:
    peer = start()
    peer.ask("listen", hosts=addresses(there, family), port=PORT)
    association = await sctpx.connect(addresses(there, family), PORT, link="raw")
    peer.tell("end")
    association.abort("enough")
    assert await asyncio.to_thread(peer.answer) == "AssociationAborted"
    association = await sctpx.connect(addresses(there, family), PORT, link="raw")
    await association.send(b"are you there?")
    await association.recv()
    await peer.ask_meanwhile("abort")
    with pytest.raises(sctpx.AssociationAborted):
        await association.recv()


@one_family
async def test_a_path_that_is_cut_is_left_and_nothing_is_lost(family: str) -> None:
    with two_hosts(cables=2) as (here, beyond), here.entered(), Child(beyond.command()) as peer:
        peer.ask("listen", hosts=addresses(beyond, family), port=PORT)
        association = await sctpx.connect(
            addresses(beyond, family), PORT, local=addresses(here, family), link="raw", config=BRISK
        )
        async with association:
            first = (
                association.primary_path.remote
                if hasattr(association, "primary_path")
                else addresses(beyond, family)[0]
            )
            assert first == addresses(beyond, family)[0]
            here.lose(1, addresses(beyond, family)[0])
            beyond.lose(1, addresses(here, family)[0])
            for number in range(20):
                await association.send(b"%d" % number)
            assert [(await association.recv()).data for _ in range(20)] == [b"%d" % number for number in range(20)]


@one_family
async def test_a_host_without_sctp_refuses_by_icmp(here: Host, there: Host, family: str) -> None:
    with pytest.raises(sctpx.ConnectError) as failure:
        await sctpx.connect(addresses(there, family), PORT, link="raw", timeout=10)
    assert failure.value.errno == errno.ENOPROTOOPT
    assert {entry.answer for entry in failure.value.report} == {"ICMP"}


@one_family
async def test_an_association_ends_when_the_peers_host_says_it_has_no_sctp_any_more(
    here: Host, there: Host, start: Callable[[], Child], family: str
) -> None:
    """RFC 9260 section 10, ICMP8: the process was the only one with raw sockets."""
    peer = start()
    peer.ask("listen", hosts=addresses(there, family), port=PORT)
    association = await sctpx.connect(addresses(there, family), PORT, link="raw")
    peer.kill()
    await association.send(b"are you there?")
    with pytest.raises(sctpx.AssociationAborted):
        await association.recv()
