"""``AssociationConfig``: the defaults of RFC 9260 section 16, and what it refuses."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from sctpx.core.config import AssociationConfig, least_switchover
from sctpx.core.rules import NO_SWITCHOVER
from sctpx.core.timers import NEVER, nanoseconds


def test_the_defaults_are_those_of_the_standard() -> None:
    config = AssociationConfig()
    assert (config.rto_initial, config.rto_min, config.rto_max) == (1.0, 1.0, 60.0)
    assert config.max_burst == 4
    assert config.association_max_retrans == 10
    assert config.path_max_retrans == 5
    assert config.max_init_retransmits == 8
    assert config.cookie_life == 60.0
    assert config.heartbeat_interval == 30.0
    assert config.heartbeat_max_burst == 1
    assert config.sack_delay == 0.2
    assert config.t5_shutdown_guard == 5 * config.rto_max
    assert config.potentially_failed_max_retrans == 0  # RFC 7829 section 3.2 (1)
    assert not config.stretch_sack


@pytest.mark.parametrize(
    "change",
    [
        {"streams": 0},
        {"streams": 65536},
        {"max_inbound_streams": 0},
        {"rto_min": 2.0},
        {"rto_max": 0.5},
        {"rto_initial": 61.0},
        {"rto_min": 0.0},
        {"max_burst": 0},
        {"association_max_retrans": -1},
        {"sack_delay": 0.6},
        {"sack_delay": -0.1},
        {"attempt_delay": 0.001},
        {"connect_timeout": 0.0},
        {"receive_buffer": 4095},
        {"send_buffer": 0},
        {"max_message_size": 0},
        {"mtu": 575},
        {"mtu": 65536},
        {"cookie_life": 0.0},
        {"scheduler": "first"},
        {"congestion": "bbr"},
        {"stream_values": ((65536, 1),)},
        {"stream_values": ((1, -1),)},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)) if "rto" not in str(change) else "rto_"):
        AssociationConfig(**change)


def test_a_sack_is_never_delayed_by_more_than_half_a_second() -> None:
    AssociationConfig(sack_delay=0.5)
    with pytest.raises(ValueError, match="sack_delay"):
        AssociationConfig(sack_delay=0.501)


def test_what_may_be_left_out_may_be_none() -> None:
    config = AssociationConfig(attempt_delay=None, connect_timeout=None)
    assert config.attempt_delay is None


def test_seconds_are_counted_in_nanoseconds() -> None:
    assert [nanoseconds(seconds) for seconds in (0, 0.2, 1, 60.0)] == [0, 200_000_000, 10**9, 60 * 10**9]


@pytest.mark.parametrize("name", ["streams", "receive_buffer", "mtu", "max_burst", "max_segment"])
def test_what_counts_is_an_int(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        AssociationConfig(**{name: 4.5})  # type: ignore[arg-type]


def test_a_config_that_was_used_is_pickled_and_copied_like_a_new_one() -> None:
    config = AssociationConfig(rto_min=0.5, streams=3, authentication=True)
    assert config.rules.rto_min == 500_000_000
    for other in (pickle.loads(pickle.dumps(config)), copy.copy(config), copy.deepcopy(config)):
        assert other == config
        assert other.rules is not config.rules
        assert other.rules.rto_min == 500_000_000


DISTINCT = AssociationConfig(
    streams=11,
    max_inbound_streams=12,
    rto_initial=1.3,
    rto_min=1.2,
    rto_max=61.0,
    max_burst=13,
    association_max_retrans=14,
    path_max_retrans=15,
    potentially_failed_max_retrans=16,
    primary_switchover_max_retrans=17,
    max_init_retransmits=18,
    max_init_timeout=19.0,
    heartbeat_interval=20.0,
    heartbeat_max_burst=21,
    sack_delay=0.3,
    stretch_sack=True,
    nodelay=True,
    cookie_life=22.0,
    attempt_delay=0.4,
    connect_timeout=23.0,
    receive_buffer=70_000,
    send_buffer=80_000,
    max_message_size=90_000,
    path_mtu_discovery=False,
    path_mtu_probe_timer=2.5,
    mtu=1400,
    dscp=24,
    flow_label=25,
    max_segment=1000,
    partial_delivery_point=30_000,
    adaptation_layer=26,
    error_detection_method=1,
)


def test_the_rules_are_the_numbers_of_the_config() -> None:
    """Fields of the same name say the same; times are in ns."""
    rules = DISTINCT.rules
    same = [name for name in dir(rules) if not name.startswith("_") and hasattr(DISTINCT, name)]
    said = {name: getattr(DISTINCT, name) for name in same}
    assert len(same) == 34
    numbers = [number for name, number in said.items() if not isinstance(number, bool) and name != "usual_mtu"]
    assert len(set(numbers)) == len(numbers)
    for name, value in said.items():
        assert getattr(rules, name) == (nanoseconds(value) if isinstance(value, float) else value), name
    assert rules.longest_init == nanoseconds(19.0)
    assert AssociationConfig(rto_max=7.0).rules.longest_init == nanoseconds(7.0)


def test_a_number_stands_for_what_is_left_out() -> None:
    rules = AssociationConfig(attempt_delay=None).rules
    assert (rules.attempt_delay, rules.adaptation_layer, rules.mtu) == (-1, -1, 0)
    assert (rules.connect_timeout, rules.primary_switchover_max_retrans) == (NEVER, NO_SWITCHOVER)


def test_each_switch_has_its_own_rule() -> None:
    for name in ("nodelay", "stretch_sack", "path_mtu_discovery"):
        for value in (False, True):
            others: dict[str, Any] = dict.fromkeys(("nodelay", "stretch_sack", "path_mtu_discovery"), not value)
            others[name] = value
            assert getattr(AssociationConfig(**others).rules, name) is value
    for recovery, congestion in (("rack", "cubic"), ("rfc9260", "newreno")):
        rules = AssociationConfig(loss_recovery=recovery, congestion=congestion).rules  # type: ignore[arg-type]
        assert rules.by_time is (recovery == "rack")
        assert rules.cubic is (congestion == "cubic")


@pytest.mark.parametrize(("max_retrans", "pf", "least"), [(5, 0, 0), (5, 2, 2), (5, 5, 5), (5, 9, 5), (0, 3, 0)])
def test_the_primary_path_is_left_no_sooner_than_it_may_have_failed(max_retrans: int, pf: int, least: int) -> None:
    """RFC 7829 section 5 (1)."""
    assert least_switchover(max_retrans, pf) == least


def test_shared_keys_have_as_many_bytes_as_their_vectors_can_tell() -> None:
    """RFC 4895 section 6.1; RFC 6458 section 8.3.3 has 16 bits for the length."""
    assert AssociationConfig(shared_keys=((1, bytes(65535)),)).shared_keys[0][0] == 1
    with pytest.raises(ValueError, match="shared_keys"):
        AssociationConfig(shared_keys=((1, bytes(65536)),))
