"""The subset of Python that a protocol function may be written in, and one clear error about anything else.

Three machines run these functions: CPython, Numba and the explorer, which takes a function's named locals for its
whole state. What one of them does not run, or would silently run with another meaning (``is``, ``1 << n``, a value that
only an evaluation stack or a closure holds), is refused here, before anything is compiled.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

TEMPORARY: Final = "_pirace_"
"""What the names that the loader makes up begin with."""

WORD_MIN: Final = -(1 << 63)
WORD_MAX: Final = (1 << 63) - 1


class LoaderError(Exception):
    """Something in a protocol function that the loader cannot take; the message begins with file and line."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason

    def __reduce__(self) -> tuple[type[LoaderError], tuple[str, int, str]]:
        return type(self), (self.file, self.line, self.reason)


class PolicyError(LoaderError):
    """Something in a user's policy that pirace cannot run."""


@dataclass(frozen=True)
class Origin:
    """Where source text comes from, so that a refusal can say so."""

    file: str
    error: type[LoaderError] = LoaderError
    note: str = ""
    """Put before the reason: the mutation that brought the text in."""

    @property
    def is_users(self) -> bool:
        """Return whether it is a user's policy."""
        return issubclass(self.error, PolicyError)

    def refuse(self, node: ast.AST | None, reason: str) -> NoReturn:
        """Raise the one error about ``node``."""
        raise self.error(self.file, getattr(node, "lineno", 1), self.note + reason)


_ALLOWED: Final = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Pass),
    *(ast.If, ast.While, ast.For, ast.Break, ast.Continue),
    *(ast.Match, ast.match_case, ast.MatchValue, ast.MatchSingleton, ast.MatchOr, ast.MatchAs),
    *(ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Tuple),
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)

_FUNCTION_INSIDE: Final = "a function inside a function"
_COMPREHENSION: Final = "a comprehension (write the loop)"
_REASONS: Final[dict[type[ast.AST], str]] = {
    ast.FunctionDef: _FUNCTION_INSIDE,
    ast.AsyncFunctionDef: _FUNCTION_INSIDE,
    ast.Lambda: "a lambda",
    ast.ClassDef: "a class inside a function",
    ast.ListComp: _COMPREHENSION,
    ast.SetComp: _COMPREHENSION,
    ast.DictComp: _COMPREHENSION,
    ast.GeneratorExp: "a generator expression (write the loop)",
    ast.Yield: "a generator",
    ast.YieldFrom: "a generator",
    ast.Await: "await",
    ast.Try: "try",
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.With: "with",
    ast.Global: "global (state lives in the machine's memory)",
    ast.Nonlocal: "nonlocal",
    ast.Import: "import inside a function",
    ast.ImportFrom: "import inside a function",
    ast.Delete: "del",
    ast.NamedExpr: "':=' (write the assignment before)",
    ast.Starred: "'*' in a call, a tuple or an assignment",
    ast.JoinedStr: "an f-string",
    ast.List: "a list",
    ast.Dict: "a dict",
    ast.Set: "a set",
    ast.Slice: "a slice",
}


_NOT_EXECUTED: Final = frozenset({"annotation", "ctx", "returns", "type_comment", "type_params"})


