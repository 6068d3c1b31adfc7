"""Who is no part of any association: floods of forged packets, copies of what was sent before, forged ICMP errors.

Their sources are addresses of nobody, or those of other hosts of the world. They do not know the tags of associations
but from packets that they have seen, which they can only say again.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final, final

from sctpx.testing import Host, Network, Packet
from sctpx.testing.packet import pack_address
from sctpx.wire import asconf, control
from sctpx.wire.codes import PARAM_ADD_IP
from sctpx.wire.packet import finish_packet, prefix
from sctpx.wire.setup import Setup
from sctpx.wire.tlv import chunk

NOBODY: Final = [pack_address(f"10.66.0.{number}") for number in range(1, 17)] + [
    pack_address(f"2001:db8:66::{number}") for number in range(1, 9)
]
TICK: Final = 0.05
"""Seconds between two volleys of a flood."""
KEPT: Final = 200
"""Packets that they remember."""


@final
class Strangers:
    """What they know of a network, and what they do to it."""

    def __init__(self, network: Network, random: Random, ports: range) -> None:
        self.sent = 0
        self._network = network
        self._random = random
        self._ports = ports
        self._seen: deque[Packet] = deque(maxlen=KEPT)
        self._count = 0

    def on_packet(self, packet: Packet) -> None:
        """They listen."""
        self._count += 1
        if not packet.icmp and not self._count % 23:
            self._seen.append(packet)

    def forget(self) -> None:
        """They have seen nothing."""
        self._seen.clear()

    def flood(self, target: Host, others: list[bytes], seconds: float, rate: int) -> None:
        """Send one host so many packets a second, all of one kind."""
        kinds: list[Callable[[], bytes]] = [self._init, self._out_of_the_blue, self._cookie, self._setup, self._garbage]
        make = self._random.choice(kinds)
        sources = self._random.choice((NOBODY, NOBODY, others))

        def volley(left: int) -> None:
            for _ in range(int(rate * TICK)):
                self._send(target, sources, make())
            if left:
                self._network.at(TICK, lambda: volley(left - 1))

        volley(int(seconds / TICK))

    def _send(self, target: Host, sources: list[bytes], data: bytes, icmp: int = 0) -> None:
        destination = self._random.choice(target.packed)
        alike = [source for source in sources if len(source) == len(destination) and source not in target.packed]
        if alike:
            source, port = self._random.choice(alike), self._random.choice((9899, 9899, 4000))
            self._carry(Packet(self._network.clock.now, source, destination, port, target.udp_port, data, icmp=icmp))

    def _carry(self, packet: Packet) -> None:
        self.sent += 1
        self._network.carry(packet)

    def repeat(self) -> None:
        """Say again what somebody has said before."""
        for seen in self._random.sample(list(self._seen), min(len(self._seen), 20)):
            self._carry(seen.duplicate(self._network.clock.now))

    def report(self) -> None:
        """ICMP errors about packets, some of which were sent."""
        random = self._random
        for seen in random.sample(list(self._seen), min(len(self._seen), 5)):
            data = seen.data[:500]
            if random.random() < 0.5:
                data = data[:4] + random.randbytes(4) + data[8:]
            errors = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EMSGSIZE, errno.EMSGSIZE]
            error = random.choice([*errors, errno.ENOPROTOOPT])
            mtu = random.choice((0, 68, 600, 1280, 1400)) if error == errno.EMSGSIZE else 0
            self._carry(
                Packet(
                    self._network.clock.now,
                    seen.destination,
                    seen.source,
                    seen.destination_port,
                    seen.source_port,
                    data,
                    icmp=error,
                    mtu=mtu,
                )
            )

    # --- packets ---

    def _header(self, tag: int) -> bytes:
        return prefix(self._random.randrange(1024, 65536), self._random.choice(self._ports), tag)

    def _tag(self) -> int:
        return self._random.randrange(1, 1 << 32)

    def _init(self) -> bytes:
        setup = Setup(self._tag(), 1 << 17, 10, 10, self._tag())
        setup.addresses = [self._random.randbytes(4) for _ in range(self._random.choice((0, 0, 3, 40)))]
        return finish_packet(self._header(0), setup.encode())

    def _out_of_the_blue(self) -> bytes:
        return finish_packet(self._header(self._tag()), chunk(0, 3, self._random.randbytes(16)))

    def _cookie(self) -> bytes:
        return finish_packet(self._header(self._tag()), control.cookie_echo(self._random.randbytes(104)))

    def _setup(self) -> bytes:
        """What could end something, or move it."""
        moving = asconf.request(PARAM_ADD_IP, 1, self._random.randbytes(4))
        made = self._random.choice(
            [
                control.abort([]),
                control.shutdown(self._tag()),
                control.shutdown_ack(),
                control.shutdown_complete(True),
                control.heartbeat(bytes(20)),
                control.cookie_ack(),
                asconf.encode(self._tag(), self._random.randbytes(4), [moving]),
            ]
        )
        return finish_packet(self._header(self._tag()), made)

    def _garbage(self) -> bytes:
        return self._random.randbytes(self._random.randrange(12, 200))
