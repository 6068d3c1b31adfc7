"""The public names: each is documented, and the list changes only on purpose."""

from __future__ import annotations

import ast
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import sctpx
from tests.guards.house import PACKAGE

SNAPSHOT = Path(__file__).with_name("public_api.txt")


def public_names() -> list[str]:
    return sorted(getattr(sctpx, "__all__", ()))


def source(name: str) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Where a public class or function is written. The compiler does not keep docstrings, so they are read there."""
    thing = getattr(sctpx, name)
    if not callable(thing):
        return None
    module = Path(*thing.__module__.split(".")[1:]).with_suffix(".py")
    tree = ast.parse((PACKAGE / module).read_text())
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    (found,) = (node for node in tree.body if isinstance(node, kinds) and node.name == thing.__name__)
    return found


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_exists_and_has_a_docstring(name: str) -> None:
    written = source(name)
    assert written is None or ast.get_docstring(written)


@pytest.mark.parametrize("name", public_names())
def test_every_method_and_property_of_a_public_class_has_a_docstring(name: str) -> None:
    written = source(name)
    if isinstance(written, ast.ClassDef):
        functions = [node for node in written.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        documented = {function.name for function in functions if ast.get_docstring(function)}
        public = {function.name for function in functions if not function.name.startswith("_")}
        assert not public - documented


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
