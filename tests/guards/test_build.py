"""What is compiled, and what an install needs. Run in the interpreted and in the compiled build."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from importlib import resources
from importlib.metadata import requires
from pathlib import Path

import sctpx
from tests.cli.commands import environment
from tests.guards.house import PACKAGE, ROOT, imports, modules, texts

LEFT_INTERPRETED = {Path("wire", "describe.py"), Path("core", "config.py")}
MAN = PACKAGE / "man"
DRIVING = {
    Path("deferral.py"),
    *[Path("link", f"{name}.py") for name in ("arrivals", "busy_poll", "udp", "udp_socket")],
    *[Path("aio", f"{name}.py") for name in ("driver", "output", "polling", "waiting")],
    *[Path("blocking", f"{name}.py") for name in ("driver", "hub", "waiting")],
    *[Path("sockapi", f"{name}.py") for name in ("delivery", "ports", "socket_association")],
}
BUILT = [module for module in modules() if module.parts[0] in ("wire", "core") or module in DRIVING]
TYPES_ONLY = "mypy_extensions"
"""Machine integers, for mypyc to read: never imported."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    """The distributions that are required, without versions and conditions."""
    return {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for requirement in requirements}


def is_compiled(module: Path) -> bool:
    """Whether what is imported for a source file is an extension."""
    name = ".".join(("sctpx", *module.with_suffix("").parts)).removesuffix(".__init__")
    file = importlib.import_module(name).__file__
    assert file is not None
    return not file.endswith(".py")


def test_all_that_runs_for_each_packet_is_compiled_or_nothing_is() -> None:
    """Interpreted in either build: what makes text for people, and the class that users make, copy and pickle."""
    compiled = {module for module in modules() if module.stem != "__main__" and is_compiled(module)}
    assert compiled == ({*BUILT} - LEFT_INTERPRETED if sctpx.COMPILED else set())


def test_what_is_compiled_is_built_with_the_types_of_what_it_imports() -> None:
    roots = {name.split(".")[0] for module in BUILT for name in imports(module)}
    libraries = roots - sys.stdlib_module_names - {"sctpx"}
    assert libraries <= names(PROJECT["build-system"]["requires"])
    assert libraries - {TYPES_ONLY} <= names(PROJECT["project"]["dependencies"])


def test_the_package_imports_no_library_that_is_not_installed_with_it() -> None:
    question = "import sys; had = set(sys.modules); import sctpx; print(*(set(sys.modules) - had))"
    command = [sys.executable, "-c", question]
    answer = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True, timeout=60)
    roots = {name.split(".")[0] for name in answer.stdout.split()} - sys.stdlib_module_names
    ours = {"sctpx", "sctpx__mypyc"}
    assert "sctpx" in roots
    assert roots - ours <= names(PROJECT["project"]["dependencies"])


def test_every_file_of_the_package_that_is_no_source_comes_with_it() -> None:
    stated = [PACKAGE / pattern for pattern in PROJECT["tool"]["setuptools"]["package-data"]["sctpx"]]
    for path in texts(PACKAGE):
        assert path.suffix == ".py" or any(path.match(str(pattern)) for pattern in stated), path


def test_what_is_installed_has_the_manual_pages() -> None:
    installed = resources.files("sctpx") / "man"
    assert sorted(page.name for page in installed.iterdir()) == sorted(page.name for page in MAN.iterdir())


def test_the_installed_distribution_requires_what_the_project_states() -> None:
    installed = [line for line in requires("sctpx") or [] if "extra ==" not in line]
    assert names(installed) == names(PROJECT["project"]["dependencies"])
