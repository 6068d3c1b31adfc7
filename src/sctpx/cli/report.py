"""What each address answered when an association was set up (contract CX11), and its paths: as tables and as JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ..core.association.connect import ANSWER_ICMP, ANSWER_NAMES, ANSWER_SEND_ERROR
from ..sockapi.status import BY_KERNEL, AddressReport, PathInfo
from .output import byte_text, make_table, rate_text, time_text

if TYPE_CHECKING:
    from rich.table import Table

_WITH_ERRNO: Final = (ANSWER_NAMES[ANSWER_ICMP], ANSWER_NAMES[ANSWER_SEND_ERROR], BY_KERNEL)
_LOWEST_RATE: Final = 50_000
"""Bytes per second below which a path counts as idle."""
_STILL: Final = {"": 7, "state": 18, "sent": 8, "rate": 10, "RTT": 7}
"""Columns that what is drawn again and again has at least, so that it does not jump."""
_STATE_STYLES: Final = {"active": "green", "potentially failed": "yellow", "inactive": "red"}


def report_table(report: Sequence[AddressReport]) -> Table:
    """A report as people read it."""
    columns = ("address", "INITs", "first at", "answer", "after", "became")
    table = make_table(*columns, right=("INITs", "first at", "after"))
    for entry in report:
        after = ""
        if entry.first_sent is not None and entry.answered is not None:
            after = time_text(entry.answered - entry.first_sent)
        table.add_row(
            _address_text(entry, report),
            str(entry.inits or ""),
            "" if entry.first_sent is None else time_text(entry.first_sent),
            _answer_text(entry),
            after,
            _became_text(entry),
            style="" if entry.kept else "dim",
        )
    return table


def _address_text(entry: AddressReport, report: Sequence[AddressReport]) -> str:
    """The address; with its encapsulation where that tells it from another entry."""
    alike = [other for other in report if other.address == entry.address]
    return f"{entry.address} {entry.encapsulation}" if len(alike) > 1 else entry.address


def _answer_text(entry: AddressReport) -> str:
    if not entry.listed:
        return "named by the peer"
    if entry.answer in _WITH_ERRNO and entry.error:
        return f"{entry.answer}: {os.strerror(entry.error).lower().removeprefix('connection ')}"
    return entry.answer


def _became_text(entry: AddressReport) -> str:
    if not entry.kept:
        return "dropped"
    return "path" if entry.listed else "path, unverified"


def report_json(report: Sequence[AddressReport]) -> list[dict[str, Any]]:
    """A report for ``--json``: its fields, with the bytes of error causes in hexadecimal."""
    return [{**asdict(entry), "causes": [[code, value.hex()] for code, value in entry.causes]} for entry in report]


def path_table(
    paths: Sequence[PathInfo], rates: Sequence[float] | None = None, narrow: bool = False, cut: str = ""
) -> Table:
    """The paths of an association as people read them.

    ``rates`` are bytes per second, of a table that is drawn again and again; ``narrow`` leaves out what an 80-column
    terminal has no room for; ``cut`` is the address of a path that somebody cut.
    """
    from rich.text import Text  # noqa: PLC0415 - see ``output``

    numbers = [*(["rate"] if rates is not None else []), "RTT", *([] if narrow else ["RTO", "cwnd"]), "resent"]
    table = make_table("path", "", "state", "sent", *numbers, right=("sent", *numbers))
    if rates is not None:
        for column in table.columns:
            column.min_width = _STILL.get(str(column.header))
    for index, path in enumerate(paths):
        cells = {
            "RTT": "" if path.srtt is None else time_text(path.srtt),
            "RTO": time_text(path.rto),
            "cwnd": byte_text(path.cwnd),
            "resent": f"{path.chunks_retransmitted:,}",
        }
        if rates is not None:
            cells["rate"] = rate_text(rates[index]) if rates[index] >= _LOWEST_RATE else ""
        state = Text(path.state, _STATE_STYLES[path.state]) if path.confirmed else Text("not verified", "dim")
        role = Text("cut", "red") if path.remote == cut else "primary" if path.primary else ""
        table.add_row(path.remote, role, state, byte_text(path.bytes_sent), *[cells[name] for name in numbers])
    return table
