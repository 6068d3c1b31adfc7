"""Path MTU discovery (RFC 8899) over simulated links: what is found, what is kept, and what becomes of the data."""

from __future__ import annotations

import pytest

from sctpx.core.association.state import ESTABLISHED
from sctpx.core.config import AssociationConfig
from sctpx.core.path.path import Path, largest_packet
from sctpx.core.stats import AssociationStats
from sctpx.testing import LinkSettings, Pair
from sctpx.testing.packet import address_text
from sctpx.wire.codes import CHUNK_DATA
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


@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize(("before", "after"), [(1500, 1400), (1500, 1280), (9000, 1500), (9000, 8000)])
def test_over_ipv6_this_host_fragments_what_is_in_flight_when_the_path_mtu_falls(
    before: int, after: int, authenticated: bool
) -> None:
    """RFC 9260 section 6.9: "IP fragmentation MUST be used". No router does that for IPv6 (RFC 8200 section 5)."""
    config = AssociationConfig(authenticated_chunks=(CHUNK_DATA,) if authenticated else ())
    pair = Pair(link=LinkSettings(mtu=before), mtu=before, ipv6=True, config=config).connect()
    discover(pair)
    pair.network.set(mtu=after)
    transfer(pair)
    assert stats_of(pair).path_mtu_black_holes == 1
    padded = [packet for packet in pair.network.packets() if "PAD" in packet.chunks and "DATA" in packet.chunks]
    assert padded
    # "an endpoint MUST place control chunks first in the outbound SCTP packet" (section 6.10)
    assert {packet.chunks[packet.chunks.index("PAD") + 1] for packet in padded} == {"AUTH" if authenticated else "DATA"}
    assert {packet.ip_size > before and packet.fragments for packet in padded} == {True}
    count = len(list(pair.network.packets()))
    pair.run(lambda: search_is_over(pair), 600.0)
    transfer(pair)
    later = list(pair.network.packets())[count:]
    assert not any("PAD" in packet.chunks and "DATA" in packet.chunks for packet in later)


@pytest.mark.parametrize("reports", [False, True])
@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("small", [0, 5])
def test_a_path_mtu_that_falls_on_one_of_two_paths_is_found(small: int, ipv6: bool, reports: bool) -> None:
    """HEARTBEATs and small packets pass there, and what is lost goes again elsewhere: the path seems to work."""
    pair = Pair(paths=2, mtu=9000, link=LinkSettings(mtu=9000, reports=reports), ipv6=ipv6).connect()
    pair.network.run_for(5.0)  # The second address is confirmed.
    discover(pair)
    near, far = (address_text(ip) for ip in (path_of(pair).local, path_of(pair).remote))
    for ends in ((near, far), (far, near)):
        pair.network.link(*ends).set(mtu=1400)
    sent = 1
    for _ in range(40):
        for _ in range(small):
            pair.a.send(b"small")
            pair.network.run_for(0.05)
        pair.a.send(MESSAGE)
        sent += 1 + small
        pair.network.run_for(0.5)
    assert len(pair.b.messages()) == sent
    assert path_of(pair).mtu == fitting(1400, path_of(pair))
    assert path_of(pair, 1).mtu == fitting(9000, path_of(pair, 1))
    assert stats_of(pair).path_mtu_black_holes == (not reports)
    assert stats_of(pair).t3_timeouts <= (0 if reports else 2)


def test_timeouts_on_one_of_two_paths_with_large_packets_between_them_show_no_black_hole() -> None:
    pair = Pair(paths=2, mtu=9000, link=LinkSettings(mtu=9000)).connect()
    pair.network.run_for(5.0)
    discover(pair)
    for cuts in (1, 2, 3):
        pair.network.at(0.015, lambda: pair.network.cut("10.0.1.2"))
        pair.network.at(1.5, lambda: pair.network.heal("10.0.1.2"))
        for _ in range(5):
            pair.a.send(MESSAGE)
        pair.run(lambda: pair.a.is_dry)
        pair.network.run_for(10.0)
        transfer(pair)
        assert stats_of(pair).t3_timeouts + stats_of(pair).tail_probes_sent >= cuts
    assert stats_of(pair).path_mtu_black_holes == 0
    assert path_of(pair).mtu == fitting(9000, path_of(pair))


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
    fresh = Path(tcb.paths[0].remote, b"", 9899, tcb.config.rules, 1500, True)
    fresh.keep_settings(tcb.paths[0])
    assert (fresh.mtu, fresh.whole, fresh.sized, fresh.search_from) == (found, found, True, 0)


def test_an_association_begins_with_what_another_one_has_found() -> None:
    """RFC 8899 section 3, item 9. A probe shows first that it still holds."""
    pair = Pair(link=LinkSettings(mtu=1400), mtu=9000).connect()
    assert discover(pair) == fitting(1400, path_of(pair))
    first = stats_of(pair).path_mtu_probes_lost
    for mtu, lost in ((1400, 3), (1300, first), (1300, 3)):
        pair.network.set(mtu=mtu)
        another = pair.a.host.open_endpoint().connect(pair.a.host.now, pair.b.host.peer_addresses, 5000)
        pair.network.run(lambda one=another: one.state == ESTABLISHED)  # type: ignore[misc]
        another.send(pair.a.host.now, MESSAGE)
        pair.network.run(lambda one=another: one.tcb.paths[0].sized and not one.tcb.extensions, 600)  # type: ignore[misc]
        assert another.paths[0].mtu == fitting(mtu, another.paths[0])
        assert another.stats.t3_timeouts == 0
        assert another.stats.path_mtu_probes_lost <= lost < first + 2


def test_a_black_hole_is_remembered_by_nobody() -> None:
    pair = Pair(link=LinkSettings(mtu=1400), mtu=9000).connect()
    discover(pair)
    known = pair.a.host.stack.known_mtus
    assert known.size(pair.a.host.now, path_of(pair)) == fitting(1400, path_of(pair))
    pair.network.set(mtu=1300)
    pair.a.send(MESSAGE)
    pair.run(lambda: stats_of(pair).path_mtu_black_holes)
    assert known.size(pair.a.host.now, path_of(pair)) == 0


def test_over_ipv6_nothing_is_padded_that_each_path_takes() -> None:
    """RFC 8200 section 5: each link takes 1280 bytes. A SHUTDOWN COMPLETE has nothing beside it (section 6.10)."""
    pair = Pair(link=LinkSettings(mtu=9000), mtu=9000, ipv6=True).connect()
    for side in (pair.a, pair.b):
        [path] = side.association.paths
        path.set_mtu(path.base)  # As RFC 8899 section 5.4 has it: BASE_PLPMTU did not pass, where others did.
    for side in (pair.a, pair.b):
        side.send(b"small")
    pair.run(lambda: pair.a.is_dry and pair.b.is_dry, 60.0)
    pair.shutdown()
    sent = [packet.chunks for packet in pair.network.packets()]
    assert ["SHUTDOWN COMPLETE"] in sent
    assert [chunks for chunks in sent if "PAD" in chunks and chunks[0] != "HEARTBEAT"] == []
