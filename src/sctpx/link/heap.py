"""Keeping freed memory at hand, for a process that takes and frees batches of 64 KiB thousands of times a second.

glibc gives the end of the heap back to the system as soon as 128 KiB of it are free (mallopt(3), M_TRIM_THRESHOLD),
and has it back a moment later, page by page: a third of the CPU time of a bulk transfer. The threshold adapts: when a
mapped block is freed it becomes twice the size of that block. So one is freed here. Other allocators do not care.
"""

from __future__ import annotations

from functools import cache
from typing import Final

BLOCK: Final = 1 << 20
"""Bytes; up to twice as much stays with the process."""


@cache
def keep_freed_memory() -> None:
    """Have this process keep what it frees, up to 2 MiB. Once is enough."""
    bytes(BLOCK)  # Mapped, as large as it is, and freed at once. Its pages are never touched.
