"""RFC 8899: path MTU discovery by the packetization layer, with the rules for SCTP of its section 6.2.

Sizes are those of SCTP packets. Over UDP and IPv4, BASE_PLPMTU is 1192 bytes here, and 28 bytes come on top for IP.
"""

from __future__ import annotations

from errno import ENOBUFS
from typing import Final

import pytest

from sctpx.core.path import pmtu
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_HEARTBEAT, CHUNK_PAD
from tests.conformance.peer import Peer, Sent

BASE: Final = 1192
MINIMUM: Final = 548
HEADERS: Final = 28
MAX_PROBES: Final = 3


def probes(sent: list[Sent]) -> list[Sent]:
    """The probe packets among them."""
    return [one for one in sent if one.names == ["HEARTBEAT", "PAD"]]


def size(probe: Sent) -> int:
    return len(probe.bytes)


def ack(peer: Peer, probe: Sent) -> None:
    """The peer answers a probe."""
    peer.deliver(control.heartbeat_ack(probe.value("HEARTBEAT")), path=probe.path)


def acknowledge(peer: Peer, sent: list[Sent]) -> bool:
    """The peer acknowledges all that it has; whether there was anything among these packets."""
    tsns = [tsn for one in sent for tsn in one.tsns]
    if tsns:
        peer.sack(max(tsns))
    return bool(tsns)


def begun(link_mtu: int = 1500, **how: object) -> tuple[Peer, Sent]:
    """A message of several packets has left; its data is acknowledged. The first probe is under way."""
    peer = Peer(link_mtu=link_mtu, **how)  # type: ignore[arg-type]
    peer.send(5000)
    sent = peer.take()
    [probe] = probes(sent)
    while acknowledge(peer, sent):
        sent = peer.take()
    return peer, probe


def next_probe(peer: Peer) -> Sent:
    [probe] = probes(peer.take())
    return probe


def passing(peer: Peer, probe: Sent, limit: int) -> list[int]:
    """Answer probes of up to ``limit`` bytes until there is none any more: their sizes."""
    sizes = []
    while True:
        sizes.append(size(probe))
        if size(probe) <= limit:
            ack(peer, probe)
        found = probes(peer.take())
        for _ in range(4):
            if not found:
                peer.advance(1.0)
                found = probes(peer.take())
        if not found:
            return sizes
        [probe] = found


# 3: features


def test_no_packet_but_a_probe_is_larger_than_plpmtu() -> None:
    """3 (1): "A PL MUST NOT send a datagram (other than a probe packet) with a size [...] larger than the current"."""
    peer = Peer(link_mtu=9000)
    peer.send(100_000)
    for _ in range(20):
        for one in peer.take():
            if one.names == ["HEARTBEAT", "PAD"]:
                ack(peer, one)
                continue
            assert len(one.bytes) <= peer.path().mtu
            if one.tsns:
                peer.sack(max(one.tsns))
    assert peer.path().mtu == 9000 - HEADERS


def test_a_probe_is_sent_with_df_set() -> None:
    """3 (2): "a probe packet MUST be sent with the Don't Fragment (DF) bit set"."""
    peer, probe = begun()
    assert not probe.fragments
    ack(peer, probe)
    larger = next_probe(peer)
    assert size(larger) > peer.path().mtu
    assert not larger.fragments


def test_a_lost_probe_is_no_congestion_and_no_error() -> None:
    """3 (7): "Loss of a probe packet SHOULD NOT be treated as an indication of congestion"; 6.2.1.2."""
    peer, probe = begun()
    ack(peer, probe)
    before = (peer.path().cwnd, peer.path().ssthresh, peer.path().rto)
    peer.advance(30.0)
    assert peer.association.stats.path_mtu_probes_lost > 2
    assert (peer.path().cwnd, peer.path().ssthresh, peer.path().rto) == before
    assert (peer.path().error_count, peer.path().state, peer.association.tcb.error_count) == (0, PATH_ACTIVE, 0)


