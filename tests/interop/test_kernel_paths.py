"""sctpx and a Linux kernel when the network fails: dead and healed paths, loss, idle times, probes of the path MTU.

Timers are ``QUICK`` on both sides where a failure has to be noticed, so that a second shows what takes minutes else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

import sctpx
from tests.interop.conftest import Figure
from tests.interop.kernel_peer.guest import LINKS
from tests.interop.kernel_peer.meeting import (
    ALL_WAYS,
    PORT,
    QUICK,
    Met,
    link_of,
    receive_whole,
    theirs,
    ways,
    we_connect,
)
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="When the network fails", api="asyncio", who="sctpx")
PAUSE = 0.01
"""Seconds between two messages."""
TOTAL, CUT_AT, MENDED_AT = 240, 40, 120
LOSSY = ("loss", "5%", "delay", "20ms")
PROBE_INTERVAL = 5000
"""Milliseconds: Linux takes nothing below."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens without any further event here."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def cut_and_mend(met: Met, link: int, number: int) -> None:
    """What becomes of the link before this message."""
    if number == CUT_AT:
        met.peer.guest.cut(link)
    if number == MENDED_AT:
        met.peer.guest.mend(link)


async def both_paths(met: Met) -> None:
    """Both paths can be used, as both sides see it."""
    await until(lambda: all(path.confirmed and path.state == "active" for path in met.association.paths))


@ways(2)
async def test_our_data_goes_by_the_other_path_while_the_primary_is_cut(
    way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    async with we_connect(kernel, way, QUICK, QUICK) as met:
        await both_paths(met)
        primary = met.association.primary
        kernel.post("sink", socket=met.socket, size=TOTAL * 100)
        for number in range(TOTAL):
            cut_and_mend(met, link_of(primary), number)
            await met.association.send(content(number, 100))
            await asyncio.sleep(PAUSE)
            if number == MENDED_AT - 1:
                states = {path.remote: path.state == "active" for path in met.association.paths}
                assert states == {host: host != primary for host in theirs(way)}
        received = await kernel.answer()
        assert received["bytes"] == TOTAL * 100
        figure("longest gap", received["gap"], "s")
        mended = time.monotonic()
        await both_paths(met)
        figure("healed within", time.monotonic() - mended + (TOTAL - MENDED_AT) * PAUSE, "s")
        before = next(path.bytes_sent for path in met.association.paths if path.remote == primary)
        await met.association.send(content(1, 100_000))
        await kernel.ask("receive", socket=met.socket)
        assert next(path.bytes_sent for path in met.association.paths if path.remote == primary) > before + 100_000


@ways(2)
async def test_their_data_comes_by_the_other_path_while_the_primary_is_cut(
    way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    async with we_connect(kernel, way, QUICK, QUICK) as met:
        await both_paths(met)
        link = link_of(met.association.primary)  # The kernel's primary path is where the INIT came from.
        kernel.post("source", socket=met.socket, size=100, count=TOTAL, pause=PAUSE)
        last, longest = time.monotonic(), 0.0
        for number in range(TOTAL):
            cut_and_mend(met, link, number)
            assert (await met.association.recv()).data == content(number, 100)
            now = time.monotonic()
            last, longest = now, max(longest, now - last)
        figure("longest gap", longest, "s")
        await kernel.answer()
        await both_paths(met)
        await until(lambda: all(path["active"] for path in kernel.call("status", socket=met.socket)["paths"]))


@ways(1)
async def test_data_arrives_on_an_only_path_that_was_cut_and_mended(
    way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    async with we_connect(kernel, way, QUICK, QUICK) as met:
        kernel.guest.cut(1)
        await met.association.send(content(1, 5000))
        await asyncio.sleep(0.6)
        kernel.guest.mend(1)
        begin = time.monotonic()
        [message] = (await kernel.ask("receive", socket=met.socket))["messages"]
        figure("arrived after", time.monotonic() - begin, "s")
        assert message["size"] == 5000


@ways(2)
async def test_lost_and_late_packets_cost_time_and_nothing_else(way: Way, kernel: KernelPeer, figure: Figure) -> None:
    """5 % are lost, and each packet is 20 ms under way."""
    size = 300_000
    timers = {"rto_initial": 0.5, "rto_min": 0.2, "rto_max": 2.0}
    for link in LINKS:
        kernel.guest.impair(link, *LOSSY)
    async with we_connect(kernel, way, timers, timers) as met:
        begin = time.monotonic()
        kernel.post("receive", socket=met.socket, count=3)
        for seed in range(3):
            await met.association.send(content(seed, size // 3))
        await kernel.answer()
        figure("300 kB there", time.monotonic() - begin, "s")
        begin = time.monotonic()
        kernel.post("source", socket=met.socket, size=size // 3, count=3)
        for seed in range(3):
            assert (await receive_whole(met.association)).data == content(seed, size // 3)
        figure("and back", time.monotonic() - begin, "s")
        await kernel.answer()


@ways(2)
async def test_an_idle_association_lives_by_the_heartbeats_of_both_sides(way: Way, kernel: KernelPeer) -> None:
    async with we_connect(kernel, way, QUICK, QUICK) as met:
        await both_paths(met)
        await asyncio.sleep(1.5)
        assert all(path.heartbeats_sent >= 3 for path in met.association.paths)
        assert [(path.state, path.error_count) for path in met.association.paths] == [("active", 0)] * 2
        assert all(path["active"] for path in kernel.call("status", socket=met.socket)["paths"])


async def test_the_kernel_probes_the_path_mtu_and_gets_every_answer(kernel: KernelPeer, figure: Figure) -> None:
    """PLPMTUD, on all kinds of links at once. The first probe comes after the interval, each further one by an answer.

    A probe is a HEARTBEAT with a PAD chunk, which sctpx has to pass over.
    """
    before = kernel.call("sysctl", plpmtud_probe_interval=PROBE_INTERVAL)
    associations: list[sctpx.Association] = []
    try:
        for number, way in enumerate(way for way in ALL_WAYS if way.addresses == 1):
            port = PORT + number
            kernel.post("accept", socket=kernel.open(theirs(way), port=port, listen=True))
            associations.append(await sctpx.connect(theirs(way), port, link=way.link))
            await kernel.answer()
        await asyncio.sleep(1)  # What belongs to the beginning is over.
        answered = [association.stats.control_chunks_sent for association in associations]
        await asyncio.sleep(PROBE_INTERVAL / 1000)
        probes = [one.stats.control_chunks_sent - first for one, first in zip(associations, answered, strict=True)]
        assert min(probes) > 3
        figure("answers", min(probes), "on each")
    finally:
        kernel.call("sysctl", **before)
        for association in associations:
            association.abort()


async def test_the_kernel_answers_our_probes_of_the_path_mtu(kernel: KernelPeer, figure: Figure) -> None:
    """On all kinds of links: what the interface takes is in use after two probes."""
    for number, way in enumerate(way for way in ALL_WAYS if way.addresses == 1):
        port = PORT + 50 + number
        kernel.post("accept", socket=kernel.open(theirs(way), port=port, listen=True))
        association = await sctpx.connect(theirs(way), port, link=way.link)
        accepted = await kernel.answer()
        (path,) = association.paths
        before = path.mtu
        await association.send(content(1, 100_000))
        await kernel.ask("receive", socket=accepted["socket"])
        await until(lambda: association.paths[0].mtu > before)  # noqa: B023
        stats = association.stats
        assert (stats.path_mtu_probes_sent, stats.path_mtu_probes_lost) == (2, 0)
        figure("SCTP packets", association.paths[0].mtu, "bytes")
        association.abort()
