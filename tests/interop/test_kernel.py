"""sctpx on the kernel's SCTP: the kernel inside a guest, and sctpx's own stack outside of it, by SCTP over UDP.

They take a minute and boot a kernel, so that they run where SCTPX_REQUIRE_INTEROP=1 says that they must, as in ``make
interop``. They fail there if there can be no guest: ``kernel_peer/guest.py`` says what it takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.interop.kernel_peer import guest as place
from tests.interop.kernel_peer.guest import Guest
from tests.interop.kernel_peer.program import SIZES
from tests.interop.kernel_peer.programs import Program

HERE = Path(__file__).parent / "kernel_peer"
PORT = 5001
APIS = ("one", "many", "asyncio", "pysctp")
PEER = "sctpx on the Linux kernel's SCTP"
pytestmark = pytest.mark.matrix(peer=PEER, column="UDP IPv4", addresses="2")


def run(guest: Guest, inside: bool, role: str, api: str, **asked: Any) -> Program:
    """The program on one side: with the kernel's SCTP inside, and with sctpx's own outside."""
    backend = "kernel" if inside else "userspace"
    argv = [
        sys.executable,
        str(HERE / "program.py"),
        role,
        api,
        json.dumps({"backend": backend, "port": PORT, **asked}),
    ]
    env = {"PYTHONPATH": str(place.ROOT / "src"), "SCTPX_BACKEND": backend}
    return guest.start(*argv, env=env) if inside else guest.start_beside(*argv, env=env)


def check(called: Any, served: Any, server: list[str], client: list[str]) -> None:
    """Both sides saw the same: every byte, the addresses, the beginning and the end."""
    assert called["same"] == len(SIZES)
    assert called["established"] is True
    assert sorted(called["peers"]) == sorted(server)
    assert served["messages"] == len(SIZES)
    assert set(served["peers"]) <= set(client)
    if called["told"]:
        assert called["told"] == ["up", "complete"]
        assert [told for told in served["told"] if told != "shutdown"] == ["up", "complete"]


@pytest.mark.parametrize("api", APIS)
def test_a_client_on_the_kernel_reaches_a_server_on_the_userspace_stack(guest: Guest, api: str) -> None:
    addresses = place.HOST_ADDRESSES
    with run(guest, False, "serve", api, addresses=addresses) as server:
        assert server.result() is True
        with run(guest, True, "call", api, addresses=addresses, peer_udp_port=place.UDP_PORT) as client:
            check(client.result(), server.result(), addresses, [*place.GUEST_ADDRESSES, "169.254.77.2"])


@pytest.mark.parametrize("api", APIS)
def test_a_client_on_the_userspace_stack_reaches_a_server_on_the_kernel(guest: Guest, api: str) -> None:
    addresses = place.GUEST_ADDRESSES
    with run(guest, True, "serve", api, addresses=addresses) as server:
        assert server.result() is True
        with run(guest, False, "call", api, addresses=addresses) as client:
            check(client.result(), server.result(), addresses, place.HOST_ADDRESSES)


@pytest.mark.matrix(column="UDP IPv6")
@pytest.mark.parametrize("api", ["one", "asyncio"])
def test_associations_with_the_kernel_are_set_up_over_ipv6(guest: Guest, api: str) -> None:
    addresses = place.HOST_ADDRESSES_6
    with run(guest, False, "serve", api, addresses=addresses) as server:
        assert server.result() is True
        with run(guest, True, "call", api, addresses=addresses, peer_udp_port=place.UDP_PORT) as client:
            called, served = client.result(), server.result()
    assert (called["same"], served["messages"]) == (len(SIZES), len(SIZES))
    assert sorted(called["peers"]) == sorted(addresses)


@pytest.mark.matrix(column="", addresses="")
@pytest.mark.parametrize("name", ["inside_sockets", "inside_asyncio"])
def test_what_only_the_kernel_can_show_holds_inside(guest: Guest, name: str) -> None:
    """The tests of that file run in the guest, where both sides are the kernel's or one is sctpx's own."""
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "-o", f"pythonpath={place.ROOT / 'src'} {place.ROOT}"]
    with guest.start(sys.executable, "-m", "pytest", *options, str(HERE / f"{name}.py")) as tests:
        status, said = tests.finish()
    assert status == 0, said


# --- sctpx doctor ---

SERVER = """
import asyncio, sys, sctpx

async def serve():
    async with await sctpx.start_server(None, sys.argv[1], int(sys.argv[2]), backend="kernel"):
        print("listening", flush=True)
        await asyncio.sleep(60)

asyncio.run(serve())
"""
"""Takes associations on the kernel's SCTP until it is ended."""


def examine(guest: Guest, inside: bool, *arguments: str) -> Any:
    """What ``sctpx doctor`` finds on one side."""
    argv = [sys.executable, "-m", "sctpx", "doctor", "--json", *arguments]
    env = {"PYTHONPATH": str(place.ROOT / "src")}
    with guest.start(*argv, env=env) if inside else guest.start_beside(*argv, env=env) as program:
        return program.result()


def test_the_doctor_finds_the_kernel_of_the_guest_and_takes_it(guest: Guest) -> None:
    peer = place.HOST_ADDRESSES[0]
    found = examine(guest, True, peer)
    assert (found["kernel"]["state"], found["kernel"]["socket_error"]) == ("loaded", "")
    assert found["kernel"]["sysctls"]["udp_port"] == str(place.UDP_PORT)
    assert found["network"]["port_holders"] == ["the kernel's SCTP at 0.0.0.0, ::"]
    assert found["choice"]["ways"] == ["kernel", "udp"]
    attempts = [(attempt["after"], attempt["way"]) for attempt in found["peers"][0]["attempts"]]
    assert attempts == [(0.0, "kernel"), (1.0, "udp")]


def test_the_doctor_hears_a_kernel_answer_in_both_ways(guest: Guest) -> None:
    """Raw IP from outside, where no SCTP of a kernel is, and UDP."""
    peer = place.GUEST_ADDRESSES[0]
    env = {"PYTHONPATH": str(place.ROOT / "src")}
    with guest.start(sys.executable, "-c", SERVER, peer, str(PORT), env=env) as server:
        assert server.line() == "listening"
        found = examine(guest, False, "--port", str(PORT), peer)
        probes = [(probe["way"], probe["report"][0]["answer"]) for probe in found["peers"][0]["probes"]]
        assert probes == [("raw", "INIT ACK"), ("udp", "INIT ACK")]


def test_the_doctor_asks_by_the_kernel_too(guest: Guest) -> None:
    """Nobody answers a native INIT outside, where the server is behind UDP."""
    peer = place.HOST_ADDRESSES[0]
    with run(guest, False, "serve", "asyncio", addresses=[peer]) as server:
        assert server.result() is True
        found = examine(guest, True, "--port", str(PORT), peer)
        assert [(probe["way"], probe["associated"]) for probe in found["peers"][0]["probes"]] == [
            ("kernel", False),
            ("udp", True),
        ]
