"""Authenticated chunks with a Linux kernel, both ways, set up by either side (RFC 4895)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import sctpx
from tests.interop.kernel_peer.meeting import (
    PORT,
    QUICK,
    Config,
    Meet,
    Met,
    both_ways,
    ours,
    receive_whole,
    theirs,
    they_connect,
    ways,
)
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Authentication", api="asyncio")
DATA, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, ERROR, COOKIE_ECHO = 0, 3, 4, 5, 6, 7, 9, 10
SIZES = [1, 1453, 100_000]
DEMANDED = {
    "DATA": (DATA,),
    "DATA and SACK": (DATA, SACK),
    "most": (DATA, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, COOKIE_ECHO),
}


KEYS = [(1, "known to both"), (2, "another one")]


def with_keys(kinds: tuple[int, ...], keys: list[tuple[int, str]], **more: Any) -> tuple[Config, Config]:
    """What we demand and have, and the same for the kernel's side."""
    demands: Config = {"authenticated_chunks": kinds, "hmac_algorithms": (1,), **more}
    ours_have = {**demands, "shared_keys": tuple((number, key.encode()) for number, key in keys)}
    theirs_have = {name: list(value) if isinstance(value, tuple) else value for name, value in demands.items()}
    return ours_have, {**theirs_have, "shared_keys": keys}


@pytest.fixture
def authenticating(kernel: KernelPeer) -> Iterator[KernelPeer]:
    """The kernel speaks RFC 4895."""
    before = kernel.call("sysctl", auth_enable=1)
    yield kernel
    if not kernel.busy:
        kernel.call("sysctl", **before)


async def exchange(met: Met, key: int | None = None) -> None:
    """Messages of all sizes, both ways, with this key or the active one."""
    for seed, size in enumerate(SIZES):
        await met.association.send(content(seed, size), stream=seed, key=key)
        [message] = (await met.peer.ask("receive", socket=met.socket))["messages"]
        assert message["sha256"] == digest(content(seed, size))
        await met.peer.ask("send", socket=met.socket, size=size, seed=seed, stream=seed, key=key)
        assert (await receive_whole(met.association)).data == content(seed, size)
    assert met.association.stats.unauthenticated_chunks == 0
    assert met.association.stats.auth_chunks_rejected == 0


@both_ways
@ways(1)
@pytest.mark.parametrize("kinds", DEMANDED.values(), ids=DEMANDED.keys())
@pytest.mark.parametrize("algorithms", [(3, 1), (1,)], ids=["SHA-256", "SHA-1"])
async def test_data_goes_both_ways_authenticated(
    algorithms: tuple[int, ...], kinds: tuple[int, ...], meet: Meet, way: Way, authenticating: KernelPeer
) -> None:
    demands: Config = {"authentication": True, "authenticated_chunks": kinds, "hmac_algorithms": algorithms}
    theirs_have: dict[str, Any] = {name: list(value) if value is not True else value for name, value in demands.items()}
    async with meet(authenticating, way, config=demands, theirs_have=theirs_have) as met:
        association = met.association
        assert association.authenticates
        assert set(association.peer_authenticated_chunks) >= set(kinds)
        await exchange(met)
        await association.shutdown()


@both_ways
@ways(1)
@pytest.mark.parametrize("kinds", [(DATA,), DEMANDED["most"]], ids=["DATA", "most"])
async def test_data_goes_both_ways_with_a_shared_key(
    kinds: tuple[int, ...], meet: Meet, way: Way, authenticating: KernelPeer
) -> None:
    config, theirs_have = with_keys(kinds, KEYS)
    async with meet(authenticating, way, config=config, theirs_have=theirs_have) as met:
        await exchange(met)
        await exchange(met, key=2)
        await met.association.shutdown()


@both_ways
@ways(1)
async def test_both_sides_change_to_another_key_and_give_the_first_one_up(
    meet: Meet, way: Way, authenticating: KernelPeer
) -> None:
    config, theirs_have = with_keys((DATA, SACK), KEYS[:1])
    async with meet(authenticating, way, config=config, theirs_have=theirs_have) as met:
        told: list[tuple[int, str]] = []

        def on_event(_: sctpx.Association, event: sctpx.events.Event) -> None:
            if isinstance(event, sctpx.events.KeyChanged):
                told.append((event.key, event.what))

        met.association.on_event = on_event
        await exchange(met)
        met.association.set_key(2, b"another one")
        await met.peer.ask("auth", socket=met.socket, what="set", number=2, key="another one")
        met.association.activate_key(2)
        await met.peer.ask("auth", socket=met.socket, what="activate", number=2)
        met.association.deactivate_key(1)
        await met.peer.ask("auth", socket=met.socket, what="deactivate", number=1)
        await exchange(met)
        assert {(1, "free"), (2, "new")} <= set(told)
        met.association.delete_key(1)
        await met.peer.ask("auth", socket=met.socket, what="delete", number=1)
        await exchange(met)


@ways(1)
async def test_the_kernel_takes_no_association_from_who_has_another_key(way: Way, authenticating: KernelPeer) -> None:
    """RFC 4895 section 6.3: COOKIE ECHO chunks have to be authenticated."""
    kinds = (COOKIE_ECHO, DATA)
    config, _ = with_keys(kinds, [(1, "wrong")], max_init_retransmits=2, **QUICK)
    _, theirs_have = with_keys(kinds, KEYS)
    authenticating.open(theirs(way), port=PORT, listen=True, config=theirs_have)
    with pytest.raises(TimeoutError):
        await sctpx.connect(
            theirs(way), PORT, local=ours(way), link=way.link, config=sctpx.AssociationConfig(**config), timeout=5
        )


@ways(1)
async def test_data_with_a_key_that_only_one_side_has_is_dropped(way: Way, authenticating: KernelPeer) -> None:
    config, theirs_have = with_keys((DATA,), KEYS)
    async with they_connect(authenticating, way, config=config, theirs_have=theirs_have) as met:
        await exchange(met)
        await met.peer.ask("auth", socket=met.socket, what="set", number=3, key="not known to us")
        await met.peer.ask("send", socket=met.socket, size=100, key=3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await met.association.recv()
        assert met.association.stats.auth_chunks_rejected > 0
        met.association.set_key(3, b"not known to us")
        assert (await met.association.recv()).data == content(0, 100)


@ways(1)
async def test_the_kernel_believes_that_its_cookie_was_too_old(way: Way, authenticating: KernelPeer) -> None:
    """The ERROR belongs to no association: it is authenticated with the keys of the cookie (RFC 4895 section 6.2)."""
    config, theirs_have = with_keys((DATA, ERROR), KEYS)
    config["cookie_life"] = 0.01
    authenticating.guest.impair(1, "delay", "20ms")
    async with they_connect(authenticating, way, config=config, theirs_have=theirs_have) as met:
        assert met.association.endpoint.stats.cookies_stale > 0
        await exchange(met)
