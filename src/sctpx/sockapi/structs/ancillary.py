"""The structs that travel beside messages (RFC 6458 sections 5.3, 9.12 and 9.13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, final

from .layout import BE32, S32, U16, U32, Struct


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class InitMsg(Struct):
    """How associations are set up (section 5.3.1). 0 stands for the socket's default."""

    C_NAME: ClassVar[str] = "sctp_initmsg"
    sinit_num_ostreams: U16 = 0
    sinit_max_instreams: U16 = 0
    sinit_max_attempts: U16 = 0
    sinit_max_init_timeo: U16 = 0
    """Milliseconds."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SndRcvInfo(Struct):
    """A message, both ways (section 5.3.2). Deprecated: ``SndInfo`` and ``RcvInfo`` take its place."""

    C_NAME: ClassVar[str] = "sctp_sndrcvinfo"
    sinfo_stream: U16 = 0
    sinfo_ssn: U16 = 0
    sinfo_flags: U16 = 0
    sinfo_ppid: BE32 = 0
    sinfo_context: U32 = 0
    sinfo_timetolive: U32 = 0
    """Milliseconds; 0 for no limit."""
    sinfo_tsn: U32 = 0
    sinfo_cumtsn: U32 = 0
    sinfo_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExtRcvInfo(Struct):
    """A received message, and the next one (section 5.3.3). Deprecated: see ``NxtInfo``."""

    C_NAME: ClassVar[str] = "sctp_extrcvinfo"
    sinfo_stream: U16 = 0
    sinfo_ssn: U16 = 0
    sinfo_flags: U16 = 0
    sinfo_ppid: BE32 = 0
    sinfo_context: U32 = 0
    sinfo_pr_value: U32 = 0
    sinfo_tsn: U32 = 0
    sinfo_cumtsn: U32 = 0
    serinfo_next_flags: U16 = 0
    serinfo_next_stream: U16 = 0
    serinfo_next_aid: U32 = 0
    serinfo_next_length: U32 = 0
    serinfo_next_ppid: BE32 = 0
    sinfo_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SndInfo(Struct):
    """How to send a message (section 5.3.4)."""

    C_NAME: ClassVar[str] = "sctp_sndinfo"
    snd_sid: U16 = 0
    snd_flags: U16 = 0
    snd_ppid: BE32 = 0
    snd_context: U32 = 0
    snd_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RcvInfo(Struct):
    """What is known of a received message (section 5.3.5)."""

    C_NAME: ClassVar[str] = "sctp_rcvinfo"
    rcv_sid: U16 = 0
    rcv_ssn: U16 = 0
    rcv_flags: U16 = 0
    rcv_ppid: BE32 = 0
    rcv_tsn: U32 = 0
    rcv_cumtsn: U32 = 0
    rcv_context: U32 = 0
    rcv_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NxtInfo(Struct):
    """What will be received next (section 5.3.6)."""

    C_NAME: ClassVar[str] = "sctp_nxtinfo"
    nxt_sid: U16 = 0
    nxt_flags: U16 = 0
    nxt_ppid: BE32 = 0
    nxt_length: U32 = 0
    nxt_assoc_id: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PrInfo(Struct):
    """How reliably to send a message (section 5.3.7)."""

    C_NAME: ClassVar[str] = "sctp_prinfo"
    pr_policy: U16 = 0
    pr_value: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthInfo(Struct):
    """With which key to authenticate a message (section 5.3.8)."""

    C_NAME: ClassVar[str] = "sctp_authinfo"
    auth_keynumber: U16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SendvSpa(Struct):
    """Several attributes of a message to ``sctp_sendv`` (section 9.12); ``sendv_flags`` says which are there."""

    C_NAME: ClassVar[str] = "sctp_sendv_spa"
    sendv_flags: U32 = 0
    sendv_sndinfo: SndInfo = field(default_factory=SndInfo)
    sendv_prinfo: PrInfo = field(default_factory=PrInfo)
    sendv_authinfo: AuthInfo = field(default_factory=AuthInfo)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RecvvRn(Struct):
    """Both attributes of a message from ``sctp_recvv`` (section 9.13)."""

    C_NAME: ClassVar[str] = "sctp_recvv_rn"
    recvv_rcvinfo: RcvInfo = field(default_factory=RcvInfo)
    recvv_nxtinfo: NxtInfo = field(default_factory=NxtInfo)
