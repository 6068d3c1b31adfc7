"""Whatever a peer sends, in whatever state: nothing breaks, nothing runs in circles, and the answers stay bounded.

The peer knows the right tags and sends any chunks, well-formed or not, in any order, from any of its addresses. An
illegal transition would raise, a timer that goes off for ever would stop the simulation.
"""

from __future__ import annotations

from random import Random

import pytest

from sctpx.core.association.state import CLOSED, STATE_NAMES
from sctpx.testing import seeded_random
from sctpx.wire import control
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.tlv import chunk
from tests.conformance.test_rfc9260_8_5_verification_tag import STATES
from tests.sim.scripted import PORT, Scripted


def any_chunk(random: Random, lab: Scripted, cookies: list[bytes]) -> bytes:
    """A chunk that could be meant for this association."""
    near = random.choice([-2, -1, 0, 1, 2, 1000])
    made = random.choice(
        [
            lambda: lab.data(tsn=lab.p_tsn + near, stream=random.choice([0, 1, 9, 10]), flags=random.randrange(16)),
            lambda: lab.data(),
            lambda: lab.init(initiate_tag=random.choice([lab.p_tag, random.randrange(1 << 32)])),
            lambda: lab.init(addresses=list(random.sample(lab.p.packed, 2))),
            lambda: lab.init_ack(addresses=list(random.sample(lab.p.packed, 1))),
            lambda: lab.sack(random.choice([0, 0, 1, 2]), random.choice([0, 1500, 1 << 17])),
            lambda: control.heartbeat(random.randbytes(random.randrange(40))),
            lambda: control.heartbeat_ack(random.randbytes(random.randrange(40))),
            lambda: control.shutdown(lab.a_tsn + random.choice([-1, -1, -1, 0, 1])),
            lambda: control.shutdown_ack(),
            lambda: control.cookie_ack(),
            lambda: control.cookie_echo(random.choice(cookies) if cookies else b"?"),
            lambda: control.error([(random.randrange(1, 15), random.randbytes(random.randrange(12)))]),
            lambda: chunk(random.randrange(256), random.randrange(256), random.randbytes(random.randrange(30))),
        ]
    )()
    if random.random() < 0.05:
        made = made[: random.randrange(len(made))]
    return made


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("state", STATES, ids=lambda state: STATE_NAMES[state])
def test_any_chunks_in_any_state(state: int, seed: int) -> None:
    random = seeded_random("any packets", state, seed)
    with Scripted(paths=3) as lab:
        lab.endpoint.listen()
        association = STATES[state](lab)
        tags = {lab.a_tag}
        cookies: list[bytes] = []
        for _ in range(150):
            if lab.heard and lab.heard[-1].chunks == ["INIT ACK"]:
                cookies.append(lab.setup("INIT ACK").cookie)
            tags.add(lab.a_tag)
            said = [any_chunk(random, lab, cookies) for _ in range(random.choice([1, 1, 1, 2, 4]))]
            alone = said[0][:1] == b"\x01" and random.random() < 0.8
            tag = 0 if alone else random.choice([*tags, lab.a_tag, lab.a_tag, lab.p_tag])
            before, size = len(lab.heard), 12 + sum(map(len, said))
            lab.say(*(said[:1] if alone else said), tag=tag, source=random.choice(lab.p.addresses))
            lab.network.run_for(random.choice([0.0, 0.01, 0.02, 0.3]))
            assert len(lab.heard) - before <= 12 + size // 20
            association.read()
            if association.state == CLOSED and random.random() < 0.5:
                break
        lab.network.run_for(2000)
        for other in list(lab.endpoint.associations.values()):
            other.abort(lab.a.now)
        lab.network.run_for(1)
        assert lab.endpoint.associations == {}


@pytest.mark.parametrize("seed", range(20))
def test_any_change_to_any_packet_of_a_run(seed: int) -> None:
    """Bytes flip, with the checksum put right: a peer with bugs, not a bad line."""
    from sctpx.core.events import CannotStart, CommunicationLost, ShutdownComplete
    from sctpx.testing import Packet, Pair

    random = seeded_random("changes", seed)

    def damage(packet: Packet) -> bool:
        if random.random() < 0.1 and len(packet.data) > 12:
            body = bytearray(packet.data[12:])
            for _ in range(random.choice([1, 1, 2, 8])):
                body[random.randrange(min(len(body), 40))] = random.randrange(256)
            packet.data = finish_packet(packet.data[:8], bytes(body))
        return True

    with Pair(seed, paths=2) as pair:
        pair.network.filters.append(damage)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(5)
        for number in range(50):
            for side in (pair.a, pair.b):
                if side.endpoint.associations and side.association.state == 3:
                    side.association.send(side.host.now, bytes([number]) * 700)
            pair.network.run_for(0.05)
        for side in (pair.a, pair.b):
            if side.endpoint.associations:
                side.association.shutdown(side.host.now)
        pair.network.run_for(3000)
        ends = pair.a.events_of(CannotStart) + pair.a.events_of(CommunicationLost) + pair.a.events_of(ShutdownComplete)
        assert len(ends) == 1
        assert pair.a.host.stack.next_timeout() is None


@pytest.mark.parametrize("seed", range(5))
def test_any_bytes_are_a_counted_drop(seed: int) -> None:
    random = seeded_random("bytes", seed)
    with Scripted() as lab:
        association = lab.up_outgoing()
        stats = lab.a.stack.stats
        seen = stats.packets_received
        for _ in range(500):
            data = random.randbytes(random.randrange(60))
            if random.random() < 0.5:
                data = prefix(PORT, PORT, lab.a_tag) + data
            if random.random() < 0.5:
                data = finish_packet(data[:8].ljust(8, b"\0"), data[12:])
            segment = random.randrange(1, 80)
            lab.a.stack.receive(lab.a.now, lab.a.packed[0], lab.p.packed[0], 9899, data, segment)
            seen += 1 if data else 0
        lab.network.run_for(1)
        assert stats.packets_received >= seen
        assert association.ended or not any(chunks(packet.data) == [] for packet in lab.heard)
