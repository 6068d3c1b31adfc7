"""What RFC 9260 demands, requirement by requirement: ``rfc9260_requirements.toml``, and what is wrong with it.

    python -m tests.guards.requirements PATH

reads the text of the RFC, which the project does not carry, and tells where the table differs from it: a sentence that
demands something and has no row, a row without a sentence, other words, other counts. The tests need no text: they
compare the rows of each section with its counts.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.guards.house import PACKAGE, ROOT

TABLE: Final = Path(__file__).with_name("rfc9260_requirements.toml")
WORDS: Final = {
    "MUST": 0,
    "SHALL": 0,
    "REQUIRED": 0,
    "MUST NOT": 1,
    "SHALL NOT": 1,
    "SHOULD": 2,
    "RECOMMENDED": 2,
    "SHOULD NOT": 3,
    "NOT RECOMMENDED": 3,
}
"""The words that demand, and which of the four counts of a section each belongs to."""
_WORD: Final = re.compile(rf"\b({'|'.join(sorted(WORDS, key=len, reverse=True))})\b")
_HEADING: Final = re.compile(r"(\d+(?:\.\d+)*)\.\s+\S|Appendix [A-Z]\.")
_LEFT_OUT: Final = re.compile(r"mark\.slow|skipif\(not COMPILED")
_SENTENCE: Final = re.compile(r"(?<=[.:;])\s+(?=[A-Z(*])")


@dataclass(frozen=True)
class Section:
    """A section that demands something."""

    number: str
    about: str
    counts: list[int]
    """MUST, MUST NOT, SHOULD, SHOULD NOT."""


@dataclass(frozen=True)
class Requirement:
    """A sentence that demands something; the head of the table says what the fields are."""

    id: str
    words: list[str]
    who: str
    what: str
    where: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    departures: list[str] = field(default_factory=list)
    note: str = ""
    not_applicable: str = ""

    @property
    def section(self) -> str:
        """The section that it stands in."""
        return self.id.rpartition("-")[0]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def sections() -> list[Section]:
    """In the order of the RFC."""
    return [Section(**row) for row in _table()["section"]]


@cache
def requirements() -> list[Requirement]:
    """In the order of the RFC."""
    return [Requirement(**row) for row in _table()["requirement"]]


def of(section: str) -> list[Requirement]:
    """Those of one section."""
    return [one for one in requirements() if one.section == section]


def counts(words: Iterator[str]) -> list[int]:
    """How often each of the four words is among these, the words that mean the same with it."""
    found = Counter(WORDS[word] for word in words)
    return [found[place] for place in range(4)]


# --- what is wrong with it ---


def miscounted() -> list[str]:
    """Sections that have other words in their rows than they should have, or rows that are not numbered from 1 on."""
    wrong = []
    for section in sections():
        rows = of(section.number)
        found = counts(word for row in rows for word in row.words)
        if found != section.counts:
            wrong.append(f"{section.number}: {found}, not {section.counts}")
        if [row.id for row in rows] != [f"{section.number}-{number}" for number in range(1, len(rows) + 1)]:
            wrong.append(f"{section.number}: {[row.id for row in rows]}")
    known = {section.number for section in sections()}
    return wrong + [f"{row.id}: no section" for row in requirements() if row.section not in known]


def unfounded(departures: set[str]) -> list[str]:
    """Requirements of which nothing tells that they are met, and those that say two things at once.

    ``departures`` are the rows of ``ARCHITECTURE.md``.
    """
    wrong = []
    for row in requirements():
        if row.not_applicable:
            if row.where or row.tests or row.departures:
                wrong.append(f"{row.id}: not applicable, and done")
        elif not row.where or not row.tests:
            wrong.append(f"{row.id}: nothing does it, or no test would fail")
        unknown = [one for one in row.departures if one not in departures]
        wrong += [f"{row.id}: no such row in ARCHITECTURE.md: {one}" for one in unknown]
    return wrong


def lost_places() -> list[str]:
    """What is named as doing something, and is not there."""
    lost = []
    for row in requirements():
        for place in row.where:
            module, _, name = place.partition(":")
            path = PACKAGE / module
            if not path.is_file() or (name and name not in _names(path)):
                lost.append(f"{row.id}: {place}")
    return lost


def lost_tests() -> list[str]:
    """Tests that are named, and that ``make test`` would not run."""
    lost = []
    for row in requirements():
        for test in row.tests:
            module, _, name = test.partition("::")
            if name not in tests_of(module):
                lost.append(f"{row.id}: {test}")
    return lost


@cache
def _names(path: Path) -> set[str]:
    """Functions, classes, methods and constants of a module."""
    found = set[str]()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
            found.update(f"{node.name}.{method.name}" for method in methods)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


@cache
def tests_of(module: str) -> set[str]:
    """The tests of a file below ``tests``, without those that are marked as slow, or are for compiled modules alone."""
    path = ROOT / "tests" / module
    if not path.is_file() or not path.name.startswith("test_"):
        return set()
    found = set[str]()
    marks = ""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            own = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
            if not _LEFT_OUT.search(own):
                found.add(node.name)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            marks = ast.unparse(node.value)
    return set() if _LEFT_OUT.search(marks) else found


# --- the text ---


def sentences(text: str) -> Iterator[tuple[str, list[str], str]]:
    """Of each sentence that demands something: the id of its requirement, the words, and the sentence."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if re.fullmatch(r"1\.\s+Introduction", line))
    section = ""
    body: dict[str, list[str]] = {}
    for line in lines[begin:]:
        heading = _HEADING.match(line)
        if heading:
            section = heading[1] or heading[0]
            body[section] = []
        else:
            body[section].append(line)
    for section, own in body.items():
        number = 0
        for paragraph in re.split(r"\n\s*\n", "\n".join(own)):
            for sentence in _SENTENCE.split(" ".join(paragraph.split())):
                words = _WORD.findall(sentence)
                if words:
                    number += 1
                    yield f"{section}-{number}", words, sentence


def differences(text: str) -> list[str]:
    """Where the table is not what the text says."""
    rows = {row.id: row.words for row in requirements()}
    found = []
    said: dict[str, list[str]] = {}
    for id_, words, sentence in sentences(text):
        said.setdefault(id_.rpartition("-")[0], []).extend(words)
        if rows.pop(id_, None) != words:
            found.append(f"{id_} {words}: {sentence}")
    found += [f"{id_}: no such sentence" for id_ in rows]
    told = {section.number: section.counts for section in sections()}
    found += [f"{section}: {words}" for section, words in said.items() if told.get(section) != counts(iter(words))]
    return found


if __name__ == "__main__":
    for difference in differences(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print(difference)  # noqa: T201
    print(f"{len(requirements())} requirements in {len(sections())} sections")  # noqa: T201
