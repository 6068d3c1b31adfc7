"""``--auth-key`` and ``--auth-chunks``: what they read, and what they do to the commands that connect and listen."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from sctpx.cli.authentication import authentication, chunk_types, shared_key
from sctpx.core.config import AssociationConfig
from tests.cli.commands import Running, invoke, perf, run
from tests.sweeps import some

PORT = "5000"


def key_file(tmp_path: Path, content: bytes = b"known to both\n", mode: int = 0o600, name: str = "key") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def listening(*options: str) -> Running:
    return Running("listen", "-v", "--udp-port", "0", *options, "127.0.0.1", PORT)


# --- what they read ---


@pytest.mark.parametrize(
    ("content", "key"),
    [(b"key", b"key"), (b"key\n", b"key"), (b"key\r\n", b"key"), (b"a\n\n", b"a\n"), (b"\0\xff ", b"\0\xff ")],
)
def test_a_key_is_what_its_file_has_without_the_line_break(tmp_path: Path, content: bytes, key: bytes) -> None:
    assert shared_key(key_file(tmp_path, content)) == (1, key)


def test_a_key_may_have_a_number(tmp_path: Path) -> None:
    name = key_file(tmp_path)
    assert shared_key(f"0:{name}") == (0, b"known to both")
    assert shared_key(f"65535:{name}") == (65535, b"known to both")
    assert shared_key(key_file(tmp_path, name="with:colon")) == (1, b"known to both")


@pytest.mark.parametrize("content", [b"", b"\n", bytes(65536), bytes(70_000)], ids=len)
def test_a_key_has_one_byte_and_no_more_than_fit(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(click.BadParameter, match="1 to 65535 bytes"):
        shared_key(key_file(tmp_path, content))


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    for text in (str(tmp_path), str(tmp_path / "missing"), f"65536:{key_file(tmp_path)}", "1:"):
        with pytest.raises(click.BadParameter):
            shared_key(text)


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)], ids=oct)
def test_others_who_may_read_a_key_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, told: bool
) -> None:
    name = key_file(tmp_path, mode=mode)
    shared_key(name)
    assert capsys.readouterr().err == (f"sctpx: others may read the key in {name}: chmod 600 {name}\n" if told else "")


def test_a_key_may_come_from_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell's <(command) has it."""
    readable, writable = os.pipe()
    os.write(writable, b"piped\n")
    os.close(writable)
    assert shared_key(f"7:/dev/fd/{readable}") == (7, b"piped")
    os.close(readable)
    assert capsys.readouterr().err == ""


def test_chunks_have_names_and_numbers() -> None:
    assert chunk_types("DATA,cookie-echo, Cookie Ack ,i_data,200,0") == (0, 10, 11, 64, 200)
    for text in ("", "DATA,", "NOTHING", "256", "-1", "INIT", "init-ack", "SHUTDOWN-COMPLETE", "15"):
        with pytest.raises(click.BadParameter):
            chunk_types(text)


def test_a_key_is_for_data_and_for_who_may_set_an_association_up() -> None:
    assert authentication((), None) == {}
    assert authentication((), (6,)) == {"authenticated_chunks": (6,)}
    made = AssociationConfig(**authentication(((7, b"seven"), (1, b"one")), None))
    assert (made.authenticated_chunks, made.first_key) == ((0, 10), 7)
    assert authentication(((1, b"one"),), (3,))["authenticated_chunks"] == (3,)
    with pytest.raises(click.UsageError, match="the same number"):
        authentication(((1, b"one"), (1, b"two")), None)


# --- what they do ---


def test_who_has_the_key_is_served(tmp_path: Path) -> None:
    name = key_file(tmp_path)
    with listening("--once", "--echo", "--auth-key", name) as listener:
        udp_port = listener.udp_port(listener.stderr)
        caller = ("connect", "-v", "--peer-udp-port", udp_port, "--auth-key", name, "127.0.0.1", PORT)
        done = run(*caller, given=b"hello\n")
        status, output, errors = listener.finish()
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert (status, output) == (0, b"hello\n")
    for told in (done.stderr, errors):
        assert b"), authenticated\n" in told


@pytest.mark.parametrize("wrong", some(["another key"], ["another number", "no key"]))
def test_who_has_not_is_not(tmp_path: Path, wrong: str) -> None:
    name, other = key_file(tmp_path), key_file(tmp_path, b"another", name="other")
    options = {"another key": ("--auth-key", other), "another number": ("--auth-key", f"2:{name}"), "no key": ()}
    with listening("--auth-key", name) as listener:
        udp_port = listener.udp_port(listener.stderr)
        caller = ("connect", "--peer-udp-port", udp_port, "--timeout", "0.5", *options[wrong], "127.0.0.1", PORT)
        done = run(*caller, given=b"hello\n")
        listener.interrupt()
        status, output, _ = listener.finish()
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error: ")
    assert (status, output) == (0, b"")


def test_a_key_that_cannot_be_read_is_said_before_anything_begins(tmp_path: Path) -> None:
    done = invoke("listen", "--auth-key", str(tmp_path / "missing"), "127.0.0.1", PORT)
    assert done.returncode == 2
    assert b"No such file or directory" in done.stderr


def test_what_is_measured_may_be_authenticated(tmp_path: Path) -> None:
    options = ("--auth-key", f"3:{key_file(tmp_path)}", "--auth-chunks", "DATA,SACK")
    ours, theirs = perf(("--seconds", "0.2", *options), options)
    assert ours["bytes"] == theirs["bytes"] > 0