def children(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that are executed: all but annotations."""
    parts: list[ast.AST] = []
    for name in _fields_of(node):
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            parts.append(value)
        elif value.__class__ is list:
            parts += [part for part in value if isinstance(part, ast.AST)]
    return parts


_fields: Final[dict[type, tuple[str, ...]]] = {}
"""By kind of node, as far as asked for: there are a hundred thousand nodes and a few dozen kinds."""


def _fields_of(node: ast.AST) -> tuple[str, ...]:
    fields = _fields.get(node.__class__)
    if fields is None:
        fields = _fields[node.__class__] = tuple(name for name in node._fields if name not in _NOT_EXECUTED)
    return fields


def walk(*nodes: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes and all their executed parts, in the order of the source."""
    left = list(reversed(nodes))
    while left:
        node = left.pop()
        yield node
        left += reversed(children(node))


def bodies(statement: ast.AST) -> list[list[ast.stmt]]:
    """Return the lists of statements directly inside a statement, in the order of the source."""
    if isinstance(statement, ast.Match):
        return [case.body for case in statement.cases]
    both = [getattr(statement, field, []) for field in ("body", "orelse")]
    return [body for body in both if isinstance(body, list) and body]


def with_bodies(statement: ast.stmt, change: Callable[[list[ast.stmt]], list[ast.stmt]]) -> ast.stmt:
    """Return a copy of a statement, with the lists of statements inside it changed."""
    new = copy.copy(statement)
    match new:
        case ast.If() | ast.While() | ast.For():
            new.body = change(new.body)
            new.orelse = change(new.orelse) if new.orelse else []
        case ast.Match():
            new.cases = [ast.match_case(case.pattern, case.guard, change(case.body)) for case in new.cases]
    return new


def parameters(function: ast.FunctionDef) -> list[str]:
    """Return the names of a function's parameters."""
    return [argument.arg for argument in function.args.args]


def assigned(*nodes: ast.AST) -> set[str]:
    """Return the names that the nodes assign."""
    return {node.id for node in walk(*nodes) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def local_names(function: ast.FunctionDef) -> set[str]:
    """Return the names that are local to a function."""
    return {*parameters(function), *assigned(*function.body)}


def without_docstring(function: ast.FunctionDef) -> list[ast.stmt]:
    """Return the statements of a function that do something."""
    return function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body


def check_language(function: ast.FunctionDef | ast.AsyncFunctionDef, origin: Origin) -> None:
    """Refuse what is outside of the language."""
    if not isinstance(function, ast.FunctionDef):
        origin.refuse(function, f"{function.name} is async: a protocol function is a plain one")
    _check_signature(function, origin)
    rules = _Rules(local_names(function), origin)
    for node in walk(*without_docstring(function)):
        if not isinstance(node, _ALLOWED):
            what = _REASONS.get(type(node), type(node).__name__)
            origin.refuse(node, f"{what} is not part of the protocol's language")
        check = getattr(rules, f"check_{type(node).__name__}", None)
        if check is not None:
            check(node)


def _check_signature(function: ast.FunctionDef, origin: Origin) -> None:
    if function.decorator_list:
        origin.refuse(function.decorator_list[0], f"{function.name} has a decorator: a protocol function has none")
    given = function.args
    if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
        origin.refuse(function, f"{function.name} has parameters other than plain positional ones")
    for parameter in given.args:
        _check_name(parameter, parameter.arg, origin)
    for default in given.defaults:
        if not isinstance(default, ast.Constant):
            origin.refuse(default, "a default value is a plain number")


def _check_name(node: ast.AST, name: str, origin: Origin) -> None:
    if name.startswith(TEMPORARY):
        origin.refuse(node, f"{name}: names that begin with {TEMPORARY!r} are the loader's")


class _Rules:
    """What is asked of single kinds of nodes: ``check_<kind>``, found by name."""

    def __init__(self, local: set[str], origin: Origin) -> None:
        self.local = local
        self.origin = origin

    def check_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._names_only(node, target.elts if isinstance(target, ast.Tuple) else [target], node.value)

    def check_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._names_only(node, [node.target], node.value)

    def check_AugAssign(self, node: ast.AugAssign) -> None:
        self._names_only(node, [node.target], ast.BinOp(node.target, node.op, node.value))
        self._operator(node, node.op, node.value)

    def _names_only(self, node: ast.stmt, targets: list[ast.expr], value: ast.expr | None) -> None:
        for target in targets:
            if isinstance(target, ast.Attribute | ast.Subscript) and value is not None:
                word = ast.unparse(target)
                written = f"WRITE_ONCE({word}, {ast.unparse(value)})"
                self.origin.refuse(node, f"only local names are assigned; a word is written by {written} or its like")
            if not isinstance(target, ast.Name):
                self.origin.refuse(node, "only local names are assigned; words are written by WRITE_ONCE and its like")

    def check_Name(self, node: ast.Name) -> None:
        _check_name(node, node.id, self.origin)

    def check_While(self, node: ast.While | ast.For) -> None:
        if node.orelse:
            self.origin.refuse(node.orelse[0], "'else' after a loop is not part of the protocol's language")

    def check_For(self, node: ast.For) -> None:
        self.check_While(node)
        called = node.iter.func if isinstance(node.iter, ast.Call) else None
        if not isinstance(called, ast.Name) or called.id != "range" or not isinstance(node.target, ast.Name):
            self.origin.refuse(node, "'for' only counts: for name in range(...)")
        if node.target.id in assigned(*node.body):
            self.origin.refuse(node, f"the loop's own {node.target.id} is assigned inside the loop")

    def check_Call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name):
            self.origin.refuse(node, f"{ast.unparse(node.func)}(): only functions are called, by their plain names")
        if node.func.id in self.local:
            self.origin.refuse(node, f"{node.func.id}() is called through a variable: compiled code cannot")
        if any(keyword.arg is None for keyword in node.keywords):
            self.origin.refuse(node, "'**' in a call is not part of the protocol's language")

    def check_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.origin.refuse(node, "a string is not part of the protocol's language")
        if node.value is not None and not isinstance(node.value, int):
            self.origin.refuse(node, f"{ast.unparse(node)}: a value is a whole number")
        if isinstance(node.value, int) and not WORD_MIN <= node.value <= WORD_MAX:
            self.origin.refuse(node, f"{ast.unparse(node)}: a word is a signed 64-bit number (bit 63 is BIT(63))")

    def check_BinOp(self, node: ast.BinOp) -> None:
        self._operator(node, node.op, node.right)

    def _operator(self, node: ast.AST, operator: ast.operator, right: ast.expr) -> None:
        if isinstance(operator, ast.Div | ast.Pow | ast.MatMult):
            self.origin.refuse(node, "'/', '**' and '@' are not part of the protocol's language")
        if isinstance(operator, ast.LShift):
            parts = list(walk(right))
            names = {part.id for part in parts if isinstance(part, ast.Name)}
            if names & self.local or any(isinstance(part, ast.Call) for part in parts):
                self.origin.refuse(node, "'<<' by a variable amount: use BIT(n), which means the same everywhere")

    def check_Compare(self, node: ast.Compare) -> None:
        if any(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops):
            self.origin.refuse(node, "'is' differs between plain and compiled code: compare with ==")

    def check_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None and any(isinstance(part, ast.Call) for part in walk(node.guard)):
            self.origin.refuse(node.guard, "a call in the guard of a case: name its result before the match")
        for part in walk(node.pattern):
            if isinstance(part, ast.MatchAs) and part.name is not None:
                self.origin.refuse(part, "a case compares; it does not bind names")
