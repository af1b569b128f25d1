"""``pirace audit``: which orderings of the protocol are needed, each weakened by itself and explored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console
from rich.status import Status
from rich.text import Text

from emu.workload.scenarios import PolicyInfo
from hosts.cli.audit_show import Audited, audit_record, line_of, print_audit, scope_line, scope_record
from hosts.cli.outputs import users_files
from hosts.cli.records import Records, records_to
from hosts.cli.replaced_show import code_lines
from hosts.cli.sides import tell_lines
from hosts.errors import Failure
from hosts.exit_codes import EXIT_EXPECTED, EXIT_INTERRUPTED, EXIT_UNEXPECTED, EXIT_USAGE
from hosts.explorer.audit.audit import Auditor, Baseline, Watch
from hosts.explorer.audit.relax import Relaxation, Site, sites
from hosts.explorer.audit.verdicts import Attempt, verdict_of
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Progress
from hosts.explorer.threads.harness import Scope, ScopeError, scope_of
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.loader.program import LoaderError, Program, load_program
from hosts.loader.rule.faults import RuleFault
from hosts.loader.user_code import CodeSpec, code_of, paths_of
from hosts.report.sentences import not_checked
from hosts.runs.own_code import own_code
from hosts.runs.plan import PlanError, chosen_scenarios, one_policy
from hosts.runs.search_loops import SEARCH_BYTES, have_loops
from hosts.signals import cancelled_by_interrupts
from hosts.terminal import say, wide_console

_QUIET: Final = " | guest=cpuid,hlt | timers=0"
SCOPES: Final = (
    f"device{_QUIET}",
    f"kick{_QUIET}",
    f"post:0x34{_QUIET}",
    "post:0x34",
    f"post:0x34 post:0xf6{_QUIET}",
    f"kick | kick{_QUIET}",
    f"post:0x34 | post:0x35{_QUIET}",
    f"post:0x34 | kick{_QUIET}",
)
"""The scopes explored by default, the cheapest first."""


class Judge(Protocol):
    """What the command asks of :class:`hosts.explorer.audit.audit.Auditor`."""

    def add(self, name: str, scope: Scope, watch: Watch) -> Baseline:
        """Explore a scope with the protocol as it stands."""

    def attempts(self, site: Site, way: Relaxation, watch: Callable[[str], Watch]) -> Iterator[Attempt]:
        """Weaken a site in one way, and explore."""


MakeJudge = Callable[[Program, int, Options], Judge]


def audit_command(
    *,
    policy: str | None = None,
    code: CodeSpec | None = None,
    scenario: Sequence[str] = (),
    scope: Sequence[str] = (),
    budget: float = 20.0,
    line: Sequence[str] = (),
    json_file: str | None = None,
    make: MakeJudge = Auditor,
) -> int:
    """Weaken the orderings, explore, report; return the exit status. ``make`` makes the explorer."""
    try:
        own = code_of(policy, code)
        program = load_program(own, mutations=())
        chosen_policy = one_policy(policy, own_code(own, program))
        scopes = scopes_of(scenario, scope, program.own)
    except (PlanError, ScopeError, LoaderError) as error:
        raise Failure(str(error), EXIT_USAGE) from None
    chosen = chosen_sites(sites(program), line)
    with records_to(json_file, users_files(own)) as records:
        console = wide_console()
        tell_lines(console, code_lines(own, program))
        if make is Auditor:
            have_loops()
        judge = make(program, chosen_policy.number, Options(seconds=budget, max_bytes=SEARCH_BYTES, symmetry=False))
        if chosen_policy.unpromised:
            say(console, not_checked(chosen_policy.unpromised))
        records.environment(seconds=budget, code=own)
        audit = Audit(judge, chosen, console, records, chosen_policy, paths_of(own))
        try:
            audit.run(scopes)
        finally:
            audit.write_rest()
        print_audit(console, audit.rows, len(chosen), list(scopes), chosen_policy.name)
    return EXIT_INTERRUPTED if audit.cancelled else EXIT_EXPECTED


def scopes_of(scenarios: Sequence[str], texts: Sequence[str], own: Own = NOTHING_OWN) -> dict[str, Scope]:
    """Return the scopes of scenarios, or as the user wrote them, or both; without either the default ones."""
    acts = own.act_numbers
    named = {name: scope_of(each, acts=acts) for name in scenarios for each in chosen_scenarios([name], own)}
    written = {text: scope_of(None, text, acts) for text in texts or ([] if named else SCOPES)}
    return named | written


def chosen_sites(found: Sequence[Site], lines: Sequence[str]) -> list[Site]:
    """Return the sites at these lines, or all sites if no line is given; Failure for a line without a site."""
    chosen = {id(site) for site in found} if not lines else set()
    for text in lines:
        file, _, number = text.rpartition(":")
        here = [site for site in found if _is_file(site.file, file) and str(site.line) == number]
        if not here:
            there = sorted({site.line for site in found if _is_file(site.file, file)})
            known = f"; in that file: {', '.join(map(str, there))}" if there else ""
            raise Failure(f"--line {text}: no ordering stands there{known}", EXIT_USAGE)
        chosen |= {id(site) for site in here}
    return [site for site in found if id(site) in chosen]


def _is_file(path: str, named: str) -> bool:
    parts = Path(named).parts
    return bool(parts) and Path(path).parts[-len(parts) :] == parts


class Audit:
    """Judges the sites one after another; each that was begun and not cancelled becomes a row."""

    def __init__(
        self,
        judge: Judge,
        chosen: Sequence[Site],
        console: Console,
        records: Records,
        policy: PolicyInfo,
        files: Sequence[str] = (),
    ) -> None:
        """``files``: the user's, of which a fault names one."""
        self._files = files
        self.judge, self.sites, self.console, self.records = judge, chosen, console, records
        self.policy, self.unpromised = policy.name, policy.unpromised
        self.rows: list[Audited] = []
        self.cancelled = False
        self._status: Status | None = None

    def run(self, scopes: dict[str, Scope]) -> None:
        """Explore the scopes as they are, then with each ordering weakened."""
        status = self.console.status("...")
        self._status = status if self.console.is_interactive else None
        with cancelled_by_interrupts(self._cancel):
            if self._status is not None:
                with status:
                    self._all(scopes)
            else:
                self._all(scopes)

    def _all(self, scopes: dict[str, Scope]) -> None:
        try:
            self._lay(scopes)
            for number, site in enumerate(self.sites, 1):
                if self.cancelled:
                    return
                self._one(number, site)
        except KeyboardInterrupt:
            self.cancelled = True

    def write_rest(self) -> None:
        """Write a record for each ordering that was not reached."""
        why = "cancelled" if self.cancelled else "the audit could not be made"
        for site in self.sites[len(self.rows) :]:
            self.records.not_done("audit", f"{line_of(site)} {site.text}", why)

    def _cancel(self) -> None:
        self.cancelled = True

    def _watch(self, what: str) -> Watch:
        def goes_on(progress: Progress) -> bool:
            if self._status is not None:
                speed = progress.transitions / max(progress.seconds, 0.001)
                text = f"{what}: {progress.states:,} states, {speed:,.0f} transitions/s"
                self._status.update(Text(text))
            return not self.cancelled

        if self._status is not None:
            self._status.update(Text(what))
        return goes_on

    def _lay(self, scopes: dict[str, Scope]) -> None:
        sound = 0
        for number, (name, scope) in enumerate(scopes.items(), 1):
            try:
                baseline = self.judge.add(name, scope, self._watch(f"scope {number}, nothing weakened"))
            except RuleFault as fault:
                raise Failure(fault.told(self._files), EXIT_USAGE) from None
            if self.cancelled:
                return
            sound += baseline.sound
            say(self.console, scope_line(number, name, baseline.result))
            self.records.write(scope_record(name, scope, self.policy, self.unpromised, baseline.result))
        if not sound:
            raise Failure(f"{self.policy} fails in every scope with nothing weakened: explore it", EXIT_UNEXPECTED)

    def _one(self, number: int, site: Site) -> None:
        attempts: list[Attempt] = []
        for way in site.relaxations:
            name = f"{number}/{len(self.sites)} {line_of(site)} {way.name}"
            attempts += self.judge.attempts(site, way, lambda scope, name=name: self._watch(f"{name}: {scope}"))  # type: ignore[misc]
            if self.cancelled:
                return
        row = Audited(site, verdict_of(site, attempts), tuple(attempts))
        if site.kind == "ordered":
            row = replace(row, neighbours=neighbours(site, self.sites))
        self.rows.append(row)
        self.records.write(audit_record(row, self.policy))
        if self._status is None:
            said = f"{number}/{len(self.sites)} {line_of(site)} {site.text}: {row.verdict}"
            say(self.console, said)


def neighbours(site: Site, others: Sequence[Site]) -> tuple[int, ...]:
    """Return the lines of the pairs that an acquire or release belongs to."""
    halves = {other.line: other.text.split(" ; ") for other in others if other.kind == "pair"}
    return tuple(
        other.line
        for other in others
        if other.kind == "pair" and other.function == site.function and site.text in halves[other.line]
    )
