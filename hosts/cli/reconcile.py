"""``pirace reconcile``: compares what real processes have shown with what the explorer allows.

Whatever a run shows has to be among what some interleaving of the same scenario gives; else one of the two hosts is
wrong. What an interleaving gives and the run has not shown is what stress did not cover.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.console import Console

from hosts.cli.explore_show import Ticker
from hosts.cli.outputs import users_files
from hosts.cli.reconcile_show import print_reconciled, reconcile_record
from hosts.cli.records import NO_RECORDS, Records, records_to
from hosts.cli.replaced_show import code_lines
from hosts.cli.sides import tell_lines
from hosts.cli.stress import Host, drawn_seed, native_host, run, same_code
from hosts.errors import Failure, tell_faults
from hosts.exit_codes import EXIT_EXPECTED, EXIT_FAULT, EXIT_INTERRUPTED, EXIT_UNEXPECTED, EXIT_USAGE
from hosts.explorer.build import Builder
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.cache.programs import ready_program
from hosts.explorer.model.entered import checks_in
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import ScopeError, scope_of
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.program import LoaderError, Program
from hosts.loader.rule.faults import RuleFault
from hosts.loader.user_code import CodeSpec, code_among, paths_of
from hosts.plural import counted
from hosts.report.environment import processors
from hosts.report.live import make_display
from hosts.report.sentences import not_checked
from hosts.runs.explorer_verdict import BOUNDS, bounded_by_time, found_check, windows_entered
from hosts.runs.own_code import own_code
from hosts.runs.plan import OVERHEAD_SECONDS, Plan, PlanError, Planned, Wanted, make_plan
from hosts.runs.reconcile import Allowed, Reconciled, reconciled
from hosts.runs.scheduler import Settings
from hosts.runs.search_loops import SEARCH_BYTES, have_loops
from hosts.runs.verdict import Row, Verdict
from hosts.signals import cancelled_by_interrupts
from hosts.terminal import say, wide_console

GRACE_SECONDS: Final = 10.0


Explore = Callable[[Planned, Ticker, float], Allowed]
"""Explores a configuration within some seconds."""


def reconcile_command(
    *,
    scenario: Sequence[str] = (),
    policy: Sequence[str] = (),
    code: CodeSpec | None = None,
    seconds: float = 3.0,
    budget: float = 60.0,
    seed: int | None = None,
    json_file: str | None = None,
    host: Host | None = None,
    explores: Explore | None = None,
) -> int:
    """Run, explore, compare; return the exit status. ``host`` and ``explores`` replace the real ones."""
    try:
        own = code_among(policy, code)
        program = ready_program(own)
        plan = make_plan(Wanted(scenario, policy, (), "none", own=own_code(own, program)), processors())
        scopes = {
            planned.scenario.name: str(scope_of(planned.scenario, acts=planned.own.act_numbers))
            for planned in plan.rows
        }
    except (PlanError, LoaderError, ScopeError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    seed = drawn_seed() if seed is None else seed
    with records_to(json_file, users_files(own)) as records:
        console = wide_console()
        tell_lines(console, code_lines(own, program))
        explores = explores or explorer(program)
        records.environment(seed=seed, seconds=seconds, placement="pinned", code=own)
        done: list[Reconciled] = []
        rows: list[Row] = []
        try:
            raced = same_code((host or native_host)(own, quiet=False), own)
            rows = stressed(plan, seconds, seed, raced, console)
            cancelled = any(row.verdict is Verdict.CANCELLED for row in rows)
            for row in rows:
                if cancelled or not _ran(row):
                    continue
                allowed = _explored(row, explores, console, budget, paths_of(own))
                if allowed is None:
                    cancelled = True
                    break
                done.append(reconciled(row, allowed))
                records.write(reconcile_record(done[-1], scopes[row.planned.scenario.name], seed))
        finally:
            _write_rest(records, plan, rows, done)
        print_reconciled(console, done, [row for row in rows if not _ran(row) and row.begun], len(plan.rows))
    if not cancelled:
        tell_faults(rows)
    return _status(rows, done, cancelled=cancelled)


def _explored(row: Row, explores: Explore, console: Console, budget: float, files: Sequence[str]) -> Allowed | None:
    """Return what the explorer allows of a row; None if the command was interrupted."""
    ticker = Ticker(console, f"exploring {row.planned}", budget)
    try:
        with ticker.shown(), cancelled_by_interrupts(ticker.cancel):
            allowed = explores(row.planned, ticker, budget)
    except RuleFault as fault:
        raise Failure(fault.told(files), EXIT_USAGE) from None
    except KeyboardInterrupt:
        return None
    return None if ticker.cancelled else allowed


def _write_rest(records: Records, plan: Plan, rows: Sequence[Row], done: Sequence[Reconciled]) -> None:
    """Write a record for each configuration that was not reconciled."""
    finished = [each.row.planned for each in done]
    reasons = {row.planned: row.reason for row in rows if not _ran(row)}
    for planned in plan.rows:
        if planned not in finished:
            records.not_done("reconcile", str(planned), reasons.get(planned) or "not explored")


def _ran(row: Row) -> bool:
    """Return whether a run has results to compare."""
    if row.crash or row.verdict in (Verdict.CANCELLED, Verdict.SKIPPED):
        return False
    return row.measured.seconds > 0


def _status(rows: Sequence[Row], done: Sequence[Reconciled], *, cancelled: bool) -> int:
    if any(each.not_allowed for each in done):
        return EXIT_FAULT
    if cancelled:
        return EXIT_INTERRUPTED
    return EXIT_UNEXPECTED if any(row.crash for row in rows) else EXIT_EXPECTED


def stressed(plan: Plan, each: float, seed: int, host: Any, console: Console) -> list[Row]:
    """Race every configuration for some seconds on real processes."""
    seconds = sum(each + planned.stints * OVERHEAD_SECONDS for planned in plan.rows)
    settings = Settings(seconds, max(seconds * 1.25, seconds + GRACE_SECONDS), seed, "pinned", processors())
    rows = counted(len(plan.rows), "row")
    said = f"{rows}, {each:g} s each on real processes (seed {seed}), then every interleaving of each"
    say(console, said)
    for left_out in filter(None, {not_checked(each.policy.unpromised) for each in plan.rows}):
        say(console, left_out)
    display = make_display(console, plan.rows, seconds, quiet=False)
    return run(plan, settings, host, display, NO_RECORDS)


def explorer(program: Program) -> Explore:
    """Return the real explorer."""
    learning = Learning()
    have_loops()

    def explores(planned: Planned, ticker: Ticker, seconds: float) -> Allowed:
        builder = Builder(program, scope_of(planned.scenario, acts=program.own.act_numbers), planned.policy.number)
        options = Options(seconds=seconds, max_bytes=SEARCH_BYTES, stop_at_first=False, progress_check=False)
        result, _, _ = explore(builder, options, ticker, learning)
        return allowed_by(result, program.own)

    return explores


def allowed_by(result: Result, own: Own = NOTHING_OWN) -> Allowed:
    """Return the windows entered and the checks fired in a search."""
    checks = {found_check(each, own)[0] for each in result.violations}
    checks |= set(checks_in(result.windows, own.checks))
    return Allowed(
        windows=frozenset(windows_entered(result, own)),
        checks=frozenset(checks),
        complete=result.complete,
        bound=", ".join(BOUNDS.get(each, each) for each in bounded_by_time(result.bounded_by)),
        states=result.states,
        seconds=result.seconds,
    )
