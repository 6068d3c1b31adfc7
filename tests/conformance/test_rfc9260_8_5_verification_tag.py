"""RFC 9260 sections 8.5 and 8.5.1: Verification Tags, and the exceptions A to E."""

from __future__ import annotations

import errno
from typing import Final

import pytest

from sctpx.core.association.state import (
    COOKIE_ECHOED,
    COOKIE_WAIT,
    ESTABLISHED,
    SHUTDOWN_ACK_SENT,
    SHUTDOWN_PENDING,
    SHUTDOWN_RECEIVED,
    SHUTDOWN_SENT,
    STATE_NAMES,
)
from sctpx.core.events import CannotStart, CommunicationLost, ShutdownComplete
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_ABORT, FLAG_T
from sctpx.wire.packet import chunks
from sctpx.wire.tlv import chunk
from tests.conformance.peer import Peer
from tests.sim.scripted import P_TAG, Scripted
from tests.sim.states import STATES, bring_to

WRONG: Final = 0x77777777


UP: Final = [state for state in STATES if state not in (COOKIE_WAIT, COOKIE_ECHOED)]

in_every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: STATE_NAMES[state])


# Section 8.5


@in_every_state
def test_a_packet_with_another_tag_is_silently_discarded(state: int) -> None:
    """Section 8.5: "the receiver MUST silently discard the packet and MUST NOT process it any further"."""
    with Scripted() as lab:
        association = bring_to(lab, state)
        for said in (
            lab.data(),
            control.heartbeat(b"?"),
            control.shutdown(lab.a_tsn - 1),
            control.cookie_ack(),
            lab.init_ack(),
            control.error([]),
            control.shutdown_complete(),
            control.abort([]),
        ):
            assert lab.ask(said, tag=WRONG, seconds=0.03) == [], chunks(bytes(12) + said)
            assert association.state == state


def test_every_packet_carries_the_tag_the_peer_chose() -> None:
    """Section 8.5: "the endpoint MUST fill in the Verification Tag field of the outbound packet with the tag value in
    the Initiate Tag parameter of the INIT or INIT ACK chunk received from its peer".
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        for _ in range(10):
            association.send(lab.a.now, bytes(3000))
        lab.ask(lab.data(), control.heartbeat(b"?"))
        association.abort(lab.a.now)
        lab.network.run_for(0.05)
        assert len(lab.heard) > 5
        assert {line.split(":")[0] for line in lab.tell(lab.heard[1:])} == {"P"}


def test_the_tag_does_not_change_while_the_association_lives() -> None:
    """Section 5.3.1: "MUST NOT change during the life time of an association"."""
    with Scripted() as lab:
        lab.answers["HEARTBEAT"] = lambda value: [control.heartbeat_ack(value)]
        lab.up_outgoing()
        for _ in range(20):
            lab.ask(lab.data(), seconds=60.0)
            assert lab.ask(control.heartbeat(b"?")) == ["P: HEARTBEAT ACK Heartbeat Info (1 byte)"]


def test_a_new_association_with_the_same_peer_has_a_new_tag() -> None:
    """Section 5.3.1: "A new Verification Tag value MUST be used each time"."""
    with Scripted() as lab:
        tags = set()
        for _ in range(10):
            association = lab.connect()
            tags.add(lab.a_tag)
            association.abort(lab.a.now)
        assert len(tags) == 10
        assert 0 not in tags


# Exception A, INIT: see the tests of section 3.3.2; tag 0 on anything else


@in_every_state
def test_a_packet_with_tag_0_and_no_init_is_silently_discarded(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        for said in (lab.data(), control.abort([]), control.abort([], True), control.shutdown_ack(), lab.init_ack()):
            assert lab.ask(said, tag=0, seconds=0.03) == []
            assert association.state == state


# Exception B, packets with an ABORT


@in_every_state
@pytest.mark.parametrize(
    ("tag", "reflected", "accepted"),
    [
        ("ours", False, True),
        ("ours", True, False),
        ("peer's", True, True),
        ("peer's", False, False),
        ("wrong", False, False),
        ("wrong", True, False),
    ],
)
def test_an_abort_needs_our_tag_without_the_t_bit_or_the_peers_with_it(
    state: int, tag: str, reflected: bool, accepted: bool
) -> None:
    """Section 8.5.1: "MUST accept the packet if the Verification Tag field of the packet matches its own tag and the
    T bit is not set OR if it is set to its Peer's Tag and the T bit is set in the Chunk Flags. Otherwise, the
    receiver MUST silently discard the packet".
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        value = {"ours": lab.a_tag, "peer's": P_TAG, "wrong": WRONG}[tag]
        if state == COOKIE_WAIT and tag == "peer's":
            accepted = False  # Nobody has told it yet.
        assert lab.ask(control.abort([], reflected), tag=value) == []  # Section 9.1: never answered.
        assert association.ended == accepted
        if not accepted:
            assert association.state == state


