"""Commands on a machine with a user's patches: what rows are called, what is kept, what this machine does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from emu.expected import policy_by_name
from emu.machine import USER
from hosts.cli.explore import ExploreOptions, explore_command
from hosts.cli.replay import replay_command
from hosts.cli.stress import stress_command
from hosts.cli.trace import trace_lines
from hosts.errors import Failure
from hosts.exit_codes import EXIT_EXPECTED, EXIT_UNPROVEN
from hosts.explorer.counterexample.witness_file import load, save
from hosts.loader.program import load_program
from hosts.loader.user_code import CodeSpec, read_code
from hosts.runs.collect import Measured
from hosts.runs.own_code import OwnCode, own_code, policy_named, words_of
from hosts.runs.plan import PlanError, Wanted, chosen_policies, make_plan, one_policy
from hosts.runs.verdict import Row, Verdict, exit_code
from hosts.soak.plan.canaries import canary_of
from hosts.soak.task import Task
from hosts.soak.workers.race_result import planned_of
from tests.unit.cli.test_main import FakeScout, MadeUp
from tests.validator import records_in

LATE_CLEAR = """
from emu.lapic_regs import apic_find_highest_irr
from emu.posted_intr import pi_clear_on, pi_test_on
from emu.vmx_intr import kvm_apic_update_irr, vmx_set_rvi

def vmx_sync_pir_to_irr(vcpu):
    max_irr = -1
    if pi_test_on(vcpu.pi_desc) != 0:
        max_irr = kvm_apic_update_irr(vcpu)
        pi_clear_on(vcpu.pi_desc)
    else:
        max_irr = apic_find_highest_irr(vcpu)
    vmx_set_rvi(vcpu, max_irr)
    return max_irr
"""
"""ON is cleared behind the harvest: what is posted in between lies there without it."""
RULE = """
from emu.kvm_main import kvm_vcpu_kick

def kvm_vcpu_trigger_posted_interrupt(vcpu, vec):
    kvm_vcpu_kick(vcpu)
"""


def spec_of(folder: Path, text: str, name: str = "fix.py") -> CodeSpec:
    """Write a patch."""
    (folder / name).write_text(text)
    return CodeSpec(patches=(str(folder / name),))


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> OwnCode:
    """Return the patch of the sync, loaded once."""
    return own_of(spec_of(tmp_path_factory.mktemp("late"), LATE_CLEAR))


def own_of(spec: CodeSpec) -> OwnCode:
    """Load it."""
    code = read_code(spec)
    own = own_code(code, load_program(code))
    assert own is not None
    return own


def test_rows_are_called_after_the_patch(late: OwnCode) -> None:
    """Each policy in the patched machine; the number is the historic one's."""
    policy = one_policy("kick-2016", late)
    assert (policy.name, policy.number, policy.patched) == ("kick-2016+fix.py", 0, True)
    assert one_policy(None, late).name == "elide-self-2022+fix.py"
    assert policy_named(policy.name, late.code) == policy


def test_a_patch_of_the_rule_is_the_only_policy(tmp_path: Path) -> None:
    """Another one beside it is refused, with what to do."""
    own = own_of(spec_of(tmp_path, RULE))
    (policy,) = chosen_policies([], own)
    assert (policy.name, policy.number) == ("fix.py", USER)
    assert policy_named("fix.py", own.code) == policy
    with pytest.raises(PlanError, match=r"fix\.py replaces kvm_vcpu_trigger_posted_interrupt.*leave --policy out"):
        one_policy("kick-2016", own)


def test_what_the_machine_does_not_have_leaves_nothing_unproven(late: OwnCode) -> None:
    """A row of a seeded bug that it cannot have is not held against the others; alone it proves nothing."""
    plan = make_plan(Wanted(["remote-post"], ["always-2021"], own=late), 4)
    clean = next(row for row in plan.rows if row.mutation is None)
    lost = next(row for row in plan.rows if row.lost)
    passed = Row(clean, Verdict.PASS, "", Measured())
    skipped = Row(lost, Verdict.SKIPPED, lost.lost, Measured())
    assert exit_code([passed, skipped]) == EXIT_EXPECTED
    assert exit_code([skipped]) == EXIT_UNPROVEN


