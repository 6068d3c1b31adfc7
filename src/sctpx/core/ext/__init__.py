"""Extensions: a room for each, behind the door of ``core.extension``. ``table`` says which there are.

A room knows the ``Tcb`` and its own chunks, and no other room. It may use ``association.transfer``, ``shutdown`` and
``reachability``; those who call it, ``handshake``, ``dispatch``, ``inbound`` and ``outbound``, it does not know.
"""
