"""``Association.reconfigure``: every parameter holds from then on, as if it had been so from the beginning.

One entry for each field of ``AssociationConfig``: what must be seen when it is set on an association that lives.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import (
    CHANGE_CONFIRMED,
    RECONFIG_DENIED,
    RECONFIG_DONE,
    AssociationReset,
    CannotStart,
    CommunicationLost,
    PathChange,
    StreamsAdded,
    StreamsReset,
    Writable,
)
from sctpx.core.overhead import MESSAGE
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.core.rules import NO_SWITCHOVER
from sctpx.testing import SECOND, LinkSettings, Network, Pair
from sctpx.wire import control
from tests.sim.scripted import Scripted, return_by_icmp

CHECKS: Final[dict[str, Callable[[], None]]] = {}
NEGOTIATED: Final = {
    "streams",
    "max_inbound_streams",
    "attempt_delay",
    "interleaving",
    "partial_reliability",
    "stream_reconfiguration",
    "authentication",
    "authenticated_chunks",
    "hmac_algorithms",
    "shared_keys",
    "active_key",
    "address_reconfiguration",
    "unauthenticated_asconf",
    "adaptation_layer",
    "auto_asconf",  # Asked for by ``sockapi.local_addresses`` whenever the host's addresses change.
    "deactivated_keys",
    "ecn",
    "error_detection_method",
    "expose_potentially_failed",  # Looked at by ``sockapi.status`` whenever something is told.
}
"""What stays: the peer was told, or the attempt has begun."""


def of(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter a function into the table: it checks this field."""

    def enter(check: Callable[[], None]) -> Callable[[], None]:
        CHECKS[name] = check
        return check

    return enter


def change(network: Network, association: Association, **changes: Any) -> None:
    """Set other parameters now, and let what follows happen at once."""
    association.reconfigure(network.clock.now, replace(association.config, **changes))
    network.run_for(0)


def change_a(pair: Pair, **changes: Any) -> None:
    change(pair.network, pair.a.association, **changes)


def first_path(pair: Pair) -> Path:
    return pair.a.association.paths[0]


def sent(pair: Pair, name: str) -> list[float]:
    """When A sent packets with a chunk of this name, seconds."""
    return [rung.time for rung in pair.network.rungs() if rung.sender == "A" and name in rung.chunks]


def backed_off(seconds: float) -> Pair:
    """A has sent into a cut network for so long."""
    pair = Pair(1, config=AssociationConfig(loss_recovery="rfc9260")).connect()
    pair.cut(1)
    pair.a.send(b"lost")
    pair.network.run_for(seconds)
    return pair


def check_ends_after(pair: Pair, seconds: float, since: float) -> None:
    """A's association ends so many seconds after that time."""
    pair.network.run(lambda: pair.a.association.ended, 4000)
    assert pair.network.elapsed - since == pytest.approx(seconds, abs=0.05)


@of("rto_initial")
def a_path_that_was_never_measured() -> None:
    with Pair(1, paths=2).connect() as pair:
        measured, other = pair.a.association.paths
        change_a(pair, rto_initial=3.0)
        assert (measured.rto, other.rto) == (SECOND, 3 * SECOND)


@of("rto_min")
def the_rto_of_a_path_that_was_measured() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, rto_initial=2.5, rto_min=2.5)
        assert first_path(pair).rto == 2.5 * SECOND
        change_a(pair, rto_initial=1.0, rto_min=0.1)
        pair.a.send(b"measured anew")
        pair.drain()
        assert first_path(pair).rto < SECOND


@of("rto_max")
def the_rto_and_the_timer_of_a_path_that_has_backed_off() -> None:
    with backed_off(20) as pair:
        assert first_path(pair).rto > 10 * SECOND
        change_a(pair, rto_max=2.0)
        assert first_path(pair).rto == 2 * SECOND
        before = len(sent(pair, "DATA"))
        pair.network.run_for(6.1)
        assert len(sent(pair, "DATA")) - before == 3


