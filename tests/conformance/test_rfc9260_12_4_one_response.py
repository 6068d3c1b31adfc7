"""RFC 9260 section 12.4: one packet draws one packet, however many chunks it has; with sections 5.4 and 6.4, which say
where that goes, and the size of an INIT ACK.
"""

from __future__ import annotations

import pytest

from sctpx.core.association.state import COOKIE_ECHOED, SHUTDOWN_ACK_SENT, SHUTDOWN_RECEIVED, SHUTDOWN_SENT
from sctpx.core.association.tcb import MAX_CONTROL
from sctpx.core.events import RemoteError
from sctpx.wire import control
from sctpx.wire.tlv import chunk, item
from tests.conformance.peer import Peer
from tests.sim.scripted import Scripted
from tests.sim.states import bring_to

UNKNOWN = chunk(0xC1, 0, b"what?")
"""A chunk of a type nobody knows, which must be reported."""


@pytest.mark.parametrize("count", [2, 20, 300])
def test_several_shutdown_acks_before_it_is_up_draw_one_shutdown_complete(count: int) -> None:
    with Scripted() as lab:
        bring_to(lab, COOKIE_ECHOED)
        assert lab.ask(*[control.shutdown_ack()] * count) == ["A: SHUTDOWN COMPLETE T"]


def test_a_shutdown_ack_behind_a_heartbeat_before_it_is_up_draws_no_second_packet() -> None:
    with Scripted() as lab:
        bring_to(lab, COOKIE_ECHOED)
        assert lab.ask(control.heartbeat(b"?"), control.shutdown_ack()) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]
        assert lab.ask(control.shutdown_ack(), control.heartbeat(b"?")) == ["A: SHUTDOWN COMPLETE T"]


@pytest.mark.parametrize("count", [2, 20, 150])
def test_several_shutdowns_draw_one_shutdown_ack(count: int) -> None:
    with Scripted() as lab:
        bring_to(lab, SHUTDOWN_SENT)
        assert lab.ask(*[control.shutdown(lab.a_tsn - 1)] * count) == ["P: SHUTDOWN ACK"]
        assert lab.ask(*[control.shutdown(lab.a_tsn - 1)] * count) == ["P: SHUTDOWN ACK"]


def test_shutdowns_and_heartbeats_by_turns_draw_one_packet() -> None:
    with Scripted() as lab:
        bring_to(lab, SHUTDOWN_ACK_SENT)
        [answer] = lab.ask(*[control.shutdown(lab.a_tsn - 1), control.heartbeat(bytes(40))] * 20)
        assert answer.count("HEARTBEAT ACK") > 10


@pytest.mark.parametrize("state", [SHUTDOWN_SENT, SHUTDOWN_ACK_SENT])
def test_what_a_packet_from_another_path_calls_for_leaves_in_one_packet_to_there(state: int) -> None:
    """Section 6.4: "An endpoint SHOULD transmit reply chunks [...] to the same destination transport address from which
    it received the control chunk to which it is replying"."""
    with Scripted(paths=2) as lab:
        bring_to(lab, state)
        association = next(iter(lab.endpoint.associations.values()))
        for path in association.paths:
            path.confirmed = True
        before = len(lab.heard)
        lab.ask(control.heartbeat(b"?"), control.shutdown(lab.a_tsn - 1), source="10.0.1.2")
        assert [packet.chunks for packet in lab.heard[before:]] == [["HEARTBEAT ACK", "SHUTDOWN ACK"]]


def test_replies_go_to_where_the_shutdown_came_from() -> None:
    peer = Peer(paths=2)
    peer.deliver(control.heartbeat(b"?"), UNKNOWN, peer.shutdown_chunk(0), path=2)
    [packet] = peer.take()
    assert (packet.path, packet.names) == (2, ["HEARTBEAT ACK", "ERROR", "SHUTDOWN ACK"])
    peer.deliver(peer.shutdown_chunk(0), path=1)
    peer.deliver(peer.shutdown_chunk(0), path=2)
    assert [(packet.path, packet.names) for packet in peer.take()] == [(1, ["SHUTDOWN ACK"]), (2, ["SHUTDOWN ACK"])]


