"""``Socket``: the calls of Python's socket module, and those of RFC 6458, on SCTP sockets.

Both styles are one class, as in C: SOCK_STREAM is one-to-one, SOCK_SEQPACKET one-to-many. Names and manners are those
of ``socket.socket``; where C returns -1 an ``OSError`` with that errno is raised, and what would be EFAULT there is a
``TypeError`` here. Sending and receiving are in ``messages``.
"""

from __future__ import annotations

import contextlib
import errno
import socket as stdlib
import sys
import warnings
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, final

from ..core.config import AssociationConfig
from ..link import SCTP_TUNNELING_PORT
from ..sockapi import constants as c
from ..sockapi.addresses import SocketAddress, check_port
from ..sockapi.attached import Attached
from ..sockapi.buffers import Data
from ..sockapi.one_to_many import OneToMany
from ..sockapi.one_to_one import OneToOne
from ..sockapi.options import Value, get_option, pack_value
from ..sockapi.settings import EndpointSettings
from ..sockapi.status import AddressReport, local_ips
from ..sockapi.structs import Struct
from . import readiness
from .addresses import Addresses, HostPort, listed, resolve_local, single
from .description import Description
from .hub import hub
from .messages import Messages

_FAMILIES: Final = (stdlib.AF_INET, stdlib.AF_INET6)
_Kind: TypeAlias = type[BaseException]
_STYLES: Final = (stdlib.SOCK_STREAM, stdlib.SOCK_SEQPACKET)
_SOCK_NONBLOCK: Final = getattr(stdlib, "SOCK_NONBLOCK", 0)
_TYPE_FLAGS: Final = _SOCK_NONBLOCK | getattr(stdlib, "SOCK_CLOEXEC", 0)
_WILDCARD: Final = {stdlib.AF_INET: "0.0.0.0", stdlib.AF_INET6: "::"}  # noqa: S104 - to tell, not to bind


