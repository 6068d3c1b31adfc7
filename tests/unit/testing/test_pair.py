"""Pair and Side, over the real stack."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, CommunicationUp, ShutdownComplete
from sctpx.testing import LinkSettings, Pair, Received, SimulationError


def test_a_pair_is_two_hosts_with_an_address_for_each_path() -> None:
    pair = Pair(paths=3)
    assert pair.a.host.addresses == ("10.0.1.1", "10.0.2.1", "10.0.3.1")
    assert pair.b.host.addresses == ("10.0.1.2", "10.0.2.2", "10.0.3.2")
    assert Pair(ipv6=True, paths=2).b.host.addresses == ("2001:db8:1::2", "2001:db8:2::2")
    assert Pair(a=["192.0.2.1"]).a.host.addresses == ("192.0.2.1",)


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("udp_port", [9899, 0])
@pytest.mark.parametrize("paths", [1, 2])
def test_connect_brings_both_sides_up(ipv6: bool, udp_port: int, paths: int) -> None:
    with Pair(1, paths=paths, ipv6=ipv6, udp_port=udp_port).connect() as pair:
        [up_a], [up_b] = pair.a.events_of(CommunicationUp), pair.b.events_of(CommunicationUp)
        assert up_a.association is pair.a.association
        assert up_b.association is pair.b.association
        assert (up_a.incoming, up_b.incoming) == (False, True)
        assert len(pair.a.association.paths) == len(pair.b.association.paths) == paths


def test_messages_of_both_sides_arrive_whole() -> None:
    with Pair(1, link=LinkSettings(loss=0.05)).connect() as pair:
        messages = [bytes([number]) * (number * 1000) for number in range(1, 60)]
        for message in messages:
            pair.a.send(message, stream=1, ppid=7)
            pair.b.send(message, stream=2, unordered=True)
        pair.drain()
        assert pair.b.messages() == pair.b.messages(stream=1) == messages
        assert sorted(pair.a.messages(stream=2)) == messages
        assert pair.a.messages(stream=1) == []
        assert {message.ppid for message in pair.b.received} == {7}
        assert all(message.unordered for message in pair.a.received)


def test_more_is_sent_than_the_send_buffer_holds() -> None:
    with Pair(1, config=AssociationConfig(send_buffer=10_000)).connect() as pair:
        for _ in range(50):
            pair.a.send(bytes(5000))
        assert not pair.a.is_dry
        pair.drain()
        assert pair.a.is_dry
        assert len(pair.b.received) == 50


def test_a_side_can_be_told_not_to_read() -> None:
    with Pair(1).connect() as pair:
        pair.b.reading = False
        pair.a.send(b"wait")
        pair.drain()
        assert pair.b.received == []
        pair.b.read()
        assert pair.b.messages() == [b"wait"]


def test_parts_of_a_message_make_one() -> None:
    side = Pair(1).b
    more = 2
    side.received += [
        Received(b"one, ", 1, 0, 0, 1, more),
        Received(b"whole", 2, 0, 0, 2, 0),
        Received(b"two, ", 1, 0, 0, 3, more),
        Received(b"three", 1, 0, 0, 4, 0),
        Received(b"begun", 3, 0, 0, 5, more),
    ]
    assert side.received[0].more
    assert side.messages() == [b"whole", b"one, two, three"]
    assert side.messages(stream=1) == [b"one, two, three"]


def test_a_cut_path_is_mended_by_healing_it() -> None:
    with Pair(1, paths=2).connect() as pair:
        pair.cut(1)
        pair.cut(2)
        pair.a.send(b"in vain")
        pair.network.run_for(0.5)
        assert not pair.b.received
        pair.heal(1)
        pair.drain()
        assert pair.b.messages() == [b"in vain"]


def test_a_single_homed_host_takes_part_in_every_path() -> None:
    pair = Pair(a=["10.0.0.1"], b=["10.0.1.2", "10.0.2.2"])
    assert pair.addresses(1) == ["10.0.1.2"]
    assert pair.addresses(2) == ["10.0.2.2"]
    assert Pair(paths=2).addresses(2) == ["10.0.2.1", "10.0.2.2"]


def test_a_path_that_is_none_cannot_be_cut() -> None:
    for path in (0, 3):
        with pytest.raises(ValueError, match=f"no path {path}: there are 2"):
            Pair(paths=2).cut(path)


def test_the_only_path_has_the_addresses_of_both_hosts() -> None:
    assert Pair().addresses(1) == ["10.0.1.1", "10.0.1.2"]


def test_a_path_has_settings_of_its_own() -> None:
    pair = Pair(paths=2)
    pair.set_path(2, delay=0.2)
    assert pair.network.link("10.0.2.1", "10.0.2.2").settings.delay == 0.2
    assert pair.network.link("10.0.1.1", "10.0.1.2").settings.delay == 0.01


def test_shutdown_ends_both_sides() -> None:
    with Pair(1).connect() as pair:
        pair.shutdown()
        assert pair.a.events_of(ShutdownComplete)
        assert pair.b.events_of(ShutdownComplete)


def test_a_failed_connect_says_why() -> None:
    pair = Pair(1)
    pair.network.refuse("10.0.1.2")
    with pytest.raises(SimulationError, match="A: CannotStart ECONNREFUSED"):
        pair.connect()


def test_a_lost_association_says_so_at_once() -> None:
    with Pair(1).connect() as pair:
        pair.a.send(b"never to arrive")
        pair.b.association.abort(pair.network.clock.now, b"enough")
        with pytest.raises(SimulationError, match="B: CommunicationLost ECONNABORTED"):
            pair.drain()
        pair.network.run_for(1)
        [lost] = pair.a.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ECONNRESET, True)
        assert pair.a.failure.startswith("A: CommunicationLost ECONNRESET")


def test_there_is_no_association_before_there_is_one() -> None:
    with pytest.raises(SimulationError, match="A has no association"):
        Pair().a.send(b"too early")
