"""HEARTBEATs: their rhythm, what they measure, and who must answer (RFC 9260 section 8.3)."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from sctpx.core.association.state import COOKIE_ECHOED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationUp
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import LinkSettings, Pair
from sctpx.wire import control
from sctpx.wire.tlv import chunk, item
from tests.sim.scripted import Scripted
from tests.sweeps import some


def heartbeats(pair: Pair, to: str) -> list[float]:
    """When A sent HEARTBEATs to an address."""
    return [
        (packet.sent - pair.network.clock.start) / 1e9
        for packet in pair.network.packets()
        if "HEARTBEAT" in packet.chunks and packet.destination_text == to
    ]


@pytest.mark.parametrize("interval", [5.0, 30.0, 100.0])
def test_an_idle_address_sees_one_every_rto_and_interval_give_or_take_half_an_rto(interval: float) -> None:
    """RFC 9260 8.3: "once per RTO of that destination address plus the protocol parameter 'HB.interval', with
    jittering of +/- 50% of the RTO value".
    """
    with Pair(1, config=AssociationConfig(heartbeat_interval=interval)).connect() as pair:
        pair.network.run_for(200 * interval)
        gaps = [later - sooner for sooner, later in pairwise(heartbeats(pair, "10.0.1.2"))]
        assert len(gaps) > 100
        assert min(gaps) >= interval + 0.5 - 0.03
        assert max(gaps) <= interval + 1.5 + 0.03
        assert max(gaps) - min(gaps) > 0.8
        assert sum(gaps) / len(gaps) == pytest.approx(interval + 1.0, abs=0.1)


def test_all_idle_addresses_have_their_rhythm() -> None:
    """RFC 9260 8.3: "Only one heartbeat SHOULD be sent each time the heartbeat timer expires (if multiple
    destinations are idle)".
    """
    with Pair(1, paths=4).connect() as pair:
        pair.network.run_for(3600)
        for address in pair.b.host.addresses:
            assert len(heartbeats(pair, address)) == pytest.approx(3600 / 31, abs=6)
        times = sorted(time for address in pair.b.host.addresses for time in heartbeats(pair, address))
        assert all(later - sooner >= 0.99 for sooner, later in pairwise(times))


def test_an_address_that_carries_data_sees_none() -> None:
    """RFC 9260 8.3: "considered "idle" if no new chunk that can be used for updating path RTT [...] has been sent to
    it within the current heartbeat period".
    """
    with Pair(1, paths=2).connect() as pair:
        for second in range(300):
            pair.network.at(second, lambda: pair.a.send(b"busy"))
        pair.network.run_for(300)
        assert heartbeats(pair, "10.0.1.2") == []
        assert len(heartbeats(pair, "10.0.2.2")) >= 8


def test_it_sees_the_first_one_a_period_after_the_last_data() -> None:
    with Pair(1).connect() as pair:
        pair.network.run_for(20)
        pair.a.send(b"last")
        sent = pair.network.elapsed
        pair.network.run_for(35)
        [first] = heartbeats(pair, "10.0.1.2")
        assert 30.5 - 0.03 <= first - sent <= 31.5 + 0.03


def test_an_unanswered_one_doubles_the_rto_in_the_rhythm() -> None:
    """RFC 9260 8.3: "and exponential backoff of the RTO if the previous HEARTBEAT chunk is unanswered": RTO goes up
    to RTO.Max, 60 s, so an inactive address sees one every 30 + 60 s, give or take 30.
    """
    with Pair(1, paths=2).connect() as pair:
        pair.cut(2)
        pair.network.run_for(6000)
        assert pair.a.association.paths[1].state == PATH_INACTIVE
        gaps = [later - sooner for sooner, later in pairwise(heartbeats(pair, "10.0.2.2"))][10:]
        assert len(gaps) > 30
        assert min(gaps) >= 60 - 0.03
        assert max(gaps) <= 120 + 1.03  # HB.Max.Burst may add a second.


def test_a_dead_address_does_not_hold_up_the_heartbeats_of_the_others() -> None:
    """HB.Max.Burst counts in a short RTO, not in the minute that the RTO of a dead address has come to."""
    with Pair(1, paths=3).connect() as pair:
        pair.cut(3)
        pair.network.run(lambda: pair.a.association.paths[2].rto == 60_000_000_000, 1000)
        for _ in range(10):
            pair.network.recording.clear()
            pair.network.run(lambda: heartbeats(pair, "10.0.3.2"), 200)
            pair.cut(1)
            pair.a.send(b"?")
            pair.network.run(lambda: pair.a.association.paths[0].state == PATH_POTENTIALLY_FAILED)
            pair.heal(1)
            pair.network.run(lambda: pair.a.association.paths[0].state == PATH_ACTIVE, 2.1)


def test_a_potentially_failed_address_sees_one_per_rto_whatever_the_interval() -> None:
    """RFC 7829 3.2 (5): "The HB.Interval [...] MUST be ignored for destination addresses in PF state. Instead,
    HEARTBEAT chunks are sent [...] once per RTO".
    """
    config = AssociationConfig(heartbeat_interval=1000.0, loss_recovery="rfc9260")
    with Pair(1, paths=2, config=config).connect() as pair:
        pair.network.run_for(1)
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run(lambda: pair.a.association.paths[0].state == PATH_INACTIVE, 200)
        gaps = [later - sooner for sooner, later in pairwise(heartbeats(pair, "10.0.1.2"))]
        assert gaps == pytest.approx([2, 4, 8, 16], abs=0.01)


def test_switched_off_there_are_none_not_even_in_the_potentially_failed_state() -> None:
    """RFC 7829 3.2 (5): "if the Path Heartbeat function is disabled for the destination address in question,
    HEARTBEATs MUST NOT be sent".
    """
    with Pair(1, paths=2, config=AssociationConfig(heartbeat_interval=0.0)).connect() as pair:
        pair.network.run_for(1)
        pair.cut(1)
        pair.a.send(b"?")
        pair.network.run_for(500)
        assert pair.a.association.paths[0].state == PATH_POTENTIALLY_FAILED
        assert heartbeats(pair, "10.0.1.2") == heartbeats(pair, "10.0.2.2") == []


def test_switched_off_addresses_are_verified_all_the_same() -> None:
    """RFC 9260 5.4 knows no exception."""
    with Pair(1, paths=3, config=AssociationConfig(heartbeat_interval=0.0)).connect() as pair:
        pair.network.run_for(5)
        assert all(path.confirmed for path in pair.b.association.paths)
        pair.network.recording.clear()
        pair.network.run_for(1000)
        assert pair.network.ladder() == ""


def test_the_answer_measures_the_round_trip() -> None:
    """RFC 9260 8.3: "SHOULD also perform an RTT measurement for that destination transport address"; rules C2 and C3
    of section 6.3.1.
    """
    config = AssociationConfig(rto_min=0.05, heartbeat_interval=1.0)
    with Pair(1, paths=2, config=config, link=LinkSettings(delay=0.1)).connect() as pair:
        pair.set_path(2, delay=0.25)
        pair.network.run_for(100)
        first, second = pair.a.association.paths
        assert first.srtt == pytest.approx(0.2e9, rel=0.01)
        assert second.srtt == pytest.approx(0.5e9, rel=0.01)
        assert first.rto == pytest.approx(0.2e9, rel=0.1)


def test_who_answers_cannot_forge_the_round_trip() -> None:
    """Nothing in the Heartbeat Info is a time: it is opaque to the peer."""
    with Scripted() as lab:
        lab.up_incoming()
        lab.network.run(lambda: any("HEARTBEAT" in packet.chunks for packet in lab.heard), 40)
        info = control.parse_heartbeat_info(lab.chunk("HEARTBEAT"))
        assert len(info) == 8 + 4


def test_the_user_can_ask_for_one() -> None:
    """Section 11.1.10."""
    with Pair(1, paths=2).connect() as pair:
        pair.network.run_for(1)
        pair.network.recording.clear()
        pair.a.association.request_heartbeat(pair.a.host.now, pair.b.host.packed[1])
        pair.network.run_for(1)
        pair.network.assert_ladder(
            """
            A 10.0.2.1 -> HEARTBEAT -> B 10.0.2.2
            B 10.0.2.2 -> HEARTBEAT ACK -> A 10.0.2.1
            """
        )
        with pytest.raises(OSError, match="not an address") as unknown:
            pair.a.association.request_heartbeat(pair.a.host.now, b"\x0a\x09\x09\x09")
        assert unknown.value.errno == errno.EINVAL


# Answering


def test_the_answer_copies_everything_unchanged() -> None:
    """RFC 9260 8.3: "contains the Heartbeat Information TLV, together with any other received TLVs, copied
    unchanged".
    """
    with Scripted() as lab:
        lab.up_outgoing()
        value = item(1, b"12345") + item(0x9999, b"what?") + item(0x1234, b"more")
        lab.ask(chunk(4, 0, value))
        assert lab.chunk("HEARTBEAT ACK") == value


def test_it_goes_back_to_where_the_heartbeat_came_from() -> None:
    """Section 6.4: "to the same destination transport address from which it received the control chunk"."""
    with Scripted(paths=3) as lab:
        lab.up_outgoing(addresses=list(lab.p.packed))
        for address in lab.p.addresses:
            lab.ask(control.heartbeat(b"?"), source=address)
            assert lab.heard[-1].destination_text == address


@pytest.mark.parametrize("size", [0, 1, 1000, 1440])
def test_a_heartbeat_of_any_size_is_answered(size: int) -> None:
    """RFC 9260 section 3.3.6."""
    with Scripted() as lab:
        lab.up_outgoing()
        assert len(lab.ask(control.heartbeat(bytes(size)))) == 1


def test_it_must_be_answered_from_cookie_echoed_on() -> None:
    """RFC 9260 8.3: "MUST respond to a HEARTBEAT chunk with a HEARTBEAT ACK chunk after entering the COOKIE-ECHOED
    state (sender of the INIT chunk)".
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert association.state == COOKIE_ECHOED
        assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]


