"""An SCTP port: whom it takes in, and how an association with a peer is begun."""

from __future__ import annotations

from errno import EALREADY, EINVAL, EISCONN, EOPNOTSUPP

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import CLOSED
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.stack import Stack
from sctpx.core.timers import SECOND
from sctpx.core.worker import Worker
from sctpx.testing import pack_address, seeded_bytes
from tests.conformance.peer import PORT, Peer

NOW = 10**18
OWN = bytes((10, 0, 1, 1))


def make_endpoint(limits: Limits | None = None, *local: bytes, backlog: int = 100) -> Endpoint:
    """One that listens."""
    endpoint = Stack(seeded_bytes(1), NOW).open_endpoint(PORT, local or [OWN], limits=limits)
    endpoint.listen(backlog)
    return endpoint


def connect(endpoint: Endpoint, *remotes: bytes | PeerAddress, port: int = PORT) -> Association:
    """An association that is being set up."""
    targets = [remote if isinstance(remote, PeerAddress) else PeerAddress(remote, 9899) for remote in remotes]
    return endpoint.connect(NOW, targets, port)


def admit(endpoint: Endpoint, remote: bytes, number: int = 0, accept: bool = True) -> Association:
    """An association that counts as set up by a peer with that address."""
    association = connect(endpoint, bytes((10, 0, 9, 9)), port=6000 + number)
    endpoint.admit(association, remote)
    if accept:
        endpoint.accept(association)
    return association


def host(number: int) -> bytes:
    return bytes((10, 0, 2, number))


# --- who is taken in ---


def test_a_peer_has_so_many_associations_and_others_have_theirs() -> None:
    endpoint = make_endpoint(Limits(associations_per_peer=2))
    first = admit(endpoint, host(1), 1)
    assert not endpoint.is_full(host(1))
    admit(endpoint, host(1), 2)
    assert endpoint.is_full(host(1))
    assert not endpoint.is_full(host(2))
    endpoint.forget(first)
    assert not endpoint.is_full(host(1))
    endpoint.forget(first)  # Once more changes nothing.
    admit(endpoint, host(1), 3)
    assert endpoint.is_full(host(1))
    assert endpoint.incoming == 2


def test_a_peer_whose_associations_are_over_has_none() -> None:
    endpoint = make_endpoint(Limits(associations_per_peer=1))
    endpoint.forget(admit(endpoint, host(1), 1))
    assert not endpoint.is_full(host(1))
    admit(endpoint, host(1), 2)
    assert endpoint.is_full(host(1))


def test_all_addresses_of_a_64_are_one_peer_but_on_another_link() -> None:
    """Whoever has one IPv6 address has the whole /64; link-local addresses are such a /64 on each link."""
    endpoint = make_endpoint(Limits(associations_per_peer=1), pack_address("2001:db8::1"))
    admit(endpoint, pack_address("2001:db8:0:1::1"), 1)
    assert endpoint.is_full(pack_address("2001:db8:0:1:ffff::2"))
    assert not endpoint.is_full(pack_address("2001:db8:0:2::1"))
    admit(endpoint, pack_address("fe80::1%3"), 2)
    assert endpoint.is_full(pack_address("fe80::2%3"))
    assert not endpoint.is_full(pack_address("fe80::1%4"))


def test_all_peers_together_have_so_many_associations() -> None:
    endpoint = make_endpoint(Limits(associations=2))
    one = admit(endpoint, host(1), 1)
    assert not endpoint.is_full(host(9))
    admit(endpoint, host(2), 2)
    assert endpoint.is_full(host(9))
    endpoint.forget(one)
    assert not endpoint.is_full(host(9))


def test_so_many_associations_wait_to_be_accepted_and_none_where_nobody_listens() -> None:
    endpoint = make_endpoint(backlog=2)
    first = admit(endpoint, host(1), 1, accept=False)
    assert not endpoint.full
    second = admit(endpoint, host(2), 2, accept=False)
    assert endpoint.full
    assert endpoint.is_full(host(3))
    endpoint.accept(first)
    assert not endpoint.is_full(host(3))
    admit(endpoint, host(3), 3, accept=False)
    assert endpoint.full
    endpoint.forget(second)
    assert not endpoint.full
    endpoint.stop_listening()
    assert endpoint.full
    endpoint.listen(1)
    assert endpoint.full
    for backlog in (0, -1):
        with pytest.raises(OSError, match="backlog") as caught:
            endpoint.listen(backlog)
        assert caught.value.errno == EINVAL
    assert endpoint.backlog == 1


