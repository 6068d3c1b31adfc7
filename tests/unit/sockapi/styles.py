"""Two stacks side by side, without network or clock, and sockets' styles over them."""

from __future__ import annotations

from itertools import count
from typing import Any

from sctpx.core.association.association import Association
from sctpx.core.config import NANOSECONDS
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CommunicationUp
from sctpx.core.stack import Stack
from sctpx.sockapi.attached import Attached, Outgoing
from sctpx.sockapi.one_to_many import OneToMany
from sctpx.sockapi.one_to_one import OneToOne
from sctpx.sockapi.settings import EndpointSettings

PORT = 5000
SERVER, CLIENT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])


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


class World:
    """A server that listens and a client, of one style or the other, and the wire between them."""

    def __init__(self, server: type[OneToOne | OneToMany], client: type[OneToOne | OneToMany]) -> None:
        self.now = NANOSECONDS
        ids = count(3)
        seeds = count()
        self._stacks = {
            ip: Stack(lambda size: next(seeds).to_bytes(4, "big") * (-(-size // 4)), self.now, ids.__next__)
            for ip in (SERVER, CLIENT)
        }
        self.server: Any = server(EndpointSettings.of_style(server.one_to_many), Bell())
        self.client: Any = client(EndpointSettings.of_style(client.one_to_many), Bell())
        self.server.endpoint = self._stacks[SERVER].open_endpoint(PORT, [SERVER])
        self.client.endpoint = self._stacks[CLIENT].open_endpoint(0, [CLIENT])
        self.server.listen(8)
        self.lost = False

    def start(self) -> Attached:
        """The client begins an association."""
        started: Attached = self.client.start(self.now, [PeerAddress(SERVER)], PORT)
        return started

    def run(self) -> None:
        """Carry packets until there are none, and tell both sides what happened."""
        busy = True
        while busy:
            busy = False
            for ip, stack in self._stacks.items():
                while (transmit := stack.poll_transmit(self.now)) is not None:
                    busy = True
                    if not self.lost:
                        other = self._stacks[transmit.remote]
                        other.receive(self.now, transmit.remote, ip, 0, transmit.data, transmit.segment)
                while (event := stack.poll_event()) is not None:
                    busy = True
                    association: Association = event.association
                    if association.owner is None and isinstance(event, CommunicationUp):
                        association.owner = self.server.adopt(association, self.now)
                    owner = association.owner
                    if isinstance(owner, Attached):
                        owner.handle_event(self.now, event)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due happen at its time."""
        end = self.now + int(seconds * NANOSECONDS)
        while True:
            due = [deadline for stack in self._stacks.values() if (deadline := stack.next_timeout()) is not None]
            due += [style.next_deadline() for style in (self.server, self.client)]
            self.now = max(self.now, min([end, *due]))
            for stack in self._stacks.values():
                stack.handle_timeout(self.now)
            for style in (self.server, self.client):
                if style.next_deadline() <= self.now:
                    style.handle_timeout(self.now)
            self.run()
            if self.now >= end:
                return


def message(data: bytes, stream: int = 0, flags: int = 0, context: int = 0) -> Outgoing:
    """A message to send."""
    return Outgoing(data, stream, 0, flags, context, b"")
