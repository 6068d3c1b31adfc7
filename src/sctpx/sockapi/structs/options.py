"""The structs of socket options (RFC 6458 section 8 and the extensions' RFCs), with Linux's fields.

In each, the association comes first; the calls fill it in where one socket is one association. Times are in
milliseconds. In most, 0 leaves a value as it is when it is set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, final

from .layout import BE16, COUNT16, COUNT32, DATA, S32, S32S, S64, STORED, U8, U8S, U16, U16S, U32, U64, Counted, Struct


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RtoInfo(Struct):
    """Retransmission timeouts (section 8.1.1)."""

    C_NAME: ClassVar[str] = "sctp_rtoinfo"
    srto_assoc_id: S32 = 0
    srto_initial: U32 = 0
    srto_max: U32 = 0
    srto_min: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AssocParams(Struct):
    """Parameters of an association (section 8.1.2). Number of destinations and windows can only be read."""

    C_NAME: ClassVar[str] = "sctp_assocparams"
    sasoc_assoc_id: S32 = 0
    sasoc_asocmaxrxt: U16 = 0
    sasoc_number_peer_destinations: U16 = 0
    sasoc_peer_rwnd: U32 = 0
    sasoc_local_rwnd: U32 = 0
    sasoc_cookie_life: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Linger(Struct):
    """What ``close`` does while ``l_onoff`` is set (section 8.1.4): wait ``l_linger`` seconds; abort if that is 0."""

    C_NAME: ClassVar[str] = "linger"
    l_onoff: S32 = 0
    l_linger: S32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Timeval(Struct):
    """How long a call waits (SO_RCVTIMEO, SO_SNDTIMEO); 0 for as long as it takes."""

    C_NAME: ClassVar[str] = "timeval"
    tv_sec: S64 = 0
    tv_usec: S64 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SetPrim(Struct):
    """The primary address (section 8.1.9)."""

    C_NAME: ClassVar[str] = "sctp_setprim"
    PACKED: ClassVar[bool] = True
    ssp_assoc_id: S32 = 0
    ssp_addr: STORED = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SetAdaptation(Struct):
    """The adaptation layer indication (section 8.1.10)."""

    C_NAME: ClassVar[str] = "sctp_setadaptation"
    ssb_adaptation_ind: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PaddrParams(Struct):
    """Parameters of a path, or of all of them (section 8.1.12)."""

    C_NAME: ClassVar[str] = "sctp_paddrparams"
    PACKED: ClassVar[bool] = True
    spp_assoc_id: S32 = 0
    spp_address: STORED = None
    """``None``, or a wildcard address: all paths."""
    spp_hbinterval: U32 = 0
    spp_pathmaxrxt: U16 = 0
    spp_pathmtu: U32 = 0
    spp_sackdelay: U32 = 0
    spp_flags: U32 = 0
    spp_ipv6_flowlabel: U32 = 0
    spp_dscp: U8 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscribe(Struct):
    """What is subscribed to (section 6.2.1). Deprecated: ``Event`` takes its place."""

    C_NAME: ClassVar[str] = "sctp_event_subscribe"
    sctp_data_io_event: U8 = 0
    sctp_association_event: U8 = 0
    sctp_address_event: U8 = 0
    sctp_send_failure_event: U8 = 0
    sctp_peer_error_event: U8 = 0
    sctp_shutdown_event: U8 = 0
    sctp_partial_delivery_event: U8 = 0
    sctp_adaptation_layer_event: U8 = 0
    sctp_authentication_event: U8 = 0
    sctp_sender_dry_event: U8 = 0
    sctp_stream_reset_event: U8 = 0
    sctp_assoc_reset_event: U8 = 0
    sctp_stream_change_event: U8 = 0
    sctp_send_failure_event_event: U8 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Struct):
    """One subscription (section 6.2.2)."""

    C_NAME: ClassVar[str] = "sctp_event"
    se_assoc_id: S32 = 0
    se_type: U16 = 0
    se_on: U8 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AssocValue(Struct):
    """A number for an association (sections 8.1.16, 8.1.24 and 8.1.25)."""

    C_NAME: ClassVar[str] = "sctp_assoc_value"
    assoc_id: S32 = 0
    assoc_value: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SackInfo(Struct):
    """Delayed acknowledgements (section 8.1.19)."""

    C_NAME: ClassVar[str] = "sctp_sack_info"
    sack_assoc_id: S32 = 0
    sack_delay: U32 = 0
    sack_freq: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultPrInfo(Struct):
    """How reliably messages are sent by default (section 8.1.32)."""

    C_NAME: ClassVar[str] = "sctp_default_prinfo"
    pr_assoc_id: S32 = 0
    pr_value: U32 = 0
    pr_policy: U16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PaddrInfo(Struct):
    """An address of the peer (section 8.2.2)."""

    C_NAME: ClassVar[str] = "sctp_paddrinfo"
    PACKED: ClassVar[bool] = True
    spinfo_assoc_id: S32 = 0
    spinfo_address: STORED = None
    spinfo_state: S32 = 0
    spinfo_cwnd: U32 = 0
    spinfo_srtt: U32 = 0
    spinfo_rto: U32 = 0
    spinfo_mtu: U32 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Struct):
    """An association (section 8.2.1)."""

    C_NAME: ClassVar[str] = "sctp_status"
    sstat_assoc_id: S32 = 0
    sstat_state: S32 = 0
    sstat_rwnd: U32 = 0
    sstat_unackdata: U16 = 0
    sstat_penddata: U16 = 0
    sstat_instrms: U16 = 0
    sstat_outstrms: U16 = 0
    sstat_fragmentation_point: U32 = 0
    sstat_primary: PaddrInfo = field(default_factory=PaddrInfo)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AssocIds(Counted):
    """The associations of a socket (section 8.2.6)."""

    C_NAME: ClassVar[str] = "sctp_assoc_ids"
    gaids_number_of_ids: COUNT32 = 0
    gaids_assoc_id: S32S = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HmacAlgo(Counted):
    """HMAC algorithms, the preferred one first (section 8.1.17)."""

    C_NAME: ClassVar[str] = "sctp_hmacalgo"
    shmac_number_of_idents: COUNT32 = 0
    shmac_idents: U16S = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthKeyId(Struct):
    """The number of a shared key (sections 8.1.18, 8.3.4 and 8.3.5)."""

    C_NAME: ClassVar[str] = "sctp_authkeyid"
    scact_assoc_id: S32 = 0
    scact_keynumber: U16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthKey(Counted):
    """A shared key (section 8.3.3)."""

    C_NAME: ClassVar[str] = "sctp_authkey"
    sca_assoc_id: S32 = 0
    sca_keynumber: U16 = 0
    sca_keylength: COUNT16 = 0
    sca_key: DATA = field(default=b"", repr=False)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthChunk(Struct):
    """A chunk type to be authenticated (section 8.3.2)."""

    C_NAME: ClassVar[str] = "sctp_authchunk"
    sauth_chunk: U8 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AuthChunks(Counted):
    """The chunk types that are authenticated (sections 8.2.3 and 8.2.4)."""

    C_NAME: ClassVar[str] = "sctp_authchunks"
    gauth_assoc_id: S32 = 0
    gauth_number_of_chunks: COUNT32 = 0
    gauth_chunks: U8S = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SetPeerPrim(Struct):
    """One of our addresses for the peer to prefer (section 8.3.1)."""

    C_NAME: ClassVar[str] = "sctp_setpeerprim"
    PACKED: ClassVar[bool] = True
    sspp_assoc_id: S32 = 0
    sspp_addr: STORED = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ResetStreams(Counted):
    """Streams to reset, all of them if none is listed (RFC 6525 section 6.3.2)."""

    C_NAME: ClassVar[str] = "sctp_reset_streams"
    srs_assoc_id: S32 = 0
    srs_flags: U16 = 0
    srs_number_streams: COUNT16 = 0
    srs_stream_list: U16S = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AddStreams(Struct):
    """Streams to add (RFC 6525 section 6.3.4)."""

    C_NAME: ClassVar[str] = "sctp_add_streams"
    sas_assoc_id: S32 = 0
    sas_instrms: U16 = 0
    sas_outstrms: U16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UdpEncaps(Struct):
    """The peer's UDP port (RFC 6951 section 6.1); in C in network byte order, 0 for none."""

    C_NAME: ClassVar[str] = "sctp_udpencaps"
    sue_assoc_id: S32 = 0
    sue_address: STORED = None
    sue_port: BE16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PaddrThlds(Struct):
    """After how many timeouts a path is inactive, and potentially failed (RFC 7829 section 7.2, as Linux has it)."""

    C_NAME: ClassVar[str] = "sctp_paddrthlds"
    spt_assoc_id: S32 = 0
    spt_address: STORED = None
    spt_pathmaxrxt: U16 = 0
    spt_pathpfthld: U16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PaddrThldsV2(Struct):
    """The same with the switchover of the primary path, as RFC 7829 section 7.2 has it."""

    C_NAME: ClassVar[str] = "sctp_paddrthlds_v2"
    spt_assoc_id: S32 = 0
    spt_address: STORED = None
    spt_pathmaxrxt: U16 = 0
    spt_pathpfthld: U16 = 0
    spt_pathcpthld: U16 = 0xFFFF


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AssocStats(Struct):
    """Counters of an association, as Linux has them."""

    C_NAME: ClassVar[str] = "sctp_assoc_stats"
    sas_assoc_id: S32 = 0
    sas_obs_rto_ipaddr: STORED = None
    sas_maxrto: U64 = 0
    sas_isacks: U64 = 0
    sas_osacks: U64 = 0
    sas_opackets: U64 = 0
    sas_ipackets: U64 = 0
    sas_rtxchunks: U64 = 0
    sas_outofseqtsns: U64 = 0
    sas_idupchunks: U64 = 0
    sas_gapcnt: U64 = 0
    sas_ouodchunks: U64 = 0
    sas_iuodchunks: U64 = 0
    sas_oodchunks: U64 = 0
    sas_iodchunks: U64 = 0
    sas_octrlchunks: U64 = 0
    sas_ictrlchunks: U64 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PrStatus(Struct):
    """Messages that were given up (RFC 7496 sections 4.3 and 4.4)."""

    C_NAME: ClassVar[str] = "sctp_prstatus"
    sprstat_assoc_id: S32 = 0
    sprstat_sid: U16 = 0
    sprstat_policy: U16 = 0
    sprstat_abandoned_unsent: U64 = 0
    sprstat_abandoned_sent: U64 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamValue(Struct):
    """A number for a stream (RFC 8260 section 4.3.3)."""

    C_NAME: ClassVar[str] = "sctp_stream_value"
    assoc_id: S32 = 0
    stream_id: U16 = 0
    stream_value: U16 = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeInterval(Struct):
    """How often the path MTU is probed (RFC 8899, as Linux has it)."""

    C_NAME: ClassVar[str] = "sctp_probeinterval"
    spi_assoc_id: S32 = 0
    spi_address: STORED = None
    spi_interval: U32 = 0
