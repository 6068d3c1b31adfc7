"""One association: its state, its handlers, and the face its user sees (RFC 9260 sections 4 to 9)."""
