"""A link with scissors."""

from __future__ import annotations

import select

import pytest

from sctpx.core.outputs import Transmit
from sctpx.link import Capabilities, Link, UdpLink
from sctpx.link.filter import FilteredLink, FilteredSocket
from tests.unit.link.conftest import PATIENCE, ClosedPort, OpenLink
from tests.unit.link.test_udp import linux_only, packed

ONE, TWO = packed("127.0.0.1"), packed("127.0.0.2")

pytestmark = linux_only


def transmit(link: FilteredLink | UdpLink, remote: bytes, local: bytes = b"", data: bytes = b"packet") -> Transmit:
    return Transmit(local, remote, link.port, data, len(data))


def arrived(link: FilteredLink) -> list[bytes]:
    """What one wake-up brings."""
    ready, _, _ = select.select(link.sockets, [], [], PATIENCE)
    assert ready, "nothing arrived"
    return [batch[3] for sock in ready for batch in link.receive(sock)]


def test_it_stands_in_for_the_link_behind_it(open_link: OpenLink) -> None:
    inner = open_link(["127.0.0.1"])
    link = FilteredLink(inner)
    as_link: Link[FilteredSocket] = link
    assert as_link is link
    link.add_address("127.0.0.2")
    assert (link.port, link.addresses) == (inner.port, inner.addresses)
    assert [sock.address for sock in link.sockets] == [ONE, TWO]
    assert [sock.fileno() for sock in link.sockets] == [sock.fileno() for sock in inner.sockets]
    assert link.sockets[0].socket is inner.sockets[0].socket
    assert link.socket_for(transmit(link, ONE, TWO)) is link.sockets[1]
    assert link.max_packet(ONE) == inner.max_packet(ONE)
    link.close()
    assert inner.sockets[0].fileno() == -1


def test_what_is_not_cut_passes_both_ways(open_link: OpenLink) -> None:
    link = FilteredLink(open_link(["127.0.0.1", "127.0.0.2"]))
    assert link.send(transmit(link, ONE, TWO)) == 0
    assert arrived(link) == [b"packet"]


@pytest.mark.parametrize("cut", ["127.0.0.1", "127.0.0.2"])
def test_what_goes_to_or_leaves_from_a_cut_address_counts_as_sent_and_does_not_arrive(
    open_link: OpenLink, cut: str
) -> None:
    receiver = FilteredLink(open_link(["127.0.0.1"]))
    sender = FilteredLink(open_link(["127.0.0.2"]))
    sender.cut(cut)
    for local in (TWO, b""):
        lost = Transmit(local, ONE, receiver.port, b"lost", 4)
        assert sender.send(lost) == 0
    sender.heal(cut)
    assert sender.send(Transmit(TWO, ONE, receiver.port, b"healed", 6)) == 0
    assert arrived(receiver) == [b"healed"]


@pytest.mark.parametrize("cut", ["127.0.0.1", "127.0.0.2"])
def test_what_comes_from_or_to_a_cut_address_is_dropped(open_link: OpenLink, cut: str) -> None:
    receiver = FilteredLink(open_link(["127.0.0.1"]))
    sender = open_link(["127.0.0.2"])
    receiver.cut(cut)
    sender.send(Transmit(TWO, ONE, receiver.port, b"lost", 4))
    assert arrived(receiver) == []
    receiver.heal()
    sender.send(Transmit(TWO, ONE, receiver.port, b"healed", 6))
    assert arrived(receiver) == [b"healed"]


def test_a_datagram_received_by_other_means_is_emptied_if_it_is_to_be_dropped(open_link: OpenLink) -> None:
    link = FilteredLink(open_link(["127.0.0.1"], capabilities=Capabilities()))
    (sock,) = link.sockets
    assert sock.received(b"packet", ("127.0.0.2", 4711)) == (ONE, TWO, 4711, b"packet", 6, 0)
    link.cut("127.0.0.2")
    assert sock.received(b"packet", ("127.0.0.2", 4711))[3] == b""


def test_icmp_errors_of_a_cut_address_are_dropped(open_link: OpenLink, closed_port: ClosedPort) -> None:
    link = FilteredLink(open_link(["127.0.0.1"]))
    (sock,) = link.sockets
    for cut, seen in ((False, 1), (True, 0)):
        link.send(Transmit(ONE, TWO, closed_port("127.0.0.2"), b"refused", 7))
        if cut:
            link.cut("127.0.0.2")
        assert select.select([sock], [], [], PATIENCE)[0]
        assert link.receive(sock) == []
        assert len(link.receive_errors(sock)) == seen
