"""What each call of a socket does before, at and after each kind of end: the tables of docs/sockets.md are true.

Each cell is tried by itself, on simulated sockets: the situation of the row is brought about, and then the call of the
column is made, twice. Time stands still meanwhile but for a microsecond, in which nothing arrives: a call that waits
times out.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import sctpx
from sctpx import constants as c
from sctpx import structs as s
from sctpx.testing import LinkSettings, Network, SimulatedSocket

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sockets.md").read_text()
ADDRESS, PORT = "192.0.2.1", 5000
PEER = (ADDRESS, PORT)
MICROSECOND = 1e-6
ONE, MANY = sctpx.SOCK_STREAM, sctpx.SOCK_SEQPACKET
AN_HOUR = 3600


def table(title: str) -> dict[str, dict[str, str]]:
    """A table of the document: what stands in each row under each head."""
    text = DOCUMENT.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    found = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    heads, _, *lines = [[cell.strip() for cell in line.split("|")] for line in found]
    return {line[0]: dict(zip(heads[1:], line[1:], strict=True)) for line in lines}


TABLES: dict[int, dict[str, dict[str, str]]] = {ONE: table("One-to-one sockets"), MANY: table("One-to-many sockets")}


# --- situations ---


class World:
    """A socket to make calls on, and its peer."""

    def __init__(self, style: int) -> None:
        self.style = style
        self.network = Network(seed=1, link=LinkSettings(delay=0.05))
        self.server = self.network.add_host("server", [ADDRESS])
        self.listener = self.server.socket()
        self.listener.bind(PEER)
        self.listener.listen()
        self.sock = self.network.add_host("client", ["192.0.2.2"]).socket(type=style)
        self.peer: SimulatedSocket = self.listener
        self.id = 1 << 20
        """The id of the association, or of none."""

    def send(self, data: bytes, flags: int = 0) -> None:
        """Send on the association, or end it by flags."""
        self.sock.sendv(data, info=s.SndInfo(snd_flags=flags, snd_assoc_id=self.id))

    def clear(self) -> None:
        """The network carries everything again."""
        self.network.heal(ADDRESS)
        self.network.filters.clear()


Steps = Callable[[World], object]
Ways = dict[str, Steps]
"""Different ways into the same situation."""


def nothing(world: World) -> None:
    pass


def listen(world: World) -> None:
    world.sock.listen()


def begin(world: World) -> None:
    """An association is being set up."""
    world.sock.setblocking(False)
    with suppress(sctpx.ConnectInProgress):
        world.sock.connect(PEER)
    world.id = world.sock.getassocid(PEER)


def refused(world: World) -> None:
    world.listener.close()
    begin(world)
    settle(world)


def up(*steps: Steps) -> Steps:
    """The association is up, and then these steps are taken."""

    def run(world: World) -> None:
        world.id = world.sock.connectx([PEER])
        world.peer = world.listener.accept()[0]
        for step in steps:
            step(world)

    return run


def we_end(world: World) -> None:
    if world.style == MANY:
        world.send(b"", c.SCTP_EOF)
    else:
        world.sock.shutdown(sctpx.SHUT_WR)


def we_abort(world: World) -> None:
    world.send(b"", c.SCTP_ABORT)


def peer_ends(world: World) -> None:
    world.peer.shutdown(sctpx.SHUT_WR)


def peer_aborts(world: World) -> None:
    world.peer.sendv(b"", info=s.SndInfo(snd_flags=c.SCTP_ABORT))


def peer_closes(world: World) -> None:
    world.peer.close()


def something_is_missing(world: World) -> None:
    """A message does not arrive, so that a graceful end cannot be completed."""
    world.network.drop("DATA", times=None)
    world.send(b"x")


def arrive(world: World) -> None:
    """What is under way arrives."""
    world.network.run_for(0.06)


def settle(world: World) -> None:
    """All that is to happen soon has happened."""
    world.network.run_for(5)


def lose(world: World) -> None:
    world.network.cut(ADDRESS)
    world.network.run_for(AN_HOUR)


GRACEFUL: Ways = {
    "by this side": up(we_end, settle),
    "by the peer": up(peer_ends, settle),
    "by both": up(we_end, peer_ends, settle),
    "by closing": up(peer_closes, settle),
    "later": up(something_is_missing, peer_ends, arrive, World.clear, settle),
}
ABRUPT: dict[str, Ways] = {
    "was aborted by the peer": {
        "while it was up": up(peer_aborts, settle),
        "after this side asked for the end": up(something_is_missing, we_end, peer_aborts, settle),
        "after the peer asked for the end": up(something_is_missing, peer_ends, arrive, peer_aborts, settle),
    },
    "was lost": {
        "while it was up": up(something_is_missing, lose),
        "after this side asked for the end": up(something_is_missing, we_end, lose),
        "after the peer asked for the end": up(something_is_missing, peer_ends, arrive, lose),
    },
    "was aborted by this side": {
        "while it was up": up(we_abort, settle),
        "after this side asked for the end": up(something_is_missing, we_end, we_abort, settle),
        "after the peer asked for the end": up(something_is_missing, peer_ends, arrive, we_abort, settle),
    },
    "could not be set up": {"": refused},
}
ALIVE: dict[str, Ways] = {
    "is being set up": {"": begin},
    "is up": {"": up()},
    "this side has asked for its end": {
        "and the SHUTDOWN is under way": up(we_end),
        "and something is missing": up(something_is_missing, we_end, arrive),
    },
    "the peer has asked for its end": {"": up(something_is_missing, peer_ends, arrive)},
}
SITUATIONS: dict[int, dict[str, Ways]] = {
    ONE: {
        "there was none yet": {"": nothing},
        "none, the socket listens": {"": listen},
        **ALIVE,
        "has ended gracefully": GRACEFUL,
        **ABRUPT,
    },
    MANY: {
        "there is none, and the socket listens": {"": listen},
        "there is none, and the socket does not listen": {"": nothing},
        **ALIVE,
        "has ended, gracefully or not": {
            f"{row} {way}": steps for row, ways in {"": GRACEFUL, **ABRUPT}.items() for way, steps in ways.items()
        },
    },
}


@contextmanager
def brought_about(style: int, steps: Steps) -> Iterator[World]:
    world = World(style)
    with world.network:
        steps(world)
        yield world


# --- calls ---


def outcome(world: World, call: Callable[[World], str]) -> str:
    """What a call does, in the words of the tables."""
    world.sock.settimeout(MICROSECOND)
    try:
        return call(world)
    except OSError as error:
        return "waits" if error.errno is None else f"`{errno.errorcode[error.errno]}`"


def recv(world: World) -> str:
    return "data" if world.sock.recv(100) else '`b""`'


def sent(send: Callable[[World], object]) -> Callable[[World], str]:
    """A call that sends, on the association there is or on a new one."""

    def call(world: World) -> str:
        before = list_of_associations(world)
        send(world)
        return "sends" if before else "sets one up"

    return call


def list_of_associations(world: World) -> list[object]:
    if world.style == MANY:
        return list(world.sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_GET_ASSOC_ID_LIST).gaids_assoc_id)
    with suppress(OSError):
        return [world.sock.getsockopt(c.IPPROTO_SCTP, c.SCTP_STATUS)]
    return []


def shut_down(world: World) -> str:
    """Whether it does something: this side can still send before, and not afterwards."""
    before = outcome(world, CALLS["`send`"])
    world.sock.shutdown(sctpx.SHUT_WR)
    assert outcome(world, CALLS["`send`"]) in ("`EPIPE`", before)
    return "ends it" if before == "sends" else "nothing"


def the_peer(found: Any) -> str:
    return "none" if found == [] else "the peer" if found in (PEER, [PEER]) else str(found)


def status(world: World) -> str:
    assert isinstance(world.sock.opt_info(world.id, c.SCTP_STATUS), s.Status)
    return "told"


CALLS: dict[str, Callable[[World], str]] = {
    "`recv`": recv,
    "`send`": sent(lambda world: world.sock.send(b"x")),
    "`sendv` by its id": sent(lambda world: world.send(b"x")),
    "`sendto` the peer": sent(lambda world: world.sock.sendto(b"x", PEER)),
    "`getpeername`": lambda world: the_peer(world.sock.getpeername()),
    "`getpaddrs`": lambda world: the_peer(world.sock.getpaddrs()),
    "`getpaddrs` of its id": lambda world: the_peer(world.sock.getpaddrs(world.id)),
    "`SCTP_STATUS`": status,
    "`SCTP_STATUS` of its id": status,
    "`shutdown(SHUT_WR)`": shut_down,
    "readable": lambda world: "yes" if world.sock.readable else "no",
    "writable": lambda world: "yes" if world.sock.writable else "no",
}
CHANGES = ("sends", "sets one up", "ends it")
"""After these the socket is in another situation."""


# --- the tables ---


def test_the_tables_have_all_situations() -> None:
    assert {style: list(rows) for style, rows in TABLES.items()} == {
        style: list(rows) for style, rows in SITUATIONS.items()
    }


CELLS = [
    pytest.param(style, row, column, id=f"{'one' if style == ONE else 'many'}: {row}, {column}")
    for style, rows in TABLES.items()
    for row, cells in rows.items()
    for column in cells
]


@pytest.mark.parametrize(("style", "row", "column"), CELLS)
def test_a_call_does_what_the_table_says_however_it_came_to_that(style: int, row: str, column: str) -> None:
    first, _, then = TABLES[style][row][column].partition(", then ")
    for way, steps in SITUATIONS[style][row].items():
        with brought_about(style, steps) as world:
            assert outcome(world, CALLS[column]) == first, way
            if first not in CHANGES:
                assert outcome(world, CALLS[column]) == (then or first), way


def test_a_one_to_many_socket_that_does_not_wait_raises_eagain_where_nothing_can_come() -> None:
    with brought_about(MANY, nothing) as world:
        world.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            world.sock.recv(1)


@pytest.mark.parametrize("style", [ONE, MANY])
def test_a_socket_without_room_is_writable_once_the_peer_takes_no_more(style: int) -> None:
    def fill(world: World) -> None:
        world.network.drop("DATA", times=None)
        world.sock.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                world.send(bytes(100_000))
        assert not world.sock.writable

    with brought_about(style, up(fill, peer_ends, arrive)) as world:
        assert world.sock.writable
        assert outcome(world, CALLS["`sendv` by its id"]) == "`ESHUTDOWN`"


@pytest.mark.parametrize("row", ["was aborted by the peer", "was lost", "could not be set up"])
def test_what_so_error_has_told_no_other_call_tells(row: str) -> None:
    for steps in SITUATIONS[ONE][row].values():
        with brought_about(ONE, steps) as world:
            codes = [world.sock.getsockopt(c.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
            assert [f"`{errno.errorcode[codes[0]]}`", codes[1]] == [TABLES[ONE][row]["`recv`"].partition(",")[0], 0]
            assert [outcome(world, CALLS[call]) for call in ("`recv`", "`send`")] == ["`ENOTCONN`", "`EPIPE`"]


@pytest.mark.parametrize("way", GRACEFUL)
def test_the_notification_of_the_end_comes_before_the_end_of_file(way: str) -> None:
    def subscribe(world: World) -> None:
        world.sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENT, s.Event(se_type=c.SCTP_ASSOC_CHANGE, se_on=1))
        GRACEFUL[way](world)

    with brought_about(ONE, subscribe) as world:
        told = [world.sock.recvv(1000).notification for _ in range(2)]
        states = [notice.sac_state for notice in told if isinstance(notice, s.AssocChange)]
        assert states == [c.SCTP_COMM_UP, c.SCTP_SHUTDOWN_COMP]
        assert [world.sock.recv(1) for _ in range(2)] == [b"", b""]


@pytest.mark.parametrize("ways", [GRACEFUL, *ABRUPT.values()])
def test_a_one_to_one_socket_whose_association_is_over_can_have_another(ways: Ways) -> None:
    for steps in ways.values():
        with brought_about(ONE, steps) as world:
            world.clear()
            other = world.server.socket()
            other.bind((ADDRESS, PORT + 1))
            other.listen()
            world.sock.setblocking(True)
            world.sock.connect((ADDRESS, PORT + 1))
            other.accept()[0].send(b"again")
            assert world.sock.recv(100) == b"again"
