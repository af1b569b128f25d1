"""``pirace soak status``: the assessment of a campaign, its rates by placement, the runs that need attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from rich.console import Console

from hosts.exit_codes import EXIT_EXPECTED
from hosts.plural import counted
from hosts.report.table_layout import READABLE, Column, Content, Sheet
from hosts.runs.plan import short_name
from hosts.soak.placement.core_sharing import TITLES
from hosts.soak.store.reader import Archive
from hosts.soak.store.rows import Row, Session
from hosts.soak.store.tallies import Cell, Tallies, Tally
from hosts.soak.view.assessment import Assessment, duration_text
from hosts.soak.view.export import run_record
from hosts.soak.view.hints import hint
from hosts.soak.view.rates import Rate, Spread, rates, runs_without_affinity
from hosts.terminal import say

NOTES: Final = "topology_notes"
"""The key of a session's environment for the notes on its machine's topology."""
SOURCES: Final = "sources"
"""The key for the hash of the sources that its machines were compiled from."""
_ROWS_NAMED: Final = 10
_CAPTION: Final = "of the runs of a line: least, median and most; s: seconds of them all; seen: checks that fired"
_SMALL: Final = 10
_LARGE: Final = 9_999.5
"""Figures below the one have decimals, above the other they are in thousands."""


@dataclass(frozen=True)
class Status:
    """A campaign as of one moment."""

    folder: Path
    assessment: Assessment
    tallies: Tallies
    rates: Sequence[Rate]
    sessions: Sequence[Session]
    alarming: Sequence[Row]
    """The latest runs that are not as expected or whose accountings differ."""
    interrupted: Sequence[Row]
    """The latest."""
    running: Sequence[Row]
    strayed: tuple[int, int]
    """How many runs had a pCPU that lost its affinity, and the first of them."""
    in_use: bool

    @classmethod
    def of(cls, campaign: Archive, *, over: bool = False) -> Self:
        """Read the status of a campaign; ``over``: the caller holds its folder, and has just ended its soak."""
        with campaign.snapshot():
            disagreeing = [number for (number,) in campaign.select(_DISAGREEING, [_ROWS_NAMED])]
            rows = [
                *campaign.rows(as_expected=False, newest=True, limit=_ROWS_NAMED),
                *campaign.rows(ids=disagreeing),
            ]
            tallies = campaign.tallied()
            return cls(
                campaign.folder,
                Assessment.of(campaign, tallies),
                tallies,
                rates(campaign),
                campaign.sessions(),
                sorted({row.id: row for row in rows}.values(), key=lambda row: row.id),
                list(campaign.rows(state="interrupted", newest=True, limit=_ROWS_NAMED)),
                list(campaign.rows(state="running")),
                runs_without_affinity(campaign),
                not over and campaign.in_use(),
            )

    # --- for a person

    def print_to(self, console: Console) -> None:
        """Print the status; the headline comes first."""
        style = "bold" if self.assessment.exit_code == EXIT_EXPECTED else "bold red"
        say(console, self.assessment.headline, style)
        say(console, self._history())
        for line in self._remarks():
            say(console, line)
        say(console, "")
        for table in self._sheets():
            table.print_to(console)

    def _sheets(self) -> Iterator[Sheet]:
        """Return the tables."""
        for title, lines in _by_core_sharing(rate for rate in self.rates if rate.key.mutation is None):
            yield rate_table(title, lines)
        seeded = [rate for rate in self.rates if rate.key.mutation is not None]
        if seeded:
            yield rate_table("seeded bugs; a canary ends once it is caught", seeded)
        explored = [(cell, tally) for cell, tally in self.tallies.cells.items() if cell.kind == "explore"]
        if explored:
            yield explored_table(explored)

    def _history(self) -> str:
        sessions = self.sessions
        verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in self._verdicts().most_common())
        now = "running now" if self.in_use else "not running"
        elapsed = duration_text(sum(each.elapsed for each in sessions))
        line = f"{counted(len(sessions), 'session')}, {elapsed} in all, {now}"
        return f"{line}; {verdicts}" if verdicts else line

    def _verdicts(self) -> Counter[str]:
        return sum((tally.verdicts for tally in self.tallies.cells.values()), Counter())

    def _remarks(self) -> Iterator[str]:
        """Return notes on the machine, the runs that need attention, and those that were interrupted."""
        yield from (f"  note: {note}" for note in topology_notes(self.sessions))
        sources = [(each.id, each.environment[SOURCES]) for each in self.sessions if SOURCES in each.environment]
        if others := [number for number, its in sources if its != sources[0][1]]:
            what = f"session {others[0]} had others than {sources[0][0]}"
            yield f"  note: not all sessions have raced the same sources of pirace: {what}."
        runs, first = self.strayed
        if runs:
            yield (
                f"  {counted(runs, 'run')} in which a pCPU lost its affinity, excluded from placement rates: "
                f"the first is {first} ({self._hint(first)})"
            )
        for row in self.alarming:
            yield f"  {remark(row, self.folder)}"
        for row in self.running:
            yield f"  {row.id} {row.task}: {f'under way since {row.began}' if self.in_use else 'cut off'}"
        for row in self.interrupted[:3]:
            yield f"  {row.id} {row.task}: interrupted: {row.why}"

    def _hint(self, number: int) -> str:
        return hint(self.folder, f"soak show {number}")

    # --- for a program

    def to_json(self) -> dict[str, Any]:
        """Return the status as one record."""
        return {
            "record": "status",
            "headline": self.assessment.headline,
            "alarms": list(self.assessment.alarms),
            "exit_code": self.assessment.exit_code,
            "in_use": self.in_use,
            "topology_notes": list(topology_notes(self.sessions)),
            "sessions": [asdict(session) for session in self.sessions],
            "strayed": self.strayed[0],
            "verdicts": dict(self._verdicts()),
            "canaries": [
                {**spot._asdict(), "runs": each.runs, "caught": each.caught, "last": each.last, "since": each.since}
                for spot, each in sorted(self.tallies.canaries.items())
            ],
            "cells": [_cell_record(cell, tally) for cell, tally in self.tallies.cells.items()],
            "rates": [_rate_record(rate) for rate in self.rates],
            "alarming": [run_record(row) for row in self.alarming],
            "interrupted": [run_record(row) for row in self.interrupted],
            "running": [run_record(row) for row in self.running],
        }


def topology_notes(sessions: Sequence[Session]) -> tuple[str, ...]:
    """Return the notes on the machines' topologies, each once, the last session's last."""
    notes_of_sessions = (each.environment.get(NOTES, ()) for each in sessions)
    return tuple(dict.fromkeys(note for notes in notes_of_sessions for note in notes))


_DISAGREEING: Final = "SELECT id FROM run WHERE disagreements > 0 ORDER BY id DESC LIMIT ?"


def remark(row: Row, folder: Path) -> str:
    """Return a finished run in one line, with the command that shows more if its files were kept."""
    result = row.result
    if result is None:
        return f"{row.id} {row.task}: {row.state}"
    said = [*result.reason.strip().splitlines()[-1:], *result.disagreements]
    more = f"; {hint(folder, f'soak show {row.id}')}" if row.kept is not None else ""
    return f"{row.id} {row.task}: {result.verdict}{''.join(f': {each}' for each in said)}{more}"


def _by_core_sharing(found: Iterable[Rate]) -> Iterator[tuple[str, list[Rate]]]:
    found = list(found)
    for sharing, title in TITLES.items():
        lines = [rate for rate in found if rate.key.sharing == sharing]
        if lines:
            yield title, lines


# --- tables ------------------------------------------------------------------------------------------------------


def rate_table(title: str, lines: Sequence[Rate]) -> Sheet:
    """Return a table of rates: least, median and most of the runs of a line."""
    hosts = len({rate.key.host for rate in lines}) > 1
    timed = any(rate.round_trip_ns is not None for rate in lines)
    rows: list[list[Content]] = []
    for rate in lines:
        key = rate.key
        mutated = f" + {key.mutation}" if key.mutation is not None else ""
        policy = f"{short_name(key.policy)}{mutated}{' (canary)' * key.canary}"
        place = f"{key.pcpus} {key.place}{f' on {key.host}' if hosts else ''}"
        counts: list[Content] = [rate.runs, _seconds(rate.seconds), rate.sightings]
        rates = [
            _shown(rate.sightings_per_second),
            _shown(rate.posts_per_second),
            *[_shown(rate.round_trip_ns)] * timed,
        ]
        rows.append([key.scenario, policy, place, rate.processors_named, *counts, *rates])
    numbers = [Column("runs", right=True), Column("s", right=True, spare=2), Column("seen", right=True, spare=1)]
    rated = [Column(name, right=True) for name in ("seen/s", "posts/s", *["ns/self-post"] * timed)]
    columns = [Column("scenario"), Column("policy"), Column("place"), Column("processors", spare=3, prose=READABLE)]
    return Sheet([*columns, *numbers, *rated], rows, title=title, caption=_CAPTION, above=2, grouped=True)


def _shown(spread: Spread | None) -> str:
    """Return least, median and most; one figure where they are the same."""
    if spread is None:
        return ""
    if spread.least == spread.most:
        return _figure(spread.median)
    return " ".join(map(_figure, (spread.least, spread.median, spread.most)))


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value < _SMALL else f"{value:,.0f}"


def _figure(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.2f}" if value < _SMALL else f"{value:,.0f}" if value < _LARGE else f"{value / 1000:,.0f}k"


def explored_table(found: Sequence[tuple[Cell, Tally]]) -> Sheet:
    """Return the table of explorations: every interleaving of a scope, which no placement has a part in."""
    rows: list[list[Content]] = []
    for cell, tally in sorted(found, key=lambda each: (each[0].scenario, each[0].policy, each[0].mutation or "")):
        mutated = f" + {cell.mutation}" if cell.mutation is not None else ""
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(tally.verdicts.items()))
        seconds = f"{tally.seconds:,.0f}"
        policy = f"{short_name(cell.policy)}{mutated}"
        rows.append([cell.scenario, policy, cell.scope or "its own", verdicts or "-", seconds])
    columns = [Column("scenario"), Column("policy"), Column("scope", spare=1), Column("verdicts", prose=READABLE)]
    return Sheet([*columns, Column("s", right=True, spare=2)], rows, title="explored", grouped=True)


# --- records -----------------------------------------------------------------------------------------------------


def _cell_record(cell: Cell, tally: Tally) -> dict[str, Any]:
    return {
        **cell._asdict(),
        **{name: getattr(tally, name) for name in ("runs", "seconds", "sightings", "unexpected", "disagreeing")},
        **{name: getattr(tally, name) for name in ("last", "running", "interrupted")},
        "windows": dict(tally.windows),
        "verdicts": dict(tally.verdicts),
    }


def _rate_record(rate: Rate) -> dict[str, Any]:
    figures = {name: getattr(rate, name) for name in ("sightings_per_second", "posts_per_second", "round_trip_ns")}
    return {
        "company": rate.key.sharing,
        **{name: value for name, value in rate.key._asdict().items() if name != "sharing"},
        "runs": rate.runs,
        "seconds": round(rate.seconds, 6),
        "sightings": rate.sightings,
        **{name: asdict(spread) if spread is not None else None for name, spread in figures.items()},
        "processors": list(rate.processors),
    }
