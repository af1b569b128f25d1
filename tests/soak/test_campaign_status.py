"""What is said of a campaign: the worst first, figures by placement, all of it for programs too."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from hosts.soak.placement.core_sharing import TITLES, core_sharing
from hosts.soak.store.records import read_back
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from hosts.soak.view.assessment import WINDOWS, Assessment, duration_text
from hosts.soak.view.export import export_lines
from hosts.soak.view.rates import Spread, rates
from hosts.soak.view.status import Status

HERE = "remote-post"
TASK = Task(scenario=HERE, policy="always-2021", pcpus=2, place="core-complex", processors=(0, 1))
CANARY = replace(TASK, policy="elide-self-2022", mutation="no-sync-at-entry", canary=True)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Begin a campaign."""
    return Campaign.create(tmp_path, {"seed": 7})


def record(windows: Mapping[str, int] | None = None, seen: int = 0, posts: int = 0, **other: Any) -> dict[str, Any]:
    """Return a result record."""
    entered = dict.fromkeys(WINDOWS[HERE], 1) if windows is None else dict(windows)
    violations = [{"check": "C1", "count": seen, "first": {}}] if seen else []
    return {"violations": violations, "windows": entered, "counts": {"posts": posts}, **other}


PASSED = Result(verdict="PASS", as_expected=True, seconds=2.0, record=record(), where="host:1")
CAUGHT = Result(verdict="VIOLATION", as_expected=True, seconds=0.5, record=record(seen=3), where="host:1")
MISSED = Result(verdict="INCONCLUSIVE", seconds=5.0, record=record(), where="host:1")
BROKEN = replace(CAUGHT, reason="C1 x 3", as_expected=False)


def done(campaign: Campaign, *pairs: tuple[Task, Result]) -> Assessment:
    """Enter runs; give what they come to."""
    for task, result in pairs:
        campaign.finish(campaign.begin(task), result)
    with Campaign.read(campaign.folder) as reader:
        assert Assessment.of(reader) == Assessment.of(campaign)
    return Assessment.of(campaign)


# --- the first line ----------------------------------------------------------------------------------------------


def test_nothing_alarming_is_said_in_numbers(campaign: Campaign) -> None:
    """With a canary caught and each window entered."""
    found = done(campaign, (CANARY, CAUGHT), (TASK, PASSED))
    assert (found.exit_code, found.alarms) == (0, ())
    assert found.headline == "as expected; 2 runs, 2.5 s raced, 1 of 1 canary caught"


def test_an_empty_campaign_proves_nothing(campaign: Campaign) -> None:
    """Nor does one whose runs were all interrupted."""
    for _ in range(2):
        found = Assessment.of(campaign)
        assert found.exit_code == 2
        assert found.headline.startswith("NOT PROVEN: nothing has been run to its end yet")
        campaign.interrupt(campaign.begin(TASK), "Ctrl-C")


def test_what_was_not_run_yet_is_not_as_expected(tmp_path: Path) -> None:
    """A soak of some seconds says nothing of the scenarios that it did not come to."""
    campaign = Campaign.create(tmp_path, {"scenarios": [HERE, "kick"], "policies": [TASK.policy], "mutations": []})
    found = done(campaign, (CANARY, CAUGHT), (TASK, PASSED))
    assert found.exit_code == 2
    assert found.alarms == (f"not run yet: kick x {TASK.policy}",)
    explored = replace(TASK, scenario="kick", kind="explore", place="unpinned")
    assert done(campaign, (explored, PASSED)).alarms == ()


def test_with_a_user_s_patch_today_s_rule_is_all_that_is_to_be_run(tmp_path: Path) -> None:
    """Unless the campaign names others."""
    code = {"patches": ["fix.py"]}
    campaign = Campaign.create(tmp_path, {"scenarios": [HERE], "policies": [], "mutations": [], "code": code})
    patched = replace(TASK, policy="elide-self-2022+fix.py")
    assert done(campaign, (replace(CANARY, policy="always-2021+fix.py"), CAUGHT), (patched, PASSED)).alarms == ()


