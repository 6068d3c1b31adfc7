"""``sctpx demo``: the story in one screen.

``story`` says what is to be shown and what must hold, ``loopback`` and ``simulated`` make it happen on real sockets or
in virtual time, ``screen`` shows it, ``command`` is the command. ``receiver`` is the server, in a process of its own.
"""
