"""What asyncio over the kernel's SCTP does: run in the guest, by ``test_kernel.py``. Both sides are the kernel's."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

import sctpx
from sctpx import events as e

HOST = "127.0.0.1"
NOBODY = "10.77.1.99"
KERNEL: dict[str, Any] = {"backend": "kernel"}


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await body()

    asyncio.run(limited(), debug=True)


async def echo(association: sctpx.Association) -> None:
    async for message in association:
        await association.send_many([message])


def test_messages_come_back_as_they_were() -> None:
    async def body() -> None:
        async with (
            await sctpx.start_server(echo, HOST, 0, **KERNEL) as server,
            sctpx.connect(HOST, server.port, streams=20, **KERNEL) as association,
        ):
            assert isinstance(association, sctpx.Association)
            assert (association.state, association.outbound_streams) == ("ESTABLISHED", 20)
            assert association.peer_addresses == [HOST]
            large = bytes(range(256)) * 700
            await association.send(large, stream=3, ppid=60)
            found = await association.recv()
            assert (found.data == large, found.stream, found.ppid, found.unordered) == (True, 3, 60, False)
            await association.send(b"x", unordered=True)
            assert (await association.recv()).unordered
            sending = asyncio.create_task(association.send_many([(b"y" * 1000, 1, 2)] * 500))
            got = 0
            while got < 500:
                got += len(await association.recv_many())
            assert await sending == 500
            assert association.stats.packets_sent > 0
            [path] = association.paths
            assert (path.remote, path.primary, path.flight_size) == (HOST, True, -1)
        assert association.ended
        with pytest.raises(BrokenPipeError):
            await association.send(b"z")
        with pytest.raises(sctpx.AssociationClosed):
            await association.recv()

    run(body)


def test_what_one_association_has_otherwise_is_put_back() -> None:
    async def body() -> None:
        async with (
            await sctpx.start_server(None, HOST, 0, **KERNEL) as server,
            await sctpx.open_endpoint(HOST, **KERNEL) as endpoint,
        ):
            usual = sctpx.AssociationConfig()
            other = replace(
                usual, partial_reliability=False, scheduler="prio", dscp=46, ecn=True, max_segment=1000, mtu=1200
            )
            found = []
            for config in (usual, other, usual):
                association = await endpoint.connect(HOST, server.port, config=config)
                await server.accept()
                [path] = association.paths
                found.append((association.partial_reliability, association.ecn, path.mtu))
                await association.shutdown()
            assert found[0] == found[2]
            assert (found[0][0], found[1][0], found[1][1]) == (True, False, True)
            assert found[1][2] <= 1200 < found[0][2]
            with pytest.raises(OSError, match="shared_keys") as refused:
                await endpoint.connect(HOST, server.port, config=replace(usual, shared_keys=((0, b"key"),)))
            assert refused.value.errno == errno.EOPNOTSUPP

    run(body)


def test_potentially_failed_paths_need_not_be_told() -> None:
    async def body() -> None:
        hidden = sctpx.AssociationConfig(expose_potentially_failed=False)
        async with (
            await sctpx.start_server(None, HOST, 0, **KERNEL) as server,
            sctpx.connect(HOST, server.port, config=hidden, **KERNEL) as association,
        ):
            assert [path.state for path in association.paths] == ["active"]

    run(body)


def test_an_abort_has_its_reason_on_the_other_side() -> None:
    async def body() -> None:
        async with await sctpx.start_server(None, HOST, 0, **KERNEL) as server:
            association = await sctpx.connect(HOST, server.port, **KERNEL)
            other = await server.accept()
            events = other.events
            association.abort("because")
            with pytest.raises(sctpx.AssociationAborted, match="because"):
                await other.recv()
            lost = e.CommunicationLost(errno.ECONNRESET, True, ((12, b"because"),))
            assert [event async for event in events if event != e.SenderDry()] == [lost]
            assert association.ended

    run(body)


def test_a_refusal_silence_and_a_cancelled_connect_end_the_attempt() -> None:
    async def body() -> None:
        with pytest.raises(ConnectionRefusedError) as refused:
            await sctpx.connect(HOST, 1, **KERNEL)
        assert isinstance(refused.value, sctpx.ConnectError)
        with pytest.raises(TimeoutError) as silent:
            await sctpx.connect(NOBODY, 1, timeout=0.1, **KERNEL)
        assert isinstance(silent.value, sctpx.ConnectError)
        attempt = asyncio.ensure_future(sctpx.connect(NOBODY, 1, **KERNEL))
        await asyncio.sleep(0.05)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

    run(body)


def test_an_endpoint_connects_and_listens_on_one_port() -> None:
    async def body() -> None:
        async with (
            await sctpx.open_endpoint(HOST, 0, **KERNEL) as one,
            await sctpx.open_endpoint(HOST, 0, **KERNEL) as two,
        ):
            server = two.listen()
            association = await one.connect(HOST, two.port)
            with pytest.raises(OSError, match="there is an association with this peer") as caught:
                await one.connect(HOST, two.port)
            assert caught.value.errno == errno.EISCONN
            other = await server.accept()
            assert (association.port, other.peer_port) == (one.port, one.port)
            reading = asyncio.create_task(other.recv())
            await asyncio.sleep(0)
            await association.shutdown()
            with pytest.raises(sctpx.AssociationClosed):
                await reading
            assert one.associations == []
            with pytest.raises(OSError, match="whole host"):
                _ = one.stats

    run(body)


def test_an_endpoint_connects_with_other_thresholds_than_its_own() -> None:
    """RFC 7829: the third threshold is set for one association, and taken back for those that follow."""

    async def body() -> None:
        async with (
            await sctpx.start_server(echo, HOST, 0, **KERNEL) as server,
            await sctpx.open_endpoint([HOST], 0, **KERNEL) as endpoint,
        ):
            for config in (sctpx.AssociationConfig(primary_switchover_max_retrans=2), None):
                async with endpoint.connect(HOST, server.port, config=config) as association:
                    await association.send(b"hello")
                    assert (await association.recv()).data == b"hello"
                    await association.shutdown()

    run(body)


def test_a_reader_that_is_slow_makes_the_sender_wait_and_loses_nothing() -> None:
    async def body() -> None:
        async with (
            await sctpx.start_server(None, HOST, 0, **KERNEL) as server,
            sctpx.connect(HOST, server.port, **KERNEL) as association,
        ):
            other = await server.accept()
            sending = asyncio.create_task(association.send_many([bytes(10_000)] * 300))
            done, _ = await asyncio.wait([sending], timeout=0.3)
            assert not done
            got = 0
            while got < 300:
                got += len(await other.recv_many())
            assert await sending == 300

    run(body)


class Protocol(sctpx.SctpProtocol):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.ended = asyncio.get_running_loop().create_future()
        self.transport: sctpx.SctpTransport = None  # type: ignore[assignment]

    def connection_made(self, transport: sctpx.SctpTransport) -> None:
        self.transport = transport

    def message_received(self, message: sctpx.Message) -> None:
        self.told.append(message.data)

    def event_received(self, event: e.Event) -> None:
        self.told.append(event)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)


class Echo(Protocol):
    """Answers each message."""

    def message_received(self, message: sctpx.Message) -> None:
        super().message_received(message)
        self.transport.send(message.data, stream=message.stream, ppid=message.ppid)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - there is nothing to wait for but the loop itself
        await asyncio.sleep(0.001)


def test_protocols_exchange_messages_and_end_gracefully() -> None:
    async def body() -> None:
        made: list[Echo] = []

        def factory() -> Echo:
            made.append(Echo())
            return made[-1]

        async with await sctpx.create_server(factory, HOST, 0, **KERNEL) as server:
            transport, protocol = await sctpx.create_connection(Protocol, HOST, server.port, **KERNEL)
            for number in range(100):
                transport.send(b"%d" % number, stream=1, ppid=60)
            await until(lambda: len(protocol.told) == 100)
            assert protocol.told == [b"%d" % number for number in range(100)]
            assert transport.get_extra_info("peername") == (HOST, server.port)
            transport.close()
            assert transport.is_closing()
            assert await protocol.ended is None
            assert await made[0].ended is None
            assert made[0].told[100:] == [e.PeerShutdown()]

    run(body)


def test_a_protocol_that_does_not_read_pauses_the_writing_of_the_other_one_and_nothing_is_lost() -> None:
    async def body() -> None:
        made: list[Protocol] = []

        def factory() -> Protocol:
            made.append(Protocol())
            return made[-1]

        async with await sctpx.create_server(factory, HOST, 0, **KERNEL) as server:
            transport, protocol = await sctpx.create_connection(Protocol, HOST, server.port, **KERNEL)
            await until(lambda: made)
            made[0].transport.pause_reading()
            transport.set_write_buffer_limits(high=100_000)
            count = 0
            while "pause" not in protocol.told:
                transport.send(b"%06d" % count * 1000)
                count += 1
                await asyncio.sleep(0)
            assert transport.get_write_buffer_size() > 100_000
            assert made[0].told == []
            made[0].transport.resume_reading()
            await until(lambda: "resume" in protocol.told)
            assert transport.get_write_buffer_size() <= 25_000
            transport.close()  # What is kept goes first.
            assert await protocol.ended is None
            assert await made[0].ended is None
            assert [data[:6] for data in made[0].told[:-1]] == [b"%06d" % number for number in range(count)]

    run(body)


def test_a_protocol_is_told_why_the_peer_aborted() -> None:
    async def body() -> None:
        async with await sctpx.start_server(None, HOST, 0, **KERNEL) as server:
            transport, protocol = await sctpx.create_connection(Protocol, HOST, server.port, **KERNEL)
            peer = await server.accept()
            peer.abort("because")
            error = await protocol.ended
            assert isinstance(error, sctpx.AssociationAborted)
            assert error.causes == ((12, b"because"),)
            with pytest.raises(sctpx.AssociationAborted):
                transport.send(b"x")

    run(body)


def test_more_associations_than_the_backlog_are_refused() -> None:
    async def body() -> None:
        async with await sctpx.start_server(None, HOST, 0, backlog=1, **KERNEL) as server:
            first = await sctpx.connect(HOST, server.port, **KERNEL)
            # The ABORT may come before anybody has the association.
            with pytest.raises((sctpx.AssociationAborted, ConnectionRefusedError)):
                await (await sctpx.connect(HOST, server.port, **KERNEL)).recv()
            assert len(server.associations) == 1
            first.abort()

    run(body)


def test_all_addresses_of_the_host_are_listened_on() -> None:
    async def body() -> None:
        async with await sctpx.start_server(echo, None, 0, **KERNEL) as server:
            for host in (HOST, "::1"):
                async with sctpx.connect(host, server.port, **KERNEL) as association:
                    await association.send(b"q")
                    assert (await association.recv()).data == b"q"

    run(body)


def test_what_the_kernel_cannot_do_is_said() -> None:
    async def body() -> None:
        wrong: list[dict[str, Any]] = [{"attempt_delay": 0.5}, {"udp_port": 7}, {"announce": "none"}]
        for arguments in wrong:
            with pytest.raises(OSError) as caught:  # noqa: PT011 - the errno is what is looked at
                await sctpx.connect(HOST, 1, **arguments, **KERNEL)
            assert caught.value.errno == errno.EOPNOTSUPP

    run(body)


# --- auto: who names nothing ---


@pytest.fixture
def auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has chosen a way for this program."""
    monkeypatch.delenv("SCTPX_LINK", raising=False)


