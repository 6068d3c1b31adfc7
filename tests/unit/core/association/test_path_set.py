"""Paths that come and go, and what becomes of all that knew them; addresses of ours that change below them."""

from __future__ import annotations

import pytest

from sctpx import COMPILED
from sctpx.core.association import path_set
from sctpx.core.association.state import ESTABLISHED
from sctpx.core.association.tail_probe import TailProbe
from sctpx.core.config import AssociationConfig
from sctpx.core.events import CHANGE_ADDED, CHANGE_PRIMARY, CHANGE_REMOVED, CHANGE_STATE, PathChange
from sctpx.core.ext import path_mtu
from sctpx.core.extension import Extension
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_ACTIVE, PATH_INACTIVE
from sctpx.core.timers import NEVER
from sctpx.testing import Pair, pack_address
from sctpx.wire import control
from tests.conformance.peer import Peer

NEW = bytes((10, 0, 9, 2))
OURS = [bytes((10, 0, number, 1)) for number in range(10)]
THEIRS = [bytes((10, 0, number, 2)) for number in range(10)]


def changes(peer: Peer) -> list[tuple[int, bytes]]:
    return [(event.what, event.remote) for event in peer.events_of(PathChange)]


# --- a path comes -------------------------------------------------------------------------------------------


def test_a_path_that_comes_is_not_confirmed_and_is_asked_at_once() -> None:
    peer = Peer(heartbeat_interval=30.0)
    tcb = peer.association.tcb
    path = path_set.add(tcb, peer.now, NEW, b"", 4000)
    assert (path.confirmed, path.local, path.encaps_port, path.state) == (False, OURS[1], 4000, PATH_ACTIVE)
    assert tcb.paths[-1] is path
    assert tcb.moved  # The stack has to find the association by it.
    assert changes(peer) == []
    peer.association.begin_round()
    peer.stack.touch(peer.association)
    peer.advance(1)
    assert changes(peer) == [(CHANGE_ADDED, NEW)]
    assert next(one.names for one in peer.take() if one.destination == NEW) == ["HEARTBEAT"]


@pytest.mark.parametrize(("local", "source"), [(b"", OURS[1]), (OURS[2], OURS[2]), (OURS[7], OURS[1])])
def test_packets_for_it_leave_from_an_address_that_the_peer_knows(local: bytes, source: bytes) -> None:
    """Not from one that is being added or deleted, to which its ASCONF may have come (RFC 5061 section 5.3, F1, F4)."""
    peer = Peer(paths=2)
    assert path_set.add(peer.association.tcb, peer.now, THEIRS[1][:3] + b"\7", local, 0).local == source


def test_while_our_only_address_is_replaced_it_is_the_one_that_was_heard_at() -> None:
    """Nothing but an ASCONF leaves then."""
    peer = Peer()
    peer.association.tcb.local_addresses = []
    assert path_set.add(peer.association.tcb, peer.now, NEW, OURS[7], 0).local == OURS[7]


def test_a_path_with_smaller_packets_makes_all_packets_smaller() -> None:
    peer = Peer()
    before = peer.association.tcb.packet_limit
    path_set.add(peer.association.tcb, peer.now, bytes.fromhex("20010db8") + bytes(11) + b"\1", b"", 0)
    assert peer.association.tcb.packet_limit == before - 12  # The IPv6 header is longer; UDP's is not there.


# --- a path goes --------------------------------------------------------------------------------------------


def remove(peer: Peer, number: int) -> Path:
    """The path with that number goes."""
    path = peer.path(number)
    path_set.remove(peer.association.tcb, peer.now, path)
    return path


def test_the_primary_path_that_goes_has_an_heir() -> None:
    peer = Peer(paths=3)
    remove(peer, 1)
    peer.association.begin_round()
    peer.settle()
    assert peer.association.primary is peer.path(1)
    assert peer.path(1).remote == THEIRS[2]
    assert changes(peer) == [(CHANGE_REMOVED, THEIRS[1]), (CHANGE_PRIMARY, THEIRS[2])]


def test_another_path_that_goes_leaves_the_primary_one_as_it_is() -> None:
    peer = Peer(paths=3)
    remove(peer, 2)
    peer.settle()
    assert changes(peer) == [(CHANGE_REMOVED, THEIRS[2])]
    assert peer.association.primary is peer.path(1)


