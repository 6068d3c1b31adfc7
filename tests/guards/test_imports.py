"""Who imports whom.

    wire <- core <- sockapi <- kernel <- aio, blocking <- compat, cli

Below the line, in wire and core, nothing does I/O, reads a clock or draws a random number. Imports for type checking
count as well: a type is knowledge too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.guards.house import PACKAGE, imports, modules

pytestmark = pytest.mark.texts

BELOW_THE_LINE = ("wire", "core")
MAY_IMPORT = {
    "errors": set[str](),
    "process_end": set[str](),
    "deferral": set[str](),
    "wire": {"errors"},
    "core": {"errors", "wire"},
    "sockapi": {"errors", "deferral", "wire", "core"},
    "link": {"errors", "core.outputs", "core.ip", "wire.first_look"},
    "kernel": {
        "errors",
        "deferral",
        "core.config",
        "core.ip",
        "core.stats",
        "sockapi",
        "link.names",
        "link.interfaces",
    },
    "aio": {"errors", "deferral", "process_end", "wire", "core", "sockapi", "link", "kernel"},
    "blocking": {"errors", "deferral", "process_end", "wire", "core", "sockapi", "link", "kernel"},
    "compat": {"errors", "wire", "core", "sockapi", "link", "blocking"},
    "testing": {"errors", "wire", "core", "sockapi", "link"},
    "cli": {"errors", "wire", "core", "sockapi", "link", "aio", "blocking"},
}
# The parts of the core that stay apart: a queue computes, the association applies.
APART = {
    "core.rx": {"core.tx", "core.association"},
    "core.tx": {"core.rx", "core.association"},
    "core.path": {"core.rx", "core.tx", "core.association"},
}
# Which handlers of the association call which: only those of their own line, and of the lines below. The extensions are
# handlers as well, all but one in one line, and none of them knows another one.
HANDLERS = (
    {"association." + name for name in ("dispatch", "timing", "settings", "restart", "inbound", "outbound")}
    | {"association." + name for name in ("elsewhere", "reflected", "returned")},
    {"association.handshake"},
    {"ext.*"},
    {"association.renumbering", "association.path_set"},
    {"association.transfer"},
    {"association.recovery"},
    {"ext.path_mtu"},
    {"association.reachability"},
    {"association.shutdown"},
)
OF_SEVERAL_FILES = ({"asconf", "address_changes", "address_requests"}, {"stream_reset", "own_requests", "requests"})
BANNED = {"time", "random", "os", "socket", "select", "asyncio", "threading", "logging"}
BANNED |= {"datetime", "secrets", "selectors", "subprocess", "signal", "ssl", "concurrent", "multiprocessing", "queue"}
OTHERS_BELOW = {"fastcrc", "librt", "mypy_extensions"}


def part_of(module: Path) -> str:
    """The part of the house a source file belongs to; "" for the package's own modules."""
    if len(module.parts) > 1:
        return module.parts[0]
    return module.stem if module.stem in MAY_IMPORT else ""


def inside(name: str, part: str) -> bool:
    """Is the module ``name``, relative to the package, within ``part``?"""
    return name == part or name.startswith(part + ".")


def project_imports(module: Path) -> set[str]:
    """What a source file imports from this package, as it is called inside it; only what is a module."""
    names = {name.removeprefix("sctpx.") for name in imports(module) if name.startswith("sctpx.")}
    return {name for name in names if is_module(name)}


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


# Where the system has one loopback address only, the demo shows the simulated network: the one use of the test kit.
DEMO = Path("cli", "demo", "simulated.py")


def every(*parts: str) -> list[Path]:
    return [module for module in modules() if not parts or part_of(module) in parts]


def offences(found: dict[Path, set[str]]) -> list[str]:
    """What each source file imports and must not, in words; ``found`` has all files that were looked at."""
    assert found
    return [f"{module} imports {sorted(names)}" for module, names in found.items() if names]


def strangers(module: Path) -> set[str]:
    """What a source file imports from parts that its own part may not know."""
    part = part_of(module)
    if part == "":
        return set()
    allowed = {*MAY_IMPORT[part], part} | ({"testing"} if module == DEMO else set())
    return {
        name
        for name in project_imports(module)
        if not any(inside(name, one) for one in allowed)
        # `from ..core.outputs import Transmit` names the package core on its way.
        and not any(inside(one, name) for one in allowed)
    }


def kept_apart(module: Path) -> set[str]:
    """What a source file of the core imports from a part of the core that its own part must not meet."""
    here = ".".join(module.with_suffix("").parts)
    others = {other for part, apart in APART.items() if inside(here, part) for other in apart}
    return {name for name in project_imports(module) if any(inside(name, other) for other in others)}


def roots(module: Path) -> set[str]:
    """The packages that a source file imports from, by their first name."""
    return {name.split(".")[0] for name in imports(module)}


def test_a_module_imports_only_the_parts_its_own_part_may_know() -> None:
    assert offences({module: strangers(module) for module in every()}) == []


def test_nothing_in_the_package_imports_the_test_kit() -> None:
    users = [module for module in every() if part_of(module) != "testing" and module != DEMO]
    found = {user: {name for name in project_imports(user) if inside(name, "testing")} for user in users}
    assert offences(found) == []


def test_the_parts_of_the_core_that_stay_apart_do_not_import_each_other() -> None:
    assert offences({module: kept_apart(module) for module in every("core")}) == []


def line_of(name: str) -> int:
    """The line of ``HANDLERS`` that a module of the core belongs to; -1 for none."""
    inner = name.removeprefix("core.")
    of_all = "ext.*" if inner.startswith("ext.") else inner
    found = [index for which in (inner, of_all) for index, line in enumerate(HANDLERS) if which in line]
    return found[0] if found else -1


def upwards(module: Path) -> set[str]:
    """What a handler imports of the handlers above it."""
    line = line_of(".".join(module.with_suffix("").parts))
    return {name for name in project_imports(module) if 0 <= line_of(name) < line}


def other_extensions(module: Path) -> set[str]:
    """What an extension imports of others."""
    own = next((files for files in OF_SEVERAL_FILES if module.stem in files), {module.stem})
    return {name for name in project_imports(module) if name.startswith("core.ext.") and name.split(".")[2] not in own}


def test_the_handlers_of_an_association_call_each_other_downwards() -> None:
    assert {line_of(name) for name in ("core.ext.ecn", "core.ext.path_mtu", "core.association.tcb")} == {2, 6, -1}
    assert offences({module: upwards(module) for module in every("core")}) == []


def test_no_extension_knows_another_one() -> None:
    extensions = [module for module in every("core") if module.parts[1] == "ext" and module.stem != "table"]
    assert offences({module: other_extensions(module) for module in extensions}) == []


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph that have more than one node (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node] & graph.keys()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_the_files_of_the_core_do_not_import_each_other_in_a_circle() -> None:
    names = {module: ".".join(module.with_suffix("").parts) for module in every(*BELOW_THE_LINE)}
    assert circles({name: project_imports(module) - {name} for module, name in names.items()}) == []


def test_below_the_line_nothing_of_the_world_is_imported() -> None:
    assert offences({module: roots(module) & BANNED for module in every(*BELOW_THE_LINE)}) == []


def test_below_the_line_the_only_libraries_are_the_checksum_and_the_run_time_of_the_compiler() -> None:
    known = OTHERS_BELOW | sys.stdlib_module_names | {"sctpx"}
    assert offences({module: roots(module) - known for module in every(*BELOW_THE_LINE)}) == []
