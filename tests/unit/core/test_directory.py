"""Which association a packet is for: by tags, by addresses, and what is left of those that are over."""

from __future__ import annotations

from sctpx.core.arrival import Arrival
from sctpx.core.association.association import Association
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.directory import MAX_CLAIMS, Directory, with_peer_tag
from sctpx.core.endpoint import PeerAddress
from sctpx.core.stack import Stack
from sctpx.core.state_cookie import Cookie
from sctpx.core.timers import SECOND
from sctpx.testing import seeded_bytes
from sctpx.wire import control
from sctpx.wire.packet import finish_packet, prefix

NOW = 10**18
LIFE = 60 * SECOND
OWN = bytes((10, 0, 1, 1))
PORT, PEER_PORT = 5000, 6000
UDP_PORT = 9899


def ip(number: int) -> bytes:
    return bytes((10, 0, 2, number))


def make(
    seed: int, *remotes: bytes, port: int = PEER_PORT, local_port: int = PORT, udp_port: int = UDP_PORT
) -> Association:
    """An association whose peer has these addresses; its tag is ``seed``."""
    endpoint = Stack(seeded_bytes(seed), NOW).open_endpoint(local_port, [OWN])
    association = endpoint.connect(NOW, [PeerAddress(remote, udp_port) for remote in remotes], port)
    association.tcb.peer_tag = seed
    association.tcb.moved = True
    return association


def up(association: Association, *confirmed: bytes, udp_port: int = UDP_PORT) -> Association:
    """It is up: of its addresses these are confirmed."""
    tcb = association.tcb
    for remote in tcb.remotes():
        path = tcb.add_path(remote, OWN, udp_port)
        path.confirmed = remote in confirmed
    tcb.state = ESTABLISHED
    return association


def arrival(remote: bytes, udp_port: int = UDP_PORT, port: int = PEER_PORT) -> Arrival:
    return Arrival(NOW, OWN, remote, udp_port, finish_packet(prefix(port, PORT, 7), control.cookie_ack()))


# --- by addresses ---


def test_an_association_is_found_by_its_tag_and_by_every_address_with_its_ports() -> None:
    directory = Directory(NOW)
    one, other = make(1, ip(1), ip(2)), make(2, ip(1), port=PEER_PORT ^ 0x8001)
    for association in (one, other):
        directory.enter(association)
        assert directory.by_prefix[association.tcb.peer_prefix] is association
    for remote in (ip(1), ip(2)):
        assert directory.find(remote, PEER_PORT, PORT) is one
        assert directory.at(remote, PEER_PORT, PORT) == [one]
    assert directory.find(ip(1), PEER_PORT ^ 0x8001, PORT) is other
    assert directory.find(ip(1), PORT, PEER_PORT) is None
    assert (directory.find(ip(3), PEER_PORT, PORT), directory.at(ip(3), PEER_PORT, PORT)) == (None, [])


def test_ports_are_told_apart_in_all_their_bits() -> None:
    directory = Directory(NOW)
    every = {
        (port, local): make(1, ip(1), port=port, local_port=local) for port in (2, 3) for local in (0x1388, 0x9388)
    }
    for association in every.values():
        directory.enter(association)
    for (port, local), association in every.items():
        assert directory.at(ip(1), port, local) == [association]


def test_an_address_is_that_of_the_first_association_and_then_of_the_next_one() -> None:
    directory = Directory(NOW)
    first, second, third = [make(seed, ip(1), ip(seed + 1)) for seed in (1, 2, 3)]
    for association in (first, second, third):
        directory.enter(association)
    assert directory.at(ip(1), PEER_PORT, PORT) == [first, second, third]
    directory.remove(second)
    assert directory.at(ip(1), PEER_PORT, PORT) == [first, third]
    directory.remove(first)
    assert directory.at(ip(1), PEER_PORT, PORT) == [third]
    assert (directory.find(ip(2), PEER_PORT, PORT), directory.find(ip(4), PEER_PORT, PORT)) == (None, third)
    directory.remove(third)
    directory.remove(third)
    assert directory.at(ip(1), PEER_PORT, PORT) == []
    assert directory.by_prefix == {}


def test_an_association_that_was_drawn_the_tag_of_another_one_takes_nothing_with_it() -> None:
    directory = Directory(NOW)
    first, second = make(1, ip(1)), make(2, ip(2))
    second.tcb.peer_prefix = first.tcb.peer_prefix
    directory.enter(first)
    directory.enter(second)
    directory.remove(first)
    assert directory.by_prefix == {second.tcb.peer_prefix: second}


