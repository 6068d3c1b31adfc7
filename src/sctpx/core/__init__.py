"""The protocol: RFC 9260, sans-IO. ``now`` comes in as integer nanoseconds, values go out.

Deterministic: the same inputs and the same random bytes give the same packets. Nothing here reads a clock,
opens a socket or waits. Start at ``stack``; ``ARCHITECTURE.md`` has the map.
"""
