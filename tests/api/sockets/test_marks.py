"""IP_TOS and SCTP_PEER_ADDR_PARAMS mark packets, as a plain UDP socket on the way sees them: sockets."""

from __future__ import annotations

import socket

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.api.relay import Relay
from tests.api.sockets.support import IPPROTO_SCTP, PORT, accepted, listening
from tests.api.support import linux_only

pytestmark = pytest.mark.real_time

EF, CS5, AF41 = 0xB8, 0xA0, 0x88
FIRST, SECOND = "127.0.0.11", "127.0.0.12"


def wait_for_the_end(*sockets: sctpx.Socket) -> None:
    """Closing them waits for the end of their associations, which still goes through the relay."""
    for sock in sockets:
        sock.setsockopt(c.SOL_SOCKET, c.SO_LINGER, s.Linger(l_onoff=1, l_linger=20))


def whole(sock: sctpx.Socket, size: int) -> int:
    while size > 0:
        size -= len(sock.recv(size))
    return size


def echo(sock: sctpx.Socket, peer: sctpx.Socket, size: int) -> None:
    """So many bytes there, and an answer back."""
    sock.send(bytes(size))
    whole(peer, size)
    peer.send(b"answer")
    assert sock.recv(100) == b"answer"


@linux_only
@pytest.mark.real_time
def test_a_socket_has_one_mark_and_each_path_can_have_its_own() -> None:
    """Sockets that share a UDP socket have different marks. The second path carries HEARTBEATs, and then data."""
    with listening(address=(FIRST, PORT)) as server:
        server.bindx([(SECOND, PORT)])
        server.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CS5)
        with Relay([FIRST, SECOND], server.udp_port) as relay, sctpx.socket(peer_udp_port=relay.udp_port) as a:
            wait_for_the_end(server, a)
            a.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EF)
            a.setsockopt(IPPROTO_SCTP, c.SCTP_NODELAY, 1)
            a.connectx([(FIRST, PORT), (SECOND, PORT)])
            with accepted(server) as b:
                second = s.PaddrParams(spp_address=(SECOND, PORT), spp_flags=c.SPP_DSCP, spp_dscp=AF41)
                a.setsockopt(IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS, second)
                before = len(relay.from_client[SECOND])
                echo(a, b, 200_000)
                a.setsockopt(IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, s.SetPrim(ssp_addr=(SECOND, PORT)))
                echo(a, b, 200_000)
                assert len(relay.from_client[FIRST]) > 5
                assert {traffic_class for traffic_class, _ in relay.from_client[FIRST]} == {EF}
                assert {traffic_class for traffic_class, _ in relay.from_client[SECOND][:before]} <= {EF}
                after = relay.from_client[SECOND][before:]
                assert len(after) > 5
                assert {traffic_class for traffic_class, _ in after} == {AF41}
                assert {traffic_class for traffic_class, _ in relay.from_server} == {CS5}


@linux_only
@pytest.mark.real_time
def test_sockets_that_share_a_udp_port_have_marks_of_their_own_and_can_change_them() -> None:
    with (
        listening(address=(FIRST, PORT)) as server,
        Relay([FIRST], server.udp_port) as one,
        Relay([FIRST], server.udp_port) as other,
        sctpx.socket(peer_udp_port=one.udp_port) as marked,
        sctpx.socket(peer_udp_port=other.udp_port) as plain,
    ):
        wait_for_the_end(server, marked, plain)
        marked.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EF)
        for sock in (marked, plain):
            sock.connect((FIRST, PORT))
        assert marked.udp_port == plain.udp_port
        with accepted(server) as b, accepted(server):
            assert set(one.from_client[FIRST]) == {(EF, 0)}
            before = len(one.from_client[FIRST])
            marked.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, AF41)
            echo(marked, b, 1000)
            assert set(one.from_client[FIRST][before:]) == {(AF41, 0)}
            assert set(other.from_client[FIRST]) == {(0, 0)}
