"""What the core tells its user, pulled with ``Stack.poll_event`` (RFC 9260 section 11.2).

Each event names its association. User data does not travel in events: ``Readable`` says that
``Association.read`` has something, once per batch of input.
"""

from __future__ import annotations

from typing import Final, final

from .association.identity import Identity
from .path.states import PATH_ACTIVE

Undelivered = tuple[bytes, int, int, bool, bool, object, bool]
"""(data, stream, PPID, whether some of it was sent, whether it is unordered, context, whether it is all of it)."""

# How a re-configuration request went (RFC 6525 section 6.1).
RECONFIG_DONE: Final = 0
RECONFIG_DENIED: Final = 1
RECONFIG_FAILED: Final = 2

# What a KeyChange reports (RFC 6458 section 6.1.8).
KEY_NEW: Final = 0
KEY_FREE: Final = 1

# What a PathChange reports.
CHANGE_STATE: Final = 0
CHANGE_CONFIRMED: Final = 1
CHANGE_PRIMARY: Final = 2
CHANGE_ADDED: Final = 3
CHANGE_REMOVED: Final = 4
"""The peer has added the address to the association, or deleted it (RFC 5061)."""

# What became of a change to our own addresses (RFC 5061).
ADDRESS_ADDED: Final = 0
ADDRESS_REMOVED: Final = 1
ADDRESS_MADE_PRIMARY: Final = 2
ASCONF_DONE: Final = 0
ASCONF_REFUSED: Final = 1
ASCONF_FAILED: Final = 2


class Event:
    """Something that happened on one association."""

    __slots__ = ("association", "readable")

    def __init__(self, association: Identity) -> None:
        self.association = association
        self.readable = association.readable
        """Messages that were ready before it and have not been read: its place in the order of delivery."""


@final
class CommunicationUp(Event):
    """The association is established (RFC 9260 section 11.2.4). ``incoming``: the peer initiated it."""

    __slots__ = ("incoming",)

    def __init__(self, association: Identity, incoming: bool) -> None:
        super().__init__(association)
        self.incoming = incoming


@final
class CannotStart(Event):
    """The association could not be set up. ``error`` is an errno; the report is on the association."""

    __slots__ = ("causes", "error")

    def __init__(self, association: Identity, error: int, causes: list[tuple[int, bytes]]) -> None:
        super().__init__(association)
        self.error = error
        self.causes = causes


@final
class CommunicationLost(Event):
    """The association ended abruptly (RFC 9260 section 11.2.5).

    ``error`` is ``ECONNRESET`` (the peer aborted, or broke the protocol), ``ECONNABORTED`` (this side
    aborted) or ``ETIMEDOUT`` (unreachable). ``causes`` are those of the ABORT that was received or sent.
    ``restarted``: there was no ABORT, the peer restarted, and ``AssociationConfig.on_restart`` is ``"end"``.
    """

    __slots__ = ("by_peer", "causes", "error", "restarted")

    def __init__(
        self,
        association: Identity,
        error: int,
        by_peer: bool,
        causes: list[tuple[int, bytes]],
        restarted: bool = False,
    ) -> None:
        super().__init__(association)
        self.restarted = restarted
        self.error = error
        self.by_peer = by_peer
        self.causes = causes


@final
class Restarted(Event):
    """The peer restarted and the association began anew (RFC 9260 sections 5.2.4 A and 11.2.7).

    ``undelivered`` is what the old one had not been told to have arrived; it will not be sent again.
    """

    __slots__ = ("undelivered",)

    def __init__(self, association: Identity, undelivered: list[Undelivered]) -> None:
        super().__init__(association)
        self.undelivered = undelivered


@final
class PeerShutdown(Event):
    """The peer asked for a graceful end: it has sent all it had, and takes only what is queued for it here."""

    __slots__ = ()


@final
class ShutdownComplete(Event):
    """The association ended gracefully (RFC 9260 section 11.2.8)."""

    __slots__ = ()


@final
class PathChange(Event):
    """A path changed (RFC 9260 section 11.2.3). ``what`` is one of the ``CHANGE_*``."""

    __slots__ = ("before", "error", "remote", "state", "what")

    def __init__(
        self, association: Identity, remote: bytes, what: int, state: int, error: int = 0, before: int = PATH_ACTIVE
    ) -> None:
        super().__init__(association)
        self.remote = remote
        """The peer's IP address, packed."""
        self.what = what
        self.state = state
        """The path's state now, one of the ``PATH_*``."""
        self.error = error
        """An errno where the network said why."""
        self.before = before
        """The state that was told before, if it is the state that changed."""


