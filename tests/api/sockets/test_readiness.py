"""``fileno``: sockets in ``select``, ``poll``, ``selectors`` and asyncio."""

from __future__ import annotations

import asyncio
import select
import selectors

import pytest

import sctpx
from tests.api.running import each_loop, run
from tests.api.sockets.support import HERE, accepted, client, connected, drain, fill, listening

pytestmark = pytest.mark.real_time

PATIENCE = 20.0


def test_a_descriptor_is_made_once_and_gone_with_the_socket() -> None:
    with sctpx.socket() as sock:
        descriptor = sock.fileno()
        assert descriptor == sock.fileno() >= 0
        sock.close()
        assert sock.fileno() == -1
        with pytest.raises(OSError, match="descriptor"):
            select.select([descriptor], [], [], 0)


def test_a_socket_is_readable_while_there_is_something_to_read() -> None:
    with connected() as (a, b):
        assert select.select([a], [], [], 0)[0] == []
        b.send(b"one")
        b.send(b"two")
        for text in (b"one", b"two"):
            assert select.select([a], [], [], PATIENCE)[0] == [a]
            assert a.recv(100) == text
        assert select.select([a], [], [], 0)[0] == []
        b.close()
        assert select.select([a], [], [], PATIENCE)[0] == [a]
        assert a.recv(100) == b""


def test_a_listening_socket_is_readable_while_an_association_waits() -> None:
    with listening() as server, client(server) as a:
        assert select.select([server], [], [], 0)[0] == []
        a.connect(HERE)
        assert select.select([server], [], [], PATIENCE)[0] == [server]
        with accepted(server):
            assert select.select([server], [], [], 0)[0] == []


def test_a_socket_is_writable_while_there_is_room() -> None:
    with connected() as (a, b):
        assert select.select([], [a], [], 0)[1] == [a]
        fill(a)
        assert select.select([], [a], [], 0)[1] == []
        drain(b)
        assert select.select([], [a], [], PATIENCE)[1] == [a]


@pytest.mark.skipif(not hasattr(select, "poll"), reason="no poll")
def test_poll_and_selectors_see_the_same() -> None:
    with connected() as (a, b), selectors.DefaultSelector() as selector:
        poller = select.poll()
        poller.register(a, select.POLLIN | select.POLLOUT)
        selector.register(a, selectors.EVENT_READ)
        assert poller.poll(0) == [(a.fileno(), select.POLLOUT)]
        assert selector.select(0) == []
        b.send(b"x")
        assert [key.fileobj for key, _ in selector.select(PATIENCE)] == [a]
        assert poller.poll(0) == [(a.fileno(), select.POLLIN | select.POLLOUT)]


@each_loop
def test_an_event_loop_can_watch_a_socket(event_loop: str) -> None:
    async def echo(sock: sctpx.Socket) -> list[bytes]:
        loop = asyncio.get_running_loop()
        received: list[bytes] = []
        done = loop.create_future()

        def on_readable() -> None:
            received.append(sock.recv(100))
            if not received[-1]:
                loop.remove_reader(sock)
                done.set_result(None)

        loop.add_reader(sock, on_readable)
        async with asyncio.timeout(PATIENCE):
            await done
        return received

    with connected() as (a, b):
        a.setblocking(False)
        b.send(b"one")
        b.send(b"two")
        b.close()
        assert run(event_loop, echo(a)) == [b"one", b"two", b""]
