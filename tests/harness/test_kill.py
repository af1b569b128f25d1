"""Whatever is killed, and whenever: nothing is left, and what is known is reported.

Each test kills a driver in a session of its own, or what the driver started, and then looks at /proc, /proc/net/unix
and the temporary folder.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from hosts.rundir import PREFIX, sweep
from hosts.signals import STOPPING
from tests.choice import slow_but
from tests.harness import roots
from tests.harness.driven import GONE_SECONDS, UP_SECONDS, Driven, eventually, sockets_of, uses_shm

LONG = 60.0
"""Seconds of a run that is not to end by itself."""

pytestmark = pytest.mark.timeout(2 * UP_SECONDS + 2 * GONE_SECONDS)


@pytest.fixture
def driven(root: Path) -> Driven:
    """Start a long run of two pCPUs."""
    return Driven(root, roots.SPIN, 2, LONG)


def test_the_end_of_a_run_leaves_nothing(root: Path) -> None:
    """A run that ends by itself leaves no process, socket or file, and nothing ever touches /dev/shm."""
    with Driven(root, roots.SPIN, 3, 0.5) as driven:
        up = driven.event("up")
        sockets = sockets_of(up["pids"])
        assert len(sockets) == 3
        assert not any(uses_shm(pid) for pid in driven.processes())
        assert driven.outcome()["exit_codes"] == [0, 0, 0]
        driven.leaves_nothing(sockets)


@pytest.mark.parametrize("number", slow_but([signal.SIGKILL], [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV]))
def test_a_killed_worker_is_a_crash_and_the_others_are_stopped(root: Path, number: signal.Signals) -> None:
    """The outcome names the pCPU and the signal, the others' words are kept, and the next run is a good one."""
    with Driven(root, roots.TURNS, 3, LONG / 40, repeats=2) as driven:
        up = driven.event("up")
        sockets = sockets_of(up["pids"])
        os.kill(up["pids"][1], number)
        first = driven.event("end")
        assert first["crash"] == f"pCPU 1 was killed by {number.name}"
        assert first["exit_codes"][1] == -number
        assert first["results"][2] > 0
        second = driven.outcome()
        assert (second["crash"], second["exit_codes"]) == (None, [0, 0, 0])
        driven.leaves_nothing(sockets)


def test_a_killed_fork_server_is_a_crash_and_is_replaced(root: Path) -> None:
    """Its pCPUs die with it; the next run has a new one."""
    with Driven(root, roots.SPIN, 2, LONG / 40, repeats=2) as driven:
        up = driven.event("up")
        sockets = sockets_of(up["pids"])
        os.kill(up["server"], signal.SIGKILL)
        assert "fork server" in driven.event("end")["crash"]
        second = driven.event("up")
        assert second["server"] != up["server"]
        assert driven.outcome()["exit_codes"] == [0, 0]
        driven.leaves_nothing(sockets)


def test_nothing_outlives_a_killed_supervisor(driven: Driven) -> None:
    """Neither pCPUs nor fork server, nor the temporary folder."""
    with driven:
        sockets = sockets_of(driven.event("up")["pids"])
        driven.process.kill()
        driven.leaves_nothing(sockets)


def test_not_even_stopped_processes_outlive_a_killed_supervisor(driven: Driven) -> None:
    """A pCPU under SIGSTOP cannot notice anything; the kernel kills it when the fork server ends."""
    with driven:
        pids = driven.event("up")["pids"]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        driven.process.kill()
        driven.leaves_nothing()


def test_a_spinning_worker_does_not_outlive_a_killed_supervisor(root: Path) -> None:
    """Compiled code that never returns holds no lock that the watching thread needs."""
    with Driven(root, roots.DEAF, 2, LONG) as driven:
        driven.event("up")
        driven.process.kill()
        driven.leaves_nothing()


def test_killing_supervisor_and_fork_server_leaves_a_folder_that_the_next_start_sweeps(root: Path) -> None:
    """With both gone nobody can remove the folder; its lock is free, so the next start does."""
    with Driven(root, roots.SPIN, 2, LONG) as driven:
        up = driven.event("up")
        os.kill(driven.process.pid, signal.SIGSTOP)
        os.kill(up["server"], signal.SIGKILL)
        driven.process.kill()
        assert eventually(lambda: not driven.processes(), GONE_SECONDS), driven.describe()
        left = list(driven.folder.iterdir())
        assert [path.name.startswith(PREFIX) for path in left] == [True]
        sweep(driven.folder)
        assert not any(driven.folder.iterdir())


def test_the_sweep_leaves_living_runs_alone(driven: Driven) -> None:
    """A second start in the same temporary folder does not take the first one's socket away."""
    with driven:
        driven.event("up")
        before = sorted(driven.folder.rglob("*"))
        sweep(driven.folder)
        assert sorted(driven.folder.rglob("*")) == before


