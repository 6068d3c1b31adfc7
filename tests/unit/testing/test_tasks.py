"""Functions that run side by side in virtual time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sctpx.testing import Host, Network, SimulatedSocket, SimulationError

PORT = 5000


@pytest.fixture
def network() -> Iterator[Network]:
    threads = threading.active_count()
    with Network(seed=1) as network:
        for number, name in enumerate(("server", "client"), 1):
            network.add_host(name, [f"10.0.0.{number}"])
        yield network
    assert threading.active_count() == threads


def serve(network: Network, host: Host) -> None:
    """Echo what clients say, each in a task of its own."""
    with host.socket() as listener:
        listener.bind(("", PORT))
        listener.listen()
        while True:
            connection, _ = listener.accept()
            network.spawn(echo, connection)


def echo(connection: SimulatedSocket) -> None:
    with connection:
        while data := connection.recv(1000):
            connection.send(data.upper())


def ask(host: Host, text: bytes) -> bytes:
    with host.socket() as sock:
        sock.connect(("server", PORT))
        sock.send(text)
        return sock.recv(1000)


def test_a_server_and_its_clients_run_side_by_side(network: Network) -> None:
    network.spawn(serve, network, network.hosts["server"])
    asking = [network.spawn(ask, network.hosts["client"], b"text %d" % number) for number in range(5)]
    assert [task.result() for task in asking] == [b"TEXT %d" % number for number in range(5)]
    assert ask(network.hosts["client"], b"from the test itself") == b"FROM THE TEST ITSELF"


def test_what_they_do_follows_from_the_seed() -> None:
    def run() -> str:
        with Network(seed=2) as network:
            for number, name in enumerate(("server", "client"), 1):
                network.add_host(name, [f"10.0.0.{number}"])
            network.spawn(serve, network, network.hosts["server"])
            asking = [network.spawn(ask, network.hosts["client"], b"%d" % number) for number in range(3)]
            for task in asking:
                task.result()
            return network.ladder(addresses=True, details=True)

    assert run() == run()


def test_a_task_runs_to_its_first_call_that_waits_and_on_with_the_time(network: Network) -> None:
    done: list[str] = []

    def work() -> str:
        done.append("begun")
        sock = network.hosts["client"].socket()
        sock.settimeout(5)
        with pytest.raises(TimeoutError):
            sock.connect(("10.0.0.99", PORT))
        done.append("timed out")
        return "result"

    task = network.spawn(work)
    assert (done, task.done) == (["begun"], False)
    network.run_for(4.9)
    assert not task.done
    assert task.result() == "result"
    assert done == ["begun", "timed out"]
    assert network.elapsed == pytest.approx(5)


def test_what_a_task_raises_comes_with_its_result(network: Network) -> None:
    task = network.spawn(ask, network.hosts["client"], b"nobody listens")
    with pytest.raises(ConnectionRefusedError):
        task.result()


def test_what_a_task_raised_and_nobody_asked_for_fails_the_test() -> None:
    def fail() -> None:
        raise ValueError("unnoticed")

    with pytest.raises(ValueError, match="unnoticed"), Network() as network:
        network.spawn(fail)


def test_the_result_of_a_task_that_waits_for_ever_says_so(network: Network) -> None:
    task = network.spawn(serve, network, network.hosts["server"])
    with pytest.raises(SimulationError, match="task serve waits: nothing more will happen"):
        task.result()


def test_several_tasks_may_wait_on_one_socket(network: Network) -> None:
    listener = network.hosts["server"].socket()
    listener.bind(("", PORT))
    listener.listen()
    accepting = [network.spawn(listener.accept) for _ in range(3)]
    for _ in accepting:
        network.hosts["client"].socket().connect(("server", PORT))
    peers = [task.result()[1] for task in accepting]
    assert len(set(peers)) == 3
