"""Running a test: every final state that can be reached, as herd7 would show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.litmus.bounds import Bounds
from hosts.litmus.final_condition import observed_places, satisfying
from hosts.litmus.final_states import Encoding, FinalStates
from hosts.litmus.locations import Locations
from hosts.litmus.projection import ProjectedThread
from hosts.litmus.search import Graph
from hosts.litmus.syntax import Memory, Place, Register, Test, plain

MemoryModel = Literal["tso", "sc"]
FinalState = tuple[Sequence[int], Sequence[int]]
"""Local states of the threads, and the memory."""
Finals = Callable[[Model, Options], Iterable[FinalState]]

OBSERVED: Final = {(True, True): "Sometimes", (True, False): "Always", (False, True): "Never", (False, False): "Never"}


@dataclass(frozen=True)
class Outcome:
    """The result of a test."""

    test: Test
    states: FinalStates
    """Every different final state, in herd7's order."""
    witnesses: int
    """States, of ``states``, in which the proposition holds."""
    against: int
    """States in which it does not. States that differ in what only the filter names count once."""
    states_kept: int
    """States that the search has kept to find them."""

    @property
    def ok(self) -> bool:
        """Return whether the final condition holds as its quantifier has it."""
        if self.test.final_condition.quantifier == "exists":
            return self.witnesses > 0
        return self.against == 0 if self.test.final_condition.quantifier == "forall" else self.witnesses == 0

    @property
    def observation(self) -> str:
        """herd7's word for how often the proposition holds."""
        return OBSERVED[self.witnesses > 0, self.against > 0]


def run(
    test: Test, memory_model: MemoryModel = "tso", finals: Finals | None = None, bounds: Bounds | None = None
) -> Outcome:
    """Run a test; IncompleteError. ``finals`` gives the final states of a model (default: the reduced search)."""
    locations = Locations(test)
    programs = [ProjectedThread(test, number, locations) for number in range(len(test.threads))]
    names = [f"P{number}" for number in range(len(programs))]
    model = Model(programs, names, [each.name for each in locations.all], locations.initial())
    depth = max((program.stores for program in programs), default=0) if memory_model == "tso" else 0
    bounds = bounds or Bounds()
    asked = {plain(place) for place in observed_places(test.final_condition)}
    if finals is None:
        named = [locations.named[each.name] for each in asked if isinstance(each, Memory)]
        words = {each.word: each for each in named}
        graph = Graph(model, programs, words, Options(buffer=depth))
        graph.explore(bounds)
        encoding = Encoding(test, locations, graph.observed_values())
        return _outcome_of(test, encoding, graph.outcomes(encoding, bounds), len(graph.edges))
    options = Options(
        buffer=depth,
        progress_check=False,
        keep_finals=True,
        seconds=bounds.seconds,
        max_bytes=bounds.memory_bytes,
    )
    ends = [{place: _value_at(place, programs, locations, *each) for place in asked} for each in finals(model, options)]
    encoding = Encoding(test, locations, {place: {each[place] for each in ends} for place in asked})
    return _outcome_of(test, encoding, {encoding.change(each.items())[1] for each in ends}, len(ends))


def _value_at(
    place: Place, programs: Sequence[ProjectedThread], locations: Locations, local: Sequence[int], memory: Sequence[int]
) -> int:
    """Return what a place holds at an end, as the machine has it."""
    if isinstance(place, Register):
        return programs[place.thread].registers(local[place.thread])[place.number]
    location = locations.named[place.name]
    return location.unpacked(memory[location.word])


def _outcome_of(test: Test, encoding: Encoding, states: set[int], states_kept: int) -> Outcome:
    """Return the result of a test, from its final states."""
    final_condition = test.final_condition
    if final_condition.filter is not None:
        states = satisfying(final_condition.filter, states, encoding.satisfying)
    if encoding.hidden:
        states = {state >> encoding.hidden << encoding.hidden for state in states}
    witnesses = len(satisfying(final_condition.proposition, states, encoding.satisfying))
    return Outcome(test, FinalStates(encoding, states), witnesses, len(states) - witnesses, states_kept)
