"""Tasks on real processes: a task that is resumed by another process goes on as if it had never moved."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from emu.machine import Machine, Pcpu
from emu.vectors import POSTED_INTR_VECTOR
from emu.waist import (
    READ_ONCE,
    WRITE_ONCE,
    apic_ack,
    choose,
    interrupt_point,
    local_read,
    local_write,
    mark,
    send_IPI,
    switch_to,
    this_cpu_ptr,
)
from hosts.explorer.counterexample.witness import Witness
from hosts.replay.messages import Arrive, Command, Drain, Report, Run
from hosts.replay.processes import Died, ReplayProcesses
from hosts.replay.program import ReplayProgram
from hosts.word64 import BASE
from tests.replay.test_endings import sockets_and_children

pytestmark = pytest.mark.timeout(120)

MACHINE = Machine(BASE)
PIR = [MACHINE.vcpus[i].pi_desc.pir for i in range(4)]
GO, STORED = PIR[0][0], PIR[0][1]
CONTEXT = (PIR[1][0], PIR[1][1])
IDLE = (PIR[1][2], PIR[1][3])
RUNNING = (PIR[2][0], PIR[2][1])
"""The number of the task that runs on each pCPU, private to it."""
TOTAL = (PIR[3][0], PIR[3][1])
BEGUN: list[int] = []
READS = 300
"""Private reads in a turn of a task, each an answer in its log."""
ON, AWAY = 0, 1
"""What a task does after a turn."""


def this_cpu() -> int:
    """Return the number of the own pCPU."""
    return (this_cpu_ptr() - MACHINE.pcpus[0].at) // Pcpu.nbytes


def idle() -> None:
    """Run the task that the schedule says: 0 none, otherwise 1 + its number."""
    cpu = this_cpu()
    while True:
        READ_ONCE(GO)
        task = choose(3)
        if task != 0:
            local_write(RUNNING[cpu], task - 1)
            switch_to(IDLE[cpu], CONTEXT[task - 1])


def body() -> None:
    """Add up what was seen so far, in a local variable; the sum is published, too."""
    me = local_read(RUNNING[this_cpu()])
    total = me + 1
    while True:
        total = total * 3 + READ_ONCE(GO)
        for _ in range(READS):
            local_read(TOTAL[me])
        WRITE_ONCE(STORED, total)
        mark(TOTAL[me], total)
        if choose(2) == AWAY:
            switch_to(CONTEXT[me], IDLE[this_cpu()])


def body_interrupted() -> None:
    """Take an interrupt, and count what its handler has told."""
    me = local_read(RUNNING[this_cpu()])
    send_IPI(this_cpu(), POSTED_INTR_VECTOR)
    interrupt_point(0)
    switch_to(CONTEXT[me], IDLE[this_cpu()])
    mark(TOTAL[me], 100 + local_read(TOTAL[me]))
    READ_ONCE(GO)


def handler() -> None:
    """Count."""
    apic_ack()
    mark(TOTAL[0], local_read(TOTAL[0]) + 1)


def body_that_differs() -> None:
    """Look at something that no primitive has answered: how often this process has begun it."""
    cpu = this_cpu()
    BEGUN.append(cpu)
    local_read(TOTAL[len(BEGUN) - 1])
    switch_to(CONTEXT[local_read(RUNNING[cpu])], IDLE[cpu])


def body_that_ends() -> None:
    """Return, which a task must not."""


class Driven:
    """Two processes, and what a test lets them do."""

    def __init__(self, processes: ReplayProcesses) -> None:
        """Begin with two tasks that have seen nothing."""
        self.processes = processes
        self.totals = [1, 2]
        self.seen = 0

    def do(self, cpu: int, command: Command) -> Report:
        """Let a process do something."""
        report = self.processes.execute(cpu, command)
        assert not report.diverged, report.diverged
        return report

    def resume(self, cpu: int, task: int) -> Report:
        """Let the idle task switch to a task."""
        self.do(cpu, Run((task + 1,)))
        return self.do(cpu, Run(()))

    def turn(self, cpu: int, task: int, then: int) -> None:
        """Let a task take a turn: it sees something new, stores its total, and goes away or not."""
        self.seen += 1
        self.processes.memory.write(GO, self.seen)
        self.totals[task] = self.totals[task] * 3 + self.seen
        self.do(cpu, Run(()))
        self.do(cpu, Run((then,)))
        if then == AWAY:
            while self.do(cpu, Drain()).position == "before an operation that has to wait":
                pass
            self.do(cpu, Run(()))

    def total(self, task: int) -> int:
        """Return what a task has published."""
        return self.processes.memory.read(TOTAL[task])


@contextmanager
def driven(task: object = body) -> Iterator[Driven]:
    """Start two processes with a protocol of the test's own."""
    shared = {GO: "go", STORED: "stored", **{word: f"context {i}" for i, word in enumerate(CONTEXT)}}
    config, irqs = Machine(0).config, [Machine(0).pcpus[i].irq.enabled for i in (0, 1)]
    witness = Witness(
        scenario="", policy="", mutation="", scope="", model="tso", buffer=4, overtake=False, check="", vector=-1,
        threads=("0", "1"), drivers={}, initial={config.pcpus: 2, config.vcpus: 2, irqs[0]: 1, irqs[1]: 1},
        shared={word - BASE: name for word, name in shared.items()}, interrupted=(0, 1), interrupted_last=(),
        eager=False, steps=(), states=(), sources={},
    )  # fmt: skip
    code = ReplayProgram(
        (idle, idle), handler, {}, frozenset(), (), frozenset(), task=task, contexts=CONTEXT  # type: ignore[arg-type]
    )  # fmt: skip
    with ReplayProcesses(witness, code) as processes:
        yield Driven(processes)


