"""Deferrable vectors: taking them can be deferred to the last point of a window, as their handlers only count.

This is decided from the handlers as they are loaded, mutations included: a handler that calls anything but a counter
makes its vector one that is taken at every point.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from hosts.explorer.threads.machine_words import VECTORS
from hosts.explorer.threads.protocol import TRACEPOINTS, cut_of
from hosts.loader.program import Program

DISPATCH: Final = "handle_vector"
COUNTS: Final = frozenset({"count", "window", "trace"})
"""What nobody else notices, nor the code that is interrupted."""


def deferrable_vectors(program: Program, vectors: tuple[int, ...]) -> frozenset[int]:
    """Return the vectors whose handlers only count; none of a program that dispatches no interrupts."""
    if DISPATCH not in program.trees:
        return frozenset()
    return frozenset(vector for vector in vectors if _only_counts(program, vector))


def deferrable_of(program: Program) -> frozenset[int]:
    """Return the deferrable vectors of a program, computed once."""
    cut = cut_of(program)
    if cut.deferrable is None:
        cut.deferrable = deferrable_vectors(program, VECTORS)
    return cut.deferrable


def _only_counts(program: Program, vector: int) -> bool:
    tree = program.trees[DISPATCH]
    seen = {DISPATCH}
    todo = list(_reached(program, tree.body, tree.args.args[0].arg, vector))
    while todo:
        name = todo.pop()
        if name in COUNTS or _is_tracepoint(program, name) or name in seen:
            continue
        if name not in program.trees:
            return False
        seen.add(name)
        todo += _calls(*program.trees[name].body)
    return True


def _is_tracepoint(program: Program, name: str) -> bool:
    return name in program.functions and program.functions[name].__module__ == TRACEPOINTS


def _reached(program: Program, body: list[ast.stmt], name: str, vector: int) -> Iterator[str]:
    """Yield what statements call when a name holds the vector: only the arm of a comparison that it comes to."""
    for statement in body:
        if not isinstance(statement, ast.If):
            yield from _calls(statement)
            continue
        answer = _decided(program, statement.test, name, vector)
        yield from _calls(statement.test)
        if answer is not False:
            yield from _reached(program, statement.body, name, vector)
        if answer is not True:
            yield from _reached(program, statement.orelse, name, vector)


def _decided(program: Program, test: ast.expr, name: str, vector: int) -> bool | None:
    """Decide ``vector == CONSTANT``; None for any other question."""
    match test:
        case ast.Compare(ast.Name(left), [ast.Eq()], [ast.Name(right)]) if left == name:
            return bool(program.namespace.get(right) == vector)
    return None


def _calls(*nodes: ast.AST) -> Iterator[str]:
    """Name what is called somewhere in a piece of code."""
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.Call):
                yield each.func.id if isinstance(each.func, ast.Name) else ""