@of("max_burst")
def what_leaves_in_the_next_round() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, max_burst=1)
        pair.a.send(bytes(6000))
        pair.network.run_for(0)
        assert len(sent(pair, "DATA")) == 1


@of("loss_recovery")
def how_soon_the_loss_of_the_last_packet_is_mended() -> None:
    with Pair(1).connect() as pair:
        for loss_recovery, seconds in (("rfc9260", 1.0), ("rack", 0.25), ("rfc9260", 1.0)):
            change_a(pair, loss_recovery=loss_recovery)
            pair.network.drop("DATA")
            pair.a.send(b"lost at first")
            begin, count = pair.network.elapsed, len(pair.b.received)
            pair.run(lambda count=count: len(pair.b.received) > count)  # type: ignore[misc]
            assert pair.network.elapsed - begin == pytest.approx(seconds, abs=0.1)
            # What was in flight when it changed is judged the new way from then on.
            pair.network.drop("DATA")
            pair.a.send(b"lost while it changes")
            change_a(pair, loss_recovery="rack" if loss_recovery == "rfc9260" else "rfc9260")
            pair.drain()
            pair.a.send(b"measured")  # Before the next probe.
            pair.drain()


@of("association_max_retrans")
def when_the_peer_is_given_up() -> None:
    with backed_off(4) as pair:
        change_a(pair, association_max_retrans=3)
        check_ends_after(pair, 1 + 2 + 4 + 8, pair.network.elapsed - 4)


@of("path_max_retrans")
def the_state_that_errors_call_for() -> None:
    with backed_off(8) as pair:
        assert first_path(pair).state == PATH_POTENTIALLY_FAILED
        for limit, state in ((2, PATH_INACTIVE), (9, PATH_POTENTIALLY_FAILED)):
            change_a(pair, path_max_retrans=limit)
            assert first_path(pair).max_retrans == limit
            assert pair.a.events_of(PathChange)[-1].state == first_path(pair).state == state


@of("potentially_failed_max_retrans")
def the_state_that_fewer_errors_call_for() -> None:
    with backed_off(8) as pair:
        for limit, state in ((4, PATH_ACTIVE), (1, PATH_POTENTIALLY_FAILED)):
            change_a(pair, potentially_failed_max_retrans=limit)
            assert pair.a.events_of(PathChange)[-1].state == first_path(pair).state == state


@of("primary_switchover_max_retrans")
def which_path_is_primary() -> None:
    with Pair(1, paths=2).connect() as pair:
        pair.cut(1)
        pair.a.send(b"goes by the other path")
        pair.drain()
        pair.network.run_for(1.5)  # The HEARTBEAT beside the tail loss probe is not answered for an RTO.
        for limit in (4, 0):
            assert pair.a.association.primary is first_path(pair)
            change_a(pair, primary_switchover_max_retrans=limit)
        assert pair.a.association.primary is pair.a.association.paths[1]
        change_a(pair, primary_switchover_max_retrans=None)
        assert first_path(pair).primary_switchover_max_retrans == NO_SWITCHOVER


def starting(config: AssociationConfig | None = None) -> Pair:
    """A asks an address that is silent."""
    pair = Pair(1, config=config)
    pair.cut(1)
    pair.a.connect(pair.b)
    pair.network.run_for(2)
    return pair


def check_fails_after(pair: Pair, seconds: float) -> None:
    pair.network.run(lambda: pair.a.events_of(CannotStart), 4000)
    assert pair.network.elapsed == pytest.approx(seconds, abs=0.001)


@of("max_init_retransmits")
def how_often_an_attempt_that_runs_asks() -> None:
    with starting() as pair:
        change_a(pair, max_init_retransmits=3)
        check_fails_after(pair, 1 + 2 + 4 + 8)


@of("max_init_timeout")
def how_long_an_attempt_that_runs_waits() -> None:
    with starting(AssociationConfig(max_init_retransmits=3)) as pair:
        change_a(pair, max_init_timeout=0.5)
        check_fails_after(pair, 2 + 0.5 + 0.5 + 0.5)


