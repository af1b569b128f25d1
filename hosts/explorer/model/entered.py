"""The bit set of what a transition enters and which checks fire on it: a bit for each window and each check.

It has as many bits as it needs. The compiled search has 62 for those that occur in one scope, whichever these are
(hosts.explorer.search.thread_tables).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emu.observe.accounting import CHECKS, WINDOWS

_WINDOWS_FROM: Final = 32
"""Checks, a user's among them, are fewer."""


def window_bit(number: int) -> int:
    """Return the place of a window's bit."""
    return _WINDOWS_FROM + number


def check_bit(number: int) -> int:
    """Return the place of a check's bit."""
    return number


def windows_in(bits: int, names: Sequence[str] = WINDOWS) -> list[str]:
    """Return the windows that were entered; ``names``: all, by their numbers."""
    return [name for number, name in enumerate(names) if bits >> window_bit(number) & 1]


def checks_in(bits: int, names: Sequence[str] = CHECKS) -> list[str]:
    """Return the checks that fired; ``names``: all, by their numbers."""
    return [name for number, name in enumerate(names) if bits >> check_bit(number) & 1]
