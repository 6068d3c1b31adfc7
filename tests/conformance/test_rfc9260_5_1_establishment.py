"""RFC 9260 sections 5.1 and 5.3: setting an association up, sentence by sentence; see tests/sim/test_handshake.py."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationUp
from sctpx.core.timers import SECOND
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_COOKIE_ACK, CHUNK_COOKIE_ECHO, CHUNK_HEARTBEAT_ACK
from sctpx.wire.packet import chunks, finish_packet, parse_prefix, prefix
from sctpx.wire.tlv import chunk
from tests.sim.scripted import P_TSN, Scripted


def sent(lab: Scripted, name: str) -> list[tuple[float, str]]:
    """When and where to chunks of that name left, seconds since the simulation began."""
    return [
        (round((packet.sent - lab.network.clock.start) / 1e9, 3), packet.destination_text)
        for packet in lab.heard
        if name in packet.chunks
    ]


def test_a_the_init_starts_t1_init_and_the_association_waits_for_the_cookie() -> None:
    """5.1 A: "After sending the INIT chunk, "A" starts the T1-init timer and enters the COOKIE-WAIT state"."""
    with Scripted() as lab:
        association = lab.connect()
        assert association.state == COOKIE_WAIT
        assert lab.setup("INIT").initiate_tag != 0
        lab.network.run_for(8)
        assert [when for when, _ in sent(lab, "INIT")] == [0, 1, 3, 7]


def test_b_the_answer_to_an_init_is_at_once_and_leaves_nothing_behind() -> None:
    """5.1 B: "responds immediately with an INIT ACK"; ""Z" MUST NOT allocate any resources or keep any states"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        [answer] = lab.ask(lab.init(), tag=0, seconds=0.021)
        assert answer.startswith("P: INIT ACK")
        assert lab.endpoint.associations == {}
        assert lab.a.stack.next_timeout() is None


def test_c_the_init_ack_stops_t1_init_and_starts_t1_cookie() -> None:
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert association.state == COOKIE_ECHOED
        lab.network.run_for(8)
        assert len(sent(lab, "INIT")) == 1
        times = [when for when, _ in sent(lab, "COOKIE ECHO")]
        assert [round(when - times[0], 3) for when in times] == [0, 1, 3, 7]


def test_c_until_the_cookie_ack_nothing_else_is_sent_unasked() -> None:
    """5.1 C: "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer"."""
    with Scripted(paths=2) as lab:
        lab.connect()
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)))
        lab.network.run_for(30)
        assert {name for packet in lab.heard for name in packet.chunks} == {"INIT", "COOKIE ECHO"}


def test_c_the_cookie_echo_is_first_in_its_packet_whatever_waits() -> None:
    """ "it MUST be the first chunk in the packet": one is sent again while the answer to a HEARTBEAT waits."""
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init_ack())
        stack, now = lab.a.stack, lab.a.now
        packet = finish_packet(prefix(5000, 5000, lab.a_tag), control.heartbeat(b"first"))
        stack.receive(now, lab.a.packed[0], lab.p.packed[0], lab.p.udp_port, packet, len(packet))
        later = now + 2 * SECOND
        stack.handle_timeout(later)
        sent: list[list[int]] = []
        while (transmit := stack.poll_transmit(later)) is not None:
            sent.append([kind for kind, _, _ in chunks(transmit.data)])
        assert CHUNK_HEARTBEAT_ACK in {kind for kinds in sent for kind in kinds}
        assert [kinds[0] for kinds in sent if CHUNK_COOKIE_ECHO in kinds] == [CHUNK_COOKIE_ECHO]


def test_d_the_cookie_echo_makes_the_association_and_draws_a_cookie_ack_in_front() -> None:
    """RFC 9260 sections 3.3.3.1.1 and 3.3.12."""
    with Scripted() as lab:
        association = lab.up_incoming()
        assert association.state == ESTABLISHED
        assert lab.heard[-1].chunks[0] == "COOKIE ACK"


def test_d_the_cookie_ack_is_first_in_its_packet_whatever_waits() -> None:
    """ "the COOKIE ACK chunk MUST be the first chunk in the packet". Its peer discards what is in front: until the
    COOKIE ACK the association is not up there.
    """
    with Scripted() as lab:
        lab.up_incoming()
        stack, now = lab.a.stack, lab.a.now
        cookie = lab.cookie()
        for said in (control.heartbeat(b"first"), control.cookie_echo(cookie)):
            packet = finish_packet(prefix(5000, 5000, lab.a_tag), said)
            stack.receive(now, lab.a.packed[0], lab.p.packed[0], lab.p.udp_port, packet, len(packet))
        transmit = stack.poll_transmit(now)
        assert transmit is not None
        kinds = [kind for kind, _, _ in chunks(transmit.data)]
        assert (kinds[0], CHUNK_HEARTBEAT_ACK in kinds) == (CHUNK_COOKIE_ACK, True)


def test_e_the_cookie_ack_stops_t1_cookie() -> None:
    with Scripted(config=AssociationConfig(heartbeat_interval=0)) as lab:
        association = lab.up_outgoing()
        assert association.state == ESTABLISHED
        assert lab.listen_for(100) == []


