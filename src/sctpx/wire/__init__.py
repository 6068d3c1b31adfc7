"""Bytes to values and back: RFC 9260 section 3. No state, no time, no peers.

Usable alone: nothing here knows the rest of sctpx. What can be built can be parsed back, and no parser
raises anything but ``ParseError`` whatever bytes it is given.
"""
