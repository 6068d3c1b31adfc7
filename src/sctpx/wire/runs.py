"""Runs of packets: one behind the other and of one size, as segmentation offload takes and delivers them.

What a bulk transfer consists of is written and read here many at a time: packets of one DATA or I-DATA chunk in the
middle of a message, and packets of one SACK. These are a header of sixteen bytes, two numbers in which next to nothing
changes from one packet to the next, in I-DATA a third number that counts up, and user data. Compiled, a loop makes and
compares the numbers and touches the user data once; interpreted, calls that take many (``struct``, ``map``) do the same
steps for all packets of the run, one by one.

Where ``seed`` is ``NO_CHECKSUM``, packets are written without a checksum, and those without one are read (RFC 9653).

Hot: the bulk rows of ``make bench`` earn it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import eq
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from .checksum import crc32c, crc_pair, crc_word, read_checksum
from .codes import COMMON_HEADER, DATA_HEADER, I_DATA_HEADER, SACK_HEADER
from .compiled import COMPILED
from .sack import PLAIN_SACK, encode
from .serial import TSN_MASK

if TYPE_CHECKING:
    from mypy_extensions import i64

if COMPILED:
    from librt.strings import BytesWriter, read_i32_be, read_i64_be, write_i32_be, write_i32_le, write_i64_be

WORTHWHILE: Final = 1 if COMPILED else 4
"""Packets from which on a run is worth its preparations."""
MOST: Final = 64
"""Packets that one call reads at most: more than that could be read in vain, over and over, if few of them count."""
SACK_PACKET: Final = COMMON_HEADER + SACK_HEADER


@lru_cache(maxsize=512)
def _layout(order: str, unit: str, count: int) -> Struct:
    """So many of ``unit`` (in ``struct``'s letters), one behind the other. The same few come again and again."""
    return Struct(order + unit * count)


def _signed(word: int) -> int:
    """64 bits as compiled code has them."""
    return word - (word >> 63 << 64)


def _agreeing(found: Iterable[object], expected: Iterable[object]) -> int:
    """How many of the first are equal."""
    return [*map(eq, found, expected), False].index(False)


def _pairs(first: Sequence[int], rest: Sequence[int]) -> tuple[bytes, ...]:
    """Headers of sixteen bytes from their two numbers."""
    words = [0] * (2 * len(first))
    words[::2] = first
    words[1::2] = rest
    return _layout("<", "16s", len(first)).unpack(_layout(">", "QQ", len(first)).pack(*words))


def _headers(first: int, rest: int, fragment: int, count: int) -> tuple[bytes, ...]:
    """The headers of ``count`` chunks of a run."""
    if fragment < 0:
        return _pairs(range(first, first + count), [rest] * count)
    words = [rest] * (3 * count)
    words[::3] = range(first, first + count)
    words[2::3] = range(fragment, fragment + count)
    return _layout("<", "20s", count).unpack(_layout(">", "QQI", count).pack(*words))


def cut(
    data: bytes,
    offset: int,
    length: int,
    count: int,
    prefix: bytes,
    seed: int,
    first: int,
    rest: int,
    fragment: int = -1,
) -> list[bytes]:
    """``count`` packets of one chunk each with the next ``length`` bytes of ``data``: in pieces, to be joined.

    The header of the first chunk is the numbers ``first`` and ``rest``, and ``fragment`` of four bytes unless that is
    below 0; ``first`` and ``fragment`` grow by one from each to the next.
    """
    pieces: list[bytes] = []
    if COMPILED:
        crc = crc32c
        word: i64 = first
        tail: i64 = _signed(rest)
        number: i64 = fragment
        for _ in range(count):
            piece = data[offset : offset + length]
            checksum = 0
            if seed >= 0:
                state = crc_pair(word, tail, seed)
                if number >= 0:
                    state = crc_word(number, state)
                checksum = crc(piece, state)
            writer = BytesWriter()
            writer.write(prefix)
            write_i32_le(writer, checksum - ((checksum & 0x80000000) << 1))
            write_i64_be(writer, word)
            write_i64_be(writer, tail)
            if number >= 0:
                write_i32_be(writer, int(number - ((number & 0x80000000) << 1)))
                number += 1
            pieces.append(writer.getvalue())
            pieces.append(piece)
            offset += length
            word += 1
        return pieces
    parts = _layout("<", f"{length}s", count).unpack_from(data, offset)
    headers = _headers(first, rest, fragment, count)
    size = DATA_HEADER if fragment < 0 else I_DATA_HEADER
    fields: list[Any] = [prefix] * (3 * count)
    fields[1::3] = map(crc32c, parts, map(crc32c, headers, repeat(seed))) if seed >= 0 else [0] * count
    fields[2::3] = headers
    pieces += [b""] * (2 * count)
    pieces[::2] = _layout("<", f"{size + 12}s", count).unpack(_layout("<", f"8sI{size}s", count).pack(*fields))
    pieces[1::2] = parts
    return pieces


def collect(
    data: bytes,
    offset: int,
    length: int,
    most: int,
    prefix: bytes,
    seed: int,
    first: int,
    rest: int,
    fragment: int = -1,
) -> Sequence[bytes]:
    """What ``cut`` has cut: ``length`` bytes of each packet from ``offset`` on, as long as all is as expected.

    ``data`` has ``most`` packets; no more than ``MOST`` are read. Nothing if they are too few to be worth it.
    """
    found: list[bytes] = []
    most = min(most, MOST)
    size = DATA_HEADER if fragment < 0 else I_DATA_HEADER
    if COMPILED:
        crc = crc32c
        start = read_i64_be(prefix, 0)
        word: i64 = first
        tail: i64 = _signed(rest)
        number: i64 = fragment
        for _ in range(most):
            body = offset + COMMON_HEADER
            if (
                read_i64_be(data, offset) != start
                or read_i64_be(data, body) != word
                or read_i64_be(data, body + 8) != tail
            ):
                break
            if number >= 0 and read_i32_be(data, body + DATA_HEADER) != number - ((number & 0x80000000) << 1):
                break
            piece = data[body + size : body + size + length]
            checksum = 0
            if seed >= 0:
                state = crc_pair(word, tail, seed)
                if number >= 0:
                    state = crc_word(number, state)
                checksum = crc(piece, state)
            if checksum != read_checksum(data, offset):
                break
            if number >= 0:
                number += 1
            found.append(piece)
            offset = body + size + length
            word += 1
        return found
    if most < WORTHWHILE:
        return found
    # The first few tell whether it is worth looking at more of them.
    headers = _layout("<", f"12x{size}s{length}x", WORTHWHILE).unpack_from(data, offset)
    if headers != _headers(first, rest, fragment, WORTHWHILE):
        return found
    headers = _layout("<", f"12x{size}s{length}x", most).unpack_from(data, offset)
    most = _agreeing(headers, _headers(first, rest, fragment, most))
    fields: tuple[Any, ...] = _layout("<", f"8sI{size}s{length}s", most).unpack_from(data, offset)
    sums = map(crc32c, fields[3::4], map(crc32c, fields[2::4], repeat(seed))) if seed >= 0 else repeat(0)
    most = min(_agreeing(fields[::4], repeat(prefix)), _agreeing(sums, fields[1::4]))
    return fields[3 : 4 * most : 4]


def encode_sacks(cumulative_tsn_ack: int, step: int, a_rwnd: int, fall: int, count: int) -> Sequence[bytes]:
    """SACK chunks without blocks and duplicates: each acknowledges ``step`` TSNs more, with ``fall`` bytes less room.

    The TSNs do not wrap meanwhile.
    """
    if COMPILED:
        return [encode(cumulative_tsn_ack + step * n, a_rwnd - fall * n, [], []) for n in range(count)]
    first = PLAIN_SACK << 32 | cumulative_tsn_ack & TSN_MASK
    windows = range(a_rwnd << 32, (a_rwnd - fall * count) << 32, -fall << 32)
    return _pairs(range(first, first + step * count, step), windows)


def seal(prefix: bytes, seed: int, chunks: list[bytes]) -> bytes:
    """Packets of one chunk each, one behind the other. All chunks are of one size."""
    size = len(chunks[0])
    if COMPILED:
        writer = BytesWriter()
        for chunk in chunks:
            checksum = 0
            if seed < 0:
                pass
            elif size == SACK_HEADER:
                checksum = int(crc_pair(read_i64_be(chunk, 0), read_i64_be(chunk, 8), seed))
            else:
                checksum = crc32c(chunk, seed)
            writer.write(prefix)
            write_i32_le(writer, checksum - ((checksum & 0x80000000) << 1))
            writer.write(chunk)
        return writer.getvalue()
    fields: list[Any] = [prefix] * (3 * len(chunks))
    fields[1::3] = map(crc32c, chunks, repeat(seed)) if seed >= 0 else [0] * len(chunks)
    fields[2::3] = chunks
    return _layout("<", f"8sI{size}s", len(chunks)).pack(*fields)


def read_sacks(data: bytes, offset: int, prefix: bytes, seed: int) -> tuple[list[int], list[int]]:
    """The Cumulative TSN Acks and windows of the packets from ``offset`` on that are one plain SACK each, and right.

    No more than ``MOST`` packets are read.
    """
    cumulatives: list[int] = []
    windows: list[int] = []
    count = min((len(data) - offset) // SACK_PACKET, MOST)
    if COMPILED:
        start = read_i64_be(prefix, 0)
        for _ in range(count):
            head = read_i64_be(data, offset + COMMON_HEADER)
            rest = read_i64_be(data, offset + COMMON_HEADER + 8)
            if (
                head >> 32 != PLAIN_SACK
                or rest & 0xFFFFFFFF
                or read_i64_be(data, offset) != start
                or (crc_pair(head, rest, seed) if seed >= 0 else 0) != read_checksum(data, offset)
            ):
                break
            cumulatives.append(head & TSN_MASK)
            windows.append(rest >> 32 & 0xFFFFFFFF)
            offset += SACK_PACKET
        return cumulatives, windows
    fields: tuple[Any, ...] = _layout("<", "8sI16s", count).unpack_from(data, offset)
    words = _layout(">", "12x4I", count).unpack_from(data, offset)
    right = min(
        _agreeing(fields[::3], repeat(prefix)),
        _agreeing(map(crc32c, fields[2::3], repeat(seed)) if seed >= 0 else repeat(0), fields[1::3]),
        _agreeing(words[::4], repeat(PLAIN_SACK)),
        _agreeing(words[3::4], repeat(0)),
    )
    cumulatives += words[1 : 4 * right : 4]
    windows += words[2 : 4 * right : 4]
    return cumulatives, windows
