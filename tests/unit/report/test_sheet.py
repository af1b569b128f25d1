"""Tables and text on narrow terminals, in files, and while they change."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from hosts.report.live import LiveTable
from hosts.report.table_layout import Column, Sheet, short_number
from hosts.report.tables import print_report
from hosts.runs.plan import Planned, Wanted, make_plan
from hosts.runs.verdict import Circumstances, Row, grade
from hosts.terminal import WIDE, put, room, say, wide_console, wrapped
from tests.choice import slow_but

PLAN = make_plan(Wanted(), 2).rows
Make = Callable[..., Any]


def words_of(lines: Sequence[str]) -> set[str]:
    """Return what blanks stand between."""
    return {word for line in lines for word in line.split()}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (999_400, "999k"),
        (999_999, "1M"),
        (1_390_000, "1.39M"),
        (123_456_789_012, "123G"),
    ],
)
def test_a_large_number_is_three_figures_and_a_letter(value: int, said: str) -> None:
    """A small one is exact."""
    assert short_number(value) == said


def made() -> Sheet:
    """Return a table with one column of each kind."""
    columns = [
        Column("scenario"),
        Column("self-posts", right=True),
        Column("syncs", right=True, spare=2),
        Column("ns min", right=True, spare=1),
        Column("shown by", prose=20),
    ]
    rows = [
        ["tscdeadline-immed", 1_390_000, "1.0000", 99, "fence, atomicity: C1 on vector 0x34 in 21 steps (scope 4)"],
        ["kick", 77, "0.5000", 1_234_567, "clean (scopes 1-8)"],
    ]
    return Sheet(columns, rows, title="a title", caption="a caption of several words")


@pytest.mark.parametrize("width", [24, 40, 52, 60, 80, 100, 132])
def test_no_number_and_no_name_is_broken(width: int) -> None:
    """And no line is too wide, or ends in blanks."""
    lines = [line.plain for line in made().lines(width)]
    assert max(map(cell_len, lines)) <= width
    assert [line.rstrip() for line in lines] == lines
    found = words_of(lines)
    assert {"tscdeadline-immed", "kick", "77", "0x34", "atomicity:"} <= found
    assert {"1,390,000", "1.39M"} & found
    assert not re.search("…", "".join(lines))


def test_what_is_too_wide_first_gets_short_numbers_then_fewer_columns() -> None:
    """Those first that can best be done without; then the first one stands above, then each row is a list."""
    pages = {width: "\n".join(line.plain for line in made().lines(width)) for width in (100, 68, 62, 46, 24)}
    assert "1,390,000" in pages[100]
    assert "1.39M" in pages[68]
    assert "syncs" in pages[68]
    assert "syncs" not in pages[62]
    assert "\n tscdeadline-immed\n" in pages[46]
    assert "self-posts: 1.39M" in pages[24]


def test_a_word_longer_than_the_page_stands_whole() -> None:
    """As a path of the user's does: that the terminal may break."""
    name = "a" * 100
    assert name in words_of([line.plain for line in Sheet([Column("x"), Column("y")], [[name, "b"]]).lines(80)])


def test_the_end_of_a_run_fits_every_terminal(measured: Make) -> None:
    """All rows of a run of everything, with violations and large numbers."""
    draw = random.Random(1)

    def row_of(planned: Planned) -> Row:
        seen = measured(*draw.sample(["C1", "C2", "C7"], draw.choice([0, 0, 2, 3])))
        counts = {name: draw.randrange(10**8) for name in seen.counts} | {"self_posts": 1_390_123}
        row = grade(planned, replace(seen, counts=counts), Circumstances(processors=2))
        return replace(row, round_trips=(99.0, 1234.5, 10_234.0))

    rows = [row_of(planned) for planned in PLAN]
    for width in (80, 100, 120):
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        print_report(console, rows, len(rows))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        wide = [line.strip() for line in lines if len(line) > width]
        assert all(line.startswith("pirace ") for line in wide)  # a command is not broken
        assert [line.rstrip() for line in lines] == lines
        names = {each.scenario.name for each in PLAN} | {each.policy.name for each in PLAN}
        names |= {each.mutation.name for each in PLAN if each.mutation is not None}
        assert names <= words_of(lines)
        assert "…" not in "".join(lines)


@pytest.mark.parametrize("width", slow_but([80], [80, 100, 120]))
def test_a_live_table_keeps_its_columns(measured: Make, width: int) -> None:
    """From the first row on, whatever is counted, and no higher than the terminal."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=24, color_system=None)
    table = LiveTable(console, PLAN, 60.0)
    with table:
        headings = set()
        for number, planned in enumerate(PLAN):
            seen = measured(*["C1", "C7"] * (number % 3 == 0))
            seen = replace(seen, counts=dict.fromkeys(seen.counts, 7**number % 10**9))
            table.finished(grade(planned, seen, Circumstances(processors=2)))
            lines = [text.plain for text in table.table().renderables if isinstance(text, Text)]
            headings.add(lines[2])
            assert max(map(len, lines)) <= width
            assert len(lines) <= console.height
    assert len(headings) == 1


def test_text_is_broken_once_and_between_words() -> None:
    """At the terminal's width; what goes on is set in."""
    console = Console(file=io.StringIO(), force_terminal=True, width=30, color_system=None)
    say(console, "    one two three four-and-a-half five six seven")
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "    one two three",
        "        four-and-a-half five",
        "        six seven",
    ]


def test_a_command_is_not_broken() -> None:
    """It is copied as it stands, with whatever follows it on a line of its own."""
    text = "3: kick x mine: VIOLATION: C1 x 3; kept in /tmp/c/kept/3 (pirace soak show 3 --campaign /tmp/c) and more"
    assert wrapped(text, 50) == [
        "3: kick x mine: VIOLATION: C1 x 3; kept in",
        "    /tmp/c/kept/3",
        "    (pirace soak show 3 --campaign /tmp/c) and",
        "    more",
    ]
    assert (
        "pirace explore --policy my.py:f --scenario kick"
        in wrapped("x: pirace explore --policy my.py:f --scenario kick", 30)[-1]
    )


def test_in_a_pipe_text_is_whole_and_tables_have_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless somebody says how wide it is; blanks at the end are nowhere."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    console = wide_console()
    assert (console.width, room(console)) == (WIDE, None)
    say(console, "word " * 100)
    put(console, Text("x"))
    monkeypatch.setenv("COLUMNS", "66")
    assert room(wide_console()) == 66
    assert wrapped("word " * 100, None) == ["word " * 99 + "word"]
