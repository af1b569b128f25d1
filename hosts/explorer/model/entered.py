"""The bit set of what a transition enters and which checks fire on it: a bit for each window and each check.

The built-in windows come first, then the built-in checks, then the windows of a user's code; its checks come from the
other end, the highest bit first. So only what is declared takes room, and without any the numbers are what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emu.observe.accounting import CHECKS, WINDOWS
from hosts.loader.own.declared import NOTED

_BUILT_IN: Final = len(WINDOWS) + len(CHECKS)


def window_bit(number: int) -> int:
    """Return the place of a window's bit."""
    return number if number < len(WINDOWS) else _BUILT_IN + number - len(WINDOWS)


def check_bit(number: int) -> int:
    """Return the place of a check's bit."""
    return len(WINDOWS) + number if number < len(CHECKS) else NOTED - 1 - (number - len(CHECKS))


def windows_in(bits: int, names: Sequence[str] = WINDOWS) -> list[str]:
    """Return the windows that were entered; ``names``: all, by their numbers."""
    return [name for number, name in enumerate(names) if bits >> window_bit(number) & 1]


def checks_in(bits: int, names: Sequence[str] = CHECKS) -> list[str]:
    """Return the checks that fired; ``names``: all, by their numbers."""
    return [name for number, name in enumerate(names) if bits >> check_bit(number) & 1]
