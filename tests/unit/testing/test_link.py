"""Link: loss, delay, jitter, rate and queue, MTU, reordering, duplication, cutting, filters."""

from __future__ import annotations

from random import Random

import pytest

from sctpx.testing import SECOND, Filter, Link, LinkSettings, Packet, VirtualClock, pack_address

SOURCE, DESTINATION = pack_address("10.0.1.1"), pack_address("10.0.1.2")
MILLISECOND = SECOND // 1000


def holding(held: list[Packet]) -> Filter:
    """A filter that takes every packet away."""

    def hold(packet: Packet) -> bool:
        held.append(packet)
        return False

    return hold


class Bench:
    """A link by itself: what went in, what was lost, what came out and when."""

    def __init__(self, seed: int = 0, **settings: float | bool | None) -> None:
        self.clock = VirtualClock(seed)
        self.sent: list[Packet] = []
        self.settled: list[Packet] = []
        self.deliveries: list[tuple[int, list[Packet]]] = []
        self.link = Link(self.clock, self, Random(seed))
        self.link.set(**settings)

    def on_sent(self, packet: Packet) -> None:
        self.sent.append(packet)

    def on_settled(self, packet: Packet) -> None:
        self.settled.append(packet)

    def deliver(self, packets: list[Packet], together: bool) -> None:
        self.deliveries.append((self.clock.now - self.clock.start, packets))

    def send(self, data: bytes, segment: int = 0) -> None:
        self.link.carry(Packet(self.clock.now, SOURCE, DESTINATION, 9899, 9899, data, segment))

    def wait(self, seconds: float) -> None:
        until = self.clock.now + round(seconds * SECOND)
        while self.clock.next_due <= until:
            self.clock.run_next()
        self.clock.advance_to(until)

    @property
    def arrived(self) -> list[tuple[int, bytes]]:
        """(time, data) of each single packet, in the order of arrival."""
        return [(when, p.data) for when, packets in self.deliveries for run in packets for p in run.singles()]


def numbered(count: int, size: int = 100) -> bytes:
    """A run of ``count`` packets, each beginning with its number."""
    return b"".join(number.to_bytes(4, "big").ljust(size, b".") for number in range(count))


def numbers(bench: Bench) -> list[int]:
    return [int.from_bytes(data[:4], "big") for _, data in bench.arrived]


def test_a_packet_arrives_after_the_delay() -> None:
    bench = Bench(delay=0.05)
    bench.send(b"one")
    bench.wait(1)
    assert bench.arrived == [(50 * MILLISECOND, b"one")]


def test_a_run_of_packets_that_meet_nothing_is_not_taken_apart() -> None:
    bench = Bench()
    bench.send(numbered(10), 100)
    bench.wait(1)
    assert len(bench.sent) == 1
    assert [packets for _, packets in bench.deliveries] == [bench.sent]
    assert numbers(bench) == list(range(10))
    assert bench.link.packets_sent == 10


def test_loss_is_drawn_for_each_packet_of_a_run() -> None:
    bench = Bench(loss=0.2)
    for _ in range(100):
        bench.send(numbered(40), 100)
    bench.wait(1)
    assert bench.link.packets_sent == 4000
    assert 0.18 < bench.link.packets_lost / 4000 < 0.22
    assert len(bench.arrived) == 4000 - bench.link.packets_lost
    assert {packet.fate for packet in bench.settled} == {"lost"}


def test_the_same_seed_loses_the_same_packets() -> None:
    def survivors(seed: int) -> list[int]:
        bench = Bench(seed, loss=0.3)
        bench.send(numbered(200), 100)
        bench.wait(1)
        return numbers(bench)

    assert survivors(1) == survivors(1)
    assert survivors(1) != survivors(2)


def test_a_loss_of_one_loses_everything() -> None:
    bench = Bench(loss=1.0)
    bench.send(numbered(50), 100)
    bench.wait(1)
    assert not bench.arrived


def test_survivors_of_a_run_arrive_together() -> None:
    bench = Bench(loss=0.3)
    bench.send(numbered(100), 100)
    bench.wait(1)
    assert len(bench.deliveries) == 1


