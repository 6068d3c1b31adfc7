"""The SCTP ports of one stack, and the way of events from the stack to the users of its ports.

Every driver of sockets has one ``Ports``: it says who has which SCTP port, passes events on, and asks the users of the
ports for the deadlines that they have beside those of the stack.
"""

from __future__ import annotations

from typing import Any, Protocol, final

from ..core.association.association import Association, association_of
from ..core.events import ENDS, CommunicationUp, Event
from ..core.timers import NEVER


class PortUser(Protocol):
    """The user of an SCTP port: the stack's driver tells it what happens on the port."""

    def adopt(self, association: Association) -> object | None:
        """A peer set up an association: the owner, which handles its events; ``None`` to refuse the association."""

    def on_association_ended(self, now: int) -> None:
        """An association of the port is over."""

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""

    def on_addresses_changed(self) -> None:
        """The addresses of the host may be others than before."""

    def shut_down(self, now: int) -> None:
        """The program ends: begin to end all associations gracefully."""


@final
class Ports:
    """The users of the SCTP ports of one stack."""

    __slots__ = ("timed", "users")

    def __init__(self) -> None:
        self.users: dict[int, PortUser] = {}
        """By SCTP port."""
        self.timed: set[PortUser] = set()
        """The users that have deadlines of their own."""

    def register(self, number: int, user: PortUser) -> None:
        """``user`` has this SCTP port."""
        self.users[number] = user

    def release(self, number: int) -> None:
        """The SCTP port has been given up."""
        user = self.users.pop(number, None)
        if user is not None:
            self.timed.discard(user)

    def dispatch(self, now: int, event: Event) -> None:
        """Pass an event on: to the owner of the association, and its beginning and its end to the user of the port."""
        association = association_of(event)
        owner: Any = association.owner
        if owner is not None and type(event) not in ENDS:
            owner.handle_event(now, event)
            return
        user = self.users.get(association.endpoint.port)
        if owner is None and user is not None and isinstance(event, CommunicationUp):
            association.owner = owner = user.adopt(association)
            if owner is None:
                association.abort(now)
        if owner is not None:
            owner.handle_event(now, event)
        if type(event) in ENDS and user is not None:
            user.on_association_ended(now)

    def next_deadline(self) -> int:
        """When ``handle_timeout`` has something to do, ns."""
        return min([user.next_deadline() for user in self.timed], default=NEVER)

    def handle_timeout(self, now: int) -> None:
        """Time has passed."""
        for user in list(self.timed):
            if user.next_deadline() <= now:
                user.handle_timeout(now)

    def on_addresses_changed(self) -> None:
        """The addresses of the host may be others than before."""
        for user in list(self.users.values()):
            user.on_addresses_changed()

    def shut_down(self, now: int) -> None:
        """The program ends: begin to end all associations gracefully."""
        for user in list(self.users.values()):
            user.shut_down(now)
