"""The short ways of DATA in sequence and of plain SACKs do exactly what the long way does.

A chunk that nobody knows and everybody skips, put in front of a packet, sends it the long way; packets that arrive
together may take the short one for a whole burst. Whatever comes, what is delivered, acknowledged, sent and remembered
must be the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.association import probe
from sctpx.core.overhead import MESSAGE
from sctpx.core.timers import SECOND
from sctpx.wire.codes import CHUNK_ABORT, CHUNK_I_DATA, COMMON_HEADER, DATA_HEADER
from sctpx.wire.tlv import chunk
from tests.conformance.peer import PMDCS, Peer
from tests.sweeps import examples

DETOUR = chunk(0xBE, 0, b"")
"""Skipped by every receiver."""

FLAGS = st.sampled_from([3, 3, 3, 2, 0, 1, 7, 6, 4, 5, 11, 8, 0xF3])
PACKET = st.lists(
    st.tuples(
        st.integers(-3, 4) | st.just(0),
        st.sampled_from([1, 3, 4, 100, 700]),
        FLAGS,
        st.sampled_from([0, 0, 0, 1, 9, 10, 77]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=4,
)
"""Chunks as (how far the TSN is from the next one, size, flags, stream, how far the SSN is from the next one)."""


def data_packets(peer: Peer, packets: list[list[tuple[int, int, int, int, int]]]) -> list[list[bytes]]:
    """The chunks of each packet."""
    tsn = 1
    ssns: dict[int, int] = {}
    found = []
    for packet in packets:
        said = []
        for distance, size, flags, stream, ahead in packet:
            ssn = ssns.get(stream, 0)
            said.append(
                peer.data(tsn + distance, bytes([tsn % 256]) * size, flags=flags, stream=stream, ssn=ssn + ahead)
            )
            if distance == 0:
                tsn += 1
                if flags & 1 and not flags & 4 and not ahead:
                    ssns[stream] = ssn + 1
        found.append(said)
    return found


def everything(peer: Peer) -> object:
    """What can be seen of an association, inside and out; of one that is over, what it leaves."""
    tcb = peer.association.tcb
    stats = peer.association.stats
    ready = list(tcb.reassembly.ready)
    # What answers a burst may be bundled in another way.
    chunks = [chunk for packet in peer.take() for chunk in packet.chunks]
    counters = (stats.bytes_received, stats.messages_received, stats.duplicate_tsns, stats.packets_received)
    if peer.association.ended:
        abort = next(chunk for chunk in chunks if chunk[:2] == (CHUNK_ABORT, 0))
        return abort, ready, type(peer.events[-1]), counters
    return (
        sorted(chunks),
        peer.association.state,
        ready,
        [type(event) for event in peer.events],
        (tcb.tsn_map.cumulative_tsn, tcb.tsn_map.ranges),
        (tcb.window.held, tcb.window.credit),
        (tcb.sack_policy.packets, tcb.sack_policy.deadline),
        counters,
    )


@examples(200)
@given(
    packets=st.lists(PACKET, min_size=1, max_size=12),
    buffer=st.sampled_from([4096, 1 << 20]),
    mtu=st.sampled_from([576, 1500]),
)
def test_data_takes_the_short_way_or_the_long_one_to_the_same_end(
    packets: list[list[tuple[int, int, int, int, int]]], buffer: int, mtu: int
) -> None:
    short, long, together = [Peer(receive_buffer=buffer, mtu=mtu) for _ in range(3)]
    for said in data_packets(short, packets):
        short.deliver(*said)
        long.deliver(DETOUR, *said)
    expected = everything(long)
    assert everything(short) == expected
    # In a burst: runs of packets of one size.
    run: list[bytes] = []
    for packet in [together.packet(*said) for said in data_packets(together, packets)]:
        if run and (len(packet) > len(run[0]) or len(run[-1]) < len(run[0])):
            together.deliver_burst(b"".join(run), len(run[0]))
            run = []
        run.append(packet)
    together.deliver_burst(b"".join(run), len(run[0]))
    assert everything(together) == expected


def sending(peer: Peer) -> object:
    """What can be seen of the sending side."""
    tcb = peer.association.tcb
    tcb.outstanding.check_invariants()
    paths = [
        (
            path.cwnd,
            path.ssthresh,
            path.controller.was_full,
            peer.partial_bytes_acked(number),
            path.flight_size,
            path.rto,
            path.srtt,
            path.rttvar,
            path.t3_deadline,
            path.loss_deadline,
            path.moved_on_at,
            path.earliest_tsn,
            path.rtt_tsn,
            path.error_count,
            path.state,
            path.last_acknowledged,
        )
        for number, path in enumerate(peer.association.paths, 1)
    ]
    probing = tcb.probe is not None and tcb.probe.state != probe.IDLE
    outside = ([(packet.path, packet.bytes) for packet in peer.take()], [type(event) for event in peer.events])
    return outside, paths, tcb.peer_rwnd, tcb.buffered, tcb.error_count, probing, peer.association.state


STEP = st.tuples(
    st.sampled_from(["sack", "sack", "sack", "gap", "send", "switch", "wait"]),
    st.integers(0, 30),
    st.sampled_from([1 << 20, 1 << 20, 20_000, 3000, 0]),
)


@pytest.mark.parametrize("loss_recovery", ["rack", "rfc9260"])
@examples(150)
@given(steps=st.lists(STEP, max_size=30), sizes=st.sampled_from([(1400,), (10, 1000), (1, 5000, 30)]))
def test_sacks_take_the_short_way_or_the_long_one_to_the_same_end(
    loss_recovery: str, steps: Sequence[tuple[str, int, int]], sizes: tuple[int, ...]
) -> None:
    peers = [Peer(paths=2, rtt=0.01, loss_recovery=loss_recovery) for _ in range(2)]
    for detour, peer in zip((b"", DETOUR), peers, strict=True):
        peer.send(*sizes * 10)
        acknowledged = 0
        for what, number, a_rwnd in steps:
            last = peer.last_tsn
            if what == "sack":
                acknowledged = min(acknowledged + number % 8, last)
                peer.deliver(detour, peer.sack_chunk(acknowledged, a_rwnd=a_rwnd))
            elif what == "gap" and last >= acknowledged + 2 + number % 4:
                first = acknowledged + 2 + number % 3
                peer.deliver(detour, peer.sack_chunk(acknowledged, (first, last), a_rwnd=a_rwnd))
            elif what == "send":
                peer.send(*sizes * (number % 5 + 1))
            elif what == "switch":
                peer.set_primary(number % 2 + 1)
            elif what == "wait":
                peer.advance_to(peer.now + number * SECOND // 50)
    assert sending(peers[0]) == sending(peers[1])


def test_the_detour_is_skipped_without_a_word() -> None:
    peer = Peer()
    peer.deliver(DETOUR)
    assert peer.take() == []
    assert peer.path().cwnd == 4404 > PMDCS


@examples(100)
@given(
    bursts=st.lists(st.tuples(st.integers(1, 45), st.integers(1, 20)), min_size=1, max_size=8),
    length=st.sampled_from([60, 64, 512, 1444]),
    buffer=st.sampled_from([20_000, 1 << 20]),
    odd=st.none() | st.tuples(st.integers(0, 90), st.sampled_from(["stream", "ssn", "ppid", "flags", "tsn", "lost"])),
    peer_tsn=st.sampled_from([1000, (1 << 32) - 30]),
    stretch=st.booleans(),
)
def test_fragments_take_the_short_way_or_the_long_one_to_the_same_end(
    bursts: list[tuple[int, int]],
    length: int,
    buffer: int,
    odd: tuple[int, str] | None,
    peer_tsn: int,
    stretch: bool,
) -> None:
    """Messages of fragments that fill a packet each, in bursts, with one that is not what it should be."""
    peers = [Peer(receive_buffer=buffer, peer_tsn=peer_tsn, stretch_sack=stretch) for _ in range(2)]
    for peer, detour in zip(peers, (b"", DETOUR), strict=True):
        tsn = ssn = 0
        for packets, until_end in bursts:
            run: list[bytes] = []
            for index in range(packets):
                tsn += 1
                last = index % until_end == until_end - 1
                flags = (2 if index % until_end == 0 else 0) | last
                what = odd[1] if odd is not None and odd[0] == tsn else ""
                if what == "lost":
                    continue
                chunk = peer.data(
                    tsn + (what == "tsn"),
                    bytes([tsn % 251]) * length,
                    flags=flags | 8 * (what == "flags"),
                    ssn=ssn + (what == "ssn"),
                    stream=what == "stream",
                    ppid=what == "ppid",
                )
                run.append(peer.packet(detour, chunk))
                ssn += last
            if run:
                peer.deliver_burst(b"".join(run), len(run[0]))
        if buffer == 20_000:
            peer.read()
    assert everything(peers[0]) == everything(peers[1])


def test_a_run_ends_where_too_many_messages_are_unread() -> None:
    """The window closes within a burst: what comes behind is dropped and told so, however it arrives."""
    most = (4 << 20) // (1 + MESSAGE)
    alone, together = Peer(), Peer()
    for peer in (alone, together):
        tsn = 1
        while tsn < most - 70:
            peer.deliver(*[peer.data(tsn + index, 1) for index in range(10)])
            tsn += 10
        peer.take()
        beginning = peer.data(tsn + 30, 64, flags=2)
        packets = [peer.packet(*[peer.data(tsn + index, 4) for index in range(30)], beginning)]
        length = len(packets[0]) - COMMON_HEADER - DATA_HEADER
        ssn = tsn + 29
        packets += [peer.packet(peer.data(tsn + index, length, flags=0, ssn=ssn)) for index in range(31, 41)]
        if peer is together:
            peer.deliver_burst(b"".join(packets), len(packets[0]))
        else:
            for packet in packets:
                peer.deliver_bytes(packet)
        assert most - 100 < len(peer.association.tcb.reassembly.ready) <= most
    expected = [(packet.sack.cumulative, packet.sack.a_rwnd) for packet in alone.take()]
    assert expected[-1][0] < ssn + 11
    assert expected[-1][1] == 0
    assert [(packet.sack.cumulative, packet.sack.a_rwnd) for packet in together.take()] == expected


I_DATA_PACKET = st.lists(
    st.tuples(
        st.integers(-2, 3) | st.just(0),
        st.sampled_from([1, 64, 700]),
        st.sampled_from([3, 3, 2, 0, 0, 1, 7, 6, 4, 5, 8, 0xF0]),
        st.sampled_from([0, 0, 1, 77]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=3,
)
"""Chunks as (how far the TSN is from the next one, size, flags, stream, MID, how far the FSN is from the next one)."""


@examples(200)
@given(
    packets=st.lists(I_DATA_PACKET, min_size=1, max_size=12),
    buffer=st.sampled_from([4096, 1 << 20]),
    point=st.sampled_from([0, 1500]),
)
def test_i_data_takes_the_short_way_or_the_long_one_to_the_same_end(
    packets: list[list[tuple[int, int, int, int, int, int]]], buffer: int, point: int
) -> None:
    long, together = [
        Peer(extensions=[CHUNK_I_DATA], interleaving=True, receive_buffer=buffer, partial_delivery_point=point)
        for _ in range(2)
    ]
    tsn = 1
    fsns: dict[tuple[int, int, int], int] = {}
    run: list[bytes] = []
    for packet in packets:
        said = []
        for distance, size, flags, stream, mid, ahead in packet:
            key = stream, mid, flags & 4
            fsn = 0 if flags & 2 else fsns.get(key, 0) + ahead
            data = bytes([tsn % 256]) * size
            last = 60 if flags & 2 else fsn
            said.append(long.i_data(tsn + distance, data, flags=flags, stream=stream, mid=mid, last=last))
            if distance == 0:
                tsn += 1
                fsns[key] = fsn + 1
        long.deliver(DETOUR, *said)
        whole = together.packet(*said)
        if run and (len(whole) > len(run[0]) or len(run[-1]) < len(run[0])):
            together.deliver_burst(b"".join(run), len(run[0]))
            run = []
        run.append(whole)
    together.deliver_burst(b"".join(run), len(run[0]))
    assert everything(together) == everything(long)


@examples(150)
@given(
    bursts=st.lists(st.tuples(st.integers(1, 45), st.integers(1, 20)), min_size=1, max_size=8),
    length=st.sampled_from([60, 64, 512, 1440]),
    buffer=st.sampled_from([20_000, 1 << 20]),
    odd=st.none() | st.tuples(st.integers(0, 90), st.sampled_from(["stream", "mid", "fsn", "flags", "tsn", "lost"])),
    peer_tsn=st.sampled_from([1000, (1 << 32) - 30]),
    stretch=st.booleans(),
    unordered=st.booleans(),
)
def test_fragments_of_i_data_take_the_short_way_or_the_long_one_to_the_same_end(
    bursts: list[tuple[int, int]],
    length: int,
    buffer: int,
    odd: tuple[int, str] | None,
    peer_tsn: int,
    stretch: bool,
    unordered: bool,
) -> None:
    """Messages of fragments that fill a packet each, in bursts, with one that is not what it should be."""
    peers = [
        Peer(
            extensions=[CHUNK_I_DATA],
            interleaving=True,
            receive_buffer=buffer,
            peer_tsn=peer_tsn,
            stretch_sack=stretch,
        )
        for _ in range(2)
    ]
    for peer, detour in zip(peers, (b"", DETOUR), strict=True):
        tsn = mid = fsn = 0
        for packets, until_end in bursts:
            run: list[bytes] = []
            for index in range(packets):
                tsn += 1
                last = index % until_end == until_end - 1
                flags = (2 if fsn == 0 else 0) | last | 4 * unordered
                what = odd[1] if odd is not None and odd[0] == tsn else ""
                if what != "lost":
                    chunk = peer.i_data(
                        tsn + (what == "tsn"),
                        bytes([tsn % 251]) * length,
                        flags=flags | 8 * (what == "flags"),
                        mid=mid + (what == "mid"),
                        stream=what == "stream",
                        last=fsn + (what == "fsn"),
                    )
                    run.append(peer.packet(detour, chunk))
                fsn = 0 if last else fsn + 1
                mid += last
            if run:
                peer.deliver_burst(b"".join(run), len(run[0]))
        if buffer == 20_000:
            peer.read()
    assert everything(peers[0]) == everything(peers[1])
