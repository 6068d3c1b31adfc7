"""Receiving user data: TSNs, acknowledgements, the window, messages (RFC 9260 sections 6.2, 6.5, 6.6, 6.7, 6.9)."""
