"""A path fails, data goes over another one, and comes back (RFC 9260 sections 6.4, 8.1 and 8.2; RFC 7829)."""

from __future__ import annotations

import errno
from functools import partial
from itertools import pairwise

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CHANGE_PRIMARY, CHANGE_STATE, CommunicationLost, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import LinkSettings, Packet, Pair
from sctpx.wire.codes import CHUNK_DATA
from sctpx.wire.packet import chunks, finish_packet
from sctpx.wire.tlv import chunk
from tests.sim.connectx import check_that_data_flows

BY_TIMEOUT = AssociationConfig(loss_recovery="rfc9260")
"""No tail loss probe asks before T3-rtx expires (``test_rack_failover``)."""
NO_HEARTBEATS = AssociationConfig(heartbeat_interval=0.0, loss_recovery="rfc9260")


def states(pair: Pair) -> list[int]:
    """The states of A's paths."""
    return [path.state for path in pair.a.association.paths]


def told(pair: Pair) -> list[tuple[str, int]]:
    """What A was told about its paths: address and state."""
    return [
        (".".join(map(str, event.remote)), event.state)
        for event in pair.a.events_of(PathChange)
        if event.what == CHANGE_STATE
    ]


def went_to(pair: Pair) -> list[str]:
    """Where A's DATA went, packet by packet."""
    return [
        packet.destination_text
        for packet in pair.network.packets()
        if "DATA" in packet.chunks and packet.source in pair.a.host.packed
    ]


def ready(pair: Pair) -> Pair:
    """All paths are confirmed on both sides, and the ladder is empty."""
    pair.connect()
    pair.network.run(lambda: all(path.confirmed for path in pair.b.association.paths))
    pair.network.recording.clear()
    return pair


def arrivals_while(pair: Pair, seconds: float, every: float = 0.01) -> list[float]:
    """When messages arrive at B, of which A sends one every ``every`` seconds. They are numbered."""
    times: list[float] = []
    before = len(pair.b.received)

    for number in range(int(seconds / every)):
        pair.network.at(number * every, partial(pair.a.send, b"%d" % number))
    pair.b.host.handlers.append(lambda event: times.append(pair.network.elapsed))
    pair.network.run(lambda: len(pair.b.received) - before == int(seconds / every), seconds + 30)
    return times


# The primary path is cut


def test_data_that_timed_out_goes_over_the_other_path() -> None:
    """RFC 9260 6.4: "an endpoint SHOULD try to retransmit a chunk that timed out to an active destination transport
    address that is different from the last destination address to which the chunk was sent".
    """
    with ready(Pair(1, paths=2, config=BY_TIMEOUT)) as pair:
        pair.cut(1)
        pair.a.send(b"hello")
        start = pair.network.elapsed
        pair.network.run(lambda: pair.b.received)
        assert went_to(pair) == ["10.0.1.2", "10.0.2.2"]
        assert pair.network.elapsed - start == pytest.approx(1.0 + 0.01)  # RTO.Min and half a round trip.


@pytest.mark.parametrize("paths", [2, 4])
def test_the_gap_is_one_rto_at_default_settings(paths: int) -> None:
    """PotentiallyFailed.Max.Retrans is 0: one timeout, and everything new goes elsewhere (RFC 7829 section 3)."""
    with ready(Pair(1, paths=paths)) as pair:
        pair.network.at(1.0, lambda: pair.cut(1))
        times = arrivals_while(pair, 5.0)
        gaps = sorted(later - sooner for sooner, later in pairwise(times))
        assert gaps[-1] <= 1.0 + 0.05
        assert gaps[-2] <= 0.25
        assert pair.b.messages() == [b"%d" % number for number in range(500)]


def test_new_data_follows_at_once_and_does_not_try_the_failed_path() -> None:
    """RFC 7829 3.2 (3): "SHOULD NOT send data to destination addresses in PF state when alternative destination
    addresses in active state are available".
    """
    with ready(Pair(1, paths=2, config=BY_TIMEOUT)) as pair:
        pair.cut(1)
        pair.a.send(b"first")
        pair.network.run(lambda: pair.b.received)
        for number in range(50):
            pair.a.send(b"%d" % number)
        pair.drain()
        assert went_to(pair).count("10.0.1.2") == 1


