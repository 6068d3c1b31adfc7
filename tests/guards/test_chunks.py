"""The page about states and chunks is what the code says."""

from __future__ import annotations

import pytest

from tests.guards.chunks import DOCUMENT, document

pytestmark = pytest.mark.texts


def test_the_page_is_drawn_from_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run python -m tests.guards.chunks --write"
