"""What a world is like, drawn from one number: its addresses, its links, and what each side can do."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sctpx.core.config import CONGESTION, LOSS_RECOVERIES, SCHEDULERS, AssociationConfig
from sctpx.wire.codes import CHUNK_COOKIE_ECHO, CHUNK_DATA, CHUNK_HEARTBEAT, CHUNK_SACK, CHUNK_SHUTDOWN

from .dice import Dice

UDP_PORT: Final = 9899
MAX_PATHS: Final = 3
_EXTENSIONS: Final = (
    "partial_reliability",
    "interleaving",
    "stream_reconfiguration",
    "ecn",
    "authentication",
    "asconf",
)
_DEMANDS: Final = (
    (),
    (CHUNK_DATA,),
    (CHUNK_DATA, CHUNK_SACK, CHUNK_HEARTBEAT, CHUNK_SHUTDOWN),
    (CHUNK_COOKIE_ECHO, CHUNK_SACK),
)


class Settings(NamedTuple):
    """A world."""

    honest: bool
    """The network loses, copies, delays and spoils; it makes no chunks of its own."""
    hosts: int
    paths: int
    addresses: list[list[bytes]]
    """Of each host, one for each path."""
    configs: list[AssociationConfig]
    udp_port: int
    """0: SCTP directly over IP."""
    link_mtu: int
    """What the interfaces take; 0: nobody knows, and no path MTU is discovered."""
    path_mtu: int
    """What the network between takes, bytes of IP."""
    accepts: bool
    """Programs accept associations; else those fill the backlog, and are used all the same."""


def address(number: int, host: int, six: bool) -> bytes:
    """The address of a host on a path; 0 is the first host."""
    if six:
        return b"\x20\x01\x0d\xb8" + bytes((0, number)) + bytes(9) + bytes((host + 1,))
    return bytes((10, 0, number, host + 1))


def draw(number: int) -> Settings:
    """The world with that number."""
    dice = Dice(number)
    honest = dice.one_in(2)
    hosts = 3 if dice.one_in(4) else 2
    paths = dice.choose((1, 1, 2, 3))
    family = dice.below(3)
    sixes = [family == 1 or (family == 2 and path == 1) for path in range(paths)]
    addresses = [[address(path, host, six) for path, six in enumerate(sixes)] for host in range(hosts)]
    wanted = {name: dice.one_in(2) for name in _EXTENSIONS}
    checked_by_link = dice.one_in(12)
    configs = [_config(dice, wanted, checked_by_link) for _ in range(hosts)]
    link_mtu = dice.choose((0, 0, 1500, 9000))
    path_mtu = dice.choose((9000, 1400, 1500, 1280)) if link_mtu else 65535
    udp_port = 0 if dice.one_in(6) else UDP_PORT
    accepts = not dice.one_in(6)
    return Settings(honest, hosts, paths, addresses, configs, udp_port, link_mtu, path_mtu, accepts)


def _config(dice: Dice, wanted: dict[str, bool], checked_by_link: bool) -> AssociationConfig:
    """What one side can do: what the world has, less something now and then."""
    has = {name: on and not dice.one_in(8) for name, on in wanted.items()}
    extensions: dict[str, Any] = {name: has[name] for name in _EXTENSIONS[:5]}
    if has["asconf"]:
        extensions["address_reconfiguration"] = True
        extensions["unauthenticated_asconf"] = not has["authentication"] and dice.one_in(2)
    if has["authentication"]:
        extensions["authenticated_chunks"] = dice.choose(_DEMANDS)
        extensions["shared_keys"] = ((0, b""), (1, b"one"), (2, b"two"))
    rto_min = dice.choose((0.05, 0.2, 1.0))
    return AssociationConfig(
        **extensions,
        streams=10,
        max_inbound_streams=dice.choose((10, 12, 65535)),
        max_outbound_streams=dice.choose((10, 12, 65535)),
        rto_min=rto_min,
        rto_initial=max(rto_min, 0.5),
        rto_max=dice.choose((2.0, 10.0)),
        association_max_retrans=dice.choose((2, 4, 10)),
        path_max_retrans=dice.choose((0, 1, 3)),
        potentially_failed_max_retrans=dice.choose((0, 1, 5)),
        max_init_retransmits=3,
        heartbeat_interval=dice.choose((0.0, 1.0, 30.0)),
        sack_delay=dice.choose((0.0, 0.05, 0.2)),
        stretch_sack=dice.one_in(4),
        nodelay=not dice.one_in(4),
        max_burst=dice.choose((1, 4, 64)),
        congestion=dice.choose(CONGESTION),
        loss_recovery=dice.choose(LOSS_RECOVERIES),
        scheduler=dice.choose(SCHEDULERS),
        stream_values=((1, 2), (2, 1)),
        receive_buffer=dice.choose((4096, 8192, 65536)),
        send_buffer=dice.choose((8192, 65536)),
        max_segment=dice.choose((0, 0, 484)),
        partial_delivery_point=dice.choose((0, 0, 600)),
        on_restart="end" if dice.one_in(6) else "continue",
        on_protocol_unreachable=dice.choose(("end", "continue")),
        attempt_delay=dice.choose((None, 0.1)),
        drain_guard=20.0,
        cookie_life=dice.choose((0.5, 60.0)),
        allow_stream_reset=not dice.one_in(4),
        allow_association_reset=dice.one_in(2),
        allow_added_streams=not dice.one_in(4),
        adaptation_layer=dice.choose((None, 7)),
        error_detection_method=int(checked_by_link),
        path_mtu_discovery=not dice.one_in(4),
    )
