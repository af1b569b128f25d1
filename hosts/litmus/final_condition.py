"""The final condition: locations, filter, and quantified proposition. Read, decided, and printed as herd7 does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from hosts.litmus.errors import LitmusError
from hosts.litmus.initial import Initial, read_count, read_place, read_value, read_values
from hosts.litmus.registers import Arch, width
from hosts.litmus.syntax import (
    Address,
    And,
    Equals,
    FinalCondition,
    Implies,
    Memory,
    Not,
    Or,
    Place,
    Proposition,
    Quantifier,
    Register,
    Value,
    element,
)
from hosts.litmus.tokens import Cursor, Token, check_fits

TRUE: Final = And(())
FALSE: Final = Or(())
DEEPEST: Final = 50
"""Parentheses, negations and implications in one another; a limit, so that no text can exhaust the stack."""


def read_final_condition(cursor: Cursor, arch: Arch, known: Initial) -> FinalCondition:
    """Read ``locations [x;]``, ``filter P`` and ``exists P``, each of which may be missing.

    Behind ``with`` stands what each of several models is expected to say; it is left to the reader of the file.
    """
    line = cursor.line
    reader = _Reader(cursor, arch, known)
    shown = tuple(reader.locations()) if cursor.accept("locations") else ()
    only = reader.proposition() if cursor.accept("filter") else None
    quantifier: Quantifier = "forall"
    proposition: Proposition = TRUE
    if cursor.accept("observed", "Observed"):
        quantifier, proposition = "exists", reader.observations()
    elif not cursor.ended and cursor.lookahead().text not in (";", "with"):
        quantifier = _quantifier(cursor)
        proposition = reader.proposition()
    cursor.accept(";")
    if not cursor.ended and not cursor.accept("with"):
        raise LitmusError(cursor.line, f"nothing is read after the condition, but {cursor.lookahead()} stands there")
    return FinalCondition(quantifier, proposition, shown, only, line)


def _quantifier(cursor: Cursor) -> Quantifier:
    if cursor.accept("forall"):
        return "forall"
    if cursor.accept("~", "not"):
        cursor.expect("exists")
        return "~exists"
    if cursor.lookahead().text == "(" or cursor.accept("exists", "final"):
        return "exists"
    return cursor.refuse("exists, ~exists, forall or observed")


class _Reader:
    r"""Reads propositions. ``=>`` binds closer than ``/\``, and that than ``\/``, as in herd7's grammar."""

    def __init__(self, cursor: Cursor, arch: Arch, known: Initial) -> None:
        self._cursor = cursor
        self._arch = arch
        self._known = known
        self._depth = 0

    def locations(self) -> Iterator[Place]:
        self._cursor.expect("[")
        while not self._cursor.accept("]"):
            yield from self._places()
            while self._cursor.lookahead().kind == "name":  # a type, which changes nothing that herd7 prints
                self._cursor.take()
            self._cursor.accept("*")
            if self._cursor.lookahead().text != "]":
                self._cursor.expect(";")

    def observations(self) -> Proposition:
        """Read ``x=1; 0:EAX=2; and x=2;``: states that have been seen."""
        several = [self._observation()]
        while self._cursor.accept("and"):
            several.append(self._observation())
        return Or(tuple(several)) if len(several) > 1 else several[0]

    def _observation(self) -> Proposition:
        equal: list[Proposition] = []
        while not self._cursor.ended and self._cursor.lookahead().text not in ("and", "with"):
            equal.append(self._equality())
            if not self._cursor.ended:
                self._cursor.expect(";")
        return And(tuple(equal)) if len(equal) != 1 else equal[0]

    def proposition(self) -> Proposition:
        several = [self._conjunction()]
        while self._cursor.accept("\\/"):
            several.append(self._conjunction())
        return Or(tuple(several)) if len(several) > 1 else several[0]

    def _conjunction(self) -> Proposition:
        several = [self._implication()]
        while self._cursor.accept("/\\"):
            several.append(self._implication())
        return And(tuple(several)) if len(several) > 1 else several[0]

    def _implication(self) -> Proposition:
        with self._deeper():
            found = self._unary()
            return Implies(found, self._implication()) if self._cursor.accept("=>") else found

    def _unary(self) -> Proposition:
        if self._cursor.accept("~", "not"):
            with self._deeper():
                return Not(self._unary())
        if self._cursor.accept("true"):
            return TRUE
        if self._cursor.accept("false"):
            return FALSE
        if self._cursor.accept("("):
            found = self.proposition()
            self._cursor.expect(")")
            return found
        return self._equality()

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise LitmusError(self._cursor.line, f"a condition is read to a depth of {DEEPEST}")
        yield
        self._depth -= 1

    def _equality(self) -> Proposition:
        first = self._cursor.lookahead()
        places = self._places()
        sign = self._cursor.accept("=", "==", "!=", "<>") or self._cursor.refuse("'='")
        found: Proposition
        if isinstance(places[0], Memory) and places[0].whole:
            found = self._equal_arrays(first, places)
        else:
            found = Equals(places[0], self._right(places[0]))
        return found if sign.text in ("=", "==") else Not(found)

    def _equal_arrays(self, array: Token, places: Sequence[Place]) -> Proposition:
        """Read ``{5,6}``."""
        values = read_values(self._cursor, self._arch, self._known, self._known.types[Memory(element(array.text, 0))])
        if len(values) != len(places):
            raise LitmusError(array.line, f"{array.text} has {len(places)} elements, not {len(values)}")
        equal = tuple(Equals(place, self._signed(value)) for place, value in zip(places, values, strict=True))
        return And(equal, array.text)

    def _places(self) -> list[Place]:
        """Read a place, or an array, whose elements are given."""
        cursor, known = self._cursor, self._known
        token = cursor.lookahead()
        place = read_place(cursor, self._arch)
        if not isinstance(place, Memory):
            return [place]
        if token.kind == "name" and cursor.lookahead().text == "[":
            cursor.take()
            found = known.element(token, read_count(cursor.take()))
            cursor.expect("]")
            return [found]
        count = known.arrays.get(place.name)
        if count is None:
            return [place]
        return [Memory(element(place.name, index), place.name) for index in range(count)]

    def _right(self, place: Place) -> Value | Place:
        cursor = self._cursor
        deref = cursor.accept("*") is not None
        if deref or cursor.lookahead().text == "[" or cursor.lookahead(1).text == ":":
            (found,) = self._places()
            return found
        line = cursor.line
        value = read_value(cursor, self._arch, self._known)
        if isinstance(value, int) and isinstance(place, Memory) and place in self._known.types:
            check_fits(line, value, self._known.types[place].bits)
        return self._signed(value)

    def _signed(self, value: Value) -> Value:
        """Return a number as one of a register's width is printed."""
        if isinstance(value, Address):
            return value
        bits = width(self._arch)
        return value - (1 << bits) if value >> (bits - 1) > 0 else value


