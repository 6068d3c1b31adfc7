"""Both sides open the association at about the same time (RFC 9260 section 5.2, scenario B)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import product

import pytest

from sctpx.core.association.connect import ANSWER_COOKIE_ECHO, ANSWER_NOT_ASKED, ANSWER_SILENCE
from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationUp, Restarted
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import LinkSettings, Packet, Pair, seeded_random
from sctpx.wire import control
from tests.sim.connectx import check_that_data_flows
from tests.sim.scripted import Scripted
from tests.sweeps import seeds

SETUP = {"INIT", "INIT ACK", "COOKIE ECHO", "COOKIE ACK"}


def is_up(pair: Pair) -> bool:
    return all(len(side.events_of(CommunicationUp)) == 1 for side in (pair.a, pair.b))


def check_one_association(pair: Pair) -> None:
    """Both sides are up, once, with one association, and it works."""
    pair.network.run_for(5)
    for side in (pair.a, pair.b):
        assert len(side.events_of(CommunicationUp)) == 1
        assert side.events_of(Restarted) == []
        assert side.failure == ""
        assert len(side.endpoint.associations) == 1
        assert side.association.state == ESTABLISHED
    check_that_data_flows(pair)
    pair.shutdown()


def delay_setup(pair: Pair, choose: Callable[[Packet], float]) -> None:
    """Delay each setup packet by so many seconds."""

    def hold(packet: Packet) -> bool:
        if SETUP.isdisjoint(packet.chunks):
            return True
        packet.release(choose(packet))
        return False

    pair.network.filters.append(hold)


def test_the_inits_cross_and_both_sides_go_through_the_whole_handshake() -> None:
    """RFC 9260 5.2.1: an INIT ACK "using the same parameters it sent in its original INIT chunk (including its Initiate
    Tag, unchanged)"; both tags match then in both COOKIE ECHOs: action D.
    """
    with Pair(1) as pair:
        pair.a.connect(pair.b)
        pair.b.connect(pair.a)
        pair.network.run(lambda: is_up(pair))
        pair.network.assert_ladder(
            """
            A -> INIT -> B
            B -> INIT -> A
            B -> INIT ACK -> A
            A -> INIT ACK -> B
            A -> COOKIE ECHO -> B
            B -> COOKIE ECHO -> A
            B -> COOKIE ACK -> A
            A -> COOKIE ACK -> B
            """
        )
        check_one_association(pair)


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("paths", [1, 3])
@pytest.mark.parametrize("later", [0.0, 0.005, 0.015, 0.019])
def test_one_side_begins_a_little_later(later: float, paths: int, listening: bool) -> None:
    """B has answered A's INIT, as a listener, or refused it, before it sends its own: action B or C."""
    with Pair(1, paths=paths) as pair:
        if listening:
            pair.a.endpoint.listen()
            pair.b.endpoint.listen()
        pair.a.connect(pair.b)
        pair.network.at(later, lambda: pair.b.connect(pair.a))
        pair.network.hold("ABORT")  # What B says while it neither listens nor connects.
        pair.network.run(lambda: is_up(pair))
        check_one_association(pair)


DELAYS = (0.0, 0.025, 0.06)


@pytest.mark.parametrize("delays", list(product(DELAYS, repeat=6)), ids=str)
def test_every_order_of_the_packets(delays: tuple[float, ...]) -> None:
    """INIT, INIT ACK and COOKIE ECHO of each side come late by different times, so that each side is in each state when
    each of them arrives. B begins when it has answered A's INIT as a listener, if that is earlier.
    """
    names = ["INIT", "INIT ACK", "COOKIE ECHO"]
    with Pair(1) as pair:
        table = dict(zip(product(["10.0.1.1", "10.0.1.2"], names), delays, strict=True))
        pair.a.endpoint.listen()
        pair.b.endpoint.listen()
        delay_setup(pair, lambda packet: table.get((packet.source_text, packet.chunks[0]), 0.0))
        pair.a.connect(pair.b)
        pair.network.at(0.012, lambda: pair.b.connect(pair.a))
        pair.network.run(lambda: is_up(pair))
        check_one_association(pair)


