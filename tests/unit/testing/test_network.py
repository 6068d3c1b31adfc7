"""Network and Host: routes, addresses that are cut or refuse, the run loop, determinism."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import Event
from sctpx.core.outputs import Transmit
from sctpx.core.stack import Stack
from sctpx.testing import SECOND, LinkSettings, Packet, SimulationError, pack_address
from sctpx.wire.codes import CHUNK_COOKIE_ECHO, CHUNK_DATA, CHUNK_INIT, CHUNK_INIT_ACK
from tests.unit.testing.fake_stack import A2, B2, A, Arrival, B, FakeStack, sctp, stack_of, two_hosts


def something() -> Event:
    """An event of an association that is no part of any network."""
    endpoint = Stack(lambda size: b"\1" * size, 0).open_endpoint()
    return Event(endpoint.connect(0, [PeerAddress(pack_address(B))], 5000))


def test_a_packet_gets_to_the_host_that_has_the_address() -> None:
    network, a, b = two_hosts()
    a.send(b"hello", to=B2, ecn=2)
    network.run_for(1)
    when = network.clock.start + 10_000_000
    assert b.arrivals == [Arrival(when, pack_address(B2), pack_address(A2), 9899, b"hello", 5, 2)]
    assert network.elapsed == 1.0


def test_a_stack_without_a_preference_sends_from_the_address_nearest_to_the_destination() -> None:
    network, a, b = two_hosts()
    a.send(b"1", to=B)
    a.send(b"2", to=B2)
    a.send(b"3", to=B2, source=A)
    network.run_for(1)
    sources = {arrival.data: arrival.remote for arrival in b.arrivals}
    assert sources == {b"1": pack_address(A), b"2": pack_address(A2), b"3": pack_address(A)}


def test_packets_sent_together_reach_the_stack_as_one_batch() -> None:
    network, a, b = two_hosts()
    a.send(bytes(1000), segment=400)
    network.run_for(1)
    assert [(len(arrival.data), arrival.segment) for arrival in b.arrivals] == [(1000, 400)]


def test_without_batches_packets_come_one_by_one() -> None:
    network, a, b = two_hosts(link=LinkSettings(batches=False))
    a.send(bytes(1000), segment=400)
    network.run_for(1)
    assert [(len(arrival.data), arrival.segment) for arrival in b.arrivals] == [(400, 400), (400, 400), (200, 200)]


def test_after_a_loss_the_survivors_still_form_batches() -> None:
    network, a, b = two_hosts(link=LinkSettings(loss=0.2))
    a.send(bytes(40 * 100), segment=100)
    network.run_for(1)
    [arrival] = b.arrivals
    assert len(arrival.data) == 100 * (40 - network.link(A, B).packets_lost) < 4000


def test_settings_hold_for_the_links_of_an_address_also_for_those_to_come() -> None:
    network, _, _ = two_hosts(link=LinkSettings(delay=0.01))
    assert network.link(A, B).settings.delay == 0.01
    network.set(B, delay=0.2)
    network.set(B2, delay=0.3)
    assert network.link(A, B).settings.delay == 0.2
    assert network.link(B, A).settings.delay == 0.2
    assert network.link(A2, B2).settings.delay == 0.3
    network.set(loss=0.5)
    assert network.link(B2, A2).settings == LinkSettings(delay=0.3, loss=0.5)
    assert network.link(A, A2).settings == LinkSettings(delay=0.01, loss=0.5)
    with pytest.raises(TypeError):
        network.set("10.0.9.9", los=1)


def test_a_link_can_be_cut_in_one_direction() -> None:
    network, a, b = two_hosts()
    network.link(A, B).cut()
    a.send(b"lost")
    b.send(b"not lost", to=A)
    network.run_for(1)
    assert not b.arrivals
    assert len(a.arrivals) == 1


def test_a_cut_address_is_silent_both_ways_and_loses_what_is_under_way() -> None:
    network, a, b = two_hosts()
    a.send(b"under way", to=B2)
    network.run_for(0.005)
    network.cut(B2)
    a.send(b"to it", to=B2)
    b.send(b"from it", to=A2)
    a.send(b"elsewhere", to=B)
    network.run_for(0.005)
    network.heal(B2)
    a.send(b"again", to=B2)
    network.run_for(1)
    assert [arrival.data for arrival in b.arrivals] == [b"elsewhere", b"again"]
    assert not a.arrivals


def test_an_address_that_nobody_has_is_silent() -> None:
    network, a, _ = two_hosts()
    a.send(sctp(CHUNK_INIT), to="10.0.9.9")
    network.run_for(1)
    assert not a.icmps
    assert [packet.fate for packet in network.packets()] == ["no route"]


@pytest.mark.parametrize("error", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENOPROTOOPT])
def test_a_refusing_address_answers_each_packet_with_icmp_that_returns_it(error: int) -> None:
    network, a, b = two_hosts()
    network.refuse(B, error)
    packet = sctp(CHUNK_INIT)
    a.send(packet * 2, segment=len(packet))
    network.run_for(1)
    assert not b.arrivals
    icmp = (network.clock.start + 20_000_000, pack_address(B), 9899, error, packet)
    assert a.icmps == [icmp, icmp]


def test_icmp_returns_as_much_of_a_packet_as_a_router_would_or_as_the_test_says() -> None:
    network, a, _ = two_hosts()
    network.refuse(B)
    a.send(bytes(1400))
    network.run_for(1)
    network.refuse(B, quote=0)
    a.send(bytes(1400))
    network.run_for(1)
    assert [len(icmp.payload) for icmp in a.icmps] == [520, 0]


def test_icmp_is_lost_like_any_packet() -> None:
    network, a, _ = two_hosts()
    network.refuse(B)
    network.link(B, A).cut()
    a.send(b"INIT")
    network.run_for(1)
    assert not a.icmps


def test_icmp_for_a_host_that_is_down_is_lost() -> None:
    network, a, _ = two_hosts()
    network.refuse(B)
    a.send(b"INIT")
    network.run_for(0.015)
    network.hosts["A"].crash()
    network.run_for(1)
    assert not a.icmps
    assert [packet.fate for packet in network.packets()] == ["refused", "cut"]


def test_a_healed_address_answers_no_more_with_icmp() -> None:
    network, a, b = two_hosts()
    network.refuse(B)
    network.heal(B)
    a.send(b"hello")
    network.run_for(1)
    assert len(b.arrivals) == 1


def test_a_udp_port_that_nobody_listens_on_is_refused() -> None:
    network, a, b = two_hosts()
    a.send(b"hello", port=1234)
    network.run_for(1)
    assert not b.arrivals
    assert [(icmp.port, icmp.error) for icmp in a.icmps] == [(1234, errno.ECONNREFUSED)]


def test_a_host_that_speaks_udp_refuses_the_raw_protocol() -> None:
    network, a, _ = two_hosts(udp_port=0)
    network.add_host("C", ["10.0.1.3"])
    a.send(b"hello", to="10.0.1.3", port=0)
    network.run_for(1)
    assert [(icmp.port, icmp.error) for icmp in a.icmps] == [(0, errno.ENOPROTOOPT)]


def test_a_script_can_play_an_address() -> None:
    network, a, _ = two_hosts()
    asked: list[list[str]] = []

    def player(packet: Packet) -> list[bytes]:
        asked.append(packet.chunks)
        return [sctp(CHUNK_INIT_ACK), sctp(CHUNK_INIT_ACK)]

    network.answer("10.0.1.9", player)
    a.send(sctp(CHUNK_INIT), to="10.0.1.9")
    network.run_for(1)
    assert asked == [["INIT"]]
    [arrival] = a.arrivals
    assert (arrival.data, arrival.remote, arrival.port) == (sctp(CHUNK_INIT_ACK) * 2, pack_address("10.0.1.9"), 9899)
    network.assert_ladder(
        """
        A -> INIT -> 10.0.1.9
        10.0.1.9 -> INIT ACK -> A
        10.0.1.9 -> INIT ACK -> A
        """
    )


def test_sending_fails_at_once_where_there_is_no_way() -> None:
    network, a, b = two_hosts()
    host = network.hosts["A"]
    a.send(b"no IPv6 here", to="2001:db8::1")
    a.send(b"not my address", source="10.0.1.77")
    a.send(b"no raw socket", port=0)
    host.fail_sends(B2, errno.EPERM)
    a.send(b"not allowed", to=B2)
    network.run_for(1)
    host.fail_sends(B2, 0)
    a.send(b"allowed", to=B2)
    network.run_for(1)
    assert [error for _, error in a.send_errors] == [
        errno.ENETUNREACH,
        errno.EADDRNOTAVAIL,
        errno.EPROTONOSUPPORT,
        errno.EPERM,
    ]
    assert [arrival.data for arrival in b.arrivals] == [b"allowed"]


def test_a_stack_is_woken_when_it_wants_and_not_before() -> None:
    network, a, _ = two_hosts()
    start = network.clock.start
    a.deadline = start + 3 * SECOND
    network.run_for(1)
    a.deadline = start + 2 * SECOND  # earlier
    network.run_for(0.5)
    assert a.woken == []
    network.run_for(1)
    assert a.woken == [start + 2 * SECOND]
    a.deadline = start + 4 * SECOND
    network.run_for(0.1)
    a.deadline = start + 5 * SECOND  # later
    network.run_for(10)
    assert a.woken == [start + 2 * SECOND, start + 5 * SECOND]


def test_a_deadline_that_has_passed_wakes_the_stack_at_once() -> None:
    network, a, _ = two_hosts()
    a.deadline = network.clock.now - 1
    network.run_for(0)
    assert a.woken == [network.clock.start]


def test_events_are_collected_and_handlers_may_use_any_stack() -> None:
    network, a, b = two_hosts()
    event = something()
    a.pending.append(event)
    network.hosts["A"].handlers.append(lambda event: b.send(b"told", to=A))
    network.run_for(1)
    assert network.hosts["A"].events == [event]
    assert [arrival.data for arrival in a.arrivals] == [b"told"]


def test_answers_leave_as_soon_as_a_packet_was_received() -> None:
    network, a, b = two_hosts()
    b.on_arrival = lambda arrival: b.send(b"pong", to=A)
    a.send(b"ping")
    network.run(lambda: a.arrivals)
    assert network.elapsed == 0.02


def test_functions_can_be_scheduled() -> None:
    network, a, b = two_hosts()
    network.at(2.5, lambda: a.send(b"later"))
    network.run(lambda: b.arrivals)
    assert network.elapsed == 2.51


def test_a_run_that_does_not_get_there_says_so_with_the_seed() -> None:
    network, _, _ = two_hosts(seed=99)
    with pytest.raises(SimulationError, match=r"not reached within 5 s .*seed 99"):
        network.run(lambda: False, seconds=5)
    assert network.elapsed == 5


def test_a_run_that_never_ends_is_stopped() -> None:
    network, a, b = two_hosts()
    a.on_arrival = lambda arrival: a.send(arrival.data)
    b.on_arrival = lambda arrival: b.send(arrival.data, to=A)
    a.send(b"ball")
    with pytest.raises(SimulationError, match="100 steps"):
        network.run_for(3600, steps=100)


def test_a_stack_that_never_comes_to_rest_is_stopped() -> None:
    network, _, _ = two_hosts(record=0)

    class Endless(FakeStack):
        def poll_transmit(self, now: int) -> Transmit | None:
            return Transmit(b"", pack_address(B), 9899, b"again", 5)

    network.make_stack = Endless
    network.hosts["A"].restart()
    with pytest.raises(SimulationError, match="stack of A does not come to rest"):
        network.run_for(1)


def test_a_stack_whose_timeout_never_moves_is_stopped() -> None:
    network, _, _ = two_hosts()

    class Restless(FakeStack):
        def next_timeout(self) -> int:
            return network.clock.start + SECOND

    network.make_stack = Restless
    network.hosts["B"].restart()
    with pytest.raises(SimulationError, match="stack of B does not come to rest: its timeout stays"):
        network.run_for(2)
    assert network.elapsed == 1.0


def test_handlers_must_not_run_the_network() -> None:
    network, a, _ = two_hosts()
    a.pending.append(something())
    network.hosts["A"].handlers.append(lambda event: network.run_for(1))
    with pytest.raises(RuntimeError, match="running already"):
        network.run_for(1)


def test_a_crashed_host_is_silent_until_it_restarts_with_a_new_stack() -> None:
    network, a, b = two_hosts()
    host = network.hosts["B"]
    b.send(b"last words", to=A)
    b.deadline = network.clock.now + SECOND
    host.crash()
    a.send(b"anyone?")
    network.run_for(2)
    assert not a.arrivals
    assert not b.arrivals
    assert not b.woken
    host.restart()
    reborn = stack_of(network, "B")
    assert reborn is not b
    assert reborn.secret != b.secret
    assert reborn.made == network.clock.now
    a.send(b"welcome back")
    network.run_for(1)
    assert [arrival.data for arrival in reborn.arrivals] == [b"welcome back"]
    assert not b.arrivals
    assert host.boots == 2


def test_a_host_that_crashes_over_a_packet_gets_nothing_more() -> None:
    network, a, b = two_hosts()
    b.on_arrival = lambda arrival: network.hosts["B"].crash()
    a.send(b"one")
    a.send(b"longer, so not in the same batch")
    network.run_for(1)
    assert [arrival.data for arrival in b.arrivals] == [b"one"]


def test_a_host_shows_its_name_and_addresses() -> None:
    network, _, _ = two_hosts()
    assert repr(network.hosts["A"]) == "<Host A 10.0.1.1 10.0.2.1>"


def test_the_next_packet_with_a_chunk_can_be_dropped() -> None:
    network, a, _ = two_hosts()
    dropped = network.drop("COOKIE ECHO")
    for _ in range(2):
        a.send(sctp(CHUNK_COOKIE_ECHO, CHUNK_DATA))
        a.send(sctp(CHUNK_INIT))
    network.run_for(1)
    assert [packet.chunks for packet in dropped.packets] == [["COOKIE ECHO", "DATA"]]
    network.assert_ladder(
        """
        A -> COOKIE ECHO, DATA -> lost
        A -> INIT -> B
        A -> COOKIE ECHO, DATA -> B
        A -> INIT -> B
        """
    )
    assert network.filters == []


def test_what_is_dropped_can_be_narrowed_to_addresses_numbers_and_functions() -> None:
    network, a, b = two_hosts()
    network.drop("", times=2, to=B2)
    network.drop(lambda packet: len(packet.data) > 100, times=None, source=A)
    for number in range(3):
        a.send(bytes([number]), to=B2)
        a.send(bytes([number]) * 50)
        a.send(bytes([number]) * 200)
        network.run_for(1)
    assert sorted(arrival.data for arrival in b.arrivals) == [b"\0" * 50, b"\1" * 50, b"\2", b"\2" * 50]


@pytest.mark.parametrize("name", ["COOKIE_ECHO", "cookie echo", "INIT-ACK", "DATA "])
def test_a_name_that_no_chunk_has_is_noticed(name: str) -> None:
    network, _, _ = two_hosts()
    for catch in (network.drop, network.hold):
        with pytest.raises(ValueError, match="no chunk is called"):
            catch(name)
    assert network.filters == []
    network.drop("chunk 200")


def test_held_packets_arrive_after_their_release() -> None:
    network, a, b = two_hosts()
    held = network.hold("INIT", to=B)
    a.send(sctp(CHUNK_INIT, tag=7))
    a.send(sctp(CHUNK_INIT, tag=8))
    network.run_for(5)
    assert not b.arrivals
    held.release(after=1)
    a.send(sctp(CHUNK_INIT, tag=9))
    network.run(lambda: len(b.arrivals) == 1)
    assert network.elapsed == 5.01
    network.run(lambda: len(b.arrivals) == 3)
    assert network.elapsed == 6.01


def test_a_packet_can_be_delayed() -> None:
    network, a, b = two_hosts()
    network.delay("INIT", 0.5)
    a.send(sctp(CHUNK_INIT))
    a.send(sctp(CHUNK_DATA))
    network.run_for(5)
    assert [arrival.data for arrival in b.arrivals] == [sctp(CHUNK_DATA), sctp(CHUNK_INIT)]
    assert b.arrivals[1].now == network.clock.start + 510_000_000


def test_the_bytes_of_a_packet_can_be_altered() -> None:
    network, a, b = two_hosts()
    network.alter("DATA", lambda data: data[::-1])
    a.send(sctp(CHUNK_DATA))
    network.run_for(5)
    assert [arrival.data for arrival in b.arrivals] == [sctp(CHUNK_DATA)[::-1]]


def test_filters_can_play_a_nat() -> None:
    network, a, b = two_hosts()
    outside = pack_address("192.0.2.1")

    def translate(packet: Packet) -> bool:
        if packet.source == pack_address(A):
            packet.source, packet.source_port = outside, 61000
        elif packet.destination == outside and packet.destination_port == 61000:
            packet.destination, packet.destination_port = pack_address(A), 9899
        return True

    network.filters.append(translate)
    b.on_arrival = lambda arrival: b.send(b"answer", to="192.0.2.1", source=B, port=arrival.port)
    a.send(b"question", source=A)
    network.run_for(1)
    assert [(arrival.remote, arrival.port) for arrival in b.arrivals] == [(outside, 61000)]
    assert [(arrival.data, arrival.remote) for arrival in a.arrivals] == [(b"answer", pack_address(B))]


def test_a_catch_can_be_stopped() -> None:
    network, a, b = two_hosts()
    catch = network.hold("INIT")
    catch.stop()
    catch.stop()
    a.send(sctp(CHUNK_INIT))
    network.run_for(1)
    assert len(b.arrivals) == 1
    assert catch.packets == []


def test_icmp_about_a_packet_is_not_that_packet() -> None:
    network, a, _ = two_hosts()
    network.refuse(B)
    network.drop("INIT", source=B)
    a.send(sctp(CHUNK_INIT))
    network.run_for(1)
    assert len(a.icmps) == 1


def test_traces_hear_of_every_packet_once_when_it_is_known_what_became_of_it() -> None:
    network, a, _ = two_hosts()
    heard: list[tuple[float, bytes, str]] = []
    network.traces.append(lambda packet: heard.append((network.elapsed, packet.data, packet.fate)))
    network.cut(B2)
    a.send(b"aabb", segment=2)
    a.send(b"cc", to=B2)
    network.run_for(1)
    assert heard == [(0.01, b"aa", "delivered"), (0.01, b"bb", "delivered"), (0.01, b"cc", "cut")]


def test_a_name_or_an_address_cannot_be_taken_twice() -> None:
    network, _, _ = two_hosts()
    with pytest.raises(ValueError, match="name"):
        network.add_host("A", ["10.0.7.7"])
    with pytest.raises(ValueError, match="another host"):
        network.add_host("C", [A])
    with pytest.raises(ValueError, match="addresses, each once"):
        network.add_host("C", ["10.0.7.7", "10.0.7.7"])
    with pytest.raises(ValueError, match="addresses, each once"):
        network.add_host("C", [])
    with pytest.raises(ValueError, match="does not appear"):
        network.add_host("C", ["somewhere"])
    for name in ("", "two words", "lost"):
        with pytest.raises(ValueError, match="name"):
            network.add_host(name, ["10.0.7.7"])


def test_hosts_with_one_address_are_told_apart_by_their_udp_ports() -> None:
    network, a, b = two_hosts()
    network.add_host("C", [B], 7001)
    c = stack_of(network, "C")
    for port in (7001, 9899, 7002):
        a.send(b"to %d" % port, port=port)
    network.run_for(1)
    assert [[arrival.data for arrival in stack.arrivals] for stack in (b, c)] == [[b"to 9899"], [b"to 7001"]]
    assert len(a.icmps) == 1
    assert [rung.receiver for rung in network.rungs()][:2] == ["C", "B"]
    with pytest.raises(ValueError, match="with that UDP port"):
        network.add_host("D", [B], 7001)


def test_hosts_draw_different_random_bytes() -> None:
    _, a, b = two_hosts()
    assert a.secret != b.secret


def storm(seed: int) -> list[tuple[int, bytes, str, int]]:
    """A run in which everything happens at once."""
    network, a, b = two_hosts(
        seed, LinkSettings(loss=0.1, jitter=0.02, reorder=0.1, duplicate=0.1, rate=1e6, queue=20_000)
    )
    b.on_arrival = lambda arrival: b.send(arrival.data, to=A, segment=arrival.segment)
    for number in range(50):
        a.send(bytes([number]) * 500, segment=100)
    network.run_for(10)
    return [(p.sent - network.clock.start, p.data, p.fate, p.arrived - network.clock.start) for p in network.packets()]


def test_a_run_follows_from_its_seed() -> None:
    assert storm(1) == storm(1)
    assert storm(1) != storm(2)


def test_one_link_draws_the_same_whatever_happens_on_another() -> None:
    def losses(traffic_elsewhere: int) -> list[str]:
        network, a, _ = two_hosts(5, LinkSettings(loss=0.5))
        a.send(bytes(traffic_elsewhere * 10), to=B2, segment=10)
        a.send(bytes(1000), segment=10)
        network.run_for(1)
        return [packet.fate for packet in network.packets() if packet.destination == pack_address(B)]

    assert losses(1) == losses(77)


def test_a_failing_run_tells_its_seed_and_writes_a_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCTPX_CAPTURES", str(tmp_path))
    network, a, _ = two_hosts(seed=4711)
    a.send(sctp(CHUNK_INIT))
    with pytest.raises(SimulationError) as caught, network:
        network.run(lambda: False, seconds=0.5)
    [note] = caught.value.__notes__
    [capture] = tmp_path.iterdir()
    assert "seed 4711, after 0.500000 s" in note
    assert str(capture) in note
    assert "0.000000 A 10.0.1.1 -> INIT -> B 10.0.1.2" in note
    assert capture.stat().st_size > 24


def test_a_run_that_succeeds_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCTPX_CAPTURES", str(tmp_path))
    with two_hosts()[0] as network:
        network.run_for(1)
    assert list(tmp_path.iterdir()) == []


def test_a_ladder_is_not_compared_when_packets_were_forgotten() -> None:
    network, a, _ = two_hosts(record=50)
    for _ in range(10):
        a.send(sctp(CHUNK_INIT))
    network.run_for(1)
    with pytest.raises(SimulationError, match="no longer recorded"):
        network.assert_ladder("...")
