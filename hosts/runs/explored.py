"""Results of the explorer on a rule that is raced: reported side by side, as neither replaces the other.

A race shows what has happened, an exploration all that can, in a smaller scope. So a violation of either is one; and a
window that no interleaving of the scope enters is not demanded of a race. A scope is smaller than its scenario, though:
it is made so that the scenario's windows can be entered in it, and yet a rule may count posts, or wait for what takes
more of them. Therefore what was left out is named, with the reason, and a window is only left out for a search that
came to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hosts.plural import counted
from hosts.runs.plan import Planned


@dataclass(frozen=True)
class Explored:
    """The exploration of one configuration in its scenario's scope."""

    command: str
    """The command that explores it again, with the counterexample step by step."""
    complete: bool = False
    why: str = ""
    """Why it is not complete, if nothing was found either."""
    states: int = 0
    seconds: float = 0.0
    found: str = ""
    """The violation in a few words, or nothing."""
    fault: str = ""
    """The fault of the rule, as ``file:line: reason``, or nothing."""
    checks: tuple[str, ...] = ()
    """The checks that fired, including ``deadlock`` and ``no-progress``."""
    entered: frozenset[str] = frozenset()
    """The windows that some interleaving enters."""
    same_as: tuple[str, ...] = ()
    """The policies that do the same here, operation for operation."""

    def impossible(self, windows: Sequence[str]) -> tuple[str, ...]:
        """Return those of the windows that no interleaving enters; none if that is not known."""
        return tuple(window for window in windows if window not in self.entered) if self.complete else ()

    def told(self) -> str:
        """Return the result in one line."""
        if self.found:
            return f"explored: {self.found}: {self.command}"
        if self.complete:
            return f"explored: complete, {counted(self.states, 'state')}"
        return f"not explored: {self.command}" + (f" ({self.why})" if self.why else "")


class Scout(Protocol):
    """What explores a configuration while no race runs."""

    def wait(self) -> None:
        """Wait until it is ready, before the time of the run begins."""

    def explore(self, planned: Planned, seconds: float, cancelled: Callable[[], bool]) -> Explored:
        """Explore its scenario's scope for about so many seconds; end at once when it is cancelled."""


def difference(same_as: Sequence[str]) -> str:
    """Return which policies a rule is equivalent to, as a sentence, or nothing."""
    if not same_as:
        return ""
    one = len(same_as) == 1
    return (
        f"no difference: this rule did here, operation for operation, what {' and '.join(same_as)} "
        f"{'does' if one else 'do'}; it cannot fail here where {'that does' if one else 'those do'} not, "
        "and what is new in it was not exercised"
    )
