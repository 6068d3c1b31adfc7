"""A run as a ladder, a line for each packet, to read and to compare with.

    A -> INIT -> B
    B -> INIT ACK -> A
    A -> COOKIE ECHO -> lost
    A -> COOKIE ECHO, DATA -> B
    10.0.2.2 -> ICMP ECONNREFUSED -> A

Packets stand in the order they were sent, with the name of the host they came from and of the host they
reached, or ``lost``. A duplicate made by the network ends in ``(copy)``.

An expected ladder is written the same way and need say no more than it wants to hold:

* ``...`` on a line of its own stands for any number of packets, ``*`` among the chunks for any number of chunks.
* Words behind a chunk's name must occur, in that order and together, in what ``sctpx.wire.describe`` says of it:
  ``DATA tsn 7`` or ``SACK cum 12``. Chunks are separated by commas or semicolons.
* An address behind a name is compared too: ``A 10.0.1.1 -> INIT -> B 10.0.2.2``; so is the reason behind a loss:
  ``lost (queue full)``.
* Seconds since the beginning, ahead of the line, are compared to as many decimals as are written: ``0.10 A -> ...``.
* Empty lines, and everything behind ``#``, count for nothing.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from sctpx.wire.codes import CHUNK_NAMES

from .clock import SECOND
from .packet import ANSWERED, DELIVERED, HELD_BACK, REFUSED, UNDER_WAY, Packet

_REACHED: Final = frozenset((UNDER_WAY, HELD_BACK, DELIVERED, REFUSED, ANSWERED))

_ANY_PACKETS: Final = "..."
_ANY_CHUNKS: Final = "*"

_LINE: Final = re.compile(
    r"(?:(?P<time>\d+\.\d*)\s+)?"
    r"(?P<sender>\S+)(?:\s+(?P<source>\S+))?"
    r"\s+->\s+(?P<chunks>.+?)\s+->\s+"
    r"(?P<receiver>\S+)(?:\s+(?P<destination>[^\s(]+))?(?:\s+\((?P<note>[^)]+)\))?"
)

_NAMES_LONGEST_FIRST: Final = sorted(CHUNK_NAMES.values(), key=len, reverse=True)


class Rung(NamedTuple):
    """One packet of a ladder."""

    time: float
    """Seconds since the beginning."""
    sender: str
    source: str
    chunks: tuple[str, ...]
    """Their names; ``no chunk`` if there is none, ``ICMP`` and the errno for an ICMP error."""
    receiver: str
    """The host it reached, or ``lost``."""
    destination: str
    note: str
    """Why it was lost, or ``copy``, or nothing."""
    packet: Packet

    @property
    def details(self) -> list[str]:
        """Each chunk as ``sctpx.wire.describe`` has it."""
        if self.packet.icmp:
            return list(self.chunks)
        header, _, chunks = self.packet.description.partition("bytes: ")
        return (chunks or header).split("; ")

    def detail(self, index: int) -> str:
        """One chunk in the same words; empty where the line was cut short."""
        return (self.details[index : index + 1] or [""])[0]

    def draw(self, addresses: bool, details: bool) -> str:
        """The line."""
        chunks = "; ".join(self.details) if details else ", ".join(self.chunks)
        if addresses:
            note = f" ({self.note})" if self.note else ""
            return (
                f"{self.time:.6f} {self.sender} {self.source} -> {chunks} -> {self.receiver} {self.destination}{note}"
            )
        note = " (copy)" if self.packet.copy else ""
        return f"{self.sender} -> {chunks} -> {self.receiver}{note}"


def climb(
    packets: Iterable[Packet], name_of: Callable[[bytes, int], str], start: int, *, ignore: Iterable[str] = ()
) -> list[Rung]:
    """The rungs of a ladder. Packets whose chunks are all among ``ignore`` are left out.

    ``name_of`` gives the name of the host with a packed address and a UDP port, ``start`` is when time began, in
    nanoseconds.
    """
    ignored = frozenset(ignore)
    rungs = []
    for packet in packets:
        chunks = tuple(packet.chunks) or ("no chunk",)
        if packet.icmp:
            chunks = (f"ICMP {errno.errorcode.get(packet.icmp, packet.icmp)}",)
        if ignored.issuperset(chunks):
            continue
        reached = packet.fate in _REACHED
        rungs.append(
            Rung(
                (packet.sent - start) / SECOND,
                name_of(packet.source, packet.source_port),
                packet.source_text,
                chunks,
                name_of(packet.destination, packet.destination_port) if reached else "lost",
                packet.destination_text,
                ("copy" if packet.copy else "") if reached else packet.fate,
                packet,
            )
        )
    return rungs


def draw_ladder(rungs: Iterable[Rung], *, addresses: bool = False, details: bool = False) -> str:
    """The ladder as text: with ``addresses`` also with times, with ``details`` all of each chunk."""
    return "\n".join(rung.draw(addresses, details) for rung in rungs)


def check_ladder(rungs: Sequence[Rung], expected: str) -> None:
    """Compare a run with an expected ladder, written as the module says.

    Raises AssertionError, showing where they part, if the run is another one, and ValueError for a line
    that is none.
    """
    lines = [line for line in (text.partition("#")[0].strip() for text in expected.splitlines()) if line]
    # How many rungs the lines so far may have taken: several numbers after a "...".
    taken = {0}
    for line in lines:
        if line == _ANY_PACKETS:
            taken = set(range(min(taken), len(rungs) + 1))
            continue
        wanted = _LINE.fullmatch(line)
        if wanted is None:
            raise ValueError(f"not a line of a ladder: {line!r}")
        following = {count + 1 for count in taken if count < len(rungs) and _fits(rungs[count], wanted)}
        if not following:
            raise AssertionError(_parting(rungs, min(taken), line))
        taken = following
    if len(rungs) not in taken:
        raise AssertionError(_parting(rungs, max(taken), "the end"))


def _fits(rung: Rung, wanted: re.Match[str]) -> bool:
    if wanted["sender"] != rung.sender or wanted["receiver"] != rung.receiver:
        return False
    if (wanted["source"] or rung.source) != rung.source:
        return False
    if (wanted["destination"] or rung.destination) != rung.destination:
        return False
    if (wanted["note"] or rung.note) != rung.note:
        return False
    if wanted["time"]:
        decimals = len(wanted["time"].partition(".")[2])
        if f"{rung.time:.{decimals}f}" != f"{float(wanted['time']):.{decimals}f}":
            return False
    return _chunks_fit([item.strip() for item in re.split("[,;]", wanted["chunks"])], rung)


def _chunks_fit(items: list[str], rung: Rung) -> bool:
    taken = {0}
    for item in items:
        if item == _ANY_CHUNKS:
            taken = set(range(min(taken), len(rung.chunks) + 1))
        else:
            taken = {count + 1 for count in taken if count < len(rung.chunks) and _chunk_fits(item, rung, count)}
        if not taken:
            return False
    return len(rung.chunks) in taken


def _chunk_fits(item: str, rung: Rung, index: int) -> bool:
    if item == rung.chunks[index]:
        return True
    name = next((name for name in _NAMES_LONGEST_FIRST if item.startswith(f"{name} ")), "")
    return name == rung.chunks[index] and f"{item[len(name) :]} " in f"{rung.detail(index)} "


def _parting(rungs: Sequence[Rung], place: int, line: str) -> str:
    drawn = [f"  {rung.draw(addresses=True, details=False)}" for rung in rungs]
    drawn.insert(place, f"> expected from here: {line}")
    return "\n".join(["the run is another ladder:", *drawn])