@of("connect_timeout")
def how_long_an_attempt_that_runs_may_take() -> None:
    with starting() as pair:
        change_a(pair, connect_timeout=5.0)
        check_fails_after(pair, 5)


@of("heartbeat_interval")
def when_the_next_heartbeat_leaves() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, heartbeat_interval=2.0)
        pair.network.run_for(10)
        assert 2 <= len(sent(pair, "HEARTBEAT")) <= 4
        change_a(pair, heartbeat_interval=0.0)
        before = len(sent(pair, "HEARTBEAT"))
        pair.network.run_for(100)
        assert len(sent(pair, "HEARTBEAT")) == before
        change_a(pair, heartbeat_interval=30.0)
        pair.network.run_for(70)
        assert len(sent(pair, "HEARTBEAT")) > before


@of("heartbeat_max_burst")
def how_fast_addresses_are_verified() -> None:
    with Pair(1, paths=5) as pair:
        pair.b.endpoint.listen()
        association = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], 5000)
        pair.network.run(lambda: pair.a.host.events)
        change(pair.network, association, heartbeat_max_burst=4)
        pair.network.run_for(1.5)
        assert len([event for event in pair.a.events_of(PathChange) if event.what == CHANGE_CONFIRMED]) == 4


@of("sack_delay")
def a_sack_that_is_being_delayed() -> None:
    with Pair(1, config=AssociationConfig(sack_delay=0.5)).connect() as pair:
        for _ in range(2):  # The first DATA is acknowledged at once.
            pair.b.send(b"data")
            pair.network.run_for(0.1)
        assert len(sent(pair, "SACK")) == 1
        change_a(pair, sack_delay=0.0)
        assert len(sent(pair, "SACK")) == 2


@of("stretch_sack")
def how_many_packets_a_sack_is_for() -> None:
    with Pair(1, link=LinkSettings(delay=0.01)).connect() as pair:
        shares = []
        for stretch in (False, True, False):
            change_a(pair, stretch_sack=stretch)
            received, sacks = pair.a.association.stats.packets_received, pair.a.association.stats.sacks_sent
            for _ in range(64):
                pair.b.send(bytes(1 << 16))
            pair.drain()
            stats = pair.a.association.stats
            shares.append((stats.packets_received - received) / (stats.sacks_sent - sacks))
        assert [round(share) == 2 for share in shares] == [True, False, True]


@of("nodelay")
def a_small_message_that_waits_for_an_acknowledgement() -> None:
    with Pair(1, config=AssociationConfig(nodelay=False)).connect() as pair:
        for message in (b"first", b"second"):
            pair.a.send(message)
            pair.network.run_for(0.001)
        assert len(sent(pair, "DATA")) == 1
        change_a(pair, nodelay=True)
        assert len(sent(pair, "DATA")) == 2


@of("cookie_life")
def how_long_the_cookie_for_a_restart_holds() -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        change(lab.network, association, cookie_life=0.5)
        lab.ask(lab.init(initiate_tag=0x12121212), tag=0)
        lab.network.run_for(1)
        assert "Stale Cookie" in lab.ask(control.cookie_echo(lab.cookie()))[0]


@of("shutdown_guard")
def when_a_shutdown_that_runs_is_given_up() -> None:
    # T5-shutdown-guard is five times RTO.Max, also of one that is set later (section 9.2), unless it is set itself.
    for changes, end in (({"rto_max": 4.0}, 20), ({"shutdown_guard": 9.0}, 9), ({"shutdown_guard": 400.0}, 400)):
        with Pair(1, config=AssociationConfig(association_max_retrans=1000)).connect() as pair:
            pair.network.drop("SHUTDOWN", times=None)
            pair.a.association.shutdown(pair.a.host.now)
            since = pair.network.elapsed
            pair.network.run_for(3)
            change_a(pair, **changes)
            check_ends_after(pair, end, since)
            assert pair.a.events_of(CommunicationLost)[0].error == errno.ETIMEDOUT