@pytest.mark.parametrize(("gone", "wish", "kept"), [(2, 2, 0), (3, 2, 2), (1, 3, 3), (1, 2, 0)])
def test_a_wish_for_a_primary_path_outlives_all_but_its_own_path(gone: int, wish: int, kept: int) -> None:
    """It is fulfilled if the heir is the path that was wished for: the second one."""
    peer = Peer(paths=3)
    tcb = peer.association.tcb
    wanted = {0: None, **{number: peer.path(number) for number in (1, 2, 3)}}
    tcb.preferred_primary = wanted[wish]
    remove(peer, gone)
    assert tcb.preferred_primary is wanted[kept]
    assert tcb.primary is (wanted[2] if gone == 1 else wanted[1])


def test_nothing_knows_a_path_that_is_gone() -> None:
    peer = Peer(paths=2)
    tcb = peer.association.tcb
    path, heir = peer.path(1), peer.path(2)
    tcb.data_path = tcb.sack_path = path
    tcb.send_control(path, control.heartbeat(b"\0\1\0\x08info"))
    tcb.send_control(heir, control.heartbeat(b"\0\1\0\x08kept"))
    assert remove(peer, 1) is path
    assert tcb.data_path is tcb.sack_path is None
    assert [where for where, _, _ in tcb.control] == [heir]
    assert tcb.moved


@pytest.mark.skipif(COMPILED, reason="interpreted classes cannot inherit from compiled ones")
def test_extensions_are_told_of_a_path_that_is_gone() -> None:
    class Told(Extension):
        def __init__(self) -> None:
            super().__init__()
            self.gone: list[tuple[Path, Path]] = []

        def on_path_removed(self, path: Path, heir: Path) -> None:
            self.gone.append((path, heir))

    peer = Peer(paths=2)
    told = Told()
    peer.association.tcb.extensions.append(told)
    path, heir = peer.path(1), peer.path(2)
    remove(peer, 1)
    assert told.gone == [(path, heir)]


def test_other_paths_that_are_known_stay_known() -> None:
    peer = Peer(paths=2)
    tcb = peer.association.tcb
    tcb.data_path = tcb.sack_path = peer.path(1)
    remove(peer, 2)
    assert tcb.data_path is tcb.sack_path is peer.path(1)


def test_a_shutdown_under_way_goes_on_elsewhere() -> None:
    peer = Peer(paths=2)
    peer.shutdown()
    assert [one.destination for one in peer.take()] == [THEIRS[1]]
    remove(peer, 1)
    closing = peer.association.tcb.closing
    assert closing is not None
    assert closing.t2_path is peer.path(1)


def test_a_shutdown_under_way_stays_with_another_path() -> None:
    peer = Peer(paths=3)
    peer.set_primary(2)
    peer.shutdown()
    used = peer.path(2)
    remove(peer, 3)
    closing = peer.association.tcb.closing
    assert closing is not None
    assert closing.t2_path is used


def test_an_end_that_waits_for_data_has_no_path_yet() -> None:
    peer = Peer(paths=2)
    peer.send(1000)
    peer.shutdown()
    remove(peer, 1)
    closing = peer.association.tcb.closing
    assert closing is not None
    assert closing.t2_path is None


@pytest.mark.parametrize(("about", "to", "gone", "stays"), [(1, 2, 1, False), (1, 2, 2, False), (1, 2, 3, True)])
def test_a_tail_loss_probe_is_forgotten_with_either_of_its_paths(about: int, to: int, gone: int, stays: bool) -> None:
    """RFC 8985 section 7.3."""
    peer = Peer(paths=3)
    tcb = peer.association.tcb
    asked = tcb.tail_probe = TailProbe(peer.path(about), peer.path(to), 5)
    remove(peer, gone)
    assert tcb.tail_probe is (asked if stays else None)


def test_packets_are_as_large_as_the_paths_that_are_left_take() -> None:
    """RFC 9260 section 7.3."""
    peer = Peer(paths=2)
    peer.association.configure_path(peer.now, THEIRS[2], mtu=800)
    assert peer.association.tcb.packet_limit == 800
    remove(peer, 2)
    assert peer.association.tcb.packet_limit == 1472


