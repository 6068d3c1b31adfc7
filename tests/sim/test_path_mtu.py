"""Path MTU discovery (RFC 8899) over simulated links: what is found, what is kept, and what becomes of the data."""

from __future__ import annotations

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path, largest_packet
from sctpx.core.stats import AssociationStats
from sctpx.testing import LinkSettings, Pair
from tests.sweeps import seeds

MESSAGE = bytes(range(256)) * 400  # More than any packet takes.


def path_of(pair: Pair, index: int = 0) -> Path:
    return pair.a.association.tcb.paths[index]


def stats_of(pair: Pair) -> AssociationStats:
    return pair.a.association.stats


def fitting(mtu: int, path: Path) -> int:
    """The largest SCTP packet for an IP packet of ``mtu`` bytes."""
    return largest_packet(mtu, path.remote, path.encaps_port)


def transfer(pair: Pair, messages: int = 1, seconds: float = 600.0) -> None:
    """Send messages and see them arrive."""
    before = len(pair.b.messages())
    for _ in range(messages):
        pair.a.send(MESSAGE)
    pair.run(lambda: len(pair.b.messages()) == before + messages and pair.a.is_dry, seconds)
    assert pair.b.messages()[before:] == [MESSAGE] * messages


def search_is_over(pair: Pair) -> bool:
    return not pair.a.association.tcb.extensions


def discover(pair: Pair, messages: int = 1) -> int:
    """Send, and let the search come to its end: the largest SCTP packet then."""
    transfer(pair, messages)
    pair.run(lambda: search_is_over(pair), 600.0)
    return path_of(pair).mtu


@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("udp_port", [0, 9899])
@pytest.mark.parametrize(
    ("interface", "mtu"),
    [
        (1280, 1280),
        (1500, 1500),
        (1500, 1400),
        (1500, 1280),
        (1500, 1491),
        (1500, 1284),
        (9000, 9000),
        (9000, 1500),
        (9000, 4352),
        (65535, 65535),
        (65535, 1500),
        (65535, 12345),
    ],
)
def test_the_size_found_is_what_the_link_takes(
    interface: int, mtu: int, udp_port: int, ipv6: bool, reports: bool
) -> None:
    link = LinkSettings(mtu=mtu, reports=reports)
    pair = Pair(link=link, mtu=interface, udp_port=udp_port, ipv6=ipv6).connect()
    assert discover(pair) == fitting(mtu, path_of(pair))
    assert path_of(pair).whole == path_of(pair).mtu
    assert stats_of(pair).t3_timeouts == 0  # No data was lost.
    assert stats_of(pair).path_mtu_black_holes == 0


@pytest.mark.parametrize("mtu", [600, 1000, 1219])
@pytest.mark.parametrize("reports", [False, True])
def test_where_not_even_base_passes_ip_fragments_smaller_packets(mtu: int, reports: bool) -> None:
    pair = Pair(link=LinkSettings(mtu=mtu, reports=reports), mtu=1500).connect()
    assert discover(pair) == path_of(pair).minimum
    transfer(pair)
    assert path_of(pair).whole == 0


def test_small_messages_send_no_probe() -> None:
    pair = Pair(mtu=9000).connect()
    for _ in range(100):
        pair.a.send(b"x" * 1000)
        pair.run(lambda: pair.a.is_dry)
    assert stats_of(pair).path_mtu_probes_sent == 0
    assert not pair.a.association.tcb.extensions


def test_the_largest_size_is_in_use_after_two_round_trips() -> None:
    pair = Pair(mtu=1500, link=LinkSettings(delay=0.05)).connect()
    begin = pair.network.elapsed
    for _ in range(10):
        pair.a.send(MESSAGE)
    pair.run(lambda: path_of(pair).mtu == fitting(1500, path_of(pair)))
    assert pair.network.elapsed - begin < 0.21


