"""Bounds of a search: time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from hosts.procfs import resident_bytes

OFTEN: Final = 64
"""Calls from one reading of the clock to the next."""


class IncompleteError(Exception):
    """A search has not come to its end, so that there is no answer: ``seconds``, ``memory``, ``buffer`` or ``room``."""


class Bounds:
    """Time from now on, and memory beyond what the process has now; 0: no limit."""

    def __init__(
        self, seconds: float = 0.0, memory_bytes: int = 0, report: Callable[[int], None] | None = None
    ) -> None:
        """``report`` is called now and then, with how much there is by now."""
        self.seconds = seconds
        self.memory_bytes = memory_bytes
        self._report = report
        self._begun = time.monotonic()
        self._before = resident_bytes()
        self._calls = 0

    def check(self, much: int) -> None:
        """IncompleteError if it is too much; a thing to be called again and again."""
        self._calls += 1
        if self._calls % OFTEN == 0:
            self.check_now(much)

    def check_now(self, much: int, coming_bytes: int = 0) -> None:
        """As :meth:`check`, before something that takes long, or much memory."""
        if self.seconds and time.monotonic() - self._begun >= self.seconds:
            raise IncompleteError("seconds")
        if self.memory_bytes and resident_bytes() - self._before + coming_bytes >= self.memory_bytes:
            raise IncompleteError("memory")
        if self._report is not None:
            self._report(much)
