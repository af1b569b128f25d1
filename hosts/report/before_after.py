"""What a diff changes, in one sentence, from the rows before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from hosts.plural import counted
from hosts.runs.cost import costs
from hosts.runs.plan import TIMED_SCENARIO
from hosts.runs.verdict import Row, Verdict

Kind = Literal["clean", "broken", "open"]

_SAME: Final = 0.005
"""IPIs for a self-post that differ by less are the same."""


def what_changes(diff: str, before: Sequence[Row], after: Sequence[Row]) -> str:
    """Return the sentence. Rows of seeded bugs are not about the diff, unless there are no others."""
    before, after = _compared(before, after)
    name = Path(diff).name
    if not before:
        return f"{name}: no row was run both before and after: nothing was compared."
    said = [_verdicts(before), _verdicts(after)]
    ipis = [_ipis(before), _ipis(after)]
    differs = [_outcome(row) for row in before] != [_outcome(row) for row in after]
    cost = _cost_changes(*ipis)
    if not differs and not cost:
        return f"{name} changes nothing that shows here: before and after {said[0]}{_also(ipis[0], before)}."
    if not differs:
        return f"{name} changes what it costs: before: {_told(ipis[0])}; after: {cost}; before and after {said[0]}."
    return f"{name}: before: {said[0]}; after: {said[1]}{', ' if cost else ''}{cost}."


def _compared(before: Sequence[Row], after: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows that were run on both sides, in the same order."""
    clean = any(row.planned.mutation is None for row in [*before, *after])
    sides = [_by_key([row for row in rows if not clean or row.planned.mutation is None]) for rows in (before, after)]
    keys = [key for key in sides[0] if key in sides[1]]
    return [sides[0][key] for key in keys], [sides[1][key] for key in keys]


def _by_key(rows: Sequence[Row]) -> dict[tuple[str, int, str], Row]:
    """Return the rows by scenario, policy and seeded bug. Policies go by their order: their names have the diff's."""
    policies = list(dict.fromkeys(row.planned.policy.name for row in rows))
    return {
        (
            row.planned.scenario.name,
            policies.index(row.planned.policy.name),
            row.planned.mutation.name if row.planned.mutation is not None else "",
        ): row
        for row in rows
        if row.begun and not row.planned.lost
    }


def _kind(row: Row) -> Kind:
    if row.verdict is Verdict.VIOLATION:
        return "broken"
    return "clean" if row.verdict is Verdict.PASS else "open"


def _outcome(row: Row) -> tuple[Kind, frozenset[str]]:
    """Return what is compared of a row: a row that proves nothing is as good as any other that does not."""
    return _kind(row), frozenset(row.checks)


def _where(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(_place(row) for row in rows))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _place(row: Row) -> str:
    mutation = row.planned.mutation
    return row.planned.scenario.name + (f" + {mutation.name}" if mutation is not None else "")


def _verdicts(rows: Sequence[Row]) -> str:
    """Return which checks fired where, and what was not proven."""
    broken = [row for row in rows if _kind(row) == "broken"]
    open_ = [row for row in rows if _kind(row) == "open"]
    parts = [
        f"{' '.join(checks)} in {_where([row for row in broken if row.checks == checks])}"
        for checks in dict.fromkeys(row.checks for row in broken)
    ]
    parts += [
        f"{verdict} in {_where([row for row in open_ if row.verdict is verdict])}"
        for verdict in dict.fromkeys(row.verdict for row in open_)
    ]
    if not broken:
        clean = len(rows) - len(open_)
        parts.insert(0, "clean" if not open_ else f"clean in {counted(clean, 'row')} of {len(rows)}")
    return ", ".join(parts)


# --- what it costs -----------------------------------------------------------------------------------------------


def _ipis(rows: Sequence[Row]) -> float | None:
    """Return the IPIs for a self-post of the timer fastpath; None if that was not measured."""
    found = [cost for cost in costs(rows) if cost.scenario == TIMED_SCENARIO]
    return found[0].per_self_post("ipis_sent") if found else None


def _told(ipis: float | None) -> str:
    if ipis is None:
        return "IPIs for a self-post not measured"
    return "no IPI for a self-post" if ipis < _SAME else f"{ipis:.2f} IPIs for a self-post"


def _cost_changes(before: float | None, after: float | None) -> str:
    """Return what a self-post costs after the diff, if it is something else than before."""
    if before is None or after is None or abs(before - after) < _SAME:
        return ""
    return f"{_told(after)} instead of {'none' if before < _SAME else f'{before:.2f}'}"


def _also(ipis: float | None, rows: Sequence[Row]) -> str:
    """Return what else was compared, and how much."""
    where = "" if ipis is None else f", {_told(ipis)}"
    return f"{where} ({counted(len(rows), 'row')} compared{'' if ipis is None else ', and what a self-post costs'})"
