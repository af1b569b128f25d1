"""``pirace stress``: plans, compiles, races and reports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from rich.console import Console

from hosts.cli.outputs import users_files
from hosts.cli.records import Records, records_to
from hosts.cli.sides import Side, sides_of, tell_sides
from hosts.errors import Failure, tell_faults
from hosts.exit_codes import EXIT_INTERRUPTED, EXIT_USAGE
from hosts.loader.program import PolicyError, load_program
from hosts.loader.sent_vectors import windows_never_entered
from hosts.loader.user_code import CodeSpec, UserCode, changed_files, paths_of
from hosts.plural import counted
from hosts.report.before_after import what_changes
from hosts.report.environment import processors
from hosts.report.jsonl import result_record
from hosts.report.live import Display, make_display
from hosts.report.tables import print_report, remark, summary, unexplored_lines
from hosts.runs.collect import Measured
from hosts.runs.compile_progress import Compiling
from hosts.runs.explored import Scout
from hosts.runs.plan import Controls, Plan, PlanError, Wanted, make_plan
from hosts.runs.runner import Placement, Runner
from hosts.runs.scheduler import Settings, Stress
from hosts.runs.verdict import Circumstances, Ending, Row, Verdict, exit_code, grade
from hosts.signals import cancelled_by_interrupts
from hosts.terminal import say, wide_console

GRACE_SECONDS = 10.0


class Host(Protocol):
    """Makes a runner, once the program with the user's code is ready."""

    def __call__(self, code: UserCode | None, *, quiet: bool) -> AbstractContextManager[Runner]:
        """Make it ready when the context is entered."""


class Scouting(Protocol):
    """Makes what explores the scopes of a user's own code beside the races."""

    def __call__(self, code: UserCode, *, quiet: bool) -> AbstractContextManager[Scout]:
        """Begin to make it ready when the context is entered."""


