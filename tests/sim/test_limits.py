"""What strangers can have of one SCTP port: ``Limits``, each with its counter; docs/security.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import Endpoint
from sctpx.core.stack import Stack
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.causes import parse as parse_causes
from sctpx.wire.codes import CAUSE_OUT_OF_RESOURCE, CHUNK_ABORT, CHUNK_INIT_ACK
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup, parse
from tests.sim.scripted import Scripted

NOW = 10**18
PORT = 5000
UDP_PORT = 9899
OWN = bytes([10, 0, 0, 1])
OWN_IPV6 = bytes([0x20, 1, 0xD, 0xB8]) + bytes(11) + b"\1"
REFUSED = [(CAUSE_OUT_OF_RESOURCE, b"")]


class Server:
    """A stack that listens, and peers that send it INITs and COOKIE ECHOs."""

    def __init__(self, limits: Limits, backlog: int = 1000) -> None:
        self.stack = Stack(seeded_bytes(1), NOW)
        self.endpoint: Endpoint = self.stack.open_endpoint(PORT, [OWN, OWN_IPV6], limits=limits)
        self.endpoint.listen(backlog)
        self._ports: Iterator[int] = iter(range(10_000, 60_000))

    def _ask(self, remote: bytes, packet: bytes) -> list[tuple[int, bytes]]:
        own = OWN if len(remote) == 4 else OWN_IPV6
        self.stack.receive(NOW, own, remote, UDP_PORT, packet, len(packet))
        answers = []
        while (transmit := self.stack.poll_transmit(NOW)) is not None:
            answers.append((chunks(transmit.data)[0][0], chunks(transmit.data)[0][2]))
        while self.stack.poll_event() is not None:
            pass
        return answers

    def init(self, remote: bytes, port: int, addresses: list[bytes] | None = None) -> tuple[int, bytes]:
        """What an INIT draws."""
        setup = Setup(port, 1 << 16, 10, 10, 1)
        setup.addresses = addresses or []
        [answer] = self._ask(remote, finish_packet(prefix(port, PORT, 0), setup.encode()))
        return answer

    def cookie(self, remote: bytes, addresses: list[bytes] | None = None) -> bytes:
        """A packet with a COOKIE ECHO, for which there was an INIT."""
        port = next(self._ports)
        kind, value = self.init(remote, port, addresses)
        assert kind == CHUNK_INIT_ACK
        ack = parse(value, ack=True)
        return finish_packet(prefix(port, PORT, ack.initiate_tag), control.cookie_echo(ack.cookie or b""))

    def set_up(self, remote: bytes, addresses: list[bytes] | None = None) -> Association:
        """An association from there."""
        self._ask(remote, self.cookie(remote, addresses))
        return next(reversed(self.endpoint.associations.values()))

    def echo(self, remote: bytes, packet: bytes) -> list[tuple[int, bytes]]:
        """What the COOKIE ECHO draws."""
        return self._ask(remote, packet)

    def refuses(self, remote: bytes) -> bool:
        """True if an INIT from there is refused."""
        kind, value = self.init(remote, next(self._ports))
        if kind == CHUNK_ABORT:
            assert parse_causes(value) == REFUSED
        return kind == CHUNK_ABORT

    def end(self, association: Association) -> None:
        """The user aborts an association."""
        association.abort(NOW)
        while self.stack.poll_transmit(NOW) is not None:
            pass


def peer(number: int) -> bytes:
    return bytes([10, 1, number >> 8, number & 255])


def test_an_endpoint_takes_so_many_associations_and_another_one_when_one_has_ended() -> None:
    server = Server(Limits(associations=3))
    associations = [server.set_up(peer(number)) for number in range(3)]
    for association in associations:
        server.endpoint.accept(association)
    assert server.refuses(peer(3))
    assert server.stack.stats.associations_refused == 1
    server.end(associations[1])
    assert not server.refuses(peer(3))
    server.set_up(peer(3))
    assert server.refuses(peer(4))
    assert server.endpoint.incoming == 3


def test_a_cookie_from_before_the_limit_was_reached_is_refused_too() -> None:
    """The INIT ACK promises nothing: the listener keeps nothing (RFC 9260 section 5.1 B)."""
    server = Server(Limits(associations=1))
    early = server.cookie(peer(1))
    server.set_up(peer(2))
    [(kind, value)] = server.echo(peer(1), early)
    assert (kind, parse_causes(value)) == (CHUNK_ABORT, REFUSED)
    assert server.stack.stats.associations_refused == 1


def test_one_peer_has_so_many_and_others_have_theirs() -> None:
    server = Server(Limits(associations_per_peer=2))
    first, _ = server.set_up(peer(1)), server.set_up(peer(1))
    assert server.refuses(peer(1))
    assert not server.refuses(peer(2))
    server.set_up(peer(2))
    server.end(first)
    assert not server.refuses(peer(1))


def test_all_addresses_of_a_64_of_ipv6_are_one_peer() -> None:
    server = Server(Limits(associations_per_peer=2))
    home = bytes([0x20, 1, 0xD, 0xB8, 0, 1, 0, 2])
    for number in (1, 2):
        server.set_up(home + bytes([number]) * 8)
    assert server.refuses(home + b"\7" * 8)
    assert not server.refuses(home[:7] + b"\3" + b"\7" * 8)


def test_what_this_side_sets_up_does_not_count() -> None:
    with Scripted() as lab:
        lab.endpoint.limits = Limits(associations=0)
        lab.endpoint.listen()
        lab.up_outgoing()
        assert lab.endpoint.incoming == 0


def test_ten_thousand_from_one_address_are_no_more_than_the_limit() -> None:
    server = Server(Limits(associations_per_peer=100), backlog=20_000)
    for _ in range(100):
        server.set_up(peer(1))
    assert all(server.refuses(peer(1)) for _ in range(400))
    assert len(server.endpoint.associations) == 100
    assert server.stack.stats.associations_refused == 400


@pytest.mark.parametrize("most", [1, 4, 255])
def test_so_many_addresses_of_a_peer_that_sets_up_are_kept(most: int) -> None:
    server = Server(Limits(peer_addresses=most))
    association = server.set_up(peer(0), [peer(number) for number in range(300)])
    assert [path.remote for path in association.paths] == [peer(number) for number in range(most)]
    assert server.stack.stats.addresses_passed_over == 300 - most


def test_so_many_addresses_of_a_peer_that_answers_are_kept() -> None:
    with Scripted(paths=3) as lab:
        lab.endpoint.limits = Limits(peer_addresses=2)
        association = lab.connect("10.0.1.2")
        lab.ask(lab.init_ack(addresses=list(lab.p.packed)))
        assert [path.remote for path in association.paths] == list(lab.p.packed[:2])
        assert association.stats.addresses_passed_over == 1


def test_data_for_streams_that_were_not_granted_is_counted() -> None:
    with Scripted(config=AssociationConfig(max_inbound_streams=4)) as lab:
        association = lab.up_incoming(outbound_streams=10)
        lab.ask(lab.data(stream=3), lab.data(stream=4), lab.data(stream=9))
        assert association.stats.invalid_streams == 2
        assert association.readable == 1