def test_what_a_task_has_on_its_stack_survives_a_migration() -> None:
    """Two tasks change places, twice: each has its own sum, of all it has seen wherever it was."""
    with driven() as two:
        for first in (0, 1, 0):
            tasks = (0, 1) if first == 0 else (1, 0)
            for cpu, task in enumerate(tasks):
                two.resume(cpu, task)
            for cpu, task in enumerate(tasks):
                two.turn(cpu, task, ON)
            for cpu, task in enumerate(tasks):
                two.turn(cpu, task, AWAY)
        for task in (0, 1):
            two.resume(task, task)
            two.turn(task, task, ON)
        assert [two.total(0), two.total(1)] == two.totals


def test_a_task_that_stays_is_not_run_again() -> None:
    """It is the very greenlet that was switched away from: of other tasks' turns nothing is asked for."""
    with driven() as two:
        for _ in range(3):
            two.resume(0, 1)
            two.turn(0, 1, AWAY)
            two.resume(0, 0)
            two.turn(0, 0, AWAY)
        asked: list[int] = []
        whole = two.processes.logs.whole
        two.processes.logs.whole = lambda number: asked.append(number) or whole(number)  # type: ignore[func-returns-value,method-assign]
        two.resume(0, 1)
        two.turn(0, 1, AWAY)
        assert asked == []
        two.resume(1, 1)
        assert len(asked) == 1
        two.turn(1, 1, ON)
        assert two.total(1) == two.totals[1]


def test_a_log_of_thousands_of_answers_is_run_over() -> None:
    """There and back, again and again: each time from the beginning, and memory is left alone until the log ends."""
    with driven() as two:
        for turn in range(12):
            cpu = turn % 2
            two.processes.memory.write(TOTAL[0], -5)
            two.resume(cpu, 0)
            assert two.total(0) == -5
            two.turn(cpu, 0, AWAY)
            assert two.total(0) == two.totals[0]
        saved = two.processes.memory.read(CONTEXT[0])
        answers = two.processes.logs.whole(saved).answers
        assert answers is not None
        assert len(answers) > 12 * READS


def test_only_what_was_added_is_saved_each_time() -> None:
    """A log names its parent."""
    with driven() as two:
        sizes = []
        save = two.processes.logs.save
        two.processes.logs.save = lambda saved: (sizes.append(len(saved.added)), save(saved))[1]  # type: ignore[method-assign]
        for turn in range(4):
            two.resume(turn % 2, 0)
            two.turn(turn % 2, 0, AWAY)
        assert len(sizes) == 4
        assert max(sizes) < 2 * READS


def test_a_switch_waits_until_the_store_buffer_is_empty() -> None:
    """It is a full barrier: the store before it reaches memory first."""
    with driven() as two:
        two.resume(0, 0)
        two.do(0, Run(()))
        report = two.do(0, Run((AWAY,)))
        assert report.position == "before an operation that has to wait"
        assert two.processes.memory.read(CONTEXT[0]) == 0
        assert two.do(0, Drain()).position == "before an operation"
        done = two.do(0, Run(())).done
        assert [(each.kind, each.word) for each in done] == [("FENCE", ""), ("POKE", "context 0")]
        assert two.processes.memory.read(CONTEXT[0]) > 0
        two.resume(1, 0)
        assert two.processes.memory.read(CONTEXT[0]) == 0


def test_an_interrupt_that_a_task_took_is_not_taken_again() -> None:
    """Its handler is run over the log like everything else, and changes nothing."""
    with driven(body_interrupted) as two:
        two.resume(0, 0)
        two.do(0, Run(()))
        two.do(0, Arrive(POSTED_INTR_VECTOR))
        while two.processes.memory.read(CONTEXT[0]) == 0:
            two.do(0, Run(()))
        assert two.total(0) == 1
        two.resume(1, 0)
        assert two.total(0) == 101


def test_a_log_that_does_not_fit_is_one_line() -> None:
    """The code asks for something else than was answered: a fault of the tool, told with what and where."""
    with driven(body_that_differs) as two:
        two.resume(0, 1)
        two.do(0, Run(()))
        two.resume(1, 0)
        two.do(1, Run(()))
        error = two.resume(1, 1).error
        assert error.startswith("a fault of pirace: the log of vCPU 1's task does not fit its code: answer ")
        assert "\n" not in error


@pytest.mark.parametrize(("held", "said"), [(77 * 256 + 1, "holds 19713"), (-3, "holds -3")])
def test_a_context_word_that_holds_no_task_is_told(held: int, said: str) -> None:
    """With what it holds."""
    with driven() as two:
        two.processes.memory.write(CONTEXT[0], held)
        report = two.resume(0, 0)
        assert said in report.error
        assert "which no task was saved as" in report.error


def test_a_task_that_ends_is_told() -> None:
    """There is nobody to go on with."""
    with driven(body_that_ends) as two:
        assert "ret_from_fork has returned" in two.resume(1, 1).error


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_with_tasks_leaves_nothing(victim: int) -> None:
    """Neither the one that has a task nor the one that is to resume it."""
    before = sockets_and_children()[1]
    with driven() as two:
        two.resume(0, 0)
        two.turn(0, 0, AWAY)
        os.kill(two.processes.processes[victim].pid, signal.SIGKILL)
        two.processes.processes[victim].join()
        with pytest.raises(Died, match=f"pCPU {victim} was killed by SIGKILL"):
            two.resume(1, 0)
    assert sockets_and_children()[1] == before
    assert not list(Path("/dev/shm").glob("*pirace*"))
