"""Witnesses for tests: found breadth first in the product itself, and random walks through it."""

from __future__ import annotations

import random
from functools import cache

from emu.expected import by_name, policy_by_name
from emu.machine import USER
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import Witness, make_witness
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Product
from hosts.explorer.model.system import AbstractionRefuted, Model
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program
from hosts.loader.user_code import code_of

MOST_STATES = 200_000
NONE = "none"
"""What a walk is a witness of that shows no violation."""


@cache
def program(user_policy: str | None = None) -> Program:
    """Load the protocol, once."""
    return load_program(code_of(user_policy))


class Case:
    """A configuration to be explored."""

    def __init__(
        self,
        scenario: str,
        policy: str,
        mutation: str | None,
        scope: str | None,
        options: Options = Options(),  # noqa: B008 - it is frozen
        *,
        fold: bool = True,
    ) -> None:
        """Name it; ``policy`` may be file.py:function."""
        self.scenario, self.policy, self.options = scenario, policy, options
        info = next(each for each in SCENARIOS if each.name == scenario)
        users = ":" in policy
        number = USER if users else policy_by_name(policy).number
        seeded = by_name(mutation) if mutation else None
        self.builder = Builder(program(policy if users else None), scope_of(info, scope), number, seeded, fold=fold)

    def shortest(self) -> Witness:
        """Return the first violation that a search breadth first comes to."""
        while True:
            try:
                return self._witness(*_shortest(model := self.builder.model(), self.options), model)
            except AbstractionRefuted:
                continue

    def walk(self, seed: int, steps: int) -> Witness:
        """Return a random walk; it ends early with a violation, or when nobody can move."""
        while True:
            try:
                return self._witness(*_walk(model := self.builder.model(), self.options, seed, steps), model)
            except AbstractionRefuted:
                continue

    def _witness(self, moves: list[Move], sighting: int, model: Model) -> Witness:
        found = sighting if sighting >= 0 else NONE
        made, _ = make_witness(
            self.builder, model, self.options, moves, found, scenario=self.scenario, policy=self.policy
        )
        return made


def _shortest(model: Model, options: Options) -> tuple[list[Move], int]:
    product = Product(model, options)
    first = product.initial()
    came = {first: (first, Move("run", -1))}
    queue = [first]
    for state in queue:
        for outcome in product.outcomes(state):
            if outcome.sighting >= 0:
                moves, at = [outcome.move], state
                while at != first:
                    at, move = came[at]
                    moves.append(move)
                return moves[::-1], outcome.sighting
            if outcome.state not in came:
                came[outcome.state] = state, outcome.move
                queue.append(outcome.state)
        assert len(queue) < MOST_STATES, "no violation within reach"
    raise AssertionError("no violation")


def _walk(model: Model, options: Options, seed: int, steps: int) -> tuple[list[Move], int]:
    draw = random.Random(seed)
    product = Product(model, options)
    state = product.initial()
    moves: list[Move] = []
    while len(moves) < steps:
        outcomes = list(product.outcomes(state))
        if not outcomes:
            break
        outcome = draw.choice(outcomes)
        moves.append(outcome.move)
        state = outcome.state
        if outcome.sighting >= 0:
            return moves, outcome.sighting
    return moves, -1
