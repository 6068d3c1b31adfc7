"""``sctpx perf``: a server and a client, each mode for a fraction of a second."""

from __future__ import annotations

import asyncio
import sys

import pytest

import sctpx
from tests.cli.commands import Running, invoke, parsed, perf, run
from tests.sweeps import rows
from tests.unit.link.conftest import Elsewhere
from tests.unit.link.conftest import own_network as own_network

KEYS = {
    "mode",
    "size",
    "seconds",
    "bytes",
    "messages",
    "mb_per_s",
    "messages_per_s",
    "rtt_us_median",
    "rtt_us_p99",
    "setups_per_s",
    "cpu_user_s",
    "cpu_sys_s",
    "packets_sent",
    "packets_received",
    "retransmissions",
    "compiled",
    "congestion",
}


@pytest.mark.parametrize(
    ("size", "options"),
    rows(
        [
            ("64", ("--streams", "4")),
            ("1Ki", ("--warmup", "0.05", "--stretch-sack", "--loss-recovery", "rfc9260")),
            ("700k", ("--no-offload", "--mtu", "1280", "--congestion", "cubic")),
        ],
        [
            ("64Ki", ()),
            ("700k", ()),
            ("8Ki", ("--no-offload", "--mtu", "1280")),
            ("16Ki", ("--congestion", "cubic")),
        ],
    ),
)
def test_bulk_counts_the_same_on_both_sides(size: str, options: tuple[str, ...]) -> None:
    shared = [option for option in options if option == "--no-offload"]
    client, server = perf(["--seconds", "0.05", "--size", size, *options], shared)
    assert client.keys() >= KEYS
    assert client.keys() == server.keys()
    assert client["mode"] == server["mode"] == "bulk"
    assert client["size"] == server["size"]
    assert 0 < client["bytes"] == server["bytes"]
    assert client["messages"] == server["messages"]
    assert client["mb_per_s"] == pytest.approx(client["bytes"] / client["seconds"] / 1e6, rel=1e-3)
    assert client["compiled"] == server["compiled"] == sctpx.COMPILED
    assert client["rtt_us_median"] is client["setups_per_s"] is None
    assert client["packets_sent"] > 0
    assert server["packets_received"] > 0


@pytest.mark.parametrize(("interface", "mtu"), [(9000, 9000), (1500, 1500)])
def test_packets_are_as_large_as_was_asked_for_and_the_interface_takes(
    own_network: Elsewhere, interface: int, mtu: int
) -> None:
    client, _ = own_network(interface, lambda: perf(["--seconds", "0.05", "--mtu", "9000"]))
    assert client["mtu"] == mtu


@pytest.mark.parametrize("options", [("--count", "50"), ("--seconds", "0.1", "--warmup", "0.05", "--size", "700k")])
def test_pingpong_times_round_trips(options: tuple[str, ...]) -> None:
    client, server = perf(["--mode", "pingpong", "--size", "1Ki", *options])
    assert client["mode"] == server["mode"] == "pingpong"
    assert 0 < client["rtt_us_median"] <= client["rtt_us_p99"]
    assert client["bytes"] == server["bytes"] == client["messages"] * client["size"]
    if "--count" in options:
        assert client["messages"] == server["messages"] == 50


def test_setup_counts_associations() -> None:
    client, server = perf(["--mode", "setup", "--count", "30"])
    assert client["mode"] == server["mode"] == "setup"
    assert client["setups"] == 30
    assert client["setups_per_s"] == pytest.approx(30 / client["seconds"], rel=1e-3)
    assert client["size"] is client["bytes"] is client["rtt_us_median"] is None
    assert client["packets_sent"] + client["packets_received"] >= 4 * 30


def test_a_server_goes_on_after_a_run_unless_it_is_told_not_to() -> None:
    with Running("perf", "server", "--udp-port", "0", "--json") as server:
        udp_port = server.udp_port(server.stderr)
        for _ in range(2):
            done = run("perf", "client", "127.0.0.1", "--udp-port", udp_port, "--mode", "pingpong", "--count", "3")
            assert done.returncode == 0
            assert b"round trip" in done.stdout
            assert parsed(server.stdout.readline())["messages"] == 3
        server.interrupt()
        assert server.finish()[0] == 0


