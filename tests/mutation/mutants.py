"""The mutants of a module: the same source with one small fault in the body of one function.

Only what runs when a test runs is mutated: bodies of functions and methods. Left out are constants and tables of
modules and classes and default arguments, which are evaluated once, at the import; assertions; the texts of exceptions;
and what only the compiled build runs (``if COMPILED``, and what follows an ``if not COMPILED`` that returns).

A mutant is named by its function and by the expression before and after: the name stays when lines move.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef

BOUNDARIES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.Mod: ast.FloorDiv,
}
OPPOSITES: Final = {"min": "max", "max": "min"}
PLAIN: Final = (ast.Constant, ast.Name, ast.Attribute)
"""Expressions that say little without what is around them."""
CONTEXT: Final = 100
"""Characters of an expression up to which a name shows it instead of a part of it."""


@dataclass(frozen=True)
class Mutant:
    """One fault."""

    module: str
    """Path of the file below the package: ``wire/tlv.py``."""
    function: str
    """Qualified name of the function."""
    what: str
    """The expression or statement, an arrow, and what becomes of it; with a number if that is there twice."""
    lines: range
    """A test that executes none of these lines cannot tell the mutant from the original."""
    code: CodeType
    """What the function has instead of its code."""

    @property
    def name(self) -> str:
        """The name, unique in the package."""
        return f"{self.module} {self.function}: {self.what}"


@dataclass
class _Slot:
    """A place in a tree that holds a node."""

    holder: ast.AST
    field: str
    index: int = -1

    def get(self) -> ast.AST:
        value = getattr(self.holder, self.field)
        found: ast.AST = value[self.index] if self.index >= 0 else value
        return found

    def put(self, node: ast.AST) -> None:
        if self.index >= 0:
            getattr(self.holder, self.field)[self.index] = node
        else:
            setattr(self.holder, self.field, node)


def mutants(module: str, source: str, filename: str = "") -> list[Mutant]:
    """All mutants of a module, in the order of its lines; none whose bytecode is that of the original."""
    found: list[Mutant] = []
    for outer, function in _functions(ast.parse(source).body, ()):
        name = ".".join([*(part.name for part in outer), function.name])
        function.decorator_list, decorators = [], function.decorator_list
        first = min([function.lineno, *(each.lineno for each in decorators)])
        original = _compiled(function, outer, filename or module)
        known: Counter[str] = Counter()
        for slot, old, new, shown, lines in _changes(function):
            before = _text(shown.get())
            slot.put(new)
            what = f"{before} -> {_text(shown.get())}"
            code = _compiled(function, outer, filename or module)
            slot.put(old)
            if code.co_freevars != original.co_freevars or _meaning(code) == _meaning(original):
                continue
            known[what] += 1
            if known[what] > 1:
                what += f" #{known[what]}"
            found.append(Mutant(module, name, what, lines, code.replace(co_firstlineno=first)))
    return found


def digests(source: str) -> dict[str, str]:
    """A digest of each function of a module, by qualified names. Comments and places do not count."""
    found: dict[str, str] = {}
    for outer, function in _functions(ast.parse(source).body, ()):
        name = ".".join([*(part.name for part in outer), function.name])
        text = found.get(name, "") + ast.unparse(function)  # The getter and the setter of a property have one name.
        found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def _functions(
    body: list[ast.stmt], outer: tuple[ast.ClassDef, ...]
) -> Iterator[tuple[tuple[ast.ClassDef, ...], Function]]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            yield outer, statement
        elif isinstance(statement, ast.ClassDef):
            yield from _functions(statement.body, (*outer, statement))


def _compiled(function: Function, outer: tuple[ast.ClassDef, ...], filename: str) -> CodeType:
    """The code of a function, compiled inside the classes that it is in."""
    inside: ast.stmt = function
    for part in reversed(outer):
        inside = ast.ClassDef(name=part.name, bases=[], keywords=[], body=[inside], decorator_list=[])
    whole = ast.fix_missing_locations(ast.Module(body=[inside], type_ignores=[]))
    code: CodeType = compile(whole, filename, "exec", flags=annotations.compiler_flag, dont_inherit=True)
    for name in [*(part.name for part in outer), function.name]:
        inner: list[CodeType] = [each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name]
        [code] = inner
    return code


def _meaning(code: CodeType) -> tuple[object, ...]:
    """What a code does, without where it stands; constants with their types, since True equals 1."""
    parts = [_meaning(const) if isinstance(const, CodeType) else (type(const), const) for const in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, *parts


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 2 * CONTEXT else f"{text[: 2 * CONTEXT]}..."


# --- statements ---

_Change: TypeAlias = tuple[_Slot, ast.AST, ast.AST, _Slot, range]
"""Where, what is there, what comes there, the part of the tree to show, the lines."""


def _changes(function: Function) -> Iterator[_Change]:
    returned = ast.unparse(function.returns) if function.returns is not None else ""
    yield from _block(function, "body", returned)


def _block(holder: ast.AST, field: str, returned: str) -> Iterator[_Change]:
    body: list[ast.stmt] = getattr(holder, field)
    for index, statement in enumerate(body):
        if isinstance(statement, ast.If) and _about_build(statement.test):
            if not isinstance(statement.test, ast.UnaryOp):
                yield from _block(statement, "orelse", returned)
                continue
            yield from _block(statement, "body", returned)
            if isinstance(statement.body[-1], ast.Return):
                return
            continue
        yield from _statement(_Slot(holder, field, index), statement, returned)


def _about_build(test: ast.expr) -> bool:
    """Whether a condition asks which build it is; further conditions beside that are compiled, too."""
    if isinstance(test, ast.BoolOp):
        return _about_build(test.values[0])
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not) and _about_build(test.operand)
    return isinstance(test, ast.Name) and test.id in {"COMPILED", "TYPE_CHECKING"}


def _statement(slot: _Slot, node: ast.stmt, returned: str) -> Iterator[_Change]:
    if isinstance(node, (ast.Assert, ast.FunctionDef, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id == "NotImplementedError":
        return  # Each subclass has a method of its own.
    lines = _lines(node)
    around = None if isinstance(node, (ast.If, ast.While, ast.For, ast.With, ast.Try)) else slot
    for new in _other_statements(node, returned):
        yield slot, node, ast.copy_location(new, node), slot, lines
    if isinstance(node, ast.Raise):
        return
    for field, value in ast.iter_fields(node):
        if field == "annotation":
            continue
        if isinstance(value, ast.expr):
            yield from _expression(_Slot(node, field), around, lines)
        elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield from _block(node, field, returned)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                if isinstance(part, ast.expr):
                    yield from _expression(_Slot(node, field, index), around, lines)
                elif isinstance(part, ast.ExceptHandler):
                    yield from _block(part, "body", returned)


def _lines(node: ast.stmt) -> range:
    """The lines of a statement, without the block that belongs to it."""
    end = node.end_lineno or node.lineno
    if isinstance(node, (ast.If, ast.While)):
        end = node.test.end_lineno or end
    elif isinstance(node, ast.For):
        end = node.iter.end_lineno or end
    elif isinstance(node, (ast.With, ast.Try)):
        end = node.lineno
    return range(node.lineno, end + 1)


def _other_statements(node: ast.stmt, returned: str) -> Iterator[ast.stmt]:
    match node:
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete() | ast.Return(value=None) | ast.Continue():
            yield ast.Pass()
        case ast.Assign() | ast.AnnAssign(value=ast.expr()):
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value):
            yield from (ast.Return(value=other) for other in _other_results(value, returned))
    match node:
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in OPERATORS:
            yield ast.AugAssign(target=target, op=OPERATORS[type(op)](), value=value)


def _other_results(value: ast.expr, returned: str) -> Iterator[ast.expr]:
    """What a function could return instead, of the same type where that is known."""
    if isinstance(value, ast.Constant) and returned in {"bool", "int", "float"}:
        return  # It is mutated as a constant.
    if returned == "bool":
        yield _negated(value)
    elif returned in {"int", "float", "i64"}:
        yield ast.BinOp(left=value, op=ast.Add(), right=ast.Constant(value=1))
    elif returned in {"bytes", "str"}:
        empty = b"" if returned == "bytes" else ""
        if not (isinstance(value, ast.Constant) and value.value == empty):
            yield ast.Constant(value=empty)
    elif not (isinstance(value, ast.Constant) and value.value is None):
        yield ast.Constant(value=None)


# --- expressions ---


def _expression(slot: _Slot, around: _Slot | None, lines: range) -> Iterator[_Change]:
    """Changes of an expression; ``around`` is what is shown of it where the expression alone says little."""
    node = slot.get()
    if isinstance(node, ast.JoinedStr):
        return
    little = isinstance(node, PLAIN) and around is not None and len(ast.unparse(around.get())) <= CONTEXT
    shown = around if little and around is not None else slot
    for new in _other_expressions(node):
        yield slot, node, ast.copy_location(new, node), shown, lines
    if isinstance(slot.holder, (ast.If, ast.While, ast.IfExp)) and slot.field == "test" and not _has_opposite(node):
        yield slot, node, ast.copy_location(_negated(node), node), shown, lines
    inside = around if isinstance(node, (ast.Attribute, ast.Slice, ast.Tuple)) and around is not None else slot
    cast = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast"
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            if not (isinstance(node, ast.UnaryOp) and isinstance(value, ast.Constant)):
                yield from _expression(_Slot(node, field), inside, lines)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                if isinstance(part, ast.expr) and not (cast and index == 0):
                    yield from _expression(_Slot(node, field, index), inside, lines)
                elif isinstance(part, ast.comprehension):
                    yield from _expression(_Slot(part, "iter"), None, lines)
                    for place in range(len(part.ifs)):
                        yield from _expression(_Slot(part, "ifs", place), None, lines)
                elif isinstance(part, ast.keyword):
                    yield from _expression(_Slot(part, "value"), slot, lines)


def _has_opposite(node: ast.AST) -> bool:
    """Whether it is a comparison that has its opposite as a mutant, or a negation, which is dropped."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    opposite = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
    return isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], opposite)


