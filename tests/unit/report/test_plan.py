"""What a run consists of."""

from __future__ import annotations

import pytest

from emu.expected import controls
from emu.machine import USER
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.runs.plan import REPEATS, Plan, PlanError, Planned, Wanted, make_plan


def names(plan: Plan) -> list[tuple[str, str, str | None]]:
    """Name a plan's rows."""
    return [_name(row) for row in plan.rows]


def _name(row: Planned) -> tuple[str, str, str | None]:
    return row.scenario.name, row.policy.name, row.mutation.name if row.mutation is not None else None


def test_everything_is_every_scenario_under_every_policy_and_controls() -> None:
    """No arguments: the whole product, unmutated, once each; and rows of the table of seeded bugs."""
    planned = names(make_plan(Wanted(), 3))
    clean = [(scenario.name, policy.name, None) for scenario in SCENARIOS for policy in POLICIES]
    assert sorted(row for row in planned if row[2] is None) == sorted(clean)
    assert {row for row in planned if row[2] is not None} <= set(controls())
    assert len(set(planned)) == len(planned)


def test_the_default_run_takes_about_a_minute() -> None:
    """The sum of what the rows take, processes included, is between one minute and two."""
    assert 60 < make_plan(Wanted(), 2).nominal_seconds < 120


def test_each_row_of_the_table_has_a_control_in_the_default_run() -> None:
    """One policy at least of each (scenario, mutation) that the table speaks of."""
    planned = {(scenario, mutation) for scenario, _, mutation in names(make_plan(Wanted(), 3)) if mutation}
    assert planned == {(scenario, mutation) for scenario, _, mutation in controls()}


def test_a_bug_that_tells_policies_apart_runs_under_both_sides() -> None:
    """The commit's claim needs ``always`` and ``elide-self`` side by side."""
    planned = names(make_plan(Wanted(), 2))
    for policy in ("always-2021", "elide-self-2022"):
        assert ("tscdeadline-immed", policy, "no-fastpath-sync") in planned
        assert ("device-irq", policy, "irq-instant-before-entry") in planned


def test_all_controls_is_the_whole_table() -> None:
    """``--controls all``."""
    planned = names(make_plan(Wanted(controls="all"), 3))
    assert sorted(row for row in planned if row[2] is not None) == sorted(controls())


def test_no_controls_means_no_canary_either() -> None:
    """``--controls none``."""
    assert all(row.mutation is None for row in make_plan(Wanted(controls="none"), 2).rows)


def test_a_canary_runs_before_the_rows_that_rely_on_it() -> None:
    """Where the table has a bug that must be seen in a scenario, one such row comes first, once."""
    plan = make_plan(Wanted(), 3)
    for scenario in SCENARIOS:
        rows = [row for row in plan.rows if row.scenario == scenario]
        able = any(row.sought and row.mutation is not None for row in rows)
        assert [row.canary for row in rows] == [able, *[False] * (len(rows) - 1)]


def test_filters_narrow_both_ways() -> None:
    """--scenario and --policy, repeated."""
    wanted = Wanted(["kick", "halt-wake"], ["kick-2016", "always-2021"], controls="none")
    assert sorted(names(make_plan(wanted, 2)), key=str) == [
        ("halt-wake", "always-2021", None),
        ("halt-wake", "kick-2016", None),
        ("kick", "always-2021", None),
        ("kick", "kick-2016", None),
    ]


def test_a_mutation_by_name_runs_the_rows_of_the_table_only() -> None:
    """--mutation: nothing unmutated, nothing the table does not speak of."""
    planned = names(make_plan(Wanted(mutations=["rvi-not-written", "no-second-check"]), 2))
    assert set(planned) == {row for row in controls() if row[2] in ("rvi-not-written", "no-second-check")}


def test_naming_all_three_runs_exactly_that() -> None:
    """Even where the table says nothing; then nothing is expected."""
    plan = make_plan(Wanted(["all-to-all"], ["kick-2016"], ["rvi-not-written"]), 2)
    assert names(plan) == [("all-to-all", "kick-2016", "rvi-not-written")]
    assert plan.rows[0].expectation is None


def test_a_mutation_that_the_table_knows_nowhere_near_is_refused() -> None:
    """A filter that leaves nothing is an error, not an empty success."""
    with pytest.raises(PlanError, match="name --scenario and --policy"):
        make_plan(Wanted(["kick"], [], ["rvi-not-written"]), 2)


