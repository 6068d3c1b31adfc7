"""A message that sets an association up, where that cannot be: the call says so (RFC 6458 sections 3.1.4 and 4.1.8)."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

import sctpx
from sctpx import constants as c
from sctpx.testing import Host, Network
from tests.api.support import raises_errno

PEER = ("192.0.2.1", 5007)
STYLES = (sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET)


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(seed=1) as network:
        network.add_host("server", ["192.0.2.1"])
        network.add_host("client", ["192.0.2.2"])
        yield network


@pytest.fixture
def client(network: Network) -> Host:
    return network.hosts["client"]


@pytest.mark.parametrize("style", STYLES)
def test_a_message_that_a_packet_does_not_take_whole_sets_nothing_up(client: Host, style: int) -> None:
    with client.socket(type=style) as sock:
        sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_DISABLE_FRAGMENTS, 1)
        with raises_errno(errno.EMSGSIZE):
            sock.sendto(bytes(1500), PEER)
        assert sock.getsockname() == ("0.0.0.0", 0)
        with raises_errno(errno.EINVAL):
            sock.getassocid(PEER)


@pytest.mark.parametrize("style", STYLES)
def test_the_call_that_sends_says_that_no_packet_can_leave_and_no_later_call_does(client: Host, style: int) -> None:
    client.fail_sends("192.0.2.1", errno.EPERM)
    with client.socket(type=style) as sock:
        with pytest.raises(sctpx.ConnectError) as caught:
            sock.sendto(b"x", PEER)
        assert caught.value.errno == errno.EPERM
        assert [(entry.answer, entry.error) for entry in caught.value.report] == [("send error", errno.EPERM)]
        with raises_errno(errno.ENOTCONN):
            sock.recv(10)
