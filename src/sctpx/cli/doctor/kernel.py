"""The kernel's own SCTP: whether it is loaded, could be loaded, or is kept from being loaded; its sysctls.

Everything is read from files, because a socket with protocol SCTP would load the module. Only where the module is
loaded already a socket is opened, to see whether this process may have one.
"""

from __future__ import annotations

import platform
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from ...link.kernel_sctp import is_loaded
from ...sockapi.constants import IPPROTO_SCTP
from .facts import LINUX, KernelFacts
from .files import text_of

_MODULE: Final = re.compile(r"^(\S*/sctp\.ko(?:\.\w+)?)(?::|$)", re.MULTILINE)
_BLOCKS: Final = re.compile(r"^\s*(?:blacklist\s+sctp|install\s+sctp\s+\S*/(?:true|false))\s*$", re.MULTILINE)
_MODPROBE: Final = ("etc/modprobe.d", "run/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d")
_FILES_LIMIT: Final = 200


def kernel_facts(
    root: Path = Path("/"), kind: str = platform.system(), release: str = platform.release()
) -> KernelFacts:
    """What is known of the kernel's SCTP. ``root`` is where the files of the system are."""
    if kind != LINUX:
        return KernelFacts(state="unused")
    modules = root / "lib/modules" / release
    built_in = _MODULE.search(text_of(modules / "modules.builtin"))
    if is_loaded(str(root / "proc/thread-self/net")):
        where = "built in" if built_in else _module_file(modules)
        return KernelFacts(state="loaded", where=where, socket_error=_socket_error(), sysctls=_sysctls(root))
    takes_modules = (root / "proc/modules").exists()
    locked = not takes_modules or text_of(root / "proc/sys/kernel/modules_disabled").strip() == "1"
    where = _module_file(modules)
    if where:
        return KernelFacts(
            state="available", where=where, blocked_by=tuple(_blocking_files(root)), modules_locked=locked
        )
    told = (modules / "modules.dep").exists() or not takes_modules
    return KernelFacts(state="absent" if told else "unknown", modules_locked=locked)


def _module_file(modules: Path) -> str:
    found = _MODULE.search(text_of(modules / "modules.dep"))
    return str(modules / found[1]) if found else ""


def _blocking_files(root: Path) -> Iterator[str]:
    files = (file for place in _MODPROBE for file in sorted((root / place).glob("*.conf")))
    seen = set[Path]()
    for file in islice(files, _FILES_LIMIT):
        with suppress(OSError):
            resolved = file.resolve()
            if resolved not in seen and _BLOCKS.search(text_of(file)):
                yield str(file)
            seen.add(resolved)


def _sysctls(root: Path) -> dict[str, str]:
    with suppress(OSError):
        files = sorted((root / "proc/sys/net/sctp").iterdir())
        return {file.name: text for file in files if (text := " ".join(text_of(file).split()))}
    return {}


def _socket_error() -> str:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
