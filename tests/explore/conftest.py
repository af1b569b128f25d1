"""The protocol, loaded once, and rows of the table, each explored once with the same switches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from emu.expected import by_name, policy_by_name
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.bfs import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program

Row = tuple[str, str, str | None]
"""A scenario, or the text of a scope; a policy; a mutation."""
BuilderOf = Callable[[Row], Builder]
Explored = Callable[..., Result]


@pytest.fixture(scope="session")
def program() -> Program:
    """Return the protocol."""
    return load_program()


@pytest.fixture(scope="session")
def builder_of(program: Program) -> BuilderOf:
    """Return what makes the builder of a row, which has learnt nothing yet."""
    scenarios = {each.name: each for each in SCENARIOS}

    def made(row: Row) -> Builder:
        where, policy, mutation = row
        scope = scope_of(scenarios[where]) if where in scenarios else scope_of(None, where)
        seeded = by_name(mutation) if mutation is not None else None
        return Builder(program, scope, policy_by_name(policy).number, seeded)

    return made


@pytest.fixture(scope="session")
def explored(builder_of: BuilderOf) -> Explored:
    """Return what explores a row with some switches, once for all tests: ``explored(row, options, forget=True)``."""

    @cache
    def search(row: Row, options: Options, *, forget: bool = True) -> Result:
        builder = builder_of(row)
        builder.world.forget = forget
        return explore(builder, options)[0]

    return search
