"""SCTP_ECN_SUPPORTED: what sockets agree on, and marks on their way through a router."""

from __future__ import annotations

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.core.outputs import CE, ECT_0
from tests.api.relay import Relay
from tests.api.sockets.support import IPPROTO_SCTP, PORT, accepted, connected, listening, new_socket
from tests.api.support import linux_only

FIRST = "127.0.0.11"


def offer(sock: sctpx.Socket) -> None:
    sock.setsockopt(IPPROTO_SCTP, c.SCTP_ECN_SUPPORTED, s.AssocValue(assoc_value=1))


def leave(sock: sctpx.Socket) -> None:
    """As it is by default."""


def agreed(sock: sctpx.Socket) -> int:
    value = sock.getsockopt(IPPROTO_SCTP, c.SCTP_ECN_SUPPORTED)
    assert isinstance(value, s.AssocValue)
    return value.assoc_value


@linux_only
def test_it_is_agreed_on_where_both_sockets_offer_it() -> None:
    for ours, theirs in ((offer, offer), (offer, leave), (leave, offer), (leave, leave)):
        with connected(ours, theirs) as (a, b):
            assert agreed(a) == agreed(b) == int(ours is theirs is offer)


@linux_only
def test_it_can_be_set_after_bind_for_the_associations_to_come() -> None:
    with listening() as server, new_socket(peer_udp_port=server.udp_port) as first:
        offer(server)
        offer(first)
        first.connect(server.getsockname())
        with accepted(server) as peer:
            assert agreed(first) == agreed(peer) == 1


@linux_only
@pytest.mark.real_time
def test_marks_of_a_router_are_echoed_and_halve_the_window() -> None:
    with listening(address=(FIRST, PORT)) as server:
        offer(server)
        with Relay([FIRST], server.udp_port, congested=True) as relay, sctpx.socket(peer_udp_port=relay.udp_port) as a:
            offer(a)
            for sock in (server, a):  # The end of the association goes through the relay as well.
                sock.setsockopt(c.SOL_SOCKET, c.SO_LINGER, s.Linger(l_onoff=1, l_linger=20))
            a.connect((FIRST, PORT))
            with accepted(server) as b:
                for _ in range(20):
                    a.send(bytes(50_000))
                    left = 50_000
                    while left:
                        left -= len(b.recv(left))
                path = a.getsockopt(IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, s.PaddrInfo(spinfo_address=(FIRST, PORT)))
                assert path.spinfo_cwnd < 500_000
                classes = [traffic_class for traffic_class, _ in relay.from_client[FIRST]]
                assert set(classes) == {0, ECT_0}
                assert CE not in classes
