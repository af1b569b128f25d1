"""The table of reductions in ``hosts/explorer/__init__.py`` names files, tests and switches that exist."""

from __future__ import annotations

import re
from pathlib import Path

import hosts.explorer
from hosts.cli.main import cli

TOP = Path(__file__).resolve().parents[2]
GLOSSARY_LINES = 25


def parts() -> tuple[list[list[str]], str]:
    """Return the rows of the table, each as its columns, and the glossary."""
    text, _, glossary = str(hosts.explorer.__doc__).partition("Glossary.")
    rows = [" ".join(row.split()) for row in text.split("\n- ")[1:]]
    return [[column.strip() for column in row.split(" | ")] for row in rows], glossary


def test_every_reduction_has_all_columns() -> None:
    """Name, assumption, switch, file, test."""
    rows, _ = parts()
    assert len(rows) > 8
    assert [len(row) for row in rows] == [5] * len(rows)


def test_what_the_table_names_exists() -> None:
    """Each file of the explorer, each test, and each switch of ``pirace explore``."""
    switches = {name for option in cli.commands["explore"].params for name in (*option.opts, *option.secondary_opts)}
    for _, _, switch, file, test in parts()[0]:
        assert switch in switches | {"none"}, switch
        assert (TOP / "hosts" / "explorer" / file).is_file(), file
        assert (TOP / test).is_file(), test


def test_each_switch_of_a_reduction_is_in_the_table() -> None:
    """Nothing is left out of the search that the table does not own up to."""
    named = {row[2] for row in parts()[0]}
    switches = [name for option in cli.commands["explore"].params for name in option.opts]
    assert {name for name in switches if name.startswith("--no-")} <= named


def test_each_file_names_the_source_that_the_table_names() -> None:
    """The author and the year, in its docstring."""
    for name, _, _, file, _ in parts()[0]:
        source = re.search(r"\(([A-Z]\w+)\b.* (\d{4})", name)
        text = (TOP / "hosts" / "explorer" / file).read_text().split('"""')[1]
        assert source is None or all(part in text for part in source.groups()), file


def test_the_glossary_is_short() -> None:
    """So that it is read."""
    assert len(parts()[1].strip().splitlines()) <= GLOSSARY_LINES
