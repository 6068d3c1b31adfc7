"""What sockets tell of a peer that restarted, with both values of ``on_restart`` (RFC 6458 section 6.1.1)."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.testing import Host, Network, SimulatedSocket, SimulationError
from tests.api.support import raises_errno

PORT = 5000
END = sctpx.AssociationConfig(on_restart="end")
EVENTS = (c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT)


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(seed=1) as network:
        network.add_host("server", ["192.0.2.1"])
        network.add_host("client", ["192.0.2.2"])
        yield network


@pytest.fixture
def server(network: Network) -> Host:
    return network.hosts["server"]


@pytest.fixture
def client(network: Network) -> Host:
    return network.hosts["client"]


def listening(host: Host, kind: int, config: sctpx.AssociationConfig | None) -> SimulatedSocket:
    sock = host.socket(sctpx.AF_INET, kind, config=config)
    for event in EVENTS if kind == sctpx.SOCK_SEQPACKET else ():
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=event, se_on=1))
    sock.bind(("", PORT))
    sock.listen()
    return sock


def connect(client: Host) -> SimulatedSocket:
    """A client whose ports are the same after each restart."""
    sock = client.socket()
    sock.bind(("", PORT))
    sock.connect(("server", PORT))
    return sock


def come_back(client: Host) -> SimulatedSocket:
    """The client is gone without a word, and sets the association up again."""
    client.crash()
    client.restart()
    return connect(client)


def told(sock: SimulatedSocket) -> s.Notification:
    """The notification that is read next."""
    received = sctpx.sctp_recvv(sock, 65536)
    assert isinstance(received.notification, s.Notification)
    return received.notification


def test_one_to_one_a_restart_is_an_error_of_its_own_behind_what_had_arrived(server: Host, client: Host) -> None:
    listener = listening(server, sctpx.SOCK_STREAM, END)
    connect(client).send(b"arrived")
    old = listener.accept()[0]
    new = come_back(client)
    assert old.recv(100) == b"arrived"
    with pytest.raises(sctpx.AssociationRestarted, match="restarted") as caught:
        old.recv(100)
    assert isinstance(caught.value, sctpx.AssociationAborted | ConnectionResetError)
    assert (caught.value.errno, caught.value.causes) == (errno.ECONNRESET, ())
    with raises_errno(errno.EPIPE):
        old.send(b"too late")
    accepted = listener.accept()[0]
    new.send(b"from the new one")
    assert accepted.recv(100) == b"from the new one"


def test_one_to_one_so_error_tells_of_it(network: Network, server: Host, client: Host) -> None:
    listener = listening(server, sctpx.SOCK_STREAM, END)
    connect(client)
    old = listener.accept()[0]
    come_back(client)
    network.run(lambda: old.readable)
    assert old.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


def test_one_to_many_a_restart_is_a_loss_and_then_another_association(server: Host, client: Host) -> None:
    sock = listening(server, sctpx.SOCK_SEQPACKET, END)
    connect(client)
    up = told(sock)
    assert isinstance(up, s.AssocChange)
    client.crash()
    sctpx.sctp_sendv(sock, b"never acknowledged", info=s.SndInfo(snd_assoc_id=up.sac_assoc_id, snd_context=7))
    client.restart()
    connect(client).send(b"from the new one")
    failed, lost, again = told(sock), told(sock), told(sock)
    assert isinstance(failed, s.SendFailedEvent)
    assert (failed.ssfe_data, failed.ssfe_info.snd_context) == (b"never acknowledged", 7)
    assert isinstance(lost, s.AssocChange)
    assert (lost.sac_state, lost.sac_assoc_id) == (c.SCTP_COMM_LOST, up.sac_assoc_id)
    assert (lost.sac_error, lost.sac_info) == (0, b"")  # There was no ABORT.
    assert isinstance(again, s.AssocChange)
    assert again.sac_state == c.SCTP_COMM_UP
    assert again.sac_assoc_id != up.sac_assoc_id
    assert sock.recv(100) == b"from the new one"
    with raises_errno(errno.EPIPE):
        sctpx.sctp_sendv(sock, b"?", info=s.SndInfo(snd_assoc_id=up.sac_assoc_id))


def test_a_socket_that_does_not_listen_ends_and_the_peer_is_refused(server: Host, client: Host) -> None:
    listener = listening(server, sctpx.SOCK_STREAM, None)
    sock = client.socket(config=END)
    sock.bind(("", PORT))
    sock.connect(("server", PORT))
    listener.accept()
    server.crash()
    server.restart()
    again = server.socket()
    again.bind(("", PORT))
    with pytest.raises(ConnectionRefusedError):
        again.connect(("client", PORT))
    with pytest.raises(sctpx.AssociationRestarted):
        sock.recv(100)


def test_by_default_it_goes_on_with_a_notification(server: Host, client: Host) -> None:
    sock = listening(server, sctpx.SOCK_SEQPACKET, None)
    connect(client)
    up = told(sock)
    come_back(client).send(b"from the new one")
    restarted = told(sock)
    assert isinstance(up, s.AssocChange)
    assert isinstance(restarted, s.AssocChange)
    assert (restarted.sac_state, restarted.sac_assoc_id) == (c.SCTP_RESTART, up.sac_assoc_id)
    assert sock.recv(100) == b"from the new one"


def test_by_default_a_one_to_one_socket_notices_nothing(server: Host, client: Host) -> None:
    listener = listening(server, sctpx.SOCK_STREAM, None)
    connect(client)
    connection = listener.accept()[0]
    come_back(client).send(b"from the new one")
    assert connection.recv(100) == b"from the new one"
    with pytest.raises(SimulationError):
        listener.accept()
