"""The local addresses of an SCTP port: they change for associations to come, and follow a wildcard."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable
from itertools import count

import pytest

from sctpx.core.association.association import Association
from sctpx.core.config import AssociationConfig
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.stack import Stack
from sctpx.sockapi.addresses import pack_ip
from sctpx.sockapi.local_addresses import LocalAddresses
from sctpx.sockapi.sctp_port import open_endpoint

FIRST, SECOND, THIRD, PEER = map(pack_ip, ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9"))
WILDCARD = bytes(4)


class Carrier:
    """A stack, and addresses that can be had but for those that are taken."""

    def __init__(self, *addresses: bytes) -> None:
        seeds = count(1)
        self.stack = Stack(lambda size: next(seeds).to_bytes(size, "big"), 0)
        self.addresses = list(addresses)
        self.taken: set[bytes] = set()
        self.ports_taken: set[bytes] = set()
        self.open: set[tuple[int, bytes]] = set()
        self.watches = False

    def add_address(self, address: bytes) -> None:
        if address in self.taken:
            raise OSError(errno.EADDRINUSE, "UDP port 9899 is taken")
        if address not in self.addresses:
            self.addresses.append(address)

    def remove_address(self, address: bytes) -> None:
        self.addresses.remove(address)

    def open_port(self, port: int, addresses: Iterable[bytes]) -> None:
        if not self.ports_taken.isdisjoint(addresses):
            raise OSError(errno.EADDRINUSE, "another process has the SCTP port")
        self.open |= {(port, ip) for ip in addresses}

    def close_port(self, port: int, addresses: Iterable[bytes] | None = None) -> None:
        self.open -= {(port, ip) for ip in self.addresses if addresses is None or ip in addresses}

    def now(self) -> int:
        return 0

    def watch_addresses(self) -> None:
        self.watches = True


def opened(carrier: Carrier, local: LocalAddresses, port: int = 5000) -> Endpoint:
    endpoint = open_endpoint(carrier.stack, carrier, 0, port, local.ips, AssociationConfig())
    local.belong_to(endpoint)
    return endpoint


def associated(endpoint: Endpoint, source: bytes = b"") -> Association:
    return endpoint.connect(0, [PeerAddress(PEER, 9899, source)], 5000)


def following(*addresses: bytes) -> tuple[Carrier, LocalAddresses, Endpoint]:
    """A port that was bound to the wildcard while it stood for these addresses."""
    carrier = Carrier(*addresses)
    local = LocalAddresses(carrier, addresses, wildcards=[WILDCARD])
    return carrier, local, opened(carrier, local)


@pytest.mark.parametrize(
    ("announce", "addresses", "told"),
    [
        ("auto", [FIRST], []),
        ("auto", [FIRST, SECOND], [FIRST, SECOND]),
        ("all", [FIRST], [FIRST]),
        ("none", [FIRST, SECOND], []),
    ],
)
def test_peers_are_told_several_addresses_all_or_none(announce: str, addresses: list[bytes], told: list[bytes]) -> None:
    assert LocalAddresses(Carrier(), addresses, announce=announce).told == told


def test_addresses_that_are_added_or_removed_hold_for_associations_to_come() -> None:
    carrier = Carrier(FIRST)
    local = LocalAddresses(carrier, [FIRST])
    endpoint = opened(carrier, local)
    before = associated(endpoint)
    assert local.add([SECOND, FIRST])
    assert (endpoint.local, endpoint.announce, carrier.addresses) == ([FIRST, SECOND], [FIRST, SECOND], local.ips)
    local.remove([FIRST])
    assert (endpoint.local, endpoint.announce) == ([SECOND], [])
    assert before.local_addresses == [FIRST]
    assert carrier.addresses == [FIRST, SECOND]


def test_associations_share_one_list_as_long_as_the_addresses_are_the_same() -> None:
    carrier = Carrier(FIRST)
    local = LocalAddresses(carrier, [FIRST])
    endpoint = opened(carrier, local)
    shared = endpoint.local
    assert not local.add([FIRST])
    assert endpoint.local is shared


def test_a_wildcard_follows_the_host() -> None:
    carrier, local, endpoint = following(FIRST)
    assert carrier.watches
    assert endpoint.wildcards == [WILDCARD]
    assert local.follow([FIRST, SECOND])
    assert (endpoint.local, endpoint.announce, carrier.addresses) == ([FIRST, SECOND], [FIRST, SECOND], [FIRST, SECOND])
    assert not local.follow([SECOND, FIRST])
    assert local.follow([SECOND])
    assert (endpoint.local, endpoint.announce, carrier.addresses) == ([SECOND], [], [SECOND])


def test_associations_keep_the_addresses_they_began_with() -> None:
    _, local, endpoint = following(FIRST, SECOND)
    before = associated(endpoint)
    local.follow([FIRST, THIRD])
    after = endpoint.connect(0, [PeerAddress(THIRD, 9899)], 5000)
    assert (before.local_addresses, after.local_addresses) == ([FIRST, SECOND], [FIRST, THIRD])


def test_an_address_that_is_gone_stays_until_no_association_uses_it() -> None:
    carrier, local, endpoint = following(FIRST, SECOND)
    using = associated(endpoint, SECOND)
    local.follow([FIRST])
    assert carrier.addresses == [FIRST, SECOND]
    using.abort(0)
    carrier.stack.touch(using)
    local.let_go()
    assert carrier.addresses == [FIRST]
    local.let_go()


def test_the_port_is_open_at_its_addresses_and_where_associations_still_use_it() -> None:
    carrier, local, endpoint = following(FIRST, SECOND)
    opened(carrier, LocalAddresses(carrier, [FIRST]), 5001)
    using = associated(endpoint, SECOND)
    local.follow([THIRD])
    assert carrier.open == {(5000, SECOND), (5000, THIRD), (5001, FIRST)}
    using.abort(0)
    carrier.stack.touch(using)
    local.let_go()
    assert carrier.open == {(5000, THIRD), (5001, FIRST)}
    assert carrier.addresses == [FIRST, THIRD]


def test_a_port_that_is_taken_over_has_the_new_addresses_alone() -> None:
    carrier, local, endpoint = following(FIRST, SECOND)
    local.replace([SECOND, THIRD], [], announce="none")
    assert (endpoint.local, endpoint.announce, endpoint.wildcards) == ([SECOND, THIRD], [], [])
    assert carrier.open == {(5000, SECOND), (5000, THIRD)}
    assert carrier.addresses == [SECOND, THIRD]


def test_a_port_moves_to_another_carrier_with_its_addresses() -> None:
    _, local, _ = following(FIRST, SECOND)
    carrier = Carrier(FIRST, SECOND)
    moved = local.moved_to(carrier)
    endpoint = opened(carrier, moved)
    assert (endpoint.local, endpoint.wildcards, endpoint.announce) == ([FIRST, SECOND], [WILDCARD], [FIRST, SECOND])
    assert moved.follow([THIRD])
    assert (endpoint.local, local.ips) == ([THIRD], [FIRST, SECOND])


def test_an_address_that_comes_back_is_not_given_up() -> None:
    carrier, local, endpoint = following(FIRST, SECOND)
    using = associated(endpoint, SECOND)
    local.follow([FIRST])
    local.follow([FIRST, SECOND])
    using.abort(0)
    carrier.stack.touch(using)
    local.let_go()
    assert (local.ips, carrier.addresses) == ([FIRST, SECOND], [FIRST, SECOND])


def test_an_address_of_another_port_is_not_given_up() -> None:
    carrier, local, _ = following(FIRST, SECOND)
    opened(carrier, LocalAddresses(carrier, [SECOND]), 5001)
    local.follow([FIRST])
    assert carrier.addresses == [FIRST, SECOND]


def test_an_address_beside_the_wildcard_stays() -> None:
    carrier = Carrier(FIRST, SECOND)
    local = LocalAddresses(carrier, [FIRST, SECOND], wildcards=[WILDCARD], beside=[SECOND])
    opened(carrier, local)
    assert not local.follow([FIRST])
    assert local.follow([THIRD])
    assert local.ips == [SECOND, THIRD]


def test_a_new_address_that_cannot_be_had_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    carrier, local, _ = following(FIRST)
    carrier.taken.add(SECOND)
    with caplog.at_level(logging.WARNING, "sctpx"):
        assert not local.follow([FIRST, SECOND])
        assert not local.follow([FIRST, SECOND])
    assert [record.getMessage() for record in caplog.records] == [
        "a wildcard does not cover the new address 192.0.2.2: UDP port 9899 is taken"
    ]
    carrier.taken.clear()
    assert local.follow([FIRST, SECOND])


def test_addresses_at_which_the_port_cannot_be_had_are_not_kept() -> None:
    carrier, local, endpoint = following(FIRST)
    carrier.ports_taken.add(THIRD)
    for ips in ([SECOND, THIRD], [FIRST, THIRD]):
        with pytest.raises(OSError, match="SCTP port"):
            local.add(ips)
        assert (carrier.addresses, endpoint.local) == ([FIRST], [FIRST])
    assert local.follow([FIRST, SECOND, THIRD])
    assert (carrier.addresses, endpoint.local) == ([FIRST, SECOND], [FIRST, SECOND])


def test_a_host_may_lose_all_its_addresses_and_get_others() -> None:
    carrier, local, endpoint = following(FIRST)
    local.follow([])
    assert (local.ips, endpoint.local, carrier.addresses) == ([], [], [])
    assert endpoint.hears(SECOND)
    local.follow([SECOND])
    assert (local.ips, endpoint.local, carrier.addresses) == ([SECOND], [SECOND], [SECOND])
