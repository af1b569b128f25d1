"""Failure: an error that is reported in one line, with its exit code."""

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
    """An error that is reported to the user in one line."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def tell_faults(rows: Iterable[HasFault]) -> None:
    """Raise a Failure with the lines at which a user's rule went wrong, if it did; called when all rows are done."""
    lines = dict.fromkeys(row.fault for row in rows if row.fault)
    if lines:
        raise Failure("\n".join(lines), EXIT_USAGE)
