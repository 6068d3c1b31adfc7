"""The state of a stack in a few bytes: two stacks with the same fingerprint behave the same from then on.

All that can be reached from an object counts: values, the order of what is in a container, and which objects are the
same one. Left out is what only counts, since the core never decides by it.
"""

from __future__ import annotations

import hashlib
import marshal
from collections import deque
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

from sctpx.core.association.identity import Identity
from sctpx.core.config import AssociationConfig, Limits
from sctpx.core.deadlines import Deadlines
from sctpx.core.stats import AssociationStats, StackStats

_PLAIN: Final = (int, bytes, str, bool, float, type(None))
_CONSTANT: Final = (AssociationConfig, Limits, FunctionType, BuiltinFunctionType, type)
# Counters that the core compares with what they were before; nothing depends on the others.
_COUNTERS_READ: Final = ("bytes_received", "messages_received", "packets_received", "sacks_sent")
# The number of an association's entry in the heap of deadlines, and what was entered before.
_BOOKKEEPING: Final = frozenset(("entry", "__weakref__", "__dict__"))
_names: dict[type, tuple[str, ...]] = {}


def fingerprint(*things: object) -> bytes:
    """16 bytes that stand for the state of all these together."""
    parts: list[int | bytes | str | float | None] = []
    seen: dict[int, int] = {}
    keep: list[object] = []  # An object that is gone could leave its number to another one.
    for thing in things:
        _add(thing, parts, seen, keep)
    return hashlib.blake2b(marshal.dumps(parts, 2), digest_size=16).digest()


def _attributes(kind: type) -> tuple[str, ...]:
    """The names of the attributes of objects of a class, interpreted or compiled."""
    names = _names.get(kind)
    if names is None:
        if issubclass(kind, AssociationStats):
            names = _COUNTERS_READ
        elif issubclass(kind, StackStats):
            names = ()
        else:
            found: dict[str, None] = {}
            for base in kind.__mro__:
                slots = base.__dict__.get("__slots__", ())
                for name in [slots] if isinstance(slots, str) else slots:
                    found[name] = None
                for name in base.__dict__.get("__mypyc_attrs__", ()):
                    found[name] = None
            names = tuple(sorted(name for name in found if name not in _BOOKKEEPING))
        _names[kind] = names
    return names


def _add(thing: Any, parts: list[Any], seen: dict[int, int], keep: list[object]) -> None:
    kind = type(thing)
    if kind in _PLAIN:
        parts.append(thing)
        return
    if kind is tuple or kind is list or kind is deque:
        parts.append(len(thing))
        for item in thing:
            if type(item) in _PLAIN:
                parts.append(item)
            else:
                _add(item, parts, seen, keep)
        return
    if isinstance(thing, _CONSTANT):
        parts.append(kind.__name__)
        return
    number = seen.get(id(thing))
    if number is not None:
        parts.append("again")
        parts.append(number)
        return
    seen[id(thing)] = len(seen)
    keep.append(thing)
    if kind is dict:
        parts.append(len(thing))
        for key, value in thing.items():
            _add(key, parts, seen, keep)
            _add(value, parts, seen, keep)
        return
    if kind is set or kind is frozenset:
        parts.append(len(thing))
        parts.extend(sorted(thing))
        return
    if kind is bytearray:
        parts.append(bytes(thing))
        return
    if kind is MethodType:
        parts.append(thing.__name__)
        _add(thing.__self__, parts, seen, keep)
        return
    if hasattr(thing, "hexdigest"):
        parts.append(thing.digest())  # A MAC that is begun.
        return
    parts.append(kind.__name__)
    if isinstance(thing, Deadlines):
        parts.append(thing.first())
        return  # Each association has its deadline, ``scheduled``.
    if isinstance(thing, Identity):
        parts.append(thing.entry != 0)
    names = _attributes(kind)
    for name in names:
        value = getattr(thing, name, None)
        if type(value) in _PLAIN:
            parts.append(value)
        else:
            _add(value, parts, seen, keep)
    more = getattr(thing, "__dict__", None)
    if more:
        for name, value in more.items():
            parts.append(name)
            _add(value, parts, seen, keep)
