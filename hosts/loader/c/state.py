"""What is known of the locals at a point of the function: the numbers they can be, and the places pointers lead to."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from hosts.loader.c.types import Integer
from hosts.loader.c.values import Address, Fact, Variable


class Unknown(enum.Enum):
    """What is no value."""

    UNSET = enum.auto()
    """Declared, and not assigned."""
    SEVERAL = enum.auto()
    """A pointer that leads to one place or another, by the way that control came."""


@dataclass(frozen=True)
class Interval:
    """A number."""

    least: int
    most: int
    unset: bool = False
    """Whether it may not have been assigned on some way here."""


Knowledge = Interval | Address | Unknown
State = dict[Variable, Knowledge]


def joined(states: Iterable[State | None]) -> State | None:
    """Return what is known where several ways meet; None: none of them gets there."""
    result: State | None = None
    for state in states:
        if state is None:
            continue
        if result is None:
            result = dict(state)
            continue
        for variable in list(result):
            if variable in state:
                result[variable] = _both(result[variable], state[variable])
            else:
                del result[variable]
    return result


def _both(one: Knowledge, other: Knowledge) -> Knowledge:
    if one == other:
        return one
    if isinstance(one, Interval) and isinstance(other, Interval):
        unset = one.unset or other.unset
        return Interval(min(one.least, other.least), max(one.most, other.most), unset)
    for each, second in ((one, other), (other, one)):
        if each is Unknown.UNSET and isinstance(second, Interval):
            return Interval(second.least, second.most, unset=True)
    return Unknown.SEVERAL


def widened(before: State, after: State) -> State:
    """Return what is known at the begin of a loop: what still grows may be anything of its type."""
    result: State = {}
    for variable, known in before.items():
        new = after.get(variable, known)
        if isinstance(known, Interval) and isinstance(new, Interval) and isinstance(variable.type, Integer):
            least = known.least if new.least >= known.least else variable.type.least
            most = known.most if new.most <= known.most else variable.type.most
            result[variable] = Interval(least, most, known.unset or new.unset)
        elif known is Unknown.UNSET and isinstance(new, Interval) and isinstance(variable.type, Integer):
            result[variable] = Interval(variable.type.least, variable.type.most, unset=True)
        else:
            result[variable] = _both(known, new)
    return result


def within(one: State, other: State) -> bool:
    """Return whether all that ``other`` says holds in ``one`` too."""
    for variable, known in other.items():
        new = one.get(variable)
        if new is None or new == known:
            continue
        if not isinstance(known, Interval) or not isinstance(new, Interval):
            return False
        if new.least < known.least or new.most > known.most or (new.unset and not known.unset):
            return False
    return True


def refined(state: State, facts: tuple[Fact, ...]) -> State:
    """Return what is known after a condition was found to hold."""
    new = dict(state)
    for fact in facts:
        known = new.get(fact.variable)
        if isinstance(known, Interval) and fact.variable.version == fact.version:
            least, most = max(known.least, fact.least), min(known.most, fact.most)
            if least <= most:
                new[fact.variable] = Interval(least, most, known.unset)
    return new
