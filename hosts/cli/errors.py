"""How a command says that it cannot go on: one line, and an exit code."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - not an error of the program
    """Something that the user is told in one line."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
