"""What the sockets API of RFC 6458 means, without I/O; asyncio and blocking sockets both stand on it.

``addresses`` checks and converts what users give as addresses, ``send`` and ``receive`` are user messages on their way
out and in, ``events``, ``status`` and ``failures`` say in strings, seconds and exceptions what the core says in packed
addresses, nanoseconds and errno numbers. Nothing here waits, and nothing here knows a socket, a clock or an event loop.

RFC 6458 by its sections: ``constants`` and ``structs`` are its names and C structs, ``ancillary`` section 5,
``notifications`` section 6, ``options`` section 8 over the ``settings`` of a socket and its associations. What the
calls of a socket mean is in ``one_to_one`` and ``one_to_many``, over ``style``, ``attached`` and ``delivery``.
"""
