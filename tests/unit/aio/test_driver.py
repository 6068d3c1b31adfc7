"""The driver on links that are not sockets: full queues, rounds, timers, its end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from sctpx import AssociationAborted
from sctpx.aio.association import Association
from sctpx.aio.driver import BATCHES_PER_ROUND, Driver
from sctpx.aio.endpoint import DEFAULT_CONFIG, Endpoint
from sctpx.aio.output import ROUND, SEND
from sctpx.core.config import AssociationConfig
from sctpx.core.outputs import Transmit
from sctpx.link import Received, ReturnedPacket, UdpLink
from sctpx.link.addresses import AddressLike
from sctpx.link.arrivals import LOOKS, SURE
from sctpx.link.busy_poll import ENOUGH
from sctpx.link.patience import TRIES
from sctpx.testing import seeded_bytes
from tests.api.polling import limit_polling, note_polls
from tests.api.running import LOOPS, Known, each_loop
from tests.api.support import linux_only

A = bytes((10, 0, 0, 1))
B = bytes((10, 0, 0, 2))
PORT = 5000


class PlugSocket:
    """A socket that is writable unless its buffer was filled, and never readable."""

    def __init__(self, address: bytes) -> None:
        self.address = address
        self.inner, self.other = socket.socketpair()
        self.inner.setblocking(False)

    def fileno(self) -> int:
        return self.inner.fileno()

    def fill(self) -> None:
        """Make it unwritable."""
        try:
            while True:
                self.inner.send(bytes(65536))
        except BlockingIOError:
            pass

    def empty(self) -> None:
        """Make it writable."""
        self.other.setblocking(False)
        try:
            while self.other.recv(1 << 20):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        self.inner.close()
        self.other.close()


class MemoryLink:
    """A link to another one like it, in memory.

    ``errors`` says what the next sends come to; ``takes_in_part`` that the next batch of several packets goes in part.
    """

    def __init__(self, address: bytes) -> None:
        self.addresses = [address]
        self.port = 9899
        self.plug = PlugSocket(address)
        self.sockets: Sequence[PlugSocket] = [self.plug]
        self.errors: list[int] = []
        self.takes_in_part = False
        self.sent: list[Transmit] = []
        self.tried = 0
        self.peer: Driver | None = None
        self.closed = False
        self.foreign_ports: list[int] = []
        self.open_ports: list[int] = []

    def add_address(self, address: AddressLike) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "no")

    def remove_address(self, address: bytes) -> None:
        self.addresses.remove(address)
        self.sockets = []
        self.plug.close()

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        if port in self.foreign_ports:
            raise OSError(errno.EADDRINUSE, "another program has it")
        self.open_ports.append(port)

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        self.open_ports.remove(port)

    def socket_for(self, transmit: Transmit) -> PlugSocket:
        return self.plug

    def receive(self, sock: PlugSocket, budget: int = 8) -> list[Received]:
        return []

    def receive_errors(self, sock: PlugSocket) -> list[ReturnedPacket]:
        return []

    def send(self, transmit: Transmit) -> int:
        self.tried += 1
        error = self.errors.pop(0) if self.errors else 0
        data, segment = transmit.data, transmit.segment
        if self.takes_in_part and len(data) > segment:
            self.takes_in_part = False
            data, transmit.data = data[:segment], data[segment:]
            error = errno.EAGAIN
        if not error or data is not transmit.data:
            self.sent.append(transmit)
            if self.peer is not None:
                batch = transmit.remote, self.plug.address, self.port, data, segment, 0
                asyncio.get_running_loop().call_soon(self.peer.receive, [batch])
        return error

    def max_packet(self, remote: bytes, local: bytes = b"", anew: bool = False) -> int:
        return 1500

    def close(self) -> None:
        self.closed = True
        self.plug.close()


class World:
    """Two drivers on two links that are joined, with an endpoint on each."""

    def __init__(self, clock: Any = None, links: tuple[MemoryLink, MemoryLink] | None = None) -> None:
        """``links`` are joined already; else they are made here."""
        options = {} if clock is None else {"clock": clock}
        self.links = links or (MemoryLink(A), MemoryLink(B))
        self.drivers = [
            Driver(link, random_bytes=seeded_bytes(1, number), **options) for number, link in enumerate(self.links)
        ]
        self.a = Endpoint(self.drivers[0], 0, [A], DEFAULT_CONFIG)
        self.b = Endpoint(self.drivers[1], PORT, [B], DEFAULT_CONFIG)
        self.link = self.links[0]
        if links is None:
            self.links[0].peer, self.links[1].peer = self.drivers[1], self.drivers[0]

    async def associate(self, config: AssociationConfig | None = None) -> tuple[Association, Association]:
        """An association from one to the other."""
        server = self.b.listen()
        association = await self.a.connect("10.0.0.2", PORT, config=config)
        return association, await server.accept()

    def close(self) -> None:
        self.a.close()
        self.b.close()
        for driver in self.drivers:
            driver.close()


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    """Put worlds in here; they are closed after the test."""
    made: list[World] = []
    yield made
    for world in made:
        for link in world.links:
            link.close()


async def steps(count: int) -> None:
    """Let the event loop make so many rounds."""
    for _ in range(count):
        await asyncio.sleep(0)


# --- addresses that go ---


async def test_an_address_that_goes_is_not_watched_any_more(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    descriptor = world.link.plug.fileno()
    world.drivers[0].remove_address(A)
    assert world.link.addresses == []
    assert not asyncio.get_running_loop().remove_reader(descriptor)
    world.close()


async def test_what_was_kept_for_an_address_that_goes_is_lost_and_the_rest_goes_on(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    a, _ = await world.associate()
    world.link.plug.fill()
    world.link.errors = [errno.EAGAIN, errno.EADDRNOTAVAIL]
    await a.send(b"kept")
    await a.send(b"polled when the kept one is gone")
    tried = world.link.tried
    world.drivers[0].remove_address(A)
    await steps(3)
    assert world.link.tried == tried + 1
    world.close()


@linux_only
@pytest.mark.blind_loop
async def test_a_loop_that_cannot_watch_stops_receiving_at_an_address_that_goes() -> None:
    driver = Driver(UdpLink.open(["127.0.0.1", "127.0.0.2"]))
    await steps(1)
    receiving = len(asyncio.all_tasks())
    driver.remove_address(bytes((127, 0, 0, 2)))
    await steps(3)
    assert len(asyncio.all_tasks()) == receiving - 1
    driver.close()
    await steps(3)


# --- full queues ---


async def test_a_batch_that_finds_the_queue_full_is_kept_and_nothing_else_is_polled(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    a, b = await world.associate()
    world.link.plug.fill()
    world.link.errors = [errno.EAGAIN]
    tried = world.link.tried
    await a.send(b"first")
    await a.send(b"second")
    await steps(5)
    assert world.link.tried == tried + 1
    world.link.plug.empty()
    assert [(await b.recv()).data for _ in range(2)] == [b"first", b"second"]
    assert world.link.tried == tried + 3
    world.close()


async def test_what_the_link_has_cut_off_is_not_sent_again(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    a, b = await world.associate()
    world.link.takes_in_part = True
    await a.send(bytes(4000))
    assert len((await b.recv()).data) == 4000
    assert not world.link.takes_in_part
    assert b.stats.duplicate_tsns == 0
    world.close()


async def test_a_full_queue_of_the_interface_is_tried_again_by_a_timer(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    a, b = await world.associate()
    world.link.errors = [errno.ENOBUFS, errno.ENOBUFS]
    await a.send(b"patience")
    assert (await b.recv()).data == b"patience"
    assert world.link.errors == []
    world.close()


async def test_what_the_interface_never_has_room_for_is_lost_and_the_rest_goes_on(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    a, b = await world.associate()
    world.link.errors = [errno.ENOBUFS] * TRIES
    await a.send(b"given up, and sent again by T3-rtx")
    await a.send(b"second")
    assert [(await b.recv()).data for _ in range(2)] == [b"given up, and sent again by T3-rtx", b"second"]
    assert world.link.errors == []
    assert world.drivers[0].stack.stats.packets_refused == 1
    world.close()


async def test_an_error_about_the_destination_is_told_to_the_stack(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    world.link.errors = [errno.ENETUNREACH]
    with pytest.raises(OSError, match="send error") as caught:
        await world.a.connect("10.0.0.2", PORT)
    assert caught.value.errno == errno.ENETUNREACH
    world.close()


# --- rounds ---


async def test_a_round_sends_a_bounded_number_of_bytes_and_then_input_has_its_turn(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    world.link.errors = []
    count = ROUND // (4000 + SEND) + 10
    peers = [Endpoint(world.drivers[1], PORT + 1 + number, [B], DEFAULT_CONFIG) for number in range(count)]
    clients = [Endpoint(world.drivers[0], 0, [A], DEFAULT_CONFIG) for _ in peers]
    for peer in peers:
        peer.listen(lambda _: None)
    associations = await asyncio.gather(
        *[client.connect("10.0.0.2", peer.port) for client, peer in zip(clients, peers, strict=True)]
    )
    await steps(5)
    world.link.plug.fill()
    world.link.errors = [errno.EAGAIN]
    for association in associations:
        await association.send(bytes(4000))
    sent = len(world.link.sent)
    world.link.plug.empty()
    rounds = []
    while len(world.link.sent) < sent + count:
        before = len(world.link.sent)
        await asyncio.sleep(0)
        rounds.append(sum(len(transmit.data) + SEND for transmit in world.link.sent[before:]))
    assert ROUND <= max(rounds) < 2 * ROUND  # Timers and what arrived may have sent something in the same iteration.
    for endpoint in (*clients, *peers):
        endpoint.close()
    world.close()


# --- time ---


async def test_a_stack_has_one_timer_however_many_associations_it_has(worlds: list[World]) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Known)
    world = World()
    worlds.append(world)
    peers = [Endpoint(world.drivers[1], PORT + 1 + number, [B], DEFAULT_CONFIG) for number in range(30)]
    for peer in peers:
        peer.listen(lambda _: None)
    for peer in peers:
        await world.a.connect("10.0.0.2", peer.port)
    await steps(5)
    pending = [timer for timer in loop.timers if not timer.cancelled() and timer.when() > loop.time()]
    assert len(pending) <= 1 + len(world.drivers)  # One is the time limit of the test.
    for peer in peers:
        peer.close()
    world.close()


async def test_a_clock_that_lags_behind_the_timer_does_not_stop_it(worlds: list[World]) -> None:
    world = World(clock=lambda: 1_000_000_000)
    worlds.append(world)
    world.links[0].peer = None
    quick = AssociationConfig(rto_initial=0.01, rto_min=0.01, rto_max=0.01, max_init_retransmits=2)
    with pytest.raises(TimeoutError):
        await world.a.connect("10.0.0.2", PORT, config=quick)
    assert len(world.link.sent) == 3
    world.close()


# --- the end ---


async def test_a_driver_closes_itself_and_its_link_with_its_last_endpoint(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    other = Endpoint(world.drivers[0], 0, [A], DEFAULT_CONFIG)
    world.a.close()
    assert not world.drivers[0].closed
    other.close()
    assert world.drivers[0].closed
    assert world.link.closed
    world.drivers[0].close()
    world.close()


async def test_the_last_words_are_sent_before_a_driver_closes(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    _, b = await world.associate()
    world.link.errors = [errno.ENOBUFS]
    world.a.close()
    assert not world.link.closed
    await b.wait_closed()
    assert world.link.closed
    world.close()


# --- SCTP ports ---


async def test_an_sctp_port_is_open_in_the_link_while_an_endpoint_has_it(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    assert world.link.open_ports == [world.a.port]
    endpoint = Endpoint(world.drivers[0], 7000, [A], DEFAULT_CONFIG)
    assert world.link.open_ports == [world.a.port, 7000]
    endpoint.close()
    assert world.link.open_ports == [world.a.port]
    world.close()
    assert world.link.open_ports == []


async def test_a_port_of_another_program_is_refused_with_the_words_of_the_link(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    world.link.foreign_ports = [7000]
    with pytest.raises(OSError, match="another program has it") as failure:
        Endpoint(world.drivers[0], 7000, [A], DEFAULT_CONFIG)
    assert failure.value.errno == errno.EADDRINUSE
    world.link.foreign_ports = []
    Endpoint(world.drivers[0], 7000, [A], DEFAULT_CONFIG).close()
    world.close()


async def test_a_port_that_is_drawn_is_no_other_programs(worlds: list[World]) -> None:
    world = World()
    worlds.append(world)
    tried: list[int] = []
    taken = world.link.open_port

    def first_ones_are_foreign(port: int, addresses: Iterable[bytes]) -> None:
        tried.append(port)
        world.link.foreign_ports = tried[:3]
        taken(port, addresses)

    world.link.open_port = first_ones_are_foreign  # type: ignore[method-assign]
    endpoint = Endpoint(world.drivers[0], 0, [A], DEFAULT_CONFIG)
    assert len(set(tried)) == 4
    assert endpoint.port == tried[3]
    endpoint.close()
    world.close()


# --- input by sockets ---


class ReadableLink(MemoryLink):
    """A link whose packets arrive by a socket that becomes readable. ``budgets`` says how many were asked for."""

    def __init__(self, address: bytes) -> None:
        super().__init__(address)
        self.joined: ReadableLink | None = None
        self.arrived: list[Received] = []
        self.budgets: list[int] = []

    def send(self, transmit: Transmit) -> int:
        error = super().send(transmit)
        if not error and self.joined is not None and not self.joined.closed:
            batch = transmit.remote, self.addresses[0], self.port, transmit.data, transmit.segment, 0
            self.joined.arrived.append(batch)
            self.joined.plug.other.send(b"!")
        return error

    def receive(self, sock: PlugSocket, budget: int = 8) -> list[Received]:
        self.budgets.append(budget)
        taken, self.arrived = self.arrived[:budget], self.arrived[budget:]
        if taken:
            sock.inner.recv(len(taken))
        return taken


def stopped_clock() -> int:
    """A time that stands still: no timer sends a packet of its own, and nothing is polled for."""
    return 10**9


def joined_world(worlds: list[World], clock: Any = None) -> tuple[World, ReadableLink, ReadableLink]:
    """A world whose links are ``ReadableLink``s."""
    a, b = ReadableLink(A), ReadableLink(B)
    a.joined, b.joined = b, a
    world = World(clock, (a, b))
    worlds.append(world)
    return world, a, b


@pytest.mark.one_loop  # An iteration of uvloop begins with the timers, not with the sockets.
async def test_an_answer_leaves_in_the_same_iteration_that_brought_what_it_answers(worlds: list[World]) -> None:
    world, _, link = joined_world(worlds, stopped_clock)
    a, b = await world.associate()

    async def echo() -> None:
        async for message in b:
            await b.send(message.data)

    task = asyncio.create_task(echo())
    await a.send(b"first")  # It is acknowledged at once, and the answer comes behind.
    assert (await a.recv()).data == b"first"
    await steps(10)
    sent = len(link.sent)
    await a.send(b"question")
    await steps(1)
    assert len(link.sent) == sent  # This iteration runs us, then what its sockets brought.
    await steps(1)
    assert len(link.sent) == sent + 1
    assert (await a.recv()).data == b"question"
    task.cancel()
    world.close()


@pytest.mark.one_loop  # uvloop may say twice that a socket is readable, and then the driver looks in vain.
@pytest.mark.one_loop  # uvloop may say twice that a socket is readable, and then the driver looks in vain.
async def test_a_packet_alone_is_handled_before_more_is_asked_for_and_a_crowd_at_once(worlds: list[World]) -> None:
    world, _, link = joined_world(worlds, stopped_clock)
    quiet = AssociationConfig(path_mtu_discovery=False, loss_recovery="rfc9260")  # Probes are packets, too.
    a, b = await world.associate(quiet)
    await steps(10)

    async def asked_for(*messages: bytes) -> list[int]:
        link.budgets.clear()
        for message in messages:
            await a.send(message)
        await steps(5)
        assert [message.data for message in await b.recv_many()] == list(messages)
        await steps(10)
        return list(link.budgets)

    for _ in range(SURE):
        await asked_for(b"one")
    dialogue = [await asked_for(b"one") for _ in range(LOOKS)]
    assert sorted(dialogue) == [[1]] * (LOOKS - 1) + [[1, BATCHES_PER_ROUND]]  # Seldom does it look for more.
    crowd = await asked_for(*[b"two"] * (LOOKS + 4))
    assert crowd == [1] * (len(crowd) - 1) + [BATCHES_PER_ROUND]
    assert len(crowd) <= LOOKS + 1
    assert await asked_for(b"five", b"six") == [BATCHES_PER_ROUND]
    assert await asked_for(b"seven") == [BATCHES_PER_ROUND]
    assert await asked_for(b"eight") == [1, BATCHES_PER_ROUND]
    world.close()


@pytest.mark.one_loop
async def test_a_dialogue_is_polled_for_and_a_crowd_is_not(
    worlds: list[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of an hour every wait here is short."""
    limit_polling(monkeypatch, microseconds=3_600_000_000)
    polls = note_polls(monkeypatch)
    world, _, _ = joined_world(worlds)
    a, b = await world.associate()
    for _ in range(3 * ENOUGH):
        for _ in range(3 * BATCHES_PER_ROUND):
            await a.send(b"in a crowd")
        await steps(20)
        assert len(await b.recv_many()) == 3 * BATCHES_PER_ROUND
    assert polls == []
    for _ in range(LOOKS):
        await a.send(b"question")
        await b.recv()
        await steps(1)
    assert polls == [], "there was no answer"
    for _ in range(2):
        await a.send(b"question")
        await b.send((await b.recv()).data)
        await a.recv()
        await steps(1)
    assert polls
    world.close()
    await steps(1)
    polls.clear()
    await steps(3)
    assert polls == [], "what is closed polls no more"


