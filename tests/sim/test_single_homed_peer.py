"""A peer with one address knows several of ours: what it sends to one of them is answered from that one.

If the peer has left an address of ours because it is dead, answers from there would be lost and the association
would stall, although DATA arrives (RFC 9260 section 6.4 leaves the source address to us).
"""

from __future__ import annotations

from sctpx.testing import LinkSettings, Pair


def test_data_to_another_address_of_ours_is_acknowledged_from_there() -> None:
    with Pair(1, a=["10.0.1.1"], b=["10.0.1.2", "10.0.2.2"], link=LinkSettings(delay=0.01)).connect() as pair:
        for number in range(200):
            pair.a.send(number.to_bytes(2, "big") * 20000)
        pair.run(lambda: len(pair.b.received) >= 20)
        pair.network.cut("10.0.1.2")
        pair.drain(60)
        assert len(pair.b.messages()) == 200
        assert not pair.a.association.ended
