"""The display of a running soak: a live panel on a terminal, else one line every 15 s.

Both begin with the assessment's headline. Unexpected results are printed at once, and stay on the screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from emu.workload.scenarios import SCENARIOS
from hosts.report.table_layout import Column, Sheet
from hosts.runs.plan import short_name
from hosts.runs.verdict import Verdict
from hosts.soak.coordinator import Display
from hosts.soak.store.rows import Row
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Task
from hosts.soak.view.assessment import Assessment
from hosts.soak.view.hints import hint
from hosts.terminal import say, wrapped

LINE_SECONDS: Final = 15.0
PANEL_SECONDS: Final = 0.5
_LEAST_ROWS: Final = 4
_COUNTS: Final = 18
"""Columns that the counts of a policy in a scenario are not given less of."""
_SCENARIO: Final = max(len(each.name) for each in SCENARIOS)
_ROOM: Final = 8
"""Lines of a terminal that the table leaves for what is around it."""
STAGES: Final = {"compiling": "compiling the machine, which takes some seconds; the next start finds it done"}


class Panel(Display, Protocol):
    """A display that is a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...


def make_panel(campaign: Campaign, console: Console, stage: Callable[[], str], *, quiet: bool) -> Panel:
    """Return the display of a soak; ``stage`` returns what a worker prepares before a task."""
    if quiet:
        return Quiet(campaign, Console(stderr=True))  # standard output is for the end, which begins with the headline
    return LivePanel(campaign, console, stage) if console.is_interactive else Lines(campaign, console, stage)


class Quiet:
    """Prints unexpected results, and nothing else."""

    def __init__(self, campaign: Campaign, console: Console) -> None:
        self._campaign, self.console = campaign, console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None: ...

    def began(self, number: int, task: Task) -> None:
        """Show nothing."""

    def ended(self, row: Row) -> None:
        """Print a row that needs attention."""
        if (line := alert(row, self._campaign.folder)) is not None:
            self.say(line)

    def died(self, number: int, task: Task, why: str) -> None:
        """Print that a worker died."""
        self.say(f"{number}: {task}: {why}; it is done again")

    def tick(self) -> None:
        """Show nothing."""

    def say(self, line: str) -> None:
        """Print a line, whatever its length."""
        say(self.console, line)


class Lines(Quiet):
    """Prints every 15 s how far the campaign is."""

    def __init__(
        self,
        campaign: Campaign,
        console: Console,
        stage: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(campaign, console)
        self._stage, self._clock = stage, clock
        self._begun = self._said = clock()
        self._told: set[str] = set()
        self._under_way: dict[int, Task] = {}

    def began(self, number: int, task: Task) -> None:
        """Note that it is under way."""
        self._under_way[number] = task

    def ended(self, row: Row) -> None:
        """Note it, and print it if it needs attention."""
        self._under_way.pop(row.id, None)
        super().ended(row)

    def tick(self) -> None:
        """Print a line if it is time."""
        stage = STAGES.get(self._stage())
        if stage is not None and stage not in self._told:
            self._told.add(stage)
            self.say(stage)
        if self._clock() - self._said >= LINE_SECONDS:
            self._said = self._clock()
            self.say(self.line())

    def line(self) -> str:
        """Return the time, the headline and the tasks under way in one line."""
        now = "; ".join(f"{number}: {task}" for number, task in self._under_way.items())
        return f"{clock_text(self._clock() - self._begun)}  {self.headline()}; now {now or 'nothing'}"

    def headline(self) -> str:
        """Return the assessment's headline."""
        return Assessment.of(self._campaign).headline


class Recorded:
    """A panel whose rows are written to a file besides."""

    def __init__(self, panel: Panel, write: Callable[[Row], None]) -> None:
        self._panel, self._write = panel, write
        self.began, self.died, self.tick = panel.began, panel.died, panel.tick

    def __enter__(self) -> Self:
        self._panel.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._panel.__exit__(*details)

    def ended(self, row: Row) -> None:
        """Write the row, and show it."""
        self._write(row)
        self._panel.ended(row)


class LivePanel(Lines):
    """Keeps a panel on the terminal: the headline, the tasks under way, the verdicts of each policy by scenario."""

    def __init__(self, campaign: Campaign, console: Console, stage: Callable[[], str]) -> None:
        super().__init__(campaign, console, stage)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shown = 0.0
        self._high = 0
        """The most lines so far above the table, so that it never moves up."""

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._live.__exit__(None, None, None)

    def tick(self) -> None:
        """Redraw the panel twice a second."""
        now = self._clock()
        if now - self._shown >= PANEL_SECONDS:
            self._shown = now
            self._live.update(self.panel(), refresh=True)

    def panel(self) -> Group:
        """Return the panel."""
        assessment = Assessment.of(self._campaign)
        style = "bold red" if assessment.alarms else "bold"
        width = self.console.width
        above = [
            *(Text(line, style=style) for line in wrapped(assessment.headline, width)),
            Text(f"{self._campaign.folder}, {clock_text(self._clock() - self._begun)}", style="dim"),
            *(Text(f"{number}: {task}", no_wrap=True) for number, task in [*self._under_way.items()][:_LEAST_ROWS]),
        ]
        if (stage := STAGES.get(self._stage())) is not None:
            above.append(Text(stage, style="yellow"))
        self._high = max(self._high, len(above))
        above += [Text()] * (self._high - len(above))
        room = max(_LEAST_ROWS, self.console.height - _ROOM - len(above))
        return Group(*above, *matrix(self._campaign, room).lines(width))


def matrix(campaign: Campaign, room: int) -> Sheet:
    """Return the table of verdicts of each policy in each scenario; canaries apart.

    New rows and columns come last, and columns are wide enough for most of the counts to come.
    """
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for cell, tally in campaign.tallies().items():
        if cell.mutation is None:
            of = counts.setdefault((cell.scenario, cell.policy), {})
            for verdict, count in tally.verdicts.items():
                of[verdict] = of.get(verdict, 0) + count
    policies = [*dict.fromkeys(policy for _, policy in counts)]
    rows = [
        [scenario, *(_counted(counts.get((scenario, policy), {})) for policy in policies)]
        for scenario in [*dict.fromkeys(scenario for scenario, _ in counts)][:room]
    ]
    policy_columns = [Column(short_name(policy), prose=_COUNTS, least=_COUNTS) for policy in policies]
    return Sheet([Column("scenario", least=_SCENARIO), *policy_columns], rows)


def _counted(verdicts: dict[str, int]) -> str:
    """Return the counts, in the order of the verdicts."""
    return ", ".join(f"{verdicts[verdict]} {verdict.lower()}" for verdict in map(str, Verdict) if verdicts.get(verdict))


def alert(row: Row, folder: Path) -> str | None:
    """Return the line for a row that needs attention, with the command that shows more; None if it needs none."""
    result, task = row.result, row.task
    if result is None:
        return None
    missed = task.canary and result.verdict not in (Verdict.VIOLATION, Verdict.CANCELLED)
    if result.as_expected is not False and not missed and not result.disagreements:
        return None
    what = f"{result.verdict}{f': {_last_line(result.reason)}' if result.reason else ''}"
    parts = [what, *(["the canary was not caught"] if missed else []), *result.disagreements]
    kept = f"; kept in {row.kept}" if row.kept is not None else ""
    return f"{row.id}: {task}: {'; '.join(parts)}{kept} ({hint(folder, f'soak show {row.id}')})"


def _last_line(reason: str) -> str:
    return reason.strip().splitlines()[-1] if reason.strip() else ""


def clock_text(seconds: float) -> str:
    """Return a time as 2:03:15."""
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"
