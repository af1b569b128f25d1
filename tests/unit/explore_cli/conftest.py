"""Small searches in plain Python, an engine that does what a test says, and the schema's validator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from emu.expected import by_name, policy_by_name
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.model.entered import window_bit
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Product, State
from hosts.explorer.model.system import AbstractionRefuted, Model
from hosts.explorer.search.result import Result, Violation
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.runs.explore_request import Asked
from hosts.runs.explorer_runner import Searched, Watch
from tests import validator


def _first_sighting(model: Model, options: Options) -> tuple[int, list[Move]]:
    """Search breadth first until something is sighted; give it and the way there."""
    product = Product(model, options)
    start = product.initial()
    came: dict[State, tuple[State, Move] | None] = {start: None}
    queue = [start]
    for state in queue:
        for outcome in product.outcomes(state):
            if outcome.sighting >= 0:
                return outcome.sighting, [*_way(came, state), outcome.move]
            if outcome.state not in came:
                came[outcome.state] = (state, outcome.move)
                queue.append(outcome.state)
    raise AssertionError("nothing is sighted in this scope")


def _way(came: dict[State, tuple[State, Move] | None], state: State) -> list[Move]:
    moves = []
    while (before := came[state]) is not None:
        state, move = before
        moves.append(move)
    return moves[::-1]


@cache
def _witness(scenario: str, policy: str, mutation: str | None, scope: str, buffer: int = 4) -> Witness:
    """Find a shortest witness."""
    race = next(each for each in SCENARIOS if each.name == scenario)
    options = Options(buffer=buffer)
    seeded = by_name(mutation) if mutation else None
    builder = Builder(load_program(), scope_of(race, scope), policy_by_name(policy).number, seeded)
    while True:
        try:
            model = builder.model()
            sighting, moves = _first_sighting(model, options)
            break
        except AbstractionRefuted:
            continue
    found = Violation("sighting", sighting, len(moves))
    return explained_witness(builder, model, options, moves, found, scenario=scenario, policy=policy)


@pytest.fixture
def witness_of() -> Callable[..., Witness]:
    """Return what finds witnesses, each once."""
    return _witness


@dataclass
class FakeEngine:
    """Gives results in the order in which they stand here; a callable is called with what watches."""

    results: list[Searched | Callable[[Watch], Searched]] = field(default_factory=list)
    searched: list[tuple[Asked, Options]] = field(default_factory=list)

    def search(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        """Return the next result."""
        self.searched.append((asked, options))
        found = self.results.pop(0) if self.results else complete()
        return found(watch) if callable(found) else found


ENTERED = sum(1 << window_bit(number) for number in range(20))


def complete(**more: Any) -> Searched:
    """Return a complete search that entered every window."""
    result = {
        "complete": True,
        "states": 10,
        "locals": (3, 2),
        "branching": True,
        "windows": sum(1 << window_bit(number) for number in range(20)),
    }
    return Searched(Result(**{**result, **more}))


def violating(what: int | str, **more: Any) -> Searched:
    """Return a search that found something."""
    found = Violation("sighting" if isinstance(what, int) else what, what if isinstance(what, int) else -1, 9)
    return complete(complete=False, violation=found, violations=[found], **more)


@pytest.fixture
def errors() -> Callable[..., list[str]]:
    """Return what holds a record against the schema."""
    return validator.errors


@pytest.fixture
def fake() -> type[FakeEngine]:
    """Return the engine that does what a test says."""
    return FakeEngine


@pytest.fixture
def seen() -> Callable[..., Searched]:
    """Return what makes complete searches."""
    return complete


@pytest.fixture
def caught() -> Callable[..., Searched]:
    """Return what makes searches with a violation."""
    return violating
