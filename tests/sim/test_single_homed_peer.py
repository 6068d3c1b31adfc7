"""A peer with one address knows several of ours: what it sends to one of them is answered from that one.

If the peer has left an address of ours because it is dead, answers from there would be lost and the association
would stall, although DATA arrives (RFC 9260 section 6.4 leaves the source address to us).
"""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.testing import LinkSettings, Network, Pair


def test_data_to_another_address_of_ours_is_acknowledged_from_there() -> None:
    with Pair(1, a=["10.0.1.1"], b=["10.0.1.2", "10.0.2.2"], link=LinkSettings(delay=0.01)).connect() as pair:
        for number in range(200):
            pair.a.send(number.to_bytes(2, "big") * 20000)
        pair.run(lambda: len(pair.b.received) >= 20)
        pair.network.cut("10.0.1.2")
        pair.drain(60)
        assert len(pair.b.messages()) == 200
        assert not pair.a.association.ended


@pytest.mark.parametrize("listening", ["A", "B"])
def test_packets_leave_only_from_addresses_that_the_peer_knows(listening: str) -> None:
    """B has two addresses and tells none, as behind a NAT. What came from the other one would be out of the blue, and
    draw an ABORT (RFC 9260 section 8.4): even the way to an address that is nearer to that one begins at the first.
    """
    network = Network(1)
    a = network.add_host("A", ["10.0.1.1", "10.0.2.1"])
    b = network.add_host("B", ["10.0.1.2", "10.0.2.2"])
    end_a, end_b = a.open_endpoint(5000), b.open_endpoint(5000)
    end_b.announce.clear()
    if listening == "A":
        end_a.listen()
        association = end_b.connect(b.now, a.peer_addresses[:1], 5000)
    else:
        end_b.listen()
        association = end_a.connect(a.now, b.peer_addresses[:1], 5000)
    network.run(lambda: association.state == ESTABLISHED)
    network.run_for(60)
    assert association.state == ESTABLISHED
    assert {packet.source_text for packet in network.packets() if network.name_of(packet.source) == "B"} == {"10.0.1.2"}
    [mine] = end_b.associations.values()
    assert [path.confirmed for path in mine.paths] == [True, True]
