"""What a person sees while it runs: a table that moves on a terminal, else one plain line for each finished row."""

from __future__ import annotations

import time
from typing import Final, Protocol, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hosts.report.collect import Measured
from hosts.report.plan import Planned
from hosts.report.stress import Show
from hosts.report.tables import fired, verdict_text
from hosts.report.verdict import Row

COLUMNS: Final = ("scenario", "policy", "mutation", "rounds", "deliveries", "sent", "elided", "windows", "violations")
_ROOM: Final = 8
"""Lines of a terminal that the table leaves for what is around it."""


class Display(Show, Protocol):
    """A show that is opened and closed."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...


def make_display(console: Console, planned: int, seconds: float, *, quiet: bool) -> Display:
    """Choose how to show the run."""
    if quiet:
        return Silent()
    return LiveTable(console, planned, seconds) if console.is_terminal else PlainLines(console, planned)


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
        self._console.print(Text(plain_line(row, self._finished, self._planned)), soft_wrap=True, highlight=False)


def plain_line(row: Row, number: int, of: int) -> str:
    """Tell a row in one line."""
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
    """Say how many of the windows that the scenario exists for were entered."""
    wanted = planned.scenario.windows
    return f"{sum(measured.windows[window] > 0 for window in wanted)}/{len(wanted)}"


class LiveTable(Silent):
    """Keeps a table on the terminal: the rows that finished last, and the one that runs."""

    def __init__(self, console: Console, planned: int, seconds: float) -> None:
        self._console = console
        self._planned = planned
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

    def table(self) -> Table:
        """Draw it."""
        gone = time.monotonic() - self._begun
        title = f"{len(self._rows)} of {self._planned} rows, {gone:.0f} of about {self._seconds:.0f} s"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for header in (*COLUMNS, "verdict"):
            table.add_column(header, justify="left" if header in (*COLUMNS[:3], "verdict") else "right", no_wrap=True)
        for row in self._rows[-max(1, self._console.height - _ROOM) :]:
            verdict = verdict_text(row)
            table.add_row(*cells(row.planned, row.measured), verdict.append(f" {fired(row)}"))
        if self._now is not None:
            planned, measured, doing = self._now
            table.add_row(*cells(planned, measured), Text(doing, style="dim"))
        return table


def cells(planned: Planned, measured: Measured) -> list[str]:
    """Give the cells of a row, apart from its verdict."""
    counts = measured.counts
    numbers = [f"{counts[name]:,}" for name in ("rounds", "deliveries", "ipis_sent", "ipis_elided")]
    mutation = planned.mutation.name if planned.mutation is not None else ""
    last = [windows(planned, measured), f"{measured.sightings:,}"]
    return [planned.scenario.name, planned.policy.name, mutation, *numbers, *last]
