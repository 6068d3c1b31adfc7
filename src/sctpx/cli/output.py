"""What people read: numbers with units, tables that look the same on a terminal and in a file, JSON.

``rich`` is imported when something is drawn with it: a command that prints one JSON object does not pay for it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PLAIN_WIDTH: Final = 110
"""Columns where there is no terminal to ask."""

_MEGA: Final = 1_000_000


def complete_standard_streams() -> None:
    """Open the null device for standard streams that are closed (``>&-``).

    Else the next file or socket would get their descriptors, and be written to or read from as if it were them.
    """
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def byte_text(count: int) -> str:
    """``312.5 MB``; MB are 10^6 bytes."""
    if count >= _MEGA:
        return f"{count / _MEGA:,.1f} MB"
    return f"{count / 1000:.1f} kB" if count >= 1000 else f"{count} B"


def rate_text(bytes_per_second: float) -> str:
    """``85.2 MB/s``."""
    return f"{bytes_per_second / _MEGA:,.1f} MB/s"


def time_text(seconds: float) -> str:
    """``0.35 ms``, ``102 ms``, ``1.02 s``: three digits or so."""
    if seconds >= 0.9995:
        return f"{seconds:.2f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2f} ms"


def json_text(values: dict[str, Any]) -> str:
    """One object on one line."""
    return json.dumps(values, ensure_ascii=False)


def make_console(file: IO[str]) -> Console:
    """Where to draw: in colour on a terminal, the same without it elsewhere."""
    from rich.console import Console  # noqa: PLC0415 - see above

    width = None if file.isatty() else PLAIN_WIDTH
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def make_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` hold numbers."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table
