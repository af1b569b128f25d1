"""The loaded protocol, ready to be run in steps: the functions that may suspend are control-flow graphs."""

from __future__ import annotations

import ast
import copy
import weakref
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

from hosts.explorer.threads.cfg import Flow, bound, cut_up
from hosts.explorer.threads.coverage import Lines
from hosts.loader.primitives import LOCKED, TABLE
from hosts.loader.program import Program
from hosts.loader.syntax.anf import normalise
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.names import calls, pure_functions

RELAXED: Final = "fenceless_"
LATE_STORE: Final = "late_store"
"""What the audit puts in place of a locked operation (hosts.explorer.audit.relax): one that waits for no store; and a
store that belongs to the step of the load before it. They are no primitives of the waist."""
SUSPENDING: Final = frozenset(
    {*(row.name for row in TABLE.values() if row.suspends), *(RELAXED + name for name in LOCKED), LATE_STORE}
)
"""Operations that others may notice, or that branch. The rest a thread does by itself."""

TRACEPOINTS: Final = "emu.observe.tracepoints"
"""The module whose functions do nothing here: calls of them are left out, or they would keep locals alive."""


@dataclass(frozen=True)
class Piece:
    """A compiled function: the blocks of its control-flow graph, or the function as it is."""

    code: CodeType
    """Of a module that defines them."""
    flow: Flow | None
    """A flow that has no blocks yet: they are made in a namespace (:func:`hosts.explorer.threads.cfg.bound`)."""


@dataclass
class Cut:
    """The cut functions of a program, which depend on no scope."""

    pieces: dict[str, Piece]
    pure: frozenset[str]
    silent: frozenset[str]
    """Functions that do nothing here, calls of which are left out."""
    suspending: frozenset[str]
    spans: list[tuple[str, int, str]]
    deferrable: frozenset[int] | None = None
    """See :mod:`hosts.explorer.threads.deferrable`; None: not asked for yet."""


_cuts: dict[int, tuple[weakref.ref[Program], Cut]] = {}


def cut_of(program: Program, more: frozenset[str] = frozenset()) -> Cut:
    """Return the cut functions of a program, computed once.

    ``more``: further primitives that suspend, which few programs need: for them it is worked out each time.
    """
    if more:
        return _cut(program, more)
    known = _cuts.get(id(program))
    if known is None or known[0]() is not program:
        known = None
    return known[1] if known is not None else known_cut(program, _cut(program))


def known_cut(program: Program, cut: Cut) -> Cut:
    """Register the cut functions of a program, as long as it lives."""
    number = id(program)
    _cuts[number] = weakref.ref(program, lambda _: _cuts.pop(number, None)), cut
    return cut


def _cut(program: Program, more: frozenset[str] = frozenset()) -> Cut:
    silent = {name for name, function in program.functions.items() if function.__module__ == TRACEPOINTS} | {"trace"}
    trees = {name: untraced(tree, silent) for name, tree in program.trees.items()}
    pure = pure_functions(program.trees, program.namespace)
    made = Cut({}, pure, frozenset(silent), _suspending(trees, more) | more, [])
    lines = Lines()
    for name, tree in trees.items():
        function = program.functions[name]
        made.pieces[name] = _piece(tree, function.__code__.co_filename, function.__module__, made.suspending, lines)
    made.spans = lines.spans
    return made


def _piece(tree: ast.FunctionDef, file: str, module: str, suspending: AbstractSet[str], lines: Lines) -> Piece:
    marked = lines.marked(tree, file)
    if tree.name in suspending:
        flow, code = cut_up(marked, file, module, (SUSPENDING | suspending).__contains__)
        return Piece(code, flow)
    return Piece(compile(ast.fix_missing_locations(ast.Module([_plain(marked)], [])), file, "exec"), None)


class Protocol:
    """A program's functions as flows, and the drivers that threads begin with.

    A driver is a function written for one scope: what one thread calls, in order.
    """

    def __init__(
        self,
        program: Program,
        drivers: Mapping[str, ast.FunctionDef],
        direct: Mapping[str, Any],
        more: frozenset[str] = frozenset(),
    ) -> None:
        """``direct`` gives the primitives that do not suspend (local_read, this_cpu_ptr, ...) unless in ``more``."""
        self.program = program
        self.more = more
        known = cut_of(program, more)
        self.lines = Lines(known.spans)
        self.namespace: dict[str, Any] = {**program.namespace, **direct, **self.lines.names()}
        trees = {
            name: untraced(normalise(tree, known.pure.__contains__), known.silent) for name, tree in drivers.items()
        }
        self.suspending = known.suspending | _suspending(trees, known.suspending)
        pieces = dict(known.pieces)
        for name, tree in trees.items():
            pieces[name] = _piece(tree, "<scope>", "scope", self.suspending, self.lines)
        self.flows: dict[str, Flow] = {}
        for name, piece in pieces.items():
            if piece.flow is not None:
                self.flows[name] = bound(piece.flow, piece.code, self.namespace)
            else:
                exec(piece.code, self.namespace)  # noqa: S102 - the protocol's own functions

    def suspends(self, name: str) -> bool:
        """Return whether a call of a function may suspend."""
        return name in SUSPENDING or name in self.suspending


def untraced(tree: ast.FunctionDef, silent: AbstractSet[str]) -> ast.FunctionDef:
    """Return a function without the statements that only call what is ``silent``."""
    return _without(tree, silent) if silent & set(calls(tree)) else tree


def _without(node: Any, silent: AbstractSet[str]) -> Any:
    new = copy.copy(node)
    match new:
        case ast.Match():
            new.cases = [_without(case, silent) for case in new.cases]
        case ast.FunctionDef() | ast.If() | ast.While() | ast.For() | ast.match_case():
            new.body = _kept(new.body, silent) or [ast.copy_location(ast.Pass(), new.body[0])]
            if not isinstance(new, ast.FunctionDef | ast.match_case):
                new.orelse = _kept(new.orelse, silent)
    return new


def _kept(statements: list[ast.stmt], silent: AbstractSet[str]) -> list[ast.stmt]:
    return [
        _without(each, silent) for each in statements if not (isinstance(each, ast.Expr) and called(each) in silent)
    ]


def _suspending(trees: Mapping[str, ast.FunctionDef], known: AbstractSet[str] = frozenset()) -> frozenset[str]:
    """Return the functions that reach a suspending primitive or function, or a loop of unknown length."""
    called = {name: frozenset(calls(tree)) for name, tree in trees.items()}
    found = {name for name, tree in trees.items() if any(isinstance(node, ast.While) for node in ast.walk(tree))}
    reach = SUSPENDING | known
    while more := {name for name, names in called.items() if name not in found and names & (reach | found)}:
        found |= more
    return frozenset(found)


def _plain(tree: ast.FunctionDef) -> ast.FunctionDef:
    """Return a function without annotations, which its new namespace may not know."""
    tree.returns = None
    tree.args = ast.arguments(
        [], [ast.arg(each.arg) for each in tree.args.args], None, [], [], None, tree.args.defaults
    )
    return tree
