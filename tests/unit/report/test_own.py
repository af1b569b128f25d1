"""Rows of a user's own scenario and check: their verdicts, exit codes, sentences and records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emu.expected import policy_by_name
from hosts.explorer.model.entered import check_bit, window_bit
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Result
from hosts.explorer.search.result import Violation as Found
from hosts.explorer.threads.harness import scope_of
from hosts.loader.own.declared import Own
from hosts.loader.own.read import declared_in
from hosts.loader.source_file import source_file
from hosts.report.jsonl import explorer_record, result_record, schema
from hosts.report.sentences import sentences
from hosts.runs.collect import Measured, Violation, readable
from hosts.runs.explore_request import Asked
from hosts.runs.explored import Explored
from hosts.runs.explorer_runner import Searched
from hosts.runs.explorer_verdict import judged, search_facts
from hosts.runs.plan import PlanError, Planned, chosen_scenarios
from hosts.runs.reconcile import Allowed, reconciled
from hosts.runs.verdict import Circumstances, Row, Verdict, exit_code, grade
from tests.validator import errors

DOORBELL = Path(__file__).parents[2] / "doorbell.py"
MINE, BUILT_IN = "doorbell-answered", "kick-ends-stay"
TWO = Circumstances(processors=2)


@pytest.fixture(scope="module")
def own() -> Own:
    """Return what the example declares."""
    return declared_in([source_file(str(DOORBELL))])


@pytest.fixture(scope="module")
def planned(own: Own) -> Planned:
    """Return a row of its scenario."""
    return Planned(own.scenarios[0], policy_by_name("elide-self-2022"), None, None, 2, own=own)


def seen(own: Own, *entered: str, fired: str = "") -> Measured:
    """Return what a run has counted."""
    first = {"pcpu": 0, **readable([3, -1, 0, -1, 0, 0, 0, 0])}
    violations = (Violation(fired, 3, first),) if fired else ()
    windows = {name: int(name in entered) for name in own.windows}
    return Measured(windows=windows, violations=violations, seconds=1.0)


def test_a_race_that_enters_the_windows_passes(own: Own, planned: Planned) -> None:
    """And one that does not enter one, of its own or a built-in one, proves nothing."""
    assert grade(planned, seen(own, MINE, BUILT_IN), TWO).verdict is Verdict.PASS
    for there, missing in ((MINE, BUILT_IN), (BUILT_IN, MINE)):
        row = grade(planned, seen(own, there), TWO)
        assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, f"never entered: {missing}")
        assert exit_code([row]) == 2


def test_its_windows_are_demanded_though_the_explorer_enters_none(own: Own, planned: Planned) -> None:
    """A scenario that nothing can enter is not what its author meant it to be."""
    complete = Explored("pirace explore", complete=True, states=5, entered=frozenset({BUILT_IN}))
    row = grade(planned, seen(own, BUILT_IN), Circumstances(processors=2, explored=complete))
    assert (row.verdict, row.not_demanded) == (Verdict.INCONCLUSIVE, ())


def searched(own: Own, planned: Planned, result: Result) -> tuple[Row, dict[str, Any]]:
    """Judge a search, and write its record."""
    asked = Asked(planned, scope_of(planned.scenario, acts=own.act_numbers), own_scope=False)
    row = judged(asked, Searched(result), Options(), cancelled=False)
    return row, explorer_record(row, search_facts(asked, Searched(result), Options()))


def test_a_complete_search_without_a_window_proves_nothing(own: Own, planned: Planned) -> None:
    """Every interleaving was seen, and none was what the scenario is for."""
    bits = {name: 1 << window_bit(own.windows.index(name)) for name in (MINE, BUILT_IN)}
    row, record = searched(own, planned, Result(complete=True, windows=bits[BUILT_IN]))
    assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, f"never entered: {MINE}")
    assert (record["windows"][MINE], record["windows"][BUILT_IN]) == (0, 1)
    both = Result(complete=True, windows=bits[BUILT_IN] | bits[MINE])
    assert searched(own, planned, both)[0].verdict is Verdict.PASS


def test_a_check_of_its_own_is_told_by_its_name(own: Own, planned: Planned) -> None:
    """In the verdict of a race and of a search, their exit codes, their records, and the sentence of the run."""
    name = own.own_checks[0].name
    number = own.checks.index(name)
    raced = grade(planned, seen(own, MINE, fired=name), TWO)
    found = Found("sighting", number * 256 + 255, 4)
    bits = 1 << check_bit(number) | 1 << window_bit(own.windows.index(MINE))
    explored, record = searched(own, planned, Result(windows=bits, violations=[found]))
    for row in (raced, explored):
        assert (row.verdict, row.checks, exit_code([row])) == (Verdict.VIOLATION, (name,), 1)
    assert errors(record, schema()) == []
    assert errors(result_record(raced, 7), schema()) == []
    about = own.own_checks[0].about.rstrip(".")
    assert f'it fails in doorbell: "{about}" does not hold ({name}, 3 times)' in sentences([raced])[0]


def test_its_scenario_is_chosen_by_its_name(own: Own) -> None:
    """Beside the built-in ones; without the patch there is none of this name."""
    assert [each.name for each in chosen_scenarios(["doorbell"], own)] == ["doorbell"]
    assert chosen_scenarios([], own)[-1].name == "doorbell"
    with pytest.raises(PlanError, match="unknown scenario 'doorbell'"):
        chosen_scenarios(["doorbell"])


def test_what_a_small_scope_of_its_own_leaves_out_is_no_fault_of_ours(own: Own, planned: Planned) -> None:
    """A race of a user's scenario does more than its scope says; what both do is compared all the same."""
    row = grade(planned, seen(own, MINE, BUILT_IN, "pir-already-set"), TWO)
    both = reconciled(row, Allowed(frozenset({MINE, BUILT_IN, "sync-finds-on"}), frozenset(), complete=True))
    assert (both.not_allowed, both.explained, both.gap) == ((), ("pir-already-set",), ("sync-finds-on",))
