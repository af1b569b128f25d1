"""The stress run itself: gives each planned configuration its share of the time, and makes one row of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from hosts.report.collect import MachineWords, Measured, collect, count_fired, fabric_violation, merged
from hosts.report.explored import Explored, Scout
from hosts.report.plan import AT_THE_END, OVERHEAD_SECONDS, Group, Plan, Planned
from hosts.report.runner import REGIMES, Ended, Placement, Regime, Request, Runner
from hosts.report.unseen import PATIENCE
from hosts.report.verdict import Canary, Circumstances, Ending, Row, Verdict, grade, missing_windows

ENOUGH_SIGHTINGS: Final = 3
SOUGHT_AT_LEAST: Final = 0.15
"""Seconds that a row whose check fires at once runs all the same."""
EXTENSION: Final = 4.0
"""Seconds that a row is given on top if it has not entered all windows that it exists for."""
SHORTEST: Final = 0.02
"""Seconds below which a run is not worth its processes."""
EXPLORING_AT_MOST: Final = 0.5
"""Share of the run that exploring may take; what it does not need is the races'."""
AT_ONCE: Final = 2
"""Among how many of the scopes to come the time that is left for exploring is shared out."""
MOST_SHARES: Final = 3
"""How many times its even share is kept for each scope to come; what others did not need beyond that is the races'."""


class Show(Protocol):
    """Whoever tells the user."""

    def running(self, planned: Planned, measured: Measured) -> None:
        """Show how the row that runs now is doing; several times a second."""

    def exploring(self, planned: Planned) -> None:
        """Show that a row's scope is explored before it is raced."""

    def finished(self, row: Row) -> None:
        """Show a row that is finished."""


@dataclass(frozen=True)
class Settings:
    """What holds for the whole run."""

    seconds: float
    """What the run is to take."""
    limit: float
    """When nothing new is started any more."""
    seed: int
    placement: Placement
    processors: int
    never: tuple[str, ...] = ()
    """Windows that the user's own rule makes impossible, by what it sends."""


@dataclass
class Tally:
    """What a configuration has come to so far."""

    planned: Planned
    budget: float = 0.0
    limit: float = 0.0
    """Seconds that it may take if its budget does not suffice to enter all windows."""
    measured: Measured = field(default_factory=Measured)
    stints: int = 0
    ending: Ending = "no time"
    why: str = ""
    stalled: set[int] = field(default_factory=set)
    round_trips: list[float] = field(default_factory=list)
    explored: Explored | None = None
    done: bool = False

    def satisfied(self) -> bool:
        """Tell whether what is sought has been seen often enough; once, if it is looked for once in a run."""
        sought = self.planned.sought
        enough = 1 if AT_THE_END.issuperset(sought) else ENOUGH_SIGHTINGS
        return sum(map(self.measured.fired, sought)) >= enough


class Watcher:
    """Looks at one stint of a configuration."""

    def __init__(self, tally: Tally, show: Show, clock: Callable[[], float]) -> None:
        self._tally = tally
        self._show = show
        self._clock = clock
        self._begun: float | None = None
        self._live = tuple(check for check in tally.planned.sought if check not in AT_THE_END)
        self._before = sum(map(tally.measured.fired, self._live))
        self._at_least = SOUGHT_AT_LEAST - tally.measured.seconds

    def enough(self, words: MachineWords) -> bool:
        """Tell whether the check that must fire has fired a few times."""
        if self._begun is None:  # asked for the first time: now it runs
            self._begun = self._clock()
        if not self._live or self._clock() - self._begun < self._at_least:
            return False
        return self._before + count_fired(words, self._tally.planned.pcpus, self._live) >= ENOUGH_SIGHTINGS

    def progress(self, words: MachineWords, seconds: float) -> None:
        """Show the row as it is now."""
        now = collect(words, self._tally.planned.pcpus, seconds)
        self._show.running(self._tally.planned, self._tally.measured + now)


