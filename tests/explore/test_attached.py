"""Instruments that attach to a user's code: copies of emu's functions give what emu gives, edited ones their violation.

A patch that has every replaceable function as it stands is explored beside the unpatched machine; and each seeded bug
that lies in replaceable functions is brought as a patch, in which its edit is made.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emu.expected import expected, policies_of, policy_by_name
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.explanation.complete import Found, completely_explained
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program
from tests.choice import slow_but
from tests.unit.loader.patches import code_of, edited, replaceable, verbatim

pytestmark = pytest.mark.timeout(300)

ALL = replaceable()
MODULES = sorted(set(ALL.values()))
SCOPES = {each.name: scope_of(each) for each in SCENARIOS}

COPIED = [
    (scenario.name, policy)
    for scenario in SCENARIOS
    for policy in ("kick-2016", "skip-running-2020", "always-2021", "elide-self-2022")
    if scenario.name not in ("all-to-all", "preempt-timer") and (scenario.tasks < 2 or policy == "elide-self-2022")
]
"""Where tasks share a pCPU, or migrate, scopes are the largest: one rule is enough there, without the timer."""
ONE_LEVEL = {"housekeeping-timer": 1}
"""Scenarios whose copies are explored in one level more or less; why is not known."""
FAST_COPIED = [("device-irq", "skip-running-2020"), ("wakeup-list", "elide-self-2022")]

BROUGHT = [
    (mutation.name, row.scenario, policies_of(row)[0])
    for mutation in MUTATIONS
    for row in mutation.rows[:1]
    if mutation.edits and all(edit.function in ALL for edit in mutation.edits)
]
FAST_BROUGHT = [each for each in BROUGHT if each[0] == "no-fastpath-sync"]

Search = Callable[[Program, str, str], Result]


@pytest.fixture(scope="session")
def search() -> Search:
    """Return what explores a scenario's own scope."""

    def searched(program: Program, scenario: str, policy: str) -> Result:
        return explore(Builder(program, SCOPES[scenario], policy_by_name(policy).number), Options())[0]

    return searched


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Load a patch that copies whatever may be replaced."""
    texts = [verbatim([name for name, where in ALL.items() if where == module], module) for module in MODULES]
    return load_program(code_of(tmp_path_factory.mktemp("copies"), *texts))


def check_of(result: Result) -> str:
    """Return the check that fired, or an empty string."""
    assert result.complete or result.violation is not None, result.bounded_by
    return CHECKS[result.violation.sighting >> 8] if result.violation is not None else ""


@pytest.mark.parametrize(("scenario", "policy"), slow_but(FAST_COPIED, COPIED, several=True))
def test_a_copy_of_everything_explores_as_emu_does(
    search: Search, program: Program, copied: Program, scenario: str, policy: str
) -> None:
    """The same verdict, windows and depth, and about as many states: what attaches is no more than what was there."""
    theirs, ours = search(copied, scenario, policy), search(program, scenario, policy)
    assert check_of(theirs) == check_of(ours)
    assert theirs.windows == ours.windows
    assert abs(theirs.depth - ours.depth) <= ONE_LEVEL.get(scenario, 0)
    assert abs(theirs.states - ours.states) <= ours.states // 50


@pytest.mark.slow
def test_a_copy_is_explained_as_emu_is(program: Program, copied: Program) -> None:
    """Who owed what, who was silent, and by which branch of the rule: in whatever file the functions stand."""

    def story(loaded: Program) -> str:
        def make() -> Builder:
            return Builder(loaded, SCOPES["device-irq"], policy_by_name("skip-running-2020").number)

        builder = make()
        _result, search, model = explore(builder, Options())
        found = Found(builder, Options(), model, search)
        return completely_explained(found, make, "device-irq", "skip-running-2020").story

    assert story(copied) == story(program)


@pytest.mark.parametrize(("name", "scenario", "policy"), slow_but(FAST_BROUGHT, BROUGHT, several=True))
def test_a_seeded_bug_that_a_user_brings_is_found(
    search: Search, tmp_path: Path, name: str, scenario: str, policy: str
) -> None:
    """By a check that the table names of the bug."""
    wanted = expected(scenario, policy, name)
    assert wanted is not None
    (mutation,) = [each for each in MUTATIONS if each.name == name]
    check = check_of(search(load_program(code_of(tmp_path, *edited(mutation))), scenario, policy))
    assert (check in wanted.checks) if wanted.outcome != "PASS" else check == ""
