"""A user's own rule is explored beside its races: what that adds to a row, and what it takes of the run's time."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from emu.observe.accounting import WINDOWS
from hosts.report.jsonl import result_record, schema
from hosts.report.live import plain_line
from hosts.report.sentences import sentences
from hosts.report.tables import print_report, unexplored_lines
from hosts.runs.collect import Measured
from hosts.runs.explored import Explored, difference
from hosts.runs.plan import Plan, Planned, Wanted, make_plan
from hosts.runs.scheduler import EXPLORING_AT_MOST, Settings, Stress
from hosts.runs.verdict import Circumstances, Row, Verdict, exit_code, grade
from tests.unit.report.test_stress import Noted
from tests.validator import errors

MINE = "my_policy.py:trigger"
COMMAND = f"pirace explore --policy {MINE} --scenario remote-post"
ALL = frozenset(WINDOWS)
NO_NOTIFICATION = ALL - {"notified-in-guest"}


def plan_of(*scenarios: str, policies: tuple[str, ...] = (MINE,), **more: Any) -> Plan:
    """Plan rows of the user's rule."""
    return make_plan(Wanted(list(scenarios), list(policies), **{"controls": "none", **more}), 2)


class FakeScout:
    """Finds what the test says, in the time that it says, all it is given if that is None."""

    def __init__(self, clock: Any, found: Explored, seconds: float | None = None) -> None:
        self.clock, self.found, self.seconds = clock, found, seconds
        self.asked: list[tuple[str, float]] = []
        self.raced: list[int] = []
        self.runner: Any = None

    def wait(self) -> None:
        """Be ready."""

    def explore(self, planned: Planned, seconds: float, cancelled: Callable[[], bool]) -> Explored:  # noqa: ARG002
        """Find it."""
        self.asked.append((str(planned), seconds))
        self.raced.append(len(self.runner.requests))
        self.clock.now += seconds if self.seconds is None else self.seconds
        return self.found


@pytest.fixture
def run(clock: Any, scripted: Any, blank: Any) -> Callable[..., tuple[list[Row], FakeScout, Any]]:
    """Return what runs a plan in which races enter these windows, fire nothing, and the explorer finds this."""

    def running(
        plan: Plan, found: Explored, entered: frozenset[str] = ALL, seconds: float = 20.0, takes: float | None = 1.0
    ) -> tuple[list[Row], FakeScout, Any]:
        def deed(_request: Any) -> Any:
            words = blank().count("posts", 100)
            for window in entered:
                words.window(window)
            return words

        runner, scout = scripted(deed), FakeScout(clock, found, takes)
        scout.runner = runner
        settings = Settings(seconds=seconds, limit=seconds + 2, seed=7, placement="pinned", processors=2)
        return list(Stress(plan, runner, settings, Noted(), clock, scout).rows()), scout, runner

    return running


def text_of(rows: list[Row]) -> str:
    """Print the end of a run."""
    out = io.StringIO()
    print_report(Console(file=out, width=100), rows, len(rows))
    return out.getvalue()


def test_a_pass_that_was_not_explored_says_so(run: Any) -> None:
    """With the command, in the row's line and at the end, there in one piece however narrow the terminal."""
    (row,), _, _ = run(plan_of("remote-post"), Explored(COMMAND, why="time limit of 3.0 s reached"))
    assert row.verdict is Verdict.PASS
    assert f"; not explored: {COMMAND} (time limit of 3.0 s reached)" in plain_line(row, 1, 1)
    assert f"remote-post x {MINE}: not explored: {COMMAND} (time limit of 3.0 s reached)\n" in text_of([row])
    assert result_record(row, 7)["explored"]["why"] == "time limit of 3.0 s reached"


def test_a_violation_that_only_the_explorer_found_is_the_rows(run: Any) -> None:
    """With its check and the command that tells the way there; exit status 1."""
    found = Explored(COMMAND, found="C2 about 61 in 13 steps", checks=("C2",), states=400)
    (row,), _, _ = run(plan_of("remote-post"), found)
    assert (row.verdict, row.checks, row.as_expected) == (Verdict.VIOLATION, ("C2",), False)
    assert row.reason == f"explored: C2 about 61 in 13 steps: {COMMAND}"
    assert exit_code([row]) == 1
    text = text_of([row])
    assert "VIOLATION (!) C2" in text
    assert f"explored: C2 about 61 in 13 steps: {COMMAND}\n" in text
    assert "(C2, in the explorer; no race showed it)" in " ".join(text.split())


def test_a_fault_of_the_rule_that_only_the_explorer_comes_to_is_the_rows(run: Any) -> None:
    """The race that did not come to it proves nothing of such a rule."""
    fault = "my.py:7: divides by zero"
    (row,), _, _ = run(plan_of("remote-post"), Explored(COMMAND, why=fault, fault=fault))
    assert (row.verdict, row.reason, row.fault) == (Verdict.CRASH, fault, fault)