@of("drain_guard")
def how_long_a_graceful_end_waits_for_progress() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        lab.answers["DATA"] = lambda value: [lab.sack(0, 0)]
        association.send(lab.a.now, b"not taken")
        association.shutdown(lab.a.now)
        since = lab.network.elapsed
        lab.network.run_for(5)
        change(lab.network, association, drain_guard=70.0)
        lab.network.run(lambda: association.ended, 4000)
        assert lab.network.elapsed - since == pytest.approx(70, abs=1)
        assert lab.events_of(CommunicationLost)[0].error == errno.ETIMEDOUT


@of("on_restart")
def what_a_restart_of_the_peer_does() -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        change(lab.network, association, on_restart="end")
        lab.ask(lab.init(initiate_tag=0x12121212), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        assert [lost.restarted for lost in lab.events_of(CommunicationLost)] == [True]


@of("on_protocol_unreachable")
def what_a_host_without_sctp_does() -> None:
    with Scripted(udp_port=0) as lab:
        association = lab.up_outgoing()
        change(lab.network, association, on_protocol_unreachable="continue")
        return_by_icmp(lab.network, lab.heard[-1], errno.ENOPROTOOPT)
        lab.network.run_for(0.015)
        assert not association.ended


@of("receive_buffer")
def the_window_that_the_peer_is_told() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, receive_buffer=4 << 20)
        pair.b.send(b"data")
        pair.drain()
        assert pair.b.association.peer_rwnd > 3 << 20


@of("send_buffer")
def a_writer_that_waits_for_room() -> None:
    with backed_off(0) as pair:
        change_a(pair, send_buffer=4 + MESSAGE)
        pair.a.association.want_writable()
        pair.network.run_for(0)
        assert (pair.a.association.send_space, pair.a.events_of(Writable)) == (0, [])
        change_a(pair, send_buffer=1000)
        assert pair.a.association.send_space == 996 - MESSAGE
        assert len(pair.a.events_of(Writable)) == 1


@of("max_message_size")
def which_messages_are_taken() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, max_message_size=10)
        with pytest.raises(OSError, match="11 bytes") as refused:
            pair.a.association.send(pair.a.host.now, bytes(11))
        assert refused.value.errno == errno.EMSGSIZE


def queue_two_streams(pair: Pair) -> None:
    """While nothing can leave, two messages on stream 0 and one on stream 1."""
    pair.cut(1)
    pair.a.send(bytes(20_000))
    pair.network.run_for(0)
    for stream in (0, 0, 1):
        pair.a.send(b"%d" % stream, stream=stream)


def streams_in_order(pair: Pair) -> list[int]:
    """The streams of what arrives once the path works again."""
    pair.heal(1)
    pair.drain()
    return [message.stream for message in pair.b.received][1:]


@of("scheduler")
def which_stream_sends_next() -> None:
    for scheduler, expected in (("fcfs", [0, 0, 1]), ("rr", [1, 0, 0])):
        with Pair(1).connect() as pair:
            queue_two_streams(pair)
            change_a(pair, scheduler=scheduler)
            assert streams_in_order(pair) == expected


@of("congestion")
def what_a_loss_leaves_of_the_window() -> None:
    with Pair(1, paths=2).connect() as pair:
        for congestion, left in (("cubic", 70), ("newreno", 50)):
            paths = pair.a.association.paths
            for path in paths:
                path.controller.cwnd = 100 * path.pmdcs
            change_a(pair, congestion=congestion)
            for path in paths:
                path.controller.on_loss()
            assert [path.cwnd for path in paths] == [left * path.pmdcs for path in paths]


@of("stream_values")
def which_stream_has_priority() -> None:
    with Pair(1, config=AssociationConfig(scheduler="prio")).connect() as pair:
        queue_two_streams(pair)
        change_a(pair, stream_values=((0, 1),))
        assert streams_in_order(pair) == [1, 0, 0]


