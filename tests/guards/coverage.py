"""``docs/rfc9260-coverage.md``: what RFC 9260 demands, where that is done, and what tests it.

    python -m tests.guards.coverage --write

Requirements come from their table (``requirements``), what else is about a section from citations. A test cites a
section by its name (``test_5_2_1_...``), by that of its file (``test_rfc9260_6_2_1_sack.py``), or by words in its text,
as "section 6.2.1" or "RFC 9260 6.2.1"; words at the head of a file count for the whole file. "RFC 6951 section 5.4" is
a citation of another RFC, and so is every section in a file whose head begins with another RFC.
Modules cite in the same way.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.guards.house import PACKAGE, ROOT
from tests.guards.requirements import Requirement, Section, of, requirements, sections

DOCUMENT: Final = ROOT / "docs" / "rfc9260-coverage.md"
HEAD: Final = """# RFC 9260, requirement by requirement

Written by `python -m tests.guards.coverage --write` from `tests/guards/rfc9260_requirements.toml` and from what cites a
section; tests hold that all of it is current, and that nothing is left out.

Each sentence of RFC 9260 that demands something is a row of a table, with the word that it does so by: MUST (or SHALL),
MUST NOT, SHOULD (or RECOMMENDED), SHOULD NOT. The number of a row is its section and its place among such sentences of
the section. *who* is the one that has to do it. *what* says the demand in other words; where they differ, the RFC is
right. *where* names the modules of `src/sctpx` and what in them does it. *tests* are files under `tests` and the tests
in them that fail if it is not so. The last column says where sctpx departs from the demand, or why it demands nothing
of sctpx; `ARCHITECTURE.md` has the reasons for departures.

Below the number of a section stand the modules and the test files that cite it, the files with the number of their
tests that do; "all" says that the head of the file does. These are the tests to look at first when something changes.
"""
_NUMBER: Final = r"\d+(?:\.\d+)*"
_LIST: Final = rf"{_NUMBER}(?:(?:,? (?:and|or|to) |, ){_NUMBER}\b)*"
_CITED: Final = re.compile(rf"(?:RFC (?P<rfc>\d+),? )?(?:(?P<word>[Ss]ections? )|(?<=\d ))(?P<list>{_LIST})")
_ALONE: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w.]*\w)")
"""A number with two points or more is hardly anything but a section."""
_NAMED: Final = re.compile(r"^test_(\d+(?:_\d+)*)_")
_FILE: Final = re.compile(r"^test_rfc9260_(\d+(?:_\d+)*)_")
_KNOWN: Final = frozenset(section.number for section in sections())


def cited(text: str, foreign: bool = False) -> set[str]:
    """The sections of RFC 9260 that a text cites; ``foreign``: what names no RFC means another one."""
    found: set[str] = set()
    joined = " ".join(text.replace("#", " ").split())
    rest = joined
    for match in _CITED.finditer(joined):
        rfc = match["rfc"]
        if rfc is None and match["word"] is None:
            continue  # A number behind a number.
        if rfc == "9260" or (rfc is None and not foreign):
            numbers = re.findall(_NUMBER, match["list"])
            found.update(numbers if match["word"] in ("sections ", "Sections ") else numbers[:1])
        rest = rest.replace(match[0], "")
    if not foreign:
        found.update(_ALONE.findall(rest))
    return found & _KNOWN


def _is_foreign(head: str) -> bool:
    """Whether a file is about another RFC."""
    first = re.search(r"RFC (\d+)", head)
    return first is not None and first[1] != "9260"


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module, and the methods of its classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body)


@cache
def tests() -> dict[str, dict[str, int]]:
    """By section, how many tests of each file cite it; 0 where the head of the file does."""
    found: dict[str, dict[str, int]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "guards" in path.parts:
            continue
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        head = ast.get_docstring(tree) or ""
        foreign = _is_foreign(head) or (path.stem.startswith("test_rfc") and not path.stem.startswith("test_rfc9260"))
        named = _FILE.match(path.stem)
        whole = cited(head, foreign) | ({named[1].replace("_", ".")} & _KNOWN if named else set())
        counts: Counter[str] = Counter()
        lines = source.splitlines()
        for node in _functions(tree.body):
            if node.name.startswith("test"):
                begin = min([node.lineno, *[decorator.lineno for decorator in node.decorator_list]])
                text = "\n".join(lines[begin - 1 : node.end_lineno])
                said = _NAMED.match(node.name)
                own = {said[1].replace("_", ".")} & _KNOWN if said and not foreign else set()
                counts.update(cited(text, foreign) | own)
        for section in whole | set(counts):
            found.setdefault(section, {})[path.relative_to(ROOT / "tests").as_posix()] = (
                0 if section in whole else counts[section]
            )
    return found


@cache
def modules() -> dict[str, list[str]]:
    """By section, the modules that cite it."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        head = ast.get_docstring(ast.parse(source)) or ""
        for section in cited(source, _is_foreign(head)):
            found.setdefault(section, []).append(path.relative_to(PACKAGE).as_posix())
    return found


