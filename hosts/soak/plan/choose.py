"""Chooses the next task of a campaign: a function of the campaign's seed and its tallies, and of nothing else.

In this order: a canary where none has been caught for a while, an exploration while explorations have had less than
their share of the time, then a race. Each configuration is first raced once in each scenario, and a user's own rule is
explored there. Then half of the races go to the cells with the least time (coverage), and half to cells drawn by what
was found there (windows entered, unexpected verdicts). A draw depends on the campaign's seed and the number of the task
only, so that a campaign can be repeated.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emu.machine import MAX_PCPUS
from emu.workload.scenarios import Scenario
from hosts.loader.policy_name import is_user_policy
from hosts.loader.user_code import CodeSpec
from hosts.runs.own_code import OwnCode
from hosts.runs.plan import (
    DEFAULT_PCPUS,
    PlanError,
    Planned,
    chosen_mutations,
    chosen_policies,
    chosen_scenarios,
    planned,
    refuse_lost,
    user_policy_of,
)
from hosts.runs.runner import REGIMES
from hosts.soak.placement.classes import Place
from hosts.soak.placement.core_sharing import races_on_store_buffers
from hosts.soak.plan.canaries import canary_of
from hosts.soak.store.tallies import CanaryKey, Cell, Tally
from hosts.soak.task import Task

RUNS_PER_CANARY: Final = 25
"""Races of a scenario on a placement between two canaries there."""
RUNS_AFTER_MISS: Final = 5
"""Races between two canaries after one that was not caught."""
CANARY_SECONDS: Final = 5.0
"""Seconds of a canary at most: it ends as soon as it is caught."""
EXPLORED_SHARE: Final = 0.1
"""The share of the campaign's time for explorations."""
EXPLORE_FROM: Final = 10.0
"""Seconds that an exploration is given the first time; twice as many each time that it was not completed."""
EXPLORE_TO: Final = 1800.0
EXPLORE_AT_LEAST: Final = 3.0
"""Seconds that an exploration counts for at least: a small scope is explored before the clock has moved."""
SHARED: Final = "shared"
"""The placement where pCPUs share a processor: its store buffer orders them, so no canary can be required."""
SHARED_TURNS: Final = 0.25
"""Its share of turns, against 1 of another placement: a violation seen there is real, but a PASS says little."""

Places = Callable[[int], Sequence[Place]]
"""Returns the placements of so many pCPUs that exist here, several of a class."""

Tallies = Mapping[Cell, Tally]
NOTHING: Final = Tally()


@dataclass(frozen=True, kw_only=True)
class CampaignSettings:
    """The settings of a campaign; empty means everything."""

    scenarios: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    mutations: tuple[str, ...] = ()
    cpus: int | None = None
    places: tuple[str, ...] = ()
    each: float = 2.0
    """Seconds of a race."""
    seed: int = 0
    code: CodeSpec | None = None
    """What of the user's is in the machine besides a rule."""

    @property
    def user_policy(self) -> str | None:
        """The user's own policy, if there is one."""
        return user_policy_of(self.policies)


