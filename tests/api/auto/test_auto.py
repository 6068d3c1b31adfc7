"""``auto`` between two hosts: whoever names nothing speaks with peers that have native SCTP, SCTP over UDP, or both.

The test's own thread is on the first host and may open raw sockets; programs run on the second one.
"""

from __future__ import annotations

import errno
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

import sctpx
from sctpx.blocking.hub import hub
from sctpx.link import LinkKind, RawLink, kernel_sctp
from tests.api.raw.child import Child, Children
from tests.api.sockets.support import no_sockets_are_left
from tests.api.support import raises_errno
from tests.namespaces import Host, two_hosts

pytestmark = pytest.mark.udp_9899

PORT = 5001


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with two cables between them."""
    if kernel_sctp.is_loaded():
        pytest.skip("the kernel of this host has SCTP")
    with two_hosts(cables=2) as pair:
        yield pair


@pytest.fixture(autouse=True)
def here(hosts: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The first host, which this thread is on, and where nobody has chosen a way."""
    monkeypatch.delenv("SCTPX_LINK")
    with hosts[0].entered():
        yield hosts[0]


@pytest.fixture
def there(hosts: tuple[Host, Host]) -> Host:
    """The second host."""
    return hosts[1]


@pytest.fixture(scope="module")
def children(hosts: tuple[Host, Host]) -> Iterator[Children]:
    """Programs on the second host."""
    with Children(hosts[1].command()) as programs:
        yield programs


@pytest.fixture
def child(children: Children, here: Host) -> Iterator[Child]:
    """A program on the second host, with nothing open."""
    with children.lent() as give:
        yield give()


@pytest.fixture(autouse=True)
def at_rest(child: Child) -> Iterator[None]:
    """What a test has left to end gracefully ends before the peer is gone."""
    before = list(hub.carriers)
    yield
    no_sockets_are_left(before)


def told(report: Sequence[sctpx.AddressReport]) -> list[tuple[str, str, bool]]:
    """How each address was asked, what it answered, and whether it became a path."""
    return [(entry.encapsulation, entry.answer, entry.kept) for entry in report]


def asked(association: sctpx.Association) -> list[tuple[str, str, bool]]:
    """The same of an association."""
    return told(association.report)


UNHURRIED = 20.0
"""An ``attempt_delay`` that does not pass: only a refusal has the other way asked, however long an answer takes."""
NATIVE, OVER_UDP = "native", "UDP 9899"
ANSWERS: dict[LinkKind | None, list[tuple[str, str, bool]]] = {
    None: [(NATIVE, "INIT ACK", True), (OVER_UDP, "not asked", False)],
    "raw": [(NATIVE, "INIT ACK", True), (OVER_UDP, "not asked", False)],
    "udp": [(NATIVE, "ICMP", False), (OVER_UDP, "INIT ACK", True)],
}


@pytest.mark.parametrize("speaks", ANSWERS)
async def test_asyncio_reaches_a_peer_of_each_kind(child: Child, there: Host, speaks: LinkKind | None) -> None:
    await child.ask_meanwhile("listen", hosts=there.addresses[:1], port=PORT, link=speaks)
    async with sctpx.connect(there.addresses[0], PORT, attempt_delay=UNHURRIED, timeout=10) as association:
        assert asked(association) == ANSWERS[speaks]
        assert [path.udp_port for path in association.paths] == [9899 if speaks == "udp" else 0]
        await association.send(b"hello")
        assert (await association.recv()).data == b"hello"


