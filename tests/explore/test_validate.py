"""A witness whose labels are not what its steps show is refused when it is read; every genuine one is accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from emu.machine import USER
from emu.workload.scenarios import SCENARIOS
from hosts.cli.main import main
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.validate import check_violation
from hosts.explorer.counterexample.witness import Witness, WitnessError
from hosts.explorer.counterexample.witness_file import load, save
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.user_code import code_of
from tests.choice import slow_but
from tests.replay.witnesses import Case
from tests.replay.witnesses import program as loaded

WAITS: Final = """
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_wake_up
from emu.waist import READ_ONCE, cpu_relax

def waits(vcpu, vec):
    while READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        cpu_relax()
    kvm_vcpu_wake_up(vcpu)
"""
READS_THE_PPR: Final = """
from emu.kvm_main import kvm_vcpu_kick
from emu.waist import READ_ONCE

def trigger(vcpu, vec):
    if READ_ONCE(vcpu.apic.vppr) == 0:
        kvm_vcpu_kick(vcpu)
"""

SHOWN: Final = [
    ("C1", "remote-post", "always-2021", "mode-read-before-on", "post:34 | guest=cpuid | timers=0"),
    ("C2", "device-irq", "skip-running-2020", None, "device | guest=hlt"),
    ("C3", "tscdeadline-immed", "elide-self-2022", "rvi-not-written", None),
    ("C4", "remote-post", "always-2021", "on-cleared-after-harvest", "post:34 post:35 | guest=cpuid | timers=0"),
    ("C5", "remote-post", "elide-self-2022", "pir-harvested-plainly", "post:34 post:35 | guest=cpuid | timers=0"),
    ("C7", "remote-post", "elide-self-2022", "no-entry-barrier", "post:34"),
    ("C8", "tscdeadline-immed", "elide-self-2022", "self-ipi-not-elided", None),
    ("C9", "kick", "elide-self-2022", "no-exit-request-check", "kick | guest=cpuid | timers=0"),
    ("C11", "timer-halt", "elide-self-2022", "timer-injected-early", "post:34 | guest=timer"),
    ("C12", "signal", "elide-self-2022", "signal-after-kick", "signal | guest=cpuid,hlt | timers=0"),
]


FAST: Final = [case for case in SHOWN if case[0] in ("C1", "C2", "C3", "C7", "C8")]


@pytest.mark.parametrize("case", slow_but(FAST, SHOWN), ids=[case[0] for case in SHOWN])
def test_a_witness_of_each_check_is_accepted_and_of_another_refused(case: Any) -> None:
    """C10 is shown by faults of the fabric alone, which are not explored."""
    check, *configuration = case
    witness = Case(*configuration).shortest()
    assert witness.check == check
    check_violation(witness, loaded())
    for wrong in SHOWN:
        if wrong[0] != check:
            with pytest.raises(WitnessError, match=f"do not show {wrong[0]}.*, which it names: {check}"):
                check_violation(replace(witness, check=wrong[0]), loaded())


# --- what the steps of a check's witness say ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def late_store() -> Witness:
    """A remote post that the entry misses, because the mode store still waits in its buffer."""
    return Case("remote-post", "elide-self-2022", "no-entry-barrier", "post:34").shortest()


def test_labels_that_the_steps_do_not_show_are_refused(late_store: Witness) -> None:
    """Another check, vector, kind of violation, number of steps or memory model."""
    steps = late_store.steps
    fires = f"C7 on vector 0x34 fires in step {len(steps)}"
    for labels, said in [
        ({"check": "C1"}, f"its steps do not show C1 on vector 0x34, which it names: {fires}"),
        ({"vector": 0x35}, f"its steps do not show C7 on vector 0x35, which it names: {fires}"),
        ({"vector": -1}, f"its steps do not show C7, which it names: {fires}"),
        ({"check": "deadlock", "vector": -1}, f"its steps do not show deadlock, which it names: {fires}"),
        (
            {"check": "no-progress", "vector": -1, "cycle": 2},
            f"its steps do not show no-progress, which it names: {fires}",
        ),
        ({"steps": steps[:-1]}, "its steps do not show C7 on vector 0x34, which it names: no check fires"),
        (
            {"steps": steps[:-1], "check": "deadlock", "vector": -1},
            "its steps do not show deadlock, which it names: somebody can still move",
        ),
        (
            {"model": "sc", "buffer": 0},
            "its steps are not those of the memory model that it names: sequential consistency",
        ),
    ]:
        with pytest.raises(WitnessError) as told:
            check_violation(replace(late_store, **labels), loaded())
        assert str(told.value) == said


def test_steps_that_are_not_the_protocols_are_left_to_the_replay(late_store: Witness) -> None:
    """It says where they diverge; what they would show, nobody knows."""
    check_violation(replace(late_store, steps=late_store.steps[1:]), loaded())
    first, *rest = late_store.steps
    other = replace(first, rows=(replace(first.rows[0], answer=first.rows[0].answer + 8), *first.rows[1:]))
    check_violation(replace(late_store, steps=(other, *rest), check="C1"), loaded())


def test_replay_refuses_it_in_one_line_before_it_begins(
    tmp_path: Path, late_store: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage; with --anyway, on other sources, the labels are those of another protocol's steps."""
    file = tmp_path / "w.json"
    save(replace(late_store, check="C1"), file)
    assert main(["replay", str(file)]) == 64
    told = capsys.readouterr()
    assert told.out == ""
    fires = f"C7 on vector 0x34 fires in step {len(late_store.steps)}"
    assert told.err == f"pirace: {file}: its steps do not show C1 on vector 0x34, which it names: {fires}\n"