def test_the_user_is_told_of_each_state() -> None:
    """RFC 7829 3.2 (12), RFC 9260 8.2: "a notification SHOULD be sent to the upper layer"."""
    with ready(Pair(1, paths=2)) as pair:
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run(lambda: states(pair)[0] == PATH_INACTIVE, 200)
        assert told(pair) == [("10.0.1.2", PATH_POTENTIALLY_FAILED), ("10.0.1.2", PATH_INACTIVE)]
        pair.heal(1)
        pair.network.run(lambda: states(pair)[0] == PATH_ACTIVE, 200)
        assert told(pair)[2:] == [("10.0.1.2", PATH_ACTIVE)]
        assert [event.what for event in pair.a.events_of(PathChange)].count(CHANGE_PRIMARY) == 0


def test_a_path_becomes_inactive_after_path_max_retrans_timeouts_more() -> None:
    """RFC 9260 8.2: "exceeds the protocol parameter 'Path.Max.Retrans'"; RFC 7829 3.2 (6): HEARTBEATs at once after
    each timeout, with RTO doubling: 1 + 1 + 2 + 4 + 8 + 16 s after the loss, the last timeout 32 s after that.
    """
    with ready(Pair(1, paths=2)) as pair:
        pair.cut(1)
        start = pair.network.elapsed
        pair.a.send(b"?")
        pair.network.run(lambda: states(pair)[0] == PATH_INACTIVE, 200)
        assert pair.network.elapsed - start == pytest.approx(1 + 2 + 4 + 8 + 16 + 32, abs=1.1)
        assert pair.a.association.paths[0].error_count == 6


@pytest.mark.parametrize("limit", [0, 2, 5])
def test_path_max_retrans_can_be_set(limit: int) -> None:
    with ready(Pair(1, paths=2, config=AssociationConfig(path_max_retrans=limit))) as pair:
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run(lambda: states(pair)[0] == PATH_INACTIVE, 200)
        assert pair.a.association.paths[0].error_count == limit + 1


@pytest.mark.parametrize("threshold", [1, 3])
def test_potentially_failed_max_retrans_can_be_set(threshold: int) -> None:
    """RFC 7829 3.2 (1, 2)."""
    config = AssociationConfig(potentially_failed_max_retrans=threshold, heartbeat_interval=0.0)
    with ready(Pair(1, paths=2, config=config)) as pair:
        pair.cut(1)
        seen = []
        for _ in range(9):
            pair.a.send(b"?")
            pair.network.run(lambda: pair.a.is_dry)
            seen.append((pair.a.association.paths[0].error_count, states(pair)[0]))
            if states(pair)[0] == PATH_POTENTIALLY_FAILED:
                break
        assert len(seen) == threshold + 1
        assert seen[-1] == (threshold + 1, PATH_POTENTIALLY_FAILED)
        assert {state for _, state in seen[:-1]} == {PATH_ACTIVE}


def test_with_a_threshold_at_path_max_retrans_there_is_no_potentially_failed_state() -> None:
    """RFC 7829 3.2 (1): "will reach the inactive state before it can be classified as PF"."""
    config = AssociationConfig(potentially_failed_max_retrans=2, path_max_retrans=2, heartbeat_interval=0.0)
    with ready(Pair(1, paths=2, config=config)) as pair:
        pair.cut(1)
        while states(pair)[0] != PATH_INACTIVE:
            pair.a.send(b"?")
            pair.network.run(lambda: pair.a.is_dry)
        assert told(pair) == [("10.0.1.2", PATH_INACTIVE)]


def test_a_path_that_answers_a_heartbeat_is_active_again_and_data_returns_to_the_primary() -> None:
    """RFC 7829 3.2 (7); section 5: "the standard switchback operation [...] be retained as the default operation"."""
    with ready(Pair(1, paths=2, config=BY_TIMEOUT)) as pair:
        pair.cut(1)
        pair.a.send(b"over 2")
        pair.network.run(lambda: pair.a.is_dry)
        pair.heal(1)
        pair.network.run(lambda: states(pair)[0] == PATH_ACTIVE)
        assert pair.a.association.paths[0].error_count == 0
        pair.network.recording.clear()
        pair.a.send(b"over 1")
        pair.drain()
        assert went_to(pair) == ["10.0.1.2"]
        assert pair.a.association.primary is pair.a.association.paths[0]


