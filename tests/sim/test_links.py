"""Link-local addresses on several links: the zone is known on this host, never on the wire (RFC 4007)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sctpx.core.association.association import Association
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.endpoint import PeerAddress
from sctpx.core.events import CommunicationLost, CommunicationUp, Restarted
from sctpx.core.stack import Stack
from sctpx.testing import Network, Packet, Pair, pack_address
from sctpx.testing.packet import address_text
from sctpx.wire.packet import chunks
from sctpx.wire.setup import parse

PORT = 5000


def listed(packet: Packet) -> list[str]:
    """The addresses in the INIT or INIT ACK of a packet."""
    [(_, _, value)] = chunks(packet.data)
    return [address_text(ip) for ip in parse(value, ack=packet.chunks == ["INIT ACK"]).addresses]


def remotes(association: Association) -> list[str]:
    return [address_text(path.remote) for path in association.paths]


def all_confirmed(*associations: Association) -> Callable[[], bool]:
    return lambda: all(path.confirmed for association in associations for path in association.paths)


def check_that_every_path_carries_data(pair: Pair) -> None:
    for mine, theirs in ((pair.a, pair.b), (pair.b, pair.a)):
        for path in mine.association.paths:
            data = address_text(path.remote).encode()
            mine.association.send(mine.host.now, data, remote=path.remote)
            pair.network.run(lambda theirs=theirs, data=data: data in theirs.messages())  # type: ignore[misc]


def test_what_is_listed_on_the_wire_has_no_zone() -> None:
    with Pair(1, a=["fe80::1%1", "fe80::3%1"], b=["fe80::2%1", "fe80::4%1"]).connect() as pair:
        setup = [packet for packet in pair.network.packets() if "INIT" in "".join(packet.chunks)]
        assert [listed(packet) for packet in setup] == [["fe80::1", "fe80::3"], ["fe80::4"]]


def test_what_is_listed_is_on_the_link_that_the_list_came_by() -> None:
    with Pair(1, a=["fe80::1%7", "fe80::3%7"], b=["fe80::2%7", "fe80::4%7"]).connect() as pair:
        assert remotes(pair.a.association) == ["fe80::2%7", "fe80::4%7"]
        assert sorted(remotes(pair.b.association)) == ["fe80::1%7", "fe80::3%7"]
        pair.network.run(all_confirmed(pair.a.association, pair.b.association))
        check_that_every_path_carries_data(pair)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["fe80::1%1", "fe80::3%2"], ["fe80::2%1", "fe80::4%2"]),
        (["fe80::1%1", "fe80::1%2"], ["fe80::2%1", "fe80::2%2"]),
        (["fe80::1%1", "fe80::1%2"], ["fe80::2%1", "fe80::4%2"]),
        (["fe80::1%1", "fe80::3%2"], ["fe80::2%1", "fe80::2%2"]),
    ],
)
def test_an_association_over_two_links_finds_the_peer_on_both(a: list[str], b: list[str]) -> None:
    """A guesses nothing: its user named both links. B learns the second one by what comes from there."""
    with Pair(1, a=a, b=b).connect() as pair:
        assert remotes(pair.a.association) == b
        pair.network.run_for(60)
        assert sorted(remotes(pair.b.association)) == sorted(a)
        assert all_confirmed(pair.a.association, pair.b.association)()
        check_that_every_path_carries_data(pair)
        assert pair.a.events_of(CommunicationLost) == []


def test_data_goes_on_by_the_other_link_when_one_is_cut() -> None:
    with Pair(1, a=["fe80::1%1", "fe80::3%2"], b=["fe80::2%1", "fe80::4%2"]).connect() as pair:
        pair.network.cut("fe80::1%1", "fe80::2%1")
        pair.a.send(b"by the other link")
        pair.network.run(lambda: pair.b.messages() == [b"by the other link"])
        pair.b.send(b"and back")
        pair.network.run(lambda: pair.a.messages() == [b"and back"])
        assert sorted(remotes(pair.b.association)) == ["fe80::1%1", "fe80::3%2"]


@pytest.mark.parametrize("first", [0, 1])
def test_a_restart_over_two_links_adds_no_addresses(first: int) -> None:
    """RFC 9260 section 5.2.2 refuses a restart "with new addresses": the same ones by another link are not new."""
    with Pair(1, a=["fe80::1%1", "fe80::3%2"], b=["fe80::2%1", "fe80::4%2"]).connect() as pair:
        pair.network.run_for(60)
        host = pair.a.host
        host.crash()
        host.restart()
        again = host.open_endpoint(PORT)
        peers = pair.b.host.peer_addresses
        association = again.connect(host.now, [peers[first], peers[1 - first]], PORT)
        pair.network.run(lambda: pair.b.events_of(Restarted) and association.state == ESTABLISHED)
        assert sorted(remotes(pair.b.association)) == ["fe80::1%1", "fe80::3%2"]


def test_one_address_on_two_links_is_two_peers() -> None:
    """Two hosts have one link-local address and one port; what differs is the link."""
    network = Network(1)
    server = network.add_host("S", ["fe80::2%1", "fe80::2%2"])
    listening = server.open_endpoint(PORT)
    listening.listen()
    up = []
    for link in (1, 2):
        client = network.add_host(f"C{link}", [f"fe80::1%{link}"])
        peer = PeerAddress(pack_address(f"fe80::2%{link}"), server.udp_port)
        up.append(client.open_endpoint(PORT).connect(client.now, [peer], PORT))
        network.run(lambda: up[-1].state == ESTABLISHED)
    network.run(lambda: len([event for event in server.events if isinstance(event, CommunicationUp)]) == 2)
    assert [remotes(association) for association in listening.associations.values()] == [["fe80::1%1"], ["fe80::1%2"]]
    assert [remotes(association) for association in up] == [["fe80::2%1"], ["fe80::2%2"]]
    network.run_for(60)
    assert [association.state for association in up] == [ESTABLISHED, ESTABLISHED]


@pytest.mark.parametrize(("zone", "taken"), [(bytes((0, 0, 0, 7)), ["fe80::1%7"]), (b"", [])])
def test_what_comes_by_a_global_address_is_on_the_link_of_our_address(zone: bytes, taken: list[str]) -> None:
    """If it is not known which link that is, nothing could be sent to a link-local address: it is not taken."""
    network = Network(1, make_stack=lambda random, now: Stack(random, now, zone_of_local=lambda _: zone))
    a = network.add_host("A", ["2001:db8::1", "fe80::1%7"])
    b = network.add_host("B", ["2001:db8::2", "fe80::2%7"])
    listening = b.open_endpoint(PORT)
    listening.listen()
    association = a.open_endpoint().connect(a.now, b.peer_addresses[:1], PORT)
    network.run(lambda: association.state == ESTABLISHED and listening.associations)
    [accepted] = listening.associations.values()
    assert remotes(accepted) == ["2001:db8::1", *taken]
    assert remotes(association) == ["2001:db8::2", *[text.replace("::1", "::2") for text in taken]]


def test_the_user_knows_the_link_where_nothing_else_tells_it() -> None:
    network = Network(1)
    a = network.add_host("A", ["2001:db8::1", "fe80::1%7"])
    b = network.add_host("B", ["2001:db8::2", "fe80::2%7"])
    listening = b.open_endpoint(PORT)
    listening.listen()
    association = a.open_endpoint().connect(a.now, b.peer_addresses, PORT)
    network.run(lambda: association.state == ESTABLISHED)
    assert remotes(association) == ["2001:db8::2", "fe80::2%7"]
