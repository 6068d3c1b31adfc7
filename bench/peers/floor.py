"""The floor: what the kernel alone costs from Python, without any protocol above UDP.

``kind=gro`` sends with UDP_SEGMENT, as many packets a call as a datagram holds, and receives with UDP_GRO;
``kind=udp`` does it packet by packet; ``kind=tcp`` is ``sendall`` and ``recv_into``. UDP packets fill the MTU. To lose
nothing the receiver tells how much it got (after each read of a merged batch, after every second packet otherwise:
SCTP's rhythm), and the sender keeps at most a window outstanding.

The ping-pong is one packet to and fro: between coroutines that the callback of a reader resumes, in asyncio's event
loop or in uvloop's; with ``api=sockets`` by ``sendto`` and ``recvfrom`` in threads.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from contextlib import suppress

from .driver import Bulk, Options, ask, loop_factory, parse, ready, rounds

SOL_UDP = 17
# linux/udp.h
UDP_SEGMENT = 103
UDP_GRO = 104

BUFFER_BYTES = 4 << 20
WINDOW_BYTES = 512 << 10
HEADERS = 28
"""IPv4 and UDP."""
LARGEST_DATAGRAM = 65507
LARGEST_BATCH = 64
PATIENCE_MICROSECONDS = 200_000
"""After which what is outstanding counts as lost."""


def udp_socket(options: Options, connected: bool = True) -> socket.socket:
    """A socket from us to the peer; not ``connected``, it has no peer of its own."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    sock.bind((options.laddr, options.ludp))
    if connected:
        sock.connect((options.raddr, options.rudp))
    return sock


def udp_server(options: Options) -> None:
    """Receive, and tell how much."""
    sock = udp_socket(options)
    merged = options.kind == "gro"
    if merged:
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)
    space = socket.CMSG_SPACE(4) if merged else 0
    buffer = bytearray(1 << 16)
    buffers = [buffer]
    received = packets = reads = 0
    ready()
    size, ancillary, _, _ = sock.recvmsg_into(buffers, space)
    bulk = Bulk(options, lambda: packets)
    while True:
        received += size
        reads += 1
        packets += -(-size // int.from_bytes(ancillary[0][2], sys.byteorder)) if ancillary else 1
        if merged or reads & 1:
            sock.send(received.to_bytes(8, "big"))
        if merged or not reads & 31:
            bulk.note(reads, received)
        size, ancillary, _, _ = sock.recvmsg_into(buffers, space)


def udp_client(options: Options) -> None:
    """Send, and wait where a window is outstanding."""
    sock = udp_socket(options)
    packet = options.mtu - HEADERS
    at_once = min(LARGEST_DATAGRAM // packet, LARGEST_BATCH) if options.kind == "gro" else 1
    data = [bytes(packet * at_once)]
    ancillary = [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", packet))] if at_once > 1 else []
    window = min(WINDOW_BYTES, sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 4)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, PATIENCE_MICROSECONDS))
    sends = sent = known = 0
    bulk = Bulk(options, lambda: sends * at_once)
    while True:
        sock.sendmsg(data, ancillary)
        sends += 1
        sent += packet * at_once
        try:
            while True:
                known = int.from_bytes(sock.recv(8, 0 if sent - known >= window else socket.MSG_DONTWAIT), "big")
        except BlockingIOError:
            if sent - known >= window:
                known = sent
        if at_once > 1 or not sends & 31:
            bulk.note(sends, sent)


def tcp_server(options: Options) -> None:
    """Receive a stream."""
    with socket.create_server((options.laddr, options.ludp)) as listener:
        ready()
        sock, _ = listener.accept()
    buffer = bytearray(256 << 10)
    reads = received = 0
    bulk = Bulk(options, lambda: 0)
    while size := sock.recv_into(buffer):
        reads += 1
        received += size
        bulk.note(reads, received)


def tcp_client(options: Options) -> None:
    """Send a stream."""
    sock = socket.create_connection((options.raddr, options.rudp))
    data = bytes(options.size)
    sends = 0
    bulk = Bulk(options, lambda: 0)
    while True:
        sock.sendall(data)
        sends += 1
        bulk.note(sends, sends * options.size)


class Reader:
    """A socket that an event loop watches: the coroutine that waits for a packet is resumed by the callback."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[bytes] | None = None
        self._loop.add_reader(sock, self._read)

    def receive(self) -> asyncio.Future[bytes]:
        """The next packet, which has not come yet."""
        self._waiting = self._loop.create_future()
        return self._waiting

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_result(self._socket.recv(1 << 16))


async def loop_echo(options: Options) -> None:
    """The answering side of a ping-pong, in an event loop."""
    sock = udp_socket(options)
    reader = Reader(sock)
    ready()
    while True:
        sock.send(await reader.receive())


async def loop_pingpong(options: Options) -> None:
    """The asking side of a ping-pong, in an event loop."""
    sock = udp_socket(options)
    reader = Reader(sock)
    data = bytes(options.size)
    for _ in rounds(options):
        answer = reader.receive()
        sock.send(data)
        await answer
    await asyncio.sleep(options.limit)


def in_loop(options: Options) -> None:
    """One side of a ping-pong in an event loop."""
    with asyncio.Runner(loop_factory=loop_factory(options)) as runner:
        runner.run(loop_echo(options) if options.is_server else loop_pingpong(options))


def in_thread(options: Options) -> None:
    """One side of a ping-pong by calls that wait, in a thread while the main one waits for its end."""
    thread = threading.Thread(target=thread_echo if options.is_server else thread_pingpong, args=(options,))
    thread.start()
    thread.join()


def thread_echo(options: Options) -> None:
    """The answering side of a ping-pong, by ``recvfrom`` and ``sendto``."""
    sock = udp_socket(options, connected=False)
    ready()
    while True:
        sock.sendto(*sock.recvfrom(1 << 16))


def thread_pingpong(options: Options) -> None:
    """The asking side of a ping-pong, by ``sendto`` and ``recvfrom``."""
    sock = udp_socket(options, connected=False)
    peer = options.raddr, options.rudp
    ask(lambda data: sock.sendto(data, peer), sock.recvfrom, 1 << 16, options)


def main(arguments: list[str]) -> None:
    """Run one side of one piece of work."""
    options = parse(arguments)
    if options.mode == "pingpong":
        work = in_thread if options.api == "sockets" else in_loop
    elif options.kind == "tcp":
        work = tcp_server if options.is_server else tcp_client
    else:
        work = udp_server if options.is_server else udp_client
    with suppress(ConnectionError):  # The other side was ended first.
        work(options)


if __name__ == "__main__":
    main(sys.argv[1:])
