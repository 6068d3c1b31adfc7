"""connectx and an INIT that arrives when the association is up: nothing a peer may answer does any harm.

Every loser's INIT is delayed past ESTABLISHED. What it draws then carries our own tag: an INIT ACK with a new tag
(RFC 9260 section 5.2.2), an ABORT from a host that does not listen or listed other addresses (5.2.1, 5.2.2, 8.4), or
the same twice. The association lives, data flows, the report says what came. But an ABORT from where the COOKIE ECHO
went, or from a path that has been acknowledged since, ends it, and with one address nothing differs from the RFC.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Final

import pytest

from sctpx.core.association.connect import ANSWER_ABORT, ANSWER_INIT_ACK, ANSWER_SILENCE
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationLost, CommunicationUp, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE
from sctpx.testing import Packet, Pair, pack_address
from sctpx.wire import causes, control
from sctpx.wire.setup import Setup
from tests.sim.connectx import answer_to, attempt, check_that_data_flows, inits, is_init, reports

# What each answer is, and whether the report shows it as an ABORT.
ABORTS: Final = {
    "ABORT of a host that does not listen (8.4)": control.abort([]),
    "ABORT, out of resource (5.1)": control.abort([causes.out_of_resource()]),
    "ABORT, new addresses (5.2.2)": control.abort([causes.restart_with_new_addresses([pack_address("10.0.9.9")])]),
}
INIT_ACKS: Final = {
    "INIT ACK with a new tag": Setup(0x12345678, 1 << 16, 5, 5, 1),
    "INIT ACK without a cookie": Setup(0x12345678, 1 << 16, 5, 5, 1),
    "INIT ACK with tag 0": Setup(0, 1 << 16, 5, 5, 1),
}


def answers(name: str, packet: Packet) -> list[bytes]:
    """What the address says to an INIT."""
    if name in ABORTS:
        return [answer_to(packet, ABORTS[name])]
    if name in INIT_ACKS:
        setup = INIT_ACKS[name]
        setup.cookie = None if "without" in name else b"cookie"
        return [answer_to(packet, setup.encode(ack=True))]
    return []


def up_with_late_inits(losers: int, dropped: bool = False) -> Pair:
    """An association over ``losers`` + 1 addresses of which the last one won; the INITs to the others are under way."""
    pair = Pair(1, paths=losers + 1, config=AssociationConfig(heartbeat_interval=0.0))
    if dropped:
        pair.b.endpoint.announce[:] = pair.b.endpoint.local[:] = pair.b.host.packed[losers:]
    for address in pair.b.host.addresses[:losers]:
        pair.network.hold("INIT", to=address)
    attempt(pair)
    pair.network.run(lambda: pair.b.events_of(CommunicationUp))
    return pair


def let_inits_arrive(pair: Pair, answer: str, times: int = 1) -> None:
    """The INITs reach their addresses, which answer so many times each."""
    for address in pair.b.host.addresses[:-1]:

        def respond(packet: Packet) -> Iterable[bytes]:
            return answers(answer, packet) * times if is_init(packet) else []

        pair.network.answer(address, respond)
    for packet in list(pair.network.packets()):
        if packet.chunks == ["INIT"] and packet.fate == "filtered":
            packet.release()


@pytest.mark.parametrize("dropped", [False, True], ids=["kept", "dropped"])
@pytest.mark.parametrize("losers", [1, 3, 19])
@pytest.mark.parametrize("answer", [*ABORTS, *INIT_ACKS, "nothing"])
def test_the_association_lives_and_data_flows(answer: str, losers: int, dropped: bool) -> None:
    with up_with_late_inits(losers, dropped) as pair:
        before = [(path.remote, path.confirmed) for path in pair.a.association.paths]
        let_inits_arrive(pair, answer)
        pair.network.run_for(1)
        check_that_data_flows(pair)
        pair.network.run_for(100)
        check_that_data_flows(pair)
        assert not pair.a.association.ended
        assert [(path.remote, path.confirmed) for path in pair.a.association.paths] == before
        report = list(reports(pair).values())
        expected = ANSWER_ABORT if answer in ABORTS else ANSWER_INIT_ACK if answer in INIT_ACKS else ANSWER_SILENCE
        assert [entry.answer for entry in report] == [expected] * losers + [ANSWER_INIT_ACK]
        assert [entry.kept for entry in report] == [not dropped] * losers + [True]
        if answer in ABORTS:
            assert [entry.error for entry in report[:-1]] == [errno.ECONNREFUSED] * losers
            assert [entry.causes for entry in report[:-1]] == [causes.parse(ABORTS[answer][4:])] * losers
        pair.shutdown()


@pytest.mark.parametrize("answer", ABORTS)
def test_the_path_that_refused_turns_inactive_with_one_notification(answer: str) -> None:
    with up_with_late_inits(1) as pair:
        let_inits_arrive(pair, answer)
        pair.network.run_for(1)
        loser, winner = pair.a.association.paths
        assert (loser.state, winner.state) == (PATH_INACTIVE, PATH_ACTIVE)
        changes = [(event.remote, event.state, event.error) for event in pair.a.events_of(PathChange)]
        assert changes == [(loser.remote, PATH_INACTIVE, errno.ECONNREFUSED)]


def test_it_becomes_active_again_when_it_answers_a_heartbeat() -> None:
    with Pair(1, paths=2) as pair:
        held = pair.network.hold("INIT", to="10.0.1.2", times=1)
        attempt(pair)
        pair.network.answer("10.0.1.2", lambda packet: answers("ABORT of a host that does not listen (8.4)", packet))
        pair.network.drop("HEARTBEAT", to="10.0.1.2")
        held.release()
        pair.network.run_for(1)
        pair.network.heal("10.0.1.2")
        loser = pair.a.association.paths[0]
        assert loser.state == PATH_INACTIVE
        pair.network.run(lambda: loser.state == PATH_ACTIVE, 40)


@pytest.mark.parametrize("count", [2, 3])
def test_each_unanswered_init_excuses_one_abort_and_no_more(count: int) -> None:
    """ "An address with an unanswered INIT absorbs one T=0 ABORT as the answer to that INIT"."""
    with Pair(1, paths=2, config=AssociationConfig(attempt_delay=2.5, heartbeat_interval=0.0)) as pair:
        held = pair.network.hold("INIT", to="10.0.1.2")
        attempt(pair)
        assert len(held.packets) == 2  # At 0 s and at 1 s.
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        init = held.packets[0]
        abort = answer_to(init, control.abort([]))
        for _ in range(count):
            pair.network.carry(Packet(pair.network.clock.now, init.destination, init.source, 9899, 9899, abort))
            pair.network.run_for(0.5)
        assert pair.a.association.ended == (count > 2)
        assert bool(pair.a.events_of(CommunicationLost)) == (count > 2)


def test_one_init_excuses_one_abort() -> None:
    with up_with_late_inits(1) as pair:
        let_inits_arrive(pair, "ABORT of a host that does not listen (8.4)", times=2)
        pair.network.run_for(1)
        [lost] = pair.a.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ECONNRESET, True)


def test_duplicate_init_acks_are_all_discarded() -> None:
    """RFC 9260 5.2.3."""
    with up_with_late_inits(2) as pair:
        let_inits_arrive(pair, "INIT ACK with a new tag", times=5)
        pair.network.run_for(1)
        check_that_data_flows(pair)


def test_an_abort_behind_a_late_init_ack_ends_it() -> None:
    """The INIT was answered by the INIT ACK: nothing excuses the ABORT."""
    with up_with_late_inits(1) as pair:
        let_inits_arrive(pair, "INIT ACK with a new tag")
        pair.network.run_for(1)
        say_abort_from(pair, "10.0.1.2")
        pair.network.run_for(1)
        assert pair.a.events_of(CommunicationLost)


def test_an_abort_from_where_the_cookie_echo_went_ends_it() -> None:
    """RFC 9260 9.1."""
    with up_with_late_inits(2) as pair:
        say_abort_from(pair, "10.0.3.2")
        pair.network.run_for(1)
        [lost] = pair.a.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer) == (errno.ECONNRESET, True)


def test_an_abort_from_any_place_the_cookie_echo_went_ends_it() -> None:
    """The first COOKIE ECHO was lost: others went to the addresses that had not answered, one after the other."""
    with Pair(1, paths=4, config=AssociationConfig(heartbeat_interval=0.0)) as pair:
        for address in pair.b.host.addresses[:3]:
            pair.network.hold("INIT", to=address)
        pair.network.drop("COOKIE ACK", times=4)
        attempt(pair)
        went = [packet.destination_text for packet in pair.network.packets() if "COOKIE ECHO" in packet.chunks]
        assert went == ["10.0.4.2", "10.0.1.2", "10.0.2.2", "10.0.3.2", "10.0.4.2"]
        say_abort_from(pair, went[1])
        pair.network.run_for(1)
        assert pair.a.events_of(CommunicationLost)


@pytest.mark.parametrize("proof", ["HEARTBEAT ACK", "SACK"])
def test_an_abort_from_a_path_acknowledged_since_ends_it(proof: str) -> None:
    with up_with_late_inits(1) as pair:
        loser = pair.a.association.paths[0]
        if proof == "SACK":
            pair.network.cut("10.0.2.2")
            for _ in range(3):  # Sent again over the other path at first, in the end only there.
                pair.a.send(b"data")
                pair.network.run(lambda: pair.a.is_dry)
        else:
            pair.a.association.request_heartbeat(pair.a.host.now, loser.remote)
        pair.network.run(lambda: loser.last_acknowledged)
        assert not pair.a.association.ended
        say_abort_from(pair, "10.0.1.2")
        pair.network.run_for(0.1)
        assert pair.a.events_of(CommunicationLost)


@pytest.mark.parametrize("state", ["COOKIE-ECHOED", "ESTABLISHED"])
def test_with_one_address_an_abort_ends_it_as_the_rfc_has_it(state: str) -> None:
    """RFC 9260 8.5.1 B: "MUST accept the packet if the Verification Tag field of the packet matches its own tag"."""
    with Pair(1) as pair:
        if state == "COOKIE-ECHOED":
            pair.network.drop("COOKIE ECHO", times=None)
            pair.b.endpoint.listen()
            pair.a.connect(pair.b)
            pair.network.run_for(0.1)
        else:
            attempt(pair)
        say_abort_from(pair, "10.0.1.2")
        pair.network.run_for(0.5)
        assert pair.a.association.ended


def test_an_abort_that_reflects_the_peers_tag_ends_it_from_anywhere() -> None:
    """RFC 9260 8.5.1 B: the T bit and the peer's tag: no INIT of ours draws such an ABORT."""
    with up_with_late_inits(1) as pair:
        peer_tag = int.from_bytes(
            next(p.data for p in pair.network.packets() if p.chunks == ["COOKIE ECHO"])[4:8], "big"
        )
        say_abort_from(pair, "10.0.1.2", tag=peer_tag, reflected=True)
        pair.network.run_for(1)
        assert pair.a.events_of(CommunicationLost)