@pytest.mark.parametrize("number", STOPPING)
def test_ctrl_c_ends_a_run_within_a_second_and_keeps_what_there_is(root: Path, number: signal.Signals) -> None:
    """The whole process group is interrupted, as by a terminal; the outcome has the words of the last moment.

    So it is by ``timeout``, with SIGTERM, and by a terminal that is closed.
    """
    with Driven(root, roots.TURNS, 2, LONG) as driven:
        sockets = sockets_of(driven.event("up")["pids"])
        os.killpg(driven.process.pid, number)
        begun = time.monotonic()
        outcome = driven.outcome()
        assert time.monotonic() - begun < UP_SECONDS / 4  # a second where the machine is not busy; the run is 60
        assert outcome["cancelled"]
        assert outcome["crash"] is None
        assert min(outcome["results"]) > 0
        driven.leaves_nothing(sockets)


def test_ctrl_c_ends_even_workers_that_do_not_listen(root: Path) -> None:
    """They are killed; the run is cancelled, not crashed."""
    with Driven(root, roots.DEAF, 2, LONG) as driven:
        driven.event("up")
        os.killpg(driven.process.pid, signal.SIGINT)
        outcome = driven.outcome()
        assert (outcome["cancelled"], outcome["crash"], outcome["killed"]) == (True, None, [True, True])
        driven.leaves_nothing()


@pytest.mark.parametrize("milliseconds", slow_but([0, 100], [0, 5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 500]))
def test_ctrl_c_during_the_start_leaves_nothing(root: Path, milliseconds: int) -> None:
    """At whatever moment between the making of the supervisor and the go of eight pCPUs it comes."""
    with Driven(root, roots.SPIN, 8, LONG) as driven:
        driven.event("starting")
        time.sleep(milliseconds / 1000)
        os.killpg(driven.process.pid, signal.SIGINT)
        driven.process.communicate(timeout=UP_SECONDS)
        driven.leaves_nothing()


@pytest.mark.parametrize("milliseconds", slow_but([60], [0, 10, 30, 60, 100, 200, 400]))
def test_a_supervisor_killed_during_the_start_leaves_nothing(root: Path, milliseconds: int) -> None:
    """The fork server may be loading, or in the middle of a fork; before it is up, the folder is the next start's."""
    with Driven(root, roots.SPIN, 8, LONG) as driven:
        driven.event("starting")
        time.sleep(milliseconds / 1000)
        driven.process.kill()
        assert eventually(lambda: not driven.processes() and swept(driven.folder), GONE_SECONDS), driven.describe()


def swept(folder: Path) -> bool:
    """Sweep as the next start does; tell whether nothing was left."""
    sweep(folder)
    return not any(folder.iterdir())


def test_a_worker_that_does_not_stop_is_killed_and_named(root: Path) -> None:
    """The bound is the configuration's."""
    with Driven(root, roots.DEAF, 2, 0.2, stop_seconds=0.5) as driven:
        outcome = driven.outcome()
        assert outcome["crash"] == "did not end within 0.5 s: pCPU 0, 1"
        assert (outcome["stuck"], outcome["killed"]) == ([0, 1], [True, True])
        driven.leaves_nothing()


@pytest.mark.slow
def test_a_stopped_worker_is_noticed_as_stalled(root: Path) -> None:
    """Its heartbeat stands still while the run goes on; continued, it comes to its end."""
    with Driven(root, roots.SPIN, 2, 4.0) as driven:
        pids = driven.event("up")["pids"]
        os.kill(pids[1], signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(pids[1], signal.SIGCONT)
        outcome = driven.outcome()
        assert (outcome["stalled"], outcome["crash"]) == ([1], None)


def test_a_fault_in_compiled_code_is_a_crash(root: Path) -> None:
    """A stray access ends the process by SIGSEGV."""
    with Driven(root, roots.CRASH, 2, LONG) as driven:
        assert "was killed by SIGSEGV" in driven.outcome()["crash"]
        driven.leaves_nothing()


def test_a_root_that_does_not_load_is_told_with_its_reason(root: Path) -> None:
    """The fork server keeps the traceback for the outcome; nothing is written over the caller's screen."""
    with Driven(root, roots.SPIN, 2, LONG, loader="broken") as driven:
        crash = driven.outcome()["crash"]
        assert "could not be loaded" in crash
        assert "RuntimeError: this root cannot be loaded" in crash
        driven.leaves_nothing()


def test_a_libzmq_error_is_a_crash_and_the_ipi_is_uncounted(root: Path) -> None:
    """What libzmq did not take has not been sent."""
    with Driven(root, roots.BAD_SOCKET, 1, LONG) as driven:
        outcome = driven.outcome()
        assert "libzmq failed with errno" in outcome["crash"]
        assert outcome["undelivered"] == []
        driven.leaves_nothing()
