"""``sctpx man``: the manual pages.

They come with the package, one Markdown file each: ``man/<name>.<section>.md``. The NAME section of a page has the
names it is found under, and what it is about in one line. On a terminal a page is drawn and shown in a pager; anywhere
else it is the file as it stands.
"""

from __future__ import annotations

import difflib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, final

import click

from .failure import Failure

WIDTH: Final = 100
"""Columns of a page, at most."""


@final
@dataclass(frozen=True, slots=True)
class Page:
    """One manual page."""

    section: str
    """``3`` for functions, ``4`` for the protocol."""
    names: tuple[str, ...]
    """What it is found under."""
    about: str
    text: str
    """Markdown."""

    @property
    def title(self) -> str:
        """``sctp_connectx(3)``."""
        return f"{self.names[0]}({self.section})"


@cache
def pages() -> tuple[Page, ...]:
    """All pages, those of section 4 first."""
    files = (resources.files("sctpx") / "man").iterdir()
    found = [_page(file.name, file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".md")]
    return tuple(sorted(found, key=lambda page: (-int(page.section), page.names)))


def _page(file: str, text: str) -> Page:
    names, _, about = text.partition("## NAME\n")[2].strip().partition("\n")[0].partition(" - ")
    return Page(file.split(".")[-2], tuple(names.split(", ")), about, text)


def find(wanted: str) -> Page | None:
    """The page with this name, which may be followed by the section: ``sctp(4)``."""
    for page in pages():
        if wanted in page.names or wanted in [f"{name}({page.section})" for name in page.names]:
            return page
    return None


def similar(wanted: str) -> Sequence[str]:
    """Names of pages that may have been meant."""
    names = [name for page in pages() for name in page.names]
    parts = [name for name in names if wanted and wanted in name]
    return parts or difflib.get_close_matches(wanted, names, n=4, cutoff=0.75)


def drawn(page: Page, width: int) -> str:
    """A page for a terminal that is ``width`` columns wide."""
    from rich.console import Console  # noqa: PLC0415 - seldom needed
    from rich.markdown import Markdown  # noqa: PLC0415
    from rich.theme import Theme  # noqa: PLC0415

    theme = Theme({"markdown.code": "cyan", "markdown.h2": "bold", "markdown.table.border": "dim"})
    console = Console(width=min(width, WIDTH), force_terminal=True, highlight=False, theme=theme)
    with console.capture() as capture:
        console.print(Markdown(page.text, code_theme="ansi_light"))
    return capture.get()


@click.command(
    short_help="Show a manual page: sctp, or a function's.",
    epilog="""\b
Examples:
  sctpx man                   the list of the pages
  sctpx man sctp              what there is and what differs from a kernel's
  sctpx man sctp_connectx     a function: synopsis, errors, an example
""",
)
@click.argument("page", required=False)
def man(page: str | None) -> None:
    """Show a manual page; without a name, the list of all."""
    if page is None:
        for one in pages():
            click.echo(f"{one.title:<20}  {one.about}")
        return
    found = find(page)
    if found is None:
        meant = similar(page)
        hint = f"; did you mean {', '.join(meant)}?" if meant else "; `sctpx man` lists them"
        raise Failure(f"no manual page {page}{hint}")
    if sys.stdout.isatty():
        click.echo_via_pager(drawn(found, shutil.get_terminal_size().columns))
    else:
        click.echo(found.text, nl=False)