def test_addresses_that_have_changed_are_entered_when_the_association_says_so() -> None:
    directory = Directory(NOW)
    association = up(make(1, ip(1), ip(2)), ip(1), ip(2))
    directory.enter(association)
    tcb = association.tcb
    del tcb.paths[0]
    directory.enter(association)
    assert directory.find(ip(1), PEER_PORT, PORT) is association
    tcb.moved = True
    directory.enter(association)
    assert not tcb.moved
    assert [directory.find(ip(number), PEER_PORT, PORT) for number in (1, 2)] == [None, association]


def test_few_associations_are_found_by_an_address_that_they_have_not_confirmed() -> None:
    """RFC 5062 section 2."""
    directory = Directory(NOW)
    every = [up(make(seed, ip(1))) for seed in range(1, MAX_CLAIMS + 5)]
    for association in every:
        directory.enter(association)
    assert directory.at(ip(1), PEER_PORT, PORT) == every[: MAX_CLAIMS + 1]
    certain = up(make(99, ip(1)), ip(1))
    directory.enter(certain)
    assert directory.at(ip(1), PEER_PORT, PORT)[-1] is certain


def test_a_setup_chunk_is_for_the_peer_at_its_udp_port_first_and_for_nobody_who_only_says_so() -> None:
    """RFC 9260 sections 5.1.2 D and 5.4."""
    directory = Directory(NOW)
    there = up(make(1, ip(1)), ip(1), udp_port=UDP_PORT + 1)
    here = up(make(2, ip(1)), ip(1))
    says_so = up(make(3, ip(1), ip(2)), ip(2))
    for association in (there, here, says_so):
        directory.enter(association)
    assert directory.claimed_by(arrival(ip(1)), []) == [here, there]
    assert directory.claimed_by(arrival(ip(1), UDP_PORT + 1), []) == [there, here]
    assert directory.claimed_by(arrival(ip(9)), [ip(1), ip(2)]) == [here, says_so, there]
    assert directory.claimed_by(arrival(ip(9)), []) == []
    setting_up = make(4, ip(3))
    directory.enter(setting_up)
    assert directory.claimed_by(arrival(ip(3)), []) == [setting_up]


def test_who_only_says_that_an_address_is_its_own_keeps_nobody_else_from_being_found() -> None:
    """RFC 5062 section 2."""
    directory = Directory(NOW)
    says_so, certain = up(make(1, ip(1), ip(2)), ip(2)), up(make(2, ip(1)), ip(1))
    for association in (says_so, certain):
        directory.enter(association)
    assert directory.claimed_by(arrival(ip(1)), []) == [certain]


def test_an_address_that_was_deleted_is_the_associations_until_it_is_entered_anew() -> None:
    directory = Directory(NOW)
    association = up(make(1, ip(1), ip(2)), ip(1), ip(2))
    directory.enter(association)
    del association.tcb.paths[0]
    assert directory.claimed_by(arrival(ip(1)), []) == [association]


def test_an_association_that_is_entered_once_more_has_its_addresses_once() -> None:
    directory = Directory(NOW)
    first, second = make(1, ip(1)), make(2, ip(1))
    for association in (first, second, second):
        association.tcb.moved = True
        directory.enter(association)
    assert directory.at(ip(1), PEER_PORT, PORT) == [first, second]


def test_a_packet_that_is_returned_was_sent_by_the_association_with_its_tags() -> None:
    directory = Directory(NOW)
    first, second = make(1, ip(1)), make(2, ip(1))
    for association in (first, second):
        directory.enter(association)
    for tag, sender in ((1, first), (2, second), (3, first)):
        assert directory.find_sender(ip(1), prefix(PORT, PEER_PORT, tag)) is sender
        assert with_peer_tag([first, second], tag) is sender
    assert directory.find_sender(ip(2), prefix(PORT, PEER_PORT, 1)) is None
    assert directory.find_sender(ip(1), b"short") is None


# --- what is over ---


def cookie_of(association: Association, created: int = NOW, **changes: object) -> Cookie:
    cookie = Cookie()
    cookie.created, cookie.lifespan = created, LIFE
    cookie.peer_tag, cookie.peer_port, cookie.local_port = association.tcb.peer_tag, PEER_PORT, PORT
    cookie.addresses = [ip(1), ip(2)]
    for name, value in changes.items():
        setattr(cookie, name, value)
    return cookie


