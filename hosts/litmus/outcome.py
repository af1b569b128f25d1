"""Running a test: every final state that can be reached, as herd7 would show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.litmus.bounds import Bounds
from hosts.litmus.final_condition import observed_places, satisfying
from hosts.litmus.final_states import Columns, States
from hosts.litmus.locations import Locations
from hosts.litmus.projection import PartedProgram
from hosts.litmus.search import Graph
from hosts.litmus.syntax import Memory, Place, Register, Test, plain

MemoryModel = Literal["tso", "sc"]
Final_ = tuple[Sequence[int], Sequence[int]]
"""Local states of the threads, and the memory."""
Finals = Callable[[Model, Options], Iterable[Final_]]

OBSERVED: Final = {(True, True): "Sometimes", (True, False): "Always", (False, True): "Never", (False, False): "Never"}


@dataclass(frozen=True)
class Outcome:
    """What a test came to."""

    test: Test
    states: States
    """Every different final state, in herd7's order."""
    witnesses: int
    """States, of ``states``, in which the proposition holds."""
    against: int
    """States in which it does not. States that differ in what only the filter names count once."""
    searched: int
    """States that the search has kept to find them."""

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


def run(
    test: Test, memory_model: MemoryModel = "tso", finals: Finals | None = None, bounds: Bounds | None = None
) -> Outcome:
    """Run a test; IncompleteError. ``finals`` gives the final states of a model (default: the reduced search)."""
    locations = Locations(test)
    programs = [PartedProgram(test, number, locations) for number in range(len(test.threads))]
    names = [f"P{number}" for number in range(len(programs))]
    model = Model(programs, names, [each.name for each in locations.all], locations.initial())
    depth = max((program.stores for program in programs), default=0) if memory_model == "tso" else 0
    bounds = bounds or Bounds()
    asked = {plain(place) for place in observed_places(test.question)}
    if finals is None:
        named = [locations.named[each.name] for each in asked if isinstance(each, Memory)]
        words = {each.word: each for each in named}
        graph = Graph(model, programs, words, Options(buffer=depth))
        graph.explore(bounds)
        columns = Columns(test, locations, graph.held())
        return _judged(test, columns, graph.outcomes(columns, bounds), len(graph.edges))
    options = Options(
        buffer=depth,
        progress_check=False,
        keep_finals=True,
        seconds=bounds.seconds,
        max_bytes=bounds.memory_bytes,
    )
    ends = [{place: _held(place, programs, locations, *each) for place in asked} for each in finals(model, options)]
    columns = Columns(test, locations, {place: {each[place] for each in ends} for place in asked})
    return _judged(test, columns, {columns.change(each.items())[1] for each in ends}, len(ends))


def _held(
    place: Place, programs: Sequence[PartedProgram], locations: Locations, local: Sequence[int], memory: Sequence[int]
) -> int:
    """Give what a place holds at an end, as the machine has it."""
    if isinstance(place, Register):
        return programs[place.thread].registers(local[place.thread])[place.number]
    location = locations.named[place.name]
    return location.unpacked(memory[location.word])


def _judged(test: Test, columns: Columns, states: set[int], searched: int) -> Outcome:
    """Say what a test's final states come to."""
    question = test.question
    if question.filter is not None:
        states = satisfying(question.filter, states, columns.satisfying)
    if columns.hidden:
        states = {state >> columns.hidden << columns.hidden for state in states}
    witnesses = len(satisfying(question.proposition, states, columns.satisfying))
    return Outcome(test, States(columns, states), witnesses, len(states) - witnesses, searched)
