"""A guest with the SCTP of a Linux kernel, for hosts whose own kernel has none.

``guest`` boots a Linux kernel as an ordinary process (User Mode Linux, a Debian package) in a network namespace of its
own, ``init`` is what runs first inside, and ``program`` is what the tests run on both sides.
"""
