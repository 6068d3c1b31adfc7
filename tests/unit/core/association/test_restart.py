"""Setup chunks for an association that exists (RFC 9260 section 5.2), one by one."""

from __future__ import annotations

import pytest

from sctpx.core import extension
from sctpx.core.association import restart
from sctpx.core.association.association import Association
from sctpx.core.association.restart import ACCEPTED, REJECTED
from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED, SHUTDOWN_ACK_SENT
from sctpx.core.capabilities import ECN
from sctpx.core.config import AssociationConfig
from sctpx.core.events import Readable, Restarted
from sctpx.core.ext.ecn import Ecn
from sctpx.core.state_cookie import Cookie
from sctpx.testing import pack_address
from sctpx.wire import causes, control
from sctpx.wire.causes import Cause
from sctpx.wire.codes import (
    CAUSE_COOKIE_WHILE_SHUTTING_DOWN,
    CAUSE_MISSING_PARAMETER,
    CAUSE_RESTART_WITH_NEW_ADDRESSES,
    CHUNK_ABORT,
    CHUNK_COOKIE_ACK,
    CHUNK_HEARTBEAT,
)
from sctpx.wire.packet import chunks
from sctpx.wire.serial import TSN_MASK
from tests.sim.scripted import P_TSN, UDP_PORT, Scripted

OURS = pack_address("10.0.1.1")
PEER = pack_address("10.0.1.2")
LIFE = 60 * 10**9


def cookie_for(association: Association, now: int, **changes: object) -> Cookie:
    """A State Cookie whose tags are all those of the association, but for these changes."""
    tcb = association.tcb
    tcb.local_tie_tag, tcb.peer_tie_tag = 111, 222
    cookie = Cookie()
    cookie.created, cookie.lifespan = now, LIFE
    cookie.local_tag, cookie.peer_tag = tcb.local_tag, tcb.peer_tag
    cookie.local_tie_tag, cookie.peer_tie_tag = 111, 222
    cookie.local_initial_tsn, cookie.peer_initial_tsn = 1000, 2000
    cookie.peer_a_rwnd, cookie.peer_inbound_streams, cookie.peer_outbound_streams = 1 << 16, 10, 10
    cookie.local_port, cookie.peer_port = tcb.local_port, tcb.peer_port
    cookie.local, cookie.source, cookie.addresses, cookie.udp_port = OURS, PEER, [PEER], UDP_PORT
    for name, value in changes.items():
        setattr(cookie, name, value)
    return cookie


def echo(lab: Scripted, association: Association, cookie: Cookie, later: int = 0) -> int:
    """What becomes of a COOKIE ECHO with it, so many ns later."""
    return restart.handle_cookie_echo(association, lab.a.now + later, cookie, OURS, PEER, UDP_PORT)


def causes_of(lab: Scripted, name: str) -> list[Cause]:
    """The causes of the last ERROR or ABORT that P heard."""
    return causes.parse(lab.chunk(name))


# --- which COOKIE ECHO counts (section 5.2.4, table 12) ---


@pytest.mark.parametrize(
    ("changes", "outcome", "restarts"),
    [
        ({}, ACCEPTED, 0),
        ({"peer_tag": 5}, ACCEPTED, 0),
        ({"local_tag": 5}, REJECTED, 0),
        ({"local_tag": 5, "peer_tag": 5}, ACCEPTED, 1),
        ({"local_tag": 5, "peer_tag": 5, "local_tie_tag": 5}, REJECTED, 0),
        ({"local_tag": 5, "peer_tag": 5, "peer_tie_tag": 5}, REJECTED, 0),
        ({"local_tag": 5, "peer_tag": 5, "local_tie_tag": 0, "peer_tie_tag": 0}, REJECTED, 0),
    ],
)
def test_the_tags_say_what_a_cookie_echo_means(changes: dict[str, object], outcome: int, restarts: int) -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        before = association.stats.packets_discarded
        assert echo(lab, association, cookie_for(association, lab.a.now, **changes)) == outcome
        lab.network.run_for(0.05)
        assert association.state == ESTABLISHED
        assert len(lab.events_of(Restarted)) == restarts
        assert association.stats.packets_discarded - before == (outcome == REJECTED)


def test_without_tie_tags_nothing_is_a_restart() -> None:
    """Section 5.2.2: the Tie-Tags are made when an INIT has come; 0 "indicates that no Tie-Tags" are there."""
    with Scripted() as lab:
        association = lab.up_incoming()
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=5, local_tie_tag=0, peer_tie_tag=0)
        association.tcb.local_tie_tag = association.tcb.peer_tie_tag = 0
        assert echo(lab, association, cookie) == REJECTED
        assert lab.events_of(Restarted) == []