def test_recovery_from_inactive_takes_one_heartbeat_interval() -> None:
    """RFC 9260 8.3: "this applies to both active and inactive destination addresses"."""
    with ready(Pair(1, paths=2)) as pair:
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run(lambda: states(pair)[0] == PATH_INACTIVE, 200)
        pair.heal(1)
        start = pair.network.elapsed
        pair.network.run(lambda: states(pair)[0] == PATH_ACTIVE, 200)
        assert pair.network.elapsed - start <= 30 + 1.5 * 60


def test_an_acknowledgement_of_data_that_went_to_two_addresses_proves_nothing() -> None:
    """RFC 7829 3.2 (9): "SHOULD NOT clear the error count [...] and SHOULD NOT move a destination address in PF state
    back to active state".
    """
    with ready(Pair(1, paths=2, config=NO_HEARTBEATS)) as pair:
        pair.network.drop("DATA", to="10.0.1.2")
        pair.a.send(b"sent twice")
        pair.network.run(lambda: pair.a.is_dry)
        assert went_to(pair) == ["10.0.1.2", "10.0.2.2"]
        path = pair.a.association.paths[0]
        assert (path.state, path.error_count) == (PATH_POTENTIALLY_FAILED, 1)


def test_an_acknowledgement_of_data_that_went_to_one_address_does() -> None:
    """RFC 7829 3.2 (10): "MUST clear the error counter for the destination address and MUST transition a destination
    address in PF state back to active state". All paths are PF here, so the best of them carries new data.
    """
    with ready(Pair(1, paths=2, config=NO_HEARTBEATS)) as pair:
        pair.cut(1)
        pair.cut(2)
        pair.a.send(b"waits")
        pair.network.run(lambda: states(pair) == [PATH_POTENTIALLY_FAILED] * 2, 10)
        pair.heal(1)
        pair.heal(2)
        pair.drain()
        for _ in range(5):
            pair.a.send(b"new data")
            pair.drain()
        assert PATH_ACTIVE in states(pair)


def test_with_all_paths_potentially_failed_the_one_with_the_fewest_errors_carries_the_data() -> None:
    """RFC 7829 3.2 (4): "MUST choose one destination address in PF state"; "with the lowest error count"."""
    config = AssociationConfig(path_max_retrans=30, association_max_retrans=100)
    with ready(Pair(1, paths=3, config=config)) as pair:
        for path in (1, 2, 3):
            pair.cut(path)
        pair.a.send(b"?")
        pair.network.run(lambda: states(pair) == [PATH_POTENTIALLY_FAILED] * 3, 100)
        choices: list[tuple[int, list[int]]] = []

        def note(packet: Packet) -> bool:
            if "DATA" in packet.chunks:
                chosen = pair.b.host.packed.index(packet.destination)
                choices.append((chosen, [path.error_count for path in pair.a.association.paths]))
            return True

        pair.network.filters.append(note)
        pair.network.run_for(300)
        assert len(choices) > 5
        assert all(counts[chosen] == min(counts) for chosen, counts in choices)


def test_choosing_a_path_changes_nothing_about_it() -> None:
    """RFC 7829 3.2 (3, 4) and 4.1 (2): "MUST NOT change the state [...] and it MUST NOT clear the error counter"."""
    with ready(Pair(1, paths=2, config=NO_HEARTBEATS)) as pair:
        pair.cut(1)
        pair.cut(2)
        pair.a.send(b"?")
        previous = [0, 0]
        for _ in range(20):
            pair.network.run_for(1)
            counts = [path.error_count for path in pair.a.association.paths]
            assert all(now >= before for now, before in zip(counts, previous, strict=True))
            previous = counts


def test_a_path_asked_for_by_the_user_is_used_while_it_is_good() -> None:
    """RFC 9260 6.4 and RFC 7829 3.2 (3 iii): "explicitly requests to send data to a destination address in PF state,
    the sender SHOULD send the data to an alternate destination address in active state".
    """
    with ready(Pair(1, paths=3)) as pair:
        pair.a.association.send(pair.a.host.now, b"here", remote=pair.b.host.packed[2])
        pair.network.run(lambda: len(pair.b.received) == 1)
        assert went_to(pair) == ["10.0.3.2"]
        pair.cut(3)
        pair.a.association.send(pair.a.host.now, b"there", remote=pair.b.host.packed[2])
        pair.network.run(lambda: len(pair.b.received) == 2)
        pair.network.recording.clear()
        pair.a.association.send(pair.a.host.now, b"anywhere", remote=pair.b.host.packed[2])
        pair.network.run(lambda: len(pair.b.received) == 3)
        assert went_to(pair) == ["10.0.1.2"]


