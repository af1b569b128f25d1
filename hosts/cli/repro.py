"""``pirace repro``: repeats a run of a campaign, and counts how often its result recurs."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace
from rich.console import Console

from hosts.cli.records import records_to
from hosts.cli.soak_show import check_json, read_row, witness_of, worth
from hosts.errors import Failure
from hosts.exit_codes import EXIT_EXPECTED, EXIT_INTERRUPTED, EXIT_UNPROVEN
from hosts.plural import how_often
from hosts.rundir import RunFolder
from hosts.runs.verdict import Verdict
from hosts.signals import Interrupt, interrupts_told
from hosts.soak.placement.classes import Place, classify, place_for
from hosts.soak.placement.topology import Topology
from hosts.soak.store.rows import Row
from hosts.soak.task import Result, Task
from hosts.soak.view.rates import UNPLACED
from hosts.soak.workers.failures import CannotRun, WorkerDied
from hosts.soak.workers.job import crash_result, do_task
from hosts.soak.workers.local_executor import LocalExecutor
from hosts.terminal import say, wide_console

TICK: Final = 0.1
TIMES: Final = 20


@dataclass(frozen=True)
class Again:
    """One repetition of a run."""

    result: Result
    shown: bool
    sightings: int


def repro_command(
    folder: str,
    number: int,
    times: int | None = None,
    json_file: str | None = None,
    executor_of: Callable[[], LocalExecutor] = LocalExecutor,
) -> int:
    """Repeat a run; return the exit status: 0 if its result recurred. ``executor_of`` replaces the real one."""
    check_json(json_file, folder)
    row = read_row(folder, number)
    witness = witness_of(row)
    if witness is not None:
        from hosts.cli.replay import replay_command

        return replay_command(str(witness), times or TIMES, json_file)
    times = times or (TIMES if row.task.kind == "race" else 1)
    again: list[Again] = []
    stop = Interrupt()
    with records_to(json_file) as records:
        console = wide_console()
        task = task_here(row, console)
        say(console, f"{row.id}: {row.task}: {worth(row)}")
        records.environment(seed=task.seed, seconds=task.seconds, placement=_placement(task))
        with executor_of() as executor, interrupts_told(stop.note):
            for done in repeated(task, row, times, executor, stop):
                again.append(done)
                records.write(record(row, len(again), done))
                said = "shows" if done.shown else "does not show"
                say(console, f"[{len(again)}/{times}] {said}: {brief(done.result)}")
        if len(again) < times:
            planned = f"run {row.id}, time {len(again) + 1} and so on"
            records.not_done("repro", planned, "cancelled", times - len(again))
        for line in summary(row, again):
            say(console, line)
    if stop.noted:
        return EXIT_INTERRUPTED
    return EXIT_EXPECTED if any(done.shown for done in again) else EXIT_UNPROVEN


def task_here(row: Row, console: Console) -> Task:
    """Return the task as this machine can run it, which need not be the one that ran it before."""
    given = (row.result.processors if row.result is not None else ()) or row.task.processors
    # A canary would end at its first sightings: here all of them count.
    task = replace(row.task, canary=False, processors=given)
    if task.kind != "race" or task.place in UNPLACED:
        return task
    topology = Topology.read()
    if given and classify(topology, given) == task.place:
        return task
    found = place_for(topology, task.place, task.pcpus, seed=task.seed)  # type: ignore[arg-type]
    place = found or Place("unpinned")
    say(console, f"{_misplaced(task)}: {place} instead")
    return replace(task, place=place.name, processors=place.processors)


def _misplaced(task: Task) -> str:
    """Return why the processors of a task cannot be used here."""
    if not task.processors:
        return "which processors it had is not known"
    missing = sorted(set(task.processors) - os.sched_getaffinity(0))
    if missing:
        return f"processors {', '.join(map(str, missing))} are not here"
    return f"processors {', '.join(map(str, task.processors))} are not {task.place} here"


def repeated(task: Task, row: Row, times: int, executor: LocalExecutor, stop: Interrupt) -> Iterator[Again]:
    """Repeat the task; the death of a worker is a result."""
    with RunFolder() as folder:
        for _ in range(times):
            if stop.noted:
                return
            file = folder / "machine" if task.kind == "race" else None
            try:
                result = _waited_for(executor.submit(do_task, task, file), executor, stop)
            except WorkerDied as error:
                result = crash_result(task, str(error))
            except CannotRun as error:
                raise Failure(str(error), error.exit_code) from None
            if result.verdict != Verdict.CANCELLED:
                yield Again(result, shows(row, result), sightings(result))


def _waited_for(future: Future[Result], executor: LocalExecutor, stop: Interrupt) -> Result:
    """Wait for a result; Ctrl-C cancels the run under way, a second one kills its worker."""
    heeded = 0
    while True:
        if heeded < stop.count:
            heeded = stop.count
            executor.cancel_running()
        with contextlib.suppress(NotYet):
            return future.result(TICK)


def shows(row: Row, result: Result) -> bool:
    """Return whether a run shows what the first one did: one of its checks, or the same verdict where none fired.

    Accounts that disagree make a run untrustworthy as a busy machine does: they have to disagree again.
    """
    if row.result is None:
        return False
    before, now = checks(row.result), checks(result)
    if before:
        return bool(before & now)
    doubted = bool(result.disagreements) == bool(row.result.disagreements)
    return not now and result.verdict == row.result.verdict and doubted


def checks(result: Result) -> set[str]:
    """Return the checks that fired."""
    return {violation["check"] for violation in result.record.get("violations", [])}


def sightings(result: Result) -> int:
    """Return how often they fired."""
    return sum(violation["count"] for violation in result.record.get("violations", []))


def brief(result: Result) -> str:
    """Return a result as one line."""
    reason = result.reason.strip().splitlines()[-1:] or [""]
    return f"{result.verdict}{f' ({reason[0]})' if reason[0] else ''} in {result.seconds:.1f} s"


def _placement(task: Task) -> str:
    """Return the placement as a stress run would call it; the record of each time has the processors."""
    shared = len(set(task.processors)) < len(task.processors)
    return "unpinned" if not task.processors else "shared" if shared else "pinned"


def record(row: Row, time: int, done: Again) -> dict[str, Any]:
    """Return the record of one repetition."""
    result = done.result
    return {
        "record": "repro",
        "id": row.id,
        "time": time,
        "shown": done.shown,
        "verdict": result.verdict,
        "reason": result.reason,
        "violations": result.record.get("violations", []),
        "sightings": done.sightings,
        "seconds": round(result.seconds, 6),
        "processors": list(result.processors),
        "strayed": result.strayed,
        "notes": list(result.notes),
    }


def summary(row: Row, again: Sequence[Again]) -> Iterator[str]:
    """Return how often the result recurred, its sightings, and the other results."""
    shown = [done for done in again if done.shown]
    fired = sorted(checks(row.result)) if row.result is not None else []
    what = " ".join(fired) or (row.result.verdict if row.result is not None else "nothing, as it was cut off,")
    times = {check: sum(check in checks(done.result) for done in shown) for check in fired}
    each = ", ".join(f"{check} in {count}" for check, count in times.items()) if len(set(times.values())) > 1 else ""
    yield f"{what} showed in {len(shown)} of {len(again)}{f' ({each})' if each else ''}"
    seen = sorted(done.sightings for done in shown)
    if any(seen):
        seconds = sum(done.result.seconds for done in again)
        rate = f"; {sum(seen) / seconds:,.1f} a second" if seconds else ""
        median = statistics.median(seen)
        yield f"sightings in each of them: min {seen[0]:,}, median {median:,.10g}, max {seen[-1]:,}{rate}"
    others = Counter(brief(done.result).rpartition(" in ")[0] for done in again if not done.shown)
    yield from (f"instead: {verdict}, {how_often(count)}" for verdict, count in others.most_common())