@pytest.mark.parametrize("state", UP, ids=lambda state: STATE_NAMES[state])
@pytest.mark.parametrize("reflected", [False, True])
def test_an_abort_ends_the_association_for_the_user(state: int, reflected: bool) -> None:
    """Section 9.1: "MUST remove the association from its record and SHOULD report the termination to its upper layer".

    A reflected ABORT in SHUTDOWN-ACK-SENT says that the peer is done: its SHUTDOWN COMPLETE was lost.
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        lab.ask(control.abort([(12, b"enough")], reflected), tag=P_TAG if reflected else None)
        assert association.ended
        assert lab.endpoint.associations == {}
        if reflected and state == SHUTDOWN_ACK_SENT:
            assert len(lab.events_of(ShutdownComplete)) == 1
            return
        [lost] = lab.events_of(CommunicationLost)
        assert (lost.error, lost.by_peer, lost.causes) == (errno.ECONNRESET, True, [(12, b"enough")])


@pytest.mark.parametrize("state", [COOKIE_WAIT, COOKIE_ECHOED], ids=lambda state: STATE_NAMES[state])
def test_an_abort_before_it_is_up_is_a_refusal(state: int) -> None:
    with Scripted() as lab:
        bring_to(lab, state)
        lab.ask(control.abort([(12, b"go away")]))
        [refused] = lab.events_of(CannotStart)
        assert (refused.error, refused.causes) == (errno.ECONNREFUSED, [(12, b"go away")])
        assert lab.events_of(CommunicationLost) == []


@in_every_state
@pytest.mark.parametrize("reflected", [False, True])
def test_an_abort_with_malformed_causes_is_silently_discarded(state: int, reflected: bool) -> None:
    """Section 3.3.7: "If an endpoint receives an ABORT chunk with a format error or no TCB is found, it MUST silently
    discard it."
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        for cause in (b"\0\x0c\0\x63", b"\0\x0c\0\3", b"\0\x0c\0\4\0\1\0\x09"):
            abort = chunk(6, int(reflected), cause)
            assert lab.ask(abort, tag=P_TAG if reflected else None, seconds=0.03) == []
            assert association.state == state


def test_nothing_behind_an_abort_is_processed() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert lab.ask(control.abort([]), lab.data(), control.heartbeat(b"?")) == []
        assert association.ended


def test_what_comes_before_an_abort_in_the_same_packet_is_not_answered_either() -> None:
    """Section 9.1: "An endpoint MUST NOT respond to any received packet that contains an ABORT chunk"."""
    with Scripted() as lab:
        association = lab.up_outgoing()
        assert lab.ask(control.heartbeat(b"?"), control.abort([])) == []
        assert association.ended
    with Scripted() as lab:
        lab.up_outgoing()
        assert lab.ask(control.abort([], reflected=True)) == []
        assert lab.ask(lab.data(), control.abort([])) == []


# Exception C, packets with a SHUTDOWN COMPLETE


