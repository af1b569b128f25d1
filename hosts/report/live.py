"""Display of a running stress: a live table on a terminal, otherwise one line for each finished row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from hosts.plural import counted
from hosts.report.table_layout import Column, Content, Sheet, short_number
from hosts.report.tables import fired, verdict_text
from hosts.runs.collect import Measured
from hosts.runs.plan import Planned, short_name
from hosts.runs.tally import Show
from hosts.runs.verdict import Row
from hosts.terminal import say

COUNTS: Final = ("rounds", "deliveries", "sent", "elided", "windows", "violations")
SPARE: Final = {"elided": 7, "sent": 6, "deliveries": 5, "rounds": 4, "violations": 3, "fired": 2, "windows": 1}
"""Columns that a narrow terminal leaves out, the largest number first."""
_NUMBER: Final = 6
_VERDICT: Final = 13
_FIRED: Final = 8
"""Widths of a short number, a verdict, some checks, so that the table keeps its columns."""
_ROOM: Final = 8
"""Lines of a terminal that the table leaves free."""


class Display(Show, Protocol):
    """A display that is opened and closed."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...


def make_display(console: Console, planned: Sequence[Planned], seconds: float, *, quiet: bool) -> Display:
    """Return the display of a run; a dumb terminal gets lines."""
    if quiet:
        return Silent()
    return LiveTable(console, planned, seconds) if console.is_interactive else PlainLines(console, len(planned))


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def running(self, planned: Planned, measured: Measured) -> None:
        """Show nothing."""

    def exploring(self, planned: Planned) -> None:
        """Show nothing."""

    def finished(self, row: Row) -> None:
        """Show nothing."""


class PlainLines(Silent):
    """Prints a line for each row when it is finished."""

    def __init__(self, console: Console, planned: int) -> None:
        self._console = console
        self._planned = planned
        self._finished = 0

    def finished(self, row: Row) -> None:
        """Print the row."""
        self._finished += 1
        say(self._console, plain_line(row, self._finished, self._planned))


def plain_line(row: Row, number: int, of: int) -> str:
    """Return a row as one line."""
    counts = row.measured.counts
    told = [
        f"rounds {counts['rounds']}",
        f"deliveries {counts['deliveries']}",
        f"sent {counts['ipis_sent']}",
        f"elided {counts['ipis_elided']}",
        f"windows {windows(row.planned, row.measured)}",
        f"violations {row.measured.sightings}",
        f"{row.measured.seconds:.2f} s",
    ]
    reason = f" ({row.reason.strip().splitlines()[-1]})" if row.reason else ""
    mark = " (!)" if row.as_expected is False else ""
    return "; ".join((f"[{number}/{of}] {row.planned}: {row.verdict}{mark}{reason}", ", ".join(told), *row.notes))


def windows(planned: Planned, measured: Measured) -> str:
    """Return how many of the scenario's own windows were entered."""
    wanted = planned.scenario.windows
    return f"{sum(measured.windows[window] > 0 for window in wanted)}/{len(wanted)}"


class LiveTable(Silent):
    """Keeps a table on the terminal: the rows that finished last, and the one that runs."""

    def __init__(self, console: Console, planned: Sequence[Planned], seconds: float) -> None:
        self._console = console
        self._all = planned
        self._planned = len(planned)
        self._seconds = seconds
        self._rows: list[Row] = []
        self._now: tuple[Planned, Measured, str] | None = None
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._live.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._live.__exit__(None, None, None)

    def running(self, planned: Planned, measured: Measured) -> None:
        """Show the row that runs."""
        self._now = planned, measured, "running"
        self._live.update(self.table(), refresh=True)

    def exploring(self, planned: Planned) -> None:
        """Show the row whose scope is explored."""
        self._now = planned, Measured(), "exploring"
        self._live.update(self.table(), refresh=True)

    def finished(self, row: Row) -> None:
        """Show a row's verdict."""
        self._rows.append(row)
        self._now = None
        self._live.update(self.table(), refresh=True)

    def table(self) -> Group:
        """Return the table, no wider and no higher than the terminal."""
        gone = time.monotonic() - self._begun
        title = f"{len(self._rows)} of {counted(self._planned, 'row')}, {gone:.0f} of about {self._seconds:.0f} s"
        shown = [(row.planned, row.measured, verdict_text(row), fired(row)) for row in self._rows]
        if self._now is not None:
            planned, measured, doing = self._now
            shown.append((planned, measured, Text(doing, style="dim"), ""))
        wide = self._sheet(shown, title, apart=True)
        form = wide.form(self._console.width)
        whole = form is not None and len(form.shown) == len(wide.columns)
        return Group(*(wide if whole else self._sheet(shown, title, apart=False)).lines(self._console.width))

    def _sheet(self, shown: Sequence[tuple[Planned, Measured, Text, str]], title: str, *, apart: bool) -> Sheet:
        """Return the last rows, scenario, policy and mutation in columns of their own or in one."""
        named = names if apart else named_in_one
        lines = max(1, self._console.height - _ROOM)
        rows: list[list[Content]] = [
            [*named(planned), *counts_of(planned, measured), verdict, checks]
            for planned, measured, verdict, checks in shown[-lines:]
        ]
        titles = ("scenario", "policy", "mutation") if apart else ("scenario x policy",)
        widest = [max(map(len, column)) for column in zip(*map(named, self._all), strict=True)]
        first = [Column(title, least=width) for title, width in zip(titles, widest, strict=True)]
        counts = [Column(title, right=True, spare=SPARE[title], least=_NUMBER) for title in COUNTS]
        last = [Column("verdict", least=_VERDICT), Column("fired", spare=SPARE["fired"], least=_FIRED)]
        return Sheet([*first, *counts, *last], rows, title=title)


def names(planned: Planned) -> list[str]:
    """Return the name of a row in three columns."""
    mutation = planned.mutation.name if planned.mutation is not None else ""
    return [planned.scenario.name, short_name(planned.policy.name), mutation]


def named_in_one(planned: Planned) -> list[str]:
    """Return the name of a row in one column."""
    scenario, policy, mutation = names(planned)
    return [f"{scenario} x {policy}{f' + {mutation}' if mutation else ''}"]


def counts_of(planned: Planned, measured: Measured) -> list[str]:
    """Return the counts of a row."""
    counts = measured.counts
    numbers = [short_number(counts[name]) for name in ("rounds", "deliveries", "ipis_sent", "ipis_elided")]
    return [*numbers, windows(planned, measured), short_number(measured.sightings)]
