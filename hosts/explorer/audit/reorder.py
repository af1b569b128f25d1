"""Reordering operator: adjacent accesses that a compiler, or a rewrite of the source, could exchange.

An access is a primitive, or a call of a function that makes exactly one access (``pi_clear_on``). A pair is an access
and its neighbour: another access, or a call that does nothing but access words and send (``kvm_apic_update_irr``). Only
interrupt points and compiler barriers stand between the two, and an exchange ignores them. Two accesses are no pair if
one needs the result of the other, or if both are of one word.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from hosts.loader.primitives import ACCESSES, BITS, COMPILER_BARRIERS, TABLE
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.language import walk
from hosts.loader.syntax.names import calls

MOVABLE: Final = frozenset({*ACCESSES, "send_IPI"})
_OTHERWISE: Final = frozenset(
    {*(row.name for row in TABLE.values() if row.environment), "local_irq_enable", "local_irq_disable"}
)
"""What is no access: a function that comes to one of these is not moved."""
_SCHEDULER: Final = {"preempt_enable": 0, "ttwu_queue": 2}
"""What tasks add: a task may be preempted there, as at an interrupt point, which is no access of its own; and one that
is woken is put into a queue, whichever is chosen."""

Unit = Sequence[int]
"""Places of statements that belong together: a call with the interrupt point before it."""


class Pairs:
    """Finds the pairs in a program's functions."""

    def __init__(self, trees: Mapping[str, ast.FunctionDef]) -> None:
        self.trees = trees
        self._counts: dict[str, int] = {**dict.fromkeys(MOVABLE, 1), **dict.fromkeys(_OTHERWISE, -1), **_SCHEDULER}

    def of(self, statements: Sequence[ast.stmt]) -> Iterator[tuple[Unit, Unit]]:
        """Yield the pairs of one list of statements, each as the indices of the statements that are exchanged."""
        last: list[int] = []
        point: list[int] = []
        for i, statement in enumerate(statements):
            name = called(statement)
            if name == "interrupt_point":
                point = [i]
                continue
            if name in COMPILER_BARRIERS:
                continue
            unit = [*point, i] if self.count(name) > 0 else []
            point = []
            if last and unit and self._may_change(statements[last[-1]], statement):
                yield last, unit
            last = unit

    def count(self, name: str) -> int:
        """Count the accesses that a call comes to: 0 for none, 2 for several, -1 if it does something else too."""
        if name not in self._counts:
            tree = self.trees.get(name)
            self._counts[name] = 0
            self._counts[name] = self._count_in(tree) if tree is not None else 0
        return self._counts[name]

    def _count_in(self, tree: ast.FunctionDef) -> int:
        if any(self.count(name) < 0 for name in calls(tree)):
            return -1
        each = [
            self.count(node.func.id)
            for node in walk(*tree.body)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        loops = any(isinstance(node, ast.While | ast.For) for node in walk(*tree.body))
        return min(sum(each) * (2 if loops else 1), 2)

    def _may_change(self, a: ast.stmt, b: ast.stmt) -> bool:
        if self.count(called(a)) > 1 and self.count(called(b)) > 1:
            return False
        if _names(a, ast.Store) & (_names(b, ast.Load) | _names(b, ast.Store)):
            return False
        if _names(b, ast.Store) & _names(a, ast.Load):
            return False
        return not (called(a) in MOVABLE and called(b) in MOVABLE and _word(a) == _word(b))


def _names(statement: ast.stmt, context: type[ast.expr_context]) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def _word(statement: ast.stmt) -> str:
    """Return the word of an access as it is written."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) else None
    assert isinstance(value, ast.Call)  # noqa: S101 - hosts.loader.syntax.interrupt_points.called says so
    bits = called(statement) in BITS
    return ast.unparse(value.args[1 if bits else 0]) if len(value.args) > bits else ""