# --- genuine ones of other kinds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fold"),
    [(Options(buffer=0), True), (Options(overtake=True), True), (Options(reduce=False), True), (Options(), False)],
    ids=["without buffers", "overtaking", "not reduced", "not folded"],
)
def test_however_it_was_searched_for(options: Options, fold: bool) -> None:  # noqa: FBT001 - a parameter
    """What a witness does not say of its search, its steps do."""
    case = Case("device-irq", "skip-running-2020", None, "device | guest=hlt", options, fold=fold)
    case.builder.world.eager = options.reduce
    witness = case.shortest()
    check_violation(witness, loaded())
    with pytest.raises(WitnessError, match="do not show C9"):
        check_violation(replace(witness, check="C9"), loaded())


def test_one_of_finer_steps_is_what_it_says() -> None:
    """Found with --no-fuse; such a one is read by programs, and not replayed."""
    case = Case("device-irq", "skip-running-2020", None, "device | guest=hlt", Options(fuse=False), fold=False)
    check_violation(case.shortest(), loaded())


@pytest.mark.parametrize(
    "alone", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["of today", "of a format before"]
)
def test_of_a_rule_that_reads_private_words(tmp_path: Path, alone: bool) -> None:  # noqa: FBT001 - a parameter
    """What the vCPU writes of them are operations; which words those are, earlier formats did not say."""
    rule = tmp_path / "rule.py"
    rule.write_text(READS_THE_PPR)
    spec = f"{rule}:trigger"
    witness = Case("remote-post", spec, None, "post:34 post:35 | guest=cpuid", Options(buffer=2)).shortest()
    save(witness, tmp_path / "w.json")
    data = json.loads((tmp_path / "w.json").read_text())
    if not alone:
        data |= {"witness": "1.0"}
        for name in ("cycle", "fuse", "fate", "repaired_by", "without_buffers", "story", "alone"):
            del data[name]
        (tmp_path / "w.json").write_text(json.dumps(data))
    read, program = load(tmp_path / "w.json"), load_program(code_of(spec))
    check_violation(read, program)
    if alone:
        with pytest.raises(WitnessError, match="do not show C9"):
            check_violation(replace(read, check="C9"), program)


# --- no-progress ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    """A rule that waits for the guest to leave, and a guest that never does."""
    file = tmp_path_factory.mktemp("policy") / "waits.py"
    file.write_text(WAITS)
    scenario = next(each for each in SCENARIOS if each.name == "remote-post")
    builder = Builder(
        load_program(code_of(f"{file}:waits")), scope_of(scenario, "post:34 | guest=self | timers=0"), USER
    )
    result, search, model = explore(builder, Options())
    assert result.violation is not None
    names = {"scenario": scenario.name, "policy": f"{file}:waits"}
    return explained_witness(builder, model, Options(), search.path(), result.violation, **names)


def test_a_cycle_that_is_none_is_refused(endless: Witness) -> None:
    """It has to lead back, with the same debt unpaid, and leave nobody out; and no check fires on the way."""
    rule = load_program(code_of(endless.policy))
    check_violation(endless, rule)
    stem, around = endless.steps[: endless.stem], endless.steps[endless.stem :]
    mine = tuple(step for step in around if step.thread == 0)
    back = "the steps of its cycle do not lead back to where they begin"
    for labels, said in [
        ({"cycle": endless.cycle - 1}, back),
        ({"cycle": len(endless.steps)}, back),
        ({"cycle": 0}, back),
        ({"steps": stem + mine, "cycle": len(mine)}, "its cycle leaves out pCPU 1"),
        ({"check": "C1", "vector": 0x34, "cycle": 0}, "no check fires"),
        ({"check": "deadlock", "cycle": 0}, "somebody can still move"),
    ]:
        with pytest.raises(WitnessError, match=f"which it names: {said}$"):
            check_violation(replace(endless, **labels), rule)
