"""Validation of a witness: its steps are taken again by the reference semantics, and must violate what its labels say.

Only a witness whose steps are the protocol's own, operation for operation, is judged. A replay reports where the steps
of another one diverge.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from msgspec import structs

from emu.expected import by_name
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.lasso import left_out
from hosts.explorer.counterexample.witness import LONGEST_BUFFER, Step, Witness, WitnessError, check_of, step_of
from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Outcome, Product, State
from hosts.explorer.model.system import AbstractionRefuted, NotTerminating
from hosts.explorer.threads.harness import scope_of
from hosts.kernel_names import on_vector
from hosts.loader.policy_name import policy_number
from hosts.loader.program import Program
from hosts.loader.rule.faults import RuleFault
from hosts.loader.syntax.language import LoaderError
from hosts.word64 import BASE

MOST_MODELS: Final = 200
"""Models that are built anew because a thread shows what was not known of a word; a genuine witness takes fewer."""
LOOP: Final = "while"
"""What a witness has for the text of a pause that is the beginning of a loop."""
MEMORY_MODELS: Final = ((0, False), (LONGEST_BUFFER, False), (LONGEST_BUFFER, True))
"""Sequential consistency; store buffers; and IPIs that overtake them."""
LEFT_OUT: Final = {"run": "", "drain": "the store buffer of ", "arrive": "an IPI to "}


def check_violation(witness: Witness, program: Program) -> None:
    """Refuse a witness that names another memory model, check, vector or cycle than its steps show; WitnessError.

    The sources have to be those that it was found with, and its other labels those of its machine.
    """
    named = Options(buffer=witness.buffer, overtake=witness.overtake, fuse=witness.fuse)
    wrong = _judged(witness, program, named)
    if wrong:
        raise WitnessError(f"its steps do not show {witness.check}{on_vector(witness.vector)}, which it names: {wrong}")
    others = [replace(named, buffer=buffer, overtake=overtake) for buffer, overtake in MEMORY_MODELS]
    if wrong is None and any(_judged(witness, program, other) is not None for other in others):
        raise WitnessError(f"its steps are not those of the memory model that it names: {witness.memory}")


def _judged(witness: Witness, program: Program, options: Options) -> str | None:
    """Return what the steps show instead, or nothing; None if they are not those of the program."""
    found = (_with_builder(witness, _builder(witness, program, fold=fold), options) for fold in (True, False))
    return next((wrong for wrong in found if wrong is not None), None)


def _with_builder(witness: Witness, builder: Builder, options: Options) -> str | None:
    """Judge the steps by a builder's models, until one is stable."""
    known = len(builder.world.words.shared)
    for _ in range(MOST_MODELS):
        try:
            return _shown(witness, Product(builder.model(), options), builder.program.own.checks)
        except AbstractionRefuted:
            if len(builder.world.words.shared) > known:
                return None  # a witness names all shared words
        except (LoaderError, NotTerminating, RuleFault):
            return None
    return None


def _builder(witness: Witness, program: Program, *, fold: bool) -> Builder:
    """Return a builder that knows from the start what the witness tells of its model."""
    own = program.own
    scenario = next((each for each in (*SCENARIOS, *own.scenarios) if each.name == witness.scenario), None)
    policy = policy_number(witness.policy, patched=witness.code is not None)
    mutation = by_name(witness.mutation) if witness.mutation else None
    builder = Builder(program, scope_of(scenario, witness.scope, own.act_numbers), policy, mutation, fold=fold)
    world = builder.world
    world.eager = witness.eager
    world.interrupted |= {(thread, True) for thread in witness.interrupted}
    world.interrupted |= {(thread, False) for thread in witness.interrupted_last}
    for offset in witness.shared:
        world.words.share(offset + BASE, range(len(witness.threads)))
        world.words.owner[offset + BASE] = witness.alone.get(offset, -1)
    flows = builder.protocol.flows
    world.breathers |= {
        (row.function, block)
        for step in witness.steps
        for row in step.rows
        if row.kind == Op.YIELD.written and row.text == LOOP and row.function in flows
        for block, line in flows[row.function].heads.items()
        if line == row.line
    }
    return builder


def _shown(witness: Witness, product: Product, names: Sequence[str]) -> str | None:
    """Take the steps; return what they show instead, or nothing; None if they cannot be taken. ``names``: of checks."""
    states, moves = [product.initial()], []
    fired = ""
    for number, step in enumerate(witness.steps, 1):
        outcome = _taken(product, states[-1], step)
        if outcome is None or any(len(buffer) > product.options.buffer for buffer in outcome.state.buffers):
            return None
        states.append(outcome.state)
        moves.append(outcome.move)
        if outcome.sighting >= 0 and not fired:
            check, vector = check_of(outcome.sighting, names)
            if (check, vector, number) == (witness.check, witness.vector, len(witness.steps)):
                return ""
            fired = f"{check}{on_vector(vector)} fires in step {number}"
    if fired:
        return fired
    if witness.check == "deadlock":
        return _no_deadlock(product, states[-1])
    if witness.check == "no-progress":
        return _no_cycle(product, moves[witness.stem :], states[witness.stem :])
    return "no check fires"


def _taken(product: Product, state: State, step: Step) -> Outcome | None:
    """Return what a step leads to; None if it cannot be taken, or does something else."""
    model = product.model
    if step.agent == "run":
        move = Move("run", step.thread, -1, step.answers)
        possible = product.runs(state, step.thread)
    else:
        vector = model.vectors.index(step.vector) if step.vector in model.vectors else -1
        move = Move("drain", step.thread) if step.agent == "drain" else Move("arrive", step.thread, vector)
        possible = itertools.chain.from_iterable(itertools.islice(product.agents(state), len(model.threads), None))
    outcome = next((each for each in possible if each.move == move), None)
    if outcome is None or _same(step_of(model, state, move, outcome.micros)) != _same(step):
        return None
    return outcome


def _same(step: Step) -> Step:
    """Return a step with what is equal wherever the sources lie."""
    return structs.replace(step, rows=tuple(structs.replace(row, file=Path(row.file).name) for row in step.rows))


# --- endings that are no check's -----------------------------------------------------------------------------------


def _no_deadlock(product: Product, state: State) -> str:
    """Return why a state is no deadlock, or nothing."""
    if product.ended(state):
        return "all threads have come to their ends"
    return "somebody can still move" if next(product.outcomes(state), None) is not None else ""


def _no_cycle(product: Product, moves: Sequence[Move], states: Sequence[State]) -> str:
    """Return why the last moves, with the states before the first and after each, are no fair cycle, or nothing."""
    if not moves or states[0] != states[-1]:
        return "the steps of its cycle do not lead back to where they begin"
    if not any(all(state.memory[word] != 0 for state in states) for word in product.model.obligations):
        return "nothing stays owed in its cycle"
    for what, thread, _ in left_out(product, moves, states):
        return f"its cycle leaves out {LEFT_OUT[what]}pCPU {thread}"
    return ""
