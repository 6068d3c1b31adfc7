"""Counters. Plain integers that only grow; reading them costs nothing."""

from __future__ import annotations

from typing import final


@final
class AssociationStats:
    """What one association did."""

    __slots__ = (
        "addresses_passed_over",
        "asconfs",
        "asconfs_retransmitted",
        "auth_chunks_rejected",
        "bytes_received",
        "bytes_sent",
        "ce_packets_received",
        "chunks_retransmitted",
        "control_chunks_received",
        "control_chunks_sent",
        "cwrs_received",
        "duplicate_tsns",
        "ecn_reductions",
        "ecnes_received",
        "ecnes_sent",
        "fast_retransmits",
        "forward_tsns_received",
        "forward_tsns_sent",
        "gap_sacks_received",
        "invalid_streams",
        "messages_abandoned_sent",
        "messages_abandoned_unsent",
        "messages_received",
        "messages_sent",
        "out_of_sequence_tsns",
        "packets_discarded",
        "packets_received",
        "packets_sent",
        "path_mtu_black_holes",
        "path_mtu_probes_lost",
        "path_mtu_probes_sent",
        "path_mtu_reports",
        "reconfigurations",
        "reconfigurations_refused",
        "reconfigurations_retransmitted",
        "sacks_received",
        "sacks_sent",
        "t3_timeouts",
        "tail_probes_sent",
        "tsns_taken_back",
        "unauthenticated_chunks",
        "unordered_sent",
    )

    def __init__(self) -> None:
        self.packets_sent = 0
        self.packets_received = 0
        self.packets_discarded = 0
        """Packets or chunks dropped because they broke a rule."""
        self.messages_sent = 0
        """User messages accepted from the user."""
        self.unordered_sent = 0
        """Those of them that are unordered."""
        self.messages_received = 0
        """User messages (or parts, in partial delivery) ready for the user."""
        self.bytes_sent = 0
        """User data accepted from the user."""
        self.bytes_received = 0
        """User data received, duplicates not counted."""
        self.control_chunks_sent = 0
        """Without SACKs."""
        self.control_chunks_received = 0
        """Without SACKs, and without those that set the association up."""
        self.sacks_sent = 0
        self.sacks_received = 0
        self.gap_sacks_received = 0
        self.addresses_passed_over = 0
        """Addresses in the peer's INIT ACK, or in its ASCONFs, that were too many (``Limits.peer_addresses``)."""
        self.invalid_streams = 0
        """Streams in DATA and FORWARD-TSN chunks that the peer was not allowed (``max_inbound_streams``)."""
        self.duplicate_tsns = 0
        self.out_of_sequence_tsns = 0
        """New TSNs that came before one below them."""
        self.reconfigurations = 0
        """Requests of the peer to reset or add streams that were done (RFC 6525)."""
        self.reconfigurations_refused = 0
        """Those that were denied, or that broke a rule."""
        self.reconfigurations_retransmitted = 0
        """RE-CONFIG chunks with requests of ours that were sent again."""
        self.asconfs = 0
        """Requests of the peer to change its addresses that were processed: ASCONF chunks (RFC 5061)."""
        self.asconfs_retransmitted = 0
        """ASCONF chunks of ours that were sent again."""
        self.chunks_retransmitted = 0
        self.fast_retransmits = 0
        """DATA chunks that were lost by what the peer has acknowledged: by time, or by three miss indications."""
        self.t3_timeouts = 0
        self.tail_probes_sent = 0
        """Tail loss probes (RFC 8985 section 7)."""
        self.tsns_taken_back = 0
        """DATA chunks that the peer had acknowledged by a Gap Ack Block, and then not any more."""
        self.messages_abandoned_unsent = 0
        """Messages given up before any part of them was sent (RFC 7496 section 4.4)."""
        self.messages_abandoned_sent = 0
        """Messages given up after a part of them was sent, at least."""
        self.forward_tsns_sent = 0
        """Times that the peer was told to skip what was given up (FORWARD-TSN, I-FORWARD-TSN)."""
        self.forward_tsns_received = 0
        self.ce_packets_received = 0
        """Packets that the network had marked, as there was congestion (RFC 3168)."""
        self.ecnes_sent = 0
        """ECNE chunks: how often the peer was told so."""
        self.ecnes_received = 0
        self.cwrs_received = 0
        """CWR chunks: answers to ECNEs. One is sent for each ECNE that came."""
        self.ecn_reductions = 0
        """How often a congestion window was reduced for an ECNE."""
        self.auth_chunks_rejected = 0
        """AUTH chunks that did not count, and nothing behind them did: with a wrong HMAC, or of a key or an algorithm
        that there is not (RFC 4895 section 6.3)."""
        self.unauthenticated_chunks = 0
        """Chunks of types that have to be authenticated, and were not."""
        self.path_mtu_probes_sent = 0
        """Packets that were sent to discover a path MTU (RFC 8899)."""
        self.path_mtu_probes_lost = 0
        """Those of them that were not answered in time."""
        self.path_mtu_black_holes = 0
        """How often packets of the size in use were found not to pass any more, and smaller ones were sent."""
        self.path_mtu_reports = 0
        """ICMP messages "packet too big" that counted."""

    def __repr__(self) -> str:
        return _counted(self)


@final
class StackStats:
    """What one stack did."""

    __slots__ = (
        "addresses_passed_over",
        "answers_dropped",
        "answers_withheld",
        "associations_refused",
        "bad_checksum",
        "cookies_rejected",
        "cookies_stale",
        "cookies_unauthenticated",
        "discarded",
        "inits_received",
        "out_of_the_blue",
        "packets_received",
        "packets_refused",
        "packets_sent",
        "passed_on",
    )

    def __init__(self) -> None:
        self.packets_sent = 0
        self.packets_received = 0
        self.packets_refused = 0
        """Packets for which an interface of this host had no room for so long that they were given up: they count as
        lost."""
        self.passed_on = 0
        """Packets that were handed to another worker of the same server, or about which one was asked."""
        self.bad_checksum = 0
        self.addresses_passed_over = 0
        """Addresses in INITs that were too many of one peer (``Limits.peer_addresses``)."""
        self.associations_refused = 0
        """INITs and COOKIE ECHOs that were refused as too many associations waited to be accepted, or lived (the
        backlog, ``Limits.associations``, ``Limits.associations_per_peer``)."""
        self.answers_dropped = 0
        """Answers to strangers that had to wait for too long: newer ones came (``Limits.answers``)."""
        self.answers_withheld = 0
        """Answers to strangers that were one too many in a second (``Limits.aborts_per_second``), or larger than what
        they answer."""
        self.out_of_the_blue = 0
        """Packets that belong to no association (RFC 9260 section 8.4)."""
        self.discarded = 0
        """Packets dropped without an answer."""
        self.inits_received = 0
        self.cookies_rejected = 0
        """COOKIE ECHOs whose cookie this stack did not make, or that would set up again what is over."""
        self.cookies_stale = 0
        self.cookies_unauthenticated = 0
        """COOKIE ECHOs that had to be authenticated and were not, or wrongly (RFC 4895 section 6.3)."""

    def __repr__(self) -> str:
        return _counted(self)


def _counted(stats: object) -> str:
    """The counters that are not 0."""
    names = [name for name in dir(stats) if not name.startswith("_") and getattr(stats, name)]
    return f"<{type(stats).__name__}{''.join([f' {name}={getattr(stats, name)}' for name in names])}>"
