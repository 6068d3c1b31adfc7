"""The story on the screen: three chapters, a progress bar with the table of paths, a summary.

On a terminal the bar and the table live at the bottom, and what happens is written above them. Elsewhere the same
is written as plain lines, the progress every tenth of the way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self, final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...sockapi.status import PathInfo
from ..output import byte_text, rate_text, time_text
from ..report import path_table, report_table
from .story import MESSAGE_SIZE, Outcome, Progress, Teller

_REFRESH: Final = 0.1
"""Seconds between two pictures."""
_MEMORY: Final = 1.0
"""Seconds over which the rate of a path is taken."""
_WORTH_TELLING: Final = 100_000
"""Bytes from which on a path is said to have been used."""
_BAR_WIDTH: Final = 24
_WIDE: Final = 100
"""Columns that the whole table of paths needs."""


@final
class Screen(Teller):
    """Tells the story on a console. A context manager: leaving it leaves the terminal as it was."""

    def __init__(self, console: Console) -> None:
        self._console = console
        fancy = console.encoding.startswith("utf")
        self._yes, self._no = ("✔", "✘") if fancy else ("ok", "NO")
        self._narrow = console.width < _WIDE
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._next_picture = 0.0
        self._next_percent = 10
        self._rates = _Rates()
        self._last: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    # --- the story ---

    def note(self, text: str) -> None:
        """A remark."""
        self._write(Text("  " + text, "italic"))

    def connecting(self, addresses: Sequence[str]) -> None:
        """Chapter one."""
        self._write()
        self._chapter("1 CONNECT", f"to {len(addresses)} addresses of one server, in one call")
        self._write(Text("  each 100 ms after the one before, at once after a refusal", "dim"))

    def connected(self, outcome: Outcome) -> None:
        """The report on the addresses."""
        self._draw(report_table(outcome.report))
        up = f"association up after {time_text(outcome.up_at)}, the primary path is "
        self._write("  ", Text(self._yes, "green"), "  ", up, Text(outcome.primary, "bold"))

    def sending(self, total: int) -> None:
        """Chapter two."""
        size = f"{byte_text(total)} in messages of {MESSAGE_SIZE >> 10} KiB"
        self._write()
        self._chapter("2 SEND", f"{size}, and lose the primary path half-way")
        self._write()
        if self._live is not None:
            self._live.start()

    def progress(self, progress: Progress) -> None:
        """The bar and the table, or now and then a line."""
        self._last = progress
        if self._live is None:
            if progress.percent >= self._next_percent:
                self._next_percent = progress.percent // 10 * 10 + 10
                self._write_progress(progress)
        elif time.monotonic() >= self._next_picture:
            self._next_picture = time.monotonic() + _REFRESH
            self._rates.update(progress)
            self._live.update(self._picture(progress), refresh=True)

    def event(self, at: float, text: str) -> None:
        """A line above the bar."""
        self._write(Text(f"  {at:7.3f} s  ", "dim"), Text(text, "yellow"))

    def sent(self, outcome: Outcome) -> None:
        """The paths as they are now; chapter three."""
        self._stop()
        self._draw(path_table(outcome.paths, narrow=self._narrow, cut=outcome.cut))
        self._chapter("3 SHUTDOWN", "nothing is left behind: what was sent is delivered first")

    def finished(self, outcome: Outcome) -> None:
        """The summary."""
        checks = outcome.checks()
        table = Table.grid(padding=(0, 2))
        for check, text, detail in _summary(outcome):
            held = checks.get(check, True)
            mark = Text(self._yes, "green") if held else Text(self._no, "bold red")
            table.add_row(mark if check else "", text, Text(detail, "dim" if held else "red"))
        self._write()
        self._draw(table)
        failed = [name.replace("_", " ") for name, held in checks.items() if not held]
        verdict = Text(f"did not hold: {', '.join(failed)}", "bold red") if failed else Text("all held", "bold green")
        self._write("\n  ", verdict, f", in {time_text(outcome.seconds)}")

    # --- drawing ---

    def _chapter(self, title: str, text: str) -> None:
        self._write(Text(title, "bold cyan"), "  ", text)

    def _write(self, *parts: str | Text) -> None:
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def _draw(self, table: Table) -> None:
        self._console.print(_inset(table))

    def _stop(self) -> None:
        """Take the bar and the table off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _write_progress(self, progress: Progress) -> None:
        used = ", ".join(f"{path.remote} {byte_text(path.bytes_sent)}" for path in _used(progress.paths))
        moment = Text(f"  {progress.now:7.3f} s  ", "dim")
        self._write(
            moment, f"{progress.percent:3} %  {byte_text(progress.sent)} at {rate_text(progress.rate)}  ({used})"
        )

    def _picture(self, progress: Progress) -> RenderableType:
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            ProgressBar(progress.total, progress.sent, width=_BAR_WIDTH),
            f"{progress.percent:3} %",
            f"{byte_text(progress.sent)} of {byte_text(progress.total)}",
            rate_text(progress.rate),
            Text(f"{progress.now:.1f} s", "dim"),
        )
        rates = [self._rates.of(path) for path in progress.paths]
        return Group("", _inset(bar), _inset(path_table(progress.paths, rates, self._narrow, progress.cut)))


def _inset(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 2), expand=False)


def _used(paths: Sequence[PathInfo]) -> list[PathInfo]:
    return [path for path in paths if path.bytes_sent >= _WORTH_TELLING]


def _summary(outcome: Outcome) -> list[tuple[str, str, str]]:
    """The lines of the summary: which of the checks, or "", what it means, details."""
    used = ", ".join(f"{path.remote} {byte_text(path.bytes_sent)}" for path in _used(outcome.paths))
    received = outcome.received
    return [
        ("connected_to_another", "two dead addresses passed over", f"up after {time_text(outcome.up_at)}"),
        (
            "failed_over",
            "path lost, association kept",
            f"over to {outcome.failed_over_to}, after a gap of {time_text(outcome.longest_gap)}",
        ),
        ("all_received", "received what was sent", f"{received.bytes:,} bytes in {received.messages:,} messages"),
        ("sha256_equal", "SHA-256 is equal", received.sha256[:32] + "..."),
        ("graceful_end", "ended gracefully", "SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE"),
        ("", "paths used", used),
        ("", "retransmitted", f"{outcome.chunks_retransmitted:,} chunks"),
        ("", "goodput", f"{rate_text(outcome.rate)}, the gap included"),
    ]


@final
class _Rates:
    """Bytes per second of each path, over the last second or so."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, dict[str, int]]] = []

    def update(self, progress: Progress) -> None:
        """So much was sent so far."""
        self._samples.append((progress.now, {path.remote: path.bytes_sent for path in progress.paths}))
        while len(self._samples) > 2 and progress.now - self._samples[1][0] >= _MEMORY:
            self._samples.pop(0)

    def of(self, path: PathInfo) -> float:
        """The rate of a path."""
        if len(self._samples) < 2:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return (after.get(path.remote, 0) - before.get(path.remote, 0)) / max(end - start, 1e-3)
