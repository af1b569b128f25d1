"""The loaded protocol, ready to be run in steps: functions that may suspend as flows, the others as they are."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from hosts.anf import normalise
from hosts.explorer.flow import Flow, Lines, cut
from hosts.loader import Program
from hosts.points import called
from hosts.scope import calls, pure_functions

SUSPENDING: Final = frozenset(
    {
        *("READ_ONCE", "WRITE_ONCE", "smp_load_acquire", "smp_store_release", "xchg", "cmpxchg"),
        *("test_and_set_bit", "test_and_clear_bit", "set_bit", "clear_bit", "atomic_inc", "smp_mb"),
        *("peek", "mark", "interrupt_point", "send_IPI", "apic_pending", "apic_ack", "choose", "one_in"),
        *("deadline_passed", "run_goes_on", "ipis_in_flight", "say_silent", "all_silent"),
        *("fenceless_xchg", "fenceless_cmpxchg", "fenceless_test_and_set_bit", "fenceless_test_and_clear_bit"),
        *("fenceless_set_bit", "fenceless_clear_bit", "fenceless_atomic_inc", "late_store"),
    }
)
"""Primitives that others may notice, or that branch. The rest a thread does by itself. The last two lines are no
primitives of the waist: the audit puts them in (hosts.explorer.weaken)."""

TRACEPOINTS: Final = "emu.tracepoints"
"""The module whose functions do nothing here: calls of them are left out, or they would keep locals alive."""

INSTRUMENTS: Final = frozenset({"emu.checkers", "emu.instruments", "emu.accounting", TRACEPOINTS})
"""Modules that only look: what they do belongs to the step around it."""


class Protocol:
    """A program's functions as flows, and the drivers that threads begin with.

    A driver is a function written for one scope: what one thread calls, in order.
    """

    def __init__(self, program: Program, drivers: Mapping[str, ast.FunctionDef], direct: Mapping[str, Any]) -> None:
        """``direct`` gives the primitives that do not suspend (local_read, this_cpu_ptr, ...)."""
        self.program = program
        self.lines = Lines()
        self.namespace: dict[str, Any] = {**program.namespace, **direct, **self.lines.names()}
        trees = dict(program.trees)
        pure = pure_functions(trees, program.namespace).__contains__
        trees |= {name: normalise(tree, pure) for name, tree in drivers.items()}
        silent = {name for name, function in program.functions.items() if function.__module__ == TRACEPOINTS}
        trees = {name: untraced(tree, silent | {"trace"}) for name, tree in trees.items()}
        self.suspending = _suspending(trees)
        self.flows: dict[str, Flow] = {}
        for name, tree in trees.items():
            function = program.functions.get(name)
            file = function.__code__.co_filename if function is not None else "<scope>"
            module = function.__module__ if function is not None else "scope"
            marked = self.lines.marked(tree, file)
            if name in self.suspending:
                self.flows[name] = cut(marked, file, module, self.suspends, self.namespace)
            else:
                exec(compile(ast.fix_missing_locations(ast.Module([_plain(marked)], [])), file, "exec"), self.namespace)  # noqa: S102

    def suspends(self, name: str) -> bool:
        """Tell whether a call of a function may suspend."""
        return name in SUSPENDING or name in self.suspending


def untraced(tree: ast.FunctionDef, silent: AbstractSet[str]) -> ast.FunctionDef:
    """Give a function without the statements that only call what is ``silent``."""
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


def _suspending(trees: Mapping[str, ast.FunctionDef]) -> frozenset[str]:
    """Give the functions from which a suspending primitive can be reached."""
    called = {name: frozenset(calls(tree)) for name, tree in trees.items()}
    found: set[str] = set()
    while more := {name for name, names in called.items() if name not in found and names & (SUSPENDING | found)}:
        found |= more
    return frozenset(found)


def _plain(tree: ast.FunctionDef) -> ast.FunctionDef:
    """Give a function without annotations, which its new namespace may not know."""
    tree.returns = None
    tree.args = ast.arguments(
        [], [ast.arg(each.arg) for each in tree.args.args], None, [], [], None, tree.args.defaults
    )
    return tree
