"""A table that fits the width of the output and cuts nothing: numbers, names and words are whole.

What is too wide gets smaller gaps, then short numbers (1.39M), then fewer columns, those first that can best be done
without; then its first columns stand above the rows that have them in common; then each row is a list. No line ends in
blanks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from hosts.terminal import put, wrapped

Content = str | int | Text
"""The content of a cell; a whole number is written in full or in short."""

_EXACT: Final = 10_000
"""From this number on a short number has three figures and a letter."""
READABLE: Final = 24
"""Width below which prose is hard to read."""


@dataclass(frozen=True)
class Column:
    """A column and its layout."""

    title: str
    right: bool = False
    spare: int = 0
    """Columns with larger numbers are left out first; 0: never."""
    prose: int = 0
    """Smallest width to which prose is broken between words; 0: not broken."""
    least: int = 0
    """Smallest width, so that a table that is redrawn keeps its columns."""


@dataclass(frozen=True)
class Sheet:
    """A table."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Content]]
    title: str = ""
    caption: str = ""
    above: int = 1
    """Number of columns that move above their rows if there is no room beside them."""
    grouped: bool = False
    """Whether rows with the same first column show it once."""

    def print_to(self, console: Console) -> None:
        """Show it."""
        for line in self.lines(console.width, rule="─" if console.encoding.startswith("utf") else "-"):
            put(console, line)

    def lines(self, width: int, rule: str = "─") -> Iterator[Text]:
        """Draw it."""
        if self.title:
            yield from (Text(line, style="italic") for line in wrapped(self.title, width))
        form = self.form(width)
        yield from self._cards(width) if form is None else _Drawn(self, form, width, rule).lines()
        if self.caption:
            yield from (Text(line, style="dim italic") for line in wrapped(self.caption, width, ""))
            yield Text()

    def form(self, width: int) -> Form | None:
        """Return the fullest form that fits; None: none does."""
        return next((form for form in self._forms() if self._needs(form) <= width), None)

    def _forms(self) -> Iterator[Form]:
        everything = tuple(range(len(self.columns)))
        yield from (Form(everything, 0, short, gap) for short, gap in ((False, 3), (False, 2), (True, 2)))
        for above in (0, self.above):
            left = everything[above:]
            spare = sorted((i for i in left if self.columns[i].spare), key=lambda i: -self.columns[i].spare)
            for count in range(len(spare) + 1):
                yield Form(tuple(i for i in left if i not in spare[:count]), above, short=True, gap=2)
            yield Form(tuple(i for i in left if i not in spare), above, short=True, gap=1)

    def _needs(self, form: Form) -> int:
        """Return the width below which a word would have to be broken."""
        return 1 + form.indent + sum(self.least(i, short=form.short) for i in form.shown) + form.gaps

    def least(self, number: int, *, short: bool) -> int:
        """Return the least width of a column."""
        column = self.columns[number]
        texts = [written(row[number], short=short).plain for row in self.rows]
        words = max((cell_len(word) for text in [column.title, *texts] for word in text.split()), default=0)
        if column.prose:
            return max(words, min(_longest([column.title, *texts]), column.prose), column.least)
        return max(words, _longest(texts), column.least)

    def _cards(self, width: int) -> Iterator[Text]:
        """Draw each row as a list."""
        for row in self.rows:
            yield Text()
            for column, cell in zip(self.columns, row, strict=True):
                text = written(cell, short=True)
                if text.plain:
                    said = f"{column.title}: {text.plain}" if column.title else text.plain
                    yield from (Text(line, style=text.style) for line in wrapped(" ".join(said.split()), width))
        yield Text()


class Form(NamedTuple):
    """How a table is drawn."""

    shown: tuple[int, ...]
    """The columns."""
    above: int
    short: bool
    gap: int

    @property
    def indent(self) -> int:
        """Return how far in the rows stand below what they have in common."""
        return 2 if self.above else 0

    @property
    def gaps(self) -> int:
        """Return the blanks between columns."""
        return self.gap * (len(self.shown) - 1)


