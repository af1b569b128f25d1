"""Name resolution in a protocol function: every name is known, every call fits, every local has a value.

CPython reports such faults only when it reaches them, Numba in a long message or not at all: a local that was never
assigned is 0 in compiled code.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Final, NewType

from emu import waist
from emu.memory import Struct
from hosts.loader.primitives import TABLE
from hosts.loader.syntax.language import Origin, local_names, parameters, walk

PURE_BUILTINS: Final = frozenset({"abs", "bool", "int", "len", "max", "min", "range"})
_INSERTED: Final = frozenset(row.name for row in TABLE.values() if row.inserted)
_ONLY_IN: Final = {row.name: row.only_in for row in TABLE.values() if row.only_in}
_PURE_PRIMITIVES: Final = frozenset(row.name for row in TABLE.values() if row.pure)

PRIMITIVES: Final[Mapping[str, FunctionType]] = {
    name: value
    for name, value in vars(waist).items()
    if isinstance(value, FunctionType) and value.__module__ == waist.__name__ and name != "set_host"
}
"""The narrow waist."""


@dataclass(frozen=True)
class Scope:
    """What the flat namespace holds."""

    values: Mapping[str, object]
    functions: Mapping[str, ast.FunctionDef]
    """The protocol's functions, which are called and nothing else."""
    fields: frozenset[str]
    """The names of all fields of all structs."""

    def check(self, function: ast.FunctionDef, origin: Origin) -> None:
        """Refuse names that mean nothing, calls that do not fit, and locals that may be without a value."""
        _Flow(self, function, origin).run()

    def signature(self, name: str) -> inspect.Signature | None:
        """Return the parameters of what can be called by a name, if they are known."""
        if name in self.functions:
            return _signature(self.functions[name])
        value = self.values.get(name)
        if isinstance(value, FunctionType) or (isinstance(value, type) and issubclass(value, Struct)):
            return inspect.signature(value)
        return None


def struct_fields(values: Iterable[object]) -> frozenset[str]:
    """Return the names of all fields of the structs among some values."""
    structs = [value for value in values if isinstance(value, type) and issubclass(value, Struct)]
    return frozenset({"at"}.union(*(struct.fields for struct in structs)))


def pure_functions(functions: Mapping[str, ast.FunctionDef], values: Mapping[str, object]) -> frozenset[str]:
    """Return the names of pure functions, whose calls may stay inside of expressions: they reach no host.

    These are some primitives and builtins, classes, and the protocol's functions that call nothing else.
    """
    pure = {name for name, value in values.items() if isinstance(value, type | NewType)}
    pure |= _PURE_PRIMITIVES | PURE_BUILTINS
    waiting = {name: set(calls(function)) for name, function in functions.items()}
    while ready := {name for name, called in waiting.items() if called <= pure}:
        pure |= ready
        waiting = {name: called for name, called in waiting.items() if name not in ready}
    return frozenset(pure)


def calls(function: ast.FunctionDef) -> dict[str, ast.Call]:
    """Return the names of what a function calls, each with the first call."""
    found: dict[str, ast.Call] = {}
    for node in walk(*function.body):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.setdefault(node.func.id, node)
    return found


