"""``sctpx.Socket`` has what Python's ``socket.socket`` has; docs/sockets.md lists what it has not, with the reason."""

from __future__ import annotations

import inspect
import socket
from pathlib import Path

import sctpx
from sctpx.testing import SimulatedSocket

PAGE = (Path(__file__).parents[3] / "docs" / "sockets.md").read_text(encoding="utf-8")
DIFFERS = PAGE.partition("## What differs from Python's sockets")[2].partition("\n## ")[0]
ABSENT = {"dup", "detach", "sendmsg_afalg", "ioctl", "share"}
"""``ioctl`` and ``share`` exist on Windows only, ``sendmsg_afalg`` on Linux only."""


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_every_public_name_is_there_or_is_named_as_absent() -> None:
    missing = public(socket.socket) - public(sctpx.Socket)
    assert missing <= ABSENT
    assert not ABSENT & public(sctpx.Socket)
    assert {name for name in ABSENT if f"`{name}`" in DIFFERS} == ABSENT


def test_a_simulated_socket_has_them_too() -> None:
    assert public(socket.socket) - public(SimulatedSocket) <= ABSENT


def test_what_is_called_is_called_with_the_same_names() -> None:
    """Those methods of ``socket.socket`` that are written in Python tell their arguments."""
    for name in ("makefile", "sendfile", "get_inheritable", "set_inheritable", "accept"):
        theirs = inspect.signature(getattr(socket.socket, name))
        ours = inspect.signature(getattr(sctpx.Socket, name))
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ], name