@final
class Socket(Messages):
    """An SCTP socket (RFC 6458). ``sctpx.socket`` makes one.

    Used as a context manager it is closed in the end. Threads may share it.
    """

    def __init__(
        self,
        family: int = stdlib.AF_INET,
        type: int = stdlib.SOCK_STREAM,  # noqa: A002 - as in the socket module
        proto: int = c.IPPROTO_SCTP,
        *,
        udp_port: int | None = None,
        peer_udp_port: int = SCTP_TUNNELING_PORT,
        config: AssociationConfig | None = None,
    ) -> None:
        """A new socket of one style or the other.

        ``udp_port`` is our UDP port (RFC 6951): by default 9899 once it is bound to an SCTP port, and otherwise any
        free one, which is shared; 0 takes a free one of its own. ``peer_udp_port`` is where peers are reached, unless
        SCTP_REMOTE_UDP_ENCAPS_PORT or an ``Address`` says otherwise. ``config`` has the protocol parameters to begin
        with; by default they are those of RFC 6458.

        ``OSError``: EAFNOSUPPORT, EINVAL (the type, a port), EPROTONOSUPPORT.
        """
        if family not in _FAMILIES:
            raise OSError(errno.EAFNOSUPPORT, f"address family {family}")
        if type & ~_TYPE_FLAGS not in _STYLES:
            raise OSError(errno.EINVAL, f"an SCTP socket is SOCK_STREAM or SOCK_SEQPACKET, not {type}")
        if proto not in (0, c.IPPROTO_SCTP):
            raise OSError(errno.EPROTONOSUPPORT, f"protocol {proto}")
        if udp_port is not None:
            check_port(udp_port, "UDP port", lowest=0)
        one_to_many = type & ~_TYPE_FLAGS == stdlib.SOCK_SEQPACKET
        settings = EndpointSettings.of_style(one_to_many, config)
        settings.future.encaps_port = check_port(peer_udp_port, "UDP port", lowest=0)
        self._description = Description(one_to_many, settings, family, udp_port)
        if type & _SOCK_NONBLOCK:
            self.setblocking(False)

    def _branch(self, description: Description) -> Socket:
        """A socket that comes from this one."""
        other = Socket.__new__(Socket)
        other._description = description  # noqa: SLF001 - one of ours
        return other

    @property
    def family(self) -> int:
        """``AF_INET`` or ``AF_INET6``."""
        return self._description.family

    @property
    def type(self) -> int:
        """``SOCK_STREAM`` or ``SOCK_SEQPACKET``."""
        return int(stdlib.SOCK_SEQPACKET if self._description.style.one_to_many else stdlib.SOCK_STREAM)

    @property
    def proto(self) -> int:
        """``IPPROTO_SCTP``."""
        return c.IPPROTO_SCTP

    def __repr__(self) -> str:
        style = "one-to-many" if self._description.style.one_to_many else "one-to-one"
        if self._description.closed:
            return f"<sctpx.Socket {style}, closed>"
        words = [f"<sctpx.Socket {style}"]
        local = self.getladdrs()
        if local:
            words.append(f"on {local[0][0]} port {local[0][1]}, UDP port {self.udp_port}")
        with contextlib.suppress(OSError):
            peer = self.getpeername()
            words.append(f"with {peer[0]} port {peer[1]}")
        return ", ".join(words) + ">"

    # --- ports and associations ---

    def bind(self, address: HostPort) -> None:
        """Take an SCTP port: ``(host, port)``; port 0 is any, ``""`` and the wildcards are all addresses of this host.

        ``OSError``: EINVAL (bound already, or what is no port), EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT.
        """
        self._check_open()
        ips, ports, wildcard = resolve_local(single(address), self.family)
        with hub.lock:
            self._description.check_open()
            self._description.bind(ips, ports[0], wildcard=wildcard)

    def bindx(self, addresses: Addresses, flags: int = c.SCTP_BINDX_ADD_ADDR, addrcnt: int | None = None) -> None:
        """Add or remove local addresses, all or none of them (RFC 6458 section 9.1).

        They hold for associations to come; those that were accepted or peeled off keep theirs. ``OSError``: EOPNOTSUPP
        (the socket has associations, or came from accept or peeloff: that takes RFC 5061),
        EINVAL (ports that differ from each other or the socket's, both flags, a wildcard beside others, the last
        address), E2BIG, EADDRNOTAVAIL, EADDRINUSE.
        """
        self._check_open()
        ips, ports, wildcard = resolve_local(listed(addresses, addrcnt), self.family)
        if flags not in (c.SCTP_BINDX_ADD_ADDR, c.SCTP_BINDX_REM_ADDR):
            raise OSError(errno.EINVAL, f"flags {flags:#x}")
        with hub.lock:
            description = self._description
            description.check_open()
            binding = description.binding
            port = ports[0] if binding is None else binding.core.port
            if any(other not in ((port,) if port == ports[0] else (port, 0)) and other != 0 for other in ports):
                raise OSError(errno.EINVAL, "an endpoint has one SCTP port")
            if binding is None:
                if flags == c.SCTP_BINDX_REM_ADDR:
                    raise OSError(errno.EINVAL, "the socket is not bound")
                description.bind(ips, port, wildcard=wildcard)
                return
            if wildcard:
                raise OSError(errno.EINVAL, "the socket is bound already")
            if description.style.members or binding.style is not description.style:
                raise OSError(errno.EOPNOTSUPP, "the addresses of associations cannot be changed (RFC 5061) yet")
            if flags == c.SCTP_BINDX_ADD_ADDR:
                binding.add(ips)
            else:
                binding.remove(ips)

    def listen(self, backlog: int = 128) -> None:
        """Take associations from peers; a backlog of 0 takes no more. An unbound socket takes any port.

        ``OSError``: EINVAL (it has an association itself, or came from accept or peeloff).
        """
        if backlog < 0:
            backlog = 128
        self._check_open()
        local = resolve_local([("", 0)], self.family) if self._description.binding is None else None
        with hub.lock:
            description = self._description
            description.check_open()
            if description.binding is None:
                assert local is not None
                description.bind(local[0], 0, wildcard=True)
            assert description.binding is not None
            if description.binding.style is not description.style:
                raise OSError(errno.EINVAL, "the port is another socket's")
            description.style.listen(backlog)
            description.show()

    def accept(self) -> tuple[Socket, SocketAddress]:
        """The next association that a peer set up, as a socket, and the peer's primary address.

        ``OSError``: EOPNOTSUPP (one-to-many), EINVAL (it does not listen), EAGAIN.
        """
        with hub.lock:
            self._description.check_open()
            accepted = self._description.accept()
            association = accepted.one_to_one.association
            assert association is not None
            return self._branch(accepted), self._address_of(association)

    def connect(self, address: HostPort) -> None:
        """Associate with a peer through one address, or all addresses of a name. Raises like ``connectx``."""
        self._connect(single(address))

    def connect_ex(self, address: HostPort) -> int:
        """Like ``connect``, but returns the errno instead of raising an ``OSError``."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.ETIMEDOUT
        return 0

    def connectx(self, addresses: Addresses, addrcnt: int | None = None) -> int:
        """Associate with a peer through several of its addresses; the id of the association (RFC 6458 section 9.9).

        Addresses are ``(host, port)``, the preferred one first, or packed ``sockaddr`` structures. INITs go to one
        after the other without waiting for the earlier ones, and the first answer wins. ``report`` tells what each
        answered, and so does ``ConnectError.report``.

        ``OSError``: ``ConnectionRefusedError`` (all refused), ``TimeoutError`` (any stayed silent), or the errno of the
        network, each also a ``ConnectError``; EINPROGRESS with the id as ``assoc_id`` (``ConnectInProgress``); EISCONN,
        EALREADY, EADDRNOTAVAIL (the peer belongs to another socket, or not our address), EAFNOSUPPORT, EINVAL, E2BIG.
        """
        return self._connect(listed(addresses, addrcnt))

    def _connect(self, addresses: Sequence[HostPort]) -> int:
        with hub.lock:
            self._description.check_open()
            self._description.prepare_connect()
        peer = self._resolve(addresses)
        with hub.lock:
            self._description.check_open()
            association = self._description.start(peer)
            self._description.wait_connected(association)
            return association.id

    def peeloff(self, assoc_id: int) -> Socket:
        """An association of a one-to-many socket as a one-to-one socket of its own (RFC 6458 section 9.2).

        ``OSError`` (EINVAL): no such association, or it is not up, or a one-to-one socket.
        """
        with hub.lock:
            self._description.check_open()
            return self._branch(self._description.peeloff(assoc_id))

    def getassocid(self, address: HostPort) -> int:
        """The id of the association with the peer that has this address. ``OSError`` (EINVAL) if there is none."""
        peer = self._resolve(single(address))
        with hub.lock:
            self._description.check_open()
            for association in self._description.style.members.values():
                addresses = {path.remote for path in association.core.paths} | {association.source()}
                if association.core.peer_port == peer.port and peer.addresses[0].ip in addresses:
                    return association.id
        raise OSError(errno.EINVAL, "there is no association with this address")

    def report(self, assoc_id: int = 0) -> tuple[AddressReport, ...]:
        """What each address answered when an association was set up; of a one-to-one socket, also if that failed.

        ``OSError``: ENOTCONN, EINVAL (no such id).
        """
        with hub.lock:
            self._description.check_open()
            style = self._description.style
            failed = style.association if isinstance(style, OneToOne) else None
            return style.report(failed or self._find(assoc_id))

    def _find(self, assoc_id: int) -> Attached:
        style = self._description.style
        return style.find(assoc_id) if isinstance(style, OneToMany) else style.current()

    # --- what it is ---

    def getsockname(self) -> SocketAddress:
        """A local address and the SCTP port; the wildcard and 0 before it is bound."""
        addresses = self.getladdrs()
        return addresses[0] if addresses else (_WILDCARD[stdlib.AddressFamily(self.family)], 0)

    def getpeername(self) -> SocketAddress:
        """The peer's primary address and SCTP port. ``OSError`` (ENOTCONN), always on a one-to-many socket."""
        with hub.lock:
            self._description.check_open()
            style = self._description.style
            if isinstance(style, OneToMany):
                raise OSError(errno.ENOTCONN, "a one-to-many socket has no peer of its own")
            association = style.current()
            if association.starting:
                raise OSError(errno.ENOTCONN, "the association is not up yet")
            return self._address_of(association)

    def getpaddrs(self, assoc_id: int = 0) -> list[SocketAddress]:
        """The peer's addresses (RFC 6458 section 9.3); none if a one-to-one socket has no association.

        ``OSError`` (EINVAL): a one-to-many socket has no such association.
        """
        with hub.lock:
            self._description.check_open()
            style = self._description.style
            if isinstance(style, OneToOne) and not style.members:
                return []
            association = self._find(assoc_id)
            return [self._address(path.remote, association.core.peer_port) for path in association.core.paths]

    def getladdrs(self, assoc_id: int = 0) -> list[SocketAddress]:
        """Our addresses (RFC 6458 section 9.5): those told to the peer of an association, or with 0 those bound.

        ``OSError`` (EINVAL): no such association.
        """
        with hub.lock:
            description = self._description
            description.check_open()
            binding = description.binding
            if binding is None:
                return []
            ips: Iterable[bytes] = binding.addresses
            style = description.style
            if (isinstance(style, OneToOne) and style.members) or (style.one_to_many and assoc_id):
                ips = local_ips(self._find(assoc_id).core) or ips
            return [self._address(ip, binding.core.port) for ip in ips]

    @property
    def udp_port(self) -> int:
        """Our UDP port (RFC 6951); 0 before the socket has one."""
        binding = self._description.binding
        return 0 if binding is None else binding.driver.link.port

    # --- options ---

    def getsockopt(self, level: int, option: int, buflen: int | Struct | None = None) -> Any:
        """The value of an option: typed, or with a ``buflen`` the struct in C.

        A struct in place of ``buflen`` says which association, address or event is meant, as in C. ``OSError``:
        ENOPROTOOPT, EOPNOTSUPP (needs an extension, or can only be set), EINVAL.
        """
        asked = buflen if isinstance(buflen, Struct) else None
        with hub.lock:
            self._description.check_open()
            value: Value | None = self._own_option(level, option)
            if value is None:
                value = get_option(self._description.style, level, option, asked)
        if isinstance(buflen, int) and buflen:
            return pack_value(value, buflen)
        return value

    def setsockopt(self, level: int, option: int, value: Struct | Data | int) -> None:
        """Set an option: to a number, a struct or its bytes in C. Whatever is wrong raises before anything changes.

        ``OSError``: ENOPROTOOPT, EOPNOTSUPP (needs an extension, or can only be read), EINVAL.
        """
        with hub.lock:
            description = self._description
            description.check_open()
            if level == c.SOL_SOCKET and option in _IGNORED:
                return
            description.style.set_option(description.now(), level, option, value)
            description.on_options()
            description.flush()

    def opt_info(self, assoc_id: int, option: int, asked: Struct | Data | None = None) -> Value:
        """An option of an association (``sctp_opt_info``, RFC 6458 section 9): typed. Raises like ``getsockopt``."""
        with hub.lock:
            self._description.check_open()
            return get_option(self._description.style, c.IPPROTO_SCTP, option, asked, assoc_id)

    def _own_option(self, level: int, option: int) -> int | None:
        """What belongs to the socket alone."""
        if level != c.SOL_SOCKET:
            return None
        style = self._description.style
        if option == stdlib.SO_ERROR:
            return style.take_error()
        if option == stdlib.SO_TYPE:
            return self.type
        if option == _SO_DOMAIN:
            return self.family
        if option == _SO_PROTOCOL:
            return self.proto
        if option == stdlib.SO_ACCEPTCONN:
            return int(style.listening if isinstance(style, OneToMany) else style.backlog > 0)
        return 0 if option in _IGNORED else None

    # --- waiting ---

    def settimeout(self, timeout: float | None) -> None:
        """Seconds a call waits before ``TimeoutError``: ``None`` for as long as it takes, 0 for not at all."""
        if timeout is not None and timeout < 0:
            raise ValueError("Timeout value out of range")
        self._description.timeout = timeout

    def gettimeout(self) -> float | None:
        """Seconds a call waits; ``None`` for as long as it takes."""
        return self._description.timeout

    @property
    def timeout(self) -> float | None:
        """The same as ``gettimeout``."""
        return self._description.timeout

    def setblocking(self, flag: bool) -> None:
        """Whether calls wait."""
        self._description.timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        """Whether calls wait."""
        return self._description.timeout != 0

    def fileno(self) -> int:
        """A descriptor to wait on with ``select``, ``poll``, ``selectors`` or ``asyncio``, for reading and writing.

        It is made at the first call, and is good for nothing but waiting. -1 once the socket is closed.
        """
        with hub.lock:
            description = self._description
            if description.closed:
                return -1
            if description.readiness is None:
                description.readiness = readiness.Readiness()
                readiness.remember(description.readiness.fileno(), self)
                description.show()
            return description.readiness.fileno()

    # --- the end ---

    def shutdown(self, how: int) -> None:
        """End the association gracefully (SHUT_WR, SHUT_RDWR), or read no more (SHUT_RD, SHUT_RDWR).

        ``OSError``: ENOTCONN, EINVAL, EOPNOTSUPP (one-to-many).
        """
        if how not in (stdlib.SHUT_RD, stdlib.SHUT_WR, stdlib.SHUT_RDWR):
            raise OSError(errno.EINVAL, f"no way to shut down: {how}")
        with hub.lock:
            description = self._description
            description.check_open()
            description.one_to_one.shutdown(description.now(), read=how != stdlib.SHUT_WR, write=how != stdlib.SHUT_RD)
            description.flush()

    def close(self) -> None:
        """Close the socket: what was sent is still delivered, and its associations end gracefully by themselves.

        SO_LINGER makes it wait for that, or abort. Calls that wait raise EBADF. Closing twice does nothing.
        """
        with hub.lock:
            self._description.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: _Kind | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        description = getattr(self, "_description", None)
        if description is None or description.closed or sys.is_finalizing():
            return
        if description.binding is not None:
            hub.defer(description.abandon)
        warnings.warn("unclosed SCTP socket", ResourceWarning, source=self, stacklevel=2)

    def __getstate__(self) -> None:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


# Linux's, where they exist.
_SO_DOMAIN: Final = getattr(stdlib, "SO_DOMAIN", 39)
_SO_PROTOCOL: Final = getattr(stdlib, "SO_PROTOCOL", 38)
_IGNORED: Final = (stdlib.SO_REUSEADDR,)
"""Options that programs set from habit, and that mean nothing here."""
