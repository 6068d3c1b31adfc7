"""What this process may do: CAP_NET_RAW in each of its sets (capabilities(7)), and whether a raw socket opens."""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ...sockapi.constants import IPPROTO_SCTP
from .facts import LINUX, PrivilegeFacts
from .files import text_of

CAP_NET_RAW: Final = 13
_ALL_USERS: Final = ["0", "0", "4294967295"]
_FILE_CAPABILITIES: Final = struct.Struct("<II")
"""The head of ``security.capability``: flags, permitted capabilities 0 to 31."""


def privilege_facts(executable: str, kind: str, root: Path = Path("/")) -> PrivilegeFacts:
    """What is known; ``executable`` is the interpreter's file, ``root`` where the files of the system are."""
    if kind != LINUX:
        refusal = "SCTP over raw sockets is for Linux"
        return PrivilegeFacts(user=_user(), raw_ipv4=refusal, raw_ipv6=refusal)
    status = text_of(root / "proc/self/status")
    mapping = text_of(root / "proc/self/uid_map").split()
    return PrivilegeFacts(
        user=_user(),
        effective=_has(status, "CapEff"),
        permitted=_has(status, "CapPrm"),
        inheritable=_has(status, "CapInh"),
        bounding=_has(status, "CapBnd"),
        ambient=_has(status, "CapAmb"),
        on_interpreter=_on_file(executable),
        no_new_privileges=_flag(status, "NoNewPrivs"),
        user_namespace=mapping != _ALL_USERS if mapping else None,
        raw_ipv4=_refusal(socket.AF_INET),
        raw_ipv6=_refusal(socket.AF_INET6),
    )


def _user() -> int | None:
    ask: Callable[[], int] | None = getattr(os, "geteuid", None)
    return ask() if ask else None


def _field(status: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(\w+)$", status, re.MULTILINE)
    return found[1] if found else ""


def _has(status: str, name: str) -> bool | None:
    digits = _field(status, name)
    return bool(int(digits, 16) >> CAP_NET_RAW & 1) if digits else None


def _flag(status: str, name: str) -> bool | None:
    digits = _field(status, name)
    return digits == "1" if digits else None


def _on_file(executable: str) -> bool | None:
    if sys.platform != "linux":
        return None
    try:
        value = os.getxattr(executable, "security.capability")
    except OSError:
        return False
    if len(value) < _FILE_CAPABILITIES.size:
        return False
    _, permitted = _FILE_CAPABILITIES.unpack_from(value)
    return bool(permitted >> CAP_NET_RAW & 1)


def _refusal(family: int) -> str:
    """Why no raw socket for SCTP can be opened. One that was is closed at once."""
    try:
        socket.socket(family, socket.SOCK_RAW, IPPROTO_SCTP).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