@pytest.mark.parametrize(("late", "told"), [(0, None), (1, 1), (999, 1), (1000, 1), (1001, 2), (5 * 10**9, 5 * 10**6)])
@pytest.mark.parametrize("changes", [{"local_tag": 5, "peer_tag": 5}, {"peer_tag": 5}])
def test_a_stale_cookie_is_told_by_how_many_microseconds(
    changes: dict[str, object], late: int, told: int | None
) -> None:
    """Sections 3.3.10.3 and 5.2.4, step 3: unless both tags match."""
    with Scripted() as lab:
        association = lab.up_incoming()
        cookie = cookie_for(association, lab.a.now, **changes)
        outcome = echo(lab, association, cookie, LIFE + late)
        replies = association.tcb.replies
        if told is None:
            assert (outcome, replies) == (ACCEPTED, [])
        else:
            assert (outcome, replies) == (REJECTED, [(5, control.error([causes.stale_cookie(told)]), None)])
            assert lab.events_of(Restarted) == []


@pytest.mark.parametrize("late", [0, 1])
def test_of_a_tag_that_we_have_given_up_a_cookie_is_told_to_be_stale_or_silently_discarded(late: int) -> None:
    """Section 5.2.4, step 3 and action C."""
    with Scripted() as lab:
        association = lab.up_incoming()
        assert echo(lab, association, cookie_for(association, lab.a.now, local_tag=5), LIFE + late) == REJECTED
        assert len(association.tcb.replies) == late


def test_with_both_tags_a_cookie_is_good_for_ever() -> None:
    """Section 5.2.4, step 3: a stale cookie counts "if the Verification Tags [...] match": its COOKIE ACK was lost."""
    with Scripted() as lab:
        association = lab.up_incoming()
        assert echo(lab, association, cookie_for(association, lab.a.now), 10 * LIFE) == ACCEPTED


def test_of_several_associations_a_cookie_means_the_one_with_its_tie_tag() -> None:
    with Scripted() as lab:
        first, second = lab.up_incoming(), lab.endpoint.connect(lab.a.now, lab.p.peer_addresses, 5001)
        first.tcb.local_tie_tag, second.tcb.local_tie_tag = 1, 2
        cookie = Cookie()
        for tie_tag, meant in ((1, first), (2, second), (3, first), (0, first)):
            cookie.local_tie_tag = tie_tag
            assert restart.meant_by(cookie, [first, second]) is meant
        second.tcb.local_tie_tag = cookie.local_tie_tag = 0  # No INIT has come for it.
        assert restart.meant_by(cookie, [first, second]) is first


# --- where the answer to an INIT goes (section 5.2.1) ---


@pytest.mark.parametrize(("asked", "answered"), [((0,), 0), ((1,), 1), ((0, 1), 1), ((2,), 2)])
def test_in_cookie_wait_the_answer_goes_to_an_address_that_was_asked(asked: tuple[int, ...], answered: int) -> None:
    """It "MUST only be sent to an address passed by the upper layer"; the source, if that is one."""
    with Scripted(paths=3) as lab:
        own = lab.p.addresses
        association = lab.connect(*[own[index] for index in asked])
        assert association.state == COOKIE_WAIT
        lab.heard.clear()
        init = lab.init(addresses=[pack_address(own[index]) for index in (0, 2, 1)])
        lab.ask(init, tag=0, source=own[1])
        [packet] = [packet for packet in lab.heard if "INIT ACK" in packet.chunks]
        assert packet.destination == pack_address(own[answered])


def test_later_the_answer_goes_to_where_the_init_came_from() -> None:
    with Scripted(paths=2) as lab:
        own = lab.p.addresses
        lab.connect(own[0])
        lab.ask(lab.init_ack(addresses=[pack_address(ip) for ip in own]))
        lab.heard.clear()
        lab.ask(lab.init(addresses=[pack_address(ip) for ip in own]), tag=0, source=own[1])
        [packet] = [packet for packet in lab.heard if "INIT ACK" in packet.chunks]
        assert packet.destination == pack_address(own[1])


