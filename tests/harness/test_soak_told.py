"""The fork server of a soak's worker is killed while nothing runs through it: it is told at once, not with a later row.

A worker keeps its fork server while it explores, which may take half an hour.
"""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.soaking import all_processes, parent_of

from hosts.soak.task import Task
from hosts.soak.workers.job import RUNNING, do_task
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import UP_SECONDS, eventually

RACE = Task(scenario="remote-post", policy="kick-2016", pcpus=2, place="unpinned", seconds=0.2)
EXPLORATION = Task(
    kind="explore", scenario="remote-post", policy="kick-2016", pcpus=1, place="unpinned", seconds=100 * UP_SECONDS
)
"""Has 97 million states: it is not over before somebody cancels it."""

pytestmark = pytest.mark.timeout(8 * UP_SECONDS)  # the first may have to compile


@pytest.fixture
def told() -> queue.SimpleQueue[str]:
    """Return what is said at once."""
    return queue.SimpleQueue()


@pytest.fixture
def executor(told: queue.SimpleQueue[str]) -> Iterator[LocalExecutor]:
    """Return one whose worker has raced, so that it has a fork server."""
    with LocalExecutor(say=told.put) as made:
        assert made.submit(do_task, RACE, None).result().verdict != "CRASH"
        yield made


def is_fork_server(pid: int) -> bool:
    """Return whether a process is a fork server; one that has gone is none."""
    try:
        return b"multiprocess.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def servers_of(worker: int) -> list[int]:
    """Return the fork servers of a worker."""
    return [pid for pid in all_processes() if parent_of(pid) == worker and is_fork_server(pid)]


def kill_server(executor: LocalExecutor) -> int:
    """Kill the worker's fork server; return its number."""
    assert executor.pid is not None
    (server,) = servers_of(executor.pid)
    os.kill(server, signal.SIGKILL)
    return server


def test_killed_while_the_worker_explores(executor: LocalExecutor, told: queue.SimpleQueue[str]) -> None:
    """The exploration goes on; the race after it has a new fork server, and says so too."""
    exploration = executor.submit(do_task, EXPLORATION, None)
    assert eventually(lambda: executor.stage == RUNNING, 4 * UP_SECONDS)
    server = kill_server(executor)
    what = f"fork server {server} was killed by SIGKILL"
    assert told.get(timeout=UP_SECONDS) == f"{what}; the next machine gets a new one"
    assert not exploration.done()
    executor.cancel_running()
    assert exploration.result().verdict == "CANCELLED"
    race = executor.submit(do_task, RACE, None).result()
    assert race.verdict != "CRASH"
    assert "the fork server had died before this run, which has a new one" in race.notes
    assert executor.notes == [what]
    assert told.empty()


def test_the_end_of_a_worker_tells_nothing(told: queue.SimpleQueue[str]) -> None:
    """Its fork server is asked to end; nobody has killed it."""
    with LocalExecutor(say=told.put) as executor:
        assert executor.submit(do_task, RACE, None).result().verdict != "CRASH"
    assert (told.empty(), executor.notes) == (True, [])
