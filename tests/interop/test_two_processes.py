"""sctpx and sctpx: two processes on one host, over IP itself, where each sees the packets of the other's ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sctpx
from tests.api.raw.child import Child
from tests.interop.matrix import Matrix, Way
from tests.namespaces import own_host
from tests.sweeps import some

PEER = "sctpx in another process"
pytestmark = pytest.mark.matrix(peer=PEER, api="asyncio")
HOSTS = {4: ["127.0.1.1", "127.0.2.1"], 6: ["fd09::1", "fd09::2"]}
PORT = 5001


@pytest.fixture(autouse=True)
def host(matrix: Matrix) -> Iterator[None]:
    """A host of its own."""
    matrix.versions[PEER] = sctpx.__version__
    with own_host(HOSTS[6]):
        yield


@pytest.mark.parametrize(
    "way", some([Way("raw", 4, 2), Way("raw", 6, 1)], [Way("raw", 4, 1), Way("raw", 6, 2)]), ids=str
)
def test_messages_go_both_ways_and_the_association_is_shut_down(way: Way) -> None:
    hosts = HOSTS[way.family][: way.addresses]
    with Child() as server, Child() as client:
        server.ask("listen", hosts=hosts, port=PORT)
        client.ask("connect", hosts=hosts, port=PORT)
        for size in (1, 1453, 200_000):
            assert client.ask("exchange", size=size, count=5)
        client.ask("shutdown")
        assert client.ask("states") == ["CLOSED"]


@pytest.mark.parametrize("way", [Way("raw", family, 2) for family in (4, 6)], ids=str)
def test_a_process_that_dies_and_comes_back_restarts_the_association(way: Way) -> None:
    hosts = HOSTS[way.family]
    with Child() as server:
        server.ask("listen", hosts=hosts, port=PORT)
        with Child() as client:
            client.ask("connect", hosts=hosts, port=PORT, local_port=6001)
            assert client.ask("exchange", size=1000)
            server.ask("settle")  # What comes again for a peer that is not there has it aborted, and not restarted.
        with Child() as client:
            client.ask("connect", hosts=hosts, port=PORT, local_port=6001)
            assert client.ask("exchange", size=100_000, count=3)
            assert server.ask("states") == ["ESTABLISHED"]
