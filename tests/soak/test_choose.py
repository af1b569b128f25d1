"""What a campaign does next, and that nothing but its seed and its results decides it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from emu.workload.scenarios import SCENARIOS
from hosts.runs.plan import PlanError
from hosts.soak.placement.classes import Place
from hosts.soak.plan.canaries import NEED_TWO_PROCESSORS
from hosts.soak.plan.choose import (
    CANARY_SECONDS,
    EXPLORE_FROM,
    RUNS_AFTER_MISS,
    RUNS_PER_CANARY,
    CampaignSettings,
    Chooser,
)
from hosts.soak.store.tallies import CanaryKey, Cell, Entry, Tallies
from hosts.soak.task import Task

Outcome = tuple[str, bool | None, float]
"""Verdict, as expected, seconds."""


def places(pcpus: int) -> list[Place]:
    """Return the placements of a made-up machine of four processors."""
    if pcpus == 1:
        return [Place("alone", (0,)), Place("unpinned")]
    first = tuple(range(pcpus))
    return [
        Place("core-complex", first),
        Place("core-complex", first[::-1]),
        Place("shared", (0,) * pcpus),
        Place("unpinned"),
    ]


def fine(task: Task) -> Outcome:
    """Be what is hoped for: canaries are caught, all else passes."""
    return ("VIOLATION", True, 0.2) if task.canary else ("PASS", True, task.seconds if task.kind == "race" else 1.0)


class Made:
    """A campaign without a file."""

    def __init__(self, wanted: CampaignSettings, processors: int = 4) -> None:
        self.chooser = Chooser(wanted, places, processors)
        self.tallies = Tallies()
        self.tasks: list[Task] = []

    def step(self, outcome: Callable[[Task], Outcome] = fine, windows: int = 0) -> Task:
        """Choose a task, and enter what became of it."""
        number = len(self.tasks) + 1
        task = self.chooser.next(self.tallies.cells, number)
        cell = Cell.of(task)
        self.tallies.begin(number, cell)
        verdict, as_expected, seconds = outcome(task)
        self.tallies.end(Entry(number, "finished", cell, verdict, as_expected, seconds, windows={"a": windows}))
        self.tasks.append(task)
        return task

    def spent(self, kind: str) -> float:
        """Return the seconds of all races, or of all explorations."""
        return sum(tally.seconds for cell, tally in self.tallies.cells.items() if cell.kind == kind)

    def steps(self, count: int, outcome: Callable[[Task], Outcome] = fine) -> Iterator[Task]:
        """Take so many."""
        for _ in range(count):
            yield self.step(outcome)


ONE_CANARY = CampaignSettings(scenarios=("remote-post",), policies=("always-2021",), places=("core-complex",), seed=1)


def test_the_same_seed_and_results_give_the_same_tasks() -> None:
    """To the last seed; with another seed they differ."""
    one, same, other = (list(Made(CampaignSettings(seed=seed)).steps(60)) for seed in (7, 7, 8))
    assert one == same
    assert one != other


def test_no_two_tasks_have_a_seed_in_common() -> None:
    """However often a cell comes again."""
    tasks = list(Made(ONE_CANARY).steps(80))
    assert len({task.seed for task in tasks}) == len(tasks)
    assert all(0 <= task.seed < 1 << 62 for task in tasks)


def test_every_cell_gets_its_turn() -> None:
    """Half of the races go where least time was spent, those on shared processors a quarter as often."""
    made = Made(CampaignSettings(scenarios=("remote-post", "timer-fastpath"), seed=3))
    cells = set(made.chooser.cells)
    races = Counter[Cell]()
    while races.total() < 6 * len(cells):
        task = made.step()
        if task.kind == "race" and not task.canary:
            races[Cell.of(task)] += 1
    assert set(races) == cells


def test_what_is_asked_for_is_raced_in_each_scenario_before_anything_is_weighed() -> None:
    """Whatever was found meanwhile, with processors of its own if there are any, and behind its canary."""

    def found(task: Task) -> Outcome:
        return ("VIOLATION", task.canary, task.seconds) if task.policy == "kick-2016" or task.canary else fine(task)

    made = Made(CampaignSettings(policies=("kick-2016", "always-2021"), seed=11))
    tasks = [task for task in made.steps(60, found) if task.kind == "race"]
    until = [task.canary for task in tasks[: 3 * len(SCENARIOS)]]
    assert not any(one and next_one for one, next_one in pairwise(until))  # what a canary speaks for follows at once
    races = [task for task in tasks if not task.canary]
    first = races[: 2 * len(SCENARIOS)]
    assert len({(task.scenario, task.policy) for task in first}) == len(first)
    assert not any(task.place == "shared" for task in first)


def test_a_rule_of_the_users_own_is_explored_in_each_scenario_from_the_first_task_on() -> None:
    """In half of the time: a broken one is found out before its scenario has had its turn among the races."""
    made = Made(CampaignSettings(policies=("my_policy.py:trigger",), seed=12))
    tasks: list[Task] = []
    while sum(task.kind == "explore" for task in tasks) < len(SCENARIOS):
        tasks.append(made.step())
        assert made.spent("explore") <= made.spent("race") + 1.0
    assert tasks[0].kind == "explore"
    assert {task.scenario for task in tasks if task.kind == "explore"} == {each.name for each in SCENARIOS}
    assert sum(task.seconds for task in tasks if task.kind == "race" and not task.canary) <= len(SCENARIOS) + 2.0


def test_a_cell_against_the_table_is_raced_more_than_others() -> None:
    """A hundred times the weight of one that found nothing, in half of the draws."""

    def outcome(task: Task) -> Outcome:
        found = task.policy == "kick-2016" and task.scenario == "kick" and task.regime == "delays"
        return ("VIOLATION", False, task.seconds) if found and not task.canary else fine(task)

    made = Made(CampaignSettings(scenarios=("kick", "halt-wake"), places=("core-complex",), cpus=2, seed=5))
    counts = Counter(Cell.of(task) for task in made.steps(400, outcome) if task.kind == "race" and not task.canary)
    [(first, most), (_, second)] = counts.most_common(2)
    assert (first.policy, first.scenario, first.regime) == ("kick-2016", "kick", "delays")
    assert most > 3 * second


def test_a_cell_whose_runs_crash_does_not_take_all_turns() -> None:
    """It has never run for a second, and counts as if it had."""

    def outcome(task: Task) -> Outcome:
        return ("CRASH", None, 0.0) if task.regime == "delays" and not task.canary else fine(task)

    made = Made(ONE_CANARY)
    races = [task for task in made.steps(150, outcome) if task.kind == "race" and not task.canary]
    crashed = sum(task.regime == "delays" for task in races)
    assert 0.15 * len(races) < crashed < 0.5 * len(races)


def test_a_canary_comes_first_and_then_every_so_often() -> None:
    """For each scenario on each placement, before any other race there."""
    made = Made(CampaignSettings(scenarios=("remote-post", "kick"), seed=2))
    seen: dict[tuple[str, str], list[bool]] = {}
    for task in made.steps(400):
        if task.kind == "race" and task.place != "shared":
            seen.setdefault(CanaryKey.of(Cell.of(task)), []).append(task.canary)
    assert len(seen) == 4
    for spot, canaries in seen.items():
        assert canaries[0], spot
        between = len(canaries) - sum(canaries)
        assert sum(canaries) == 1 + (between - 1) // RUNS_PER_CANARY + (between % RUNS_PER_CANARY == 0), spot


def test_a_canary_that_was_missed_comes_again_sooner() -> None:
    """So that what it casts doubt on is not raced in vain for long."""

    def missed(task: Task) -> Outcome:
        return ("INCONCLUSIVE", None, task.seconds) if task.canary else fine(task)

    tasks = [task for task in Made(ONE_CANARY).steps(40, missed) if task.kind == "race"]
    gaps = "".join("c" if task.canary else "." for task in tasks)
    assert gaps.startswith(("c" + "." * RUNS_AFTER_MISS) * 3)


def test_where_processors_are_shared_no_canary_is_asked_for() -> None:
    """Store buffers hardly race there; those rows are never called PASS."""
    made = Made(CampaignSettings(scenarios=("remote-post",), places=("shared",), seed=4))
    assert not any(task.canary for task in made.steps(60))


def test_every_scenario_has_a_canary_that_must_be_caught() -> None:
    """A seeded bug, without disturbance, on each placement where its pCPUs have processors of their own."""
    canaries = Made(CampaignSettings()).chooser.canaries
    assert {scenario for scenario, _ in canaries} == {scenario.name for scenario in SCENARIOS}
    assert {place for _, place in canaries} == {"alone", "core-complex", "unpinned"}
    assert all(cell.mutation is not None and cell.regime == "calm" for cell in canaries.values())


def test_a_canary_left_to_the_scheduler_needs_no_second_processor() -> None:
    """A busy machine may keep its pCPUs on one processor for long; seen: a missing barrier, not caught in 5 s."""
    canaries = Made(CampaignSettings(scenarios=("halt-wake",))).chooser.canaries
    assert canaries[CanaryKey("halt-wake", "core-complex")].mutation == "no-wait-barrier"
    assert canaries[CanaryKey("halt-wake", "unpinned")].mutation == "wake-dropped"
    others = (cell for spot, cell in Made(CampaignSettings()).chooser.canaries.items() if spot.place == "unpinned")
    assert not NEED_TWO_PROCESSORS & {cell.mutation for cell in others}


def test_a_seeded_bug_that_is_asked_for_is_raced_beside_its_canary() -> None:
    """For as long as any race: a canary ends at its first sightings, and ends no soak."""
    made = Made(
        CampaignSettings(
            scenarios=("tscdeadline-immed",),
            policies=("elide-self-2022",),
            mutations=("no-fastpath-sync",),
            seed=1,
        )
    )
    assert {cell._replace(canary=False) for cell in made.chooser.canaries.values()} == set(made.chooser.cells)
    tasks = [task for task in made.steps(60, lambda task: ("VIOLATION", True, task.seconds)) if task.kind == "race"]
    races = [task for task in tasks if not task.canary]
    assert {task.seconds for task in races} == {2.0}
    assert 0 < len(tasks) - len(races) <= 2 + len(races) // RUNS_PER_CANARY
    assert sum(tally.runs for tally in made.tallies.canaries.values()) == len(tasks) - len(races)


def test_explorations_have_a_tenth_of_the_time_and_come_once() -> None:
    """What was seen whole need not be seen again."""
    made = Made(CampaignSettings(scenarios=("remote-post", "kick"), places=("core-complex",), seed=6))
    tasks = list(made.steps(300))
    explored = [Cell.of(task) for task in tasks if task.kind == "explore"]
    assert len(explored) == len(set(explored)) == 8  # two scenarios, four policies
    assert all(task.processors == () for task in tasks if task.kind == "explore")


def test_an_exploration_that_was_cut_short_gets_twice_the_time() -> None:
    """Until it would take for ever."""

    def short(task: Task) -> Outcome:
        return ("INCONCLUSIVE", None, task.seconds) if task.kind == "explore" else fine(task)

    made = Made(ONE_CANARY)
    budgets = [task.seconds for task in made.steps(4000, short) if task.kind == "explore"]
    assert budgets[:4] == [EXPLORE_FROM * factor for factor in (1, 2, 4, 8)]
    spent = sum(tally.seconds for tally in made.tallies.cells.values())
    assert sum(budgets) < 0.25 * spent


def test_one_processor_explores_nothing() -> None:
    """It has races to run."""
    made = Made(ONE_CANARY, processors=1)
    assert not any(task.kind == "explore" for task in made.steps(50))


def test_a_faulty_fabric_is_not_explored() -> None:
    """The explorer has none."""
    made = Made(CampaignSettings(mutations=("ipi-lost-counted", "no-entry-barrier"), seed=1))
    assert {cell.mutation for cell in made.chooser.explored} == {"no-entry-barrier"}


def test_the_time_left_bounds_a_race_and_no_canary() -> None:
    """A soak of a minute ends after a minute; a canary that had no time to be caught would be a false alarm."""
    made = Made(ONE_CANARY)
    assert made.chooser.next(made.tallies.cells, 1, 0.5).seconds == CANARY_SECONDS
    made.step()
    assert made.chooser.next(made.tallies.cells, 2, 0.5).seconds == 0.5


def test_an_exploration_is_not_begun_without_time_for_it() -> None:
    """It would be cut short, and come to nothing."""
    made = Made(ONE_CANARY)
    while made.chooser.next(made.tallies.cells, len(made.tasks) + 1).kind != "explore":
        made.step()
    assert made.chooser.next(made.tallies.cells, len(made.tasks) + 1, EXPLORE_FROM / 2).kind == "race"


def test_pcpus_are_placed_as_the_class_says() -> None:
    """Examples of a class are drawn; the class is in the task."""
    tasks = [task for task in Made(CampaignSettings(scenarios=("kick",), seed=9)).steps(120) if task.kind == "race"]
    stood = {(task.place, task.processors) for task in tasks if task.pcpus == 2}
    assert stood >= {("core-complex", (0, 1)), ("core-complex", (1, 0)), ("shared", (0, 0)), ("unpinned", ())}


def test_sizes_are_the_fewest_the_usual_and_all() -> None:
    """Of scenarios that grow; --cpus asks for one."""
    sizes = {cell.pcpus for cell in Made(CampaignSettings(scenarios=("kick",)), processors=16).chooser.cells}
    assert sizes == {2, 4, 16}
    assert {cell.pcpus for cell in Made(CampaignSettings(scenarios=("kick",)), processors=2).chooser.cells} == {2}
    assert {cell.pcpus for cell in Made(CampaignSettings(scenarios=("kick",)), processors=1).chooser.cells} == {2}
    asked = {cell.pcpus for cell in Made(CampaignSettings(scenarios=("kick", "timer-fastpath"), cpus=3)).chooser.cells}
    assert asked == {1, 3}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (CampaignSettings(scenarios=("x",)), "unknown scenario 'x'"),
        (CampaignSettings(policies=("x",)), "unknown policy 'x'"),
        (CampaignSettings(mutations=("x",)), "unknown mutation 'x'"),
        (CampaignSettings(cpus=65), "--cpus 65: a machine has 1 to 64 pCPUs"),
        (CampaignSettings(places=("numa",)), "--place numa: this machine has alone, unpinned, core-complex, shared"),
        (CampaignSettings(scenarios=("timer-slowpath",), mutations=("no-entry-barrier",)), "has no such row"),
    ],
)
def test_what_cannot_be_soaked_is_refused(wanted: CampaignSettings, message: str) -> None:
    """With what there is instead."""
    with pytest.raises(PlanError, match=message):
        Chooser(wanted, places, 4)
