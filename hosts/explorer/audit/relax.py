"""Relaxation operators: the orderings that the protocol relies on, each weakened by an edit of the loaded program.

A *site* is a barrier, a locked operation, an acquire or release, or two accesses that follow each other. A *relaxation*
of it is the enclosing function, changed: nothing of ``emu`` is touched, lines and interrupt points stay where they
were, and each new access has an interrupt point of its own.

A locked operation is atomic, and a full barrier before and behind. Each property is relaxed by itself:

- *no fence before*: it does not wait for earlier stores, which may reach memory after it.
- *no fence behind*: it reads and changes the word in one step, but its store waits in the buffer while its thread reads
  on. If another write comes in between, it was not atomic; the counterexample is examined for that.
- *no atomicity*: a barrier, a load, a store, a barrier.
- *neither*: a load and a store.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from emu.observe import is_instrument
from hosts.explorer.audit.reorder import Pairs
from hosts.explorer.threads.protocol import LATE_STORE, RELAXED
from hosts.loader.primitives import LOCKED, TABLE
from hosts.loader.program import Program
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.language import TEMPORARY, bodies, without_docstring
from hosts.loader.syntax.names import PRIMITIVES

Kind = Literal["barrier", "locked", "ordered", "pair"]
Statements = list[ast.stmt]

BARRIER: Final = "smp_mb"
_ORDERED: Final = frozenset(row.name for row in TABLE.values() if row.unordered)

DROPPED: Final = "dropped"
SWAPPED: Final = "swapped"
NO_FENCE_BEFORE: Final = "no fence before"
NO_FENCE_BEHIND: Final = "no fence behind"
NO_ATOMICITY: Final = "no atomicity"
NEITHER: Final = "neither"

_OLD: Final = f"{TEMPORARY}old"
_NEW: Final = {
    "xchg": "{value}",
    "cmpxchg": "{new}",
    "test_and_set_bit": f"{_OLD} | BIT({{nr}})",
    "set_bit": f"{_OLD} | BIT({{nr}})",
    "test_and_clear_bit": f"{_OLD} & ~BIT({{nr}})",
    "clear_bit": f"{_OLD} & ~BIT({{nr}})",
    "atomic_inc": f"{_OLD} + 1",
    "take_half": f"{_OLD} & (0xFFFFFFFF if ({{half}}) != 0 else -0x100000000)",
}
"""What each locked operation puts into its word."""
_CHANGES: Final = {
    "cmpxchg": f"{_OLD} == ({{old}})",
    "test_and_set_bit": f"{_OLD} & BIT({{nr}}) == 0",
    "set_bit": f"{_OLD} & BIT({{nr}}) == 0",
    "test_and_clear_bit": f"{_OLD} & BIT({{nr}}) != 0",
    "clear_bit": f"{_OLD} & BIT({{nr}}) != 0",
}
"""When it changes the word at all; the others always do."""
_GIVES: Final = {
    **dict.fromkeys(("test_and_set_bit", "test_and_clear_bit"), f"1 if {_OLD} & BIT({{nr}}) != 0 else 0"),
    "take_half": f"{_OLD} >> 32 * ({{half}}) & 0xFFFFFFFF",
}
"""What it gives, if that is not what the word held."""


@dataclass(frozen=True)
class Relaxation:
    """One site, relaxed in one way."""

    name: str
    tree: ast.FunctionDef
    """What becomes of the function."""


@dataclass(frozen=True)
class Site:
    """One ordering that the protocol relies on."""

    kind: Kind
    file: str
    line: int
    function: str
    text: str
    """What stands there."""
    relaxations: tuple[Relaxation, ...]
    block: int = 0
    """The line at which the list of statements begins that it stands in."""
    word: str = ""
    """Of an access, the word as it is written."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.function}: {self.text}"


def weakened(program: Program, way: Relaxation) -> Program:
    """Return the program with one function changed."""
    return replace(program, trees={**program.trees, way.tree.name: way.tree})


def sites(program: Program) -> list[Site]:
    """List every ordering of the protocol, by file and line; instruments rely on none."""
    audited = {
        name: tree for name, tree in program.trees.items() if not is_instrument(program.functions[name].__module__)
    }
    barriers = {BARRIER, *(name for name, tree in audited.items() if is_barrier(tree))}
    pairs = Pairs(audited)
    found: list[Site] = []
    for name, tree in audited.items():
        if name not in barriers:
            file = program.functions[name].__code__.co_filename
            for statements in _lists(without_docstring(tree)):
                found += _in_list(tree, statements, file, barriers)
                found += _pairs_in_list(tree, statements, file, pairs)
    if program.own:
        found = [replace(site, text=program.own.as_written(site.text)) for site in found]
    order = ("barrier", "locked", "ordered", "pair")
    return sorted(found, key=lambda site: (site.file, site.line, order.index(site.kind)))


def is_barrier(tree: ast.FunctionDef) -> bool:
    """Return whether a function is a full barrier and nothing else."""
    names = [called(statement) for statement in without_docstring(tree)]
    return [name for name in names if name != "interrupt_point"] == [BARRIER]


def _lists(statements: Statements) -> Iterator[Statements]:
    """Yield a list of statements and all lists inside of it."""
    if statements:
        yield statements
    for statement in statements:
        for body in bodies(statement):
            yield from _lists(body)


