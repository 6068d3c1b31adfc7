"""The structs of notifications (RFC 6458 section 6.1, RFC 6525 section 6.1): ``union sctp_notification``.

All begin with type, flags and length, which are filled in; ``sn_type``, ``sn_flags`` and ``sn_length`` read them by the
names of the union. ``unpack_notification`` finds the struct for the bytes of one.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, final

from .. import constants as c
from ..buffers import Data, to_bytes
from .ancillary import SndInfo, SndRcvInfo
from .layout import BE16, DATA, S32, STORED, U16, U16S, U32, Struct, layout_of

_HEADER: Final = struct.Struct("=HHI")


class Notification(Struct):
    """Something that happened on an association, read from the socket between its messages."""

    __slots__ = ()

    TYPE: ClassVar[int]
    """The ``sn_type`` it goes by; what is subscribed to with ``SCTP_EVENT``."""
    NEEDS: ClassVar[str] = ""
    """The extension without which it is never sent."""

    def __post_init__(self) -> None:
        layout = layout_of(type(self))
        length = layout.fixed.size
        if layout.tail is not None:
            name, tail = layout.tail
            length += len(getattr(self, name)) * tail.size
        object.__setattr__(self, layout.fields[0][0], self.TYPE)
        object.__setattr__(self, layout.fields[2][0], length)

    @property
    def sn_type(self) -> int:
        """The type, as the union has it."""
        return self.TYPE

    @property
    def sn_flags(self) -> int:
        """The flags, as the union has them."""
        return self._header(1)

    @property
    def sn_length(self) -> int:
        """The length of the whole, as the union has it."""
        return self._header(2)

    def _header(self, index: int) -> int:
        value: int = getattr(self, layout_of(type(self)).fields[index][0])
        return value


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AssocChange(Notification):
    """An association began or ended (section 6.1.1)."""

    C_NAME: ClassVar[str] = "sctp_assoc_change"
    TYPE: ClassVar[int] = c.SCTP_ASSOC_CHANGE
    sac_type: U16 = 0
    sac_flags: U16 = 0
    sac_length: U32 = 0
    sac_state: U16 = 0
    sac_error: U16 = 0
    """The cause code of an ABORT; 0 without one."""
    sac_outbound_streams: U16 = 0
    sac_inbound_streams: U16 = 0
    sac_assoc_id: S32 = 0
    sac_info: DATA = b""
    """Of SCTP_COMM_LOST: the ABORT chunk that was received."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PaddrChange(Notification):
    """An address of the peer changed its state (section 6.1.2)."""

    C_NAME: ClassVar[str] = "sctp_paddr_change"
    PACKED: ClassVar[bool] = True
    TYPE: ClassVar[int] = c.SCTP_PEER_ADDR_CHANGE
    spc_type: U16 = 0
    spc_flags: U16 = 0
    spc_length: U32 = 0
    spc_aaddr: STORED = None
    spc_state: S32 = 0
    spc_error: S32 = 0
    """An errno where the network said why; else 0."""
    spc_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteError(Notification):
    """The peer sent an ERROR chunk (section 6.1.3)."""

    C_NAME: ClassVar[str] = "sctp_remote_error"
    TYPE: ClassVar[int] = c.SCTP_REMOTE_ERROR
    sre_type: U16 = 0
    sre_flags: U16 = 0
    sre_length: U32 = 0
    sre_error: BE16 = 0
    """The code of the first cause."""
    sre_assoc_id: S32 = 0
    sre_data: DATA = b""
    """The ERROR chunk."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailed(Notification):
    """A message could not be delivered (section 6.1.4). Deprecated: ``SendFailedEvent`` takes its place."""

    C_NAME: ClassVar[str] = "sctp_send_failed"
    TYPE: ClassVar[int] = c.SCTP_SEND_FAILED
    ssf_type: U16 = 0
    ssf_flags: U16 = 0
    ssf_length: U32 = 0
    ssf_error: U32 = 0
    ssf_info: SndRcvInfo = field(default_factory=SndRcvInfo)
    ssf_assoc_id: S32 = 0
    ssf_data: DATA = b""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownEvent(Notification):
    """The peer sent a SHUTDOWN: no more can be sent (section 6.1.5)."""

    C_NAME: ClassVar[str] = "sctp_shutdown_event"
    TYPE: ClassVar[int] = c.SCTP_SHUTDOWN_EVENT
    sse_type: U16 = 0
    sse_flags: U16 = 0
    sse_length: U32 = 0
    sse_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationEvent(Notification):
    """The peer's adaptation layer indication (section 6.1.6)."""

    C_NAME: ClassVar[str] = "sctp_adaptation_event"
    TYPE: ClassVar[int] = c.SCTP_ADAPTATION_INDICATION
    sai_type: U16 = 0
    sai_flags: U16 = 0
    sai_length: U32 = 0
    sai_adaptation_ind: U32 = 0
    sai_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PdapiEvent(Notification):
    """A message of which parts were read will not be completed (section 6.1.7)."""

    C_NAME: ClassVar[str] = "sctp_pdapi_event"
    TYPE: ClassVar[int] = c.SCTP_PARTIAL_DELIVERY_EVENT
    pdapi_type: U16 = 0
    pdapi_flags: U16 = 0
    pdapi_length: U32 = 0
    pdapi_indication: U32 = 0
    pdapi_assoc_id: S32 = 0
    pdapi_stream: U32 = 0
    pdapi_seq: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthkeyEvent(Notification):
    """A key is in use, or is not any more, or the peer takes none (section 6.1.8)."""

    C_NAME: ClassVar[str] = "sctp_authkey_event"
    TYPE: ClassVar[int] = c.SCTP_AUTHENTICATION_EVENT
    auth_type: U16 = 0
    auth_flags: U16 = 0
    auth_length: U32 = 0
    auth_keynumber: U16 = 0
    auth_altkeynumber: U16 = 0
    auth_indication: U32 = 0
    auth_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SenderDryEvent(Notification):
    """Everything sent so far was acknowledged (section 6.1.9)."""

    C_NAME: ClassVar[str] = "sctp_sender_dry_event"
    TYPE: ClassVar[int] = c.SCTP_SENDER_DRY_EVENT
    sender_dry_type: U16 = 0
    sender_dry_flags: U16 = 0
    sender_dry_length: U32 = 0
    sender_dry_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsStopped(Notification):
    """There was no room for more notifications: subscribe again (section 6.1.10). The header alone."""

    C_NAME: ClassVar[str] = "sctp_tlv"
    TYPE: ClassVar[int] = c.SCTP_NOTIFICATIONS_STOPPED_EVENT
    stopped_type: U16 = 0
    stopped_flags: U16 = 0
    stopped_length: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailedEvent(Notification):
    """A message could not be delivered (section 6.1.11)."""

    C_NAME: ClassVar[str] = "sctp_send_failed_event"
    TYPE: ClassVar[int] = c.SCTP_SEND_FAILED_EVENT
    ssfe_type: U16 = 0
    ssfe_flags: U16 = 0
    """SCTP_DATA_SENT: the peer may have it; SCTP_DATA_UNSENT: it cannot."""
    ssfe_length: U32 = 0
    ssfe_error: U32 = 0
    """The cause code of an ABORT; 0 without one."""
    ssfe_info: SndInfo = field(default_factory=SndInfo)
    """``snd_flags`` says whether ``ssfe_data`` is the message (SCTP_DATA_NOT_FRAG) or its end (_LAST_FRAG), and with 4
    that it was unordered."""
    ssfe_assoc_id: S32 = 0
    ssfe_data: DATA = b""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResetEvent(Notification):
    """Streams were reset (RFC 6525 section 6.1.1)."""

    C_NAME: ClassVar[str] = "sctp_stream_reset_event"
    TYPE: ClassVar[int] = c.SCTP_STREAM_RESET_EVENT
    strreset_type: U16 = 0
    strreset_flags: U16 = 0
    strreset_length: U32 = 0
    strreset_assoc_id: S32 = 0
    strreset_stream_list: U16S = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AssocResetEvent(Notification):
    """The association's TSNs were reset (RFC 6525 section 6.1.2)."""

    C_NAME: ClassVar[str] = "sctp_assoc_reset_event"
    TYPE: ClassVar[int] = c.SCTP_ASSOC_RESET_EVENT
    assocreset_type: U16 = 0
    assocreset_flags: U16 = 0
    assocreset_length: U32 = 0
    assocreset_assoc_id: S32 = 0
    assocreset_local_tsn: U32 = 0
    assocreset_remote_tsn: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChangeEvent(Notification):
    """The number of streams changed (RFC 6525 section 6.1.3)."""

    C_NAME: ClassVar[str] = "sctp_stream_change_event"
    TYPE: ClassVar[int] = c.SCTP_STREAM_CHANGE_EVENT
    strchange_type: U16 = 0
    strchange_flags: U16 = 0
    strchange_length: U32 = 0
    strchange_assoc_id: S32 = 0
    strchange_instrms: U16 = 0
    strchange_outstrms: U16 = 0


NOTIFICATIONS: Final[dict[int, type[Notification]]] = {
    kind.TYPE: kind
    for kind in (
        AssocChange,
        PaddrChange,
        RemoteError,
        SendFailed,
        ShutdownEvent,
        AdaptationEvent,
        PdapiEvent,
        AuthkeyEvent,
        SenderDryEvent,
        NotificationsStopped,
        SendFailedEvent,
        StreamResetEvent,
        AssocResetEvent,
        StreamChangeEvent,
    )
}
"""By their type, in the order of section 6.1."""


def unpack_notification(data: Data) -> Notification:
    """The notification in these bytes. OSError EINVAL if it is of no known type or of a wrong length."""
    data = to_bytes(data)
    if len(data) < _HEADER.size:
        raise OSError(errno.EINVAL, f"a notification of {len(data)} bytes")
    fields: tuple[Any, ...] = _HEADER.unpack_from(data)
    kind = NOTIFICATIONS.get(fields[0])
    if kind is None:
        raise OSError(errno.EINVAL, f"no notification has the type {fields[0]:#x}")
    return kind.unpack(data)
