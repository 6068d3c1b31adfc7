"""State Cookies: stale, forged, foreign, of an old secret (RFC 9260 sections 5.1.3 to 5.1.5 and 5.2.6)."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationUp, RemoteError
from sctpx.testing import LinkSettings, Pair
from sctpx.wire import control
from sctpx.wire.packet import chunks, finish_packet
from sctpx.wire.setup import parse
from tests.sim.connectx import attempt, check_that_data_flows, failure
from tests.sim.scripted import Scripted

SHORT = AssociationConfig(cookie_life=1.0)


def cookie_of(lab: Scripted) -> bytes:
    """A fresh cookie of A."""
    lab.ask(lab.init(), tag=0)
    return lab.cookie()


def listening(seed: int = 1, paths: int = 1, config: AssociationConfig | None = None) -> Scripted:
    """A listens."""
    lab = Scripted(seed, paths=paths, config=config)
    lab.endpoint.listen()
    return lab


# Stale cookies


def test_a_stale_cookie_draws_an_error_with_its_staleness_and_no_association() -> None:
    """RFC 9260 5.1.5, 4: "the endpoint MUST transmit an ERROR chunk with a "Stale Cookie" error cause"; 3.3.10.3: the
    staleness in microseconds.
    """
    with listening(config=SHORT) as lab:
        cookie = cookie_of(lab)
        lab.network.run_for(1.0)
        [told] = lab.ask(control.cookie_echo(cookie), lab.data())
        # Made 10 ms after the INIT was sent, 40 ms before that second began; 10 ms on the way.
        assert told == "P: ERROR Stale Cookie (50000 us)"
        assert lab.endpoint.associations == {}
        assert lab.a.stack.stats.cookies_stale == 1


def test_a_cookie_is_good_until_the_last_moment_of_its_life() -> None:
    with listening(config=SHORT) as lab:
        cookie = cookie_of(lab)
        lab.network.run_for(0.95)
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]


@pytest.mark.parametrize(("asked", "given"), [(500, 0.5), (60_000, 60.0), (4_000_000_000, 60.0)])
def test_a_cookie_preservative_lengthens_its_life_by_a_minute_at_most(asked: int, given: float) -> None:
    """RFC 9260 3.3.2.1.3: the receiver "MAY choose to ignore the suggested cookie life span increase"."""
    with listening(config=SHORT) as lab:
        lab.ask(lab.init(cookie_preservative=asked), tag=0)
        cookie = lab.cookie()
        lab.network.run_for(0.9 + given)
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]
    with listening(config=SHORT) as lab:
        lab.ask(lab.init(cookie_preservative=asked), tag=0)
        cookie = lab.cookie()
        lab.network.run_for(1.0 + given)
        assert lab.ask(control.cookie_echo(cookie)) == ["P: ERROR Stale Cookie (50000 us)"]


def test_the_initiator_asks_for_the_round_trip_and_a_second_more() -> None:
    """RFC 9260 5.2.6, alternative 3: "SHOULD use the RTT information measured based on the previous COOKIE ECHO/ERROR
    chunk exchange and SHOULD add no more than 1 second beyond the measured RTT".
    """
    plain = AssociationConfig(partial_reliability=False, stream_reconfiguration=False)
    hasty = AssociationConfig(cookie_life=0.2)
    with Pair(1, link=LinkSettings(delay=0.15), config=plain, b_config=hasty) as pair:
        assert attempt(pair) == pytest.approx(4 * 0.3)
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> INIT ACK -> A
            A -> COOKIE ECHO -> B
            B -> ERROR Stale Cookie (100000 us) -> A
            A -> INIT Cookie Preservative (1300 ms) -> B
            B -> INIT ACK -> A
            A -> COOKIE ECHO -> B
            B -> COOKIE ACK -> A
            """
        )
        first, second = [packet for packet in pair.network.packets() if packet.chunks == ["INIT"]]
        tags = [parse(chunks(packet.data)[0][2]).initiate_tag for packet in (first, second)]
        assert tags[0] == tags[1]
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)


