"""Verdicts of rows, and the exit code of a run."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from hosts.exit_codes import EXIT_EXPECTED, EXIT_INTERRUPTED, EXIT_UNEXPECTED, EXIT_UNPROVEN, EXIT_USAGE
from hosts.plural import counted
from hosts.runs.collect import Measured
from hosts.runs.explored import Explored, difference
from hosts.runs.plan import Planned
from hosts.runs.runner import Placement
from hosts.runs.unseen import enough_seconds, unseen


class Verdict(enum.StrEnum):
    """The verdict of a row."""

    PASS = "PASS"  # noqa: S105 - no password
    VIOLATION = "VIOLATION"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNTRUSTWORTHY = "UNTRUSTWORTHY"
    SKIPPED = "SKIPPED"
    CRASH = "CRASH"
    CANCELLED = "CANCELLED"


Ending = Literal["ended", "no time", "skipped", "crash", "fault", "cancelled"]
_CRASHED: Final = ("crash", "fault")
Canary = Literal["caught", "missed", "none"]


@dataclass(frozen=True)
class Circumstances:
    """The circumstances of a run, apart from its counts."""

    ending: Ending = "ended"
    why: str = ""
    """The reason of an abnormal ending."""
    processors: int = 1
    placement: Placement = "pinned"
    stalled: tuple[int, ...] = ()
    canary: Canary = "none"
    exhaustive: bool = False
    """Every interleaving was seen: what did not show cannot show."""
    explored: Explored | None = None
    """The exploration of a user's own rule; None if there was none."""
    never: tuple[str, ...] = ()
    """Windows that such a rule cannot enter, by what its source sends."""


@dataclass(frozen=True)
class Row:
    """The one row that a planned configuration ends as."""

    planned: Planned
    verdict: Verdict
    reason: str
    """Why the verdict is neither PASS nor VIOLATION, or what fired."""
    measured: Measured
    round_trips: tuple[float, ...] = field(default=())
    """Nanoseconds per self-post of each run of this row."""
    crash: str = ""
    """The crash of the processes or fault of the rule, whatever was seen before."""
    fault: str = ""
    """The fault of the user's rule, as ``file:line: reason``."""
    explored: Explored | None = None
    never: tuple[str, ...] = ()
    enough_seconds: float | None = None
    """How long this row would likely have to be raced to prove something, in seconds; None if time would not help."""

    @property
    def begun(self) -> bool:
        """Return whether anything was done for it: a cancelled run leaves rows that were not begun."""
        return self.verdict is not Verdict.CANCELLED or self.measured.seconds > 0

    @property
    def checks(self) -> tuple[str, ...]:
        """Return the checks that fired, in a race or in the explorer."""
        seen = [violation.check for violation in self.measured.violations]
        return tuple(dict.fromkeys([*seen, *(self.explored.checks if self.explored is not None else ())]))

    @property
    def not_demanded(self) -> tuple[str, ...]:
        """Return the scenario's own windows that were not entered because this rule makes them impossible."""
        return _left_out(self.planned, self.measured, self.explored, self.never)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what else is known of a user's own rule: how far it was explored, and what was not asked of it."""
        explored = self.explored
        told = explored is not None and not explored.found and not explored.fault
        unsent = ", ".join(window for window in self.not_demanded if window in self.never)
        others = ", ".join(window for window in self.not_demanded if window not in self.never)
        notes = (
            explored.told() if explored is not None and told else "",
            f"not demanded: {unsent} (this rule sends no notification)" if unsent else "",
            f"not demanded: {others} (in no interleaving of the explored scope)" if others else "",
            difference(explored.same_as) if explored is not None else "",
        )
        return tuple(filter(None, notes))

    @property
    def as_expected(self) -> bool | None:
        """Return whether the table of expected verdicts is confirmed, refuted, or neither.

        Nothing that crashed is as expected, though its check had fired.
        """
        if self.planned.reference or self.crash:
            return None if self.planned.reference else False
        expectation = self.planned.expectation
        if expectation is None:
            if self.planned.mutation is not None or self.verdict not in (Verdict.PASS, Verdict.VIOLATION):
                return None
            return self.verdict is Verdict.PASS
        if expectation.outcome == "MAY":
            return True if self.verdict in (Verdict.VIOLATION, Verdict.INCONCLUSIVE) else None
        if self.verdict is Verdict.VIOLATION:
            return any(self.measured.fired(check) for check in self.planned.sought)
        return expectation.outcome == "PASS" if self.verdict is Verdict.PASS else None


def grade(planned: Planned, measured: Measured, what: Circumstances) -> Row:
    """Return the row of a configuration, with its verdict."""
    if what.explored is not None and what.explored.fault and what.ending in ("ended", "no time"):
        what = replace(what, ending="fault", why=what.explored.fault)
    verdict, reason = _judged(planned, measured, what)
    crash = (what.why or "it crashed") if what.ending in _CRASHED else ""
    fault = crash if what.ending == "fault" else ""
    enough = enough_seconds(measured) if verdict is Verdict.INCONCLUSIVE and _takes_longer(planned, what) else None
    row = Row(planned, verdict, reason, measured, crash=crash, fault=fault, enough_seconds=enough)
    return replace(row, explored=what.explored, never=what.never)