def test_what_both_have_seen_is_told_together(row: Any, measured: Any) -> None:
    """Each check once, the races' counts first; and a crash behind them."""
    planned = plan_of("remote-post").rows[0]
    found = Explored(COMMAND, found="no-progress in 30 steps", checks=("no-progress", "C1"))
    both = grade(planned, measured("C1", "C7"), Circumstances("crash", "pCPU 1 hung", explored=found))
    assert both.checks == ("C1", "C7", "no-progress")
    assert both.reason == f"C1 x 3, C7 x 3; explored: no-progress in 30 steps: {COMMAND}; then pCPU 1 hung"


def test_a_window_that_the_rule_makes_impossible_is_not_demanded(run: Any) -> None:
    """A rule that notifies nobody: the row is a PASS, no time is spent waiting, and what was left out is named."""
    complete = Explored(COMMAND, complete=True, states=12345, entered=NO_NOTIFICATION)
    (row,), _, runner = run(plan_of("remote-post"), complete, NO_NOTIFICATION)
    assert (row.verdict, row.not_demanded) == (Verdict.PASS, ("notified-in-guest",))
    assert len(runner.requests) == row.planned.stints
    line = plain_line(row, 1, 1)
    assert "; explored: complete, 12,345 states; not demanded: notified-in-guest (in no interleaving of the" in line
    assert result_record(row, 7)["not_demanded"] == ["notified-in-guest"]


def test_a_window_that_the_rule_sends_nothing_for_is_not_demanded(clock: Any, scripted: Any, blank: Any) -> None:
    """Explored or not. A seeded bug may send what the rule does not, and another rule is another rule."""

    def deed(_request: Any) -> Any:
        words = blank()
        for window in NO_NOTIFICATION:
            words.window(window)
        return words

    settings = Settings(
        seconds=5, limit=7, seed=7, placement="pinned", processors=2, never=("notified-in-guest", "notified-in-root")
    )

    def rows_of(plan: Plan) -> list[Row]:
        return list(Stress(plan, scripted(deed), settings, Noted(), clock).rows())

    rows = {row.planned.policy.name: row for row in rows_of(plan_of("remote-post", policies=("always-2021", MINE)))}
    mine, other = rows[MINE], rows["always-2021"]
    (seeded,) = rows_of(plan_of("remote-post", mutations=["no-entry-barrier"]))
    assert mine.verdict is Verdict.PASS
    assert mine.notes == ("not demanded: notified-in-guest (this rule sends no notification)",)
    assert [row.not_demanded for row in (mine, other, seeded)] == [("notified-in-guest",), (), ()]
    assert [row.verdict for row in (other, seeded)] == [Verdict.INCONCLUSIVE] * 2


@pytest.mark.parametrize(
    "found",
    [
        Explored(COMMAND, why="time limit of 3.0 s reached", states=99, entered=NO_NOTIFICATION),
        Explored(COMMAND, complete=True, states=99, entered=ALL),
    ],
)
def test_a_window_that_may_be_possible_is_demanded(run: Any, found: Explored) -> None:
    """A search that did not come to its end leaves nothing out, nor is a window left out that can be entered."""
    (row,), _, runner = run(plan_of("remote-post"), found, NO_NOTIFICATION)
    assert (row.verdict, row.reason) == (Verdict.INCONCLUSIVE, "never entered: notified-in-guest")
    assert row.not_demanded == ()
    assert len(runner.requests) > row.planned.stints


def test_only_what_was_not_entered_is_left_out(run: Any) -> None:
    """A race may enter what no interleaving of the smaller scope does."""
    complete = Explored(COMMAND, complete=True, states=99, entered=NO_NOTIFICATION)
    (row,), _, _ = run(plan_of("remote-post"), complete, ALL)
    assert (row.verdict, row.not_demanded) == (Verdict.PASS, ())


def test_a_rule_that_makes_no_difference_is_told(run: Any) -> None:
    """In whose words it can fail."""
    complete = Explored(COMMAND, complete=True, states=9, entered=ALL, same_as=("elide-self-2022",))
    (row,), _, _ = run(plan_of("device-irq"), complete)
    assert "what elide-self-2022 does; it cannot fail here where that does not" in plain_line(row, 1, 1)
    assert "what a and b do; it cannot fail here where those do not" in difference(("a", "b"))
    assert difference(()) == ""


def test_a_rule_that_makes_no_difference_anywhere_is_told_of_the_run(run: Any) -> None:
    """In the rule's sentence, and only if it is the same policy in every scenario."""
    elides = Explored(COMMAND, complete=True, states=9, entered=ALL, same_as=("elide-self-2022", "always-2021"))
    rows, _, _ = run(plan_of("device-irq", "kick"), elides)
    assert "in all 2 scenarios it does the same as always-2021 and elide-self-2022, operation" in sentences(rows)[0]
    assert "it does here the same as always-2021 and elide-self-2022, operation" in sentences(rows[:1])[0]
    other = replace(rows[1], explored=replace(elides, same_as=("kick-2016",)))
    assert "nothing else" not in sentences([rows[0], other])[0]


