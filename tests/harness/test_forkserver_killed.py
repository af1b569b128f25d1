"""The fork server is killed at each step of its life and of a run's: it is told at once, and the next run is good.

Where it dies is fixed by what it does, or by what the supervisor does, never by the clock.
"""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import multiprocess.forkserver
import multiprocess.resource_tracker
import multiprocess.util
import pytest

from hosts.native.process.configuration import Configuration
from hosts.native.process.forkserver import ForkServer, Root
from hosts.native.process.outcome import Outcome
from hosts.native.process.pcpu_processes import PcpuProcesses
from hosts.native.process.supervised_run import SupervisedRun
from hosts.native.process.supervisor import Supervisor
from hosts.signals import STOPPING
from tests.choice import slow_but
from tests.harness import dying, roots
from tests.harness.driven import UP_SECONDS, eventually

LONG = 60.0
"""Seconds of a run that is not to end by itself, and longer than any bound of the supervisor's."""
KILLED = -signal.SIGKILL
REPLACED = "the fork server had died before this run, which has a new one"

pytestmark = pytest.mark.timeout(3 * UP_SECONDS)


class Watched(Supervisor):
    """One whose lost fork servers are noted."""

    def __init__(self, root: Root) -> None:
        self.told: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        super().__init__(root, lambda pid, status: self.told.put((pid, status)))

    def spin(self, seconds: float) -> Outcome:
        """Run two pCPUs."""
        return self.run(Configuration(pcpus=2, seconds=seconds, role=roots.SPIN))

    def is_told(self, pid: int | None, status: int) -> None:
        """Assert that a death is told, and nothing else is."""
        assert self.told.get(timeout=UP_SECONDS) == (pid, status)
        assert self.told.empty()

    def runs_again(self, before: int | None) -> None:
        """Assert that the next run has another fork server, says so, and comes to its end."""
        outcome = self.spin(0.1)
        assert (outcome.crash, [each.exit_code for each in outcome.workers]) == (None, [0, 0])
        assert REPLACED in outcome.labels
        assert self.server_pid != before


@pytest.fixture(scope="module")
def long_lived(root: Path) -> Iterator[Watched]:
    """Return a supervisor that goes from one killed fork server to the next; its own end tells nothing.

    A process has one fork server at a time: the tests that have a supervisor of their own come before.
    """
    with Watched(Root("tests.harness.loaders:load_root", str(root))) as made:
        yield made
    assert made.told.empty()


@pytest.fixture
def watched(long_lived: Watched) -> Watched:
    """Return it with a fork server that lives, and nothing told, whatever became of the test before."""
    assert long_lived.spin(0.1).crash is None
    while not long_lived.told.empty():
        long_lived.told.get()
    return long_lived


def kill(server: ForkServer) -> None:
    """Kill it, and go on when it is dead."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait_dead(UP_SECONDS)


# --- by what the fork server does


@pytest.mark.parametrize(
    ("moment", "nth"),
    slow_but(
        [("accepted", 2)], [("asked", 1), ("accepted", 2), ("told", 1), ("forked", 1), ("forked", 2)], several=True
    ),
)
def test_killed_while_it_starts_a_process(root: Path, tmp_path: Path, moment: str, nth: int) -> None:
    """Before it takes the request for one, before it reads it, before and after the fork."""
    with Watched(Root("tests.harness.dying:load", dying.argument(root, moment, nth, tmp_path))) as watched:
        first = watched.server_pid
        outcome = watched.spin(LONG)
        assert outcome.crash is not None
        assert outcome.crash.startswith(f"the fork server died while pCPU {nth - 1} was started")
        watched.is_told(first, KILLED)
        watched.runs_again(first)
    assert watched.told.empty()


def test_no_signal_ends_a_fork_server_before_it_ignores_them(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are blocked when it is spawned, though the start of the resource tracker before it unblocks some of them."""
    blocked: list[set[int]] = []

    def spawn(*arguments: Any) -> int:
        blocked.append({int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])})
        return original(*arguments)

    original = multiprocess.util.spawnv_passfds
    monkeypatch.setattr(multiprocess.util, "spawnv_passfds", spawn)
    multiprocess.resource_tracker._resource_tracker._stop()
    with Supervisor(Root("tests.harness.loaders:load_root", str(root))):
        pass
    assert len(blocked) == 2
    assert set(STOPPING) <= blocked[1]


@pytest.mark.parametrize(
    ("moment", "status"), [("loading", KILLED), pytest.param("leaving", dying.EXIT_CODE, marks=pytest.mark.slow)]
)
def test_dead_while_it_loads(root: Path, tmp_path: Path, moment: str, status: int) -> None:
    """Told with no run under way; whether the run comes before its death or after makes no difference to that."""
    with Watched(Root("tests.harness.dying:load", dying.argument(root, moment, 1, tmp_path))) as watched:
        first = watched.server_pid
        watched.is_told(first, status)
        watched.runs_again(first)


