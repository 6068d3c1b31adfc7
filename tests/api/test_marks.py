"""The DSCP and flow label of an association are on its packets, as a plain UDP socket on the way sees them: asyncio."""

from __future__ import annotations

import asyncio

import pytest

import sctpx
from tests.api.relay import Relay
from tests.api.support import HOST, PORT, linux_only, recv_whole, with_ipv6

EF, CS5 = 46, 40
LABEL = 0x2BCDE


@linux_only
@pytest.mark.parametrize("host", [HOST, pytest.param("::1", marks=with_ipv6)])
async def test_the_config_of_an_endpoint_marks_every_packet_from_the_init_on(host: str) -> None:
    """Bulk data, which leaves by segmentation offload where there is such a thing, and the server's answers."""
    ours = sctpx.AssociationConfig(dscp=EF, flow_label=LABEL)
    theirs = sctpx.AssociationConfig(dscp=CS5, flow_label=LABEL + 1)
    data = bytes(300_000)
    async with await sctpx.start_server(None, host, PORT, udp_port=0, config=theirs) as server:
        with Relay([host], server.udp_port, host) as relay:
            async with sctpx.connect(host, PORT, peer_udp_port=relay.udp_port, config=ours) as a:
                b = await server.accept()
                received, _ = await asyncio.gather(recv_whole(b), a.send(data))
                assert received == data
                await b.send(b"answer")
                assert (await a.recv()).data == b"answer"
            await b.wait_closed()  # Without the relay the server would wait for the end in vain, for ten seconds.
            labels = (LABEL, LABEL + 1) if ":" in host else (0, 0)
            assert len(relay.from_client[host]) > 5
            assert set(relay.from_client[host]) == {(EF << 2, labels[0])}
            assert set(relay.from_server) == {(CS5 << 2, labels[1])}