@pytest.mark.parametrize("in_flight", [True, False])
def test_a_path_that_no_address_of_ours_reaches_has_failed_and_its_data_is_lost(in_flight: bool) -> None:
    peer = Peer(paths=2, heartbeat_interval=30.0)
    tcb = peer.association.tcb
    peer.send(1000)
    peer.sack(1, after=0.1)
    if in_flight:
        peer.send(1000)
    path_set.use_sources(tcb, peer.now, [bytes.fromhex("20010db8") + bytes(11) + b"\1"])
    peer.settle()
    for path in tcb.paths:
        assert (path.cut_off, path.local, path.state, path.error_count) == (True, b"", PATH_INACTIVE, 6)
        assert (path.srtt, path.flight_size, path.t3_deadline) == (0, 0, NEVER)
    assert tcb.outstanding.marked_chunks == int(in_flight)
    assert [event.what for event in peer.events_of(PathChange)] == [CHANGE_STATE, CHANGE_STATE]


def test_what_is_in_flight_there_is_lost_and_its_window_is_free_again() -> None:
    peer = Peer(paths=2)
    tcb = peer.association.tcb
    rwnd = tcb.peer_rwnd
    peer.send(1000, 1000)
    assert tcb.peer_rwnd < rwnd
    path = remove(peer, 1)
    assert tcb.peer_rwnd == rwnd
    assert path.flight_size == tcb.outstanding.flight_size == 0
    assert path.t3_deadline == NEVER
    assert peer.path(1).last_data_sent > 0  # What is taken back by a SACK is the heir's.
    assert tcb.outstanding.marked_chunks == 2
    tcb.outstanding.check_invariants()


def test_the_heir_is_a_path_that_works() -> None:
    peer = Peer(paths=3)
    peer.path(2).state = PATH_INACTIVE
    remove(peer, 1)
    assert peer.association.primary is not None
    assert peer.association.primary.remote == THEIRS[3]


def test_a_search_for_the_path_mtu_ends_with_its_path() -> None:
    peer = Peer(paths=2, link_mtu=9000)
    tcb = peer.association.tcb
    peer.send(20_000)
    peer.take()
    room = path_mtu.find(tcb)
    assert room is not None
    assert room.deadline != NEVER
    remove(peer, 1)
    assert path_mtu.find(tcb) is room  # The other path is still searched.
    path_set.add(tcb, peer.now, NEW, b"", 0)
    remove(peer, 1)
    assert path_mtu.find(tcb) is None


# --- our addresses ------------------------------------------------------------------------------------------


def use(peer: Peer, *ips: bytes, lost: bool = False) -> None:
    path_set.use_sources(peer.association.tcb, peer.now, list(ips), lost)


def sources(peer: Peer) -> list[bytes]:
    return [path.local for path in peer.association.paths]


def worn(path: Path) -> Path:
    """A path on which much has happened."""
    path.srtt, path.rttvar, path.rto = 1, 2, 3
    path.error_count = 2
    path.heartbeat_nonce = b"under way"
    path.controller.on_timeout()
    return path


def is_new(peer: Peer, path: Path) -> bool:
    """Nothing is known of it but that it is the peer's."""
    config = AssociationConfig()
    assert path.confirmed
    return (path.srtt, path.rto, path.error_count, path.heartbeat_nonce) == (
        0,
        round(config.rto_initial * 1e9),
        0,
        b"",
    )


def test_a_path_whose_source_is_gone_begins_anew_from_another_one() -> None:
    peer = Peer(paths=2)
    worn(peer.path(1))
    worn(peer.path(2))
    use(peer, OURS[2])
    assert sources(peer) == [OURS[2], OURS[2]]
    assert is_new(peer, peer.path(1))
    assert not is_new(peer, peer.path(2))
    assert peer.association.local_addresses == [OURS[2]]


def test_a_path_that_had_failed_is_told_to_be_active_again() -> None:
    peer = Peer(paths=2, path_max_retrans=1, association_max_retrans=20)
    peer.path(2).error_count = 2
    peer.path(2).state = PATH_INACTIVE
    peer.path(2).told_state = PATH_INACTIVE
    use(peer, OURS[1])
    peer.settle()
    assert peer.path(2).state == PATH_ACTIVE
    assert changes(peer) == [(CHANGE_STATE, THEIRS[2])]