def test_a_canary_that_was_not_caught_comes_first(campaign: Campaign) -> None:
    """The last one counts: an earlier catch says nothing of now."""
    found = done(campaign, (CANARY, CAUGHT), (TASK, PASSED), (CANARY, MISSED))
    assert found.exit_code == 2
    where = f"{HERE} core-complex (1 of 2, the last missed)"
    assert found.headline.startswith(f"NOT PROVEN: the canary was not caught in {where};")
    assert done(campaign, (CANARY, CAUGHT)).exit_code == 0


def test_a_canary_stands_for_its_placement_alone(campaign: Campaign) -> None:
    """What two cores show says nothing of two threads of one."""
    found = done(campaign, (CANARY, CAUGHT), (replace(TASK, place="smt"), PASSED))
    assert found.alarms == (f"no canary has run in {HERE} smt",)


def test_no_canary_is_asked_for_where_there_can_be_none(campaign: Campaign) -> None:
    """Where pCPUs share a processor, store buffers hardly race."""
    found = done(campaign, (replace(TASK, place="shared", processors=(0, 0)), PASSED))
    assert found.alarms == ()


@pytest.mark.parametrize("scenario", WINDOWS)
def test_a_canary_is_asked_for_in_every_scenario(campaign: Campaign, scenario: str) -> None:
    """Those too that the table of expected verdicts has no seeded bug for."""
    entered = replace(PASSED, record=record(dict.fromkeys(WINDOWS[scenario], 1)))
    found = done(campaign, (replace(TASK, scenario=scenario), entered))
    assert found.alarms == (f"no canary has run in {scenario} core-complex",)


def test_no_window_entered_comes_first(campaign: Campaign) -> None:
    """By scenario, over all its unmutated runs: the canary's own do not help."""
    nothing = replace(PASSED, record=record({}))
    found = done(campaign, (CANARY, CAUGHT), (TASK, nothing))
    assert found.headline.startswith(f"NOT PROVEN: no race window was entered in {HERE};")
    first, *rest = WINDOWS[HERE]
    found = done(campaign, (TASK, replace(PASSED, record=record({first: 1}))))
    assert found.alarms == (f"never entered: {HERE} {', '.join(rest)}",)
    assert done(campaign, (TASK, replace(PASSED, record=record(dict.fromkeys(rest, 1))))).alarms == ()


def test_a_window_that_no_interleaving_enters_is_not_missed(campaign: Campaign) -> None:
    """Of each rule that is raced there it has to be known, from a search that came to its end."""
    *some, last = WINDOWS[HERE]
    raced = replace(PASSED, record=record(dict.fromkeys(some, 1)))
    searched = replace(TASK, kind="explore", place="unpinned", regime="calm")
    missed = (f"never entered: {HERE} {last}",)
    assert done(campaign, (CANARY, CAUGHT), (TASK, raced)).alarms == missed
    assert done(campaign, (searched, replace(raced, verdict="INCONCLUSIVE"))).alarms == missed
    assert done(campaign, (searched, raced)).alarms == ()
    assert done(campaign, (replace(TASK, policy="kick-2016"), raced)).alarms == missed
    assert done(campaign, (replace(searched, policy="kick-2016"), raced)).alarms == ()


def test_what_is_not_as_expected_comes_before_all(campaign: Campaign) -> None:
    """With the first run's number, and the rest of what is wrong behind it."""
    found = done(campaign, (TASK, PASSED), (TASK, BROKEN), (TASK, BROKEN))
    assert found.exit_code == 1
    assert found.headline.startswith(
        f"NOT AS EXPECTED: 2 of 3 runs, the first 2 ({TASK}: VIOLATION: C1 x 3); no canary"
    )


def test_accountings_that_differ_are_not_as_expected(campaign: Campaign) -> None:
    """Whatever the verdict."""
    found = done(campaign, (CANARY, CAUGHT), (TASK, replace(PASSED, disagreements=("posts: 3 and 2",))))
    assert found.exit_code == 1
    assert found.headline.startswith(
        f"NOT AS EXPECTED: the accounts of 1 run disagree, the first 2 ({TASK}: PASS: posts"
    )


def test_runs_that_prove_nothing_are_not_taken_for_proof(campaign: Campaign) -> None:
    """A machine too small for the claim, all along."""
    doubtful = replace(PASSED, verdict="UNTRUSTWORTHY", as_expected=None)
    found = done(campaign, (replace(TASK, place="shared", processors=(0, 0)), doubtful))
    assert found.alarms == ("no run was a PASS or a VIOLATION",)


