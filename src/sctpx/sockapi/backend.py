"""What the calls of a socket ask of whoever carries its associations: the core of sctpx, or the SCTP of the kernel.

``socket_calls`` and ``message_calls`` check arguments, look names up and wait. All else they ask of a
``SocketBackend``, whose calls try: they succeed, raise, or say "not now" (``not_now``). ``OneToOne`` and ``OneToMany``
are backends over the core; the package ``kernel`` has the one over the kernel. What a call has read is a *piece*, and
what a message is sent with are its *options*: only the backend that made them looks into both, but for what is named
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..core.stats import StackStats
from .addresses import SocketAddress
from .ancillary import Item
from .not_now import NotNow
from .peer import Peer
from .status import AddressReport
from .structs import RcvInfo

if TYPE_CHECKING:
    from .host import NameHost
    from .messaging import Received
    from .socket_state import Alarm

USERSPACE: Final = "userspace"
"""SCTP is sctpx's own, in this process."""
KERNEL: Final = "kernel"
"""SCTP is the operating system's."""
BACKENDS: Final = (USERSPACE, KERNEL)


def check_backend(name: str | None) -> str | None:
    """The name of a backend, or ``None``. ``ValueError`` if it is neither."""
    if name is not None and name not in BACKENDS:
        raise ValueError(f"backend is {name!r}: not one of {', '.join(BACKENDS)}")
    return name


class Piece(Protocol):
    """What one call has read."""

    @property
    def data(self) -> bytes:
        """The data; nothing at the end."""

    @property
    def flags(self) -> int:
        """``MSG_EOR`` with the end of a message, ``MSG_NOTIFICATION``."""


class SendOptions(Protocol):
    """How one message is sent."""

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """IP addresses of SCTP_DSTADDRV4 and _V6, packed."""


class SocketBackend(Protocol):
    """One socket, as far as its calls know it. Errors are those that the calls tell of."""

    timeout: float | None
    """Seconds a call waits; ``None`` for as long as it takes, 0 for not at all."""
    alarm: Alarm

    @property
    def family(self) -> int:
        """``AF_INET`` or ``AF_INET6``."""

    @property
    def one_to_many(self) -> bool:
        """It is of type SOCK_SEQPACKET."""

    @property
    def closed(self) -> bool:
        """It was closed."""

    @property
    def names(self) -> NameHost:
        """What looks names up, and knows the time."""

    @property
    def peer_udp_port(self) -> int:
        """The UDP port of peers to come (RFC 6951), unless an address says otherwise; 0 without encapsulation."""

    @property
    def udp_port(self) -> int:
        """Our UDP port; 0 before there is one, or without encapsulation."""

    @property
    def stats(self) -> StackStats:
        """Counters of the UDP port."""

    @property
    def v6only(self) -> bool:
        """IPv4 addresses are not for it (IPV6_V6ONLY)."""

    @property
    def bound(self) -> bool:
        """It has an SCTP port."""

    def check_open(self) -> None:
        """``OSError`` (EBADF) if it is closed."""

    # --- waiting ---

    def check_waiting(self, not_now: NotNow, flags: int) -> None:
        """``OSError``: EAGAIN, or what else the call says, if it must not wait; ENOTCONN if it would wait in vain."""

    def patience(self, not_now: NotNow) -> float | None:
        """Seconds that a call may wait; ``None`` for as long as it takes."""

    def time_is_up(self, not_now: NotNow) -> OSError:
        """What to raise when the patience has come to its end."""

    # --- ports and associations ---

    def bind(self, addresses: Sequence[bytes], port: int, wildcards: Sequence[bytes] = ()) -> None:
        """Take an SCTP port."""

    def bindx(
        self, addresses: Sequence[bytes], ports: Sequence[int], flags: int, wildcards: Sequence[bytes] = ()
    ) -> None:
        """Add or remove local addresses."""

    def listen(self, backlog: int, addresses: Sequence[bytes] = (), wildcards: Sequence[bytes] = ()) -> None:
        """Take associations from peers."""

    def accept(self) -> SocketBackend | NotNow:
        """The next association that a peer set up, as a socket."""

    def accepted_from(self) -> SocketAddress:
        """The peer's address, of a socket that ``accept`` gave, even if the association is over by now."""

    def connect(self, peer: Peer) -> int | NotNow:
        """Set up an association: its id."""

    def peeloff(self, assoc_id: int) -> SocketBackend:
        """An association as a socket of its own."""

    def find_peer(self, ip: bytes, port: int) -> int:
        """The id of the association with this peer."""

    def setup_report(self, assoc_id: int) -> tuple[AddressReport, ...]:
        """What each address answered."""

    def peer_address(self) -> SocketAddress:
        """The peer's primary address."""

    def peer_addresses(self, assoc_id: int) -> list[SocketAddress]:
        """The peer's addresses."""

    def local_addresses(self, assoc_id: int) -> list[SocketAddress]:
        """Our addresses."""

    # --- options ---

    def get_option(self, level: int, name: int, asked: Any = None, assoc_id: int | None = None) -> Any:
        """The value of an option, typed."""

    def set_option(self, level: int, name: int, value: Any) -> None:
        """Set an option, for all it is for or for nothing."""

    # --- messages ---

    def send(self, data: bytes) -> int | NotNow:
        """Send a message as the defaults of the socket say."""

    def prepare(self, items: Sequence[Item]) -> SendOptions:
        """What the control messages of one ``sendmsg`` ask for; raises what is wrong with them."""

    def send_message(self, data: bytes, items: Sequence[Item], options: Any, peer: Peer | None) -> int | NotNow:
        """Send a message with control messages: the association's id, 0 for all."""

    def receive(self, limit: int, flags: int = 0) -> Piece | NotNow:
        """Up to ``limit`` bytes of the next message or notification."""

    def source(self, piece: Any) -> SocketAddress | None:
        """Where a message came from; ``None`` at the end."""

    def control_messages(self, piece: Any, room: int) -> tuple[list[tuple[int, int, bytes]], int]:
        """What is asked for beside a message, in so many bytes, and MSG_CTRUNC if more is known."""

    def received(self, piece: Any) -> Received:
        """A message with what is asked for in one struct."""

    def rcvinfo(self, piece: Any) -> RcvInfo | None:
        """What is known of a message, asked for or not."""

    # --- the end ---

    def shutdown(self, *, read: bool, write: bool) -> None:
        """End the association of a one-to-one socket gracefully, or read no more."""

    def close(self) -> float:
        """Seconds for which the caller is to wait until nothing is ``lingering``."""

    def take_back(self, result: object) -> None:
        """The caller did not get the result of ``receive`` or ``accept``: undo what can be undone."""

    def break_off(self) -> None:
        """An exception has left a call in the middle of a change: what cannot be relied on any more ends."""

    @property
    def lingering(self) -> bool:
        """It is closed, and some association it had is not over yet."""