def test_jitter_spreads_arrivals_and_keeps_the_order() -> None:
    bench = Bench(delay=0.05, jitter=0.02)
    for number in range(200):
        bench.send(number.to_bytes(4, "big"))
        bench.wait(0.001)
    bench.wait(1)
    assert numbers(bench) == list(range(200))
    delays = [when - number * MILLISECOND for number, (when, _) in enumerate(bench.arrived)]
    assert min(delays) >= 50 * MILLISECOND
    assert max(delays) <= 70 * MILLISECOND
    assert max(delays) - min(delays) > 10 * MILLISECOND


def test_a_shorter_delay_does_not_let_packets_overtake() -> None:
    bench = Bench(delay=0.5)
    bench.send(b"first")
    bench.link.set(delay=0.1)
    bench.send(b"second")
    bench.wait(1)
    assert [data for _, data in bench.arrived] == [b"first", b"second"]


def test_packets_picked_for_reordering_are_overtaken() -> None:
    bench = Bench(reorder=0.2, reorder_delay=0.003)
    for number in range(100):
        bench.send(number.to_bytes(4, "big"))
        bench.wait(0.001)
    bench.wait(1)
    arrived = numbers(bench)
    assert sorted(arrived) == list(range(100))
    late = [
        number for number, (when, _) in zip(arrived, bench.arrived, strict=True) if when > (10 + number) * MILLISECOND
    ]
    assert 10 <= len(late) <= 30
    assert all(
        arrived.index(number) > arrived.index(number + 2) for number in late if number + 2 not in late and number < 98
    )


def test_duplicates_are_copies_that_arrive_behind_their_originals() -> None:
    bench = Bench(duplicate=0.25)
    bench.send(numbered(400), 100)
    bench.wait(1)
    copies = [packet for packet in bench.sent if packet.copy]
    assert 70 <= len(copies) <= 130
    assert len(bench.arrived) == 400 + len(copies)
    assert numbers(bench) == sorted(numbers(bench))
    assert bench.link.packets_sent == 400


def test_a_line_takes_the_time_of_its_bits_for_each_packet() -> None:
    bench = Bench(delay=0.01, rate=8_000_000)
    bench.send(bytes(972) * 3, 972)
    bench.wait(1)
    # With IP and UDP headers they are 1000 bytes each: 1 ms at 8 Mbit/s.
    assert [when for when, _ in bench.arrived] == [11 * MILLISECOND, 12 * MILLISECOND, 13 * MILLISECOND]
    bench.send(bytes(972))
    bench.wait(1)
    assert bench.arrived[-1][0] == SECOND + 11 * MILLISECOND


def test_a_full_queue_drops_the_packet_that_comes() -> None:
    bench = Bench(rate=8_000_000, queue=2500)
    bench.send(bytes(972) * 4, 972)
    assert [packet.fate for packet in bench.settled] == ["queue full", "queue full"]
    bench.wait(0.0015)
    bench.send(bytes(972))
    bench.wait(1)
    assert len(bench.arrived) == 3


def test_raw_packets_have_no_udp_header_to_carry() -> None:
    bench = Bench(delay=0.0, rate=8_000_000)
    bench.link.carry(Packet(bench.clock.now, SOURCE, DESTINATION, 0, 0, bytes(980)))
    bench.link.carry(Packet(bench.clock.now, bytes(16), bytes(15) + b"1", 0, 0, bytes(960)))
    bench.wait(1)
    assert [when for when, _ in bench.arrived] == [MILLISECOND, 2 * MILLISECOND]


def test_a_packet_larger_than_the_mtu_is_dropped() -> None:
    bench = Bench(mtu=1000)
    bench.send(bytes(973))
    bench.send(bytes(972))
    bench.wait(1)
    assert [packet.fate for packet in bench.settled] == ["too big"]
    assert len(bench.arrived) == 1


def test_a_run_of_packets_larger_than_the_mtu_loses_all_but_a_short_last_one() -> None:
    bench = Bench(mtu=1000)
    bench.send(bytes(2 * 1200 + 100), 1200)
    bench.wait(1)
    assert [len(data) for _, data in bench.arrived] == [100]


def test_with_fragmentation_a_large_packet_needs_all_its_fragments() -> None:
    bench = Bench(mtu=1000, fragment=True, loss=0.1)
    for _ in range(1000):
        bench.send(bytes(2800))
    bench.wait(1)
    # Three fragments: 0.9 cubed get through.
    assert 690 < len(bench.arrived) < 770