@in_every_state
@pytest.mark.parametrize(("tag", "reflected"), [("ours", False), ("ours", True), ("peer's", True), ("peer's", False)])
def test_a_shutdown_complete_counts_in_shutdown_ack_sent_with_the_tags_of_an_abort(
    state: int, tag: str, reflected: bool
) -> None:
    """Section 8.5.1: "An endpoint MUST ignore the SHUTDOWN COMPLETE chunk if it is not in the SHUTDOWN-ACK-SENT
    state".
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        complete = control.shutdown_complete(reflected)
        assert lab.ask(complete, tag=P_TAG if tag == "peer's" else None, seconds=0.03) == []
        accepted = state == SHUTDOWN_ACK_SENT and (tag == "ours") != reflected
        assert association.ended == accepted
        assert len(lab.events_of(ShutdownComplete)) == accepted


def test_our_shutdown_complete_has_the_peers_tag_and_no_t_bit() -> None:
    """Section 8.5.1: "if the receiver of the SHUTDOWN ACK chunk has a TCB, then the destination endpoint's tag MUST
    be used and the T bit MUST NOT be set".
    """
    with Scripted() as lab:
        bring_to(lab, SHUTDOWN_SENT)
        assert lab.ask(control.shutdown_ack()) == ["P: SHUTDOWN COMPLETE"]


# Exception E, packets with a SHUTDOWN ACK


@pytest.mark.parametrize("state", [COOKIE_WAIT, COOKIE_ECHOED], ids=lambda state: STATE_NAMES[state])
@pytest.mark.parametrize("tag", ["ours", "another"])
def test_a_shutdown_ack_before_it_is_up_is_out_of_the_blue(state: int, tag: str) -> None:
    """Section 8.5.1: "it is treated as an OOTB packet"; section 9.2: "The sender of the INIT chunk lets T1-init
    continue running and remains in the COOKIE-WAIT or COOKIE-ECHOED state".
    """
    with Scripted() as lab:
        association = bring_to(lab, state)
        value = lab.a_tag if tag == "ours" else WRONG
        owner = "A" if tag == "ours" else f"{WRONG:#010x}"
        assert lab.ask(control.shutdown_ack(), tag=value) == [f"{owner}: SHUTDOWN COMPLETE T"]
        assert association.state == state
        repeated = "INIT" if state == COOKIE_WAIT else "COOKIE ECHO"
        assert [packet.split(": ")[1].startswith(repeated) for packet in lab.listen_for(1.0)] == [True]


@pytest.mark.parametrize(
    "state", [ESTABLISHED, SHUTDOWN_PENDING, SHUTDOWN_RECEIVED], ids=lambda state: STATE_NAMES[state]
)
def test_a_shutdown_ack_that_answers_nothing_is_ignored(state: int) -> None:
    with Scripted() as lab:
        association = bring_to(lab, state)
        assert lab.ask(control.shutdown_ack()) == []
        assert association.state == state


def test_a_shutdown_ack_with_another_tag_is_silently_discarded_once_it_is_up() -> None:
    with Scripted() as lab:
        association = bring_to(lab, SHUTDOWN_SENT)
        assert lab.ask(control.shutdown_ack(), tag=WRONG) == []
        assert lab.ask(control.shutdown_ack(), tag=P_TAG) == []
        assert association.state == SHUTDOWN_SENT


@pytest.mark.parametrize("abort", [chunk(CHUNK_ABORT, FLAG_T, b""), chunk(CHUNK_ABORT, 0, b"\0\1\0")])
def test_8_5_1_b_nothing_in_the_packet_of_a_discarded_abort_is_answered(abort: bytes) -> None:
    """8.5.1 B: "MUST silently discard the packet and take no further action"."""
    peer = Peer()
    peer.deliver(control.heartbeat(b"info"), abort)
    assert peer.take() == []
    assert peer.association.state == ESTABLISHED
    peer.deliver(control.heartbeat(b"info"))
    assert [packet.names for packet in peer.take()] == [["HEARTBEAT ACK"]]