@pytest.mark.parametrize("speaks", ANSWERS)
def test_sockets_reach_a_peer_of_each_kind(child: Child, there: Host, speaks: LinkKind | None) -> None:
    child.ask("listen", hosts=there.addresses[:1], port=PORT, link=speaks)
    config = sctpx.AssociationConfig(attempt_delay=UNHURRIED)
    for kind in (sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET):
        with sctpx.socket(sctpx.AF_INET, kind, config=config) as sock:
            sock.settimeout(10)
            assoc_id = sctpx.sctp_connectx(sock, [(there.addresses[0], PORT)])
            assert [(entry.encapsulation, entry.answer, entry.kept) for entry in sock.report(assoc_id)] == ANSWERS[
                speaks
            ]
            sock.sendto(b"hello", (there.addresses[0], PORT)) if kind == sctpx.SOCK_SEQPACKET else sock.send(b"hello")
            assert sock.recv(100) == b"hello"


async def test_where_nobody_has_sctp_both_ways_are_told(there: Host) -> None:
    with pytest.raises(ConnectionRefusedError) as failure:
        await sctpx.connect(there.addresses[0], PORT, timeout=10)
    report = failure.value.report  # type: ignore[attr-defined]
    assert [(entry.encapsulation, entry.answer) for entry in report] == [(NATIVE, "ICMP"), (OVER_UDP, "ICMP")]
    assert [entry.error for entry in report] == [errno.ENOPROTOOPT, errno.ECONNREFUSED]
    assert f"{there.addresses[0]} native: ICMP" in str(failure.value)
    assert f"{there.addresses[0]} UDP port 9899: ICMP" in str(failure.value)


def test_sockets_where_nobody_has_sctp(there: Host) -> None:
    with sctpx.socket() as sock:
        sock.settimeout(10)
        with pytest.raises(ConnectionRefusedError, match="native: ICMP"):
            sock.connect((there.addresses[0], PORT))


@pytest.mark.parametrize("speaks", ["raw", "udp"])
@pytest.mark.parametrize("calls", ["asyncio", "sockets"])
async def test_a_server_that_names_nothing_is_found_in_both_ways(
    child: Child, here: Host, speaks: LinkKind, calls: str
) -> None:
    if calls == "asyncio":
        async with await sctpx.start_server(None, here.addresses, PORT) as server:
            assert (server.udp_port, server.endpoint.native) == (9899, True)
            assert "native and UDP port 9899" in repr(server)
            await child.ask_meanwhile("connect", hosts=here.addresses, port=PORT, link=speaks)
            association = await server.accept()
            assert len(association.paths) == 2
            assert all((path.udp_port == 0) == (speaks == "raw") for path in association.paths)
            association.abort()
        return
    with sctpx.socket() as sock:
        sock.settimeout(10)
        sock.bind((here.addresses[0], PORT))
        sock.listen()
        assert sock.udp_port == 9899
        await child.ask_meanwhile("connect", hosts=here.addresses[:1], port=PORT, link=speaks)
        accepted, _ = sock.accept()
        with accepted:
            value = sctpx.structs.UdpEncaps(sue_address=accepted.getpeername())
            found = accepted.getsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_REMOTE_UDP_ENCAPS_PORT, value)
            assert (found.sue_port == 0) == (speaks == "raw")


@pytest.mark.parametrize("privileged", [True, False])
@pytest.mark.parametrize("speaks", ["raw", "udp"])
def test_a_client_without_privilege_speaks_udp(
    hosts: tuple[Host, Host], there: Host, privileged: bool, speaks: LinkKind
) -> None:
    """Raw sockets are tried by none but those who may open them, and nobody is told of it."""
    if shutil.which("setpriv") is None:
        pytest.skip("the command setpriv is missing (Debian: util-linux)")
    without = () if privileged else ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    with Child(there.command(), SCTPX_LINK="auto") as server, Child(hosts[0].command(*without)) as client:
        server.ask("listen", hosts=there.addresses[:1], port=PORT, link=speaks)
        if privileged or speaks == "udp":
            client.ask("connect", hosts=there.addresses[:1], port=PORT, link=None, attempt_delay=UNHURRIED)
            assert client.ask("exchange", size=1000)
            asked = [tuple(entry) for entry in client.ask("report")]
            assert (OVER_UDP, "INIT ACK" if speaks == "udp" else "not asked") in asked
            assert (len(asked) == 2) == privileged
            return
        client.tell("connect", hosts=there.addresses[:1], port=PORT, link=None, attempt_delay=UNHURRIED)
        with pytest.raises(Exception, match="ECONNREFUSED"):
            client.answer()


