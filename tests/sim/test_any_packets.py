"""Whatever a peer sends, in whatever state: nothing breaks, nothing runs in circles, and the answers stay bounded.

The peer knows the right tags and sends any chunks, well-formed or not, in any order, from any of its addresses. An
illegal transition would raise, a timer that goes off for ever would stop the simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED, STATE_NAMES
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationLost, ShutdownComplete
from sctpx.testing import Packet, Pair, seeded_random
from sctpx.wire import control
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.tlv import chunk
from tests.sim.scripted import PORT, Scripted, return_by_icmp
from tests.sim.states import STATES, bring_to


def harmless_chunk(random: Random, lab: Scripted, cookies: list[bytes]) -> bytes:
    """A chunk that breaks no rule by itself, though it may come at the wrong time."""
    makers: list[Callable[[], bytes]] = [
        lab.data,
        lambda: lab.data(tsn=lab.p_tsn + random.choice([-2, -1, 0, 1, 2])),
        lab.init,
        lambda: lab.init(initiate_tag=random.randrange(1, 1 << 32), initial_tsn=random.randrange(1 << 32)),
        lambda: lab.init(addresses=random.sample(lab.p.packed, 2)),
        lambda: lab.init_ack(addresses=random.sample(lab.p.packed, random.choice([0, 1, 3]))),
        lambda: lab.sack(0, random.choice([0, 1500, 1 << 17])),
        lambda: control.heartbeat(random.randbytes(random.randrange(40))),
        lambda: control.heartbeat_ack(last_heartbeat(lab)),
        lambda: control.shutdown(lab.a_tsn - 1),
        control.shutdown_ack,
        control.cookie_ack,
        lambda: control.cookie_echo(random.choice(cookies) if cookies else b"?"),
        lambda: control.cookie_echo(random.choice(cookies) if cookies else b"?"),
        lambda: control.error([(3, bytes(4))]),
        lambda: control.shutdown_complete(random.choice([False, True])),
    ]
    return random.choice(makers)()


def last_heartbeat(lab: Scripted) -> bytes:
    """The value of the last HEARTBEAT that P heard, or some bytes."""
    return lab.chunk("HEARTBEAT") if any("HEARTBEAT" in packet.chunks for packet in lab.heard) else b"\0\1\0\5?"


def any_chunk(random: Random, lab: Scripted, cookies: list[bytes]) -> bytes:
    """A chunk that may break every rule."""
    makers: list[Callable[[], bytes]] = [
        lambda: harmless_chunk(random, lab, cookies),
        lambda: lab.data(stream=random.choice([0, 1, 9, 10]), flags=random.randrange(16)),
        lambda: lab.init(initiate_tag=random.randrange(2), a_rwnd=random.choice([0, 1499, 1 << 17])),
        lambda: lab.sack(random.choice([0, 1, 2])),
        lambda: control.heartbeat_ack(random.randbytes(random.randrange(40))),
        lambda: control.shutdown(lab.a_tsn + random.choice([-1, 0, 1])),
        lambda: control.error([(random.randrange(1, 15), random.randbytes(random.randrange(12)))]),
        lambda: chunk(random.randrange(256), random.randrange(256), random.randbytes(random.randrange(30))),
    ]
    made = random.choice(makers)()
    return made[: random.randrange(len(made))] if random.random() < 0.05 else made


def use(random: Random, lab: Scripted, association: Association) -> None:
    """The user of A does something."""
    address = random.choice(lab.p.packed)
    verb = random.choice(["send", "send to", "set primary", "heartbeat", "read", "read", "shutdown"])
    with suppress(OSError):  # Not every state allows everything.
        if verb == "send":
            association.send(lab.a.now, b"hello")
        elif verb == "send to":
            association.send(lab.a.now, b"hello", remote=address)
        elif verb == "set primary":
            association.set_primary(lab.a.now, address)
        elif verb == "heartbeat":
            association.request_heartbeat(lab.a.now, address)
        elif verb == "read":
            association.read()
        elif random.random() < 0.2:
            association.shutdown(lab.a.now)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("state", STATES, ids=lambda state: STATE_NAMES[state])
def test_any_chunks_in_any_state(state: int, seed: int) -> None:
    random = seeded_random("any packets", state, seed)
    make = any_chunk if seed % 4 == 0 else harmless_chunk
    with Scripted(paths=3, config=AssociationConfig(association_max_retrans=100)) as lab:
        lab.endpoint.listen()
        association = bring_to(lab, state)
        tags = {lab.a_tag}
        cookies: list[bytes] = []
        for _ in range(150):
            if lab.heard and lab.heard[-1].chunks == ["INIT ACK"]:
                cookies.append(lab.cookie())
            tags.add(lab.a_tag)
            said = [make(random, lab, cookies) for _ in range(random.choice([1, 1, 1, 2, 4]))]
            is_init = said[0][:1] == b"\x01" and random.random() < 0.8
            tag = 0 if is_init else random.choice([*tags, lab.a_tag, lab.a_tag, lab.p_tag])
            before = len(lab.heard)
            lab.say(*(said[:1] if is_init else said), tag=tag, source=random.choice(lab.p.addresses))
            if random.random() < 0.3:
                use(random, lab, association)
            if lab.heard and random.random() < 0.05:
                return_by_icmp(lab.network, random.choice(lab.heard[-5:]), random.choice([111, 113, 92]))
            lab.network.run_for(random.choice([0.0, 0.01, 0.02, 0.3, 2.0]))
            assert len(lab.heard) - before <= 20
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
