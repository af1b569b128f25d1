"""Explores a user's own code beside a stress run: in one worker process, one scope at a time, while no race runs.

The worker is that of a soak on this machine (:mod:`hosts.soak.workers.local_executor`): a process of its own, so that a
search that is late can be ended whatever it is about, and Ctrl-C is the stress run's alone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

from rich.console import Console

from emu.workload.scenarios import POLICIES
from hosts.loader.user_code import CodeSpec
from hosts.runs.explored import Explored, Scout
from hosts.runs.plan import Planned
from hosts.soak.task import Result, Task
from hosts.soak.workers.explored import command_for, explored_of
from hosts.soak.workers.failures import CannotRun, WorkerDied, WorkerOverdue
from hosts.soak.workers.job import do_task
from hosts.soak.workers.local_executor import LocalExecutor

SMALLEST: Final = "tscdeadline-immed"
"""The scenario with the smallest scope: explored once before the run, it has everything loaded, or compiled."""
PREPARE_SECONDS: Final = 300.0
QUIET_SECONDS: Final = 3.0
"""After this time the wait is reported."""
TOO_SHORT: Final = 0.2
"""A shorter budget is not worth a search."""
GRACE: Final = 1.5
"""Seconds that a search may take to end when its time is over, before its worker is killed."""
LOOK: Final = 0.05


@contextlib.contextmanager
def scout(code: CodeSpec, *, quiet: bool) -> Iterator[Scout]:
    """Start the explorer of a user's rule: it loads what it needs while the machine is compiled."""
    executor = LocalExecutor(say=lambda _: None)
    try:
        yield Explorer(executor, code, quiet=quiet)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        executor.cancel_running()
        executor.cancel_running()  # asked again, it kills the worker
        executor.shutdown()


class Explorer:
    """Explores the scopes of a user's rule."""

    def __init__(self, executor: LocalExecutor, code: CodeSpec, *, quiet: bool = False) -> None:
        self._executor = executor
        self._console = Console(stderr=True, quiet=quiet)
        policy, patches = code.rule or POLICIES[-1].name, code if code.patched else None
        task = Task(kind="explore", scenario=SMALLEST, policy=policy, code=patches, seconds=PREPARE_SECONDS)
        self._prepared = executor.submit(do_task, task)

    @property
    def pid(self) -> int | None:
        """The worker's process id, if there is one."""
        return self._executor.pid

    def wait(self) -> None:
        """Wait until everything is loaded; an error shows again when a row is explored."""
        begun, told = time.monotonic(), False
        while not _ended(self._prepared):
            waited = time.monotonic() - begun
            if waited > PREPARE_SECONDS:
                self._executor.cancel_running()
                self._executor.cancel_running()
            if waited > QUIET_SECONDS and not told:
                told = True
                self._console.print("making the explorer ready, which takes some seconds the first time")

    def explore(self, planned: Planned, seconds: float, cancelled: Callable[[], bool]) -> Explored:
        """Explore a row's scope; see :class:`hosts.runs.explored.Scout`."""
        mutation = planned.mutation.name if planned.mutation is not None else None
        task = Task(
            kind="explore",
            scenario=planned.scenario.name,
            policy=planned.policy.name,
            mutation=mutation,
            code=planned.code,
            seconds=seconds,
        )
        if seconds < TOO_SHORT:
            return Explored(command_for(task), why="this run was too short for it")
        future = self._executor.submit(do_task, task)
        end, ended = time.monotonic() + seconds, ""
        while not _ended(future):
            now = time.monotonic()
            if not ended and (cancelled() or now >= end):
                ended = "cancelled" if cancelled() else f"time limit of {seconds:.1f} s reached"
                self._executor.cancel_running()
                end = now + GRACE
            elif ended and now >= end:
                self._executor.cancel_running()  # asked again, it kills the worker
        error = future.exception()
        if error is not None:
            return Explored(command_for(task), why=ended or _told(error))
        return explored_of(task, future.result(), ended)


def _told(error: BaseException) -> str:
    """Return the reason why there is no result; an error of pirace is called an internal one."""
    text = str(error).partition("\n")[0]
    ours = isinstance(error, CannotRun | WorkerDied | WorkerOverdue)
    return text if ours else f"internal error: {type(error).__name__}: {text}"


def _ended(future: Future[Result]) -> bool:
    """Wait a moment for a result; return whether there is one, or an error."""
    with contextlib.suppress(TimeoutError):
        future.exception(LOOK)
    return future.done()
