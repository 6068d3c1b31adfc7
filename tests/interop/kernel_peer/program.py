"""What the tests run on both sides: one program for every backend and API, which tells what it saw in JSON lines.

    program.py serve|call one|many|asyncio|pysctp '{"backend": "kernel", "addresses": [...], "port": 5001, ...}'

``serve`` takes one association and sends each message back as it came, until the peer shuts down. ``call`` sends
messages of many sizes on several streams, checks what comes back, and shuts down. Both print how it went as the last
line; ``serve`` prints ``true`` before, when peers can come.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import sys
from collections.abc import Iterator
from typing import Any

import sctpx
from sctpx.compat import pysctp

SIZES = (1, 2, 999, 1452, 1453, 5000, 40_000, 100_000)
STREAMS = 4
PPID = 60
BUFFER = 1 << 18


def say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def messages() -> Iterator[tuple[bytes, int]]:
    """Data and stream of each message."""
    for number, size in enumerate(SIZES):
        yield hashlib.shake_128(b"%d" % number).digest(size), number % STREAMS


class Blocking:
    """Both styles of sockets."""

    def __init__(self, style: int, asked: dict[str, Any]) -> None:
        self.addresses = [(ip, asked["port"]) for ip in asked["addresses"]]
        family = sctpx.AF_INET6 if ":" in asked["addresses"][0] else sctpx.AF_INET
        options = {key: asked[key] for key in ("backend", "peer_udp_port") if key in asked}
        self.sock = sctpx.socket(family, style, **options)
        self.sock.settimeout(20)
        self.sock.setsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_RECVRCVINFO, 1)
        for kind in (sctpx.SCTP_ASSOC_CHANGE, sctpx.SCTP_SHUTDOWN_EVENT):
            self.sock.setsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_EVENT, sctpx.Event(se_type=kind, se_on=1))
        self.told: list[str] = []

    def next(self, sock: Any) -> tuple[bytes, Any] | None:
        """The next message and what is known of it; ``None`` when the association is over."""
        data = b""
        while True:
            got = sock.recvv(BUFFER)
            notice = got.notification
            if isinstance(notice, sctpx.AssocChange):
                self.told.append({0: "up", 1: "lost", 3: "complete"}.get(notice.sac_state, "?"))
                if notice.sac_state in (sctpx.SCTP_COMM_LOST, sctpx.SCTP_SHUTDOWN_COMP):
                    return None
            elif notice is not None:
                self.told.append("shutdown")
            elif not got.data:
                return None
            else:
                data += got.data
                if got.flags & sctpx.MSG_EOR:
                    return data, got.info

    def serve(self) -> None:
        self.sock.bindx(self.addresses)
        self.sock.listen()
        say(True)
        sock = self.sock
        if sock.type == sctpx.SOCK_STREAM:
            sock, _ = self.sock.accept()
            sock.settimeout(20)
        count, assoc_id = 0, 0
        peers: list[str] = []
        while (found := self.next(sock)) is not None:
            data, info = found
            if not count:
                assoc_id = info.rcv_assoc_id
                peers = [address[0] for address in sock.getpaddrs(assoc_id)]
            count += 1
            back = sctpx.SndInfo(snd_sid=info.rcv_sid, snd_ppid=info.rcv_ppid, snd_assoc_id=assoc_id)
            sock.sendv(data, None, back)
        say({"messages": count, "peers": peers, "told": self.told})

    def call(self) -> None:
        assoc_id = self.sock.connectx(self.addresses)
        peers = [address[0] for address in self.sock.getpaddrs(assoc_id)]
        same = 0
        for data, stream in messages():
            info = sctpx.SndInfo(snd_sid=stream, snd_ppid=PPID, snd_assoc_id=assoc_id)
            sent = self.sock.sendv(data, None, info)
            found = self.next(self.sock)
            assert found is not None
            same += found[0] == data and (found[1].rcv_sid, found[1].rcv_ppid) == (stream, PPID)
            assert sent == (len(data), assoc_id)
        status: Any = self.sock.opt_info(assoc_id, sctpx.SCTP_STATUS)
        state = status.sstat_state
        end = sctpx.SndInfo(snd_flags=sctpx.SCTP_EOF, snd_assoc_id=assoc_id)
        self.sock.sendmsg([], [(sctpx.IPPROTO_SCTP, sctpx.SCTP_SNDINFO, end)])
        assert self.next(self.sock) is None
        say({"same": same, "peers": peers, "told": self.told, "established": state == sctpx.SCTP_ESTABLISHED})


class Asynchronous:
    """Coroutines."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.addresses, self.port = asked["addresses"], asked["port"]
        self.options = {key: asked[key] for key in ("backend", "peer_udp_port") if key in asked}
        self.told: list[str] = []

    def on_event(self, _: Any, event: Any) -> None:
        names = {"CommunicationUp": "up", "PeerShutdown": "shutdown", "ShutdownComplete": "complete"}
        if type(event).__name__ in names:
            self.told.append(names[type(event).__name__])

    async def serve(self) -> None:
        self.options.pop("peer_udp_port", None)
        server = await sctpx.start_server(None, self.addresses, self.port, on_event=self.on_event, **self.options)
        async with server:
            say(True)
            association = await server.accept()
            peers, count = association.peer_addresses, 0
            async for message in association:
                count += 1
                await association.send(message.data, stream=message.stream, ppid=message.ppid)
            await association.wait_closed()
            await asyncio.sleep(0)
        say({"messages": count, "peers": peers, "told": self.told})

    async def call(self) -> None:
        async with sctpx.connect(self.addresses, self.port, on_event=self.on_event, **self.options) as association:
            peers, same, state = association.peer_addresses, 0, association.state
            for data, stream in messages():
                await association.send(data, stream=stream, ppid=PPID)
                found = await association.recv()
                same += (found.data, found.stream, found.ppid) == (data, stream, PPID)
            await association.shutdown()
        await asyncio.sleep(0)
        say({"same": same, "peers": peers, "told": self.told, "established": state == "ESTABLISHED"})