@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize(("before", "after"), [(1500, 1400), (1500, 1280), (9000, 1500), (65535, 1492), (1500, 900)])
def test_a_path_mtu_that_falls_costs_no_data(before: int, after: int, reports: bool) -> None:
    pair = Pair(link=LinkSettings(mtu=before, reports=reports), mtu=before).connect()
    assert discover(pair) == fitting(before, path_of(pair))
    for _ in range(20):
        pair.a.send(MESSAGE)
    pair.network.at(0.025, lambda: pair.network.set(mtu=after))
    pair.run(lambda: len(pair.b.messages()) == 21 and pair.a.is_dry, 600.0)
    assert pair.b.messages() == [MESSAGE] * 21
    pair.run(lambda: search_is_over(pair), 600.0)
    assert path_of(pair).mtu == (fitting(after, path_of(pair)) if after > 1228 else path_of(pair).minimum)
    assert stats_of(pair).path_mtu_black_holes == (not reports)
    assert stats_of(pair).path_mtu_reports >= reports


def test_with_a_report_data_goes_again_without_waiting_for_a_timeout() -> None:
    pair = Pair(link=LinkSettings(reports=True), mtu=1500).connect()
    discover(pair)
    pair.network.set(mtu=1400)
    begin = pair.network.elapsed
    transfer(pair)
    assert pair.network.elapsed - begin < 0.9
    assert stats_of(pair).t3_timeouts == 0


def test_a_path_mtu_that_rises_is_found_ten_minutes_later() -> None:
    pair = Pair(link=LinkSettings(mtu=1400), mtu=9000).connect()
    assert discover(pair) == fitting(1400, path_of(pair))
    pair.network.set(mtu=9000)
    pair.network.run_for(500.0)
    transfer(pair)
    assert path_of(pair).mtu == fitting(1400, path_of(pair))
    pair.network.run_for(120.0)
    assert discover(pair) == fitting(9000, path_of(pair))


def test_while_nothing_has_changed_three_small_steps_are_tried_every_ten_minutes() -> None:
    pair = Pair(link=LinkSettings(mtu=1400), mtu=9000).connect()
    discover(pair)
    before = stats_of(pair).path_mtu_probes_sent
    pair.network.run_for(700.0)
    assert stats_of(pair).path_mtu_probes_sent == before  # Nothing is sent.
    discover(pair)
    assert stats_of(pair).path_mtu_probes_sent == before + 3


def test_an_interface_that_takes_more_later_is_asked_again() -> None:
    pair = Pair(link=LinkSettings(mtu=9000), mtu=1500).connect()
    assert discover(pair) == fitting(1500, path_of(pair))
    pair.a.host.mtu = 9000
    pair.network.run_for(700.0)
    assert discover(pair) == fitting(9000, path_of(pair))


def test_an_interface_that_takes_less_is_no_error_for_the_user() -> None:
    pair = Pair(link=LinkSettings(mtu=9000), mtu=9000).connect()
    discover(pair)
    pair.a.host.mtu = 1400
    assert discover(pair, messages=5) == fitting(1400, path_of(pair))
    assert stats_of(pair).t3_timeouts == 0


@pytest.mark.parametrize("seed", seeds(4, 40))
@pytest.mark.parametrize("mtu", [1500, 1400])
def test_lost_packets_do_not_keep_the_size_from_being_found(seed: int, mtu: int) -> None:
    pair = Pair(seed, link=LinkSettings(mtu=mtu, loss=0.03), mtu=1500).connect()
    transfer(pair, 3)
    pair.run(lambda: search_is_over(pair), 600.0)
    if path_of(pair).mtu != fitting(mtu, path_of(pair)):
        pair.network.run_for(700.0)  # Three probes of the right size were lost by chance.
        discover(pair)
    assert path_of(pair).mtu == fitting(mtu, path_of(pair))


def test_the_loss_of_probes_is_no_congestion_and_no_error_of_the_path() -> None:
    pair = Pair(link=LinkSettings(mtu=1400), mtu=9000).connect()
    pair.a.send(MESSAGE)
    pair.run(lambda: stats_of(pair).path_mtu_probes_lost > 2)
    path = path_of(pair)
    assert (path.error_count, pair.a.association.tcb.error_count, path.state) == (0, 0, 0)
    assert path.ssthresh > 1 << 30  # The window was never reduced.


