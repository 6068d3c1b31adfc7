"""RFC 4960 appendix A and RFC 3168 section 6.1: congestion that the network marks."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.association import path_set
from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.outputs import CE, CLASS_SHIFT, ECT_0
from sctpx.core.path.newreno import NewReno
from sctpx.core.path.path import Path
from sctpx.core.stack import Stack
from sctpx.core.timers import SECOND
from sctpx.testing import LinkSettings, Packet, Pair, seeded_bytes
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_CWR, CHUNK_ECNE, PARAM_ECN_CAPABLE
from sctpx.wire.packet import chunks, finish_packet
from sctpx.wire.serial import TSN_MASK
from sctpx.wire.setup import parse
from sctpx.wire.tlv import ParseError, chunk

ECN = AssociationConfig(ecn=True, heartbeat_interval=0)


def make_pair(paths: int = 1, config: AssociationConfig = ECN, **settings: Any) -> Pair:
    """A pair that speaks ECN."""
    return Pair(5, paths=paths, link=LinkSettings(**settings), config=config).connect()


def sent_by(pair: Pair, name: str) -> list[Packet]:
    """The packets of one host, singly."""
    host = pair.network.hosts[name]
    return [one for packet in pair.network.packets() if packet.source in host.packed for one in packet.singles()]


def congest(pair: Pair, *numbers: int) -> None:
    """Mark these packets with DATA from now on, counted from 0, if they may be marked."""
    seen = 0

    def mark(packet: Packet) -> bool:
        nonlocal seen
        if "DATA" in packet.chunks:
            if seen in numbers and packet.ecn == ECT_0:
                packet.ecn = CE
            seen += 1
        return True

    pair.network.filters.append(mark)


def deliver(pair: Pair, *parts: bytes, path: int = 1, ecn: int = 0) -> None:
    """A packet of B arrives at A now."""
    tcb = pair.a.association.tcb
    packet = finish_packet(tcb.peer_prefix, b"".join(parts))
    at = tcb.paths[path - 1]
    pair.a.host.stack.receive(pair.network.clock.now, at.local, at.remote, at.encaps_port, packet, len(packet), ecn)


def take(pair: Pair) -> list[tuple[int, bytes]]:
    """The chunks that A sends now: type and value."""
    found: list[tuple[int, bytes]] = []
    while (transmit := pair.a.host.stack.poll_transmit(pair.network.clock.now)) is not None:
        for at in range(0, len(transmit.data), transmit.segment):
            found += [(kind, value) for kind, _, value in chunks(transmit.data[at : at + transmit.segment])]
    return found


def in_flight(pair: Pair, length: int = 100_000) -> tuple[Association, Path, int]:
    """A sends: the association, its path and the first TSN in flight. B does not hear of it."""
    association = pair.a.association
    first = association.tcb.outstanding.next_tsn
    association.send(pair.network.clock.now, bytes(length))
    take(pair)
    assert association.tcb.outstanding.next_tsn > first
    return association, association.tcb.paths[0], first


def acknowledge(pair: Pair, tsn: int) -> None:
    """B acknowledges all up to this TSN."""
    deliver(pair, chunk(3, 0, (tsn & TSN_MASK).to_bytes(4, "big") + (1 << 20).to_bytes(4, "big") + bytes(4)))


def test_ecn_is_agreed_where_both_offer_it() -> None:
    for a, b in ((True, True), (True, False), (False, True)):
        pair = Pair(5, config=AssociationConfig(ecn=a), b_config=AssociationConfig(ecn=b)).connect()
        init, init_ack = (parse(chunks(sent_by(pair, name)[0].data)[0][2], name == "B") for name in "AB")
        assert (PARAM_ECN_CAPABLE in init.flags) is a
        assert (PARAM_ECN_CAPABLE in init_ack.flags) is (a and b)
        pair.a.send(bytes(20_000))
        pair.b.send(bytes(20_000))
        pair.drain()
        assert any(packet.ecn for packet in pair.network.packets()) is (a and b)


def test_new_data_is_ect_and_nothing_else() -> None:
    with make_pair() as pair:
        pair.a.send(bytes(50_000))
        pair.b.send(b"small")
        pair.drain()
        pair.shutdown()
        for packet in pair.network.packets():
            assert packet.ecn == (ECT_0 if "DATA" in packet.chunks else 0), packet


def test_dscp_and_ecn_bits_stand_side_by_side() -> None:
    with make_pair(config=AssociationConfig(ecn=True, dscp=46)) as pair:
        pair.a.send(bytes(5000))
        pair.drain()
        assert {(packet.dscp, packet.ecn) for packet in sent_by(pair, "A") if "DATA" in packet.chunks} == {(46, ECT_0)}


def test_retransmitted_data_is_not_ect() -> None:
    """RFC 3168 section 6.1.5: "MUST NOT set either ECT codepoint"."""
    with make_pair(loss=0.05) as pair:
        pair.a.send(bytes(400_000))
        pair.drain()
        seen: set[bytes] = set()
        again = 0
        for packet in sent_by(pair, "A"):
            tsns = {value[:4] for kind, _, value in chunks(packet.data) if kind == 0}
            if tsns & seen:
                again += 1
                assert packet.ecn == 0
            seen |= tsns
        assert again > 3


def test_window_probes_are_not_ect() -> None:
    """RFC 3168 section 6.1.6."""
    config = AssociationConfig(ecn=True, receive_buffer=4096)
    with make_pair(config=config) as pair:
        pair.b.reading = False
        for _ in range(20):
            pair.a.send(bytes(1000))
        pair.network.run_for(2)
        before = len(sent_by(pair, "A"))
        pair.network.run_for(20)
        probes = [packet for packet in sent_by(pair, "A")[before:] if "DATA" in packet.chunks]
        assert probes
        assert all(packet.ecn == 0 for packet in probes)


def test_a_marked_packet_is_echoed_with_its_lowest_tsn_until_a_cwr_comes() -> None:
    with make_pair() as pair:
        congest(pair, 3)
        first = pair.a.association.tcb.outstanding.next_tsn
        pair.a.send(bytes(200_000))
        pair.drain()
        a, b = pair.a.association.stats, pair.b.association.stats
        assert b.ce_packets_received == 1
        echoes = [
            value for packet in sent_by(pair, "B") for kind, _, value in chunks(packet.data) if kind == CHUNK_ECNE
        ]
        answers = [
            value for packet in sent_by(pair, "A") for kind, _, value in chunks(packet.data) if kind == CHUNK_CWR
        ]
        assert set(echoes) == set(answers) == {((first + 3) & TSN_MASK).to_bytes(4, "big")}
        assert len(echoes) == b.ecnes_sent == a.ecnes_received
        assert b.cwrs_received == len(answers) == a.ecnes_received
        assert a.ecn_reductions == 1
        assert b.sacks_sent > 2 * b.ecnes_sent  # The CWR has ended it.
        assert a.chunks_retransmitted == 0


def test_marked_packets_are_not_reported_as_duplicates() -> None:
    with make_pair() as pair:
        congest(pair, 0, 1, 2)
        pair.a.send(bytes(5000))
        pair.drain()
        stats = pair.b.association.stats
        assert stats.ce_packets_received >= 1
        assert stats.duplicate_tsns == 0
        assert not [packet for packet in pair.network.packets() if " dups " in packet.description]


def test_an_ecne_goes_with_each_sack_while_cwrs_are_lost() -> None:
    with make_pair() as pair:
        congest(pair, 0)
        pair.network.filters.append(lambda packet: "CWR" not in packet.chunks or pair.network.elapsed > 1)
        for _ in range(20):
            pair.a.send(bytes(1000))
            pair.network.run_for(0.05)
        lost = pair.b.association.stats.ecnes_sent
        assert lost > 3
        assert pair.a.association.stats.ecn_reductions == 1
        pair.network.run_for(1)
        for _ in range(20):
            pair.a.send(bytes(1000))
            pair.network.run_for(0.05)
        pair.drain()
        assert pair.b.association.stats.cwrs_received > 0
        assert pair.b.association.stats.ecnes_sent <= lost + 6


def test_a_dialogue_whose_sacks_go_with_data_is_echoed_too() -> None:
    with make_pair() as pair:

        def answer(event: object) -> None:
            if len(pair.b.received) > pair.b.association.stats.messages_sent:
                pair.b.send(b"answer")
            if len(pair.a.received) == pair.a.association.stats.messages_sent < 10:
                pair.a.send(b"question")

        congest(pair, 6)
        for side in (pair.a, pair.b):
            side.host.handlers.append(answer)
        pair.a.send(b"question")
        pair.run(lambda: len(pair.a.received) == 10)
        pair.drain()
        assert pair.b.association.stats.ce_packets_received + pair.a.association.stats.ce_packets_received == 1
        assert pair.a.association.stats.ecn_reductions + pair.b.association.stats.ecn_reductions == 1
        assert pair.a.association.stats.cwrs_received + pair.b.association.stats.cwrs_received >= 1


def test_the_window_is_halved_once_for_what_was_in_flight() -> None:
    with make_pair() as pair:
        association, path, first = in_flight(pair)
        path.controller.cwnd = 40 * path.pmdcs
        association.send(pair.network.clock.now, bytes(100_000))
        take(pair)
        last = association.tcb.outstanding.next_tsn - 1
        deliver(pair, control.ecne(first))
        assert take(pair)[0] == (CHUNK_CWR, (first & TSN_MASK).to_bytes(4, "big"))
        assert path.cwnd == path.ssthresh == 20 * path.pmdcs
        for tsn in (first, first + 1, last):
            deliver(pair, control.ecne(tsn))  # Each is answered, for the CWR before may be lost.
            assert (CHUNK_CWR, (tsn & TSN_MASK).to_bytes(4, "big")) in take(pair)
        assert path.cwnd == 20 * path.pmdcs
        acknowledge(pair, association.tcb.outstanding.next_tsn - 1)
        beyond = association.tcb.outstanding.next_tsn
        association.send(pair.network.clock.now, bytes(100_000))
        take(pair)
        before = path.cwnd
        deliver(pair, control.ecne(beyond))
        assert path.cwnd == before // 2
        assert association.stats.ecn_reductions == 2


def test_a_loss_and_a_mark_in_one_window_count_once() -> None:
    """RFC 3168 section 6.1.3, the last paragraph."""
    with make_pair() as pair:
        association, path, first = in_flight(pair)
        path.controller.on_loss()
        path.congestion_answered = association.tcb.outstanding.next_tsn - 1
        reduced = path.cwnd
        deliver(pair, control.ecne(first))
        assert path.cwnd == reduced
        assert association.stats.ecn_reductions == 0


def test_t3_and_fast_retransmit_answer_marks_of_their_window() -> None:
    with make_pair(loss=0.02, mark=0.02) as pair:
        for _ in range(20):
            pair.a.send(bytes(50_000))
        pair.drain()
        assert len(pair.b.messages()) == 20
        a = pair.a.association
        assert a.stats.ecn_reductions > 0
        assert a.stats.fast_retransmits > 0
        assert a.tcb.paths[0].congestion_answered < a.tcb.outstanding.next_tsn


def test_a_window_of_one_packet_does_not_grow_and_restarts_t3() -> None:
    """RFC 3168 section 6.1.2: "MUST reset the retransmit timer"."""
    with make_pair() as pair:
        association, path, first = in_flight(pair)
        path.controller.cwnd = path.pmdcs
        path.t3_deadline = pair.network.clock.now + SECOND // 100
        deliver(pair, control.ecne(first))
        assert path.cwnd == path.pmdcs
        assert path.t3_deadline == pair.network.clock.now + path.rto
        assert association.stats.ecn_reductions == 1


@pytest.mark.parametrize("packets", [1, 2, 4, 5, 8, 9, 100])
def test_the_controller_halves_and_never_grows(packets: int) -> None:
    controller = NewReno(1460, True)
    controller.cwnd = packets * 1460
    controller.on_ecn()
    assert controller.cwnd == min(packets * 1460, max(packets * 1460 // 2, 4 * 1460))
    assert controller.ssthresh == max(packets * 1460 // 2, 4 * 1460)


def test_marks_on_one_path_leave_the_other_alone() -> None:
    with make_pair(paths=2) as pair:
        association, path, first = in_flight(pair)
        other = association.tcb.paths[1]
        for each in (path, other):
            each.controller.cwnd = 40 * each.pmdcs
        deliver(pair, control.ecne(first), path=2)  # Where the ECNE comes from says nothing.
        assert path.cwnd == 20 * path.pmdcs
        assert other.cwnd == 40 * other.pmdcs


def test_each_path_is_echoed_by_itself() -> None:
    with make_pair(paths=2) as pair:
        tcb = pair.a.association.tcb
        tsn = tcb.tsn_map.cumulative_tsn + 1
        for path in (1, 2):
            data = chunk(0, 7, (tsn & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data")
            deliver(pair, data, path=path, ecn=CE)
            tsn += 1
        taken = [value for kind, value in take(pair) if kind == CHUNK_ECNE]
        assert taken == [((tsn - back) & TSN_MASK).to_bytes(4, "big") for back in (2, 1)]
        deliver(pair, control.cwr(tsn - 2))
        deliver(pair, chunk(0, 7, (tsn & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data"))
        deliver(pair, chunk(0, 7, ((tsn + 1) & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data"))
        assert [value for kind, value in take(pair) if kind == CHUNK_ECNE] == [taken[1]]


def test_an_address_of_the_peer_that_goes_takes_its_marks_along() -> None:
    """RFC 5061: the peer has no window for it any more."""
    with make_pair(paths=2) as pair:
        tcb = pair.a.association.tcb
        tsn = tcb.tsn_map.cumulative_tsn + 1
        for path in (1, 2):
            data = chunk(0, 7, ((tsn + path - 1) & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data")
            deliver(pair, data, path=path, ecn=CE)
        path_set.remove(tcb, pair.network.clock.now, tcb.paths[1])  # The last data came from there.
        taken = [value for kind, value in take(pair) if kind == CHUNK_ECNE]
        assert taken == [(tsn & TSN_MASK).to_bytes(4, "big")]


def test_marks_of_a_batch_are_those_of_the_association_that_its_packets_are_for() -> None:
    with make_pair() as pair:
        tcb = pair.a.association.tcb
        tsn = tcb.tsn_map.cumulative_tsn + 1
        data = chunk(0, 7, (tsn & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data")
        path = tcb.paths[0]
        ours = finish_packet(tcb.peer_prefix, data)
        other = finish_packet(tcb.peer_prefix[:4] + bytes(4), data)
        for batch in (other + ours, ours + other):
            pair.a.host.stack.receive(
                pair.network.clock.now, path.local, path.remote, path.encaps_port, batch, len(ours), CE
            )
        assert tcb.stats.ce_packets_received == 1


def test_of_several_chunks_the_lowest_tsn_is_told() -> None:
    with make_pair() as pair:
        tsn = pair.a.association.tcb.tsn_map.cumulative_tsn + 1
        parts = [chunk(0, 7, ((tsn + n) & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data") for n in (3, 1, 2)]
        deliver(pair, *parts, ecn=CE)
        assert [value for kind, value in take(pair) if kind == CHUNK_ECNE] == [
            ((tsn + 1) & TSN_MASK).to_bytes(4, "big")
        ]


def reset_tsns(pair: Pair) -> None:
    """A asks B to begin all numbers anew (RFC 6525)."""
    pair.drain()
    pair.network.run_for(31)
    pair.a.association.reset_association(pair.network.clock.now)
    pair.network.run_for(1)


RESET = AssociationConfig(ecn=True, heartbeat_interval=0, allow_association_reset=True)


@pytest.mark.parametrize("resets", [1, 2])
def test_after_tsns_were_reset_the_window_is_reduced_as_before(resets: int) -> None:
    """RFC 6525 section 5.2.7 H5: the new TSNs are below the old ones, or above them."""
    with make_pair(config=RESET) as pair:
        for _ in range(resets):
            congest(pair, 3)
            pair.a.send(bytes(100_000))
            pair.drain()
            pair.network.filters.clear()
            reset_tsns(pair)
        reduced = pair.a.association.stats.ecn_reductions
        assert reduced == resets
        path = pair.a.association.tcb.paths[0]
        assert path.congestion_answered == -1
        congest(pair, 3)
        pair.a.send(bytes(100_000))
        pair.drain()
        assert pair.a.association.stats.ecn_reductions == reduced + 1


def test_after_tsns_were_reset_old_marks_are_echoed_no_more() -> None:
    """RFC 6525 section 5.2.4 G1: no CWR will ever answer for the old TSNs."""
    with make_pair(config=RESET) as pair:
        pair.network.filters.append(lambda packet: "CWR" not in packet.chunks)
        congest(pair, 3)
        pair.a.send(bytes(20_000))
        pair.drain()
        assert pair.b.association.stats.ecnes_sent > 0
        reset_tsns(pair)
        before = pair.b.association.stats.ecnes_sent
        for _ in range(10):
            pair.a.send(bytes(20_000))
            pair.drain()
        assert pair.b.association.stats.ecnes_sent == before


@pytest.mark.parametrize("away", [-1, 1 << 20])
def test_marks_of_packets_without_new_data_are_ignored(away: int) -> None:
    """RFC 3168 section 6.1.5: a receiver SHOULD ignore marks outside of its window."""
    with make_pair() as pair:
        association = pair.a.association
        tsn = association.tcb.tsn_map.cumulative_tsn + 1 + away
        deliver(pair, chunk(0, 7, (tsn & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data"), ecn=CE)
        deliver(pair, control.heartbeat(b"hello"), ecn=CE)
        assert association.stats.ce_packets_received == 0
        assert CHUNK_ECNE not in [kind for kind, _ in take(pair)]


def test_a_marked_packet_that_is_not_intact_is_ignored() -> None:
    with make_pair() as pair:
        tcb = pair.a.association.tcb
        tsn = tcb.tsn_map.cumulative_tsn + 1
        packet = finish_packet(tcb.peer_prefix, chunk(0, 7, (tsn & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data"))
        broken = packet[:-1] + bytes((packet[-1] ^ 1,))
        path = tcb.paths[0]
        stack = pair.a.host.stack
        stack.receive(pair.network.clock.now, path.local, path.remote, path.encaps_port, broken, len(broken), CE)
        assert tcb.stats.ce_packets_received == 0


def test_without_an_agreement_marks_are_not_looked_at() -> None:
    with make_pair(config=AssociationConfig()) as pair:
        association = pair.a.association
        tsn = association.tcb.tsn_map.cumulative_tsn + 1
        deliver(pair, chunk(0, 7, (tsn & TSN_MASK).to_bytes(4, "big") + bytes(8) + b"data"), ecn=CE)
        deliver(pair, control.ecne(association.tcb.outstanding.next_tsn))
        assert {kind for kind, _ in take(pair)} <= {3}
        assert association.stats.ecnes_received == 0


@pytest.mark.parametrize("ahead", [True, False])
def test_an_ecne_for_a_tsn_that_was_never_sent_is_dropped(ahead: bool) -> None:
    with make_pair() as pair:
        association, path, first = in_flight(pair)
        before = path.cwnd
        assert first == association.tcb.initial_tsn
        deliver(pair, control.ecne(association.tcb.outstanding.next_tsn if ahead else first - 1))
        assert path.cwnd == before
        assert take(pair) == []
        assert association.stats.packets_discarded == 1


def test_an_ecne_for_what_is_acknowledged_reduces_where_data_went() -> None:
    """The ECNEs beside the SACKs may have been lost."""
    with make_pair() as pair:
        association, path, first = in_flight(pair)
        acknowledge(pair, association.tcb.outstanding.next_tsn - 1)
        path.controller.cwnd = 40 * path.pmdcs
        deliver(pair, control.ecne(first))
        assert path.cwnd == 20 * path.pmdcs


def test_short_chunks_are_dropped_and_longer_ones_read() -> None:
    """Some implementations have a counter behind the TSN of an ECNE."""
    with pytest.raises(ParseError):
        control.parse_lowest_tsn(bytes(3))
    assert control.parse_lowest_tsn(bytes.fromhex("0102030400000005")) == 0x01020304
    with make_pair() as pair:
        association, _, first = in_flight(pair)
        for kind in (CHUNK_ECNE, CHUNK_CWR):
            deliver(pair, chunk(kind, 0, bytes(2)))
        assert association.stats.packets_discarded == 2
        deliver(pair, chunk(CHUNK_ECNE, 0, (first & TSN_MASK).to_bytes(4, "big") + bytes(4)))
        assert association.stats.ecn_reductions == 1


def test_a_packet_full_of_ecnes_draws_one_packet() -> None:
    with make_pair() as pair:
        _, _, first = in_flight(pair)
        deliver(pair, control.ecne(first) * 7000)
        stack = pair.a.host.stack
        packets = []
        while (transmit := stack.poll_transmit(pair.network.clock.now)) is not None:
            packets.append(transmit.data)
        with_cwr = [packet for packet in packets if any(kind == CHUNK_CWR for kind, _, _ in chunks(packet))]
        assert len(with_cwr) == 1


def test_a_queue_that_marks_loses_nothing() -> None:
    """The point of it all: a bottleneck that marks from half its queue on, against one that only drops."""
    outcome = {}
    for ecn in (False, True):
        config = AssociationConfig(ecn=ecn)
        settings = LinkSettings(rate=10_000_000, queue=60_000, mark_queue=20_000)
        with Pair(5, link=settings, config=config).connect() as pair:
            for _ in range(40):
                pair.a.send(bytes(100_000))
            pair.drain()
            assert len(pair.b.messages()) == 40
            outcome[ecn] = pair.a.association.stats.chunks_retransmitted, pair.network.elapsed
    assert outcome[False][0] > 0
    assert outcome[True][0] == 0
    assert outcome[True][1] < 1.1 * outcome[False][1]


def test_a_link_that_does_not_read_marks_is_refused() -> None:
    stack = Stack(seeded_bytes(1), 0)
    with pytest.raises(OSError, match="ECN bits") as refused:
        stack.open_endpoint(5000, config=ECN)
    assert refused.value.errno == errno.EOPNOTSUPP
    assert stack.endpoints == {}


def test_the_bits_are_where_a_link_takes_them_from() -> None:
    with make_pair() as pair:
        pair.a.association.send(pair.network.clock.now, b"data")
        transmit = pair.a.host.stack.poll_transmit(pair.network.clock.now)
        assert transmit is not None
        assert transmit.flowinfo >> CLASS_SHIFT == ECT_0
