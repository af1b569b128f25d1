"""The run: every planned configuration gets its time and ends as one row, whatever happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from emu.observe.accounting import WINDOWS
from hosts.runs.collect import Measured, Undelivered
from hosts.runs.plan import Plan, Planned, Wanted, make_plan
from hosts.runs.runner import Request
from hosts.runs.scheduler import Settings, Stress, regime_of, stint_seed
from hosts.runs.unseen import PATIENCE
from hosts.runs.verdict import Row, Verdict

Scripted = Callable[[Callable[[Request], Any]], Any]


class Noted:
    """A show that remembers."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.live: list[tuple[Planned, Measured]] = []

    def running(self, planned: Planned, measured: Measured) -> None:
        """Remember."""
        self.live.append((planned, measured))

    def exploring(self, planned: Planned) -> None:
        """Leave it."""

    def finished(self, row: Row) -> None:
        """Remember."""
        self.rows.append(row)


@pytest.fixture
def stress(clock: Any) -> Callable[..., Stress]:
    """Return runs with two processors, seed 7."""

    def make(plan: Plan, runner: Any, seconds: float = 60.0, **settings: Any) -> Stress:
        given: dict[str, Any] = {"seed": 7, "placement": "pinned", "processors": 2, "limit": seconds, **settings}
        return Stress(plan, runner, Settings(seconds=seconds, **given), Noted(), clock)

    return make


@pytest.fixture
def as_the_table_says(blank: Callable[[], Any]) -> Callable[[Request], Any]:
    """Do what is expected: all windows entered, the first of the expected checks fires."""

    def deed(request: Request) -> Any:
        planned = request.planned
        words = blank().count("rounds", 10).count("self_posts", 100)
        for window in WINDOWS:
            words.window(window)
        for check in planned.sought[:1]:
            words.record(check, [5, 0x31, 1, 0x31, 1, 0, 1, 1])
        return words

    return deed


