"""``sctpx doctor``: what this host has for SCTP, which way ``auto`` takes to a peer and why, and how to get more.

It looks and changes nothing: no kernel module is loaded (an SCTP socket would do that, so none is opened before the
module is there), nothing is sent unless ``--port`` asks for it. ``facts`` says what is known of a host; ``system``,
``kernel``, ``privileges`` and ``network`` find it out, on any operating system; ``peers`` does so for a peer, and
``probing`` asks the peer. ``words`` and ``advice`` say what that means, ``screen`` draws it, ``command`` is the
command.
"""
