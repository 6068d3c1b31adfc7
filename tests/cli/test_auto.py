"""``--link``: the commands where nobody names a way, and the ways by their names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sctpx.link import kernel_sctp
from tests.cli.commands import Running, invoke, parsed, run
from tests.namespaces import own_host
from tests.sweeps import some

PORT = "5000"


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets, and where the default UDP port is free."""
    if kernel_sctp.is_loaded():
        pytest.skip("the kernel of this host has SCTP")
    with own_host():
        yield


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has chosen a way for the programs."""
    monkeypatch.delenv("SCTPX_LINK")


def test_both_ways_are_used_and_told() -> None:
    with Running("listen", "-v", "--echo", "--once", "127.0.0.1", PORT) as listener:
        assert listener.stderr.readline() == b"sctpx: listening on 127.0.0.1 port 5000 native and udp-port 9899\n"
        done = run("connect", "-v", "--report", "127.0.0.1", PORT, given=b"hello\n")
        assert done.stdout == b"hello\n"
        said = done.stderr.decode()
        assert said.startswith("sctpx: connecting to 127.0.0.1 port 5000\n")
        assert "is up natively" in said
        assert "127.0.0.1 native" in said
        assert "127.0.0.1 UDP 9899" in said
        assert listener.finish()[0] == 0


@pytest.mark.parametrize("named", some([("--link", "udp")], [("--udp-port", "9899")]))
def test_a_listener_over_udp_is_reached_over_udp(named: tuple[str, str]) -> None:
    with Running("listen", "-v", "--echo", "--once", *named, "127.0.0.1", PORT) as listener:
        assert listener.stderr.readline() == b"sctpx: listening on 127.0.0.1 port 5000 udp-port 9899\n"
        done = run("connect", "-v", "127.0.0.1", PORT, given=b"hello\n")
        assert done.stdout == b"hello\n"
        assert b"is up over UDP port 9899" in done.stderr
        assert listener.finish()[0] == 0


def test_the_environment_names_a_way() -> None:
    with Running("listen", "-v", "--echo", "--once", "127.0.0.1", PORT) as listener:
        assert b"native and" in listener.stderr.readline()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SCTPX_LINK", "udp")
            done = run("connect", "-v", "127.0.0.1", PORT, given=b"hello\n")
        assert b"is up over UDP port 9899" in done.stderr
        assert listener.finish()[0] == 0


@pytest.mark.parametrize("command", [("connect", "127.0.0.1", PORT), ("listen", "127.0.0.1", PORT), ("perf", "server")])
def test_a_kernel_without_sctp_is_an_error_in_one_line(command: tuple[str, ...]) -> None:
    done = invoke(*command, "--link", "kernel")
    assert done.returncode == 1
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("Error: ")
    assert "SCTP" in line


def test_a_measurement_goes_natively() -> None:
    with Running("perf", "server", "--once", "--json") as listener:
        assert listener.stderr.readline() == b"READY 127.0.0.1 port 5001 udp-port 9899\n"
        done = run("perf", "client", "127.0.0.1", "--json", "--seconds", "0.2")
        assert done.returncode == 0, done.stderr
        status, output, errors = listener.finish()
        assert status == 0, errors
    assert parsed(output)["bytes"] == parsed(done.stdout)["bytes"] > 0


def test_no_offload_is_not_for_the_kernel() -> None:
    for command in (("perf", "server"), ("perf", "client", "127.0.0.1")):
        done = invoke(*command, "--no-offload", "--link", "kernel")
        assert done.returncode == 2
        assert b"--no-offload" in done.stderr
