"""What happens on an association, as users are told (RFC 9260 section 11.2, RFC 6458 section 6.1).

Plain values: addresses are strings, errors errno numbers, causes ``(code, value)`` as RFC 9260 section 3.3.10 has
them. That messages can be read or sent again is no event; whoever waits for it is woken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, final

from ..core import events as core
from .addresses import ip_text
from .send import Undelivered, to_undelivered
from .status import PATH_STATES, is_hidden, shown

Causes: TypeAlias = tuple[tuple[int, bytes], ...]


class Event:
    """Something that happened on an association."""

    __slots__ = ()


@final
@dataclass(frozen=True, slots=True)
class CommunicationUp(Event):
    """The association is established."""

    incoming: bool
    """The peer initiated it."""


@final
@dataclass(frozen=True, slots=True)
class CannotStart(Event):
    """The association could not be set up."""

    error: int
    causes: Causes


@final
@dataclass(frozen=True, slots=True)
class CommunicationLost(Event):
    """The association ended abruptly."""

    error: int
    """``ECONNRESET``: the peer aborted it or broke the protocol; ``ECONNABORTED``: this side aborted it; ``ETIMEDOUT``:
    the peer is not to be reached."""
    by_peer: bool
    causes: Causes
    """Those of the ABORT that was received or sent."""
    restarted: bool = False
    """There was no ABORT: the peer restarted, and ``AssociationConfig.on_restart`` is ``"end"``."""


@final
@dataclass(frozen=True, slots=True)
class Restarted(Event):
    """The peer restarted, and the association began anew: the peer has forgotten all that belonged to the old one.

    With ``AssociationConfig.on_restart="end"`` there is no such event: the association ends.
    """

    undelivered: tuple[Undelivered, ...]
    """What had been sent before and was not acknowledged, or not sent at all: it will not be sent again."""


@final
@dataclass(frozen=True, slots=True)
class PeerShutdown(Event):
    """The peer asked for a graceful end: it has sent everything and takes no more."""


@final
@dataclass(frozen=True, slots=True)
class ShutdownComplete(Event):
    """The association ended gracefully."""


@final
@dataclass(frozen=True, slots=True)
class PathStateChanged(Event):
    """A path became active, potentially failed or inactive."""

    address: str
    """The peer's IP address."""
    state: str
    """As ``PathInfo.state`` has it."""
    error: int
    """An errno where the network said why; else 0."""


@final
@dataclass(frozen=True, slots=True)
class PathConfirmed(Event):
    """An address the peer told of was shown to be its own (RFC 9260 section 5.4): its path may carry data."""

    address: str


@final
@dataclass(frozen=True, slots=True)
class PrimaryChanged(Event):
    """New data goes to this address of the peer from now on."""

    address: str


@final
@dataclass(frozen=True, slots=True)
class PeerAddressAdded(Event):
    """The peer has one more address (RFC 5061). Data goes there once ``PathConfirmed`` has come."""

    address: str


@final
@dataclass(frozen=True, slots=True)
class PeerAddressRemoved(Event):
    """The peer has given this address up (RFC 5061): nothing is sent there any more."""

    address: str


@final
@dataclass(frozen=True, slots=True)
class LocalAddressChanged(Event):
    """The peer has answered what it was told of one of our addresses (RFC 5061)."""

    address: str
    change: str
    """``"added"``, ``"removed"``, or made the ``"primary"`` one."""
    result: str = "done"
    """``"done"``; or the peer ``"refused"`` it; or it ``"failed"``, since the peer cannot do it, or the association
    ended before."""
    causes: Causes = ()
    """Why it was refused."""


@final
@dataclass(frozen=True, slots=True)
class AdaptationIndicated(Event):
    """The peer has said what it has above SCTP (RFC 5061 section 4.2.6). Comes behind ``CommunicationUp``."""

    adaptation_layer: int
    """What the peer has as ``AssociationConfig.adaptation_layer``."""


@final
@dataclass(frozen=True, slots=True)
class RemoteError(Event):
    """The peer reported an error that did not end the association."""

    causes: Causes


@final
@dataclass(frozen=True, slots=True)
class PartialDeliveryAborted(Event):
    """The rest of a message of which parts were handed over (``Message.more``) will never come.

    The peer restarted, or the association ended. What follows a restart on the stream is the beginning of another
    message.
    """

    stream: int
    ssn: int


@final
@dataclass(frozen=True, slots=True)
class MessageAbandoned(Event):
    """A message was given up, as ``lifetime``, ``retransmits`` or ``priority`` of ``Association.send`` have it."""

    message: Undelivered


@final
@dataclass(frozen=True, slots=True)
class SenderDry(Event):
    """Everything sent so far was acknowledged."""


