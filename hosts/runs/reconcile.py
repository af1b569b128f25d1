"""Comparison of what processes have shown with what the explorer allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from emu.observe.accounting import CHECKS, WINDOWS
from hosts.runs.plan import Planned
from hosts.runs.verdict import Row

_UNPARTED: Final = "in the explorer nothing that others notice lies between the last look and VM-entry there"
_ONE_EACH: Final = "takes the same vector twice from one stay to the next: that scope posts each once"
_ONE_IPI: Final = "takes two posts to one stay: in that scope a guest sends one"

LEFT_OUT: Final[dict[tuple[str, str], str]] = {
    ("remote-post", "kick-between-check-and-entry"): _UNPARTED,
    ("self-vs-remote", "kick-between-check-and-entry"): _UNPARTED,
    ("halt-wake", "kick-between-check-and-entry"): _UNPARTED,
    ("all-to-all", "kick-between-check-and-entry"): _UNPARTED,
    ("self-vs-remote", "pir-already-set"): _ONE_EACH,
    ("kick", "pir-already-set"): _ONE_EACH,
    ("all-to-all", "pir-already-set"): _ONE_IPI,
    ("all-to-all", "post-sees-exiting"): _ONE_IPI,
    ("all-to-all", "kick-loses-to-kick"): _ONE_IPI,
}
"""Windows that processes enter in a scenario and its default scope cannot, with the reason: no fault of either host.

*Nothing lies between*: a window is noted by an instrument, which belongs to the step of the operation before; and a
look at a word that nobody writes (the requests, where nobody makes any) is no operation. What comes an instant later
is the same to everybody but the instrument.
"""


OWN_SCOPE: Final = "the scope of a scenario of your own is smaller than its races, and may leave this out (scope=)"


def left_out(planned: Planned, name: str) -> str:
    """Return why a window or check is outside of the scope of a row; empty: nothing is known that would say so."""
    return OWN_SCOPE if planned.own_scenario else LEFT_OUT.get((planned.scenario.name, name), "")


@dataclass(frozen=True)
class Allowed:
    """The windows and checks that an exploration reached."""

    windows: frozenset[str]
    checks: frozenset[str]
    complete: bool
    bound: str = ""
    """The bound of the exploration."""
    states: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Reconciled:
    """One configuration on both hosts. Names of windows and checks, in their usual order."""

    row: Row
    allowed: Allowed
    not_allowed: tuple[str, ...]
    """Seen, although a complete exploration does not allow it: one of the two hosts is wrong."""
    not_explored: tuple[str, ...]
    """Seen, and the exploration was not complete."""
    explained: tuple[str, ...]
    """Seen, and outside the scope for a known reason."""
    gap: tuple[str, ...]
    """Allowed by the explorer, never seen in the run."""


def reconciled(row: Row, allowed: Allowed) -> Reconciled:
    """Compare a row with what the explorer allows."""
    windows = {name for name, count in row.measured.windows.items() if count}
    seen = windows | {violation.check for violation in row.measured.violations}
    may = allowed.windows | allowed.checks
    more = seen - may
    explained = {name for name in more if left_out(row.planned, name)}
    return Reconciled(
        row,
        allowed,
        not_allowed=_sorted(more - explained) if allowed.complete else (),
        not_explored=() if allowed.complete else _sorted(more - explained),
        explained=_sorted(explained),
        gap=_sorted(may - seen),
    )


def _sorted(names: set[str] | frozenset[str]) -> tuple[str, ...]:
    order = (*CHECKS, *WINDOWS)
    return tuple(sorted(names, key=lambda name: (order.index(name) if name in order else -1, name)))
