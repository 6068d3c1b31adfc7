"""The port table of a stack and what its drivers rely on; the protocol is tested elsewhere."""

from __future__ import annotations

import errno

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED, COOKIE_ECHOED, ESTABLISHED
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.ephemeral import DYNAMIC_COUNT, DYNAMIC_FIRST
from sctpx.core.stack import MAX_GATHERED, Stack
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.codes import CHUNK_ABORT, CHUNK_INIT_ACK, COMMON_HEADER
from sctpx.wire.packet import chunks, finish_packet, parse_prefix, prefix, verify_packet
from sctpx.wire.setup import Setup, parse

NOW = 10**18
OWN = bytes((10, 0, 1, 1))
OTHER = bytes((10, 0, 2, 1))
PEER = bytes((10, 0, 1, 2))
STRANGER = bytes((10, 0, 1, 3))


def make_stack() -> Stack:
    return Stack(seeded_bytes(1), NOW)


def connect(endpoint: Endpoint, *remotes: bytes, port: int = 5000) -> Association:
    return endpoint.connect(NOW, [PeerAddress(remote, 9899) for remote in remotes], port)


def destinations(stack: Stack) -> list[bytes]:
    """Where packets leave to now."""
    found = []
    while (transmit := stack.poll_transmit(NOW)) is not None:
        found.append(transmit.remote)
    return found


def test_an_sctp_port_belongs_to_one_endpoint_until_that_is_closed() -> None:
    stack = make_stack()
    endpoint = stack.open_endpoint(5000)
    with pytest.raises(OSError, match="5000") as caught:
        stack.open_endpoint(5000)
    assert caught.value.errno == errno.EADDRINUSE
    endpoint.close(NOW)
    assert stack.open_endpoint(5000).port == 5000


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(OSError, match="SCTP port") as caught:
        make_stack().open_endpoint(port)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_peer_at_a_port_that_is_none_is_refused(port: int) -> None:
    """RFC 9260 section 3.1: "The Destination Port Number 0 MUST NOT be used.\""""
    stack = make_stack()
    with pytest.raises(OSError, match="SCTP port") as caught:
        connect(stack.open_endpoint(5000), PEER, port=port)
    assert caught.value.errno == errno.EINVAL
    assert stack.poll_transmit(NOW) is None


def test_every_ephemeral_port_is_used_before_there_is_none_left() -> None:
    stack = make_stack()
    taken = {stack.open_endpoint(DYNAMIC_FIRST + number).port for number in range(DYNAMIC_COUNT - 2)}
    ports = {stack.open_endpoint().port for _ in range(2)}
    assert taken | ports == set(range(DYNAMIC_FIRST, 65536))
    with pytest.raises(OSError, match="no SCTP port is free") as caught:
        stack.open_endpoint()
    assert caught.value.errno == errno.EADDRINUSE


def test_a_new_stack_has_nothing_to_send_to_tell_or_to_wait_for() -> None:
    stack = make_stack()
    assert stack.poll_transmit(NOW) is None
    assert stack.poll_event() is None
    assert stack.next_timeout() is None
    stack.handle_timeout(NOW + 10**12)
    assert stack.next_timeout() is None


def test_a_second_association_with_the_same_peer_is_refused() -> None:
    """RFC 9260 section 1.3: two endpoints "MUST NOT have more than one SCTP association between them"."""
    endpoint = make_stack().open_endpoint(5000, [OWN])
    connect(endpoint, PEER)
    with pytest.raises(OSError, match="with this peer") as caught:
        connect(endpoint, PEER)
    assert caught.value.errno == errno.EALREADY
    connect(endpoint, PEER, port=5001)  # Another port is another peer.


def test_an_address_listed_twice_is_one_and_none_is_an_error() -> None:
    endpoint = make_stack().open_endpoint(5000, [OWN])
    assert len(connect(endpoint, PEER, PEER).report) == 1
    with pytest.raises(OSError, match="no addresses") as caught:
        connect(endpoint, port=5001)
    assert caught.value.errno == errno.EINVAL


def test_what_a_peer_knows_of_our_addresses_is_one_list_for_all_associations_where_it_is_the_same() -> None:
    endpoint = make_stack().open_endpoint(5000, [OWN])
    assert endpoint.known_to([PEER], OWN) is endpoint.local
    assert endpoint.known_to([PEER], OWN[:3] + b"\x09") == [OWN[:3] + b"\x09"]
    endpoint.change_addresses([OWN, PEER], [OWN, PEER])
    endpoint.scope = lambda own, peer: [ip for ip in own if ip not in peer]
    assert endpoint.known_to([], OWN) is endpoint.local
    assert endpoint.announced_to([]) is endpoint.announce
    assert endpoint.known_to([PEER], PEER) == [OWN]


