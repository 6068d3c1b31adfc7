"""The public names: each is documented, and the list changes only on purpose."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import sctpx

SNAPSHOT = Path(__file__).with_name("public_api.txt")


def public_names() -> list[str]:
    return sorted(getattr(sctpx, "__all__", ()))


def members(owner: type) -> Iterator[tuple[str, object]]:
    """What a public class defines itself and shows: methods and properties."""
    for name, member in vars(owner).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if not name.startswith("_") and (inspect.isfunction(function) or isinstance(function, property)):
            yield name, function


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_exists_and_has_a_docstring(name: str) -> None:
    thing = getattr(sctpx, name)
    if inspect.isclass(thing):
        # A dataclass without a docstring gets its signature for one; an inherited docstring is the parent's.
        text = vars(thing).get("__doc__") or ""
        assert text
        assert not text.startswith(f"{thing.__name__}(")
    elif callable(thing):
        assert inspect.getdoc(thing)


@pytest.mark.parametrize("name", public_names())
def test_every_method_and_property_of_a_public_class_has_a_docstring(name: str) -> None:
    thing = getattr(sctpx, name)
    if inspect.isclass(thing):
        bare = [member for member, function in members(thing) if not getattr(function, "__doc__", None)]
        assert not bare


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
