"""``Association.paths``, ``primary``, ``set_primary``, ``heartbeat``, and what a cut path costs."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

import pytest

from sctpx import events
from tests.api.support import HOST, QUICK, associated, cuttable, linux_only, raises_errno, until

TWO = ["127.0.0.2", "127.0.0.3"]


async def test_a_path_is_told_in_strings_and_seconds() -> None:
    async with associated() as (a, b):
        await a.send(b"measure")
        await b.recv()
        (path,) = a.paths
        assert (path.remote, path.local, path.state, path.primary, path.confirmed) == (HOST, HOST, "active", True, True)
        assert path.udp_port == b.endpoint.udp_port
        assert path.srtt is not None
        assert 0 < path.srtt < 5
        assert path.rto == 1.0
        assert path.cwnd >= 4380
        assert path.mtu == 1192  # BASE_PLPMTU of RFC 8899, without the UDP header: more was not needed yet.
        assert path.packets_sent >= 2


@linux_only
async def test_the_primary_path_can_be_chosen() -> None:
    async with associated(TWO) as (a, b):
        stream = a.events
        a.set_primary("127.0.0.3")
        assert a.primary == "127.0.0.3"
        assert [path.remote for path in a.paths if path.primary] == ["127.0.0.3"]
        assert await anext(stream) == events.PrimaryChanged("127.0.0.3")
        before = {path.remote: path.bytes_sent for path in a.paths}
        await a.send(bytes(1000))
        await b.recv()
        after = {path.remote: path.bytes_sent for path in a.paths}
        assert after["127.0.0.3"] > before["127.0.0.3"] + 1000
        assert after["127.0.0.2"] == before["127.0.0.2"]


@linux_only
async def test_only_a_confirmed_address_of_the_peer_can_be_primary() -> None:
    async with associated(TWO, server={"announce": "all"}) as (a, _):
        with raises_errno(errno.EINVAL):
            a.set_primary("127.0.0.99")
        with raises_errno(errno.EINVAL):
            a.set_primary("nowhere")
        assert a.primary == "127.0.0.2"
        a.abort()
        with raises_errno(errno.ENOTCONN):
            a.set_primary("127.0.0.3")


@linux_only
async def test_a_heartbeat_measures_a_path_that_carries_nothing() -> None:
    async with associated(TWO) as (a, _):
        assert a.paths[1].srtt is None
        a.heartbeat("127.0.0.3")
        await until(lambda: a.paths[1].srtt is not None)
        assert a.paths[1].heartbeats_sent >= 1
        with raises_errno(errno.EINVAL):
            a.heartbeat("127.0.0.99")


@linux_only
@pytest.mark.parametrize("cut", ["127.0.0.2", "127.0.0.8"])
async def test_when_the_primary_path_is_cut_the_data_takes_the_other_one(cut: str) -> None:
    link = cuttable("127.0.0.8", "127.0.0.9")
    async with associated(TWO, link=link, config=QUICK, server={"config": QUICK}) as (a, b):
        sending = asyncio.create_task(a.send_many(b"%01000d" % number for number in range(3000)))
        received: list[int] = []
        while len(received) < 3000:
            received += [int(message.data) for message in await b.recv_many()]
            if len(received) > 500:
                link.cut(cut)
        await sending
        assert received == list(range(3000))
        assert not a.ended


@linux_only
async def test_an_association_outlives_a_short_silence_of_all_paths() -> None:
    link = cuttable("127.0.0.9")
    async with associated("127.0.0.2", link=link, config=QUICK, server={"config": QUICK}) as (a, b):
        stream = a.events
        link.cut("127.0.0.2")
        await a.send(b"patience")
        while not (isinstance(event := await anext(stream), events.PathStateChanged) and event.state != "active"):
            pass
        link.heal("127.0.0.2")
        assert (await b.recv()).data == b"patience"


@linux_only
async def test_potentially_failed_paths_can_be_hidden() -> None:
    """RFC 7829 section 3.2 (12): "provide the ULP with the means to suppress exposure of the PF state"."""
    link = cuttable("127.0.0.8", "127.0.0.9")
    hidden = replace(QUICK, expose_potentially_failed=False, path_max_retrans=100, association_max_retrans=100)
    told: list[events.Event] = []
    async with associated(TWO, link=link, config=hidden, server={"config": QUICK}) as (a, b):
        a.on_event = lambda _, event: told.append(event)
        link.cut("127.0.0.2")
        await a.send(b"by the other path")
        assert (await b.recv()).data == b"by the other path"
        await until(lambda: a.paths[0].error_count > 1)
        assert [path.state for path in a.paths] == ["active", "active"]
        assert not [event for event in told if isinstance(event, events.PathStateChanged)]
