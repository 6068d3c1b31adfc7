"""The mutants themselves: which there are, that they are what they say, and that explanations belong to one."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from sctpx import COMPILED
from sctpx.wire import tlv
from tests.guards.house import PACKAGE

from .children import in_child, limit_cpu
from .explained import FILE, Explanation, explained, explanations, unfounded
from .hunt import chosen, executing_all
from .mutants import Mutant, mutants
from .swap import apply, functions

pytestmark = pytest.mark.texts


def of(body: str, returns: str = "object") -> list[str]:
    """The mutants of a function with such a body."""
    source = f"def f(a, b) -> {returns}:\n" + "".join(f"    {line}\n" for line in dedent(body).splitlines())
    return [mutant.what for mutant in mutants("m.py", source)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a < b", ["a <= b"]),
        ("a in b", ["a not in b"]),
        ("a + b", ["a - b"]),
        ("a // 2", ["a * 2", "a // 3", "a // 1"]),
        ("a and b", ["a or b", "b", "a"]),
        ("not a", ["a"]),
        ("-a", ["a"]),
        ("True", ["False"]),
        ("0", ["1"]),
        ("a[1:b]", ["a[:b]", "a[1:]", "a[2:b]", "a[0:b]"]),
        ("min(a, b)", ["max(a, b)"]),
        ("f'{a + 1}'", []),
        ("'a'", []),
    ],
)
def test_an_expression_has_these_mutants(expression: str, expected: list[str]) -> None:
    found = of(f"g({expression})")
    before = [f"g({expression})", expression, "a[1:b]", "1:b"]
    changed = [what.partition(" -> ")[2] for what in found if what.partition(" -> ")[0] in before]
    assert changed[:1] == ["pass"], "the call is missing"
    assert sorted(changed[1:]) == sorted(expected if expression not in {"True", "0"} else [f"g({expected[0]})"])


@pytest.mark.parametrize(
    ("body", "returns", "expected"),
    [
        ("return a", "bool", ["return a -> return not a"]),
        ("return a", "int", ["return a -> return a + 1"]),
        ("return a", "bytes", ["return a -> return b''"]),
        ("return a", "list[int]", ["return a -> return None"]),
        ("a.b = a", "None", ["a.b = a -> pass"]),
        ("a.b += a", "None", ["a.b += a -> pass", "a.b += a -> a.b -= a"]),
        ("raise ValueError(1)", "None", ["raise ValueError(1) -> pass"]),
        ("assert a < 1", "None", []),
        ("while a:\n    break", "None", ["a -> not a", "break -> continue"]),
    ],
)
def test_a_statement_has_these_mutants(body: str, returns: str, expected: list[str]) -> None:
    assert of(body, returns) == expected


def test_what_the_compiled_build_runs_has_no_mutants() -> None:
    assert of("if not COMPILED:\n    g(a)\n    return\ng(b)") == ["g(a) -> pass", "return -> pass"]
    assert of("if COMPILED and a:\n    g(a)\nelse:\n    g(b)") == ["g(b) -> pass"]


def test_a_fault_that_is_there_twice_has_two_names() -> None:
    assert of("a.c = a < b\na.d = a < b") == [
        "a.c = a < b -> pass",
        "a < b -> a <= b",
        "a.d = a < b -> pass",
        "a < b -> a <= b #2",
    ]


def test_a_statement_has_its_lines_and_a_condition_has_not_those_of_its_block() -> None:
    source = "def f(a):\n    if (a and\n        b):\n        g(a)\n    h(\n        a)\n"
    assert {mutant.what: mutant.lines for mutant in mutants("m.py", source)} == {
        "a and b -> a or b": range(2, 4),
        "a and b -> b": range(2, 4),
        "a and b -> a": range(2, 4),
        "a and b -> not (a and b)": range(2, 4),
        "g(a) -> pass": range(4, 5),
        "h(a) -> pass": range(5, 7),
    }


def of_module(module: str) -> list[Mutant]:
    return mutants(module, (PACKAGE / module).read_text(encoding="utf-8"))


@pytest.mark.skipif(COMPILED, reason="compiled functions have no code to be exchanged")
def test_a_mutant_takes_the_place_of_its_function_in_a_child_and_nowhere_else() -> None:
    [mutant] = [each for each in of_module("wire/tlv.py") if each.what == "length + 3 -> length - 3"]
    packed = tlv.item(1, b"abcd") + tlv.item(2, b"")

    def with_the_fault() -> object:
        apply(mutant)
        return tlv.split(packed)

    assert in_child(with_the_fault, 60.0) != tlv.split(packed)
    assert tlv.split(packed) == ([(1, b"abcd"), (2, b"")], len(packed))


@pytest.mark.skipif(COMPILED, reason="compiled functions have no code to be exchanged")
def test_functions_are_found_in_classes_and_behind_properties() -> None:
    from sctpx.core.path import path  # noqa: PLC0415 - where the build is interpreted

    known = functions(path)
    assert {(each.function, each.code.co_firstlineno) for each in of_module("core/path/path.py")} <= set(known)


def test_a_child_that_comes_to_no_end_is_ended() -> None:
    def endless() -> None:
        limit_cpu(0.05)
        while True:
            pass

    assert in_child(endless, 60.0) == "timeout"


def test_tests_come_in_order_and_within_their_time() -> None:
    own = "tests/unit/core/tx/test_rack.py"
    near, far = "tests/unit/core/tx/test_sent.py", "tests/sim/test_loss.py"
    able = {f"{own}::slow": 3.0, f"{own}::fast": 1.0, f"{far}::a": 0.5, f"{far}::killer": 2.0, f"{near}::a": 0.7}
    other = "tests/sim/test_other.py"
    able |= {f"{other}::a": 0.5, f"{other}::b": 0.5, f"{far}::b": 0.6}
    order = [f"{far}::killer", f"{own}::fast", f"{own}::slow", f"{near}::a", f"{far}::a", f"{other}::a", f"{far}::b"]
    assert chosen(able, ["gone", f"{far}::killer"], [], own, 100.0) == [*order, f"{other}::b"]
    assert chosen(able, [f"{far}::killer"], [], own, 3.6) == [f"{far}::killer", f"{own}::fast", f"{far}::a"]
    assert chosen({"x::a": 5.0}, [], [], own, 1.0) == ["x::a"]
    likely = [f"{other}::b", "gone"]
    assert chosen(able, [], likely, own, 4.5) == [f"{own}::fast", f"{own}::slow", f"{other}::b"]


def test_a_few_short_tests_execute_every_line_of_a_function() -> None:
    able = {"x::long": 2.0, "x::middle": 1.0, "x::short": 0.5, "x::other": 0.6}
    lines = {"x::long": 0b1111, "x::middle": 0b0111, "x::short": 0b0011, "x::other": 0b0001}
    assert executing_all(able, lines) == ["x::short", "x::middle", "x::long"]


def test_an_explanation_is_of_survivors_only() -> None:
    entries = [Explanation("m.py", "f", ("a -> b", "c -> d"), ""), Explanation("m.py", "g", ("*",), "")]
    seen = ["m.py f: a -> b", "m.py f: c -> d", "m.py g: x -> y", "m.py h: x -> y"]
    assert explained(entries, [seen[0], seen[2], seen[3]]) == {seen[0], seen[2]}
    assert unfounded(entries, seen, [seen[0], seen[3]]) == ["m.py f: c -> d", "m.py g: *"]
    assert unfounded(entries, [seen[3]], [seen[3]]) == [], "mutants that were not tried say nothing"


@pytest.mark.slow
def test_each_explanation_names_mutants_that_there_are_and_says_why() -> None:
    entries = explanations(FILE.read_text(encoding="utf-8"))
    known: dict[str, set[str]] = {}
    for module in {entry.module for entry in entries}:
        found = of_module(module)
        known[module] = {each.name for each in found} | {f"{module} {each.function}: *" for each in found}
    assert [name for entry in entries for name in entry.names if name not in known[entry.module]] == []
    assert all(entry.reason.endswith(".") for entry in entries)
    assert len({name for entry in entries for name in entry.names}) == sum(len(entry.what) for entry in entries)


def test_the_page_has_every_command_of_the_makefile() -> None:
    text = (PACKAGE.parents[1] / "docs" / "mutation.md").read_text(encoding="utf-8")
    for option in ("MODULES", "SAMPLE", "SEED", "AGAIN"):
        assert f"{option}=" in text
        assert f"$({option})" in Path(PACKAGE.parents[1] / "Makefile").read_text(encoding="utf-8")
