"""Extensions of SCTP, a file or two for each. ``table`` says which have an object in each association.

What an extension is to the core, and which of its methods the core calls, is in ``core.extension``. An extension knows
the ``Tcb`` and its own chunks, and no other extension. Of ``association`` it may call ``transfer``, ``reachability``
and ``shutdown``, and what changes numbers and paths, ``renumbering`` and ``path_set``. Those that call it, such as
``handshake``, ``dispatch``, ``inbound`` and ``outbound``, it does not know. ``path_mtu`` calls ``reachability`` only,
since ``transfer`` and ``path_set`` call it. A test holds this.

To send, an extension calls ``Tcb.respond`` while a packet is processed, and ``Tcb.send_control`` at any other time.
"""
