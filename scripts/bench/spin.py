"""Benchmark 9: the explorer against SPIN, on SPIN's own model of the same protocol at the same scope.

Both are given twice. *Cold* is the first time that a scope is asked about: SPIN generates a checker for it and has it
compiled (``gcc -O2``), the explorer cuts the protocol and learns the automata. *Warm* is the next time: SPIN's checker
alone runs, the explorer reads what was learnt from a file. Compiling the explorer's own loops, once a machine, is in
neither, as is compiling SPIN itself.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.options import Options
from bench.pan import MUTATIONS, Checked, check, defines, find
from bench.report import Report
from bench.series import Target, number
from emu.expected import by_name, policy_by_name
from hosts.explorer.build import Builder
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.options import Options as Bounds
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import DEFAULT, Scope, scope_of
from hosts.loader.program import Program, load_program

POLICY: Final = "elide-self-2022"
SMALL: Final = "post:0x34 post:0x34 | device"
"""Small enough for a look, and for every verdict."""
MIDDLE: Final = "post:0x34 post:0x34 | post:0x35 | device"
"""The default without its kick."""
BUFFER: Final = 4
PATIENCE: Final = 300.0
GIGABYTE: Final = 1 << 30
OUR_MEMORY, SPINS_MEMORY = 4 * GIGABYTE, 8 * GIGABYTE
RATE, STATES, TIME = 2.0, 1.0, 1 / 3
VERDICTS: Final = [(policy, mutation) for policy in ("always-2021", POLICY) for mutation in (None, *MUTATIONS)]
SEEDED: Final = (
    ("no-entry-sync", "C1"),
    ("no-wait-barrier", "C2"),
    ("rvi-not-written", "C3"),
    ("pir-set-plainly", "C4"),
    ("pir-harvested-plainly", "C5"),
    ("no-fastpath-sync", "C7"),
    ("self-ipi-not-elided", "C8"),
    ("no-entry-sync", "C10"),
)
"""A mutation for each check that SPIN's model has to show, all its other checks taken away; C9 wants a kick."""


@dataclass(frozen=True)
class Explored:
    """What the explorer says, and when."""

    result: Result
    seconds: float
    """From the loaded protocol to the verdict."""

    @property
    def rate(self) -> float:
        """Return states a second."""
        return self.result.states / max(self.seconds, 0.01)

    @property
    def clean(self) -> bool:
        """Return whether nothing was found."""
        return self.result.violation is None


@dataclass(frozen=True)
class Both:
    """The same exploration twice."""

    cold: Explored
    warm: Explored


def explored(
    program: Program, scope: Scope, policy: str, mutation: str | None, patience: float, learning: Learning | None = None
) -> Explored:
    """Explore with one worker, for SPIN has one."""
    before = time.monotonic()
    builder = Builder(program, scope, policy_by_name(policy).number, by_name(mutation) if mutation else None)
    bounds = Bounds(buffer=BUFFER, seconds=patience, max_bytes=OUR_MEMORY)
    result, _, _ = explore(builder, bounds, None, learning)
    return Explored(result, time.monotonic() - before)


def both(program: Program, scope: Scope, policy: str, patience: float) -> Both:
    """Explore with nothing known, and once more with what was learnt."""
    with tempfile.TemporaryDirectory() as folder:
        learning = Learning(Files(Path(folder)))
        # A program of its own: how this one is cut is known already.
        cold = explored(replace(program), scope, policy, None, patience, learning)
        return Both(cold, explored(program, scope, policy, None, patience, learning))


