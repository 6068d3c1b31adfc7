"""Options of associations (RFC 6458 section 8)."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.sockapi import constants as c
from sctpx.sockapi.structs import (
    AssocParams,
    AssocStats,
    AssocValue,
    PaddrInfo,
    RtoInfo,
    SackInfo,
    SetPrim,
    Status,
    Struct,
)
from sctpx.testing import Pair
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises

PORT = 5000


def read(socket: Socket, name: int, asked: Struct | None = None) -> Struct:
    value = socket.get(name, asked)
    assert isinstance(value, Struct)
    return value


# --- section 8.1.1 ---


def test_rtoinfo_is_in_milliseconds_and_zero_leaves_a_value_as_it_is() -> None:
    socket = make_socket()
    assert read(socket, c.SCTP_RTOINFO) == RtoInfo(srto_initial=1000, srto_max=60_000, srto_min=1000)
    socket.set(c.SCTP_RTOINFO, RtoInfo(srto_min=200))
    assert read(socket, c.SCTP_RTOINFO) == RtoInfo(srto_initial=1000, srto_max=60_000, srto_min=200)


@pytest.mark.parametrize(
    "value",
    [RtoInfo(srto_initial=500), RtoInfo(srto_max=999), RtoInfo(srto_min=2000), RtoInfo(srto_max=0xFFFFFFFF)],
)
def test_an_initial_rto_outside_its_bounds_is_refused_and_nothing_changes(value: RtoInfo) -> None:
    socket, pair = connected()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_RTOINFO, value)
    assert pair.a.association.config.rto_min == 1


def test_the_bounds_of_the_rto_hold_for_an_association_at_once() -> None:
    socket, pair = connected()
    socket.set(c.SCTP_RTOINFO, RtoInfo(srto_initial=50, srto_min=50))
    pair.a.send(b"measured")
    pair.drain()
    assert pair.a.association.paths[0].rto < 1_000_000_000


# --- section 8.1.2 ---


def test_associnfo_of_an_association_has_its_windows_and_addresses() -> None:
    socket, pair = connected()
    association = pair.a.association
    assert read(socket, c.SCTP_ASSOCINFO) == AssocParams(
        sasoc_assoc_id=association.id,
        sasoc_asocmaxrxt=10,
        sasoc_number_peer_destinations=2,
        sasoc_peer_rwnd=1 << 20,
        sasoc_local_rwnd=1 << 20,
        sasoc_cookie_life=60_000,
    )


def test_what_can_only_be_read_of_associnfo_is_ignored() -> None:
    socket = make_socket()
    socket.set(c.SCTP_ASSOCINFO, AssocParams(sasoc_peer_rwnd=1, sasoc_local_rwnd=1, sasoc_number_peer_destinations=7))
    assert read(socket, c.SCTP_ASSOCINFO) == AssocParams(
        sasoc_asocmaxrxt=10, sasoc_local_rwnd=1 << 20, sasoc_cookie_life=60_000
    )


def test_more_retransmissions_than_all_paths_allow_are_refused() -> None:
    socket, pair = connected()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_ASSOCINFO, AssocParams(sasoc_asocmaxrxt=11, sasoc_cookie_life=1000))
    assert pair.a.association.config.cookie_life == 60
    for allowed in (10, 9):
        socket.set(c.SCTP_ASSOCINFO, AssocParams(sasoc_asocmaxrxt=allowed, sasoc_cookie_life=1000))
        assert pair.a.association.config.association_max_retrans == allowed


def test_with_a_single_path_any_number_of_retransmissions_is_allowed() -> None:
    socket, pair = connected(paths=1)
    socket.set(c.SCTP_ASSOCINFO, AssocParams(sasoc_asocmaxrxt=11))
    assert pair.a.association.config.association_max_retrans == 11


# --- sections 8.1.5, 8.1.16, 8.1.19, 8.1.24, 8.1.25 ---


def packets_of(messages: int, nodelay: int) -> int:
    """Packets in which small messages leave, while one is under way."""
    socket, pair = connected()
    socket.set(c.SCTP_NODELAY, nodelay)
    pair.a.send(b"first")
    pair.network.run_for(0.001)
    before = pair.a.association.stats.packets_sent
    for _ in range(messages):
        pair.a.send(b"small")
        pair.network.run_for(0.0001)
    return pair.a.association.stats.packets_sent - before


def test_nodelay_sends_small_messages_at_once() -> None:
    assert packets_of(3, nodelay=1) == 3
    assert packets_of(3, nodelay=0) == 0


def test_messages_are_fragmented_to_maxseg() -> None:
    socket, pair = connected()
    point = pair.a.association.fragmentation_point
    socket.set(c.SCTP_MAXSEG, AssocValue(assoc_value=500))
    assert pair.a.association.fragmentation_point == 500
    pair.a.send(bytes(1000))
    pair.drain()
    assert pair.b.messages() == [bytes(1000)]
    assert pair.a.association.stats.packets_sent >= 4
    socket.set(c.SCTP_MAXSEG, AssocValue(assoc_value=100_000))
    assert read(socket, c.SCTP_MAXSEG) == AssocValue(assoc_id=pair.a.association.id)
    assert pair.a.association.fragmentation_point == point


def test_a_maxseg_that_leaves_no_room_is_refused() -> None:
    with raises(errno.EINVAL):
        make_socket().set(c.SCTP_MAXSEG, AssocValue(assoc_value=100))


def test_delayed_sacks_have_a_delay_and_a_frequency() -> None:
    socket, pair = connected()
    assoc_id = pair.a.association.id
    socket.set(c.SCTP_DELAYED_SACK, SackInfo(sack_delay=300))
    assert read(socket, c.SCTP_DELAYED_SACK) == SackInfo(sack_assoc_id=assoc_id, sack_delay=300, sack_freq=2)
    assert pair.a.association.config.sack_delay == 0.3
    socket.set(c.SCTP_DELAYED_SACK, SackInfo(sack_freq=1))
    assert read(socket, c.SCTP_DELAYED_SACK) == SackInfo(sack_assoc_id=assoc_id, sack_delay=300, sack_freq=1)
    assert pair.a.association.config.sack_delay == 0
    socket.set(c.SCTP_DELAYED_SACK, SackInfo(sack_freq=2))
    assert pair.a.association.config.sack_delay == 0.3


@pytest.mark.parametrize("value", [SackInfo(sack_delay=501), SackInfo(sack_freq=3)])
def test_sacks_that_come_too_late_are_refused(value: SackInfo) -> None:
    socket = make_socket()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_DELAYED_SACK, value)
    assert read(socket, c.SCTP_DELAYED_SACK) == SackInfo(sack_delay=200, sack_freq=2)


def test_half_a_second_is_the_longest_delay() -> None:
    socket = make_socket()
    socket.set(c.SCTP_DELAYED_SACK, SackInfo(sack_delay=500))
    assert read(socket, c.SCTP_DELAYED_SACK) == SackInfo(sack_delay=500, sack_freq=2)


def sack_time(frequency: int) -> float:
    """Seconds until a single message is acknowledged, on an association that is past its first one."""
    socket, pair = connected(config=AssociationConfig(loss_recovery="rfc9260"))
    pair.b.send(b"first")
    pair.drain()
    socket.set(c.SCTP_DELAYED_SACK, SackInfo(sack_delay=400, sack_freq=frequency))
    begin = pair.network.elapsed
    pair.b.send(b"second")
    pair.drain()
    return pair.network.elapsed - begin


def test_the_delay_holds_for_an_association_at_once() -> None:
    assert sack_time(frequency=2) > 0.4
    assert sack_time(frequency=1) < 0.1


def test_no_max_burst_is_told_as_zero() -> None:
    socket = make_socket()
    assert read(socket, c.SCTP_MAX_BURST) == AssocValue(assoc_value=4)
    socket.set(c.SCTP_MAX_BURST, AssocValue(assoc_value=0))
    assert read(socket, c.SCTP_MAX_BURST) == AssocValue(assoc_value=0)
    assert socket.settings.future.config.max_burst > 1000
    with raises(errno.EINVAL):
        socket.set(c.SCTP_MAX_BURST, AssocValue(assoc_value=100_000))


# --- section 8.1.9 ---


def test_the_primary_path_is_told_and_chosen() -> None:
    socket, pair = connected()
    pair.network.run_for(1)
    assoc_id = pair.a.association.id
    assert read(socket, c.SCTP_PRIMARY_ADDR) == SetPrim(ssp_assoc_id=assoc_id, ssp_addr=("10.0.1.2", PORT))
    socket.set(c.SCTP_PRIMARY_ADDR, SetPrim(ssp_addr=("10.0.2.2", PORT)))
    assert read(socket, c.SCTP_PRIMARY_ADDR) == SetPrim(ssp_assoc_id=assoc_id, ssp_addr=("10.0.2.2", PORT))


@pytest.mark.parametrize("address", [None, ("0.0.0.0", PORT), ("10.0.3.2", PORT), ("10.0.2.2", 1)])
def test_what_is_no_address_of_the_peer_cannot_be_primary(address: tuple[str, int] | None) -> None:
    socket, pair = connected()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_PRIMARY_ADDR, SetPrim(ssp_addr=address))
    assert pair.a.association.primary is pair.a.association.paths[0]


def test_before_and_after_an_association_there_is_no_primary_path_to_choose() -> None:
    pair = Pair(seed=1)
    pair.a.connect(pair.b)
    socket = make_socket()
    socket.attach(pair.a.association)
    status = read(socket, c.SCTP_STATUS)
    assert isinstance(status, Status)
    assert (status.sstat_state, status.sstat_primary.spinfo_address) == (c.SCTP_COOKIE_WAIT, None)
    with raises(errno.EINVAL):
        socket.get(c.SCTP_PRIMARY_ADDR)
    over, pair = connected()
    pair.shutdown()
    with raises(errno.EINVAL):
        over.set(c.SCTP_PRIMARY_ADDR, SetPrim(ssp_addr=("10.0.1.2", PORT)))


# --- read-only (section 8.2) ---


def test_status_tells_of_the_association() -> None:
    socket, pair = connected()
    association = pair.a.association
    path = association.paths[0]
    primary = PaddrInfo(
        spinfo_assoc_id=association.id,
        spinfo_address=("10.0.1.2", PORT),
        spinfo_state=c.SCTP_ACTIVE,
        spinfo_cwnd=path.cwnd,
        spinfo_srtt=path.srtt // 1_000_000,
        spinfo_rto=1000,
        spinfo_mtu=path.pmdcs,
    )
    assert read(socket, c.SCTP_STATUS) == Status(
        sstat_assoc_id=association.id,
        sstat_state=c.SCTP_ESTABLISHED,
        sstat_rwnd=1 << 20,
        sstat_instrms=10,
        sstat_outstrms=10,
        sstat_fragmentation_point=path.mtu - 28,
        sstat_primary=primary,
    )
    assert read(socket, c.SCTP_GET_PEER_ADDR_INFO, PaddrInfo(spinfo_address=("10.0.1.2", PORT))) == primary


def test_status_counts_what_is_under_way_and_what_waits_to_be_read() -> None:
    socket, pair = connected()
    pair.a.reading = False
    pair.b.send(b"to be read")
    pair.drain()
    pair.cut(1)
    pair.cut(2)
    pair.a.send(b"to be acknowledged")
    pair.network.run_for(0.1)
    status = read(socket, c.SCTP_STATUS)
    assert isinstance(status, Status)
    assert (status.sstat_unackdata, status.sstat_penddata) == (1, 1)
    assert status.sstat_rwnd == (1 << 20) - len(b"to be acknowledged")


def test_status_tells_of_an_association_that_is_over() -> None:
    socket, pair = connected()
    pair.shutdown()
    status = read(socket, c.SCTP_STATUS)
    assert isinstance(status, Status)
    assert status.sstat_state == c.SCTP_CLOSED


def path_state(socket: Socket, host: str) -> int:
    info = read(socket, c.SCTP_GET_PEER_ADDR_INFO, PaddrInfo(spinfo_address=(host, PORT)))
    assert isinstance(info, PaddrInfo)
    return info.spinfo_state


def test_a_potentially_failed_path_is_told_as_such_where_that_is_exposed() -> None:
    socket, pair = connected(config=AssociationConfig(loss_recovery="rfc9260"))
    pair.cut(1)
    pair.a.send(b"lost")
    pair.network.run_for(1.1)
    assert path_state(socket, "10.0.1.2") == c.SCTP_POTENTIALLY_FAILED
    socket.set(c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, AssocValue(assoc_value=0))
    assert path_state(socket, "10.0.1.2") == c.SCTP_ACTIVE
    assert not pair.a.association.config.expose_potentially_failed


@pytest.mark.parametrize("assoc_id", [c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC])
def test_whether_potentially_failed_paths_are_exposed_is_not_for_current_or_all_associations(assoc_id: int) -> None:
    """RFC 7829 section 7.3: "It is an error to use SCTP_{CURRENT|ALL}_ASSOC in assoc_id"."""
    socket, _ = connected(one_to_many=True)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, AssocValue(assoc_id=assoc_id))
    with raises(errno.EINVAL):
        socket.get(c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, AssocValue(assoc_id=assoc_id))


@pytest.mark.parametrize(("value", "told"), [(0, 0), (1, 1), (2, 1), (0xFFFFFFFF, 1)])
def test_they_are_exposed_if_the_value_is_not_0(value: int, told: int) -> None:
    socket = make_socket()
    assert socket.get(c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE) == AssocValue(assoc_value=1)
    socket.set(c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, AssocValue(assoc_value=value))
    assert socket.get(c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE) == AssocValue(assoc_value=told)


def test_a_path_that_failed_is_inactive() -> None:
    socket, pair = connected(config=AssociationConfig(path_max_retrans=0, loss_recovery="rfc9260"))
    pair.cut(1)
    pair.a.send(b"lost")
    pair.network.run_for(1.1)
    assert path_state(socket, "10.0.1.2") == c.SCTP_INACTIVE


def test_an_address_finds_its_association_on_a_one_to_many_socket() -> None:
    socket, pair = connected(one_to_many=True)
    info = read(socket, c.SCTP_GET_PEER_ADDR_INFO, PaddrInfo(spinfo_address=("10.0.2.2", PORT)))
    assert isinstance(info, PaddrInfo)
    assert info.spinfo_assoc_id == pair.a.association.id


@pytest.mark.parametrize("address", [None, ("10.0.3.2", PORT), ("10.0.2.2", PORT + 1), ("0.0.0.0", PORT)])
@pytest.mark.parametrize("one_to_many", [False, True])
def test_there_is_nothing_to_tell_of_an_address_that_is_not_the_peers(
    address: tuple[str, int] | None, one_to_many: bool
) -> None:
    socket, _ = connected(one_to_many)
    with raises(errno.EINVAL):
        socket.get(c.SCTP_GET_PEER_ADDR_INFO, PaddrInfo(spinfo_address=address))


def test_the_counters_are_those_of_the_association() -> None:
    socket, pair = connected()
    pair.a.send(b"one")
    pair.drain()
    stats = read(socket, c.SCTP_GET_ASSOC_STATS)
    counted = pair.a.association.stats
    assert isinstance(stats, AssocStats)
    assert stats.sas_opackets == counted.packets_sent > 0
    assert stats.sas_ipackets == counted.packets_received > 0
    assert stats.sas_isacks == counted.sacks_received == 1
    assert stats.sas_maxrto == 1000


@pytest.mark.parametrize("sender", ["a", "b"])
def test_messages_are_counted_by_whether_they_are_ordered(sender: str) -> None:
    socket, pair = connected(paths=1)
    side = getattr(pair, sender)
    side.association.send_many(iter([b"x", (b"y", 0, 0, True)]), lambda message: message, 1 << 20)
    for unordered in (False, True, True):
        side.send(bytes(5000), unordered=unordered)
    pair.drain()
    stats = read(socket, c.SCTP_GET_ASSOC_STATS)
    assert isinstance(stats, AssocStats)
    sent = (stats.sas_oodchunks, stats.sas_ouodchunks)
    received = (stats.sas_iodchunks, stats.sas_iuodchunks)
    assert (sent, received) == (((2, 3), (0, 0)) if sender == "a" else ((0, 0), (2, 3)))


def test_chunks_that_are_not_data_are_counted_with_sacks() -> None:
    socket, pair = connected(paths=1)
    before = read(socket, c.SCTP_GET_ASSOC_STATS)
    pair.a.association.request_heartbeat(pair.network.clock.now, pair.a.association.paths[0].remote)
    pair.a.send(b"one")
    pair.drain()
    pair.network.run_for(0.5)
    after = read(socket, c.SCTP_GET_ASSOC_STATS)
    assert isinstance(before, AssocStats)
    assert isinstance(after, AssocStats)
    assert after.sas_octrlchunks - before.sas_octrlchunks == 1  # HEARTBEAT
    assert after.sas_ictrlchunks - before.sas_ictrlchunks == 2  # HEARTBEAT ACK, SACK
    pair.b.send(b"two")
    pair.drain()
    assert read(socket, c.SCTP_GET_ASSOC_STATS) == replace(
        after,
        sas_ipackets=after.sas_ipackets + 1,
        sas_opackets=after.sas_opackets + 1,
        sas_osacks=after.sas_osacks + 1,
        sas_iodchunks=after.sas_iodchunks + 1,
        sas_octrlchunks=after.sas_octrlchunks + 1,
    )


def test_data_that_came_before_what_was_sent_before_it_is_counted() -> None:
    socket, pair = connected(paths=1, config=AssociationConfig(nodelay=True))
    pair.network.drop("DATA", times=1)
    for text in (b"one", b"two", b"three"):
        pair.b.send(text)
        pair.network.run_for(0.01)
    pair.drain()
    assert [message.data for message in pair.a.received] == [b"one", b"two", b"three"]
    stats = read(socket, c.SCTP_GET_ASSOC_STATS)
    assert isinstance(stats, AssocStats)
    assert (stats.sas_outofseqtsns, stats.sas_idupchunks) == (2, 0)


def test_the_longest_rto_stays_on_record() -> None:
    socket, pair = connected(paths=2)
    pair.cut(1)
    pair.a.send(b"late")
    pair.network.run_for(20)
    pair.heal(1)
    pair.network.run_for(100)
    stats = read(socket, c.SCTP_GET_ASSOC_STATS)
    assert isinstance(stats, AssocStats)
    assert (stats.sas_maxrto, stats.sas_obs_rto_ipaddr) == (32_000, ("10.0.1.2", PORT))
    assert [path.rto for path in pair.a.association.paths] == [1_000_000_000] * 2
