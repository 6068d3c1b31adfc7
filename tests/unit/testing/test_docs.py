"""Every example of docs/testing.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", (Path(__file__).parents[3] / "docs" / "testing.md").read_text(), re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(1, len(EXAMPLES) + 1))
def test_an_example_of_the_page_runs(example: str) -> None:
    names: dict[str, object] = {"__name__": "example"}
    exec(example, names)
    for name, function in names.items():
        marks = getattr(function, "pytestmark", [])
        if name.startswith("test_") and callable(function) and marks:
            for value in marks[0].args[1]:
                function(value)