def test_a_quiet_run_does_not_hide_that_a_pass_was_not_explored(run: Any) -> None:
    """A line for each, with the command; what was explored to its end has none."""
    (row,), _, _ = run(plan_of("remote-post"), Explored(COMMAND, why="time limit of 3.0 s reached"))
    assert unexplored_lines([row]) == [
        f"remote-post x {MINE}: PASS, not explored: {COMMAND} (time limit of 3.0 s reached)"
    ]
    complete = replace(row, explored=Explored(COMMAND, complete=True, entered=ALL))
    assert unexplored_lines([complete, replace(row, explored=None)]) == []


def test_exploring_takes_its_share_of_the_run_and_no_more(run: Any, clock: Any) -> None:
    """A scope just before its scenario's races, at most half of the time, and all together what was planned."""
    plan, begun = plan_of("remote-post", "device-irq", "kick"), clock.now
    rows, scout, runner = run(plan, Explored(COMMAND), takes=None)
    assert [row.verdict for row in rows] == [Verdict.PASS] * 3
    assert sum(seconds for _, seconds in scout.asked) <= EXPLORING_AT_MOST * 20 + 1e-6
    assert scout.raced == [0, 2, 4]
    assert clock.now - begun == pytest.approx(20, abs=1)
    assert sum(request.seconds for request in runner.requests) > 8


def test_what_exploring_does_not_take_is_raced(run: Any, clock: Any) -> None:
    """A scope that is done at once leaves its time to the next ones, and to the races."""
    plan, begun = plan_of("remote-post", "device-irq", "kick"), clock.now
    _, scout, runner = run(plan, Explored(COMMAND), takes=0.1)
    shares = [seconds for _, seconds in scout.asked]
    assert shares == pytest.approx([5.0, 4.95, 9.8], abs=0.5)
    assert clock.now - begun == pytest.approx(20, abs=1)
    assert sum(request.seconds for request in runner.requests) > 17


def test_only_the_users_own_rule_is_explored(run: Any) -> None:
    """What is known of the others need not be found out again; of lost messages the explorer knows nothing."""
    rows, scout, _ = run(plan_of("remote-post", policies=("always-2021", MINE)), Explored(COMMAND))
    assert [name for name, _ in scout.asked] == [f"remote-post x {MINE}"]
    assert [row.explored is None for row in rows] == [True, False]
    fabric = plan_of("remote-post", mutations=["ipi-lost-counted", "no-entry-sync"])
    _, scout, _ = run(fabric, Explored(COMMAND))
    assert [name for name, _ in scout.asked] == [f"remote-post x {MINE} + no-entry-sync"]


def test_after_ctrl_c_nothing_is_explored(clock: Any, scripted: Any, blank: Any) -> None:
    """All rows are CANCELLED."""
    runner = scripted(lambda _request: blank())
    runner.endings = iter([{"cancelled": True}])
    scout = FakeScout(clock, Explored(COMMAND), 1.0)
    scout.runner = runner
    settings = Settings(seconds=20, limit=22, seed=7, placement="pinned", processors=2)
    rows = list(Stress(plan_of("remote-post", "kick"), runner, settings, Noted(), clock, scout).rows())
    assert [row.verdict for row in rows] == [Verdict.CANCELLED] * 2
    assert len(scout.asked) == 1


@pytest.mark.parametrize("found", [None, Explored(COMMAND), Explored(COMMAND, found="C2 in 9 steps", checks=("C2",))])
def test_the_records_are_as_the_schema_says(measured: Any, found: Explored | None) -> None:
    """Explored or not; a wrong one is refused."""
    planned = plan_of("remote-post").rows[0]
    made: Measured = measured(windows=tuple(NO_NOTIFICATION))
    record = result_record(grade(planned, made, Circumstances(processors=2, explored=found)), 7)
    assert errors(json.loads(json.dumps(record)), schema()) == []
    assert errors(record | {"explored": {"command": 1}}, schema())


def test_a_run_with_a_rule_of_ones_own_is_planned_longer() -> None:
    """By what exploring takes, if the user does not say how long it is to be."""
    plan, historic = plan_of("remote-post"), plan_of("remote-post", policies=("always-2021",))
    assert plan.nominal_seconds == pytest.approx(historic.nominal_seconds + plan.exploring_seconds)
    assert (plan.exploring_seconds > 0, historic.exploring_seconds) == (True, 0)
    assert replace(plan.rows[0], pcpus=1).explorable is False
