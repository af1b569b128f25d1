"""Tasks done for real: races and explorations in a worker process, and what is kept of them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.observe.accounting import COUNTERS, ROUNDS
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE
from hosts.native.memory.layout import HOST_OFFSET, HostWords
from hosts.native.memory.region import SharedMemory
from hosts.native.process.outcome import Outcome
from hosts.runs.native_runner import HANG_SECONDS
from hosts.runs.verdict import Verdict
from hosts.soak.store.records import read_back
from hosts.soak.task import Result, Task
from hosts.soak.workers.failures import CannotRun, WorkerDied
from hosts.soak.workers.job import crash_result, do_task
from hosts.soak.workers.local_executor import LocalExecutor
from hosts.soak.workers.race_result import measured, planned_of
from tests.harness.driven import UP_SECONDS, eventually
from tests.soak import worker_jobs

UNPROMISED = "not checked, as the rule does not promise it: C7"
pytestmark = pytest.mark.timeout(6 * UP_SECONDS)  # the first may have to compile


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Return one worker for all, which has raced: no test has to wait for a machine that is being compiled."""
    with LocalExecutor() as made:
        made.submit(do_task, task()).result()
        yield made


def task(**given: Any) -> Task:
    """Make a short task."""
    return Task(**{"scenario": "remote-post", "policy": "always-2021", "pcpus": 2, "seconds": 0.3, **given})


def test_a_race_is_a_row_and_its_machine_stays_in_the_file(executor: LocalExecutor, tmp_path: Path) -> None:
    """A run that has shown nothing has nothing to be kept; its accountings agree."""
    result = executor.submit(do_task, task(seed=7), tmp_path / "machine").result()
    assert result.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.UNTRUSTWORTHY}
    assert (result.disagreements, result.files) == ((), {})
    assert result.record["counts"]["posts"] > 0
    assert (result.record["seed"], result.record["record"]) == (7, "result")
    assert result.where.endswith(f":{executor.pid}")
    assert (tmp_path / "machine").stat().st_size > 0


def test_a_violation_is_kept_whole(executor: LocalExecutor) -> None:
    """Without a file of the caller's, the machine's bytes come along."""
    seeded = task(**worker_jobs.AT_ONCE)
    result = executor.submit(do_task, seeded).result()
    assert (result.verdict, result.as_expected) == (Verdict.VIOLATION, True)
    assert set(result.files) == {"facts.json", "machine"}
    facts = json.loads(result.files["facts.json"])
    assert read_back(json.dumps(facts["task"]), Task) == seeded
    assert facts["environment"]["versions"]["pirace"]
    assert [worker["exit_code"] for worker in facts["pcpus"]] == [0, 0]


def test_a_canary_ends_when_it_is_caught(executor: LocalExecutor) -> None:
    """It is no news and is not kept."""
    result = executor.submit(do_task, task(mutation="no-entry-sync", canary=True, seconds=60.0)).result()
    assert (result.verdict, result.files) == (Verdict.VIOLATION, {})
    assert result.seconds < 30
    assert result.record["canary"] is True


def test_pcpus_that_share_a_processor_prove_nothing(executor: LocalExecutor) -> None:
    """A pass of theirs is called what it is."""
    cpu = min(os.sched_getaffinity(0))
    result = executor.submit(do_task, task(processors=(cpu, cpu), place="shared")).result()
    assert result.verdict == Verdict.UNTRUSTWORTHY
    assert result.reason == "2 pCPUs on 1 processor"
    assert result.processors == (cpu, cpu)


def test_an_exploration_is_a_row(executor: LocalExecutor) -> None:
    """In the same worker, with the record of the explorer."""
    result = executor.submit(do_task, task(kind="explore", scenario="tscdeadline-immed", seconds=60.0)).result()
    assert (result.verdict, result.record["host"]) == (Verdict.PASS, "explorer")
    assert result.record["search"]["complete"] is True


def test_an_exploration_names_what_the_rule_does_not_promise(executor: LocalExecutor, tmp_path: Path) -> None:
    """In its notes, which ``pirace soak show`` tells, and in the explorer's record."""
    mine = task(kind="explore", scenario="tscdeadline-immed", policy=worker_jobs.endless_rule(tmp_path), seconds=60.0)
    result = executor.submit(do_task, mine).result()
    assert UNPROMISED in result.notes
    assert result.record["unpromised"] == ["C7"]


