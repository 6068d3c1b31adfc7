"""Whatever a peer sends, in whatever state: a packet costs so much for each of its bytes, and for what it brings about.

The peer knows all tags. It acknowledges what it likes, in any order, takes back what it acknowledged, leaves holes,
repeats itself, sends a thousand chunks in a packet, or packets of one chunk by the hundred. Steps are counted, not time
(``tests.sim.steps``), so that the bound is exact, and far below what is outstanding meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

import pytest

from sctpx.core.association.state import CLOSED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED
from sctpx.core.capabilities import ECN
from sctpx.core.ext.table import furnish
from sctpx.core.tx.reliability import RETRANSMISSIONS
from sctpx.testing import seeded_random
from sctpx.wire import control, reconfig
from sctpx.wire.codes import (
    CHUNK_DATA,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_INIT,
    CHUNK_PAD,
    CHUNK_RE_CONFIG,
    CHUNK_SACK,
    COMMON_HEADER,
    DATA_BEGIN,
    DATA_END,
    DATA_UNORDERED,
)
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.sack import FIXED
from sctpx.wire.setup import Setup
from sctpx.wire.tlv import chunk, item, join
from tests.conformance.peer import PEER_TAG, PORT, Peer
from tests.sim.steps import only_interpreted, steps_of
from tests.sweeps import some

pytestmark = only_interpreted

PER_PACKET: Final = 900
"""Steps that a packet may take, and those of what is sent in return."""
PER_BYTE: Final = 18
PER_CHANGE: Final = 110
"""For each TSN that was newly acknowledged, taken back, marked, sent or sent again, and each message delivered."""
PER_CHANGE_LATER: Final = 16
"""More for each of these, by the packets that come later: a queue lets go of what does not count any more."""
PER_BLOCK: Final = 12
"""For each Gap Ack Block of the SACK before."""


class Attack:
    """An association with much under way, and a count of what its peer's packets cost."""

    def __init__(
        self, paths: int = 1, chunks: int = 4000, interleaving: bool = False, loss_recovery: str = "rack"
    ) -> None:
        self.peer = Peer(
            loss_recovery=loss_recovery,
            paths=paths,
            max_burst=1 << 16,
            send_buffer=1 << 30,
            a_rwnd=1 << 30,
            sack_delay=0.5,
            interleaving=interleaving,
            extensions=[CHUNK_I_DATA] if interleaving else [],
        )
        self.worst = 0.0
        """The largest share of what is allowed that a packet took."""
        self.owed = chunks * PER_CHANGE_LATER
        self.cumulative = self.peer.grow(chunks * 32)
        self.peer.send(*[10] * chunks)
        self.peer.take()
        self.top = self.peer.last_tsn
        assert self.top - self.cumulative == chunks

    @property
    def done(self) -> int:
        """What has happened to TSNs and messages so far: it only grows when something is brought about."""
        tcb = self.peer.association.tcb
        stats = tcb.stats
        outstanding = tcb.outstanding
        held = sum(end - start for start, end in outstanding.gaps)
        newly = outstanding.cumulative_tsn_ack_point + held + stats.tsns_taken_back
        sent = outstanding.next_tsn + stats.chunks_retransmitted
        return newly + stats.tsns_taken_back + sent + stats.fast_retransmits + stats.messages_received

    def check(self, call: Callable[[], None], size: int, packets: int = 1) -> None:
        """Packets of so many bytes arrive: compare what that costs with what it may cost."""
        outstanding = self.peer.association.tcb.outstanding
        blocks = len(outstanding.gaps)
        marked = outstanding.marked_chunks
        done = self.done
        steps = steps_of(call)
        changes = self.done - done + max(outstanding.marked_chunks - marked, 0)
        allowed = packets * PER_PACKET + size * PER_BYTE + changes * PER_CHANGE + blocks * PER_BLOCK
        self.owed += changes * PER_CHANGE_LATER - max(steps - allowed, 0)
        assert self.owed >= 0, f"{steps} steps for {size} bytes, {changes} changes, {blocks} blocks before"
        self.worst = max(self.worst, steps / allowed)

    def deliver(self, *said: bytes, path: int = 1) -> None:
        """One packet."""
        self.check(lambda: self.peer.deliver(*said, path=path), COMMON_HEADER + sum(len(one) for one in said))

    def deliver_together(self, *said: bytes) -> None:
        """Packets of one chunk each and of one size, in one go."""
        size = sum(COMMON_HEADER + len(one) for one in said)
        self.check(lambda: self.peer.deliver_together(*said), size, len(said))


