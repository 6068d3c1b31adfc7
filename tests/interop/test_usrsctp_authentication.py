"""Authenticated chunks with usrsctp, both ways, set up by either side (RFC 4895)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import sctpx
from tests.interop.conftest import StartUsrsctp
from tests.interop.test_usrsctp import OURS, THEIRS, Meet, Met
from tests.interop.test_usrsctp_interleaving import both_ways, one_way, receive_all
from tests.interop.usrsctp import content, digest

DATA = 0
SACK = 3
I_DATA = 64
SIZES = [1, 100, 1452, 5000, 100_000]
EVERYTHING = (0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130, 192)
"""All that is not INIT, INIT ACK or SHUTDOWN COMPLETE."""


def demands(*kinds: int, **more: Any) -> sctpx.AssociationConfig:
    return sctpx.AssociationConfig(authentication=True, authenticated_chunks=kinds, **more)


async def exchange(met: Met, **how: Any) -> None:
    """Messages of all sizes, both ways."""
    for number, size in enumerate(SIZES):
        await met.association.send(content(number, size), **how)
        answer = await met.peer.ask("receive", socket=met.socket)
        assert [message["sha256"] for message in answer["messages"]] == [digest(content(number, size))]
        await met.peer.ask("send", socket=met.socket, size=size, seed=100 + number)
        assert await receive_all(met.association, 1) == [(0, content(100 + number, size))]


@one_way
@pytest.mark.parametrize("ours", [(3, 1), (1, 3), (1,)], ids=str)
@pytest.mark.parametrize("kinds", [(DATA,), (DATA, SACK), EVERYTHING], ids=["data", "data and sack", "everything"])
def test_what_both_sides_demand_is_authenticated(
    kinds: tuple[int, ...], ours: tuple[int, ...], meet: Meet, start_usrsctp: StartUsrsctp
) -> None:
    """Debian's usrsctp is built without SHA-256, and takes the first algorithm of ours that it has."""

    async def scene() -> None:
        config = demands(*kinds, hmac_algorithms=ours)
        auth = [{"chunks": kinds, "hmac": (1,)}]
        async with meet(start_usrsctp(THEIRS, OURS), config, auth=auth) as met:
            association = met.association
            assert association.authenticates
            assert set(association.peer_authenticated_chunks) >= set(kinds)
            await exchange(met)
            told = await met.peer.ask("auth", socket=met.socket)
            assert set(told["peer_chunks"]) == set(kinds)
            assert told["auth_received"] > 0
            assert told["missing"] == 0
            assert association.stats.unauthenticated_chunks == 0
            assert association.stats.auth_chunks_rejected == 0
            await association.close()

    asyncio.run(scene())


@both_ways
@pytest.mark.parametrize("kinds", [(DATA,), EVERYTHING], ids=["data", "everything"])
def test_data_is_authenticated_with_a_shared_key(
    kinds: tuple[int, ...], meet: Meet, start_usrsctp: StartUsrsctp
) -> None:
    async def scene() -> None:
        config = demands(*kinds, shared_keys=((7, b"known-to-both"),))
        auth = [{"chunks": kinds}, {"key": 7, "secret": "known-to-both", "active": 7}]
        async with meet(start_usrsctp(THEIRS, OURS), config, auth=auth) as met:
            await exchange(met)
            await exchange(met, key=7)
            assert met.association.stats.auth_chunks_rejected == 0

    asyncio.run(scene())


@one_way
def test_lost_data_is_authenticated_again(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = demands(DATA, SACK, shared_keys=((1, b"known-to-both"),))
        auth = [{"chunks": (DATA, SACK)}, {"key": 1, "secret": "known-to-both", "active": 1}]
        async with meet(start_usrsctp(THEIRS, OURS, send_space=4 << 20), config, auth=auth) as met:
            await met.peer.ask("lose", every=11)
            await met.association.send(content(1, 1 << 20))
            answer = await met.peer.ask("receive", socket=met.socket)
            assert answer["messages"][0]["sha256"] == digest(content(1, 1 << 20))
            await met.peer.ask("send", socket=met.socket, size=1 << 20, seed=2)
            assert await receive_all(met.association, 1) == [(0, content(2, 1 << 20))]
            await met.peer.ask("lose", every=0)

    asyncio.run(scene())


@one_way
def test_both_sides_change_to_another_key_and_give_the_first_one_up(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = demands(DATA, shared_keys=((1, b"first"),))
        auth = [{"chunks": (DATA,), "events": True}, {"key": 1, "secret": "first", "active": 1}]
        async with meet(start_usrsctp(THEIRS, OURS), config, auth=auth) as met:
            told: list[tuple[int, str]] = []

            def on_event(_: sctpx.Association, event: sctpx.events.Event) -> None:
                if isinstance(event, sctpx.events.KeyChanged):
                    told.append((event.key, event.what))

            met.association.on_event = on_event
            await exchange(met)
            met.association.set_key(2, b"second")
            await met.peer.ask("auth", socket=met.socket, key=2, secret="second")
            met.association.activate_key(2)
            await met.peer.ask("auth", socket=met.socket, active=2)
            met.association.deactivate_key(1)
            await exchange(met)
            await met.peer.ask("auth", socket=met.socket, deactivate=1)
            await met.peer.ask("events", socket=met.socket, until="key_free")
            assert (1, "free") in told
            assert (2, "new") in told
            met.association.delete_key(1)
            await met.peer.ask("auth", socket=met.socket, delete=1)
            await exchange(met)

    asyncio.run(scene())


@one_way
def test_data_with_a_key_that_only_one_side_has_is_dropped(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    async def scene() -> None:
        config = demands(DATA, shared_keys=((0, b""), (1, b"ours")))
        async with meet(start_usrsctp(THEIRS, OURS), config, auth=[{"chunks": (DATA,)}]) as met:
            await exchange(met)
            await met.association.send(b"nobody can read this", key=1)
            answer = await met.peer.ask("receive", socket=met.socket, timeout=1)
            assert answer["messages"] == []
            met.association.abort()

    asyncio.run(scene())


@one_way
@pytest.mark.parametrize("size", [1, 5000, 100_000])
def test_interleaved_messages_are_authenticated(size: int, meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    """usrsctp authenticates I-DATA if the other side demands that of DATA."""

    async def scene() -> None:
        config = demands(DATA, I_DATA, interleaving=True)
        auth = [{"chunks": (DATA, I_DATA)}]
        async with meet(start_usrsctp(THEIRS, OURS), config, interleaving=True, auth=auth) as met:
            assert met.association.interleaving
            await met.association.send(content(1, size))
            answer = await met.peer.ask("receive", socket=met.socket)
            assert answer["messages"][0]["sha256"] == digest(content(1, size))
            await met.peer.ask("send", socket=met.socket, size=size, seed=2)
            assert await receive_all(met.association, 1) == [(0, content(2, size))]

    asyncio.run(scene())