def test_all_as_expected(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """A host that does what the table says: each row once, none against the table, in the time given."""
    plan = make_plan(Wanted(), 2)
    runner = scripted(as_the_table_says)
    begun = runner.clock.now
    rows = list(stress(plan, runner).rows())
    assert sorted(str(row.planned) for row in rows) == sorted(map(str, plan.rows))
    assert all(row.as_expected for row in rows)
    assert 40 < runner.clock.now - begun < 61


def test_a_bug_that_shows_at_once_takes_little_time(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """The row ends a moment after its check has fired a few times."""
    plan = make_plan(Wanted(mutations=["no-entry-sync"]), 2)
    (row, *_) = stress(plan, scripted(as_the_table_says)).rows()
    assert row.verdict is Verdict.VIOLATION
    assert 0.14 < row.measured.seconds < 0.2


def all_quiet(blank: Any) -> Callable[[Request], Any]:
    """Enter all windows, and nothing more."""

    def deed(_request: Request) -> Any:
        words = blank()
        for window in WINDOWS:
            words.window(window)
        return words

    return deed


def test_a_bug_that_does_not_show_is_waited_for(stress: Any, scripted: Scripted, blank: Any) -> None:
    """In longer and longer runs, each under another disturbance; and yet it proves nothing that it did not show."""
    plan = make_plan(Wanted(["remote-post"], ["always-2021"], ["no-entry-sync"]), 2)
    runner = scripted(all_quiet(blank))
    (row,) = stress(plan, runner, seconds=1.0, limit=40.0).rows()
    assert (row.verdict, row.as_expected) == (Verdict.INCONCLUSIVE, None)
    assert row.measured.seconds == pytest.approx(PATIENCE, abs=0.05)
    assert [request.regime for request in runner.requests[:4]] == ["calm", "delays", "starvation", "calm"]
    assert runner.requests[0].seconds < runner.requests[1].seconds < runner.requests[2].seconds


def test_an_uncaught_canary_spoils_its_scenario(stress: Any, scripted: Scripted, blank: Any) -> None:
    """No PASS of a scenario is believed in a run that cannot see its bug."""
    plan = make_plan(Wanted(["halt-wake"]), 2)
    rows = list(stress(plan, scripted(all_quiet(blank))).rows())
    assert rows[0].planned.canary
    assert {row.verdict for row in rows if row.planned.mutation is None} == {Verdict.UNTRUSTWORTHY}


def test_a_window_that_is_not_entered_is_given_more_time(stress: Any, scripted: Scripted, blank: Any) -> None:
    """But not for ever."""
    plan = make_plan(Wanted(["kick"], ["kick-2016"], controls="none"), 2)
    runner = scripted(lambda _request: blank())
    (row,) = stress(plan, runner, seconds=1.0, limit=20.0).rows()
    assert row.verdict is Verdict.INCONCLUSIVE
    assert 3 < row.measured.seconds < 5


def test_the_limit_ends_everything(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """A second for everything: rows that were not run say so, and there is one for each."""
    plan = make_plan(Wanted(), 2)
    runner = scripted(as_the_table_says)
    begun = runner.clock.now
    rows = list(stress(plan, runner, seconds=1.0).rows())
    assert len(rows) == len(plan.rows)
    assert runner.clock.now - begun < 1.5
    assert rows[-1].verdict is Verdict.INCONCLUSIVE
    assert re.fullmatch(r"the budget ended first: for all rows about \d+ s would have been enough", rows[-1].reason)


def test_a_busy_machine_cuts_all_rows_alike(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """Starting processes takes seven times as long as usual: each row is run, and for the same part of its time."""
    plan = make_plan(Wanted(), 2)
    runner = scripted(as_the_table_says)
    runner.overhead = 0.55
    begun = runner.clock.now
    rows = list(stress(plan, runner, seconds=100.0, limit=125.0).rows())
    assert runner.clock.now - begun < 126
    assert {row.verdict for row in rows if not row.planned.sought} <= {Verdict.PASS, Verdict.INCONCLUSIVE}
    assert all(row.measured.seconds > 0 for row in rows)
    clean = [row for row in rows if row.planned.mutation is None and not row.planned.sought]
    parts = [row.measured.seconds / row.planned.nominal_seconds for row in clean]
    assert max(parts[8:]) < 2 * min(parts[8:])  # what starting takes has to be seen a few times


def test_what_waits_is_asked_for_at_the_end(stress: Any, scripted: Scripted, blank: Any) -> None:
    """A rare bug, and its scenario's rows when it is the canary, take nothing from the rows behind them."""
    plan = make_plan(Wanted(["halt-wake", "kick"], controls="some"), 2)
    raced = {"rare": 0.0}

    def deed(request: Request) -> Any:
        words, planned = all_quiet(blank)(request), request.planned
        rare = planned.canary and planned.scenario.name == "halt-wake"
        raced["rare"] += request.seconds * rare
        if planned.sought and (not rare or raced["rare"] > 3.0):
            words.record(planned.sought[0], [5, 0x31, 1, 0x31, 1, 0, 1, 1])
        return words

    rows = list(stress(plan, scripted(deed), seconds=12.0, limit=22.0).rows())
    names = [row.planned.scenario.name for row in rows if not row.planned.mutation]
    assert names == ["kick"] * 4 + ["halt-wake"] * 4
    assert all(row.as_expected for row in rows)


def test_ctrl_c_cancels_the_rest(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """What was finished stays, what ran and what had not begun are CANCELLED."""
    plan = make_plan(Wanted(["timer-slowpath", "kick"], controls="none"), 2)
    runner = scripted(as_the_table_says)
    runner.endings = iter([{}, {"cancelled": True}])
    rows = list(stress(plan, runner).rows())
    assert [row.verdict for row in rows] == ["PASS", *["CANCELLED"] * 7]
    assert len(runner.requests) == 2
    assert rows[1].measured.counts["rounds"] == 10


def test_ctrl_c_between_two_runs(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """The same."""
    plan = make_plan(Wanted(["timer-slowpath"], controls="none"), 2)
    run = stress(plan, scripted(as_the_table_says))
    rows = run.rows()
    first = next(rows)
    run.cancel()
    assert [first.verdict, *(row.verdict for row in rows)] == ["PASS", *["CANCELLED"] * 3]


def test_a_crash_is_one_row(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """With its reason; the others go on."""
    plan = make_plan(Wanted(["kick"], controls="none"), 2)
    runner = scripted(as_the_table_says)
    runner.endings = iter([{}, {"crash": "pCPU 1 was killed by SIGKILL"}])
    rows = {row.planned.policy.name: row for row in stress(plan, runner).rows()}
    assert rows["skip-running-2020"].verdict is Verdict.CRASH
    assert "SIGKILL" in rows["skip-running-2020"].reason
    assert [row.verdict for row in rows.values()].count(Verdict.PASS) == 3


def test_a_fault_of_the_rule_is_one_row(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """It is the rule's, not the processes': the line that tells it is the reason."""
    plan = make_plan(Wanted(["kick"], controls="none"), 2)
    runner = scripted(as_the_table_says)
    runner.endings = iter([{}, {"crash": "pCPU 1: line 7 of the rule", "fault": "my.py:7: divides by zero"}])
    rows = {row.planned.policy.name: row for row in stress(plan, runner).rows()}
    assert rows["skip-running-2020"].verdict is Verdict.CRASH
    assert rows["skip-running-2020"].fault == rows["skip-running-2020"].reason == "my.py:7: divides by zero"
    assert [row.verdict for row in rows.values()].count(Verdict.PASS) == 3


def test_what_was_seen_before_a_hang_is_the_verdict(stress: Any, scripted: Scripted, blank: Any) -> None:
    """Sightings are exact when they are made, and lie in shared memory: the hang is told beside them."""
    plan = make_plan(Wanted(["remote-post"], ["elide-self-2022"], controls="none"), 2)
    runner = scripted(lambda _request: blank().record("C1", [9000, 0x31, 1, 0x31, 1, 0, 1, 1]))
    runner.endings = iter([{"crash": "pCPU 0 hung: nothing in the machine has moved for 4.1 s in which it could run"}])
    (row,) = stress(plan, runner).rows()
    assert (row.verdict, row.measured.fired("C1")) == (Verdict.VIOLATION, 9000)
    assert row.reason.startswith("C1 x 9000; then pCPU 0 hung: nothing in the machine")
    assert row.crash.startswith("pCPU 0 hung")


def test_a_canary_that_crashes_after_it_was_seen_is_caught(
    stress: Any, scripted: Scripted, as_the_table_says: Any
) -> None:
    """It has shown that the run can see its bug; the crash is a row of its own that is not as expected."""
    plan = make_plan(Wanted(["halt-wake"], ["always-2021"]), 2)
    runner = scripted(as_the_table_says)
    runner.endings = iter([{"crash": "pCPU 1 was killed by SIGKILL"}])
    canary, clean, *_ = stress(plan, runner).rows()
    assert (canary.verdict, canary.as_expected, clean.verdict) == (Verdict.VIOLATION, False, Verdict.PASS)


def test_what_the_fabric_lost_counts_after_a_clean_end_only(
    stress: Any, scripted: Scripted, as_the_table_says: Any
) -> None:
    """A killed process takes messages with it."""
    plan = make_plan(Wanted(["timer-slowpath"], controls="none"), 2)
    lost = (Undelivered(0, 0, 0xF2, 2, 1),)
    runner = scripted(as_the_table_says)
    runner.endings = iter([{"undelivered": lost}, {"undelivered": lost, "crash": "gone"}])
    verdicts = [(str(row.verdict), row.measured.fired("C10")) for row in stress(plan, runner).rows()]
    assert verdicts[:2] == [("VIOLATION", 1), ("CRASH", 0)]


def test_a_stalled_worker_spoils_its_row(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """In whichever of the row's runs it was stalled."""
    plan = make_plan(Wanted(["remote-post"], ["kick-2016"], controls="none"), 2)
    runner = scripted(as_the_table_says)
    runner.endings = iter([{"stalled": (1,)}])
    (row,) = stress(plan, runner).rows()
    assert row.verdict is Verdict.UNTRUSTWORTHY


def test_too_few_pcpus_are_skipped(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """--cpus 1: what needs two is not run."""
    plan = make_plan(Wanted(["remote-post"], ["kick-2016"], controls="none", cpus=1), 2)
    runner = scripted(as_the_table_says)
    (row,) = stress(plan, runner).rows()
    assert (row.verdict, row.reason) == (Verdict.SKIPPED, "needs 2 pCPUs, has 1")
    assert runner.requests == []


def test_round_trips_are_timed_per_run(stress: Any, scripted: Scripted, as_the_table_says: Any) -> None:
    """Time over self-posts, one for each of five repeats, the policies taking turns."""
    plan = make_plan(Wanted(["tscdeadline-immed"], controls="none"), 2)
    runner = scripted(as_the_table_says)
    rows = list(stress(plan, runner).rows())
    assert all(len(row.round_trips) == 5 for row in rows)
    assert rows[0].round_trips[0] == pytest.approx(runner.requests[0].seconds * 1e9 / 100)
    assert len({request.planned.policy.name for request in runner.requests[:4]}) == 4


def test_seeds_depend_on_the_row_and_not_on_the_rest(row: Callable[..., Planned]) -> None:
    """A row that is run again by itself with the same seed draws the same; any other draws something else."""
    one, other = row("kick", "kick-2016"), row("kick", "always-2021")
    assert stint_seed(7, one, 0) == stint_seed(7, row("kick", "kick-2016"), 0)
    assert len({stint_seed(7, one, 0), stint_seed(7, one, 1), stint_seed(8, one, 0), stint_seed(7, other, 0)}) == 4
    assert 0 <= stint_seed((1 << 62) - 1, one, 0) < 1 << 62


def test_one_pcpu_is_never_disturbed(row: Callable[..., Planned]) -> None:
    """There is nobody to race, and the clock runs."""
    assert {regime_of(row("timer-fastpath", "kick-2016", pcpus=1), stint, 3) for stint in range(5)} == {"calm"}


def test_both_disturbances_are_drawn(row: Callable[..., Planned]) -> None:
    """Calm first; then what the seed says."""
    planned = row("remote-post", "kick-2016")
    assert regime_of(planned, 0, 3) == "calm"
    assert {regime_of(planned, 1, seed) for seed in range(4)} == {"delays", "starvation"}
