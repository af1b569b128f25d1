"""The files of a command: tests, indexes of tests (``@all``), and folders.

An index has the name of a test, or of another index, on each line, from the index's own folder; ``#`` begins a comment.
diy7 writes such files, and herd7 reads them. A folder stands for all tests in it and below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from hosts.litmus.errors import LitmusError
from hosts.reading import read_bytes

MARK: Final = "@"
"""Begins the name of an index."""
SUFFIX: Final = ".litmus"
"""Ends the names of the tests of a folder."""


class LitmusFile(NamedTuple):
    """A file, and why it cannot be read if that is known already."""

    file: str
    error: LitmusError | None = None


def litmus_files(arguments: Iterable[str]) -> Iterator[LitmusFile]:
    """Return the tests that arguments stand for, in order."""
    for argument in arguments:
        yield from _below(Path(argument), ())


def _below(path: Path, within: tuple[Path, ...]) -> Iterator[LitmusFile]:
    if path.name.startswith(MARK) and not path.is_dir():
        yield from _listed(path, within)
    elif path.is_dir():
        tests = sorted(path.rglob(f"*{SUFFIX}"))
        yield from (LitmusFile(str(each)) for each in tests)
        if not tests:
            yield LitmusFile(str(path), LitmusError(0, f"a folder without a file *{SUFFIX}"))
    else:
        yield LitmusFile(str(path))


def _listed(index: Path, within: tuple[Path, ...]) -> Iterator[LitmusFile]:
    """Return what an index lists."""
    try:
        itself = index.resolve()
        if itself in within:
            yield LitmusFile(str(index), LitmusError(0, "this index lists itself"))
            return
        text = read_bytes(index).decode("utf-8", errors="surrogateescape")
    except (OSError, RuntimeError) as error:
        yield LitmusFile(str(index), LitmusError(0, getattr(error, "strerror", None) or str(error)))
        return
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip()
        if "\0" in name:
            yield LitmusFile(str(index), LitmusError(number, "this is no list of files"))
            return
        if name:
            yield from _below(index.parent / name, (*within, itself))
