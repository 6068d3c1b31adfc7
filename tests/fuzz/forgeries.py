"""What a network does that lies: it knows all tags and sees all packets, and makes chunks of its own.

Packets have a right checksum, mostly the right tag, numbers near those that are expected, and an AUTH chunk where that
is demanded. A stranger speaks as well, from addresses that no host has: it sets associations up with a State Cookie
that it was given, and answers as a peer would, or nearly so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sctpx.core.association.association import Association
from sctpx.core.association.tcb import Tcb
from sctpx.wire import asconf, control, forward, reconfig, sack
from sctpx.wire.auth import AuthParameters
from sctpx.wire.codes import (
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
    CHUNK_AUTH,
    CHUNK_COOKIE_ECHO,
    CHUNK_DATA,
    CHUNK_FORWARD_TSN,
    CHUNK_HEARTBEAT,
    CHUNK_I_DATA,
    CHUNK_I_FORWARD_TSN,
    CHUNK_INIT,
    CHUNK_INIT_ACK,
    CHUNK_NAMES,
    CHUNK_RE_CONFIG,
    CHUNK_SHUTDOWN,
    CHUNK_SHUTDOWN_ACK,
    COMMON_HEADER,
    DATA_HEADER,
    I_DATA_HEADER,
    PARAM_ECN_CAPABLE,
    PARAM_FORWARD_TSN_SUPPORTED,
)
from sctpx.wire.data import DATA, I_DATA, PADDING
from sctpx.wire.packet import chunks, finish_packet, prefix
from sctpx.wire.setup import Setup, parse
from sctpx.wire.tlv import ParseError, chunk, item

from .dice import Dice
from .host import PORTS, Datagram, Host
from .moves import Move, some_association
from .oracle import kinds_of
from .settings import address
from .world import World

_U32: Final = 0xFFFFFFFF
_KINDS: Final = (*CHUNK_NAMES, 63, 0xBF, 0xFE)
_SUPPORTED: Final = (
    CHUNK_I_DATA,
    CHUNK_FORWARD_TSN,
    CHUNK_I_FORWARD_TSN,
    CHUNK_RE_CONFIG,
    CHUNK_AUTH,
    CHUNK_ASCONF,
    CHUNK_ASCONF_ACK,
)

# --- chunks near what an association expects ---


def data(tcb: Tcb, dice: Dice) -> bytes:
    """DATA."""
    tsn = tcb.tsn_map.cumulative_tsn + 1 + (0 if dice.one_in(2) else dice.near(40))
    if dice.one_in(16):
        tsn += dice.choose((60_000, 65_535, 65_537, 1 << 31))
    size = dice.choose((1, 1, 50, 400, 1400))
    flags = dice.choose((3, 3, 3, 2, 0, 1, 7, 6, 4, 5, 11))
    header = DATA.pack(CHUNK_DATA, flags, DATA_HEADER + size, tsn & _U32, dice.below(12), dice.below(6), 0)
    return header + bytes(size) + PADDING[size & 3]


def i_data(tcb: Tcb, dice: Dice) -> bytes:
    """I-DATA."""
    tsn = tcb.tsn_map.cumulative_tsn + 1 + (0 if dice.one_in(2) else dice.near(40))
    size = dice.choose((1, 1, 50, 400, 1400))
    flags = dice.choose((3, 3, 2, 0, 1, 7, 6, 4, 5))
    numbers = dice.below(12), dice.below(6) - 1 & _U32, dice.below(5)
    header = I_DATA.pack(CHUNK_I_DATA, flags, I_DATA_HEADER + size, tsn & _U32, *numbers)
    return header + bytes(size) + PADDING[size & 3]


def a_sack(tcb: Tcb, dice: Dice) -> bytes:
    """SACK."""
    out = tcb.outstanding
    ahead = out.next_tsn - 1 - out.cumulative_tsn_ack_point
    cumulative = out.cumulative_tsn_ack_point + dice.choose((0, 0, 1, dice.below(ahead + 1), ahead, ahead + 1, -1))
    ranges = []
    start = cumulative
    for _ in range(dice.choose((0, 0, 1, 2, 4, 60))):
        start += dice.below(5) + 1
        end = start + dice.below(6) + 1
        ranges.append((start, end))
        start = end
    duplicates = [cumulative] * dice.choose((0, 0, 0, 1, 30))
    return sack.encode(cumulative, dice.choose((0, 1, 1500, 20_000, 1 << 20)), ranges, duplicates)


def forward_tsn(tcb: Tcb, dice: Dice) -> bytes:
    """FORWARD-TSN or I-FORWARD-TSN."""
    tsn = tcb.tsn_map.cumulative_tsn + dice.near(20) + (0 if dice.below(16) else 1 << 20)
    skipped = [(dice.below(12), dice.below(6), dice.one_in(3)) for _ in range(dice.choose((0, 1, 3, 60)))]
    interleaves = tcb.framing.interleaves if dice.below(8) else dice.one_in(2)
    return forward.encode(interleaves, tsn, skipped)


def re_config(tcb: Tcb, dice: Dice) -> bytes:
    """RE-CONFIG."""
    parameters = []
    for _ in range(dice.below(2) + 1):
        number = (tcb.peer_initial_tsn + dice.below(5)) & _U32
        ours = (tcb.initial_tsn + dice.below(5) - 1) & _U32
        streams = [dice.below(12) for _ in range(dice.choose((0, 1, 4)))]
        kind = dice.below(6)
        if kind == 0:
            last = (tcb.tsn_map.cumulative_tsn + dice.near(10)) & _U32
            parameters.append(reconfig.outgoing_reset(number, ours, last, streams))
        elif kind == 1:
            parameters.append(reconfig.incoming_reset(number, streams))
        elif kind == 2:
            parameters.append(reconfig.tsn_reset(number))
        elif kind == 3:
            tsns = (dice.below(1 << 31), dice.below(1 << 31)) if dice.one_in(2) else None
            parameters.append(reconfig.response(ours, dice.below(8), tsns))
        elif kind == 4:
            parameters.append(reconfig.add_outgoing(number, dice.choose((0, 1, 3, 65_530))))
        else:
            parameters.append(reconfig.add_incoming(number, dice.choose((0, 1, 3, 65_530))))
    return reconfig.encode(parameters)


def any_address(dice: Dice) -> bytes:
    """An address that a host has, or nobody, or nobody can have."""
    if dice.one_in(6):
        return dice.choose((bytes(4), bytes(16), b"\xff" * 4, b"\xe0\0\0\1", b"\x7f\0\0\1"))
    return address(dice.below(6), dice.below(3), dice.one_in(3))


def an_asconf(tcb: Tcb, dice: Dice) -> bytes:
    """ASCONF."""
    requests = [
        asconf.request(dice.choose(asconf.REQUESTS), correlation, any_address(dice))
        for correlation in range(dice.choose((0, 1, 1, 3)))
    ]
    return asconf.encode((tcb.peer_initial_tsn + dice.below(6)) & _U32, any_address(dice), requests)


def an_asconf_ack(tcb: Tcb, dice: Dice) -> bytes:
    """ASCONF-ACK."""
    answers = []
    for correlation in range(dice.below(3)):
        why = [(dice.choose((0xA0, 0xA1, 0xA2, 0xA4, 8)), dice.octets(dice.below(12)))] if dice.one_in(2) else []
        answers.append(asconf.Answer(correlation + dice.below(2), why))
    return asconf.encode_ack((tcb.initial_tsn + dice.below(6)) & _U32, answers)


def ending(tcb: Tcb, dice: Dice) -> bytes:
    """What ends an association, or says that it has ended."""
    out = tcb.outstanding
    how = dice.below(5)
    if how < 2:
        return control.shutdown(out.cumulative_tsn_ack_point + dice.choose((0, 0, 1, 5, -1)))
    if how == 2:
        return control.shutdown_ack()
    if how == 3:
        return control.shutdown_complete(dice.one_in(2))
    return control.abort([(dice.below(16), dice.octets(dice.below(20)))], dice.one_in(2))


def asking(tcb: Tcb, dice: Dice) -> bytes:
    """HEARTBEATs, errors, ECN, what sets an association up."""
    how = dice.below(9)
    if how == 0:
        return control.heartbeat(dice.octets(dice.choose((0, 8, 40, 1200))))
    if how == 1:
        return control.heartbeat_ack(item(1, dice.octets(dice.choose((0, 8, 12, 40)))))
    if how == 2:
        return control.error([(dice.below(20), dice.octets(dice.below(20))) for _ in range(dice.below(3))])
    if how == 3:
        return control.ecne(tcb.outstanding.cumulative_tsn_ack_point + dice.near(20))
    if how == 4:
        return control.cwr(tcb.tsn_map.cumulative_tsn + dice.near(20))
    if how == 5:
        return control.cookie_ack()
    if how == 6:
        return chunk(CHUNK_COOKIE_ECHO, 0, dice.octets(dice.below(200)))
    if how == 7:
        return control.padding(4 + 4 * dice.below(20))
    return a_setup(dice).encode(dice.one_in(2))


def anything(tcb: Tcb, dice: Dice) -> bytes:
    """A chunk of any type, with a right length and any bytes; sometimes with another length."""
    said = chunk(dice.choose(_KINDS), dice.choose((0, 0, 1, 255)), dice.octets(dice.choose((0, 1, 4, 12, 16, 60))))
    if dice.one_in(4):
        said = said[:2] + (len(said) + dice.near(6) & 0xFFFF).to_bytes(2, "big") + said[4:]
    return said


_CHUNKS: Final[tuple[Callable[[Tcb, Dice], bytes], ...]] = (
    *(data, data, i_data, i_data, a_sack, a_sack, a_sack, forward_tsn, forward_tsn, re_config, re_config),
    *(an_asconf, an_asconf, an_asconf_ack, ending, asking, asking, anything),
)


# --- moves ---


def sent_to(
    world: World, host: Host, association: Association, dice: Dice, body: bytes, tag: int = -1, times: int = 1
) -> None:
    """Chunks arrive for an association, from an address of its peer or from elsewhere."""
    tcb = association.tcb
    authentication = tcb.authentication
    if authentication is not None and dice.below(8):
        body = authentication.sending_key(authentication.keys.active).authenticate(body)
    remotes = tcb.remotes()
    remote = dice.choose(remotes) if remotes and dice.below(8) else any_address(dice)
    local = dice.choose(association.local_addresses or host.addresses)
    start = tcb.peer_prefix if tag < 0 else tcb.peer_prefix[:4] + tag.to_bytes(4, "big")
    packet = finish_packet(start, body)
    port = world.settings.udp_port
    host.receive(Datagram(local, remote, port, packet * times, len(packet), kinds_of(packet)))


def forge(world: World, dice: Dice) -> None:
    """A packet with some chunks arrives for an association."""
    found = some_association(world, dice)
    if found is not None:
        host, association = found
        count = dice.choose((1, 1, 1, 2, 3, 12))
        make = dice.choose(_CHUNKS)
        made = [make(association.tcb, dice) for _ in range(count)]
        if dice.one_in(4):
            made.append(dice.choose(_CHUNKS)(association.tcb, dice))
        tag = -1 if dice.below(12) else dice.choose((0, association.tcb.peer_tag, dice.below(1 << 31)))
        sent_to(world, host, association, dice, b"".join(made), tag, 1 if dice.below(16) else 3)


def same_again(world: World, dice: Dice) -> None:
    """A packet is full of one small chunk, again and again."""
    found = some_association(world, dice)
    if found is not None:
        host, association = found
        said = dice.choose(_CHUNKS)(association.tcb, dice)
        sent_to(world, host, association, dice, said * (dice.choose((200, 1200, 4000)) // len(said) + 1))


def run_of_data(world: World, dice: Dice) -> None:
    """A run of packets with user data in sequence, perhaps with something else among them."""
    found = some_association(world, dice)
    if found is None:
        return
    host, association = found
    tcb = association.tcb
    tsn = tcb.tsn_map.cumulative_tsn + 1
    size, stream, ssn = dice.choose((1, 100, 1000)), dice.below(3), dice.below(6)
    flags = dice.choose((3, 7, 2, 0))
    odd = dice.below(40)
    interleaves = tcb.framing.interleaves
    packets = []
    for number in range(dice.choose((4, 12, 30))):
        at = tsn + number + (number > odd)
        if interleaves:
            head = I_DATA.pack(CHUNK_I_DATA, flags, I_DATA_HEADER + size, at & _U32, stream, ssn, number)
        else:
            head = DATA.pack(CHUNK_DATA, flags, DATA_HEADER + size, at & _U32, stream, ssn + number & 0xFFFF, 0)
        packets.append(finish_packet(tcb.peer_prefix, head + bytes(size) + PADDING[size & 3]))
    remotes = tcb.remotes()
    if remotes:
        run = b"".join(packets)
        local = dice.choose(association.local_addresses or host.addresses)
        port = world.settings.udp_port
        host.receive(Datagram(local, dice.choose(remotes), port, run, len(packets[0]), kinds_of(packets[0])))


def run_of_sacks(world: World, dice: Dice) -> None:
    """A run of SACKs, each one a little further."""
    found = some_association(world, dice)
    if found is None:
        return
    host, association = found
    tcb = association.tcb
    low, step = tcb.outstanding.cumulative_tsn_ack_point, dice.below(3)
    a_rwnd = dice.choose((0, 20_000, 1 << 20))
    count = dice.choose((4, 12, 30))
    packets = [finish_packet(tcb.peer_prefix, sack.encode(low + step * at, a_rwnd, [], [])) for at in range(count)]
    remotes = tcb.remotes()
    if remotes:
        local = dice.choose(association.local_addresses or host.addresses)
        port = world.settings.udp_port
        kinds = kinds_of(packets[0])
        host.receive(Datagram(local, dice.choose(remotes), port, b"".join(packets), len(packets[0]), kinds))


def change(world: World, dice: Dice) -> None:
    """A packet under way arrives with other contents, and a right checksum."""
    packets = world.under_way or world.history
    if not packets:
        return
    was = dice.choose(packets)
    body = bytearray(was.data[COMMON_HEADER : was.segment])
    how = dice.below(4)
    if how == 0:
        found = chunks(was.data[: was.segment])
        body = bytearray().join([chunk(*one) for one in found] + [chunk(*dice.choose(found))] if found else [])
    elif how == 1:
        del body[dice.below(len(body)) :]
    else:
        for _ in range(dice.below(3) + 1):
            body[dice.below(len(body))] = dice.choose((0, 1, 255, dice.below(256)))
    packet = finish_packet(was.data[:8], bytes(body))
    world.deliver(Datagram(was.local, was.remote, was.port, packet, len(packet), kinds_of(packet)))


def a_setup(dice: Dice) -> Setup:
    """An INIT or INIT ACK of somebody who can do this and that."""
    a_rwnd = dice.choose((1500, 4096, 1 << 16, 1 << 20))
    setup = Setup(dice.below(1 << 31) + 1, a_rwnd, dice.below(12) + 1, dice.below(12) + 1, dice.below(1 << 31))
    setup.extensions = bytes([kind for kind in _SUPPORTED if dice.one_in(2)])
    setup.flags = [flag for flag in (PARAM_ECN_CAPABLE, PARAM_FORWARD_TSN_SUPPORTED) if dice.one_in(2)]
    setup.addresses = [any_address(dice) for _ in range(dice.choose((0, 0, 1, 3, 12)))]
    if dice.one_in(4):
        listed = bytes([dice.choose(_KINDS) for _ in range(dice.below(4))])
        setup.auth = AuthParameters(dice.octets(32), listed, b"\0\3\0\1")
    if dice.one_in(8):
        setup.cookie = dice.octets(40)
    if dice.one_in(8):
        setup.cookie_preservative = dice.below(100_000)
    if dice.one_in(8):
        setup.adaptation = 9
    if dice.one_in(16):
        setup.host_name = b"host"
    return setup


def stranger(dice: Dice, six: bool) -> bytes:
    """An address that no host has."""
    last = dice.below(4)
    return b"\x20\x01\x0d\xb8\0\x09" + bytes(9) + bytes((last,)) if six else bytes((10, 9, 0, last))


def knock(world: World, dice: Dice) -> None:
    """A stranger, or somebody who has the address of a host, sends an INIT."""
    host = dice.choose(world.hosts)
    local = dice.choose(host.addresses)
    remote = stranger(dice, len(local) == 16)
    peer_port = dice.choose((*PORTS, 7000))
    if dice.one_in(3):
        remote = dice.choose([ip for one in world.hosts if one is not host for ip in one.addresses])
    start = prefix(peer_port, dice.choose(PORTS), 0)
    body = a_setup(dice).encode()
    if dice.one_in(8):
        body = body[: dice.below(len(body) // 4) * 4]
    packet = finish_packet(start, body)
    host.receive(Datagram(local, remote, world.settings.udp_port, packet, len(packet), kinds_of(packet)))


def answer(world: World, dice: Dice) -> None:
    """A stranger answers what it was sent, as a peer would, or nearly so."""
    if not world.strays:
        return
    was = world.strays.pop() if dice.below(3) else dice.choose(world.strays)
    reply(world, dice, was)


def hijack(world: World, dice: Dice) -> None:
    """Somebody answers a packet of a host in place of the one that it is for."""
    if world.under_way:
        reply(world, dice, world.under_way.pop(dice.below(len(world.under_way))))


def reply(world: World, dice: Dice, was: Datagram) -> None:
    """The answer to a packet, by whoever has seen it."""
    host = world.places.get(was.remote)
    if host is None:
        return
    packet = was.data[: was.segment]
    ports = packet[2:4] + packet[:2]
    association = None
    for one in host.associations():
        if one.tcb.peer_prefix[:4] == ports and (one.tcb.find_path(was.local) or was.local in one.tcb.remotes()):
            association = one
    start = ports + bytes(4) if association is None else association.tcb.peer_prefix
    said: list[bytes] = []
    for kind, _, value in chunks(packet):
        try:
            if kind in (CHUNK_INIT, CHUNK_INIT_ACK):
                start = ports + value[:4]
            one_more = _reply_to(kind, value, dice)
        except ParseError:
            continue
        if one_more:
            said.append(one_more)
    if association is not None and dice.one_in(3):
        said.append(dice.choose(_CHUNKS)(association.tcb, dice))
    if said:
        body = b"".join(said)
        if association is not None and association.tcb.authentication is not None:
            authentication = association.tcb.authentication
            body = authentication.sending_key(authentication.keys.active).authenticate(body)
        data = finish_packet(start, body)
        host.receive(Datagram(was.remote, was.local, world.settings.udp_port, data, len(data), kinds_of(data)))


def _reply_to(kind: int, value: bytes, dice: Dice) -> bytes:
    if kind == CHUNK_INIT:
        setup = a_setup(dice)
        setup.cookie = dice.octets(dice.choose((0, 4, 40)))
        return setup.encode(ack=True)
    if kind == CHUNK_INIT_ACK:
        cookie = parse(value, ack=True).cookie or b""
        if dice.one_in(6) and cookie:
            at = dice.below(len(cookie))
            cookie = cookie[:at] + bytes((cookie[at] ^ 1 << dice.below(8),)) + cookie[at + 1 :]
        return control.cookie_echo(cookie)
    if kind == CHUNK_COOKIE_ECHO:
        return control.cookie_ack() if dice.below(4) else control.error([(3, dice.octets(4))])
    if kind == CHUNK_HEARTBEAT:
        return control.heartbeat_ack(value)
    if kind in (CHUNK_DATA, CHUNK_I_DATA):
        return sack.encode(int.from_bytes(value[:4], "big"), 20_000, [], [])
    if kind == CHUNK_SHUTDOWN:
        return control.shutdown_ack()
    if kind == CHUNK_SHUTDOWN_ACK:
        return control.shutdown_complete()
    if kind == CHUNK_ASCONF:
        serial, requests = asconf.parse(value)
        return asconf.encode_ack(serial, [] if dice.one_in(2) else [asconf.Answer(0, []) for _ in requests])
    if kind == CHUNK_RE_CONFIG:
        asked, _ = reconfig.parse(value)
        return reconfig.encode([reconfig.response(one.number, dice.choose((1, 1, 0, 2, 6))) for one in asked][:2])
    return b""


FORGERIES: Final[list[tuple[int, Move]]] = [
    (60, forge),
    (6, same_again),
    (8, run_of_data),
    (6, run_of_sacks),
    (20, change),
    (10, knock),
    (24, answer),
    (6, hijack),
]