def checked(scope: Scope, policy: str, mutation: str | None, states: int, patience: float, only: str = "") -> Checked:
    """Check with SPIN, with a table for a search of about so many states."""
    bits = max(20, states.bit_length() + 1)  # it has about twice as many as we
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    wanted = defines(scope, policy, mutation, BUFFER, only)
    return check(wanted, table_bits=bits, megabytes=min(free * 3 // 4, SPINS_MEMORY) >> 20, patience=patience)


def benchmark(options: Options) -> Report:
    """Measure both on the same scopes in turns, then hold their verdicts against each other."""
    find()
    report = Report(
        "spin", f"the explorer against SPIN on posted.pml, {POLICY}, store buffer of {BUFFER}, one core each"
    )
    report.head = ("scope", "states", "transitions", "depth", "seconds", "states/s", "bytes/state", "verdict")
    program = load_program()
    explored(program, scope_of(None, "post:0x34"), POLICY, None, PATIENCE)  # so that the loops are compiled
    compare(report, program, scope_of(None, SMALL), options.repeats(3, quick=1))
    if not options.quick:
        compare(report, program, scope_of(None, MIDDLE), 1)
        compare(report, program, scope_of(None, DEFAULT), 1)
    if not options.quick:
        verdicts(report, program, scope_of(None, SMALL))
        seeded(report, scope_of(None, SMALL))
    return report


def compare(report: Report, program: Program, scope: Scope, repeats: int) -> None:
    """Measure one scope: the explorer, then SPIN, and so on; the targets are of neighbours."""
    pairs: list[tuple[Both, Checked]] = []
    for _ in range(repeats):
        ours = both(program, scope, POLICY, PATIENCE)
        pairs.append((ours, checked(scope, POLICY, None, ours.cold.result.states, PATIENCE)))
    ours, theirs = sorted(pairs, key=lambda pair: pair[0].warm.seconds / max(pair[1].seconds, 0.01))[repeats // 2]
    tabulate_ours(report, f"explorer, cold  {scope}", ours.cold)
    tabulate_spin(report, f"SPIN, cold      {scope}", theirs.cold)
    tabulate_ours(report, f"explorer, warm  {scope}", ours.warm)
    tabulate_spin(report, f"SPIN, warm      {scope}", theirs)
    report.targets += targets(f"{scope}, cold", [(ours.cold, theirs.cold) for ours, theirs in pairs])
    report.targets += targets(f"{scope}, warm", [(ours.warm, theirs) for ours, theirs in pairs])
    if not theirs.complete:
        report.remarks.append(
            f"{scope}: SPIN did not finish in {number(theirs.seconds)} s and the memory there is; its states and its "
            "seconds are those so far, so that the ratios of both are upper bounds."
        )
    for each in (ours.cold, ours.warm):
        if not each.result.complete:
            report.remarks.append(f"{scope}: the explorer did not finish: {', '.join(each.result.bounded_by)}.")


def targets(about: str, pairs: list[tuple[Explored, Checked]]) -> list[Target]:
    """Hold the ratios of neighbours against what the explorer has to reach."""

    def target(what: str, limit: float, ratios: list[float], *, at_least: bool = False) -> Target:
        ordered = sorted(ratios)
        spread = (ordered[0], ordered[-1])
        return Target(f"{about}: {what}", ordered[len(ordered) // 2], limit, at_least, spread)

    ours, theirs = pairs[0]
    finished = all(ours.result.complete for ours, _ in pairs)
    seconds = [o.seconds / max(t.seconds, 0.01) if finished else float("inf") for o, t in pairs]
    states = [o.result.states / t.states if finished else float("inf") for o, t in pairs]
    return [
        target("states a second over SPIN's", RATE, [o.rate / t.rate for o, t in pairs], at_least=True),
        target("states over SPIN's", STATES, states),
        target("seconds to the verdict over SPIN's", TIME, seconds),
        Target(
            f"{about}: bytes a state, table included (SPIN's vector and one pointer)",
            ours.result.bytes_per_state,
            theirs.vector + 8,
            unit="bytes",
        ),
    ]


def verdicts(report: Report, program: Program, scope: Scope) -> None:
    """Hold the verdicts on seeded bugs against each other."""
    differing = []
    for policy, mutation in VERDICTS:
        ours = explored(program, scope, policy, mutation, PATIENCE)
        theirs = checked(scope, policy, mutation, ours.result.states, PATIENCE)
        name = f"{policy} {mutation or 'as it is'}"
        tabulate_ours(report, f"explorer  {name}", ours)
        tabulate_spin(report, f"SPIN      {name}", theirs)
        if ours.clean != (theirs.errors == 0):
            differing.append(name)
    report.targets.append(Target("verdicts that differ", len(differing), 0, unit="verdicts"))
    report.remarks += [f"{name}: the verdicts differ." for name in differing]


def seeded(report: Report, scope: Scope) -> None:
    """Make each check of SPIN's model fire alone: one that never can would make its search cheaper than ours."""
    silent = []
    for mutation, check_name in SEEDED:
        theirs = checked(scope, POLICY, mutation, 1 << 20, PATIENCE, check_name)
        tabulate_spin(report, f"SPIN      {mutation}, {check_name} alone", theirs)
        if theirs.fired != check_name:
            silent.append(check_name)
    report.targets.append(Target("checks of SPIN's model that stay silent", len(silent), 0, unit="checks"))
    report.remarks += [f"{name}: SPIN's model does not show it." for name in silent]


def tabulate_ours(report: Report, name: str, ours: Explored) -> None:
    """Add the explorer's figures to the table."""
    result = ours.result
    verdict = verdict_of(clean=ours.clean, complete=result.complete)
    row = (result.states, result.transitions, result.depth, ours.seconds, ours.rate, result.bytes_per_state, verdict)
    tabulate(report, name, row, {"in_search_s": result.seconds, "locals": result.locals})


def tabulate_spin(report: Report, name: str, theirs: Checked) -> None:
    """Add SPIN's figures to the table."""
    verdict = verdict_of(clean=theirs.errors == 0, complete=theirs.complete)
    row = (
        *(theirs.states, theirs.transitions, theirs.depth),
        *(theirs.seconds, theirs.rate, theirs.bytes_per_state, verdict),
    )
    tabulate(report, name, row, {"building_s": theirs.building, "vector_bytes": theirs.vector})


def tabulate(report: Report, name: str, row: tuple[int | float | str, ...], more: dict[str, object]) -> None:
    """Add one contender's figures to the table and to the file."""
    cells = [
        f"{value:,}" if isinstance(value, int) else value if isinstance(value, str) else number(value) for value in row
    ]
    keys = ("states", "transitions", "depth", "seconds", "states_per_s", "bytes_per_state", "verdict")
    report.add_row((name, *cells), {"contender": name, **dict(zip(keys, row, strict=True)), **more})


def verdict_of(*, clean: bool, complete: bool) -> str:
    """Return the verdict as text."""
    if not clean:
        return "violation"
    return "clean" if complete else "unfinished"
