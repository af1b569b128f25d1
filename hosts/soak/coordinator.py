"""The coordinator of a campaign: it chooses tasks, gives them to an executor, and writes the results to the store.

Every result is in the campaign's file before the next task is chosen. The coordinator runs no emulated CPU itself, so
whatever happens to a worker process becomes a row.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec.structs import replace

from hosts.errors import Failure
from hosts.runs.verdict import Verdict
from hosts.soak.plan.choose import Chooser
from hosts.soak.store.rows import Row
from hosts.soak.store.tallies import CanaryKey, Cell
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from hosts.soak.workers.failures import CannotRun, WorkerDied
from hosts.soak.workers.job import crash_result, do_task

TICK: Final = 0.1
ATTEMPTS: Final = 3
"""How often a task is tried: the task itself may be what kills its workers."""
SHORTEST: Final = 0.2
"""Seconds that have to be left for another task to be begun."""
STOP_SECONDS: Final = 10.0
"""Seconds that a cancelled task may take to end before its worker is killed."""
NOT_CAUGHT: Final = "the canary of this scenario was not caught"
AFFINITY_LOST: Final = "a pCPU did not stay on its processor"

Ending = Literal["time", "violation", "interrupted"]
"""Why a soak ended."""
Do = Callable[[Task, Path | None], Result]


class Executor(Protocol):
    """The executor of tasks: see :mod:`hosts.soak.workers.local_executor` and :mod:`hosts.soak.workers.dask_client`."""

    @property
    def slots(self) -> int:
        """The number of tasks that can be under way now."""

    def submit(self, do: Do, task: Task, machine_file: Path | None, /) -> Future[Result]:
        """Submit a task."""

    def cancel_running(self) -> None:
        """Cancel the tasks under way; called again, kill their workers."""


class Display(Protocol):
    """What shows the campaign to the user."""

    def began(self, number: int, task: Task) -> None:
        """Show that a task has begun."""

    def ended(self, row: Row) -> None:
        """Show the row of a task that has ended."""

    def died(self, number: int, task: Task, why: str) -> None:
        """Show that a worker died and its task is retried."""

    def tick(self) -> None:
        """Refresh; called several times a second."""


@dataclass(frozen=True)
class Limits:
    """When a soak ends by itself."""

    seconds: float = math.inf
    until_violation: bool = False
    named: bool = False
    """The user has named policies or mutations, so a violation that the table expects ends the soak too."""


class Coordinator:
    """Coordinates one session of a campaign."""

    def __init__(
        self,
        campaign: Campaign,
        chooser: Chooser,
        executor: Executor,
        display: Display,
        limits: Limits,
        *,
        here: bool = True,
        check: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; ``here``: the executor shares this machine's files and processors.

        ``check`` raises if the sources or the user's rule have changed: a worker reads them when it needs them, so a
        run counts only if they were the same before and after it.
        """
        self._campaign, self._chooser, self._executor, self._display = campaign, chooser, executor, display
        self._limits, self._here, self._check, self._clock = limits, here, check, clock
        self._under_way: dict[Future[Result], tuple[int, Task]] = {}
        self._attempts: dict[int, int] = {}
        self._number = max((row.id for row in campaign.rows(newest=True, limit=1)), default=0)
        self._ending: Ending | None = None
        self._cancel_at = 0.0
        """When the tasks under way are cancelled (again), by the clock."""

    def stop(self) -> None:
        """Begin no more tasks and cancel those under way (safe in a signal handler); called again, at once."""
        self._cancel_at = 0.0
        self._ending = "interrupted"

    def run(self) -> Ending:
        """Run tasks until the time is over, a violation ends the soak, or :meth:`stop` is called."""
        self._end = self._clock() + self._limits.seconds
        try:
            while self._goes_on() or self._under_way:
                self._fill()
                self._display.tick()
                if self._ending is not None:
                    self._cancel()
                for done in self._some_done():
                    self._account(done)
            return self._ending or "time"
        finally:
            if self._under_way:  # an error ends the soak: no task may outlive it
                self._executor.cancel_running()

    # --- beginning

    def _goes_on(self) -> bool:
        """Return whether another task may begin."""
        return self._ending is None and self._end - self._clock() >= SHORTEST

    def _fill(self) -> None:
        """Submit tasks until every slot of the executor is used."""
        while self._goes_on() and len(self._under_way) < self._executor.slots:
            self._check()
            task = self._chooser.next(self._campaign.tallies(), self._number + 1, self._end - self._clock())
            self._number = self._campaign.begin(task)
            self._submit(self._number, task)

    def _submit(self, number: int, task: Task) -> None:
        self._attempts[number] = self._attempts.get(number, 0) + 1
        file = self._campaign.live(number) / "machine" if self._here and task.kind == "race" else None
        self._under_way[self._executor.submit(do_task, task, file)] = number, task
        self._display.began(number, task)

    # --- ending

    def _cancel(self) -> None:
        """Cancel the tasks under way; those that do not end in time are cancelled again, which kills their workers."""
        now = self._clock()
        if self._under_way and now >= self._cancel_at:
            self._cancel_at = now + STOP_SECONDS
            self._executor.cancel_running()

    def _some_done(self) -> set[Future[Result]]:
        """Wait for a tick and return the futures that are done."""
        if not self._under_way:  # a cluster may have no worker at the moment
            time.sleep(TICK)
            return set()
        return wait(self._under_way, TICK, FIRST_COMPLETED).done

    def _account(self, done: Future[Result]) -> None:
        number, task = self._under_way.pop(done)
        try:
            result = done.result()
            self._check()
        except WorkerDied as error:
            self._died(number, task, str(error))
            return
        except CancelledError:
            self._interrupt(number, "the soak was ended before it was begun")
            return
        except CannotRun as error:
            self._interrupt(number, str(error))
            raise Failure(str(error), error.exit_code) from None
        except Failure as error:
            self._interrupt(number, str(error))
            raise
        except BaseException as error:
            self._interrupt(number, f"{type(error).__name__}: {error}")
            raise
        self._finish(number, task, result)

    def _died(self, number: int, task: Task, why: str) -> None:
        """Retry a task whose worker died, unless the soak is ending or the task itself seems to be the cause."""
        if self._ending is not None:
            self._interrupt(number, f"the soak was ended: {why}")
        elif self._attempts[number] < ATTEMPTS:
            self._campaign.retry(number, why)
            self._display.died(number, task, why)
            self._submit(number, task)
        else:
            self._finish(number, task, crash_result(task, why))

    def _interrupt(self, number: int, why: str) -> None:
        self._display.ended(self._campaign.interrupt(number, why))

    def _finish(self, number: int, task: Task, result: Result) -> None:
        self._attempts.pop(number, None)
        row = self._campaign.finish(number, self._checked_against_canary(task, result))
        self._display.ended(row)
        if self._ending is None and self._limits.until_violation and self._ends(row):
            self._ending = "violation"

    def _checked_against_canary(self, task: Task, result: Result) -> Result:
        """Return a PASS as UNTRUSTWORTHY if the last canary was not caught, or if a pCPU lost its affinity."""
        if task.kind != "race" or result.verdict != Verdict.PASS:
            return result
        canary = self._campaign.canaries().get(CanaryKey.of(Cell.of(task)))
        believed = canary is None or not canary.runs or canary.last_caught
        if believed and not result.strayed:
            return result
        verdict, reason = str(Verdict.UNTRUSTWORTHY), AFFINITY_LOST if result.strayed else NOT_CAUGHT
        record = {**result.record, "verdict": verdict, "reason": reason, "as_expected": None}
        return replace(result, verdict=verdict, reason=reason, as_expected=None, record=record)

    def _ends(self, row: Row) -> bool:
        """Return whether ``--until-violation`` ends the soak at this row."""
        result = row.result
        if result is None or row.task.canary or result.verdict != Verdict.VIOLATION:
            return False
        return self._limits.named or result.as_expected is not True
