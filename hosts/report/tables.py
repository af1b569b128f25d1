"""What a person reads at the end: verdicts, what was not as expected, costs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from hosts.report.cost import PER_SELF_POST, Cost, costs
from hosts.report.plan import REPEATS
from hosts.report.sentences import sentences
from hosts.report.verdict import Row, Verdict, policy_names
from hosts.vectors import seen_text

STYLES: Final = {
    Verdict.PASS: "green",
    Verdict.VIOLATION: "red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.UNTRUSTWORTHY: "yellow",
    Verdict.SKIPPED: "dim",
    Verdict.CRASH: "bold red",
    Verdict.CANCELLED: "dim",
}
SEEDED_STYLE: Final = "cyan"
"""A violation that had to be found: no alarm."""


def verdict_text(row: Row) -> Text:
    """Show a verdict; one that refutes the table is marked."""
    style = SEEDED_STYLE if row.as_expected and row.verdict is Verdict.VIOLATION else STYLES[row.verdict]
    text = Text(str(row.verdict), style=style)
    if row.as_expected is False:
        text.append(" (!)", style="bold red")
    return text


def fired(row: Row) -> str:
    """Name the checks that fired."""
    return " ".join(row.checks)


def report(rows: Sequence[Row]) -> Group:
    """Put everything together that is shown at the end."""
    parts: list[RenderableType] = []
    begun = [row for row in rows if row.begun]
    clean = [row for row in begun if row.planned.mutation is None]
    mutated = [row for row in begun if row.planned.mutation is not None]
    if clean:
        parts += [verdict_matrix(clean), ""]
    if mutated:
        parts += [mutation_table(mutated), ""]
    remarks = list(
        dict.fromkeys(remark(row) for row in begun if row.verdict is not Verdict.PASS and not row.as_expected)
    )
    parts += [Text(line) for line in remarks] + [""] * bool(remarks)
    measured = costs(rows)
    if measured:
        parts += [cost_table(measured), ""]
    parts += [Text(line) for sentence in sentences(rows) for line in wrapped(sentence)]
    return Group(*parts)


def _is_remarkable(row: Row) -> bool:
    plain = (Verdict.PASS, Verdict.CANCELLED)
    return row.as_expected is False or (row.verdict not in plain and not row.as_expected)


def wrapped(sentence: str) -> list[str]:
    """Break a long line, so that it reads well on paper too."""
    return textwrap.wrap(sentence, 110, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def verdict_matrix(rows: Sequence[Row]) -> Table:
    """Show scenario x policy, nothing mutated."""
    policies = policy_names(rows)
    table = Table(title="verdicts: scenario x policy", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("scenario", *policies):
        table.add_column(header, overflow="fold")
    cells = {(row.planned.scenario.name, row.planned.policy.name): row for row in rows}
    for scenario in dict.fromkeys(row.planned.scenario.name for row in rows):
        shown = [cells.get((scenario, policy)) for policy in policies]
        table.add_row(scenario, *(_cell(row) if row is not None else "" for row in shown))
    return table


def _cell(row: Row) -> Text:
    text = verdict_text(row)
    return text.append(f" {fired(row)}") if row.checks else text


def mutation_table(rows: Sequence[Row]) -> Table:
    """Show what became of the seeded bugs: caught or, where that is right, not convicted."""
    table = Table(title="seeded bugs", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("mutation", "scenario", "policy", "expected", "verdict", "fired"):
        table.add_column(header, overflow="fold")
    for row in sorted(rows, key=lambda row: row.planned.mutation.number if row.planned.mutation else 0):
        planned, wanted = row.planned, row.planned.expectation
        expected = f"{wanted.outcome} {' '.join(wanted.checks)}" if wanted is not None else "-"
        name = planned.mutation.name if planned.mutation is not None else ""
        table.add_row(name, planned.scenario.name, planned.policy.name, expected, verdict_text(row), fired(row))
    return table


def remark(row: Row) -> str:
    """Say in one line why a row is not what one would like."""
    wanted = row.planned.expectation
    surprise = f" (expected {wanted.outcome})" if row.as_expected is False and wanted is not None else ""
    line = f"{row.planned}: {row.verdict}{surprise}: {row.reason.strip().splitlines()[-1] if row.reason else ''}"
    if row.measured.violations:
        first = row.measured.violations[0]
        line += f"; first {first.check}: " + " ".join(
            f"{name}={seen_text(name, value)}" for name, value in first.first.items()
        )
    return line.rstrip(": ")


def cost_table(measured: Sequence[Cost]) -> Table:
    """Show exact counts per self-post, and the time of a round trip."""
    repeats = max((len(cost.round_trips) for cost in measured), default=0) or REPEATS
    table = Table(
        title="cost per self-post of the timer",
        caption=f"ns: this emulator's own time for one round trip, min median max of {repeats} short runs; "
        "it says nothing about hardware. The counts are exact; IPIs that wait together are taken as one.",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for header in ("scenario", "policy"):
        table.add_column(header, overflow="fold")
    for header in ("self-posts", "IPIs", "spurious", "VM-entries", "syncs", "ns min", "median", "max"):
        table.add_column(header, justify="right")
    before = ""
    for cost in measured:
        ratios = [f"{cost.per_self_post(counter):.4f}" for counter in PER_SELF_POST]
        times = [f"{nanoseconds:,.0f}" for nanoseconds in cost.spread or ()]
        shown = cost.scenario if cost.scenario != before else ""
        table.add_row(shown, cost.policy, f"{cost.self_posts:,}", *ratios, *times, end_section=False)
        before = cost.scenario
    return table


def explored_lines(rows: Sequence[Row]) -> list[str]:
    """Tell of a user's own rule what the explorer knows, row by row."""
    return [
        f"{row.planned}: {line}"
        for row in rows
        if row.explored is not None
        for line in ([row.explored.told()] if row.explored.found else []) + list(row.notes)
    ]


def unexplored_lines(rows: Sequence[Row]) -> list[str]:
    """Name the rows whose PASS is the races' alone, with the command that explores each."""
    return [
        f"{row.planned}: {row.verdict}, {row.explored.told()}"
        for row in rows
        if row.verdict is Verdict.PASS and row.explored is not None and not row.explored.complete
    ]


def summary(rows: Sequence[Row], planned: int) -> str:
    """Count the rows in one line."""
    kinds = Counter(str(row.verdict) if row.begun else "not begun" for row in rows)
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in (*Verdict, "not begun") if kinds[kind])
    surprises = sum(row.as_expected is False for row in rows)
    said = "none against the table" if not surprises else f"{surprises} not as expected"
    return f"{len(rows)} of {planned} rows: {told or 'nothing'}; {said}"


def print_report(console: Console, rows: Sequence[Row], planned: int) -> None:
    """Show the end of a run."""
    console.print(report(rows), highlight=False)
    for line in explored_lines(rows):  # with commands in them: not to be broken
        console.print(Text(line), soft_wrap=True, highlight=False)
    console.print(Text(summary(rows, planned)), highlight=False)
