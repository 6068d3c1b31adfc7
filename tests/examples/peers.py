"""Peers of the examples that know nothing of them: plain sockets of the test, with the default UDP port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sctpx
from sctpx import constants as c
from tests.examples.programs import LIMIT

HOST: Final = "127.0.0.1"
# The messages of the examples with another network, 999-99, in them.
ELSEWHERE: Final = {
    "ng_setup": "00150034000004001b00080099f999100000010052400b040073637470782d676e62"
    "0066000d00000000010099f999000000080015400140",
    "s1_setup": "0011002e000004003b00080099f99900000010003c400b040073637470782d656e62004000070000004099f9990089400140",
}
HOME: Final = {name: message.replace("99f999", "00f110") for name, message in ELSEWHERE.items()}
"""The same, as the examples send them."""


def ready(sock: sctpx.Socket) -> None:
    """What a message belongs to comes with it, and no call waits for ever."""
    sock.settimeout(LIMIT)
    sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)


@contextmanager
def listening(port: int) -> Iterator[sctpx.Socket]:
    with sctpx.socket(link="udp") as sock:
        ready(sock)
        sock.bind((HOST, port))
        sock.listen()
        yield sock


@contextmanager
def connected(port: int) -> Iterator[sctpx.Socket]:
    with sctpx.socket(link="udp") as sock:
        ready(sock)
        sock.connect((HOST, port))
        yield sock


def send(sock: sctpx.Socket, message: str, ppid: int) -> None:
    sctpx.sctp_sendv(sock, bytes.fromhex(message), info=sctpx.SndInfo(snd_sid=0, snd_ppid=ppid))


def receive(sock: sctpx.Socket, ppid: int) -> bytes:
    """The next message; it is of this protocol, and on stream 0."""
    received = sctpx.sctp_recvv(sock, 65536)
    assert isinstance(received.info, sctpx.RcvInfo)
    assert (received.info.rcv_sid, received.info.rcv_ppid) == (0, ppid)
    return received.data