@final
class LocalAddressChange(Event):
    """The peer has answered a request to change our addresses (RFC 5061), or it came to nothing."""

    __slots__ = ("causes", "local", "result", "what")

    def __init__(
        self, association: Identity, local: bytes, what: int, result: int, causes: list[tuple[int, bytes]]
    ) -> None:
        super().__init__(association)
        self.local = local
        """Our IP address, packed."""
        self.what = what
        """One of the ``ADDRESS_*``."""
        self.result = result
        """``ASCONF_DONE``; ``ASCONF_REFUSED``: by the peer; ``ASCONF_FAILED``: there was no answer, or there is none
        to be had, since the peer cannot do it."""
        self.causes = causes
        """Why it was refused."""


@final
class AdaptationIndication(Event):
    """The peer has said what it has above SCTP (RFC 5061 section 4.2.6)."""

    __slots__ = ("code_point",)

    def __init__(self, association: Identity, code_point: int) -> None:
        super().__init__(association)
        self.code_point = code_point


@final
class RemoteError(Event):
    """The peer reported an error that did not end the association (RFC 9260 section 11.2.6)."""

    __slots__ = ("causes",)

    def __init__(self, association: Identity, causes: list[tuple[int, bytes]]) -> None:
        super().__init__(association)
        self.causes = causes


@final
class Readable(Event):
    """User data waits in ``Association.read``. Comes once, until the data was read."""

    __slots__ = ()


@final
class PartialDeliveryAborted(Event):
    """The rest of a message that was read in parts will never come: the peer restarted, or the association ended.

    Parts of it from before a restart that were not read yet are dropped (RFC 6458 section 6.1.7).
    """

    __slots__ = ("ssn", "stream")

    def __init__(self, association: Identity, stream: int, ssn: int, readable: int) -> None:
        """``readable``: messages that were ready before; what has waited for the end of this one comes behind it."""
        super().__init__(association)
        self.readable = readable
        self.stream = stream
        self.ssn = ssn


@final
class Abandoned(Event):
    """A message was given up, as its policy has it (RFC 3758 section 3.4)."""

    __slots__ = ("message",)

    def __init__(self, association: Identity, message: Undelivered) -> None:
        super().__init__(association)
        self.message = message
        """Of a message that was acknowledged in part, what was not."""


@final
class Writable(Event):
    """The send buffer has room again, after a ``send`` found it full."""

    __slots__ = ()


@final
class SenderDry(Event):
    """All user data handed over so far was sent and acknowledged (RFC 6458 section 6.1.9)."""

    __slots__ = ()


@final
class StreamsReset(Event):
    """Streams were reset, by the peer's request or by ours; or our request came to nothing (RFC 6525 section 6.1.1)."""

    __slots__ = ("incoming", "outgoing", "result", "streams")

    def __init__(self, association: Identity, outgoing: bool, incoming: bool, streams: list[int], result: int) -> None:
        super().__init__(association)
        self.outgoing = outgoing
        self.incoming = incoming
        self.streams = streams
        """Which; none for all."""
        self.result = result
        """One of the ``RECONFIG_*``."""


@final
class AssociationReset(Event):
    """All SSNs and the TSNs were reset; or our request came to nothing (RFC 6525 section 6.1.2)."""

    __slots__ = ("local_tsn", "peer_tsn", "result")

    def __init__(self, association: Identity, local_tsn: int, peer_tsn: int, result: int) -> None:
        super().__init__(association)
        self.local_tsn = local_tsn
        """Our next TSN."""
        self.peer_tsn = peer_tsn
        """The peer's next TSN."""
        self.result = result
        """One of the ``RECONFIG_*``."""


@final
class StreamsAdded(Event):
    """There are more streams; or our request came to nothing (RFC 6525 section 6.1.3)."""

    __slots__ = ("inbound", "outbound", "result")

    def __init__(self, association: Identity, inbound: int, outbound: int, result: int) -> None:
        super().__init__(association)
        self.inbound = inbound
        """Streams the peer can send on now."""
        self.outbound = outbound
        """Streams we can send on now."""
        self.result = result
        """One of the ``RECONFIG_*``."""


ENDS: Final = frozenset((CannotStart, CommunicationLost, ShutdownComplete))
"""The last event of an association is one of these."""


@final
class KeyChange(Event):
    """A shared key (RFC 4895) is used by the peer, which used another one before (``KEY_NEW``), or was deactivated and
    is not used for sending any more (``KEY_FREE``)."""

    __slots__ = ("indication", "key_id")

    def __init__(self, association: Identity, indication: int, key_id: int) -> None:
        super().__init__(association)
        self.indication = indication
        self.key_id = key_id