def test_today_s_rule_is_what_a_patch_is_tried_under(late: OwnCode) -> None:
    """Unless others are asked for; of unmutated rows nothing but delivery is expected."""
    plan = make_plan(Wanted(["device-irq"], [], (), "none", own=late), 4)
    assert [(row.policy.name, row.expectation) for row in plan.rows] == [("elide-self-2022+fix.py", None)]


def test_controls_of_a_rule_that_is_not_in_the_table_are_those_of_today_s(tmp_path: Path) -> None:
    """Where the rule itself is replaced: what shows under both of today's is taken to show."""
    own = own_of(spec_of(tmp_path, RULE))
    plan = make_plan(Wanted(["remote-post", "tscdeadline-immed"], own=own), 4)
    assert {row.policy.name for row in plan.rows} == {"fix.py"}
    told = {(row.scenario.name, row.mutation.name): row for row in plan.rows if row.mutation is not None}
    assert told["remote-post", "no-entry-barrier"].sought == ("C1", "C7")
    assert ("tscdeadline-immed", "no-fastpath-sync") not in told
    assert [row.scenario.name for row in plan.rows if row.canary] == ["remote-post"]
    canary = canary_of("remote-post", 2, "core-complex", own)
    assert canary is not None
    assert (canary.policy.name, canary.sought) == ("fix.py", ("C1", "C7"))
    assert canary_of("tscdeadline-immed", 1, "unpinned", own) is None


def test_a_plan_takes_a_canary_that_the_machine_has(late: OwnCode) -> None:
    """A seeded bug of what is replaced is skipped with the reason; the canary runs on the patched machine."""
    own, spec = late, late.code.spec
    assert "on-cleared-after-harvest" in own.lost
    plan = make_plan(Wanted(["remote-post"], ["always-2021"], own=own), 4)
    canary, *rest = plan.rows
    assert canary.canary
    assert canary.mutation is not None
    assert canary.mutation.name not in own.lost
    assert canary.policy.name.endswith("+fix.py")
    assert not canary.explorable
    clean = [row for row in rest if row.mutation is None]
    controls = {row.mutation.name: row.lost for row in rest if row.mutation is not None}
    assert controls["on-cleared-after-harvest"] == "vmx_sync_pir_to_irr is replaced (fix.py:6)"
    assert not controls["no-entry-barrier"]
    assert [(row.policy.name, row.code, row.explorable) for row in clean] == [("always-2021+fix.py", spec, True)]
    asked = make_plan(Wanted(["remote-post"], ["always-2021"], ["on-cleared-after-harvest"], own=own), 4)
    assert [row.lost for row in asked.rows] == ["vmx_sync_pir_to_irr is replaced (fix.py:6)"]


def test_records_say_what_was_in_the_machine(late: OwnCode, tmp_path: Path) -> None:
    """The files with their hashes, in the first one; a seeded bug that is not there is SKIPPED with the reason."""
    code, spec, path = late.code, late.code.spec, tmp_path / "out.jsonl"
    options: dict[str, Any] = {"scenario": ["remote-post"], "policy": ["always-2021"], "code": spec, "quiet": True}
    scout = FakeScout()
    stress_command(**options, json_file=str(path), host=MadeUp(), scouting=scout)
    first, *rows = records_in(path)
    assert first["code"] == {"asked": {"patches": list(spec.patches)}, "sha256": code.digests()}
    assert first["policy_sha256"] is None
    assert {row["policy"] for row in rows} == {"always-2021+fix.py"}
    assert [row["canary"] for row in rows].count(True) == 1
    assert scout.asked == ["remote-post x always-2021+fix.py"]
    lost = {**options, "mutation": ["on-cleared-after-harvest"]}
    stress_command(**lost, json_file=str(path), host=MadeUp(), scouting=FakeScout())
    _, skipped = records_in(path)
    assert (skipped["verdict"], skipped["reason"]) == ("SKIPPED", "vmx_sync_pir_to_irr is replaced (fix.py:6)")


