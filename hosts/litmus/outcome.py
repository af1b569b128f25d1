"""Running a test: every final state that the explorer reaches, as herd7 would show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hosts.explorer.model import Model, Options
from hosts.litmus.automaton import Program
from hosts.litmus.locations import Locations
from hosts.litmus.question import holds, observed_places, places
from hosts.litmus.registers import width
from hosts.litmus.semantics import mask
from hosts.litmus.syntax import Address, Memory, Place, Register, Test, Type, Value

MemoryModel = Literal["tso", "sc"]
Final_ = tuple[Sequence[int], Sequence[int]]
"""Local states of the threads, and the memory."""
Finals = Callable[[Model, Options], Iterable[Final_]]

Shown = tuple[tuple[Place, Value], ...]
"""One state: what is shown of it, in herd7's order, in the declared types."""

OBSERVED: Final = {(True, True): "Sometimes", (True, False): "Always", (False, True): "Never", (False, False): "Never"}


class IncompleteError(Exception):
    """The explorer did not get to the end, which a litmus test gives no reason for."""


@dataclass(frozen=True)
class Outcome:
    """What a test came to."""

    test: Test
    states: Sequence[Shown]
    """Every different final state, in herd7's order."""
    witnesses: int
    """States, of ``states``, in which the proposition holds."""
    against: int
    """States in which it does not. States that differ in what only the filter names count once."""

    @property
    def ok(self) -> bool:
        """Tell whether the condition is what the test says."""
        if self.test.question.quantifier == "exists":
            return self.witnesses > 0
        return self.against == 0 if self.test.question.quantifier == "forall" else self.witnesses == 0

    @property
    def observation(self) -> str:
        """Say how often the proposition holds."""
        return OBSERVED[self.witnesses > 0, self.against > 0]


def run(test: Test, memory_model: MemoryModel = "tso", finals: Finals | None = None) -> Outcome:
    """Run a test; ``finals`` gives the final states of a model (default: the native search)."""
    locations = Locations(test)
    programs = [Program(test, number, locations) for number in range(len(test.threads))]
    depth = max((program.stores for program in programs), default=0) if memory_model == "tso" else 0
    names = [f"P{number}" for number in range(len(programs))]
    model = Model(programs, names, [each.name for each in locations.all], locations.initial())
    options = Options(buffer=depth, progress_check=False, keep_finals=True)
    judged = _Judge(test, locations, programs)
    for local, memory in (finals or searched)(model, options):
        judged.add(local, memory)
    return judged.outcome()


def searched(model: Model, options: Options) -> Iterable[Final_]:
    """Give all final states by the native search."""
    from hosts.explorer.search import Search

    result = Search(model, options).run()
    if not result.complete:
        raise IncompleteError(f"bounded by {result.bounded_by}")
    return result.finals


class _Judge:
    """Collects final states, and decides each."""

    def __init__(self, test: Test, locations: Locations, programs: Sequence[Program]) -> None:
        self._test = test
        self._locations = locations
        self._programs = programs
        self._places = sorted({*test.question.shown, *places(test.question.proposition)}, key=_order)
        self._states: dict[Shown, tuple[tuple[tuple[int, object], ...], bool]] = {}

    def add(self, local: Sequence[int], memory: Sequence[int]) -> None:
        question = self._test.question
        raw = {place: self._raw(place, local, memory) for place in observed_places(question)}

        def equal(place: Place, value: Value | Place) -> bool:
            kind = self._test.type_of(place)
            found = self._typed(raw[place], kind)
            if isinstance(value, (Register, Memory)):
                return found == self._typed(raw[value], self._test.type_of(value))
            return found == (value if isinstance(value, Address) else _cast(value, kind))

        if question.filter is not None and not holds(question.filter, equal):
            return
        shown = tuple((place, self._typed(raw[place], self._test.type_of(place))) for place in self._places)
        order = tuple(self._sorting(raw[place], place) for place in self._places)
        self._states[shown] = order, holds(question.proposition, equal)

    def outcome(self) -> Outcome:
        states = sorted(self._states, key=lambda shown: self._states[shown][0])
        witnesses = sum(good for _, good in self._states.values())
        return Outcome(self._test, states, witnesses, len(states) - witnesses)

    def _raw(self, place: Place, local: Sequence[int], memory: Sequence[int]) -> int:
        if isinstance(place, Register):
            return self._programs[place.thread].registers(local[place.thread])[place.number]
        location = self._locations.named[place.name]
        return location.unpacked(memory[location.word])

    def _typed(self, raw: int, kind: Type) -> Value:
        """Give a value as its type shows it; an address is shown whatever the type, as herd7 does."""
        if raw in self._locations.at:
            return Address(self._locations.at[raw].name)
        return _cast(raw, kind)

    def _sorting(self, raw: int, place: Place) -> tuple[int, object]:
        """Give the key that herd7 sorts by: whole registers, locations by their type; numbers before addresses."""
        if raw in self._locations.at:
            return 1, self._locations.at[raw].name
        bits = width(self._test.arch)
        whole = (
            Type(bits, signed=True)
            if isinstance(place, Register)
            else Type(self._test.type_of(place).bits, signed=True)
        )
        return 0, _cast(raw, whole)


def _order(place: Place) -> tuple[int, int, int, str]:
    if isinstance(place, Register):
        return 0, place.thread, place.number, ""
    return 1, 0, 0, place.name


def _cast(value: int, kind: Type) -> int:
    low = value & mask(kind.bits)
    return low - (1 << kind.bits) if kind.signed and low >> (kind.bits - 1) else low
