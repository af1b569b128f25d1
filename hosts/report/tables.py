"""Tables at the end of a stress run: verdicts, remarks on rows that are not as expected, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from hosts.kernel_names import field_text
from hosts.plural import counted
from hosts.report.sentences import sentences
from hosts.report.table_layout import Column, Content, Sheet
from hosts.runs.cost import PER_SELF_POST, Cost, costs
from hosts.runs.plan import REPEATS, short_name
from hosts.runs.verdict import Row, Verdict, policy_names
from hosts.terminal import say

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
"""An expected violation: no alarm."""


def verdict_text(row: Row) -> Text:
    """Show a verdict; one that refutes the table is marked."""
    style = SEEDED_STYLE if row.as_expected and row.verdict is Verdict.VIOLATION else STYLES[row.verdict]
    text = Text(str(row.verdict), style=style)
    if row.as_expected is False:
        text.append(" (!)", style="bold red")
    return text


def fired(row: Row) -> str:
    """Return the checks that fired."""
    return " ".join(row.checks)


def verdict_matrix(rows: Sequence[Row]) -> Sheet:
    """Show scenario x policy, nothing mutated."""
    policies = policy_names(rows)
    cells = {(row.planned.scenario.name, row.planned.policy.name): row for row in rows}
    shown: list[list[Content]] = []
    for scenario in dict.fromkeys(row.planned.scenario.name for row in rows):
        found = [cells.get((scenario, policy)) for policy in policies]
        shown.append([scenario, *(_cell(row) if row is not None else "" for row in found)])
    columns = [Column("scenario"), *(Column(short_name(policy)) for policy in policies)]
    return Sheet(columns, shown, title="verdicts: scenario x policy")


def _cell(row: Row) -> Text:
    text = verdict_text(row)
    return text.append(f" {fired(row)}") if row.checks else text


def mutation_table(rows: Sequence[Row]) -> Sheet:
    """Show what became of the seeded bugs: caught or, where that is right, not convicted."""
    shown: list[list[Content]] = []
    for row in sorted(rows, key=lambda row: row.planned.mutation.number if row.planned.mutation else 0):
        planned, wanted = row.planned, row.planned.expectation
        expected = f"{wanted.outcome} {' '.join(wanted.checks)}".strip() if wanted is not None else "-"
        name = planned.mutation.name if planned.mutation is not None else ""
        policy = short_name(planned.policy.name)
        shown.append([name, planned.scenario.name, policy, expected, verdict_text(row), fired(row)])
    columns = [Column(title) for title in ("mutation", "scenario", "policy", "expected", "verdict", "fired")]
    return Sheet(columns, shown, title="seeded bugs")


def remark(row: Row) -> str:
    """Return in one line why a row is not as expected, or proves nothing."""
    wanted = row.planned.expectation
    surprise = f" (expected {wanted.outcome})" if row.as_expected is False and wanted is not None else ""
    line = f"{row.planned}: {row.verdict}{surprise}: {row.reason.strip().splitlines()[-1] if row.reason else ''}"
    if row.measured.violations:
        first = row.measured.violations[0]
        line += f"; first {first.check}: " + " ".join(
            f"{name}={field_text(name, value)}" for name, value in first.first.items()
        )
    return line.rstrip(": ")


def cost_table(measured: Sequence[Cost]) -> Sheet:
    """Show exact counts per self-post, and the time of a round trip."""
    repeats = max((len(cost.round_trips) for cost in measured), default=0) or REPEATS
    rows: list[list[Content]] = []
    for cost in measured:
        ratios = [f"{cost.per_self_post(counter):.4f}" for counter in PER_SELF_POST]
        spread: list[Content] = [round(nanoseconds) for nanoseconds in cost.spread] if cost.spread else ["", "", ""]
        rows.append([cost.scenario, short_name(cost.policy), cost.self_posts, *ratios, *spread])
    # What a narrow table does without: VM-entries and syncs are the same for all rules that are right.
    spare = {"VM-entries": 3, "syncs": 4, "max": 2, "ns min": 1}
    titles = ("self-posts", "IPIs", "spurious", "VM-entries", "syncs", "ns min", "median", "max")
    numbers = [Column(title, right=True, spare=spare.get(title, 0)) for title in titles]
    return Sheet(
        [Column("scenario"), Column("policy"), *numbers],
        rows,
        title="cost per self-post of the timer",
        caption=f"ns: this emulator's own time for one round trip, min median max of {counted(repeats, 'short run')}; "
        "it says nothing about hardware. The counts are exact; IPIs that wait together are taken as one.",
        grouped=True,
    )


def explored_lines(rows: Sequence[Row]) -> list[str]:
    """Return what the explorer knows of a user's own rule, row by row."""
    return [
        f"{row.planned}: {line}"
        for row in rows
        if row.explored is not None
        for line in ([row.explored.told()] if row.explored.found else []) + list(row.notes)
    ]


def unexplored_lines(rows: Sequence[Row]) -> list[str]:
    """Return the rows whose PASS rests on races alone, with the command that explores each."""
    return [
        f"{row.planned}: {row.verdict}, {row.explored.told()}"
        for row in rows
        if row.verdict is Verdict.PASS and row.explored is not None and not row.explored.complete
    ]


def summary(rows: Sequence[Row], planned: int) -> str:
    """Return the summary line."""
    kinds = Counter(str(row.verdict) if row.begun else "not begun" for row in rows)
    told = ", ".join(f"{kinds[kind]} {kind}" for kind in (*Verdict, "not begun") if kinds[kind])
    surprises = sum(row.as_expected is False for row in rows)
    said = "none against the table" if not surprises else f"{surprises} not as expected"
    return f"{len(rows)} of {counted(planned, 'row')}: {told or 'nothing'}; {said}"


def print_report(console: Console, rows: Sequence[Row], planned: int) -> None:
    """Show the end of a run."""
    begun = [row for row in rows if row.begun]
    clean = [row for row in begun if row.planned.mutation is None]
    mutated = [row for row in begun if row.planned.mutation is not None]
    measured = costs(rows)
    if clean:
        verdict_matrix(clean).print_to(console)
    if mutated:
        mutation_table(mutated).print_to(console)
    remarks = dict.fromkeys(remark(row) for row in begun if row.verdict is not Verdict.PASS and not row.as_expected)
    for line in remarks:
        say(console, line)
    if remarks:
        say(console, "")
    if measured:
        cost_table(measured).print_to(console)
    for sentence in sentences(rows):
        say(console, sentence)
    for line in explored_lines(rows):
        say(console, line)
    say(console, summary(rows, planned))
