"""Scheduler of a stress run: gives each planned configuration its share of the time, and makes one row of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from hosts.runs.collect import collect, fabric_violation, merged
from hosts.runs.explored import Scout
from hosts.runs.plan import Group, Plan, Planned
from hosts.runs.runner import REGIMES, Ended, Placement, Regime, Request, Runner
from hosts.runs.tally import SOUGHT_AT_LEAST, Show, Tally, Watcher
from hosts.runs.time_shares import Shares
from hosts.runs.unseen import PATIENCE
from hosts.runs.verdict import Canary, Circumstances, Row, Verdict, grade, missing_windows

EXTENSION: Final = 4.0
"""Extra seconds of a row that has not entered all windows that it exists for."""
SHORTEST: Final = 0.02
"""Shortest run, in seconds, that is worth starting processes."""
EXPLORING_AT_MOST: Final = 0.5
"""Share of the run that exploring may take; the races get what it does not use."""
AT_ONCE: Final = 2
"""Among how many of the scopes to come the time that is left for exploring is shared out."""
MOST_SHARES: Final = 3
"""How many times its even share is kept for each scope to come; what others did not need beyond that is the races'."""


@dataclass(frozen=True)
class Settings:
    """The settings of the whole run."""

    seconds: float
    """Target length of the run, in seconds."""
    limit: float
    """Limit, in seconds, after which nothing is started."""
    seed: int
    placement: Placement
    processors: int
    never: tuple[str, ...] = ()
    """Windows that the user's own rule cannot enter, by what it sends."""


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
        self._shares = Shares(plan, clock, settings.seconds, settings.limit)
        self._waiting: list[Tally] = []
        """Rows that wait for something when their share is used up, and those that wait for the canary among them."""
        self._canaries: dict[str, Canary] = {}
        self._cancelled = False

    def rows(self) -> Iterator[Row]:
        """Run everything; give each row as it is finished. After Ctrl-C the rest is cancelled."""
        for group in self._plan.groups:
            tallies = [Tally(planned) for planned in group]
            self._explore(tallies)
            self._share_out(group, tallies)
            yield from self._take_turns(tallies)
        yield from self._wait()

    def cancel(self) -> None:
        """Start nothing more; what is not finished becomes a CANCELLED row."""
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
            seconds = min(share, self._shares.left)
            tally.explored = self._scout.explore(tally.planned, seconds, lambda: self._cancelled)
            self._to_explore -= 1
            most = MOST_SHARES * self._each * self._to_explore
            self._exploring = min(max(0.0, self._exploring - (self._clock() - begun)), most)

    # --- time

    def _share_out(self, group: Group, tallies: list[Tally]) -> None:
        """Return a group its part of the time that is left."""
        in_one_go = self._shares.in_one_go
        waiting = sum(self._wish(tally) for tally in self._waiting)
        for tally, seconds in zip(tallies, self._shares.take(group, self._exploring, waiting), strict=True):
            tally.budget, tally.in_one_go = seconds, in_one_go

    def _stint_seconds(self, tally: Tally) -> float:
        """Return the length of a row's next run; what is sought is looked for in ever longer ones."""
        if not tally.planned.sought:
            return max(SHORTEST, tally.budget / (1 if tally.in_one_go else tally.planned.stints))
        left, longer = tally.budget - tally.measured.seconds, _longer(tally)
        return max(SHORTEST, longer if left >= longer + SOUGHT_AT_LEAST else left)

    def _wish(self, tally: Tally) -> float:
        """Return the seconds that a row would run beyond its share: for an expected sighting, or for a window."""
        if tally.ending != "ended" or tally.measured.violations:
            return 0.0
        if tally.planned.sought:
            return PATIENCE - tally.measured.seconds
        lacking = missing_windows(tally.planned, tally.measured, tally.explored, self._never(tally.planned))
        return tally.budget + EXTENSION - tally.measured.seconds if lacking else 0.0

    def _waits(self, tally: Tally) -> bool:
        return self._wish(tally) > SHORTEST and not self._cancelled

    # --- turns

    def _take_turns(self, tallies: list[Tally]) -> Iterator[Row]:
        for tally in tallies:
            planned = tally.planned
            if planned.lost or planned.too_few:
                tally.ending, tally.done = "skipped", True
                tally.why = planned.lost or f"needs {planned.scenario.pcpus} pCPUs, has {planned.pcpus}"
                yield self._finish(tally)
        while not all(tally.done for tally in tallies):
            for tally in tallies:
                if not tally.done:
                    self._stint(tally, self._stint_seconds(tally))
                    if tally.done and (self._waits(tally) or self._canary_waits(tally)):
                        self._waiting.append(tally)
                    elif tally.done:
                        yield self._finish(tally)

    def _canary_waits(self, tally: Tally) -> bool:
        return any(each.planned.canary and each.planned.scenario == tally.planned.scenario for each in self._waiting)

    def _wait(self) -> Iterator[Row]:
        """Let rows without an answer go on in turns, when all have had their share, and finish them."""
        while going_on := [tally for tally in self._waiting if self._waits(tally)]:
            if self._shares.left <= SHORTEST:
                break
            for tally in going_on:
                even = self._shares.left / len(going_on)
                tally.done = False
                self._stint(tally, max(SHORTEST, min(self._wish(tally), _longer(tally), even)))
        for tally in sorted(self._waiting, key=lambda tally: not tally.planned.canary):
            yield self._finish(tally)

    def _stint(self, tally: Tally, seconds: float) -> None:
        """Run a configuration once, unless there is no time for it or the user has had enough."""
        if self._cancelled:
            tally.ending, tally.done = "cancelled", True
            return
        if self._shares.left <= 0:
            tally.done = True
            return
        watcher = Watcher(tally, self._show, self._clock)
        ended = self._runner.run(self._request(tally, seconds), watcher)
        self._account(tally, ended)

    def _request(self, tally: Tally, seconds: float) -> Request:
        planned = tally.planned
        seed = stint_seed(self._settings.seed, planned, tally.stints)
        return Request(planned, seconds, seed, regime_of(planned, tally.stints, seed), self._settings.placement)

    def _account(self, tally: Tally, ended: Ended) -> None:
        now = collect(ended.words, tally.planned.pcpus, ended.seconds, tally.planned.own)
        clean = ended.crash is None and not ended.cancelled
        if clean:
            now = replace(now, violations=merged(now.violations + fabric_violation(ended.undelivered)))
        if now.counts["self_posts"] and clean and not ended.stalled:
            tally.round_trips.append(ended.seconds * 1e9 / now.counts["self_posts"])
        tally.measured += now
        tally.stints += 1
        tally.stalled.update(ended.stalled)
        self._shares.note_start(ended.overhead)
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
        return tally.in_one_go or tally.stints >= tally.planned.stints

    def _never(self, planned: Planned) -> tuple[str, ...]:
        """Return the windows that a row cannot enter; a seeded bug may send what the rule does not."""
        return self._settings.never if planned.own_rule and planned.mutation is None else ()

    def _finish(self, tally: Tally) -> Row:
        planned = tally.planned
        what = Circumstances(
            ending=tally.ending,
            why=tally.why or (self._too_short() if tally.ending == "no time" else ""),
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

    def _too_short(self) -> str:
        """Return how long the run would have had to be on this machine at its present load."""
        exploring = self._plan.exploring_seconds if self._scout is not None else 0.0
        enough = self._shares.enough(exploring, sum(map(self._wish, self._waiting)))
        return f"the budget ended first: for all rows about {enough:.0f} s would have been enough"


def _longer(tally: Tally) -> float:
    """Return the length of a run that is longer than those before."""
    return SOUGHT_AT_LEAST * (2 << tally.stints)


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