def test_not_before() -> None:
    with Scripted() as lab:
        lab.connect()
        assert lab.ask(control.heartbeat(b"?")) == []


@pytest.mark.parametrize("asks", [True, False])
def test_and_until_the_shutdown_is_sent_or_acknowledged(asks: bool) -> None:
    """RFC 9260 8.3: "up until reaching the SHUTDOWN-SENT state [...] or the SHUTDOWN-ACK-SENT state": in
    SHUTDOWN-PENDING and SHUTDOWN-RECEIVED it must.
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        association.send(lab.a.now, b"not acknowledged")
        if asks:
            association.shutdown(lab.a.now)
        else:
            lab.ask(control.shutdown(lab.a_tsn - 1))
        assert "P: HEARTBEAT ACK Heartbeat Info (1 byte)" in lab.ask(control.heartbeat(b"?"))


@pytest.mark.parametrize("hours", some([4], [24]))
@pytest.mark.parametrize("paths", [1, 3])
def test_heartbeats_alone_cost_nothing_but_packets(paths: int, hours: int) -> None:
    """Hours of idling: no events, no errors, no growth."""
    with Pair(1, paths=paths).connect() as pair:
        pair.network.run_for(100)
        seen = len(pair.a.host.events) + len(pair.b.host.events)
        pair.network.run_for(hours * 3600)
        assert len(pair.a.host.events) + len(pair.b.host.events) == seen
        assert [path.error_count for path in pair.a.association.paths] == [0] * paths
        assert len(pair.a.events_of(CommunicationUp)) == 1
