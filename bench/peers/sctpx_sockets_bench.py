"""The driver of our own stack's blocking sockets: one-to-one, one thread, as an ordinary program uses them.

It does ``bulk`` and ``pingpong``, and nothing else. Nagle is on in bulk, as RFC 6458 has it, and off in the ping-pong.
"""

from __future__ import annotations

import itertools

import sctpx

from .driver import SCTP_PORT, Bulk, Options, ask, ready

LARGEST_MESSAGE = 1 << 20


def _accept(options: Options) -> sctpx.Socket:
    """Listen, and take the one association there is."""
    listener = sctpx.socket(udp_port=options.ludp)
    listener.bind((options.local[0], SCTP_PORT))
    listener.listen()
    ready()
    return listener.accept()[0]


def _connect(options: Options) -> sctpx.Socket:
    """Associate."""
    sock = sctpx.socket(udp_port=options.ludp, peer_udp_port=options.rudp)
    sock.connect((options.remote[0], SCTP_PORT))
    return sock


def _no_packets() -> int:
    """A socket does not tell how many packets there were."""
    return 0


def bulk(options: Options) -> None:
    """Bulk transfer."""
    if not options.is_server:
        sock = _connect(options)
        measured = Bulk(options, _no_packets)
        data = bytes(options.size)
        for messages in itertools.count(1):
            sock.send(data)
            measured.note(messages, messages * options.size)
    sock = _accept(options)
    data = sock.recv(LARGEST_MESSAGE)
    measured = Bulk(options, _no_packets)
    received = 0
    for messages in itertools.count(1):
        received += len(data)
        measured.note(messages, received)
        data = sock.recv(LARGEST_MESSAGE)
        if not data:
            return


def pingpong(options: Options) -> None:
    """Small messages to and fro."""
    sock = _accept(options) if options.is_server else _connect(options)
    sock.setsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_NODELAY, 1)
    if options.is_server:
        while data := sock.recv(LARGEST_MESSAGE):
            sock.send(data)
        return
    ask(sock.send, sock.recv, LARGEST_MESSAGE, options)


def run(options: Options) -> None:
    """Run one side of one piece of work."""
    {"bulk": bulk, "pingpong": pingpong}[options.mode](options)
