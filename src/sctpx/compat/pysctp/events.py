"""What comes with a message, and notifications: objects with the fields of the C structs, made of dictionaries.

Values are those of C: the PPID, and the error of ``remote_error``, are in network byte order. Data is ``bytes``.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeAlias

from ...sockapi import constants as c
from ...sockapi.structs import Notification, SendFailed, SndRcvInfo
from .fields import NOWHERE, attribute, pair

Values: TypeAlias = Mapping[str, Any]


class sndrcvinfo:
    """What came with a message. ``flags`` are ``MSG_*``; ``ppid`` is in network byte order."""

    def __init__(self, values: Values | None = None) -> None:
        self.stream = 0
        self.ssn = 0
        self.flags = 0
        self.ppid = 0
        self.context = 0
        self.timetolive = 0
        self.tsn = 0
        self.cumtsn = 0
        self.assoc_id = 0
        self.__dict__.update(values or {})


def info_values(info: SndRcvInfo | None) -> dict[str, Any]:
    """The values of a ``sndrcvinfo``; none at the end of an association."""
    if info is None:
        return {}
    found = {attribute(field.name): getattr(info, field.name) for field in fields(info)}
    found["ppid"] = socket.htonl(info.sinfo_ppid)
    return found


class notification:
    """Something that happened; of this very class if pysctp has no name for it."""

    type_SN_TYPE_BASE: Final = c.SCTP_SN_TYPE_BASE
    type_ASSOC_CHANGE: Final = c.SCTP_ASSOC_CHANGE
    type_PEER_ADDR_CHANGE: Final = c.SCTP_PEER_ADDR_CHANGE
    type_SEND_FAILED: Final = c.SCTP_SEND_FAILED
    type_REMOTE_ERROR: Final = c.SCTP_REMOTE_ERROR
    type_SHUTDOWN_EVENT: Final = c.SCTP_SHUTDOWN_EVENT
    type_PARTIAL_DELIVERY_EVENT: Final = c.SCTP_PARTIAL_DELIVERY_EVENT
    type_ADAPTATION_INDICATION: Final = c.SCTP_ADAPTATION_INDICATION

    def __init__(self, values: Values | None = None) -> None:
        self.type = 0
        self.flags = 0
        self.length = 0
        self.__dict__.update(values or {})


class assoc_change(notification):
    """An association began or ended: ``state`` is one of ``state_*``."""

    state_COMM_UP: Final = c.SCTP_COMM_UP
    state_COMM_LOST: Final = c.SCTP_COMM_LOST
    state_RESTART: Final = c.SCTP_RESTART
    state_SHUTDOWN_COMP: Final = c.SCTP_SHUTDOWN_COMP
    state_CANT_STR_ASSOC: Final = c.SCTP_CANT_STR_ASSOC
    state_CANT_START_ASSOCIATION: Final = state_CANT_STR_ASSOC

    # Linux's numbers. It puts the cause code of the ABORT into ``error``, and so does sctpx.
    error_FAILED_THRESHOLD: Final = 0
    error_RECEIVED_SACK: Final = 1
    error_HEARTBEAT_SUCCESS: Final = 2
    error_RESPONSE_TO_USER_REQ: Final = 3
    error_INTERNAL_ERROR: Final = 4
    error_SHUTDOWN_GUARD_EXPIRES: Final = 5
    error_PEER_FAULTY: Final = 6

    def __init__(self, values: Values | None = None) -> None:
        self.state = 0
        self.error = 0
        self.outbound_streams = 0
        self.inbound_streams = 0
        self.assoc_id = 0
        super().__init__(values)


class paddr_change(notification):
    """An address of the peer changed its state: ``state`` is one of ``state_*``."""

    state_ADDR_AVAILABLE: Final = c.SCTP_ADDR_AVAILABLE
    state_ADDR_UNREACHABLE: Final = c.SCTP_ADDR_UNREACHABLE
    state_ADDR_REMOVED: Final = c.SCTP_ADDR_REMOVED
    state_ADDR_ADDED: Final = c.SCTP_ADDR_ADDED
    state_ADDR_MADE_PRIM: Final = c.SCTP_ADDR_MADE_PRIM
    state_ADDR_CONFIRMED: Final = c.SCTP_ADDR_CONFIRMED

    error_FAILED_THRESHOLD: Final = assoc_change.error_FAILED_THRESHOLD
    error_RECEIVED_SACK: Final = assoc_change.error_RECEIVED_SACK
    error_HEARTBEAT_SUCCESS: Final = assoc_change.error_HEARTBEAT_SUCCESS
    error_RESPONSE_TO_USER_REQ: Final = assoc_change.error_RESPONSE_TO_USER_REQ
    error_INTERNAL_ERROR: Final = assoc_change.error_INTERNAL_ERROR
    error_SHUTDOWN_GUARD_EXPIRES: Final = assoc_change.error_SHUTDOWN_GUARD_EXPIRES
    error_PEER_FAULTY: Final = assoc_change.error_PEER_FAULTY

    def __init__(self, values: Values | None = None) -> None:
        self.addr = NOWHERE
        self.state = 0
        self.error = 0
        self.assoc_id = 0
        super().__init__(values)


class remote_error(notification):
    """The peer sent an ERROR chunk: ``data``. The cause code ``error`` is in network byte order."""

    def __init__(self, values: Values | None = None) -> None:
        self.error = 0
        self.assoc_id = 0
        self.data = b""
        super().__init__(values)


class send_failed(notification):
    """A message could not be delivered: ``data``, sent as ``info`` says. ``flags`` is one of ``flag_*``."""

    flag_DATA_UNSENT: Final = c.SCTP_DATA_UNSENT
    flag_DATA_SENT: Final = c.SCTP_DATA_SENT

    def __init__(self, values: Values | None = None) -> None:
        self.error = 0
        self.assoc_id = 0
        self.data = b""
        values = dict(values or {})
        self.info = sndrcvinfo(values.pop("_info", None))
        super().__init__(values)


class shutdown_event(notification):
    """The peer ends the association: it will send no more, and takes no more."""

    def __init__(self, values: Values | None = None) -> None:
        self.assoc_id = 0
        super().__init__(values)


class adaptation_event(notification):
    """The peer's adaptation layer indication."""

    def __init__(self, values: Values | None = None) -> None:
        self.adaptation_ind = 0
        self.assoc_id = 0
        super().__init__(values)