def _negated(node: ast.AST) -> ast.expr:
    assert isinstance(node, ast.expr)
    return ast.UnaryOp(op=ast.Not(), operand=node)


def _other_expressions(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for index, op in enumerate(ops):
                other = BOUNDARIES[type(op)]()
                yield ast.Compare(left=left, ops=[*ops[:index], other, *ops[index + 1 :]], comparators=comparators)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            yield ast.BinOp(left=left, op=OPERATORS[type(op)](), right=right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(op=ast.Or() if isinstance(op, ast.And) else ast.And(), values=values)
            for index in range(len(values)):
                rest = [*values[:index], *values[index + 1 :]]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op=op, values=rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as truth):
            yield ast.Constant(value=not truth)
        case ast.Constant(value=int() as number):
            yield ast.Constant(value=number + 1)
            if number > 0:
                yield ast.Constant(value=number - 1)
        case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper, step=step), ctx=ctx):
            if lower is not None:
                yield ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=upper, step=step), ctx=ctx)
            if upper is not None:
                yield ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=None, step=step), ctx=ctx)
        case ast.Call(func=ast.Name(id=name) as called, args=args, keywords=keywords) if name in OPPOSITES:
            other_call = ast.copy_location(ast.Name(id=OPPOSITES[name], ctx=ast.Load()), called)
            yield ast.Call(func=other_call, args=args, keywords=keywords)
