"""Between the structs of C and objects that have their fields, without the prefix, as attributes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, TypeVar

from ...sockapi.addresses import SocketAddress, ip_text, pack_host
from ...sockapi.structs import Struct

_S = TypeVar("_S", bound=Struct)

_RENAMED: Final = {"asocmaxrxt": "assocmaxrxt", "address": "sockaddr", "aaddr": "addr"}
NOWHERE: Final = ("", 0)
"""No address, or any."""


def pair(address: SocketAddress | None) -> tuple[str, int]:
    """An address as pysctp has it, of either family; ``("", 0)`` for none. A scope id is in the host: fe80::1%eth0."""
    if address is None:
        return NOWHERE
    has_scope_id = len(address) > 2 and address[3] != 0
    return ip_text(pack_host(address)) if has_scope_id else address[0], address[1]


def attribute(field: str) -> str:
    """The attribute for a field of a struct: ``srto_initial`` is ``initial``."""
    name = field.partition("_")[2]
    return _RENAMED.get(name, name)


def fill(target: object, value: Struct) -> None:
    """Give an object of parameters what a struct has."""
    for field in fields(value):
        name = attribute(field.name)
        found = getattr(value, field.name)
        if isinstance(found, Struct):
            fill(getattr(target, name), found)
        elif hasattr(target, name):
            setattr(target, name, pair(found) if name == "sockaddr" else found)


def to_struct(kind: type[_S], source: object) -> _S:
    """The struct with what an object of parameters has."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        name = attribute(field.name)
        if hasattr(source, name):
            value = getattr(source, name)
            values[field.name] = (tuple(value) if value[0] else None) if name == "sockaddr" else value
    return kind(**values)
