"""``AssociationConfig``: the defaults of RFC 9260 section 16, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.timers import nanoseconds


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