@pytest.mark.parametrize("paths", [2, 3])
def test_the_path_with_the_smallest_packets_decides_for_all(paths: int) -> None:
    """RFC 9260 section 7.3: AMDCS."""
    pair = Pair(paths=paths, mtu=1500)
    pair.network.link("10.0.2.1", "10.0.2.2").set(mtu=1400)
    pair.connect()
    pair.network.run_for(5.0)  # The second address is confirmed.
    discover(pair)
    first, second = path_of(pair, 0), path_of(pair, 1)
    assert first.mtu == fitting(1500, first)
    assert second.mtu == fitting(1400, second)
    assert pair.a.association.tcb.packet_limit == second.mtu


def test_an_address_that_does_not_answer_makes_no_packet_smaller() -> None:
    pair = Pair(paths=2, mtu=1500)
    pair.network.cut("10.0.2.2")
    pair.connect()
    assert discover(pair) == fitting(1500, path_of(pair))
    assert pair.a.association.tcb.packet_limit == path_of(pair).mtu
    assert path_of(pair, 1).mtu == path_of(pair, 1).base


def test_a_failover_to_a_path_with_smaller_packets_loses_nothing() -> None:
    pair = Pair(paths=2, mtu=9000, link=LinkSettings(mtu=9000))
    for ends in (("10.0.2.1", "10.0.2.2"), ("10.0.2.2", "10.0.2.1")):
        pair.network.link(*ends).set(mtu=1400)
    pair.network.cut("10.0.2.2")
    pair.connect()
    discover(pair)
    pair.network.heal("10.0.2.2")
    pair.network.run_for(100.0)
    assert path_of(pair, 1).confirmed
    for _ in range(10):
        pair.a.send(MESSAGE)
    pair.network.at(0.015, lambda: pair.network.cut("10.0.1.2"))
    pair.run(lambda: len(pair.b.messages()) == 11, 600.0)
    assert pair.b.messages() == [MESSAGE] * 11


def test_without_discovery_packets_have_a_fixed_size_and_may_be_fragmented() -> None:
    config = AssociationConfig(path_mtu_discovery=False)
    pair = Pair(mtu=9000, link=LinkSettings(mtu=1000), config=config).connect()
    transfer(pair)
    assert path_of(pair).mtu == fitting(1500, path_of(pair))
    assert stats_of(pair).path_mtu_probes_sent == 0


def test_mtu_of_the_config_limits_what_is_searched_for() -> None:
    pair = Pair(mtu=9000, link=LinkSettings(mtu=9000), config=AssociationConfig(mtu=4000)).connect()
    assert discover(pair) == fitting(4000, path_of(pair))


def test_discovery_that_is_switched_off_while_it_searches_changes_nothing_any_more() -> None:
    pair = Pair(mtu=1500, link=LinkSettings(delay=0.1)).connect()
    pair.a.send(MESSAGE)
    pair.run(lambda: stats_of(pair).path_mtu_probes_sent > 0)
    association = pair.a.association
    association.configure_path(pair.a.host.now, path_of(pair).remote, mtu=1000, mtu_discovery=False)
    pair.run(lambda: len(pair.b.messages()) == 1 and pair.a.is_dry, 600.0)
    pair.network.run_for(5.0)
    assert path_of(pair).mtu == 1000
    assert search_is_over(pair)
    association.configure_path(pair.a.host.now, path_of(pair).remote, mtu_discovery=True)
    assert discover(pair) == fitting(1500, path_of(pair))


def test_a_restarted_peer_keeps_the_size_that_was_found() -> None:
    pair = Pair(mtu=1500).connect()
    found = discover(pair)
    tcb = pair.a.association.tcb
    fresh = Path(tcb.paths[0].remote, b"", 9899, tcb.config, 1500, True)
    fresh.keep_settings(tcb.paths[0])
    assert (fresh.mtu, fresh.whole, fresh.sized, fresh.search_from) == (found, found, True, 0)
