"""RFC 9260 section 10: ICMP errors; with the project's departure from ICMP3 and from RFC 6951 section 5.5.

What reaches the core are errors that say "destination unreachable": an errno, and what came back of our packet.
"""

from __future__ import annotations

import errno
from typing import Final

import pytest

from sctpx.core.association.state import COOKIE_ECHOED, COOKIE_WAIT, ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CannotStart, CommunicationLost, PathChange
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.testing import Packet
from sctpx.wire import control
from tests.sim.scripted import Scripted, return_by_icmp

UNREACHABLE: Final = [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED]


def hit(lab: Scripted, packet: Packet, error: int, returned: bytes | None = None, times: int = 1) -> None:
    """An ICMP error about a packet reaches A."""
    for _ in range(times):
        return_by_icmp(lab.network, packet, error, returned)
    lab.network.run_for(0.015)


def with_tag(packet: Packet, tag: int) -> bytes:
    return packet.data[:4] + tag.to_bytes(4, "big") + packet.data[8:]


# In COOKIE-WAIT


@pytest.mark.parametrize("error", [*UNREACHABLE, errno.ENOPROTOOPT])
def test_about_an_init_it_refuses_the_address(error: int) -> None:
    """The contract's CX8; for a port unreachable a departure from ICMP3 ("SHOULD ignore"), for a protocol unreachable
    ICMP8: "if it does contain an INIT chunk and the association is in the COOKIE-WAIT state, handle the ICMP message
    like an ABORT".
    """
    with Scripted() as lab:
        association = lab.connect()
        hit(lab, lab.heard[0], error)
        assert association.ended
        [event] = lab.events_of(CannotStart)
        assert event.error == error


@pytest.mark.parametrize("length", [0, 4, 8, 12, 13, 16, 19])
def test_about_an_init_it_must_return_20_bytes(length: int) -> None:
    """ICMP6: "If the ICMP message is too short [...] silently discard the packet"."""
    with Scripted() as lab:
        association = lab.connect()
        hit(lab, lab.heard[0], errno.EHOSTUNREACH, lab.heard[0].data[:length])
        assert association.state == COOKIE_WAIT
        hit(lab, lab.heard[0], errno.EHOSTUNREACH, lab.heard[0].data[:20])
        assert association.ended


@pytest.mark.parametrize("place", [*range(4), 12, *range(16, 20)])
def test_about_an_init_ports_chunk_type_and_initiate_tag_must_be_right(place: int) -> None:
    """ICMP5 and ICMP6."""
    with Scripted() as lab:
        association = lab.connect()
        forged = bytearray(lab.heard[0].data)
        forged[place] ^= 1
        hit(lab, lab.heard[0], errno.EHOSTUNREACH, bytes(forged))
        assert association.state == COOKIE_WAIT


def test_about_an_init_to_another_address_it_refuses_nothing() -> None:
    with Scripted(paths=2) as lab:
        association = lab.connect("10.0.1.2")
        stranger = lab.heard[0].duplicate(lab.a.now)
        stranger.destination = lab.p.packed[1]
        hit(lab, stranger, errno.EHOSTUNREACH)
        assert association.state == COOKIE_WAIT


def test_about_a_late_init_it_changes_nothing_once_the_race_is_won() -> None:
    with Scripted() as lab:
        association = lab.connect()
        init = lab.heard[0]
        lab.ask(lab.init_ack())
        hit(lab, init, errno.EHOSTUNREACH)
        assert association.state == COOKIE_ECHOED
        lab.ask(control.cookie_ack())
        hit(lab, init, errno.ENOPROTOOPT)
        assert association.state == ESTABLISHED
        assert association.paths[0].state == PATH_ACTIVE


# Later


