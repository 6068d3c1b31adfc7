"""connectx over addresses that refuse: the next one is asked at once, and the errno says what happened to all (CX8)."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from itertools import product

import pytest

from sctpx.core.association.connect import ANSWER_INIT_ACK, ANSWER_SILENCE
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationUp
from sctpx.testing import Packet, Pair
from sctpx.wire import causes, control
from sctpx.wire.codes import CAUSE_OUT_OF_RESOURCE
from sctpx.wire.packet import finish_packet, prefix
from tests.sim.connectx import (
    REFUSALS,
    RTT,
    answer_to,
    attempt,
    check_that_data_flows,
    failure,
    init_of,
    inits,
    reports,
    run_attempt,
)
from tests.sim.scripted import Scripted, return_by_icmp

KINDS: Sequence[str] = ("silent", *REFUSALS)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_moves_on_to_the_next_address_at_once(refusal: str) -> None:
    with Pair(1, paths=2) as pair:
        REFUSALS[refusal].arrange(pair, "10.0.1.2")
        took = attempt(pair)
        assert took == pytest.approx(2 * RTT if refusal == "local send error" else 3 * RTT)
        assert pair.a.events_of(CommunicationUp)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_of_every_address_but_the_last_costs_a_round_trip_each(refusal: str) -> None:
    with Pair(1, paths=20) as pair:
        for address in pair.b.host.addresses[:-1]:
            REFUSALS[refusal].arrange(pair, address)
        took = attempt(pair)
        assert took == pytest.approx(2 * RTT if refusal == "local send error" else 21 * RTT)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)


@pytest.mark.parametrize("kinds", list(product(KINDS, repeat=2)), ids=" and ".join)
def test_the_errno_is_that_of_all_answers_together(kinds: tuple[str, ...]) -> None:
    """All refused: ECONNREFUSED; all unreachable: that errno; any silence: ETIMEDOUT."""
    with Pair(1, paths=2, config=AssociationConfig(max_init_retransmits=0)) as pair:
        for address, kind in zip(pair.b.host.addresses, kinds, strict=True):
            if kind == "silent":
                pair.network.cut(address)
            else:
                REFUSALS[kind].arrange(pair, address)
        attempt(pair)
        errors = [errno.ETIMEDOUT if kind == "silent" else REFUSALS[kind].error for kind in kinds]
        worst = [error for error in (errno.ETIMEDOUT, errno.ECONNREFUSED, errors[0]) if error in errors]
        assert failure(pair) == worst[0]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("count", [1, 3])
def test_when_every_address_has_refused_the_attempt_ends_at_once(refusal: str, count: int) -> None:
    with Pair(1, paths=count) as pair:
        for address in pair.b.host.addresses:
            REFUSALS[refusal].arrange(pair, address)
        took = attempt(pair)
        assert took == pytest.approx(0.0 if refusal == "local send error" else count * RTT)
        assert failure(pair) == REFUSALS[refusal].error


def test_the_causes_of_all_aborts_come_with_the_failure() -> None:
    with Pair(1, paths=2) as pair:
        for address in pair.b.host.addresses:
            REFUSALS["ABORT"].arrange(pair, address)
        attempt(pair)
        [event] = pair.a.events_of(CannotStart)
        assert event.causes == [(CAUSE_OUT_OF_RESOURCE, b"")] * 2


def test_a_refusal_before_its_turn_is_up_does_not_move_the_turn_of_a_silent_one() -> None:
    """The first is silent, the second refuses: the third is asked at once, the fourth a delay after the third."""
    with Pair(1, paths=4) as pair:
        for path in (1, 3):
            pair.cut(path)
        REFUSALS["ABORT"].arrange(pair, "10.0.2.2")
        attempt(pair)
        times = [init.time for init in inits(pair.network)]
        assert times == pytest.approx([0.0, 0.1, 0.1 + RTT, 0.2 + RTT])


def test_an_address_that_refused_is_not_asked_again() -> None:
    with Pair(1, paths=2, config=AssociationConfig(max_init_retransmits=3)) as pair:
        pair.cut(1)
        REFUSALS["ICMP host unreachable"].arrange(pair, "10.0.2.2")
        attempt(pair)
        assert [init.to for init in inits(pair.network)] == ["10.0.1.2", "10.0.2.2"] + ["10.0.1.2"] * 3
        assert failure(pair) == errno.ETIMEDOUT


def test_an_init_ack_after_an_icmp_error_about_the_same_init_still_wins() -> None:
    """The INIT got through all the same: an INIT ACK is worth more than a refusal before it."""
    with Pair(1, paths=2) as pair:
        pair.cut(2)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(0)
        [init] = pair.network.packets()
        return_by_icmp(pair.network, init, errno.EHOSTUNREACH)
        assert run_attempt(pair) == pytest.approx(2 * RTT)
        assert reports(pair)["10.0.1.2"].answer == ANSWER_INIT_ACK


@pytest.mark.parametrize("length", [0, 7, 8, 12, 19])
def test_an_icmp_error_that_returns_too_little_to_prove_the_initiate_tag_refuses_nothing(length: int) -> None:
    """RFC 9260 section 10, ICMP6: "If the ICMP message is too short [...] silently discard the packet"."""
    with Pair(1, paths=2) as pair:
        pair.network.refuse("10.0.1.2", quote=length)
        assert attempt(pair) == pytest.approx(0.1 + 2 * RTT)
        assert reports(pair)["10.0.1.2"].answer == ANSWER_SILENCE


def test_twenty_bytes_are_enough_to_prove_it() -> None:
    with Pair(1, paths=2) as pair:
        pair.network.refuse("10.0.1.2", quote=20)
        assert attempt(pair) == pytest.approx(RTT + 2 * RTT)


@pytest.mark.parametrize("place", [12, 16], ids=["chunk type", "Initiate Tag"])
def test_an_icmp_error_about_another_packet_refuses_nothing(place: int) -> None:
    """ICMP6: "the chunk type or the Initiate Tag does not match, silently discard the packet"."""
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.cut(1)
        pair.network.run_for(0)
        [init] = pair.network.packets()
        forged = bytearray(init.data)
        forged[place] ^= 1
        pair.network.heal("10.0.1.1")
        router = Packet(init.sent, init.destination, init.source, 9899, 9899, bytes(forged), icmp=errno.EHOSTUNREACH)
        pair.a.host.handle_icmp(router)
        assert run_attempt(pair) == pytest.approx(0.1 + 2 * RTT)


@pytest.mark.parametrize("reflected", [False, True])
def test_an_abort_with_another_tag_or_with_the_t_bit_refuses_nothing(reflected: bool) -> None:
    """RFC 9260 8.5.1 B: "Otherwise, the receiver MUST silently discard the packet and take no further action"."""

    def forged(packet: Packet) -> Iterable[bytes]:
        tag = init_of(packet).initiate_tag if reflected else init_of(packet).initiate_tag ^ 1
        return [finish_packet(prefix(5000, 5000, tag), control.abort([], reflected))]

    with Pair(1, paths=2) as pair:
        pair.network.answer("10.0.1.2", forged)
        assert attempt(pair) == pytest.approx(0.1 + 2 * RTT)
        assert reports(pair)["10.0.1.2"].answer == ANSWER_SILENCE


def test_an_abort_from_an_address_that_was_not_asked_yet_refuses_nothing() -> None:
    """The second address has no INIT outstanding (CX8)."""
    with Pair(1, paths=3) as pair:
        pair.cut(1)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(0)
        [init] = pair.network.packets()
        abort = answer_to(init, control.abort([]))
        source, destination = pair.b.host.packed[1], pair.a.host.packed[1]
        pair.network.carry(Packet(init.sent, source, destination, 9899, 9899, abort))
        assert run_attempt(pair) == pytest.approx(0.1 + 2 * RTT)
        assert reports(pair)["10.0.2.2"].answer == ANSWER_INIT_ACK


# A second round, after a stale cookie; answers nobody asked for


@pytest.mark.parametrize("refusal", ["ABORT", "unusable INIT ACK", "ICMP"])
def test_a_refusal_after_a_stale_cookie_ends_the_attempt_though_the_address_had_answered(refusal: str) -> None:
    """RFC 9260 5.2.6 begins anew; what it answered in the first round keeps nobody waiting in the second."""
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init_ack())
        lab.ask(control.error([causes.stale_cookie(5)]))
        if refusal == "ICMP":
            return_by_icmp(lab.network, lab.heard[-1], errno.EHOSTUNREACH)
            lab.network.run_for(0.05)
        else:
            lab.ask(control.abort([]) if refusal == "ABORT" else lab.init_ack(outbound_streams=0))
        [failed] = lab.events_of(CannotStart)
        assert failed.error == (errno.EHOSTUNREACH if refusal == "ICMP" else errno.ECONNREFUSED)


def test_an_init_ack_that_is_not_alone_is_discarded_and_does_not_count_as_an_answer() -> None:
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init_ack(), lab.sack(0))
        lab.ask(control.abort([]))
        assert [failed.error for failed in lab.events_of(CannotStart)] == [errno.ECONNREFUSED]


@pytest.mark.parametrize("tries", [1, 3])
def test_in_rotation_an_unusable_init_ack_from_an_address_not_asked_yet_disturbs_nothing(tries: int) -> None:
    config = AssociationConfig(attempt_delay=None, max_init_retransmits=tries - 1)
    with Scripted(paths=3, config=config) as lab:
        lab.connect()
        lab.say(lab.init_ack(outbound_streams=0), source=lab.p.addresses[1])
        lab.network.run_for(120)
        [failed] = lab.events_of(CannotStart)
        assert failed.error == errno.ETIMEDOUT
        inits_to = [packet.destination for packet in lab.heard if packet.chunks == ["INIT"]]
        assert {ip: inits_to.count(ip) for ip in lab.p.packed} == dict(
            zip(lab.p.packed, [tries, 0, tries], strict=True)
        )
