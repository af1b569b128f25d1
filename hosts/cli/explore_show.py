"""Output of ``pirace explore``: the progress of a search, and its result."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from hosts.explorer.explanation.table import table_lines
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Progress, Result
from hosts.explorer.size_estimate import Size
from hosts.plural import counted
from hosts.report.sentences import not_checked
from hosts.report.tables import verdict_text
from hosts.runs.explore_request import Asked, size_text
from hosts.runs.explored import difference
from hosts.runs.explorer_runner import Coverage, Searched
from hosts.runs.explorer_verdict import windows_entered
from hosts.runs.verdict import Row, Verdict
from hosts.terminal import say, wrapped

QUIET_SECONDS: Final = 15.0
"""Interval of progress lines where there is no terminal."""
FUNCTIONS_SHOWN: Final = 8
WRITTEN_OUT: Final = 1e15
INDENT: Final = "    "


class Ticker:
    """Shows the progress of a search, and ends it when it is cancelled or out of time."""

    def __init__(self, console: Console, name: str, budget: float) -> None:
        self._console = console
        self._name = name
        self._budget = budget
        self._begun = time.monotonic()
        self._told = self._begun
        self._last: tuple[float, int] | None = None
        self._status: Status | None = None
        self.cancelled = False
        self.out_of_time = False

    def shown(self) -> AbstractContextManager[Any]:
        """Return the context in which progress is shown."""
        if not self._console.is_interactive:
            return nullcontext()
        status = self._status = self._console.status(f"{self._name} ...")
        return status

    def cancel(self) -> None:
        """End the search at its next report."""
        self.cancelled = True

    def __call__(self, progress: Progress) -> bool:
        """Show the progress; return whether the search is to go on."""
        now = time.monotonic()
        if self._status is not None:
            self._status.update(Text(self.line(progress, now)))
        elif now - self._told >= QUIET_SECONDS:
            self._told = now
            say(self._console, self.line(progress, now))
        self.out_of_time = bool(self._budget) and now - self._begun >= self._budget
        return not self.cancelled and not self.out_of_time

    def line(self, progress: Progress, now: float) -> str:
        """Return the line; the speed is that since the last one."""
        if not progress.states:
            return f"{self._name}: {now - self._begun:.0f} s, random walks to find out what the threads share"
        before, done = self._last if self._last is not None else (now - max(progress.seconds, 0.001), 0)
        speed = max(progress.transitions - done, 0) / max(now - before, 0.001)
        self._last = (now, progress.transitions)
        return (
            f"{self._name}: {now - self._begun:.0f} s, {counted(progress.states, 'state')}, "
            f"{speed:,.0f} transitions/s, frontier {progress.frontier:,}, depth {progress.depth}, "
            f"{size_text(progress.bytes)}"
        )


def size_line(asked: Asked, size: Size) -> str:
    """Return the estimated size of a scope as a line."""
    most = f"to {_rounded(size.most)} states" if size.most < math.inf else "states or more"
    return f"{asked.planned.scenario.name}: {asked.scope}: {_rounded(size.least)} {most}, to judge by what is in it"


def _rounded(number: float) -> str:
    """Return a number with two figures."""
    return f"{float(f'{number:.2g}'):,.0f}" if number < WRITTEN_OUT else f"10^{math.log10(number):.0f}"


def row_lines(
    row: Row, asked: Asked, searched: Searched, options: Options, *, lines: bool, width: int | None = None
) -> Iterator[Text]:
    """Return the lines on the result of a search, none wider than ``width``."""
    result = searched.result
    told = Text(f"{asked}: ").append_text(verdict_text(row)).append(f" ({row.reason})" if row.reason else "")
    yield from [told] if width is None or len(told) <= width else map(Text, wrapped(told.plain, width))
    if row.verdict is Verdict.CRASH:
        return
    for line in (
        _extent(row, result),
        not_checked(row.planned.policy.unpromised),
        difference(searched.same_as),
        _effort(result),
        "local states: " + ", ".join(_locals(asked, result)),
        _windows(asked, result),
        _stores(result, options),
        *coverage_lines(searched.coverage, everything=lines, short=result.violation is not None),
    ):
        style = "dim" if line.startswith("emu/") else ""
        if line:
            yield from (Text(part, style=style) for part in wrapped(INDENT + line, width, "  "))
    if searched.witness is not None:
        yield Text()
        yield from (Text(line) for line in table_lines(searched.witness, width))
        yield Text()


def _extent(row: Row, result: Result) -> str:
    """Return whether the search was complete; its bound stands beside the verdict."""
    if result.violation is not None:
        return f"stopped at the violation, {counted(result.violation.depth, 'move')} from the start"
    if result.complete:
        return f"complete: every interleaving of the scope {row.planned.scenario.name!r} was seen"
    return ""


def _effort(result: Result) -> str:
    rate = result.states / max(result.seconds, 0.001)
    seen = f"{counted(result.states, 'state')}, {counted(result.transitions, 'transition')}, depth {result.depth}"
    size = f"{size_text(result.bytes)} ({result.bytes_per_state:.0f} bytes a state)"
    return f"{seen}, {result.seconds:.1f} s ({rate:,.0f} states/s), {size}"


def _locals(asked: Asked, result: Result) -> Iterator[str]:
    return (f"{name} {count:,}" for name, count in zip(asked.scope.names, result.locals, strict=False))


def _windows(asked: Asked, result: Result) -> str:
    names = windows_entered(result, asked.planned.own)
    missing = [name for name in asked.planned.scenario.windows if name not in names]
    line = f"windows entered: {len(names)} of {len(asked.planned.own.windows)}"
    if missing:
        why = ", which no interleaving enters" if result.complete else ", not entered"
        line += f"; the scenario exists for {', '.join(missing)}{why}"
    return line


def _stores(result: Result, options: Options) -> str:
    if not options.buffer:
        return "sequential consistency: no store waits"
    full = "; one had to wait for room" if result.waited_for_buffer else ""
    return f"longest run of waiting stores: {result.longest_buffer}, of {options.buffer} that a buffer holds{full}"


def coverage_lines(seen: Coverage, *, everything: bool, short: bool) -> Iterator[str]:
    """Return the lines of ``emu`` that were never reached, by function, and the functions that were never called."""
    if not seen.places:
        return
    yield f"emu/ lines never reached: {len(seen.missed)} of {counted(seen.places, 'branch', 'branches')}"
    if short and not everything:
        return
    groups = groupby(seen.missed, lambda place: (place[0], place[2]))
    texts = [
        f"{name} {Path(file).name}:{','.join(str(line) for _file, line, _name in places)}"
        for (file, name), places in groups
        if everything or (file, name) not in seen.uncalled
    ]
    if everything:
        yield from (f"emu/   {text}" for text in texts)
        return
    called = ", ".join(texts[:FUNCTIONS_SHOWN])
    more = f", and in {len(texts) - FUNCTIONS_SHOWN} more functions (--lines)" if len(texts) > FUNCTIONS_SHOWN else ""
    if texts:
        yield f"emu/   {called}{more}"
    if seen.uncalled:
        names = sorted(name for _file, name in seen.uncalled)
        more = f" and {len(names) - FUNCTIONS_SHOWN} more" if len(names) > FUNCTIONS_SHOWN else ""
        yield f"emu/   never called: {', '.join(names[:FUNCTIONS_SHOWN])}{more}"
