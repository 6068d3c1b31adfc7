"""A dialogue over real sockets is polled for, unless the environment says otherwise."""

from __future__ import annotations

import threading

import pytest

import sctpx
from sctpx.blocking.hub import hub
from sctpx.link.busy_poll import ENOUGH
from tests.api.polling import limit_polling, note_polls, note_selects
from tests.api.sockets.support import no_sockets_are_left

HOUR = 3_600_000_000
"""In microseconds: with this limit every wait here is short."""


async def echo(association: sctpx.Association) -> None:
    async for message in association:
        await association.send(message.data)


async def talk() -> None:
    """A dialogue of a client and a server."""
    async with (
        await sctpx.start_server(echo, "127.0.0.1", 0, udp_port=0) as server,
        sctpx.connect("127.0.0.1", server.port, udp_port=0, peer_udp_port=server.udp_port) as association,
    ):
        for _ in range(4 * ENOUGH):
            await association.send(b"question")
            assert (await association.recv()).data == b"question"


@pytest.mark.one_loop  # Of uvloop's methods none can be replaced, to see what it is given.
@pytest.mark.parametrize(("microseconds", "polls"), [(HOUR, True), (0, False)])
async def test_a_dialogue_of_coroutines_is_polled_for(
    monkeypatch: pytest.MonkeyPatch, microseconds: int, polls: bool
) -> None:
    limit_polling(monkeypatch, microseconds=microseconds)
    seen = note_polls(monkeypatch)
    await talk()
    assert bool(seen) is polls


async def test_a_dialogue_that_is_polled_for_goes_on_in_every_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_polling(monkeypatch, microseconds=HOUR)
    await talk()


@pytest.mark.parametrize(("microseconds", "polls"), [(HOUR, True), (0, False)])
def test_a_dialogue_of_blocking_calls_is_polled_for(
    monkeypatch: pytest.MonkeyPatch, microseconds: int, polls: bool
) -> None:
    """By the calls, and not by the I/O thread."""
    no_sockets_are_left()  # The limit is read with the first socket.
    assert hub.carriers == []
    limit_polling(monkeypatch, microseconds=microseconds)
    waits = note_selects(monkeypatch)
    with sctpx.socket(udp_port=0) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = sctpx.socket(udp_port=0, peer_udp_port=listener.udp_port)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            for _ in range(4 * ENOUGH):
                client.send(b"question")
                server.send(server.recv(100))
                assert client.recv(100) == b"question"
    polled_by = {thread for thread, timeout in waits if timeout == 0}
    assert polled_by == ({threading.main_thread().name} if polls else set())
