"""What asyncio over the kernel's SCTP does: run in the guest, by ``test_kernel.py``. Both sides are the kernel's."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
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
