"""The errors that keep a task from having a result. All of them are sent between processes and machines."""

from __future__ import annotations

from typing import Any


class CannotRun(Exception):  # noqa: N818 - it tells of the machine, not of the program
    """No task can be run here; the message is one line for the user."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the exit code."""
        return type(self), (str(self), self.exit_code)


class WorkerDied(Exception):  # noqa: N818
    """The worker process died; the task may be retried."""


class WorkerOverdue(WorkerDied):
    """The worker process did not answer in time and was killed with all that it had started."""
