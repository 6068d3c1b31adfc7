"""The calls of a socket, in the manner of Python's socket module, and those of RFC 6458.

Both styles are one class, as in C: SOCK_STREAM is one-to-one, SOCK_SEQPACKET one-to-many. Names and manners are those
of ``socket.socket``; where C returns -1 an ``OSError`` with that errno is raised, and what would be EFAULT there is a
``TypeError`` here. Sending and receiving are in ``message_calls``.

A subclass says how a call waits (``Waiters``), which lock there is (``Hub``), and on which host the sockets live
(``SocketHost``).
"""

from __future__ import annotations

import contextlib
import errno
import socket as stdlib
from collections.abc import Sequence
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeAlias

from ..core.config import NANOSECONDS, AssociationConfig, Limits
from ..core.stats import StackStats
from . import constants as c
from .addresses import SocketAddress, check_port
from .arguments import as_int
from .backend import SocketBackend
from .buffers import Data, to_bytes
from .host import SocketHost
from .message_calls import MessageCalls, Waiters
from .not_now import CHANGED
from .one_to_many import OneToMany
from .one_to_one import OneToOne
from .options import Value, pack_value
from .resolving import Addresses, HostPort, listed, resolve_local, single
from .settings import EndpointSettings
from .socket_files import SocketFile, raw_mode, send_file, wrap
from .status import AddressReport
from .structs import Struct

_FAMILIES: Final = (stdlib.AF_INET, stdlib.AF_INET6)
_Kind: TypeAlias = type[BaseException]
_STYLES: Final = (stdlib.SOCK_STREAM, stdlib.SOCK_SEQPACKET)
_SOCK_NONBLOCK: Final = getattr(stdlib, "SOCK_NONBLOCK", 0)
_TYPE_FLAGS: Final = _SOCK_NONBLOCK | getattr(stdlib, "SOCK_CLOEXEC", 0)
_USUAL_BACKLOG: Final = 128
_LONGEST_TIMEOUT: Final = 1 << 31
"""Seconds: 68 years."""
_WILDCARD: Final = {stdlib.AF_INET: "0.0.0.0", stdlib.AF_INET6: "::"}  # noqa: S104 - to tell, not to bind


def make_state(
    host: SocketHost,
    family: int,
    kind: int,
    proto: int,
    udp_port: int | None,
    peer_udp_port: int,
    config: AssociationConfig | None,
    limits: Limits | None = None,
) -> OneToOne | OneToMany:
    """A new socket without I/O, for the arguments of ``socket``.

    ``OSError``: EAFNOSUPPORT, EINVAL (the type, a UDP port), EPROTONOSUPPORT.
    """
    if family not in _FAMILIES:
        raise OSError(errno.EAFNOSUPPORT, f"address family {family}")
    if kind & ~_TYPE_FLAGS not in _STYLES:
        raise OSError(errno.EINVAL, f"an SCTP socket is SOCK_STREAM or SOCK_SEQPACKET, not {kind}")
    if proto not in (0, c.IPPROTO_SCTP):
        raise OSError(errno.EPROTONOSUPPORT, f"protocol {proto}")
    if udp_port is not None:
        check_port(udp_port, "UDP port", lowest=0)
    style = OneToMany if kind & ~_TYPE_FLAGS == stdlib.SOCK_SEQPACKET else OneToOne
    settings = EndpointSettings.of_style(style.one_to_many, config)
    settings.limits = limits or settings.limits
    settings.future.encaps_port = check_port(peer_udp_port, "UDP port", lowest=0)
    state = style(host, settings, family, udp_port)
    if kind & _SOCK_NONBLOCK:
        state.timeout = 0.0
    return state


