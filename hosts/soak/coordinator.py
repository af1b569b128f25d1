"""Conducts a campaign: chooses tasks, has them done, enters what came of each; goes on until it is told to end.

Everything that is worth keeping is in the campaign's file before the next task is chosen. This process races nothing
itself, so that whatever becomes of a worker ends as a row.
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
"""How often a task is given to a worker: it may be the task that kills them."""
SHORTEST: Final = 0.2
"""Seconds below which a task is not worth beginning."""
STOP_SECONDS: Final = 10.0
"""What a task under way may take to end once it has been told to; then its worker is killed."""
NOT_CAUGHT: Final = "the canary of this scenario was not caught"
AFFINITY_LOST: Final = "a pCPU did not stay on its processor"

Ending = Literal["time", "violation", "interrupted"]
"""Why a soak ended."""
Do = Callable[[Task, Path | None], Result]


class Executor(Protocol):
    """What does the tasks: see :mod:`hosts.soak.workers.local_executor` and :mod:`hosts.soak.workers.dask_client`."""

    @property
    def slots(self) -> int:
        """How many tasks may usefully be under way now."""

    def submit(self, do: Do, task: Task, machine_file: Path | None, /) -> Future[Result]:
        """Have a task done."""

    def cancel_running(self) -> None:
        """End what is under way; asked again, at once."""


class Display(Protocol):
    """Whoever tells the user."""

    def began(self, number: int, task: Task) -> None:
        """Tell that a task is under way."""

    def ended(self, row: Row) -> None:
        """Tell what came of it."""

    def died(self, number: int, task: Task, why: str) -> None:
        """Tell that a worker died over a task, which is done again."""

    def tick(self) -> None:
        """Bring up to date what is shown; called several times a second."""


@dataclass(frozen=True)
class Limits:
    """When a soak ends by itself."""

    seconds: float = math.inf
    until_violation: bool = False
    named: bool = False
    """The user has named what is to be violated, so a violation that the table expects ends the soak too."""


class Coordinator:
    """Conducts one campaign, or one session of it."""

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
        """Say with what; ``here``: the executor shares this machine's files and processors.

        ``check`` raises if what is raced has become another thing: a worker reads it when it comes to need it, so a
        run counts only if all is as it was both before and after it.
        """
        self._campaign, self._chooser, self._executor, self._display = campaign, chooser, executor, display
        self._limits, self._here, self._check, self._clock = limits, here, check, clock
        self._under_way: dict[Future[Result], tuple[int, Task]] = {}
        self._attempts: dict[int, int] = {}
        self._number = max((row.id for row in campaign.rows(newest=True, limit=1)), default=0)
        self._ending: Ending | None = None
        self._cancel_at = 0.0
        """When what is under way is told to end, by the clock."""

    def stop(self) -> None:
        """Begin nothing more and end what is under way (safe in a signal handler); asked again, at once."""
        self._cancel_at = 0.0
        self._ending = "interrupted"

    def run(self) -> Ending:
        """Go on until the time is over, something is found that ends it, or somebody stops it."""
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
            if self._under_way:  # an error ends the soak: nothing is to go on behind it
                self._executor.cancel_running()

    # --- beginning

    def _goes_on(self) -> bool:
        """Tell whether more is to be begun."""
        return self._ending is None and self._end - self._clock() >= SHORTEST

    def _fill(self) -> None:
        """Give the executor what it can do at once."""
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
        """Tell what is under way to end; what does not end in time is told again, which kills its worker."""
        now = self._clock()
        if self._under_way and now >= self._cancel_at:
            self._cancel_at = now + STOP_SECONDS
            self._executor.cancel_running()

    def _some_done(self) -> set[Future[Result]]:
        """Wait a moment; give what is done."""
        if not self._under_way:  # a cluster may have no worker just now
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
        """Do a task again whose worker is gone, unless it was told to go or the task seems to be the reason."""
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
        """Take a PASS back where the last canary was not seen, or which pCPUs did not stay in their places for."""
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
        """Tell whether this is what ``--until-violation`` waits for."""
        result = row.result
        if result is None or row.task.canary or result.verdict != Verdict.VIOLATION:
            return False
        return self._limits.named or result.as_expected is not True
