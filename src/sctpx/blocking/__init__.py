"""SCTP sockets that wait: RFC 6458 over a driver of its own, with one lock and one thread for the whole process.

``hub`` has the lock and says who waits for the network, ``driver`` runs one stack on one UDP port, ``host`` says which.
``socket`` and ``waiters`` make the sockets of ``sockapi`` wait, ``functions`` has the functions of RFC 6458 section 9,
and ``readiness`` makes the descriptors that ``select`` can wait on. What the calls mean is in ``sockapi``.
"""