@pytest.mark.parametrize("cookie", [False, True])
def test_in_shutdown_ack_sent_the_shutdown_ack_goes_to_where_the_setup_chunk_came_from(cookie: bool) -> None:
    """Sections 5.2.4 A and 9.2."""
    with Scripted(paths=2) as lab:
        own = lab.p.addresses
        association = lab.up_outgoing(addresses=[pack_address(ip) for ip in own])
        lab.p_tag += 1
        lab.ask(lab.init(addresses=[pack_address(ip) for ip in own]), tag=0)
        echoed = control.cookie_echo(lab.cookie()) if cookie else b""
        tag = lab.a_tag
        lab.ask(control.shutdown(lab.a_tsn - 1), tag=association.tcb.local_tag)
        assert association.state == SHUTDOWN_ACK_SENT
        lab.heard.clear()
        if cookie:
            lab.ask(echoed, tag=tag, source=own[1])
        else:
            lab.ask(lab.init(addresses=[pack_address(ip) for ip in own]), tag=0, source=own[1])
        [packet] = lab.heard
        assert packet.destination == pack_address(own[1])
        assert packet.chunks == ["SHUTDOWN ACK", "ERROR"] if cookie else ["SHUTDOWN ACK"]
        if cookie:
            assert [code for code, _ in causes_of(lab, "ERROR")] == [CAUSE_COOKIE_WHILE_SHUTTING_DOWN]
        assert association.state == SHUTDOWN_ACK_SENT


def test_in_shutdown_ack_sent_the_rest_of_a_packet_with_a_cookie_echo_does_not_count() -> None:
    """Section 5.2.4 A: no association is set up."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=6)
        lab.ask(control.shutdown(lab.a_tsn - 1))
        assert association.state == SHUTDOWN_ACK_SENT
        assert echo(lab, association, cookie) == REJECTED


# --- what an INIT is answered with ---


def test_an_init_without_the_authentication_that_is_demanded_is_refused_and_changes_nothing() -> None:
    """RFC 4895 section 6.1."""
    with Scripted() as lab:
        association = lab.up_incoming()
        association.tcb.config = AssociationConfig(authenticated_chunks=(CHUNK_ABORT,))
        before = len(lab.heard)
        lab.p_tag += 1
        lab.ask(lab.init(), tag=0)
        assert [packet.chunks for packet in lab.heard[before:]] == [["ABORT"]]
        assert [code for code, _ in causes_of(lab, "ABORT")] == [CAUSE_MISSING_PARAMETER]
        assert association.state == ESTABLISHED


@pytest.mark.parametrize("mtu", [1280, 1284, 1288])
def test_new_addresses_in_an_init_are_told_as_far_as_a_packet_has_room(mtu: int) -> None:
    """Section 5.2.2; an address parameter of IPv6 has 20 bytes."""
    config = AssociationConfig(mtu=mtu, loss_recovery="rfc9260")
    with Scripted(ipv6=True, config=config) as lab:
        lab.up_incoming()
        added = [pack_address(f"2001:db8:7::{number:x}") for number in range(1, 64)]
        lab.ask(lab.init(addresses=added), tag=0)
        [(code, told)] = causes_of(lab, "ABORT")
        assert code == CAUSE_RESTART_WITH_NEW_ADDRESSES
        packet = lab.heard[-1]
        room = mtu - 40 - 8  # IPv6 and UDP.
        assert room - 20 < len(packet.data) <= room
        assert len(told) == len(chunks(packet.data)[0][2]) - 4


def test_a_restart_begins_with_another_tag_and_another_tsn() -> None:
    """Section 5.2.2: "the INIT ACK chunk MUST contain a new Initiate Tag"."""
    with Scripted() as lab:
        lab.up_incoming()
        first = lab.setup("INIT ACK")
        lab.p_tag += 1
        lab.ask(lab.init(), tag=0)
        second = lab.setup("INIT ACK")
        assert first.initiate_tag != second.initiate_tag
        assert len({first.initial_tsn, second.initial_tsn, 0}) == 3


@pytest.mark.parametrize(("waits", "adaptation"), [(True, 7), (False, 8)])
def test_while_setting_up_an_init_is_answered_as_the_association_is_configured(waits: bool, adaptation: int) -> None:
    """Section 5.2.1: "using the same parameters"; behind that a restart begins another association of the SCTP port."""
    with Scripted(config=AssociationConfig(adaptation_layer=8)) as lab:
        mine = AssociationConfig(adaptation_layer=7, on_restart="end")
        lab.endpoint.listen()
        lab.endpoint.connect(lab.a.now, lab.p.peer_addresses, 5000, mine)
        lab.network.run_for(0.015)
        if not waits:
            lab.ask(lab.init_ack())
            lab.ask(control.cookie_ack())
        lab.p_tag += 1
        lab.ask(lab.init(), tag=0)
        assert lab.setup("INIT ACK").adaptation == adaptation


# --- what becomes of the association ---


@pytest.mark.parametrize(("source", "preferred"), [(0, None), (1, 0)])
def test_in_a_collision_the_association_is_the_one_of_the_cookie_and_ours_is_sent_no_more(
    source: int, preferred: int | None
) -> None:
    """Action B. The user's first address is preferred if another one is heard first (CX10)."""
    with Scripted(paths=2) as lab:
        addresses = [pack_address(ip) for ip in lab.p.addresses]
        association = lab.connect()
        lab.ask(lab.init_ack(addresses=addresses), source=lab.p.addresses[1])
        tcb = association.tcb
        assert association.state == COOKIE_ECHOED
        for path in association.paths:
            path.unanswered_inits = 1
            tcb.send_control(path, control.cookie_echo(b"of a tag that is given up"))
        heard = addresses[source]
        cookie = cookie_for(association, lab.a.now, peer_tag=6, source=heard, addresses=addresses)
        assert restart.handle_cookie_echo(association, lab.a.now, cookie, OURS, heard, UDP_PORT) == ACCEPTED
        assert association.state == ESTABLISHED
        assert {chunk[0] for _, chunk, _ in tcb.control} <= {CHUNK_COOKIE_ACK, CHUNK_HEARTBEAT}
        assert [path.unanswered_inits for path in association.paths] == [int(ip != heard) for ip in addresses]
        wish = None if tcb.preferred_primary is None else addresses.index(tcb.preferred_primary.remote)
        assert (association.primary, wish) == (tcb.find_path(heard), preferred)
        assert [report.error for report in association.report] == [0, 0]