def test_for_people_the_result_is_a_few_lines() -> None:
    with Running("perf", "server", "--udp-port", "0", "--once") as server:
        udp_port = server.udp_port(server.stdout)
        done = run("perf", "client", "127.0.0.1", "--udp-port", udp_port, "--seconds", "0.05")
        status, output, _ = server.finish()
    assert (done.returncode, status) == (0, 0)
    for text in (done.stdout.decode(), output.decode()):
        assert "bulk of 65,536 bytes" in text
        assert "MB/s" in text


@pytest.mark.parametrize(
    ("mode", "unit"),
    [
        ("pingpong", b"round trips/s"),
        # Each takes a second of two processors.
        pytest.param("bulk", b"B/s", marks=pytest.mark.slow),
        pytest.param("setup", b"set-ups/s", marks=pytest.mark.slow),
    ],
)
def test_for_people_each_second_is_told_and_an_interrupt_ends_the_run_with_its_result(mode: str, unit: bytes) -> None:
    with Running("perf", "server", "--udp-port", "0", "--once") as server:
        udp_port = server.udp_port(server.stdout)
        options = ("--udp-port", udp_port, "--mode", mode, "--size", "64", "--seconds", "50")
        with Running("perf", "client", "127.0.0.1", *options) as client:
            line = client.stdout.readline()
            client.interrupt()
            status, output, errors = client.finish()
        assert server.finish()[0] == 0
    assert b"0.00-" in line
    assert line.endswith(unit + b"\n")
    assert (status, errors) == (0, b"")
    assert f"client: {mode}".encode() in output


@pytest.mark.parametrize("mode", ["auto", "bulk", "pingpong"])
def test_a_peer_that_says_nothing_of_itself_gets_what_the_server_was_told(mode: str) -> None:
    async def talk(udp_port: int) -> list[bytes]:
        async with sctpx.connect("127.0.0.1", 5001, peer_udp_port=udp_port) as association:
            await association.send_many([b"one", b"two"])
            if mode == "pingpong":
                return [(await association.recv()).data, (await association.recv()).data]
            return []

    with Running("perf", "server", "--udp-port", "0", "--once", "--json", "--mode", mode) as server:
        back = asyncio.run(talk(int(server.udp_port(server.stderr))))
        status, output, _ = server.finish()
    result = parsed(output)
    assert back == ([b"one", b"two"] if mode == "pingpong" else [])
    assert (status, result["bytes"], result["messages"], result["size"]) == (0, 6, 2, None)


def test_a_run_that_breaks_off_is_one_line_and_exit_status_1() -> None:
    async def talk(udp_port: int) -> None:
        association = await sctpx.connect("127.0.0.1", 5001, peer_udp_port=udp_port)
        acknowledged = association.events
        await association.send_many([b"one", b"two"])
        async for event in acknowledged:
            if isinstance(event, sctpx.events.SenderDry):
                association.abort("enough")

    with Running("perf", "server", "--udp-port", "0", "--once", "--json") as server:
        asyncio.run(talk(int(server.udp_port(server.stderr))))
        status, output, errors = server.finish()
    (line,) = errors.decode().splitlines()
    assert (status, output) == (1, b"")
    assert line.startswith("Error: the association was aborted by the peer")


@pytest.mark.skipif(sys.platform != "linux", reason="workers take Linux")
def test_a_server_with_workers_shows_the_runs_of_all_of_them() -> None:
    with Running("perf", "server", "--udp-port", "0", "--workers", "2", "--json") as server:
        udp_port = server.udp_port(server.stderr)
        for _ in range(2):
            done = run("perf", "client", "127.0.0.1", "--udp-port", udp_port, "--seconds", "0.05", "--json")
            client = parsed(done.stdout)
            assert parsed(server.stdout.readline())["bytes"] == client["bytes"] > 0
        server.interrupt()
        _, output, errors = server.finish()
        assert (output, errors) == (b"", b"")


def test_what_does_not_go_with_workers_is_said() -> None:
    done = invoke("perf", "server", "--workers", "2", "--once")
    assert done.returncode == 2
    assert b"--workers" in done.stderr
