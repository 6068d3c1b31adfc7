"""A UDP relay in front of a server, made of plain UDP sockets, that notes how the packets it passes on are marked.

A ``congested`` one is a router with a queue: it passes on the ECN bits to the server, and marks each tenth packet that
may be marked.

It stands at the server's own addresses, on another UDP port, so that a client knows no difference. To the server it is
one peer at one address. What segmentation offload sent as one piece arrives here as the packets it was cut into.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from sctpx.core.outputs import CE, ECT_0

_IP_RECVTOS = 13
_IPV6_FLOWINFO = 11
LABEL = 0xFFFFF


class Relay:
    """Between one client and a server that has these addresses and this UDP port."""

    def __init__(
        self, hosts: Sequence[str], udp_port: int, source: str = "127.0.0.1", *, congested: bool = False
    ) -> None:
        self.from_client: dict[str, list[tuple[int, int]]] = {host: [] for host in hosts}
        """Traffic class and flow label of each packet, by the server's address it came to."""
        self.from_server: list[tuple[int, int]] = []
        self._server_port = udp_port
        self._congested = congested
        self._markable = 0
        self._client: dict[str, Any] = {}
        self._fronts = {host: _observer(host) for host in hosts[:1]}
        self.udp_port: int = self._fronts[hosts[0]].getsockname()[1]
        """Where clients send to."""
        self._fronts |= {host: _observer(host, self.udp_port) for host in hosts[1:]}
        self._back = _observer(source)
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        fronts = {sock: host for host, sock in self._fronts.items()}
        while True:
            ready, _, _ = select.select([*fronts, self._back, self._ended], [], [])
            if self._ended in ready:
                return
            for sock in ready:
                data, ancillary, _, source = sock.recvmsg(65535, 200)
                mark = _mark(ancillary)
                if sock is self._back:
                    self.from_server.append(mark)
                    self._fronts[source[0]].sendto(data, self._client[source[0]])
                else:
                    host = fronts[sock]
                    self._client[host] = source
                    self.from_client[host].append(mark)
                    ecn = self._pass_on(mark[0]) if self._congested else 0
                    self._back.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ecn)
                    self._back.sendto(data, (host, self._server_port))

    def _pass_on(self, traffic_class: int) -> int:
        """The ECN bits that a packet leaves with."""
        if traffic_class & CE != ECT_0:
            return 0
        self._markable += 1
        return CE if self._markable % 10 == 5 else ECT_0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.send(b"x")
        self._thread.join(20)
        for sock in (*self._fronts.values(), self._back, self._end, self._ended):
            sock.close()


def _observer(host: str, port: int = 0) -> socket.socket:
    wide = ":" in host
    sock = socket.socket(socket.AF_INET6 if wide else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    if wide:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    sock.bind((host, port))
    return sock


def _mark(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS):
            return value[0], 0
        if (level, kind) == (socket.IPPROTO_IPV6, _IPV6_FLOWINFO):
            flowinfo = int.from_bytes(value, "big")
            return flowinfo >> 20 & 0xFF, flowinfo & LABEL
    raise AssertionError(f"no marks in {ancillary}")
