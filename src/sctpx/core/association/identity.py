"""An association by its name: what events, and the bookkeeping of the stack, know of it.

``association.Association`` is one. Its state, the ``Tcb``, knows it as this, so that below the face nobody knows the
face.
"""

from __future__ import annotations

from typing import Final

from ..timers import NEVER


class Identity:
    """One association of a stack, without what it can do."""

    __slots__ = ("admitted_as", "entry", "id", "ignores_dry", "indexed", "owner", "ready", "scheduled")

    def __init__(self, association_id: int) -> None:
        self.id = association_id
        """Unique in the stack, above 2 (RFC 6458's association identifier)."""
        self.owner: object | None = None
        """Whatever the layer above hangs here."""
        self.ignores_dry = False
        """Nobody wants to hear that all data was acknowledged (``SenderDry``), which happens with every answer."""
        self.admitted_as = b""
        """Endpoint: the peer for which it counts; ``b""`` if this side set it up."""
        self.ready = False
        """Stack: it is in the queue of those that may have packets to send."""
        self.scheduled = NEVER
        """Stack: the earliest deadline it has in the heap."""
        self.entry = 0
        """Stack: the number of the last entry that it had in the heap; 0 if it never had one."""
        self.indexed: list[bytes] = []
        """Stack: the keys under which it is found, the ports and our tag first, then addresses."""

    @property
    def readable(self) -> int:
        """Messages that can be read now."""
        return 0


NOBODY: Final = Identity(0)
"""What ``Tcb.association`` is once the association is over. The state then does not refer back to the association, and
both are freed when the last user lets go, without the garbage collector; but for a state with extensions that were
used, which refer to it."""


class Keeper:
    """Who keeps associations: the stack."""

    def touch(self, association: Identity) -> None:
        """An association changed: it may have packets to send and other deadlines."""
        raise NotImplementedError

    def will_tell_end(self, association: Identity) -> bool:
        """The event that ends this association waits to be polled."""
        raise NotImplementedError

    def find_association(self, remote: bytes, peer_port: int, local_port: int) -> Identity | None:
        """The association with that transport address of a peer; of several the first one."""
        raise NotImplementedError
