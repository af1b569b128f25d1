"""Scopes in which pCPUs run vCPUs as tasks: how they are written, and what is found in them."""

from __future__ import annotations

import pytest

from emu.machine import ALWAYS_2021, Machine
from emu.mutations import Edit, Mutation
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.initial_state import initial_words
from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Thread
from hosts.explorer.refine import explore
from hosts.explorer.threads.continuations import FRESH
from hosts.explorer.threads.harness import ScopeError, driver_sources, scope_of
from hosts.loader.program import load_program
from hosts.word64 import BASE
from tests.explore.exactly import builder_of

SMALL = "cpus=2 | vcpus=1 | iommu@0 | guest=cpuid"


def test_a_scope_of_tasks_is_written_as_it_is_read() -> None:
    """Its first pCPUs run the tasks, those behind them act; each vCPU's task waits to begin."""
    text = "cpus=2 | vcpus=2 | post:0x34@1 tick:0 | iommu@1 | assign | guest=hlt | timers=1 | turns=1,0"
    scope = scope_of(None, text)
    assert str(scope) == text
    assert scope.names[:3] == ("pCPU 0", "pCPU 1", "post:0x34@1 tick:0")
    assert "cpu_startup_entry()" in driver_sources(scope)["thread_1"]
    assert "assign_or_remove_device()" in driver_sources(scope)["thread_4"]
    words, machine = initial_words(scope, ALWAYS_2021, 0), Machine(BASE)
    assert [words.get(machine.vcpus[v].sched.context) for v in range(3)] == [FRESH, FRESH, None]
    assert (words[machine.config.task_pcpus], words[machine.vcpus[0].guest.turns_left]) == (2, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "cpus=2 | guest=hlt": "cpus=1..9 and vcpus=1..9 go together",
        "cpus=2 | vcpus=x": "cpus=1..9 and vcpus=1..9 go together",
        "cpus=2 | vcpus=1 | tick:2": "tick:2: this scope has no pCPU of tasks 2",
        "cpus=2 | vcpus=2 | iommu@3": "iommu@3: this scope has no vCPU 3",
        "iommu@0": "iommu@0: vCPUs are tasks there; say how many pCPUs run how many of them",
        "cpus=2 | vcpus=2 | turns=1": "turns=1: a number from 0 to 9 for each of the 2 vCPUs",
    }.items(),
)
def test_a_scope_that_there_is_not_is_refused(text: str, said: str) -> None:
    """In one sentence that says what is expected."""
    with pytest.raises(ScopeError, match=said.replace("(", r"\(")):
        scope_of(None, text)


def test_a_small_scope_of_tasks_comes_to_its_end() -> None:
    """Nothing fires, on one pCPU or on two; a vCPU whose task has not been posted to keeps its words to itself."""
    for text in (SMALL, "cpus=1 | vcpus=2 | guest=cpuid"):
        result, _, _ = explore(builder_of(scope_of(None, text), ALWAYS_2021, None), Options())
        assert result.complete
        assert result.violation is None


def test_a_task_that_waits_for_a_pcpu_is_owed_nothing() -> None:
    """Nothing ticks: the other task may keep the pCPU for ever, posted to or not."""
    assert builder_of(scope_of(None, SMALL), ALWAYS_2021, None).obligations == []
    assert len(builder_of(scope_of(None, "post:0x34"), ALWAYS_2021, None).obligations) == 4


def test_a_device_posts_in_one_transaction() -> None:
    """Nobody comes between the PIR bit and ON: all behind the first operation belongs to its step."""
    (migrate,) = [each for each in SCENARIOS if each.name == "migrate"]
    builder = builder_of(scope_of(migrate, SMALL), ALWAYS_2021, None)
    device = explore(builder, Options())[2].threads[2]
    posts = [device.operation(local) for local in range(len(device)) if _in_post(device, local)]
    assert Op.CMPXCHG in {each.kind for each in posts}
    assert not any(each.scheduled for each in posts)


def _in_post(thread: Thread, local: int) -> bool:
    """Return whether the operation of a local state is one of the transaction behind its first."""
    return thread.place(thread.operation(local).where).function == "vtd_post"


NOT_FREE = Mutation(
    1,
    "on-cpu-ignored",
    "a task that is woken is queued anywhere, even while its pCPU is still switching away from it",
    "kernel/sched/core.c",
    (
        Edit(
            "ttwu_queue",
            "if smp_load_acquire(task.on_cpu) == 0:\n"
            "    cpu = select_task_rq(task, cpu)\n"
            "    WRITE_ONCE(task.cpu, cpu)",
            "cpu = select_task_rq(task, cpu)\nWRITE_ONCE(task.cpu, cpu)",
        ),
    ),
    (),
)
"""On real processes two of them would run on one stack: so it is no seeded bug of the table."""


def test_a_task_that_is_resumed_before_its_stack_is_free_is_sighted() -> None:
    """C14: what ``on_cpu`` is for."""
    program = load_program(mutations=(NOT_FREE,))
    scope = scope_of(None, "cpus=2 | vcpus=1 | post:0x34 | guest=hlt")
    result, _, _ = explore(Builder(program, scope, ALWAYS_2021, NOT_FREE), Options())
    assert result.violation is not None
    assert CHECKS[result.violation.sighting >> 8] == "C14"
