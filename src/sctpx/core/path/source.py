"""Which of our addresses to use towards one of the peer's."""

from __future__ import annotations


def choose_source(locals_: list[bytes], remote: bytes, used: list[bytes]) -> bytes:
    """The local address of the remote's family with the longest common prefix; ``b""`` if there is none.

    With one address per network, as a multi-homed host has it, that is the one on the remote's network. Among
    equals, one that the association's other paths (``used``) need least, lest one failure cut them all.
    """
    best = b""
    best_bits = -1
    for local in locals_:
        if len(local) == len(remote):
            bits = len(local) * 8 - (int.from_bytes(local, "big") ^ int.from_bytes(remote, "big")).bit_length()
            if bits > best_bits or (bits == best_bits and used.count(local) < used.count(best)):
                best = local
                best_bits = bits
    return best
