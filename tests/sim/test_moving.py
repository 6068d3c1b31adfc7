"""Hosts that move, and addresses that come and go, while associations live (RFC 5061)."""

from __future__ import annotations

from sctpx.core.config import AssociationConfig
from sctpx.core.events import LocalAddressChange, PathChange
from sctpx.testing import Pair
from sctpx.testing.packet import pack_address

CONFIG = AssociationConfig(address_reconfiguration=True, unauthenticated_asconf=True)


def move(pair: Pair, *addresses: str) -> None:
    pair.network.move("A", addresses)
    pair.a.association.follow_addresses(pair.a.host.now, pair.a.host.packed)


def test_a_host_that_loses_its_only_address_and_gets_another_one_keeps_its_association() -> None:
    with Pair(config=CONFIG).connect() as pair:
        pair.a.send(b"before")
        pair.drain()
        move(pair)
        pair.network.run_for(3)
        pair.b.send(b"to where it was")
        move(pair, "10.0.7.1")
        pair.a.send(b"after")
        try:
            pair.drain()
        finally:
            print(pair.network.ladder(addresses=True, details=True))
        assert pair.a.messages() == [b"to where it was"]
        assert pair.b.messages() == [b"before", b"after"]
        assert [path.remote for path in pair.b.association.paths] == [pack_address("10.0.7.1")]
        assert pair.a.association.local_addresses == [pack_address("10.0.7.1")]
        print([(e.what, e.result) for e in pair.a.events_of(LocalAddressChange)], [e.what for e in pair.b.events_of(PathChange)])
