"""What every file of the project keeps to."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

import pytest

from tests.guards.house import PACKAGE, ROOT, modules, texts

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


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_names_only_what_belongs_to_the_project(path: Path) -> None:
    text = path.read_text()
    assert not NOTES_TO_SELF.search(text)
    assert not PRIVATE_PLACES.search(text)
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)}
    assert not [word for word in words if hashlib.sha256(word.encode()).hexdigest()[:16] in UNNAMED]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_packages_come_by_their_names_and_no_file_names_a_registry(path: Path) -> None:
    assert not REGISTRY_HOSTS.search(path.read_text())


def test_a_source_file_is_read_in_one_sitting() -> None:
    """``pytest -rP tests/guards`` shows the longest ones."""
    sizes = sorted(((len((PACKAGE / module).read_text().splitlines()), module) for module in modules()), reverse=True)
    print(*(f"{lines:5} {module}" for lines, module in sizes[:10]), sep="\n")  # noqa: T201
    assert [f"{module}: {lines} lines" for lines, module in sizes if lines > WALL] == []


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_source_file_opens_with_its_theory_of_operation(module: Path) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / module).read_text()))
