"""The public names: each is documented, and the list changes only on purpose."""

from __future__ import annotations

import ast
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeAlias

import pytest

import sctpx
from tests.guards.house import PACKAGE

Written: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
SNAPSHOT = Path(__file__).with_name("public_api.txt")


def public_names() -> list[str]:
    return sorted(getattr(sctpx, "__all__", ()))


def sources() -> dict[str, Written]:
    """Where each public class and function is written. The compiler keeps no docstrings, so they are read there."""
    trees: dict[Path, ast.Module] = {}
    found = {}
    for name in public_names():
        thing = getattr(sctpx, name)
        if not callable(thing):
            continue
        module = PACKAGE / Path(*thing.__module__.split(".")[1:]).with_suffix(".py")
        if module not in trees:
            trees[module] = ast.parse(module.read_text())
        (found[name],) = (
            node for node in trees[module].body if isinstance(node, Written) and node.name == thing.__name__
        )
    assert found
    return found


def test_every_public_name_exists_and_every_class_and_function_has_a_docstring() -> None:
    assert [name for name, written in sources().items() if not ast.get_docstring(written)] == []


def test_every_method_and_property_of_a_public_class_has_a_docstring() -> None:
    missing = []
    for name, written in sources().items():
        if isinstance(written, ast.ClassDef):
            functions = [node for node in written.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
            documented = {function.name for function in functions if ast.get_docstring(function)}
            public = {function.name for function in functions if not function.name.startswith("_")}
            missing += [f"{name}.{function}" for function in public - documented]
    assert missing == []


def test_the_public_names_are_those_of_the_snapshot() -> None:
    """On purpose? Write the new list into public_api.txt and tell of it in the changelog."""
    if not SNAPSHOT.exists():
        pytest.skip("no public names have been promised yet")
    assert public_names() == SNAPSHOT.read_text().split()


def test_the_installed_distribution_has_the_version_the_package_states() -> None:
    try:
        installed = version("sctpx")
    except PackageNotFoundError:
        pytest.skip("sctpx is not installed here, only on the path")
    assert installed == sctpx.__version__