def test_a_larger_plpmtu_does_not_change_the_congestion_window() -> None:
    """3 (7): "An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes"."""
    peer, probe = begun(9000)
    ack(peer, probe)
    probe = next_probe(peer)
    before = peer.path().cwnd
    ack(peer, probe)
    assert peer.path().mtu == 9000 - HEADERS
    assert peer.path().cwnd == before


def test_probes_are_a_round_trip_apart() -> None:
    """3 (7), 8: "the interval between individual probe packets MUST be at least one RTT"."""
    peer = Peer(link_mtu=9000, rtt=0.3)
    peer.send(50_000)
    assert len(probes(peer.take())) == 1
    peer.advance(0.9)
    assert not probes(peer.take())


def test_probes_need_no_room_in_the_peers_window() -> None:
    """3 (8): "Flow control SHOULD NOT apply to DPLPMTU when probe packets [...] not carry user data"."""
    peer, probe = begun()
    peer.send(3000)
    [*_, last] = peer.take()
    peer.sack(max(last.tsns), a_rwnd=0)
    peer.take()
    ack(peer, probe)
    assert size(next_probe(peer)) == 1500 - HEADERS


# 4.1, 6.2.1.2: probe packets


def test_a_probe_is_a_heartbeat_and_a_pad_chunk_and_nothing_else() -> None:
    """6.2.1.2: "Probe packets consist of an SCTP common header followed by a HEARTBEAT chunk and a PAD chunk"."""
    peer, probe = begun()
    assert [kind for kind, _, _ in probe.chunks] == [CHUNK_HEARTBEAT, CHUNK_PAD]
    assert size(probe) == BASE
    ack(peer, probe)
    peer.send(3000)
    peer.deliver(peer.data(1, 100, flags=7))  # A SACK is owed at once.
    sent = peer.take()
    assert [one.names for one in probes(sent)] == [["HEARTBEAT", "PAD"]]
    assert any(one.names[0] == "SACK" for one in sent)


def test_each_probe_has_a_nonce_of_its_own() -> None:
    """4.1: "Probe messages [...] MUST contain enough information to uniquely identify the probe"."""
    peer, probe = begun()
    ack(peer, probe)
    other = next_probe(peer)
    assert other.value("HEARTBEAT") != probe.value("HEARTBEAT")
    ack(peer, probe)  # Once more: a duplicate.
    assert peer.path().mtu == BASE
    assert peer.association.stats.packets_discarded == 1
    ack(peer, other)
    assert peer.path().mtu == 1500 - HEADERS


def test_the_answer_to_a_lost_probe_that_comes_late_changes_nothing() -> None:
    """3: "robust to the possibility that packets could be significantly delayed or duplicated"."""
    peer, probe = begun()
    ack(peer, probe)
    late = next_probe(peer)
    peer.advance(1.0)
    assert size(next_probe(peer)) < 1500 - HEADERS
    ack(peer, late)
    assert peer.path().mtu == BASE


@pytest.mark.parametrize("info", [bytes(12), b"", b"12345678" + bytes((10, 0, 1, 2))])
def test_a_guessed_answer_confirms_nothing(info: bytes) -> None:
    """8: "protects from off-path attackers injecting packets"."""
    peer, _ = begun()
    peer.deliver(control.heartbeat_ack(control.heartbeat(info)[4:]))
    assert not peer.path().sized


def test_a_probe_goes_to_no_address_that_is_not_confirmed() -> None:
    """RFC 9260 section 5.4: nothing large goes where the peer may not be."""
    peer = Peer(paths=2, link_mtu=9000)
    peer.path(2).confirmed = False
    peer.send(5000)
    assert {one.path for one in probes(peer.take())} == {1}


# 4.3: black holes


def fall(peer: Peer, probe: Sent, link_mtu: int = 9000) -> list[Sent]:
    """PLPMTU is as large as can be, and then three packets of that size are under way."""
    passing(peer, probe, link_mtu)
    assert peer.path().mtu == link_mtu - HEADERS
    peer.send(link_mtu, link_mtu, link_mtu)
    return [one for one in peer.take() if one.tsns]


