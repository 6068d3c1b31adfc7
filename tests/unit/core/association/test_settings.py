"""What is set for one path, and what the parts of an association make of other parameters: each by itself.

``test_reconfigure`` has every parameter, and what is seen of it from outside.
"""

from __future__ import annotations

from dataclasses import replace
from errno import EINVAL
from typing import Any, Final

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.probe import Probe
from sctpx.core.association.settings import check_switchover
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import PathChange, Writable
from sctpx.core.outputs import DSCP_SHIFT
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.core.stack import Stack
from sctpx.core.timers import NEVER, SECOND
from sctpx.testing import seeded_bytes
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.setup import Setup, parse
from tests.conformance.peer import PEER_TAG, PORT, START, UDP_PORT, Peer

KEPT: Final = (
    "max_retrans",
    "potentially_failed_max_retrans",
    "primary_switchover_max_retrans",
    "encaps_port",
    "probe_timer",
    "discovers",
    "mtu",
    "dscp",
    "flow_label",
    "flowinfo",
    "heartbeat_interval",
    "heartbeat_enabled",
    "heartbeat_deadline",
    "doubtful",
    "state",
    "rto",
)


def configure(peer: Peer, number: int = 1, **what: Any) -> Path:
    """Set something for one path, and let what follows happen at once."""
    path = peer.path(number)
    peer.association.configure_path(peer.now, path.remote, **what)
    peer.settle()
    return path


def change(peer: Peer, **changes: Any) -> None:
    """Set other parameters of the association."""
    peer.association.reconfigure(peer.now, replace(peer.association.config, **changes))
    peer.settle()


def values(path: Path) -> dict[str, Any]:
    return {name: getattr(path, name) for name in KEPT}


# --- one path ---


def test_what_is_left_out_stays_as_it_is() -> None:
    peer = Peer(
        paths=2,
        heartbeat_interval=30.0,
        potentially_failed_max_retrans=2,
        primary_switchover_max_retrans=4,
        dscp=10,
        path_mtu_probe_timer=3.0,
    )
    path = peer.path()
    path.doubtful = True
    before = values(path)
    told = len(peer.events)
    configure(peer)
    assert values(path) == before
    assert len(peer.events) == told
    assert peer.take() == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("max_retrans", "max_retrans"),
        ("potentially_failed_max_retrans", "potentially_failed_max_retrans"),
        ("encaps_port", "encaps_port"),
        ("probe_timer", "probe_timer"),
        ("dscp", "dscp"),
        ("flow_label", "flow_label"),
        ("heartbeat_interval", "heartbeat_interval"),
    ],
)
@pytest.mark.parametrize("value", [0, 5])
def test_any_number_from_0_on_is_set_for_that_path_alone(name: str, field: str, value: int) -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0, path_max_retrans=4, potentially_failed_max_retrans=2)
    other = values(peer.path(2))
    path = configure(peer, **{name: value})
    assert getattr(path, field) == value
    assert values(peer.path(2)) == other


@pytest.mark.parametrize("value", [0, 1, 2])
def test_the_switchover_threshold_is_any_number_from_the_lower_of_the_other_two_on(value: int) -> None:
    """RFC 7829 section 5 (1)."""
    peer = Peer(paths=2, potentially_failed_max_retrans=0, primary_switchover_max_retrans=3)
    assert configure(peer, primary_switchover_max_retrans=value).primary_switchover_max_retrans == value


@pytest.mark.parametrize(
    ("pmr", "pfmr", "psmr", "allowed"),
    [
        (-1, -1, 2, True),
        (-1, -1, 1, False),
        (-1, -1, 0, False),
        (-1, 3, -1, True),
        (-1, 4, -1, False),
        (-1, 0, 0, True),
        (-1, 9, 5, True),
        (-1, 9, 4, False),
        (1, -1, 1, True),
        (1, -1, 0, False),
        (0, -1, 0, True),
        (1, 9, -1, True),
    ],
)
def test_a_primary_path_is_not_left_before_it_has_failed(pmr: int, pfmr: int, psmr: int, allowed: bool) -> None:
    """RFC 7829 section 5 (1): PSMR below PFMR is rejected, and below PMR where no path ever is potentially failed."""
    config = AssociationConfig(path_max_retrans=5, potentially_failed_max_retrans=2, primary_switchover_max_retrans=3)
    path = Path(bytes((10, 0, 1, 2)), b"", 0, config.rules)
    if allowed:
        check_switchover(path, pmr, pfmr, psmr)
        return
    with pytest.raises(OSError, match="before it has failed") as refused:
        check_switchover(path, pmr, pfmr, psmr)
    assert refused.value.errno == EINVAL