def test_the_user_can_change_the_primary_path() -> None:
    with ready(Pair(1, paths=3)) as pair:
        pair.a.association.set_primary(pair.a.host.now, pair.b.host.packed[1])
        pair.a.send(b"hello")
        pair.drain()
        assert went_to(pair) == ["10.0.2.2"]
        assert [event.what for event in pair.a.events_of(PathChange)] == [CHANGE_PRIMARY]
        with pytest.raises(OSError, match="not an address") as unknown:
            pair.a.association.set_primary(pair.a.host.now, b"\x0a\x09\x09\x09")
        assert unknown.value.errno == errno.EINVAL


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_or_doubled_when_paths_come_and_go(seed: int) -> None:
    config = AssociationConfig(association_max_retrans=50)
    with ready(Pair(seed, paths=3, link=LinkSettings(loss=0.02, jitter=0.02), config=config)) as pair:
        for round_ in range(12):
            pair.network.at(0.7 * round_, partial(pair.cut, round_ % 3 + 1))
            pair.network.at(0.7 * round_ + 1.0, partial(pair.heal, round_ % 3 + 1))
        sent = [b"%d " % number * 300 for number in range(400)]
        for message in sent:
            pair.a.send(message, stream=1)
            pair.b.send(message, stream=2)
        pair.network.run_for(10)
        pair.drain()
        assert pair.b.messages() == sent
        assert pair.a.messages() == sent


# All paths fail


def test_in_the_dormant_state_it_keeps_trying_until_association_max_retrans() -> None:
    """RFC 7829 4.1 (1): "MUST choose one destination and transmit data to this destination address"; RFC 9260 8.1: more
    than Association.Max.Retrans (10) consecutive retransmissions, the HEARTBEATs on the data path included.
    """
    with ready(Pair(1, paths=2, config=NO_HEARTBEATS)) as pair:
        pair.cut(1)
        pair.cut(2)
        pair.a.send(b"?")
        pair.network.run(lambda: pair.a.association.ended, 1000)
        assert went_to(pair) == ["10.0.1.2", "10.0.2.2"] * 5 + ["10.0.1.2"]
        [lost] = pair.a.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ETIMEDOUT, False)
        assert pair.a.association.undelivered() == [(b"?", 0, 0, True, False, None, True)]


def test_a_path_that_comes_back_ends_the_dormant_state() -> None:
    config = AssociationConfig(association_max_retrans=50, path_max_retrans=1, heartbeat_interval=0.0)
    with ready(Pair(1, paths=2, config=config)) as pair:
        pair.cut(1)
        pair.cut(2)
        pair.a.send(b"patience")
        pair.network.run(lambda: states(pair) == [PATH_INACTIVE] * 2, 100)
        pair.network.run_for(100)
        pair.heal(2)
        pair.drain(200)
        assert pair.b.messages() == [b"patience"]


def test_in_the_dormant_state_error_counts_go_on_so_that_the_best_can_be_told() -> None:
    """RFC 7829 4.1 (3): "the sender SHOULD choose the destination in inactive state with the lowest error count";
    counts go up "to some reasonable limit above PMR+1", an order of magnitude.
    """
    config = AssociationConfig(association_max_retrans=1000, path_max_retrans=1, heartbeat_interval=0.0, rto_max=2.0)
    with ready(Pair(1, paths=2, config=config)) as pair:
        pair.cut(1)
        pair.cut(2)
        pair.a.send(b"?")
        pair.network.run_for(200)
        counts = [path.error_count for path in pair.a.association.paths]
        assert min(counts) > 2
        assert max(counts) <= 20


