"""The interface of the tables to the reductions: the operations known of each thread and the edges between these."""

from __future__ import annotations

from typing import Protocol

from hosts.explorer.compiled.abi import Tables
from hosts.explorer.jit.intrinsics import Ints
from hosts.explorer.model.operations import Operation


class KnownThreads(Protocol):
    """The tables of a search (:class:`hosts.explorer.search.thread_tables.ThreadTables`), seen from below."""

    number: list[dict[int, int]]
    """By thread: local state to operation."""
    operation: list[Operation]
    tables: Tables
    future: Ints
    """By operation: the words that the thread may use from there on, and those that it may write, as bit sets."""
    learnt: int
    """Edges known: as long as it stays the same, so does all else."""

    def edges_of(self, operation: Operation) -> int:
        """Return how many edges an operation's row has room for."""