def test_a_cut_link_loses_what_is_sent_and_what_is_under_way() -> None:
    bench = Bench(delay=0.05)
    bench.send(b"under way")
    bench.wait(0.01)
    bench.link.cut()
    bench.send(b"into the cut")
    bench.wait(0.01)
    bench.link.heal()
    bench.send(b"after")
    bench.wait(1)
    assert [data for _, data in bench.arrived] == [b"after"]
    assert [packet.fate for packet in bench.settled] == ["cut", "cut"]
    assert bench.link.packets_lost == 2


def test_a_cut_empties_the_queue() -> None:
    bench = Bench(delay=0.0, rate=8_000_000)
    bench.send(bytes(972) * 100, 972)
    bench.link.cut()
    bench.link.heal()
    bench.send(b"x" * 972)
    bench.wait(1)
    assert bench.arrived == [(MILLISECOND, b"x" * 972)]


def test_packets_that_arrive_within_the_coalescing_time_are_handed_over_together() -> None:
    bench = Bench(delay=0.01, rate=8_000_000, coalesce=0.0025)
    bench.send(bytes(972) * 5, 972)
    bench.wait(1)
    assert [(when, len(packets)) for when, packets in bench.deliveries] == [
        (13_500_000, 3),
        (16_500_000, 2),
    ]


def test_a_filter_sees_single_packets_and_decides() -> None:
    bench = Bench()
    seen: list[int] = []

    def odd(packet: Packet) -> bool:
        number = int.from_bytes(packet.data[:4], "big")
        seen.append(number)
        return number % 2 == 1

    bench.link.filters.append(odd)
    bench.send(numbered(6), 100)
    bench.wait(1)
    assert seen == list(range(6))
    assert numbers(bench) == [1, 3, 5]
    assert {packet.fate for packet in bench.settled} == {"filtered"}
    assert bench.link.packets_sent == 3


def test_a_filter_can_change_a_packet() -> None:
    bench = Bench()

    def grow(packet: Packet) -> bool:
        packet.data += b" and more"
        packet.ecn = 3
        return True

    bench.link.filters.append(grow)
    bench.send(b"this")
    bench.wait(1)
    [(_, [packet])] = bench.deliveries
    assert (packet.data, packet.count, packet.ecn) == (b"this and more", 1, 3)


def test_a_held_packet_arrives_a_delay_after_its_release_past_loss_and_queue() -> None:
    bench = Bench(delay=0.01, loss=1.0)
    held: list[Packet] = []
    bench.link.filters.append(holding(held))
    bench.send(b"patience")
    bench.wait(1)
    assert [packet.fate for packet in held] == ["filtered"]
    held[0].release(after=0.5)
    assert held[0].fate == "held back"
    bench.wait(1)
    assert bench.arrived == [(SECOND + 510 * MILLISECOND, b"patience")]


def test_a_packet_released_into_a_cut_is_lost() -> None:
    bench = Bench()
    held: list[Packet] = []
    bench.link.filters.append(holding(held))
    bench.send(b"too late")
    bench.link.cut()
    held[0].release()
    bench.wait(1)
    assert not bench.arrived
    assert held[0].fate == "cut"


def test_a_filter_can_send_a_packet_twice() -> None:
    bench = Bench()

    def twice(packet: Packet) -> bool:
        packet.duplicate(packet.sent).release(0.1)
        return True

    bench.link.filters.append(twice)
    bench.send(b"again")
    bench.wait(1)
    assert [data for _, data in bench.arrived] == [b"again", b"again"]


@pytest.mark.parametrize(
    "settings",
    [{"loss": 1.1}, {"duplicate": -0.1}, {"reorder": 2}, {"delay": -1}, {"queue": -1}, {"rate": 0}, {"mtu": 20}],
)
def test_impossible_settings_are_refused_and_change_nothing(settings: dict[str, float]) -> None:
    link = Bench().link
    before = link.settings
    with pytest.raises(ValueError, match=next(iter(settings))):
        link.set(**settings)
    assert link.settings == before


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError):
        Bench().link.set(los=0.1)


def test_default_settings_delay_and_do_nothing_else() -> None:
    settings = LinkSettings()
    assert (settings.delay, settings.loss, settings.rate, settings.mtu) == (0.01, 0.0, None, 1500)