def check_recursion(functions: Mapping[str, ast.FunctionDef], origins: Mapping[str, Origin]) -> None:
    """Refuse functions that call themselves, by whatever way round: compiled code cannot."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            ring = path[path.index(name) :]
            culprit = next((item for item in ring if origins[item].is_users), ring[-1])
            start = ring.index(culprit)
            way = [*ring[start:], *ring[: start + 1]]
            reason = f"{culprit} ends up calling itself: {' -> '.join(way)}"
            origins[culprit].refuse(calls(functions[culprit])[way[1]], reason)
        if name in functions and name not in done:
            for called in calls(functions[name]):
                visit(called, [*path, name])
            done.add(name)

    for name in functions:
        visit(name, [])


def _signature(function: ast.FunctionDef) -> inspect.Signature:
    names = parameters(function)
    needed = len(names) - len(function.args.defaults)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    empty = inspect.Parameter.empty
    return inspect.Signature(
        [inspect.Parameter(name, kind, default=empty if i < needed else 0) for i, name in enumerate(names)]
    )


Known = frozenset[str]


class _Flow:
    """One function's pass: follows its statements with the locals that surely have a value (None: never gets there)."""

    def __init__(self, scope: Scope, function: ast.FunctionDef, origin: Origin) -> None:
        self.scope = scope
        self.function = function
        self.origin = origin
        self.local = local_names(function)
        self.called: set[ast.expr] = set()
        self.leaving: list[list[Known]] = []
        """For each loop around: what is known at each ``break``."""

    def run(self) -> None:
        self.block(self.function.body, frozenset(parameters(self.function)))

    def block(self, statements: list[ast.stmt], known: Known | None) -> Known | None:
        for statement in statements:
            known = self.statement(statement, frozenset(self.local) if known is None else known)
        return known

    def statement(self, statement: ast.stmt, known: Known) -> Known | None:  # noqa: PLR0911 - one for each kind
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                self.uses(known, test)
                return _either([self.block(body, known), self.block(orelse, known)])
            case ast.While(test=test, body=body):
                self.uses(known, test)
                forever = isinstance(test, ast.Constant) and bool(test.value)
                return self.loop(body, known, [] if forever else [known])
            case ast.For(target=ast.Name(id=counter), iter=counted, body=body):
                self.uses(known, counted)
                return self.loop(body, known | {counter}, [known])
            case ast.Match(subject=subject, cases=cases):
                self.uses(known, subject, *(case.pattern for case in cases))
                self.uses(known, *(case.guard for case in cases if case.guard is not None))
                ends = [self.block(case.body, known) for case in cases]
                return _either(ends if _catches_all(cases[-1]) else [*ends, known])
            case ast.Break() | ast.Continue():
                if not self.leaving:
                    self.origin.refuse(statement, "'break' or 'continue' outside of a loop")
                if isinstance(statement, ast.Break):
                    self.leaving[-1].append(known)
                return None
            case ast.Return(value=value):
                self.uses(known, *([] if value is None else [value]))
                return None
        self.uses(known, statement)
        stored = {node.id for node in walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return known if isinstance(statement, ast.AnnAssign) and statement.value is None else known | stored

    def loop(self, body: list[ast.stmt], known: Known, ends: list[Known | None]) -> Known | None:
        self.leaving.append([])
        self.block(body, known)
        return _either([*ends, *self.leaving.pop()])

    # --- names ---------------------------------------------------------------------------------------------------

    def uses(self, known: Known, *nodes: ast.AST) -> None:
        """Check what is read and called in expressions, or in a statement that holds no other."""
        for node in walk(*nodes):
            match node:
                case ast.Call(func=ast.Name()):
                    self.called.add(node.func)
                    self.call(node)
                case ast.AugAssign(target=ast.Name(id=name)) if name not in known:
                    self.origin.refuse(node, f"{name} may have no value here")
                case ast.Name(id=name, ctx=ast.Load()):
                    self.name(node, name, known)
                case ast.Attribute(value=value, attr=attribute):
                    self.attribute(node, value, attribute)

    def name(self, node: ast.Name, name: str, known: Known) -> None:
        if name in self.local:
            if name not in known:
                self.origin.refuse(node, f"{name} may have no value here")
        elif name in _INSERTED:
            self.origin.refuse(node, f"{name}() is put in by the loader, never by hand")
        elif name not in self.scope.values and name not in self.scope.functions and name not in PURE_BUILTINS:
            self.origin.refuse(node, f"{name} is neither a local nor a name of the protocol")
        elif (name in self.scope.functions or name in PRIMITIVES) and node not in self.called:
            self.origin.refuse(node, f"{name} is a function: it is called, not passed on")

    def call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        value = self.scope.values.get(name)
        if self.function.name != _ONLY_IN.get(name, self.function.name):
            self.origin.refuse(node, f"{name}() is called by {_ONLY_IN[name]}() only")
        if name not in self.scope.functions and name in self.scope.values:
            if isinstance(value, FunctionType) and PRIMITIVES.get(name) is not value:
                self.origin.refuse(node, f"{name}() comes from {value.__module__}, which is no protocol module")
            if not isinstance(value, FunctionType | type | NewType):
                self.origin.refuse(node, f"{name} is not a function")
        signature = self.scope.signature(name)
        if signature is not None:
            try:
                signature.bind(*node.args, **{str(keyword.arg): keyword.value for keyword in node.keywords})
            except TypeError as error:
                self.origin.refuse(node, f"{name}(): {error}")

    def attribute(self, node: ast.Attribute, value: ast.expr, attribute: str) -> None:
        if isinstance(value, ast.Name) and value.id not in self.local:
            if value.id in self.scope.values and not hasattr(self.scope.values[value.id], attribute):
                self.origin.refuse(node, f"{value.id} has no {attribute}")
        elif attribute not in self.scope.fields:
            self.origin.refuse(node, f"no struct has a field {attribute}")


def _either(ends: list[Known | None]) -> Known | None:
    """Join ways that lead to one place."""
    reached = [end for end in ends if end is not None]
    return frozenset.intersection(*reached) if reached else None


def _catches_all(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.guard is None