@pytest.mark.parametrize("seed", seeds(30, 300))
def test_any_order_of_the_packets_over_several_addresses(seed: int) -> None:
    """With losses, too: what is repeated meets every state as well."""
    random = seeded_random("collision", seed)
    loss = random.choice([0.0, 0.1])
    with Pair(seed, paths=random.choice([1, 2, 4]), link=LinkSettings(loss=loss)) as pair:
        if random.random() < 0.5:
            pair.a.endpoint.listen()
            pair.b.endpoint.listen()
        delay_setup(pair, lambda packet: random.choice([0.0, 0.0, 0.01, 0.03, 0.12, 0.4, 1.3]))
        pair.a.connect(pair.b)
        pair.b.connect(pair.a)
        pair.network.run(lambda: is_up(pair), 300)
        pair.network.set(loss=0.0)
        check_one_association(pair)


def test_the_user_of_a_side_that_is_associated_already_is_told_so() -> None:
    with Pair(1) as pair:
        pair.a.endpoint.listen()
        pair.b.connect(pair.a)
        pair.network.run(lambda: is_up(pair))
        with pytest.raises(OSError, match="association") as already:
            pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        assert already.value.errno == errno.EISCONN


def test_a_shutdown_asked_for_during_the_collision_is_done_when_it_is_up() -> None:
    with Pair(1) as pair:
        pair.a.connect(pair.b)
        pair.b.connect(pair.a)
        pair.network.run_for(0.015)
        pair.shutdown()


# By hand, state by state: section 5.2.1


def test_in_cookie_wait_the_init_ack_has_the_tag_and_tsn_of_our_own_init() -> None:
    with Scripted() as lab:
        association = lab.connect()
        ours = lab.setup("INIT")
        lab.ask(lab.init(), tag=0)
        ack = lab.setup("INIT ACK")
        assert (ack.initiate_tag, ack.initial_tsn) == (ours.initiate_tag, ours.initial_tsn)
        assert (ack.outbound_streams, ack.inbound_streams) == (ours.outbound_streams, ours.inbound_streams)
        assert association.state == COOKIE_WAIT


def test_in_cookie_wait_t1_init_goes_on_running() -> None:
    """RFC 9260 5.2.1: "the endpoint MUST NOT change its state, the T1-init timer MUST be left running"."""
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init(), tag=0)
        heard = lab.listen_for(1.0)
        assert [line.split()[1] for line in heard] == ["INIT"]


def test_in_cookie_wait_an_init_from_an_address_we_were_not_given_is_answered_to_one_that_we_were() -> None:
    """Rules 1 and 2: "MUST only be sent to an address passed by the upper layer in the request to initialize the
    association" and "reported in the incoming INIT chunk"; from which address it came is a SHOULD.
    """
    with Scripted(paths=2) as lab:
        lab.connect("10.0.1.2")
        for source in lab.p.addresses:
            [answer] = lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, source=source)
            assert answer.startswith("P: INIT ACK")
            assert lab.heard[-1].destination == lab.p.packed[0]


def test_in_cookie_wait_the_association_comes_up_by_an_init_from_an_address_we_were_not_given() -> None:
    """The cookie was made for the address its INIT ACK went to: that one is confirmed (section 5.4), the source not."""
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0, source="10.0.2.2")
        lab.a_tag = lab.setup("INIT ACK").initiate_tag
        assert "P: COOKIE ACK" in lab.ask(control.cookie_echo(lab.cookie()))
        assert association.state == ESTABLISHED
        assert {path.remote: path.confirmed for path in association.paths} == {
            lab.p.packed[0]: True,
            lab.p.packed[1]: False,
        }


