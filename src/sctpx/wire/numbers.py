"""Numbers in network byte order, read one byte after the other: in the compiled build a fraction of what ``Struct``
takes. For headers of which there are few; runs of packets are unpacked at once (``runs``).
"""

from __future__ import annotations


def u16(data: bytes, at: int) -> int:
    """The 16-bit number at ``at``, which has to be there."""
    return data[at] << 8 | data[at + 1]


def u32(data: bytes, at: int) -> int:
    """The 32-bit number at ``at``, which has to be there."""
    return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]