def test_a_threshold_below_the_errors_changes_the_state_and_asks_the_path_at_once() -> None:
    """RFC 7829 section 3.2 (5): HEARTBEATs go to a path that is potentially failed."""
    peer = Peer(paths=2, heartbeat_interval=30.0, potentially_failed_max_retrans=3)
    path = peer.path(2)
    path.error_count = 2
    configure(peer, 2, potentially_failed_max_retrans=2)
    assert peer.events_of(PathChange) == []
    configure(peer, 2, potentially_failed_max_retrans=1)
    assert [event.state for event in peer.events_of(PathChange)] == [PATH_POTENTIALLY_FAILED]
    assert path.heartbeat_deadline <= peer.now
    peer.advance(0)
    assert [(packet.path, packet.names) for packet in peer.take()] == [(2, ["HEARTBEAT"])]
    configure(peer, 2, max_retrans=1)
    assert path.state == PATH_INACTIVE


def test_the_thresholds_of_an_association_that_is_over_change_no_state() -> None:
    peer = Peer(paths=2)
    path = peer.path(2)
    path.error_count = 1
    peer.association.abort(peer.now)
    peer.settle()
    told = len(peer.events)
    configure(peer, 2, max_retrans=0, heartbeats=True)
    assert (path.max_retrans, path.state, path.heartbeat_deadline) == (0, PATH_ACTIVE, NEVER)
    assert len(peer.events) == told


def test_another_heartbeat_interval_holds_at_once() -> None:
    """RFC 9260 section 8.3: a HEARTBEAT is due RTO and HB.interval after the last one, within half an RTO."""
    peer = Peer(heartbeat_interval=30.0)
    for seconds in (7, 0, 100):
        path = configure(peer, heartbeat_interval=seconds * SECOND)
        assert abs(path.heartbeat_deadline - peer.now - seconds * SECOND - path.rto) <= path.rto // 2


def test_heartbeats_are_switched_off_and_on_with_the_interval_that_they_had() -> None:
    peer = Peer(heartbeat_interval=30.0)
    path = configure(peer, heartbeats=False)
    assert (path.heartbeat_enabled, path.heartbeat_deadline) == (False, NEVER)
    configure(peer, heartbeats=True)
    assert path.heartbeat_enabled
    assert abs(path.heartbeat_deadline - peer.now - 30 * SECOND - path.rto) <= path.rto // 2


@pytest.mark.parametrize("heartbeats", [True, False])
def test_a_doubt_lasts_while_there_are_heartbeats_that_could_end_it(heartbeats: bool) -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    peer.path().doubtful = True
    assert configure(peer, heartbeats=heartbeats).doubtful is heartbeats


def test_a_primary_path_with_more_errors_than_it_may_have_gives_way_at_once() -> None:
    """RFC 7829 section 5 (2)."""
    peer = Peer(paths=2, primary_switchover_max_retrans=4)
    peer.path().error_count = 2
    configure(peer, primary_switchover_max_retrans=2)
    assert peer.association.primary is peer.path(1)
    configure(peer, primary_switchover_max_retrans=1)
    assert peer.association.primary is peer.path(2)


@pytest.mark.parametrize(
    ("what", "discovers", "mtu"),
    [
        ({"mtu": 800}, False, 800),
        ({"mtu": 0}, False, 1472),
        ({"mtu_discovery": False}, False, 1472),
        ({"mtu_discovery": False, "mtu": 700}, False, 700),
        ({"mtu_discovery": True, "mtu": 700}, True, 1472),
        ({"mtu_discovery": True}, True, 1472),
        ({}, True, 1472),
    ],
)
def test_a_path_has_the_size_that_is_set_or_discovers_it(what: dict[str, Any], discovers: bool, mtu: int) -> None:
    """RFC 6458 section 8.1.12: SPP_PMTUD_DISABLE, and spp_pathmtu for a path that discovers nothing."""
    peer = Peer(link_mtu=1500)
    path = peer.path()
    path.sized = True
    path.set_mtu(1472, 1472)
    configure(peer, **what)
    assert (path.discovers, path.mtu) == (discovers, mtu)


