"""What leaves the core towards a link: packets for one destination.

The link knows this module of the core and no other.
"""

from __future__ import annotations

from typing import final


@final
class Transmit:
    """One or more SCTP packets for one destination, to be sent now.

    ``data`` holds the packets one behind the other; each is ``segment`` bytes long but the last, which may
    be shorter. A packet alone (``len(data) <= segment``) must not be segmented by the link, whatever its
    size: it may be meant for fragmentation by IP (RFC 9260 section 6.9).
    """

    __slots__ = ("data", "ecn", "local", "port", "remote", "segment")

    def __init__(self, local: bytes, remote: bytes, port: int, data: bytes, segment: int, ecn: int = 0) -> None:
        self.local = local
        """Source IP address, packed (4 or 16 bytes); ``b""`` leaves the choice to the link."""
        self.remote = remote
        """Destination IP address, packed."""
        self.port = port
        """UDP encapsulation port of the destination (RFC 6951); 0 where the link needs none."""
        self.data = data
        self.segment = segment
        self.ecn = ecn
        """The two ECN bits of the IP header."""
