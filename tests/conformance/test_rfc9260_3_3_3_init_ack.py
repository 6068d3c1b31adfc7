"""RFC 9260 section 3.3.3: what the receiver of an INIT ACK does about its contents."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.connect import ANSWER_INIT_ACK, ANSWER_MALFORMED
from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from sctpx.core.events import CannotStart
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_COOKIE_ECHO, CHUNK_ERROR
from sctpx.wire.packet import chunks, parse_prefix
from sctpx.wire.tlv import chunk, item
from tests.sim.scripted import COOKIE, Scripted


def test_it_draws_a_cookie_echo_with_the_cookie_unchanged_and_the_peers_tag() -> None:
    """Section 5.1.4: "it MUST immediately send a COOKIE ECHO chunk to its peer with the received State Cookie";
    8.5.1 D: "MUST use the value of the Initiate Tag received in the INIT ACK chunk".
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert lab.chunk("COOKIE ECHO") == COOKIE
        assert parse_prefix(lab.heard[-1].data) == (5000, 5000, lab.p_tag)
        assert association.state == COOKIE_ECHOED


@pytest.mark.parametrize("length", [1, 2, 3, 5, 1000, 1420])
def test_a_cookie_of_any_length_comes_back(length: int) -> None:
    with Scripted() as lab:
        cookie = bytes(range(256)) * 6
        lab.connect()
        lab.ask(lab.init_ack(cookie=cookie[:length]))
        assert lab.chunk("COOKIE ECHO") == cookie[:length]


def test_a_cookie_larger_than_a_packet_goes_out_in_one_that_ip_fragments() -> None:
    """Section 3.3.3: "MUST be prepared to receive an INIT ACK chunk that is quite large (more than 1500 bytes)"."""
    with Scripted() as lab:
        lab.network.set(fragment=True)
        cookie = bytes(range(256)) * 40
        lab.connect()
        lab.ask(lab.init_ack(cookie=cookie))
        assert lab.chunk("COOKIE ECHO") == cookie


def test_an_initiate_tag_of_0_ends_the_attempt_with_a_reflected_abort() -> None:
    """Section 3.3.3: "it MUST destroy the TCB and SHOULD send an ABORT chunk with the T bit set"."""
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(lab.init_ack(initiate_tag=0), tag=lab.a_tag)[0].split(": ")[1].startswith("ABORT T")
        assert association.ended


@pytest.mark.parametrize("changes", [{"outbound_streams": 0}, {"inbound_streams": 0}], ids=str)
def test_no_streams_end_the_attempt_with_an_abort(changes: dict[str, int]) -> None:
    """Section 3.3.3: "it MUST destroy the TCB and SHOULD send an ABORT chunk"."""
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(lab.init_ack(**changes)) == ["P: ABORT Invalid Mandatory Parameter"]
        assert association.ended
        [event] = lab.events_of(CannotStart)
        assert event.error == errno.ECONNREFUSED


def test_an_a_rwnd_below_1500_is_refused_and_the_attempt_goes_on() -> None:
    """Section 3.3.3: "MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using
    the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association".
    """
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(lab.init_ack(a_rwnd=1499)) == ["P: ABORT Invalid Mandatory Parameter"]
        assert association.state == COOKIE_WAIT
        assert lab.ask(lab.init_ack(a_rwnd=1500)) == ["P: COOKIE ECHO 32 bytes"]


def test_a_missing_cookie_ends_the_attempt_with_an_abort_that_says_so() -> None:
    """Section 5.1: "missing mandatory parameters in the received INIT or INIT ACK chunk [...] SHOULD respond with an
    ABORT chunk"; 3.3.10.2.
    """
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(lab.init_ack(cookie=None)) == ["P: ABORT Missing Mandatory Parameter (State Cookie)"]
        assert association.ended


def test_an_empty_cookie_is_a_cookie_and_is_echoed() -> None:
    """Section 5.1.4: "it MUST immediately send a COOKIE ECHO chunk to its peer with the received State Cookie". What is
    in it is the peer's affair: a parameter without a value is not missing.
    """
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(lab.init_ack(cookie=b"")) == ["P: COOKIE ECHO"]
        lab.ask(control.cookie_ack())
        assert association.state == ESTABLISHED


def test_a_host_name_address_ends_the_attempt_with_an_abort() -> None:
    """Note 3: "MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause"."""
    with Scripted() as lab:
        association = lab.connect()
        ack = lab.init_ack()
        value = ack[4:] + item(11, b"host.example\0")
        [answer] = lab.ask(chunk(2, 0, value))
        assert answer.startswith("P: ABORT Unresolvable Address (Host Name Address")
        assert association.ended