def test_of_paths_that_keep_their_source_those_without_data_move_to_a_better_one() -> None:
    """So the peer is reached over several networks. The path that carries the data stays where it is."""
    peer = Peer(paths=2)
    use(peer, OURS[7])
    assert sources(peer) == [OURS[7], OURS[7]]
    worn(peer.path(1))
    use(peer, OURS[7], OURS[1], OURS[2])
    assert sources(peer) == [OURS[7], OURS[2]]
    assert not is_new(peer, peer.path(1))


def test_without_a_new_address_no_path_moves() -> None:
    peer = Peer(paths=3)
    use(peer, OURS[7])
    use(peer, OURS[7], OURS[2])
    before = sources(peer)
    use(peer, OURS[2], OURS[7])
    assert sources(peer) == before
    use(peer, OURS[7])
    assert sources(peer) == [OURS[7]] * 3


@pytest.mark.parametrize(("errors", "lost", "again"), [(0, False, []), (1, False, [1]), (0, True, [1])])
def test_data_in_flight_goes_again_if_the_old_way_had_failed(errors: int, lost: bool, again: list[int]) -> None:
    """Else T3-rtx decides, and not later than after the RTO of a way of which nothing is known."""
    peer = Peer(paths=2, rto_initial=2.0)
    peer.send(1000)
    peer.take()
    path = peer.path(1)
    path.t3_deadline = peer.now + 50 * 10**9
    path.error_count = errors
    use(peer, OURS[2], lost=lost)
    assert path.t3_deadline == (NEVER if again else peer.now + 2 * 10**9)
    peer.association.begin_round()
    peer.stack.touch(peer.association)
    peer.settle()
    assert [one.tsns for one in peer.take()] == [[tsn] for tsn in again]
    peer.association.tcb.outstanding.check_invariants()


def test_what_waits_to_be_sent_leaves_from_an_address_that_is_left() -> None:
    peer = Peer(paths=2)
    tcb = peer.association.tcb
    chunk = control.heartbeat_ack(b"\0\1\0\x08info")
    tcb.sack_path, tcb.sack_local = peer.path(2), OURS[1]
    tcb.send_control(peer.path(1), chunk)
    tcb.send_control(peer.path(2), chunk, OURS[1])
    tcb.send_control(peer.path(2), chunk, OURS[2])
    use(peer, OURS[2])
    assert [local for _, _, local in tcb.control] == [OURS[2]] * 3
    assert tcb.sack_local == b""
    tcb.sack_local = OURS[2]
    use(peer, OURS[2], OURS[1])
    assert tcb.sack_local == OURS[2]


@pytest.mark.parametrize("fixed", [False, True])
def test_of_a_new_way_the_path_mtu_is_discovered_anew(fixed: bool) -> None:
    peer = Peer(paths=2, link_mtu=9000, path_mtu_discovery=not fixed)
    tcb = peer.association.tcb
    path, other = peer.path(1), peer.path(2)
    peer.send(20_000)
    peer.take()
    asked = path_mtu.find(tcb) is not None
    assert asked is not fixed
    if not fixed:
        for one in (path, other):
            one.set_mtu(5000, 5000)
            one.sized = True
    before = path.mtu
    peer.stack.ask_link_mtu = None
    peer.endpoint.ask_link_mtu = lambda remote, local, anew: 1400 if local == OURS[2] and anew else 9000
    use(peer, OURS[2])
    assert path.link_mtu == 1400
    assert path.largest == 1400 - 28
    if fixed:
        assert path.mtu == min(before, path.largest)
        return
    assert path.mtu == path.base < 5000
    assert path.discovers
    assert not path.sized
    assert path.search_from == 0
    assert (other.mtu, other.sized) == (5000, True)
    assert tcb.packet_limit == 5000  # Paths of which nothing was discovered yet make no packets smaller.


def test_a_probe_of_the_old_way_that_is_answered_late_counts_for_nothing() -> None:
    peer = Peer(paths=1, link_mtu=9000, address_reconfiguration=True)
    tcb = peer.association.tcb
    peer.send(20_000)
    [probe] = [one for one in peer.take() if one.names[:1] == ["HEARTBEAT"]]
    use(peer, OURS[7])
    path = peer.path(1)
    assert path_mtu.find(tcb) is None
    peer.deliver_between(THEIRS[1], OURS[7], control.heartbeat_ack(probe.value("HEARTBEAT")))
    assert path.mtu == path.base
    assert not path.sized


# --- no address of ours reaches a path ----------------------------------------------------------------------