def test_a_users_policy_runs_all_scenarios_under_its_name() -> None:
    """Nothing is expected of it; canaries run beside it."""
    plan = make_plan(Wanted(policies=["own.py:rule"]), 3)
    own = [row for row in plan.rows if row.policy.name == "own.py:rule"]
    assert [row.scenario for row in own] == list(SCENARIOS)
    assert all(row.policy.number == USER and row.expectation is None for row in own)
    assert all(row.canary for row in plan.rows if row not in own)


def test_two_users_policies_are_one_too_many() -> None:
    """A compiled program has room for one."""
    with pytest.raises(PlanError, match=r"one policy from a file, not 2: a.py:f, b.py:g"):
        make_plan(Wanted(policies=["a.py:f", "b.py:g"]), 2)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(["tiemr"]), "unknown scenario 'tiemr'; known: timer-fastpath, "),
        (
            Wanted([], ["always"]),
            r"unknown policy 'always' \(did you mean always-2021\?\); known: kick-2016, .* or a rule of your own",
        ),
        (Wanted(["device-ira"]), r"unknown scenario 'device-ira' \(did you mean device-irq\?\); known: "),
        (Wanted([], ["Elide_Self_2022"]), r"unknown policy 'Elide_Self_2022' \(did you mean elide-self-2022\?\); "),
        (Wanted([], [], ["barrier"]), r"unknown mutation 'barrier' \(did you mean no-.*-barrier"),
        (Wanted([], [], ["none"]), "unknown mutation 'none'; known: no-fastpath-sync, "),
    ],
)
def test_unknown_names_list_the_known_ones(wanted: Wanted, message: str) -> None:
    """In one line."""
    with pytest.raises(PlanError, match=message) as caught:
        make_plan(wanted, 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cpus", [0, -1, 65])
def test_an_impossible_number_of_pcpus_is_refused(cpus: int) -> None:
    """--cpus."""
    with pytest.raises(PlanError, match="1 to 64 pCPUs"):
        make_plan(Wanted(cpus=cpus), 2)


@pytest.mark.parametrize(
    ("scenario", "cpus", "processors", "pcpus"),
    [
        ("timer-fastpath", None, 1, 1),
        ("timer-fastpath", None, 8, 1),
        ("timer-fastpath", 8, 2, 1),
        ("remote-post", None, 1, 2),
        ("remote-post", None, 2, 2),
        ("remote-post", None, 64, 4),
        ("remote-post", 32, 2, 32),
        ("remote-post", 1, 2, 1),
    ],
)
def test_how_many_pcpus_a_scenario_gets(scenario: str, cpus: int | None, processors: int, pcpus: int) -> None:
    """What it needs; more if it grows and there are processors, or if the user says so."""
    plan = make_plan(Wanted([scenario], cpus=cpus, controls="none"), processors)
    assert {row.pcpus for row in plan.rows} == {pcpus}


def test_all_to_all_has_a_vcpu_on_every_pcpu() -> None:
    """The others have one vCPU, or run several as tasks."""
    rows = make_plan(Wanted(cpus=5, controls="none"), 2).rows
    assert {row.vcpus for row in rows if row.scenario.name == "all-to-all"} == {5}
    others = [row for row in rows if row.scenario.name != "all-to-all"]
    assert all(row.vcpus == max(row.scenario.tasks, 1) for row in others)


def test_what_needs_more_processors_is_left_out_unless_it_is_asked_for() -> None:
    """And named: a row that can prove nothing would make every run on this machine one that is unproven."""
    plan = make_plan(Wanted(), 2)
    assert [each.name for each in plan.left_out] == ["migrate", "pre-block-migrate"]
    assert not {"migrate", "pre-block-migrate"} & {row.scenario.name for row in plan.rows}
    assert {row.scenario.name for row in make_plan(Wanted(["migrate"]), 2).rows} == {"migrate"}
    assert make_plan(Wanted(), 3).left_out == ()


def test_round_trips_are_timed_in_repeats_of_policies_taking_turns() -> None:
    """Five repeats at least, all policies in one group."""
    plan = make_plan(Wanted(["tscdeadline-immed"], controls="none"), 2)
    assert len(plan.groups) == 1
    assert REPEATS >= 5
    assert all(row.stints == REPEATS for row in plan.rows)
