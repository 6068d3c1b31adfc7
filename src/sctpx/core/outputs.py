"""What leaves the core towards a link: packets for one destination.

The link knows this module of the core and no other.
"""

from __future__ import annotations

from typing import Final, final

FLOW_LABEL: Final = 0xFFFFF
"""The bits of ``flowinfo`` that are the flow label."""
CLASS_SHIFT: Final = 20
"""Where the traffic class begins in ``flowinfo``; its two lowest bits are ECN's."""
DSCP_SHIFT: Final = CLASS_SHIFT + 2
"""Where the DSCP begins in ``flowinfo``: the six highest bits of the traffic class (RFC 2474 section 3)."""

ECT_0: Final = 2
"""The ECN bits of a packet whose sender reacts to marks; routers may mark it (RFC 3168 section 5)."""
CE: Final = 3
"""The ECN bits of a packet that met congestion."""

WHOLE: Final = 0
"""IP must not fragment the packets (DF): one that is too big for the path is lost."""
FRAGMENTS: Final = 1
"""IP may fragment them. Over IPv6 only this host does so, for its interface."""
SMALL_FRAGMENTS: Final = 2
"""The packet is larger than the interface takes, and IP shall cut it so that each path takes the fragments."""


@final
class Transmit:
    """One or more SCTP packets for one destination, to be sent now.

    ``data`` holds the packets one behind the other; each is ``segment`` bytes long but the last, which may
    be shorter. A packet alone (``len(data) <= segment``) must not be segmented by the link, whatever its size.
    """

    __slots__ = ("data", "expendable", "flowinfo", "fragments", "local", "port", "remote", "segment")

    def __init__(
        self,
        local: bytes,
        remote: bytes,
        port: int,
        data: bytes,
        segment: int,
        flowinfo: int = 0,
        fragments: int = FRAGMENTS,
    ) -> None:
        self.local = local
        """Source IP address, packed (4 or 16 bytes); ``b""`` leaves the choice to the link."""
        self.remote = remote
        """Destination IP address, packed."""
        self.port = port
        """UDP encapsulation port of the destination (RFC 6951); 0 where the link needs none."""
        self.data = data
        self.segment = segment
        self.flowinfo = flowinfo
        """How the packets are marked: the traffic class (DSCP and ECN bits) and, over IPv6, the flow label.

        The bits are those of ``sin6_flowinfo`` (RFC 3493 section 3.3), in host byte order: the label in the low 20, the
        class in the eight above them. 0 marks nothing.
        """
        self.expendable = False
        """A probe of the path MTU: if a queue of this host has no room for it, it is lost like any other packet. The
        reason may be its size, and what comes behind it must not wait for that."""
        self.fragments = fragments
        """``WHOLE``, ``FRAGMENTS`` or ``SMALL_FRAGMENTS``.

        Packets are fragmented that were cut before the path MTU fell (RFC 9260 section 6.9), and those to addresses of
        which no path MTU is discovered.
        """

    @property
    def packets(self) -> int:
        """How many they are."""
        return -(-len(self.data) // self.segment)