@pytest.mark.slow
def test_a_witness_keeps_the_patch_and_is_replayed_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Found, judged and replayed on the patched machine; a patch that has changed meanwhile is told."""
    spec = spec_of(tmp_path, LATE_CLEAR)
    file = tmp_path / "w.json"
    scope = "post:34 | post:35 | guest=cpuid | timers=0"
    options = ExploreOptions(policy=["always-2021"], code=spec, scope=scope, witness_file=str(file), workers=1)
    assert explore_command(options) == 1
    assert "always-2021+fix.py" in capsys.readouterr().out
    witness = load(file)
    assert (witness.policy, witness.code) == ("always-2021+fix.py", spec)
    assert replay_command(str(file)) == 0
    save(replace(witness, policy="kick-2016+fix.py"), tmp_path / "other.json")
    with pytest.raises(Failure, match="not those of the policy that it names"):
        replay_command(str(tmp_path / "other.json"))
    (tmp_path / "fix.py").write_text(LATE_CLEAR + "# another\n")
    with pytest.raises(Failure, match=r"fix.py \(not the witness's: sha256"):
        replay_command(str(file))


def test_a_trace_is_of_the_patched_machine(late: OwnCode) -> None:
    """Without a policy it is the newest; a seeded bug of what is replaced is refused."""
    assert "timer-fastpath x elide-self-2022+fix.py" in trace_lines("timer-fastpath", None, None, code=late.code.spec)
    with pytest.raises(Failure, match="--mutation rvi-not-written: this machine does not have it"):
        list(trace_lines("timer-fastpath", None, "rvi-not-written", code=late.code.spec))


def test_a_fault_names_the_file_of_several(tmp_path: Path) -> None:
    """The second one's here: a compiled machine, too, tells it by the file's number."""
    fault = "def kvm_request_pending(vcpu):\n    return vcpu.apic.virr[vcpu.mode + 3]\n"
    specs = [spec_of(tmp_path, LATE_CLEAR), spec_of(tmp_path, fault, "second.py")]
    both = CodeSpec(patches=tuple(path for spec in specs for path in spec.patches))
    with pytest.raises(Failure) as error:
        list(trace_lines("timer-fastpath", None, None, code=both))
    assert str(error.value) == f"{tmp_path / 'second.py'}:2: has index 4; what it indexes has 0 to 3"


def test_a_task_of_a_patched_machine_says_all_that_is_needed(tmp_path: Path) -> None:
    """And one without patches is written as ever."""
    spec = spec_of(tmp_path, LATE_CLEAR)
    task = Task(scenario="remote-post", policy="kick-2016+fix.py", code=spec, pcpus=2)
    planned = planned_of(task, read_code(task.spec))
    assert (planned.policy.number, planned.code, planned.expectation) == (0, spec, None)
    canary = planned_of(replace(task, mutation="no-entry-barrier", canary=True))
    assert canary.sought
    assert canary.policy.name == "kick-2016+fix.py"
    assert "code" not in json.loads(Task(scenario="kick", policy="kick-2016").to_json())
    assert json.loads(task.to_json())["code"] == {"patches": list(spec.patches)}


def test_a_command_is_said_with_its_patches() -> None:
    """For a shell: the historic name, then the files."""
    spec = CodeSpec(patches=("fix.py",), kernel="linux", only=("a", "b"), stubs=("c=0",))
    words = ["--policy", "kick-2016", "--patch", "fix.py", "--kernel", "linux", "--only", "a,b", "--stub", "c=0"]
    assert words_of("kick-2016+v6.3.2+fix.py", spec) == words
    assert words_of("fix.py", CodeSpec(patches=("fix.py",))) == ["--patch", "fix.py"]
    assert words_of("kick-2016", None) == ["--policy", "kick-2016"]
    assert policy_by_name("kick-2016").number == 0
