"""The meaning of the locked read-modify-write operations. Words are signed 64-bit numbers that wrap around."""

from __future__ import annotations

from hosts.explorer.model.operations import LOCKED, Op
from hosts.word64 import signed


def modified(kind: Op, old: int, a: int, b: int) -> int:
    """Return what a locked operation leaves in a word that held ``old``."""
    if kind == Op.XCHG:
        return signed(a)
    if kind == Op.CMPXCHG:
        return signed(b) if old == signed(a) else old
    if kind == Op.OR:
        return old | signed(a)
    if kind == Op.AND:
        return old & signed(a)
    return signed(old + a)


def modifies(kind: Op, old: int, a: int, b: int) -> bool:
    """Return whether an operation is a locked one that changes its word."""
    return kind in LOCKED and modified(kind, old, a, b) != old
