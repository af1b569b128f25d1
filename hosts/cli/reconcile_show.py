"""Output of ``pirace reconcile``: a table of both hosts, and JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from hosts.plural import counted
from hosts.report.table_layout import READABLE, Column, Content, Sheet
from hosts.report.tables import remark
from hosts.runs.plan import short_name
from hosts.runs.reconcile import Reconciled, left_out
from hosts.runs.verdict import Row
from hosts.terminal import say


def print_reconciled(console: Console, done: Sequence[Reconciled], others: Sequence[Row], planned: int) -> None:
    """Show the end of a reconciliation."""
    say(console, "")
    if done:
        table_of(done).print_to(console)
    for line in (*remarks(done), *(remark(row) for row in others), summary(done, planned)):
        say(console, line)


def table_of(done: Sequence[Reconciled]) -> Sheet:
    """Show each configuration."""
    rows: list[list[Content]] = []
    for each in done:
        planned = each.row.planned
        gap = ", ".join(each.gap) or "-"
        rows.append([planned.scenario.name, short_name(planned.policy.name), extent(each), verdict(each), gap])
    return Sheet(
        [
            Column("scenario"),
            Column("policy"),
            Column("explored", prose=READABLE),
            Column("verdict", prose=READABLE),
            Column("never seen (gap)", prose=READABLE),
        ],
        rows,
        title="real processes against every interleaving: windows entered and checks fired",
        above=2,
        grouped=True,
    )


def extent(each: Reconciled) -> str:
    """Return how much was explored."""
    states = f"{counted(each.allowed.states, 'state')}"
    return f"complete, {states}" if each.allowed.complete else f"{states}, bounded"


def verdict(each: Reconciled) -> Text:
    """Return whether the two hosts agree."""
    if each.not_allowed:
        return Text("NOT ALLOWED", style="bold red")
    return Text("not explored", style="yellow") if each.not_explored else Text("agree", style="green")


def remarks(done: Sequence[Reconciled]) -> list[str]:
    """Return what was seen and is not allowed, was not explored, or lies outside the scope."""
    lines = []
    for each in done:
        what, names = str(each.row.planned), ", ".join
        if each.not_allowed:
            lines.append(
                f"{what}: seen on processes, in no interleaving: {names(each.not_allowed)} (a fault of pirace)"
            )
        if each.not_explored:
            bound = f"{counted(each.allowed.states, 'state')}, bounded by {each.allowed.bound}"
            lines.append(f"{what}: seen, but not explored within {bound}: {names(each.not_explored)}")
    why: dict[str, list[str]] = {}
    for each in done:
        for name in each.explained:
            reason = left_out(each.row.planned, name)
            why.setdefault(reason, []).append(f"{each.row.planned} {name}")
    lines += [f"seen, and not in the scope: {', '.join(rows)}: {reason}" for reason, rows in why.items()]
    return lines


def summary(done: Sequence[Reconciled], planned: int) -> str:
    """Return the summary line."""
    wrong, unknown = sum(bool(each.not_allowed) for each in done), sum(bool(each.not_explored) for each in done)
    agree = len(done) - sum(bool(each.not_allowed or each.not_explored) for each in done)
    gaps = sum(bool(each.gap) for each in done)
    return (
        f"{len(done)} of {counted(planned, 'row')}: {agree} agree, {unknown} with something not explored, "
        f"{wrong} with something that is not allowed; {gaps} with a coverage gap"
    )


def reconcile_record(each: Reconciled, scope: str, seed: int) -> dict[str, Any]:
    """Return the record of a configuration."""
    measured, allowed = each.row.measured, each.allowed
    return {
        "record": "reconcile",
        "scenario": each.row.planned.scenario.name,
        "policy": each.row.planned.policy.name,
        "unpromised": list(each.row.planned.policy.unpromised),
        "pcpus": each.row.planned.pcpus,
        "scope": scope,
        "seconds": round(measured.seconds, 6),
        "seed": seed,
        "seen": {
            "windows": {name: count for name, count in measured.windows.items() if count},
            "checks": {violation.check: violation.count for violation in measured.violations},
        },
        "allowed": {
            "windows": sorted(allowed.windows),
            "checks": sorted(allowed.checks),
            "complete": allowed.complete,
            "bound": allowed.bound,
            "states": allowed.states,
            "seconds": round(allowed.seconds, 3),
        },
        "not_allowed": list(each.not_allowed),
        "not_explored": list(each.not_explored),
        "explained": list(each.explained),
        "gap": list(each.gap),
    }
