"""The map, ARCHITECTURE.md, names every source file, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.guards.house import PACKAGE, ROOT, modules

pytestmark = pytest.mark.texts

MAP = (ROOT / "ARCHITECTURE.md").read_text()


def named_files() -> set[Path]:
    """Files and directories that the table under "Where is it?" names.

    A name is that of a file beside the one before it in its row, or one from the top of the package or the project.
    """
    found = set[Path]()
    table = MAP.partition("## Where is it?")[2].partition("\n## ")[0]
    for row in re.findall(r"^\|[^|]*\|(.*)\|$", table, re.MULTILINE):
        beside = Path()
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", row):
            place = next((top / name for top in (beside, Path()) if (PACKAGE / top / name).exists()), None)
            if place is None:
                assert (ROOT / name).exists(), f"{name} is not there"
            else:
                found.add(place)
                beside = place.parent if place.suffix else beside
    return found


def test_the_map_names_every_source_file_or_its_package() -> None:
    named = named_files()
    sources = [module for module in modules() if module.name != "__init__.py"]
    assert [str(module) for module in sources if named.isdisjoint([module, *module.parents])] == []