@of("mtu")
def the_largest_packet() -> None:
    with Pair(1, paths=2).connect() as pair:
        paths = pair.a.association.paths
        pair.a.association.configure_path(pair.a.host.now, paths[1].remote, mtu=800)
        for mtu, sizes in ((1000, [972, 800]), (700, [672, 672]), (1500, [1472, 1472])):
            change_a(pair, mtu=mtu)
            assert [path.mtu for path in paths] == sizes
            assert pair.a.association.fragmentation_point == min(sizes) - 28
        change_a(pair, mtu=600)
        pair.a.send(bytes(5000))
        pair.drain()
        assert max([len(packet.data) for packet in pair.network.packets()]) == 572


@of("path_mtu_discovery")
def whether_the_path_mtu_is_discovered() -> None:
    with Pair(1, mtu=9000, link=LinkSettings(mtu=9000)).connect() as pair:
        path = first_path(pair)
        change_a(pair, path_mtu_discovery=False)
        pair.a.send(bytes(20_000))
        pair.drain()
        assert (path.mtu, path.whole, pair.a.association.stats.path_mtu_probes_sent) == (1472, 0, 0)
        change_a(pair, path_mtu_discovery=True)
        pair.a.send(bytes(20_000))
        pair.drain()
        assert (path.mtu, path.whole) == (8972, 8972)


@of("path_mtu_probe_timer")
def how_long_a_probe_is_waited_for() -> None:
    with Pair(1, mtu=9000).connect() as pair:
        change_a(pair, path_mtu_probe_timer=5.0)
        begin = pair.network.elapsed
        pair.a.send(bytes(20_000))
        pair.network.run(lambda: pair.a.association.stats.path_mtu_probes_lost)
        assert 5.0 <= pair.network.elapsed - begin < 5.1


@of("max_segment")
def the_largest_chunk() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, max_segment=500)
        assert pair.a.association.fragmentation_point == 500


@of("partial_delivery_point")
def a_message_of_which_a_part_is_there() -> None:
    with Pair(1).connect() as pair:
        held = pair.network.hold("DATA")
        pair.b.send(bytes(6000))
        pair.network.run_for(0.1)
        assert pair.a.received == []
        held.packets[0].release()
        pair.network.run_for(0.1)
        change_a(pair, partial_delivery_point=1000)
        assert [(len(part.data) > 1000, part.more) for part in pair.a.received] == [(True, True)]


@of("dscp")
def the_mark_of_packets() -> None:
    with Pair(1).connect() as pair:
        change_a(pair, dscp=46)
        pair.a.send(b"marked")
        pair.drain()
        assert [packet.dscp for packet in pair.network.packets() if packet.chunks == ["DATA"]] == [46]


@of("flow_label")
def the_flow_label_of_packets() -> None:
    with Pair(1, ipv6=True).connect() as pair:
        change_a(pair, flow_label=0x12345)
        pair.a.send(b"labelled")
        pair.drain()
        assert [packet.flow_label for packet in pair.network.packets() if packet.chunks == ["DATA"]] == [0x12345]


def reconfiguration_of_b(ask: Callable[[Association, int], None], kind: Any, **allowed: Any) -> list[int]:
    """What became of two requests of A: one before B had these parameters, and one afterwards."""
    with Pair(1).connect() as pair:
        for changes in ({}, allowed):
            pair.b.association.reconfigure(pair.b.host.now, replace(pair.b.association.config, **changes))
            ask(pair.a.association, pair.a.host.now)
            pair.network.run_for(31)
        return [event.result for event in pair.a.events_of(kind)]


@of("allow_stream_reset")
def _() -> None:
    found = reconfiguration_of_b(
        lambda association, now: association.reset_streams(now, outgoing=True), StreamsReset, allow_stream_reset=True
    )
    assert found == [RECONFIG_DENIED, RECONFIG_DONE]


@of("allow_association_reset")
def _() -> None:
    found = reconfiguration_of_b(
        lambda association, now: association.reset_association(now), AssociationReset, allow_association_reset=True
    )
    assert found == [RECONFIG_DENIED, RECONFIG_DONE]


