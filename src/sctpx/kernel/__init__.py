"""The SCTP of the Linux kernel behind the calls of sctpx, in Python alone: no C extension, and no libsctp.

``socket`` is the ``SocketBackend`` (``sockapi.backend``) over a socket of the kernel: its calls try, and never wait.
``setting_up`` and ``messages`` are its two halves. ``waiting`` waits for the kernel in their stead. ``system`` has the
system calls that Python's socket module has not. All that only computes stands apart, so that it can be tested where no
kernel has SCTP: ``options`` and ``received`` turn the structs of ``sockapi.structs`` into what the kernel takes and
back, ``parameters`` an ``AssociationConfig`` into options.

Asyncio and blocking sockets stand on this package, which knows neither. docs/kernel.md says what is different.
"""
