"""A socket of the kernel, as far as ports, associations and options go: what ``sockapi.setting_up`` is for the core."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Self, final

from ..core.config import NANOSECONDS
from ..core.ip import is_ipv4
from ..core.stats import StackStats
from ..errors import ConnectInProgress
from ..sockapi import constants as c
from ..sockapi.addresses import SocketAddress, ip_text, pack_sockaddrs, unpack_sockaddrs
from ..sockapi.host import NameHost
from ..sockapi.not_now import CHANGED, READABLE, UNTIL_READABLE, NotNow
from ..sockapi.options import assoc_field
from ..sockapi.peer import Peer
from ..sockapi.socket_state import Alarm, Silence
from ..sockapi.status import AddressReport
from ..sockapi.structs import InitMsg, PaddrInfo, RtoInfo, SndInfo, Status, Timeval, UdpEncaps
from . import options, system
from .failures import cannot_connect, is_connect_failure
from .names import NAMES

_MICROSECONDS: Final = 1_000_000
_MILLISECONDS: Final = 1000
_STARTING: Final = (c.SCTP_COOKIE_WAIT, c.SCTP_COOKIE_ECHOED)
_NEARLY: Final = 0.9
"""The part of the time that all INITs take, after which a connect that failed has run out of them."""
_NO_REPORT: Final = "the kernel does not tell what each address answered: that takes backend='userspace'"


class SettingUp:
    """A socket of the kernel without the calls for messages."""

    def __init__(self, sock: socket.socket, timeout: float | None = None, peeled: int = 0) -> None:
        """``peeled``: the id of the association that was peeled off, which is the socket's only one."""
        self.sock = sock
        self.family = int(sock.family)
        self.peeled = peeled > 0
        """The kernel has it as a one-to-many socket that can have no other association."""
        self.one_to_many = sock.type == socket.SOCK_SEQPACKET and not self.peeled
        self.closed = False
        self.timeout = timeout
        self.alarm: Alarm = Silence()
        self.lingering = False
        self.recvrcvinfo = False
        """SCTP_RECVRCVINFO as the user sees it: in the kernel it is always on."""
        self.lost = False
        """The user was told that the association of a one-to-one socket ended abruptly."""
        self.peer: SocketAddress | None = None
        """Where the association came from, of a socket that ``accept`` gave."""
        self.half_closed = False
        """The peer has sent everything, and the reader waits for the end: the kernel says "readable" meanwhile."""
        self._id = peeled
        self._shutting_down = False

    # --- what it is ---

    @property
    def names(self) -> NameHost:
        """What looks names up."""
        return NAMES

    @property
    def peer_udp_port(self) -> int:
        """The UDP port of peers to come; 0 without encapsulation, and with a kernel that has none (before 5.11)."""
        try:
            return int(self.get_option(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT).sue_port)
        except OSError:
            return 0

    @property
    def udp_port(self) -> int:
        """The UDP port at which the kernel takes packets, for all its sockets; 0: it takes none in UDP."""
        return system.sysctl("udp_port")

    @property
    def stats(self) -> StackStats:
        """``OSError`` (EOPNOTSUPP): the kernel counts for the whole host, in /proc/net/sctp/snmp."""
        raise OSError(errno.EOPNOTSUPP, "the kernel counts for the whole host: see /proc/net/sctp/snmp")

    @property
    def v6only(self) -> bool:
        """IPv4 addresses are not for it (IPV6_V6ONLY)."""
        if self.family != socket.AF_INET6:
            return False
        return bool(self.sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))

    @property
    def bound(self) -> bool:
        """It has an SCTP port."""
        return bool(self.sock.getsockname()[1])

    def fileno(self) -> int:
        """Its descriptor; -1 once it is closed."""
        return self.sock.fileno()

    def check_open(self) -> None:
        """``OSError`` (EBADF) if it is closed."""
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    # --- waiting ---

    def check_waiting(self, not_now: NotNow, flags: int) -> None:
        """``OSError``: EAGAIN if the call must not wait; ENOTCONN if it would wait for what cannot come."""
        if self.timeout == 0 or flags & c.MSG_DONTWAIT:
            raise not_now.refusal()
        if self.one_to_many and not_now.until == READABLE:
            listens = self.sock.getsockopt(c.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens or self.get_option(c.IPPROTO_SCTP, c.SCTP_GET_ASSOC_NUMBER):
                return
            # The last association may have ended since the call looked, and have left a notification to read.
            if not self._is_ready(select.POLLIN):
                raise OSError(errno.ENOTCONN, "the socket has no associations and does not listen")

    def patience(self, not_now: NotNow) -> float | None:
        """Seconds that a call may wait; ``None`` for as long as it takes (SO_RCVTIMEO, SO_SNDTIMEO)."""
        if self.timeout is not None:
            return self.timeout
        name = c.SO_RCVTIMEO if not_now.until == READABLE else c.SO_SNDTIMEO
        limit = Timeval.unpack(self.sock.getsockopt(c.SOL_SOCKET, name, Timeval.size()))
        return limit.tv_sec + limit.tv_usec / _MICROSECONDS or None

    def time_is_up(self, not_now: NotNow) -> OSError:
        """What to raise then: SO_RCVTIMEO and SO_SNDTIMEO are no ``TimeoutError``."""
        return not_now.refusal() if self.timeout is None else not_now.time_is_up()

    # --- ports ---

    def bind(self, addresses: Sequence[bytes], port: int, wildcards: Sequence[bytes] = ()) -> None:
        """Take an SCTP port. ``OSError``: EINVAL (bound already), EADDRINUSE, EADDRNOTAVAIL."""
        self.check_open()
        if self.bound:
            raise OSError(errno.EINVAL, "the socket is bound already")
        if wildcards:
            self.sock.bind(self._endpoint_address(wildcards[0], port))
        else:
            self._bindx(system.BINDX_ADD, addresses, port)

    def bindx(
        self, addresses: Sequence[bytes], ports: Sequence[int], flags: int, wildcards: Sequence[bytes] = ()
    ) -> None:
        """Add or remove local addresses, all or none. With associations that takes ``net.sctp.addip_enable``."""
        self.check_open()
        bound = self.bound
        number = self.sock.getsockname()[1] if bound else ports[0]
        if any(port not in ((number, 0) if bound else (number,)) for port in ports):
            raise OSError(errno.EINVAL, "an endpoint has one SCTP port")
        if flags == c.SCTP_BINDX_REM_ADDR and not bound:
            raise OSError(errno.EINVAL, "the socket is not bound")
        if not bound:
            self.bind(addresses, number, wildcards)
        elif wildcards:
            raise OSError(errno.EINVAL, "the socket is bound already")
        else:
            removing = flags == c.SCTP_BINDX_REM_ADDR
            self._bindx(system.BINDX_REM if removing else system.BINDX_ADD, addresses, number)

    def _bindx(self, option: int, addresses: Sequence[bytes], port: int) -> None:
        self.sock.setsockopt(c.IPPROTO_SCTP, option, pack_sockaddrs([(ip_text(ip), port) for ip in addresses]))

    def _endpoint_address(self, ip: bytes, port: int) -> Any:
        """An address for the calls of Python's socket module, which want the family of the socket."""
        text = ip_text(ip)
        if self.family == socket.AF_INET6 and is_ipv4(ip):
            text = f"::ffff:{text}" if any(ip) else "::"
        return text, port

    def listen(self, backlog: int, addresses: Sequence[bytes] = (), wildcards: Sequence[bytes] = ()) -> None:
        """Take associations from peers, or with a backlog of 0 no more; of a one-to-many socket it counts as no limit.

        A socket that is not bound gets any port. ``OSError`` (EINVAL): it has an association itself.
        """
        self.check_open()
        self.sock.listen(backlog)

    def accept(self) -> Self | NotNow:
        """The next association. ``OSError``: EOPNOTSUPP (one-to-many), EINVAL (it does not listen)."""
        self.check_open()
        try:
            sock, address = self.sock.accept()
        except BlockingIOError:
            return UNTIL_READABLE
        accepted = self._branch(sock, 0)
        accepted.peer = address
        return accepted

    def _branch(self, sock: socket.socket, peeled: int) -> Self:
        sock.setblocking(False)
        other = type(self)(sock, None, peeled)
        other.recvrcvinfo = self.recvrcvinfo
        return other

    def accepted_from(self) -> SocketAddress:
        """The peer's address, even if the association is over by now."""
        assert self.peer is not None
        return self.peer

    # --- associations ---

    def connect(self, peer: Peer) -> int | NotNow:
        """Set up an association: its id once it is up. ``ConnectError`` if that fails; EISCONN, EALREADY, ..."""
        self.check_open()
        with Encapsulated(self, peer):
            try:
                addresses = pack_sockaddrs([(ip_text(one.ip), peer.port) for one in peer.addresses])
                assoc_id, code = system.connectx(self.fileno(), addresses)
            except OSError as error:
                if is_connect_failure(error.errno or 0):
                    raise cannot_connect(error.errno or 0, peer.unusable) from None
                raise
        self.lost = self.half_closed = False
        self._id = 0 if self.one_to_many else assoc_id
        self._shutting_down = False
        attempt = Attempt(self, assoc_id, tuple(peer.unusable))
        return attempt if code else assoc_id

    def is_up(self, attempt: Attempt) -> int | NotNow:
        """The id of an association that was begun, once it is up. ``ConnectError`` if it could not be set up."""
        self.check_open()
        code = self._outcome_of_many(attempt) if self.one_to_many else self._outcome()
        if code is None:
            return attempt
        if code:
            raise cannot_connect(code, attempt.unusable)
        return attempt.assoc_id

    def _outcome(self) -> int | None:
        """How the connect of a one-to-one socket went: an errno, 0 for well, ``None`` for not yet."""
        return None if not self.has_room() else self.sock.getsockopt(c.SOL_SOCKET, socket.SO_ERROR)

    def _outcome_of_many(self, attempt: Attempt) -> int | None:
        """The same of a one-to-many socket, of which the kernel tells only that there is no such association any more.

        One that failed after the time in which all INITs are sent has run out of them; before, it was refused.
        """
        try:
            state = self.status(attempt.assoc_id).sstat_state
        except OSError:
            return errno.ETIMEDOUT if attempt.ran_out() else errno.ECONNREFUSED
        return None if state in _STARTING else 0

    def longest_attempt(self) -> float:
        """Seconds until the kernel gives a connect up to which nobody answers."""
        init: InitMsg = self.get_option(c.IPPROTO_SCTP, c.SCTP_INITMSG)
        rto: RtoInfo = self.get_option(c.IPPROTO_SCTP, c.SCTP_RTOINFO)
        longest = init.sinit_max_init_timeo or rto.srto_max
        return sum(min(rto.srto_initial << n, longest) for n in range(init.sinit_max_attempts + 1)) / _MILLISECONDS

    def give_up(self, attempt: Attempt) -> OSError:
        """An association is not up in time: what to raise.

        It is ended; but of a one-to-one socket the kernel goes on until the socket is closed, as it does with TCP.
        """
        if self.one_to_many:
            info = SndInfo(snd_flags=c.SCTP_ABORT, snd_assoc_id=attempt.assoc_id)
            with suppress(OSError):
                self.sock.sendmsg(
                    [], [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info.pack())], c.MSG_DONTWAIT | socket.MSG_NOSIGNAL
                )
        return cannot_connect(errno.ETIMEDOUT, attempt.unusable)

    def peeloff(self, assoc_id: int) -> Self:
        """An association as a socket of its own. ``OSError`` (EINVAL): none such is up, or a one-to-one socket."""
        self.check_open()
        if not self.one_to_many:
            raise OSError(errno.EINVAL, "only with a one-to-many socket")
        if self.status(assoc_id).sstat_state in _STARTING:
            raise OSError(errno.EINVAL, f"association {assoc_id} is not up yet")
        return self._branch(system.peeloff(self.fileno(), assoc_id), assoc_id)

    def find_peer(self, ip: bytes, port: int) -> int:
        """The id of the association with the peer that has this address. ``OSError`` (EINVAL) if there is none."""
        asked = PaddrInfo(spinfo_address=(ip_text(ip), port))
        found: PaddrInfo = self.get_option(c.IPPROTO_SCTP, c.SCTP_GET_PEER_ADDR_INFO, asked)
        return found.spinfo_assoc_id

    def own_id(self) -> int:
        """The id of the association of a one-to-one socket; 0 if it has none."""
        if not self._id:
            try:
                self._id = self.status(0).sstat_assoc_id
            except OSError:
                return 0
        return self._id

    def alive(self) -> bool:
        """A one-to-one socket has an association, which may still be coming up."""
        try:
            self.status(0)
        except OSError:
            return False
        return True

    @property
    def had_association(self) -> bool:
        """A one-to-one socket has an association, or had one."""
        return bool(self._id or self.peer)

    @property
    def ends_unannounced(self) -> bool:
        """The kernel wakes nobody who waits to read when the association ends gracefully.

        It does so only where the peer's SHUTDOWN begins the end of an association that was not peeled off.
        """
        return self.peeled or self._shutting_down

    def status(self, assoc_id: int) -> Status:
        """An association as it is. ``OSError`` (EINVAL) if there is none."""
        found: Status = self.get_option(c.IPPROTO_SCTP, c.SCTP_STATUS, None, assoc_id)
        return found

    def setup_report(self, assoc_id: int) -> tuple[AddressReport, ...]:
        """``OSError`` (EOPNOTSUPP): the kernel does not tell."""
        self.check_open()
        raise OSError(errno.EOPNOTSUPP, _NO_REPORT)

    # --- who is at both ends ---

    def peer_address(self) -> SocketAddress:
        """The peer's primary address. ``OSError`` (ENOTCONN), always on a one-to-many socket."""
        self.check_open()
        address: SocketAddress = self.sock.getpeername()
        return address

    def peer_addresses(self, assoc_id: int = 0) -> list[SocketAddress]:
        """The peer's addresses; none if a one-to-one socket has no association. ``OSError`` (EINVAL)."""
        self.check_open()
        try:
            return self._addresses(system.PEER_ADDRESSES, assoc_id)
        except OSError:
            if self.one_to_many:
                raise
            return []

    def local_addresses(self, assoc_id: int = 0) -> list[SocketAddress]:
        """Our addresses: those of an association, or with 0 those bound. ``OSError`` (EINVAL)."""
        self.check_open()
        return self._addresses(system.LOCAL_ADDRESSES, assoc_id) if self.bound else []

    def _addresses(self, option: int, assoc_id: int) -> list[SocketAddress]:
        count, packed = system.addresses(self.fileno(), option, assoc_id)
        return [_without_scope(address) for address in unpack_sockaddrs(packed, count)] if count else []

    # --- options ---

    def get_option(self, level: int, name: int, asked: Any = None, assoc_id: int | None = None) -> Any:
        """The value of an option. ``OSError`` as the kernel has it, EOPNOTSUPP for one that Linux has not."""
        self.check_open()
        if (level, name) == (c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO):
            return int(self.recvrcvinfo)
        given, room = options.to_ask(level, name, asked, assoc_id)
        value: Any = options.answer(level, name, system.get_option(self.fileno(), level, name, given, room))
        field = None if self.one_to_many else assoc_field(value)
        # "For the one-to-one style sockets" it is the socket's (section 8), and sctpx tells which one that is.
        if field is not None and not getattr(value, field) and name != c.SCTP_STATUS:
            return replace(value, **{field: self.own_id()})
        return value

    def set_option(self, level: int, name: int, value: Any) -> None:
        """Set an option. ``OSError`` as ``get_option``, EINVAL for a value of another kind."""
        self.check_open()
        data = options.to_set(level, name, value)
        if (level, name) == (c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO):
            self.recvrcvinfo = any(data)
            return
        self.sock.setsockopt(level, name, data)

    # --- the end ---

    def has_room(self) -> bool:
        """Sending would not wait."""
        return self._is_ready(select.POLLOUT)

    def _is_ready(self, mask: int) -> bool:
        """Whether the socket is readable (POLLIN) or writable (POLLOUT) now, or has an error, as a refused connect."""
        poll = select.poll()
        poll.register(self.fileno(), mask)
        return bool(poll.poll(0))

    def abort(self, reason: bytes) -> None:
        """Abort the association of a socket that was peeled off, for this reason; nothing if it is over already."""
        info = SndInfo(snd_flags=c.SCTP_ABORT)
        with suppress(OSError):
            self.sock.sendmsg(
                [reason], [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info.pack())], c.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            )

    def shutdown(self, *, read: bool, write: bool) -> None:
        """End the association of a one-to-one socket gracefully. ``OSError``: ENOTCONN, EOPNOTSUPP (one-to-many)."""
        self.check_open()
        if self.one_to_many:
            raise OSError(errno.EOPNOTSUPP, "not with a one-to-many socket")
        self._shutting_down = write
        if self.peeled:
            if write:
                self._end_peeled()
            return
        self.sock.shutdown(socket.SHUT_RDWR if read and write else socket.SHUT_RD if read else socket.SHUT_WR)

    def _end_peeled(self) -> None:
        """The kernel does nothing for such a socket in ``shutdown``; one that is ending already need not be ended."""
        if not self.alive():
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        info = SndInfo(snd_flags=c.SCTP_EOF)
        with suppress(BrokenPipeError):
            flags = c.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            self.sock.sendmsg([], [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, info.pack())], flags)

    def close(self) -> float:
        """Close it; the kernel waits as SO_LINGER says. Closing twice does nothing."""
        if not self.closed:
            self.closed = True
            self.alarm.on_closed()
            self.sock.close()
        return 0

    def take_back(self, result: object) -> None:
        """Nothing: what the kernel has given is gone, as with any socket of the system."""

    def break_off(self) -> None:
        """Nothing: the associations are in the kernel, and whole."""