def test_messages_are_cut_for_the_smallest_path_as_soon_as_that_is_set() -> None:
    """RFC 9260 section 7.3."""
    peer = Peer(paths=2, path_mtu_discovery=False, link_mtu=9000)
    assert peer.association.fragmentation_point == 1472 - 28
    configure(peer, 2, mtu=800)
    assert peer.association.fragmentation_point == 800 - 28
    configure(peer, 2, mtu_discovery=True)  # Nothing is known of this path now.
    assert peer.association.fragmentation_point == 1472 - 28


def test_a_path_without_udp_has_room_for_eight_bytes_more() -> None:
    """RFC 6951 section 5.6."""
    peer = Peer()
    configure(peer, encaps_port=0)
    assert peer.association.fragmentation_point == 1480 - 28


def test_the_marks_of_a_path_stand_before_those_of_the_association() -> None:
    peer = Peer(paths=2, dscp=46)
    assert configure(peer, dscp=10).flowinfo == 10 << DSCP_SHIFT
    assert configure(peer, dscp=0).flowinfo == 0
    change(peer, dscp=8)
    assert [path.flowinfo >> DSCP_SHIFT for path in peer.association.paths] == [0, 8]


# --- timeouts ---


@pytest.mark.parametrize(
    ("srtt", "rto", "expected"), [(0, 1.0, 3.0), (0, 4.0, 4.0), (SECOND // 5, 1.0, 1.0), (1, 1.0, 1.0)]
)
def test_rto_initial_holds_for_a_path_that_has_neither_measured_nor_timed_out(
    srtt: int, rto: float, expected: float
) -> None:
    """RFC 9260 section 6.3.1, rule C1."""
    peer = Peer()
    path = peer.path()
    path.srtt, path.rto = srtt, round(rto * SECOND)
    change(peer, rto_initial=3.0)
    assert path.rto == expected * SECOND


@pytest.mark.parametrize(
    ("changes", "expected"), [({"rto_min": 2.0, "rto_initial": 2.0}, 2.0), ({"rto_max": 1.0}, 1.0)]
)
def test_rto_min_and_rto_max_hold_at_once(changes: dict[str, float], expected: float) -> None:
    """RFC 9260 section 6.3.1, rules C6 and C7."""
    peer = Peer()
    peer.path().srtt = SECOND // 5
    peer.path().rto = round(1.5 * SECOND)
    change(peer, **changes)
    assert peer.path().rto == expected * SECOND


@pytest.mark.parametrize("name", ["t3_deadline", "heartbeat_timeout", "errors_pause"])
@pytest.mark.parametrize(("before", "after"), [(50, 2), (1, 1)])
def test_what_waits_for_an_rto_waits_no_longer_than_it_is_now(name: str, before: int, after: int) -> None:
    peer = Peer()
    path = peer.path()
    path.rto = 60 * SECOND
    setattr(path, name, peer.now + before * SECOND)
    change(peer, rto_max=2.0)
    assert getattr(path, name) == peer.now + after * SECOND


def test_timers_that_do_not_run_are_not_started() -> None:
    peer = Peer(paths=2)
    peer.shutdown()
    assert peer.association.tcb.closing is not None
    peer.association.tcb.closing.t2_deadline = NEVER
    change(peer, rto_max=2.0)
    assert peer.association.tcb.closing.t2_deadline == NEVER
    assert {(path.t3_deadline, path.heartbeat_timeout) for path in peer.association.paths} == {(NEVER, NEVER)}


@pytest.mark.parametrize(("before", "after"), [(50, 2), (1, 1)])
def test_t2_shutdown_waits_no_longer_than_the_rto_is_now(before: int, after: int) -> None:
    peer = Peer()
    peer.shutdown()
    closing = peer.association.tcb.closing
    assert closing is not None
    closing.t2_deadline = peer.now + before * SECOND
    peer.path().rto = 60 * SECOND
    change(peer, rto_max=2.0)
    assert closing.t2_deadline == peer.now + after * SECOND


def opening() -> tuple[Stack, Association]:
    """A COOKIE ECHO has left, and is not answered."""
    stack = Stack(seeded_bytes(1), START)
    remote, local = bytes((10, 0, 1, 2)), bytes((10, 0, 1, 1))
    association = stack.open_endpoint(PORT, [local], AssociationConfig()).connect(
        START, [PeerAddress(remote, UDP_PORT)], PORT
    )
    init = stack.poll_transmit(START)
    assert init is not None
    answer = Setup(PEER_TAG, 1 << 16, 1, 1, 7)
    answer.cookie = b"cookie"
    tag = parse(init.data[16:]).initiate_tag
    stack.receive(
        START, local, remote, UDP_PORT, finish_packet(prefix(PORT, PORT, tag), answer.encode(ack=True)), 1 << 16
    )
    while stack.poll_transmit(START) is not None:
        pass
    return stack, association


@pytest.mark.parametrize(("before", "after"), [(50, 2), (1, 1), (None, None)])
def test_t1_cookie_waits_no_longer_than_the_rto_is_now(before: int | None, after: int | None) -> None:
    _, association = opening()
    begun = association.tcb.opening
    assert begun is not None
    begun.t1_cookie_deadline = NEVER if before is None else START + before * SECOND
    association.paths[0].rto = 60 * SECOND
    association.reconfigure(START, replace(association.config, rto_max=2.0))
    assert begun.t1_cookie_deadline == (NEVER if after is None else START + after * SECOND)


@pytest.mark.parametrize(
    ("interval", "deadline", "expected"),
    [(40, 30, (2, 2)), (40, 1, (2, 1)), (1, 30, (1, 1)), (40, None, (2, None)), (0, 30, (0, 30))],
)
def test_zero_window_probes_wait_no_longer_than_rto_max(
    interval: int, deadline: int | None, expected: tuple[int, int | None]
) -> None:
    """RFC 9260 section 6.1 A: the interval grows up to RTO.Max. The first probe waits for something else."""
    peer = Peer()
    probe = peer.association.tcb.probe = Probe()
    probe.interval = interval * SECOND
    probe.deadline = NEVER if deadline is None else peer.now + deadline * SECOND
    change(peer, rto_max=2.0)
    seconds = None if probe.deadline == NEVER else (probe.deadline - peer.now) // SECOND
    assert (probe.interval // SECOND, seconds) == expected


@pytest.mark.parametrize(("before", "after"), [(50, 2), (1, 1)])
def test_heartbeats_that_are_too_many_wait_no_longer_than_the_shortest_rto(before: int, after: int) -> None:
    """RFC 9260 section 16: HB.Max.Burst is counted for an RTO."""
    peer = Peer(paths=2)
    for path, seconds in zip(peer.association.paths, (2, 9), strict=True):
        path.srtt, path.rto = SECOND, seconds * SECOND
    tcb = peer.association.tcb
    tcb.heartbeat_window = peer.now + before * SECOND
    change(peer, rto_max=30.0)
    assert tcb.heartbeat_window == peer.now + after * SECOND


# --- the association ---


def test_a_path_keeps_its_own_while_the_associations_parameter_stays() -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    path = configure(
        peer,
        2,
        heartbeat_interval=7 * SECOND,
        max_retrans=8,
        potentially_failed_max_retrans=4,
        primary_switchover_max_retrans=6,
        probe_timer=9 * SECOND,
        mtu=800,
    )
    kept = values(path)
    change(peer, sack_delay=0.1)
    assert values(path) == kept


def test_heartbeats_of_all_paths_follow_the_associations_interval() -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    configure(peer, 2, heartbeats=False)
    for interval, expected in ((0.0, (False, 30 * SECOND)), (1e-9, (True, 1)), (5.0, (True, 5 * SECOND))):
        change(peer, heartbeat_interval=interval)
        found = {(path.heartbeat_enabled, path.heartbeat_interval) for path in peer.association.paths}
        assert found == {expected}  # The interval is kept, for a path that is switched on by itself.


@pytest.mark.parametrize("sent", [1, 2])
def test_a_larger_send_buffer_wakes_who_waits_for_room_if_it_has_some(sent: int) -> None:
    peer = Peer()
    peer.send(*[1000] * sent)
    peer.association.want_writable()
    change(peer, send_buffer=peer.association.tcb.buffered)
    assert peer.events_of(Writable) == []
    change(peer, send_buffer=peer.association.tcb.buffered + 1)
    assert len(peer.events_of(Writable)) == 1
    change(peer, send_buffer=1 << 20)
    assert len(peer.events_of(Writable)) == 1


def test_nobody_is_told_of_room_who_did_not_ask() -> None:
    peer = Peer()
    change(peer, send_buffer=1 << 24)
    assert peer.events_of(Writable) == []


def test_nobody_is_told_of_room_once_the_association_is_over() -> None:
    peer = Peer()
    peer.send(1000)
    peer.association.want_writable()
    peer.association.abort(peer.now)
    change(peer, send_buffer=1 << 24, loss_recovery="rack", rto_initial=3.0)
    assert peer.events_of(Writable) == []
    assert peer.path().rto == SECOND
