"""An ``AssociationConfig`` as options of the kernel's sockets."""

from __future__ import annotations

import errno
from dataclasses import fields, replace
from typing import Any, Final

import pytest

from sctpx import structs as s
from sctpx.core.config import AssociationConfig
from sctpx.kernel.parameters import BY_ENDPOINT, NOT_THE_KERNELS, check, settings
from sctpx.sockapi import constants as c

# Another value for each parameter that has an option in the kernel.
OTHERS: dict[str, Any] = {
    "streams": 7,
    "max_inbound_streams": 9,
    "rto_initial": 2.0,
    "rto_min": 0.5,
    "rto_max": 30.0,
    "max_burst": 8,
    "association_max_retrans": 4,
    "path_max_retrans": 3,
    "potentially_failed_max_retrans": 1,
    "primary_switchover_max_retrans": 2,
    "max_init_retransmits": 2,
    "max_init_timeout": 5.0,
    "heartbeat_interval": 11.0,
    "sack_delay": 0.1,
    "nodelay": False,
    "cookie_life": 20.0,
    "receive_buffer": 50_000,
    "send_buffer": 60_000,
    "mtu": 1400,
    "path_mtu_discovery": False,
    "dscp": 46,
    "ecn": True,
    "flow_label": 77,
    "max_segment": 1000,
    "partial_delivery_point": 2000,
    "partial_reliability": False,
    "scheduler": "prio",
    "stream_reconfiguration": False,
    "allow_stream_reset": True,
    "allow_association_reset": True,
    "allow_added_streams": True,
    "address_reconfiguration": True,
    "adaptation_layer": 7,
    "authentication": True,
    "authenticated_chunks": (0, 6),
}
KEYS: Final = AssociationConfig(authentication=True, shared_keys=((0, b""), (1, b"one")))
OF_KEYS: Final[dict[str, Any]] = {
    "hmac_algorithms": (1,),
    "shared_keys": ((1, b"one"),),
    "active_key": 1,
    "deactivated_keys": (1,),
}
"""Parameters that count where chunks are authenticated, beside those of ``KEYS``."""


def told(config: AssociationConfig) -> dict[tuple[int, int], Any]:
    return {(level, name): value for level, name, value in settings(config)}


def test_each_parameter_is_an_option_of_the_kernel_or_is_refused() -> None:
    assert {field.name for field in fields(AssociationConfig)} == (
        OTHERS.keys() | OF_KEYS.keys() | NOT_THE_KERNELS | BY_ENDPOINT
    )


@pytest.mark.parametrize("name", OTHERS)
def test_a_parameter_that_is_set_changes_what_the_kernel_is_told(name: str) -> None:
    assert told(AssociationConfig()) != told(replace(AssociationConfig(), **{name: OTHERS[name]}))


@pytest.mark.parametrize("name", OF_KEYS)
def test_a_parameter_of_authentication_changes_what_the_kernel_is_told(name: str) -> None:
    assert settings(KEYS) != settings(replace(KEYS, **{name: OF_KEYS[name]}))
    assert told(AssociationConfig()) == told(replace(AssociationConfig(), hmac_algorithms=(1,)))


def test_the_empty_key_of_the_kernel_goes_if_it_is_not_wanted() -> None:
    config = AssociationConfig(authentication=True, shared_keys=((1, b"one"),))
    names = [name for _, name, _ in settings(config)]
    of_keys = [c.SCTP_AUTH_KEY, c.SCTP_AUTH_ACTIVE_KEY, c.SCTP_AUTH_DELETE_KEY]
    assert [name for name in names if name in of_keys] == of_keys


def test_times_are_milliseconds_and_a_dscp_stands_above_the_ecn_bits() -> None:
    found = told(AssociationConfig(rto_initial=0.5, rto_min=0.2, rto_max=3.0, dscp=46, heartbeat_interval=5.0))
    assert found[c.IPPROTO_SCTP, c.SCTP_RTOINFO] == s.RtoInfo(srto_initial=500, srto_min=200, srto_max=3000)
    paths = found[c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS]
    assert (paths.spp_dscp, paths.spp_hbinterval) == (184, 5000)
    assert paths.spp_flags & c.SPP_DSCP
    assert paths.spp_flags & c.SPP_HB_ENABLE


def test_the_thresholds_are_set_by_the_option_that_has_all_three_where_the_third_is_or_was_set() -> None:
    off = AssociationConfig(potentially_failed_max_retrans=1)
    on = replace(off, primary_switchover_max_retrans=3)
    two = s.PaddrThlds(spt_pathmaxrxt=5, spt_pathpfthld=1)
    old, new = (c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_THLDS), (c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_THLDS_V2)
    assert (told(off)[old], new in told(off)) == (two, False)
    assert told(on)[new] == s.PaddrThldsV2(spt_pathmaxrxt=5, spt_pathpfthld=1, spt_pathcpthld=3)
    found = {(level, name): value for level, name, value in settings(off, on)}
    assert found[new] == s.PaddrThldsV2(spt_pathmaxrxt=5, spt_pathpfthld=1, spt_pathcpthld=0xFFFF)


def test_without_potentially_failed_paths_the_kernel_is_told_a_threshold_that_it_takes() -> None:
    """RFC 7829 section 5 (1) has PSMR at least PMR then; Linux compares it with PFMR alone."""
    config = AssociationConfig(potentially_failed_max_retrans=9, primary_switchover_max_retrans=5)
    found = told(config)[c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_THLDS_V2]
    assert found == s.PaddrThldsV2(spt_pathmaxrxt=5, spt_pathpfthld=5, spt_pathcpthld=5)


def test_heartbeats_and_delayed_acknowledgements_can_be_off() -> None:
    found = told(AssociationConfig(heartbeat_interval=0.0, sack_delay=0.0))
    flags = found[c.IPPROTO_SCTP, c.SCTP_PEER_ADDR_PARAMS].spp_flags
    assert flags & c.SPP_HB_DISABLE
    assert flags & c.SPP_SACKDELAY_DISABLE


@pytest.mark.parametrize(
    "changes",
    [
        {"on_restart": "end"},
        {"attempt_delay": 0.5},
        {"connect_timeout": 3.0},
        {"stretch_sack": True},
        {"congestion": "cubic"},
        {"interleaving": True},
    ],
)
def test_what_the_kernel_does_not_have_is_refused_by_its_name(changes: dict[str, Any]) -> None:
    with pytest.raises(OSError, match=next(iter(changes))) as caught:
        check(AssociationConfig(**changes))
    assert caught.value.errno == errno.EOPNOTSUPP


def test_one_address_at_a_time_is_what_the_kernel_does() -> None:
    check(AssociationConfig(attempt_delay=None))


def test_the_scheduler_that_the_kernel_does_not_have_is_refused() -> None:
    with pytest.raises(OSError, match="rr_pkt") as caught:
        settings(AssociationConfig(scheduler="rr_pkt"))
    assert caught.value.errno == errno.EOPNOTSUPP
