"""A guest with the SCTP of a Linux kernel, for hosts whose own kernel has none.

``guest`` boots a Linux kernel as an ordinary process (User Mode Linux, a Debian package) in a network namespace of its
own, ``init`` is what runs first inside, and ``programs`` are what the tests run there and beside it. ``driver`` is a
peer inside that tests drive through ``peer``; ``meeting`` has the ways in which it and sctpx meet. ``program`` is the
same program for both sides, on the kernel's SCTP or on sctpx's own.
"""
