"""The JSON lines of a command: the one way in which a command writes records.

Without ``--json`` nothing is written, and no command asks whether anything is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from hosts.cli.outputs import opened

if TYPE_CHECKING:
    from hosts.loader.user_code import UserCode
    from hosts.report.jsonl import JsonLines


def command_line() -> list[str]:
    """Return the command line as one would type it."""
    return ["pirace", *sys.argv[1:]]


def facts_here(seed: int = 0, seconds: float = 0.0, placement: str = "unpinned") -> dict[str, Any]:
    """Return where this command runs, and what it was given."""
    from hosts.report.environment import environment

    return environment(seed, seconds, placement, command_line())


class Records:
    """Writes the records of a command, each at once."""

    def __init__(self, lines: JsonLines | None = None) -> None:
        self._lines = lines

    @property
    def wanted(self) -> bool:
        """Return whether records are written: what takes long to put together need not be."""
        return self._lines is not None

    def write(self, record: dict[str, Any]) -> None:
        """Write a record."""
        if self._lines is not None:
            self._lines.write(record)

    def environment(
        self, *, seed: int = 0, seconds: float = 0.0, placement: str = "unpinned", code: UserCode | None = None
    ) -> None:
        """Write the first record: where the others were made."""
        if self._lines is not None:
            from hosts.report.jsonl import environment_record

            self.write(environment_record(facts_here(seed, seconds, placement), code))

    def not_done(self, of: str, planned: str, why: str, count: int = 1) -> None:
        """Write what was planned and not done, in place of the records of kind ``of``."""
        if self._lines is not None:
            from hosts.report.jsonl import not_done_record

            self.write(not_done_record(of, planned, why, count))


NO_RECORDS: Final = Records()


@contextlib.contextmanager
def records_to(path: str | None, reads: Sequence[str] = ()) -> Iterator[Records]:
    """Open the file for JSON lines, if there is to be one; ``reads``: files that the command reads."""
    if path is None:
        yield NO_RECORDS
        return
    from hosts.report.jsonl import JsonLines

    with opened("--json", path, reads) as output:
        yield Records(JsonLines(output))
