"""Two hosts side by side, without network or clock, and a socket without I/O on each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from sctpx.core.config import NANOSECONDS
from sctpx.core.stack import Stack
from sctpx.sockapi.addresses import Address, ip_text
from sctpx.sockapi.delivery import Piece
from sctpx.sockapi.messaging import Messaging
from sctpx.sockapi.not_now import NotNow
from sctpx.sockapi.one_to_many import OneToMany
from sctpx.sockapi.one_to_one import OneToOne
from sctpx.sockapi.peer import Peer
from sctpx.sockapi.ports import Ports
from sctpx.sockapi.settings import EndpointSettings
from sctpx.sockapi.socket_association import Outgoing, SocketAssociation

PORT = 5000
SERVER, CLIENT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
IPV4 = 2


class Bell:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def on_readable(self) -> None:
        self.rung.append("readable")

    def on_writable(self) -> None:
        self.rung.append("writable")

    def on_changed(self) -> None:
        self.rung.append("changed")

    def on_closed(self) -> None:
        self.rung.append("closed")


class Driver:
    """A stack on one address, which nothing leaves before ``World.run``."""

    def __init__(self, world: World, ip: bytes) -> None:
        ids, seeds = count(3), count()
        self.stack = Stack(lambda size: next(seeds).to_bytes(4, "big") * (-(-size // 4)), world.now, ids.__next__)
        self.ports = Ports()
        self.closed = False
        self.udp_port = 0
        self.native_too = self.races = False
        self.usual_udp_port = 0
        self.ip = ip
        self._world = world

    def now(self) -> int:
        return self._world.now

    def flush(self) -> None:
        pass

    def add_address(self, address: bytes) -> None:
        assert address == self.ip

    def remove_address(self, address: bytes) -> None:
        pass

    def watch_addresses(self) -> None:
        pass

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        pass

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        pass

    def max_packet(self, local: bytes) -> int:
        return 1500

    # The host that has this driver alone.

    def client_driver(self, addresses: Sequence[bytes]) -> Driver:
        return self

    def port_driver(self, addresses: Sequence[bytes], udp_port: int, port: int) -> Driver:
        return self

    def drivers(self) -> list[Driver]:
        return [self]

    def source_for(self, peer: bytes) -> bytes:
        return self.ip

    def zoned(self, ip: bytes) -> bytes:
        return ip

    def wildcard_addresses(self, wildcard: bytes) -> list[bytes]:
        return [self.ip]

    def announced(self, bound: list[bytes], peer: list[bytes]) -> list[bytes]:
        return []

    def lookup(self, name: str, *, ipv6: bool) -> list[bytes]:
        return []


class World:
    """A server that listens and a client, of one style or the other, and the wire between them."""

    def __init__(self, server: type[OneToOne | OneToMany], client: type[OneToOne | OneToMany]) -> None:
        self.now = NANOSECONDS
        self.lost = False
        self._drivers = {ip: Driver(self, ip) for ip in (SERVER, CLIENT)}
        self.server: Any = self._make(server, SERVER)
        self.client: Any = self._make(client, CLIENT)
        self.server.bind([SERVER], PORT)
        self.server.listen(8)

    def _make(self, kind: type[OneToOne | OneToMany], ip: bytes) -> Messaging:
        socket = kind(self._drivers[ip], EndpointSettings.of_style(kind.one_to_many), IPV4)
        socket.alarm = Bell()
        return socket

    def start(self) -> SocketAssociation:
        """The client begins an association."""
        peer = Peer([(Address(ip_text(SERVER)), PORT, [SERVER])], 0)
        started: SocketAssociation = self.client.start(peer, self.client.settings.future.config)
        return started

    def run(self) -> None:
        """Carry packets until there are none, and tell both sides what happened."""
        busy = True
        while busy:
            busy = False
            for ip, driver in self._drivers.items():
                while (transmit := driver.stack.poll_transmit(self.now)) is not None:
                    busy = True
                    if not self.lost:
                        other = self._drivers[transmit.remote].stack
                        other.receive(self.now, transmit.remote, ip, 0, transmit.data, transmit.segment)
                while (event := driver.stack.poll_event()) is not None:
                    busy = True
                    driver.ports.dispatch(self.now, event)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due happen at its time."""
        end = self.now + int(seconds * NANOSECONDS)
        drivers = self._drivers.values()
        while True:
            due = [deadline for driver in drivers if (deadline := driver.stack.next_timeout()) is not None]
            due += [driver.ports.next_deadline() for driver in drivers]
            self.now = max(self.now, min([end, *due]))
            for driver in drivers:
                driver.stack.handle_timeout(self.now)
                driver.ports.handle_timeout(self.now)
            self.run()
            if self.now >= end:
                return


def message(data: bytes, stream: int = 0, flags: int = 0, context: int = 0) -> Outgoing:
    """A message to send."""
    return Outgoing(data, stream, 0, flags, context, b"")


def send(world: World, association: SocketAssociation, sent: Outgoing) -> None:
    """Send a message on an association, whatever the socket that has it is told."""
    assert association.send(world.now, sent, EndpointSettings())


def read_all(socket: Messaging, limit: int = 1000) -> list[Piece]:
    """What there is to read."""
    pieces = []
    while not isinstance(piece := socket.receive(limit), NotNow):
        pieces.append(piece)
    return pieces
