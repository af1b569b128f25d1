"""Does a task: races one emulated machine, or explores one scope, and returns the result.

A worker process does one task after another. The compiled program and the supervisor with its fork server are kept
between them; a program with a user's policy has the historic policies in it too, so it serves all tasks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import structs

from hosts.errors import Failure
from hosts.exit_codes import EXIT_ENVIRONMENT, EXIT_USAGE
from hosts.loader.user_code import CodeSpec, UserCode, read_code
from hosts.report.sentences import not_checked
from hosts.runs.collect import MachineWords, Measured, count_fired
from hosts.runs.explored import Explored
from hosts.runs.plan import AT_THE_END, PlanError, Planned
from hosts.runs.runner import Request
from hosts.runs.tally import ENOUGH_SIGHTINGS, SOUGHT_AT_LEAST
from hosts.runs.verdict import Circumstances, grade
from hosts.soak.task import Result, Task
from hosts.soak.workers.explored import explored_of
from hosts.soak.workers.failures import CannotRun
from hosts.soak.workers.race_result import (
    circumstances,
    doubted,
    measured,
    notes_of,
    placement_of,
    planned_of,
    result_of,
)
from hosts.soak.workers.retention import MACHINE, files_to_keep

if TYPE_CHECKING:  # they bring a compiler along, which the coordinator has no use for
    from hosts.native.process.configuration import Configuration
    from hosts.native.process.forkserver import Lost
    from hosts.native.process.outcome import Outcome
    from hosts.native.process.supervisor import Supervisor
    from hosts.native.program.build import Built

COMPILING: Final = "compiling"
RUNNING: Final = "running"

Stage = Callable[[str, float], None]
Configured = tuple[str, str, str | None]
"""Scenario, policy, mutation."""


def do_task(task: Task, machine_file: Path | None = None) -> Result:
    """Do a task; CannotRun if this machine cannot do any.

    The memory of a race is ``machine_file``, which the caller keeps or removes; without, it is a file of this process's
    own, whose bytes come with the result if they are to be kept.
    """
    return WORKER.do(task, machine_file)


def crash_result(task: Task, why: str) -> Result:
    """Return the result of a task on whose every attempt a worker died."""
    return _row_of(task, Circumstances(ending="crash", why=why))


def skipped_result(task: Task, why: str) -> Result:
    """Return the result of a race that this machine cannot do."""
    return _row_of(task, Circumstances(ending="skipped", why=why))


def _row_of(task: Task, what: Circumstances) -> Result:
    """Return the result of a task that did not run to its end."""
    if task.kind == "explore":
        from hosts.soak.workers.exploration import not_searched

        row, record = not_searched(task, what)
        return result_of(row, task, record)
    return result_of(grade(planned_of(task), Measured(), what), task)


class Worker:
    """The state of a worker process between tasks, which it does one at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._built: Built | None = None
        self._supervisor: Supervisor | None = None
        self._spec: CodeSpec | None = None
        self._cancelled = False
        self._failed_starts = 0
        self._never: tuple[str, ...] = ()
        """Windows that the user's own rule never enters."""
        self._complete: dict[Configured, Explored] = {}
        """Complete explorations of users' own rules that were made here."""
        self.stage: Stage = lambda _what, _seconds: None
        """Called with the stage of the task, and how many seconds that may take."""
        self.lost: Lost = lambda _pid, _status: None
        """Called, from another thread, with the process id and status of a fork server that died by itself."""

    def do(self, task: Task, machine_file: Path | None) -> Result:
        """Do a task."""
        with self._turn:
            try:
                if self._cancelled:
                    return _row_of(task, Circumstances(ending="cancelled"))
                if task.kind == "explore":
                    return self._explore(task)
                return self._race(task, machine_file)
            except Failure as error:
                raise CannotRun(str(error), error.exit_code) from None
            except PlanError as error:
                raise CannotRun(str(error), EXIT_USAGE) from None

    @property
    def cancelled(self) -> bool:
        """Whether the task under way was cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """End the task under way (from another thread), and later ones at once, until :meth:`reset_cancellation`."""
        self._cancelled = True
        if self._supervisor is not None:
            self._supervisor.cancel()

    def reset_cancellation(self) -> None:
        """Clear the cancellation."""
        self._cancelled = False

    def close(self) -> None:
        """End the fork server and release the program."""
        supervisor, self._supervisor = self._supervisor, None
        built, self._built = self._built, None
        if supervisor is not None:
            supervisor.close()
        if built is not None:
            built.close()

    # --- racing

    def _race(self, task: Task, machine_file: Path | None) -> Result:
        code = read_code(task.spec)
        chosen = planned_of(task, code)
        if chosen.too_few:
            return skipped_result(task, f"needs {chosen.scenario.pcpus} pCPUs, has {chosen.pcpus}")
        supervisor = self._ready(code)
        self.stage(RUNNING, task.seconds)
        file = supervisor.folder / MACHINE if machine_file is None else machine_file
        outcome = self._run(supervisor, task, chosen, file)
        self._check_start(outcome)
        cancelled = outcome.cancelled or self._cancelled
        seen, disagreements = measured(outcome, chosen, cancelled=cancelled)
        what = circumstances(task, outcome, cancelled=cancelled)
        known = self._complete.get((task.scenario, task.policy, task.mutation))
        never = self._never if chosen.own_rule and chosen.mutation is None else ()
        row = grade(chosen, seen, replace(what, explored=known, never=never))
        notes = (*notes_of(outcome, task), *filter(None, [not_checked(chosen.policy.unpromised)]))
        if (
            chosen.mutation is not None or chosen.policy.patched
        ):  # some seeded bugs, and patches, are in what is counted
            notes, disagreements = (*notes, *(f"two accountings differ: {line}" for line in disagreements)), ()
        facts = {"notes": notes, "disagreements": disagreements, "strayed": bool(outcome.affinity_lost)}
        result = structs.replace(result_of(doubted(row, disagreements), task), **facts)
        files = files_to_keep(task, result, outcome, file if machine_file is None else None)
        if machine_file is None:
            file.unlink(missing_ok=True)
        return structs.replace(result, files=files)

    def _run(self, supervisor: Supervisor, task: Task, chosen: Planned, file: Path) -> Outcome:
        from hosts.runs.native_runner import rounds, set_up

        request = Request(chosen, task.seconds, task.seed, task.regime, placement_of(task))
        enough = self._enough(task, chosen)
        try:
            return supervisor.run(
                _configuration(request, task),
                setup=lambda memory: set_up(memory, request),
                enough=lambda memory: enough(memory.words),
                memory_file=file,
                advancing=rounds,
            )
        except OSError as error:
            raise CannotRun(f"no room for a machine: {file}: {error.strerror or error}", EXIT_ENVIRONMENT) from None

    def _check_start(self, outcome: Outcome) -> None:
        """Start over after a machine that did not come up, a few times; CannotRun if none does."""
        if outcome.crash is None or outcome.seconds > 0:
            self._failed_starts = 0
            return
        from hosts.runs.native_runner import START_TRIES

        self._failed_starts += 1
        if outcome.lacking or self._failed_starts >= START_TRIES:
            why = outcome.crash.partition("\n")[0]
            raise CannotRun(f"cannot start a machine: {why}", EXIT_ENVIRONMENT)
        self.close()

    def _enough(self, task: Task, chosen: Planned) -> Callable[[MachineWords], bool]:
        """Return the predicate that ends a race early: it was cancelled, or its canary was caught a few times."""
        live = tuple(check for check in chosen.sought if check not in AT_THE_END) if task.canary else ()
        begun: list[float] = []

        def enough(words: MachineWords) -> bool:
            if not begun:  # the first call: the race runs from now on
                begun.append(time.monotonic())
            if self._cancelled:
                return True
            if not live or time.monotonic() - begun[0] < SOUGHT_AT_LEAST:
                return False
            return count_fired(words, task.pcpus, live) >= ENOUGH_SIGHTINGS

        return enough

    def _ready(self, code: UserCode | None) -> Supervisor:
        """Return the supervisor of a program with this code, compiled if need be."""
        from hosts.loader.program import load_program
        from hosts.loader.sent_vectors import windows_never_entered
        from hosts.native.process.forkserver import Root
        from hosts.native.process.supervisor import Supervisor
        from hosts.native.program.build import LOADER
        from hosts.runs import native_runner

        spec = code.spec if code is not None else None
        serves = spec == self._spec or (spec is None and (self._spec is None or not self._spec.patched))
        if self._supervisor is not None and serves:
            return self._supervisor
        self.close()
        self.stage(COMPILING, 0.0)
        native_runner.check_machine()
        self._built = native_runner.built(code, lambda *_: None)
        self._spec = spec
        self._never = windows_never_entered(load_program(code)) if code is not None else ()
        try:
            self._supervisor = Supervisor(Root(LOADER, self._built.path), self.lost).__enter__()
        except OSError as error:
            raise CannotRun(f"cannot start processes: {error}", EXIT_ENVIRONMENT) from None
        return self._supervisor

    # --- exploring

    def _explore(self, task: Task) -> Result:
        from hosts.soak.workers.exploration import explore

        self.stage(COMPILING, 0.0)
        found = explore(task, lambda: self.stage(RUNNING, task.seconds), lambda: self._cancelled)
        notes = tuple(filter(None, [not_checked(found.row.planned.policy.unpromised)]))
        result = structs.replace(result_of(found.row, task, found.record), files=found.files, notes=notes)
        if task.is_own and not task.scope:
            self._note(task, explored_of(task, result))
        return result

    def _note(self, task: Task, explored: Explored) -> None:
        """Remember the windows that a rule never enters: its races are not required to enter them."""
        if explored.complete:
            self._complete[task.scenario, task.policy, task.mutation] = explored


def _configuration(request: Request, task: Task) -> Configuration:
    from hosts.runs.native_runner import configuration

    return replace(configuration(request), processors=task.processors)


WORKER: Final = Worker()
"""The worker of this process."""