@pytest.mark.parametrize("error", UNREACHABLE)
def test_an_unreachable_destination_counts_as_one_error_of_the_path(error: int) -> None:
    """ICMP9: "MAY move the destination to the unreachable state or, alternatively, increment the path error counter.
    SCTP MAY provide information to the upper layer".
    """
    with Scripted(paths=2) as lab:
        association = lab.up_outgoing(addresses=list(lab.p.packed))
        hit(lab, lab.heard[-1], error)
        path, other = association.paths
        assert (path.error_count, path.state) == (1, PATH_POTENTIALLY_FAILED)
        assert (other.error_count, other.state) == (0, PATH_ACTIVE)
        [event] = lab.events_of(PathChange)
        assert (event.remote, event.state, event.error) == (path.remote, PATH_POTENTIALLY_FAILED, error)
        association.send(lab.a.now, b"goes elsewhere")
        lab.network.run_for(0.02)
        assert [packet.destination_text for packet in lab.heard if "DATA" in packet.chunks] == ["10.0.2.2"]


def test_often_enough_they_make_the_path_inactive_but_do_not_end_the_association() -> None:
    """Not even all paths: whoever can forge them knows a tag, but may be a router that is wrong for a moment."""
    with Scripted(paths=2, config=AssociationConfig(heartbeat_interval=0)) as lab:
        lab.answers["DATA"] = lambda value: [lab.sack(1)]
        association = lab.up_outgoing(addresses=list(lab.p.packed))
        echo = next(packet for packet in lab.heard if "COOKIE ECHO" in packet.chunks)
        other = echo.duplicate(lab.a.now)
        other.destination = lab.p.packed[1]
        for packet in (echo, other):
            for _ in range(20):
                hit(lab, packet, errno.EHOSTUNREACH)
                lab.network.run_for(1.0)  # RTO
        assert [path.state for path in association.paths] == [PATH_INACTIVE, PATH_INACTIVE]
        assert association.state == ESTABLISHED
        association.send(lab.a.now, b"still tries")
        lab.network.run_for(0.05)
        assert any("DATA" in packet.chunks for packet in lab.heard)
        assert PATH_ACTIVE in [path.state for path in association.paths]


def test_those_about_one_burst_count_once() -> None:
    """A router answers each packet that it cannot deliver; that is one failure, as it would be one timeout."""
    with Scripted(paths=2, config=AssociationConfig(heartbeat_interval=0)) as lab:
        association = lab.up_outgoing(addresses=list(lab.p.packed))
        echo = next(packet for packet in lab.heard if "COOKIE ECHO" in packet.chunks)
        hit(lab, echo, errno.EHOSTUNREACH, times=44)
        assert [path.error_count for path in association.paths] == [1, 0]
        lab.network.run_for(1.0)
        hit(lab, echo, errno.EHOSTUNREACH, times=44)
        assert [path.error_count for path in association.paths] == [2, 0]


def test_a_path_that_answers_recovers_at_once() -> None:
    with Scripted() as lab:
        lab.answers["HEARTBEAT"] = lambda value: [control.heartbeat_ack(value)]
        association = lab.up_outgoing()
        hit(lab, lab.heard[-1], errno.EHOSTUNREACH)
        lab.network.run_for(0.1)
        assert association.paths[0].state == PATH_ACTIVE


def test_while_the_peer_answers_they_never_end_the_association() -> None:
    """However many there are: each has a HEARTBEAT ask, whose answer counts for more."""
    with Scripted(config=AssociationConfig(association_max_retrans=1, path_max_retrans=0)) as lab:
        lab.answers["HEARTBEAT"] = lambda value: [control.heartbeat_ack(value)]
        association = lab.up_outgoing()
        for _ in range(30):
            hit(lab, lab.heard[-1], errno.ECONNREFUSED)
            lab.network.run_for(1.5)
        assert association.state == ESTABLISHED
        assert association.paths[0].state == PATH_ACTIVE
        assert sum(packet.chunks == ["HEARTBEAT"] for packet in lab.heard) >= 30


