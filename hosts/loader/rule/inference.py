"""Type inference over a user's rule: numbers, words and structs, to a fixed point; words used as values become reads.

All functions are visited until nothing more is found about their locals, parameters and results; a last pass makes the
new functions, or refuses. The rule for a local and for a parameter: a word that is assigned to it is read there, as in
C, unless it is used as a word somewhere (given to a primitive), when it is the word itself.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from emu.rulechecks import MOST_TURNS
from hosts.loader.rule.brought import Meant
from hosts.loader.rule.calls import Calls
from hosts.loader.rule.context import Around, Known, Local
from hosts.loader.rule.guards import at
from hosts.loader.rule.types import NOTHING, NUMBER, UNKNOWN, Kind, What, joined, named_kind, of_annotation
from hosts.loader.syntax.language import assigned, local_names, without_docstring
from hosts.loader.syntax.names import PRIMITIVES, calls

Functions = Mapping[str, ast.FunctionDef]

_DONE_ALONE: Final = frozenset(
    {"BIT", "fls64", "hweight64", "local_read", "local_write", "memory", "this_cpu_ptr", "rule_fault"}
)
"""Primitives that nobody notices and nobody answers."""


def with_values(functions: Functions, stubs: Functions, around: Around) -> dict[str, ast.FunctionDef]:
    """Return the user's functions with reads of the words that are used as values, and checks of what might fault.

    ``stubs``: what some of them take the place of, which says what they are given. Refuses what has no meaning.
    """
    known = Known()
    for name, tree in functions.items():
        given = stubs[name].args.args if name in stubs else []
        for i, parameter in enumerate(tree.args.args):
            kind = of_annotation(given[i].annotation, around.meant) if i < len(given) else UNKNOWN
            said = of_annotation(parameter.annotation, around.meant_in(name))
            if What.UNKNOWN not in (kind.what, said.what) and (kind.what, kind.of) != (said.what, said.of):
                around.origins[name].refuse(parameter, f"{parameter.arg} is {kind}, not {said}")
            kind = said if kind.what is What.UNKNOWN else kind
            _declare(known, (name, parameter.arg), kind, tree.lineno)
            if i < len(given) and parameter.arg not in assigned(*tree.body):
                known.given.add((name, parameter.arg))
    before: tuple[object, ...] = ()
    while before != (before := known.size()):
        for name, tree in functions.items():
            Statements(name, tree, known, around, final=False).rewritten()
        for source, target in known.copies:
            if target in known.as_word:
                known.as_word.setdefault(source, known.as_word[target])
    last = {name: Statements(name, tree, known, around, final=True) for name, tree in functions.items()}
    return {name: each.rewritten() for name, each in last.items()}


def _declare(known: Known, local: Local, kind: Kind, line: int) -> None:
    if kind.what is What.UNKNOWN:
        return
    known.declared[local] = kind
    if kind.what is What.WORD:
        known.as_word[local] = line
    if kind.what is not What.WORDS:  # how many there are is seen where it is called
        known.kinds[local] = kind


class Statements:
    """The statements of one function."""

    def __init__(self, name: str, tree: ast.FunctionDef, known: Known, around: Around, *, final: bool) -> None:
        self.name, self.tree, self.known, self.around = name, tree, known, around
        self.what = Calls(name, local_names(tree), known, around, final=final)
        self.loops = 0
        self.returns_word = False

    def rewritten(self) -> ast.FunctionDef:
        """Return the function anew."""
        meant = self.around.meant_in(self.name)
        self.returns_word = of_annotation(self.tree.returns, meant).what is What.WORD
        new = self.annotated(meant)
        body = self.block(without_docstring(self.tree))
        new.body = [*self.tree.body[: len(self.tree.body) - len(without_docstring(self.tree))], *body]
        if self.acts(*body):
            self.known.acting.add(self.name)
        return new

    def annotated(self, meant: Meant) -> ast.FunctionDef:
        """Return a copy annotated with the program's names; without annotations if one is missing or means nothing."""
        new, given, values = copy.copy(self.tree), self.tree.args.args, self.around.scope.values
        hints = [*(each.annotation for each in given), self.tree.returns]
        named = [named_kind(of_annotation(each, meant), values) for each in hints]
        if None in named:
            named = [None] * len(named)
        arguments = [ast.arg(each.arg, name) for each, name in zip(given, named[:-1], strict=True)]
        new.args = ast.arguments([], arguments, None, [], [], None, self.tree.args.defaults)
        new.returns = named[-1]
        return at(new, self.tree)

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements anew."""
        return [new for statement in statements for new in self.statement(copy.copy(statement))]

    def statement(self, new: ast.stmt) -> list[ast.stmt]:
        """Return a statement anew, which is the caller's own copy."""
        match new:
            case ast.Assign(targets=targets, value=value):
                new.value = self.assigned(targets, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                new.value = self.kept(name, value)
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                self.what.record((self.name, name), NUMBER, new)
                new.value = self.what.guards.operand(operator, self.what.number(value), value)
            case ast.Expr(value=value):
                new.value = self.what.any(value)[0]
            case ast.Return(value=value):
                new.value = self.returned(value)
            case ast.If(test=test, body=body, orelse=orelse):
                new.test = self.what.truth(test)
                new.body, new.orelse = self.block(body), self.block(orelse)
            case ast.While(test=test, body=body):
                new.test, new.body = self.what.truth(test), self.block(body)
                return self.counted(new)
            case ast.For(target=ast.Name(id=name), iter=ast.Call() as iterated, body=body):
                self.what.record((self.name, name), NUMBER, new)
                bounds = [self.what.number(each) for each in iterated.args]
                new.iter = at(ast.Call(iterated.func, bounds, []), iterated)
                new.body = self.block(body)
                return self.counted(new)
            case ast.Match(subject=subject, cases=cases):
                new.subject = self.what.number(subject)
                new.cases = [
                    ast.match_case(
                        case.pattern,
                        None if case.guard is None else self.what.truth(case.guard),
                        self.block(case.body),
                    )
                    for case in cases
                ]
        return [new]

    def assigned(self, targets: list[ast.expr], value: ast.expr) -> ast.expr:
        """Return what is assigned: to locals, or each part of a tuple to one."""
        names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
        if not isinstance(targets[0], ast.Tuple):
            return [self.kept(name, value) for name in names][-1]
        if isinstance(value, ast.Tuple) and len(names) == len(value.elts):
            parts = [self.kept(name, part) for name, part in zip(names, value.elts, strict=True)]
            return at(ast.Tuple(parts, ast.Load()), value)
        for name in names:
            self.what.record((self.name, name), NUMBER, value)
        return self.what.any(value)[0]

    def kept(self, name: str, value: ast.expr) -> ast.expr:
        """Return what is assigned to a local: a word is read unless the local is used as one."""
        local = (self.name, name)
        new, kind = self.what.any(value, local)
        if kind.what is What.NOTHING and isinstance(value, ast.Call):
            self.what.refuse(value, f"{ast.unparse(value)} gives nothing to be kept")
        self.what.record(local, kind, value)
        return self.what.as_number(value, new, kind) if self.what.is_number(local) else new

    def returned(self, value: ast.expr | None) -> ast.expr | None:
        """Return what is returned: the value of a word, unless the function is annotated to give a word."""
        results = self.known.results
        if value is None:
            results[self.name] = joined(results.get(self.name), NOTHING)
            return None
        new, kind = self.what.any(value)
        if kind.what is What.WORD and not self.returns_word:
            new, kind = self.what.as_number(value, new, kind), NUMBER
        elif kind.what is What.WORD and isinstance(value, ast.Name):
            self.known.as_word.setdefault((self.name, value.id), value.lineno)
        results[self.name] = known = joined(results.get(self.name), replace(kind, is_read=False))
        if self.name in self.around.replaced and kind.what not in (
            What.NUMBER,
            What.UNKNOWN,
            What.UNSEEN,
            What.NOTHING,
        ):
            self.what.refuse(value, f"{self.name}() gives {kind}, and the machine takes a number from it")
        if known.what is What.MIXED:
            self.what.refuse(value, f"{self.name}() gives {kind} here and something else elsewhere")
        return new

    # --- loops ---------------------------------------------------------------------------------------------------

    def counted(self, loop: ast.While | ast.For) -> list[ast.stmt]:
        """Return a loop that counts its turns, if it does nothing that anybody else notices or answers."""
        if not self.what.guards.active or self.is_short(loop) or self.acts(loop):
            return [loop]
        self.loops += 1
        begin, turn = self.what.guards.turn(self.loops, loop)
        loop.body = [turn, *loop.body]
        return [begin, loop]

    def is_short(self, loop: ast.While | ast.For) -> bool:
        """Return whether a loop is seen to go round a few times only."""
        if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Call):
            return False
        bounds = [self.what.guards.bounds.fixed(each) for each in loop.iter.args]
        return all(each is not None and abs(each) < MOST_TURNS // 2 for each in bounds)

    def acts(self, *nodes: ast.AST) -> bool:
        """Return whether something does, or calls what does."""
        seen: set[str] = set()
        left = [name for node in nodes for name in _called(node)]
        while left:
            name = left.pop()
            if name in self.known.acting or (name in PRIMITIVES and name not in _DONE_ALONE):
                return True
            if name in self.around.scope.functions and name not in self.around.mine and name not in seen:
                seen.add(name)
                left += calls(self.around.scope.functions[name])
        return False


def _called(node: ast.AST) -> list[str]:
    return [each.func.id for each in ast.walk(node) if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