def test_a_cookie_does_not_bring_back_what_is_over() -> None:
    """RFC 9260 section 5.3.1: by our tag in any case, by the peer's if nobody else lives there and it is older."""
    directory = Directory(NOW)
    association = make(1, ip(1), ip(2))
    ours, elsewhere = association.tcb.peer_prefix, prefix(PEER_PORT, PORT, 99)
    directory.enter(association)
    assert not directory.is_over(ours, cookie_of(association), True)
    directory.now = NOW + 5
    directory.retire(association)
    assert directory.find(ip(1), PEER_PORT, PORT) is None
    assert directory.is_over(ours, cookie_of(association), True)
    assert directory.is_over(ours, cookie_of(association, NOW + 9), False)
    for created, alone, over in ((NOW, True, True), (NOW + 5, True, True), (NOW + 6, True, False), (NOW, False, False)):
        assert directory.is_over(elsewhere, cookie_of(association, created), alone) is over
    for changes in ({"peer_tag": 2}, {"addresses": [ip(3)]}, {"peer_port": 1}, {"local_port": 1}):
        assert not directory.is_over(elsewhere, cookie_of(association, **changes), True)
    for addresses in ([ip(1)], [ip(2)], [ip(3), ip(2)]):
        assert directory.is_over(elsewhere, cookie_of(association, addresses=addresses), True)


def test_an_association_that_never_knew_its_peer_leaves_nothing_behind() -> None:
    directory = Directory(NOW)
    association = make(1, ip(1))
    association.tcb.peer_tag = 0
    directory.enter(association)
    directory.retire(association)
    assert not directory.is_over(association.tcb.peer_prefix, cookie_of(association), True)


def test_an_association_that_was_never_entered_leaves_nothing_behind() -> None:
    directory = Directory(NOW)
    association = make(1, ip(1))
    association.indexed = []
    directory.retire(association)
    assert not directory.is_over(association.tcb.peer_prefix, cookie_of(association), True)


def test_the_tag_of_an_association_whose_addresses_have_changed_is_not_over() -> None:
    directory = Directory(NOW)
    association = up(make(1, ip(1), ip(2)), ip(1), ip(2))
    directory.enter(association)
    del association.tcb.paths[0]
    association.tcb.moved = True
    directory.enter(association)
    assert not directory.is_over(association.tcb.peer_prefix, cookie_of(association), False)


def test_after_a_restart_the_old_tag_is_over() -> None:
    directory = Directory(NOW)
    association = make(1, ip(1))
    before = association.tcb.peer_prefix
    directory.enter(association)
    association.tcb.peer_prefix = after = prefix(PEER_PORT, PORT, 77)
    association.tcb.moved = True
    directory.enter(association)
    assert [directory.is_over(key, cookie_of(association), False) for key in (before, after)] == [True, False]
    assert directory.by_prefix == {after: association}


def test_what_is_kept_is_kept_as_long_as_a_cookie_is_good() -> None:
    directory = Directory(NOW)
    association = make(1, ip(1))
    prefix_ = association.tcb.peer_prefix
    directory.enter(association)
    directory.is_over(b"", cookie_of(association, lifespan=10 * LIFE), True)
    directory.retire(association)
    for later in range(0, 10 * LIFE, LIFE):
        directory.now = NOW + later
        assert directory.is_over(prefix_, cookie_of(association), True)


def test_what_is_kept_is_forgotten_when_no_cookie_is_good_any_more() -> None:
    directory = Directory(NOW)
    association = make(1, ip(1))
    directory.enter(association)
    directory.retire(association)
    found = []
    for lives in range(4):
        directory.now = NOW + lives * (LIFE + 1)
        found.append(directory.is_over(association.tcb.peer_prefix, cookie_of(association), True))
    assert found == [True, True, False, False]


def test_packets_for_one_whose_last_packet_has_not_left_yet_are_not_out_of_the_blue() -> None:
    """RFC 9260 section 8.4."""
    directory = Directory(NOW)
    leaving, gone = make(1, ip(1)), make(2, ip(2))
    for association, ready in ((leaving, True), (gone, False)):
        directory.enter(association)
        association.ready = ready
        directory.retire(association)
    assert [directory.is_leaving(one.tcb.peer_prefix) for one in (leaving, gone)] == [True, False]
    directory.has_left(leaving)
    assert not directory.is_leaving(leaving.tcb.peer_prefix)
