"""Progress of a litmus test that takes long."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.status import Status

WAIT_SECONDS: Final = 1.0
"""Progress is shown from then on."""


class Shown:
    """A progress line on a terminal."""

    def __init__(self, file: str, stack: ExitStack) -> None:
        self._file = file
        self._stack = stack
        self._begun = time.monotonic()
        self._status: Status | None = None
        self._silent = False

    def __call__(self, states: int) -> None:
        """Show the number of states."""
        seconds = time.monotonic() - self._begun
        if self._silent or seconds < WAIT_SECONDS:
            return
        line = f"{self._file}: {seconds:.0f} s, {states:,} states"
        if self._status is not None:
            self._status.update(line)
            return
        from rich.console import Console

        console = Console(stderr=True, markup=False, highlight=False)
        self._silent = not console.is_terminal
        if not self._silent:
            self._status = self._stack.enter_context(console.status(line))
