"""A user's function in the place of a protocol function: whether it fits there, and what it may do besides a rule."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType

from emu import reach
from emu.observe import is_instrument
from hosts.loader.rule.brought import Brought
from hosts.loader.syntax.language import Origin, parameters, walk
from hosts.loader.syntax.names import PRIMITIVES


@dataclass(frozen=True)
class Replaced:
    """A function of the user's, and the one that it stands for."""

    file: str
    line: int
    former_file: str
    former_line: int


@dataclass(frozen=True)
class Reach:
    """What a function of the user's may do that a rule may not."""

    functions: frozenset[str] = frozenset()
    """The protocol's functions and primitives that it calls."""
    words: frozenset[str] = frozenset()
    """Names of fields that it reads and writes."""
    is_replacement: bool = False


OF_A_RULE = Reach()


def reaches(brought: Brought, replaced: Mapping[str, ast.FunctionDef], modules: Mapping[str, str]) -> dict[str, Reach]:
    """Return what each of the user's functions may do: what the replaced functions of its file do themselves.

    A helper may do what the replacements beside it may; a kernel's files are one in this.
    """
    of_group: dict[str, Reach] = {}
    for group in {_group(origin.file) for origin in brought.origins.values()}:
        names = [name for name in replaced if _group(brought.origins[name].file) == group]
        if names:
            calls = frozenset().union(*(_callable_in(modules[name]) for name in names))
            words = frozenset(
                node.attr for name in names for node in walk(*replaced[name].body) if isinstance(node, ast.Attribute)
            )
            of_group[group] = Reach(calls | reach.OWN_PRIMITIVES, words, is_replacement=True)
    return {name: of_group.get(_group(brought.origins[name].file), OF_A_RULE) for name in brought.functions}


def _group(file: str) -> str:
    """Return what the functions of a file have in common: the file, or that they are a kernel's."""
    return "C" if file.endswith((".c", ".h")) else file


def _callable_in(module: str) -> frozenset[str]:
    """Return the functions that a module defines or imports, instruments aside."""
    return frozenset(
        name
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, FunctionType)
        and not is_instrument(value.__module__)
        and (value.__module__ != "emu.waist" or (name in PRIMITIVES and name not in reach.FOR_INSTRUMENTS))
    )


def check_fit(tree: ast.FunctionDef, former: ast.FunctionDef, origin: Origin) -> None:
    """Refuse a replacement that cannot be called as the former function is, or leaves its callers without a result."""
    given, wanted = parameters(tree), parameters(former)
    if len(given) != len(wanted) or tree.args.defaults:
        text = f"{former.name}({', '.join(wanted)})"
        said = f"{tree.name} takes {len(given)} parameters" if not tree.args.defaults else f"{tree.name} has defaults"
        origin.refuse(tree, f"{said}; the function that it replaces is called as {text}")
    if gives_number(former) and (missing := without_result(tree)) is not None:
        text = ast.unparse(former.returns) if former.returns is not None else "a number"
        origin.refuse(missing, f"{tree.name} ends here without a result; the function that it replaces gives {text}")


def gives_number(function: ast.FunctionDef) -> bool:
    """Return whether a function of the protocol gives something."""
    return not (isinstance(function.returns, ast.Constant) and function.returns.value is None)


def without_result(function: ast.FunctionDef) -> ast.stmt | None:
    """Return where a function ends without a result."""
    for node in walk(*function.body):
        if isinstance(node, ast.Return) and (node.value is None or _is_none(node.value)):
            return node
    return function.body[-1] if _goes_on(function.body) else None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _goes_on(statements: Iterable[ast.stmt]) -> bool:
    """Return whether what stands behind some statements may be reached."""
    for statement in statements:
        match statement:
            case ast.Return() | ast.Break() | ast.Continue():
                return False
            case ast.If(body=body, orelse=orelse):
                if not _goes_on(body) and not _goes_on(orelse):
                    return False
            case ast.While(test=ast.Constant(value=value), body=body) if value and not _breaks(body):
                return False
            case ast.Match(cases=cases) if isinstance(cases[-1].pattern, ast.MatchAs) and cases[-1].guard is None:
                if not any(_goes_on(case.body) for case in cases):
                    return False
    return True


def _breaks(statements: Iterable[ast.stmt]) -> bool:
    """Return whether a loop is left by a ``break`` of its own."""
    for statement in statements:
        match statement:
            case ast.Break():
                return True
            case ast.If(body=body, orelse=orelse):
                if _breaks(body) or _breaks(orelse):
                    return True
            case ast.Match(cases=cases):
                if any(_breaks(case.body) for case in cases):
                    return True
    return False