def test_a_canary_that_is_caught_proves_nothing_of_the_others(campaign: Campaign) -> None:
    """Nor does one policy's PASS of another one's, nor a PASS where pCPUs share a processor."""
    doubtful = replace(PASSED, verdict="UNTRUSTWORTHY", as_expected=None)
    found = done(campaign, (CANARY, CAUGHT))
    assert (found.alarms, found.exit_code) == (("nothing but canaries has been run to its end yet",), 2)
    found = done(campaign, (TASK, doubtful), (TASK, doubtful))
    assert (found.alarms, found.exit_code) == (("no run was a PASS or a VIOLATION",), 2)
    shared = replace(TASK, policy="kick-2016", place="shared", processors=(0, 0))
    found = done(campaign, (replace(TASK, policy="elide-self-2022"), PASSED), (shared, doubtful))
    assert found.alarms == (f"no run was a PASS or a VIOLATION in {HERE} x always-2021",)
    assert done(campaign, (TASK, PASSED)).alarms == ()


def test_many_of_a_kind_are_counted(campaign: Campaign) -> None:
    """The first line stays a line."""
    places = ["smt", "package", "numa", "other-package", "unpinned"]
    found = done(campaign, *((replace(TASK, place=place), PASSED) for place in places))
    assert found.alarms == (f"no canary has run in {HERE} smt, {HERE} package, {HERE} numa and 2 more",)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0.0 s"), (59.9, "59.9 s"), (60, "1 min"), (3599, "59 min"), (7380, "2 h 03 min")]
)
def test_durations_are_in_words(seconds: float, said: str) -> None:
    """In two units at most."""
    assert duration_text(seconds) == said


# --- rates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "pcpus", "processors", "company"),
    [
        ("core-complex", 2, (0, 1), "multicore"),
        ("other-package", 3, (0, 1, 2), "multicore"),
        ("core-complex", 2, (1, 1), "shared"),  # meant so, but not so
        ("core-complex", 2, (), "unpinned"),
        ("smt", 2, (0, 4), "smt"),
        ("smt", 2, (), "unpinned"),  # as was
        ("shared", 2, (), "shared"),
        ("unpinned", 2, (), "unpinned"),
        ("a new class", 2, (0, 1), "unpinned"),
        ("package", 1, (0,), "alone"),
    ],
)
def test_only_cores_of_their_own_are_called_multicore(
    place: str, pcpus: int, processors: tuple[int, ...], company: str
) -> None:
    """By what the pCPUs were given, whatever it is called."""
    assert core_sharing(place, pcpus, processors) == company
    assert ("multicore:" in TITLES[core_sharing(place, pcpus, processors)]) == (company == "multicore")


def test_a_rate_has_its_spread_its_place_and_its_processors(campaign: Campaign) -> None:
    """Over the runs of a policy in a scenario on a placement; each placement apart."""
    for seen, seconds, processors in [(0, 2.0, (0, 1)), (8, 4.0, (2, 3)), (2, 2.0, (2, 3))]:
        result = replace(CAUGHT, seconds=seconds, record=record(seen=seen, posts=100, round_trip_ns=[5.0, 1.0, 3.0]))
        campaign.finish(campaign.begin(replace(TASK, processors=processors)), result)
    campaign.finish(campaign.begin(replace(TASK, place="unpinned", processors=())), PASSED)
    multicore, unpinned = rates(campaign)
    assert (multicore.key.sharing, unpinned.key.sharing) == ("multicore", "unpinned")
    assert (multicore.runs, multicore.seconds, multicore.sightings) == (3, 8.0, 10)
    assert multicore.sightings_per_second == Spread(0.0, 1.0, 2.0)
    assert multicore.posts_per_second == Spread(25.0, 50.0, 50.0)
    assert multicore.round_trip_ns == Spread(3.0, 3.0, 3.0)
    assert multicore.processors == ("2,3", "0,1")
    assert (unpinned.processors_named, unpinned.round_trip_ns) == ("any", None)


