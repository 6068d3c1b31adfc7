"""``Association.abort``: ending at once."""

from __future__ import annotations

import asyncio
import errno

import pytest

import sctpx
from sctpx.link import UdpLink
from sctpx.wire.codes import CAUSE_USER_ABORT
from tests.api.support import HOST, associated


async def test_the_peer_is_told_the_reason() -> None:
    async with associated() as (a, b):
        a.abort("maintenance")
        with pytest.raises(ConnectionResetError) as caught:
            await b.recv()
        assert isinstance(caught.value, sctpx.AssociationAborted)
        assert caught.value.errno == errno.ECONNRESET
        assert caught.value.causes == ((CAUSE_USER_ABORT, b"maintenance"),)
        assert "aborted by the peer (User-Initiated Abort 'maintenance')" in str(caught.value)


async def test_a_reason_that_is_no_text_is_shown_as_plain_ascii() -> None:
    async with associated() as (a, b):
        a.abort(b"\x00\x1b[31m\xff")
        with pytest.raises(sctpx.AssociationAborted) as caught:
            await b.recv()
        assert str(caught.value).isprintable()
        assert str(caught.value).isascii()


async def test_this_side_is_told_that_it_was_itself() -> None:
    async with associated() as (a, _):
        a.abort()
        with pytest.raises(sctpx.AssociationAborted, match="by this side"):
            await a.recv()
        with pytest.raises(sctpx.AssociationAborted, match="by this side"):
            await a.send(b"x")


async def test_it_is_over_at_once() -> None:
    async with associated() as (a, b):
        a.abort()
        assert a.ended
        a.abort("again")
        await a.wait_closed()
        await a.close()
        await b.wait_closed()


async def test_coroutines_that_wait_are_woken() -> None:
    async with associated() as (a, _):
        waiting = [asyncio.create_task(a.recv()), asyncio.create_task(a.recv_many())]
        closed = asyncio.create_task(a.wait_closed())
        await asyncio.wait([*waiting, closed], timeout=0)
        a.abort()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [sctpx.AssociationAborted] * 2
        await closed


async def test_the_sockets_are_closed_with_the_last_association() -> None:
    async with associated() as (a, b):
        udp_port = a.endpoint.udp_port
        a.abort()
        UdpLink.open([HOST], udp_port).close()
        await b.wait_closed()
