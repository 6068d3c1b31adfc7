"""Two hosts and one association between them: what most tests want.

    with Pair(seed=1, paths=2, link=LinkSettings(loss=0.01)).connect() as pair:
        pair.a.send(b"...", stream=3)
        pair.cut(1)
        pair.drain()
        assert pair.b.messages() == [b"..."]

Path n, counted from 1, joins the n-th address of A with the n-th address of B: 10.0.n.1 with 10.0.n.2, or
2001:db8:n::1 with 2001:db8:n::2, unless the test names others. A host with fewer addresses takes part in
every path with those it has.

Each ``Side`` is a small application: it reads all that comes as soon as it can, and sends what it was given as
the send buffer has room. A test that wants to do so itself uses ``Network`` and the stacks.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self, TypeVar, final

from sctpx.core.association.association import Association, association_of
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint
from sctpx.core.events import (
    CannotStart,
    CommunicationLost,
    CommunicationUp,
    Event,
    Readable,
    SenderDry,
    ShutdownComplete,
    Writable,
)

from .host import Host, SimulationError
from .link import LinkSettings
from .network import Network

_E = TypeVar("_E", bound=Event)


class Received(NamedTuple):
    """A message as ``Association.read`` gives it, or a part of one."""

    data: bytes
    stream: int
    ppid: int
    ssn: int
    tsn: int
    flags: int

    @property
    def unordered(self) -> bool:
        """It came without regard to the order of the stream."""
        return bool(self.flags & 1)

    @property
    def more(self) -> bool:
        """The rest of the message is still to come."""
        return bool(self.flags & 2)


class _Outgoing(NamedTuple):
    data: bytes
    stream: int
    ppid: int
    unordered: bool


@final
class Side:
    """One side of a ``Pair``."""

    def __init__(self, host: Host, port: int, config: AssociationConfig | None) -> None:
        self.host = host
        self.endpoint: Endpoint = host.open_endpoint(port, config)
        self.received: list[Received] = []
        """What was read so far."""
        self.reading = True
        """Read as soon as there is something; false leaves it in the association, until ``read``."""
        self.failure = ""
        """Why the association failed, for people; empty if it did not."""
        self._association: Association | None = None
        self._unsent: deque[_Outgoing] = deque()
        self._is_dry = True
        host.handlers.append(self._on_event)

    @property
    def association(self) -> Association:
        """The association. Raises SimulationError if there is none yet."""
        if self._association is None:
            raise SimulationError(f"{self.host.name} has no association")
        return self._association

    @property
    def is_dry(self) -> bool:
        """All that was given to ``send`` was sent and acknowledged."""
        return self._is_dry

    def connect(self, other: Side) -> None:
        """Start an association with all addresses of the other side. It is set up in the next ``run``."""
        self._association = self.endpoint.connect(self.host.now, other.host.peer_addresses, other.endpoint.port)

    def send(self, data: bytes, stream: int = 0, ppid: int = 0, unordered: bool = False) -> None:
        """Send a message as soon as the send buffer has room. Raises like ``Association.send``."""
        self._is_dry = False
        self._unsent.append(_Outgoing(data, stream, ppid, unordered))
        self._send_on()

    def read(self) -> None:
        """Read what is ready into ``received``."""
        self.received += [Received(*message) for message in self.association.read()]

    def messages(self, stream: int | None = None) -> list[bytes]:
        """The messages received so far, whole, in the order they came; of one stream or of all."""
        whole: list[bytes] = []
        parts: dict[int, bytes] = {}
        for part in self.received:
            data = parts.pop(part.stream, b"") + part.data
            if part.more:
                parts[part.stream] = data
            elif stream is None or part.stream == stream:
                whole.append(data)
        return whole

    def events_of(self, kind: type[_E]) -> list[_E]:
        """The events of one kind so far."""
        return [event for event in self.host.events if isinstance(event, kind)]

    def _send_on(self) -> None:
        association = self.association
        while self._unsent and association.send_space > 0:
            message = self._unsent.popleft()
            association.send(self.host.now, message.data, message.stream, message.ppid, message.unordered)
        if self._unsent:
            association.want_writable()

    def _on_event(self, event: Event) -> None:
        if self._association is None and isinstance(event, CommunicationUp):
            self._association = association_of(event)
            self.endpoint.accept(self._association)
        if event.association is not self._association:
            return
        if isinstance(event, Readable) and self.reading:
            self.read()
        elif isinstance(event, Writable):
            self._send_on()
        elif isinstance(event, SenderDry):
            # It may have been told before what was just sent on.
            self._is_dry = not self._unsent and not association_of(event).undelivered()
        elif isinstance(event, (CommunicationLost, CannotStart)):
            error = errno.errorcode.get(event.error, event.error)
            self.failure = f"{self.host.name}: {type(event).__name__} {error} {event.causes}"


@final
class Pair:
    """Hosts A and B, with an SCTP port each, in a network of their own."""

    def __init__(
        self,
        seed: object = 0,
        *,
        paths: int = 1,
        ipv6: bool = False,
        a: Sequence[str] = (),
        b: Sequence[str] = (),
        link: LinkSettings | None = None,
        config: AssociationConfig | None = None,
        b_config: AssociationConfig | None = None,
        port: int = 5000,
        udp_port: int = 9899,
        mtu: int = 0,
    ) -> None:
        """``a`` and ``b`` are the hosts' addresses, ``b_config`` is the config of B if it differs from ``config``.

        Both hosts use the SCTP port ``port`` and the UDP port ``udp_port`` (0: SCTP directly over IP). With ``mtu``,
        that of their interfaces, they discover path MTUs; see ``Network.add_host``.
        """
        form = "2001:db8:{}::{}" if ipv6 else "10.0.{}.{}"
        numbers = range(1, paths + 1)
        self.network = Network(seed, link=link)
        host_a = self.network.add_host("A", a or [form.format(number, 1) for number in numbers], udp_port, mtu=mtu)
        host_b = self.network.add_host("B", b or [form.format(number, 2) for number in numbers], udp_port, mtu=mtu)
        self.a = Side(host_a, port, config)
        self.b = Side(host_b, port, b_config or config)

    def connect(self, seconds: float = 60.0) -> Self:
        """Have A associate with B, and run until both are up. Raises SimulationError if that fails."""
        self.b.endpoint.listen()
        self.a.connect(self.b)
        self.run(lambda: self.a.events_of(CommunicationUp) and self.b.events_of(CommunicationUp), seconds)
        return self

    def run(self, until: Callable[[], object], seconds: float = 60.0) -> None:
        """Run until something is so. Raises SimulationError if it does not come about or the association fails."""
        self.network.run(lambda: until() or self.a.failure or self.b.failure, seconds)
        failure = "" if until() else self.a.failure or self.b.failure
        if failure:
            raise SimulationError(failure)

    def drain(self, seconds: float = 600.0) -> None:
        """Run until everything sent so far, both ways, was received and acknowledged."""
        self.run(lambda: self.a.is_dry and self.b.is_dry, seconds)

    def shutdown(self, seconds: float = 60.0) -> None:
        """Have A end the association gracefully, and run until it has ended on both sides."""
        self.a.association.shutdown(self.network.clock.now)
        self.run(lambda: self.a.events_of(ShutdownComplete) and self.b.events_of(ShutdownComplete), seconds)

    def addresses(self, path: int) -> list[str]:
        """The addresses that a path, counted from 1, shares with no other.

        Raises ValueError if there is no such path.
        """
        both = [self.a.host.addresses, self.b.host.addresses]
        most = max(map(len, both))
        if not 1 <= path <= most:
            raise ValueError(f"no path {path}: there are {most}")
        return [addresses[path - 1] for addresses in both if len(addresses) >= path and len(addresses) >= min(most, 2)]

    def cut(self, path: int) -> None:
        """Cut a path: nothing gets through between its addresses, nor to and from them."""
        self.network.cut(*self.addresses(path))

    def heal(self, path: int) -> None:
        """Mend a path that was cut."""
        self.network.heal(*self.addresses(path))

    def set_path(self, path: int, **changes: object) -> None:
        """Change the settings of the links of a path: ``pair.set_path(2, delay=0.2)``."""
        self.network.set(*self.addresses(path), **changes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.network.__exit__(kind, error, traceback)
