"""``--auth-key`` and ``--auth-chunks``: authenticated chunks (RFC 4895), with shared keys that lie in files.

A key is never an argument: everybody on the host could read it in the list of processes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ..wire.auth import NEVER_LISTED
from ..wire.codes import CHUNK_COOKIE_ECHO, CHUNK_DATA, CHUNK_NAMES

_Command = TypeVar("_Command", bound=Callable[..., object])

LONGEST_KEY: Final = 65535
"""Bytes of a shared key (RFC 6458 section 8.3.3 has 16 bits for its length)."""
USUAL_CHUNKS: Final = (CHUNK_DATA, CHUNK_COOKIE_ECHO)
"""What a key is for, unless told otherwise: user data, and that nobody without the key sets an association up."""
_BY_NAME: Final = {name.upper().replace(" ", "-"): kind for kind, name in CHUNK_NAMES.items()}


def shared_key(text: str) -> tuple[int, bytes]:
    """The number and the contents of a key, from ``[NUMBER:]FILE``; a line break at the end of the file is no part of
    the key. Tells on standard error if others may read the file.
    """
    number, colon, name = text.partition(":")
    if not colon or not number.isdecimal():
        number, name = "1", text
    if int(number) > 0xFFFF:
        raise click.BadParameter(f"{number} is no number of a key: those have 16 bits")
    try:
        with open(name, "rb") as file:
            _warn(name, os.fstat(file.fileno()).st_mode)
            key = file.read(LONGEST_KEY + 3)
    except OSError as error:
        raise click.BadParameter(f"{name}: {error.strerror}") from None
    key = key.removesuffix(b"\n").removesuffix(b"\r")
    if not 0 < len(key) <= LONGEST_KEY:
        raise click.BadParameter(f"{name}: a key has 1 to {LONGEST_KEY} bytes")
    return int(number), key


def _warn(name: str, mode: int) -> None:
    if os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        click.echo(f"sctpx: others may read the key in {name}: chmod 600 {name}", err=True)


def chunk_types(text: str) -> tuple[int, ...]:
    """Chunk types by their names or numbers, such as ``DATA,COOKIE-ECHO,64``."""
    found = []
    for part in text.split(","):
        name = part.strip().upper().replace(" ", "-").replace("_", "-")
        kind = int(name) if name.isdecimal() else _BY_NAME.get(name, -1)
        if not 0 <= kind <= 0xFF:
            raise click.BadParameter(f"{part.strip()!r} is no chunk: such are {', '.join(sorted(_BY_NAME))}")
        if kind in NEVER_LISTED:
            raise click.BadParameter(f"{part.strip()} cannot be authenticated")
        found.append(kind)
    return tuple(dict.fromkeys(found))


def auth_options(command: _Command) -> _Command:
    """``--auth-key`` and ``--auth-chunks``, for commands that connect or listen."""
    for option in (
        click.option(
            "--auth-chunks",
            type=chunk_types,
            metavar="LIST",
            help="Chunks that the peer has to authenticate (RFC 4895).  [default: DATA,COOKIE-ECHO with a key]",
        ),
        click.option(
            "--auth-key",
            "auth_keys",
            type=shared_key,
            multiple=True,
            metavar="[N:]FILE",
            help="A key that the peer has too, and its number, 1 unless told otherwise. The first one is used for what "
            "is sent; all count for what comes.",
        ),
    ):
        command = option(command)
    return command


def authentication(keys: tuple[tuple[int, bytes], ...], chunks: tuple[int, ...] | None) -> dict[str, Any]:
    """What the options say, as parameters of an ``AssociationConfig``."""
    if not keys:
        return {} if chunks is None else {"authenticated_chunks": chunks}
    if len(dict(keys)) < len(keys):
        raise click.UsageError("two of the keys have the same number: --auth-key NUMBER:FILE")
    return {"shared_keys": keys, "authenticated_chunks": USUAL_CHUNKS if chunks is None else chunks}