def test_a_backlog_below_1_is_refused() -> None:
    with pytest.raises(OSError, match="backlog"):
        make_stack().open_endpoint(5000).listen(0)


def test_associations_take_turns_to_send() -> None:
    stack = make_stack()
    endpoint = stack.open_endpoint(5000, [OWN])
    peers = [bytes((10, 0, 1, number)) for number in range(2, 6)]
    for peer in peers:
        connect(endpoint, peer)
    assert destinations(stack) == peers


def test_what_is_over_leaves_no_timer_behind() -> None:
    stack = make_stack()
    endpoint = stack.open_endpoint(5000, [OWN])
    for number in range(200):
        association = connect(endpoint, bytes((10, 1, 0, number)))
        destinations(stack)
        association.abort(NOW)
        destinations(stack)
    assert endpoint.associations == {}
    assert stack.next_timeout() is None


@pytest.mark.parametrize("segment", [0, 1, 7, 12, 13, 65535])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 11, 12, 13, 100])
def test_runs_of_any_shape_are_taken_apart(length: int, segment: int) -> None:
    stack = make_stack()
    stack.open_endpoint(5000, [OWN]).listen()
    stack.receive(NOW, OWN, PEER, 9899, bytes(length), segment)
    assert destinations(stack) == []


def test_the_link_of_a_setup_chunk_is_asked_for_only_if_an_address_has_no_zone() -> None:
    """The system is asked for its interfaces then, which takes a while."""
    asked: list[bytes] = []

    def zone_of_local(ip: bytes) -> bytes:
        asked.append(ip)
        return b""

    link_local = bytes((0xFE, 0x80)) + bytes(13) + b"\x01"
    for listed, expected in (([OTHER], []), ([link_local], [OWN])):
        stack = Stack(seeded_bytes(1), NOW, zone_of_local=zone_of_local)
        association = connect(stack.open_endpoint(5000, [OWN]), PEER)
        destinations(stack)
        ack = Setup(7, 1 << 16, 10, 10, 1)
        ack.cookie = b"cookie"
        ack.addresses = listed
        packet = finish_packet(prefix(5000, 5000, association.tcb.local_tag), ack.encode(ack=True))
        stack.receive(NOW, OWN, PEER, 9899, packet, len(packet))
        assert association.state == COOKIE_ECHOED
        assert asked == expected


def set_up(stack: Stack, endpoint: Endpoint, remote: bytes, now: int = NOW) -> Association:
    """An association with a peer there, which answers as it should."""
    association = connect(endpoint, remote)
    destinations(stack)
    tag = association.tcb.local_tag
    ack = Setup(7, 1 << 16, 10, 10, 1)
    ack.cookie = b"cookie"
    for said in (ack.encode(ack=True), control.cookie_ack()):
        packet = finish_packet(prefix(5000, endpoint.port, tag), said)
        stack.receive(now, OWN, remote, 9899, packet, len(packet))
        destinations(stack)
    assert association.state == ESTABLISHED
    return association


def init_packet(port: int) -> bytes:
    return finish_packet(prefix(6000, port, 0), Setup(9, 1 << 16, 10, 10, 1).encode())


@pytest.mark.parametrize(("local", "heard"), [([OWN], False), ([OWN, OTHER], True), ([], True)])
def test_an_endpoint_hears_inits_to_its_own_addresses_or_to_any_if_it_has_none(local: list[bytes], heard: bool) -> None:
    stack = make_stack()
    stack.open_endpoint(5000, local).listen()
    packet = init_packet(5000)
    stack.receive(NOW, OTHER, PEER, 9899, packet, len(packet))
    transmit = stack.poll_transmit(NOW)
    assert transmit is not None
    assert transmit.local == OTHER
    assert chunks(transmit.data)[0][0] == (CHUNK_INIT_ACK if heard else CHUNK_ABORT)


def test_an_endpoint_that_does_not_hear_says_nothing_of_its_backlog() -> None:
    stack = make_stack()
    stack.open_endpoint(5000, [OWN]).listen(1)
    packet = init_packet(5000)
    stack.receive(NOW, OTHER, PEER, 9899, packet, len(packet))
    transmit = stack.poll_transmit(NOW)
    assert transmit is not None
    assert chunks(transmit.data) == [(CHUNK_ABORT, 0, b"")]


def test_a_tag_that_was_drawn_twice_makes_no_second_association() -> None:
    """Two peers with one port whose cookies happen to name one tag: packets could not be told apart."""
    stack = Stack(lambda count: b"\1" * count, NOW)
    endpoint = stack.open_endpoint(5000, [OWN])
    endpoint.listen()
    acks = []
    for peer in (PEER, STRANGER):
        packet = init_packet(5000)
        stack.receive(NOW, OWN, peer, 9899, packet, len(packet))
        transmit = stack.poll_transmit(NOW)
        assert transmit is not None
        acks.append(parse(chunks(transmit.data)[0][2], ack=True))
    for peer, ack in zip((PEER, STRANGER), acks, strict=True):
        assert ack.cookie is not None
        packet = finish_packet(prefix(6000, 5000, ack.initiate_tag), control.cookie_echo(ack.cookie))
        stack.receive(NOW, OWN, peer, 9899, packet, len(packet))
    assert [association.paths[0].remote for association in endpoint.associations.values()] == [PEER]
    assert stack.stats.cookies_rejected == 1
    assert destinations(stack) == [PEER]


