"""What the commands say of themselves."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import sctpx
from sctpx.cli.main import main
from tests.cli.commands import run

pytestmark = pytest.mark.texts

COMMANDS: list[list[str]] = [
    [],
    ["demo"],
    ["connect"],
    ["listen"],
    ["perf", "client"],
    ["perf", "server"],
    ["doctor"],
    ["man"],
]


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(command: list[str]) -> None:
    text = invoke(*command, "--help")
    assert "Examples:\n" in text
    assert f"  {' '.join(['sctpx', *command])}" in text.partition("Examples:")[2]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_no_wider_than_a_narrow_terminal(command: list[str]) -> None:
    assert max(map(len, invoke(*command, "--help").splitlines())) <= 80


def test_the_help_of_the_whole_names_the_commands() -> None:
    words = invoke("--help").split()
    assert {"demo", "connect", "listen", "perf", "doctor", "man"} <= set(words)


def test_the_version_tells_of_python_the_core_the_checksum_and_the_offload() -> None:
    text = invoke("--version")
    assert text.startswith(f"sctpx {sctpx.__version__}, {'compiled' if sctpx.COMPILED else 'interpreted'}\n")
    for word in ("Python 3", "fastcrc", "offload"):
        assert word in text


def test_the_package_runs_as_a_command() -> None:
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"sctpx ")
