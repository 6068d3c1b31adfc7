"""What an ``AssociationConfig`` says, as the core counts: times in ns, and a number for what is left out.

The core reads some of these for every message, and most of them for every association. ``AssociationConfig`` stays
interpreted, for its users; compiled code reads these in a fraction of the time (``bench.core``: bulk-64b, setup).
"""

from __future__ import annotations

from typing import Any, Final, final

from .timers import NEVER, nanoseconds

RACK: Final = "rack"
CUBIC: Final = "cubic"
NO_SWITCHOVER: Final = 1 << 30
"""More errors than are ever counted: the primary path is never replaced."""


@final
class Rules:
    """The numbers of one ``AssociationConfig``, whose fields of the same names explain them. It is not changed."""

    __slots__ = (
        "adaptation_layer",
        "association_max_retrans",
        "attempt_delay",
        "by_time",
        "capabilities",
        "connect_timeout",
        "cookie_life",
        "cubic",
        "dscp",
        "error_detection_method",
        "flow_label",
        "heartbeat_interval",
        "heartbeat_max_burst",
        "hold_limit",
        "longest_init",
        "max_burst",
        "max_inbound_streams",
        "max_init_retransmits",
        "max_message_size",
        "max_segment",
        "mtu",
        "nodelay",
        "partial_limit",
        "path_max_retrans",
        "path_mtu_discovery",
        "path_mtu_probe_timer",
        "potentially_failed_max_retrans",
        "primary_switchover_max_retrans",
        "receive_buffer",
        "rto_initial",
        "rto_max",
        "rto_min",
        "sack_delay",
        "send_buffer",
        "streams",
        "stretch_sack",
        "usual_mtu",
    )

    def __init__(self, config: Any) -> None:
        self.capabilities: int = config.capabilities
        self.streams: int = config.streams
        self.max_inbound_streams: int = config.max_inbound_streams
        self.adaptation_layer: int = -1 if config.adaptation_layer is None else config.adaptation_layer
        """-1 for none."""
        self.error_detection_method: int = config.error_detection_method

        # Setting up.
        self.attempt_delay = -1 if config.attempt_delay is None else nanoseconds(config.attempt_delay)
        """ns; -1 for one address at a time."""
        self.connect_timeout = NEVER if config.connect_timeout is None else nanoseconds(config.connect_timeout)
        """ns; ``NEVER`` for none."""
        self.max_init_retransmits: int = config.max_init_retransmits
        # "For the INIT message, this value may override RTO.Max" (RFC 6458 section 5.3.1).
        self.longest_init = nanoseconds(config.rto_max if config.max_init_timeout is None else config.max_init_timeout)
        """The longest T1-init, ns."""
        self.cookie_life = nanoseconds(config.cookie_life)

        # Timeouts and errors.
        self.rto_initial = nanoseconds(config.rto_initial)
        self.rto_min = nanoseconds(config.rto_min)
        self.rto_max = nanoseconds(config.rto_max)
        self.association_max_retrans: int = config.association_max_retrans
        self.path_max_retrans: int = config.path_max_retrans
        self.potentially_failed_max_retrans: int = config.potentially_failed_max_retrans
        switchover = config.primary_switchover_max_retrans
        self.primary_switchover_max_retrans: int = NO_SWITCHOVER if switchover is None else switchover
        self.heartbeat_interval = nanoseconds(config.heartbeat_interval)
        """ns; 0 for no heartbeats."""
        self.heartbeat_max_burst: int = config.heartbeat_max_burst

        # Sending and receiving.
        self.by_time: bool = config.loss_recovery == RACK
        """Losses are found by time (RFC 8985)."""
        self.cubic: bool = config.congestion == CUBIC
        self.max_burst: int = config.max_burst
        self.nodelay: bool = config.nodelay
        self.send_buffer: int = config.send_buffer
        self.receive_buffer: int = config.receive_buffer
        self.max_message_size: int = config.max_message_size
        self.max_segment: int = config.max_segment
        self.partial_limit: int = config.partial_limit
        self.hold_limit: int = config.hold_limit
        self.sack_delay = nanoseconds(config.sack_delay)
        self.stretch_sack: bool = config.stretch_sack

        # Packets.
        self.mtu: int = config.mtu or 0
        """0 for what the path takes."""
        self.usual_mtu: int = config.usual_mtu
        self.path_mtu_discovery: bool = config.path_mtu_discovery
        self.path_mtu_probe_timer = nanoseconds(config.path_mtu_probe_timer)
        self.dscp: int = config.dscp
        self.flow_label: int = config.flow_label
