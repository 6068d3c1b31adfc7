"""``--link raw``: the commands without UDP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.commands import Running, parsed, run
from tests.namespaces import own_host


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host where nobody else has raw sockets."""
    with own_host():
        yield


def test_a_line_goes_to_a_listener_and_back() -> None:
    with Running("listen", "-v", "--echo", "--once", "--link", "raw", "127.0.0.1", "5000") as listener:
        assert listener.stderr.readline() == b"sctpx: listening on 127.0.0.1 port 5000\n"
        done = run("connect", "-v", "--link", "raw", "127.0.0.1", "5000", given=b"hello\n")
        assert done.stdout == b"hello\n"
        assert done.stderr.startswith(b"sctpx: connecting to 127.0.0.1 port 5000\n")
        assert listener.finish()[0] == 0


@pytest.mark.parametrize("options", [(), ("--no-offload",)])
def test_a_measurement(options: tuple[str, ...]) -> None:
    with Running("perf", "server", "--link", "raw", "--once", "--json", *options) as listener:
        assert listener.stderr.readline() == b"READY 127.0.0.1 port 5001\n"
        done = run("perf", "client", "127.0.0.1", "--link", "raw", "--json", "--seconds", "0.2", *options)
        assert done.returncode == 0, done.stderr
        status, output, errors = listener.finish()
        assert status == 0, errors
    assert parsed(output)["bytes"] == parsed(done.stdout)["bytes"] > 0
