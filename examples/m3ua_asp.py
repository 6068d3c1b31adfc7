"""An M3UA application server process (ASP) takes up service at a signalling gateway (RFC 4666 section 4.3).

    python examples/m3ua_asp.py                             # both sides, on loopback
    python examples/m3ua_asp.py sg 192.0.2.1 198.51.100.1   # a small gateway that has these addresses
    python examples/m3ua_asp.py asp 192.0.2.1 198.51.100.1  # an ASP, to the gateway that has these addresses

The sockets are those of RFC 6458, and they wait. Nothing but sctpx is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import struct
import sys
from enum import Enum
from threading import Thread
from typing import Literal, NamedTuple

import sctpx

PORT = 2905  # The SCTP port of M3UA (RFC 4666 section 7.2)
PPID = 3  # M3UA, in every message (section 7.1)
STREAM = 0  # For what is about ASPs; user data has the other streams (section 1.4.7)
TIMEOUT = 10  # Seconds for each step
Link = Literal["udp", "raw"]  # How packets travel; with None sctpx chooses


class Kind(Enum):
    """The messages that are used here: class and type (RFC 4666 section 3.1)."""

    ERROR = 0, 0
    NOTIFY = 0, 1
    ASP_UP = 3, 1
    ASP_DOWN = 3, 2
    ASP_UP_ACK = 3, 4
    ASP_DOWN_ACK = 3, 5
    ASP_ACTIVE = 4, 1
    ASP_INACTIVE = 4, 2
    ASP_ACTIVE_ACK = 4, 3
    ASP_INACTIVE_ACK = 4, 4
    OTHER = ()
    """Any other, as those that tell which destinations can be reached."""

    @classmethod
    def _missing_(cls, value: object) -> Kind:
        return cls.OTHER


# Parameters, by tag (section 3.2).
ROUTING_CONTEXT, TRAFFIC_MODE, ERROR_CODE, STATUS = 0x06, 0x0B, 0x0C, 0x0D
LOADSHARE = 2  # A traffic mode (section 3.7.1)
UNEXPECTED_MESSAGE = 6  # An error code (section 3.8.1)
AS_INACTIVE, AS_ACTIVE = b"\0\1\0\2", b"\0\1\0\3"  # Status: a state change, and to which state (section 3.8.2)


class Message(NamedTuple):
    """A message of M3UA, with its parameters by their tags."""

    kind: Kind
    parameters: dict[int, bytes]


# --- the two sides, over SCTP ---


def asp(hosts: list[str], port: int, link: Link | None) -> None:
    """Associate with the gateway that has these addresses, become active there, and end in good order."""
    with open_socket(hosts, link) as sock:
        sock.settimeout(TIMEOUT)
        sock.connectx([(host, port) for host in hosts])
        ask(sock, Message(Kind.ASP_UP, {}), Kind.ASP_UP_ACK)
        # Gateway and ASP have agreed on what traffic the routing context stands for.
        context = {ROUTING_CONTEXT: number(1)}
        ask(sock, Message(Kind.ASP_ACTIVE, {TRAFFIC_MODE: number(LOADSHARE), **context}), Kind.ASP_ACTIVE_ACK)
        print("The ASP is active: now there could be traffic")
        ask(sock, Message(Kind.ASP_INACTIVE, context), Kind.ASP_INACTIVE_ACK)
        ask(sock, Message(Kind.ASP_DOWN, {}), Kind.ASP_DOWN_ACK)


def ask(sock: sctpx.Socket, request: Message, acknowledgement: Kind) -> None:
    """Send a message and wait for its acknowledgement. ``ConnectionError`` if the gateway refuses or hangs up."""
    send(sock, "ASP sends", request)
    while (answer := receive(sock, "ASP gets")) is not None:
        if answer.kind is acknowledgement:
            return
        if answer.kind is Kind.ERROR:
            raise ConnectionRefusedError(f"the gateway refuses {request.kind.name}")
    raise ConnectionResetError("the gateway has ended the association")


def listen(hosts: list[str], port: int, link: Link | None) -> sctpx.Socket:
    """A socket for ASPs that come to these addresses."""
    listener = open_socket(hosts, link)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bindx([(host, port) for host in hosts])
    listener.listen()
    return listener


def gateway(connection: sctpx.Socket) -> None:
    """Answer an ASP until the association ends."""
    state = Kind.ASP_DOWN  # What the ASP asked for last.
    with connection:
        try:
            while (message := receive(connection, "SG gets")) is not None:
                state = answer(connection, state, message)
        except (OSError, ValueError) as error:  # The ASP is gone, or speaks no M3UA.
            print("SG:", error)


def answer(connection: sctpx.Socket, state: Kind, message: Message) -> Kind:
    """Answer a message of an ASP in this state, and tell the state it has then (section 4.3.4)."""
    mode = {tag: value for tag, value in message.parameters.items() if tag == TRAFFIC_MODE}
    context = {tag: value for tag, value in message.parameters.items() if tag == ROUTING_CONTEXT}
    up = state is not Kind.ASP_DOWN
    if message.kind is Kind.ASP_UP:
        send(connection, "SG sends", Message(Kind.ASP_UP_ACK, {}))
        send(connection, "SG sends", Message(Kind.NOTIFY, {STATUS: AS_INACTIVE}))
        return Kind.ASP_INACTIVE
    if message.kind is Kind.ASP_ACTIVE and up:
        send(connection, "SG sends", Message(Kind.ASP_ACTIVE_ACK, {**mode, **context}))
        send(connection, "SG sends", Message(Kind.NOTIFY, {STATUS: AS_ACTIVE, **context}))
        return Kind.ASP_ACTIVE
    if message.kind is Kind.ASP_INACTIVE and up:
        send(connection, "SG sends", Message(Kind.ASP_INACTIVE_ACK, context))
        return Kind.ASP_INACTIVE
    if message.kind is Kind.ASP_DOWN:
        send(connection, "SG sends", Message(Kind.ASP_DOWN_ACK, {}))
        return Kind.ASP_DOWN
    send(connection, "SG sends", Message(Kind.ERROR, {ERROR_CODE: number(UNEXPECTED_MESSAGE)}))
    return state


def open_socket(hosts: list[str], link: Link | None) -> sctpx.Socket:
    """A socket for these addresses, and what all sockets here have in common; those that are accepted inherit it."""
    sock = sctpx.socket(sctpx.AF_INET6 if ":" in "".join(hosts) else sctpx.AF_INET, link=link)
    sock.setsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_NODELAY, 1)  # Signalling does not wait for more to send.
    sock.setsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_RECVRCVINFO, 1)  # Stream and PPID come with each message.
    return sock


def send(sock: sctpx.Socket, what: str, message: Message) -> None:
    """Send a message."""
    log(what, message.kind, STREAM, PPID)
    sctpx.sctp_sendv(sock, encode(message), info=sctpx.SndInfo(snd_sid=STREAM, snd_ppid=PPID))


def receive(sock: sctpx.Socket, what: str) -> Message | None:
    """The next message; ``None`` when the peer has shut the association down."""
    received = sctpx.sctp_recvv(sock, 65536)
    if not isinstance(received.info, sctpx.RcvInfo):
        return None
    message = decode(received.data)
    log(what, message.kind, received.info.rcv_sid, received.info.rcv_ppid)
    return message


def log(what: str, kind: Kind, stream: int, ppid: int) -> None:
    """A message in one line."""
    print(f"{what:9}  {kind.name:16} stream {stream}, PPID {ppid}", flush=True)


# --- the messages (section 3) ---


def encode(message: Message) -> bytes:
    """Version 1, class, type, length; then the parameters: tag, length without padding, value, padding."""
    body = b"".join(
        struct.pack("!HH", tag, 4 + len(value)) + value + bytes(-len(value) % 4)
        for tag, value in message.parameters.items()
    )
    return struct.pack("!BBBBI", 1, 0, *message.kind.value, 8 + len(body)) + body


def decode(data: bytes) -> Message:
    """A message. ``ValueError`` if it is none of M3UA."""
    if len(data) < 8:
        raise ValueError("this is no M3UA: it is shorter than a header")
    version, _, class_, type_, length = struct.unpack_from("!BBBBI", data)
    if version != 1 or length != len(data):
        raise ValueError(f"this is no M3UA: version {version}, length {length} in {len(data)} bytes")
    parameters = {}
    at = 8
    while at < length:
        if length - at < 4:
            raise ValueError("a parameter is cut off")
        tag, size = struct.unpack_from("!HH", data, at)
        if not 4 <= size <= length - at:
            raise ValueError(f"parameter {tag:#x} has a length of {size}")
        parameters[tag] = data[at + 4 : at + size]
        at += size + -size % 4
    return Message(Kind((class_, type_)), parameters)


def number(value: int) -> bytes:
    """The value of a parameter that is a number."""
    return value.to_bytes(4, "big")


# --- the command ---


def serve(hosts: list[str], port: int, link: Link | None) -> None:
    """Be the gateway at these addresses, until Ctrl-C: a thread for each ASP."""
    with listen(hosts, port, link) as listener:
        print("The gateway listens on", ", ".join(hosts), "port", port, flush=True)
        while True:
            connection, _ = listener.accept()
            Thread(target=gateway, args=[connection], daemon=True).start()


def serve_one(listener: sctpx.Socket) -> None:
    """Be the gateway of the first ASP."""
    with contextlib.suppress(OSError):  # No ASP came before the socket was closed.
        gateway(listener.accept()[0])


def both(hosts: list[str], port: int, link: Link | None) -> None:
    """Be both sides, the gateway in a thread."""
    with listen(hosts, port, link) as listener:
        thread = Thread(target=serve_one, args=[listener], daemon=True)
        thread.start()
        asp(hosts, port, link)
        thread.join(TIMEOUT)


def main() -> int:
    """The exit status: 0 if the ASP was active."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["both", "sg", "asp"], default="both", help="default: both")
    parser.add_argument("hosts", nargs="*", default=["127.0.0.1"], help="the gateway's addresses (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=PORT, help="its SCTP port (default: %(default)s)")
    parser.add_argument("--link", choices=["udp", "raw"], help="how packets travel (default: sctpx chooses)")
    options = parser.parse_args()
    run = {"both": both, "sg": serve, "asp": asp}[options.role]
    try:
        run(options.hosts, options.port, options.link)
    except (OSError, ValueError) as error:  # Nobody is there, or refuses, or hangs up, or speaks no M3UA.
        print("m3ua_asp:", str(error) or type(error).__name__, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