def test_a_packet_that_is_lost_twice_shows_a_black_hole() -> None:
    """4.3: "excessive loss of data sent with a specific packet size"; 5.2: BASE is entered."""
    peer, probe = begun(9000)
    fall(peer, probe)
    peer.advance(peer.t3())
    assert peer.path().mtu == 9000 - HEADERS
    [again] = peer.take()
    assert not again.fragments
    peer.advance(peer.t3())
    assert peer.path().mtu == BASE
    assert peer.association.stats.path_mtu_black_holes == 1
    sent = peer.take()
    assert [size(one) for one in probes(sent)] == [BASE]
    [again] = [one for one in sent if one.tsns]
    assert again.fragments  # RFC 9260 section 6.9: "if the PMTU has been reduced, then IP fragmentation MUST be used".


def test_packets_that_the_interface_never_had_room_for_show_a_black_hole_after_one_timeout() -> None:
    """Some virtual links say so of packets that the other end does not take."""
    peer, probe = begun(9000)
    peer.refuse(fall(peer, probe)[0], ENOBUFS)
    assert peer.path().mtu == 9000 - HEADERS  # It may be congestion as well.
    peer.advance(peer.t3())
    assert peer.path().mtu == BASE
    assert peer.association.stats.path_mtu_black_holes == 1


def test_a_small_packet_that_the_interface_had_no_room_for_says_nothing_of_sizes() -> None:
    peer, probe = begun(9000)
    passing(peer, probe, 9000)
    peer.send(100)
    peer.refuse(peer.take()[0], ENOBUFS)
    assert peer.path().timed_out_tsn == -1


def test_small_packets_that_pass_do_not_hide_a_black_hole() -> None:
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    first = min(sent[0].tsns)
    rest = max(sent[-1].tsns)
    for _ in range(2):
        peer.sack(first - 1, (rest, rest))
        peer.advance(peer.t3())
        peer.take()
    assert peer.association.stats.path_mtu_black_holes == 1


def test_timeouts_of_packets_that_every_path_takes_show_none() -> None:
    peer, probe = begun(9000)
    passing(peer, probe, 9000)
    peer.send(100)
    for _ in range(3):
        peer.take()
        peer.advance(peer.t3())
    assert peer.path().mtu == 9000 - HEADERS
    assert peer.association.stats.path_mtu_black_holes == 0


def test_the_search_after_a_black_hole_finds_the_new_size() -> None:
    peer, probe = begun(9000)
    fall(peer, probe)
    peer.advance(peer.t3())
    peer.advance(peer.t3())
    [probe] = probes(peer.take())
    peer.sack(peer.association.tcb.outstanding.next_tsn - peer.association.tcb.initial_tsn)
    passing(peer, probe, 1400 - HEADERS)
    assert peer.path().mtu == 1400 - HEADERS
    assert peer.path().whole == 1400 - HEADERS


# 4.6: PTB messages


def test_a_report_about_data_leads_to_base_and_to_a_probe_of_the_size_it_names() -> None:
    """4.6.2: "The PLPMTU SHOULD be set to BASE_PLPMTU [...] start a search to quickly discover the new PLPMTU"."""
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    peer.icmp(sent[0], 1400)
    assert peer.path().mtu == BASE
    again = peer.take()
    assert all(one.fragments for one in again if one.tsns)
    [probe] = probes(again)
    assert size(probe) == BASE
    ack(peer, probe)
    probe = next_probe(peer)
    assert size(probe) == 1400 - HEADERS
    ack(peer, probe)
    assert peer.path().mtu == 1400 - HEADERS


def test_a_report_about_a_probe_has_the_size_probed_that_it_names() -> None:
    """4.6.2: "PLPMTU < PL_PTB_SIZE < PROBED_SIZE: [...] The PLPMTU is not updated [...] the next search point"."""
    peer, probe = begun(9000)
    ack(peer, probe)
    probe = next_probe(peer)
    peer.icmp(probe, 1400)
    assert peer.path().mtu == BASE
    probe = next_probe(peer)
    assert size(probe) == 1400 - HEADERS
    ack(peer, probe)
    probe = next_probe(peer)
    assert size(probe) == 1400 - HEADERS + 4
    peer.icmp(probe, 1400)  # "PTB: PL_PTB_SIZE = PLPMTU" (section 5.2).
    assert not peer.association.tcb.extensions
    assert peer.path().mtu == 1400 - HEADERS


