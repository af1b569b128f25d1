"""Whether pCPUs are still on their processors at the end of a run, asked of real processes.

Seen to fail without the look at the end, with a look at the affinity alone, and with one at the last processor alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.native.memory.layout import HOST_OFFSET, RUNNING, HostWords
from hosts.native.process.affinity import affinity_lost
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from hosts.soak.view.rates import rates, runs_without_affinity
from hosts.soak.workers.job import do_task
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import UP_SECONDS, eventually

ALLOWED = sorted(os.sched_getaffinity(0))

pytestmark = [
    pytest.mark.timeout(6 * UP_SECONDS),  # the first may have to compile
    pytest.mark.skipif(len(ALLOWED) < 2, reason="nowhere to stray to: one processor"),
]

FIRST, LAST = ALLOWED[0], ALLOWED[-1]


@pytest.fixture
def sleeper() -> Iterator[int]:
    """Return a process that stays on the first processor and sleeps there."""
    script = f"import os, sys; os.sched_setaffinity(0, {{{FIRST}}}); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process.pid
    process.kill()
    process.communicate()


def test_a_process_that_kept_its_affinity_is_not_reported(sleeper: int) -> None:
    """Nor is who was put nowhere."""
    assert affinity_lost({0: sleeper}, [FIRST]) == {}
    assert affinity_lost({0: sleeper, 1: os.getpid()}, [FIRST, None]) == {}


def test_a_process_that_was_moved_is_reported(sleeper: int) -> None:
    """By whoever may: asleep it has not gone yet, but need not come back."""
    os.sched_setaffinity(sleeper, {LAST})
    (told,) = affinity_lost({3: sleeper}, [None, None, None, FIRST]).values()
    assert told.startswith(f"pCPU 3 did not stay on processor {FIRST}: at the end it ")
    assert told.endswith(f"on {LAST}")


def test_a_process_that_may_run_elsewhere_is_reported(sleeper: int) -> None:
    """Where it was between two looks nobody knows."""
    os.sched_setaffinity(sleeper, {FIRST, LAST})
    (told,) = affinity_lost({0: sleeper}, [FIRST]).values()
    assert told.startswith(f"pCPU 0 did not stay on processor {FIRST}: at the end it ")


def test_a_process_that_ran_elsewhere_is_reported(sleeper: int) -> None:
    """Told by the processor that it ran on last, before what it may do now."""
    told = f"pCPU 0 did not stay on processor {LAST}: at the end it ran on {FIRST}"
    assert affinity_lost({0: sleeper}, [LAST]) == {0: told}


def test_a_process_that_is_gone_is_not_reported() -> None:
    """A crash is told as such."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert affinity_lost({0: done.pid}, [FIRST]) == {}


# --- a race


TASK = Task(
    scenario="remote-post",
    policy="always-2021",
    pcpus=2,
    place="core-complex",
    processors=(FIRST, LAST),
    seconds=0.3,
)


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Return one worker for all."""
    with LocalExecutor() as made:
        yield made


def race(executor: LocalExecutor, file: Path, moved: dict[int, set[int]]) -> Result:
    """Race; while it runs, give pCPUs other processors."""
    host = HostWords(HOST_OFFSET)
    future = executor.submit(do_task, replace(TASK, seconds=1.0 if moved else TASK.seconds), file)
    for cpu, processors in moved.items():
        assert eventually(lambda cpu=cpu: word(file, host.cpus[cpu].phase) == RUNNING, UP_SECONDS)
        os.sched_setaffinity(word(file, host.cpus[cpu].pid), processors)
    return future.result(4 * UP_SECONDS)


def word(file: Path, at: int) -> int:
    """Read a word of a machine's file; 0: it is not there yet."""
    return int.from_bytes(file.read_bytes()[at : at + 8], "little") if file.exists() else 0


def test_a_race_says_whether_its_pcpus_kept_their_affinity(executor: LocalExecutor, tmp_path: Path) -> None:
    """A run in which one lost its affinity has a note, and is excluded from the rates of its placement."""
    stayed = race(executor, tmp_path / "stayed", {})
    moved = race(executor, tmp_path / "moved", {1: {FIRST}})
    assert (stayed.strayed, [note for note in stayed.notes if "stay" in note]) == (False, [])
    assert moved.strayed
    assert f"pCPU 1 did not stay on processor {LAST}: at the end it ran on {FIRST}" in moved.notes
    with Campaign.create(tmp_path / "c", {}) as campaign:
        for result in (stayed, moved):
            campaign.finish(campaign.begin(TASK), result)
        found = {rate.key.sharing: (rate.key.place, rate.runs, rate.processors) for rate in rates(campaign)}
        assert found == {
            "multicore": ("core-complex", 1, (f"{FIRST},{LAST}",)),
            "unpinned": ("strayed", 1, ()),
        }
        assert runs_without_affinity(campaign) == (1, 2)
        assert campaign.row(2).result == moved


def test_a_pcpu_that_may_run_anywhere_has_lost_its_affinity(executor: LocalExecutor, tmp_path: Path) -> None:
    """Though it may not have gone."""
    assert race(executor, tmp_path / "freed", {0: {FIRST, LAST}}).strayed
