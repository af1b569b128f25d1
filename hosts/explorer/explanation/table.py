"""The table of events (a message sequence chart as text): a column for each pCPU, a row for each operation.

Everything printed is in the witness: its ``states`` hold, for each step, the events (``acts``) and the machine after
them. Rows are numbered as the steps are; what a thread does to words of its own behind a step's operation is numbered
7.1, 7.2. Steps in which nothing visible happens have no row.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.explanation.check_reads import is_read, reads_text
from hosts.explorer.explanation.format import state_text
from hosts.explorer.explanation.narrow_table import step_lines
from hosts.explorer.explanation.rows import EventRow, about, doing, place, rows_of, serving
from hosts.kernel_names import on_vector
from hosts.terminal import WIDE, wrapped

_NUMBER: Final = 5
_STATE: Final = (20, 38)
_WHERE: Final = (20, 40)
_READS: Final = (10, 17)
_ENDS: Final = (26, 30)
"""Widths of state and place that are gone down to before threads' columns get very narrow."""
_GAP: Final = "  "


def table_lines(witness: Witness, width: int | None = None) -> Iterator[str]:
    """Yield the lines of a witness: heading, table, explanation; without a width only the table is wrapped."""
    rows = rows_of(witness)
    for line in _heading(witness):
        yield from wrapped(line, width)
    yield ""
    table = _Table(witness, rows, width or WIDE)
    yield from table.lines() if table.fits else step_lines(witness, rows, width or WIDE)
    yield ""
    yield from _users_lines(witness, rows, width)
    kept = re.sub(r"(step|vCPU|pCPU|->) (?=\w)", "\\1\N{NO-BREAK SPACE}", witness.story)
    for line in wrapped(kept, width, ""):
        yield line.replace("\N{NO-BREAK SPACE}", " ")


def _heading(witness: Witness) -> Iterator[str]:
    mutated = f" + {witness.mutation}" if witness.mutation else ""
    what = witness.check + on_vector(witness.vector)
    yield f"{witness.scenario} x {witness.policy}{mutated}: {what} in {witness.length}"
    memory = f"x86-TSO, store buffers of {witness.buffer}" if witness.model == "tso" else "sequential consistency"
    overtake = ", IPIs may overtake the buffer" if witness.overtake else ""
    yield f"scope {witness.scope}; {memory}{overtake}"


def places_in(story: str) -> list[str]:
    """Return what an explanation names as ``file:line``."""
    return re.findall(r"[\w.+-]+:\d+", story)


def _users_lines(witness: Witness, rows: Sequence[EventRow], width: int | None) -> Iterator[str]:
    """Yield the user's source lines that the rows and the explanation name, in the order of the first of each."""
    places = dict.fromkeys([*(f"{row.act.file}:{row.act.line}" for row in rows), *places_in(witness.story)])
    named = [place for place in places if place in witness.lines]
    longest = max(map(len, named), default=0)
    for name in named:
        yield from wrapped(f"{name.ljust(longest)}  {witness.lines[name]}", width, " " * (longest + 2))
    if named:
        yield ""


