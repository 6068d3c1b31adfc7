"""A host that lies: a real stack, whose packets are changed on their way out, with a checksum that is right.

What it says is near to what would be true, since a real stack stands behind it, and its tags and TSNs are right. Where
chunks have to be authenticated, what was changed has a wrong HMAC.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, final

from sctpx.testing import Packet
from sctpx.wire import asconf, control, forward, reconfig
from sctpx.wire.codes import (
    CHUNK_AUTH,
    CHUNK_DATA,
    CHUNK_I_DATA,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_PAD,
    CHUNK_SACK,
    PARAM_ADD_IP,
    PARAM_DELETE_IP,
    PARAM_SET_PRIMARY,
)
from sctpx.wire.packet import chunks, finish_packet
from sctpx.wire.sack import SACK
from sctpx.wire.tlv import chunk

Chunk = tuple[int, int, bytes]
SERIAL: Final = 0xFFFFFFFF


@final
class Liar:
    """A filter for the packets of one host."""

    def __init__(self, random: Random) -> None:
        self.rate = 0.0
        """How many of its packets are changed."""
        self.told = 0
        self._random = random
        self._tsn = 0
        """A TSN that it has used."""
        self._ack = 0
        """A TSN that it has acknowledged."""

    def alter(self, packet: Packet) -> bool:
        """A filter: change a packet, or drop it."""
        random = self._random
        if packet.icmp or random.random() >= self.rate:
            return True
        said = chunks(packet.data)
        if not said or (said[0][0] in (CHUNK_INIT, CHUNK_INIT_ACK) and random.random() < 0.8):
            return True
        self._learn(said)
        self.told += 1
        body = b"".join(chunk(*one) for one in self._lie(said))
        if random.random() < 0.03 and len(body) > 4:
            body = body[: random.randrange(4, len(body))]
        packet.data = finish_packet(packet.data[:8], body)
        return True

    def _learn(self, said: list[Chunk]) -> None:
        for kind, _, value in said:
            if kind in (CHUNK_DATA, CHUNK_I_DATA) and len(value) >= 4:
                self._tsn = int.from_bytes(value[:4], "big")
            elif kind == CHUNK_SACK and len(value) >= 4:
                self._ack = int.from_bytes(value[:4], "big")

    def _lie(self, said: list[Chunk]) -> list[Chunk]:
        """Other chunks in place of some."""
        random = self._random
        told = [self._changed(one) if random.random() < 0.5 else one for one in said]
        if random.random() < 0.6:
            told.insert(random.randrange(len(told) + 1), self._made())
        if random.random() < 0.2:
            told.append(random.choice(told))
        return told

    def _changed(self, one: Chunk) -> Chunk:
        kind, flags, value = one
        random = self._random
        if kind == CHUNK_SACK and len(value) >= 12:
            return self._sack()
        if kind in (CHUNK_DATA, CHUNK_I_DATA) and len(value) > 12:
            tsn = (self._tsn + random.choice((-1, 0, 0, 1, 2, 1000, 1 << 31))) & SERIAL
            stream = random.choice((value[4:6], value[4:6], random.randbytes(2)))
            number = random.choice((value[6:12], value[6:12], random.randbytes(6)))
            flags = random.choice((flags, flags, random.randrange(16)))
            return kind, flags, tsn.to_bytes(4, "big") + stream + number + value[12:]
        if not value or random.random() < 0.5:
            return kind, random.randrange(256), value
        at = random.randrange(len(value))
        return kind, flags, value[:at] + random.randbytes(1) + value[at + 1 :]

    def _sack(self) -> Chunk:
        """Of what was never sent, or less than before, with a window that shrinks."""
        random = self._random
        ack = (self._ack + random.choice((-3, -1, 0, 0, 0, 0, 1, 5, 1 << 20))) & SERIAL
        a_rwnd = random.choice((0, 0, 1, 1500, 1 << 17, 0xFFFFFFFF))
        starts = sorted(random.randrange(1, 200) for _ in range(random.choice((0, 0, 1, 3, 50))))
        ranges = [(ack + start, ack + start + random.randrange(1, 5)) for start in starts]
        words = b"".join((start - ack << 16 | end - 1 - ack).to_bytes(4, "big") for start, end in ranges)
        duplicates = random.randbytes(4 * random.choice((0, 0, 2, 20)))
        head = SACK.pack(CHUNK_SACK, 0, 0, ack, a_rwnd, len(ranges), len(duplicates) // 4)
        return CHUNK_SACK, 0, head[4:] + words + duplicates

    def _made(self) -> Chunk:
        random = self._random
        near = (self._tsn + random.choice((-5, -1, 0, 1, 5, 70_000, 1 << 31))) & SERIAL
        streams = [(random.randrange(50), random.getrandbits(16), random.random() < 0.5) for _ in range(3)]
        number = random.choice((near, random.getrandbits(32)))
        ip = random.choice((bytes(4), random.randbytes(4), bytes(16), random.randbytes(16)))
        kinds = (PARAM_ADD_IP, PARAM_DELETE_IP, PARAM_SET_PRIMARY)
        makers: list[Callable[[], bytes]] = [
            lambda: forward.encode(False, near, streams[: random.randrange(4)]),
            lambda: forward.encode(True, near, streams[: random.randrange(4)]),
            lambda: chunk(*self._sack()),
            lambda: control.shutdown((self._ack + random.choice((0, 0, 1, 1000))) & SERIAL),
            lambda: control.heartbeat(random.randbytes(random.randrange(200))),
            lambda: control.heartbeat_ack(random.randbytes(random.randrange(60))),
            lambda: control.error([(random.randrange(1, 15), random.randbytes(random.randrange(40)))]),
            lambda: control.cookie_echo(random.randbytes(random.choice((8, 104, 300)))),
            control.cookie_ack,
            lambda: control.ecne(near),
            lambda: control.cwr(near),
            lambda: reconfig.encode([reconfig.outgoing_reset(number, near, near, [random.randrange(9)])]),
            lambda: reconfig.encode([reconfig.incoming_reset(number, []), reconfig.tsn_reset(near)]),
            lambda: reconfig.encode([reconfig.add_outgoing(number, random.randrange(1 << 16))]),
            lambda: reconfig.encode([reconfig.response(number, random.randrange(8), (near, number))]),
            lambda: asconf.encode(number, ip, [asconf.request(random.choice(kinds), number, ip)]),
            lambda: asconf.encode_ack(number, []),
            lambda: chunk(CHUNK_AUTH, 0, random.randbytes(36)),
            lambda: chunk(CHUNK_PAD, 0, bytes(random.randrange(100))),
            lambda: chunk(random.randrange(256), random.randrange(256), random.randbytes(random.randrange(30))),
        ]
        made = random.choice(makers)()
        length = int.from_bytes(made[2:4], "big")
        return made[0], made[1], made[4:length]