either_way = pytest.mark.parametrize("loss_recovery", ["rack", "rfc9260"])

# --- one by one ---


@either_way
def test_the_lowest_tsn_taken_back_begins_no_walk_over_what_is_lost_already(loss_recovery: str) -> None:
    """Each round brings three miss indications for all that is below the highest TSN."""
    attack = Attack(loss_recovery=loss_recovery)
    low, top, peer = attack.cumulative + 2, attack.top, attack.peer
    for _ in range(100):
        attack.deliver(peer.sack_chunk(low - 2, (low, low), (top, top)))
        for last in (top, top - 1, top, top - 1, top):
            attack.deliver(peer.sack_chunk(low - 2, (last, last)))


@either_way
def test_a_whole_window_acknowledged_and_taken_back_in_turn(loss_recovery: str) -> None:
    """As often as it was sent; after that a peer is not believed."""
    attack = Attack(loss_recovery=loss_recovery)
    low, top, peer = attack.cumulative + 2, attack.top, attack.peer
    for _ in range(50):
        attack.deliver(peer.sack_chunk(low - 2, (low, top)))
        attack.deliver(peer.sack_chunk(low - 2))
    assert peer.association.stats.tsns_taken_back <= 4 * attack.top


@either_way
def test_a_window_that_closes_and_opens_with_each_sack(loss_recovery: str) -> None:
    """Each time it opens, what the peer may have dropped goes again."""
    attack = Attack(loss_recovery=loss_recovery)
    low, peer = attack.cumulative, attack.peer
    for _ in range(50):
        attack.deliver(peer.sack_chunk(low, a_rwnd=0))
        attack.deliver(peer.sack_chunk(low, a_rwnd=1 << 30))
    assert peer.association.stats.chunks_retransmitted


def test_shutdown_upon_shutdown_over_many_gaps() -> None:
    attack = Attack()
    low, top, peer = attack.cumulative + 2, attack.top, attack.peer
    attack.deliver(peer.sack_chunk(low - 2, *[(tsn, tsn) for tsn in range(low, top, 2)]))
    attack.deliver(peer.shutdown_chunk(low - 2))
    assert peer.association.state == SHUTDOWN_RECEIVED
    attack.deliver(*[peer.shutdown_chunk(low - 2)] * 300)
    for tsn in range(low - 1, low + 20):
        attack.deliver(*[peer.shutdown_chunk(tsn)] * 10)


