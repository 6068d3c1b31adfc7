"""RFC 8899: what becomes of a search when the interface refuses a packet, a path goes, or the way is another one."""

from __future__ import annotations

from errno import EMSGSIZE

import pytest

from sctpx.core.association import path_set
from sctpx.core.ext import path_mtu
from sctpx.wire.codes import CHUNK_HEARTBEAT_ACK
from sctpx.wire.tlv import chunk
from tests.conformance.peer import Peer
from tests.conformance.test_rfc8899_path_mtu import (
    BASE,
    HEADERS,
    MINIMUM,
    ack,
    begun,
    fall,
    next_probe,
    passing,
    probes,
    size,
)


def test_an_interface_that_refuses_a_probe_has_smaller_ones_tried_at_once() -> None:
    """3 (5): the local link MTU."""
    peer, probe = begun(9000)
    ack(peer, probe)
    sizes = []
    while probe := next(iter(probes(peer.take())), None):  # type: ignore[assignment]
        sizes.append(size(probe))
        if size(probe) > 1400 - HEADERS:
            peer.refuse(probe, EMSGSIZE)
        else:
            ack(peer, probe)
    assert sizes[:2] == [9000 - HEADERS, 1500 - HEADERS]
    assert sizes.count(1400 - HEADERS + 4) == 1
    assert peer.path().mtu == 1400 - HEADERS
    assert peer.elapsed < 1


def test_an_interface_that_refuses_even_base_leads_to_error() -> None:
    peer, probe = begun()
    peer.refuse(probe, EMSGSIZE)
    assert peer.association.stats.path_mtu_probes_lost == 1
    assert peer.path().mtu == MINIMUM
    assert not peer.association.tcb.extensions


def test_a_probe_that_is_refused_late_changes_nothing() -> None:
    peer, probe = begun()
    ack(peer, probe)
    peer.refuse(probe, EMSGSIZE)
    assert peer.path().mtu == BASE
    passing(peer, next_probe(peer), 1500)
    peer.refuse(probe, EMSGSIZE)
    assert peer.path().mtu == 1500 - HEADERS


def test_data_that_the_interface_refuses_leads_to_base_once() -> None:
    peer, probe = begun(9000)
    sent = fall(peer, probe)
    for one in sent:
        peer.refuse(one, EMSGSIZE)
    assert peer.path().mtu == BASE
    assert peer.association.stats.path_mtu_black_holes == 0
    again = [tsn for one in peer.take() for tsn in one.tsns]
    assert len(again) == len(set(again))


def test_a_report_in_error_that_base_is_too_big_ends_the_search_at_once() -> None:
    """5.2: BASE is left when "a received PTB message is validated"."""
    peer, probe = begun()
    peer.refuse(probe, EMSGSIZE)
    peer.advance(61.0)
    peer.send(3000)
    [probe] = probes(peer.take())
    peer.icmp(probe, 1000)
    assert not peer.association.tcb.extensions
    assert peer.path().mtu == MINIMUM


@pytest.mark.parametrize("value", [b"", b"\0\1\0\3", bytes(8)])
def test_a_malformed_heartbeat_ack_is_discarded_while_a_probe_is_under_way(value: bytes) -> None:
    peer, probe = begun()
    peer.deliver(chunk(CHUNK_HEARTBEAT_ACK, 0, value))
    assert peer.association.stats.packets_discarded == 1
    ack(peer, probe)
    assert peer.path().mtu == BASE
    assert peer.path().sized


def test_a_path_that_goes_takes_its_search_along() -> None:
    """RFC 5061 section 5.3."""
    peer = Peer(paths=2, link_mtu=9000)
    peer.send(50_000)
    sent = probes(peer.take())
    assert {one.path for one in sent} == {1, 2}
    path_set.remove(peer.association.tcb, peer.now, peer.path(2))
    for one in sent:
        if one.path == 1:
            ack(peer, one)
    assert {one.path for one in probes(peer.take())} == {1}


def test_what_was_found_on_the_old_way_is_not_taken_for_the_new_one() -> None:
    """5.3.3, RFC 5061: another address of ours, another link."""
    peer, probe = begun(9000)
    passing(peer, probe, 9000)
    peer.path().timed_out_tsn = 7
    path_mtu.on_new_way(peer.association.tcb, peer.path())
    assert (peer.path().mtu, peer.path().sized, peer.path().timed_out_tsn) == (BASE, False, -1)
    peer.send(5000)
    probe = next_probe(peer)
    path_mtu.on_new_way(peer.association.tcb, peer.path())
    assert not peer.association.tcb.extensions
    ack(peer, probe)
    assert not peer.path().sized
