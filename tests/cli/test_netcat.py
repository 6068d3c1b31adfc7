"""``sctpx listen`` and ``sctpx connect``, as two processes."""

from __future__ import annotations

import asyncio
import errno
import socket
from asyncio.subprocess import PIPE

import pytest

import sctpx
from tests.cli.commands import SCTPX, Running, environment, invoke, run
from tests.ports import closed_udp_port
from tests.sweeps import rows, some

PORT = "5000"


def listening(*options: str) -> Running:
    return Running("listen", "-v", "--udp-port", "0", *options, "127.0.0.1", PORT)


def test_lines_come_back_from_an_echo_and_the_end_of_the_input_ends_both_sides() -> None:
    with listening("--once", "--echo") as listener:
        udp_port = listener.udp_port(listener.stderr)
        with Running("connect", "--peer-udp-port", udp_port, "127.0.0.1", PORT) as caller:
            for line in (b"hello\n", b"\n", b"world\n"):
                caller.write(line)
                assert caller.stdout.readline() == line
            assert caller.finish() == (0, b"", b"")
        status, output, errors = listener.finish()
    assert (status, output) == (0, b"hello\n\nworld\n")
    assert errors.splitlines()[-1].endswith(b"ended gracefully")


def test_a_file_arrives_byte_for_byte_in_messages_of_the_size_asked_for() -> None:
    content = bytes(range(256)) * 1000 + b"the end"
    with listening("--once") as listener:
        udp_port = listener.udp_port(listener.stderr)
        done = run("connect", "--peer-udp-port", udp_port, "--message-size", "10k", "127.0.0.1", PORT, given=content)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        status, output, _ = listener.finish()
    assert (status, output == content) == (0, True)


def test_both_sides_send_what_they_are_given() -> None:
    with listening("--once") as listener:
        udp_port = listener.udp_port(listener.stderr)
        with Running("connect", "--peer-udp-port", udp_port, "127.0.0.1", PORT) as caller:
            listener.write(b"from the listener\n")
            assert caller.stdout.readline() == b"from the listener\n"
            caller.write(b"from the caller\n")
            assert listener.stdout.readline() == b"from the caller\n"
            assert caller.finish()[0] == 0
        assert listener.finish()[0] == 0


def test_a_listener_serves_one_after_the_other_until_ctrl_c() -> None:
    with listening() as listener:
        udp_port = listener.udp_port(listener.stderr)
        for line in (b"first\n", b"second\n"):
            done = run("connect", "--peer-udp-port", udp_port, "127.0.0.1", PORT, given=line)
            assert done.returncode == 0
            assert listener.stdout.readline() == line
        listener.interrupt()
        assert listener.finish()[0] == 0


def test_ctrl_c_shuts_down_gracefully() -> None:
    with listening("--once", "--echo") as listener:
        udp_port = listener.udp_port(listener.stderr)
        with Running("connect", "--peer-udp-port", udp_port, "127.0.0.1", PORT) as caller:
            caller.write(b"there\n")
            assert caller.stdout.readline() == b"there\n"
            caller.interrupt()
            assert caller.process.wait(60) == 0
        status, _, errors = listener.finish()
    assert (status, errors.splitlines()[-1].endswith(b"ended gracefully")) == (0, True)


