"""RFC 9653: packets with a checksum of 0, where something else checks each packet."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.testing import LinkSettings, Network, Packet, Pair, seeded_bytes
from sctpx.wire import control
from sctpx.wire.checksum import verify_packet
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.seal import Seal
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import ParseError, chunk, join

DTLS = 1
ANOTHER = 7
PORT = 5000
UDP_PORT = 9899
NOW = 10**18
PEER_TAG = 0x50505050
OURS, THEIRS = bytes((10, 0, 1, 1)), bytes((10, 0, 1, 2))


def is_zero(packet: bytes) -> bool:
    """Without a checksum."""
    return packet[8:12] == bytes(4)


def zeroed(packet: bytes) -> bytes:
    """The packet without its checksum."""
    return packet[:8] + bytes(4) + packet[12:]


def wrong(packet: bytes) -> bytes:
    """The packet with a checksum that is not 0 and not right."""
    return packet[:8] + bytes((packet[8] ^ 1, packet[9], packet[10], packet[11] | 1)) + packet[12:]


def make_pair(a: int, b: int, **settings: Any) -> Pair:
    """A pair of which each side says that it takes packets by this method; its links have the method of A."""
    return Pair(
        3,
        link=LinkSettings(error_detection_method=a or b, **settings),
        config=AssociationConfig(error_detection_method=a),
        b_config=AssociationConfig(error_detection_method=b),
    )


def sent_by(pair: Pair, name: str) -> list[Packet]:
    """The packets of one host, singly."""
    host = pair.network.hosts[name]
    return [one for packet in pair.network.packets() if packet.source in host.packed for one in packet.singles()]


class Played:
    """A peer that the test plays: our side is an association that begins with an INIT."""

    def __init__(self, ours: int, theirs: int) -> None:
        self.stack = Stack(seeded_bytes(1), NOW)
        self.stack.error_detection_method = ours
        config = AssociationConfig(error_detection_method=ours, heartbeat_interval=0, attempt_delay=None)
        self.endpoint = self.stack.open_endpoint(PORT, [OURS], config)
        self.association: Association = self.endpoint.connect(NOW, [PeerAddress(THEIRS, UDP_PORT)], PORT)
        [init] = self.take()
        self.init = init
        self.sent = parse(chunks(init)[0][2])
        setup = Setup(PEER_TAG, 65536, 10, 10, 1)
        setup.cookie = b"cookie"
        setup.error_detection_method = theirs
        self.init_ack = self.packet(setup.encode(ack=True))

    def packet(self, *parts: bytes) -> bytes:
        """A packet of the peer, with a right checksum."""
        return finish_packet(prefix(PORT, PORT, self.sent.initiate_tag), b"".join(parts))

    def deliver(self, packet: bytes, segment: int = 0) -> list[bytes]:
        """Have our side receive it, or packets behind each other; what it answers."""
        self.stack.receive(NOW, OURS, THEIRS, UDP_PORT, packet, segment or len(packet))
        return self.take()

    def take(self) -> list[bytes]:
        """The packets that our side sends now."""
        found: list[bytes] = []
        while (transmit := self.stack.poll_transmit(NOW)) is not None:
            data, size = transmit.data, transmit.segment
            found += [data[at : at + size] for at in range(0, len(data), size)]
        return found

    def establish(self) -> None:
        """To ESTABLISHED."""
        self.deliver(self.init_ack)
        self.deliver(self.packet(control.cookie_ack()))


def data(tsn: int, length: int = 100) -> bytes:
    """An unordered message in a chunk."""
    return chunk(0, 7, tsn.to_bytes(4, "big") + bytes(8) + bytes(length))


def test_the_parameter_has_a_type_a_length_and_a_method() -> None:
    setup = Setup(1, 65536, 10, 10, 1)
    setup.error_detection_method = 0x01020304
    assert setup.encode().endswith(bytes.fromhex("8001 0008 01020304"))
    assert parse(setup.encode()[4:]).error_detection_method == 0x01020304


@pytest.mark.parametrize("length", [0, 3, 5, 8])
def test_a_parameter_of_a_wrong_length_is_malformed(length: int) -> None:
    value = Setup(1, 65536, 10, 10, 1).encode()[4:] + join([(0x8001, bytes(length))])
    with pytest.raises(ParseError):
        parse(value)


def test_who_takes_zeros_says_so_in_init_and_init_ack() -> None:
    """Section 5.1: "MUST include the Zero Checksum Acceptable Chunk Parameter", whatever the other side does."""
    for a, b in ((DTLS, DTLS), (DTLS, 0), (0, DTLS), (0, 0)):
        with make_pair(a, b).connect() as pair:
            init, init_ack = (parse(chunks(sent_by(pair, name)[0].data)[0][2], name == "B") for name in "AB")
            assert (init.error_detection_method, init_ack.error_detection_method) == (a, b)


def test_nothing_is_said_by_default() -> None:
    assert AssociationConfig().error_detection_method == 0


def test_packets_have_no_checksum_when_both_take_that() -> None:
    """Section 5.2: "SHOULD use zero"; INIT (1 a) and COOKIE ECHO (2) MUST have a right checksum."""
    with make_pair(DTLS, DTLS).connect() as pair:
        pair.a.send(bytes(300_000))
        pair.b.send(b"small")
        pair.drain()
        pair.shutdown()
        assert len(pair.b.messages()[0]) == 300_000
        checked = {name for packet in sent_by(pair, "A") if not is_zero(packet.data) for name in packet.chunks}
        assert checked == {"INIT", "COOKIE ECHO"}
        checked = {name for packet in sent_by(pair, "B") if not is_zero(packet.data) for name in packet.chunks}
        assert checked == {"INIT ACK"}
        zeros = {name for packet in pair.network.packets() if is_zero(packet.data) for name in packet.chunks}
        assert zeros >= {"COOKIE ACK", "DATA", "SACK", "SHUTDOWN", "SHUTDOWN ACK", "SHUTDOWN COMPLETE"}
        for packet in pair.network.packets():
            for one in packet.singles():
                assert is_zero(one.data) or verify_packet(one.data)


@pytest.mark.parametrize(("a", "b"), [(DTLS, 0), (0, DTLS), (0, 0)])
def test_a_peer_that_has_not_announced_it_gets_right_checksums(a: int, b: int) -> None:
    """Section 5.2 (1). And who has not switched it on sends none, whatever the peer takes."""
    with make_pair(a, b).connect() as pair:
        pair.a.send(bytes(100_000))
        pair.b.send(bytes(100_000))
        pair.drain()
        pair.shutdown()
        assert all(verify_packet(one.data) for packet in pair.network.packets() for one in packet.singles())


def test_a_peer_that_names_another_method_gets_right_checksums() -> None:
    played = Played(DTLS, ANOTHER)
    played.establish()
    played.association.send(NOW, b"data")
    assert all(verify_packet(packet) for packet in played.take())


def test_losses_are_mended_without_checksums() -> None:
    with make_pair(DTLS, DTLS, loss=0.03).connect() as pair:
        for size in (5000, 70_000, 100, 300_000):
            pair.a.send(bytes(size))
            pair.b.send(bytes(size), unordered=True)
        pair.drain()
        assert sorted(map(len, pair.b.messages())) == [100, 5000, 70_000, 300_000]
        assert sorted(map(len, pair.a.messages())) == [100, 5000, 70_000, 300_000]


def test_interleaved_data_needs_no_checksum() -> None:
    config = AssociationConfig(error_detection_method=DTLS, interleaving=True)
    with Pair(3, link=LinkSettings(error_detection_method=DTLS), config=config).connect() as pair:
        pair.a.send(bytes(300_000))
        pair.drain()
        assert len(pair.b.messages()[0]) == 300_000
        assert all(is_zero(packet.data) for packet in sent_by(pair, "A") if "I-DATA" in packet.chunks)


def test_zeros_and_right_checksums_are_taken_by_who_has_announced_it() -> None:
    """Section 5.3: "in addition to SCTP packets containing the correct CRC32c checksum value"."""
    for theirs in (DTLS, ANOTHER, 0):  # The obligation follows from what we said.
        played = Played(DTLS, theirs)
        played.establish()
        stats = played.association.stats
        played.deliver(zeroed(played.packet(data(1))))
        played.deliver(played.packet(data(2)))
        packets = [zeroed(played.packet(data(3))), played.packet(data(4)), zeroed(played.packet(data(5)))]
        played.deliver(b"".join(packets), len(packets[0]))
        assert [len(message[0]) for message in played.association.read()] == [100] * 5
        assert stats.packets_discarded == 0


def test_a_wrong_checksum_is_dropped_whatever_was_agreed() -> None:
    """Section 5.3: a packet with a checksum that is neither 0 nor right MUST be dropped."""
    for theirs in (DTLS, 0):
        played = Played(DTLS, theirs)
        played.establish()
        assert played.deliver(wrong(played.packet(data(1)))) == []
        assert played.association.read() == []
        assert played.association.stats.packets_discarded == 1


@pytest.mark.parametrize("theirs", [DTLS, 0])
def test_a_zero_is_dropped_by_who_has_not_announced_it(theirs: int) -> None:
    """Section 5.3: "Otherwise, the endpoint MUST drop all SCTP packets with an incorrect CRC32c checksum"."""
    played = Played(0, theirs)
    assert played.deliver(zeroed(played.init_ack)) == []
    assert played.stack.stats.bad_checksum == 1
    played.establish()
    assert played.deliver(zeroed(played.packet(data(1)))) == []
    assert played.association.stats.packets_discarded == 1


def test_an_init_ack_without_a_checksum_is_taken() -> None:
    """It answers an INIT that announced it: other implementations send it so."""
    played = Played(DTLS, DTLS)
    [cookie_echo] = played.deliver(zeroed(played.init_ack))
    assert [kind for kind, _, _ in chunks(cookie_echo)] == [10]
    assert verify_packet(cookie_echo)


def test_setup_chunks_without_a_checksum_are_dropped_before_their_association_is_known() -> None:
    """Sections 5.2 (1 a) and (2): INIT and COOKIE ECHO MUST have one."""
    pair = make_pair(DTLS, DTLS)

    def spoil(packet: Packet) -> bool:
        if packet.chunks[0] in ("INIT", "COOKIE ECHO") and pair.network.elapsed < 1:
            packet.data = zeroed(packet.data)
        return True

    pair.network.filters.append(spoil)
    with pair.connect():
        assert pair.b.host.stack.stats.bad_checksum > 0
        assert pair.network.elapsed >= 1


def test_answers_out_of_the_blue_have_a_right_checksum() -> None:
    """Section 5.2 (1 b). A stranger's packet without one draws nothing."""
    played = Played(DTLS, DTLS)
    played.establish()
    stray = finish_packet(prefix(PORT, PORT, 12345), data(1))
    strange = bytes((10, 9, 9, 9))
    played.stack.receive(NOW, OURS, strange, UDP_PORT, stray, len(stray))
    [abort] = played.take()
    assert verify_packet(abort)
    played.stack.receive(NOW, OURS, strange, UDP_PORT, zeroed(stray), len(stray))
    assert played.take() == []