def test_a_single_path_is_tried_until_association_max_retrans_although_it_is_inactive() -> None:
    with ready(Pair(1, config=BY_TIMEOUT)) as pair:
        pair.cut(1)
        pair.a.send(b"?")
        start = pair.network.elapsed
        pair.network.run(lambda: pair.a.association.ended, 1000)
        assert len(went_to(pair)) == 11
        assert told(pair) == [("10.0.1.2", PATH_POTENTIALLY_FAILED), ("10.0.1.2", PATH_INACTIVE)]
        assert pair.network.elapsed - start == pytest.approx(1 + 2 + 4 + 8 + 16 + 32 + 5 * 60)


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_association_max_retrans_can_be_set(limit: int) -> None:
    config = AssociationConfig(loss_recovery="rfc9260", association_max_retrans=limit, heartbeat_interval=0.0)
    with ready(Pair(1, config=config)) as pair:
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run(lambda: pair.a.association.ended, 1000)
        assert len(went_to(pair)) == limit + 1


@pytest.mark.parametrize("paths", [1, 2, 4])
def test_an_idle_association_notices_that_its_peer_is_gone(paths: int) -> None:
    """RFC 9260 8.1: "including the number of unacknowledged HEARTBEAT chunks observed on the path that is currently
    used for data transfer".
    """
    with ready(Pair(1, paths=paths)) as pair:
        pair.b.host.crash()
        pair.network.run(lambda: pair.a.association.ended, 7200)
        [lost] = pair.a.events_of(CommunicationLost)
        assert lost.error == errno.ETIMEDOUT


def test_heartbeats_lost_on_other_paths_do_not_count_against_the_association() -> None:
    """RFC 9260 8.1: "SHOULD NOT increment the association error counter, as this could lead to association closure
    even if the path that is currently used for data transfer is available (but idle)".
    """
    with ready(Pair(1, paths=4, config=AssociationConfig(association_max_retrans=2))) as pair:
        for path in (2, 3, 4):
            pair.cut(path)
        pair.network.run_for(3600)
        assert not pair.a.association.ended
        check_that_data_flows(pair)


def test_an_association_whose_data_never_arrives_ends_though_heartbeats_do() -> None:
    """RFC 9260 8.1: a receiver of HEARTBEAT ACKs "MAY choose not to clear the counter if there is outstanding data"."""
    config = AssociationConfig(loss_recovery="rfc9260", association_max_retrans=3, path_max_retrans=30)
    with ready(Pair(1, paths=2, config=config)) as pair:
        stripped = pair.network.alter("DATA", without_data, times=None)
        pair.a.send(b"never arrives, though HEARTBEATs do")
        pair.network.run_for(100)
        [lost] = pair.a.events_of(CommunicationLost)
        assert lost.error == errno.ETIMEDOUT
        assert len(stripped.packets) == 4  # Once, and Association.Max.Retrans times more.


def without_data(packet: bytes) -> bytes:
    """A packet without its DATA chunks."""
    rest = [chunk(kind, flags, value) for kind, flags, value in chunks(packet) if kind != CHUNK_DATA]
    return finish_packet(packet[:8], b"".join(rest))


def test_an_acknowledgement_clears_the_association_count() -> None:
    """RFC 9260 8.1: "MUST be reset each time a DATA chunk sent to that peer endpoint is acknowledged"."""
    config = AssociationConfig(association_max_retrans=2, heartbeat_interval=0.0)
    with ready(Pair(1, config=config)) as pair:
        for _ in range(10):
            pair.network.drop("DATA", 2)
            pair.a.send(b"third time lucky")
            pair.drain()
        assert not pair.a.association.ended


def test_retransmissions_do_not_go_back_and_forth_when_only_one_direction_fails() -> None:
    """SACKs get through on the failed path, DATA does not."""
    with ready(Pair(1, paths=2)) as pair:
        pair.network.link("10.0.1.1", "10.0.1.2").cut()
        times = arrivals_while(pair, 3.0)
        assert max(later - sooner for sooner, later in pairwise(times)) <= 0.3
        assert pair.b.messages() == [b"%d" % number for number in range(300)]


def test_sacks_find_another_way_when_their_path_is_cut() -> None:
    """A's data gets through on path 1, but nothing comes back there: RFC 9260 6.4 leaves A to retransmit elsewhere, and
    the SACK of a duplicate goes where that came from.
    """
    with ready(Pair(1, paths=2)) as pair:
        pair.network.link("10.0.1.2", "10.0.1.1").cut()
        for number in range(100):
            pair.a.send(b"%d" % number)
        pair.drain(60)
        assert pair.b.messages() == [b"%d" % number for number in range(100)]
