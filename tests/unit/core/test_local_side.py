"""What an association knows of its SCTP port."""

from __future__ import annotations

import pytest

from sctpx.core.config import LARGEST_MTU, SMALLEST_MTU, AssociationConfig, Limits
from sctpx.core.local_side import LocalSide

OWN = bytes((10, 0, 0, 1))
OTHER = bytes((10, 0, 0, 2))
THIRD = bytes((10, 0, 0, 3))
OWN_IPV6 = bytes(15) + b"\7"
PEER = bytes((10, 0, 0, 9))


def make(*local: bytes, announce: tuple[bytes, ...] = (), wildcards: tuple[bytes, ...] = ()) -> LocalSide:
    side = LocalSide(5000, list(local), list(announce), AssociationConfig(), Limits())
    if wildcards:
        side.wildcards = list(wildcards)
    return side


def test_what_it_can_send_from_are_its_addresses_or_those_of_its_families() -> None:
    assert make(OWN).own_addresses == [OWN]
    assert make(OWN, wildcards=(bytes(4),)).own_addresses == [OWN]
    assert make(wildcards=(bytes(4),)).own_addresses == [bytes(4)]
    assert make().own_addresses == []


def test_peers_are_heard_at_its_addresses_and_at_all_of_its_families_if_it_has_wildcards() -> None:
    assert [make(OWN).hears(ip) for ip in (OWN, OTHER)] == [True, False]
    assert [make().hears(ip) for ip in (OWN, OWN_IPV6)] == [True, True]
    both = make(OWN_IPV6, wildcards=(bytes(4),))
    assert [both.hears(ip) for ip in (OWN, OWN_IPV6, bytes(16))] == [True, True, False]


def test_a_peer_is_told_what_the_scope_lets_through_and_lists_are_shared_where_they_are_the_same() -> None:
    side = make(OWN, OTHER, announce=(OWN, OTHER))
    assert side.announced_to([PEER]) is side.announce
    side.scope = lambda announced, peer: list(announced)
    assert side.announced_to([PEER]) is side.announce
    side.scope = lambda announced, peer: [ip for ip in announced if ip != OTHER] if peer == [PEER] else []
    assert side.announced_to([PEER]) == [OWN]
    assert [side.tells(ip, [PEER]) for ip in (OWN, OTHER)] == [True, False]
    assert [side.tells(OWN, peer) for peer in ([PEER], [THIRD])] == [True, False]


@pytest.mark.parametrize("hides", [False, True])
def test_behind_a_nat_no_address_is_told(hides: bool) -> None:
    """RFC 6951 section 5.7."""
    side = make(OWN)
    side.hides = hides
    assert side.tells(OWN, [PEER]) is not hides


def test_a_peer_that_was_told_no_address_knows_the_one_at_which_it_has_asked() -> None:
    side = make(OWN, OTHER)
    assert side.known_to([PEER], OTHER) == [OTHER]
    alone = make(OWN)
    assert alone.known_to([PEER], OWN) is alone.local
    told = make(OWN, OTHER, announce=(OWN, OTHER))
    assert told.known_to([PEER], OTHER) is told.local


def test_other_addresses_leave_the_lists_that_associations_have_as_they_are() -> None:
    side = make(OWN, announce=(OWN,))
    local, announce, given = side.local, side.announce, [OTHER]
    side.change_addresses(given, given, [bytes(4)])
    assert (local, announce) == ([OWN], [OWN])
    assert (side.local, side.announce, side.wildcards) == ([OTHER], [OTHER], [bytes(4)])
    given.clear()
    assert (side.local, side.announce) == ([OTHER], [OTHER])


@pytest.mark.parametrize(("told", "mtu"), [(1400, 1400), (1, SMALLEST_MTU), (1 << 20, LARGEST_MTU)])
def test_what_a_link_tells_of_its_mtu_is_kept_within_what_can_be(told: int, mtu: int) -> None:
    side = make(OWN)
    assert side.link_mtu(PEER, OWN) == 0
    asked: list[tuple[bytes, bytes, bool]] = []

    def ask(remote: bytes, local: bytes, anew: bool) -> int:
        asked.append((remote, local, anew))
        return told

    side.ask_link_mtu = ask
    assert [side.link_mtu(PEER, OWN), side.link_mtu(PEER, OTHER, True)] == [mtu, mtu]
    assert asked == [(PEER, OWN, False), (PEER, OTHER, True)]


def test_nothing_is_known_of_a_link_until_it_says_so() -> None:
    side = make(OWN)
    assert (side.hides, side.forbids_fragments, len(side.known_mtus), side.worker) == (False, False, 0, None)
    assert side.flowinfo_to(PEER) == 0
    side.config = AssociationConfig(dscp=10)
    assert side.flowinfo_to(PEER) == 10 << 22
