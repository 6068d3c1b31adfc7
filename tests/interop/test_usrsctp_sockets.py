"""Our sockets and usrsctp's, in both styles, peeled-off ones included; UDP on loopback between them.

The test's own calls to the driver take time in which nothing of ours waits: the network must be seen to all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from tests.interop.conftest import StartUsrsctp
from tests.interop.usrsctp import PATIENCE, Usrsctp, content, digest

OURS = ["127.0.1.1", "127.0.2.1"]
THEIRS = ["127.0.1.2", "127.0.2.2"]
PORT = 5001
pytestmark = pytest.mark.matrix(peer="usrsctp", api="sockets", column="UDP IPv4", addresses="2")
SIZES = [1, 1000, 1452, 1453, 65536, 1 << 20]


class Met(NamedTuple):
    """An association: our socket for it, and theirs."""

    sock: sctpx.Socket
    peer: Usrsctp
    socket: int


Meet = Callable[[Usrsctp], AbstractContextManager[Met]]


def bound(style: int = sctpx.SOCK_STREAM, port: int = 0, peer: Usrsctp | None = None) -> sctpx.Socket:
    """A socket of ours on both addresses."""
    sock = sctpx.socket(sctpx.AF_INET, style, udp_port=0, peer_udp_port=9899 if peer is None else peer.udp_port)
    sock.settimeout(PATIENCE)
    sock.bindx([(host, port) for host in OURS])
    return sock


@contextmanager
def we_connect(peer: Usrsctp) -> Iterator[Met]:
    """We set the association up from a one-to-one socket."""
    with bound(peer=peer) as sock:
        listener = peer.open(port=PORT, listen=True, udp_port=sock.udp_port)
        peer.post("accept", socket=listener)
        sctpx.sctp_connectx(sock, [(host, PORT) for host in THEIRS])
        yield Met(sock, peer, peer.reply()["socket"])


@contextmanager
def they_connect(peer: Usrsctp) -> Iterator[Met]:
    """usrsctp sets the association up with a one-to-one socket that listens."""
    with bound(port=PORT) as server:
        server.listen()
        socket = peer.open(udp_port=server.udp_port)
        peer.post("connectx", socket=socket, addresses=OURS, port=PORT)
        sock, _ = server.accept()
        with sock:
            sock.settimeout(PATIENCE)
            peer.reply()
            yield Met(sock, peer, socket)


@contextmanager
def peeled_off(peer: Usrsctp) -> Iterator[Met]:
    """usrsctp sets the association up with a one-to-many socket, which branches it off."""
    with bound(sctpx.SOCK_SEQPACKET, PORT) as server:
        server.listen()
        event = s.Event(se_type=c.SCTP_ASSOC_CHANGE, se_on=1)
        server.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, event)
        socket = peer.open("one-to-many", udp_port=server.udp_port)
        peer.post("connectx", socket=socket, addresses=OURS, port=PORT)
        up = sctpx.sctp_recvv(server, 1000).notification
        assert isinstance(up, s.AssocChange)
        association = peer.reply()["association"]
        theirs = peer.call("peeloff", socket=socket, association=association)["socket"]
        with sctpx.sctp_peeloff(server, up.sac_assoc_id) as sock:
            sock.settimeout(PATIENCE)
            sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_ASSOC_CHANGE, se_on=0))
            yield Met(sock, peer, theirs)


all_ways = pytest.mark.parametrize("meet", [we_connect, they_connect, peeled_off])


def recv_whole(sock: sctpx.Socket) -> bytes:
    """A message, put together if it comes in pieces."""
    parts = [sock.recvmsg(1 << 18)]
    while not parts[-1][2] & c.MSG_EOR:
        parts.append(sock.recvmsg(1 << 18))
    return b"".join(part[0] for part in parts)


@all_ways
def test_messages_arrive_whole_in_both_directions(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    with meet(start_usrsctp(THEIRS, OURS, send_space=4 << 20)) as (sock, peer, socket):
        for seed, size in enumerate(SIZES):
            sctpx.sctp_sendmsg(sock, content(seed, size), ppid=60, stream_no=3)
            (received,) = peer.call("receive", socket=socket)["messages"]
            assert (received["size"], received["stream"], received["ppid"]) == (size, 3, 60)
            assert received["sha256"] == digest(content(seed, size))
            peer.post("send", socket=socket, size=size, seed=seed + 100)
            assert recv_whole(sock) == content(seed + 100, size)
            peer.reply()


@all_ways
def test_each_side_lists_the_addresses_of_the_other(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    with meet(start_usrsctp(THEIRS, OURS)) as (sock, peer, socket):
        assert {address for address, *_ in sock.getpaddrs()} == set(THEIRS)
        assert [address for address, *_ in sock.getladdrs()] == OURS
        assert {path["address"] for path in peer.call("status", socket=socket)["paths"]} == set(OURS)


@all_ways
def test_our_end_delivers_everything_first(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    with meet(start_usrsctp(THEIRS, OURS)) as (sock, peer, socket):
        for seed in range(20):
            sock.send(content(seed, 10000))
        sock.close()
        received = peer.call("receive", socket=socket, count=21)
        assert [message["sha256"] for message in received["messages"]] == [
            digest(content(seed, 10000)) for seed in range(20)
        ]
        assert received["end"] == "closed"


@all_ways
def test_their_end_is_an_end_of_file_after_all_messages(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    with meet(start_usrsctp(THEIRS, OURS)) as (sock, peer, socket):
        peer.call("send", socket=socket, size=10000, seed=1, count=20)
        peer.call("shutdown", socket=socket)
        assert [recv_whole(sock) for _ in range(20)] == [content(seed, 10000) for seed in range(1, 21)]
        assert sock.recv(1) == b""


@all_ways
def test_aborts_are_told_on_the_other_side(meet: Meet, start_usrsctp: StartUsrsctp) -> None:
    with meet(start_usrsctp(THEIRS, OURS)) as (sock, peer, socket):
        peer.call("abort", socket=socket)
        with pytest.raises(sctpx.AssociationAborted):
            sock.recv(1)


def test_implicit_setup_reaches_their_one_to_many_socket(start_usrsctp: StartUsrsctp) -> None:
    peer = start_usrsctp(THEIRS, OURS)
    with bound(sctpx.SOCK_SEQPACKET, peer=peer) as sock:
        socket = peer.open("one-to-many", port=PORT, listen=True, udp_port=sock.udp_port)
        sent = sctpx.sctp_sendv(sock, content(1, 5000), [(host, PORT) for host in THEIRS])
        (received,) = peer.call("receive", socket=socket)["messages"]
        assert received["sha256"] == digest(content(1, 5000))
        peer.call("send", socket=socket, size=3000, seed=2, association=received.get("association"))
        assert recv_whole(sock) == content(2, 3000)
        sctpx.sctp_sendv(sock, b"", info=s.SndInfo(snd_assoc_id=sent.assoc_id, snd_flags=c.SCTP_EOF))
