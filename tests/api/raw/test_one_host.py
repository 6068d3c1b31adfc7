"""Several programs that use raw IP on one host: each of their sockets sees the packets of all, and none disturbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.api.raw.child import Child, ChildError, Children
from tests.namespaces import own_host

PORT = 5001

both_families = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """Programs on one host."""
    with own_host(), Children() as programs:
        yield programs


@pytest.fixture
def start(children: Children) -> Iterator[Callable[[], Child]]:
    """Have one more program on the host."""
    with children.lent() as give:
        yield give


@both_families
def test_a_client_and_a_server_in_two_processes_at_one_address(start: Callable[[], Child], address: str) -> None:
    server, client = start(), start()
    server.ask("listen", hosts=[address], port=PORT)
    client.ask("connect", hosts=[address], port=PORT)
    assert client.ask("exchange", size=100_000, count=10)
    client.ask("shutdown")
    assert server.ask("end") == "shutdown"


@both_families
def test_two_clients_in_two_processes_at_one_address_leave_each_other_alone(
    start: Callable[[], Child], address: str
) -> None:
    server, *clients = start(), start(), start()
    server.ask("listen", hosts=[address], port=PORT)
    ports = {client.ask("connect", hosts=[address], port=PORT) for client in clients}
    for client in clients:
        client.tell("exchange", size=100_000, count=20)
    assert [client.answer() for client in clients] == [True, True]
    assert [client.ask("states") for client in clients] == [["ESTABLISHED"], ["ESTABLISHED"]]
    assert len(ports) == 2


def test_two_servers_in_two_processes_have_different_ports_of_one_address(start: Callable[[], Child]) -> None:
    servers, client = (start(), start()), start()
    for number, server in enumerate(servers):
        server.ask("listen", hosts=["127.0.0.1"], port=PORT + number)
    for number, _ in enumerate(servers):
        client.ask("connect", hosts=["127.0.0.1"], port=PORT + number)
        assert client.ask("exchange", size=10_000)
    assert client.ask("states") == ["ESTABLISHED", "ESTABLISHED"]


def test_two_servers_in_two_processes_have_one_port_of_different_addresses(start: Callable[[], Child]) -> None:
    servers, client = (start(), start()), start()
    for number, server in enumerate(servers, 1):
        server.ask("listen", hosts=[f"127.0.0.{number}"], port=PORT)
    for number, _ in enumerate(servers, 1):
        client.ask("connect", hosts=[f"127.0.0.{number}"], port=PORT)
        assert client.ask("exchange", size=10_000)


def test_a_port_that_another_process_has_is_refused_by_its_name(start: Callable[[], Child]) -> None:
    first, second = start(), start()
    first.ask("listen", hosts=["127.0.0.1", "127.0.0.2"], port=PORT)
    with pytest.raises(
        ChildError, match=rf"SCTP port 5001 of 127\.0\.0\.2 is taken by process {first.pid} \("
    ) as failure:
        second.ask("listen", hosts=["127.0.0.3", "127.0.0.2"], port=PORT)
    assert failure.value.code == "EADDRINUSE"
    second.ask("listen", hosts=["127.0.0.3"], port=PORT)


def test_a_port_is_free_again_when_its_process_was_killed(start: Callable[[], Child]) -> None:
    first, second = start(), start()
    first.ask("listen", hosts=["127.0.0.1"], port=PORT)
    first.kill()
    assert second.ask("listen", hosts=["127.0.0.1"], port=PORT) == PORT


def test_a_connect_to_a_port_that_nobody_has_is_refused_however_many_listen(start: Callable[[], Child]) -> None:
    servers, client = (start(), start()), start()
    for number, server in enumerate(servers):
        server.ask("listen", hosts=["127.0.0.1"], port=PORT + number)
    for _ in range(2):
        with pytest.raises(ChildError, match=r"127\.0\.0\.1: ABORT to 1 INIT") as failure:
            client.ask("connect", hosts=["127.0.0.1"], port=PORT + 2, local=["127.0.0.2"])
        assert failure.value.code == "ECONNREFUSED"
        servers[0].kill()


def test_the_peer_of_a_killed_process_learns_it_from_another_process_of_that_host(start: Callable[[], Child]) -> None:
    doomed, other, client = start(), start(), start()
    doomed.ask("listen", hosts=["127.0.0.1"], port=PORT)
    other.ask("listen", hosts=["127.0.0.1"], port=PORT + 1)
    client.ask("connect", hosts=["127.0.0.1"], port=PORT, local=["127.0.0.2"])
    doomed.kill()
    client.ask("heartbeat", address="127.0.0.1")
    assert client.ask("end") == "AssociationAborted"


def test_the_peer_of_a_killed_process_learns_it_from_the_one_that_takes_its_port(start: Callable[[], Child]) -> None:
    doomed, successor, client = start(), start(), start()
    doomed.ask("listen", hosts=["127.0.0.1"], port=PORT)
    client.ask("connect", hosts=["127.0.0.1"], port=PORT, local=["127.0.0.2"])
    doomed.kill()
    successor.ask("listen", hosts=["127.0.0.1"], port=PORT)
    client.tell("exchange", size=100)
    with pytest.raises(ChildError, match="abort"):
        client.answer()