def test_the_processors_are_those_that_the_worker_used(campaign: Campaign) -> None:
    """A task that was planned here may be done elsewhere; two hosts are two lines."""
    campaign.finish(campaign.begin(TASK), replace(PASSED, processors=(8, 9), where="big:4711"))
    campaign.finish(campaign.begin(TASK), replace(PASSED, processors=(3, 3), where="small 4711"))
    found = {rate.key.host: (rate.key.sharing, rate.processors_named) for rate in rates(campaign)}
    assert found == {"big": ("multicore", "8,9"), "small": ("shared", "3,3")}


@pytest.mark.parametrize("place", ["core-complex", "smt", "other-package"])
def test_a_run_that_lost_its_affinity_is_excluded_from_placement_rates(campaign: Campaign, place: str) -> None:
    """A line of its own, under another title, with no processors; the report and the record count such runs."""
    task = replace(TASK, place=place)
    label = "pCPU 1 did not stay on processor 1: at the end it ran on 0"
    moved = replace(CAUGHT, processors=(0, 1), strayed=True, notes=(label,), record=record(seen=9))
    stayed = replace(CAUGHT, processors=(0, 1), record=record(seen=2), seconds=2.0)
    done(campaign, (task, stayed), (task, moved), (replace(task, place="unpinned", processors=()), PASSED))
    placed, strayed, unpinned = rates(campaign)
    assert (placed.key.place, placed.runs, placed.sightings) == (place, 1, 2)
    assert (strayed.key.sharing, strayed.key.place, strayed.sightings) == ("unpinned", "strayed", 9)
    assert strayed.processors_named == "any"
    assert (unpinned.key.place, unpinned.runs) == ("unpinned", 1)
    said = "1 run in which a pCPU lost its affinity, excluded from placement rates: the first is 2 ("
    assert said in shown(campaign)
    assert Status.of(campaign).to_json()["strayed"] == 1
    _, first, second, _ = export_lines(campaign)
    assert (first["strayed"], second["strayed"], second["notes"]) == (False, True, [label])


def test_runs_that_were_ended_have_no_rates(campaign: Campaign) -> None:
    """Nor do explorations and interrupted runs."""
    campaign.finish(campaign.begin(TASK), replace(PASSED, verdict="CRASH", as_expected=False))
    campaign.finish(campaign.begin(replace(TASK, kind="explore")), PASSED)
    campaign.interrupt(campaign.begin(TASK), "")
    assert rates(campaign) == []


# --- all of it ---------------------------------------------------------------------------------------------------


