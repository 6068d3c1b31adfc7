"""A mutant put in the place of the original: in this process, for good. Call it in a forked child.

A function keeps its identity and gets other code, so that everybody who has it has the mutant: modules that imported it
by name, tables of handlers, bound methods.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any

from .mutants import Mutant


def module_of(path: str) -> ModuleType:
    """The module of a file below the package."""
    return importlib.import_module("sctpx." + path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def functions(module: ModuleType) -> dict[tuple[str, int], FunctionType]:
    """The functions that a module defines, by their qualified names and first lines."""
    found: dict[tuple[str, int], FunctionType] = {}
    for function in _within(vars(module), module.__name__):
        found[function.__qualname__, function.__code__.co_firstlineno] = function
    return found


def _within(namespace: Any, module: str) -> Iterator[FunctionType]:
    for value in list(namespace.values()):
        if isinstance(value, type):
            if value.__module__ == module:
                yield from _within(vars(value), module)
        else:
            parts = [value, getattr(value, "__wrapped__", None)]
            if isinstance(value, property):
                parts = [value.fget, value.fset]
            elif isinstance(value, cached_property):
                parts = [value.func]
            yield from (part for part in parts if isinstance(part, FunctionType) and part.__module__ == module)


def apply(mutant: Mutant) -> None:
    """Give the function of a mutant the mutant's code; KeyError if no such function has been defined."""
    known = functions(module_of(mutant.module))
    known[mutant.function, mutant.code.co_firstlineno].__code__ = mutant.code