def test_in_shutdown_sent_too() -> None:
    peer = Peer(paths=2)
    peer.shutdown()
    peer.take()
    peer.deliver(peer.data(1), path=2)
    peer.deliver(control.heartbeat(b"?"), peer.shutdown_chunk(0), path=2)
    assert [(packet.path, packet.names) for packet in peer.take()] == [
        (2, ["SHUTDOWN"]),
        (2, ["HEARTBEAT ACK", "SHUTDOWN ACK"]),
    ]


def test_a_shutdown_ack_that_had_to_wait_goes_where_the_last_acknowledgement_came_from() -> None:
    peer = Peer(paths=2)
    peer.send(100)
    peer.take()
    peer.deliver(peer.shutdown_chunk(0), path=2)
    assert peer.association.state == SHUTDOWN_RECEIVED
    peer.sack(1, path=2)
    assert [(packet.path, packet.names) for packet in peer.take()] == [(2, ["SHUTDOWN ACK"])]


def test_from_an_unconfirmed_address_only_what_may_go_there_is_answered() -> None:
    """Section 5.4 sends an ERROR elsewhere than the HEARTBEAT ACK: that would be a second packet."""
    with Scripted(paths=2) as lab:
        lab.up_incoming(addresses=list(lab.p.packed))
        lab.network.run_for(0.02)
        before = len(lab.heard)
        lab.ask(control.heartbeat(b"?"), UNKNOWN, source="10.0.2.2", seconds=0.02)
        lab.ask(UNKNOWN, control.heartbeat(b"?"), source="10.0.2.2", seconds=0.02)
        assert [(packet.chunks, packet.destination_text) for packet in lab.heard[before:]] == [
            (["HEARTBEAT ACK"], "10.0.2.2"),
            (["ERROR"], "10.0.1.2"),
        ]


def test_what_is_behind_a_cookie_echo_is_answered_with_the_cookie_ack_or_not_at_all() -> None:
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        cookie = control.cookie_echo(lab.cookie())
        lab.ask(cookie, control.heartbeat(bytes(600)), control.heartbeat(bytes(600)), UNKNOWN)
        [answer] = [packet.chunks for packet in lab.heard if "COOKIE ACK" in packet.chunks]
        assert answer == ["COOKIE ACK", "HEARTBEAT ACK", "HEARTBEAT ACK", "ERROR"]
        heard = len(lab.heard)
        lab.network.set(fragment=True)
        lab.ask(cookie, *[control.heartbeat(bytes(1000))] * 20)
        assert [packet.chunks for packet in lab.heard[heard:]] == [["COOKIE ACK", "HEARTBEAT ACK"]]


@pytest.mark.parametrize("count", [1, 50, 300])
def test_an_init_ack_reports_no_more_than_fits_one_packet(count: int) -> None:
    """Section 12.4: "MAY [...] elect to omit some or all of the 'Unrecognized Parameter' parameters to reduce the size
    of the INIT ACK chunk"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.network.set(fragment=True)
        init = lab.init()
        value = init[4:] + item(0xC0FF, b"") * count
        [answer] = lab.ask(chunk(1, 0, value), tag=0)
        assert answer.startswith("P: INIT ACK")
        assert len(lab.heard[-1].data) <= 1500 - 28
        assert b"\xc0\xff\0\4" in lab.chunk("INIT ACK")


def test_the_errors_of_a_packet_are_told_together() -> None:
    """Section 3.3.10: an ERROR "contains one or more error causes"; one without any says nothing."""
    peer = Peer()
    peer.deliver(*[control.error([])] * 100)
    assert peer.events_of(RemoteError) == []
    assert peer.association.stats.packets_discarded == 100
    peer.deliver(*[control.error([(1, bytes(4))])] * 100)
    [event] = peer.events_of(RemoteError)
    assert event.causes == [(1, bytes(4))] * 100


def test_answers_that_wait_while_the_link_is_slower_than_the_peer_are_bounded() -> None:
    peer = Peer()
    beat = peer.packet(control.heartbeat(bytes(1000)))
    peer.deliver_burst(beat * 2000, len(beat))
    assert 0 < len(peer.take()) <= MAX_CONTROL
    assert peer.association.stats.packets_discarded >= 2000 - MAX_CONTROL
