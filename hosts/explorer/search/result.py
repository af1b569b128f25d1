"""The result of a search, its violations, and the progress that it reports meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Progress:
    """How far a search has come."""

    states: int
    transitions: int
    depth: int
    frontier: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Violation:
    """What was found."""

    what: str
    """``sighting``, ``deadlock`` or ``no-progress``."""
    sighting: int
    """``check * 256 + vector``, or -1."""
    depth: int
    """Moves to it; with the reduction, a move may be several of the product's."""


@dataclass
class Result:
    """What a search has found out."""

    complete: bool = False
    bounded_by: tuple[str, ...] = ()
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    bytes: int = 0
    bytes_per_state: float = 0.0
    windows: int = 0
    violation: Violation | None = None
    violations: list[Violation] = field(default_factory=list)
    waited_for_buffer: bool = False
    longest_buffer: int = 0
    locals: tuple[int, ...] = ()
    finals: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    branching: bool = False
    restarts: int = 0
    """Times the search began anew, as an assumption was refuted."""
    layouts: int = 0
    """Times its states were brought into another layout."""