def _without_scope(address: SocketAddress) -> SocketAddress:
    """The kernel names an interface beside each IPv6 address; only link-local ones need it."""
    if len(address) == 4 and not address[0].startswith("fe80:"):
        return address[0], address[1], 0, 0
    return address


@final
class Attempt(NotNow):
    """An association is being set up."""

    __slots__ = ("_socket", "assoc_id", "begun", "longest", "unusable")

    def __init__(self, sock: SettingUp, assoc_id: int, unusable: tuple[AddressReport, ...]) -> None:
        super().__init__(CHANGED, partial(sock.is_up, self))
        self._socket = sock
        self.assoc_id = assoc_id
        self.unusable = unusable
        self.begun = sock.names.now()
        self.longest = sock.longest_attempt() if sock.one_to_many else 0.0

    def ran_out(self) -> bool:
        """So much time has passed that the kernel has sent all INITs, and waited for the last one."""
        return self._socket.names.now() - self.begun >= int(self.longest * _NEARLY * NANOSECONDS)

    def refusal(self) -> OSError:
        """EINPROGRESS, with the id."""
        return ConnectInProgress(self.assoc_id)

    def time_is_up(self) -> OSError:
        """The association is ended, and the connect has failed."""
        return self._socket.give_up(self)


@final
class Encapsulated:
    """The UDP port that a peer's addresses name, while an association with it is begun."""

    def __init__(self, sock: SettingUp, peer: Peer) -> None:
        """``OSError`` (EOPNOTSUPP): UDP ports that differ, a source of an address."""
        if any(address.source for address in peer.addresses):
            raise OSError(errno.EOPNOTSUPP, "the kernel chooses the source for each address: bind to the one wanted")
        ports = {address.udp_port for address in peer.addresses}
        if len(ports) > 1:
            raise OSError(errno.EOPNOTSUPP, "the kernel takes one UDP port for all addresses of a connect")
        [self._port] = ports
        self._socket = sock
        self._before = sock.peer_udp_port

    def __enter__(self) -> None:
        if self._port != self._before:
            self._set(self._port)

    def __exit__(self, *_: object) -> None:
        if self._port != self._before:
            self._set(self._before)

    def _set(self, port: int) -> None:
        self._socket.set_option(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, UdpEncaps(sue_port=port))
