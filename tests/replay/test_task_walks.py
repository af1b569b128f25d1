"""Tasks that the explorer switches are switched the same way on real processes: any path, operation by operation."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.explorer.counterexample.witness import Witness, by_offset, check_of, steps_of
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Product
from hosts.explorer.model.system import AbstractionRefuted, Model
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.task_switch import NOT_SUSPENDED
from hosts.replay.program import ReplayProgram
from hosts.replay.scheduler import Replayed, replay
from hosts.replay.setting import ProgramFunction
from tests.choice import slow_but
from tests.explore.tasks import CONTEXT, TinyTasks
from tests.explore.test_tasks import BODIES, QUEUED

pytestmark = pytest.mark.timeout(120)

BUFFER = 2
LONGEST = 2000
"""Moves of a walk; the programs end long before."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def walk(model: Model, seed: int) -> list[Move]:
    """Return a random path until nobody can move; not just before a task is resumed that runs."""
    draw = random.Random(seed)
    product = Product(model, Options(buffer=BUFFER))
    state = product.initial()
    moves: list[Move] = []
    while outcomes := list(product.outcomes(state)):
        outcome = draw.choice(outcomes)
        moves.append(outcome.move)
        state = outcome.state
        assert len(moves) < LONGEST
        if outcome.sighting >= 0:
            break
    return moves


def walked(tiny: TinyTasks, world: World, seed: int) -> Witness:
    """Return a random path as a witness of nothing."""
    while True:
        try:
            model = tiny.model(world)
            moves = walk(model, seed)
            break
        except AbstractionRefuted:
            continue
    return witness_of(tiny, world, model, moves)


def witness_of(tiny: TinyTasks, world: World, model: Model, moves: list[Move]) -> Witness:
    """Return a path as a witness of nothing."""
    steps, _states = steps_of(model, Options(buffer=BUFFER), moves)
    words, config = world.words, world.machine.config
    initial = {**words.initial, config.pcpus: tiny.pcpus, config.vcpus: tiny.tasks}
    return Witness(
        scenario="", policy="", mutation="", scope="", model="tso", buffer=BUFFER, overtake=False, check="none",
        vector=-1, threads=tuple(model.names), drivers={}, initial=by_offset(initial),
        shared=by_offset(dict(zip(words.shared, model.words, strict=True))), interrupted=world.with_points(last=False),
        interrupted_last=world.with_points(last=True), eager=world.eager, steps=steps, states=(), sources={},
        alone=by_offset(words.single),
    )  # fmt: skip


def again(tiny: TinyTasks, witness: Witness, world: World) -> Replayed:
    """Replay it."""
    functions = tiny.program.functions
    known = {
        each.__code__: ProgramFunction(name, each.__code__.co_filename, each.__module__)
        for name, each in functions.items()
    }
    code = ReplayProgram(
        drivers=(functions["cpu_startup_entry"],) * tiny.pcpus,
        interrupt=functions["common_interrupt"],
        functions=known,
        last_points=frozenset(),
        files=(),
        deferrable=frozenset(),
        task=functions["ret_from_fork"],
        contexts=tuple(world.machine.vcpus[v].at + CONTEXT for v in range(tiny.tasks)),
    )
    return replay(witness, code)


def migrates(witness: Witness, context: int) -> bool:
    """Return whether two pCPUs resume the task of a context word."""
    word = witness.shared.get(context, "not shared")
    rows = [(step.thread, row) for step in witness.steps for row in step.rows]
    return len({thread for thread, row in rows if (row.kind, row.word) == ("XCHG", word)}) > 1


CASES = [(body, seed) for body in BODIES for seed in range(6)]


@pytest.mark.parametrize(("body", "seed"), slow_but([case for case in CASES if case[1] == 0], CASES, several=True))
def test_any_path_is_taken_step_by_step(folder: Path, body: str, seed: int) -> None:
    """To its end, with delayed stores, interrupts and migrations."""
    tiny = TinyTasks(folder, BODIES[body], queued=QUEUED.get(body, 3))
    world = tiny.world()
    witness = walked(tiny, world, seed)
    assert len(witness.steps) > 10
    done = again(tiny, witness, world)
    assert (done.steps, done.why) == (len(witness.steps), "no check fired")


def test_a_path_with_a_migration_is_taken(folder: Path) -> None:
    """Some pCPU resumes what another one has suspended."""
    body = "values on the stack and in words of its own migrate"
    tiny = TinyTasks(folder, BODIES[body])
    world = tiny.world()
    contexts = by_offset({world.machine.vcpus[v].at + CONTEXT: v for v in range(tiny.tasks)})
    paths = (walked(tiny, world, seed) for seed in range(100))
    witness = next(path for path in paths if any(migrates(path, context) for context in contexts))
    for _ in range(3):
        done = again(tiny, witness, world)
        assert (done.steps, done.why) == (len(witness.steps), "no check fired")


def test_a_task_that_is_resumed_while_it_runs_is_seen(folder: Path) -> None:
    """The check is that of the explorer, and the pCPU ends there, as a real one does."""
    text = BODIES["values on the stack and in words of its own migrate"]
    tiny = TinyTasks(folder, text + "def resume(task): context_switch(0, task)\n")
    world = tiny.world()
    witness = next(
        path
        for path in (walked(tiny, world, seed) for seed in range(100))
        if any(
            (row.kind, row.answer) == ("XCHG", 0) and row.function == "context_switch" for row in path.steps[-1].rows
        )
    )
    check, vector = check_of(NOT_SUSPENDED * 256 + 255)
    done = again(tiny, replace(witness, check=check, vector=vector), world)
    assert done.shown, done.why
    assert done.why == check
