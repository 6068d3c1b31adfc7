"""ECN with any marks, losses and chunks: everything arrives, windows keep their bounds, and nothing piles up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sctpx.core.association.state import CLOSED
from sctpx.core.config import CONGESTION, AssociationConfig, Congestion
from sctpx.core.ext.ecn import Ecn
from sctpx.testing import LinkSettings, Pair
from sctpx.wire import control
from sctpx.wire.packet import finish_packet
from sctpx.wire.tlv import chunk
from tests.sweeps import examples

STORIES = st.lists(
    st.tuples(
        st.sampled_from(["ecne", "cwr", "short", "send", "pause", "shutdown"]),
        st.one_of(st.integers(-40, 40), st.integers(-(1 << 31), 1 << 31)),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=40,
)


@examples(60)
@given(
    seed=st.integers(0, 1 << 16),
    loss=st.sampled_from([0.0, 0.02, 0.1]),
    mark=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    reorder=st.sampled_from([0.0, 0.1]),
    interleaving=st.booleans(),
    congestion=st.sampled_from(CONGESTION),
    story=STORIES,
)
def test_whatever_comes(
    seed: int,
    loss: float,
    mark: float,
    reorder: float,
    interleaving: bool,
    congestion: Congestion,
    story: list[tuple[str, int, int, int]],
) -> None:
    link = LinkSettings(loss=loss, mark=mark, reorder=reorder)
    config = AssociationConfig(ecn=True, rto_min=0.1, rto_initial=0.2, interleaving=interleaving, congestion=congestion)
    pair = Pair(seed, paths=2, link=link, config=config).connect()
    a, b = pair.a.association, pair.b.association
    sent = 0
    for what, number, path, bits in story:
        tcb = a.tcb
        if tcb.state == CLOSED:
            break
        if what == "send" and not tcb.shutdown_requested:
            pair.a.send(bytes(20_000 + sent), stream=path)
            sent += 1
        elif what == "pause":
            pair.network.run_for((number & 255) / 1000)
        elif what == "shutdown" and number & 3 == 0:
            a.shutdown(pair.network.clock.now)
        else:
            near = tcb.outstanding.cumulative_tsn_ack_point if what == "ecne" else tcb.tsn_map.cumulative_tsn
            said = {"ecne": control.ecne, "cwr": control.cwr}.get(what, control.cwr)(near + number)
            if what == "short":
                said = chunk(12 + path, bits, bytes(bits))
            packet = finish_packet(tcb.peer_prefix, said * (1 + bits))
            at = tcb.paths[path % len(tcb.paths)]
            pair.a.host.stack.receive(
                pair.network.clock.now, at.local, at.remote, at.encaps_port, packet, len(packet), bits
            )
        for each in (a, b):
            for one in each.tcb.paths:
                assert one.cwnd >= one.pmdcs
                assert one.congestion_answered < each.tcb.outstanding.next_tsn
            for room in each.tcb.extensions:
                if isinstance(room, Ecn):
                    assert len(room.unanswered) <= len(each.tcb.paths)
            each.tcb.outstanding.check_invariants()
    pair.network.run(lambda: len(pair.b.messages()) == sent or pair.a.failure or pair.b.failure, 600)
    assert len(pair.b.messages()) == sent
    assert not pair.a.failure
    assert not pair.b.failure