def test_killed_while_it_loads_and_is_waited_for(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops where it loads, and is killed when the supervisor has asked it for a process and awaits its number."""
    read = multiprocess.forkserver.read_signed

    def killed(fd: int) -> int:
        if first is not None and state_of(first) == "T":
            os.kill(first, signal.SIGKILL)
        return int(read(fd))

    with Watched(Root("tests.harness.dying:load", dying.argument(root, "stopped", 1, tmp_path))) as watched:
        first = watched.server_pid
        assert first is not None
        assert eventually(lambda: state_of(first) == "T", UP_SECONDS)
        with monkeypatch.context() as patched:
            patched.setattr(multiprocess.forkserver, "read_signed", killed)
            outcome = watched.spin(LONG)
        assert outcome.crash is not None
        assert outcome.crash.startswith("the fork server died while pCPU 0 was started")
        watched.is_told(first, KILLED)
        watched.runs_again(first)


def test_killed_just_before_it_is_asked_to_end(root: Path) -> None:
    """That is told too; an end that was asked for is not."""
    with Watched(Root("tests.harness.loaders:load_root", str(root))) as watched:
        first = watched.server_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    watched.is_told(first, KILLED)
    with Watched(Root("tests.harness.loaders:load_root", str(root))) as watched:
        assert watched.spin(0.1).crash is None
    assert watched.told.empty()


def test_killed_while_it_is_asked_to_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It still counts as alive, and may have been asked: the way it ended tells whose doing it was."""
    close = os.close  # the first thing that is closed is what asks it

    def killed(fd: int) -> None:
        monkeypatch.undo()
        close(fd)
        os.kill(first, signal.SIGKILL)

    with Watched(Root("tests.harness.loaders:load_root", str(root))) as watched:
        assert watched.spin(0.1).crash is None
        assert watched.server_pid is not None
        first = watched.server_pid
        os.kill(first, signal.SIGSTOP)  # so that it cannot end by itself before it is killed
        assert eventually(lambda: state_of(first) == "T", UP_SECONDS)
        monkeypatch.setattr(os, "close", killed)
    watched.is_told(first, KILLED)


def state_of(pid: int) -> str:
    """Return the letter of a process's state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# --- by what the supervisor does


def before(name: str, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the fork server killed before the ``nth`` call of a method of the run, or of its processes."""
    owner = SupervisedRun if hasattr(SupervisedRun, name) else PcpuProcesses
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def killed(run: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            kill(run.server)
        return original(run, *arguments, **named)

    monkeypatch.setattr(owner, name, killed)


@pytest.mark.parametrize("nth", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_killed_when_it_is_about_to_be_asked(watched: Watched, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """No other one takes its place within the start of a process: it would have no root."""
    kept, calls = ForkServer.kept, iter(range(1, 3))

    @contextmanager
    def killed(server: ForkServer) -> Iterator[None]:
        with kept(server):
            if next(calls) == nth:
                kill(server)
            yield

    first = watched.server_pid
    with monkeypatch.context() as patched:
        patched.setattr(ForkServer, "kept", killed)
        outcome = watched.spin(LONG)
    assert outcome.crash == f"the fork server died while pCPU {nth - 1} was started (EOFError('it is gone'))"
    watched.is_told(first, KILLED)
    watched.runs_again(first)


def test_killed_just_before_it_is_replaced(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is not given back before its death is told."""
    first = watched.server_pid
    with monkeypatch.context() as patched:
        before("start", 1, patched)
        outcome = watched.spin(0.1)
    assert (outcome.crash, REPLACED in outcome.labels) == (None, True)
    watched.is_told(first, KILLED)


def test_killed_between_two_processes(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other one takes its place within a run: the first pCPUs are dead."""
    first = watched.server_pid
    with monkeypatch.context() as patched:
        before("start", 2, patched)
        outcome = watched.spin(LONG)
    assert outcome.crash == "the fork server died while pCPU 1 was started (EOFError('it is gone'))"
    watched.is_told(first, KILLED)
    watched.runs_again(first)


@pytest.mark.parametrize(
    ("name", "nth", "seconds"),
    [
        pytest.param("_await", 1, LONG, id="all are started", marks=pytest.mark.slow),
        pytest.param("_await", 2, LONG, id="all are bound", marks=pytest.mark.slow),
        pytest.param("_watch", 1, LONG, id="all run"),
        pytest.param("_check_health", 1, LONG, id="in the middle of the run"),
        pytest.param("_wind_down", 1, 0.1, id="the time is over"),
        pytest.param("_await", 3, 0.1, id="all are to stop", marks=pytest.mark.slow),
    ],
)
def test_killed_in_a_run(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, name: str, nth: int, seconds: float
) -> None:
    """The run ends with it."""
    first = watched.server_pid
    with monkeypatch.context() as patched:
        before(name, nth, patched)
        assert watched.spin(seconds).crash == "the fork server was killed, and the pCPUs with it"
    watched.is_told(first, KILLED)
    watched.runs_again(first)


@pytest.mark.parametrize("name", slow_but(["join"], ["_await", "join", "kill", "workers"]))
def test_killed_at_the_end_of_a_run(watched: Watched, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The run may have come to its end: it is told all the same, and not only by the run after."""
    first = watched.server_pid
    with monkeypatch.context() as patched:
        before(name, 4 if name == "_await" else 1, patched)
        assert watched.spin(0.1).crash in (None, "the fork server was killed, and the pCPUs with it")
    watched.is_told(first, KILLED)
    watched.runs_again(first)


def test_killed_between_two_runs(watched: Watched) -> None:
    """Told when it happens, not when there is a next run."""
    assert watched.spin(0.1).crash is None
    first = watched.server_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    watched.is_told(first, KILLED)
    watched.runs_again(first)
