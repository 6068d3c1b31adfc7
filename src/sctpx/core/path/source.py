"""Which of our addresses to use towards one of the peer's."""

from __future__ import annotations


def choose_source(locals_: list[bytes], remote: bytes) -> bytes:
    """The local address of the remote's family with the longest common prefix; ``b""`` if there is none.

    With one address per network, as a multi-homed host has it, that is the one on the remote's network.
    """
    best = b""
    best_bits = -1
    for local in locals_:
        if len(local) == len(remote):
            bits = len(local) * 8 - (int.from_bytes(local, "big") ^ int.from_bytes(remote, "big")).bit_length()
            if bits > best_bits:
                best = local
                best_bits = bits
    return best