def stress_command(
    *,
    scenario: Sequence[str] = (),
    policy: Sequence[str] = (),
    mutation: Sequence[str] = (),
    code: CodeSpec | None = None,
    controls: Controls = "some",
    seconds: float | None = None,
    seed: int | None = None,
    cpus: int | None = None,
    placement: Placement = "pinned",
    json_file: str | None = None,
    quiet: bool = False,
    host: Host | None = None,
    scouting: Scouting | None = None,
) -> int:
    """Plan, build, run, report; return the exit status. ``host`` and ``scouting`` replace the real ones."""
    host = host if host is not None else native_host
    scouting = scouting if scouting is not None else _scouting
    seed = drawn_seed() if seed is None else seed
    try:
        # Loading a user's code says at once what is wrong with it.
        sides = sides_of(policy, code, load_program)
        # What the canaries say of this machine after a diff holds before it, too.
        wanted = [
            Wanted(scenario, policy, mutation, controls if side is sides[-1] else "none", cpus, side.own)
            for side in sides
        ]
        races = [
            _race(side, make_plan(each, processors()), seconds and seconds / len(sides), seed, placement)
            for side, each in zip(sides, wanted, strict=True)
        ]
        if len(races) > 1:
            races = [replace(race, label=race.side.own.label if race.side.own else "") for race in races]
        races[:-1] = [replace(race, plan=race.plan.as_reference()) for race in races[:-1]]
    except (PlanError, PolicyError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    own = sides[-1].code
    with records_to(json_file, users_files(own)) as records:
        console = wide_console()
        in_all = sum(race.settings.seconds for race in races)
        records.environment(seed=seed, seconds=in_all, placement=placement, code=own)
        if not quiet:
            tell_sides(console, sides)
        done: list[list[Row]] = []
        for race in races:
            if any(row.verdict is Verdict.CANCELLED for rows in done for row in rows):
                done.append(_cancelled(race, records))
            else:
                done.append(_raced(race, host, scouting, console, records, quiet=quiet))
        show_end(console, [row for rows in done for row in rows], sum(len(r.plan.rows) for r in races), quiet=quiet)
        if own is not None and own.spec.diff is not None:
            say(console, what_changes(own.spec.diff, done[0], done[-1]))
    status = exit_code(done[-1])
    if status != EXIT_INTERRUPTED:
        tell_faults(done[-1])
    return status


@dataclass(frozen=True)
class _Race:
    """All rows on one machine."""

    side: Side
    plan: Plan
    settings: Settings
    label: str = ""
    """What the machine is called, if there are two."""


def _race(side: Side, plan: Plan, asked: float | None, seed: int, placement: Placement) -> _Race:
    seconds, limit = times(plan, asked)
    never = windows_never_entered(side.program) if side.program is not None else ()
    return _Race(side, plan, Settings(seconds, limit, seed, placement, processors(), never))


def _raced(
    race: _Race, host: Host, scouting: Scouting, console: Console, records: Records, *, quiet: bool
) -> list[Row]:
    """Make the machine ready, and run all of its rows."""
    plan, settings, code = race.plan, race.settings, race.side.code
    if not quiet:
        which = f"{race.label}: " if race.label else ""
        for line in f"{which}{header(plan, settings)}".splitlines():
            say(console, line)
    display = make_display(console, plan.rows, settings.seconds, quiet=quiet)
    scout: AbstractContextManager[Scout | None] = contextlib.nullcontext()
    if code is not None and any(planned.explorable for planned in plan.rows):
        scout = scouting(code, quiet=quiet)
    raced = same_code(host(code, quiet=quiet), code)
    return run(plan, settings, raced, display, records, scout)


def _cancelled(race: _Race, records: Records) -> list[Row]:
    """Return the rows of a machine that was not begun with."""
    rows = [grade(planned, Measured(), Circumstances(ending="cancelled")) for planned in race.plan.rows]
    for row in rows:
        records.write(result_record(row, race.settings.seed))
    return rows


def show_end(console: Console, rows: Sequence[Row], planned: int, *, quiet: bool) -> None:
    """Print the tables, or with ``--quiet`` what cannot be left unsaid."""
    if not quiet:
        print_report(console, rows, planned)
        return
    plain = (Verdict.PASS, Verdict.CANCELLED)
    for row in rows:
        if not row.as_expected and row.verdict not in plain:
            say(console, remark(row))
    for line in unexplored_lines(rows):
        say(console, line)
    say(console, summary(rows, planned))


def times(plan: Plan, asked: float | None) -> tuple[float, float]:
    """Return the target time of the run, and its limit: a slow machine gets some more."""
    if asked is not None:
        return asked, asked + 1 + asked / 20
    seconds = plan.nominal_seconds
    return seconds, max(seconds * 1.25, seconds + GRACE_SECONDS)


def drawn_seed() -> int:
    """Draw a seed."""
    return int.from_bytes(os.urandom(4), "little")


def header(plan: Plan, settings: Settings) -> str:
    """Return what is about to run, and what it means if the machine is too small for it."""
    rows, most = len(plan.rows), max(planned.pcpus for planned in plan.rows)
    line = (
        f"{counted(rows, 'row')} in about {settings.seconds:.0f} s, seed {settings.seed}, "
        f"{counted(settings.processors, 'processor')}, {settings.placement}"
    )
    for scenario in plan.left_out:
        needed = counted(scenario.pcpus, "processor")
        line += f"\n{scenario.name} is left out, for it needs {needed}: --scenario {scenario.name} runs it anyway."
    if most > settings.processors or (settings.placement == "shared" and most > 1):
        line += (
            "\npCPUs have to share processors: they interleave where one is preempted, and store buffers hardly race. "
            "A violation seen so is real, a pass proves little and is called UNTRUSTWORTHY."
        )
    return line


# --- the run -----------------------------------------------------------------------------------------------------


def run(
    plan: Plan,
    settings: Settings,
    host: AbstractContextManager[Runner],
    display: Display,
    records: Records,
    scouting: AbstractContextManager[Scout | None] | None = None,
) -> list[Row]:
    """Run everything; return a row for each planned configuration, whatever became of the run."""
    rows: list[Row] = []

    def note(row: Row) -> None:
        rows.append(row)
        records.write(result_record(row, settings.seed))

    def note_rest(ending: Ending, why: str = "") -> None:
        finished = [row.planned for row in rows]
        for planned in plan.rows:
            if planned not in finished:
                note(grade(planned, Measured(), Circumstances(ending=ending, why=why)))

    try:
        with scouting or contextlib.nullcontext() as scout, host as runner:
            if scout is not None:
                scout.wait()
            stress = Stress(plan, runner, settings, display, scout=scout)
            with display, cancelled_by_interrupts(stress.cancel):
                for row in stress.rows():
                    note(row)
    except KeyboardInterrupt:
        note_rest("cancelled")
    except Exception as error:
        note_rest("skipped", str(error).partition("\n")[0])
        raise
    return sorted(rows, key=lambda row: plan.rows.index(row.planned))  # what had to wait ended last


@contextlib.contextmanager
def same_code(host: AbstractContextManager[Runner], code: UserCode | None) -> Iterator[Runner]:
    """Return the runner of a host; Failure if a file of the user's has changed since it was read."""
    with host as runner:
        if code is not None and (changed := changed_files(code)):
            raise Failure(f"{changed[0]}: has changed while it was compiled: begin again", EXIT_USAGE)
        yield runner


def _scouting(code: UserCode, *, quiet: bool) -> AbstractContextManager[Scout]:
    """Explore the code in a process of its own."""
    from hosts.cli import background_explorer

    return background_explorer.scout(code.spec, quiet=quiet)


@contextlib.contextmanager
def native_host(code: UserCode | None, *, quiet: bool) -> Iterator[Runner]:
    """Compile the program if need be, and return its runner."""
    from hosts.runs import native_runner

    native_runner.check_machine()
    with (
        contextlib.closing(_build(native_runner, code, quiet=quiet)) as program,
        native_runner.native_runner(program, paths_of(code)) as runner,
    ):
        yield runner


def _build(native_runner: Any, code: UserCode | None, *, quiet: bool) -> Any:
    """Compile, and show the progress."""
    with Compiling("the machine", quiet=quiet) as shown:
        return native_runner.built(code, shown.progress)
