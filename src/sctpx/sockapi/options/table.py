"""The table of socket options: each of RFC 6458 section 8 and of the extensions, whether it can be used yet or not.

``get_option`` and ``set_option`` act by it, and ``docs/rfc6458-coverage.md`` is generated from it.
"""

from __future__ import annotations

from typing import Final

from .. import constants as c
from .. import structs as s
from . import addresses, association, partial_reliability, paths, reconfiguration, streams, whole
from .option import Option
from .scope import Reach
from .whole import flag

_AUTH: Final = "RFC 4895"

OPTIONS: Final[tuple[Option, ...]] = (
    Option("SCTP_RTOINFO", "8.1.1", s.RtoInfo, Reach.FUTURE, association.get_rtoinfo, association.set_rtoinfo),
    Option(
        "SCTP_ASSOCINFO", "8.1.2", s.AssocParams, Reach.FUTURE, association.get_associnfo, association.set_associnfo
    ),
    Option("SCTP_INITMSG", "8.1.3", s.InitMsg, Reach.SOCKET, whole.get_initmsg, whole.set_initmsg),
    Option("SO_LINGER", "8.1.4", s.Linger, Reach.SOCKET, whole.get_linger, whole.set_linger, level=c.SOL_SOCKET),
    Option("SCTP_NODELAY", "8.1.5", int, Reach.EVERY, association.get_nodelay, association.set_nodelay),
    Option("SO_RCVBUF", "8.1.6", int, Reach.EVERY, whole.get_rcvbuf, whole.set_rcvbuf, level=c.SOL_SOCKET),
    Option("SO_SNDBUF", "8.1.7", int, Reach.EVERY, whole.get_sndbuf, whole.set_sndbuf, level=c.SOL_SOCKET),
    Option("SCTP_AUTOCLOSE", "8.1.8", int, Reach.SOCKET, whole.get_autoclose, whole.set_autoclose),
    Option(
        "SCTP_PRIMARY_ADDR", "8.1.9", s.SetPrim, Reach.ASSOCIATION, association.get_primary, association.set_primary
    ),
    Option(
        "SCTP_ADAPTATION_LAYER",
        "8.1.10",
        s.SetAdaptation,
        Reach.SOCKET,
        addresses.get_adaptation,
        addresses.set_adaptation,
    ),
    Option("SCTP_DISABLE_FRAGMENTS", "8.1.11", int, Reach.SOCKET, *flag("disable_fragments")),
    Option(
        "SCTP_PEER_ADDR_PARAMS",
        "8.1.12",
        s.PaddrParams,
        Reach.PATH,
        paths.get_paddrparams,
        paths.set_paddrparams,
        shorter=(s.PaddrParams.offsets()["spp_ipv6_flowlabel"],),
    ),
    Option("SCTP_DEFAULT_SEND_PARAM", "8.1.13", s.SndRcvInfo, Reach.ANY, whole.get_send_param, whole.set_send_param),
    Option(
        "SCTP_EVENTS",
        "8.1.14",
        s.EventSubscribe,
        Reach.EVERY,
        whole.get_events,
        whole.set_events,
        shorter=(s.EventSubscribe.offsets()["sctp_stream_reset_event"],),
    ),
    Option("SCTP_I_WANT_MAPPED_V4_ADDR", "8.1.15", int, Reach.SOCKET, whole.get_mapped, whole.set_mapped),
    Option("SCTP_MAXSEG", "8.1.16", s.AssocValue, Reach.FUTURE, association.get_maxseg, association.set_maxseg),
    Option("SCTP_HMAC_IDENT", "8.1.17", s.HmacAlgo, Reach.SOCKET, needs=_AUTH),
    Option("SCTP_AUTH_ACTIVE_KEY", "8.1.18", s.AuthKeyId, Reach.ANY, needs=_AUTH),
    Option(
        "SCTP_DELAYED_SACK",
        "8.1.19",
        s.SackInfo,
        Reach.ANY,
        association.get_delayed_sack,
        association.set_delayed_sack,
        shorter=(s.AssocValue.size(),),
    ),
    Option("SCTP_FRAGMENT_INTERLEAVE", "8.1.20", int, Reach.SOCKET, whole.get_interleave, whole.set_interleave),
    Option(
        "SCTP_PARTIAL_DELIVERY_POINT", "8.1.21", int, Reach.SOCKET, whole.get_delivery_point, whole.set_delivery_point
    ),
    Option("SCTP_USE_EXT_RCVINFO", "8.1.22", int, Reach.SOCKET, *flag("use_ext_rcvinfo")),
    Option("SCTP_AUTO_ASCONF", "8.1.23", int, Reach.EVERY, addresses.get_auto, addresses.set_auto),
    Option("SCTP_MAX_BURST", "8.1.24", s.AssocValue, Reach.ANY, association.get_max_burst, association.set_max_burst),
    Option("SCTP_CONTEXT", "8.1.25", s.AssocValue, Reach.ANY, association.get_context, association.set_context),
    Option("SCTP_EXPLICIT_EOR", "8.1.26", int, Reach.SOCKET, *flag("explicit_eor")),
    Option("SCTP_REUSE_PORT", "8.1.27", int, Reach.SOCKET, needs="SCTP ports that several sockets share"),
    Option("SCTP_EVENT", "8.1.28", s.Event, Reach.ANY, whole.get_event, whole.set_event),
    Option("SCTP_RECVRCVINFO", "8.1.29", int, Reach.SOCKET, *flag("recvrcvinfo")),
    Option("SCTP_RECVNXTINFO", "8.1.30", int, Reach.SOCKET, *flag("recvnxtinfo")),
    Option("SCTP_DEFAULT_SNDINFO", "8.1.31", s.SndInfo, Reach.ANY, whole.get_sndinfo, whole.set_sndinfo),
    Option(
        "SCTP_DEFAULT_PRINFO",
        "8.1.32",
        s.DefaultPrInfo,
        Reach.ANY,
        partial_reliability.get_default_prinfo,
        partial_reliability.set_default_prinfo,
    ),
    Option("SCTP_STATUS", "8.2.1", s.Status, Reach.ASSOCIATION, association.get_status),
    Option("SCTP_GET_PEER_ADDR_INFO", "8.2.2", s.PaddrInfo, Reach.ADDRESS, association.get_paddrinfo),
    Option("SCTP_PEER_AUTH_CHUNKS", "8.2.3", s.AuthChunks, Reach.ASSOCIATION, needs=_AUTH),
    Option("SCTP_LOCAL_AUTH_CHUNKS", "8.2.4", s.AuthChunks, Reach.FUTURE, needs=_AUTH),
    Option("SCTP_GET_ASSOC_NUMBER", "8.2.5", int, Reach.SOCKET, whole.get_assoc_number),
    Option("SCTP_GET_ASSOC_ID_LIST", "8.2.6", s.AssocIds, Reach.SOCKET, whole.get_assoc_ids),
    Option("SCTP_SET_PEER_PRIMARY_ADDR", "8.3.1", s.SetPeerPrim, Reach.ASSOCIATION, set=addresses.set_peer_primary),
    Option("SCTP_AUTH_CHUNK", "8.3.2", s.AuthChunk, Reach.SOCKET, needs=_AUTH),
    Option("SCTP_AUTH_KEY", "8.3.3", s.AuthKey, Reach.ANY, needs=_AUTH),
    Option("SCTP_AUTH_DEACTIVATE_KEY", "8.3.4", s.AuthKeyId, Reach.ANY, needs=_AUTH),
    Option("SCTP_AUTH_DELETE_KEY", "8.3.5", s.AuthKeyId, Reach.ANY, needs=_AUTH),
    # What sockets of all kinds have.
    Option("SO_RCVTIMEO", "POSIX", s.Timeval, Reach.SOCKET, *whole.timeout("receive_timeout"), level=c.SOL_SOCKET),
    Option("SO_SNDTIMEO", "POSIX", s.Timeval, Reach.SOCKET, *whole.timeout("send_timeout"), level=c.SOL_SOCKET),
    # The extensions'.
    Option(
        "SCTP_REMOTE_UDP_ENCAPS_PORT",
        "RFC 6951 section 6.1",
        s.UdpEncaps,
        Reach.PATH,
        paths.get_encapsulation,
        paths.set_encapsulation,
    ),
    Option(
        "SCTP_PEER_ADDR_THLDS",
        "RFC 7829 section 7.2",
        s.PaddrThlds,
        Reach.PATH,
        paths.get_thresholds,
        paths.set_thresholds,
    ),
    Option(
        "SCTP_PEER_ADDR_THLDS_V2",
        "RFC 7829 section 7.2",
        s.PaddrThldsV2,
        Reach.PATH,
        paths.get_thresholds_v2,
        paths.set_thresholds_v2,
    ),
    Option(
        "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE",
        "RFC 7829 section 7.3",
        s.AssocValue,
        Reach.FUTURE,
        association.get_expose_pf,
        association.set_expose_pf,
    ),
    Option("SCTP_GET_ASSOC_STATS", "Linux", s.AssocStats, Reach.ASSOCIATION, association.get_assoc_stats),
    Option(
        "SCTP_ENABLE_STREAM_RESET",
        "RFC 6525 section 6.3.1",
        s.AssocValue,
        Reach.ANY,
        reconfiguration.get_enabled,
        reconfiguration.set_enabled,
    ),
    Option(
        "SCTP_RESET_STREAMS",
        "RFC 6525 section 6.3.2",
        s.ResetStreams,
        Reach.ASSOCIATION,
        set=reconfiguration.reset_streams,
    ),
    Option(
        "SCTP_RESET_ASSOC",
        "RFC 6525 section 6.3.3",
        s.AssocValue,
        Reach.ASSOCIATION,
        set=reconfiguration.reset_association,
        shorter=(s.AssocValue.offsets()["assoc_value"],),
    ),
    Option(
        "SCTP_ADD_STREAMS",
        "RFC 6525 section 6.3.4",
        s.AddStreams,
        Reach.ASSOCIATION,
        set=reconfiguration.add_streams,
    ),
    Option(
        "SCTP_PR_STREAM_STATUS",
        "RFC 7496 section 4.3",
        s.PrStatus,
        Reach.ASSOCIATION,
        partial_reliability.get_stream_status,
    ),
    Option(
        "SCTP_PR_ASSOC_STATUS",
        "RFC 7496 section 4.4",
        s.PrStatus,
        Reach.ASSOCIATION,
        partial_reliability.get_assoc_status,
    ),
    Option(
        "SCTP_PR_SUPPORTED",
        "RFC 7496 section 4.5",
        s.AssocValue,
        Reach.FUTURE,
        partial_reliability.get_supported,
        partial_reliability.set_supported,
    ),
    Option(
        "SCTP_INTERLEAVING_SUPPORTED",
        "RFC 8260 section 4.3.1",
        s.AssocValue,
        Reach.FUTURE,
        streams.get_interleaving,
        streams.set_interleaving,
    ),
    Option(
        "SCTP_STREAM_SCHEDULER",
        "RFC 8260 section 4.3.2",
        s.AssocValue,
        Reach.ANY,
        streams.get_scheduler,
        streams.set_scheduler,
    ),
    Option(
        "SCTP_STREAM_SCHEDULER_VALUE",
        "RFC 8260 section 4.3.3",
        s.StreamValue,
        Reach.ANY,
        streams.get_stream_value,
        streams.set_stream_value,
    ),
    Option(
        "SCTP_RECONFIG_SUPPORTED",
        "Linux",
        s.AssocValue,
        Reach.FUTURE,
        reconfiguration.get_supported,
        reconfiguration.set_supported,
    ),
    Option(
        "SCTP_ASCONF_SUPPORTED",
        "Linux",
        s.AssocValue,
        Reach.FUTURE,
        addresses.get_supported,
        addresses.set_supported,
    ),
    Option("SCTP_AUTH_SUPPORTED", "Linux", s.AssocValue, Reach.FUTURE, needs=_AUTH),
    Option("SCTP_ECN_SUPPORTED", "Linux", s.AssocValue, Reach.FUTURE, needs="RFC 4960 appendix A"),
    Option("SCTP_PLPMTUD_PROBE_INTERVAL", "Linux", s.ProbeInterval, Reach.PATH, needs="RFC 8899"),
)