def test_a_cookie_that_is_always_stale_is_given_up() -> None:
    """RFC 9260 5.2.6, alternative 2."""
    with Pair(1, b_config=AssociationConfig(cookie_life=0.01)) as pair:
        pair.network.alter("INIT", without_preservative, times=None)
        attempt(pair)
        assert failure(pair) == errno.ETIMEDOUT
        assert sum(packet.chunks == ["COOKIE ECHO"] for packet in pair.network.packets()) == 3


def without_preservative(packet: bytes) -> bytes:
    """The INIT with its Cookie Preservative turned into a parameter that is to be skipped."""
    return finish_packet(packet[:8], packet[12:].replace(b"\x00\x09\x00\x08", b"\x80\x01\x00\x08"))


def test_a_stale_cookie_error_in_any_other_state_is_discarded() -> None:
    """RFC 9260 5.2.6: "if the association is not in the COOKIE-ECHOED state, the ERROR chunk SHOULD be silently
    discarded".
    """
    stale = control.error([(3, b"\0\0\0\1")])
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert lab.ask(stale) == []
        assert not association.ended
        assert lab.events_of(RemoteError) == []
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(stale) == []
        assert not association.ended


def test_after_a_stale_cookie_the_address_that_answered_is_asked_first() -> None:
    with Pair(1, paths=3, b_config=AssociationConfig(cookie_life=0.5)) as pair:
        pair.cut(1)
        pair.network.delay("COOKIE ECHO", 0.6)
        attempt(pair)
        asked = [packet.destination_text for packet in pair.network.packets() if packet.chunks == ["INIT"]]
        assert asked == ["10.0.1.2", "10.0.2.2", "10.0.2.2"]
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)
        pair.heal(1)
        pair.network.run_for(5)
        assert pair.a.association.primary is pair.a.association.paths[0]  # The caller's first address (CX10).