class Stress:
    """One stress run."""

    def __init__(
        self,
        plan: Plan,
        runner: Runner,
        settings: Settings,
        show: Show,
        clock: Callable[[], float] = time.monotonic,
        scout: Scout | None = None,
    ) -> None:
        self._plan = plan
        self._runner = runner
        self._settings = settings
        self._show = show
        self._clock = clock
        self._scout = scout
        share = min(EXPLORING_AT_MOST, plan.exploring_seconds / max(plan.nominal_seconds, SHORTEST))
        self._exploring = settings.seconds * share if scout is not None else 0.0
        """Seconds that are left for exploring."""
        self._to_explore = sum(planned.explorable for planned in plan.rows)
        self._each = self._exploring / max(self._to_explore, 1)
        self._aim = clock() + settings.seconds
        self._end = clock() + settings.limit
        self._weight = sum(planned.nominal_seconds for planned in plan.rows)
        self._stints = sum(planned.stints for planned in plan.rows)
        self._overhead = OVERHEAD_SECONDS
        self._canaries: dict[str, Canary] = {}
        self._cancelled = False

    def rows(self) -> Iterator[Row]:
        """Run everything; give each row as it is finished. After Ctrl-C the rest is cancelled."""
        for group in self._plan.groups:
            tallies = [Tally(planned) for planned in group]
            self._explore(tallies)
            self._share_out(group, tallies)
            yield from self._take_turns(tallies)

    def cancel(self) -> None:
        """Start nothing more: what is not finished becomes a row that says so."""
        self._cancelled = True

    # --- exploring

    def _explore(self, tallies: list[Tally]) -> None:
        """Explore the scopes of rows with a user's own rule, before they are raced: races need the processors.

        Two that are explored halfway are worth nothing, so the first may take up to half of the time that is left. What
        was explored to its end in an earlier run has been learnt, and takes a moment.
        """
        for tally in tallies:
            if self._scout is None or not tally.planned.explorable or self._cancelled:
                continue
            begun = self._clock()
            self._show.exploring(tally.planned)
            share = self._exploring / min(self._to_explore, AT_ONCE)
            seconds = min(share, max(0.0, self._end - begun))
            tally.explored = self._scout.explore(tally.planned, seconds, lambda: self._cancelled)
            self._to_explore -= 1
            most = MOST_SHARES * self._each * self._to_explore
            self._exploring = min(max(0.0, self._exploring - (self._clock() - begun)), most)

    # --- time

    def _share_out(self, group: Group, tallies: list[Tally]) -> None:
        """Give a group its part of the time that is left, by weight; at least half of the usual if the limit allows.

        What must be seen is waited for longer; so is a window that was not entered.
        """
        now = self._clock()
        at_most = max(0.0, self._end - now)
        left = max(0.0, self._aim - now - self._exploring - self._stints * self._overhead)
        for planned, tally in zip(group, tallies, strict=True):
            share = left * planned.nominal_seconds / self._weight
            tally.budget = max(share, planned.nominal_seconds / 2 * min(1.0, at_most / self._weight))
            if planned.sought:
                tally.budget = max(tally.budget, min(PATIENCE, at_most / 4))
            tally.limit = tally.budget + min(EXTENSION, at_most / 8)
        self._weight -= sum(planned.nominal_seconds for planned in group)
        self._stints -= sum(planned.stints for planned in group)

    def _stint_seconds(self, tally: Tally) -> float:
        """Give the length of a row's next run; what is sought is looked for in ever longer ones."""
        if not tally.planned.sought:
            return max(SHORTEST, tally.budget / tally.planned.stints)
        left = tally.budget - tally.measured.seconds
        return max(SHORTEST, min(left, SOUGHT_AT_LEAST * (2 << tally.stints)))

    # --- turns

    def _take_turns(self, tallies: list[Tally]) -> Iterator[Row]:
        for tally in tallies:
            if tally.planned.too_few:
                tally.ending, tally.done = "skipped", True
                tally.why = f"needs {tally.planned.scenario.pcpus} pCPUs, has {tally.planned.pcpus}"
                yield self._finish(tally)
        while not all(tally.done for tally in tallies):
            for tally in tallies:
                if not tally.done:
                    self._stint(tally)
                    if tally.done:
                        yield self._finish(tally)

    def _stint(self, tally: Tally) -> None:
        """Run a configuration once, unless there is no time for it or the user has had enough."""
        if self._cancelled:
            tally.ending, tally.done = "cancelled", True
            return
        if self._clock() >= self._end or tally.budget <= 0:
            tally.done = True
            return
        seconds = self._stint_seconds(tally)
        watcher = Watcher(tally, self._show, self._clock)
        ended = self._runner.run(self._request(tally, seconds), watcher)
        self._account(tally, ended)

    def _request(self, tally: Tally, seconds: float) -> Request:
        planned = tally.planned
        seed = stint_seed(self._settings.seed, planned, tally.stints)
        return Request(planned, seconds, seed, regime_of(planned, tally.stints, seed), self._settings.placement)

    def _account(self, tally: Tally, ended: Ended) -> None:
        now = collect(ended.words, tally.planned.pcpus, ended.seconds)
        clean = ended.crash is None and not ended.cancelled
        if clean:
            now = replace(now, violations=merged(now.violations + fabric_violation(ended.undelivered)))
        if now.counts["self_posts"] and clean and not ended.stalled:
            tally.round_trips.append(ended.seconds * 1e9 / now.counts["self_posts"])
        tally.measured += now
        tally.stints += 1
        tally.stalled.update(ended.stalled)
        self._overhead += (ended.overhead - self._overhead) / 8
        if ended.cancelled:
            self._cancelled = True
            tally.ending, tally.done = "cancelled", True
        elif ended.fault is not None:
            tally.ending, tally.why, tally.done = "fault", ended.fault, True
        elif ended.crash is not None:
            tally.ending, tally.why, tally.done = "crash", ended.crash, True
        elif self._over(tally):
            tally.ending, tally.done = "ended", True

    def _over(self, tally: Tally) -> bool:
        if tally.planned.sought:
            return tally.satisfied() or tally.measured.seconds >= tally.budget - SHORTEST
        if tally.stints < tally.planned.stints:
            return False
        lacking = not tally.measured.violations and missing_windows(
            tally.planned, tally.measured, tally.explored, self._never(tally.planned)
        )
        return not lacking or tally.measured.seconds >= tally.limit

    def _never(self, planned: Planned) -> tuple[str, ...]:
        """Give the windows that a row cannot enter; a seeded bug may send what the rule does not."""
        return self._settings.never if planned.own_rule and planned.mutation is None else ()

    def _finish(self, tally: Tally) -> Row:
        planned = tally.planned
        what = Circumstances(
            ending=tally.ending,
            why=tally.why,
            processors=self._settings.processors,
            placement=self._settings.placement,
            stalled=tuple(sorted(tally.stalled)),
            canary="none" if planned.canary else self._canaries.get(planned.scenario.name, "none"),
            explored=tally.explored,
            never=self._never(planned),
        )
        row = replace(grade(planned, tally.measured, what), round_trips=tuple(tally.round_trips))
        if planned.canary:
            self._canaries[planned.scenario.name] = "caught" if row.verdict is Verdict.VIOLATION else "missed"
        if row.begun:
            self._show.finished(row)
        return row


def regime_of(planned: Planned, stint: int, seed: int) -> Regime:
    """Choose the disturbance: none for one pCPU alone; else calm first, then one of the others, or each in turn."""
    if planned.pcpus == 1:
        return "calm"
    if planned.sought:
        return REGIMES[stint % len(REGIMES)]
    return REGIMES[1 + seed % 2] if stint % 2 else "calm"


def stint_seed(seed: int, planned: Planned, stint: int) -> int:
    """Derive a run's seed from the user's, whatever else is in the plan."""
    digest = hashlib.sha256(f"{seed} {planned} {stint}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 2
