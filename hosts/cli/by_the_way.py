"""Explores a user's own rule beside a stress run: in one worker process, one scope at a time, while no race runs.

The worker is that of a soak on this machine (:mod:`hosts.soak.local`): a process of its own, so that a search that is
late can be ended whatever it is about, and Ctrl-C is the stress run's alone.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Final

from rich.console import Console

from hosts.report.explored import Explored, Scout
from hosts.report.plan import Planned
from hosts.report.verdict import Verdict
from hosts.soak.local import LocalExecutor
from hosts.soak.task import Result, Task
from hosts.soak.work import do_task

SMALLEST: Final = "tscdeadline-immed"
"""The scenario with the smallest scope: explored once before the run, it has everything loaded, or compiled."""
PREPARE_SECONDS: Final = 300.0
QUIET_SECONDS: Final = 3.0
"""What takes longer is told."""
TOO_SHORT: Final = 0.2
"""Seconds in which no search comes to anything."""
GRACE: Final = 0.5
"""Seconds that a search may take to end when its time is over, before its worker is killed."""
LOOK: Final = 0.05


@contextlib.contextmanager
def scout(policy: str, *, quiet: bool) -> Iterator[Scout]:
    """Give what explores this rule, when it is ready. What it needs is loaded while the machine is compiled."""
    executor = LocalExecutor(say=lambda _: None)
    try:
        yield Explorer(executor, policy, quiet=quiet)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        executor.cancel_running()
        executor.cancel_running()  # asked again, it kills the worker
        executor.shutdown()


class Explorer:
    """Explores."""

    def __init__(self, executor: LocalExecutor, policy: str, *, quiet: bool = False) -> None:
        self._executor = executor
        self._console = Console(stderr=True, quiet=quiet)
        task = Task(kind="explore", scenario=SMALLEST, policy=policy, seconds=PREPARE_SECONDS)
        self._prepared = executor.submit(do_task, task)

    @property
    def pid(self) -> int | None:
        """The worker's process id, if there is one."""
        return self._executor.pid

    def wait(self) -> None:
        """Wait until everything is loaded; whatever comes of it, it is told again when a row is explored."""
        begun, told = time.monotonic(), False
        while not _ended(self._prepared):
            waited = time.monotonic() - begun
            if waited > PREPARE_SECONDS:
                self._executor.cancel_running()
                self._executor.cancel_running()
            if waited > QUIET_SECONDS and not told:
                told = True
                self._console.print("compiling the explorer, which takes some seconds; the next start finds it done")

    def explore(self, planned: Planned, seconds: float, cancelled: Callable[[], bool]) -> Explored:
        """Explore a row's scope; see :class:`hosts.report.explored.Scout`."""
        if seconds < TOO_SHORT:
            return Explored(command_for(planned), why="this run was too short for it")
        mutation = planned.mutation.name if planned.mutation is not None else None
        task = Task(
            kind="explore",
            scenario=planned.scenario.name,
            policy=planned.policy.name,
            mutation=mutation,
            seconds=seconds,
        )
        future = self._executor.submit(do_task, task)
        end, ended = time.monotonic() + seconds, ""
        while not _ended(future):
            now = time.monotonic()
            if not ended and (cancelled() or now >= end):
                ended = "cancelled" if cancelled() else f"its {seconds:.1f} s were over"
                self._executor.cancel_running()
                end = now + GRACE
            elif ended and now >= end:
                self._executor.cancel_running()  # asked again, it kills the worker
        return explored(planned, future, ended)


def _ended(future: Future[Result]) -> bool:
    """Wait a moment for a result; tell whether there is one, or an error in its place."""
    with contextlib.suppress(TimeoutError):
        future.exception(LOOK)
    return future.done()


def explored(planned: Planned, future: Future[Result], ended: str) -> Explored:
    """Say what has come of an exploration; ``ended``: why it was ended before its end, if it was."""
    command = command_for(planned)
    error = future.exception()
    if error is not None:
        return Explored(command, why=ended or str(error).partition("\n")[0])
    result = future.result()
    record: dict[str, Any] = result.record
    search = record["search"]
    found = result.verdict == Verdict.VIOLATION
    states = f"{search['states']:,} states seen; " if search["states"] else ""
    why = ended if result.verdict == Verdict.CANCELLED else result.reason
    return Explored(
        command,
        complete=search["complete"],
        why="" if search["complete"] or found else states + why,
        states=search["states"],
        seconds=result.seconds,
        found=result.reason if found else "",
        checks=tuple(each["check"] for each in record["violations"]),
        entered=frozenset(window for window, count in record["windows"].items() if count),
        same_as=tuple(search["same_as"]),
    )


def command_for(planned: Planned) -> str:
    """Give the command that explores a row."""
    words = ["pirace", "explore", "--policy", planned.policy.name, "--scenario", planned.scenario.name]
    if planned.mutation is not None:
        words += ["--mutation", planned.mutation.name]
    return shlex.join(words)