@final
@dataclass(frozen=True, slots=True)
class StreamsReset(Event):
    """Streams were reset: their SSNs begin at 0 again (RFC 6525 section 6.1.1). Or our request came to nothing."""

    outgoing: bool
    """Streams that we send on."""
    incoming: bool
    """Streams that the peer sends on: what is received from now on has the new numbers."""
    streams: tuple[int, ...]
    """Which; none for all."""
    result: str = "done"
    """``"done"``; or the peer ``"denied"`` it; or it ``"failed"``."""


@final
@dataclass(frozen=True, slots=True)
class AssociationReset(Event):
    """All SSNs begin at 0 again, and the TSNs elsewhere (RFC 6525 section 6.1.2). Or our request came to nothing."""

    local_tsn: int
    """Our next TSN."""
    peer_tsn: int
    """The peer's next TSN."""
    result: str = "done"
    """As in ``StreamsReset``."""


@final
@dataclass(frozen=True, slots=True)
class StreamsAdded(Event):
    """There are more streams. Or a request of ours came to nothing (RFC 6525 section 6.1.3)."""

    inbound: int
    """Streams the peer can send on now."""
    outbound: int
    """Streams we can send on now."""
    result: str = "done"
    """As in ``StreamsReset``."""


@final
@dataclass(frozen=True, slots=True)
class KeyChanged(Event):
    """A shared key (RFC 4895) is used by the peer, or is not used any more by this side."""

    key: int
    """Its identifier."""
    what: str
    """``"new"``: the peer authenticates with it from now on, and did so with another one before. ``"free"``: it was
    deactivated, and all messages that had it are acknowledged or gone: it can be deleted."""


RESULTS: Final = {core.RECONFIG_DONE: "done", core.RECONFIG_DENIED: "denied", core.RECONFIG_FAILED: "failed"}
"""What ``result`` is, by the numbers of the core."""


_CHANGES: Final = {
    core.ADDRESS_ADDED: "added",
    core.ADDRESS_REMOVED: "removed",
    core.ADDRESS_MADE_PRIMARY: "primary",
}
_OUTCOMES: Final = {core.ASCONF_DONE: "done", core.ASCONF_REFUSED: "refused", core.ASCONF_FAILED: "failed"}


def to_event(event: core.Event, expose_pf: bool = True) -> Event | None:
    """An event of the core as users see it; ``None`` if they do not. ``expose_pf``: PF paths are told as such."""
    if isinstance(event, core.PathChange):
        return None if is_hidden(event, expose_pf) else _path_event(event, expose_pf)
    convert = _CONVERSIONS.get(type(event))
    return convert(event) if convert is not None else None


def _path_event(event: core.PathChange, expose_pf: bool) -> Event:
    address = ip_text(event.remote)
    if event.what == core.CHANGE_CONFIRMED:
        return PathConfirmed(address)
    if event.what == core.CHANGE_PRIMARY:
        return PrimaryChanged(address)
    if event.what == core.CHANGE_ADDED:
        return PeerAddressAdded(address)
    if event.what == core.CHANGE_REMOVED:
        return PeerAddressRemoved(address)
    return PathStateChanged(address, PATH_STATES[shown(event.state, expose_pf)], event.error)


_CONVERSIONS: Final[dict[type[core.Event], Callable[[Any], Event]]] = {
    core.CommunicationUp: lambda event: CommunicationUp(event.incoming),
    core.CannotStart: lambda event: CannotStart(event.error, tuple(event.causes)),
    core.CommunicationLost: lambda event: CommunicationLost(
        event.error, event.by_peer, tuple(event.causes), event.restarted
    ),
    core.Restarted: lambda event: Restarted(tuple(to_undelivered(event.undelivered))),
    core.PeerShutdown: lambda _: PeerShutdown(),
    core.ShutdownComplete: lambda _: ShutdownComplete(),
    core.LocalAddressChange: lambda event: LocalAddressChanged(
        ip_text(event.local), _CHANGES[event.what], _OUTCOMES[event.result], tuple(event.causes)
    ),
    core.AdaptationIndication: lambda event: AdaptationIndicated(event.code_point),
    core.RemoteError: lambda event: RemoteError(tuple(event.causes)),
    core.PartialDeliveryAborted: lambda event: PartialDeliveryAborted(event.stream, event.ssn),
    core.Abandoned: lambda event: MessageAbandoned(to_undelivered([event.message])[0]),
    core.SenderDry: lambda _: SenderDry(),
    core.StreamsReset: lambda event: StreamsReset(
        event.outgoing, event.incoming, tuple(event.streams), RESULTS[event.result]
    ),
    core.AssociationReset: lambda event: AssociationReset(event.local_tsn, event.peer_tsn, RESULTS[event.result]),
    core.KeyChange: lambda event: KeyChanged(event.key_id, "new" if event.indication == core.KEY_NEW else "free"),
    core.StreamsAdded: lambda event: StreamsAdded(event.inbound, event.outbound, RESULTS[event.result]),
}
