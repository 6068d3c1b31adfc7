"""What can happen in a world without anybody who makes chunks: the network does what networks do, programs call.

A move takes a world and dice. ``MOVES`` has them with their weights; ``forgeries`` has those of a network that lies.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sctpx.core.association.association import Association
from sctpx.core.endpoint import Endpoint, PeerAddress
from sctpx.core.outputs import CE
from sctpx.core.timers import SECOND
from sctpx.core.tx.reliability import PRIORITY, RELIABLE, RETRANSMISSIONS, TIMED
from sctpx.wire.codes import CHUNK_INIT, CHUNK_PAD, CHUNK_SHUTDOWN_COMPLETE, COMMON_HEADER
from sctpx.wire.packet import finish_packet
from sctpx.wire.tlv import chunk

from .dice import Dice
from .host import PORTS, Datagram, Host
from .settings import address
from .world import World

Move = Callable[[World, Dice], None]
_SENDS: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.ENOBUFS, errno.EACCES, errno.EPERM)
_RETURNED: Final = (
    errno.EMSGSIZE,
    errno.EHOSTUNREACH,
    errno.ECONNREFUSED,
    errno.ENOPROTOOPT,
    errno.ENETUNREACH,
)

# --- the network ---


def arrive(world: World, dice: Dice) -> None:
    """The oldest packets arrive, one after the other."""
    for _ in range(min(dice.choose((1, 1, 2, 4, 12)), len(world.under_way))):
        if not world.under_way:
            break
        world.deliver(world.under_way.pop(0))


def overtake(world: World, dice: Dice) -> None:
    """A packet arrives before others."""
    if world.under_way:
        world.deliver(world.under_way.pop(dice.below(len(world.under_way))))


def lose(world: World, dice: Dice) -> None:
    """Packets are lost: some, a run, or all."""
    under_way = world.under_way
    if under_way:
        first = dice.below(len(under_way))
        del under_way[first : first + dice.choose((1, 1, 2, 5, 400))]


def copy(world: World, dice: Dice) -> None:
    """A packet arrives, and is still under way."""
    if world.under_way:
        world.deliver(dice.choose(world.under_way))


def late(world: World, dice: Dice) -> None:
    """A packet from long ago arrives again."""
    if world.history:
        world.deliver(dice.choose(world.history))


def spoil(world: World, dice: Dice) -> None:
    """A packet arrives with other bits, or shorter, or longer."""
    if not world.under_way:
        return
    was = world.under_way.pop(dice.below(len(world.under_way)))
    if was.data[8:12] == bytes(4):
        return  # The link finds out.
    data = bytearray(was.data)
    how = dice.below(4)
    if how == 0:
        del data[dice.below(len(data)) :]
    elif how == 1:
        data += dice.octets(dice.below(40))
    else:
        for _ in range(dice.below(3) + 1):
            data[dice.below(len(data))] ^= 1 << dice.below(8)
    if data and bytes(data) != was.data:
        segment = was.segment if len(was.data) > was.segment else len(data)
        world.deliver(Datagram(was.local, was.remote, was.port, bytes(data), segment, was.kinds))


def run_together(world: World, dice: Dice) -> None:
    """Packets of one size for one place arrive in one go, as receive offload hands them over."""
    under_way = world.under_way
    if not under_way:
        return
    first = under_way[0]
    size = len(first.data)
    taken, rest, count = [], [], 0
    for one in under_way:
        alike = one.local == first.local and one.remote == first.remote and one.port == first.port
        if (alike and one.segment == first.segment) or (alike and len(one.data) == size and first.segment >= size):
            taken.append(one.data)
            count += 1
        else:
            rest.append(one)
    segment = min(first.segment, size)
    if sum(map(len, taken)) > 60_000 or any(len(data) % segment for data in taken[:-1]):
        arrive(world, dice)
        return
    world.under_way = rest
    world.deliver(Datagram(first.local, first.remote, first.port, b"".join(taken), segment, first.kinds, ecn=first.ecn))


def one_by_one(world: World, dice: Dice) -> None:
    """A router takes a run of packets apart, and perhaps turns it round or loses one."""
    for index, run in enumerate(world.under_way):
        if len(run.data) > run.segment:
            packets = [run.data[at : at + run.segment] for at in range(0, len(run.data), run.segment)]
            if dice.one_in(3):
                packets.reverse()
            if dice.one_in(3):
                del packets[dice.below(len(packets))]
            world.under_way[index : index + 1] = [
                Datagram(run.local, run.remote, run.port, packet, len(packet), run.kinds, run.whole, run.ecn)
                for packet in packets
            ]
            break
    arrive(world, dice)


def mark(world: World, dice: Dice) -> None:
    """A router marks packets as having met congestion, those that may be."""
    for one in world.under_way[dice.below(3) :]:
        if one.ecn:
            one.ecn = CE
    arrive(world, dice)


def pad(world: World, dice: Dice) -> None:
    """A packet arrives with a PAD chunk behind the others (RFC 4820)."""
    for index, one in enumerate(world.under_way):
        alone = one.kinds[0] in (CHUNK_INIT, CHUNK_INIT + 1, CHUNK_SHUTDOWN_COMPLETE) or 15 in one.kinds
        if len(one.data) <= one.segment and not alone and one.data[8:12] != bytes(4):
            del world.under_way[index]
            body = one.data[COMMON_HEADER:] + chunk(CHUNK_PAD, 0, bytes(dice.below(40)))
            data = finish_packet(one.data[:8], body)
            kinds = (*one.kinds, CHUNK_PAD)
            world.deliver(Datagram(one.local, one.remote, one.port, data, len(data), kinds, ecn=one.ecn))
            return


def cut(world: World, dice: Dice) -> None:
    """Nothing reaches an address any more, or all are reached again."""
    if world.cut and dice.one_in(2):
        world.cut.clear()
    else:
        world.cut.add(dice.choose(list(world.places)))


def other_udp_port(world: World, dice: Dice) -> None:
    """A NAT gives packets another source port (RFC 6951 section 5.4)."""
    if world.under_way and world.settings.udp_port:
        was = world.under_way.pop(0)
        world.deliver(Datagram(was.local, was.remote, 40_000 + dice.below(2), was.data, was.segment, was.kinds))


def returned(world: World, dice: Dice) -> None:
    """A router returns a packet with an ICMP error: one that is under way, or an old one."""
    packets = world.under_way if dice.one_in(2) else world.history
    if not packets:
        return
    one = dice.choose(packets)
    host = world.places.get(one.remote)
    if host is not None:
        length = dice.choose((8, 20, 40, 200))
        mtu = dice.choose((0, 68, 576, 1280, 1300, 1400, 1499, len(one.data) + 20))
        error = errno.EMSGSIZE if dice.one_in(2) else dice.choose(_RETURNED)
        host.icmp(one.local, one.port, error, one.data[:length], mtu)


def sends_fail(world: World, dice: Dice) -> None:
    """The link of a host does not take the next packets."""
    host = dice.choose(world.hosts)
    error = dice.choose(_SENDS)
    host.failing = [error] * (dice.below(4) + 1)


# --- time ---


def wait(world: World, dice: Dice) -> None:
    """Some milliseconds pass."""
    world.pass_time(world.now + dice.choose((1, 10, 50, 200, 1000)) * SECOND // 1000, 8)


def next_timers(world: World, dice: Dice) -> None:
    """Time passes until some timers have expired."""
    deadline = world.next_deadline()
    if deadline is not None:
        world.pass_time(max(deadline, world.now), dice.below(4) + 1)


# --- programs ---


def some_association(world: World, dice: Dice) -> tuple[Host, Association] | None:
    """An association of a host, and the host; where there is none, one begins."""
    host = dice.choose(world.hosts)
    living = host.associations()
    if not living:
        for other in world.hosts:
            living = other.associations()
            if living:
                host = other
                break
        else:
            connect(world, dice)
            return None
    return host, dice.choose(living)


def connect(world: World, dice: Dice) -> None:
    """A program sets an association up."""
    host = dice.choose(world.hosts)
    peer = dice.choose([one for one in world.hosts if one is not host])
    if len(host.associations()) > 3:
        return
    endpoint = dice.choose(host.endpoints)
    port = world.settings.udp_port
    remotes = [PeerAddress(ip, port) for ip in peer.addresses]
    if dice.one_in(3):
        remotes = remotes[dice.below(len(remotes)) :]
    if dice.one_in(8):
        remotes.insert(dice.below(2), PeerAddress(bytes((10, 9, 0, dice.below(3))), port))

    def verb() -> None:
        host.begin(endpoint.connect(world.now, remotes, dice.choose(PORTS)))

    host.call("connect", None, verb)


def send(world: World, dice: Dice) -> None:
    """A program sends some messages."""
    found = some_association(world, dice)
    if found is None:
        return
    host, association = found
    unordered = dice.one_in(4)
    stream = dice.below(10) if dice.one_in(2) else 0
    how: dict[str, Any] = {"unordered": unordered}
    if dice.one_in(6):
        how["immediate"] = True
    if dice.one_in(6) and association.paths:
        how["remote"] = dice.choose(association.paths).remote
    sizes = [dice.choose((1, 20, 100, 600, 1400, 3000, 9000)) for _ in range(dice.choose((1, 1, 2, 8)))]

    def verb() -> None:
        for size in sizes:
            if association.send_space > 0:
                host.send(association, stream, size, **how)

    host.call("send", association, verb)


def send_much(world: World, dice: Dice) -> None:
    """A program fills the send buffer with messages of one size, which leave in runs."""
    found = some_association(world, dice)
    if found is None:
        return
    host, association = found
    size, stream = dice.choose((1000, 1400, 1444, 5000)), dice.below(2)

    def verb() -> None:
        for _ in range(24):
            if association.send_space > 0:
                host.send(association, stream, size)

    host.call("send much", association, verb)


def give_up(world: World, dice: Dice) -> None:
    """A program sends messages that may be given up."""
    found = some_association(world, dice)
    if found is None:
        return
    host, association = found
    policy = dice.choose((TIMED, RETRANSMISSIONS, PRIORITY))
    value = dice.choose((0, 1, 3)) if policy != TIMED else dice.choose((1, 50, 1000)) * SECOND // 1000
    size, stream, unordered = dice.choose((20, 600, 4000)), dice.below(10), dice.one_in(3)

    def verb() -> None:
        if association.send_space <= 0:
            association.make_room(world.now, policy if dice.one_in(2) else RELIABLE, value)
        for _ in range(dice.below(4) + 1):
            host.send(association, stream, size, unordered=unordered, policy=policy, value=value)

    host.call("give up", association, verb)


def read(world: World, dice: Dice) -> None:
    """A program stops reading, or reads some, or all and goes on."""
    host = dice.choose(world.hosts)
    host.holds = dice.one_in(2)
    limit = dice.choose((1, 3)) if host.holds else 0
    for association in host.associations():
        host.call("read", association, partial(host.read, association, limit))


def verbs(world: World, dice: Dice) -> None:
    """A program asks an association for something else than to send."""
    found = some_association(world, dice)
    if found is None:
        return
    host, association = found
    name = dice.choose(list(_VERBS))
    host.call(name, association, lambda: _VERBS[name](world, host, association, dice))


def _set_primary(world: World, host: Host, association: Association, dice: Dice) -> None:
    if association.paths:
        association.set_primary(world.now, dice.choose(association.paths).remote)


def _heartbeat(world: World, host: Host, association: Association, dice: Dice) -> None:
    if association.paths:
        association.request_heartbeat(world.now, dice.choose(association.paths).remote)


def _reset_streams(world: World, host: Host, association: Association, dice: Dice) -> None:
    streams = [dice.below(10) for _ in range(dice.below(3))]
    how = dice.below(3) + 1
    association.reset_streams(world.now, bool(how & 1), bool(how & 2), streams)


def _add_streams(world: World, host: Host, association: Association, dice: Dice) -> None:
    association.add_streams(world.now, dice.below(3), dice.below(3))


def _reset_association(world: World, host: Host, association: Association, dice: Dice) -> None:
    association.reset_association(world.now)
    for life in world.lives:
        life.gaps_allowed = True


def _own_address(world: World, host: Host, dice: Dice) -> bytes:
    """An address that the host has, or has from now on."""
    number = dice.below(5)
    ip = address(number, host.number, dice.one_in(3))
    world.places.setdefault(ip, host)
    return ip


def _change_addresses(world: World, host: Host, association: Association, dice: Dice) -> None:
    added = [_own_address(world, host, dice) for _ in range(dice.below(3))]
    known = association.local_addresses
    removed = [dice.choose(known)] if known and dice.one_in(2) else []
    association.change_addresses(world.now, added, removed)


def _follow_addresses(world: World, host: Host, association: Association, dice: Dice) -> None:
    association.follow_addresses(world.now, [_own_address(world, host, dice) for _ in range(dice.below(3))])


def _set_peer_primary(world: World, host: Host, association: Association, dice: Dice) -> None:
    if association.local_addresses:
        association.set_peer_primary(world.now, dice.choose(association.local_addresses))


def _keys(world: World, host: Host, association: Association, dice: Dice) -> None:
    key = dice.below(3)
    what = dice.below(4)
    if what == 0:
        association.activate_key(world.now, key)
    elif what == 1:
        association.deactivate_key(world.now, key)
    elif what == 2:
        association.delete_key(world.now, key)
    else:
        association.set_key(world.now, key + 1, b"another" if dice.one_in(2) else b"one")


def _reconfigure(world: World, host: Host, association: Association, dice: Dice) -> None:
    association.reconfigure(world.now, dice.choose(world.settings.configs))


def _configure_path(world: World, host: Host, association: Association, dice: Dice) -> None:
    if association.paths:
        path = dice.choose(association.paths)
        mtu = dice.choose((-1, 576, 1280, 1500, 0))
        association.configure_path(
            world.now, path.remote, dice.one_in(2), dice.choose((-1, 0, SECOND)), dice.below(4), mtu=mtu
        )


def _stream_value(world: World, host: Host, association: Association, dice: Dice) -> None:
    association.set_stream_value(dice.below(12), dice.below(5))


def _want_writable(world: World, host: Host, association: Association, dice: Dice) -> None:
    association.want_writable()
    association.undelivered()


_Verb = Callable[[World, Host, Association, Dice], None]
_VERBS: Final[dict[str, _Verb]] = {
    "set primary": _set_primary,
    "heartbeat": _heartbeat,
    "reset streams": _reset_streams,
    "add streams": _add_streams,
    "reset association": _reset_association,
    "change addresses": _change_addresses,
    "follow addresses": _follow_addresses,
    "set peer primary": _set_peer_primary,
    "keys": _keys,
    "reconfigure": _reconfigure,
    "configure path": _configure_path,
    "stream value": _stream_value,
    "want writable": _want_writable,
}


def shut_down(world: World, dice: Dice) -> None:
    """A program ends an association gracefully."""
    found = some_association(world, dice)
    if found is not None:
        host, association = found
        host.call("shutdown", association, lambda: association.shutdown(world.now))


def abort(world: World, dice: Dice) -> None:
    """A program ends an association at once."""
    found = some_association(world, dice)
    if found is not None:
        host, association = found
        host.call("abort", association, lambda: association.abort(world.now, dice.octets(dice.below(30))))


def restart(world: World, dice: Dice) -> None:
    """A host forgets all, and sets the associations up anew that it had; or leaves them."""
    host = dice.choose(world.hosts)
    had = [(one.tcb.local_port, one.peer_port, one.tcb.remotes()) for one in host.associations()]
    host.boot()
    if dice.one_in(4):
        return
    for own, port, ips in had:
        endpoint = host.endpoints[PORTS.index(own)]
        remotes = [PeerAddress(ip, world.settings.udp_port) for ip in ips]
        if remotes:
            host.call("connect anew", None, partial(_connect_anew, world, host, endpoint, remotes, port))


def _connect_anew(world: World, host: Host, endpoint: Endpoint, remotes: list[PeerAddress], port: int) -> None:
    host.begin(endpoint.connect(world.now, remotes, port))


def listen(world: World, dice: Dice) -> None:
    """A program stops listening, or begins again, with a backlog of one or more."""
    endpoint = dice.choose(dice.choose(world.hosts).endpoints)
    if endpoint.backlog and dice.one_in(2):
        endpoint.stop_listening()
    else:
        endpoint.listen(dice.choose((1, 3)))


def establish(world: World, dice: Dice) -> None:
    """Whatever is under way arrives, and time passes with that, until nothing is under way for an instant."""
    for _ in range(30):
        if not world.under_way:
            break
        world.deliver(world.under_way.pop(0))
    world.now += SECOND // 1000


MOVES: Final[list[tuple[int, Move]]] = [
    (30, arrive),
    (10, overtake),
    (8, lose),
    (6, copy),
    (4, late),
    (5, spoil),
    (10, run_together),
    (6, one_by_one),
    (3, mark),
    (3, pad),
    (2, cut),
    (1, other_udp_port),
    (4, returned),
    (3, sends_fail),
    (10, wait),
    (12, next_timers),
    (5, connect),
    (18, send),
    (6, send_much),
    (8, give_up),
    (6, read),
    (14, verbs),
    (3, shut_down),
    (1, abort),
    (2, restart),
    (1, listen),
    (12, establish),
]