@pytest.mark.parametrize("mtu", [0, 68, 575])
def test_a_report_of_less_than_the_minimum_is_ignored(mtu: int) -> None:
    """4.6.2: "PL_PTB_SIZE < MIN_PLPMTU: [...] ought to be discarded"."""
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    peer.icmp(sent[0], mtu)
    assert peer.path().mtu == 9000 - HEADERS


@pytest.mark.parametrize("mtu", [9000, 9001, 65535])
def test_a_report_of_no_less_than_what_was_sent_is_ignored(mtu: int) -> None:
    """4.6.2: "PL_PTB_SIZE >= PROBED_SIZE: [...] Inconsistent network signal"."""
    peer, probe = begun(9000)
    ack(peer, probe)
    probe = next_probe(peer)
    peer.icmp(probe, mtu)
    assert not peer.take()
    assert peer.association.stats.path_mtu_reports == 0
    ack(peer, probe)
    assert peer.path().mtu == 9000 - HEADERS


def test_a_report_never_makes_packets_larger() -> None:
    """3 (6): "A PTB message MUST NOT be used to increase the PLPMTU"."""
    peer, probe = begun(9000)
    peer.icmp(probe, 9000)
    assert peer.path().mtu == BASE


def test_no_report_makes_packets_smaller_than_base() -> None:
    """8: "a PL sender never reduces the PLPMTU below the base size solely in response to receiving a PTB message"."""
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    peer.icmp(sent[0], 600)
    assert peer.path().mtu == BASE
    [probe] = probes(peer.take())
    assert size(probe) == BASE


@pytest.mark.parametrize("tag", [0, 0x50505051])
def test_a_report_with_another_tag_is_ignored(tag: int) -> None:
    """6.2.1.4: "Normal ICMP validation MUST be performed as specified in Appendix C of [RFC4960]"."""
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    peer.icmp(sent[0], 1400, tag)
    assert peer.path().mtu == 9000 - HEADERS
    assert not peer.take()


@pytest.mark.parametrize("mtu", [600, 1300])
def test_a_forged_report_ends_no_search_and_the_next_one_is_not_believed(mtu: int) -> None:
    """5.3.3, 8: a size above the reported one passes."""
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    peer.icmp(sent[0], mtu)
    [probe] = probes(peer.take())
    passing(peer, probe, 9000)
    assert peer.path().mtu == 9000 - HEADERS
    peer.icmp(sent[0], mtu)
    assert peer.path().mtu == 9000 - HEADERS
    assert peer.association.stats.path_mtu_reports == 1


def test_what_a_report_says_is_lost_goes_again_at_once() -> None:
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    peer.icmp(sent[0], 1400)
    again = [tsn for one in peer.take() for tsn in one.tsns]
    assert again
    assert min(again) == min(sent[0].tsns)
    assert peer.association.stats.t3_timeouts == 0


# 5.1.1, 5.1.2: timers and constants


def test_base_plpmtu_is_1200_bytes_over_ipv4_and_1280_bytes_of_ipv6() -> None:
    """5.1.2; with the UDP header, which PLPMTU has in it (6.2.2.2)."""
    ipv4, ipv6 = bytes(4), bytes(16)
    assert (pmtu.base_size(ipv4, 0), pmtu.base_size(ipv4, 9899) + 8) == (1200, 1200)
    assert (pmtu.base_size(ipv6, 0) + 40, pmtu.base_size(ipv6, 9899) + 48) == (1280, 1280)
    assert pmtu.minimum_size(ipv6, 0) == pmtu.base_size(ipv6, 0)


@pytest.mark.parametrize("rto_min", [0.01, 1.0])
def test_probe_timer_is_a_second_at_least(rto_min: float) -> None:
    """5.1.1: "This value MUST NOT be smaller than 1 second"."""
    peer, probe = begun(rto_min=rto_min, rto_initial=1.0)
    ack(peer, probe)
    peer.take()
    peer.advance(0.999)
    assert not probes(peer.take())
    peer.advance(0.002)
    assert probes(peer.take())


