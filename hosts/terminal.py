"""Width of printed text and tables, by whether the output is a terminal.

On a terminal, text is broken once, between words, at the terminal's width, and tables are laid out to fit it
(:mod:`hosts.report.table_layout`). In a pipe or a file text is not broken at all: a line there is what ``grep`` finds
it by. Tables are laid out for ``WIDE`` columns there. No line ends in blanks. ``COLUMNS`` gives either a width.
"""

from __future__ import annotations

import os
import re
import textwrap
from typing import Final

from rich.console import Console
from rich.text import Text

WIDE: Final = 132
"""Columns of a table that goes into a file."""


_KEPT: Final = "\N{NO-BREAK SPACE}"
_COMMAND: Final = re.compile(r"pirace (?:stress|explore|replay|soak|repro) [^();]*[^();\s]")


def wide_console() -> Console:
    """Return the console of the standard output; a file has the width of the tables."""
    console = Console()
    return console if is_read(console) else Console(width=WIDE)


def is_read(console: Console) -> bool:
    """Return whether lines are broken: on a terminal, or if COLUMNS is set."""
    return console.is_terminal or "COLUMNS" in os.environ


def room(console: Console) -> int | None:
    """Return the width of a line of text; None: unlimited."""
    return console.width if is_read(console) else None


def wrapped(text: str, width: int | None, hanging: str = "    ") -> list[str]:
    """Break a line between words, but not within a command, which is to be copied; what follows is set in further."""
    indent = text[: len(text) - len(text.lstrip())]
    if width is None or len(text) <= width:
        return [text.rstrip()]
    lines = textwrap.wrap(
        _COMMAND.sub(lambda found: found[0].replace(" ", _KEPT), text.strip()),
        width,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_KEPT, " ") for line in lines] or [""]


def say(console: Console, text: str, style: str = "", hanging: str = "    ") -> None:
    """Print a line, broken between words if need be."""
    for line in wrapped(text, room(console), hanging):
        put(console, Text(line, style=style))


def put(console: Console, line: Text) -> None:
    """Print a line as it is: the terminal breaks what is wider, as a command, so that it can be copied whole."""
    console.print(line, soft_wrap=True, highlight=False)
