"""Files of the system as text, where a file that is not there or cannot be read is an empty one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def text_of(path: Path) -> str:
    """What a file has."""
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""
