"""The options of a search: the memory model, the reductions, what to look for, and where to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEEP: Final = 16
"""Entries of a store buffer: more than anything here has been seen to need. No room is taken before it is needed."""


@dataclass(frozen=True)
class Options:
    """How to search."""

    buffer: int = DEEP
    """Stores that wait at most in a store buffer; 0 is sequential consistency."""
    overtake: bool = False
    """An IPI may leave before the stores that went before it."""
    workers: int = 1
    reduce: bool = True
    """Partial-order reduction."""
    symmetry: bool = True
    """Of states that differ only in which of several equal senders has got how far, one stands for all."""
    fuse: bool = True
    """Instruments and branches belong to the step of the operation before; without, each is a step of its own."""
    stop_at_first: bool = True
    """End at the first sighting; without, go on behind it and list each check's first."""
    progress_check: bool = True
    """Look for fair cycles that never pay a debt."""
    max_states: int = 0
    """Stop there (bounded); 0: no limit."""
    max_bytes: int = 0
    seconds: float = 0.0
    keep_finals: bool = False
    """Return the memory and local states of every state in which all threads have ended."""