def test_packets_with_asconf_have_a_right_checksum_wherever_it_stands() -> None:
    """Section 5.2 (3)."""
    seal = Seal(prefix(1, 2, 3), checked=False)
    auth, asconf, sack = chunk(15, 0, bytes(8)), chunk(0xC1, 0, bytes(12)), chunk(3, 0, bytes(12))
    assert is_zero(seal.packet(sack))
    assert is_zero(seal.packet(sack + data(1)))
    for pieces in ([auth, asconf], [sack, asconf, data(1)], [asconf]):
        assert verify_packet(seal.packet(b"".join(pieces)))
        parts: list[bytes] = []
        seal.append(parts, pieces)
        assert verify_packet(b"".join(parts))
    parts = []
    seal.append(parts, [sack, data(1)])
    assert is_zero(b"".join(parts))


def test_after_a_restart_it_is_agreed_anew() -> None:
    with make_pair(DTLS, DTLS).connect() as pair:
        pair.a.host.restart()
        config = AssociationConfig()
        endpoint = pair.a.host.open_endpoint(PORT, config)
        again = endpoint.connect(pair.network.clock.now, pair.b.host.peer_addresses, PORT)
        pair.network.run(lambda: again.stats.packets_received >= 1, 60)
        before = len(sent_by(pair, "B"))
        pair.b.send(bytes(50_000))
        pair.network.run(lambda: pair.b.is_dry, 60)
        assert all(verify_packet(packet.data) for packet in sent_by(pair, "B")[before:])


def test_a_link_without_the_method_is_refused() -> None:
    """Section 3: only what the method protects may go without a checksum."""
    for link in (0, ANOTHER):
        host = Network(1, link=LinkSettings(error_detection_method=link)).add_host("A", ["10.0.0.1"])
        with pytest.raises(OSError, match="does not protect") as refused:
            host.open_endpoint(PORT, AssociationConfig(error_detection_method=DTLS))
        assert refused.value.errno == errno.EOPNOTSUPP
        endpoint = host.open_endpoint(PORT)  # Nothing had changed.
        with pytest.raises(OSError, match="does not protect") as refused:
            endpoint.connect(NOW, [PeerAddress(THEIRS, UDP_PORT)], PORT, AssociationConfig(error_detection_method=DTLS))
        assert refused.value.errno == errno.EOPNOTSUPP
        assert endpoint.associations == {}
