"""``pirace history``: the real bugs, what stands for them, and how soon it is caught."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from emu.history import HISTORY, Bug, Shown
from hosts.cli.explore import ExploreOptions, Run, search_options
from hosts.cli.history_show import Line, caught_text, history_record, history_sheet, not_caught
from hosts.cli.records import NO_RECORDS, records_to
from hosts.cli.stress import drawn_seed, native_host, run, times
from hosts.errors import Failure
from hosts.exit_codes import EXIT_EXPECTED, EXIT_USAGE
from hosts.plural import counted
from hosts.report.environment import processors
from hosts.report.live import Silent
from hosts.runs.explore_request import asked_for
from hosts.runs.explorer_runner import Engine, Explorer
from hosts.runs.plan import Plan, Wanted, make_plan
from hosts.runs.scheduler import Settings
from hosts.runs.verdict import Row, Verdict, exit_code
from hosts.terminal import say, wide_console

_SHORTEST_COMMIT: Final = 7


@dataclass(frozen=True)
class HistoryOptions:
    """The options of the command."""

    names: Sequence[str] = ()
    running: bool = False
    explored: bool = False
    stressed: bool = False
    budget: float = 60.0
    memory: int = 4 * 10**9
    seconds: float | None = None
    seed: int | None = None
    json_file: str | None = None

    @property
    def both(self) -> bool:
        """Return whether neither half was asked for alone."""
        return self.explored == self.stressed


def history_command(given: HistoryOptions) -> int:
    """List the bugs, run them if that is asked for, report; return the exit status."""
    lines = [Line(bug, shown) for bug, shown in chosen(given.names)]
    _refuse(given, lines)
    with records_to(given.json_file) as records:
        console = wide_console()
        seed = drawn_seed() if given.seed is None else given.seed
        records.environment(seed=seed, seconds=given.budget if given.running else 0.0)
        rows: list[Row] = []
        if given.running and (given.both or given.explored):
            rows += _explored(lines, given, console)
        if given.running and (given.both or given.stressed) and not _cancelled(rows):
            rows += _raced(lines, given, console, seed)
        for line in lines:
            records.write(history_record(line))
        history_sheet(lines, ran=given.running).print_to(console)
        for told in not_caught(lines):
            say(console, told)
    return exit_code(rows) if rows else EXIT_EXPECTED


def chosen(names: Sequence[str]) -> Iterator[tuple[Bug, Shown | None]]:
    """Return the rows of these bugs, all if there are no names; Failure for a name that nothing has."""
    known = [(bug, shown) for bug in HISTORY for shown in bug.shown or (None,)]
    found: list[tuple[Bug, Shown | None]] = []
    for name in names:
        here = [row for row in known if _is_called(row, name)]
        if not here:
            raise Failure(f"no bug, commit, mutation or policy {name!r}: pirace history lists them", EXIT_USAGE)
        found += here
    yield from (row for row in known if not names or row in found)


def _is_called(row: tuple[Bug, Shown | None], name: str) -> bool:
    bug, shown = row
    commits = [each for each in (*bug.fixed, *bug.introduced) if len(name) >= _SHORTEST_COMMIT]
    if any(each.startswith(name) or name.startswith(each) for each in commits):
        return True
    of = (shown.mutation or shown.policy,) if shown is not None else ()
    return name.upper() == bug.id or name in of


def _refuse(given: HistoryOptions, lines: Sequence[Line]) -> None:
    """Refuse options that say nothing together."""
    if not given.running and (given.explored or given.stressed):
        raise Failure(f"--{'explore' if given.explored else 'stress'} says how to run: add --run", EXIT_USAGE)
    if given.running and not any(line.shown is not None for line in lines):
        why = "; ".join(dict.fromkeys(f"{line.bug.id}: {line.bug.why_not}" for line in lines))
        raise Failure(f"nothing stands for what is named, so nothing is run ({why})", EXIT_USAGE)


def _cancelled(rows: Iterable[Row]) -> bool:
    return any(row.verdict is Verdict.CANCELLED for row in rows)


def _explored(lines: Sequence[Line], given: HistoryOptions, console: Console) -> Iterator[Row]:
    """Explore each row in its scenario's scope."""
    options = ExploreOptions(budget=given.budget, memory=given.memory)
    engine: Engine = Explorer(None)
    for line in lines:
        if line.shown is None:
            continue
        shown = line.shown
        mutations = [shown.mutation] if shown.mutation is not None else []
        asked = asked_for([shown.scenario], [shown.policy], mutations, None)
        search = Run(asked, engine, search_options(options), Console(quiet=True), NO_RECORDS, options)
        (row,) = search.all()
        if search.failure is not None:
            raise search.failure
        line.explored = row
        say(console, f"{line.bug.id} {shown}: explored: {caught_text(row)}")
        yield row
        if search.cancelled:
            return


def _raced(lines: Sequence[Line], given: HistoryOptions, console: Console, seed: int) -> list[Row]:
    """Race all rows, each until its check has fired."""
    raced = [line for line in lines if line.shown is not None]
    groups = [group for line in raced for group in make_plan(_wanted(line), processors()).groups]
    plan = Plan(tuple(dict.fromkeys(groups)))
    seconds, limit = times(plan, given.seconds)
    settings = Settings(seconds, limit, seed, "pinned", processors(), ())
    say(console, f"racing {counted(len(plan.rows), 'row')} in about {seconds:.0f} s, seed {seed}")
    rows = run(plan, settings, native_host(None, quiet=True), Silent(), NO_RECORDS)
    by_name = {str(row.planned): row for row in rows}
    for line in raced:
        line.raced = by_name[str(line.shown)]
        say(console, f"{line.bug.id} {line.shown}: raced: {caught_text(line.raced)}")
    return rows


def _wanted(line: Line) -> Wanted:
    shown = line.shown
    assert shown is not None  # noqa: S101 - only those are raced
    mutations = [shown.mutation] if shown.mutation is not None else []
    return Wanted([shown.scenario], [shown.policy], mutations, "none")
