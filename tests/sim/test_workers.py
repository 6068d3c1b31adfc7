"""Several stacks on one UDP port, each with its associations: whatever packet comes to whichever of them.

The system brings most packets to the right one. Here they come to any.
"""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED, ESTABLISHED, SHUTDOWN_ACK_SENT
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CommunicationLost, CommunicationUp, Restarted, ShutdownComplete
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_ABORT, CHUNK_HEADER, CHUNK_INIT, CHUNK_INIT_ACK, COMMON_HEADER
from sctpx.wire.packet import chunks, finish_packet, parse_prefix, prefix
from sctpx.wire.setup import Setup, parse
from tests.sim.workers import NOW, OWN, PEER, PEER_UDP_PORT, PORT, Choose, Peer, Workers, exchange


def tag_of(packet: bytes) -> int:
    return parse_prefix(packet)[2]


def kind_of(packet: bytes) -> int:
    return packet[COMMON_HEADER]


def by_tag(count: int, inits: int = 0) -> Choose:
    """As the system does it; INITs all come to one."""
    return lambda packet: (tag_of(packet) >> 24) % count if tag_of(packet) else inits


def always(index: int) -> Choose:
    return lambda _: index


def init_packet(peer_tag: int, *, port: int = 5000) -> bytes:
    """An INIT of a peer."""
    setup = Setup(peer_tag, 100_000, 10, 10, 1)
    return finish_packet(prefix(port, PORT, 0), setup.encode(ack=False))


def associated(count: int, inits: int = 0, config: AssociationConfig | None = None) -> tuple[Peer, Workers, int]:
    """An association: the peer, the workers, and in which of them it is."""
    peer, workers = Peer(), Workers(count, config)
    peer.connect()
    exchange(peer, workers, by_tag(count, inits))
    [index] = [index for index, found in enumerate(workers.associations) if found]
    return peer, workers, index


def only(workers: Workers) -> Association:
    [[association]] = [found for found in workers.associations if found]
    return association


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_an_association_lives_in_the_worker_that_its_tag_says_wherever_its_packets_come(count: int) -> None:
    for to in range(count):
        peer, workers = Peer(seed=to), Workers(count)
        mine = peer.connect()
        exchange(peer, workers, always(to))
        association = only(workers)
        assert association.state == mine.state == ESTABLISHED
        index = [bool(found) for found in workers.associations].index(True)
        assert (association.tcb.local_tag >> 24) % count == index
        mine.send(NOW, b"up")
        association.send(NOW, b"down")
        exchange(peer, workers, always(to))
        assert [message[0] for message in association.read()] == [b"up"]
        assert [message[0] for message in mine.read()] == [b"down"]
        mine.shutdown(NOW)
        exchange(peer, workers, always(to))
        assert len(workers.events_of(ShutdownComplete)) == 1
        assert not any(workers.associations)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_where_the_system_steers_nothing_but_a_new_peers_init_goes_from_one_to_the_other(count: int) -> None:
    peer, workers, _ = associated(count)
    assert workers.passed == count - 1
    for _ in range(5):
        only(workers).send(NOW, b"x")
        exchange(peer, workers, by_tag(count))
    assert workers.passed == count - 1


@pytest.mark.parametrize("to", [0, 1, 2])
def test_a_peer_that_restarts_begins_its_association_anew_whichever_worker_gets_its_init(to: int) -> None:
    """RFC 9260 sections 5.2.2 and 5.2.4, action A: the INIT ACK has a new tag and the cookie Tie-Tags."""
    _, workers, index = associated(3)
    before = only(workers)
    reborn = Peer(seed=77)
    association = reborn.connect()
    exchange(reborn, workers, by_tag(3, inits=to))
    assert association.state == ESTABLISHED
    assert only(workers) is before
    assert workers.associations[index] == [before]
    assert len(workers.events_of(Restarted)) == len(workers.events_of(CommunicationUp)) == 1
    before.send(NOW, b"to the new one")
    exchange(reborn, workers, by_tag(3))
    assert [message[0] for message in association.read()] == [b"to the new one"]


