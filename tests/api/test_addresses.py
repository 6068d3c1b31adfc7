"""``add_address``, ``remove_address``, ``set_peer_primary``, and their events, in asyncio (RFC 5061)."""

from __future__ import annotations

import asyncio
import errno
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import sctpx
from sctpx import events
from tests.api.support import associated, linux_only, raises_errno

PAGE = Path(__file__).parents[2] / "docs" / "mobility.md"
OFFERED = sctpx.AssociationConfig(address_reconfiguration=True)
ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"


async def told(association: sctpx.Association, kind: type[events.Event], count: int = 1) -> list[events.Event]:
    """The next events of a kind."""
    found: list[events.Event] = []
    async with asyncio.timeout(10):
        async for event in association.events:
            if isinstance(event, kind):
                found.append(event)
            if len(found) == count:
                break
    return found


def addresses(association: sctpx.Association) -> list[str]:
    return sorted(path.remote for path in association.paths)


@linux_only
async def test_an_association_moves_from_one_address_to_another() -> None:
    async with associated(config=OFFERED, server={"config": OFFERED}) as (a, b):
        assert a.address_reconfigurable
        assert b.address_reconfigurable
        assert a.events is not b.events  # From here on they are kept.
        b.add_address(TWO)
        b.add_address(TWO)
        assert await told(b, events.LocalAddressChanged) == [events.LocalAddressChanged(TWO, "added")]
        assert await told(a, events.PeerAddressAdded) == [events.PeerAddressAdded(TWO)]
        b.set_peer_primary(TWO)
        b.remove_address(ONE)
        assert await told(b, events.LocalAddressChanged, 2) == [
            events.LocalAddressChanged(TWO, "primary"),
            events.LocalAddressChanged(ONE, "removed"),
        ]
        assert await told(a, events.PeerAddressRemoved) == [events.PeerAddressRemoved(ONE)]
        assert addresses(a) == [TWO]
        await a.send(b"there")
        await b.send(b"and back")
        assert (await b.recv()).data == b"there"
        assert (await a.recv()).data == b"and back"


@linux_only
async def test_a_server_has_its_addresses_changed_for_all_associations() -> None:
    async with await sctpx.start_server(None, [ONE], 5000, udp_port=0, config=OFFERED) as server:
        peers = {"peer_udp_port": server.udp_port, "config": OFFERED}
        async with sctpx.connect([ONE], 5000, **peers) as first:  # type: ignore[arg-type]
            assert first.events is first.events
            server.endpoint.add_address(TWO)
            assert await told(first, events.PeerAddressAdded) == [events.PeerAddressAdded(TWO)]
            await told(first, events.PathConfirmed)
            server.endpoint.remove_address(ONE)
            assert await told(first, events.PeerAddressRemoved) == [events.PeerAddressRemoved(ONE)]
            async with sctpx.connect([TWO], 5000, **peers) as second:  # type: ignore[arg-type]
                assert addresses(second) == addresses(first) == [TWO]


@linux_only
async def test_what_is_refused() -> None:
    async with associated(config=OFFERED, server={"config": OFFERED}) as (a, b):
        refused: list[tuple[Callable[[], None], int]] = [
            (lambda: b.remove_address(ONE), errno.EINVAL),
            (lambda: b.remove_address(THREE), errno.EADDRNOTAVAIL),
            (lambda: b.set_peer_primary(THREE), errno.EADDRNOTAVAIL),
            (lambda: b.add_address("192.0.2.77"), errno.EADDRNOTAVAIL),
        ]
        for call, code in refused:
            with raises_errno(code):
                call()
        assert addresses(a) == [ONE]
    with raises_errno(errno.ENOTCONN):
        b.add_address(TWO)


async def test_a_peer_without_it_is_not_asked() -> None:
    async with associated(config=OFFERED) as (a, b):
        for side in (a, b):
            assert not side.address_reconfigurable
            for call in (side.add_address, side.set_peer_primary):
                with raises_errno(errno.EOPNOTSUPP):
                    call(ONE)


async def test_each_side_is_told_what_the_other_one_has_above_sctp() -> None:
    ours, theirs = sctpx.AssociationConfig(adaptation_layer=7), sctpx.AssociationConfig(adaptation_layer=0)
    found: dict[str, list[events.Event]] = {"a": [], "b": []}
    async with (
        await sctpx.start_server(
            None, [ONE], udp_port=0, config=theirs, on_event=lambda _, event: found["b"].append(event)
        ) as server,
        sctpx.connect(
            [ONE],
            server.port,
            peer_udp_port=server.udp_port,
            config=ours,
            on_event=lambda _, event: found["a"].append(event),
        ) as association,
    ):
        peer = await server.accept()
        await association.send(b"up")
        await peer.recv()
    for side, number in (("a", 0), ("b", 7)):
        assert events.AdaptationIndicated(number) in found[side]


@linux_only
def test_the_program_of_the_page_prints_what_it_is_about() -> None:
    [program] = re.findall(r"```python\n# moving\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=20, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "can move: True"
    assert "from the new address" in lines
    assert {"PeerAddressAdded 127.0.0.2", "PathConfirmed 127.0.0.2", "PeerAddressRemoved 127.0.0.1"} <= set(lines)
    assert {"127.0.0.2 added done", "127.0.0.1 removed done"} <= set(lines)