class Pysctp:
    """The names of pysctp. Its sockets have no argument for a backend: the environment says which (SCTPX_BACKEND)."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.addresses = [(ip, asked["port"]) for ip in asked["addresses"]]
        ports = {"peer_udp_port": asked["peer_udp_port"]} if "peer_udp_port" in asked else {}
        self.sock = pysctp.sctpsocket_tcp(socket.AF_INET, **ports)
        self.sock.settimeout(20)

    def serve(self) -> None:
        self.sock.bindx(self.addresses)
        self.sock.events.data_io = True
        self.sock.listen(5)
        say(True)
        sock, _ = self.sock.accept()
        sock.settimeout(20)
        count = 0
        while True:
            _, _, data, info = sock.sctp_recv(BUFFER)
            if not data:
                break
            if not count:
                peers = [address[0] for address in sock.getpaddrs()]
            count += 1
            sock.sctp_send(data, ppid=info.ppid, stream=info.stream)
        say({"messages": count, "peers": peers, "told": []})

    def call(self) -> None:
        self.sock.events.data_io = True
        self.sock.connectx(self.addresses)
        peers, same = [address[0] for address in self.sock.getpaddrs()], 0
        for data, stream in messages():
            self.sock.sctp_send(data, ppid=socket.htonl(PPID), stream=stream)
            _, _, back, info = self.sock.sctp_recv(BUFFER)
            same += (back, info.stream, socket.ntohl(info.ppid)) == (data, stream, PPID)
        state = self.sock.get_status().state
        self.sock.shutdown(socket.SHUT_WR)
        assert self.sock.sctp_recv(BUFFER)[2] == b""
        self.sock.close()
        say({"same": same, "peers": peers, "told": [], "established": state == pysctp.status.state_ESTABLISHED})


def main(role: str, api: str, asked: dict[str, Any]) -> None:
    made: dict[str, Any] = {
        "one": lambda: Blocking(sctpx.SOCK_STREAM, asked),
        "many": lambda: Blocking(sctpx.SOCK_SEQPACKET, asked),
        "asyncio": lambda: Asynchronous(asked),
        "pysctp": lambda: Pysctp(asked),
    }
    run = getattr(made[api](), role)
    if api == "asyncio":
        asyncio.run(run())
    else:
        run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