@cache
def choices() -> dict[str, str]:
    """What ``ARCHITECTURE.md`` says of choices and departures, and why."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Where the text leaves a choice")[2]
    rows = [line.strip("| ").split(" | ") for line in text.partition("\n## ")[0].splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 3}


@cache
def departures() -> dict[str, list[str]]:
    """By section, the choices and departures that are about it."""
    found: dict[str, list[str]] = {}
    for what, why in choices().items():
        for section in cited(why):
            found.setdefault(section, []).append(what)
    return found


def uncited() -> list[str]:
    """Sections that demand something of us, and that no test cites."""
    ours = {one.section for one in requirements() if not one.not_applicable}
    return [section.number for section in sections() if section.number in ours and section.number not in tests()]


def _overview() -> list[str]:
    """How many requirements there are, and what became of them."""
    rows = requirements()
    departed = sum(1 for one in rows if one.departures)
    alien = sum(1 for one in rows if one.not_applicable)
    named = {test for one in rows for test in one.tests}
    met = len(rows) - departed - alien
    return [
        f"There are {len(rows)} requirements in {len(sections())} sections. {met} are met as they stand, {departed}",
        f"with a departure, and {alien} demand nothing of sctpx. {len(named)} tests hold them.",
    ]


def _tested(one: Requirement) -> str:
    """The tests of a requirement, by their files."""
    by_file: dict[str, list[str]] = {}
    for test in one.tests:
        module, _, name = test.partition("::")
        by_file.setdefault(module, []).append(f"`{name}`")
    return "; ".join(f"`{module}`: {', '.join(names)}" for module, names in by_file.items())


def _row(one: Requirement) -> str:
    if one.not_applicable:
        said = f"demands nothing of sctpx: {one.not_applicable}"
    else:
        said = "; ".join([*(f"departs: {departure}" for departure in one.departures), *filter(None, [one.note])])
    places = ", ".join(f"`{place.replace('.py:', ':')}`" for place in one.where)
    return f"| {one.id} | {', '.join(one.words)} | {one.who} | {one.what} | {places} | {_tested(one)} | {said} |"


def _section(section: Section) -> list[str]:
    """A section of the page."""
    lines = ["", f"## {section.number} {section.about}", ""]
    cited_by = [f"`{path}`" for path in modules().get(section.number, [])]
    files = tests().get(section.number, {})
    cited_by += [f"`{path}` ({count or 'all'})" for path, count in files.items()]
    if cited_by:
        lines += [f"Cited by {', '.join(cited_by)}.", ""]
    lines += ["| number | word | who | what | where | tests | departure, note |", f"|{' --- |' * 7}"]
    return lines + [_row(one) for one in of(section.number)]


def document() -> str:
    """The whole page."""
    lines = [HEAD, *_overview()]
    for section in sections():
        lines += _section(section)
    lines += ["", "## Choices and departures", "", "| section | what |", "| --- | --- |"]
    lines += [f"| {one.number} | {what} |" for one in sections() for what in departures().get(one.number, [])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__" and "--write" in sys.argv:
    Path(DOCUMENT).write_text(document(), encoding="utf-8")
