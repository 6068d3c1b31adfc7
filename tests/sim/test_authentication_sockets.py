"""Keys of sockets that send before their association is up (RFC 6458 section 8.1.18; RFC 4895)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.testing import Network, SimulatedSocket
from sctpx.wire.codes import CHUNK_DATA

SCTP = c.IPPROTO_SCTP
PEER = ("192.0.2.1", 5007)
KEYS = (b"zero", b"one", b"two")


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(seed=1) as network:
        network.add_host("server", ["192.0.2.1"])
        network.add_host("client", ["192.0.2.2"])
        yield network


def made(network: Network, host: str) -> SimulatedSocket:
    """A socket that demands authenticated data, and has three keys, of which 1 is active."""
    sock = network.hosts[host].socket(sctpx.AF_INET, sctpx.SOCK_SEQPACKET)
    sock.setsockopt(SCTP, c.SCTP_AUTH_CHUNK, s.AuthChunk(sauth_chunk=CHUNK_DATA))
    for number, key in enumerate(KEYS):
        sock.setsockopt(SCTP, c.SCTP_AUTH_KEY, s.AuthKey(sca_keynumber=number, sca_key=key))
    activate(sock, 1)
    return sock


def activate(sock: SimulatedSocket, number: int) -> None:
    """Of associations to come, and of all that there are."""
    sock.setsockopt(SCTP, c.SCTP_AUTH_ACTIVE_KEY, s.AuthKeyId(scact_assoc_id=c.SCTP_ALL_ASSOC, scact_keynumber=number))


def keys_sent(network: Network, before_the_end: Callable[[SimulatedSocket], object]) -> list[int]:
    """The keys of the packets with data of a client that sends two messages while its association is set up, each with
    the key that is active then, and does something before it is up."""
    with made(network, "server") as server, made(network, "client") as client:
        server.bind(("", PEER[1]))
        server.listen()
        client.sendto(b"with one", PEER)
        activate(client, 2)
        client.sendto(b"with two", PEER)
        before_the_end(client)
        assert [server.recv(100) for _ in range(2)] == [b"with one", b"with two"]
        packets = [packet for packet in network.packets() if "DATA" in packet.chunks]
        return [int.from_bytes(packet.data[16:18], "big") for packet in packets]


def test_a_message_keeps_the_key_that_was_active_when_it_was_sent(network: Network) -> None:
    """ "the SCTP implementation must use the indicated shared key identifier for all messages being given to an SCTP
    implementation via a send call after the setsockopt() call, until changed again"."""
    assert keys_sent(network, lambda client: activate(client, 0)) == [1, 2]


@pytest.mark.parametrize("option", [c.SCTP_AUTH_DEACTIVATE_KEY, c.SCTP_AUTH_DELETE_KEY])
def test_a_key_that_is_given_up_before_it_is_used_is_not_used(network: Network, option: int) -> None:
    def give_up(client: SimulatedSocket) -> None:
        client.setsockopt(SCTP, option, s.AuthKeyId(scact_assoc_id=c.SCTP_ALL_ASSOC, scact_keynumber=1))

    assert keys_sent(network, give_up) == [2]