def test_in_cookie_wait_an_init_that_names_no_address_we_were_given_is_not_for_this_association() -> None:
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        [answer] = lab.ask(lab.init(addresses=[lab.p.packed[1]]), tag=0, source="10.0.2.2")
        assert answer == "P: ABORT"  # Nobody listens.
        assert association.state == COOKIE_WAIT


def test_in_cookie_echoed_the_init_ack_has_the_tag_of_our_own_init_too() -> None:
    with Scripted() as lab:
        association = lab.connect()
        ours = lab.setup("INIT")
        lab.ask(lab.init_ack())
        lab.ask(lab.init(initiate_tag=0x66666666), tag=0)
        ack = lab.setup("INIT ACK")
        assert (ack.initiate_tag, ack.initial_tsn) == (ours.initiate_tag, ours.initial_tsn)
        assert association.state == COOKIE_ECHOED


def test_in_cookie_echoed_an_init_with_new_addresses_is_refused_and_changes_nothing() -> None:
    """RFC 9260 5.2.1: "the entire INIT chunk MUST be discarded, and the state of the existing association SHOULD NOT
    be changed. An ABORT chunk SHOULD be sent in a response"; the tag is that of the INIT.
    """
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        lab.ask(lab.init_ack())
        [answer] = lab.ask(lab.init(initiate_tag=0x66666666, addresses=list(lab.p.packed)), tag=0)
        assert answer == ("0x66666666: ABORT Restart of an Association with New Addresses (IPv4 Address (10.0.2.2))")
        assert association.state == COOKIE_ECHOED
        lab.ask(control.cookie_ack())
        assert association.state == ESTABLISHED


def test_action_b_in_cookie_wait_establishes_it_with_the_tag_of_the_cookie() -> None:
    """Table 12: our tag matches, the peer's is not known: (B), "update its peer's Verification Tag from the State
    Cookie, stop any T1-init or T1-cookie timers [...] and send a COOKIE ACK chunk".
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init(), tag=0)
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED
        assert lab.listen_for(20) == []  # No T1-init.
        assert lab.ask(lab.data())[0].startswith("P: SACK cum 7000")


def test_action_b_in_cookie_echoed_takes_the_new_tag_of_the_peer() -> None:
    """P answered our INIT with one tag, and then sent an INIT with another."""
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack(initiate_tag=0x0DD0DD0D))
        lab.ask(lab.init(), tag=0)
        assert lab.ask(control.cookie_echo(lab.cookie())) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED
        assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]
        assert lab.listen_for(20) == []  # No T1-cookie.
        assert lab.ask(lab.data())[0].startswith("P: SACK cum 7000")


def test_action_c_is_silence() -> None:
    """Our own cookie comes late: we have sent an INIT with a new tag since. "The cookie SHOULD be silently discarded.
    The endpoint SHOULD NOT change states and SHOULD leave any timers running."
    """
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        late, tag = lab.cookie(), lab.a_tag
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert association.state == COOKIE_ECHOED
        assert lab.ask(control.cookie_echo(late), tag=tag) == []
        assert association.state == COOKIE_ECHOED
        assert [line.split()[1:3] for line in lab.listen_for(1.0)] == [["COOKIE", "ECHO"]]  # T1-cookie.


def test_the_late_cookie_in_cookie_wait_is_not_in_the_table_either() -> None:
    """RFC 9260 5.2.4: "For any case not shown in Table 12, the cookie SHOULD be silently discarded"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        late, tag = lab.cookie(), lab.a_tag
        association = lab.connect()
        assert lab.ask(control.cookie_echo(late), tag=tag) == []
        assert association.state == COOKIE_WAIT