def comparisons(proposition: Proposition) -> Iterator[Equals]:
    """Return every comparison that a proposition is made of."""
    match proposition:
        case Equals():
            yield proposition
        case Not(of):
            yield from comparisons(of)
        case And(of=several) | Or(of=several):
            for each in several:
                yield from comparisons(each)
        case Implies(one, other):
            yield from comparisons(one)
            yield from comparisons(other)


def places(proposition: Proposition) -> Iterator[Place]:
    """Return every place that a proposition names."""
    for each in comparisons(proposition):
        yield each.place
        if isinstance(each.value, (Register, Memory)):
            yield each.value


def observed_places(final_condition: FinalCondition) -> set[Place]:
    """Return every place that the outcome of a test depends on."""
    only = places(final_condition.filter) if final_condition.filter is not None else ()
    return {*final_condition.shown, *places(final_condition.proposition), *only}


def satisfying(proposition: Proposition, states: set[int], equal: Callable[[Equals, set[int]], set[int]]) -> set[int]:
    """Return the states in which a proposition holds, given how to find those in which a comparison does."""
    match proposition:
        case Equals():
            return equal(proposition, states)
        case Not(of):
            return states - satisfying(of, states, equal)
        case And(several):
            for each in several:
                states = satisfying(each, states, equal)
            return states
        case Or(several):
            left = states
            for each in several:
                left = left - satisfying(each, left, equal)
            return states - left
        case Implies(one, other):
            premise = satisfying(one, states, equal)
            return states - (premise - satisfying(other, premise, equal))


def spelled(proposition: Proposition, name: Callable[[Place], str], above: str = "") -> str:
    """Print a proposition with herd7's parentheses."""
    match proposition:
        case Equals(place, value):
            return f"{name(place)}={_value(value, name)}"
        case Not(of):
            return f"not ({spelled(of, name)})"
        case And(several, array) if array:
            return f"{array}={{{','.join(_value(each.value, name) for each in several if isinstance(each, Equals))}}}"
        case And(several):
            text = " /\\ ".join(spelled(each, name, "and") for each in several) or "true"
            return f"({text})" if above == "implies" and several else text
        case Or(several):
            text = " \\/ ".join(spelled(each, name, "or") for each in several) or "false"
            return f"({text})" if above in ("and", "implies") and several else text
        case Implies(one, other):
            text = f"{spelled(one, name, 'implies')} => {spelled(other, name, 'implies')}"
            return f"({text})" if above in ("and", "or") else text


def _value(value: Value | Place, name: Callable[[Place], str]) -> str:
    if isinstance(value, int):
        return str(value)
    return str(value) if isinstance(value, Address) else name(value)
