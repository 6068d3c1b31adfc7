"""DATA chunks (RFC 9260 section 3.3.1).

    Type 0 | I U B E | Length | TSN | Stream Identifier | Stream Sequence Number | PPID | user data

On the data path there are no chunk objects: ``DATA`` packs and unpacks the 16-byte header in place.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

DATA: Final = Struct(">BBHIHHI")
"""type, flags, length, TSN, stream, SSN, PPID."""

PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""Padding for a length, by its two low bits."""