@pytest.mark.parametrize("to", [0, 1, 2])
def test_with_on_restart_end_the_new_association_has_the_worker_of_the_old_one(to: int) -> None:
    _, workers, index = associated(3, config=AssociationConfig(on_restart="end"))
    reborn = Peer(seed=77)
    reborn.connect()
    exchange(reborn, workers, by_tag(3, inits=to))
    assert len(workers.associations[index]) == 1
    assert only(workers).state == ESTABLISHED
    assert [event.restarted for event in workers.events_of(CommunicationLost)] == [True]


@pytest.mark.parametrize("to", [0, 1])
def test_an_init_from_another_address_of_the_peer_finds_its_association(to: int) -> None:
    """Section 5.1.2 D: the INIT lists an address of the association's peer."""
    _, workers, _ = associated(2)
    before = only(workers)
    setup = Setup(0x4E455721, 100_000, 10, 10, 1)
    setup.addresses = PEER
    workers.receive(to, OWN[1], PEER[1], finish_packet(prefix(5000, PORT, 0), setup.encode(ack=False)))
    [answer] = workers.answers()
    [(kind, _, value)] = chunks(answer)
    assert kind == CHUNK_INIT_ACK
    assert parse(value, ack=True).initiate_tag != before.tcb.local_tag
    assert before.tcb.local_tie_tag


@pytest.mark.parametrize("to", [0, 1, 2])
def test_two_inits_that_cross_make_one_association(to: int) -> None:
    """Section 5.2.1: both sides begin at once."""
    peer, workers = Peer(), Workers(3)
    ours = workers.stacks[1].endpoints[PORT].connect(NOW, peer_addresses(), 5000)
    peer.endpoint.listen()
    mine = peer.connect()
    exchange(peer, workers, by_tag(3, inits=to))
    assert (ours.state, mine.state) == (ESTABLISHED, ESTABLISHED)
    assert workers.associations == [[], [ours], []]


def peer_addresses() -> list[PeerAddress]:
    return [PeerAddress(PEER[0], PEER_UDP_PORT)]


@pytest.mark.parametrize("to", [0, 1, 2])
def test_an_abort_with_the_peers_own_tag_ends_the_association(to: int) -> None:
    """Section 8.5.1 B: the T bit is set, and "the Verification Tag matches the peer's tag"."""
    _, workers, index = associated(3)
    association = only(workers)
    packet = finish_packet(prefix(5000, PORT, association.tcb.peer_tag), control.abort([], reflected=True))
    workers.receive(to, OWN[0], PEER[0], packet)
    assert association.state == CLOSED
    assert workers.associations[index] == []
    assert workers.answers() == []


@pytest.mark.parametrize("to", [0, 1, 2])
def test_a_shutdown_complete_with_the_peers_own_tag_ends_the_shutdown(to: int) -> None:
    """Section 8.5.1 C."""
    peer, workers, _ = associated(3)
    association = only(workers)
    [mine] = peer.endpoint.associations.values()
    mine.shutdown(NOW)
    transmit = peer.stack.poll_transmit(NOW)
    assert transmit is not None
    workers.receive(0, OWN[0], PEER[0], transmit.data)
    assert association.state == SHUTDOWN_ACK_SENT
    workers.answers()
    complete = control.shutdown_complete(reflected=True)
    workers.receive(to, OWN[0], PEER[0], finish_packet(prefix(5000, PORT, association.tcb.peer_tag), complete))
    assert association.state == CLOSED


