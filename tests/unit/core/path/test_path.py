"""What a path holds when it is new, and what fits into its packets."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.core.timers import NEVER, SECOND

IPV4 = bytes((10, 0, 1, 2))
IPV6 = bytes(15) + b"\1"


@pytest.mark.parametrize(
    ("remote", "port", "mtu", "expected"),
    [
        (IPV4, 0, 1500, 1480),
        (IPV4, 9899, 1500, 1472),
        (IPV6, 0, 1500, 1460),
        (IPV6, 9899, 1500, 1452),
        (IPV4, 9899, 1499, 1468),
        (IPV4, 9899, 576, 548),
        (IPV4, 9899, 65535, 65504),
    ],
)
def test_the_largest_packet_is_what_ip_and_udp_leave_of_the_mtu_in_multiples_of_four(
    remote: bytes, port: int, mtu: int, expected: int
) -> None:
    path = Path(remote, b"", port, AssociationConfig(mtu=mtu).rules)
    assert path.mtu == expected
    assert path.pmdcs == expected - 12


def test_the_largest_packet_follows_when_encapsulation_begins_and_ends() -> None:
    path = Path(IPV4, b"", 0, AssociationConfig().rules)
    for port, expected in ((9899, 1472), (1234, 1472), (0, 1480), (0, 1480)):
        path.set_encapsulation(port)
        assert (path.encaps_port, path.mtu, path.pmdcs) == (port, expected, expected - 12)


def test_a_new_path_is_active_not_confirmed_and_waits_for_nothing() -> None:
    path = Path(IPV4, b"", 0, AssociationConfig(path_max_retrans=3, heartbeat_interval=7).rules)
    assert path.state == PATH_ACTIVE
    assert not path.confirmed
    assert (path.error_count, path.max_retrans) == (0, 3)
    assert (path.srtt, path.flight_size) == (0, 0)
    assert path.t3_deadline == path.heartbeat_deadline == path.heartbeat_timeout == NEVER
    assert (path.heartbeat_enabled, path.heartbeat_interval) == (True, 7 * SECOND)


def test_an_interval_of_0_switches_heartbeats_off() -> None:
    assert not Path(IPV4, b"", 0, AssociationConfig(heartbeat_interval=0).rules).heartbeat_enabled


@pytest.mark.parametrize("link_mtu", [1280, 1500, 1501, 9000])
@pytest.mark.parametrize("encaps_port", [0, 9899])
def test_padding_over_ipv6_makes_a_packet_larger_than_the_interface_takes(link_mtu: int, encaps_port: int) -> None:
    path = Path(bytes(16), b"", encaps_port, AssociationConfig().rules, link_mtu, True)
    for size in range(1232, path.largest + 1, 4):
        lacks = path.lacks(size)
        assert lacks >= 4
        assert lacks % 4 == 0
        assert link_mtu < size + lacks + 40 + (8 if encaps_port else 0) <= link_mtu + 4
    assert path.lacks(path.largest + 4) == 0


@pytest.mark.parametrize(("remote", "link_mtu"), [(bytes(4), 1500), (bytes(16), 0), (bytes(16), 65535)])
def test_nothing_is_padded_where_that_would_not_help(remote: bytes, link_mtu: int) -> None:
    assert Path(remote, b"", 0, AssociationConfig().rules, link_mtu, True).lacks(1400) == 0
