"""ECN over real sockets: what a link reads and sets, and a link that cannot."""

from __future__ import annotations

import errno

import pytest

import sctpx
from sctpx.core.outputs import CE, ECT_0
from sctpx.link import Capabilities, Received, UdpLink, UdpSocket, open_link
from tests.api.support import PORT, linux_only, raises_errno

CONFIG = sctpx.AssociationConfig(ecn=True)


class Congested:
    """A link over which every tenth batch that may be marked comes marked CE, as from a router that has a queue."""

    def __init__(self, host: str) -> None:
        link = open_link("udp", [host], ecn=True)
        assert isinstance(link, UdpLink)
        self._link = link
        self.seen: list[int] = []
        self.ecn = link.ecn

    def __getattr__(self, name: str) -> object:
        return getattr(self._link, name)

    def receive(self, sock: UdpSocket, budget: int = 8) -> list[Received]:
        """What has arrived."""
        found = []
        for local, remote, port, data, segment, ecn in self._link.receive(sock, budget):
            self.seen.append(ecn)
            marked = CE if ecn == ECT_0 and self.seen.count(ECT_0) % 10 == 5 else ecn
            found.append((local, remote, port, data, segment, marked))
        return found


@linux_only
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_marks_are_told_and_answered(host: str) -> None:
    link = Congested(host)
    async with (
        await sctpx.open_endpoint(link=open_link("udp", [host], ecn=True), config=CONFIG) as client,
        await sctpx.open_endpoint(port=PORT, link=link, config=CONFIG) as listener,  # type: ignore[arg-type]
    ):
        server = listener.listen()
        association = await client.connect(host, PORT, peer_udp_port=listener.udp_port)
        peer = await server.accept()
        received = 0
        for _ in range(30):
            await association.send(bytes(100_000))
            while received < association.stats.bytes_sent:
                received += sum([len(message.data) for message in await peer.recv_many()])
        await peer.send(b"the last ECNE has left")
        await association.recv()
        assert set(link.seen) <= {0, ECT_0}
        assert ECT_0 in link.seen
        assert peer.stats.ce_packets_received > 0
        assert peer.stats.ecnes_sent > 0
        assert association.stats.ecn_reductions > 0
        assert peer.stats.cwrs_received > 0


@linux_only
async def test_no_link_has_to_be_opened_for_it() -> None:
    async with (
        await sctpx.start_server(None, "127.0.0.1", PORT, udp_port=0, config=CONFIG, link="udp") as server,
        sctpx.connect("127.0.0.1", PORT, peer_udp_port=server.udp_port, config=CONFIG, link="udp") as association,
    ):
        peer = await server.accept()
        assert association.ecn
        assert peer.ecn


async def test_a_link_that_reads_no_marks_is_refused() -> None:
    link = UdpLink.open(["127.0.0.1"], capabilities=Capabilities())
    assert not link.read_ecn()
    with raises_errno(errno.EOPNOTSUPP):
        await sctpx.open_endpoint(link=link, config=CONFIG)
    async with await sctpx.open_endpoint(link=UdpLink.open(["127.0.0.1"], capabilities=Capabilities())) as endpoint:
        with raises_errno(errno.EOPNOTSUPP):
            await endpoint.connect("127.0.0.1", PORT, peer_udp_port=9, config=CONFIG)