@pytest.mark.usefixtures("auto")
def test_who_names_nothing_takes_the_kernel() -> None:
    async def body() -> None:
        async with (
            await sctpx.start_server(echo, HOST, 0) as server,
            sctpx.connect(HOST, server.port) as association,
            await sctpx.open_endpoint(HOST) as endpoint,
        ):
            assert [one.backend for one in (server.endpoint, association.endpoint, endpoint)] == ["kernel"] * 3
            assert association.report == ()
            await association.send(b"x")
            assert (await association.recv()).data == b"x"

    run(body)


@pytest.mark.usefixtures("auto")
def test_what_only_the_userspace_stack_can_do_goes_over_udp() -> None:
    async def body() -> None:
        async with await sctpx.open_endpoint(HOST, limits=sctpx.Limits()) as endpoint:
            assert (endpoint.backend, endpoint.native) == ("userspace", False)

    run(body)


@pytest.mark.udp_9899
@pytest.mark.usefixtures("auto")
def test_a_peer_with_udp_alone_is_found_at_once() -> None:
    """The kernel answers for the SCTP port with an ABORT, since nobody has it there."""

    async def body() -> None:
        async with await sctpx.open_endpoint(HOST, link="udp") as endpoint:
            endpoint.listen(echo)
            started = asyncio.get_running_loop().time()
            async with sctpx.connect(HOST, endpoint.port) as association:
                assert asyncio.get_running_loop().time() - started < 0.9
                assert association.endpoint.backend == "userspace"
                own, kernel = association.report
                assert (own.udp_port, own.answer, own.kept) == (endpoint.udp_port, "INIT ACK", True)
                assert (kernel.encapsulation, kernel.answer) == ("native", "asked by the kernel")
                assert (kernel.error, kernel.kept) == (errno.ECONNREFUSED, False)
                await association.send(b"x")
                assert (await association.recv()).data == b"x"

    run(body)


@pytest.mark.udp_9899
@pytest.mark.usefixtures("auto")
def test_a_peer_that_is_silent_in_both_ways() -> None:
    async def body() -> None:
        with pytest.raises(TimeoutError) as failure:
            await sctpx.connect(NOBODY, 5000, timeout=2.0)
        report = failure.value.report  # type: ignore[attr-defined]
        assert {entry.encapsulation for entry in report} == {"native", "UDP 9899"}

    run(body)
