"""What the sockets API of RFC 6458 means, without I/O; asyncio and blocking sockets both stand on it.

``addresses`` checks and converts what users give as addresses, ``send`` and ``receive`` are user messages on their way
out and in, ``events``, ``status`` and ``failures`` say in strings, seconds and exceptions what the core says in packed
addresses, nanoseconds and errno numbers. Nothing here waits, and nothing here knows a socket, a clock or an event loop.

RFC 6458 by its sections: ``constants`` and ``structs`` are its names and C structs, ``ancillary`` section 5,
``notifications`` section 6, ``options`` section 8 over the ``settings`` of a socket and its associations.

A whole socket is here, as an object whose calls try: they succeed, raise, or say "not now" (``not_now``). Its two kinds
are ``one_to_one`` and ``one_to_many``, over ``socket_state``, ``setting_up`` and ``messaging``; ``port``,
``socket_association`` and ``delivery`` are what a socket has. ``host`` says what a socket needs of its surroundings.
``socket_calls`` and ``message_calls`` are the calls as users make them, which try, wait and try again; real and
simulated sockets are made of them.
"""