def test_a_cookie_of_ours_that_comes_after_a_stale_one_is_a_collision_with_an_unknown_peer() -> None:
    """Back in COOKIE-WAIT, the peer's tag is not known any more: table 12, our tag matches, the peer's is 0: action
    B.
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        lab.ask(lab.init(), tag=0)
        cookie = lab.cookie()
        [again] = lab.ask(control.error([(3, b"\0\0\0\1")]))
        assert again.startswith("0: INIT tag")
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED


def test_an_attempt_can_be_aborted_after_a_stale_cookie() -> None:
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        lab.ask(control.error([(3, b"\0\0\0\1")]))
        association.abort(lab.a.now)
        assert lab.listen_for(100) == []
        assert association.ended


def test_a_stale_cookie_of_an_address_that_nobody_listed_is_given_up() -> None:
    """The INIT can only go to addresses that the user gave us, and the peer has none of them any more."""
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.say(lab.init_ack(), source="10.0.2.2")
        lab.network.run_for(0.05)
        assert lab.ask(control.error([(3, b"\0\0\0\1")]), source="10.0.2.2") == []
        assert association.ended


# Cookies that A did not make


def test_a_cookie_with_any_byte_changed_is_silently_discarded() -> None:
    """RFC 9260 5.1.5, 2: "If this comparison fails, the SCTP packet [...] MUST be silently discarded"."""
    with listening() as lab:
        cookie = cookie_of(lab)
        for place in range(len(cookie)):
            forged = bytearray(cookie)
            forged[place] ^= 0x01
            lab.say(control.cookie_echo(bytes(forged)), lab.data(tsn=1))
        assert lab.listen_for(0.1) == []
        assert lab.endpoint.associations == {}
        assert lab.a.stack.stats.cookies_rejected == len(cookie)
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]


@pytest.mark.parametrize("length", [0, 1, 4, 16, 32, 33, 54, 55])
def test_a_cookie_of_any_other_length_is_silently_discarded(length: int) -> None:
    with listening() as lab:
        cookie = cookie_of(lab)
        assert lab.ask(control.cookie_echo(cookie[:length])) == []
        assert lab.ask(control.cookie_echo((cookie * 3)[:length])) == []
        assert lab.ask(control.cookie_echo(bytes(length))) == []
        assert lab.ask(control.cookie_echo(cookie + b"\0")) == []
        assert lab.endpoint.associations == {}


def test_the_cookie_of_another_stack_is_silently_discarded() -> None:
    """Also of the same host, after it was restarted."""
    with listening(seed=1) as lab, listening(seed=2) as other:
        foreign = cookie_of(other)
        cookie_of(lab)
        assert lab.ask(control.cookie_echo(foreign), tag=other.a_tag) == []
        own = cookie_of(lab)
        lab.a.restart()
        lab.a.open_endpoint(5000).listen()
        assert lab.ask(control.cookie_echo(own)) == []


def test_a_cookie_in_a_packet_of_other_ports_or_another_tag_is_silently_discarded() -> None:
    """RFC 9260 5.1.5, 3: "If these values do not match, the packet MUST be silently discarded"."""
    with listening() as lab:
        other = lab.a.open_endpoint(5001)
        other.listen()
        echo = control.cookie_echo(cookie_of(lab))
        assert lab.ask(echo, tag=0x11111111) == []
        assert lab.ask(echo, port=5001) == []
        assert lab.ask(echo, a_port=5001) == []
        assert lab.endpoint.associations == other.associations == {}
        assert lab.a.stack.stats.cookies_rejected == 3


def test_a_cookie_from_another_address_makes_an_association_with_the_addresses_it_names() -> None:
    """RFC 9260 5.1.5 asks for ports and tag only; the addresses are those in the cookie."""
    with listening(paths=2) as lab:
        cookie = cookie_of(lab)
        lab.ask(control.cookie_echo(cookie), source="10.0.2.2")
        [association] = lab.endpoint.associations.values()
        assert [path.remote for path in association.paths] == [lab.p.packed[0]]
        assert [(packet.destination_text, packet.chunks) for packet in lab.heard[1:]] == [("10.0.1.2", ["COOKIE ACK"])]


# Secrets


def test_the_secret_is_changed_every_hour_and_the_one_before_is_still_good() -> None:
    """RFC 9260 5.1.3: "The secret key SHOULD be changed reasonably frequently (e.g., hourly)"."""
    # RFC 9260 section 14.1.
    with listening(config=AssociationConfig(cookie_life=3600)) as lab:
        lab.network.run_for(3590)
        old = cookie_of(lab)
        tag = lab.a_tag
        lab.network.run_for(20)
        new = cookie_of(lab)
        assert new[0] != old[0]
        assert lab.ask(control.cookie_echo(old), tag=tag) == ["P: COOKIE ACK"]


def test_a_cookie_of_the_secret_before_the_last_is_silently_discarded() -> None:
    """RFC 9260 5.1.5, 1: the secret "is not available anymore [...] MUST be silently discarded"."""
    with listening(config=AssociationConfig(cookie_life=3600)) as lab:
        old = cookie_of(lab)
        tag = lab.a_tag
        for _ in range(2):
            lab.network.run_for(3610)
            cookie_of(lab)
        assert lab.ask(control.cookie_echo(old), tag=tag) == []
        assert lab.endpoint.associations == {}


def test_a_long_silence_outdates_both_secrets() -> None:
    with listening(config=AssociationConfig(cookie_life=3600)) as lab:
        old = cookie_of(lab)
        lab.network.run_for(3 * 3600)
        assert lab.ask(control.cookie_echo(old)) == []


def test_two_cookies_for_the_same_init_differ_and_name_different_tags() -> None:
    """RFC 9260 5.3.1: Initiate Tags are random."""
    with listening() as lab:
        first = cookie_of(lab)
        tag = lab.a_tag
        second = cookie_of(lab)
        assert first != second
        assert tag != lab.a_tag
        assert tag
        assert lab.a_tag
