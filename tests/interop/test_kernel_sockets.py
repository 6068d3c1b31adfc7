"""Our blocking sockets and a Linux kernel."""

from __future__ import annotations

import pytest

import sctpx
from sctpx import constants as c
from tests.interop.conftest import Figure
from tests.interop.kernel_peer.meeting import MeetSockets, both_sockets, ours, theirs, ways
from tests.interop.kernel_peer.peer import KernelPeer
from tests.interop.matrix import Way
from tests.interop.usrsctp import content, digest

pytestmark = pytest.mark.matrix(peer="Linux kernel", subject="Blocking sockets", api="sockets")
SIZES = [1, 1000, 1440, 1452, 1453, 65536, 1 << 20]
SIZE = 10_000
MESSAGES = 20


def recv_whole(sock: sctpx.Socket) -> bytes:
    """A message, put together if it comes in pieces."""
    parts = [sock.recvmsg(1 << 18)]
    while not parts[-1][2] & c.MSG_EOR:
        parts.append(sock.recvmsg(1 << 18))
    return b"".join(part[0] for part in parts)


@both_sockets
@ways()
def test_each_side_lists_the_addresses_of_the_other(
    meet: MeetSockets, way: Way, kernel: KernelPeer, figure: Figure
) -> None:
    with meet(kernel, way) as met:
        figure("set up in", met.seconds, "s")
        assert {address for address, *_ in met.sock.getpaddrs()} == set(theirs(way))
        assert [address for address, *_ in met.sock.getladdrs()] == ours(way)
        assert {path["address"] for path in kernel.call("status", socket=met.socket)["paths"]} == set(ours(way))


@both_sockets
@ways(2)
def test_messages_of_all_sizes_arrive_whole_in_both_directions(meet: MeetSockets, way: Way, kernel: KernelPeer) -> None:
    with meet(kernel, way) as met:
        for seed, size in enumerate(SIZES):
            met.sock.setsockopt(c.SOL_SOCKET, c.SO_SNDBUF, 2 << 20)
            sctpx.sctp_sendmsg(met.sock, content(seed, size), ppid=60, stream_no=3)
            [received] = kernel.call("receive", socket=met.socket)["messages"]
            assert (received["size"], received["stream"], received["ppid"]) == (size, 3, 60)
            assert received["sha256"] == digest(content(seed, size))
            kernel.post("send", socket=met.socket, size=size, seed=seed + 100)
            assert recv_whole(met.sock) == content(seed + 100, size)
            kernel.reply()


@both_sockets
@ways(2)
def test_our_end_delivers_everything_first(meet: MeetSockets, way: Way, kernel: KernelPeer) -> None:
    with meet(kernel, way) as met:
        for seed in range(MESSAGES):
            met.sock.send(content(seed, SIZE))
        met.sock.close()
        received = kernel.call("receive", socket=met.socket, count=MESSAGES + 1)
        hashes = [message["sha256"] for message in received["messages"]]
        assert hashes == [digest(content(seed, SIZE)) for seed in range(MESSAGES)]
        assert received["end"] == "closed"


@both_sockets
@ways(2)
def test_their_end_is_an_end_of_file_after_all_messages(meet: MeetSockets, way: Way, kernel: KernelPeer) -> None:
    with meet(kernel, way) as met:
        kernel.call("source", socket=met.socket, size=SIZE, count=MESSAGES)
        kernel.call("shutdown", socket=met.socket)
        assert [recv_whole(met.sock) for _ in range(MESSAGES)] == [content(seed, SIZE) for seed in range(MESSAGES)]
        assert met.sock.recv(1) == b""


@both_sockets
@ways(2)
def test_their_abort_is_told(meet: MeetSockets, way: Way, kernel: KernelPeer) -> None:
    with meet(kernel, way) as met:
        kernel.call("abort", socket=met.socket)
        with pytest.raises(sctpx.AssociationAborted):
            met.sock.recv(1)


@both_sockets
@ways(2)
def test_our_abort_is_told(meet: MeetSockets, way: Way, kernel: KernelPeer) -> None:
    with meet(kernel, way) as met:
        met.sock.setsockopt(c.SOL_SOCKET, c.SO_LINGER, sctpx.Linger(l_onoff=1, l_linger=0))
        met.sock.close()
        assert kernel.call("receive", socket=met.socket)["end"] == "ECONNRESET"
