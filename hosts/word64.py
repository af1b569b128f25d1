"""Words of the emulated machine: signed 64-bit numbers that wrap around, and the address of the first of them."""

from __future__ import annotations

from typing import Final

BASE: Final = 4096
"""Address of the machine on hosts in Python: not 0, which is the null pointer."""

WORD: Final = 1 << 64
SIGN: Final = 1 << 63


def signed(value: int) -> int:
    """Wrap a number into a signed 64-bit word."""
    return ((value + SIGN) % WORD) - SIGN
