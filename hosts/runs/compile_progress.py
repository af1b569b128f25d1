"""Display of a compilation: its progress on a terminal, otherwise one line; nothing if nothing is compiled."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self


class Compiling:
    """Shows it on the standard error; ``progress`` is what the build calls."""

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self._what = what
        self._quiet = quiet
        self._console: Any = None
        self._status: Any = None
        self._said: set[str] = set()
        self._begun = 0.0
        """When the first step was reported; 0 if nothing has been compiled."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()
        if self._begun and kind is None:
            self._console.print(f"compiled in {time.monotonic() - self._begun:.1f} s", highlight=False)

    def progress(self, step: int, steps: int, what: str) -> None:
        """Show a step."""
        if self._status is None:
            self._show()
        said = f"compiling {self._what}, which takes some seconds; the next start finds it done" if steps else what
        if steps and not self._begun:
            self._begun = time.monotonic()
        if said not in self._said and not self._console.is_interactive:
            self._console.print(said)
        self._said.add(said)
        self._status.update(f"compiling {step}/{steps} {what}" if steps else what)

    def _show(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, quiet=self._quiet)
        self._status = self._console.status("")
        self._status.start()