def _takes_longer(planned: Planned, what: Circumstances) -> bool:
    """Return whether a longer race can be expected to prove something; of a MAY that is not known."""
    return what.ending == "ended" and (planned.expectation is None or planned.expectation.outcome != "MAY")


def _judged(planned: Planned, measured: Measured, what: Circumstances) -> tuple[Verdict, str]:
    if what.ending == "skipped":
        return Verdict.SKIPPED, what.why
    if what.ending == "cancelled":
        return Verdict.CANCELLED, what.why or "the run was cancelled"
    found = what.explored.told() if what.explored is not None and what.explored.found else ""
    if measured.violations or found:  # exact when they were made: no later crash takes them back
        then = f"then {_last_line(what.why)}" if what.ending in _CRASHED else ""
        return Verdict.VIOLATION, "; ".join(filter(None, (_fired(measured), found, then)))
    if what.ending in _CRASHED:
        return Verdict.CRASH, what.why
    return _nothing_seen(planned, measured, what)


def _fired(measured: Measured) -> str:
    return ", ".join(f"{each.check} x {each.count}" for each in measured.violations)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it crashed"])[-1]


def _nothing_seen(planned: Planned, measured: Measured, what: Circumstances) -> tuple[Verdict, str]:
    """Return the verdict of a run in which no check fired."""
    if what.ending == "no time":
        return Verdict.INCONCLUSIVE, what.why or "the budget ended first"
    doubt = doubts(planned, what)
    if doubt:
        return Verdict.UNTRUSTWORTHY, doubt
    gap = _gap(planned, measured, what)
    if gap:
        return Verdict.INCONCLUSIVE, gap
    if what.canary == "missed":
        return Verdict.UNTRUSTWORTHY, "the canary of this scenario was not caught"
    return Verdict.PASS, ""


def _gap(planned: Planned, measured: Measured, what: Circumstances) -> str:
    """Return what a run without a violation has left open, or nothing."""
    missing = missing_windows(planned, measured, what.explored, what.never)
    if missing:
        return f"never entered: {', '.join(missing)}"
    if planned.expectation is not None and planned.expectation.outcome == "MAY":
        return "may be seen, was not"
    return unseen(planned, measured) if may_show(planned, what) else ""


def may_show(planned: Planned, what: Circumstances) -> bool:
    """Return whether there is, or may be, a bug to be seen that a race without a sighting leaves open.

    The table says that a check fires, or says nothing of a seeded bug. A search that has been everywhere knows.
    """
    if what.exhaustive or (what.explored is not None and what.explored.complete):
        return False
    return bool(planned.sought) or (planned.mutation is not None and planned.expectation is None)


def doubts(planned: Planned, what: Circumstances) -> str:
    """Return why a run without a violation is not trustworthy, or nothing."""
    if what.stalled:
        return f"stalled by the machine: pCPU {', '.join(map(str, what.stalled))}"
    if planned.pcpus > what.processors:
        return f"{counted(planned.pcpus, 'pCPU')} on {counted(what.processors, 'processor')}"
    if what.placement == "shared" and planned.pcpus > 1:
        return f"{planned.pcpus} pCPUs share a processor"
    return ""


def missing_windows(
    planned: Planned, measured: Measured, explored: Explored | None = None, never: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the race windows that the scenario exists for and that were not entered, though they can be."""
    left_out = _left_out(planned, measured, explored, never)
    return tuple(window for window in _not_entered(planned, measured) if window not in left_out)


def _left_out(planned: Planned, measured: Measured, explored: Explored | None, never: Sequence[str]) -> tuple[str, ...]:
    if planned.own_scenario:
        return ()
    windows = _not_entered(planned, measured)
    impossible = explored.impossible(windows) if explored is not None else ()
    return tuple(window for window in windows if window in impossible or window in never)


def _not_entered(planned: Planned, measured: Measured) -> tuple[str, ...]:
    return tuple(window for window in planned.scenario.windows if not measured.windows.get(window))


def policy_names(rows: Iterable[Row]) -> list[str]:
    """Return the policies that ran unmutated, the oldest first, a user's own last."""
    clean = sorted((row for row in rows if row.planned.mutation is None), key=lambda row: row.planned.policy.number)
    return list(dict.fromkeys(row.planned.policy.name for row in clean))


def exit_code(rows: Iterable[Row]) -> int:
    """Add the rows up. A seeded bug that a machine cannot have proves nothing, and lacks nothing, if others ran."""
    rows = list(rows)
    rows = [row for row in rows if not row.planned.lost] or rows
    if any(row.verdict is Verdict.CANCELLED for row in rows):
        return EXIT_INTERRUPTED
    if any(row.fault for row in rows):
        return EXIT_USAGE
    if any(row.as_expected is False for row in rows):
        return EXIT_UNEXPECTED
    unproven = (Verdict.INCONCLUSIVE, Verdict.UNTRUSTWORTHY, Verdict.SKIPPED)
    if any(row.verdict in unproven and not _may(row) for row in rows):
        return EXIT_UNPROVEN
    return EXIT_EXPECTED


def _may(row: Row) -> bool:
    return row.planned.expectation is not None and row.planned.expectation.outcome == "MAY"