FOUR, SIX = "10.0.1.1", "2001:db8:1::1"
PEER_FOUR, PEER_SIX = "10.0.1.2", "2001:db8:1::2"


def dual() -> Pair:
    """Both hosts have an address of each family."""
    config = AssociationConfig(address_reconfiguration=True, heartbeat_interval=1.0, path_max_retrans=2)
    pair = Pair(1, a=[FOUR, SIX], b=[PEER_FOUR, PEER_SIX], config=config).connect()
    pair.network.run_for(5)
    assert all(path.confirmed for path in pair.a.association.paths)
    return pair


def sent_by_a(pair: Pair) -> list[bytes]:
    """From where each packet of A has left."""
    own = (pack_address(FOUR), pack_address(SIX))
    return [packet.source for packet in pair.network.packets() if packet.source in own]


def change(pair: Pair, added: list[str], removed: list[str]) -> None:
    pair.a.association.change_addresses(
        pair.a.host.now, [pack_address(ip) for ip in added], [pack_address(ip) for ip in removed]
    )


def path_to(pair: Pair, remote: str) -> Path:
    [path] = [path for path in pair.a.association.paths if path.remote == pack_address(remote)]
    return path


@pytest.mark.parametrize(
    ("gone", "far", "kept"), [(SIX, PEER_SIX, FOUR), (FOUR, PEER_FOUR, SIX)], ids=["IPv6 goes", "IPv4 goes"]
)
def test_nothing_leaves_for_a_path_that_no_address_of_ours_reaches(gone: str, far: str, kept: str) -> None:
    """RFC 5061 section 5.3, F4: what is deleted "MUST NOT be used as a source address for any subsequent packets"."""
    with dual() as pair:
        for number in range(30):
            pair.a.send(bytes(1000) + bytes((number,)))
        change(pair, [], [gone])
        pair.network.run_for(0.001)
        before = len(sent_by_a(pair))
        pair.drain()
        pair.network.run_for(20)
        assert set(sent_by_a(pair)[before:]) == {pack_address(kept)}
        assert len(pair.b.messages()) == 30
        path = path_to(pair, far)
        assert (path.cut_off, path.state) == (True, PATH_INACTIVE)
        assert not pair.a.association.uses(pack_address(gone))
        pair.a.association.tcb.outstanding.check_invariants()
        assert [event.remote for event in pair.a.events_of(PathChange) if event.what == CHANGE_STATE] == [path.remote]


def test_it_is_used_again_once_an_address_reaches_it() -> None:
    with dual() as pair:
        change(pair, [], [SIX])
        pair.network.run_for(10)
        change(pair, [SIX], [])
        pair.network.run_for(10)
        path = path_to(pair, PEER_SIX)
        assert (path.local, path.cut_off, path.state) == (pack_address(SIX), False, PATH_ACTIVE)
        told = [event.what for event in pair.a.events_of(PathChange) if event.remote == path.remote]
        assert told == [CHANGE_STATE, CHANGE_STATE]


def test_an_association_that_reaches_no_address_of_the_peer_says_nothing_and_ends_in_the_end() -> None:
    """Our only address of the family of the peer's only address is replaced by one of the other family."""
    config = AssociationConfig(address_reconfiguration=True, association_max_retrans=4, path_max_retrans=2)
    with Pair(1, a=[FOUR, SIX], b=[PEER_FOUR], config=config).connect() as pair:
        pair.a.send(b"before")
        pair.drain()
        change(pair, [], [])  # The peer is asked for nothing here, but could be.
        path_set.use_sources(pair.a.association.tcb, pair.a.host.now, [pack_address(SIX)])
        before = len(sent_by_a(pair))
        pair.a.send(b"after")
        assert pair.a.association.state == ESTABLISHED
        pair.network.run(lambda: pair.a.association.ended, 2000)
        assert len(sent_by_a(pair)) == before


def test_a_heartbeat_is_not_kept_for_it() -> None:
    peer = Peer(paths=2)
    tcb = peer.association.tcb
    tcb.send_control(peer.path(2), control.heartbeat(b"\0\1\0\x08info"))
    path_set.use_sources(tcb, peer.now, [bytes.fromhex("20010db8") + bytes(11) + b"\1"])
    assert tcb.control == []
    tcb.send_control(peer.path(2), control.heartbeat(b"\0\1\0\x08info"))
    assert tcb.control == []