class Chooser:
    """Chooses the tasks of one campaign."""

    def __init__(self, wanted: CampaignSettings, places: Places, processors: int, own: OwnCode | None = None) -> None:
        """Lay out the cells; PlanError if there are none. ``own`` is the user's code, if it has been read."""
        self._wanted = wanted
        self._places = places
        self._processors = processors
        self._scenarios = chosen_scenarios(wanted.scenarios)
        self._own = own
        self._policies = chosen_policies(wanted.policies, own)
        self._mutations = chosen_mutations(wanted.mutations)
        if wanted.cpus is not None and not 1 <= wanted.cpus <= MAX_PCPUS:
            raise PlanError(f"--cpus {wanted.cpus}: a machine has 1 to {MAX_PCPUS} pCPUs")
        self._examples: dict[tuple[int, str], list[Place]] = {}
        self.cells = tuple(self._race_cells())
        if not self.cells:
            raise PlanError(self._nothing())
        self.canaries = {CanaryKey.of(cell): cell for cell in self._canary_cells()}
        self.explored = tuple(self._explored_cells()) if processors > 1 else ()

    def next(self, tallies: Tallies, number: int, at_most: float = math.inf) -> Task:
        """Return task ``number`` of the campaign, which may take so many seconds."""
        draw = random.Random(f"{self._wanted.seed} {number}")
        cell = self._cell(tallies, draw, at_most)
        return self._task(cell, tallies, draw, number, at_most)

    # --- which cell

    def _cell(self, tallies: Tallies, draw: random.Random, at_most: float) -> Cell:
        scope = self._due_exploration(tallies)
        if scope is not None and self._budget(tallies.get(scope, NOTHING)) <= at_most:
            return scope
        new = self._never_raced(tallies)
        race = draw.choice(new) if new else draw.choice([self._covered_least, self._found_most])(tallies, draw)
        return self._due_canary(CanaryKey.of(race), tallies) or race

    def _never_raced(self, tallies: Tallies) -> list[Cell]:
        """Return the cells of the scenarios, policies and mutations that were not yet raced together.

        Of these the ones of the best placement, and first those whose canary has just been caught.
        """
        raced = {_asked(cell) for cell in tallies if cell.kind == "race" and not cell.canary and begun(tallies[cell])}
        new = [cell for cell in self.cells if _asked(cell) not in raced]
        most = max(map(_turns, new), default=0.0)
        placed = [cell for cell in new if _turns(cell) == most]
        return [cell for cell in placed if self._due_canary(CanaryKey.of(cell), tallies) is None] or placed

    def _due_canary(self, spot: CanaryKey, tallies: Tallies) -> Cell | None:
        """Return the canary of a scenario and placement if it is due: not caught there for so many runs."""
        canary = self.canaries.get(spot)
        if canary is None:
            return None
        there = [cell for cell in tallies if cell.kind == "race" and CanaryKey.of(cell) == spot and cell != canary]
        runs = sum(begun(tallies[cell]) for cell in there)
        seen = tallies.get(canary, NOTHING)
        caught = seen.verdicts["VIOLATION"] + seen.running
        allowed = caught * RUNS_PER_CANARY + (begun(seen) - caught) * RUNS_AFTER_MISS
        return canary if runs >= allowed else None

    def _due_exploration(self, tallies: Tallies) -> Cell | None:
        """Return the next scope to explore, while explorations are behind their share of the time."""
        raced = sum(tally.seconds for cell, tally in tallies.items() if cell.kind == "race")
        seen = [tally for cell, tally in tallies.items() if cell.kind == "explore"]
        unknown = [cell for cell in self.explored if self._is_own(cell) and cell not in tallies]
        if unknown:  # an unknown rule: explorations have half of the time, until each of its scopes was begun
            return unknown[0] if sum(tally.seconds for tally in seen) <= raced else None
        spent = sum(max(tally.seconds, begun(tally) * EXPLORE_AT_LEAST) for tally in seen)
        if spent + EXPLORE_AT_LEAST > (spent + raced) * EXPLORED_SHARE:
            return None
        left = [cell for cell in self.explored if self._is_open(tallies.get(cell, NOTHING))]
        return min(left, key=lambda cell: tallies.get(cell, NOTHING).runs, default=None)

    def _is_open(self, tally: Tally) -> bool:
        """Return whether a scope is worth exploring again: not if it has a verdict, or its budget is too large now."""
        settled = tally.verdicts["PASS"] + tally.verdicts["VIOLATION"]
        return not settled and not tally.running and self._budget(tally) < 2 * EXPLORE_TO

    def _covered_least(self, tallies: Tallies, draw: random.Random) -> Cell:
        """Draw from the cells with the least time; a run that crashed or is under way counts in full."""
        seen = [tallies.get(cell, NOTHING) for cell in self.cells]
        seconds = [
            (max(tally.seconds, begun(tally) * self._wanted.each) + self._wanted.each) / _turns(cell)
            for tally, cell in zip(seen, self.cells, strict=True)
        ]
        least = min(seconds)
        return draw.choice([cell for cell, spent in zip(self.cells, seconds, strict=True) if spent == least])

    def _found_most(self, tallies: Tallies, draw: random.Random) -> Cell:
        """Draw by what was found: unexpected verdicts weigh most, then race windows entered."""
        weights = [_interest(tallies.get(cell, NOTHING)) * _turns(cell) for cell in self.cells]
        return draw.choices(self.cells, weights)[0]

    # --- what of it

    def _task(self, cell: Cell, tallies: Tallies, draw: random.Random, number: int, at_most: float) -> Task:
        processors: tuple[int, ...] = ()
        if cell.kind == "explore":
            seconds = self._budget(tallies.get(cell, NOTHING))
        else:
            # A canary ends as soon as it is caught; one that was cut short would discredit the races there.
            seconds = CANARY_SECONDS if cell.canary else min(self._wanted.each, at_most)
            processors = draw.choice(self._examples[cell.pcpus, cell.place]).processors
        return Task(
            **cell._asdict(),
            processors=processors,
            seed=task_seed(self._wanted.seed, number),
            seconds=seconds,
            code=self._own.patches if self._own is not None else None,
        )

    def _is_own(self, cell: Cell) -> bool:
        """Return whether something in the machine of a cell is the user's."""
        return is_user_policy(cell.policy) or (self._own is not None and self._own.patches is not None)

    @staticmethod
    def _budget(tally: Tally) -> float:
        """Return the seconds of a scope's next exploration."""
        return EXPLORE_FROM * 2.0 ** min(tally.runs, 40)

    # --- the cells

    def _race_cells(self) -> Iterable[Cell]:
        for scenario in self._scenarios:
            for pcpus in self._sizes(scenario):
                for row in self._rows(scenario, pcpus):
                    yield from (
                        Cell(
                            kind="race",
                            scenario=scenario.name,
                            policy=row.policy.name,
                            mutation=row.mutation.name if row.mutation is not None else None,
                            pcpus=pcpus,
                            place=place,
                            regime=regime,
                            scope="",
                        )
                        for place in self._classes(pcpus)
                        for regime in (REGIMES if pcpus > 1 else REGIMES[:1])
                    )

    def _rows(self, scenario: Scenario, pcpus: int) -> Iterable[Planned]:
        """Return the policies unmutated, or with each of the mutations asked for, as ``pirace stress`` does."""
        if not self._wanted.mutations:
            yield from (planned(scenario, policy, None, pcpus) for policy in self._policies)
            return
        patched = self._own is not None and self._own.patches is not None
        named = bool(self._wanted.scenarios) and (bool(self._wanted.policies) or patched)
        for mutation in self._mutations:
            refuse_lost(self._own, mutation)
            for policy in self._policies:
                row = planned(scenario, policy, mutation, pcpus)
                if named or row.expectation is not None:
                    yield row

    def _sizes(self, scenario: Scenario) -> Sequence[int]:
        """Return the numbers of pCPUs: the fewest, the default, and all that the machine has."""
        if not scenario.grows:
            return [scenario.pcpus]
        if self._wanted.cpus is not None:
            return [max(self._wanted.cpus, scenario.pcpus)]
        usual = {DEFAULT_PCPUS, min(self._processors, MAX_PCPUS)}
        return sorted({scenario.pcpus} | {size for size in usual if scenario.pcpus <= size <= self._processors})

    def _classes(self, pcpus: int) -> Sequence[str]:
        """Return the classes of placements, and remember their examples."""
        wanted = self._wanted.places
        for place in self._places(pcpus) if not any(size == pcpus for size, _ in self._examples) else ():
            if not wanted or place.name in wanted:
                self._examples.setdefault((pcpus, place.name), []).append(place)
        return [name for size, name in self._examples if size == pcpus]

    def _canary_cells(self) -> Iterable[Cell]:
        """Return a canary for each scenario and placement where it can be caught."""
        for cell in {CanaryKey.of(cell): cell for cell in reversed(self.cells)}.values():
            row = canary_of(cell.scenario, cell.pcpus, cell.place, self._own)
            if row is not None and row.mutation is not None and races_on_store_buffers(cell.place, cell.pcpus):
                bug = cell._replace(policy=row.policy.name, mutation=row.mutation.name)
                yield bug._replace(regime=REGIMES[0], canary=True)

    def _explored_cells(self) -> Iterable[Cell]:
        """Return an exploration of each configuration that is raced; faults of the fabric cannot be explored."""
        faults = {mutation.name for mutation in self._mutations if mutation.fabric_fault}
        rows = dict.fromkeys((cell.scenario, cell.policy, cell.mutation) for cell in self.cells)
        for scenario, policy, mutation in rows:
            if mutation not in faults:
                yield Cell("explore", scenario, policy, mutation, 1, "unpinned", "calm", "")

    def _nothing(self) -> str:
        if self._wanted.places and not self._examples:
            sizes = {pcpus for scenario in self._scenarios for pcpus in self._sizes(scenario)}
            known = dict.fromkeys(place.name for pcpus in sorted(sizes) for place in self._places(pcpus))
            return f"--place {', '.join(self._wanted.places)}: this machine has {', '.join(known)}"
        return "the table of expected verdicts has no such row; name --scenario and --policy to soak it anyway"


def _asked(cell: Cell) -> tuple[str, str, str | None]:
    """Return what the user asked for of a cell; placement and disturbance are chosen by the soak."""
    return cell.scenario, cell.policy, cell.mutation


def _turns(cell: Cell) -> float:
    """Return the share of turns of a cell, against 1 of an ordinary one."""
    return SHARED_TURNS if cell.place == SHARED else 1.0


def _interest(tally: Tally) -> float:
    """Return the weight of a cell: unexpected verdicts count for much, entered windows for something."""
    rate = sum(tally.windows.values()) / tally.seconds if tally.seconds else 0.0
    return 1.0 + math.log10(1.0 + rate) + 100.0 * tally.unexpected / max(tally.runs, 1)


def begun(tally: Tally) -> int:
    """Return the number of runs of a cell, those under way included."""
    return tally.runs + tally.running


def task_seed(seed: int, number: int) -> int:
    """Return a task's seed, derived from the campaign's."""
    digest = hashlib.sha256(f"soak {seed} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 2
