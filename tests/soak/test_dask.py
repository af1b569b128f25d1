"""A real Dask cluster of several worker processes on this machine, one of which is killed in the middle of a task."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE
from hosts.runs.verdict import Verdict
from hosts.soak.task import Result, Task
from hosts.soak.workers import dask_client
from hosts.soak.workers.dask_client import ClusterExecutor
from hosts.soak.workers.executors import open_executor
from hosts.soak.workers.job import do_task
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import UP_SECONDS, eventually
from tests.soak import worker_jobs

WORKERS = 3

pytestmark = pytest.mark.timeout(6 * UP_SECONDS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start one; its workers come back when they are killed, as a cluster's do."""
    with distributed.LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as made:
        yield made


@pytest.fixture
def executor(cluster: Any) -> Iterator[ClusterExecutor]:
    """Return an executor on it."""
    with ClusterExecutor(cluster.scheduler_address) as made:
        yield made


def task(**given: Any) -> Task:
    """Make a short task."""
    return Task(**{"scenario": "remote-post", "policy": "always-2021", "pcpus": 2, "seconds": 0.3, **given})


def counted(result: Result) -> int:
    """Return how much a race has done."""
    posts: int = result.record["counts"]["posts"]
    return posts


def begun(cluster: Any) -> dict[str, int]:
    """Return the Dask workers that have a task, with their process ids."""
    pids = {nanny.worker_address: nanny.pid for nanny in cluster.workers.values()}
    return {state.address: pids[state.address] for state in cluster.scheduler.workers.values() if state.processing}


@pytest.mark.slow  # of a worker on this machine, tests/soak/test_local_executor.py has it
def test_a_killed_worker_is_noted_and_its_task_done_again(cluster: Any, executor: ClusterExecutor) -> None:
    """Nothing is lost and nothing is counted twice: as many results as tasks, each with one race's time."""
    futures = [executor.submit(do_task, task(seconds=1.5, seed=seed)) for seed in range(3)]
    assert eventually(lambda: machines_under_way() and begun(cluster), 2 * UP_SECONDS)
    (address, pid), *others = begun(cluster).items()
    assert others == []  # three workers, one host: one machine at a time
    os.kill(pid, signal.SIGKILL)
    results = [future.result(3 * UP_SECONDS) for future in futures]
    assert [result.record["seed"] for result in results] == [0, 1, 2]
    assert all(counted(result) > 0 and result.disagreements == () for result in results)
    assert all(result.seconds < 2.5 for result in results)
    note = f"worker {address} died while it did the task, which was done again"
    assert [note in result.notes for result in results] == [True, False, False]
    assert executor.notes == [note]


def machines_under_way() -> bool:
    """Return whether a pCPU runs that a Dask worker's own worker process has started: a spinning child of ours."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"hosts.soak.workers.server" in (entry / "cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


def test_one_host_is_one_slot(executor: ClusterExecutor) -> None:
    """However many workers it has; its topology is this machine's."""
    assert executor.slots == 1
    (topology,) = executor.topologies()
    assert set(topology.numbers) == os.sched_getaffinity(0)


@pytest.mark.slow
def test_a_violation_comes_with_its_machine(executor: ClusterExecutor) -> None:
    """As bytes: the file was on the worker's host."""
    result = executor.submit(do_task, task(**worker_jobs.AT_ONCE)).result()
    assert result.verdict == Verdict.VIOLATION
    assert set(result.files) == {"facts.json", "machine"}


@pytest.mark.slow
def test_a_users_rule_is_sent_to_the_host(executor: ClusterExecutor, tmp_path: Path) -> None:
    """Its file is on the coordinator's machine only, and the row names that one; what it does there is told here."""
    mine = task(policy=worker_jobs.endless_rule(tmp_path), seconds=600.0)
    result = executor.submit(do_task, mine).result(4 * UP_SECONDS)
    assert (result.verdict, result.record["policy"]) == (Verdict.CRASH, mine.policy)
    assert "hung" in result.reason
    assert {"machine", "stacks.txt"} <= set(result.files)


def test_a_place_that_the_host_has_not_is_skipped(executor: ClusterExecutor) -> None:
    """Numbers of another machine's processors say nothing here; the class of the placement does."""
    result = executor.submit(do_task, task(place="other-package", processors=(0, 999))).result()
    assert result.verdict == Verdict.SKIPPED
    assert "no other-package" in result.reason


def test_cancelled_the_run_under_way_ends(executor: ClusterExecutor) -> None:
    """On whatever host; those that wait do not begin."""
    first, second = (executor.submit(do_task, task(seconds=600.0)) for _ in range(2))
    assert eventually(machines_under_way, UP_SECONDS)
    while not first.done():
        executor.cancel_running()
        eventually(first.done, 1.0)
    assert second.cancelled()


def test_no_scheduler_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of an environment that lacks something."""
    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 0.3)
    with pytest.raises(Failure, match="no scheduler answers") as caught:
        ClusterExecutor("tcp://127.0.0.1:1")
    assert caught.value.exit_code == EXIT_ENVIRONMENT


@pytest.mark.parametrize("address", ["head", "tcp://head", "tcp://head:port", "http://head:8786"])
def test_what_is_no_address_is_wrong_usage(address: str) -> None:
    """Told before anybody is waited for."""
    with pytest.raises(Failure, match="not the address of a scheduler, as tcp://head:8786") as caught:
        ClusterExecutor(address)
    assert caught.value.exit_code == EXIT_USAGE


def test_without_an_address_the_tasks_are_done_here() -> None:
    """And nothing of Dask is needed."""
    with open_executor(None) as executor:
        assert isinstance(executor, LocalExecutor)