def test_associations_of_this_side_count_for_no_peer() -> None:
    endpoint = make_endpoint(Limits(associations=1, associations_per_peer=1))
    association = connect(endpoint, host(1))
    assert not endpoint.is_full(host(1))
    endpoint.forget(association)
    assert endpoint.incoming == 0


# --- setting up ---


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_an_sctp_port_that_no_peer_can_have_is_refused(port: int) -> None:
    """RFC 9260 section 3.1: "The port number 0 MUST NOT be used"."""
    endpoint = make_endpoint()
    with pytest.raises(OSError, match="SCTP port") as caught:
        connect(endpoint, host(1), port=port)
    assert caught.value.errno == EINVAL
    assert endpoint.associations == {}


@pytest.mark.parametrize("port", [1, 65535])
def test_the_lowest_and_the_highest_sctp_port_can_be_a_peers(port: int) -> None:
    assert connect(make_endpoint(), host(1), port=port).peer_port == port


def test_without_an_address_nothing_is_begun() -> None:
    endpoint = make_endpoint()
    with pytest.raises(OSError, match="no addresses") as caught:
        connect(endpoint)
    assert caught.value.errno == EINVAL
    assert endpoint.associations == {}


def test_a_second_association_with_a_peer_is_refused_by_what_the_first_one_is() -> None:
    endpoint = make_endpoint()
    connect(endpoint, host(1))
    with pytest.raises(OSError, match="there is an association") as caught:
        connect(endpoint, host(2), host(1))
    assert caught.value.errno == EALREADY
    connect(endpoint, host(1), port=PORT + 1)
    connect(endpoint, host(2))
    peer = Peer()
    with pytest.raises(OSError, match="there is an association") as caught:
        peer.endpoint.connect(peer.now, [PeerAddress(bytes((10, 0, 1, 2)), 9899)], PORT)
    assert caught.value.errno == EISCONN


def test_an_address_that_is_listed_twice_is_asked_once_by_each_encapsulation() -> None:
    """CX7."""
    twice = [PeerAddress(host(1), port) for port in (9899, 9899, 9900, 0, 0)]
    report = connect(make_endpoint(), *twice, host(1), host(2)).report
    assert [(one.ip, one.udp_port) for one in report] == [
        (host(1), 9899),
        (host(1), 9900),
        (host(1), 0),
        (host(2), 9899),
    ]


def test_addresses_of_a_peer_are_asked_from_different_addresses_where_these_are_as_good() -> None:
    """One failure should not cut all paths (RFC 9260 section 6.4)."""
    locals_ = [bytes((192, 0, 2, last)) for last in (1, 2)]
    endpoint = make_endpoint(None, *locals_)
    remotes = [bytes((198, 51, 100, 1)), bytes((203, 0, 113, 1))]
    report = connect(endpoint, PeerAddress(remotes[0], 1), PeerAddress(remotes[0], 2), remotes[1]).report
    sources = [one.source for one in report]
    assert sources[0] == sources[1]  # Ways to one address are no paths of their own.
    assert {sources[0], sources[2]} == set(locals_)
    asked = connect(endpoint, PeerAddress(remotes[1], 9899, locals_[0]), port=6000).report
    assert [one.source for one in asked] == [locals_[0]]


def test_the_first_init_is_repeated_by_rto_initial_of_the_config_that_is_given() -> None:
    stack = Stack(seeded_bytes(1), NOW)
    endpoint = stack.open_endpoint(PORT, [OWN])
    endpoint.connect(NOW, [PeerAddress(host(1), 9899)], PORT, AssociationConfig(rto_initial=2.0))
    while stack.poll_transmit(NOW) is not None:
        pass
    assert stack.next_timeout() == NOW + 2 * SECOND


def test_an_endpoint_that_is_closed_has_no_association_and_its_port_is_free() -> None:
    stack = Stack(seeded_bytes(1), NOW)
    endpoint = stack.open_endpoint(PORT, [OWN])
    endpoint.listen()
    association = endpoint.connect(NOW, [PeerAddress(host(1), 9899)], PORT)
    endpoint.close(NOW)
    assert association.state == CLOSED
    assert endpoint.full
    stack.open_endpoint(PORT, [OWN])


