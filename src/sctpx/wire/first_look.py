"""What a driver can tell of a packet without parsing it. The packet may hold anything."""

from __future__ import annotations

from typing import Final

from .codes import CHUNK_AUTH, CHUNK_DATA, CHUNK_I_DATA, CHUNK_SACK, COMMON_HEADER

_CHUNKS_BEFORE: Final = 2
"""An AUTH and a SACK chunk stand in front of user data at most, in packets of our own making."""


def is_user_data(packet: bytes) -> bool:
    """Whether it begins as packets with user data and their acknowledgements do."""
    return len(packet) > COMMON_HEADER and packet[COMMON_HEADER] in (CHUNK_DATA, CHUNK_SACK, CHUNK_I_DATA)


def carries_user_data(packet: bytes) -> bool:
    """Whether it has a DATA or I-DATA chunk, alone or behind its acknowledgement."""
    offset = COMMON_HEADER
    for _ in range(_CHUNKS_BEFORE + 1):
        if offset + 4 > len(packet):
            return False
        kind = packet[offset]
        if kind in (CHUNK_DATA, CHUNK_I_DATA):
            return True
        if kind not in (CHUNK_SACK, CHUNK_AUTH):
            return False
        offset += (max(packet[offset + 2] << 8 | packet[offset + 3], 4) + 3) & ~3
    return False