async def test_two_addresses_one_of_them_dead(child: Child, there: Host) -> None:
    await child.ask_meanwhile("listen", hosts=there.addresses, port=PORT, link="udp")
    there.lose(1, "10.9.1.1")
    try:
        async with sctpx.connect(there.addresses, PORT, timeout=10) as association:
            assert [path.udp_port for path in association.paths] == [9899, 9899]
            assert [entry.answer for entry in association.report][2:] == ["ICMP", "INIT ACK"]
            await association.send(b"hello")
            assert (await association.recv()).data == b"hello"
    finally:
        there.run(
            *["ip", "neigh", "replace", "10.9.1.1", "lladdr", "02:00:00:00:01:01", "dev", "cable1", "nud", "permanent"]
        )


async def test_naming_a_udp_port_means_udp(child: Child, there: Host) -> None:
    await child.ask_meanwhile("listen", hosts=there.addresses[:1], port=PORT, link=None)
    host = there.addresses[0]
    for hosts, named in (
        (host, {"peer_udp_port": 9899}),
        (sctpx.Address(host, udp_port=9899), {}),
        (host, {"udp_port": 9911}),
        (host, {"link": "udp"}),
    ):
        async with sctpx.connect(hosts, PORT, timeout=10, **named) as association:
            assert asked(association) == [(OVER_UDP, "INIT ACK", True)]
            assert not association.endpoint.native
    with sctpx.socket() as sock:
        sock.settimeout(10)
        sock.setsockopt(sctpx.IPPROTO_SCTP, sctpx.SCTP_REMOTE_UDP_ENCAPS_PORT, sctpx.structs.UdpEncaps(sue_port=9899))
        assoc_id = sock.connectx([(host, PORT)])
        assert [entry.encapsulation for entry in sock.report(assoc_id)] == [OVER_UDP]


async def test_a_peer_that_is_said_to_be_without_udp_is_asked_natively_alone(child: Child, there: Host) -> None:
    await child.ask_meanwhile("listen", hosts=there.addresses[:1], port=PORT, link=None)
    async with sctpx.connect(there.addresses[0], PORT, peer_udp_port=0, timeout=10) as association:
        assert asked(association) == [(NATIVE, "INIT ACK", True)]


async def test_an_endpoint_asks_in_both_ways_and_listens_in_both(child: Child, here: Host, there: Host) -> None:
    await child.ask_meanwhile("listen", hosts=there.addresses[:1], port=PORT, link="udp")
    async with await sctpx.open_endpoint(here.addresses, 5002) as endpoint:
        assert (endpoint.udp_port, endpoint.native) == (9899, True)
        connecting = endpoint.connect(there.addresses[0], PORT, attempt_delay=UNHURRIED, timeout=10)
        async with connecting as association:
            assert asked(association) == ANSWERS["udp"]


async def test_an_endpoint_without_ports_moves_to_the_usual_udp_port_in_both_ways(here: Host) -> None:
    async with await sctpx.open_endpoint(here.addresses) as endpoint:
        assert endpoint.udp_port != 9899
        port = endpoint.port
        endpoint.listen()
        assert (endpoint.udp_port, endpoint.port, endpoint.native) == (9899, port, True)
        connecting = sctpx.connect(here.addresses[0], port, attempt_delay=UNHURRIED, timeout=10)
        async with connecting as association:
            assert asked(association)[:2] == ANSWERS[None]