def test_the_search_resumes_after_600_seconds() -> None:
    """5.1.1: PMTU_RAISE_TIMER. "DPLPMTUD MAY inhibit sending probe packets when no application data has been sent"."""
    peer, probe = begun()
    passing(peer, probe, 1300 - HEADERS)
    at = peer.elapsed
    peer.advance(590.0)
    peer.send(5000)
    sent = peer.take()
    assert not probes(sent)
    while acknowledge(peer, sent):
        sent = peer.take()
    peer.advance(20.0)
    peer.take()
    assert peer.elapsed - at > 600
    peer.send(5000)
    assert [size(one) for one in probes(peer.take())] == [1300 - HEADERS + 4]


# 5.2: the state machine


def test_base_is_probed_first_and_then_what_the_interface_takes() -> None:
    """5.2: "When transitioning to the BASE state, a probe packet of size BASE_PLPMTU can be sent immediately"."""
    peer, probe = begun(9000)
    assert size(probe) == BASE
    ack(peer, probe)
    assert size(next_probe(peer)) == 9000 - HEADERS


def test_the_search_is_complete_when_max_plpmtu_is_acknowledged() -> None:
    peer, probe = begun(9000)
    assert passing(peer, probe, 9000) == [BASE, 9000 - HEADERS]
    assert not peer.association.tcb.extensions
    peer.advance(100.0)
    assert not probes(peer.take())  # "DPLPMTUD SHOULD NOT continue to generate PLPMTU probes in this state."


def test_base_that_is_lost_three_times_leads_to_error() -> None:
    """5.2: "PROBE_COUNT = MAX_PROBES"; 5.4: "endpoint IP fragmentation"."""
    peer, probe = begun()
    sizes = [size(probe)]
    for _ in range(MAX_PROBES):
        peer.send(100)  # Small packets pass: there is connectivity.
        acknowledge(peer, peer.take())
        peer.advance(1.0)
        sizes += [size(one) for one in probes(peer.take())]
    assert sizes == [BASE] * MAX_PROBES
    assert peer.path().mtu == MINIMUM
    assert peer.path().whole == 0
    peer.send(5000)
    assert all(one.fragments and len(one.bytes) <= MINIMUM for one in peer.take())


def test_error_is_left_when_base_passes() -> None:
    """5.2: "The state is exited when packet probes no longer detect the error"."""
    peer, _ = begun()
    for _ in range(MAX_PROBES):
        peer.send(100)
        acknowledge(peer, peer.take())
        peer.advance(1.0)
    peer.take()
    peer.advance(60.0)
    peer.send(3000)
    [probe] = probes(peer.take())
    assert size(probe) == BASE
    ack(peer, probe)
    assert peer.path().mtu == BASE
    assert size(next_probe(peer)) == 1500 - HEADERS


def test_a_path_on_which_nothing_is_answered_tells_nothing_of_sizes() -> None:
    """5.2: "DISABLED [...] when the PL indicates loss of connectivity"."""
    peer = Peer(link_mtu=1500, path_max_retrans=2)
    peer.send(5000)
    peer.advance(60.0)
    path: Path = peer.path()
    assert not path.sized
    assert path.mtu == BASE
    assert not peer.association.tcb.extensions


def test_a_size_that_is_lost_is_probed_max_probes_times_before_the_search_ends() -> None:
    """5.1.2: "robustness to isolated packet loss"."""
    peer, probe = begun()
    sizes = passing(peer, probe, 1400 - HEADERS)
    assert sizes.count(1400 - HEADERS + 4) == MAX_PROBES
    assert peer.path().mtu == 1400 - HEADERS


def test_plpmtu_is_told_to_the_user() -> None:
    """4.4: "a PL SHOULD provide applications with a primitive that returns the MPS"."""
    peer, probe = begun(9000)
    passing(peer, probe, 9000)
    assert peer.association.fragmentation_point == 9000 - HEADERS - 12 - 16