def test_after_a_restart_the_extensions_are_those_that_were_agreed_on_anew() -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        for agreed, there in ((ECN, True), (0, False)):
            tag = association.tcb.local_tag + 1
            cookie = cookie_for(association, lab.a.now, local_tag=tag, peer_tag=tag, capabilities=agreed)
            assert echo(lab, association, cookie) == ACCEPTED
            assert (extension.find(association.tcb.extensions, Ecn) is not None) is there


def test_an_end_that_waits_for_data_has_its_guard_from_when_the_data_is_gone() -> None:
    """Section 9.2: T5-shutdown-guard is started with the SHUTDOWN."""
    with Scripted() as lab:
        association = lab.up_incoming()
        association.send(lab.a.now, b"never acknowledged")
        association.shutdown(lab.a.now)
        lab.network.run_for(1)
        assert echo(lab, association, cookie_for(association, lab.a.now, local_tag=5, peer_tag=6)) == ACCEPTED
        closing = association.tcb.closing
        assert closing is not None
        assert closing.t5_started == lab.a.now


@pytest.mark.parametrize("reads", [False, True])
def test_after_a_restart_the_source_of_what_was_received_last_is_still_known(reads: bool) -> None:
    with Scripted(paths=2) as lab:
        association = lab.up_incoming(addresses=[pack_address(ip) for ip in lab.p.addresses])
        lab.ask(lab.data(), source=lab.p.addresses[1])
        if reads:
            association.read()
        assert echo(lab, association, cookie_for(association, lab.a.now, local_tag=5, peer_tag=6)) == ACCEPTED
        assert association.source == pack_address(lab.p.addresses[1])


