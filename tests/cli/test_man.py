"""``sctpx man``: the pages, the list of them, and what to do without one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import sctpx
from sctpx.cli.main import main
from sctpx.cli.man import WIDTH, Page, drawn, pages
from sctpx.sockapi.options import OPTIONS
from sctpx.sockapi.structs import NOTIFICATIONS
from tests.cli.commands import LIMIT, SCTPX, environment, invoke, run
from tests.guards.house import ROOT

pytestmark = pytest.mark.texts

FUNCTIONS = {name for name in sctpx.__all__ if name.startswith("sctp_")}
each = pytest.mark.parametrize("page", pages(), ids=lambda page: page.title)


def man(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["man", *arguments])


def sections(page: Page) -> list[str]:
    return re.findall(r"^## (.*)$", page.text, re.MULTILINE)


def names_in_first_column(text: str) -> list[str]:
    """What the first cells of the tables say in code."""
    return re.findall(r"^\| `(\w+)`", text, re.MULTILINE)


def test_every_function_has_a_page_and_so_has_the_protocol() -> None:
    assert {name for page in pages() for name in page.names} == FUNCTIONS | {"sctp"}


def test_without_a_name_all_pages_are_listed_with_what_they_are_about() -> None:
    lines = man().output.splitlines()
    assert len(lines) == len(pages())
    assert lines[0] == "sctp(4)               the Stream Control Transmission Protocol, in user space"
    assert any(line.startswith("sctp_connectx(3)      associate with a peer") for line in lines)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("sctp_connectx", "sctp_connectx(3)"),
        ("sctp_connectx(3)", "sctp_connectx(3)"),
        ("sctp", "sctp(4)"),
        ("sctp(4)", "sctp(4)"),
        ("sctp_freepaddrs", "sctp_getpaddrs(3)"),
    ],
)
def test_a_page_is_found_by_its_names_with_the_section_or_without(name: str, title: str) -> None:
    shown = man(name)
    assert shown.exit_code == 0
    assert shown.output.startswith(f"# {title}\n")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("connectx", "sctp_connectx"), ("sctp_conectx", "sctp_connectx"), ("recv", "sctp_recvmsg, sctp_recvv")],
)
def test_a_page_there_is_not_is_an_error_with_suggestions(name: str, meant: str) -> None:
    done = invoke("man", name)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == f"Error: no manual page {name}; did you mean {meant}?\n"


@pytest.mark.parametrize("name", ["ls", "", "sctp_connectx(4)x"])
def test_whatever_is_asked_for_is_answered_in_one_line(name: str) -> None:
    shown = man(name)
    assert shown.exit_code == 1
    assert shown.output.startswith(f"Error: no manual page {name}; ")
    assert len(shown.output.splitlines()) == 1


def test_a_page_is_plain_in_a_pipe_and_drawn_on_a_terminal() -> None:
    plain = run("man", "sctp_bindx").stdout
    assert plain == (resources.files("sctpx") / "man" / "sctp_bindx.3.md").read_bytes()
    ours, theirs = pty.openpty()
    variables = {**environment(), "PAGER": "cat", "TERM": "xterm", "COLUMNS": "90"}
    command = (*SCTPX, "man", "sctp_bindx")
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 1 << 16):
                seen += piece
        except OSError:  # Linux: the other end is closed.
            pass
        os.close(ours)
        assert process.wait(LIMIT) == 0
    assert b"sctp_bindx(3)" in seen
    assert b"## NAME" not in seen


@each
def test_a_page_has_the_sections_of_a_manual_page(page: Page) -> None:
    returns = [] if page.section == "4" else ["RETURN VALUE"]
    order = ["NAME", "SYNOPSIS", "DESCRIPTION", *returns, "ERRORS", "NOTES", "EXAMPLE", "SEE ALSO"]
    assert [name for name in sections(page) if name in order] == order
    assert page.text.startswith(f"# {page.title}\n")
    assert "```python" in page.text.partition("## SYNOPSIS")[2].partition("## DESCRIPTION")[0]
    assert "```c" in page.text.partition("## SYNOPSIS")[2].partition("## DESCRIPTION")[0]


@each
def test_a_page_refers_to_pages_that_there_are(page: Page) -> None:
    known = {f"{name}({one.section})" for one in pages() for name in one.names}
    assert set(re.findall(r"\bsctp\w*\(\d\)", page.text)) <= known


@each
def test_the_arguments_of_a_function_are_those_of_its_synopsis(page: Page) -> None:
    synopsis = page.text.partition("## SYNOPSIS")[2].partition("## DESCRIPTION")[0]
    for name in set(page.names) & FUNCTIONS:
        code = getattr(sctpx, name).__code__
        (stated,) = re.findall(rf"sctpx\.{name}\((.*)\) ->", synopsis)
        assert [word.partition("=")[0] for word in stated.split(", ")] == list(code.co_varnames[: code.co_argcount])


@each
@pytest.mark.parametrize("width", [60, 90, 200])
def test_a_page_fits_the_terminal(page: Page, width: int) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", drawn(page, width))
    assert max(map(len, text.splitlines())) <= min(width, WIDTH)


@each
def test_code_of_a_page_is_not_wrapped(page: Page) -> None:
    for block in re.findall(r"^```\w+\n(.*?)^```", page.text, re.MULTILINE | re.DOTALL):
        assert max(map(len, block.splitlines())) <= WIDTH - 2


def test_sctp_lists_the_options_that_can_be_used() -> None:
    text = next(page.text for page in pages() if page.names == ("sctp",))
    listed = names_in_first_column(text.partition("## OPTIONS")[2].partition("\n## ")[0])
    assert listed == [option.name for option in OPTIONS if option.usable]


def test_sctp_lists_the_notifications_that_can_come() -> None:
    text = next(page.text for page in pages() if page.names == ("sctp",))
    listed = names_in_first_column(text.partition("## NOTIFICATIONS")[2].partition("\n## ")[0])
    types = {getattr(sctpx.constants, name) for name in listed}
    assert types == {number for number, kind in NOTIFICATIONS.items() if not kind.NEEDS}


def test_the_documentation_points_to_every_page() -> None:
    index = ROOT / "docs" / "man.md"
    found = re.findall(r"^\| \[(.*?)\]\((.*?)\) \| (.*?) \|$", index.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(title, about) for title, _, about in found] == [(page.title, page.about) for page in pages()]
    for _, path, _ in found:
        assert (index.parent / Path(path)).is_file()