def test_with_another_address_listed_each_of_these_refuses_only_the_one_it_came_from() -> None:
    """The contract's CX8: a malformed INIT ACK moves on to the next address."""
    for changes in ({"initiate_tag": 0}, {"outbound_streams": 0}, {"inbound_streams": 0}, {"cookie": None}):
        with Scripted(paths=2) as lab:
            association = lab.connect()
            lab.ask(lab.init_ack(**changes))
            assert [packet.destination_text for packet in lab.heard if packet.chunks == ["INIT"]] == [
                "10.0.1.2",
                "10.0.2.2",
            ]
            lab.say(lab.init_ack(addresses=list(lab.p.packed)), source="10.0.2.2")
            lab.network.run_for(0.05)
            assert association.state == COOKIE_ECHOED
            assert [report.answer for report in association.report] == [ANSWER_MALFORMED, ANSWER_INIT_ACK]


def test_an_init_ack_that_is_bundled_is_discarded() -> None:
    """Section 5.1: "An INIT or INIT ACK chunk MUST NOT be bundled with any other chunk"."""
    # RFC 9260 section 3.
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(lab.init_ack(), lab.data()) == []
        assert lab.ask(lab.data(), lab.init_ack()) == []
        assert association.state == COOKIE_WAIT


def test_an_init_ack_with_another_tag_is_out_of_the_blue() -> None:
    """Section 8.5: the tag must be our own."""
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack(), tag=lab.a_tag ^ 1)
        lab.ask(lab.init_ack(), tag=0)
        assert association.state == COOKIE_WAIT
        assert not any("COOKIE ECHO" in packet.chunks for packet in lab.heard)


@pytest.mark.parametrize("changes", [{}, {"initiate_tag": 0}, {"outbound_streams": 0}, {"a_rwnd": 0}], ids=str)
def test_in_any_other_state_it_is_discarded(changes: dict[str, int]) -> None:
    """Section 5.2.3 and 3.3.3: "If such an INIT ACK chunk is received in any state other than CLOSED or COOKIE-WAIT, it
    SHOULD be discarded silently".
    """
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        assert lab.ask(lab.init_ack(**changes)) == []
        assert association.state == COOKIE_ECHOED
        lab.ask(control.cookie_ack())
        assert lab.ask(lab.init_ack(cookie=b"another cookie")) == []
        assert association.state == ESTABLISHED
        assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]


def test_streams_follow_the_init_ack() -> None:
    """Section 5.1.1."""
    with Scripted() as lab:
        association = lab.up_outgoing(outbound_streams=3, inbound_streams=4)
        assert (association.outbound_streams, association.inbound_streams) == (4, 3)


def test_an_init_ack_that_is_too_short_refuses() -> None:
    with Scripted() as lab:
        association = lab.connect()
        lab.ask(chunk(2, 0, bytes(15)))
        assert association.ended
        [event] = lab.events_of(CannotStart)
        assert event.error == errno.ECONNREFUSED


def test_a_cookie_ack_is_discarded_in_every_state_but_cookie_echoed() -> None:
    """Section 5.2.5: "At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard"."""
    with Scripted() as lab:
        association = lab.connect()
        assert lab.ask(control.cookie_ack()) == []
        assert association.state == COOKIE_WAIT
        lab.ask(lab.init_ack())
        lab.ask(control.cookie_ack())
        assert lab.ask(control.cookie_ack()) == []
        assert association.state == ESTABLISHED


@pytest.mark.parametrize(("size", "bundled"), [(100, True), (600, False)])
def test_a_report_that_does_not_fit_beside_the_cookie_echo_is_not_sent(size: int, bundled: bool) -> None:
    """Section 3.2.2: by itself it MAY be sent, "but not before the COOKIE ACK chunk has been received"."""
    with Scripted() as lab:
        lab.network.set(fragment=True)  # The INIT ACK may be larger than a packet.
        lab.connect()
        strange = item(0xC0AA, bytes(size))
        ack = lab.init_ack(cookie=bytes(1000))
        before = len(lab.heard)
        lab.ask(chunk(ack[0], ack[1], ack[4:] + strange))
        [packet] = lab.heard[before:]
        assert [kind for kind, _, _ in chunks(packet.data)] == [CHUNK_COOKIE_ECHO] + [CHUNK_ERROR] * bundled
