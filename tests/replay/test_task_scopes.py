"""Scopes in which pCPUs run vCPUs as tasks: paths through emu's own scheduler are taken on real processes."""

from __future__ import annotations

import pytest

from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.model.options import Options
from hosts.replay.program import replay_program
from hosts.replay.scheduler import replay
from tests.replay.witnesses import NONE, Case, program

pytestmark = pytest.mark.timeout(180)

SCOPES = (
    "cpus=2 | vcpus=2 | guest=hlt,cpuid | post:0x34@1 | iommu@0 tick:0 tick:1",
    "cpus=2 | vcpus=3 | guest=hlt,timer,icr | tick:0 tick:1 | timers=2",
    "cpus=1 | vcpus=2 | guest=cpuid,hlt | post:0x34@1 tick:0 | kick@1 assign",
    "cpus=2 | vcpus=2 | guest=cpuid,now | post:0x34@1 device | kick@0 tick:1",
)
MOST_STEPS = 1500


def case(scope: str) -> Case:
    """Return a task scope under today's rule."""
    return Case("remote-post", "elide-self-2022", None, scope, Options(buffer=4))


def migrates(witness: Witness) -> bool:
    """Return whether two pCPUs resume the same task."""
    resumes = {
        (row.word, step.thread)
        for step in witness.steps
        for row in step.rows
        if row.kind == "XCHG" and row.word.endswith(".sched.context")
    }
    return len(resumes) > len({word for word, _thread in resumes})


def taken_to_its_end(witness: Witness) -> bool:
    """Replay a path; return whether every step was as the witness has it, and the same checks fired."""
    done = replay(witness, replay_program(witness, program()))
    assert done.steps == len(witness.steps), done.why
    return done.ending == ("none" if witness.check == NONE else "shown")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scope", SCOPES)
def test_any_path_is_taken_step_by_step(scope: str, seed: int) -> None:
    """Wake-ups, preemption, the wake-up list, devices: each operation as the explorer has it."""
    assert taken_to_its_end(case(scope).walk(seed, MOST_STEPS))


def test_a_path_with_a_migration_is_taken() -> None:
    """A vCPU that another pCPU resumes goes on where it was left."""
    of = case(SCOPES[0])
    witness = next(path for path in (of.walk(seed, MOST_STEPS) for seed in range(100)) if migrates(path))
    assert taken_to_its_end(witness)