def test_before_data_came_the_tsn_of_the_init_of_each_collision_counts() -> None:
    """Action B."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        tag = lab.a_tag
        for tsn in (P_TSN + 2000, P_TSN + 1000):
            changes = {"peer_tag": lab.p_tag + tsn, "peer_initial_tsn": tsn}
            assert echo(lab, association, cookie_for(association, lab.a.now, **changes)) == ACCEPTED
        lab.ask(lab.data(b"counts", tsn=P_TSN + 1000), tag=tag)
        assert [message[0] for message in association.read()] == [b"counts"]
        changes = {"peer_tag": lab.p_tag + 9, "peer_initial_tsn": P_TSN}
        assert echo(lab, association, cookie_for(association, lab.a.now, **changes)) == ACCEPTED
        lab.ask(lab.data(b"goes on", tsn=P_TSN + 1001), tag=tag)
        assert [message[0] for message in association.read()] == [b"goes on"]
        assert association.tcb.tsn_map.cumulative_tsn & TSN_MASK == P_TSN + 1001


def test_after_a_restart_heartbeats_go_on() -> None:
    config = AssociationConfig(heartbeat_interval=5.0, loss_recovery="rfc9260")
    with Scripted(config=config) as lab:
        association = lab.up_incoming()
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=6)
        assert echo(lab, association, cookie) == ACCEPTED
        lab.heard.clear()
        lab.network.run_for(20)
        assert any("HEARTBEAT" in packet.chunks for packet in lab.heard)


# --- peers that are at another UDP port (RFC 6951 sections 5.1 and 5.4) ---


@pytest.mark.parametrize(
    ("moved", "heard_at", "asked_at"),
    [
        ([], 0, None),  # A restart.
        ([0], 0, 0),
        ([1], 0, 1),
        ([0, 1, 2], 1, 1),
        ([0, 2], 1, 0),
    ],
)
def test_who_is_at_another_udp_port_now_is_asked_for_at_the_old_one(
    moved: list[int], heard_at: int, asked_at: int | None
) -> None:
    """Perhaps another stack behind that IP address uses the same SCTP port. The address that was heard goes first."""
    with Scripted(paths=3) as lab:
        addresses = [pack_address(ip) for ip in lab.p.addresses]
        association = lab.up_incoming(addresses=addresses)
        for index, path in enumerate(association.paths):
            path.confirmed = True
            path.encaps_port = UDP_PORT + (index in moved)
        lab.heard.clear()
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=6, addresses=addresses)
        outcome = restart.handle_cookie_echo(association, lab.a.now, cookie, OURS, addresses[heard_at], UDP_PORT)
        assert outcome == (ACCEPTED if asked_at is None else REJECTED)
        if asked_at is not None:
            asked = [path for path in association.paths if path.asked >= 0]
            assert asked == [association.paths[asked_at]]


def test_the_address_that_is_heard_now_has_the_udp_port_of_the_cookie_echo_and_others_that_of_the_init() -> None:
    """A NAT may have changed it in between; then it is the port of today (RFC 6951 section 5.4)."""
    with Scripted(paths=2) as lab:
        addresses = [pack_address(ip) for ip in lab.p.addresses]
        association = lab.up_incoming(addresses=addresses)
        for path in association.paths:
            path.confirmed = True
        association.paths[0].encaps_port = UDP_PORT + 5
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=6, addresses=addresses)
        outcome = restart.handle_cookie_echo(association, lab.a.now, cookie, OURS, PEER, UDP_PORT + 5)
        assert outcome == ACCEPTED
        assert len(lab.events_of(Restarted)) == 0
        lab.endpoint.keeper.touch(association)
        lab.network.run_for(0.05)


@pytest.mark.parametrize("reads", [False, True])
def test_the_user_is_told_of_new_messages_unless_there_are_others_that_were_told(reads: bool) -> None:
    with Scripted() as lab:
        association = lab.up_incoming()
        lab.ask(lab.data(b"before"))
        assert len(lab.events_of(Readable)) == 1
        if reads:
            association.read()
        tcb = association.tcb
        assert echo(lab, association, cookie_for(association, lab.a.now, local_tag=5, peer_tag=6)) == ACCEPTED
        assert association.tcb is not tcb
        lab.endpoint.keeper.after_input(association, OURS, PEER, UDP_PORT)
        lab.ask(lab.data(b"after", tsn=2000), tag=5)
        assert association.readable == (1 if reads else 2)
        assert len(lab.events_of(Readable)) == (2 if reads else 1)


@pytest.mark.parametrize("why", ["not confirmed", "not in the cookie"])
def test_an_address_that_is_not_certain_to_be_the_peers_is_not_asked(why: str) -> None:
    with Scripted(paths=2) as lab:
        addresses = [pack_address(ip) for ip in lab.p.addresses]
        association = lab.up_incoming(addresses=addresses)
        other = association.paths[1]
        other.encaps_port += 1
        other.confirmed = why != "not confirmed"
        named = addresses if why == "not confirmed" else addresses[:1]
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=6, addresses=named)
        assert echo(lab, association, cookie) == ACCEPTED
        assert len(lab.events_of(Restarted)) == 0
        lab.network.run_for(0.05)


@pytest.mark.parametrize("read", [False, True])
def test_whole_messages_stay_though_they_have_the_number_of_one_whose_end_is_gone(read: bool) -> None:
    """Unordered messages have no numbers of their own (RFC 9260 section 6.6): the number is 0 in all of them."""
    with Scripted(config=AssociationConfig(receive_buffer=4096, loss_recovery="rfc9260")) as lab:
        association = lab.up_incoming()
        lab.ask(lab.data(b"whole", flags=7, stream=3))
        for flags in (6, 4, 4):
            lab.ask(lab.data(bytes(1000), flags=flags, stream=3))
        assert association.readable == 2
        if read:
            association.read(1)
        cookie = cookie_for(association, lab.a.now, local_tag=5, peer_tag=6)
        assert echo(lab, association, cookie) == ACCEPTED
        assert [message[0] for message in association.read()] == ([] if read else [b"whole"])
