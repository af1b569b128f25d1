"""The report of a benchmark: a small table, the targets, remarks; as text and as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.series import Series, Target

SERIES_HEAD = ("", "median", "min", "max", "unit", "probe")


@dataclass
class Report:
    """The results of one benchmark."""

    name: str
    about: str
    head: Sequence[str] = SERIES_HEAD
    rows: list[Sequence[str]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    records: list[dict[str, object]] = field(default_factory=list)

    def add(self, *series: Series) -> None:
        """Add series to the table."""
        for each in series:
            self.rows.append(each.cells())
            self.records.append(each.record())

    def add_row(self, cells: Sequence[str], record: dict[str, object]) -> None:
        """Add a line of another kind to the table."""
        self.rows.append(cells)
        self.records.append(record)

    def lines(self) -> Iterable[str]:
        """Return the report for people."""
        yield f"{self.name}: {self.about}"
        yield from table([self.head, *self.rows])
        yield from (f"  {target}" for target in self.targets)
        yield from (f"  {remark}" for remark in self.remarks)

    def all_records(self) -> Iterable[dict[str, object]]:
        """Return the report for a file."""
        for record in self.records + [target.record() for target in self.targets]:
            yield {"benchmark": self.name, **record}
        for remark in self.remarks:
            yield {"benchmark": self.name, "remark": remark}


def table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Align columns: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width) if cell[:1].isdigit() or cell[:1] == "-" else cell.ljust(width)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()
