"""Options of paths (RFC 6458 section 8.1.12, RFC 6951 section 6.1, RFC 7829 section 7)."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.states import PATH_ACTIVE, PATH_POTENTIALLY_FAILED
from sctpx.sockapi import constants as c
from sctpx.sockapi.notifications import notifications
from sctpx.sockapi.structs import (
    PaddrChange,
    PaddrInfo,
    PaddrParams,
    PaddrThlds,
    PaddrThldsV2,
    ProbeInterval,
    SackInfo,
    SetPrim,
    UdpEncaps,
)
from sctpx.testing import Pair
from tests.unit.sockapi.holder import Socket, connected, make_socket, raises

FIRST = ("10.0.1.2", 5000)
SECOND = ("10.0.2.2", 5000)
MILLISECOND = 1_000_000


def params(socket: Socket, address: tuple[str, int] | None = None) -> PaddrParams:
    value = socket.get(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=address))
    assert isinstance(value, PaddrParams)
    return value


def test_the_parameters_of_a_path_are_told() -> None:
    socket, pair = connected()
    path = pair.a.association.paths[1]
    assert params(socket, SECOND) == PaddrParams(
        spp_assoc_id=pair.a.association.id,
        spp_address=SECOND,
        spp_hbinterval=30_000,
        spp_pathmaxrxt=5,
        spp_pathmtu=path.mtu - 12,
        spp_sackdelay=200,
        spp_flags=c.SPP_HB_ENABLE | c.SPP_PMTUD_DISABLE | c.SPP_SACKDELAY_ENABLE | c.SPP_DSCP,
    )


def test_a_path_is_changed_and_the_others_are_not() -> None:
    socket, pair = connected()
    before = pair.a.association.paths[1].heartbeats_sent
    socket.set(
        c.SCTP_PEER_ADDR_PARAMS,
        PaddrParams(spp_address=SECOND, spp_hbinterval=500, spp_pathmaxrxt=2, spp_flags=c.SPP_HB_ENABLE),
    )
    first, second = pair.a.association.paths
    assert second.heartbeats_sent == before
    assert (first.heartbeat_interval, first.max_retrans) == (30_000 * MILLISECOND, 5)
    assert (second.heartbeat_interval, second.max_retrans) == (500 * MILLISECOND, 2)


def test_without_an_address_all_paths_and_those_to_come_are_changed() -> None:
    socket, pair = connected()
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_pathmaxrxt=2, spp_flags=c.SPP_HB_DISABLE))
    assert [path.max_retrans for path in pair.a.association.paths] == [2, 2]
    assert not any(path.heartbeat_enabled for path in pair.a.association.paths)
    assert pair.a.association.config.path_max_retrans == 2
    assert pair.a.association.config.heartbeat_interval == 0


def test_heartbeats_can_be_switched_off_and_on_again() -> None:
    socket, pair = connected()
    path = pair.a.association.paths[1]
    pair.network.run_for(60)
    socket.now = pair.network.clock.now
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_HB_DISABLE))
    pair.network.run_for(1)
    sent = path.heartbeats_sent
    pair.network.run_for(200)
    assert path.heartbeats_sent == sent
    socket.now = pair.network.clock.now
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_hbinterval=1000, spp_flags=c.SPP_HB_ENABLE))
    pair.network.run_for(20)
    assert path.heartbeats_sent > sent + 3


def test_an_interval_counts_only_where_heartbeats_are_enabled() -> None:
    socket = make_socket()
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_hbinterval=500))
    assert params(socket).spp_hbinterval == 30_000
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_hbinterval=500, spp_flags=c.SPP_HB_ENABLE))
    assert params(socket).spp_hbinterval == 500
    assert socket.settings.begin().config.heartbeat_interval == 0.5


def test_an_interval_of_zero_has_a_flag_of_its_own() -> None:
    socket, pair = connected()
    enable = PaddrParams(spp_address=SECOND, spp_flags=c.SPP_HB_ENABLE | c.SPP_HB_TIME_IS_ZERO)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, enable)
    assert params(socket, SECOND).spp_hbinterval == 0
    future = make_socket()
    future.set(c.SCTP_PEER_ADDR_PARAMS, replace(enable, spp_address=None))
    assert params(future).spp_hbinterval == 0
    assert 0 < future.settings.future.config.heartbeat_interval < 0.01
    assert pair.a.association.paths[1].heartbeat_enabled


def test_a_heartbeat_is_sent_on_demand() -> None:
    socket, pair = connected()
    before = pair.a.association.paths[1].heartbeats_sent
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=SECOND, spp_flags=c.SPP_HB_DEMAND))
    assert pair.a.association.paths[1].heartbeats_sent == before + 1


def test_the_delay_of_sacks_can_be_set_here_as_well() -> None:
    socket, pair = connected()
    assoc_id = pair.a.association.id
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_sackdelay=100, spp_flags=c.SPP_SACKDELAY_ENABLE))
    assert socket.get(c.SCTP_DELAYED_SACK) == SackInfo(sack_assoc_id=assoc_id, sack_delay=100, sack_freq=2)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_SACKDELAY_DISABLE))
    assert params(socket).spp_flags & c.SPP_SACKDELAY == c.SPP_SACKDELAY_DISABLE


@pytest.mark.parametrize(
    "value",
    [
        PaddrParams(spp_flags=c.SPP_HB),
        PaddrParams(spp_flags=c.SPP_PMTUD),
        PaddrParams(spp_flags=c.SPP_SACKDELAY),
        PaddrParams(spp_flags=c.SPP_HB_DEMAND),
        PaddrParams(spp_flags=c.SPP_HB_DEMAND, spp_address=("0.0.0.0", 5000)),
        PaddrParams(spp_flags=c.SPP_SACKDELAY_ENABLE, spp_sackdelay=501),
        PaddrParams(spp_flags=c.SPP_HB_ENABLE, spp_hbinterval=0xFFFFFFFF),
        PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE, spp_pathmtu=511),
        PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE, spp_pathmtu=1500, spp_address=SECOND),
        PaddrParams(spp_address=("10.0.3.2", 5000)),
        PaddrParams(spp_address=("10.0.1.2", 5001)),
        PaddrParams(spp_address=("no address", 5000)),
        PaddrParams(spp_flags=c.SPP_IPV6_FLOWLABEL, spp_ipv6_flowlabel=1),  # On a socket of family AF_INET.
    ],
)
def test_what_contradicts_itself_is_refused_and_nothing_changes(value: PaddrParams) -> None:
    socket, pair = connected()
    with raises(errno.EINVAL):
        socket.set(c.SCTP_PEER_ADDR_PARAMS, replace(value, spp_pathmaxrxt=2))
    assert [path.max_retrans for path in pair.a.association.paths] == [5, 5]


# --- path MTU discovery ---


def discovers(socket: Socket, address: tuple[str, int] | None = None) -> bool:
    flags = params(socket, address).spp_flags & c.SPP_PMTUD
    assert flags in (c.SPP_PMTUD_ENABLE, c.SPP_PMTUD_DISABLE)
    return flags == c.SPP_PMTUD_ENABLE


def interval(socket: Socket, address: tuple[str, int] | None = None) -> int:
    value = socket.get(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_address=address))
    assert isinstance(value, ProbeInterval)
    return value.spi_interval


def test_discovery_takes_a_link_that_can_forbid_ip_to_fragment_packets() -> None:
    socket, _ = connected()
    assert not discovers(socket, FIRST)
    with raises(errno.EOPNOTSUPP):
        socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_PMTUD_ENABLE))
    with raises(errno.EOPNOTSUPP):
        socket.set(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_interval=5000))


def test_discovery_is_switched_off_for_one_path_and_for_all() -> None:
    socket, pair = connected(mtu=9000)
    paths = pair.a.association.paths
    assert [discovers(socket, address) for address in (None, FIRST, SECOND)] == [True, True, True]
    fixed = PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE, spp_pathmtu=4000, spp_address=SECOND)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, fixed)
    assert [discovers(socket, address) for address in (None, FIRST, SECOND)] == [True, True, False]
    assert (paths[1].pmdcs, paths[1].whole) == (4000, 0)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE))
    assert [discovers(socket, address) for address in (None, FIRST, SECOND)] == [False, False, False]
    assert [path.mtu for path in paths] == [1472, 4012]
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_PMTUD_ENABLE))
    assert [discovers(socket, address) for address in (None, FIRST, SECOND)] == [True, True, True]
    assert [path.mtu for path in paths] == [1192, 1192]


def test_discovery_is_switched_off_for_associations_to_come() -> None:
    socket = make_socket()
    assert discovers(socket)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE))
    assert not discovers(socket)
    assert not socket.settings.begin().config.path_mtu_discovery


def test_the_size_that_was_found_is_told() -> None:
    socket, pair = connected(mtu=1500)
    pair.a.send(bytes(20_000))
    pair.drain()
    assert params(socket, FIRST).spp_pathmtu == 1472 - 12
    info = socket.get(c.SCTP_GET_PEER_ADDR_INFO, PaddrInfo(spinfo_address=FIRST))
    assert isinstance(info, PaddrInfo)
    assert info.spinfo_mtu == 1472 - 12


def test_the_probe_interval_is_that_of_a_path_or_of_all() -> None:
    socket, pair = connected(mtu=1500)
    assert [interval(socket, address) for address in (None, FIRST, SECOND)] == [1000, 1000, 1000]
    socket.set(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_address=SECOND, spi_interval=7000))
    assert [interval(socket, address) for address in (None, FIRST, SECOND)] == [1000, 1000, 7000]
    socket.set(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_interval=5000))
    assert [interval(socket, address) for address in (None, FIRST, SECOND)] == [5000, 5000, 5000]
    socket.set(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_address=FIRST, spi_interval=0))
    assert [interval(socket, address) for address in (None, FIRST, SECOND)] == [5000, 0, 5000]
    assert not discovers(socket, FIRST)
    socket.set(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_interval=0))
    assert [interval(socket, address) for address in (None, FIRST, SECOND)] == [0, 0, 0]
    assert not pair.a.association.config.path_mtu_discovery


@pytest.mark.parametrize("value", [1, 999, 3_600_001, 0xFFFFFFFF])
def test_a_probe_interval_below_a_second_is_refused(value: int) -> None:
    socket, _ = connected(mtu=1500)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_PLPMTUD_PROBE_INTERVAL, ProbeInterval(spi_interval=value))


# --- DSCP and flow label ---

IPV6_FIRST = ("2001:db8:1::2", 5000, 0, 0)
IPV6_SECOND = ("2001:db8:2::2", 5000, 0, 0)
MARKS = c.SPP_DSCP | c.SPP_IPV6_FLOWLABEL


def marks(pair: Pair) -> list[int]:
    """The flow information of packets on each path: DSCP in the bits from 22 on, flow label in the low 20."""
    return [path.flowinfo for path in pair.a.association.paths]


def test_a_path_has_the_dscp_and_flow_label_that_were_set_for_it_and_the_others_have_not() -> None:
    """ "The 6 most significant bits are used for the DSCP", and of the label "the 20 least significant bits"."""
    socket, pair = connected(ipv6=True)
    value = PaddrParams(spp_address=IPV6_SECOND, spp_flags=MARKS, spp_dscp=0xBB, spp_ipv6_flowlabel=0xFFFABCDE)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, value)
    assert marks(pair) == [0, 46 << 22 | 0xABCDE]
    found = socket.get(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=IPV6_SECOND))
    assert isinstance(found, PaddrParams)
    assert (found.spp_dscp, found.spp_ipv6_flowlabel, found.spp_flags & MARKS) == (46 << 2, 0xABCDE, MARKS)
    other = socket.get(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=IPV6_FIRST))
    assert isinstance(other, PaddrParams)
    assert (other.spp_dscp, other.spp_ipv6_flowlabel) == (0, 0)


def test_without_an_address_the_marks_are_those_of_all_paths_and_of_those_to_come() -> None:
    socket, pair = connected(ipv6=True)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=IPV6_SECOND, spp_flags=c.SPP_DSCP, spp_dscp=4))
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=MARKS, spp_dscp=160, spp_ipv6_flowlabel=5))
    assert marks(pair) == [40 << 22 | 5, 40 << 22 | 5]
    assert (pair.a.association.config.dscp, pair.a.association.config.flow_label) == (40, 5)


def test_before_there_is_an_association_the_marks_are_for_those_to_come() -> None:
    socket = make_socket(ipv6=True)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=MARKS, spp_dscp=160, spp_ipv6_flowlabel=5))
    assert (socket.settings.begin().config.dscp, socket.settings.begin().config.flow_label) == (40, 5)
    assert (params(socket).spp_dscp, params(socket).spp_ipv6_flowlabel) == (160, 5)


def test_without_their_flags_the_marks_stay_as_they_are() -> None:
    socket, pair = connected(ipv6=True, config=AssociationConfig(dscp=40, flow_label=5))
    socket.set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_pathmaxrxt=2, spp_dscp=4, spp_ipv6_flowlabel=9))
    assert marks(pair) == [40 << 22 | 5, 40 << 22 | 5]


def test_the_mtu_of_paths_to_come_cannot_be_set() -> None:
    with raises(errno.EOPNOTSUPP):
        make_socket().set(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE, spp_pathmtu=1000))


def test_a_path_mtu_can_be_fixed_for_one_path_or_for_all() -> None:
    socket, pair = connected()
    before = params(socket, FIRST).spp_pathmtu
    fixed = PaddrParams(spp_flags=c.SPP_PMTUD_DISABLE, spp_pathmtu=1001)
    socket.set(c.SCTP_PEER_ADDR_PARAMS, replace(fixed, spp_address=SECOND))
    # A packet is a multiple of four bytes long.
    assert [params(socket, address).spp_pathmtu for address in (FIRST, SECOND)] == [before, 1000]
    socket.set(c.SCTP_PEER_ADDR_PARAMS, fixed)
    assert [params(socket, address).spp_pathmtu for address in (FIRST, SECOND)] == [1000, 1000]
    sizes: list[int] = []
    pair.network.traces.append(lambda packet: sizes.append(len(packet.data)))
    pair.a.send(bytes(984))
    pair.a.send(bytes(985))
    pair.drain()
    assert [len(message.data) for message in pair.b.received] == [984, 985]
    assert max(sizes) == 1012
    socket.set(c.SCTP_PEER_ADDR_PARAMS, params(socket, FIRST))
    assert params(socket, FIRST).spp_pathmtu == 1000


def test_before_there_is_an_association_no_address_is_the_peers() -> None:
    with raises(errno.EINVAL):
        make_socket().get(c.SCTP_PEER_ADDR_PARAMS, PaddrParams(spp_address=FIRST))


# --- RFC 7829 ---


def thresholds(pair: Pair) -> list[tuple[int, int]]:
    """Path.Max.Retrans and PFMR of each path."""
    return [(path.max_retrans, path.potentially_failed_max_retrans) for path in pair.a.association.paths]


def switchover(socket: Socket, address: tuple[str, int] | None = None, assoc_id: int = 0) -> int:
    value = socket.get(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_assoc_id=assoc_id, spt_address=address))
    assert isinstance(value, PaddrThldsV2)
    return value.spt_pathcpthld


def test_the_thresholds_of_paths() -> None:
    socket, pair = connected()
    assoc_id = pair.a.association.id
    assert socket.get(c.SCTP_PEER_ADDR_THLDS) == PaddrThlds(spt_assoc_id=assoc_id, spt_pathmaxrxt=5)
    socket.set(c.SCTP_PEER_ADDR_THLDS, PaddrThlds(spt_pathmaxrxt=4, spt_pathpfthld=2))
    assert thresholds(pair) == [(4, 2), (4, 2)]
    assert pair.a.association.config.path_max_retrans == 4
    assert pair.a.association.config.potentially_failed_max_retrans == 2
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_address=SECOND, spt_pathmaxrxt=3, spt_pathpfthld=1))
    assert thresholds(pair) == [(4, 2), (3, 1)]
    assert socket.get(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_address=SECOND)) == PaddrThldsV2(
        spt_assoc_id=assoc_id, spt_address=SECOND, spt_pathmaxrxt=3, spt_pathpfthld=1
    )
    assert socket.get(c.SCTP_PEER_ADDR_THLDS) == PaddrThlds(spt_assoc_id=assoc_id, spt_pathmaxrxt=4, spt_pathpfthld=2)


@pytest.mark.parametrize("wildcard", [None, ("0.0.0.0", 0)])
def test_the_switchover_threshold_of_all_paths_and_of_those_to_come(wildcard: tuple[str, int] | None) -> None:
    """ "If a wildcard address is provided, this socket option applies to all current and future peer addresses." """
    socket, pair = connected()
    assert switchover(socket) == switchover(socket, SECOND) == 0xFFFF
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_address=wildcard, spt_pathmaxrxt=4, spt_pathcpthld=3))
    assert [path.primary_switchover_max_retrans for path in pair.a.association.paths] == [3, 3]
    assert pair.a.association.config.primary_switchover_max_retrans == 3
    assert switchover(socket) == switchover(socket, FIRST) == 3
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_pathmaxrxt=4))
    assert pair.a.association.config.primary_switchover_max_retrans is None
    assert switchover(socket) == switchover(socket, FIRST) == 0xFFFF


def test_the_switchover_threshold_of_one_path() -> None:
    socket, pair = connected()
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_address=SECOND, spt_pathcpthld=2))
    assert (switchover(socket), switchover(socket, FIRST), switchover(socket, SECOND)) == (0xFFFF, 0xFFFF, 2)
    assert thresholds(pair) == [(5, 0), (5, 0)]  # 0 leaves Path.Max.Retrans as it is.


def test_the_option_with_two_thresholds_leaves_the_third() -> None:
    socket, _ = connected()
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_pathpfthld=1, spt_pathcpthld=2))
    socket.set(c.SCTP_PEER_ADDR_THLDS, PaddrThlds(spt_pathpfthld=2))
    assert switchover(socket) == 2
    with raises(errno.EINVAL):
        socket.set(c.SCTP_PEER_ADDR_THLDS, PaddrThlds(spt_pathpfthld=3))
    assert (switchover(socket), socket.get(c.SCTP_PEER_ADDR_THLDS)) == (
        2,
        PaddrThlds(spt_assoc_id=next(iter(socket.members)), spt_pathmaxrxt=5, spt_pathpfthld=2),
    )


@pytest.mark.parametrize("address", [None, FIRST])
@pytest.mark.parametrize(("pmr", "pfmr", "psmr"), [(0, 2, 1), (4, 4, 3), (4, 9, 3)])
def test_a_switchover_before_the_path_has_failed_is_invalid(
    address: tuple[str, int] | None, pmr: int, pfmr: int, psmr: int
) -> None:
    """ "For SCTP-PF, the setting of spt_pathcpthld < spt_pathpfthld should be rejected with errno set to EINVAL. For
    standard SCTP, the setting of spt_pathcpthld < spt_pathmaxrxt".
    """
    socket, pair = connected()
    wrong = PaddrThldsV2(spt_address=address, spt_pathmaxrxt=pmr, spt_pathpfthld=pfmr, spt_pathcpthld=psmr)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_PEER_ADDR_THLDS_V2, wrong)
    assert thresholds(pair) == [(5, 0), (5, 0)]
    assert switchover(socket) == switchover(socket, FIRST) == 0xFFFF


@pytest.mark.parametrize("address", [None, SECOND])
def test_path_max_retrans_does_not_rise_above_the_switchover_threshold_where_no_path_is_potentially_failed(
    address: tuple[str, int] | None,
) -> None:
    socket, pair = connected()
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_pathpfthld=9, spt_pathcpthld=5))
    before = params(socket, SECOND)
    with raises(errno.EINVAL):
        socket.set(
            c.SCTP_PEER_ADDR_PARAMS,
            PaddrParams(spp_address=address, spp_pathmaxrxt=6, spp_hbinterval=77, spp_flags=c.SPP_HB_ENABLE),
        )
    assert params(socket, SECOND) == before
    assert thresholds(pair) == [(5, 9), (5, 9)]


def test_the_thresholds_of_future_associations() -> None:
    socket = make_socket(one_to_many=True)
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_pathmaxrxt=4, spt_pathpfthld=1, spt_pathcpthld=2))
    config = socket.settings.future.config
    found = config.path_max_retrans, config.potentially_failed_max_retrans, config.primary_switchover_max_retrans
    assert found == (4, 1, 2)
    with raises(errno.EINVAL):
        socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_pathpfthld=3, spt_pathcpthld=2))
    assert switchover(socket) == 2


@pytest.mark.parametrize("assoc_id", [c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC])
@pytest.mark.parametrize("option", [c.SCTP_PEER_ADDR_THLDS, c.SCTP_PEER_ADDR_THLDS_V2])
def test_thresholds_are_not_for_current_or_all_associations(option: int, assoc_id: int) -> None:
    """ "It is an error to use SCTP_{CURRENT|ALL}_ASSOC in spt_assoc_id." """
    socket, _ = connected(one_to_many=True)
    kind = PaddrThlds if option == c.SCTP_PEER_ADDR_THLDS else PaddrThldsV2
    with raises(errno.EINVAL):
        socket.set(option, kind(spt_assoc_id=assoc_id, spt_pathmaxrxt=4))
    with raises(errno.EINVAL):
        socket.get(option, kind(spt_assoc_id=assoc_id))


def test_a_program_sets_the_switchover_and_the_primary_path_moves_and_is_told() -> None:
    socket, pair = connected()
    socket.set(c.SCTP_PEER_ADDR_THLDS_V2, PaddrThldsV2(spt_pathcpthld=0))
    pair.cut(1)
    pair.a.send(b"moves")
    pair.drain()
    pair.network.run_for(1.5)  # The HEARTBEAT beside the tail loss probe is not answered for an RTO.
    told = socket.get(c.SCTP_PRIMARY_ADDR, SetPrim(ssp_assoc_id=pair.a.association.id))
    assert isinstance(told, SetPrim)
    assert told.ssp_addr == SECOND
    notices = [one for event in pair.a.host.events for one in notifications(event, {PaddrChange.TYPE})]
    assert [(one.spc_aaddr, one.spc_state) for one in notices if isinstance(one, PaddrChange)][-2:] == [
        (FIRST, c.SCTP_ADDR_POTENTIALLY_FAILED),
        (SECOND, c.SCTP_ADDR_MADE_PRIM),
    ]


@pytest.mark.parametrize(
    ("address", "state"), [(None, PATH_ACTIVE), (FIRST, PATH_ACTIVE), (SECOND, PATH_POTENTIALLY_FAILED)]
)
def test_the_threshold_of_potential_failure_holds_at_once(address: tuple[str, int] | None, state: int) -> None:
    socket, pair = connected(config=AssociationConfig(rto_initial=1.0, loss_recovery="rfc9260"))
    socket.set(c.SCTP_PEER_ADDR_THLDS, PaddrThlds(spt_address=address, spt_pathpfthld=2))
    pair.cut(1)
    pair.a.send(b"lost")
    pair.network.run_for(1.1)
    first = pair.a.association.paths[0]
    assert (first.error_count, first.state) == (1, state)


# --- RFC 6951 ---


def test_the_udp_port_of_a_path_and_of_future_ones() -> None:
    socket, pair = connected()
    assert socket.get(c.SCTP_REMOTE_UDP_ENCAPS_PORT, UdpEncaps(sue_address=FIRST)) == UdpEncaps(
        sue_assoc_id=pair.a.association.id, sue_address=FIRST, sue_port=9899
    )
    socket.set(c.SCTP_REMOTE_UDP_ENCAPS_PORT, UdpEncaps(sue_address=SECOND, sue_port=7777))
    assert [path.encaps_port for path in pair.a.association.paths] == [9899, 7777]
    future = make_socket()
    future.set(c.SCTP_REMOTE_UDP_ENCAPS_PORT, UdpEncaps(sue_port=7777))
    assert future.settings.begin().encaps_port == 7777
    assert future.get(c.SCTP_REMOTE_UDP_ENCAPS_PORT) == UdpEncaps(sue_port=7777)
