"""Calls of instruments in a user's copy of one of ``emu``'s functions, which are left out.

A function of the emulated kernel calls its probes and trace points itself, each in a line of its own. A user's function
is given its instruments by the loader, wherever they are due. So that a function of ``emu`` can be copied and edited as
it stands, its lines that do nothing else are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection

from emu.observe import is_instrument
from hosts.loader.rule.bindings import Bindings
from hosts.loader.syntax.language import Origin, bodies, walk


def imported_instruments(file: Bindings) -> frozenset[str]:
    """Return the names by which a file knows functions of instruments."""
    return frozenset(
        name
        for name, statement in file.plain.items()
        if isinstance(statement, ast.ImportFrom) and is_instrument(statement.module or "")
    )


class WithoutInstruments:
    """Takes the instruments' calls out of functions."""

    def __init__(self, names: Collection[str], is_pure: Callable[[str], bool], origin: Origin) -> None:
        """``names``: those of instruments. ``is_pure``: whether a function by another name does nothing."""
        self.names, self.is_pure, self.origin = names, is_pure, origin

    def strip(self, function: ast.FunctionDef) -> None:
        """Change a function."""
        if not self.names:
            return
        kept = self._kept_results(function)
        self._strip(function.body, kept)

    def _kept_results(self, function: ast.FunctionDef) -> set[str]:
        """Return the locals that are used for something else than to be given to an instrument."""
        for_instruments = {
            id(part)
            for statement in walk(*function.body)
            if isinstance(statement, ast.stmt) and (call := self._call_in(statement)) is not None
            for part in walk(*call.args)
        }
        used = {
            node.id
            for node in walk(*function.body)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in for_instruments
        }
        others = {
            each.id
            for statement in walk(*function.body)
            if isinstance(statement, ast.stmt) and not bodies(statement) and self._call_in(statement) is None
            for each in walk(statement)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        return used | others

    def _strip(self, statements: list[ast.stmt], kept: set[str]) -> None:
        new: list[ast.stmt] = []
        for statement in statements:
            call = self._call_in(statement)
            if call is None or (isinstance(statement, ast.Assign) and _target(statement) in kept):
                for body in bodies(statement):
                    self._strip(body, kept)
                new.append(statement)
            else:
                self._check_arguments(call)
        statements[:] = new or [ast.copy_location(ast.Pass(), statements[0])]

    def _call_in(self, statement: ast.stmt) -> ast.Call | None:
        """Return the call of an instrument that is all that a statement does."""
        match statement:
            case (
                ast.Expr(value=ast.Call(func=ast.Name(id=name)) as call)
                | ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Name(id=name)) as call)
            ) if name in self.names:
                return call
        return None

    def _check_arguments(self, call: ast.Call) -> None:
        for node in walk(*call.args):
            if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and self.is_pure(node.func.id)):
                said = f"{ast.unparse(node)} is done for an instrument alone, and these attach by themselves"
                self.origin.refuse(node, f"{said}: take the call of {ast.unparse(call.func)} out")


def _target(statement: ast.Assign) -> str:
    (target,) = statement.targets
    return target.id if isinstance(target, ast.Name) else ""
