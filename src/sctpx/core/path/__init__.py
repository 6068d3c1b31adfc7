"""One destination address of the peer, and the choice among them (RFC 9260 sections 5.4, 6.3, 6.4, 7.2 and 8)."""