def _in_list(tree: ast.FunctionDef, statements: Statements, file: str, barriers: set[str]) -> Iterator[Site]:
    """Yield the sites that are one statement: barriers, locked operations, acquires and releases."""
    block = statements[0].lineno
    for i, statement in enumerate(statements):
        name = called(statement)
        if name not in barriers and name not in LOCKED and name not in _ORDERED:
            continue
        text = ast.unparse(_call(statement))
        if name in barriers:
            way = Relaxation(DROPPED, edited(tree, {id(statement): [_located("pass", statement)]}))
            yield Site("barrier", file, statement.lineno, tree.name, text, (way,), block)
            continue
        word = ast.unparse(_arguments(_call(statement))["word"])
        if name in _ORDERED:
            yield Site("ordered", file, statement.lineno, tree.name, text, (), block, word)
            continue
        point = statements[i - 1] if i and called(statements[i - 1]) == "interrupt_point" else None
        relaxations = tuple(
            Relaxation(way, edited(tree, {id(statement): becomes})) for way, becomes in _torn(statement, point).items()
        )
        yield Site("locked", file, statement.lineno, tree.name, text, relaxations, block, word)


def _pairs_in_list(tree: ast.FunctionDef, statements: Statements, file: str, pairs: Pairs) -> Iterator[Site]:
    """Yield the sites that are two accesses in a row."""
    for first, second in pairs.of(statements):
        a, b = [statements[i] for i in first], [statements[i] for i in second]
        edits: dict[int, Statements] = {id(each): [] for each in (*a, *b)}
        edits |= {id(a[0]): b, id(b[0]): a}
        text = f"{ast.unparse(_call(a[-1]))} ; {ast.unparse(_call(b[-1]))}"
        way = Relaxation(SWAPPED, edited(tree, edits))
        yield Site("pair", file, b[-1].lineno, tree.name, text, (way,), statements[0].lineno)


# --- edits -------------------------------------------------------------------------------------------------------


def edited(tree: ast.FunctionDef, edits: Mapping[int, Sequence[ast.stmt]]) -> ast.FunctionDef:
    """Return a function with some statements replaced, which are named by their identity."""
    new = copy.copy(tree)
    new.body = _edited(tree.body, edits)
    return new


def _edited(statements: Statements, edits: Mapping[int, Sequence[ast.stmt]]) -> Statements:
    out: Statements = []
    for statement in statements:
        if id(statement) in edits:
            out += edits[id(statement)]
            continue
        new = copy.copy(statement)
        match new:
            case ast.If() | ast.While() | ast.For():
                new.body, new.orelse = _edited(new.body, edits), _edited(new.orelse, edits)
            case ast.Match():
                new.cases = [ast.match_case(case.pattern, case.guard, _edited(case.body, edits)) for case in new.cases]
        out.append(new)
    return out


def _torn(statement: ast.stmt, point: ast.stmt | None) -> dict[str, Statements]:
    """Return what replaces a locked operation in each relaxation."""
    name = called(statement)
    given = {key: ast.unparse(value) for key, value in _arguments(_call(statement)).items()}
    target = _target(statement)
    fenceless = copy.deepcopy(statement)
    _call(fenceless).func = ast.copy_location(ast.Name(RELAXED + name, ast.Load()), statement)
    gives = f"{target} = {_GIVES.get(name, _OLD)}".format_map(given) if target else ""
    new, changes = _NEW[name].format_map(given), _CHANGES.get(name, "").format_map(given)
    read, write = f"{_OLD} = READ_ONCE({given['word']})", f"WRITE_ONCE({given['word']}, {new})"
    late = f"{LATE_STORE}({given['word']}, {new})"

    def lines(*texts: str) -> Statements:
        out: Statements = []
        for text in filter(None, texts):
            shared = out and text.startswith((BARRIER, "WRITE_ONCE", _OLD))
            out += [copy.copy(point)] if shared and point is not None else []
            out.append(_located(text, statement))
        return out

    def written(text: str, *, always: bool) -> str:
        return text if always or not changes else f"if {changes}: {text}"

    plain = written(write, always=name != "cmpxchg")
    torn = {
        NO_FENCE_BEFORE: [fenceless],
        NO_FENCE_BEHIND: lines(read, written(late, always=False), gives),
        NO_ATOMICITY: lines(f"{BARRIER}()", read, plain, f"{BARRIER}()", gives),
        NEITHER: lines(read, plain, gives),
    }
    return {way: _with_point_inside(becomes, point) for way, becomes in torn.items()}


def _with_point_inside(statements: Statements, point: ast.stmt | None) -> Statements:
    """Put a point before a store that is made only if the word changes."""
    for statement in statements:
        if isinstance(statement, ast.If) and called(statement.body[0]) == "WRITE_ONCE" and point is not None:
            statement.body.insert(0, copy.copy(point))
    return statements


def _located(text: str, like: ast.stmt) -> ast.stmt:
    """Parse one statement and set its line to that of another one."""
    statement = ast.parse(text).body[0]
    for node in ast.walk(statement):
        ast.copy_location(node, like)
    return statement


def _call(statement: ast.stmt) -> ast.Call:
    """Return the call that is all a statement does."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) else None
    assert isinstance(value, ast.Call)  # noqa: S101 - hosts.loader.syntax.interrupt_points.called says so
    return value


def _target(statement: ast.stmt) -> str:
    """Return what a statement assigns, or an empty string."""
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0])
    return ast.unparse(statement.target) if isinstance(statement, ast.AnnAssign) else ""


def _arguments(call: ast.Call) -> dict[str, ast.expr]:
    """Return a primitive's arguments by the names they have in the waist."""
    assert isinstance(call.func, ast.Name)  # noqa: S101 - see hosts.loader.syntax.interrupt_points.called
    keywords = {each.arg: each.value for each in call.keywords if each.arg is not None}
    return dict(inspect.signature(PRIMITIVES[call.func.id]).bind(*call.args, **keywords).arguments)
