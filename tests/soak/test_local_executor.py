"""One worker process on this machine: it may die, hang, be stopped, or be left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts.soak.workers.failures import CannotRun, WorkerDied, WorkerOverdue
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import GONE_SECONDS, TOP, UP_SECONDS, eventually
from tests.soak import worker_jobs

pytestmark = pytest.mark.timeout(4 * UP_SECONDS)


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    """Return one that has little patience."""
    with LocalExecutor(grace=1.0) as made:
        yield made


def gone(pid: int) -> bool:
    """Return whether a process has ended, collected or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def numbers(file: Path) -> list[int]:
    """Wait for the process ids that a job writes down."""
    assert eventually(file.exists, UP_SECONDS)
    return [int(number) for number in file.read_text(encoding="ascii").split()]


def test_one_worker_does_one_job_after_another(executor: LocalExecutor) -> None:
    """In a session of its own, which a terminal's Ctrl-C does not reach."""
    first, second = (executor.submit(worker_jobs.pid) for _ in range(2))
    assert first.result() == second.result() == executor.pid
    assert os.getsid(first.result()) == first.result() != os.getsid(0)


def test_modules_of_the_current_folder_are_not_imported(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever soaks in it may have a file there that bears the name of a module."""
    (tmp_path / "queue.py").write_text("raise RuntimeError('imported')\n", encoding="ascii")
    monkeypatch.chdir(tmp_path)
    assert executor.submit(worker_jobs.pid).result() == executor.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_that_dies_is_reported_and_replaced(executor: LocalExecutor, number: signal.Signals) -> None:
    """The job's future says how it died; the next job has another worker."""
    before = executor.submit(worker_jobs.pid).result()
    with pytest.raises(WorkerDied, match=f"worker {before} was killed by {number.name}"):
        executor.submit(worker_jobs.die, number).result()
    assert executor.submit(worker_jobs.pid).result() != before
    assert [note.split(" (")[0] for note in executor.notes] == [f"worker {before} was killed by {number.name}"]


def test_a_worker_that_takes_too_long_is_killed_with_its_tree(executor: LocalExecutor, tmp_path: Path) -> None:
    """Whatever it had started goes with it."""
    job = executor.submit(worker_jobs.sleep_with_child, str(tmp_path / "pids"), 600.0)
    with pytest.raises(WorkerOverdue, match="longer than its task takes"):
        job.result()
    for pid in numbers(tmp_path / "pids"):
        assert eventually(lambda pid=pid: gone(pid), GONE_SECONDS)
    assert executor.submit(worker_jobs.pid).result()


def test_a_stopped_worker_is_not_overdue(executor: LocalExecutor, tmp_path: Path) -> None:
    """Somebody holds it: that is no fault of its own."""
    assert executor.submit(worker_jobs.stop_and_go, str(tmp_path / "stopped")).result() == "went on"
    assert executor.notes == []


def test_the_second_cancel_kills(executor: LocalExecutor, tmp_path: Path) -> None:
    """The first one asks, and this job does not listen."""
    job = executor.submit(worker_jobs.sleep_with_child, str(tmp_path / "pids"), 600.0)
    numbers(tmp_path / "pids")
    executor.cancel_running()
    executor.cancel_running()
    with pytest.raises(WorkerDied, match="killed by SIGKILL"):
        job.result()


def test_errors_come_back_whole(executor: LocalExecutor) -> None:
    """Those that are meant to cross keep what they carry; the worker lives on."""
    with pytest.raises(CannotRun, match="no room") as caught:
        executor.submit(worker_jobs.fail).result()
    assert caught.value.exit_code == 3
    assert executor.submit(worker_jobs.pid).result() == executor.pid


def test_an_error_that_cannot_be_pickled_is_sent_as_text(executor: LocalExecutor) -> None:
    """Its text comes back."""
    with pytest.raises(Exception, match="no such thing"):
        executor.submit(worker_jobs.fail_otherwise).result()


def test_shut_down_it_takes_nothing_more_and_leaves_nothing() -> None:
    """What waits is dropped if that is asked for."""
    executor = LocalExecutor()
    pid = executor.submit(worker_jobs.pid).result()
    executor.shutdown(cancel_futures=True)
    assert gone(pid)
    with pytest.raises(RuntimeError):
        executor.submit(worker_jobs.pid)


COORDINATOR = """
import sys
from hosts.soak.workers.local_executor import LocalExecutor
from tests.soak import worker_jobs
if __name__ == "__main__":
    LocalExecutor().submit(worker_jobs.sleep_with_child, sys.argv[1], 600.0).result()
"""


def test_a_worker_ends_with_its_coordinator(tmp_path: Path) -> None:
    """Kill -9 of the coordinator: the worker, deaf to everything in the middle of its job, goes with its tree."""
    file = tmp_path / "pids"
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    coordinator = subprocess.Popen([sys.executable, "-c", COORDINATOR, str(file)], env=environment, cwd=TOP)
    pids = numbers(file)
    coordinator.kill()
    coordinator.wait()
    for pid in pids:
        assert eventually(lambda pid=pid: gone(pid), 2 * GONE_SECONDS)