def test_an_abort_of_the_peer_is_one_line_and_exit_status_1() -> None:
    async def refuse_to_talk() -> tuple[int | None, bytes, bytes]:
        def on_association(association: sctpx.Association) -> None:
            association.abort("not today")

        async with await sctpx.start_server(on_association, "127.0.0.1", 5000, udp_port=0) as server:
            arguments = ("connect", "--peer-udp-port", str(server.udp_port), "127.0.0.1", PORT)
            caller = await asyncio.create_subprocess_exec(
                *SCTPX, *arguments, env=environment(), stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
            # Its standard input stays open: it ends for another reason.
            assert caller.stdout is not None
            assert caller.stderr is not None
            output, errors = await asyncio.gather(caller.stdout.read(), caller.stderr.read())
            return await caller.wait(), output, errors

    status, output, errors = asyncio.run(refuse_to_talk())
    assert (status, output) == (1, b"")
    assert errors == b"Error: the association was aborted by the peer (User-Initiated Abort 'not today')\n"


def test_the_report_tells_what_each_address_answered() -> None:
    with listening("--once", "--echo") as listener:
        udp_port = listener.udp_port(listener.stderr)
        done = run("connect", "-v", "--report", "--peer-udp-port", udp_port, "127.0.0.1", PORT, given=b"hello\n")
        listener.finish()
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    text = done.stderr.decode()
    assert text.startswith(f"sctpx: connecting to 127.0.0.1 port {PORT} udp-port {udp_port}\n")
    assert "INIT ACK" in text
    assert "is up" in text
    assert "ended gracefully" in text


def test_a_refusal_is_one_line_and_exit_status_1() -> None:
    done = run("connect", "--report", "--peer-udp-port", str(closed_udp_port()), "--timeout", "5", "127.0.0.1", PORT)
    assert (done.returncode, done.stdout) == (1, b"")
    lines = done.stderr.decode().splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:]
    assert "Traceback" not in done.stderr.decode()
    assert "127.0.0.1" in "".join(lines[:-1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    rows(
        [
            (("connect", "0.0.0.0", PORT), "0.0.0.0 is the wildcard, which no peer has"),
            (("connect", "--timeout", "0.05", "--peer-udp-port", "1", "127.0.0.1", PORT), "UDP port 1"),
            (("listen", "--udp-port", "0", "203.0.113.1", PORT), "203.0.113.1: this host does not have it, but"),
            (("perf", "server", "--bind", "192.0.2.1", "--udp-port", "0"), "192.0.2.1"),
        ],
        [
            (("connect", "name.invalid", PORT), "name.invalid"),
            (("connect", "--bind", "127.0.0.1", "203.0.113.1", PORT), "127.0.0.1 is a loopback address"),
            (("connect", "fe80::1%nowhere", PORT), "this host has no interface nowhere"),
            (("perf", "client", "224.0.0.1"), "224.0.0.1"),
        ],
    ),
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_line_and_exit_status_1(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert line.startswith("Error: ")
    assert words in line


def test_a_udp_port_in_use_is_said_to_be_in_use() -> None:
    with listening() as listener:
        udp_port = listener.udp_port(listener.stderr)
        done = run("listen", "--udp-port", udp_port, "127.0.0.1", "5001")
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert f"UDP port {udp_port} of 127.0.0.1 is taken" in line
    assert "choose another with --udp-port" in line


@pytest.mark.parametrize(
    "arguments", [("connect", "127.0.0.1,", PORT), ("listen", "127.0.0.1", "0"), ("perf", "client")]
)
def test_what_cannot_be_read_is_a_matter_of_usage(arguments: tuple[str, ...]) -> None:
    done = invoke(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(b"Usage: ")


def test_a_test_of_ours_finds_ports_that_nobody_has() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", closed_udp_port()))
        asking.send(b"anybody there?")
        assert asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED)


@pytest.mark.parametrize("how", some([["--lifetime", "5"]], [["--retransmits", "0"]]))
def test_messages_that_may_be_given_up_arrive_where_nothing_is_lost(how: list[str]) -> None:
    with listening("--once") as listener:
        udp_port = listener.udp_port(listener.stderr)
        done = run("connect", "--peer-udp-port", udp_port, *how, "127.0.0.1", PORT, given=b"one\ntwo\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert listener.finish()[:2] == (0, b"one\ntwo\n")


def test_a_message_has_one_reason_to_be_given_up() -> None:
    done = invoke("connect", "--lifetime", "1", "--retransmits", "0", "127.0.0.1", PORT)
    assert done.returncode == 2
    assert b"exclude each other" in done.stderr


@pytest.mark.parametrize("mobile", [(), ("--mobile",)])
def test_who_wants_to_move_is_told_if_the_peer_does_not_go_along(mobile: tuple[str, ...]) -> None:
    with listening("--once", *mobile) as listener:
        udp_port = listener.udp_port(listener.stderr)
        done = run("connect", "--mobile", "--peer-udp-port", udp_port, "127.0.0.1", PORT, given=b"hello\n")
        assert (done.returncode, done.stdout) == (0, b"")
        told = b"sctpx: with 127.0.0.1 addresses cannot change: the peer does not offer that\n"
        assert done.stderr == (b"" if mobile else told)
        assert listener.finish()[:2] == (0, b"hello\n")