class pdapi_event(notification):
    """The rest of a message that was read in parts will not come."""

    indication_PD_ABORTED: Final = c.SCTP_PARTIAL_DELIVERY_ABORTED
    indication_PARTIAL_DELIVERY_ABORTED: Final = indication_PD_ABORTED

    def __init__(self, values: Values | None = None) -> None:
        self.indication = 0
        self.assoc_id = 0
        super().__init__(values)


notification_table: Final[dict[int, type[notification]]] = {
    notification.type_ASSOC_CHANGE: assoc_change,
    notification.type_PEER_ADDR_CHANGE: paddr_change,
    notification.type_SEND_FAILED: send_failed,
    notification.type_REMOTE_ERROR: remote_error,
    notification.type_SHUTDOWN_EVENT: shutdown_event,
    notification.type_PARTIAL_DELIVERY_EVENT: pdapi_event,
    notification.type_ADAPTATION_INDICATION: adaptation_event,
}


def notification_factory(raw_notification: Values) -> notification:
    """The object for the values of a notification. ``ValueError`` if these have no type."""
    if "type" not in raw_notification:
        raise ValueError("a notification without a type")
    return notification_table.get(raw_notification["type"], notification)(raw_notification)


def notification_values(notice: Notification) -> dict[str, Any]:
    """The values of a notification, as ``notification_factory`` takes them."""
    found: dict[str, Any] = {"type": notice.sn_type, "flags": notice.sn_flags, "length": notice.sn_length}
    if notice.sn_type in notification_table:
        found |= {attribute(field.name): getattr(notice, field.name) for field in fields(notice)}
    if notice.sn_type == c.SCTP_PEER_ADDR_CHANGE:
        found["addr"] = pair(found["addr"])
    elif notice.sn_type == c.SCTP_REMOTE_ERROR:
        found["error"] = socket.htons(found["error"])
    elif isinstance(notice, SendFailed):
        found["_info"] = info_values(found.pop("info"))
    return found
