"""The UDP link: ports, batches, sources, what is left when a send fails, what ICMP brings."""

from __future__ import annotations

import errno
import select
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import TypeAlias

import pytest

from sctpx.core.ip import with_zone
from sctpx.core.outputs import CLASS_SHIFT, FRAGMENTS, SMALL_FRAGMENTS, WHOLE, Transmit
from sctpx.link import Capabilities, Link, Received, ReturnedPacket, UdpLink, UdpSocket, probe
from tests.unit.link.conftest import PATIENCE, ClosedPort, Collect, Elsewhere, OpenLink, OpenSocket
from tests.unit.link.marks import CS5, LABEL, marks_received, observe_marks, take_flow_label

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is there on Linux, so are the options")
without_ipv6 = not socket.has_ipv6
with_ipv6 = pytest.mark.skipif(without_ipv6, reason="no IPv6")
both_families = pytest.mark.parametrize("ip", ["127.0.0.1", pytest.param("::1", marks=with_ipv6)])

PLAIN = Capabilities()


def packed(ip: str) -> bytes:
    return ip_address(ip).packed


def numbered(count: int, size: int, last: int = 0) -> bytes:
    """So many packets of a size, all different; the last shorter if asked."""
    packets = [index.to_bytes(2, "big") + bytes([index % 251]) * (size - 2) for index in range(count)]
    if last:
        packets[-1] = packets[-1][:last]
    return b"".join(packets)


def cut(data: bytes, segment: int) -> list[bytes]:
    return [data[start : start + segment] for start in range(0, len(data), segment)]


def packets(received: list[Received]) -> list[bytes]:
    return [packet for batch in received for packet in cut(batch[3], batch[4])]


def transmit_to(link: UdpLink, data: bytes, segment: int = 0, ip: str = "127.0.0.1", local: bytes = b"") -> Transmit:
    return Transmit(local, packed(ip), link.port, data, segment or len(data))


# --- opening ---