def test_an_abort_from_an_address_that_was_not_asked_ends_it() -> None:
    """It has no INIT outstanding."""
    with Pair(1, paths=3, config=AssociationConfig(heartbeat_interval=0.0)) as pair:
        attempt(pair)
        assert [init.to for init in inits(pair.network)] == ["10.0.1.2"]
        say_abort_from(pair, "10.0.3.2")
        pair.network.run_for(0.5)
        assert pair.a.events_of(CommunicationLost)


def test_an_abort_from_an_address_that_refused_its_init_before_ends_it() -> None:
    """Its only INIT has been answered, by the first ABORT."""
    with Pair(1, paths=2, config=AssociationConfig(heartbeat_interval=0.0)) as pair:
        pair.network.answer("10.0.1.2", lambda packet: answers("ABORT, out of resource (5.1)", packet))
        attempt(pair)
        say_abort_from(pair, "10.0.1.2")
        pair.network.run_for(0.5)
        assert pair.a.events_of(CommunicationLost)


@pytest.mark.parametrize("answer", ABORTS)
def test_in_cookie_echoed_it_is_the_same(answer: str) -> None:
    """The late ABORT comes before the COOKIE ACK, which is long in coming: no timer goes round in circles."""
    with Pair(1, paths=2) as pair:
        held = pair.network.hold("INIT", to="10.0.1.2", times=1)
        pair.network.drop("COOKIE ECHO", times=4)
        pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.run_for(0.2)
        pair.network.answer("10.0.1.2", lambda packet: answers(answer, packet) if is_init(packet) else [])
        held.release()
        pair.network.run(lambda: pair.a.events_of(CommunicationUp), 200)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        check_that_data_flows(pair)
        assert reports(pair)["10.0.1.2"].answer == ANSWER_ABORT


