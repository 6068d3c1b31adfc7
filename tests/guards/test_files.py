"""What every file of the project keeps to."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

import pytest

from tests.guards.house import PACKAGE, ROOT, modules, texts

pytestmark = pytest.mark.texts

WALL = 600
"""Lines of the longest source file. Most have less than half of it."""

NOTES_TO_SELF = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
PRIVATE_PLACES = re.compile(r"/work/|/tmp/team|/tmp/venv")
REGISTRY_HOSTS = re.compile(r"pypi\.org|pythonhosted|index-url")
# Words that have no place in the project, by the start of their SHA-256.
UNNAMED = {
    "3ea125d0bff386e6",
    "60965168ce762e94",
    "7d3194f79e645c42",
    "c70eca6b0f88f44d",
    "c857d09db23e6822",
}
FILES = [path for path in texts() if path != Path(__file__)]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def found(pattern: re.Pattern[str]) -> list[str]:
    """Where the files have what a pattern matches."""
    return [f"{relative(path)}: {match[0]}" for path in FILES for match in pattern.finditer(path.read_text())]


def test_no_file_has_a_note_to_self() -> None:
    assert found(NOTES_TO_SELF) == []


def test_no_file_names_a_place_of_one_machine() -> None:
    assert found(PRIVATE_PLACES) == []


def test_a_file_names_only_what_belongs_to_the_project() -> None:
    places: dict[str, Path] = {}
    for path in FILES:
        for word in re.findall(r"[A-Za-z]+", path.read_text()):
            places.setdefault(word.lower(), path)
    unnamed = {word for word in places if hashlib.sha256(word.encode()).hexdigest()[:16] in UNNAMED}
    assert [f"{relative(places[word])}: {word}" for word in unnamed] == []


def test_packages_come_by_their_names_and_no_file_names_a_registry() -> None:
    assert found(REGISTRY_HOSTS) == []


def test_a_source_file_is_read_in_one_sitting() -> None:
    """``pytest -rP tests/guards`` shows the longest ones."""
    sizes = sorted(((len((PACKAGE / module).read_text().splitlines()), module) for module in modules()), reverse=True)
    print(*(f"{lines:5} {module}" for lines, module in sizes[:10]), sep="\n")  # noqa: T201
    assert [f"{module}: {lines} lines" for lines, module in sizes if lines > WALL] == []


def test_every_source_file_opens_with_its_theory_of_operation() -> None:
    trees = {module: ast.parse((PACKAGE / module).read_text()) for module in modules()}
    assert [str(module) for module, tree in trees.items() if not ast.get_docstring(tree)] == []


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_of_a_page_leads_to_a_file_and_a_heading() -> None:
    lost = []
    for page in (path for path in FILES if path.suffix == ".md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            name, _, anchor = link.partition("#")
            target = (page.parent / name) if name else page
            if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
                lost.append(f"{relative(page)}: {link}")
    assert lost == []
