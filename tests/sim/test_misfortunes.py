"""Everything that can befall a network befalls it while data flows; when it is over, all has arrived.

What happens when follows from the seed: addresses are cut, refuse, cannot be sent to, chunks are lost, held and
damaged, readers sleep and primaries change, over links of every kind. All of it ends after a minute at most. The
association must then deliver every message once and in order, have all paths up again, and end gracefully.
"""

from __future__ import annotations

import errno
from random import Random

import pytest

from sctpx.core.config import AssociationConfig
from sctpx.core.path.states import PATH_ACTIVE
from sctpx.testing import Host, LinkSettings, Network, Packet, Pair, Side, seeded_random
from tests.sweeps import seeds

STREAMS = 5


def any_link(random: Random) -> LinkSettings:
    return LinkSettings(
        delay=random.choice([0.001, 0.03, 0.15]),
        loss=random.choice([0.0, 0.01, 0.05]),
        jitter=random.choice([0.0, 0.03]),
        duplicate=random.choice([0.0, 0.1]),
        reorder=random.choice([0.0, 0.05]),
        reorder_delay=0.05,
        rate=random.choice([None, 1e6, 2e7]),
        queue=random.choice([None, 20_000]),
    )


def any_config(random: Random) -> AssociationConfig:
    """The association lives through it all: only its paths may be given up."""
    return AssociationConfig(
        association_max_retrans=60,
        path_max_retrans=random.choice([2, 5]),
        potentially_failed_max_retrans=random.choice([0, 5]),
        heartbeat_interval=random.choice([5.0, 30.0]),
        receive_buffer=random.choice([8192, 1 << 16, 1 << 20]),
        send_buffer=random.choice([20_000, 1 << 20]),
        nodelay=random.random() < 0.6,
    )


def bring_about(network: Network, host: Host, address: str, random: Random) -> None:
    """One misfortune, now."""
    what = random.randrange(7)
    if what == 0:
        network.cut(address)
    elif what == 1:
        network.refuse(address, random.choice([errno.ECONNREFUSED, errno.EHOSTUNREACH]))
    elif what == 2:
        host.fail_sends(address)
    elif what == 3:
        network.drop(random.choice(["DATA", "SACK", "HEARTBEAT", "HEARTBEAT ACK"]), times=random.randint(1, 6))
    elif what == 4:
        network.delay(random.choice(["DATA", "SACK", "HEARTBEAT"]), random.random() * 8, times=4)
    elif what == 5:
        network.alter("", lambda data: damaged(data, random), times=5)
    else:
        network.filters.append(every_other)
        network.at(random.random() * 5, network.filters.clear)


def every_other(packet: Packet) -> bool:
    """A filter that has its ways."""
    return packet.data[-1] % 2 == 0


def damaged(data: bytes, random: Random) -> bytes:
    """One bit of a packet flipped."""
    position = random.randrange(len(data))
    return data[:position] + bytes([data[position] ^ 1 << random.randrange(8)]) + data[position + 1 :]


def live_through(seed: int) -> None:
    random = seeded_random(seed, "misfortunes")
    with Pair(
        seed,
        paths=random.choice([1, 2, 3]),
        ipv6=random.random() < 0.3,
        udp_port=random.choice([9899, 0]),
        link=any_link(random),
        config=any_config(random),
    ).connect(600) as pair:
        network, sides = pair.network, (pair.a, pair.b)
        addresses = [*pair.a.host.addresses, *pair.b.host.addresses]
        sent: dict[Side, list[tuple[int, bytes]]] = {side: [] for side in sides}

        def send_some() -> None:
            for side in sides:
                for _ in range(random.randint(0, 30)):
                    stream, message = random.randrange(STREAMS), random.randbytes(random.choice([1, 100, 1452, 20_000]))
                    side.send(message, stream)
                    sent[side].append((stream, message))

        def misfortune() -> None:
            address, host = random.choice(addresses), random.choice(sides).host
            bring_about(network, host, address, random)
            until = random.random() * 20
            network.at(until, lambda: network.heal(address))
            network.at(until, lambda: host.fail_sends(address, 0))

        def another_primary() -> None:
            side = random.choice(sides)
            path = random.choice([path for path in side.association.paths if path.confirmed])
            side.association.set_primary(network.clock.now, path.remote)

        def sleep() -> None:
            pair.b.reading = False

        def wake() -> None:
            pair.b.reading = True
            pair.b.read()

        for what, times in ((send_some, 5), (misfortune, 10), (another_primary, 2), (sleep, 1)):
            for _ in range(random.randint(0, times)):
                network.at(random.random() * 40, what)
        network.at(45, wake)
        network.at(60, network.filters.clear)
        network.run_for(70)
        pair.drain(6000)
        for side, other in (sides, sides[::-1]):
            for stream in range(STREAMS):
                assert other.messages(stream) == [message for where, message in sent[side] if where == stream]
        network.set(loss=0.0)
        network.run_for(150)
        for side in sides:
            assert [(path.state, path.flight_size) for path in side.association.paths] == [
                (PATH_ACTIVE, 0) for _ in side.association.paths
            ]
        pair.shutdown()
        assert not pair.a.endpoint.associations
        assert not pair.b.endpoint.associations


@pytest.mark.parametrize("seed", seeds(20, 40))
def test_an_association_lives_through_whatever_befalls_the_network(seed: int) -> None:
    live_through(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 2000))
def test_an_association_lives_through_much_more_of_it(seed: int) -> None:
    live_through(seed)
