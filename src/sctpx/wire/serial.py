"""Serial numbers: RFC 1982 arithmetic for TSN (32 bits) and SSN (16 bits), as RFC 9260 section 1.6 uses it.

Inside the core a TSN never wraps: it is *extended* to a plain growing integer the moment it is read, by its
distance to a number that is known, and cut to 32 bits when it is written. Everything between compares with
``<`` and counts with ``-``.
"""

from __future__ import annotations

from typing import Final

TSN_MASK: Final = 0xFFFFFFFF
SSN_MASK: Final = 0xFFFF
MID_MASK: Final = 0xFFFFFFFF
FSN_MASK: Final = 0xFFFFFFFF
UNWRAPPED: Final = 1 << 32
"""Added to an Initial TSN, so that nothing that is extended near it comes to lie below 0."""


def extend_tsn(tsn: int, reference: int) -> int:
    """The extended TSN nearest to ``reference`` whose low 32 bits are ``tsn``."""
    distance = (tsn - reference) & TSN_MASK
    if distance >= 0x80000000:
        distance -= 0x100000000
    return reference + distance
