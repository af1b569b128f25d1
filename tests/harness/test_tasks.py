"""Tasks with stacks of their own go from process to process, and what goes wrong with one is told as what it is."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts.native.memory.addresses import MEMORY_AT
from hosts.native.memory.region import SharedMemory
from hosts.native.memory.task_stacks import STACK_BYTES, StackMemory
from hosts.native.process import crash_dump
from hosts.native.process.configuration import Configuration
from hosts.native.process.forkserver import Root
from hosts.native.process.supervisor import Supervisor
from tests.harness import task_roots
from tests.harness.driven import UP_SECONDS, sockets_of, unix_sockets
from tests.harness.task_roots import OVERFLOW, RETURN, SELF, SWITCH, TASKS, Little

LONG = 120.0
"""Seconds of a run that ends when enough has been seen."""
MACHINE = Little(MEMORY_AT)

pytestmark = pytest.mark.timeout(3 * UP_SECONDS)


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Return a supervisor of the root of :mod:`tests.harness.task_roots`."""
    file = tmp_path_factory.mktemp("task_roots") / "root.o"
    file.write_bytes(task_roots.object_code())
    with Supervisor(Root("tests.harness.loaders:load_root", str(file))) as made:
        yield made


def queue_all(memory: SharedMemory) -> None:
    """Make all tasks runnable."""
    memory.write(MACHINE.queued, (1 << TASKS) - 1)


def configuration(role: int, **more: object) -> Configuration:
    """Return what to run: two pCPUs, three tasks."""
    contexts = tuple(MACHINE.tasks[number].context for number in range(TASKS))
    return Configuration(
        pcpus=2,
        seconds=LONG,
        role=task_roots.LIVE,
        contexts=contexts,
        task_role=role,
        **more,  # type: ignore[arg-type]
    )


def test_tasks_keep_their_numbers_through_thousands_of_migrations(supervisor: Supervisor) -> None:
    """Each runs in both processes, by its own switches and from within handlers; the idle tasks stay where they are."""
    migrated = lambda memory: all(  # noqa: E731
        memory.read(MACHINE.tasks[i].migrations) > 2_000 and memory.read(MACHINE.tasks[i].preempted) > 10
        for i in range(TASKS)
    )
    outcome = supervisor.run(configuration(SWITCH), setup=queue_all, enough=migrated)
    assert (outcome.crash, outcome.undelivered) == (None, ())
    assert [each.exit_code for each in outcome.workers] == [0, 0]
    memory = outcome.memory
    assert len({memory.read(memory.host.cpus[cpu].pid) for cpu in range(2)}) == 2
    for number in range(TASKS):
        task = MACHINE.tasks[number]
        assert memory.read(task.wrong) == 0
        assert min(memory.read(task.on_first), memory.read(task.on_second)) > 100
        assert memory.read(task.sum) == expected_sum(number, memory.read(task.turns))
    assert [memory.read(MACHINE.idles[cpu].wrong) for cpu in range(2)] == [0, 0]


def expected_sum(number: int, turns: int) -> int:
    """Compute what a task computes in so many turns."""
    a, b, c, d, e, f, g, h = number + 1, 2, 3, 4, 5, 6, 7, 8
    for turn in range((turns & ~task_roots.ROUND) + 1, turns + 1):
        a, b, c, d = word(a * task_roots.MULTIPLIER + turn), word(b + a), word(c ^ b * 3), word(d + (c >> 5))
        e, f, g, h = word(e * task_roots.MULTIPLIER + d), f ^ e, word(g + (f >> 7)), word(h * 5 + g)
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h


def word(value: int) -> int:
    """Return the word that compiled code has for a number."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def test_a_pcpu_killed_while_tasks_migrate_is_a_crash_and_leaves_nothing(supervisor: Supervisor) -> None:
    """The task that it ran is lost, the other pCPU and all sockets are gone, and the next run is a good one."""
    pids: list[int] = []
    sockets: set[str] = set()

    def kill_one(memory: SharedMemory) -> bool:
        if not pids and memory.read(MACHINE.migrations) > 500:
            pids.extend(memory.read(memory.host.cpus[cpu].pid) for cpu in range(2))
            sockets.update(sockets_of(pids))
            os.kill(pids[1], signal.SIGKILL)
        return False

    outcome = supervisor.run(configuration(SWITCH), setup=queue_all, enough=kill_one)
    assert outcome.crash == "pCPU 1 was killed by SIGKILL"
    assert len(sockets) == 2
    assert not sockets & set(unix_sockets().values())
    assert not [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and is_alive(pid)]
    again = supervisor.run(
        configuration(SWITCH), setup=queue_all, enough=lambda memory: memory.read(MACHINE.migrations) > 500
    )
    assert again.crash is None


def is_alive(pid: int) -> bool:
    """Return whether a process is no zombie."""
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")


def test_a_pcpu_that_is_asked_for_its_stacks_goes_on(supervisor: Supervisor) -> None:
    """The handler of that signal has a stack of its own, on whichever stack it finds the process."""
    asked: list[int] = []

    def ask(memory: SharedMemory) -> bool:
        if memory.read(MACHINE.migrations) > 500 * (len(asked) + 1):
            asked.append(memory.read(memory.host.cpus[len(asked) % 2].pid))
            os.kill(asked[-1], crash_dump.SIGNAL)
        return len(asked) == 8

    outcome = supervisor.run(configuration(SWITCH), setup=queue_all, enough=ask)
    assert outcome.crash is None
    assert [outcome.memory.read(MACHINE.tasks[number].wrong) for number in range(TASKS)] == [0] * TASKS


def test_a_stack_that_overflows_is_told_as_that(supervisor: Supervisor) -> None:
    """The guard page stops the task before it writes to the next stack; whose it was is said, and where it was."""
    outcome = supervisor.run(configuration(OVERFLOW), setup=queue_all)
    assert outcome.crash is not None
    said = f"the stack of task {{}} has overflowed: it has {STACK_BYTES // 1024} KiB"
    cpus = [f"pCPU {cpu}: {said.format(number)}" for cpu in range(2) for number in range(TASKS)]
    assert outcome.crash in cpus
    assert "Segmentation fault" in outcome.crash_dump["stacks.txt"]


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (RETURN, "a task came to its end, which none does"),
        (SELF, "a task was to be resumed that is not suspended"),
    ],
)
def test_what_no_task_does_is_told_as_that(supervisor: Supervisor, role: int, said: str) -> None:
    """There is nothing that it could return to, and nothing to go on with."""
    outcome = supervisor.run(configuration(role), setup=queue_all)
    assert outcome.crash is not None
    assert outcome.crash.partition(": ")[2] == said


def test_stacks_for_which_there_is_no_room_are_an_error_that_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any process is started, as with the machine's own memory; without tasks nothing is asked for."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = len([*Path("/proc/self/fd").iterdir()])
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        StackMemory(1)
    with StackMemory(0) as nothing:
        assert nothing.fd == -1
    assert len([*Path("/proc/self/fd").iterdir()]) == before
