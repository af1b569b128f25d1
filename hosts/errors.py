"""How a command says that it cannot go on: one line, and an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hosts.exit_codes import EXIT_USAGE


class HasFault(Protocol):
    """A row."""

    @property
    def fault(self) -> str:
        """What a user's rule did wrong, as ``file:line: reason``, or nothing."""


class Failure(Exception):  # noqa: N818 - not an error of the program
    """Something that the user is told in one line."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def tell_faults(rows: Iterable[HasFault]) -> None:
    """Say at the end, when all rows have been run, where a user's rule went wrong; Failure if it did anywhere."""
    lines = dict.fromkeys(row.fault for row in rows if row.fault)
    if lines:
        raise Failure("\n".join(lines), EXIT_USAGE)