def test_sacks_of_which_few_count_in_one_go() -> None:
    attack = Attack()
    low, peer = attack.cumulative, attack.peer
    attack.deliver_together(*[peer.sack_chunk(low)] * 1000)
    attack.deliver_together(*[peer.sack_chunk(low + number // 2) for number in range(1000)])
    attack.deliver_together(*[peer.sack_chunk(low + 500 - number % 2) for number in range(1000)])


def test_fragments_of_which_few_are_in_sequence_in_one_go() -> None:
    for every in (2, 3, 5, 7):
        attack = Attack(chunks=100)
        peer = attack.peer
        peer.deliver(peer.data(1, flags=2))
        said = [peer.data(2 + number + (number % every == 0), flags=0, ssn=0) for number in range(500)]
        attack.deliver_together(*said)


def test_holes_without_number() -> None:
    attack = Attack(chunks=100)
    for tsn in range(2, 20_000, 2):
        attack.peer.deliver(attack.peer.data(tsn, 1))
    for tsn in (20_000, 19_999, 1000, 999, 5, 3, 2, 1):
        attack.deliver(attack.peer.data(tsn, 1))


def test_the_fragments_of_a_message_from_the_end() -> None:
    attack = Attack(chunks=100)
    count = 5000
    for tsn in range(count, 1, -1):
        said = attack.peer.data(tsn, 1, flags=1 if tsn == count else 0, ssn=0)
        if tsn % 100:
            attack.peer.deliver(said)
        else:
            attack.deliver(said)
    assert attack.peer.association.readable == 0


def test_the_fragments_of_an_interleaved_message_from_the_end() -> None:
    attack = Attack(chunks=100, interleaving=True)
    count = 5000
    for number in range(1, count):
        fsn = count - number
        said = attack.peer.i_data(number, 1, flags=1 if number == 1 else 0, mid=0, last=fsn)
        if number % 100 and fsn > 1:
            attack.peer.deliver(said)
        else:
            attack.deliver(said)
    assert attack.peer.association.readable == 0


def test_unfinished_messages_without_number_end_one_by_one() -> None:
    """All of one stream, and so large together that parts are handed over: no two messages may mix."""
    attack = Attack(chunks=100, interleaving=True)
    peer = attack.peer
    count = 3000
    for number in range(count):
        peer.deliver(peer.i_data(number + 1, 300, flags=6, mid=number))
    peer.take()
    for number in range(count):
        said = peer.i_data(count + number + 1, 300, flags=5, mid=count - 1 - number, last=1)
        if number % 50:
            peer.deliver(said)
        else:
            attack.deliver(said)
        peer.read()
    assert peer.association.stats.messages_received >= count


@pytest.mark.parametrize(
    "said",
    [
        control.heartbeat(b""),
        chunk(4, 0, b""),
        control.heartbeat_ack(b""),
        control.heartbeat_ack(b"\0\1\0\x10" + bytes(12)),
        chunk(9, 0, b""),
        control.error([(99, b"")]),
        chunk(0xC0, 0, b""),
        chunk(0x80, 0, b""),
        control.cookie_ack(),
        control.shutdown_complete(),
        chunk(CHUNK_SACK, 0, b""),
        chunk(CHUNK_PAD, 0, b""),
    ],
    ids=lambda said: f"type {said[0]}, {len(said)} bytes",
)
def test_the_same_small_chunk_a_thousand_times_in_a_packet(said: bytes) -> None:
    attack = Attack(paths=3, chunks=100)
    attack.deliver(*[said] * 1000)


@pytest.mark.parametrize("away", [-(1 << 20), -1, 0, 50, 1 << 20])
@pytest.mark.parametrize("say", [control.ecne, control.cwr])
def test_a_thousand_ecnes_or_cwrs_in_a_packet(say: Callable[[int], bytes], away: int) -> None:
    attack = Attack(paths=3, chunks=100)
    tcb = attack.peer.association.tcb
    tcb.capabilities |= ECN
    furnish(tcb)
    before = tcb.paths[0].cwnd
    attack.deliver(*[say(attack.cumulative + away)] * 1000)
    attack.deliver(*[say(attack.cumulative + away + number) for number in range(1000)])
    assert tcb.paths[0].cwnd >= before // 2
    assert len(attack.peer.take()) <= 2


SOME_ADDRESSES: Final = [bytes([11, number >> 8 & 255, number & 255, 1]) for number in range(4000)]
FIXED_OF_INIT: Final = Setup(1, 1 << 16, 10, 10, 1).encode()[4:]
STRANGE: Final[dict[str, tuple[int, bytes]]] = {
    "an INIT with many addresses": (0, chunk(CHUNK_INIT, 0, FIXED_OF_INIT + join([(5, ip) for ip in SOME_ADDRESSES]))),
    "an INIT with one address again and again": (0, chunk(CHUNK_INIT, 0, FIXED_OF_INIT + item(5, bytes(4)) * 4000)),
    "an INIT with many unknown parameters": (0, chunk(CHUNK_INIT, 0, FIXED_OF_INIT + item(0xC123, b"") * 8000)),
    "a forged cookie": (7, control.cookie_echo(bytes(60_000))),
    "many chunks out of the blue": (7, chunk(CHUNK_DATA, 0, b"") * 8000),
    "many ERRORs out of the blue": (7, chunk(9, 0, b"") * 8000),
    "many reflected ABORTs": (PEER_TAG, chunk(6, 1, b"") * 8000),
    "an ABORT with many causes": (PEER_TAG, chunk(6, 1, item(99, b"") * 8000)),
    "many reflected SHUTDOWN COMPLETEs": (PEER_TAG, control.shutdown_complete(True) * 8000),
}


@pytest.mark.parametrize("source", [b"\n\0\1\2", b"\n\x09\0\1"], ids=["from the peer's address", "from elsewhere"])
@pytest.mark.parametrize("name", STRANGE)
def test_a_packet_of_a_stranger(name: str, source: bytes) -> None:
    attack = Attack(chunks=100)
    attack.peer.stack.endpoints[PORT].listen()
    tag, said = STRANGE[name]
    packet = finish_packet(prefix(PORT, PORT, tag), said)
    stack, now = attack.peer.stack, attack.peer.now
    attack.check(lambda: stack.receive(now, b"\n\0\1\1", source, 9899, packet, len(packet)), len(packet))


# --- any of them in any order ---


def any_sack(random: Random, attack: Attack) -> bytes:
    """A SACK that says anything of what is outstanding."""
    peer = attack.peer
    low = peer.association.tcb.outstanding.cumulative_tsn_ack_point - peer.association.tcb.initial_tsn + 1
    top = peer.last_tsn
    cumulative = low + random.choice([0, 0, 0, 0, 1, 2, 10, -1])
    cumulative = min(cumulative, top)
    step = random.choice([2, 2, 3, 10, 100])
    some = [(tsn, tsn) for tsn in range(low + 2, top, step)][: random.choice([3, 30, 360, 5000])]
    blocks: list[tuple[int, int]] = random.choice(
        [
            [],
            [(low + 2, top)],
            [(low + 2, low + 2), (low + 4, top)],
            [(low + 4, top)],
            [(top, top)],
            some,
            [(tsn, tsn + step // 2) for tsn in range(low + 2, top - step, step)][-360:],
            [(tsn, tsn) for tsn in random.choices(range(low, top + 1), k=30)],
        ]
    )
    blocks = [(first, last) for first, last in blocks if cumulative < first <= last <= top]
    if random.random() < 0.1:
        random.shuffle(blocks)
    words = b"".join((first - cumulative << 16 | last - cumulative).to_bytes(4, "big") for first, last in blocks)
    duplicates = random.choice([0, 0, 0, 5, 400])
    wire = (peer.tsn - 1 + cumulative) & 0xFFFFFFFF
    a_rwnd = random.choice([1 << 30, 1 << 30, 1 << 20, 1500, 0])
    fixed = FIXED.pack(wire, a_rwnd, len(blocks), duplicates)
    return chunk(CHUNK_SACK, 0, fixed + words + wire.to_bytes(4, "big") * duplicates)


def any_data(random: Random, attack: Attack) -> bytes:
    """A DATA chunk near what was received: new or not, whole or a fragment."""
    peer = attack.peer
    tsn = peer.association.cumulative_tsn - peer.peer_tsn + 1
    tsn += random.choice([1, 1, 1, 0, 2, 3, random.randrange(-3, 10), random.randrange(60_000)])
    return peer.data(tsn, random.choice([1, 2, 50, 1000]), flags=7)


def any_other(random: Random, attack: Attack) -> bytes:
    """A chunk of another kind."""
    low = attack.peer.association.tcb.outstanding.cumulative_tsn_ack_point - attack.peer.association.tcb.initial_tsn + 1
    return random.choice(
        [
            control.heartbeat(random.randbytes(random.choice([0, 8, 40]))),
            control.heartbeat_ack(b"\0\1\0\x10" + random.randbytes(12)),
            control.error([(random.randrange(20), random.randbytes(random.randrange(9)))]),
            attack.peer.shutdown_chunk(low + random.choice([0, 0, 0, 1, -1])),
            control.cookie_ack(),
            chunk(random.choice([0x80, 0xC0, 0xC1, 0xFF]), 0, random.randbytes(random.randrange(9))),
        ]
    )


def any_run(random: Random, attack: Attack) -> list[bytes]:
    """Chunks of one size, to be a packet each."""
    peer = attack.peer
    low = peer.association.tcb.outstanding.cumulative_tsn_ack_point - peer.association.tcb.initial_tsn + 1
    tsn = peer.association.cumulative_tsn - peer.peer_tsn + 2
    jump = random.choice([2, 3, 7, 1000])
    kind = random.randrange(3)
    if kind == 0:
        return [peer.sack_chunk(min(low + number // jump, peer.last_tsn)) for number in range(200)]
    return [peer.data(tsn + number + (kind == 1 and number % jump == 1), 100, flags=7) for number in range(100)]


def any_setup(random: Random, attack: Attack) -> bytes:
    """An INIT from the peer's address, with addresses that are its own or not."""
    setup = Setup(random.randrange(1, 1 << 32), 1 << 16, 10, 10, random.randrange(1 << 32))
    setup.addresses = [bytes([10, 0, random.randrange(4), 2]) for _ in range(random.choice([0, 1, 200]))]
    return setup.encode()


def attack_once(random: Random, attack: Attack) -> None:
    """The peer does something, or the user, or time passes."""
    peer = attack.peer
    path = random.randrange(len(peer.association.paths)) + 1
    choice = random.random()
    if choice < 0.45:
        attack.deliver(any_sack(random, attack), path=path)
    elif choice < 0.55:
        attack.deliver(*[any_sack(random, attack) for _ in range(5)], path=path)
    elif choice < 0.70:
        attack.deliver(*[any_data(random, attack) for _ in range(random.choice([1, 1, 20]))], path=path)
    elif choice < 0.80:
        attack.deliver(*[any_other(random, attack) for _ in range(random.choice([1, 3, 200]))], path=path)
    elif choice < 0.85:
        attack.deliver_together(*any_run(random, attack))
    elif choice < 0.88:
        peer.stack.receive(peer.now, b"\n\0\1\1", b"\n\0\1\2", 9899, b"", 1)
        packet = peer.packet(any_setup(random, attack))
        attack.check(lambda: peer.deliver_bytes(packet[:4] + bytes(4) + packet[8:]), len(packet))
    elif choice < 0.91:
        peer.read(random.choice([0, 1]))
    elif choice < 0.94:
        peer.advance(random.choice([0.001, 0.2, 3.0]))
    elif peer.association.state not in (SHUTDOWN_PENDING, SHUTDOWN_RECEIVED, CLOSED):
        peer.send(*[10] * random.choice([1, 50]))
    peer.take()


@pytest.mark.parametrize("paths", [1, 3])
@pytest.mark.parametrize("seed", some([0, 1, 5, 6], [2, 3, 4, 7]))
def test_any_packets_in_any_order(seed: int, paths: int) -> None:
    random = seeded_random("bounded work", seed, paths)
    attack = Attack(paths, 3000, loss_recovery="rack" if seed < 4 else "rfc9260")
    if seed % 3 == 1:
        attack.peer.shutdown()
    elif seed % 3 == 2:
        attack.peer.deliver(attack.peer.shutdown_chunk(attack.cumulative))
    for _ in range(150):
        attack_once(random, attack)
        if attack.peer.association.ended:
            break
    assert attack.worst > 0.2


# --- what is given up ---


def holding(messages: int, **config: Any) -> Peer:
    """A peer that has sent so many messages ahead of their turn, on stream 0."""
    peer = Peer(forwards=True, receive_buffer=1 << 24, sack_delay=0.5, **config)
    for number in range(messages):
        peer.deliver(peer.data(2 * number + 1000, 100, ssn=number + 1000))
    return peer


def test_a_forward_tsn_walks_over_nothing_that_stays() -> None:
    peer = holding(1000)
    for number in range(70):
        said = peer.forward_tsn(number + 1, (0, number), *[(stream, number) for stream in range(1, 300)])
        assert steps_of(partial(peer.deliver, said)) < PER_PACKET + len(said) * PER_BYTE
    assert not peer.association.readable


@pytest.mark.parametrize("ahead", [5000, 1_000_000, 2**31 - 1])
def test_a_forward_tsn_over_millions_costs_what_it_changes(ahead: int) -> None:
    peer = holding(500)
    said = peer.forward_tsn(ahead, (0, 60_000 & 0x7FFF))
    steps = steps_of(lambda: peer.deliver(said))
    assert peer.association.readable == 500
    assert steps < PER_PACKET + len(said) * PER_BYTE + 500 * PER_CHANGE


def test_many_forward_tsns_in_a_packet_are_one() -> None:
    peer = holding(1000)
    said = b"".join([peer.forward_tsn(number) for number in range(1, 180)])
    assert steps_of(lambda: peer.deliver(said)) < PER_PACKET + len(said) * PER_BYTE
    assert peer.association.stats.forward_tsns_received == 1


def holding_interleaved(messages: int, streams: int = 1, unordered: bool = False) -> Peer:
    """An association that holds messages which wait for their turns, or unordered ones for their ends."""
    extensions = [CHUNK_I_DATA, CHUNK_I_FORWARD_TSN, CHUNK_RE_CONFIG]
    peer = Peer(extensions=extensions, interleaving=True, allow_stream_reset=True, streams=streams + 10)
    flags = DATA_UNORDERED | DATA_BEGIN if unordered else DATA_BEGIN | DATA_END
    for number in range(messages):
        mid = 1000 + number // streams
        peer.deliver(peer.i_data(number + 1, 100, flags=flags, stream=number % streams, mid=mid))
    peer.take()
    return peer


@pytest.mark.parametrize("unordered", [False, True])
def test_an_i_forward_tsn_walks_over_nothing_that_stays(unordered: bool) -> None:
    messages = 1000
    peer = holding_interleaved(messages, unordered=unordered)
    for number in range(70):
        others = [(stream % 10, 5, stream % 2 == 0) for stream in range(1, 300)]
        said = peer.i_forward_tsn(messages + number + 1, (0, number, unordered), *others)
        assert steps_of(partial(peer.deliver, said)) < PER_PACKET + len(said) * PER_BYTE, number
    assert not peer.association.readable


@pytest.mark.parametrize("unordered", [False, True])
def test_an_i_forward_tsn_costs_what_it_changes(unordered: bool) -> None:
    peer = holding_interleaved(1000, streams=10, unordered=unordered)
    for stream in range(1, 10):
        said = peer.i_forward_tsn(1000 + stream, (stream, 2000, unordered))
        steps = steps_of(partial(peer.deliver, said))
        assert steps < PER_PACKET + len(said) * PER_BYTE + 100 * PER_CHANGE
    assert peer.association.tcb.reassembly.apart == 100


@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize("streams", [1, 500])
def test_a_stream_reset_walks_over_nothing_that_stays(streams: int, unordered: bool) -> None:
    """What the reset does not concern may be very much: one stream is reset, or all that have ordered messages."""
    peer = holding_interleaved(1000, streams=streams, unordered=unordered)
    for number in range(100):
        chosen = [] if unordered else [streams]
        last_tsn = (peer.peer_tsn + 999) & 0xFFFFFFFF
        request = (peer.peer_tsn + number) & 0xFFFFFFFF
        said = reconfig.encode([reconfig.outgoing_reset(request, 0, last_tsn, chosen)])
        assert steps_of(partial(peer.deliver, said)) < PER_PACKET + len(said) * PER_BYTE, number
    assert peer.association.stats.reconfigurations == 100
    assert peer.association.tcb.reassembly.apart == 1000


def test_sacks_over_what_was_abandoned_cost_what_they_acknowledge() -> None:
    peer = Peer(forwards=True, max_burst=1 << 16, send_buffer=1 << 30, a_rwnd=1 << 30)
    first = peer.grow(4000 * 32)
    for _ in range(4000):
        peer.association.send(peer.now, bytes(10), policy=RETRANSMISSIONS)
    peer.send(10)
    assert peer.last_tsn == first + 4001
    peer.advance(1.1)
    assert peer.association.stats.messages_abandoned_sent == 4000
    for number in range(300):
        low = first + number
        steps = steps_of(partial(peer.sack, low, (low + 2, low + 3)))
        assert steps < PER_PACKET + 2 * PER_BLOCK + 4 * PER_CHANGE, number