# --- packets of several associations ---


def sent(stack: Stack) -> list[tuple[bytes, list[int], int]]:
    """What leaves now: where to, the source ports of its packets, and how far these are apart."""
    found = []
    while (transmit := stack.poll_transmit(NOW)) is not None:
        data, segment = transmit.data, transmit.segment
        packets = [data[start : start + segment] for start in range(0, len(data), segment)]
        assert all(verify_packet(packet) for packet in packets)
        found.append((transmit.remote, [parse_prefix(packet)[0] for packet in packets], segment))
    return found


def test_packets_of_one_size_that_associations_have_for_one_place_leave_together() -> None:
    stack = make_stack()
    associations = [set_up(stack, stack.open_endpoint(5000 + number, [OWN]), PEER) for number in range(4)]
    before = stack.stats.packets_sent
    for association in associations:
        association.request_heartbeat(NOW, PEER)
    size = COMMON_HEADER + len(control.heartbeat(bytes(8) + PEER))
    assert sent(stack) == [(PEER, [5000, 5001, 5002, 5003], size)]
    assert stack.stats.packets_sent == before + 4


def test_what_is_of_another_size_or_for_another_place_leaves_by_itself_and_nothing_is_lost() -> None:
    stack = make_stack()
    remotes = [PEER, PEER, STRANGER, PEER, PEER]
    associations = [
        set_up(stack, stack.open_endpoint(5000 + number, [OWN]), remote) for number, remote in enumerate(remotes)
    ]
    for association, remote in zip(associations, remotes, strict=True):
        association.request_heartbeat(NOW, remote)
    associations[3].send(NOW, b"makes it longer")
    found = sent(stack)
    assert [(remote, ports) for remote, ports, _ in found] == [
        (PEER, [5000, 5001]),
        (STRANGER, [5002]),
        (PEER, [5003]),
        (PEER, [5004]),
    ]


def test_no_more_packets_leave_together_than_one_call_takes() -> None:
    stack = make_stack()
    ports = range(5000, 5000 + MAX_GATHERED + 1)
    associations = [set_up(stack, stack.open_endpoint(port, [OWN]), PEER) for port in ports]
    for association in associations:
        association.request_heartbeat(NOW, PEER)
    assert [len(ports) for _, ports, _ in sent(stack)] == [MAX_GATHERED, 1]


def test_an_init_stays_alone_so_that_its_association_hears_what_became_of_it() -> None:
    stack = make_stack()
    associations = [connect(stack.open_endpoint(5000 + number, [OWN]), PEER) for number in range(3)]
    while (transmit := stack.poll_transmit(NOW)) is not None:
        assert len(transmit.data) <= transmit.segment
        stack.handle_send_error(NOW, transmit, errno.ENETUNREACH)
    assert [association.state for association in associations] == [CLOSED] * 3


def test_the_loss_of_packets_that_left_together_ends_no_association() -> None:
    stack = make_stack()
    associations = [set_up(stack, stack.open_endpoint(5000 + number, [OWN]), PEER) for number in range(3)]
    for association in associations:
        association.request_heartbeat(NOW, PEER)
    transmit = stack.poll_transmit(NOW)
    assert transmit is not None
    assert len(transmit.data) == 3 * transmit.segment
    stack.handle_send_error(NOW, transmit, errno.EHOSTUNREACH)
    timeout = stack.next_timeout()
    assert timeout is not None
    stack.handle_timeout(timeout)
    assert [association.state for association in associations] == [ESTABLISHED] * 3
    assert [association.paths[0].error_count for association in associations] == [1] * 3


def test_packets_of_strangers_that_arrive_together_are_answered_one_by_one() -> None:
    stack = make_stack()
    stack.open_endpoint(5000, [OWN])
    run = [finish_packet(prefix(6000, 5000, tag), control.heartbeat(bytes(8))) for tag in (1, 2, 3)]
    stack.receive(NOW, OWN, STRANGER, 9899, b"".join(run), len(run[0]))
    answers = []
    while (transmit := stack.poll_transmit(NOW)) is not None:
        answers.append((parse_prefix(transmit.data)[2], chunks(transmit.data)[0][0]))
    assert answers == [(1, CHUNK_ABORT), (2, CHUNK_ABORT), (3, CHUNK_ABORT)]
