"""Authenticated chunks with a Linux kernel, both ways, set up by either side (RFC 4895)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.kernel_peer.meeting import Config, Meet, both_ways, receive_whole, ways
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Authentication", api="asyncio")
DATA, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, COOKIE_ECHO = 0, 3, 4, 5, 6, 7, 10
SIZES = [1, 1453, 100_000]
DEMANDED = {
    "DATA": (DATA,),
    "DATA and SACK": (DATA, SACK),
    "most": (DATA, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, COOKIE_ECHO),
}


@pytest.fixture
def authenticating(kernel: KernelPeer) -> Iterator[KernelPeer]:
    """The kernel speaks RFC 4895."""
    before = kernel.call("sysctl", auth_enable=1)
    yield kernel
    if not kernel.busy:
        kernel.call("sysctl", **before)


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
        for seed, size in enumerate(SIZES):
            await association.send(content(seed, size), stream=seed)
            [message] = (await authenticating.ask("receive", socket=met.socket))["messages"]
            assert message["sha256"] == digest(content(seed, size))
            await authenticating.ask("send", socket=met.socket, size=size, seed=seed, stream=seed)
            assert (await receive_whole(association)).data == content(seed, size)
        assert association.stats.unauthenticated_chunks == 0
        assert association.stats.auth_chunks_rejected == 0
        await association.shutdown()
