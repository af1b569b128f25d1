"""Mutations: each real bug as a small edit of the one protocol source, chosen at run time by a number.

An edit names statements of a function and what becomes of them. All mutations go into one program, as
``if mutated(number): <becomes> else: <find>``, so no variant has to be compiled.
"""

from __future__ import annotations

import ast
import copy
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from hosts.loader.syntax.language import Origin, bodies, with_bodies

Statements = list[ast.stmt]


class Edit(Protocol):
    """What becomes of some consecutive statements of a function; see emu.mutations."""

    @property
    def function(self) -> str:
        """Name the function."""

    @property
    def find(self) -> str:
        """Return the source of the statements; white space and comments do not matter."""

    @property
    def becomes(self) -> str:
        """Return the source of what they become; empty: they are dropped."""

    @property
    def occurrence(self) -> int:
        """Return the number of the occurrence that is meant, from 1 in the order of the source."""


class Mutation(Protocol):
    """A named set of edits."""

    @property
    def number(self) -> int:
        """Return the number that selects it, from 1 up."""

    @property
    def name(self) -> str:
        """Return the name that people select it by."""

    @property
    def edits(self) -> Sequence[Edit]:
        """Return the edits."""


@dataclass(frozen=True)
class _Place:
    """An edit, found: it replaces ``length`` statements from one on."""

    number: int
    length: int
    becomes: Statements


class Patch:
    """All edits of one function."""

    def __init__(self, function: ast.FunctionDef, mutations: Iterable[Mutation], origin: Origin) -> None:
        self.function = function
        self.notes: dict[int, str] = {}
        self._places: dict[ast.stmt, list[_Place]] = {}
        """By the first statement that is replaced; nodes are compared by identity."""
        for mutation in mutations:
            edits = [edit for edit in mutation.edits if edit.function == function.name]
            if edits:
                self.notes[mutation.number] = note = note_of(mutation)
                for edit in edits:
                    self._find(mutation.number, edit, replace(origin, note=note))
                self._check_apart(mutation.number, len(edits), replace(origin, note=note))

    def only(self, number: int) -> ast.FunctionDef:
        """Return the function as it is with one mutation applied."""
        return self._with_body(self._only(self.function.body, number, []))

    def merged(self) -> ast.FunctionDef:
        """Return the function with all mutations in it, each behind its number."""
        return self._with_body(self._merged(self.function.body, frozenset())) if self._places else self.function

    def _with_body(self, body: Statements) -> ast.FunctionDef:
        new = copy.copy(self.function)
        new.body = body
        return new

    # --- finding -------------------------------------------------------------------------------------------------

    def _find(self, number: int, edit: Edit, origin: Origin) -> None:
        wanted = [ast.unparse(statement) for statement in self._parse(edit.find, origin)]
        if not wanted:
            origin.refuse(self.function, "nothing to find: an edit names at least one statement")
        found = [body[i] for body, i in _positions(self.function.body) if _matches(body, i, wanted)]
        if not 1 <= edit.occurrence <= len(found):
            text = edit.find.strip()
            where = f"occurrence {edit.occurrence} in {self.function.name}, found {len(found)}:\n{text}"
            origin.refuse(self.function, f"wants {where}")
        place = _Place(number, len(wanted), self._parse(edit.becomes, origin))
        self._places.setdefault(found[edit.occurrence - 1], []).append(place)

    def _parse(self, text: str, origin: Origin) -> Statements:
        try:
            return ast.parse(textwrap.dedent(text)).body
        except SyntaxError as error:
            origin.refuse(self.function, f"cannot be read: {error.msg} in:\n{text.strip()}")

    def _check_apart(self, number: int, edits: int, origin: Origin) -> None:
        applied: list[_Place] = []
        self._only(self.function.body, number, applied)
        if len(applied) != edits:
            origin.refuse(self.function, f"has edits of {self.function.name} that overlap")

    # --- applying ------------------------------------------------------------------------------------------------

    def _only(self, statements: Statements, number: int, applied: list[_Place]) -> Statements:
        out: Statements = []
        i = 0
        while i < len(statements):
            place = next((place for place in self._at(statements[i]) if place.number == number), None)
            if place is None:
                out.append(with_bodies(statements[i], lambda body: self._only(body, number, applied)))
                i += 1
            else:
                out += [_located(statement, statements[i]) for statement in place.becomes]
                applied.append(place)
                i += place.length
        return out or [ast.copy_location(ast.Pass(), statements[0])]

    def _merged(self, statements: Statements, done: frozenset[int]) -> Statements:
        """Apply all mutations but those in ``done``, which have replaced something around these statements."""
        out: Statements = []
        i = 0
        while i < len(statements):
            end, numbers = self._cluster(statements, i, done)
            change = partial(self._merged, done=done.union(numbers))
            plain = [with_bodies(statement, change) for statement in statements[i:end]]
            for number in reversed(numbers):
                plain = [_choice(number, self._only(statements[i:end], number, []), plain, statements[i])]
            out += plain
            i = end
        return out

    def _cluster(self, statements: Statements, start: int, done: frozenset[int]) -> tuple[int, list[int]]:
        """Return the end of the statements that have to be chosen together, and by which mutations."""
        end, at, numbers = start + 1, start, set[int]()
        while at < end:
            for place in self._at(statements[at]):
                if place.number not in done:
                    numbers.add(place.number)
                    end = max(end, at + place.length)
            at += 1
        return end, sorted(numbers)

    def _at(self, statement: ast.stmt) -> list[_Place]:
        return self._places.get(statement, [])


def note_of(mutation: Mutation) -> str:
    """Return the beginning of an error about a mutation."""
    return f"mutation {mutation.number} ({mutation.name}) "


def check_mutations(mutations: Sequence[Mutation], functions: Mapping[str, object], origin: Origin) -> None:
    """Refuse numbers and names that are not one each, and edits of functions that do not exist."""
    numbers: set[int] = set()
    names: set[str] = set()
    for mutation in mutations:
        about = replace(origin, note=note_of(mutation))
        if mutation.number < 1 or mutation.number in numbers:
            about.refuse(None, "needs a number of its own, from 1 up")
        if mutation.name in names:
            about.refuse(None, "needs a name of its own")
        for edit in mutation.edits:
            if edit.function not in functions:
                about.refuse(None, f"edits {edit.function}, which is no protocol function")
        numbers.add(mutation.number)
        names.add(mutation.name)


def _positions(statements: Statements) -> Iterator[tuple[Statements, int]]:
    """Yield all places where statements begin, in the order of the source."""
    for i, statement in enumerate(statements):
        yield statements, i
        for body in bodies(statement):
            yield from _positions(body)


def _matches(statements: Statements, start: int, wanted: list[str]) -> bool:
    there = statements[start : start + len(wanted)]
    return len(there) == len(wanted) and all(ast.unparse(a) == b for a, b in zip(there, wanted, strict=True))


def _located(statement: ast.stmt, like: ast.stmt) -> ast.stmt:
    """Return a copy of a new statement that says it stands where ``like`` does."""
    new = copy.deepcopy(statement)
    for node in ast.walk(new):
        ast.copy_location(node, like)
    return new


def _choice(number: int, becomes: Statements, find: Statements, like: ast.stmt) -> ast.stmt:
    test = ast.Call(ast.Name("mutated", ast.Load()), [ast.Constant(number)], [])
    return ast.fix_missing_locations(ast.copy_location(ast.If(test, becomes, find), like))