def test_action_d_in_cookie_echoed_establishes_it() -> None:
    """Both tags match: "the endpoint SHOULD enter the ESTABLISHED state if it is in the COOKIE-ECHOED state. It SHOULD
    stop any T1-cookie timer that is running and send a COOKIE ACK chunk."
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init(), tag=0)
        cookie = lab.cookie()
        lab.ask(lab.init_ack())
        assert association.state == COOKIE_ECHOED
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED
        assert lab.listen_for(20) == []


def test_action_b_with_several_addresses_confirms_those_the_user_listed() -> None:
    """RFC 9260 5.4, rules 1 and 3."""
    with Scripted(paths=3) as lab:
        association = lab.connect("10.0.1.2", "10.0.2.2")
        lab.ask(lab.init(addresses=list(lab.p.packed)), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        assert association.state == ESTABLISHED
        confirmed = {path.remote: path.confirmed for path in association.paths}
        assert confirmed == dict(zip(lab.p.packed, [True, True, False], strict=True))


def test_action_b_keeps_the_stream_counts_within_both_limits() -> None:
    with Scripted(config=AssociationConfig(streams=8, max_inbound_streams=5)) as lab:
        association = lab.connect()
        lab.ask(lab.init(outbound_streams=9, inbound_streams=3), tag=0)
        lab.ask(control.cookie_echo(lab.cookie()))
        assert (association.outbound_streams, association.inbound_streams) == (3, 5)


def resolve(lab: Scripted, source: str = "", udp_port: int | None = None, **changes: object) -> None:
    """P's INIT meets A's in COOKIE-WAIT, and P echoes the cookie it gets: action B."""
    lab.ask(lab.init(**changes), tag=0)
    lab.ask(control.cookie_echo(lab.cookie()), source=source, udp_port=udp_port)


def test_after_action_b_an_abort_of_the_peer_ends_it() -> None:
    """Its INIT and COOKIE ECHO came from there: an ABORT that follows is no answer to the INIT of ours. Another
    address of the list may still absorb one.
    """
    for source in ("10.0.1.2", "10.0.2.2"):
        with Scripted(paths=3) as lab:
            association = lab.connect()
            lab.network.run_for(0.3)
            resolve(lab, source, addresses=list(lab.p.packed))
            assert lab.ask(control.abort([]), source="10.0.3.2") == []
            assert not association.ended
            lab.ask(control.abort([]), source=source)
            assert association.ended


def test_after_action_b_the_other_addresses_have_to_prove_themselves() -> None:
    """The contract: "Confirmed is not reachable. A kept address whose INITs went unanswered starts potentially
    failed".
    """
    with Scripted(paths=4) as lab:
        association = lab.connect()
        lab.network.run_for(0.2)  # The fourth has not been asked yet.
        resolve(lab, addresses=list(lab.p.packed))
        states = [path.state for path in association.paths]
        assert states == [PATH_ACTIVE, PATH_POTENTIALLY_FAILED, PATH_POTENTIALLY_FAILED, PATH_ACTIVE]
        assert all(path.confirmed for path in association.paths)


def test_after_action_b_the_report_tells_who_was_heard() -> None:
    with Scripted(paths=3) as lab:
        association = lab.connect("10.0.1.2", "10.0.2.2")
        lab.network.run_for(0.2)
        resolve(lab, addresses=list(lab.p.packed))
        assert [(entry.ip, entry.answer, entry.kept, entry.listed) for entry in association.report] == [
            (lab.p.packed[0], ANSWER_COOKIE_ECHO, True, True),
            (lab.p.packed[1], ANSWER_SILENCE, True, True),
            (lab.p.packed[2], ANSWER_NOT_ASKED, True, False),
        ]


def test_action_b_in_cookie_wait_learns_the_udp_port_of_the_cookie_echo() -> None:
    """RFC 6951 section 5.4; in COOKIE-WAIT there is no path yet when it comes."""
    with Scripted() as lab:
        association = lab.connect()
        resolve(lab, udp_port=4444)
        assert [path.encaps_port for path in association.paths] == [4444]


def test_the_init_ack_announces_what_the_init_did() -> None:
    """RFC 9260 5.2.1: "using the same parameters it sent in its original INIT chunk", whatever the scope of the
    address is that the peer's INIT came from.
    """
    for echoed in (False, True):
        with Scripted(paths=3) as lab:
            lab.endpoint.scope = lambda announced, peer: announced[: len(peer)]
            lab.connect("10.0.1.2", "10.0.2.2")
            told = lab.setup("INIT").addresses
            assert told == list(lab.a.packed[:2])
            if echoed:
                lab.ask(lab.init_ack())
            lab.ask(lab.init(initiate_tag=0x66666666), tag=0)
            assert lab.setup("INIT ACK").addresses == told


def test_action_b_in_established_takes_the_new_tag_and_the_new_tsn() -> None:
    """RFC 9260 5.2.4 B: "The endpoint SHOULD stay in or enter the ESTABLISHED state, but it MUST update its peer's
    Verification Tag from the State Cookie". P's COOKIE ACK for the first tag overtakes its COOKIE ECHO.
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack(initiate_tag=0x0DD0DD0D, initial_tsn=5))
        lab.ask(lab.init(), tag=0)
        cookie = lab.cookie()
        lab.ask(control.cookie_ack())
        assert association.state == ESTABLISHED
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]
        assert association.state == ESTABLISHED
        assert len(lab.events_of(CommunicationUp)) == 1
        assert lab.ask(lab.data(b"behind it"))[0].startswith("P: SACK cum 7000")
        assert [message[0] for message in association.read()] == [b"behind it"]