@pytest.mark.one_loop
async def test_a_driver_with_a_clock_of_its_own_never_polls(
    worlds: list[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_polling(monkeypatch, microseconds=3_600_000_000)
    polls = note_polls(monkeypatch)
    world, _, _ = joined_world(worlds, stopped_clock)
    a, b = await world.associate()
    for _ in range(2 * ENOUGH):
        await a.send(b"question")
        await b.send((await b.recv()).data)
        await a.recv()
    assert polls == []
    world.close()


@each_loop
def test_whoever_waits_goes_on_when_one_who_is_resumed_stops_the_loop(worlds: list[World], event_loop: str) -> None:
    loop = LOOPS[event_loop]()

    async def set_up() -> tuple[Association, Association]:
        world, _, _ = joined_world(worlds)
        return await world.associate()

    async def stop(association: Association) -> None:
        with pytest.raises(AssociationAborted):
            await association.recv()
        raise KeyboardInterrupt

    a, b = loop.run_until_complete(set_up())
    reader = loop.create_task(stop(b))
    others = [loop.create_task(b.wait_closed()) for _ in range(2)]
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_soon(a.abort)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert isinstance(reader.exception(), KeyboardInterrupt)
    done, _ = loop.run_until_complete(asyncio.wait(others, timeout=10))
    worlds[0].close()
    loop.close()
    assert done == set(others)