@pytest.mark.parametrize("to", [0, 1, 2])
def test_a_packet_with_a_wrong_tag_from_an_associations_peer_is_dropped_in_silence(to: int) -> None:
    """Section 8.5: "the receiver MUST silently discard the packet"."""
    _, workers, _ = associated(3)
    for first in range(6):
        header = prefix(5000, PORT, first << 24 | 0x123456)
        for chunk in (control.abort([]), control.heartbeat(b"1234"), control.shutdown_ack()):
            workers.receive(to, OWN[0], PEER[0], finish_packet(header, chunk))
    assert workers.answers() == []
    assert only(workers).state == ESTABLISHED


@pytest.mark.parametrize("to", [0, 1, 2])
def test_a_packet_that_belongs_to_no_association_is_answered_once(to: int) -> None:
    """Section 8.4, rule 8."""
    workers = Workers(3)
    for first in range(3):
        packet = finish_packet(prefix(5000, PORT, first << 24 | 0x123456), control.heartbeat(b"1234"))
        workers.receive(to, OWN[0], PEER[0], packet)
        [answer] = workers.answers()
        assert (kind_of(answer), tag_of(answer)) == (CHUNK_ABORT, first << 24 | 0x123456)


def test_the_inits_of_one_peer_are_answered_by_the_same_worker_each_time() -> None:
    """So that of two INITs of one attempt the peer makes one association, whichever cookie comes back."""
    workers = Workers(4)
    for _ in range(3):
        workers.receive(2, OWN[0], PEER[0], init_packet(7))
    tags = [parse(chunks(answer)[0][2], ack=True).initiate_tag for answer in workers.answers()]
    assert len({(tag >> 24) % 4 for tag in tags}) == 1
    assert len(set(tags)) == 3


def test_strangers_have_workers_ask_each_other_no_more_often_than_they_are_answered() -> None:
    """What is limited for one stack (``Limits.aborts_per_second``) does not multiply."""
    workers = Workers(4)
    most = int(Limits().aborts_per_second)
    for number in range(10 * most):
        packet = finish_packet(prefix(5000, PORT, number + 1), control.heartbeat(b"1234"))
        workers.receive(0, OWN[0], PEER[0], packet)
    assert workers.passed <= 3 * most
    assert len(workers.answers()) <= most


def test_a_stranger_makes_an_init_go_round_once() -> None:
    workers = Workers(4)
    for number in range(50):
        workers.receive(1, OWN[0], PEER[0], init_packet(number + 1, port=5000 + number))
    assert workers.passed == 3 * 50
    assert len(workers.answers()) == 50
    assert sum(stack.stats.inits_received for stack in workers.stacks) == 50


def test_a_broken_packet_and_one_that_is_malformed_go_nowhere() -> None:
    workers = Workers(3)
    packet = init_packet(7)
    workers.receive(0, OWN[0], PEER[0], packet[:-1] + b"\xff")
    workers.receive(0, OWN[0], PEER[0], finish_packet(prefix(5000, PORT, 0), bytes((CHUNK_INIT, 0, 0, CHUNK_HEADER))))
    workers.receive(0, OWN[0], PEER[0], b"short")
    workers.receive(0, OWN[0], PEER[0], finish_packet(prefix(0, PORT, 5 << 24), bytes((6, 0, 0, 4))))
    assert workers.passed == 0


@pytest.mark.parametrize("to", [0, 1, 2])
def test_an_icmp_error_finds_its_association(to: int) -> None:
    """Section 10: the error counts for the association of which a part of a packet came back."""
    _, workers, _ = associated(3)
    association = only(workers)
    [path, *_] = association.tcb.paths
    before = path.error_count
    workers.receive_error(to, PEER[0], errno.ECONNREFUSED, prefix(PORT, 5000, association.tcb.peer_tag))
    assert path.error_count == before + 1


def test_forged_icmp_errors_have_workers_ask_each_other_so_often_and_no_more() -> None:
    workers = Workers(3)
    most = int(Limits().aborts_per_second)
    for number in range(3 * most):
        workers.receive_error(0, PEER[0], errno.ECONNREFUSED, prefix(PORT, 5000, number))
    assert workers.passed == 2 * most
