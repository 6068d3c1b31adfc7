"""Sending user data: messages, batches of packets in flight, SACKs (RFC 9260 sections 6.1, 6.2.1, 6.3.3, 7.2.4)."""