class SocketCalls(MessageCalls):
    """An SCTP socket (RFC 6458).

    As a context manager, the socket is closed in the end.
    """

    def __init__(self, state: SocketBackend, waiters: Waiters) -> None:
        self._state = state
        self._waiters = state.alarm = waiters
        self._files = 0  # Those made of it that are open; ``close`` waits for the last one.
        self._is_closing = False

    def _branch(self, state: Any) -> Self:
        """A socket for an association that was accepted or peeled off."""
        raise NotImplementedError

    @property
    def family(self) -> int:
        """``AF_INET`` or ``AF_INET6``."""
        return self._state.family

    @property
    def type(self) -> int:
        """``SOCK_STREAM`` or ``SOCK_SEQPACKET``."""
        return int(stdlib.SOCK_SEQPACKET if self._state.one_to_many else stdlib.SOCK_STREAM)

    @property
    def proto(self) -> int:
        """``IPPROTO_SCTP``."""
        return c.IPPROTO_SCTP

    def __repr__(self) -> str:
        style = "one-to-many" if self._state.one_to_many else "one-to-one"
        name = f"<sctpx.{type(self).__name__} {style}"
        if self._state.closed:
            return f"{name}, closed>"
        words = [name]
        local = self.getladdrs()
        if local:
            carried = f"UDP port {self.udp_port}" if self.udp_port else "without UDP"
            words.append(f"on {local[0][0]} port {local[0][1]}, {carried}")
        with contextlib.suppress(OSError):
            peer = self.getpeername()
            words.append(f"with {peer[0]} port {peer[1]}")
        return ", ".join(words) + ">"

    # --- ports and associations ---

    def _resolve_local(self, addresses: Sequence[HostPort]) -> tuple[list[bytes], list[int], tuple[bytes, ...]]:
        state = self._state
        return resolve_local(state.names, addresses, state.family, v6only=state.v6only)

    def bind(self, address: HostPort) -> None:
        """Take an SCTP port: ``(host, port)``; port 0 is any, ``""`` and the wildcards are all addresses of this host.

        ``OSError``: EINVAL (bound already, what is no port, a link-local address that may be on several links), ENODEV
        (no such interface, as in ``fe80::1%eth0``), EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT.
        """
        state = self._state
        state.check_open()
        ips, ports, wildcards = self._resolve_local(single(address))
        with self._hub.guard, self._hub.lock:
            state.bind(ips, ports[0], wildcards)

    def bindx(self, addresses: Addresses, flags: int = c.SCTP_BINDX_ADD_ADDR, addrcnt: int | None = None) -> None:
        """Add or remove local addresses, all or none of them (RFC 6458 section 9.1).

        They hold for associations to come and for those that the socket has, if their peers speak RFC 5061; those that
        were accepted or peeled off keep theirs. ``OSError``: EOPNOTSUPP (the socket has associations, or came from
        accept or peeloff, and no peer speaks RFC 5061), EINVAL (ports that differ from each other or the socket's, both
        flags, a wildcard beside others, the last address), ENODEV, E2BIG, EADDRNOTAVAIL, EADDRINUSE, ENOBUFS.
        """
        state = self._state
        state.check_open()
        ips, ports, wildcards = self._resolve_local(listed(addresses, addrcnt))
        if flags not in (c.SCTP_BINDX_ADD_ADDR, c.SCTP_BINDX_REM_ADDR):
            raise OSError(errno.EINVAL, f"flags {flags:#x}")
        with self._hub.guard, self._hub.lock:
            state.bindx(ips, ports, flags, wildcards)

    def listen(self, backlog: int = _USUAL_BACKLOG) -> None:
        """Take associations from peers; a backlog of 0 takes no more. An unbound socket takes any port.

        A socket that named neither an SCTP port nor a UDP port moves to UDP port 9899, where peers look, if no other
        program has that; ``udp_port`` tells. Its SCTP port stays the same.

        ``OSError``: EINVAL (it has an association itself, or came from accept or peeloff).
        """
        backlog = as_int(backlog, "backlog")
        state = self._state
        state.check_open()
        ips: Sequence[bytes] = ()
        wildcards: Sequence[bytes] = ()
        if not state.bound:
            ips, _, wildcards = self._resolve_local([("", 0)])
        with self._hub.guard, self._hub.lock:
            state.listen(_USUAL_BACKLOG if backlog < 0 else backlog, ips, wildcards)
            self._waiters.settle()

    def accept(self) -> tuple[Self, SocketAddress]:
        """The next association that a peer set up, as a socket, and the peer's primary address.

        ``OSError``: EOPNOTSUPP (one-to-many), EINVAL (it does not listen), EAGAIN.
        """
        return self._until_done(0, self._state.accept, then=lambda state: (self._branch(state), state.accepted_from()))

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
        EALREADY, EADDRNOTAVAIL (the peer belongs to another socket, or not our address), EAFNOSUPPORT, EINVAL, ENODEV,
        E2BIG.
        """
        return self._connect(listed(addresses, addrcnt))

    def _connect(self, addresses: Sequence[HostPort]) -> int:
        self._state.check_open()
        peer = self._resolve(addresses)
        return self._until_done(0, self._state.connect, peer)

    def peeloff(self, assoc_id: int) -> Self:
        """An association of a one-to-many socket as a one-to-one socket of its own (RFC 6458 section 9.2).

        ``OSError`` (EINVAL): no such association, or it is not up, or a one-to-one socket.
        """
        with self._hub.guard, self._hub.lock:
            return self._branch(self._state.peeloff(assoc_id))

    def getassocid(self, address: HostPort) -> int:
        """The id of the association with the peer that has this address. ``OSError`` (EINVAL) if there is none."""
        peer = self._resolve(single(address))
        with self._hub.guard, self._hub.lock:
            return self._state.find_peer(peer.addresses[0].ip, peer.port)

    def report(self, assoc_id: int = 0) -> tuple[AddressReport, ...]:
        """What each address answered when an association was set up; of a one-to-one socket, also if that failed.

        ``OSError``: ENOTCONN, EINVAL (no such id).
        """
        with self._hub.guard, self._hub.lock:
            return self._state.setup_report(assoc_id)

    # --- what it is ---

    def getsockname(self) -> SocketAddress:
        """A local address and the SCTP port; the wildcard and 0 before it is bound."""
        addresses = self.getladdrs()
        return addresses[0] if addresses else (_WILDCARD[stdlib.AddressFamily(self.family)], 0)

    def getpeername(self) -> SocketAddress:
        """The peer's primary address and SCTP port. ``OSError`` (ENOTCONN), always on a one-to-many socket."""
        with self._hub.guard, self._hub.lock:
            return self._state.peer_address()

    def getpaddrs(self, assoc_id: int = 0) -> list[SocketAddress]:
        """The peer's addresses (RFC 6458 section 9.3); none if a one-to-one socket has no association.

        ``OSError`` (EINVAL): a one-to-many socket has no such association.
        """
        with self._hub.guard, self._hub.lock:
            return self._state.peer_addresses(assoc_id)

    def getladdrs(self, assoc_id: int = 0) -> list[SocketAddress]:
        """Our addresses (RFC 6458 section 9.5): those told to the peer of an association, or with 0 those bound.

        ``OSError`` (EINVAL): no such association.
        """
        with self._hub.guard, self._hub.lock:
            return self._state.local_addresses(assoc_id)

    @property
    def udp_port(self) -> int:
        """Our UDP port (RFC 6951); 0 before the socket has one."""
        return self._state.udp_port

    @property
    def stats(self) -> StackStats:
        """Counters of the UDP port; they go on counting. ``OSError`` (EINVAL) before the socket has a port."""
        return self._state.stats

    # --- options ---

    def getsockopt(self, level: int, option: int, buflen: int | Struct | None = None) -> Any:
        """The value of an option: typed, or with a ``buflen`` the struct in C.

        A struct in place of ``buflen`` says which association, address or event is meant, as in C. ``OSError``:
        ENOPROTOOPT, EOPNOTSUPP (needs an extension, or can only be set), EINVAL.
        """
        level, option = as_int(level, "level"), as_int(option, "option")
        asked = buflen if isinstance(buflen, Struct) else None
        length = 0 if buflen is None or isinstance(buflen, Struct) else as_int(buflen, "buflen")
        with self._hub.guard, self._hub.lock:
            value = self._state.get_option(level, option, asked)
        return pack_value(value, length) if length else value

    def setsockopt(self, level: int, option: int, value: Struct | Data | int) -> None:
        """Set an option: to a number, a struct or its bytes in C. Whatever is wrong raises before anything changes.

        ``OSError``: ENOPROTOOPT, EOPNOTSUPP (needs an extension, or can only be read), EINVAL.
        """
        level, option = as_int(level, "level"), as_int(option, "option")
        if not isinstance(value, int | Struct):
            value = to_bytes(value)
        with self._hub.guard, self._hub.lock:
            self._state.set_option(level, option, value)
            self._waiters.settle()

    def opt_info(self, assoc_id: int, option: int, asked: Struct | Data | None = None) -> Value:
        """An option of an association (``sctp_opt_info``, RFC 6458 section 9): typed. Raises like ``getsockopt``."""
        with self._hub.guard, self._hub.lock:
            value: Value = self._state.get_option(c.IPPROTO_SCTP, option, asked, assoc_id)
            return value

    # --- waiting ---

    def settimeout(self, timeout: float | None) -> None:
        """Seconds a call waits before ``TimeoutError``: ``None`` for as long as it takes, 0 for not at all."""
        if timeout is not None and not 0 <= timeout <= _LONGEST_TIMEOUT:
            raise ValueError(f"Timeout value out of range: {timeout} seconds")
        self._state.timeout = timeout

    def gettimeout(self) -> float | None:
        """Seconds a call waits; ``None`` for as long as it takes."""
        return self._state.timeout

    @property
    def timeout(self) -> float | None:
        """The same as ``gettimeout``."""
        return self._state.timeout

    def setblocking(self, flag: bool) -> None:
        """Whether calls wait."""
        self._state.timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        """Whether calls wait."""
        return self._state.timeout != 0

    # --- files and processes ---

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """The socket as a file. The arguments are those of ``open``, with the modes ``r``, ``w``, ``b`` together.

        The file is a stream of bytes: it does not show where messages end, and what is flushed together is one message.
        ``ValueError`` for a mode that is none or text without a buffer; ``OSError``: EOPNOTSUPP (one-to-many).
        """
        size = -1 if buffering is None else as_int(buffering, "buffering")
        wanted = raw_mode(mode, size)
        self._check_stream()
        self._files += 1
        return wrap(
            SocketFile(self, wanted, self._on_file_closed),
            mode,
            size,
            encoding=encoding,
            errors=errors,
            newline=newline,
        )

    def _on_file_closed(self) -> None:
        """Somebody closed a file, or nobody holds it any more."""
        self._files -= 1
        if self._is_closing and not self._files:
            self.close()

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:
        """Send a file from ``offset`` on, to its end or ``count`` bytes: how many bytes were sent.

        Each message has 64 KiB of the file. The position of the file is behind what was sent. ``ValueError``: a text
        file, a count below 1, a socket that does not wait. ``OSError``: EOPNOTSUPP (one-to-many), and as ``send``.
        """
        self._check_stream()
        if not self.getblocking():
            raise ValueError("non-blocking sockets are not supported")
        return send_file(self.send, file, offset, count)

    def _check_stream(self) -> None:
        self._state.check_open()
        if self._state.one_to_many:
            raise OSError(errno.EOPNOTSUPP, "a one-to-many socket is no stream of bytes")

    def fileno(self) -> int:
        """A descriptor to wait on; -1 if there is none."""
        return -1

    def get_inheritable(self) -> bool:
        """False: a child process inherits neither the socket nor its descriptor."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """Nothing, for False. ``OSError`` (EOPNOTSUPP) for True: the associations live in this process."""
        if inheritable:
            raise OSError(errno.EOPNOTSUPP, "an SCTP socket lives in this process, and no child process can inherit it")

    # --- the end ---

    def shutdown(self, how: int) -> None:
        """End the association gracefully (SHUT_WR, SHUT_RDWR), or read no more (SHUT_RD, SHUT_RDWR).

        ``OSError``: ENOTCONN, EINVAL, EOPNOTSUPP (one-to-many).
        """
        how = as_int(how, "how")
        if how not in (stdlib.SHUT_RD, stdlib.SHUT_WR, stdlib.SHUT_RDWR):
            raise OSError(errno.EINVAL, f"no way to shut down: {how}")
        with self._hub.guard, self._hub.lock:
            self._state.shutdown(read=how != stdlib.SHUT_WR, write=how != stdlib.SHUT_RD)
            self._waiters.settle()

    def close(self) -> None:
        """Close the socket: what was sent is still delivered, and its associations end gracefully by themselves.

        SO_LINGER makes it wait for that, or abort. Calls that wait raise EBADF. Closing twice does nothing. While files
        that ``makefile`` made are open the socket stays open, and the last of them closes it.
        """
        begun = False
        try:
            with self._hub.guard, self._hub.lock:
                begun = True
                self._is_closing = True
                if self._files:
                    return
                state = self._state
                seconds = state.close()
                if seconds:
                    deadline = state.names.now() + int(seconds * NANOSECONDS)
                    while state.lingering and state.names.now() < deadline:
                        self._waiters.wait(CHANGED, deadline)
                begun = False
        except BaseException as error:
            if begun:
                self._on_exception(error, None, 0)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: _Kind | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __getstate__(self) -> None:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")