def test_a_late_abort_after_a_stale_cookie_is_excused_as_well() -> None:
    """The INIT of the first round is still under way when the second one is won."""
    with Pair(1, paths=2, b_config=AssociationConfig(cookie_life=0.5)) as pair:
        held = pair.network.hold("INIT", to="10.0.1.2", times=1)
        pair.network.delay("COOKIE ECHO", 0.6)
        attempt(pair)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        assert len(held.packets) == 1
        say_abort_from(pair, "10.0.1.2")
        pair.network.run_for(0.5)
        assert not pair.a.association.ended
        check_that_data_flows(pair)


@pytest.mark.parametrize("seed", range(20))
def test_real_peers_with_late_inits_of_every_kind(seed: int) -> None:
    """All INITs but the winner's come up to 3 s late, some twice, to a real stack; some packets are lost."""
    with Pair(seed, paths=5) as pair:
        for number, address in enumerate(pair.b.host.addresses[:4]):
            pair.network.delay("INIT", 0.7 * (number + 1) + 0.01 * seed, times=None, to=address)
        pair.network.set("10.0.1.2", "10.0.3.2", duplicate=0.5, loss=0.2)
        attempt(pair)
        pair.network.run(lambda: pair.b.events_of(CommunicationUp))
        for _ in range(40):
            pair.network.run_for(0.1)
            check_that_data_flows(pair)
        assert [path.confirmed for path in pair.a.association.paths] == [True] * 5
        pair.shutdown()


def say_abort_from(pair: Pair, address: str, tag: int | None = None, reflected: bool = False) -> None:
    """An ABORT, by default with A's tag, comes from an address of B."""
    init = next(packet for packet in pair.network.packets() if packet.chunks == ["INIT"])
    data = answer_to(init, control.abort([], reflected), tag=tag)
    own = pair.a.host.packed[pair.b.host.addresses.index(address)]
    pair.network.carry(Packet(pair.network.clock.now, pack_address(address), own, 9899, 9899, data))