def shown(campaign: Campaign) -> str:
    """Return the report as it is printed into a file."""
    console = Console(file=io.StringIO(), width=150)
    Status.of(campaign).print_to(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_status_begins_with_the_headline(campaign: Campaign) -> None:
    """Then what one has to look into, then figures under the name of their placement."""
    done(
        campaign,
        (CANARY, CAUGHT),
        (TASK, replace(PASSED, record=record(posts=123_456))),
        (replace(TASK, place="shared", processors=(1, 1)), PASSED),
        (replace(TASK, kind="explore", scope="1 sender"), replace(PASSED, seconds=12.0)),
        (TASK, replace(BROKEN, files={"events.txt": b""})),
    )
    campaign.interrupt(campaign.begin(TASK), "Ctrl-C")
    campaign.begin(TASK)
    text = shown(campaign)
    assert text.startswith("NOT AS EXPECTED: 1 of 5 runs, the first 5")
    assert (
        "5 remote-post x always-2021, core-complex, calm, seed 0: VIOLATION: C1 x 3; pirace soak show 5 --campaign"
        in text
    )
    assert "6 remote-post x always-2021, core-complex, calm, seed 0: interrupted: Ctrl-C" in text
    assert "seed 0: under way since 20" in text
    multicore, shared = text.index(TITLES["multicore"]), text.index(TITLES["shared"])
    assert multicore < text.index("2 core-complex") < shared < text.index("2 shared") < text.index("seeded bugs")
    assert "no-sync-at-entry (canary)" in text[text.index("seeded bugs") :]
    assert "1 sender" in text[text.index("explored") :]


def test_figures_where_processors_are_shared_are_never_called_multicore(campaign: Campaign) -> None:
    """Not on any line."""
    done(campaign, (replace(TASK, place="shared", processors=(1, 1)), PASSED), (replace(TASK, processors=()), PASSED))
    assert "not multicore figures" in shown(campaign)
    assert "multicore:" not in shown(campaign)


def test_a_run_without_a_process_is_cut_off(campaign: Campaign) -> None:
    """A reader sees that the soak is gone before it is resumed."""
    campaign.begin(TASK)
    campaign.broken = True  # as after a kill: nothing more is entered
    campaign.close()
    with Campaign.read(campaign.folder) as reader:
        text = shown(reader)
    assert "cut off" in text
    assert "not running" in text


def test_notes_on_the_machine_are_shown_whole_and_once(tmp_path: Path) -> None:
    """Of all sessions: figures made in a virtual machine, or within a quota, are to be read as such."""
    guest, quota = "This is a virtual machine: who knows.", "It has the time of 1.5 processors."
    Campaign.create(tmp_path, {}, {"topology_notes": [guest]}).close()
    with Campaign.resume(tmp_path, {"topology_notes": [guest, quota]}) as campaign:
        lines = shown(campaign).splitlines()
        assert [line for line in lines if "note:" in line] == [f"  note: {guest}", f"  note: {quota}"]
        assert Status.of(campaign).to_json()["topology_notes"] == [guest, quota]
        assert next(iter(export_lines(campaign)))["sessions"][1]["environment"]["topology_notes"] == [guest, quota]
    with Campaign.create(tmp_path / "before", {}, {}) as campaign:  # begun with a pirace that noted none
        assert "note:" not in shown(campaign)


def test_a_soak_that_has_just_ended_is_not_running(campaign: Campaign) -> None:
    """Though it still has the folder, which others see in use."""
    done(campaign, (TASK, PASSED))
    console = Console(file=io.StringIO(), width=150)
    status = Status.of(campaign, over=True)
    status.print_to(console)
    assert isinstance(console.file, io.StringIO)
    assert "running now" not in console.file.getvalue()
    assert "not running" in console.file.getvalue()
    assert status.to_json()["in_use"] is False
    assert Status.of(campaign).in_use


def test_a_status_is_a_record(campaign: Campaign) -> None:
    """Plain JSON with everything that is shown."""
    done(campaign, (CANARY, CAUGHT), (TASK, BROKEN))
    told = json.loads(json.dumps(Status.of(campaign).to_json(), allow_nan=False))
    assert told["headline"] == Assessment.of(campaign).headline
    assert told["verdicts"] == {"VIOLATION": 2}
    assert [row["id"] for row in told["alarming"]] == [2]
    assert told["canaries"] == [
        {"scenario": HERE, "place": "core-complex", "runs": 1, "caught": 1, "last": 1, "since": 1}
    ]
    assert {cell["sightings"] for cell in told["cells"]} == {3}
    assert told["rates"][0]["sightings_per_second"] == {"least": 6.0, "median": 6.0, "most": 6.0}


def test_an_export_has_a_line_for_each_run(campaign: Campaign) -> None:
    """What it is, where and when, how it was done and what came of it; the task as it can be done again."""
    campaign.finish(campaign.begin(TASK), replace(PASSED, notes=("stalled",)))
    campaign.interrupt(campaign.begin(TASK), "Ctrl-C")
    campaign.begin(replace(TASK, kind="explore"))
    lines = list(export_lines(campaign))
    head, *runs = (json.loads(json.dumps(line, allow_nan=False)) for line in lines)
    assert [head, *runs] == lines  # plain JSON already: a reader compares records with what was written
    assert (head["record"], head["settings"]) == ("campaign", {"seed": 7})
    assert [(run["id"], run["state"], run["verdict"]) for run in runs] == [
        (1, "finished", "PASS"),
        (2, "interrupted", None),
        (3, "running", None),
    ]
    assert len({frozenset(run) for run in runs}) == 1
    assert runs[0]["result"] == record()
    assert runs[0]["notes"] == ["stalled"]
    assert runs[1]["interrupted_by"] == "Ctrl-C"
    assert read_back(json.dumps(runs[0]["task"]), Task) == TASK
    assert [run["id"] for run in list(export_lines(campaign, kind="explore"))[1:]] == [3]
