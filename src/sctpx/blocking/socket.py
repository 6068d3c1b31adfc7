"""``Socket``: an SCTP socket whose calls wait for the network, in threads or in one.

``sockapi.socket_calls`` has the calls and their meaning, and a backend carries the associations: the core of sctpx, or
the kernel (``kernel``). This file adds what a program in real time needs: the lock and the waiting of all sockets of
the process (``hub``), a descriptor for ``select``, and the end of a socket that the program has lost. A socket of the
kernel has a lock and a descriptor of its own.
"""

from __future__ import annotations

import errno
import socket as stdlib
import sys
import warnings
from typing import final

from ..core.config import AssociationConfig, Limits
from ..kernel.parameters import not_the_kernels
from ..kernel.socket import KernelSocket, open_kernel_socket
from ..kernel.waiting import KernelWaiters
from ..link import SCTP_TUNNELING_PORT, LinkKind, Named, check_kind, choose_here
from ..sockapi.backend import KERNEL, USERSPACE, SocketBackend, check_backend
from ..sockapi.constants import IPPROTO_SCTP
from ..sockapi.one_to_many import OneToMany
from ..sockapi.one_to_one import OneToOne
from ..sockapi.socket_calls import SocketCalls, make_state
from . import readiness
from .host import HOSTS
from .hub import hub
from .waiters import SocketWaiters


@final
class Socket(SocketCalls):
    """An SCTP socket (RFC 6458). ``sctpx.socket`` makes one.

    Used as a context manager it is closed in the end. Threads may share it.
    """

    _waiters: SocketWaiters | KernelWaiters

    def __init__(
        self,
        family: int = stdlib.AF_INET,
        type: int = stdlib.SOCK_STREAM,  # noqa: A002 - as in the socket module
        proto: int = IPPROTO_SCTP,
        *,
        udp_port: int | None = None,
        peer_udp_port: int | None = None,
        link: LinkKind | None = None,
        config: AssociationConfig | None = None,
        limits: Limits | None = None,
        backend: str | None = None,
    ) -> None:
        """A new socket of one style or the other.

        ``backend`` says who carries its associations: ``"userspace"``, sctpx in this process, or ``"kernel"``, the SCTP
        of Linux (docs/kernel.md). ``link`` says how packets of sctpx travel: "udp", or "raw" for IP protocol 132
        without UDP, which Linux allows with the capability CAP_NET_RAW; without it ``bind`` and ``connect`` raise
        ``PermissionError``, and the UDP ports have no meaning then. Where neither they nor a UDP port are named, it is
        the best that this host has (docs/links.md): the kernel where its SCTP is loaded; else both kinds of packets
        where raw sockets are allowed, and connecting asks a peer natively and, half an ``attempt_delay`` later, over
        UDP; else UDP.

        ``udp_port`` is our UDP port (RFC 6951): by default 9899 once it is bound to an SCTP port or listens, and
        otherwise any free one, which is shared; 0 takes a free one of its own. ``peer_udp_port`` is where peers are
        reached, unless SCTP_REMOTE_UDP_ENCAPS_PORT or an ``Address`` says otherwise: by default 9899, and with the
        kernel what its ``net.sctp.encap_port`` says, which is without UDP unless it was changed. ``config`` has the
        protocol parameters to begin with; by default they are those of RFC 6458, or the kernel's. ``limits`` are what
        strangers can have of the socket's SCTP port.

        ``OSError``: EAFNOSUPPORT, EINVAL (the type, a port), EPROTONOSUPPORT (the protocol; or the system has no SCTP
        of its own: the message says how to get it), EOPNOTSUPP (the kernel takes no such argument). ``ValueError`` for
        a backend that does not exist.
        """
        state: SocketBackend
        choice = choose_here(
            Named(
                backend=check_backend(backend),
                link=None if link is None else check_kind(link),
                udp_port=udp_port is not None or bool(peer_udp_port),
                userspace_only=(
                    *([] if limits is None else ["limits="]),
                    *([] if config is None else not_the_kernels(config)),
                ),
            )
        )
        if choice.kernel:
            if link is not None or limits is not None:
                what = f"link={link!r}" if limits is None else "limits="
                raise OSError(errno.EOPNOTSUPP, f"{what} is for backend='userspace': the kernel has its own")
            state = open_kernel_socket(family, type, proto, udp_port, peer_udp_port, config)
        else:
            host = HOSTS[choice.ways]
            encaps_port = SCTP_TUNNELING_PORT if peer_udp_port is None else peer_udp_port
            state = make_state(
                host, family, type, proto, udp_port, encaps_port if host.usual_udp_port else 0, config, limits
            )
        self._begin(state)

    def _begin(self, state: SocketBackend) -> None:
        """Calls of a socket of the kernel wait in the kernel, and those of all others at the hub."""
        if state.timeout is None:
            state.timeout = stdlib.getdefaulttimeout()
        if isinstance(state, KernelSocket):
            waiters = KernelWaiters(state)
            self._hub = waiters
            super().__init__(state, waiters)
            return
        assert isinstance(state, OneToOne | OneToMany)
        self._hub = hub
        super().__init__(state, SocketWaiters(state))

    def _branch(self, state: SocketBackend) -> Socket:
        other = Socket.__new__(Socket)
        Socket._begin(other, state)
        return other

    @property
    def backend(self) -> str:
        """Who carries its associations: ``"userspace"`` or ``"kernel"``."""
        return KERNEL if isinstance(self._state, KernelSocket) else USERSPACE

    def fileno(self) -> int:
        """A descriptor to wait on with ``select``, ``poll``, ``selectors`` or ``asyncio``, for reading and writing.

        It is made at the first call, and is good for nothing but waiting; of a socket of the kernel it is the socket's
        own. -1 once the socket is closed.
        """
        with self._hub.guard, self._hub.lock:
            descriptor = self._waiters.descriptor
            if not self._state.closed:
                if descriptor < 0:
                    descriptor = self._waiters.open_descriptor()
                readiness.remember(descriptor, self)
            return descriptor

    def _on_file_closed(self) -> None:
        state = self._state
        if isinstance(state, OneToOne) and hub.held_here and self._is_closing and self._files == 1:
            self._files = 0
            hub.defer(state.abandon)  # The garbage collection that came upon the file interrupts another call.
        else:
            super()._on_file_closed()

    def __del__(self) -> None:
        state = getattr(self, "_state", None)
        if state is None or state.closed or sys.is_finalizing():
            return
        if isinstance(state, KernelSocket):
            state.close()
        elif state.port is None:
            state.disown()  # No driver knows the socket: there is only a descriptor to close.
        else:
            hub.defer(state.abandon)
        warnings.warn("unclosed SCTP socket", ResourceWarning, source=self, stacklevel=2)
