"""``Socket``: an SCTP socket whose calls wait for the network, in threads or in one.

``sockapi.socket_calls`` has the calls and their meaning. This file adds what a program in real time needs: the lock and
the waiting of all sockets of the process (``hub``), a descriptor for ``select``, and the end of a socket that the
program has lost.
"""

from __future__ import annotations

import socket as stdlib
import sys
import warnings
from typing import final

from ..core.config import AssociationConfig, Limits
from ..link import SCTP_TUNNELING_PORT, LinkKind, check_kind
from ..sockapi.constants import IPPROTO_SCTP
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

    _hub = hub
    _waiters: SocketWaiters

    def __init__(
        self,
        family: int = stdlib.AF_INET,
        type: int = stdlib.SOCK_STREAM,  # noqa: A002 - as in the socket module
        proto: int = IPPROTO_SCTP,
        *,
        udp_port: int | None = None,
        peer_udp_port: int = SCTP_TUNNELING_PORT,
        link: LinkKind = "udp",
        config: AssociationConfig | None = None,
        limits: Limits | None = None,
    ) -> None:
        """A new socket of one style or the other.

        ``udp_port`` is our UDP port (RFC 6951): by default 9899 once it is bound to an SCTP port or listens, and
        otherwise any free one, which is shared; 0 takes a free one of its own. ``peer_udp_port`` is where peers are
        reached, unless SCTP_REMOTE_UDP_ENCAPS_PORT or an ``Address`` says otherwise. ``config`` has the protocol
        parameters to begin with; by default they are those of RFC 6458. ``limits`` are what strangers can have of the
        socket's SCTP port.

        ``link`` says how packets travel: "udp", or "raw" for IP protocol 132 without UDP. Linux allows that with the
        capability CAP_NET_RAW; without it ``bind`` and ``connect`` raise ``PermissionError``. The UDP ports have no
        meaning then.

        ``OSError``: EAFNOSUPPORT, EINVAL (the type, a port), EPROTONOSUPPORT.
        """
        host = HOSTS[check_kind(link)]
        peer_udp_port = peer_udp_port if host.usual_udp_port else 0
        state = make_state(host, family, type, proto, udp_port, peer_udp_port, config, limits)
        if state.timeout is None:
            state.timeout = stdlib.getdefaulttimeout()
        super().__init__(state, SocketWaiters(state))

    def _branch(self, state: OneToOne) -> Socket:
        other = Socket.__new__(Socket)
        state.timeout = stdlib.getdefaulttimeout()
        SocketCalls.__init__(other, state, SocketWaiters(state))
        return other

    def fileno(self) -> int:
        """A descriptor to wait on with ``select``, ``poll``, ``selectors`` or ``asyncio``, for reading and writing.

        It is made at the first call, and is good for nothing but waiting. -1 once the socket is closed.
        """
        with hub.lock:
            descriptor = self._waiters.descriptor
            if descriptor < 0 and not self._state.closed:
                descriptor = self._waiters.open_descriptor()
                readiness.remember(descriptor, self)
            return descriptor

    def _on_file_closed(self) -> None:
        if hub.held_here and self._is_closing and self._files == 1:
            self._files = 0
            hub.defer(self._state.abandon)  # The garbage collection that came upon the file interrupts another call.
        else:
            super()._on_file_closed()

    def __del__(self) -> None:
        state = getattr(self, "_state", None)
        if state is None or state.closed or sys.is_finalizing():
            return
        if state.port is None:
            state.disown()  # No driver knows the socket: there is only a descriptor to close.
        else:
            hub.defer(state.abandon)
        warnings.warn("unclosed SCTP socket", ResourceWarning, source=self, stacklevel=2)
