"""``sctpx.start_server(..., workers=N)``: processes that share a UDP port."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx.link import UdpLink
from tests.api import worker_handlers
from tests.api.support import HOST, PORT, closed_udp_port, linux_only, raises_errno, until, with_ipv6
from tests.api.test_programs import PROGRAMS
from tests.api.worker_handlers import tell

pytestmark = [linux_only]

PORT_OF_THE_PAGE = 36412


async def start(handler: Any = tell, local: Any = HOST, workers: int = 2, **options: Any) -> Any:
    """A server on a free UDP port."""
    return await sctpx.start_server(handler, local, PORT, udp_port=0, workers=workers, **options)


async def ask(association: sctpx.Association, what: bytes = b"who") -> int:
    """The process id of the worker that has it."""
    await association.send(what)
    return int((await association.recv()).data)


@asynccontextmanager
async def in_each(server: Any, **options: Any) -> AsyncIterator[dict[int, sctpx.Association]]:
    """An association in each worker, by its process id."""
    found: dict[int, sctpx.Association] = {}
    others = []
    try:
        while len(found) < len(server.workers):
            association = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port, **options)
            number = await ask(association)
            if number in found:
                others.append(association)
            found.setdefault(number, association)
        yield found
    finally:
        for association in [*found.values(), *others]:
            association.abort()


async def test_each_association_lives_in_one_of_the_processes() -> None:
    async with await start() as server:
        assert repr(server) == (f"<sctpx.Server serving port {PORT} on {HOST} UDP port {server.udp_port} in 2 workers>")
        assert (server.port, server.local_addresses, server.is_serving()) == (PORT, [HOST], True)
        assert os.getpid() not in server.workers
        async with in_each(server) as associations:
            assert set(associations) == set(server.workers)
            for number, association in associations.items():
                assert [await ask(association) for _ in range(20)] == [number] * 20
            stats = await server.collect_stats()
            assert stats.inits_received >= 2
            assert stats.packets_received >= 40
            assert stats.cookies_rejected == stats.out_of_the_blue == 0
            # Packets of one size that leave for one place together arrive together, whichever worker they are for.
            for association in associations.values():
                association.post(b"who", flush=False)
            association.flush()
            for number, association in associations.items():
                assert int((await association.recv()).data) == number
            assert (await server.collect_stats()).passed_on > stats.passed_on
    assert not server.is_serving()
    assert server.workers == []


@pytest.mark.one_loop
async def test_the_same_with_protocols_several_addresses_and_events() -> None:
    options: Any = {"udp_port": 0, "workers": 2, "on_event": worker_handlers.on_event}
    hosts = [HOST, "127.0.0.2"]
    async with (
        await sctpx.create_server(worker_handlers.Tell, hosts, PORT, **options) as server,
        sctpx.connect(hosts, PORT, peer_udp_port=server.udp_port) as association,
    ):
        assert (await association.recv()).data == b"hello"
        assert await ask(association) in server.workers
        association.set_primary("127.0.0.2")
        assert await ask(association) in server.workers
        assert sorted(association.peer_addresses) == hosts


@with_ipv6
@pytest.mark.one_loop
async def test_the_same_with_ipv6() -> None:
    async with await start(local="::1") as server:
        associations = [await sctpx.connect("::1", PORT, peer_udp_port=server.udp_port) for _ in range(16)]
        assert {await ask(association) for association in associations} == set(server.workers)
        for association in associations:
            association.abort()


@pytest.mark.one_loop
async def test_a_worker_that_dies_is_replaced_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async with await start() as server, in_each(server) as associations:
        (dead, its), (alive, other) = associations.items()
        await its.send(b"crash")
        await until(lambda: dead not in server.workers and len(server.workers) == 2)
        assert f"(process {dead}) ended with 3" in caplog.text
        assert await ask(other) == alive
        await its.send(b"anybody?")
        with pytest.raises(sctpx.AssociationAborted):
            await its.recv()
        async with in_each(server) as again:
            assert set(again) == set(server.workers)


@pytest.mark.one_loop
async def test_a_client_that_was_killed_comes_back_to_its_association() -> None:
    """RFC 9260 section 5.2.4 A, with the old association in whichever worker."""
    async with await start(close_timeout=0.1) as server:
        fixed = {"local_port": 6000, "udp_port": closed_udp_port(), "peer_udp_port": server.udp_port}
        for _ in range(2):
            program = f"""if True:
                import asyncio, os, sctpx
                async def main():
                    association = await sctpx.connect({HOST!r}, {PORT}, **{fixed!r})
                    await association.send(b"who")
                    print((await association.recv()).data.decode(), flush=True)
                    os._exit(0)
                asyncio.run(main())
            """
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=20
            )
            assert int(done.stdout) in server.workers, done.stderr


@pytest.mark.one_loop
async def test_close_leaves_what_is_up_and_the_port_is_free_behind_it() -> None:
    server = await start()
    async with in_each(server) as associations:
        server.close()
        assert not server.is_serving()
        for number, association in associations.items():
            assert await ask(association) == number
        with pytest.raises(ConnectionRefusedError):
            await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        closed = asyncio.ensure_future(server.wait_closed())
        await asyncio.wait([closed], timeout=0)
        assert not closed.done()
    await closed
    UdpLink.open([HOST], server.udp_port).close()


@pytest.mark.one_loop
async def test_leaving_the_context_shuts_the_associations_down() -> None:
    async with await start(workers=1) as server:
        client = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
        await client.send(b"who")
        number = await ask(client)
    assert [message.data async for message in client] == [b"%d" % number]


@pytest.mark.one_loop
async def test_leaving_the_context_by_an_error_aborts_the_associations() -> None:
    server = await start(workers=1)
    client = await sctpx.connect(HOST, PORT, peer_udp_port=server.udp_port)
    await ask(client)
    await server.__aexit__(LookupError, LookupError(), None)
    with pytest.raises(sctpx.AssociationAborted):
        await client.recv()
    await server.wait_closed()


@pytest.mark.one_loop
async def test_what_lives_in_the_workers_cannot_be_had_from_the_server() -> None:
    async with await start(workers=1) as server:
        for name in ("associations", "endpoint"):
            with raises_errno(errno.EOPNOTSUPP, "worker"):
                getattr(server, name)
        with raises_errno(errno.EOPNOTSUPP, "handler"):
            await server.accept()
        assert server.waiting == 0


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"handler": None}, ValueError),
        ({"workers": 0}, ValueError),
        ({"workers": 257}, ValueError),
        ({"link": "raw"}, OSError),
        ({"backend": "kernel"}, OSError),
        ({"announce": "some"}, ValueError),
        ({"local": "192.0.2.77"}, OSError),
        ({"handler": lambda association: None}, Exception),  # Which cannot be pickled.
        ({"backlog": 0}, OSError),  # The workers find that.
    ],
)
async def test_what_cannot_be_served_raises_and_leaves_nothing(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        await start(**options)


@pytest.mark.one_loop
async def test_a_handler_that_is_not_to_be_had_in_another_process_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="ended before it was ready"):
        await start(worker_handlers.Unreadable())
    assert "not to be had here" in capfd.readouterr().err


def gone(process: int) -> bool:
    """Whether there is no such process any more, but perhaps as a zombie."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.one_loop