@of("allow_added_streams")
def _() -> None:
    found = reconfiguration_of_b(
        lambda association, now: association.add_streams(now, 1), StreamsAdded, allow_added_streams=True
    )
    assert found == [RECONFIG_DENIED, RECONFIG_DONE]


@of("max_outbound_streams")
def _() -> None:
    found = reconfiguration_of_b(
        lambda association, now: association.add_streams(now, 0, 1),
        StreamsAdded,
        allow_added_streams=True,
        max_outbound_streams=10,
    )
    assert found == [RECONFIG_DENIED, RECONFIG_DENIED]


@pytest.mark.parametrize("name", [field.name for field in fields(AssociationConfig)])
def test_what_is_set_on_an_association_that_lives_holds_from_then_on(name: str) -> None:
    if name not in NEGOTIATED:
        CHECKS[name]()


def test_what_was_set_for_one_path_stays_when_other_parameters_change() -> None:
    with Pair(1, paths=2).connect() as pair:
        association, (path, other) = pair.a.association, pair.a.association.paths
        association.configure_path(
            pair.a.host.now, path.remote, heartbeat_interval=7, max_retrans=8, potentially_failed_max_retrans=1, mtu=600
        )
        change_a(pair, sack_delay=0.1)
        kept = (path.heartbeat_interval, path.max_retrans, path.potentially_failed_max_retrans, path.mtu)
        assert kept == (7, 8, 1, 600)
        change_a(pair, path_max_retrans=3)
        assert (path.max_retrans, other.max_retrans, path.heartbeat_interval) == (3, 3, 7)


def test_a_paths_own_switchover_threshold_rises_with_what_it_must_not_be_below() -> None:
    """RFC 7829 section 5 (1): PSMR is at least PFMR."""
    with Pair(1, paths=2).connect() as pair:
        association, (path, other) = pair.a.association, pair.a.association.paths
        association.configure_path(pair.a.host.now, path.remote, primary_switchover_max_retrans=1)
        change_a(pair, sack_delay=0.1)
        assert path.primary_switchover_max_retrans == 1
        change_a(pair, potentially_failed_max_retrans=3)
        assert (path.primary_switchover_max_retrans, other.primary_switchover_max_retrans) == (3, NO_SWITCHOVER)


def test_switching_heartbeats_off_ends_a_doubt_that_only_they_could_end() -> None:
    with Pair(1, paths=2).connect() as pair:
        pair.cut(1)
        pair.a.send(b"goes by the other path in the end")
        pair.network.run(lambda: first_path(pair).doubtful)
        pair.a.association.configure_path(pair.a.host.now, first_path(pair).remote, heartbeats=False)
        assert not first_path(pair).doubtful


def test_an_association_that_is_over_takes_other_parameters_and_does_nothing() -> None:
    with backed_off(8) as pair:
        pair.a.association.abort(pair.a.host.now)
        pair.network.run_for(1)
        before = len(pair.a.host.events)
        change_a(pair, path_max_retrans=0, heartbeat_interval=1.0, receive_buffer=4096, send_buffer=1 << 24)
        pair.network.run_for(100)
        assert len(pair.a.host.events) == before
        assert pair.a.association.config.path_max_retrans == 0


def test_candidates_that_were_not_asked_yet_begin_with_the_new_rto_initial() -> None:
    with Pair(1, paths=2, config=AssociationConfig(attempt_delay=3.0, max_init_retransmits=1)) as pair:
        pair.cut(1)
        pair.cut(2)
        remotes = [PeerAddress(ip, 9899) for ip in pair.b.host.packed]
        association = pair.a.endpoint.connect(pair.a.host.now, remotes, 5000)
        pair.network.run_for(0.5)
        change(pair.network, association, rto_initial=2.0)
        pair.network.run(lambda: association.ended, 100)
        to_second = [rung.time for rung in pair.network.rungs() if rung.destination == "10.0.2.2"]
        assert to_second == pytest.approx([3, 5])
