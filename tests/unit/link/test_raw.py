"""The raw link: packets in and out, SCTP ports, what is left when a send fails, what ICMP brings.

Everything runs on a host of its own with a loopback interface, where this process is the only one with raw sockets.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TypeAlias

import pytest

from sctpx.core.outputs import CLASS_SHIFT, Transmit
from sctpx.link import Link, RawLink, RawSocket, Received
from sctpx.link.interfaces import address_mtu
from tests.namespaces import own_host
from tests.unit.link.conftest import PATIENCE, Elsewhere
from tests.unit.link.marks import CS5, LABEL, marks_received, observe_marks, take_flow_label

PORT = 5000
DATA, INIT = 0, 1

OpenRaw: TypeAlias = Callable[..., RawLink]
both_families = pytest.mark.parametrize(("ip", "other"), [("127.0.0.1", "127.0.0.2"), ("::1", "::2")])


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """The host of these tests."""
    with own_host(["::2"]):
        yield


@pytest.fixture
def open_raw() -> Iterator[OpenRaw]:
    """Open a link with SCTP ports at all its addresses; closed after the test."""
    with ExitStack() as links:

        def opened(*addresses: str, ports: Sequence[int] = (PORT,), ecn: bool = False) -> RawLink:
            link = RawLink.open(addresses, ecn=ecn)
            links.callback(link.close)
            for port in ports:
                link.open_port(port, link.addresses)
            return link

        yield opened


def packed(ip: str) -> bytes:
    return ip_address(ip).packed


def packet(number: int = 0, size: int = 100, port: int = PORT, kind: int = DATA) -> bytes:
    """An SCTP packet from and to a port; no two numbers make the same."""
    head = struct.pack("!HHIIBBH", port, port, number, 0, kind, 0, size - 12)
    return head + bytes([number % 251]) * (size - len(head))


def transmit(ip: str, *packets: bytes, local: str = "", flowinfo: int = 0) -> Transmit:
    """Packets of one size, the last one perhaps shorter, to an address."""
    return Transmit(packed(local) if local else b"", packed(ip), 0, b"".join(packets), len(packets[0]), flowinfo)


def collected(link: RawLink, count: int, sock: int = 0) -> list[Received]:
    """Receive until so many packets have come."""
    batches: list[Received] = []
    while sum(-(-len(batch[3]) // batch[4]) for batch in batches) < count:
        assert select.select([link.sockets[sock]], [], [], PATIENCE)[0], "what was sent did not arrive"
        batches += link.receive(link.sockets[sock])
    return batches


def nothing_arrives(link: RawLink) -> bool:
    """Whether no packet is there to be read; packets on the loopback interface are there at once."""
    return link.receive(link.sockets[0]) == []


# --- opening ---


def test_a_link_is_what_a_driver_asks_for(open_raw: OpenRaw) -> None:
    link: Link[RawSocket] = open_raw("127.0.0.1", "::1")
    assert link.port == 0
    assert link.addresses == [packed("127.0.0.1"), packed("::1")]
    assert [sock.address for sock in link.sockets] == link.addresses
    assert all(sock.fileno() >= 0 for sock in link.sockets)


def test_an_address_can_be_given_twice_and_added_later(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1", "127.0.0.1")
    link.add_address(packed("127.0.0.1"))
    link.add_address("127.0.0.2")
    assert link.addresses == [packed("127.0.0.1"), packed("127.0.0.2")]


@pytest.mark.parametrize(
    ("addresses", "code", "complaint"),
    [
        ([], errno.EINVAL, "at least one"),
        (["0.0.0.0"], errno.EINVAL, "wildcard"),
        (["ff02::1"], errno.EINVAL, "no address to send from"),
        (["127.0.0.1", "203.0.113.1"], errno.EADDRNOTAVAIL, r"cannot receive SCTP at 203\.0\.113\.1"),
    ],
)
def test_what_cannot_be_a_local_address_is_refused(addresses: list[str], code: int, complaint: str) -> None:
    with pytest.raises(OSError, match=complaint) as failure:
        RawLink.open(addresses)
    assert failure.value.errno == code


def test_a_closed_link_gives_its_ports_back(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1")
    link.close()
    link.close()
    open_raw("127.0.0.1")


def test_ip_fragments_what_it_may(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1", "::1")
    assert link.forbids_fragments
    options = ((socket.IPPROTO_IP, 10), (socket.IPPROTO_IPV6, 23))  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER
    for sock, ip, option in zip(link.sockets, ("127.0.0.1", "::1"), options, strict=True):
        for fragments, mode in ((True, 0), (False, 3), (True, 0)):  # IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE
            assert link.send(Transmit(b"", packed(ip), 0, packet(size=600), 600, 0, fragments)) == 0
            assert sock.socket.getsockopt(*option) == mode


@both_families
def test_a_packet_larger_than_the_interface_arrives_whole(open_raw: OpenRaw, ip: str, other: str) -> None:
    here, there = open_raw(other), open_raw(ip)
    large = packet(size=65000 if ":" in ip else 65500)
    assert here.send(transmit(ip, large)) == 0
    assert collected(there, 1) == [(packed(ip), packed(other), 0, large, len(large), 0)]


def test_the_largest_packet_is_that_of_the_interface(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1")
    assert link.max_packet(packed("127.0.0.2")) == address_mtu(packed("127.0.0.1"))


# --- packets ---


@both_families
def test_a_packet_arrives_without_ip_header_and_with_its_addresses(open_raw: OpenRaw, ip: str, other: str) -> None:
    here, there = open_raw(other), open_raw(ip)
    assert here.send(transmit(ip, packet())) == 0
    assert collected(there, 1) == [(packed(ip), packed(other), 0, packet(), 100, 0)]


@both_families
def test_packets_of_one_size_and_source_arrive_as_one_batch(open_raw: OpenRaw, ip: str, other: str) -> None:
    here, there = open_raw(other), open_raw(ip)
    packets = [packet(number) for number in range(20)] + [packet(20, size=40)]
    assert here.send(transmit(ip, *packets)) == 0
    assert collected(there, 21) == [(packed(ip), packed(other), 0, b"".join(packets), 100, 0)]


@both_families
def test_packets_of_growing_size_and_of_other_sources_are_batches_of_their_own(
    open_raw: OpenRaw, ip: str, other: str
) -> None:
    here, there = open_raw(other), open_raw(ip)
    sent = [packet(0, 40), packet(1, 100), packet(2, 40), packet(3, 40)]
    for one in sent:
        here.send(transmit(ip, one))
    there.send(transmit(ip, packet(4, 40)))
    assert collected(there, 5) == [
        (packed(ip), packed(other), 0, sent[0], 40, 0),
        (packed(ip), packed(other), 0, sent[1] + sent[2], 100, 0),
        (packed(ip), packed(other), 0, sent[3], 40, 0),
        (packed(ip), packed(ip), 0, packet(4, 40), 40, 0),
    ]


def test_one_packet_is_received_on_demand_and_the_rest_later(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1")
    link.send(transmit("127.0.0.1", packet(1), packet(2), packet(3)))
    (sock,) = link.sockets
    assert [batch[3] for batch in link.receive(sock, 1)] == [packet(1)]
    assert [batch[3] for batch in link.receive(sock)] == [packet(2) + packet(3)]


@both_families
@pytest.mark.parametrize(("reads", "sets", "expected"), [(True, True, 2), (True, False, 0), (False, True, 0)])
def test_ecn_bits_travel_where_both_sides_want_them(
    open_raw: OpenRaw, ip: str, other: str, reads: bool, sets: bool, expected: int
) -> None:
    here, there = open_raw(other, ecn=sets), open_raw(ip, ecn=reads)
    assert here.send(transmit(ip, packet(1), packet(2), flowinfo=2 << CLASS_SHIFT)) == 0
    assert collected(there, 2) == [(packed(ip), packed(other), 0, packet(1) + packet(2), 100, expected)]


def test_packets_with_other_ecn_bits_are_another_batch(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1", ecn=True)
    for bits in (2, 2, 3):
        link.send(transmit("127.0.0.1", packet(), flowinfo=bits << CLASS_SHIFT))
    assert [(len(batch[3]), batch[5]) for batch in collected(link, 3)] == [(200, 2), (100, 3)]


@pytest.fixture
def observer() -> Iterator[Callable[[str], socket.socket]]:
    """A plain raw socket that is told the marks of what it receives."""
    with ExitStack() as sockets:

        def opened(ip: str) -> socket.socket:
            family = socket.AF_INET6 if ":" in ip else socket.AF_INET
            sock = sockets.enter_context(socket.socket(family, socket.SOCK_RAW, 132))
            sock.bind((ip, 0))
            observe_marks(sock)
            return sock

        yield opened


@both_families
def test_the_marks_are_on_every_packet_and_on_no_other(
    open_raw: OpenRaw, observer: Callable[[str], socket.socket], ip: str, other: str
) -> None:
    link, there = open_raw(other), observer(ip)
    label = LABEL if ":" in ip else 0
    for flowinfo in (CS5 | label, 0, CS5):
        assert link.send(transmit(ip, packet(1), packet(2), flowinfo=flowinfo)) == 0
    found = marks_received(there, 6)
    assert [traffic_class for traffic_class, _ in found] == [160, 160, 0, 0, 160, 160]
    assert {label for _, label in found[:2]} == {label}


@pytest.mark.parametrize("mine", [True, False])
def test_a_flow_label_that_has_to_be_leased_is_and_one_that_is_not_to_be_had_is_left_out(
    open_raw: OpenRaw, observer: Callable[[str], socket.socket], mine: bool
) -> None:
    with own_host(["::2"]), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taker:
        taker.bind(("::1", 0))
        take_flow_label(taker, 0x11111 if mine else LABEL, packed("::1"))
        link, there = open_raw("::2"), observer("::1")
        assert link.send(transmit("::1", packet(1), packet(2), flowinfo=CS5 | LABEL)) == 0
        found = marks_received(there, 2)
    assert {traffic_class for traffic_class, _ in found} == {160}
    assert ({label for _, label in found} == {LABEL}) is mine


# --- where a packet leaves from ---


def test_a_packet_leaves_from_the_address_it_names(open_raw: OpenRaw) -> None:
    here, there = open_raw("127.0.0.2", "127.0.0.3"), open_raw("127.0.0.1")
    assert here.send(transmit("127.0.0.1", packet(), local="127.0.0.3")) == 0
    assert [batch[1] for batch in collected(there, 1)] == [packed("127.0.0.3")]


def test_without_a_name_it_leaves_from_the_nearest_address_where_its_port_is_open(open_raw: OpenRaw) -> None:
    there = open_raw("127.0.0.1")
    here = open_raw("127.0.0.2", "127.0.0.3", ports=[])
    here.open_port(PORT, [packed("127.0.0.3")])
    here.send(transmit("127.0.0.1", packet()))
    here.open_port(PORT, [packed("127.0.0.2")])
    here.send(transmit("127.0.0.1", packet()))
    here.close_port(PORT)
    here.send(transmit("127.0.0.1", packet()))
    assert [batch[1][-1] for batch in collected(there, 3)] == [3, 2]  # Two of one source are one batch.


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (transmit("127.0.0.1", packet(), local="127.0.0.9"), errno.EADDRNOTAVAIL),
        (transmit("::1", packet()), errno.EAFNOSUPPORT),
        (transmit("::1", packet(), local="127.0.0.1"), errno.EAFNOSUPPORT),
        (Transmit(b"", packed("127.0.0.1"), 9899, packet(), 100), errno.EPROTONOSUPPORT),
        (transmit("255.255.255.255", packet()), errno.EACCES),
    ],
)
def test_what_cannot_be_sent_says_why_and_is_kept_whole(open_raw: OpenRaw, sent: Transmit, code: int) -> None:
    link = open_raw("127.0.0.1")
    assert link.send(sent) == code
    assert sent.data == packet()


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS, errno.EPERM], ids=errno.errorcode.get)
def test_what_was_not_sent_stays_in_the_transmit_and_nothing_goes_twice(
    open_raw: OpenRaw, refused_by_kernel: Elsewhere, code: int
) -> None:
    link = open_raw("127.0.0.1")
    sent = transmit("127.0.0.1", packet(1), packet(2), packet(3, size=40))
    assert refused_by_kernel("sendto", code, lambda: link.send(sent), length=40) == code
    assert sent.data == packet(3, size=40)
    assert link.send(sent) == 0
    assert [batch[3] for batch in collected(link, 3)] == [packet(1) + packet(2) + packet(3, size=40)]


# --- SCTP ports ---


@both_families
def test_packets_for_open_ports_alone_come_in_while_others_have_the_rest(
    open_raw: OpenRaw, ip: str, other: str
) -> None:
    here, there, beside = open_raw(other), open_raw(ip, ports=[PORT, 7000]), open_raw(ip, ports=[6000])
    for port in (PORT, 6000, 7000, 6000):
        here.send(transmit(ip, packet(port=port, kind=INIT)))
    assert collected(there, 2) == [
        (packed(ip), packed(other), 0, packet(kind=INIT) + packet(port=7000, kind=INIT), 100, 0)
    ]
    assert [batch[3] for batch in collected(beside, 2)] == [packet(port=6000, kind=INIT) * 2]
    assert nothing_arrives(there)
    assert nothing_arrives(beside)


def test_a_port_is_open_at_the_addresses_it_was_opened_at(open_raw: OpenRaw) -> None:
    link, beside = open_raw("127.0.0.1", "127.0.0.2", ports=[]), open_raw("127.0.0.2", ports=[])
    link.open_port(PORT, [packed("127.0.0.1")])
    beside.open_port(PORT, [packed("127.0.0.2")])
    link.send(transmit("127.0.0.2", packet()))
    assert [batch[3] for batch in collected(beside, 1)] == [packet()]
    assert link.receive(link.sockets[1]) == []


def test_a_port_that_is_taken_at_one_address_is_opened_at_none(open_raw: OpenRaw) -> None:
    open_raw("127.0.0.2")
    link = open_raw("127.0.0.1", "127.0.0.2", ports=[])
    with pytest.raises(OSError, match=r"SCTP port 5000 of 127\.0\.0\.2 is taken by this process") as failure:
        link.open_port(PORT, link.addresses)
    assert failure.value.errno == errno.EADDRINUSE
    open_raw("127.0.0.1").close()


def test_a_port_cannot_be_opened_at_an_address_of_another_link(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1", ports=[])
    with pytest.raises(OSError, match=r"127\.0\.0\.2") as failure:
        link.open_port(PORT, [packed("127.0.0.1"), packed("127.0.0.2")])
    assert failure.value.errno == errno.EADDRNOTAVAIL
    open_raw("127.0.0.1")


def test_a_closed_port_is_free_and_closing_it_again_does_nothing(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1", ports=[PORT, 6000])
    link.open_port(PORT, link.addresses)
    link.close_port(PORT)
    link.close_port(PORT)
    beside = open_raw("127.0.0.1")
    link.send(transmit("127.0.0.1", packet()))
    assert [batch[3] for batch in collected(beside, 1)] == [packet()]
    assert nothing_arrives(link)


def test_a_link_that_is_alone_hears_all_packets_for_ports_that_nobody_has(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1")
    sent = [packet(port=9, kind=INIT), packet(port=9, kind=DATA)]
    link.send(transmit("127.0.0.1", *sent))
    assert [batch[3] for batch in collected(link, 2)] == [b"".join(sent)]


def test_of_several_links_one_hears_control_packets_for_ports_that_nobody_has(open_raw: OpenRaw) -> None:
    links = [open_raw("127.0.0.1", ports=[port]) for port in (5000, 5001, 5002)]
    for kind in (INIT, DATA, INIT):
        links[0].send(transmit("127.0.0.1", packet(port=9, kind=kind)))
    received = [link.receive(link.sockets[0]) for link in links]
    assert sorted(sum(len(batch[3]) for batch in batches) for batches in received) in ([0, 0, 200], [0, 0, 300])


def test_a_link_that_has_no_port_at_an_address_any_more_leaves_answering_to_another(open_raw: OpenRaw) -> None:
    idle, link = open_raw("127.0.0.1"), open_raw("127.0.0.1", ports=[6000])
    idle.close_port(PORT)
    link.send(transmit("127.0.0.1", packet(port=9, kind=INIT)))
    assert [batch[3] for batch in collected(link, 1)] == [packet(port=9, kind=INIT)]
    idle.open_port(PORT, idle.addresses)
    link.send(transmit("127.0.0.1", packet(port=9, kind=INIT)))
    assert [len(collected(idle, 1)), nothing_arrives(link)] == [1, True]


def test_beside_a_stranger_no_link_hears_packets_for_ports_it_does_not_have(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 132):
        link.send(transmit("127.0.0.1", packet(port=9, kind=INIT)))
        link.send(transmit("127.0.0.1", packet()))
        assert [batch[3] for batch in collected(link, 1)] == [packet()]


def test_a_link_without_ports_hears_nothing(open_raw: OpenRaw) -> None:
    link = open_raw("127.0.0.1", ports=[])
    link.send(transmit("127.0.0.1", packet(kind=INIT)))
    assert select.select(link.sockets, [], [], 0)[0] == []


def test_many_ports_can_be_open(open_raw: OpenRaw) -> None:
    ports = range(6000, 6200)
    link = open_raw("127.0.0.1", ports=ports)
    link.send(transmit("127.0.0.1", packet(port=6000), packet(port=6199)))
    assert [batch[3] for batch in collected(link, 2)] == [packet(port=6000) + packet(port=6199)]


# --- ICMP ---


def icmp_about(ip: str, other: str, kind: int, code: int, returned: bytes, mtu: int = 0) -> None:
    """A router says that a packet from ``ip`` to ``other`` came to this."""
    checksum_offset = 2
    if ":" in ip:
        inner = struct.pack("!IHBB", 6 << 28, len(returned), 132, 64) + packed(ip) + packed(other)
        message = struct.pack("!BBHI", kind, code, 0, mtu) + inner + returned
        family, protocol = socket.AF_INET6, socket.IPPROTO_ICMPV6
    else:
        inner = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(returned), 0, 0, 64, 132, 0) + packed(ip) + packed(other)
        message = struct.pack("!BBHI", kind, code, 0, mtu) + inner + returned
        total = sum(struct.unpack(f"!{len(message) // 2}H", message))
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        message = message[:checksum_offset] + checksum.to_bytes(2, "big") + message[checksum_offset + 2 :]
        family, protocol = socket.AF_INET, socket.IPPROTO_ICMP
    with socket.socket(family, socket.SOCK_RAW, protocol) as router:
        router.sendto(message, (ip, 0))


@pytest.mark.parametrize(
    ("ip", "other", "kind", "code", "error"),
    [
        ("127.0.0.1", "127.0.0.2", 3, 1, errno.EHOSTUNREACH),
        ("127.0.0.1", "127.0.0.2", 3, 2, errno.ENOPROTOOPT),
        ("127.0.0.1", "127.0.0.2", 3, 3, 0),  # Port unreachable says nothing (ICMP3).
        ("::1", "::2", 1, 3, errno.EHOSTUNREACH),
        ("::1", "::2", 1, 4, 0),
        ("::1", "::2", 4, 1, errno.ENOPROTOOPT),  # Linux itself says EPROTO.
        ("::1", "::2", 4, 0, 0),
        ("127.0.0.1", "127.0.0.2", 3, 4, errno.EMSGSIZE),
        ("::1", "::2", 2, 0, errno.EMSGSIZE),
    ],
)
def test_an_icmp_error_comes_back_with_the_packet_and_one_errno_for_both_families(
    open_raw: OpenRaw, ip: str, other: str, kind: int, code: int, error: int
) -> None:
    link = open_raw(ip)
    (sock,) = link.sockets
    mtu = 1400 if error == errno.EMSGSIZE else 0
    icmp_about(ip, other, kind, code, packet(size=40), mtu)
    if error:
        assert select.select([sock], [], [], PATIENCE)[0]
    assert link.receive(sock) == []
    expected = [(packed(other), 0, error, packet(size=40), mtu)] if error else []
    assert link.receive_errors(sock) == expected
    assert link.receive_errors(sock) == []


def test_an_error_about_an_earlier_packet_does_not_stop_a_send(open_raw: OpenRaw) -> None:
    link, there = open_raw("127.0.0.1"), open_raw("127.0.0.3")
    icmp_about("127.0.0.1", "127.0.0.2", 3, 1, packet(size=40))
    assert link.send(transmit("127.0.0.3", packet(1), packet(2))) == 0
    assert [batch[3] for batch in collected(there, 2)] == [packet(1) + packet(2)]
    assert link.receive(link.sockets[0]) == []
    assert link.receive_errors(link.sockets[0]) == [(packed("127.0.0.2"), 0, errno.EHOSTUNREACH, packet(size=40), 0)]
