"""A peer that a test plays by hand: packets made with ``sctpx.wire``, exchanged with a real stack.

Host A has the real stack. Host P has none: its addresses are played by ``Scripted``, which notes what it hears
and says what the test wants it to say, with any tag, from any address. What P hears is told as lines like

    A: ABORT T                      the Verification Tag is that of A, that is, it was reflected
    P: INIT ACK tag 0x... a_rwnd ...
    0: INIT tag 0x... a_rwnd ...

by the owner of the packet's Verification Tag (its number, if nobody owns it) and what ``sctpx.wire.describe`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self, TypeVar, final

from sctpx.core.association.association import Association, association_of
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CommunicationUp, Event
from sctpx.testing import Network, Packet, pack_address
from sctpx.wire import control, sack
from sctpx.wire.codes import CHUNK_DATA, CHUNK_INIT, CHUNK_INIT_ACK, DATA_HEADER
from sctpx.wire.data import DATA, PADDING
from sctpx.wire.packet import chunks, finish_packet, parse_prefix, prefix
from sctpx.wire.setup import Setup, parse

_E = TypeVar("_E", bound=Event)

PORT: Final = 5000
"""The SCTP port of both sides."""
UDP_PORT: Final = 9899
P_TAG: Final = 0x50505050
P_TSN: Final = 7000
COOKIE: Final = b"a cookie that only P can read..."


@final
class Scripted:
    """A real stack on host A, and the peer P."""

    def __init__(
        self,
        seed: object = 1,
        *,
        paths: int = 1,
        ipv6: bool = False,
        udp_port: int = UDP_PORT,
        config: AssociationConfig | None = None,
    ) -> None:
        form = "2001:db8:{}::{}" if ipv6 else "10.0.{}.{}"
        numbers = range(1, paths + 1)
        self.network = Network(seed)
        self.a = self.network.add_host("A", [form.format(number, 1) for number in numbers], udp_port)
        self.p = self.network.add_host("P", [form.format(number, 2) for number in numbers], udp_port)
        for address in self.p.addresses:
            self.network.answer(address, self._hear)
        # A script that leaves data without an answer is not to be surprised by a tail loss probe.
        self.endpoint = self.a.open_endpoint(PORT, config or AssociationConfig(loss_recovery="rfc9260"))
        self.heard: list[Packet] = []
        """All that reached P, in order."""
        self.a_tag = 0
        """A's Verification Tag, as its last INIT or INIT ACK told it."""
        self.a_tsn = 0
        """A's Initial TSN."""
        self.p_tag = P_TAG
        self.p_tsn = P_TSN
        """The TSN of P's next DATA chunk."""
        self.answers: dict[str, Callable[[bytes], list[bytes]]] = {}
        """What P answers by itself: by the name of a chunk, the chunks to answer its value with."""

    def __enter__(self) -> Self:
        self.network.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.network.__exit__(kind, error, traceback)

    # What P says.

    def say(
        self,
        *said: bytes,
        tag: int | None = None,
        source: str = "",
        to: str = "",
        port: int = PORT,
        a_port: int = PORT,
        udp_port: int | None = None,
        checksum: bool = True,
    ) -> None:
        """Send one packet with these chunks to A; ``tag`` is A's unless it is given."""
        source = source or self.p.addresses[0]
        if not to:
            family = [own for own in self.a.addresses if (":" in own) == (":" in source)] or self.a.addresses
            to = min(family, key=lambda own: _distance(own, source))
        data = finish_packet(prefix(port, a_port, self.a_tag if tag is None else tag), b"".join(said))
        if not checksum:
            data = data[:8] + bytes(byte ^ 0xFF for byte in data[8:12]) + data[12:]
        here = self.p.udp_port if udp_port is None else udp_port
        packet = Packet(self.network.clock.now, pack_address(source), pack_address(to), here, self.a.udp_port, data)
        self.network.carry(packet)

    def ask(
        self,
        *said: bytes,
        tag: int | None = None,
        source: str = "",
        to: str = "",
        port: int = PORT,
        a_port: int = PORT,
        udp_port: int | None = None,
        checksum: bool = True,
        seconds: float = 0.05,
    ) -> list[str]:
        """Send one packet and tell what P hears within ``seconds``, by default hardly more than a round trip."""
        before = len(self.heard)
        self.say(*said, tag=tag, source=source, to=to, port=port, a_port=a_port, udp_port=udp_port, checksum=checksum)
        self.network.run_for(seconds)
        return self.tell(self.heard[before:])

    def listen_for(self, seconds: float) -> list[str]:
        """Tell what P hears in that time, without saying anything."""
        before = len(self.heard)
        self.network.run_for(seconds)
        return self.tell(self.heard[before:])

    # What P hears.

    def tell(self, packets: Iterable[Packet]) -> list[str]:
        """A line for each packet, as the module says."""
        return [self._tell(packet) for packet in packets]

    def chunk(self, name: str, index: int = -1) -> bytes:
        """The value of a chunk that P heard, by default the last one of that name."""
        found: list[bytes] = []
        for packet in self.heard:
            for (_, _, value), other in zip(chunks(packet.data), packet.chunks, strict=True):
                if other == name:
                    found.append(value)
        return found[index]

    def setup(self, name: str = "INIT") -> Setup:
        """The last INIT or INIT ACK that P heard."""
        return parse(self.chunk(name), ack=name == "INIT ACK")

    def cookie(self) -> bytes:
        """The State Cookie of the last INIT ACK that P heard."""
        cookie = self.setup("INIT ACK").cookie
        assert cookie is not None
        return cookie

    def events_of(self, kind: type[_E]) -> list[_E]:
        """The events of one kind on A so far."""
        return [event for event in self.a.events if isinstance(event, kind)]

    def _hear(self, packet: Packet) -> Iterable[bytes]:
        self.heard.append(packet)
        answer: list[bytes] = []
        for (kind, _, value), name in zip(chunks(packet.data), packet.chunks, strict=True):
            if kind in (CHUNK_INIT, CHUNK_INIT_ACK):
                setup = parse(value, ack=kind == CHUNK_INIT_ACK)
                self.a_tag, self.a_tsn = setup.initiate_tag, setup.initial_tsn
            if name in self.answers:
                answer += self.answers[name](value)
        return [finish_packet(prefix(PORT, PORT, self.a_tag), b"".join(answer))] if answer else []

    def _tell(self, packet: Packet) -> str:
        _, _, tag = parse_prefix(packet.data)
        owner = {0: "0", self.a_tag: "A", self.p_tag: "P"}.get(tag, f"{tag:#010x}")
        return f"{owner}: {packet.description.partition('bytes: ')[2]}"

    # Chunks of P.

    def init(self, **changes: object) -> bytes:
        """An INIT of P; any attribute of ``Setup`` can be given another value."""
        return self._setup(changes).encode()

    def init_ack(self, **changes: object) -> bytes:
        """An INIT ACK of P, in the same way."""
        return self._setup({"cookie": COOKIE} | changes).encode(ack=True)

    def _setup(self, changes: dict[str, object]) -> Setup:
        setup = Setup(self.p_tag, 1 << 17, 10, 10, self.p_tsn & 0xFFFFFFFF)
        for name, value in changes.items():
            setattr(setup, name, value)
        return setup

    def data(
        self, text: bytes = b"data", *, tsn: int | None = None, stream: int = 0, ssn: int = 0, flags: int = 7
    ) -> bytes:
        """A DATA chunk with the next TSN of P, or another one; by default a whole message, unordered."""
        if tsn is None:
            tsn = self.p_tsn
            self.p_tsn += 1
        length = DATA_HEADER + len(text)
        return DATA.pack(CHUNK_DATA, flags, length, tsn & 0xFFFFFFFF, stream, ssn, 0) + text + PADDING[length & 3]

    def sack(self, messages: int, a_rwnd: int = 1 << 17) -> bytes:
        """A SACK for so many DATA chunks of A."""
        return sack.encode(self.a_tsn + messages - 1, a_rwnd, [], [])

    # Associations.

    def connect(self, *addresses: str) -> Association:
        """Have A connect to addresses of P, by default all, and run until P has heard its INITs so far."""
        targets = [
            peer
            for peer, own in zip(self.p.peer_addresses, self.p.addresses, strict=True)
            if own in (addresses or self.p.addresses)
        ]
        association = self.endpoint.connect(self.a.now, targets, PORT)
        self.network.run_for(0.015)
        return association

    def up_outgoing(self, **changes: object) -> Association:
        """A connects to P and is up; ``changes`` are to the INIT ACK."""
        association = self.connect()
        self.ask(self.init_ack(**changes))
        self.ask(control.cookie_ack())
        assert len(self.events_of(CommunicationUp)) == 1
        return association

    def up_incoming(self, **changes: object) -> Association:
        """P connects to A, which listens; ``changes`` are to the INIT."""
        if not self.endpoint.backlog:
            self.endpoint.listen()
        before = len(self.events_of(CommunicationUp))
        self.ask(self.init(**changes), tag=0)
        self.ask(control.cookie_echo(self.cookie()))
        up = self.events_of(CommunicationUp)[before:]
        assert [event.incoming for event in up] == [True]
        return association_of(up[0])


def return_by_icmp(network: Network, packet: Packet, error: int, returned: bytes | None = None) -> None:
    """Send an ICMP error about a packet to its sender, with its bytes or those given."""
    network.carry(
        Packet(
            network.clock.now,
            packet.destination,
            packet.source,
            packet.destination_port,
            packet.source_port,
            packet.data if returned is None else returned,
            icmp=error,
        )
    )


def _distance(one: str, other: str) -> int:
    return int.from_bytes(pack_address(one), "big") ^ int.from_bytes(pack_address(other), "big")