def test_an_exploration_keeps_its_witness(executor: LocalExecutor) -> None:
    """Step by step, to be replayed."""
    found = task(kind="explore", scenario="tscdeadline-immed", policy="elide-self-2022", mutation="no-fastpath-sync")
    result = executor.submit(do_task, structs.replace(found, seconds=60.0)).result()
    assert (result.verdict, set(result.files)) == (Verdict.VIOLATION, {"witness.json"})


@pytest.mark.slow
def test_a_hang_is_a_crash_that_is_kept(executor: LocalExecutor, tmp_path: Path) -> None:
    """A user's rule that waits for ever: found by the watchdog, not waited for.

    The worker and its fork server go on, and the same program does the historic policies. What it does not promise
    is named.
    """
    mine = task(policy=worker_jobs.endless_rule(tmp_path), seconds=600.0)
    result = executor.submit(do_task, mine).result(4 * UP_SECONDS)
    assert (result.verdict, result.as_expected) == (Verdict.CRASH, False)
    assert "hung: nothing in the machine has moved" in result.reason
    assert result.record["policy"] == mine.policy
    assert result.record["unpromised"] == ["C7"]
    assert UNPROMISED in result.notes
    assert set(result.files) == {"facts.json", "machine", "proc.txt", "stacks.txt"}
    assert "pcpu.py" in result.files["stacks.txt"].decode()
    before = executor.pid
    assert executor.submit(do_task, task()).result().verdict != Verdict.CRASH
    assert executor.pid == before


@pytest.mark.slow
@pytest.mark.timeout(12 * UP_SECONDS)
def test_what_was_seen_before_a_hang_is_the_verdict(executor: LocalExecutor, tmp_path: Path) -> None:
    """A rule that tells nobody, until it waits for ever: thousands of posts lie before that, and a hang behind them.

    That nothing fires before the rule waits has a chance of about one in 10,000 for each post that goes unseen.
    """
    mine = task(policy=worker_jobs.losing_rule(tmp_path), seconds=600.0)
    result = executor.submit(do_task, mine).result(4 * UP_SECONDS)
    assert (result.verdict, result.as_expected) == (Verdict.VIOLATION, False)
    assert "hung: nothing in the machine has moved" in result.reason
    assert {"C1", "C7"} & {each["check"] for each in result.record["violations"]}
    assert "hung: nothing in the machine has moved" in result.record["crash"]
    assert set(result.files) == {"facts.json", "machine", "proc.txt", "stacks.txt"}


@pytest.mark.slow
@pytest.mark.timeout(12 * UP_SECONDS)  # it compiles, and learns what threads do
def test_a_race_is_not_asked_for_what_its_exploration_has_ruled_out(executor: LocalExecutor, tmp_path: Path) -> None:
    """A rule that notifies nobody: until its scope was explored to the end, that window is missed in every race."""
    mine = worker_jobs.kicking_rule(tmp_path)
    before = executor.submit(do_task, task(policy=mine, seconds=1.0)).result()
    assert "notified-in-guest" in before.reason or before.verdict == Verdict.UNTRUSTWORTHY
    executor.submit(do_task, task(kind="explore", policy=mine, seconds=4 * UP_SECONDS)).result()
    after = executor.submit(do_task, task(policy=mine, seconds=1.0)).result()
    assert "notified-in-guest" not in after.reason
    assert "notified-in-guest" in after.record["not_demanded"]


def pcpu_pid(machine: Path, cpu: int) -> int:
    """Read a pCPU's process id out of the machine's file; 0: it has not come up."""
    at = HostWords(HOST_OFFSET).cpus[cpu].pid
    words = machine.read_bytes()[at : at + WORD_BYTES] if machine.exists() else b""
    return int.from_bytes(words, "little")


