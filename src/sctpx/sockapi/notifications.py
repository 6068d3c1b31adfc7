"""From what the core tells to the notifications of RFC 6458 section 6.1, and what is subscribed to of them.

``notifications`` turns one event of an association into those that its socket asked for, in the order in which they are
to be read. The notice that an association is over comes last: behind the messages that were not delivered and the
delivery that was broken off, nothing follows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from ..core import events as core
from ..core.association.association import Association, association_of
from ..core.path import states
from ..wire import control
from ..wire.codes import DATA_UNORDERED
from ..wire.tlv import MAX_LENGTH
from . import constants as c
from .addresses import socket_address
from .status import is_hidden, shown
from .structs import (
    NOTIFICATIONS,
    AdaptationEvent,
    AssocChange,
    AssocResetEvent,
    AuthkeyEvent,
    EventSubscribe,
    Notification,
    PaddrChange,
    PdapiEvent,
    RemoteError,
    SenderDryEvent,
    SendFailed,
    SendFailedEvent,
    ShutdownEvent,
    SndInfo,
    SndRcvInfo,
    StreamChangeEvent,
    StreamResetEvent,
)

EVENT_TYPES: Final = (c.SCTP_DATA_IO_EVENT, *NOTIFICATIONS)
"""What ``se_type`` can be (section 6.2.2)."""

SUBSCRIBE_FIELDS: Final = (
    ("sctp_data_io_event", c.SCTP_DATA_IO_EVENT),
    ("sctp_association_event", c.SCTP_ASSOC_CHANGE),
    ("sctp_address_event", c.SCTP_PEER_ADDR_CHANGE),
    ("sctp_send_failure_event", c.SCTP_SEND_FAILED),
    ("sctp_peer_error_event", c.SCTP_REMOTE_ERROR),
    ("sctp_shutdown_event", c.SCTP_SHUTDOWN_EVENT),
    ("sctp_partial_delivery_event", c.SCTP_PARTIAL_DELIVERY_EVENT),
    ("sctp_adaptation_layer_event", c.SCTP_ADAPTATION_INDICATION),
    ("sctp_authentication_event", c.SCTP_AUTHENTICATION_EVENT),
    ("sctp_sender_dry_event", c.SCTP_SENDER_DRY_EVENT),
    ("sctp_stream_reset_event", c.SCTP_STREAM_RESET_EVENT),
    ("sctp_assoc_reset_event", c.SCTP_ASSOC_RESET_EVENT),
    ("sctp_stream_change_event", c.SCTP_STREAM_CHANGE_EVENT),
    ("sctp_send_failure_event_event", c.SCTP_SEND_FAILED_EVENT),
)
"""The fields of ``sctp_event_subscribe`` and the types they stand for (section 6.2.1)."""


def to_subscriptions(subscribe: EventSubscribe) -> frozenset[int]:
    """The types that an SCTP_EVENTS asks for."""
    return frozenset(kind for name, kind in SUBSCRIBE_FIELDS if getattr(subscribe, name))


def to_event_subscribe(subscribed: Collection[int]) -> EventSubscribe:
    """The subscriptions as SCTP_EVENTS tells them."""
    return EventSubscribe(**{name: int(kind in subscribed) for name, kind in SUBSCRIBE_FIELDS})


class Failed(NamedTuple):
    """A message that could not be delivered."""

    data: bytes
    stream: int
    ppid: int = 0
    sent: bool = False
    """The peer may have it."""
    context: int = 0
    whole: bool = True
    """All of the message is here: the peer acknowledged nothing of it."""
    unordered: bool = False


def notifications(
    event: core.Event,
    subscribed: Collection[int],
    unsent: Iterable[Failed] = (),
    *,
    mapped_v4: bool = False,
    expose_pf: bool = True,
) -> list[Notification]:
    """What an event says to a socket that subscribed to these types.

    ``unsent`` are messages that never reached the core, and fail with the association; ``mapped_v4`` is as in the
    settings, and ``expose_pf`` as in the parameters of the association.
    """
    association = association_of(event)
    if isinstance(event, core.CommunicationLost | core.CannotStart):
        return _abrupt_end(event, subscribed, unsent)
    found: list[Notification] = []
    if isinstance(event, core.CommunicationUp):
        found = [_change(association, c.SCTP_COMM_UP, info=_supported(association))]
        if not association.authenticates:
            # A peer that was not asked whether it supports authentication does not (section 6.1.8).
            found.append(_key_event(association.id, c.SCTP_AUTH_NO_AUTH))
    elif isinstance(event, core.Restarted):
        for message in map(_undelivered, event.undelivered):
            found += send_failed(association.id, message, 0, subscribed)
        found.append(_change(association, c.SCTP_RESTART, info=_supported(association)))
    elif isinstance(event, core.ShutdownComplete):
        # Everything was acknowledged, but for a record whose end never came.
        for message in unsent:
            found += send_failed(association.id, message, 0, subscribed)
        found.append(_change(association, c.SCTP_SHUTDOWN_COMP))
    elif isinstance(event, core.PathChange):
        if not is_hidden(event, expose_pf):
            found = [_path_change(event, shown(event.state, expose_pf), mapped_v4)]
    elif isinstance(event, core.RemoteError):
        found = _remote_errors(event)
    elif isinstance(event, core.PeerShutdown):
        found = [ShutdownEvent(sse_assoc_id=association.id)]
    elif isinstance(event, core.Abandoned):
        found = send_failed(association.id, _undelivered(event.message), 0, subscribed)
    elif isinstance(event, core.KeyChange):
        found = [_key_event(association.id, _KEY_CHANGES[event.indication], event.key_id)]
    elif isinstance(event, core.SenderDry):
        found = [SenderDryEvent(sender_dry_assoc_id=association.id)]
    elif isinstance(event, core.AdaptationIndication):
        found = [AdaptationEvent(sai_adaptation_ind=event.code_point, sai_assoc_id=association.id)]
    elif isinstance(event, core.PartialDeliveryAborted):
        aborted = PdapiEvent(
            pdapi_indication=c.SCTP_PARTIAL_DELIVERY_ABORTED,
            pdapi_assoc_id=association.id,
            pdapi_stream=event.stream,
            pdapi_seq=event.ssn,
        )
        found = [aborted]
    else:
        found = _reconfiguration(event)
    return [notice for notice in found if notice.TYPE in subscribed]


_KEY_CHANGES: Final = {core.KEY_NEW: c.SCTP_AUTH_NEW_KEY, core.KEY_FREE: c.SCTP_AUTH_FREE_KEY}


def _key_event(number: int, indication: int, key_id: int = 0) -> AuthkeyEvent:
    return AuthkeyEvent(auth_keynumber=key_id, auth_indication=indication, auth_assoc_id=number)


# The flags of the three notifications of RFC 6525 section 6.1 have the same values.
_OUTCOMES: Final = {
    core.RECONFIG_DONE: 0,
    core.RECONFIG_DENIED: c.SCTP_STREAM_RESET_DENIED,
    core.RECONFIG_FAILED: c.SCTP_STREAM_RESET_FAILED,
}


def _reconfiguration(event: core.Event) -> list[Notification]:
    """Streams or TSNs were reset, or streams added (RFC 6525 section 6.1)."""
    number = event.association.id
    if isinstance(event, core.StreamsReset):
        flags = c.SCTP_STREAM_RESET_OUTGOING_SSN if event.outgoing else 0
        flags |= c.SCTP_STREAM_RESET_INCOMING_SSN if event.incoming else 0
        reset = StreamResetEvent(
            strreset_flags=flags | _OUTCOMES[event.result],
            strreset_assoc_id=number,
            strreset_stream_list=tuple(event.streams),
        )
        return [reset]
    if isinstance(event, core.AssociationReset):
        anew = AssocResetEvent(
            assocreset_flags=_OUTCOMES[event.result],
            assocreset_assoc_id=number,
            assocreset_local_tsn=event.local_tsn,
            assocreset_remote_tsn=event.peer_tsn,
        )
        return [anew]
    if isinstance(event, core.StreamsAdded):
        added = StreamChangeEvent(
            strchange_flags=_OUTCOMES[event.result],
            strchange_assoc_id=number,
            strchange_instrms=event.inbound,
            strchange_outstrms=event.outbound,
        )
        return [added]
    return []


def _remote_errors(event: core.RemoteError) -> list[Notification]:
    """Causes that arrived together, in as few ERROR chunks as have room for them."""
    chunks: list[list[tuple[int, bytes]]] = []
    room = 0
    for cause in event.causes:
        length = 4 + len(cause[1]) + 3 & ~3
        if length > room:
            chunks.append([])
            room = MAX_LENGTH - 4
        chunks[-1].append(cause)
        room -= length
    return [
        RemoteError(sre_error=causes[0][0], sre_assoc_id=event.association.id, sre_data=control.error(causes))
        for causes in chunks
    ]


def send_failed(assoc_id: int, message: Failed, error: int, subscribed: Collection[int]) -> list[Notification]:
    """The notifications of one message that could not be delivered; ``error`` is a cause code or 0."""
    flags = c.SCTP_DATA_SENT if message.sent else c.SCTP_DATA_UNSENT
    # "it means that the part that is not present has been sent successfully to the peer" (section 6.1.11)
    part = c.SCTP_DATA_NOT_FRAG if message.whole else c.SCTP_DATA_LAST_FRAG
    if message.unordered:
        part |= DATA_UNORDERED  # These are flags of DATA chunks, in other stacks as well.
    found: list[Notification] = []
    if c.SCTP_SEND_FAILED in subscribed:
        found.append(
            SendFailed(
                ssf_flags=flags,
                ssf_error=error,
                ssf_info=SndRcvInfo(
                    sinfo_stream=message.stream,
                    sinfo_flags=part,
                    sinfo_ppid=message.ppid,
                    sinfo_context=message.context,
                    sinfo_assoc_id=assoc_id,
                ),
                ssf_assoc_id=assoc_id,
                ssf_data=message.data,
            )
        )
    if c.SCTP_SEND_FAILED_EVENT in subscribed:
        found.append(
            SendFailedEvent(
                ssfe_flags=flags,
                ssfe_error=error,
                ssfe_info=SndInfo(
                    snd_sid=message.stream,
                    snd_flags=part,
                    snd_ppid=message.ppid,
                    snd_context=message.context,
                    snd_assoc_id=assoc_id,
                ),
                ssfe_assoc_id=assoc_id,
                ssfe_data=message.data,
            )
        )
    return found


def _abrupt_end(
    event: core.CommunicationLost | core.CannotStart, subscribed: Collection[int], unsent: Iterable[Failed]
) -> list[Notification]:
    """COMM_LOST or CANT_STR_ASSOC, "accompanied by a series of" failed messages (section 6.1.1)."""
    association = association_of(event)
    error = event.causes[0][0] if event.causes else 0
    found: list[Notification] = []
    if c.SCTP_SEND_FAILED in subscribed or c.SCTP_SEND_FAILED_EVENT in subscribed:
        for message in (*map(_undelivered, association.undelivered()), *unsent):
            found += send_failed(association.id, message, error, subscribed)
    if c.SCTP_ASSOC_CHANGE in subscribed:
        if isinstance(event, core.CannotStart):
            found.append(_change(association, c.SCTP_CANT_STR_ASSOC, error))
        else:
            # With the ABORT chunk, whole, "if [...] an ABORT chunk was received for this association".
            info = control.abort(event.causes) if event.by_peer and not event.restarted else b""
            found.append(_change(association, c.SCTP_COMM_LOST, error, info))
    return found


def _undelivered(message: core.Undelivered) -> Failed:
    data, stream, ppid, sent, unordered, context, whole = message
    return Failed(data, stream, ppid, sent, context if isinstance(context, int) else 0, whole, unordered)


def _supported(association: Association) -> bytes:
    """What both sides can do (section 6.1.1; RFC 6525 section 6.1; RFC 8260 section 4.2): a number each."""
    features = (
        (association.partial_reliability, c.SCTP_ASSOC_SUPPORTS_PR),
        (association.authenticates, c.SCTP_ASSOC_SUPPORTS_AUTH),
        (association.address_reconfigurable, c.SCTP_ASSOC_SUPPORTS_ASCONF),
        (association.reconfigurable, c.SCTP_ASSOC_SUPPORTS_RE_CONFIG),
        (association.interleaving, c.SCTP_ASSOC_SUPPORTS_INTERLEAVING),
    )
    return bytes([number for supported, number in features if supported])


def _change(association: Association, state: int, error: int = 0, info: bytes = b"") -> AssocChange:
    return AssocChange(
        sac_state=state,
        sac_error=error,
        sac_outbound_streams=association.outbound_streams,
        sac_inbound_streams=association.inbound_streams,
        sac_assoc_id=association.id,
        sac_info=info,
    )


_ADDRESS_STATES: Final = {
    states.PATH_ACTIVE: c.SCTP_ADDR_AVAILABLE,
    states.PATH_POTENTIALLY_FAILED: c.SCTP_ADDR_POTENTIALLY_FAILED,
    states.PATH_INACTIVE: c.SCTP_ADDR_UNREACHABLE,
}
_ADDRESS_CHANGES: Final = {
    core.CHANGE_CONFIRMED: c.SCTP_ADDR_CONFIRMED,
    core.CHANGE_PRIMARY: c.SCTP_ADDR_MADE_PRIM,
    core.CHANGE_ADDED: c.SCTP_ADDR_ADDED,
    core.CHANGE_REMOVED: c.SCTP_ADDR_REMOVED,
}


def _path_change(event: core.PathChange, state: int, mapped_v4: bool) -> PaddrChange:
    return PaddrChange(
        spc_aaddr=socket_address(event.remote, association_of(event).peer_port, mapped_v4),
        spc_state=_ADDRESS_CHANGES.get(event.what, _ADDRESS_STATES[state]),
        spc_error=event.error,
        spc_assoc_id=event.association.id,
    )
