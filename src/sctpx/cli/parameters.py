"""What people type, as values: lists of addresses, ports, sizes. Nothing is resolved or opened here."""

from __future__ import annotations

import re
from typing import Final, final

import click

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3}


@final
class _Addresses(click.ParamType["list[str]"]):
    """``192.0.2.1,2001:db8::1``: IP addresses or host names of one host."""

    name = "address,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if isinstance(value, list):
            return value
        addresses = [part.strip() for part in str(value).split(",")]
        if not all(addresses):
            self.fail(f"{value!r} is not a list of addresses with commas between them", param, ctx)
        return addresses


@final
class _Size(click.ParamType[int]):
    """``300M`` is 300 * 10^6, ``64Ki`` is 64 * 2^10."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a number of bytes, like 65536, 64Ki or 300M", param, ctx)
        number, prefix, binary = match.groups()
        size = round(float(number) * (1024 if binary else 1000) ** _POWERS[prefix.lower()])
        if size < 1:
            self.fail("at least one byte is needed", param, ctx)
        return size


ADDRESSES: Final = _Addresses()
SIZE: Final = _Size()
SCTP_PORT: Final = click.IntRange(1, 65535)
UDP_PORT: Final = click.IntRange(0, 65535)
SECONDS: Final = click.FloatRange(min=0)
