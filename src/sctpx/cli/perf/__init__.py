"""``sctpx perf``: how fast it is between a server and a client, for people and for scripts.

``command`` are the commands, ``server`` and ``client`` their work, ``hello`` what the client tells the server before it
begins, ``measure`` the clock, the counters and the result.
"""