def test_a_socket_without_ports_moves_to_the_usual_udp_port_in_both_ways(here: Host) -> None:
    config = sctpx.AssociationConfig(attempt_delay=UNHURRIED)
    with sctpx.socket() as sock, sctpx.socket(config=config) as client:
        sock.bind((here.addresses[0], 0))
        port = sock.getsockname()[1]
        sock.listen()
        assert (sock.udp_port, sock.getsockname()[1]) == (9899, port)
        client.settimeout(10)
        client.connect((here.addresses[0], port))
        assert client.report()[0].answer == "INIT ACK"
        assert client.report()[0].encapsulation == NATIVE


async def test_many_clients_share_one_driver(child: Child, there: Host) -> None:
    await child.ask_meanwhile("listen", hosts=there.addresses[:1], port=PORT, link=None)
    associations = [await sctpx.connect(there.addresses[0], PORT, timeout=10) for _ in range(20)]
    assert len({association.endpoint.udp_port for association in associations}) == 1
    for association in associations:
        association.abort()


async def test_clients_without_number_leave_descriptors_for_others(
    child: Child, there: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each native SCTP port takes a file descriptor: of those auto takes half, and goes over UDP alone from then on."""
    await child.ask_meanwhile("listen", hosts=there.addresses[:1], port=PORT, link=None)
    monkeypatch.setattr("sctpx.link.several._most_descriptors", lambda: 6)
    associations = [await sctpx.connect(there.addresses[0], PORT, timeout=10) for _ in range(6)]
    assert [association.endpoint.native for association in associations] == [True] * 4 + [False] * 2
    associations.append(await sctpx.connect(there.addresses[0], PORT, peer_udp_port=0, timeout=10))
    assert asked(associations[-1]) == [(NATIVE, "INIT ACK", True)]
    for association in associations:
        association.abort()


@pytest.mark.parametrize("calls", ["asyncio", "sockets"])
async def test_who_has_given_the_privilege_up_asks_over_udp_from_a_new_address(
    child: Child, there: Host, monkeypatch: pytest.MonkeyPatch, calls: str
) -> None:
    """The clients' raw sockets of before stay, and go on; there will be no others."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no raw sockets any more")

    await child.ask_meanwhile("listen", hosts=there.addresses, port=PORT, link=None)
    if calls == "asyncio":
        async with sctpx.connect(there.addresses[0], PORT, timeout=10) as first:
            monkeypatch.setattr(RawLink, "add_address", refuse)
            async with sctpx.connect(there.addresses[1], PORT, timeout=10) as second:
                assert (first.endpoint.native, second.endpoint.native) == (True, False)
        return
    with sctpx.socket() as one, sctpx.socket() as other:
        reports = []
        for sock, address in zip((one, other), there.addresses, strict=True):
            sock.settimeout(10)
            sock.connect((address, PORT))
            reports.append([entry.encapsulation for entry in sock.report() if entry.kept])
            monkeypatch.setattr(RawLink, "add_address", refuse)
        assert reports == [[NATIVE, NATIVE], [OVER_UDP, OVER_UDP]]


async def test_a_usual_udp_port_that_is_taken_is_an_error_that_says_what_helps(here: Host) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind((here.addresses[0], 9899))
        with raises_errno(errno.EADDRINUSE) as failure:
            await sctpx.start_server(None, here.addresses[:1], PORT)
        for word in ("udp_port=", 'link="raw"'):
            assert word in str(failure.value)
        async with await sctpx.start_server(None, here.addresses[:1], PORT, link="raw") as server:
            assert server.udp_port == 0


@pytest.mark.parametrize("preset", ["udp", "raw"])
async def test_the_environment_chooses_for_who_names_nothing(
    here: Host, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCTPX_LINK", preset)
    async with await sctpx.start_server(None, here.addresses[:1], PORT) as server:
        assert (server.udp_port, server.endpoint.native) == ((9899, False) if preset == "udp" else (0, True))
        async with sctpx.connect(here.addresses[0], PORT, timeout=10) as association:
            assert asked(association) == [(OVER_UDP if preset == "udp" else NATIVE, "INIT ACK", True)]
