"""The table of the real bugs, and its records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emu.expected import Expectation, expected
from emu.history import Bug, Shown
from hosts.report.table_layout import Column, Sheet
from hosts.runs.verdict import Row, Verdict


@dataclass
class Line:
    """A row of the table: a bug and one configuration that shows it, or none."""

    bug: Bug
    shown: Shown | None
    explored: Row | None = None
    raced: Row | None = None

    @property
    def expectation(self) -> Expectation | None:
        """Return what the table of expected verdicts says of the configuration."""
        shown = self.shown
        return expected(shown.scenario, shown.policy, shown.mutation) if shown is not None else None

    @property
    def checks(self) -> tuple[str, ...]:
        """Return the checks of which at least one fires."""
        wanted = self.expectation
        return wanted.checks if wanted is not None else ()


def history_sheet(lines: Sequence[Line], *, ran: bool) -> Sheet:
    """Return the table; ``ran``: with what was measured."""
    columns = [
        Column("bug"),
        Column("year", spare=2),
        Column("fix", spare=4, prose=12),
        Column("what", prose=28),
        Column("kernels", spare=3, prose=14),
        Column("stands for it", prose=20),
        Column("check", spare=1 if ran else 0),
    ]
    if ran:
        columns += [Column("explored"), Column("raced")]
    rows = []
    before: Bug | None = None
    for line in lines:
        rows.append(_cells(line, ran=ran, again=line.bug is before))
        before = line.bug
    return Sheet(columns, rows, "real bugs", grouped=True)


def _cells(line: Line, *, ran: bool, again: bool) -> list[str]:
    """Return a row; ``again``: the bug is that of the row before."""
    bug, shown = line.bug, line.shown
    stands = _stands(shown) if shown is not None else f"not modelled: {bug.why_not}"
    what = f"{bug.subject}:\n{bug.race}"
    year = str(bug.year) if bug.year is not None else ""
    told = ["", "", "", ""] if again else [year, "\n".join(bug.fixed), what, bug.kernels]
    cells = [bug.id, *told, stands, " ".join(line.checks)]
    return [*cells, _seconds(line.explored), _seconds(line.raced)] if ran else cells


def _stands(shown: Shown) -> str:
    named = shown.mutation or shown.policy
    return f"{named}{' (its symptom)' if shown.symptom else ''}\nin {shown.scenario}"


def _seconds(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{row.measured.seconds:.2f} s" if row.verdict is Verdict.VIOLATION else str(row.verdict)


def caught_text(row: Row) -> str:
    """Return what became of a row, for the line that is printed when it is done."""
    if row.verdict is Verdict.VIOLATION:
        return f"caught by {' '.join(row.checks)} in {row.measured.seconds:.2f} s"
    return f"{row.verdict}{f' ({row.reason})' if row.reason else ''}"


def not_caught(lines: Iterable[Line]) -> Iterator[str]:
    """Return a line for each row that was run and not caught, with the reason."""
    for line in lines:
        for how, row in (("explored", line.explored), ("raced", line.raced)):
            if row is not None and row.verdict is not Verdict.VIOLATION:
                yield f"{line.bug.id} {line.shown}: {how}: {caught_text(row)}"


def history_record(line: Line) -> dict[str, Any]:
    """Return the record of a row."""
    bug, shown = line.bug, line.shown
    return {
        "record": "history",
        "bug": bug.id,
        "year": bug.year,
        "subject": bug.subject,
        "race": bug.race,
        "kernels": bug.kernels,
        "introduced": list(bug.introduced),
        "fixed": list(bug.fixed),
        "status": "caught" if shown is not None else "not-modelled",
        "why_not": bug.why_not or None,
        "scenario": shown.scenario if shown is not None else None,
        "policy": shown.policy if shown is not None else None,
        "mutation": shown.mutation if shown is not None else None,
        "symptom": shown is not None and shown.symptom,
        "checks": list(line.checks),
        "explored": _ran(line.explored),
        "raced": _ran(line.raced),
    }


def _ran(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "verdict": str(row.verdict),
        "reason": row.reason,
        "checks": list(row.checks),
        "seconds": round(row.measured.seconds, 6),
    }