def test_action_b_in_established_keeps_the_tsn_once_data_has_come() -> None:
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init_ack(initiate_tag=0x0DD0DD0D))
        lab.ask(lab.init(initial_tsn=99), tag=0)
        cookie = lab.cookie()
        lab.ask(control.cookie_ack())
        lab.ask(lab.data())
        assert lab.ask(control.cookie_echo(cookie)) == ["P: COOKIE ACK"]
        lab.ask(lab.data(), seconds=1.0)
        assert lab.tell(lab.heard)[-1].startswith("P: SACK cum 7001")


# Two attempts of one side, over different addresses of one peer


def test_the_second_attempt_over_another_address_of_the_same_peer_gives_way() -> None:
    """RFC 9260 5.1.2 D: what names an address of an association belongs to it; the first one lives on, undisturbed."""
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        first = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[:1], pair.b.endpoint.port)
        second = pair.a.endpoint.connect(pair.a.host.now, pair.b.host.peer_addresses[1:], pair.b.endpoint.port)
        pair.network.run_for(5)
        assert first.state == ESTABLISHED
        [failed] = pair.a.events_of(CannotStart)
        assert failed.association is second
        assert failed.error in (errno.EALREADY, errno.EISCONN)
        assert len(pair.b.events_of(CommunicationUp)) == 1
        for path in first.paths:
            assert pair.a.host.stack.find_association(path.remote, first.tcb.peer_port, first.tcb.local_port) is first
        first.send(pair.a.host.now, b"arrives")
        pair.network.run_for(1)
        assert pair.b.messages() == [b"arrives"]


def test_an_attempt_that_ends_leaves_its_addresses_to_the_association_they_belong_to() -> None:
    with Pair(1, paths=2) as pair:
        pair.b.endpoint.listen()
        a, (one, two), port = pair.a, pair.b.host.peer_addresses, pair.b.endpoint.port
        first = a.endpoint.connect(a.host.now, [one], port)
        pair.cut(2)
        second = a.endpoint.connect(a.host.now, [two], port)
        pair.network.run_for(1)
        assert first.state == ESTABLISHED
        second.abort(a.host.now)
        pair.network.run_for(0.1)
        assert a.host.stack.find_association(two.ip, port, a.endpoint.port) is first
        with pytest.raises(OSError, match="association with this peer"):
            a.endpoint.connect(a.host.now, [two], port)
        first.abort(a.host.now)
        pair.network.run_for(0.1)
        assert a.host.stack.find_association(two.ip, port, a.endpoint.port) is None