class _Table:
    """The table of rows; only threads with a row have a column."""

    def __init__(self, witness: Witness, rows: Sequence[EventRow], width: int) -> None:
        self.witness, self.rows, self.width = witness, rows, width
        self.vcpus = len(witness.states[0]["view"]["vcpus"])
        acting = {row.act.thread for row in rows}
        self.threads = [i for i in range(len(witness.threads)) if i in acting]
        self.idle = [name for i, name in enumerate(witness.threads) if i not in acting]
        self.where = _longest((place(row.act) for row in rows), *_WHERE)
        self.state = _longest((state_text(row.view, witness.threads) for row in rows), *_STATE)
        self.about = about(rows)
        self.serving = serving(witness.states[0]["view"])
        self.reads = _longest(map(self._read, rows), *_READS) if is_read(witness.check) else 0
        self.columns = {thread: self._wanted(thread) for thread in self.threads}
        self._fit(width)

    def _wanted(self, thread: int) -> int:
        """Return the width of what a thread does, unbroken."""
        texts = [doing(row, self.vcpus) for row in self.rows if row.act.thread == thread]
        return max(map(len, [self._title(thread), *texts]))

    def _fit(self, width: int) -> None:
        """Take from the widest column until the table fits: those of the threads first, then the state, the place."""
        for narrowest, state, where in ((22, *_ENDS), (14, _STATE[0], _ENDS[1]), (12, _STATE[0], _WHERE[0])):
            while self._total() > width and max(self.columns.values(), default=0) > narrowest:
                self.columns[max(self.columns, key=self.columns.__getitem__)] -= 1
            excess = max(self._total() - width, 0)
            self.state -= min(excess, max(self.state - state, 0))
            excess = max(self._total() - width, 0)
            self.where -= min(excess, max(self.where - where, 0))

    @property
    def fits(self) -> bool:
        """Return whether it is as wide as it may be, and no word in it broken."""
        return self._total() <= self.width and all(
            len(word) <= size for text, size in self._texts() for word in text.split()
        )

    def _texts(self) -> Iterator[tuple[str, int]]:
        """Yield what has to be written, and how much room there is for it."""
        for thread, size in self.columns.items():
            yield self._title(thread), size
        for row in self.rows:
            yield doing(row, self.vcpus), self.columns[row.act.thread]
            yield place(row.act), self.where
            yield state_text(row.view, self.witness.threads), self.state
            yield self._read(row) if self.reads else "", self.reads

    @property
    def _sizes(self) -> list[int]:
        return [_NUMBER, self.where, *self.columns.values(), self.state, *[self.reads] * bool(self.reads)]

    def _total(self) -> int:
        return sum(self._sizes) + len(_GAP) * (len(self._sizes) - 1)

    def _read(self, row: EventRow) -> str:
        """Write what the check reads behind a row."""
        return reads_text(self.witness.check, row.view, self.about if self.about < self.vcpus else 0)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the table."""
        start = state_text(self.witness.states[0]["view"], self.witness.threads)
        titles = {thread: self._title(thread) for thread in self.threads}
        titled = f"{self.witness.check} reads"
        yield from self._cells("step", "function, line", titles, "descriptor, mode, ... after it", titled)
        yield _GAP.join("-" * size for size in self._sizes)
        yield from self._cells("", "", {}, start)
        shown, read = start, ""
        around = self.witness.stem if self.witness.cycle else len(self.witness.steps)
        for row in self.rows:
            if row.step > around:
                yield f"(from here round and round: {self.witness.round})"
                around = len(self.witness.steps)
            state, reads = state_text(row.view, self.witness.threads), self._read(row)
            does = {row.act.thread: doing(row, self.vcpus)}
            news = (state if state != shown else "", reads if reads != read else "")
            yield from self._cells(row.number, place(row.act), does, *news)
            shown, read = state, reads
        if self.idle:
            yield f"(does nothing here: {', '.join(self.idle)})"

    def _title(self, thread: int) -> str:
        name = self.witness.threads[thread]
        return name if thread < self.serving else f"pCPU {thread}: {name}"

    def _cells(self, number: str, where: str, texts: dict[int, str], state: str, reads: str = "") -> Iterator[str]:
        columns = [
            ([number], _NUMBER),
            (_wrapped(where, self.where), self.where),
            *((_wrapped(texts.get(thread, ""), size), size) for thread, size in self.columns.items()),
            (_wrapped(state, self.state), self.state),
            *([(_wrapped(reads, self.reads), self.reads)] if self.reads else []),
        ]
        for i in range(max(len(cell) for cell, _size in columns)):
            parts = [(cell[i] if i < len(cell) else "").ljust(size) for cell, size in columns]
            yield _GAP.join(parts).rstrip()


def _longest(texts: Iterable[str], least: int, most: int) -> int:
    return min(max(least, *(len(text) for text in texts), 0), most)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]
