"""``pirace explore``: explores each row, judges and reports it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from rich.console import Console
from rich.text import Text

from hosts.cli.explore_show import Ticker, row_lines, size_line
from hosts.cli.outputs import Output, opened, users_files, write_now
from hosts.cli.records import Records, records_to
from hosts.cli.sides import sides_of, tell_sides
from hosts.errors import Failure, tell_faults
from hosts.exit_codes import EXIT_FAULT, EXIT_INTERRUPTED, EXIT_USAGE
from hosts.explorer.cache.programs import ready_program
from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.counterexample.witness_file import text
from hosts.explorer.model.options import DEEP, Options
from hosts.explorer.search.result import Result
from hosts.explorer.size_estimate import size_of
from hosts.explorer.threads.harness import Scope, ScopeError
from hosts.loader.program import LoaderError, Program
from hosts.loader.user_code import CodeSpec, UserCode
from hosts.report.before_after import what_changes
from hosts.report.environment import processors
from hosts.report.jsonl import explorer_record
from hosts.report.tables import summary, verdict_matrix
from hosts.runs.collect import Measured
from hosts.runs.explore_request import Asked, asked_for, size_text
from hosts.runs.explorer_runner import Engine, Explorer, Searched, Watch
from hosts.runs.explorer_verdict import judged, out_of_time, search_facts, with_expected_violations
from hosts.runs.plan import PlanError, as_reference
from hosts.runs.verdict import Circumstances, Row, exit_code, grade
from hosts.signals import cancelled_by_interrupts
from hosts.terminal import put, room, say, wide_console

WORTH_SAYING: Final = 1_000_000
"""From this number of states on a search may take more than a few seconds."""

MakeEngine = Callable[[UserCode | None], Engine]


MOST_WORKERS: Final = 8
"""Default limit of workers: beyond it, memory limits the speed."""


@dataclass(frozen=True)
class ExploreOptions:
    """The options of the command."""

    scenario: Sequence[str] = ()
    policy: Sequence[str] = ()
    mutation: Sequence[str] = ()
    code: CodeSpec | None = None
    model: Literal["tso", "sc"] = "tso"
    buffer: int = DEEP
    overtake: bool = False
    scope: str | None = None
    budget: float = 60.0
    memory: int = 4 * 10**9
    workers: int | None = None
    reduce: bool = True
    symmetry: bool = True
    fuse: bool = True
    fold: bool = True
    forget: bool = True
    exact: bool = False
    lines: bool = False
    anyway: bool = False
    json_file: str | None = None
    witness_file: str | None = None


def explore_command(given: ExploreOptions, make: MakeEngine | None = None) -> int:
    """Search and report; return the exit status. ``make`` replaces the real explorer."""
    try:
        sides = sides_of(given.policy, given.code, _loaded)
        asked = [asked_for(given.scenario, given.policy, given.mutation, given.scope, side.own) for side in sides]
        asked[:-1] = [[replace(row, planned=as_reference(row.planned)) for row in rows] for rows in asked[:-1]]
    except (PlanError, ScopeError, LoaderError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    options = search_options(given)
    code, rows = sides[-1].code, [row for of_all in zip(*asked, strict=True) for row in of_all]
    with contextlib.ExitStack() as files:
        records = files.enter_context(records_to(given.json_file, users_files(code)))
        witness = None
        if given.witness_file is not None:
            witness = files.enter_context(opened("--witness", given.witness_file, users_files(code)))
        console = wide_console()
        refuse_what_is_too_big(rows, given, options, console)
        tell_sides(console, sides)
        engines = [(make or _explorer(given))(side.code) for side in sides]
        records.environment(seconds=options.seconds, code=code)
        run = Run(rows, EngineOfEach(asked, engines), options, console, records, given, witness)
        done = run.all()
        before, after = (done[::2], done[1::2]) if len(sides) > 1 else ([], done)
        if before:
            verdict_matrix(done).print_to(console)
        if len(done) > 1 or run.cancelled:
            say(console, summary(done, len(rows)))
        if before and code is not None and code.spec.diff is not None:
            say(console, what_changes(code.spec.diff, before, after))
    if run.failure is not None:
        raise run.failure
    status = exit_code(after)
    if status != EXIT_INTERRUPTED:
        tell_faults(after)
    return status


def _loaded(code: UserCode) -> Program | None:
    """Load what has to be known for the plan: of a rule alone that is nothing, and the engine loads it."""
    return ready_program(code) if code.spec.patched else None


class EngineOfEach:
    """Searches each row in the machine that it is about: that before a diff, or that with it."""

    def __init__(self, asked: Sequence[Sequence[Asked]], engines: Sequence[Engine]) -> None:
        self._engines = {
            row.planned.policy.name: engine for rows, engine in zip(asked, engines, strict=True) for row in rows
        }

    def search(self, asked: Asked, options: Options, watch: Watch) -> Searched:
        """Search the scope of a row."""
        return self._engines[asked.planned.policy.name].search(asked, options, watch)


def _explorer(given: ExploreOptions) -> MakeEngine:
    return lambda code: Explorer(code, fold=given.fold, forget=given.forget, exact=given.exact)


def search_options(given: ExploreOptions) -> Options:
    """Return the options of the search."""
    return Options(
        buffer=given.buffer if given.model == "tso" else 0,
        overtake=given.overtake,
        workers=given.workers or min(processors(), MOST_WORKERS),
        reduce=given.reduce,
        symmetry=given.symmetry,
        fuse=given.fuse,
        max_bytes=given.memory,
        seconds=given.budget,
    )


def refuse_what_is_too_big(rows: Sequence[Asked], given: ExploreOptions, options: Options, console: Console) -> None:
    """Return how big each scope may be that may be big; Failure before anything starts if one cannot fit.

    A rule of the user's own, or a seeded bug, may have fewer states than any that was measured, or more.
    """
    told_apart_as_usual = given.fold and given.forget and not given.exact
    scopes: dict[Scope, list[Asked]] = {}
    for row in rows:
        scopes.setdefault(row.scope, []).append(row)
    for scope, (asked, *others) in scopes.items():
        if given.exact and scope.task_pcpus:
            said = (
                f"{asked.planned.scenario.name}: --exact knows a thread by its history, and a task has run on several"
            )
            raise Failure(f"{said}; explore a scope of tasks without it", EXIT_USAGE)
        historic = not any(row.planned.own_rule or row.planned.mutation for row in (asked, *others))
        size = size_of(scope, options, usual=told_apart_as_usual and historic)
        if size.about > WORTH_SAYING:
            say(console, size_line(asked, size))
        if historic and size.least_bytes > options.max_bytes and not given.anyway:
            least, memory = size_text(size.least_bytes), size_text(options.max_bytes)
            said = f"{asked.planned.scenario.name}: too big for --memory {memory}: {least} of states at the least"
            raise Failure(f"{said}; a smaller --scope, more --memory, or --anyway for as far as it goes", EXIT_USAGE)


class Run:
    """Explores the rows one after another; each becomes exactly one row of the report."""

    def __init__(
        self,
        asked: Sequence[Asked],
        engine: Engine,
        options: Options,
        console: Console,
        records: Records,
        given: ExploreOptions,
        witness: Output | None = None,
    ) -> None:
        self.asked, self.engine, self.options = asked, engine, options
        self.console, self.records, self.given = console, records, given
        self._witness = witness
        self.rows: list[Row] = []
        self.witnesses = 0
        self.cancelled = False
        self.failure: Exception | None = None
        """The first error that is not a rule's fault: raised when all rows are done."""

    def all(self) -> list[Row]:
        """Explore all rows; after Ctrl-C the rest is cancelled."""
        for asked in self.asked:
            if self.cancelled:
                self._note(asked, Searched(Result()), shown=False)
                continue
            try:
                self._one(asked)
            except KeyboardInterrupt:
                self.cancelled = True
                self._note(asked, Searched(Result(bounded_by=("cancelled",))), shown=False)
        return self.rows

    def _one(self, asked: Asked) -> None:
        ticker = Ticker(self.console, str(asked), self.options.seconds)
        try:
            with ticker.shown(), cancelled_by_interrupts(ticker.cancel):
                searched = self.engine.search(asked, self.options, ticker)
                if not ticker.cancelled:
                    searched = with_expected_violations(self.engine, asked, self.options, ticker, searched)
        except Exception as error:  # noqa: BLE001 - a row that fails keeps no other from being shown
            self._failed(asked, error)
            return
        self.cancelled = ticker.cancelled
        if ticker.out_of_time and not ticker.cancelled:
            searched = out_of_time(searched)
        self._note(asked, searched)

    def _failed(self, asked: Asked, error: Exception) -> None:
        """Record a row whose search failed, by a fault of the user's rule or of pirace."""
        if isinstance(error, Failure) and error.exit_code == EXIT_USAGE:
            self._note(asked, Searched(Result(), fault=str(error)))
            return
        self.failure = self.failure or error
        why = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        row = grade(asked.planned, Measured(), Circumstances(ending="crash", why=why))
        self._tell(row, asked, Searched(Result()))

    def _note(self, asked: Asked, searched: Searched, *, shown: bool = True) -> None:
        result = searched.result
        if result.complete and len(result.locals) > 1 and not result.branching:
            raise Failure(f"{asked}: the explorer took one path only, and cannot have seen the others", EXIT_FAULT)
        self._tell(judged(asked, searched, self.options, cancelled=self.cancelled), asked, searched, shown=shown)

    def _tell(self, row: Row, asked: Asked, searched: Searched, *, shown: bool = True) -> None:
        self.rows.append(row)
        if shown:
            width = room(self.console)
            for line in row_lines(row, asked, searched, self.options, lines=self.given.lines, width=width):
                put(self.console, line)
        self.records.write(explorer_record(row, search_facts(asked, searched, self.options)))
        if searched.witness is not None and self._witness is not None and self.given.witness_file is not None:
            self._save(searched.witness, self._witness, Path(self.given.witness_file))

    def _save(self, witness: Witness, first: Output, path: Path) -> None:
        """Save the first witness under the given name, further ones with a number appended."""
        self.witnesses += 1
        if self.witnesses == 1:
            first.write(text(witness))
            if first.failed or not first.is_file:
                return
        else:
            path = path.with_name(f"{path.stem}-{self.witnesses}{path.suffix}")
            if not write_now("--witness", str(path), text(witness)):
                return
        put(self.console, Text(f"witness saved: {path} (pirace replay {path})"))
