"""Attaches the instruments to one function: to its operations, its calls, its beginning and its ends."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Final

from emu.observe.attach import (
    ANY_CHANGED,
    ANY_STORED,
    CALLS,
    CHAIN,
    FUNCTIONS,
    MODULES,
    READ,
    WORDS,
    WRITTEN,
    Called,
    Watched,
)
from hosts.loader.attach.operations import ARGUMENTS, KEEPS, NEW, OLD, TESTING, kind_of, looks
from hosts.loader.attach.places import Fields, PlacesOf
from hosts.loader.attach.statements import (
    Statements,
    assignment,
    call_in,
    renamed,
    statements_of,
    targets_of,
)
from hosts.loader.primitives import TABLE
from hosts.loader.rule.former import PREFIX
from hosts.loader.syntax.interrupt_points import called
from hosts.loader.syntax.language import TEMPORARY, assigned, parameters, walk, with_bodies, without_docstring
from hosts.loader.syntax.names import PRIMITIVES

_SEEN: Final = f"{TEMPORARY}seen"
_OUTER: Final = f"{TEMPORARY}outer"
_RESULT: Final = f"{TEMPORARY}result"
_GIVEN: Final = f"{TEMPORARY}given_"

Trees = Mapping[str, ast.FunctionDef]


@dataclass(frozen=True)
class Attaching:
    """What the pass goes by."""

    trees: Trees
    """All functions of the program."""
    fields: Fields
    users: AbstractSet[str]
    posting: AbstractSet[str]
    """The functions that run within a post, from end to end."""

    def parameters(self, name: str) -> list[str]:
        """Return the names of a function's parameters, or of a primitive's."""
        if name in self.trees:
            return parameters(self.trees[name])
        return list(inspect.signature(PRIMITIVES[name]).parameters)


@cache
def known_names(name: str) -> tuple[str, ...]:
    """Return the names that the table has for a function's parameters, which are those of the machine's own."""
    for module in ("emu.waist", "emu.nonroot", *sorted(MODULES)):
        function = vars(import_module(module)).get(name)
        if isinstance(function, FunctionType):
            return tuple(inspect.signature(function).parameters)
    raise KeyError(name)


class Function:
    """One function's pass."""

    def __init__(self, tree: ast.FunctionDef, around: Attaching) -> None:
        self.tree, self.around = tree, around
        self.name = tree.name if tree.name in around.users else tree.name.removeprefix(PREFIX)
        self.places = PlacesOf(tree, around.fields)
        self.count = 0
        self.end = ""
        self.names: dict[str, ast.expr] = {}
        """What names in the text about this function stand for."""

    def instrumented(self) -> ast.FunctionDef:
        """Return the function anew."""
        new = copy.copy(self.tree)
        body = without_docstring(self.tree)
        start = self.tree.body[: len(self.tree.body) - len(body)]
        row = FUNCTIONS.get(self.name)
        if row is None:
            new.body = [*start, *self.block(body)]
            return new
        first, last = (body or self.tree.body)[0], self.tree.body[-1]
        kept = self.keep_parameters(first, row.begin + row.end)
        begin = statements_of(row.begin, self.names, first)
        self.end = row.end
        new.body = [*start, *kept, *begin, *self.block(body)]
        if row.end and not isinstance(last, ast.Return) and "result" not in row.end:
            new.body += statements_of(row.end, self.names, last)
        return new

    def keep_parameters(self, like: ast.stmt, text: str) -> Statements:
        """Keep what the function is given, as far as it is asked for in the end and the function changes it."""
        own, changed = parameters(self.tree), assigned(*self.tree.body)
        kept: Statements = []
        self.names["outer"] = ast.Name(_OUTER, ast.Load())
        for name, known in zip(own, known_names(self.name), strict=True):
            self.names[known] = ast.Name(name, ast.Load())
            if name in changed and known in text:
                self.names[known] = ast.Name(_GIVEN + name, ast.Load())
                kept.append(assignment(_GIVEN + name, ast.Name(name, ast.Load()), like))
        return kept

    def block(self, statements: Statements) -> Statements:
        """Return statements with what belongs before and after them."""
        return [new for statement in statements for new in self.statement(statement)]

    def statement(self, statement: ast.stmt) -> Statements:
        """Return a statement with what belongs before and after it."""
        if isinstance(statement, ast.Return):
            return self.returning(statement)
        name = called(statement)
        if not name:
            return [with_bodies(statement, self.block)]
        row = TABLE.get(name)
        if row is not None and row.word >= 0:
            return self.operation(statement, name)
        return self.calling(statement, name)

    # --- ends ----------------------------------------------------------------------------------------------------

    def returning(self, statement: ast.Return) -> Statements:
        """Return the end of the function with what belongs before it."""
        if not self.end:
            return [statement]
        if statement.value is None or "result" not in self.end:
            return [*statements_of(self.end, self.names, statement), statement]
        kept = assignment(_RESULT, statement.value, statement)
        result = ast.copy_location(ast.Name(_RESULT, ast.Load()), statement)
        new = ast.copy_location(ast.Return(result), statement)
        return [kept, *statements_of(self.end, {**self.names, "result": result}, statement), new]

    # --- calls ---------------------------------------------------------------------------------------------------

    def calling(self, statement: ast.stmt, name: str) -> Statements:
        """Return a call with what belongs before and after it."""
        plain = name.removeprefix(PREFIX)
        row = CALLS.get(plain)
        if plain in CHAIN and self.name not in self.around.posting:
            row = CHAIN[plain]
        elif row is not None and row.within and self.name not in row.within:
            row = None
        return self.around_call(statement, plain, row) if row is not None else [statement]

    def around_call(self, statement: ast.stmt, name: str, row: Called) -> Statements:
        """Put texts before and after a call."""
        call = call_in(statement)
        names: dict[str, ast.expr] = dict(zip(known_names(name), self.arguments(call), strict=True))
        if "outer" in row.before:
            self.count += 1
            names["outer"] = ast.Name(f"{_OUTER}{self.count}", ast.Load())
        before = statements_of(row.before, names, statement)
        new, result, rest = self.with_result(statement, row.after, wanted="result" in row.after)
        return [*before, new, *statements_of(row.after, {**names, "result": result}, statement), *rest]

    def arguments(self, call: ast.Call) -> list[ast.expr]:
        """Return the arguments of a call in the order of the parameters."""
        names = self.around.parameters(call.func.id)  # type: ignore[attr-defined]
        by_name = {str(each.arg): each.value for each in call.keywords}
        return [*call.args, *(by_name[name] for name in names[len(call.args) :])]

    def with_result(self, statement: ast.stmt, after: str, *, wanted: bool) -> tuple[ast.stmt, ast.expr, Statements]:
        """Return the call with a name for its result, that name, and what the statement did with it."""
        targets = targets_of(statement)
        used = {node.id for node in walk(call_in(statement)) if isinstance(node, ast.Name)}
        stored = assigned(statement)
        if not after or (not wanted and not stored & used):
            return statement, ast.Constant(0), []
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and not stored & used:
            return statement, ast.Name(targets[0].id, ast.Load()), []
        self.count += 1
        seen = f"{_SEEN}{self.count}"
        new = assignment(seen, call_in(statement), statement)
        result = ast.copy_location(ast.Name(seen, ast.Load()), statement)
        rest = [ast.copy_location(ast.Assign(targets, result), statement)] if targets else []
        return new, result, rest  # type: ignore[return-value]

    # --- operations ----------------------------------------------------------------------------------------------

    def operation(self, statement: ast.stmt, name: str) -> Statements:
        """Return an operation on a word with what belongs before and after it."""
        kind = kind_of(name)
        given = self.arguments(call_in(statement))
        word = given[TABLE[name].word]
        watched = self.watched(word, kind)
        if watched is None:
            return [statement]
        if name in TESTING and watched.after_one(kind):
            statement = renamed(statement, TESTING[name])
        return self.observed(statement, kind, given, word, watched)

    def watched(self, word: ast.expr, kind: str) -> Watched | None:
        """Return what is done about an operation of a kind on a word; None if nothing is."""
        places = self.places.of(word)
        table = WORDS | (READ if kind == "LOAD" else WRITTEN)
        if places is not None and len(places) <= 1:
            rows: list[Watched] = [table[place] for place in places if place in table]
        elif self.tree.name in self.around.users or places is not None:
            rows = [ANY_STORED, ANY_CHANGED]
        else:
            rows = []
        return next((row for row in rows if kind in row.kinds), None)

    def observed(
        self, statement: ast.stmt, kind: str, given: list[ast.expr], word: ast.expr, watched: Watched
    ) -> Statements:
        """Put the instruments of a watched word before and after an operation."""
        self.count += 1
        number = self.count
        names: dict[str, ast.expr] = {"word": word}
        names |= {key: ast.Name(f"{_SEEN}{number}_{key}", ast.Load()) for key in ("before", "gave")}
        names |= dict(zip(ARGUMENTS[kind], given, strict=True))
        after = watched.after_one(kind)
        before = statements_of("before = observed_look(word)", names, statement) if looks(kind, after) else []
        if watched.before:
            kept = "gave = " if watched.gives and after else ""
            before += statements_of(f"{kept}{watched.before}(word, {KEEPS[kind]})", names, statement)
        if not after:
            return [*before, statement]
        asks = kind not in ("STORE", "ADD")
        new, result, rest = self.with_result(statement, after, wanted=asks)
        told = [OLD[kind], NEW[kind], *(["gave"] if watched.gives else [])] if kind != "LOAD" else ["result"]
        text = f"{after}(word, {', '.join(told)})"
        return [*before, new, *statements_of(text, {**names, "result": result}, statement), *rest]
