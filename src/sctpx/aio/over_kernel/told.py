"""Notifications of the kernel as the events that users of asyncio see. Nothing but computing."""

from __future__ import annotations

import errno
from typing import Final

from ...sockapi import constants as c
from ...sockapi import events as e
from ...sockapi import structs as s
from ...sockapi.send import Undelivered
from ...sockapi.status import PATH_STATES
from ...wire import causes as wire_causes
from ...wire.tlv import ParseError

SUBSCRIBED: Final = (
    c.SCTP_ASSOC_CHANGE,
    c.SCTP_PEER_ADDR_CHANGE,
    c.SCTP_REMOTE_ERROR,
    c.SCTP_SHUTDOWN_EVENT,
    c.SCTP_SEND_FAILED_EVENT,
    c.SCTP_PARTIAL_DELIVERY_EVENT,
    c.SCTP_STREAM_RESET_EVENT,
    c.SCTP_ASSOC_RESET_EVENT,
    c.SCTP_STREAM_CHANGE_EVENT,
    c.SCTP_ADAPTATION_INDICATION,
    c.SCTP_AUTHENTICATION_EVENT,
)
"""The notifications that an association asks for, whether anybody looks at its events or not."""
_KEYS: Final = {c.SCTP_AUTH_NEW_KEY: "new", c.SCTP_AUTH_FREE_KEY: "free"}
ENDS: Final = (e.CommunicationLost, e.ShutdownComplete, e.CannotStart)

_CHUNK_HEADER: Final = 4
_ACTIVE, _POTENTIALLY_FAILED, _INACTIVE = PATH_STATES
_STATES: Final = {
    c.SCTP_ADDR_AVAILABLE: _ACTIVE,
    c.SCTP_ADDR_UNREACHABLE: _INACTIVE,
    c.SCTP_ADDR_POTENTIALLY_FAILED: _POTENTIALLY_FAILED,
}


def to_event(notice: s.Notification) -> e.Event | None:
    """The event that a notification tells of; ``None`` if it is none that users see."""
    if isinstance(notice, s.AssocChange):
        return _association_event(notice)
    if isinstance(notice, s.PaddrChange):
        return _path_event(notice)
    if isinstance(notice, s.ShutdownEvent):
        return e.PeerShutdown()
    if isinstance(notice, s.RemoteError):
        return e.RemoteError(((notice.sre_error, notice.sre_data),))
    if isinstance(notice, s.PdapiEvent):
        return e.PartialDeliveryAborted(notice.pdapi_stream, notice.pdapi_seq)
    if isinstance(notice, s.SenderDryEvent):
        return e.SenderDry()
    if isinstance(notice, s.AdaptationEvent):
        return e.AdaptationIndicated(notice.sai_adaptation_ind)
    if isinstance(notice, s.AuthkeyEvent):
        what = _KEYS.get(notice.auth_indication)
        return None if what is None else e.KeyChanged(notice.auth_keynumber, what)
    return _reconfiguration_event(notice)


def _reconfiguration_event(notice: s.Notification) -> e.Event | None:
    """Streams or TSNs were reset, or streams added."""
    if isinstance(notice, s.StreamResetEvent):
        flags = notice.strreset_flags
        outgoing = flags & c.SCTP_STREAM_RESET_OUTGOING_SSN != 0
        incoming = flags & c.SCTP_STREAM_RESET_INCOMING_SSN != 0
        return e.StreamsReset(outgoing, incoming, notice.strreset_stream_list, _result(flags))
    if isinstance(notice, s.AssocResetEvent):
        result = _result(notice.assocreset_flags)
        return e.AssociationReset(notice.assocreset_local_tsn, notice.assocreset_remote_tsn, result)
    if isinstance(notice, s.StreamChangeEvent):
        return e.StreamsAdded(notice.strchange_instrms, notice.strchange_outstrms, _result(notice.strchange_flags))
    return None


def _result(flags: int) -> str:
    """How a request went. The flags of all three notifications have the same values."""
    if flags & c.SCTP_STREAM_RESET_DENIED:
        return "denied"
    return "failed" if flags & c.SCTP_STREAM_RESET_FAILED else "done"


def _association_event(notice: s.AssocChange) -> e.Event | None:
    """What became of the association. An ABORT that came in is there whole; without one the peer fell silent."""
    if notice.sac_state == c.SCTP_RESTART:
        return e.Restarted(())
    if notice.sac_state == c.SCTP_SHUTDOWN_COMP:
        return e.ShutdownComplete()
    if notice.sac_state == c.SCTP_CANT_STR_ASSOC:
        return e.CannotStart(errno.ECONNREFUSED if notice.sac_error else errno.ETIMEDOUT, _causes(notice))
    if notice.sac_state == c.SCTP_COMM_LOST:
        by_peer = bool(notice.sac_info) or bool(notice.sac_error)
        return e.CommunicationLost(errno.ECONNRESET if by_peer else errno.ETIMEDOUT, by_peer, _causes(notice))
    return None


def _causes(notice: s.AssocChange) -> e.Causes:
    try:
        found = tuple(wire_causes.parse(notice.sac_info[_CHUNK_HEADER:]))
    except ParseError:
        found = ()
    return found or (((notice.sac_error, b""),) if notice.sac_error else ())


def _path_event(notice: s.PaddrChange) -> e.Event | None:
    if notice.spc_aaddr is None:
        return None
    address = notice.spc_aaddr[0]
    if notice.spc_state == c.SCTP_ADDR_CONFIRMED:
        return e.PathConfirmed(address)
    if notice.spc_state == c.SCTP_ADDR_MADE_PRIM:
        return e.PrimaryChanged(address)
    if notice.spc_state == c.SCTP_ADDR_ADDED:
        return e.PeerAddressAdded(address)
    if notice.spc_state == c.SCTP_ADDR_REMOVED:
        return e.PeerAddressRemoved(address)
    state = _STATES.get(notice.spc_state)
    return None if state is None else e.PathStateChanged(address, state, notice.spc_error)


def to_undelivered(notice: s.SendFailedEvent) -> Undelivered:
    """What is left of a message that did not reach the peer for certain."""
    info = notice.ssfe_info
    return Undelivered(notice.ssfe_data, info.snd_sid, info.snd_ppid, notice.ssfe_flags == c.SCTP_DATA_SENT)
