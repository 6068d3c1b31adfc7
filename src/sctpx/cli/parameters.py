"""What people type, as values: lists of addresses, sizes, ports. Nothing is resolved or opened here.

The functions serve as click's ``type=``, with defaults written as text. What cannot be read is a
``click.BadParameter``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ..link.choice import PRESETS
from ..sockapi.backend import KERNEL

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"\[(.*)\]")
_PATIENCE: Final = 30
"""Timeouts in a row, of a minute each at last, that an association of a host on the move survives."""
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3}


def addresses(text: str) -> list[str]:
    """``192.0.2.1,2001:db8::1``: IP addresses or names of one host; IPv6 ones may stand in brackets, as in URLs."""
    found = [_BRACKETS.sub(r"\1", part.strip()) for part in text.split(",")]
    if not all(found):
        raise click.BadParameter(f"{text!r} is not a list of addresses with commas between them")
    return found


def size(text: str) -> int:
    """A number of bytes: ``300M`` is 300 * 10^6, ``64Ki`` is 64 * 2^10."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a number of bytes, like 65536, 64Ki or 300M")
    number, prefix, binary = match.groups()
    unit: int = (1024 if binary else 1000) ** _POWERS[prefix.lower()]
    result = round(float(number) * unit)
    if result < 1:
        raise click.BadParameter("at least one byte is needed")
    return result


def integer(low: int, high: int) -> Callable[[str], int]:
    """An integer within bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise click.BadParameter(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """A time, 0 or more."""
    try:
        result = float(text)
    except ValueError:
        result = -1.0
    if not 0 <= result < float("inf"):
        raise click.BadParameter(f"{text!r} is not a number of seconds")
    return result


SCTP_PORT: Final = integer(1, 65535)
UDP_PORT: Final = integer(0, 65535)
MTU: Final = integer(576, 65535)

_Command = TypeVar("_Command", bound=Callable[..., object])


def link_option(command: _Command) -> _Command:
    """``--link``, for commands that open a link."""
    return click.option(
        "--link",
        type=click.Choice(PRESETS),
        default="auto",
        show_default=True,
        help="udp: SCTP over UDP. raw: SCTP over IP itself, which takes the privilege CAP_NET_RAW and no UDP port. "
        "kernel: the system's own SCTP. auto: udp if a UDP port is named; else the best there is, raw and udp at once "
        "if possible.",
    )(command)


def mobile_option(command: _Command) -> _Command:
    """``--mobile``, for commands whose associations are to outlive a move of either host."""
    return click.option(
        "--mobile",
        is_flag=True,
        help="Keep associations when the addresses of either host change, and for half an hour if there are none. Both "
        "sides need it. Addresses that are named stay as they are; all others follow the host.",
    )(command)


def mobility(mobile: bool) -> dict[str, Any]:
    """What ``--mobile`` says, as fields of ``AssociationConfig``."""
    if not mobile:
        return {}
    return {"address_reconfiguration": True, "auto_asconf": True, "association_max_retrans": _PATIENCE}


def way(link: str) -> dict[str, Any]:
    """What ``--link`` says, as arguments of a call; nothing for ``auto``."""
    if link == KERNEL:
        return {"backend": KERNEL}
    return {} if link == "auto" else {"link": link}