@pytest.mark.slow
@pytest.mark.parametrize("cpu", [0, 1])
def test_a_pcpu_stopped_for_seconds_is_a_label_and_no_alarm(executor: LocalExecutor, tmp_path: Path, cpu: int) -> None:
    """For longer than makes a hang, the one that runs the vCPU or the one that posts; the other waits, and beats."""
    file = tmp_path / "machine"
    future = executor.submit(do_task, task(seconds=HANG_SECONDS + 2.0), file)
    assert eventually(lambda: executor.stage == "running" and pcpu_pid(file, cpu), UP_SECONDS)
    pid = pcpu_pid(file, cpu)
    assert eventually(lambda: counted_rounds(file) > 0, UP_SECONDS)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(HANG_SECONDS + 1.0)  # what is tested is that nothing comes of it
    os.kill(pid, signal.SIGCONT)
    result = future.result(2 * UP_SECONDS)
    assert (result.verdict, result.disagreements) == (Verdict.UNTRUSTWORTHY, ())
    assert f"pCPU {cpu}" in result.reason
    assert any(note.startswith(f"pCPU {cpu} was stopped for") for note in result.notes)


def test_end_checks_are_not_made_of_a_run_that_halted() -> None:
    """Its accountings may differ: a pCPU was killed in the middle of its work."""
    with SharedMemory() as memory:
        memory.write(memory.machine.pcpus[0].counters[COUNTERS.index("ipis_sent")], 7)  # in no other book
        ended = Outcome(memory.copy(), seconds=1.0, overhead=0.0, workers=())
        chosen = planned_of(task())
        assert measured(ended, chosen, cancelled=False)[1] != ()
        assert measured(replace(ended, halted=(0,)), chosen, cancelled=False)[1] == ()


def counted_rounds(machine: Path) -> int:
    """Read how many rounds the vCPU has made."""
    at = Machine(0).pcpus[0].counters[ROUNDS]
    return int.from_bytes(machine.read_bytes()[at : at + WORD_BYTES], "little")


def test_cancelled_it_ends_at_once(executor: LocalExecutor) -> None:
    """And what comes behind it is not cancelled."""
    future = executor.submit(do_task, task(seconds=600.0))
    assert eventually(lambda: executor.stage == "running", UP_SECONDS)
    executor.cancel_running()
    result = future.result(UP_SECONDS)
    assert result.verdict == Verdict.CANCELLED
    assert executor.submit(do_task, task()).result().verdict != Verdict.CANCELLED


def test_a_supervisor_killed_in_the_middle_leaves_the_machine_and_is_done_again(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    """The worker is the supervisor: what its machine's words were can be read."""
    future = executor.submit(do_task, task(seconds=600.0), tmp_path / "machine")
    assert eventually(lambda: executor.stage == "running" and (tmp_path / "machine").exists(), UP_SECONDS)
    pid = executor.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match=f"worker {pid} was killed by SIGKILL"):
        future.result(UP_SECONDS)
    assert (tmp_path / "machine").stat().st_size > 0
    assert executor.submit(do_task, task(), tmp_path / "machine").result().verdict != Verdict.CRASH


@pytest.mark.parametrize(
    ("given", "file", "code"),
    [
        ({"scenario": "no-such"}, None, EXIT_USAGE),
        ({"policy": "/no/such/file.py:rule"}, None, EXIT_USAGE),
        ({}, Path("/no/such/folder/machine"), EXIT_ENVIRONMENT),
    ],
)
def test_what_cannot_be_run_says_so_in_one_line(
    executor: LocalExecutor, given: dict[str, Any], file: Path | None, code: int
) -> None:
    """With the exit code that it means."""
    with pytest.raises(CannotRun) as caught:
        executor.submit(do_task, task(**given), file).result()
    assert caught.value.exit_code == code
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["race", "explore"])
def test_a_task_that_kills_its_workers_is_a_crash(kind: str) -> None:
    """With why, and never as expected."""
    result = crash_result(task(kind=kind), "worker 1 was killed by SIGKILL")
    assert (result.verdict, result.as_expected) == (Verdict.CRASH, False)
    assert result.reason == "worker 1 was killed by SIGKILL"
    assert result.record["verdict"] == "CRASH"


def test_two_workers_do_not_interfere(tmp_path: Path) -> None:
    """Two soaks at once: each has its own fork server, folder and sockets."""

    def one(name: str) -> Result:
        with LocalExecutor() as own:
            return own.submit(do_task, task(), tmp_path / name).result()

    with ThreadPoolExecutor() as pool:
        for result in pool.map(one, ("a", "b")):
            assert result.record["counts"]["posts"] > 0
            assert result.disagreements == ()
