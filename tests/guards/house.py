"""Where the project's files are, for the guards."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "sctpx"

_GENERATED = {"build", "dist", "__pycache__", "htmlcov"}
_BINARY = {".pyc", ".so", ".pyd", ".png", ".gif", ".pcap", ".pcapng", ".gz", ".whl"}


def modules() -> list[Path]:
    """The package's source files, relative to it."""
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def texts(top: Path = ROOT) -> Iterator[Path]:
    """Every file of the project that people wrote: nothing generated, nothing binary, no repository data."""
    for entry in sorted(top.iterdir()):
        if entry.is_dir():
            hidden = entry.name.startswith(".") and entry.name != ".ci"
            if not hidden and entry.name not in _GENERATED and entry.suffix != ".egg-info":
                yield from texts(entry)
        elif entry.suffix not in _BINARY and entry.name != ".git":  # A file in a worktree of git.
            yield entry


@cache
def imports(module: Path) -> frozenset[str]:
    """The dotted names of the modules that a source file of the package imports, wherever in the file.

    ``from .x import y`` counts as ``sctpx.x`` and as ``sctpx.x.y``: which of them is a module is not asked here.
    """
    package = ("sctpx", *module.parts[:-1])
    found = set[str]()
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join((*base, *filter(None, [node.module])))
            found.add(name)
            found.update(f"{name}.{alias.name}" for alias in node.names)
    return frozenset(found)
