"""The programs of lksctp-tools, sctp_darn and sctp_test, in a guest with the kernel's SCTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sctpx
from tests.interop.kernel_peer.guest import Guest
from tests.interop.kernel_peer.meeting import PORT, ours, receive_whole, theirs, ways
from tests.interop.kernel_peer.packages import unpacked, version
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.kernel_peer.programs import Program
from tests.interop.matrix import Matrix, Way

PEER = "lksctp-tools"
pytestmark = pytest.mark.matrix(peer=PEER, api="asyncio")
THEIR_PORT = 6001
SIZES = [1, 1000, 2000, 3000, 5000, 10_000, 15_000, 20_000, 25_000, 32_768]
"""What sctp_test sends as its case 4."""
Tool = Callable[..., Program]


@pytest.fixture(scope="session")
def packages(guest_wanted: None) -> tuple[Path, Path]:
    """The programs, and their library. Beside the guest nothing can be downloaded, so this comes first."""
    return unpacked("lksctp-tools"), unpacked("libsctp1")


@pytest.fixture
def tool(packages: tuple[Path, Path], guest: Guest, kernel: KernelPeer, matrix: Matrix) -> Iterator[Tool]:
    """Starts one of the programs: its name and its words. Over UDP they use the kernel's default, ``encap_port``."""
    tools, library = packages
    matrix.versions[PEER] = f"{version(tools)}, Linux {kernel.release}"
    before = kernel.call("sysctl", encap_port=0)

    def start(name: str, *words: str, udp_port: int = 0) -> Program:
        kernel.call("sysctl", encap_port=udp_port)
        libraries = {"LD_LIBRARY_PATH": str(library / "usr/lib/x86_64-linux-gnu")}
        return guest.start("stdbuf", "-oL", str(tools / "usr/bin" / name), *words, env=libraries)

    yield start
    kernel.call("sysctl", **before)


@pytest.mark.matrix(who="sctpx")
@ways(1)
async def test_sctp_darn_prints_what_we_send(way: Way, tool: Tool) -> None:
    with tool("sctp_darn", "-H", theirs(way)[0], "-P", str(PORT), "-l") as darn:
        darn.line_with("listening")
        async with sctpx.connect(theirs(way), PORT, local=ours(way), link=way.link) as association:
            await association.send(b"hello, darn\0", stream=2, ppid=60)
            assert "sinfo_stream 2" in await asyncio.to_thread(darn.line_with, "sinfo_stream")
            assert "DATA(12):  hello, darn" in await asyncio.to_thread(darn.line_with, "DATA")
        await asyncio.to_thread(darn.line_with, "SHUTDOWN_COMP")


@pytest.mark.matrix(who="the peer")
@ways(1)
async def test_sctp_darn_sends_what_is_typed(way: Way, tool: Tool) -> None:
    async with await sctpx.start_server(None, ours(way), PORT, udp_port=0, link=way.link) as server:
        words = ("-H", theirs(way)[0], "-P", str(THEIR_PORT), "-h", ours(way)[0], "-p", str(PORT), "-s")
        with tool("sctp_darn", *words, udp_port=server.udp_port) as darn:
            darn.write("one")
            darn.write("two")
            association = await server.accept()
            assert [(await association.recv()).data for _ in range(2)] == [b"one\n\0", b"two\n\0"]
            association.abort()


@pytest.mark.matrix(who="the peer")
@ways(1)
@pytest.mark.parametrize("style", ["one-to-many", "one-to-one"])
async def test_sctp_test_sends_messages_of_many_sizes(way: Way, style: str, tool: Tool) -> None:
    async with await sctpx.start_server(None, ours(way), PORT, udp_port=0, link=way.link) as server:
        words = ["-H", theirs(way)[0], "-P", str(THEIR_PORT), "-h", ours(way)[0], "-p", str(PORT)]
        words += ["-s", "-c", "4", "-x", "2", "-o", "1", *(["-T"] if style == "one-to-one" else [])]
        with tool("sctp_test", *words, udp_port=server.udp_port) as program:
            association = await server.accept()
            assert [len((await receive_whole(association)).data) for _ in SIZES * 2] == SIZES * 2
            with pytest.raises(sctpx.AssociationClosed):
                await association.recv()
            status, said = await asyncio.to_thread(program.finish)
            assert status == 0, said


@pytest.mark.matrix(who="sctpx")
@ways(1)
async def test_sctp_test_receives_what_we_send(way: Way, tool: Tool) -> None:
    with tool("sctp_test", "-H", theirs(way)[0], "-P", str(PORT), "-l") as program:
        program.line_with("Receiving packets")
        async with sctpx.connect(theirs(way), PORT, local=ours(way), link=way.link) as association:
            for size in SIZES:
                await association.send(bytes(size))
            left = sum(SIZES)
            while left:  # A message may come in parts.
                found = re.search(r"Data (\d+) bytes", await asyncio.to_thread(program.line_with, "Data"))
                assert found
                left -= int(found[1])
        await asyncio.to_thread(program.line_with, "SHUTDOWN_COMPLETE")