def test_init_and_init_ack_are_alone_in_their_packets() -> None:
    """5.1: "They MUST be the only chunks present in the SCTP packets that carry them"."""
    # RFC 9260 section 3.
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        other = lab.endpoint.connect(lab.a.now, lab.p.peer_addresses, 6000)
        lab.network.run_for(0.05)
        assert [packet.chunks for packet in lab.heard] == [["INIT ACK"], ["INIT"]]
        assert other.state == COOKIE_WAIT


def test_each_address_has_its_t1_init_and_the_cookie_echo_uses_all() -> None:
    """5.1: "there SHOULD be a T1-init and T1-cookie timer for each address of the peer. Retransmissions of INIT chunks
    and COOKIE ECHO chunks SHOULD use all addresses of the peer".
    """
    with Scripted(paths=2) as lab:
        lab.connect()
        lab.network.run_for(1.9)
        assert sent(lab, "INIT") == [(0.0, "10.0.1.2"), (0.1, "10.0.2.2"), (1.0, "10.0.1.2"), (1.1, "10.0.2.2")]
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)))
        lab.network.run_for(5)
        assert {where for _, where in sent(lab, "COOKIE ECHO")} == {"10.0.1.2", "10.0.2.2"}


@pytest.mark.parametrize("backlog", [0, 1])
def test_an_init_that_is_refused_draws_an_abort_with_its_tag(backlog: int) -> None:
    """5.1: "lack of local resources, it SHOULD respond with an ABORT chunk [...]. The Verification Tag field [...] MUST
    be set to the Initiate Tag value of the received INIT".
    """
    with Scripted() as lab:
        if backlog:
            lab.endpoint.listen(1)
            lab.up_incoming()
        [answer] = lab.ask(lab.init(initiate_tag=0x77), tag=0, port=4000)
        assert answer == ("0x00000077: ABORT" + (" Out of Resource" if backlog else ""))


def test_a_malformed_init_ack_is_answered_with_its_own_tag() -> None:
    """5.1: "set to the Initiate Tag value of the received INIT or INIT ACK chunk"."""
    with Scripted() as lab:
        association = lab.connect()
        ack = lab.init_ack()
        assert lab.ask(ack[:2] + (12).to_bytes(2, "big") + ack[4:12]) == ["P: ABORT Invalid Mandatory Parameter"]
        assert association.ended
        assert lab.events_of(CannotStart)


def test_the_first_data_is_acknowledged_at_once_and_the_second_may_wait() -> None:
    """5.1: "After the reception of the first DATA chunk in an association, the endpoint MUST immediately respond with a
    SACK chunk".
    """
    with Scripted() as lab:
        lab.up_incoming()
        assert lab.ask(lab.data(), seconds=0.021)[0].startswith(f"P: SACK cum {P_TSN}")
        assert lab.ask(lab.data(), seconds=0.021) == []


def test_5_1_1_streams_are_the_least_of_both_sides() -> None:
    """5.1.1: "min(requested, offered)"; the other side's numbers are taken as they are."""
    with Scripted(config=AssociationConfig(streams=7)) as lab:
        association = lab.up_incoming(outbound_streams=3, inbound_streams=5)
        assert (association.outbound_streams, association.inbound_streams) == (5, 3)


def test_5_1_3_the_tie_tags_of_a_normal_init_are_zero_and_each_cookie_has_tags_of_its_own() -> None:
    """5.3.1: the Initiate Tag is random and not 0; two INITs of one peer are offered different ones."""
    with Scripted() as lab:
        lab.endpoint.listen()
        tags = set()
        for _ in range(50):
            lab.ask(lab.init(), tag=0, seconds=0.021)
            tags.add(lab.setup("INIT ACK").initiate_tag)
        assert len(tags) == 50
        assert 0 not in tags


def test_5_1_5_a_cookie_in_a_packet_with_another_tag_is_silently_discarded() -> None:
    """5.1.5, 3: "If these values do not match, the packet MUST be silently discarded"."""
    with Scripted() as lab:
        lab.endpoint.listen()
        lab.ask(lab.init(), tag=0)
        echo = control.cookie_echo(lab.cookie())
        assert lab.ask(echo, tag=lab.a_tag ^ 1) == []
        assert lab.ask(echo, port=4000) == []
        assert lab.endpoint.associations == {}


def test_5_3_1_a_new_association_with_the_same_peer_has_a_new_tag() -> None:
    """5.3.1: "A new Verification Tag value MUST be used each time the endpoint tears down and then reestablishes"."""
    with Scripted() as lab:
        seen = set()
        for _ in range(5):
            association = lab.up_outgoing()
            seen.add(lab.a_tag)
            association.abort(lab.a.now)
            lab.network.run_for(0.05)
            lab.a.events.clear()
        assert len(seen) == 5


def test_the_tag_of_an_init_is_zero_and_the_others_are_those_of_the_peer() -> None:
    with Scripted() as lab:
        lab.up_outgoing()
        tags = [(packet.chunks[0], parse_prefix(packet.data)[2]) for packet in lab.heard]
        assert tags == [("INIT", 0), ("COOKIE ECHO", lab.p_tag)]
        assert len(lab.events_of(CommunicationUp)) == 1


def test_5_1_c_an_unknown_chunk_is_not_reported_before_the_cookie_ack() -> None:
    """5.1 C: "until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer"."""
    with Scripted() as lab:
        lab.connect()
        lab.ask(lab.init_ack())
        assert lab.ask(chunk(0x7E, 0, b"to be reported")) == []
