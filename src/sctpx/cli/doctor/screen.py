"""A report on the screen: the same text on a terminal and in a file, with colour on a terminal only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..output import make_table, time_text
from ..report import report_table
from .advice import Advice
from .facts import HostReport, InterfaceFacts, PeerFacts, Probe
from .words import WAYS, Line, Section, buffer_text

_STYLES: Final = {"yes": "green", "no": "red", "": ""}
_LABEL_WIDTH: Final = 12


def show(console: Console, report: HostReport, sections: Sequence[Section], advice: Sequence[Advice]) -> None:
    """Draw all of it."""
    drawn = _Drawn(console)
    for section in sections:
        drawn.section(section)
    drawn.title("Network")
    drawn.table(_interfaces(report.network.interfaces))
    drawn.lines((Line("buffers", buffer_text(report)),))
    for peer in report.peers:
        drawn.peer(peer)
    if advice:
        drawn.title("How to get more")
        for one in advice:
            drawn.advice(one)


class _Drawn:
    def __init__(self, console: Console) -> None:
        self._console = console
        fancy = console.encoding.startswith("utf")
        self._marks = {"yes": "✔" if fancy else "ok", "no": "✘" if fancy else "NO", "": ""}

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, "bold"))

    def section(self, section: Section) -> None:
        self.title(section.title)
        self.lines(section.lines)

    def lines(self, lines: Sequence[Line]) -> None:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=2)
        grid.add_column(min_width=_LABEL_WIDTH, no_wrap=True, style="dim")
        grid.add_column(overflow="fold")
        for line in lines:
            grid.add_row(Text(self._marks[line.mark], _STYLES[line.mark]), line.label, line.text)
        self._console.print(grid)

    def table(self, table: Table) -> None:
        self._console.print(Padding(table, (0, 0, 0, 3)))

    def peer(self, peer: PeerFacts) -> None:
        self.title(f"Peer {peer.asked}")
        if peer.error:
            self.lines((Line("", peer.error, "no"),))
            return
        self.table(_addresses(peer))
        if peer.attempts:
            self.lines(
                (Line("connect", "sends INITs in this order until one is answered; a refusal moves on at once:"),)
            )
            self.table(_attempts(peer))
        for probe in peer.probes:
            self._probe(probe)

    def _probe(self, probe: Probe) -> None:
        self.lines((Line(probe.way, probe.said, "yes" if probe.associated else "no"),))
        if probe.report:
            self.table(report_table(probe.report))

    def advice(self, advice: Advice) -> None:
        self._console.print()
        self._console.print(Padding(Text.assemble((advice.title, "bold"), ": ", advice.why, "."), (0, 0, 0, 3)))
        for command in advice.commands:
            self._console.print(Padding(Text(command, "cyan"), (0, 0, 0, 7)))


def _interfaces(interfaces: Sequence[InterfaceFacts]) -> Table:
    table = make_table("interface", "state", "MTU", "addresses", right=("MTU",))
    for interface in interfaces:
        first, *others = interface.addresses
        mtu = "" if interface.mtu is None else str(interface.mtu)
        table.add_row(interface.name, interface.state, mtu, first)
        for address in others:
            table.add_row("", "", "", address)
    return table


def _addresses(peer: PeerFacts) -> Table:
    table = make_table("address", "sent from", "interface", "MTU", "", right=("MTU",))
    for entry in peer.addresses:
        mtu = "" if entry.mtu is None else str(entry.mtu)
        table.add_row(entry.address, entry.source, entry.interface, mtu, Text(entry.error, "red"))
    return table


def _attempts(peer: PeerFacts) -> Table:
    table = make_table("after", "to", "by", right=("after",))
    for attempt in peer.attempts:
        table.add_row(time_text(attempt.after) if attempt.after else "at once", attempt.address, WAYS[attempt.way])
    return table