@pytest.mark.parametrize("how", ["ctrl-c", "killed"])
async def test_the_end_of_the_program_is_that_of_its_workers(how: str, tmp_path: Path) -> None:
    """Ctrl-C reaches all processes of the terminal; of a SIGKILL the workers hear by their pipes."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS["workers"])
    command = [sys.executable, "-W", "error", str(path), "0"]
    with subprocess.Popen(  # noqa: ASYNC220 - it takes no time to begin
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        assert program.stdout is not None
        line = await asyncio.to_thread(program.stdout.readline)
        udp_port = int(line.split()[-1])
        clients: dict[int, sctpx.Association] = {}
        while len(clients) < 2:
            client = await sctpx.connect(HOST, PORT_OF_THE_PAGE, peer_udp_port=udp_port)
            await client.send(b"who")
            number, _, said = (await client.recv()).data.partition(b": ")
            assert said == b"who"
            if int(number) in clients:
                client.abort()
            clients.setdefault(int(number), client)
        if how == "ctrl-c":
            os.killpg(program.pid, signal.SIGINT)
        else:
            program.kill()
        for client in clients.values():
            with pytest.raises(sctpx.AssociationClosed):
                await client.recv()
        await until(lambda: all(map(gone, clients)))
        code = await asyncio.to_thread(program.wait)
        assert code == (-signal.SIGINT if how == "ctrl-c" else -signal.SIGKILL)
