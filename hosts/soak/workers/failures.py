"""What keeps a task from becoming a row. All of these cross process and machine borders."""

from __future__ import annotations

from typing import Any


class CannotRun(Exception):  # noqa: N818 - a state of the machine, not an error of the program
    """Nothing can be run here, this task or another; the message is one line for the user."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the exit code."""
        return type(self), (str(self), self.exit_code)


class WorkerDied(Exception):  # noqa: N818
    """The process that did the task is gone; the task may be done again."""


class WorkerOverdue(WorkerDied):
    """The process that did the task did not come back in time and was killed with all that it had started."""
