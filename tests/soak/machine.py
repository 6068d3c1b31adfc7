"""A host of a soak world: its SCTP ports, and the programs that have associations there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, final

from sctpx.core.association.association import Association, association_of
from sctpx.core.endpoint import Endpoint
from sctpx.core.events import CommunicationUp, Event, Restarted
from sctpx.testing import Host

from .program import End, any_config

SERVER_PORTS: Final = range(5000, 5003)
Incoming = Callable[["Machine", Association], End]
"""Told of an association that a server has got: gives the end that it is."""


@final
class Machine:
    """A host."""

    def __init__(self, host: Host, spare: tuple[str, ...], lying: bool, random: Random, on_incoming: Incoming) -> None:
        self.host = host
        self.lying = lying
        self.homes = host.addresses
        self.spare = spare
        """Addresses that come and go."""
        self._ends: dict[Association, End] = {}
        self.clients: list[Endpoint] = []
        self.lost: list[tuple[Machine, int, int]] = []
        """Whom its clients had associations with when it died, and both SCTP ports."""
        self.delivered = 0
        """Packets that the network has handed to the stack that runs now."""
        self._random = random
        self._on_incoming = on_incoming
        host.handlers.append(self._on_event)
        self._boot()

    def _boot(self) -> None:
        self.delivered = 0
        for port in SERVER_PORTS:
            self.host.open_endpoint(port, any_config(self._random)).listen()

    @property
    def ends(self) -> list[End]:
        """Of all associations that its stack has, or had not long ago."""
        return list(self._ends.values())

    @property
    def living(self) -> list[End]:
        """The ends that are up, and not over."""
        return [end for end in self.ends if end.up and not end.over] if self.host.is_up else []

    def attach(self, end: End) -> End:
        """A program has an association from now on."""
        self._ends[end.association] = end
        return end

    def crash(self) -> None:
        """Die without a word."""
        self.host.crash()
        self.lost = []
        for end in self.ends:
            peer = end.peer
            if not end.over and isinstance(peer, Machine):
                self.lost.append((peer, end.association.endpoint.port, end.association.peer_port))
            end.on_crash()
        self._ends.clear()
        self.clients.clear()

    def restart(self) -> None:
        """Start anew."""
        self.host.restart()
        self._boot()

    def follow(self) -> None:
        """The host has other addresses: who can be told of it is."""
        packed = list(self.host.packed)
        for endpoint in self.host.stack.endpoints.values():
            endpoint.change_addresses(packed, packed if len(packed) > 1 else [])
            for association in list(endpoint.associations.values()):
                association.follow_addresses(self.host.now, packed)

    def tidy(self) -> None:
        """Give up the SCTP ports of clients whose association is over."""
        for endpoint in [endpoint for endpoint in self.clients if not endpoint.associations]:
            endpoint.close(self.host.now)
            self.clients.remove(endpoint)
        for end in [end for end in self.ends if end.over]:
            del self._ends[end.association]
        self.host.events.clear()

    def _on_event(self, event: Event) -> None:
        association = association_of(event)
        end = self._ends.get(association)
        if end is None and isinstance(event, CommunicationUp):
            end = self._accept(association)
        if end is None:
            raise AssertionError(f"{self.host.name}: {type(event).__name__} of an association that never came up")
        if isinstance(event, Restarted):
            end.on_restarted(event)
            self._accept(association).up = True
        else:
            end.on_event(event)

    def _accept(self, association: Association) -> End:
        endpoint = self.host.stack.endpoints[association.endpoint.port]
        endpoint.accept(association)
        return self._on_incoming(self, association)