@linux_only
@with_ipv6
def test_all_addresses_have_one_port_number(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1", "127.0.0.2", "::1"])
    assert link.addresses == [packed("127.0.0.1"), packed("127.0.0.2"), packed("::1")]
    assert [sock.address for sock in link.sockets] == link.addresses
    assert {sock.socket.getsockname()[1] for sock in link.sockets} == {link.port}
    assert link.port > 0


def test_a_link_has_the_port_it_was_given(open_link: OpenLink, closed_port: ClosedPort) -> None:
    port = closed_port("127.0.0.1")
    assert open_link(["127.0.0.1"], port).port == port


def test_an_address_can_be_text_or_packed_or_text_with_a_scope(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1", packed("127.0.0.1"), ("127.0.0.1", 0)])
    assert link.addresses == [packed("127.0.0.1")]


@linux_only
def test_a_port_taken_on_one_address_is_given_up_on_all(
    open_link: OpenLink, open_socket: OpenSocket, closed_port: ClosedPort
) -> None:
    taken = closed_port("127.0.0.2")
    open_socket("127.0.0.2", taken)
    link = open_link(["127.0.0.1", "127.0.0.2"], [taken, 0, 0, 0])
    assert link.port != taken
    assert {sock.socket.getsockname()[1] for sock in link.sockets} == {link.port}
    open_socket("127.0.0.1", taken)


@linux_only
def test_a_failed_open_leaves_nothing_bound(
    open_link: OpenLink, open_socket: OpenSocket, closed_port: ClosedPort
) -> None:
    taken = closed_port("127.0.0.2")
    open_socket("127.0.0.2", taken)
    with pytest.raises(OSError, match=f"UDP port {taken} of 127.0.0.2"):
        open_link(["127.0.0.1", "127.0.0.2"], taken)
    open_socket("127.0.0.1", taken)


def test_a_taken_port_is_named_with_its_address_and_the_way_out(open_link: OpenLink) -> None:
    port = open_link(["127.0.0.1"]).port
    with pytest.raises(OSError, match="taken") as failure:
        open_link(["127.0.0.1"], port)
    assert failure.value.errno == errno.EADDRINUSE
    assert failure.value.strerror == (
        f"UDP port {port} of 127.0.0.1 is taken by another link of this process: "
        "choose another with udp_port= (0 takes a free one)"
    )


@linux_only
def test_a_port_taken_by_a_plain_socket_is_not_blamed_on_a_link(open_link: OpenLink, open_socket: OpenSocket) -> None:
    port = open_socket("127.0.0.1").getsockname()[1]
    with pytest.raises(OSError, match=f"UDP port {port} of 127.0.0.1 is taken by this process: .*udp_port="):
        open_link(["127.0.0.1"], port)


def test_a_closed_link_gives_its_port_back(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1"])
    link.close()
    link.close()
    assert open_link(["127.0.0.1"], link.port).port == link.port


@pytest.mark.parametrize(
    ("addresses", "complaint"),
    [
        ([], "at least one"),
        (["0.0.0.0"], "wildcard"),
        (["::"], "wildcard"),
        (["224.0.0.1"], "no address to send from"),
        (["ff02::1"], "no address to send from"),
        (["127.0.0.1", "nowhere"], "'nowhere' is not an IP address"),
    ],
)
def test_what_cannot_be_a_source_address_is_refused(addresses: list[str], complaint: str) -> None:
    with pytest.raises(OSError, match=complaint) as failure:
        UdpLink.open(addresses)
    assert failure.value.errno == errno.EINVAL


def test_no_port_to_try_is_refused() -> None:
    with pytest.raises(OSError, match="no UDP port to try") as failure:
        UdpLink.open(["127.0.0.1"], [])
    assert failure.value.errno == errno.EINVAL


def test_an_address_of_another_host_is_refused_by_name() -> None:
    with pytest.raises(OSError, match=r"203\.0\.113\.1") as failure:
        UdpLink.open(["203.0.113.1"])
    assert failure.value.errno == errno.EADDRNOTAVAIL


@linux_only
def test_an_address_added_later_has_the_same_port(open_link: OpenLink, collect: Collect) -> None:
    link = open_link(["127.0.0.1"])
    link.add_address("127.0.0.2")
    link.add_address("127.0.0.2")
    assert link.addresses == [packed("127.0.0.1"), packed("127.0.0.2")]
    assert link.send(transmit_to(link, b"packet", ip="127.0.0.2", local=packed("127.0.0.1"))) == 0
    assert collect(link, link.sockets[1], 6) == [(packed("127.0.0.2"), packed("127.0.0.1"), link.port, b"packet", 6, 0)]


@linux_only
def test_an_address_whose_port_is_taken_cannot_be_added(open_link: OpenLink, open_socket: OpenSocket) -> None:
    link = open_link(["127.0.0.1"])
    open_socket("127.0.0.2", link.port)
    with pytest.raises(OSError, match=f"UDP port {link.port} of 127.0.0.2 is taken") as failure:
        link.add_address("127.0.0.2")
    assert failure.value.errno == errno.EADDRINUSE
    assert link.addresses == [packed("127.0.0.1")]


@with_ipv6
def test_an_ipv6_socket_takes_no_ipv4_packets(open_link: OpenLink) -> None:
    (sock,) = open_link(["::1"]).sockets
    assert sock.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


@linux_only
def test_sockets_share_no_port_and_have_large_buffers(open_link: OpenLink, open_socket: OpenSocket) -> None:
    (sock,) = open_link(["127.0.0.1"]).sockets
    usual = open_socket("127.0.0.1")
    assert sock.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    assert sock.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        assert sock.socket.getsockopt(socket.SOL_SOCKET, option) >= usual.getsockopt(socket.SOL_SOCKET, option)


def test_a_link_is_what_a_driver_asks_for(open_link: OpenLink) -> None:
    link: Link[UdpSocket] = open_link(["127.0.0.1"])
    assert [sock.fileno() >= 0 for sock in link.sockets] == [True]


# --- packets and batches ---


@both_families
@pytest.mark.parametrize(
    "capabilities", [probe(), PLAIN, Capabilities(messages=True)], ids=["all it can", "nothing", "messages"]
)
def test_a_packet_arrives_with_its_addresses_and_port(
    open_link: OpenLink, collect: Collect, ip: str, capabilities: Capabilities
) -> None:
    here = open_link([ip], capabilities=capabilities)
    there = open_link([ip], capabilities=capabilities)
    assert here.send(transmit_to(there, b"one", ip=ip)) == 0
    assert collect(there, there.sockets[0], 3) == [(packed(ip), packed(ip), here.port, b"one", 3, 0)]
    assert there.send(transmit_to(here, b"answer", ip=ip, local=packed(ip))) == 0
    assert collect(here, here.sockets[0], 6) == [(packed(ip), packed(ip), there.port, b"answer", 6, 0)]


@both_families
@pytest.mark.parametrize("receiving", [probe(), replace(probe(), gro=False), PLAIN], ids=["gro", "no gro", "nothing"])
@pytest.mark.parametrize("sending", [probe(), replace(probe(), gso=False), PLAIN], ids=["gso", "no gso", "nothing"])
@pytest.mark.parametrize(
    ("count", "size", "last"), [(44, 1472, 0), (44, 1472, 700), (2, 1200, 1), (200, 100, 60), (3, 30000, 0)]
)
def test_a_batch_arrives_as_the_packets_it_was(
    open_link: OpenLink,
    collect: Collect,
    ip: str,
    sending: Capabilities,
    receiving: Capabilities,
    count: int,
    size: int,
    last: int,
) -> None:
    here = open_link([ip], capabilities=sending)
    there = open_link([ip], capabilities=receiving)
    data = numbered(count, size, last)
    assert here.send(transmit_to(there, data, size, ip)) == 0
    received = collect(there, there.sockets[0], len(data))
    assert packets(received) == cut(data, size)
    assert here.gso == sending.gso


@pytest.mark.skipif(not (probe().gso and probe().gro), reason="no UDP_SEGMENT or no UDP_GRO")
def test_a_batch_crosses_loopback_in_one_piece(open_link: OpenLink, collect: Collect) -> None:
    link = open_link(["127.0.0.1"])
    data = numbered(44, 1472, 700)
    assert link.send(transmit_to(link, data, 1472)) == 0
    ((_, _, _, arrived, segment, _),) = collect(link, link.sockets[0], len(data))
    assert (arrived, segment) == (data, 1472)


def test_without_offload_packets_go_one_by_one_and_those_of_one_size_are_handed_over_together(
    open_link: OpenLink, collect: Collect
) -> None:
    link = open_link(["127.0.0.1"], offload=False)
    assert not link.gso
    assert not link.gro
    data = numbered(5, 1000, 100)
    assert link.send(transmit_to(link, data, 1000)) == 0
    received = collect(link, link.sockets[0], len(data))
    assert packets(received) == cut(data, 1000)
    assert [batch[4] for batch in received] == [1000] * len(received)


def test_only_packets_of_one_size_and_source_are_handed_over_together(open_link: OpenLink, collect: Collect) -> None:
    links = [open_link(["127.0.0.1"], offload=False) for _ in range(3)]
    to = links[0]
    sent = [
        (1, 500),
        (1, 500),
        (1, 20),
        (1, 500),
        (2, 500),
        (2, 500),
        (1, 600),
        (1, 500),
        (1, 20),
        (1, 20),
        (1, 8),
        (1, 8),
    ]
    for number, size in sent:
        assert links[number].send(Transmit(b"", packed("127.0.0.1"), to.port, bytes([number]) * size, size)) == 0
    received = collect(to, to.sockets[0], sum(size for _, size in sent))
    assert [(len(batch[3]), batch[4], batch[2]) for batch in received] == [
        (1020, 500, links[1].port),
        (500, 500, links[1].port),
        (1000, 500, links[2].port),
        (1100, 600, links[1].port),
        (40, 20, links[1].port),
        (8, 8, links[1].port),  # No SCTP packet is as short as that.
        (8, 8, links[1].port),
    ]


@both_families
@pytest.mark.parametrize("segment", [4000, 8000])
def test_one_packet_goes_whole_whatever_its_size(open_link: OpenLink, collect: Collect, ip: str, segment: int) -> None:
    link = open_link([ip])
    data = numbered(1, 4000)
    assert link.send(transmit_to(link, data, segment, ip)) == 0
    ((_, _, _, arrived, size, _),) = collect(link, link.sockets[0], 4000)
    assert (arrived, size) == (data, 4000)


def test_receive_takes_no_more_than_its_budget(open_link: OpenLink, collect: Collect) -> None:
    link = open_link(["127.0.0.1"], offload=False)
    (sock,) = link.sockets
    for size in (100, 200, 300):  # Nothing that could be handed over together.
        assert link.send(transmit_to(link, numbered(8, size), size)) == 0
    assert select.select([sock], [], [], 5)[0]
    assert [[len(batch[3]) for batch in link.receive(sock, 2)] for _ in range(3)] == [[800, 1600], [2400], []]


def test_receive_finds_nothing_where_nothing_is(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1"])
    assert link.receive(link.sockets[0]) == []
    assert link.receive_errors(link.sockets[0]) == []


def test_an_empty_datagram_is_not_a_packet(open_link: OpenLink, open_socket: OpenSocket, collect: Collect) -> None:
    link = open_link(["127.0.0.1"])
    other = open_socket("127.0.0.1")
    other.sendto(b"", ("127.0.0.1", link.port))
    other.sendto(b"packet", ("127.0.0.1", link.port))
    assert [batch[3] for batch in collect(link, link.sockets[0], 6)] == [b"packet"]


def test_a_closed_link_receives_nothing_and_says_that_it_cannot_send(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1"])
    (sock,) = link.sockets
    link.close()
    assert sock.fileno() == -1
    assert link.receive(sock) == []
    assert link.receive_errors(sock) == []
    assert link.send(transmit_to(link, b"packet")) == errno.EBADF


@pytest.mark.skipif(not probe().ecn, reason="the ECN bits cannot be reached")
@both_families
@pytest.mark.parametrize("count", [1, 3])
def test_ecn_bits_travel_where_both_ends_ask_for_them(
    open_link: OpenLink, collect: Collect, ip: str, count: int
) -> None:
    link = open_link([ip], ecn=True)
    transmit = Transmit(b"", packed(ip), link.port, numbered(count, 50), 50, 2 << CLASS_SHIFT)
    assert link.send(transmit) == 0
    assert {batch[5] for batch in collect(link, link.sockets[0], 50 * count)} == {2}


def test_ecn_bits_are_left_alone_by_default(open_link: OpenLink, collect: Collect) -> None:
    here, there = open_link(["127.0.0.1"]), open_link(["127.0.0.1"], ecn=True)
    assert not here.ecn
    assert here.send(Transmit(b"", packed("127.0.0.1"), there.port, b"packet", 6, 2 << CLASS_SHIFT)) == 0
    assert [batch[5] for batch in collect(there, there.sockets[0], 6)] == [0]


# --- marks ---


@pytest.fixture
def observer(open_socket: OpenSocket) -> Callable[[str], socket.socket]:
    """A plain UDP socket that is told the marks of what it receives."""

    def opened(ip: str) -> socket.socket:
        sock = open_socket(ip)
        observe_marks(sock)
        return sock

    return opened


Observer: TypeAlias = Callable[[str], socket.socket]


@linux_only
@both_families
@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize("count", [1, 5])
def test_the_marks_are_on_every_packet_and_on_no_other(
    open_link: OpenLink, observer: Observer, ip: str, offload: bool, count: int
) -> None:
    """Alone and in a batch, with segmentation offload and without; what follows unmarked is not marked."""
    link, there = open_link([ip], offload=offload), observer(ip)
    port, label = there.getsockname()[1], LABEL if ":" in ip else 0
    for flowinfo in (CS5 | label, 0, CS5):
        assert link.send(Transmit(b"", packed(ip), port, numbered(count, 50), 50, flowinfo)) == 0
    found = marks_received(there, 3 * count)
    assert [traffic_class for traffic_class, _ in found] == [160] * count + [0] * count + [160] * count
    assert {label for _, label in found[:count]} == {label}


@linux_only
@both_families
@pytest.mark.parametrize("count", [1, 5])
def test_where_nothing_can_be_set_beside_a_packet_the_socket_has_the_traffic_class_meanwhile(
    open_link: OpenLink, observer: Observer, ip: str, count: int
) -> None:
    link, there = open_link([ip], capabilities=PLAIN), observer(ip)
    for flowinfo in (CS5 | LABEL, 0):
        assert link.send(Transmit(b"", packed(ip), there.getsockname()[1], numbered(count, 50), 50, flowinfo)) == 0
    assert [traffic_class for traffic_class, _ in marks_received(there, 2 * count)] == [160] * count + [0] * count


@linux_only
@with_ipv6
@pytest.mark.parametrize("mine", [True, False])
def test_a_flow_label_that_has_to_be_leased_is_and_one_that_is_not_to_be_had_is_left_out(
    own_network: Elsewhere, open_link: OpenLink, observer: Observer, open_socket: OpenSocket, mine: bool
) -> None:
    def send_labelled() -> list[tuple[int, int]]:
        link, there = open_link(["::1"]), observer("::1")
        take_flow_label(open_socket("::1"), 0x11111 if mine else LABEL, packed("::1"))
        for count in (1, 5):
            transmit = Transmit(b"", packed("::1"), there.getsockname()[1], numbered(count, 50), 50, CS5 | LABEL)
            assert link.send(transmit) == 0
        return marks_received(there, 6)

    found = own_network(65536, send_labelled)
    assert {traffic_class for traffic_class, _ in found} == {160}
    assert ({label for _, label in found} == {LABEL}) is mine


# --- sources ---


@linux_only
@with_ipv6
def test_a_transmit_leaves_by_the_address_it_names(open_link: OpenLink, collect: Collect) -> None:
    link = open_link(["127.0.0.1", "127.0.0.2", "::1"])
    for source in ("127.0.0.2", "127.0.0.1"):
        assert link.send(transmit_to(link, b"packet", local=packed(source))) == 0
        assert [batch[1] for batch in collect(link, link.sockets[0], 6)] == [packed(source)]


@linux_only
@with_ipv6
def test_without_a_source_the_nearest_address_of_the_family_sends(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1", "127.0.0.2", "::1"])
    for ip in ("127.0.0.2", "127.0.0.1", "::1", "127.0.0.2"):
        sock = link.socket_for(Transmit(b"", packed(ip), 9899, b"packet", 6))
        assert sock is not None
        assert sock.address == packed(ip)


@linux_only
def test_an_address_added_later_is_chosen_where_it_is_nearer(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1"])
    transmit = Transmit(b"", packed("127.0.0.2"), 9899, b"packet", 6)
    before = link.socket_for(transmit)
    link.add_address("127.0.0.2")
    after = link.socket_for(transmit)
    assert before is not None
    assert after is not None
    assert (before.address, after.address) == (packed("127.0.0.1"), packed("127.0.0.2"))


@pytest.mark.parametrize(
    ("local", "remote", "code"),
    [
        ("127.0.0.9", "127.0.0.1", errno.EADDRNOTAVAIL),
        ("127.0.0.1", "::1", errno.EAFNOSUPPORT),
        ("", "::1", errno.EAFNOSUPPORT),
    ],
)
def test_a_source_the_link_lacks_is_an_error_of_the_send(
    open_link: OpenLink, local: str, remote: str, code: int
) -> None:
    link = open_link(["127.0.0.1"])
    transmit = transmit_to(link, b"packet", ip=remote, local=packed(local) if local else b"")
    assert link.send(transmit) == code
    assert transmit.data == b"packet"


@with_ipv6
def test_a_link_local_address_has_its_zone_wherever_it_comes_from(
    open_link: OpenLink, collect: Collect, own_network: Elsewhere
) -> None:
    def sent_and_answered() -> tuple[list[Received], list[Received], int]:
        local, other = open_link(["fe80::1"]), open_link(["fd00::1"])
        assert local.send(transmit_to(other, b"there", ip="fd00::1")) == 0
        there = collect(other, other.sockets[0], 5)
        assert other.send(Transmit(b"", there[0][1], there[0][2], b"back", 4)) == 0
        return there, collect(local, local.sockets[0], 4), socket.if_nametoindex("lo")

    ((_, here, _, there, _, _),), ((local, source, _, back, _, _),), index = own_network(
        1500, sent_and_answered, ["fe80::1", "fd00::1"]
    )
    assert (there, back) == (b"there", b"back")
    assert here == local == with_zone(packed("fe80::1"), index)
    assert source == packed("fd00::1")


def test_an_error_that_came_back_names_the_link(open_link: OpenLink, own_network: Elsewhere) -> None:
    def refused() -> tuple[list[ReturnedPacket], bytes]:
        link = open_link(["fe80::1"])
        [sock] = link.sockets
        assert link.send(Transmit(b"", sock.address, 9, b"nobody is there", 15)) == 0
        assert select.select([sock], [], [], PATIENCE)[0]
        link.receive(sock)
        return link.receive_errors(sock), sock.address

    [(remote, port, error, _, _)], address = own_network(1500, refused, ["fe80::1"])
    assert (remote, port, error) == (address, 9, errno.ECONNREFUSED)


@pytest.mark.parametrize("mtu", [1300, 1500, 9000])
def test_a_packet_is_at_most_what_the_interface_takes(open_link: OpenLink, own_network: Elsewhere, mtu: int) -> None:
    assert own_network(mtu, lambda: open_link(["127.0.0.1"]).max_packet(packed("127.0.0.1"))) == mtu


@both_families
def test_a_packet_is_never_larger_than_ip_takes(open_link: OpenLink, ip: str) -> None:
    """The loopback interface of Linux takes 65536 bytes."""
    link = open_link([ip])
    assert link.max_packet(packed(ip)) <= 65535
    assert link.max_packet(packed(ip), packed(ip)) == link.max_packet(packed(ip))


def test_the_interfaces_are_read_before_an_association_needs_to_know(
    open_link: OpenLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read them the first time takes longer than to set up an association."""
    link = open_link(["127.0.0.1"])
    monkeypatch.setattr("sctpx.link.udp_socket.address_mtu", None)
    assert link.max_packet(packed("127.0.0.1")) > 0


# --- refusals ---


@pytest.mark.skipif(not probe().gso, reason="no UDP_SEGMENT")
@pytest.mark.parametrize(
    ("code", "still_on"), [(errno.EIO, False), (errno.EINVAL, True), (errno.EMSGSIZE, True)], ids=errno.errorcode.get
)
def test_a_refused_batch_goes_packet_by_packet(
    open_link: OpenLink, collect: Collect, refused_by_kernel: Elsewhere, code: int, still_on: bool
) -> None:
    link = open_link(["127.0.0.1"])
    data = numbered(10, 1000, 400)
    transmit = transmit_to(link, data, 1000)
    assert refused_by_kernel("sendmsg", code, lambda: link.send(transmit)) == 0
    received = collect(link, link.sockets[0], len(data))
    assert packets(received) == cut(data, 1000)
    assert link.gso is still_on


@pytest.mark.skipif(not probe().gso, reason="no UDP_SEGMENT")
@both_families
def test_packets_larger_than_the_interface_go_one_by_one_and_are_fragmented_by_ip(
    open_link: OpenLink, collect: Collect, own_network: Elsewhere, ip: str
) -> None:
    data = numbered(5, 2000, 1700)

    def received() -> tuple[list[Received], bool]:
        link = open_link([ip])
        assert link.send(transmit_to(link, data, 2000, ip)) == 0
        return collect(link, link.sockets[0], len(data)), link.gso

    batches, gso = own_network(1500, received)
    assert packets(batches) == cut(data, 2000)
    assert gso


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS, errno.EPERM], ids=errno.errorcode.get)
def test_what_was_not_sent_stays_in_the_transmit_and_nothing_goes_twice(
    open_link: OpenLink, collect: Collect, refused_by_kernel: Elsewhere, code: int
) -> None:
    link = open_link(["127.0.0.1"], offload=False)
    data = numbered(4, 1000, 400)
    transmit = transmit_to(link, data, 1000)
    assert refused_by_kernel("sendto", code, lambda: link.send(transmit), length=400) == code
    assert transmit.data == data[3000:]
    assert link.send(transmit) == 0
    assert packets(collect(link, link.sockets[0], len(data))) == cut(data, 1000)
    assert link.receive(link.sockets[0]) == []


@pytest.mark.skipif(not probe().gso, reason="no UDP_SEGMENT")
@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS], ids=errno.errorcode.get)
def test_a_batch_that_finds_the_queue_full_is_kept_whole(
    open_link: OpenLink, collect: Collect, refused_by_kernel: Elsewhere, code: int
) -> None:
    link = open_link(["127.0.0.1"])
    data = numbered(10, 1000)
    transmit = transmit_to(link, data, 1000)
    assert refused_by_kernel("sendmsg", code, lambda: link.send(transmit)) == code
    assert transmit.data == data
    assert link.gso
    assert link.send(transmit) == 0
    assert packets(collect(link, link.sockets[0], len(data))) == cut(data, 1000)


# --- ICMP ---

needs_error_queue = pytest.mark.skipif(not probe().error_queue, reason="no error queue")


@needs_error_queue
@both_families
def test_a_packet_to_a_closed_port_comes_back_with_econnrefused(
    open_link: OpenLink, closed_port: ClosedPort, ip: str
) -> None:
    link = open_link([ip])
    (sock,) = link.sockets
    port = closed_port(ip)
    assert link.send(Transmit(b"", packed(ip), port, b"our packet", 10)) == 0
    assert select.select([sock], [], [], 5)[0]
    assert link.receive(sock) == []
    assert link.receive_errors(sock) == [(packed(ip), port, errno.ECONNREFUSED, b"our packet", 0)]
    assert select.select([sock], [], [], 0)[0] == []
    assert link.receive_errors(sock) == []


@needs_error_queue
@both_families
@pytest.mark.parametrize("count", [1, 10], ids=["a packet", "a batch"])
def test_an_error_of_one_destination_does_not_fail_a_send_to_another(
    open_link: OpenLink, closed_port: ClosedPort, collect: Collect, ip: str, count: int
) -> None:
    here, there = open_link([ip]), open_link([ip])
    (sock,) = here.sockets
    port = closed_port(ip)
    assert here.send(Transmit(b"", packed(ip), port, b"our packet", 10)) == 0
    assert select.select([sock], [], [], 5)[0]
    data = numbered(count, 1000)
    assert here.send(transmit_to(there, data, 1000, ip)) == 0
    assert packets(collect(there, there.sockets[0], len(data))) == cut(data, 1000)
    assert select.select([sock], [], [], 0)[0] == [sock], "the driver would not learn of the error"
    assert here.receive(sock) == []
    assert here.receive_errors(sock) == [(packed(ip), port, errno.ECONNREFUSED, b"our packet", 0)]


@needs_error_queue
def test_an_error_is_reported_though_packets_keep_coming(
    open_link: OpenLink, closed_port: ClosedPort, collect: Collect
) -> None:
    link = open_link(["127.0.0.1"])
    (sock,) = link.sockets
    port = closed_port("127.0.0.1")
    assert link.send(Transmit(b"", packed("127.0.0.1"), port, b"our packet", 10)) == 0
    assert select.select([sock], [], [], 5)[0]
    assert link.send(transmit_to(link, b"to ourselves")) == 0
    assert [batch[3] for batch in link.receive(sock, 1)] == [b"to ourselves"]
    assert link.receive_errors(sock) == [(packed("127.0.0.1"), port, errno.ECONNREFUSED, b"our packet", 0)]


@needs_error_queue
def test_many_errors_are_all_reported(open_link: OpenLink, closed_port: ClosedPort) -> None:
    link = open_link(["127.0.0.1"], offload=False)
    (sock,) = link.sockets
    port = closed_port("127.0.0.1")
    data = numbered(100, 20)
    assert link.send(Transmit(b"", packed("127.0.0.1"), port, data, 20)) == 0
    returned: list[bytes] = []
    while select.select([sock], [], [], 0)[0]:
        assert link.receive(sock) == []
        errors = link.receive_errors(sock)
        assert errors
        returned += [payload for _, _, _, payload, _ in errors]
    assert returned == cut(data, 20)


@linux_only
@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("flowinfo", [0, 46 << 22])
def test_ip_fragments_what_it_may(open_link: OpenLink, ip: str, flowinfo: int) -> None:
    link = open_link([ip])
    (sock,) = link.sockets
    assert link.forbids_fragments
    option = (socket.IPPROTO_IPV6, 23) if ":" in ip else (socket.IPPROTO_IP, 10)  # IPV6_, IP_MTU_DISCOVER
    for fragments, mode in ((FRAGMENTS, 0), (WHOLE, 3), (FRAGMENTS, 0)):  # IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE
        assert link.send(Transmit(b"", packed(ip), sock.port, bytes(600), 600, flowinfo, fragments)) == 0
        assert sock.socket.getsockopt(*option) == mode


@linux_only
def test_a_packet_that_the_interface_does_not_take_is_cut_as_small_as_asked_and_the_next_one_is_not(
    open_link: OpenLink, own_network: Elsewhere
) -> None:
    def send() -> list[tuple[int, int, int]]:
        link = open_link(["::1"])
        (sock,) = link.sockets
        sent = []
        for fragments in (WHOLE, SMALL_FRAGMENTS, FRAGMENTS, WHOLE):
            code = link.send(Transmit(b"", packed("::1"), link.port, bytes(2000), 2000, 0, fragments))
            batches = [len(batch[3]) for batch in link.receive(sock)]
            sent.append((code, sum(batches), sock.fragments))
        return sent

    refused = (errno.EMSGSIZE, 0, WHOLE)
    assert own_network(1500, send) == [refused, (0, 2000, SMALL_FRAGMENTS), (0, 2000, FRAGMENTS), refused]


@linux_only
def test_a_small_packet_leaves_without_a_change_of_the_socket_unless_the_path_is_even_narrower(
    open_link: OpenLink, own_network: Elsewhere
) -> None:
    def send() -> list[tuple[int, int]]:
        link = open_link(["127.0.0.1"])
        (sock,) = link.sockets
        sent = []
        for size, may in ((200, WHOLE), (600, WHOLE), (200, FRAGMENTS), (400, FRAGMENTS), (200, WHOLE)):
            code = link.send(Transmit(b"", packed("127.0.0.1"), link.port, bytes(size), size, 0, may))
            sent.append((code, sock.fragments))
        return sent

    expected = [(0, FRAGMENTS), (errno.EMSGSIZE, WHOLE), (0, WHOLE), (0, FRAGMENTS), (0, FRAGMENTS)]
    assert own_network(300, send) == expected


@linux_only
def test_a_packet_that_ip_must_not_fragment_is_refused_if_the_interface_takes_less(
    open_link: OpenLink, own_network: Elsewhere
) -> None:
    def send() -> list[int]:
        link = open_link(["127.0.0.1"])
        port = link.port
        packets = [Transmit(b"", packed("127.0.0.1"), port, bytes(1400), 1400, 0, may) for may in (WHOLE, FRAGMENTS)]
        return [link.send(one) for one in packets]

    assert own_network(1300, send) == [errno.EMSGSIZE, 0]


def test_where_df_cannot_be_set_the_link_says_so_and_sends_all_the_same(open_link: OpenLink) -> None:
    link = open_link(["127.0.0.1"], capabilities=PLAIN)
    assert not link.forbids_fragments
    assert link.send(Transmit(b"", packed("127.0.0.1"), link.port, b"our packet", 10, 0, WHOLE)) == 0


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS], ids=errno.errorcode.get)
def test_a_probe_that_finds_a_queue_full_is_lost_and_holds_nothing_up(
    open_link: OpenLink, refused_by_kernel: Elsewhere, code: int
) -> None:
    link = open_link(["127.0.0.1"])
    probe = transmit_to(link, bytes(400), 400)
    probe.expendable = True
    assert refused_by_kernel("sendto", code, lambda: link.send(probe), length=400) == 0


def test_without_an_error_queue_errors_pass_unseen(open_link: OpenLink, closed_port: ClosedPort) -> None:
    link = open_link(["127.0.0.1"], capabilities=PLAIN)
    assert link.send(Transmit(b"", packed("127.0.0.1"), closed_port("127.0.0.1"), b"our packet", 10)) == 0
    assert link.receive(link.sockets[0]) == []
    assert link.receive_errors(link.sockets[0]) == []