def test_an_endpoint_uses_its_addresses_and_those_of_its_associations() -> None:
    other = bytes((10, 0, 7, 1))
    endpoint = make_endpoint()
    assert endpoint.uses(OWN)
    assert not endpoint.uses(other)
    connect(endpoint, PeerAddress(host(1), 9899, other))
    assert endpoint.uses(other)


def test_the_sources_are_the_addresses_that_the_peer_is_told_or_all_if_it_is_told_none() -> None:
    """Else packets would come from an address that the peer does not know: they would be out of the blue."""
    locals_ = [bytes((10, 0, 1, last)) for last in (1, 2)]
    for announce, scope, expected in (
        ([], None, locals_),
        (locals_, None, locals_),
        (locals_, lambda own, peer: own[1:], locals_[1:]),
    ):
        stack = Stack(seeded_bytes(1), NOW)
        endpoint = stack.open_endpoint(PORT, locals_, None, announce)
        endpoint.scope = scope
        association = connect(endpoint, host(1), host(2))
        assert association.tcb.local_addresses == expected
        assert {one.source for one in association.report} <= set(expected)


def test_another_way_to_an_address_is_asked_half_a_delay_behind_it() -> None:
    stack = Stack(seeded_bytes(1), NOW)
    endpoint = stack.open_endpoint(PORT, [OWN])
    ways = [PeerAddress(host(1), 9899), PeerAddress(host(1), 0, alternative=True)]
    association = endpoint.connect(NOW, ways, PORT, AssociationConfig(attempt_delay=0.2))
    while stack.poll_transmit(NOW) is not None:
        pass
    assert stack.next_timeout() == NOW + SECOND // 10
    assert [one.listed for one in association.report] == [True, True]


def test_what_the_stack_knows_of_its_link_and_of_others_its_sctp_ports_know_too() -> None:
    stack = Stack(seeded_bytes(1), NOW)
    stack.forbids_fragments = True
    stack.ask_link_mtu = lambda remote, local, anew: 1400
    stack.worker = Worker(0, 1, lambda *_: None, b"seed")
    endpoint = stack.open_endpoint(PORT, [OWN])
    assert endpoint.known_mtus is stack.known_mtus
    assert endpoint.worker is stack.worker
    assert endpoint.forbids_fragments
    assert endpoint.link_mtu(host(1), OWN) == 1400


def test_tags_and_tsns_are_drawn_at_random() -> None:
    """RFC 9260 sections 5.3.1 and 12.2.3: nobody can guess them."""
    endpoint = make_endpoint()
    made = [connect(endpoint, host(1), port=port) for port in (6000, 6001)]
    numbers = [number for one in made for number in (one.tcb.local_tag, one.tcb.initial_tsn & 0xFFFFFFFF)]
    assert len(set(numbers)) == 4
    assert min(numbers) > 1 << 16


# --- what the link has ---


def test_an_association_relies_on_nothing_that_the_link_has_not() -> None:
    """RFC 9653 section 5.1: the method is that of the lower layer; RFC 3168: the bits have to be read."""
    for method, wanted, error in ((0, 1, EOPNOTSUPP), (1, 1, 0), (2, 1, EOPNOTSUPP), (1, 0, 0)):
        stack = Stack(seeded_bytes(1), NOW)
        stack.error_detection_method = method
        check(stack, AssociationConfig(error_detection_method=wanted), error)
    for read_ecn, error in ((None, EOPNOTSUPP), (lambda: False, EOPNOTSUPP), (lambda: True, 0)):
        stack = Stack(seeded_bytes(1), NOW)
        stack.read_ecn = read_ecn
        check(stack, AssociationConfig(ecn=True), error)
        check(stack, AssociationConfig(), 0)


def check(stack: Stack, config: AssociationConfig, error: int) -> None:
    """Whether an association can be begun, or why not."""
    endpoint = stack.open_endpoint(0, [OWN])
    if not error:
        endpoint.connect(NOW, [PeerAddress(host(1), 9899)], PORT, config)
        return
    with pytest.raises(OSError, match="the link does not") as caught:
        endpoint.connect(NOW, [PeerAddress(host(1), 9899)], PORT, config)
    assert caught.value.errno == error
    assert endpoint.associations == {}
