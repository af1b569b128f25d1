"""Statement coverage and loop bounds: marks in a function that say which of its lists of statements have run.

A mark at the beginning of each list sets its flag. In a counted loop another counts its turns: loops of unknown length
are cut (:mod:`hosts.explorer.threads.cfg`), and their turns are counted by whoever runs the blocks.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import Any, Final

from hosts.explorer.threads.block_code import parsed
from hosts.loader.syntax.language import LoaderError, without_docstring

_HIT: Final = "_pirace_hit"
_TURN: Final = "_pirace_turn"
LONGEST_LOOP: Final = 300_000
"""Turns of counted loops from one operation to the next; more will not come to an end."""


class Endless(LoaderError):  # noqa: N818 - what the thread is
    """A thread's code runs for ever without a visible operation, and no other thread can end it."""


class Lines:
    """Coverage of lists of statements, each by its number, and the bound on the turns of counted loops."""

    def __init__(self, spans: Sequence[tuple[str, int, str]] = ()) -> None:
        """``spans``: those that have their numbers already."""
        self.turns = 0
        """Of loops, since somebody put it back to 0."""
        self.hit = bytearray(len(spans))
        self.spans = list(spans)
        """For each number: file, line, function."""

    def marked(self, tree: ast.FunctionDef, file: str) -> ast.FunctionDef:
        """Return the function with a note at the beginning of each list of statements."""
        new = copy.copy(tree)
        new.body = self._block(without_docstring(tree) or [ast.copy_location(ast.Pass(), tree)], tree.name, file)
        return new

    def names(self) -> dict[str, Any]:
        """Return what the marks refer to."""
        return {_HIT: self.hit, _TURN: self.turn}

    def turn(self, number: int) -> None:
        """Count a turn of a loop."""
        self.turns += 1
        if self.turns > LONGEST_LOOP:
            self.turns = 0
            file, line, function = self.spans[number]
            raise Endless(file, line, f"{function} does not come to an end")

    def _block(self, statements: list[ast.stmt], function: str, file: str, *, loop: bool = False) -> list[ast.stmt]:
        number = len(self.spans)
        self.spans.append((file, statements[0].lineno, function))
        self.hit.append(0)
        out: list[ast.stmt] = [parsed(f"{_HIT}[{number}] = 1", statements[0])]
        if loop:
            out.append(parsed(f"{_TURN}({number})", statements[0]))
        for statement in statements:
            new = copy.copy(statement)
            match new:
                case ast.If() | ast.While() | ast.For():
                    new.body = self._block(new.body, function, file, loop=isinstance(new, ast.For))
                    new.orelse = self._block(new.orelse, function, file) if new.orelse else []
                case ast.Match():
                    new.cases = [
                        ast.match_case(case.pattern, case.guard, self._block(case.body, function, file))
                        for case in new.cases
                    ]
            out.append(new)
        return out