@pytest.mark.parametrize("error", [*UNREACHABLE, errno.ENOPROTOOPT])
def test_the_tag_must_be_the_peers(error: int) -> None:
    """ICMP6: "MUST validate that the Verification Tag contained in the ICMP message matches the Verification Tag of
    the peer".
    """
    with Scripted() as lab:
        association = lab.up_outgoing()
        packet = lab.heard[-1]
        for tag in (lab.a_tag, lab.p_tag ^ 1, 0):
            hit(lab, packet, error, with_tag(packet, tag))
        for length in range(8):
            hit(lab, packet, error, packet.data[:length])
        assert association.paths[0].error_count == 0
        assert association.state == ESTABLISHED
        hit(lab, packet, errno.EHOSTUNREACH, packet.data[:8])
        assert association.paths[0].error_count == 1


def test_an_error_about_no_association_is_ignored() -> None:
    """ICMP5: "If the association cannot be found, an implementation SHOULD ignore the ICMP message"."""
    with Scripted(paths=2) as lab:
        association = lab.up_outgoing()
        packet = lab.heard[-1]
        hit(lab, packet, errno.EHOSTUNREACH, b"\0\1\0\2" + packet.data[4:])
        packet.destination = lab.p.packed[1]
        hit(lab, packet, errno.EHOSTUNREACH)
        assert association.paths[0].error_count == 0
        association.abort(lab.a.now)
        hit(lab, lab.heard[0], errno.EHOSTUNREACH)
        assert lab.network.hosts["A"].stack.endpoints == {5000: lab.endpoint}


# Protocol unreachable: ICMP8


def test_on_ip_a_protocol_unreachable_ends_the_association_like_an_abort_with_the_t_bit() -> None:
    """ICMP8: "MUST treat this message as an abort with the T bit set if it does not contain an INIT chunk"."""
    with Scripted(udp_port=0) as lab:
        association = lab.up_outgoing()
        hit(lab, lab.heard[-1], errno.ENOPROTOOPT)
        assert association.ended
        [lost] = lab.events_of(CommunicationLost)
        assert lost.by_peer
        assert lab.listen_for(0.1) == []


def test_on_ip_in_cookie_echoed_it_ends_the_attempt() -> None:
    with Scripted(udp_port=0) as lab:
        association = lab.connect()
        lab.ask(lab.init_ack())
        hit(lab, lab.heard[-1], errno.ENOPROTOOPT)
        assert association.ended
        assert len(lab.events_of(CannotStart)) == 1


def test_on_ip_an_association_can_outlive_a_protocol_unreachable_if_the_user_says_so() -> None:
    """A departure from ICMP8 that is not the default: the peer's host starts its SCTP anew, and answers again."""
    config = AssociationConfig(on_protocol_unreachable="continue")
    with Scripted(udp_port=0, config=config) as lab:
        association = lab.up_outgoing()
        hit(lab, lab.heard[-1], errno.ENOPROTOOPT)
        assert association.state == ESTABLISHED
        assert association.paths[0].error_count == 1
        assert lab.ask(lab.data())  # It goes on.
        assert lab.events_of(CommunicationLost) == []


def test_in_udp_a_protocol_unreachable_is_about_udp_and_ends_nothing() -> None:
    with Scripted() as lab:
        association = lab.up_outgoing()
        hit(lab, lab.heard[-1], errno.ENOPROTOOPT)
        assert association.state == ESTABLISHED
        assert association.paths[0].error_count == 1


def test_that_a_packet_was_too_big_says_nothing_against_the_path() -> None:
    """ICMP7 is for path MTU discovery: neither an INIT is refused by it, nor does a path fail."""
    with Scripted() as lab:
        association = lab.connect()
        hit(lab, lab.heard[-1], errno.EMSGSIZE)
        assert association.state == COOKIE_WAIT
        lab.ask(lab.init_ack())
        lab.ask(control.cookie_ack())
        association.send(lab.a.now, b"data")
        lab.network.run_for(0.015)
        hit(lab, lab.heard[-1], errno.EMSGSIZE)
        assert [(path.state, path.error_count) for path in association.paths] == [(PATH_ACTIVE, 0)]