class _Drawn:
    """A table in one form."""

    def __init__(self, sheet: Sheet, form: Form, width: int, rule: str) -> None:
        self.sheet, self.form, self.width, self.rule = sheet, form, width, rule
        self.columns = [sheet.columns[i] for i in form.shown]
        self.cells = [[written(row[i], short=form.short) for i in form.shown] for row in sheet.rows]
        self.widths = self._widths(width - 1 - form.indent - form.gaps)

    def _widths(self, width: int) -> list[int]:
        """Return what is left to the columns of prose, by what they lack."""
        least = [self.sheet.least(i, short=self.form.short) for i in self.form.shown]
        whole = [
            max(low, cell_len(column.title), _longest(row[n].plain for row in self.cells)) if column.prose else low
            for n, (column, low) in enumerate(zip(self.columns, least, strict=True))
        ]
        spare, lack = width - sum(least), sum(whole) - sum(least)
        if lack <= spare:
            return whole
        return [low + (high - low) * spare // lack for low, high in zip(least, whole, strict=True)]

    def lines(self) -> Iterator[Text]:
        yield Text()
        titles = [Text(column.title, style="bold") for column in self.columns]
        if any(column.title for column in self.columns):
            yield from self._row(titles, titles=True)
            yield Text(" " + self.rule * (sum(self.widths) + self.form.gaps + self.form.indent))
        before: Text | None = None
        for key, rows in groupby(zip(self.sheet.rows, self.cells, strict=True), key=lambda pair: self._key(pair[0])):
            if self.form.above:
                yield from map(Text, wrapped(" " + key, self.width))
            for _, cells in rows:
                shown = list(cells)
                if self.sheet.grouped and not self.form.above:
                    shown[0] = Text() if before is not None and before.plain == cells[0].plain else cells[0]
                    before = cells[0]
                yield from self._row(shown)
        yield Text()

    def _key(self, row: Sequence[Content]) -> str:
        return "  ".join(written(cell, short=True).plain for cell in row[: self.form.above])

    def _row(self, cells: Sequence[Text], *, titles: bool = False) -> Iterator[Text]:
        """Draw a row, which is as many lines high as its prose needs; titles stand at the bottom of theirs."""
        blocks = [
            _broken(cell, width) if column.prose or titles else [cell]
            for cell, column, width in zip(cells, self.columns, self.widths, strict=True)
        ]
        high = max(map(len, blocks), default=0)
        if titles:
            blocks = [[Text()] * (high - len(block)) + block for block in blocks]
        for number in range(high):
            line = Text(" " * (1 + self.form.indent))
            for column, block, width in zip(self.columns, blocks, self.widths, strict=True):
                cell = block[number] if number < len(block) else Text()
                blanks = " " * (width - cell_len(cell.plain))
                line.append(blanks if column.right else "").append_text(cell).append("" if column.right else blanks)
                line.append(" " * self.form.gap)
            line.rstrip()
            yield line


def _broken(cell: Text, width: int) -> list[Text]:
    lines = [
        line
        for part in cell.plain.split("\n")
        for line in textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) or [""]
    ]
    return [Text(line, style=cell.style) for line in lines] if lines != [cell.plain] else [cell]


def _longest(texts: Iterable[str]) -> int:
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)


def written(cell: Content, *, short: bool) -> Text:
    """Write a cell."""
    if isinstance(cell, int):
        return Text(short_number(cell) if short else f"{cell:,}")
    return Text(cell) if isinstance(cell, str) else cell


def short_number(value: float) -> str:
    """Write a number with three figures, if it is a large one: 1.39M."""
    if abs(value) < _EXACT:
        return f"{value:,.0f}"
    for letter in "kMGTP":
        value /= 1000
        shown = f"{value:.3g}"
        if abs(float(shown)) < 1000:  # noqa: PLR2004 - 999,999 is 1M
            return f"{shown}{letter}"
    return f"{value:.3g}P"
