"""A no-progress on real processes: the way to its cycle, and the cycle some times round. What cannot be, is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from emu.machine import USER
from emu.workload.scenarios import SCENARIOS
from hosts.cli.main import main
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import Witness, WitnessError
from hosts.explorer.counterexample.witness_file import load, save
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.user_code import code_of
from hosts.replay.program import replay_program
from hosts.replay.scheduler import NO_PROGRESS, ROUNDS, Replayed, replay
from tests.replay.witnesses import Case, program
from tests.validator import records_in

pytestmark = pytest.mark.timeout(120)

WAITS = """
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_wake_up
from emu.waist import READ_ONCE, cpu_relax

def waits(vcpu, vec):
    while READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        cpu_relax()
    kvm_vcpu_wake_up(vcpu)
"""


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Witness:
    """A rule that waits for the guest to leave, and a guest that never does."""
    file = tmp_path_factory.mktemp("policy") / "waits.py"
    file.write_text(WAITS)
    race = next(each for each in SCENARIOS if each.name == "remote-post")
    scope = scope_of(race, "post:34 | guest=self | timers=0")
    builder = Builder(load_program(code_of(f"{file}:waits")), scope, USER)
    result, search, model = explore(builder, Options())
    assert result.violation is not None
    names = {"scenario": race.name, "policy": f"{file}:waits"}
    return explained_witness(builder, model, Options(), search.path(), result.violation, **names)


def again(witness: Witness) -> Replayed:
    """Take a witness once."""
    return replay(witness, replay_program(witness))


def test_a_cycle_is_gone_round_every_time(endless: Witness) -> None:
    """Each step as the witness has it, the debt unpaid all the way, nobody left out, no check fired."""
    assert endless.cycle > 1
    for _ in range(3):
        done = again(endless)
        assert done.shown, done.why
        assert done.why == f"{ROUNDS} times round with 0x34 in the PIR of vCPU 0, nobody left out"
        assert done.steps == endless.stem + ROUNDS * endless.cycle
        assert done.violations == ()


def test_a_cycle_that_leaves_somebody_out_shows_nothing(endless: Witness) -> None:
    """The guest goes round, the sender is never let on: that is no cycle that goes on for ever by itself."""
    stem, around = endless.steps[: endless.stem], endless.steps[endless.stem :]
    mine = tuple(step for step in around if step.thread == 0)
    assert 0 < len(mine) < len(around)
    done = again(replace(endless, steps=stem + mine, cycle=len(mine)))
    assert (done.ending, done.why) == ("none", "pCPU 1 can move all the time and is left out")


def test_what_does_not_lead_back_is_a_divergence(endless: Witness) -> None:
    """Found in the second round, and told with it."""
    short = replace(endless, steps=endless.steps[:-1], cycle=endless.cycle - 1)
    done = again(short)
    assert done.ending == "diverged"
    assert done.why.startswith(f"diverged at step {short.stem + 1}: ")
    assert done.why.endswith("(round 2)")


def test_a_cycle_in_which_nothing_is_owed_shows_nothing(endless: Witness) -> None:
    """One that begins before the post: the PIR is empty there."""
    posted = next(i for i, state in enumerate(endless.states) if state["view"]["vcpus"][0]["pir"])
    done = again(replace(endless, cycle=len(endless.steps) - posted + 1))
    assert (done.ending, done.why) == ("none", "what was owed has been taken")


def test_a_check_that_fires_on_the_way_is_told(store_buffered: Witness) -> None:
    """A no-progress has none."""
    done = replay(replace(store_buffered, check=NO_PROGRESS, cycle=1), replay_program(store_buffered, program()))
    assert done.ending == "diverged"
    assert "C7 on vector 0x34 already, the witness has none" in done.why


def test_the_command_says_what_it_does(tmp_path: Path, endless: Witness, capsys: pytest.CaptureFixture[str]) -> None:
    """Which steps are gone round, how often, and how often it showed; a witness survives its file."""
    file, records = tmp_path / "endless.json", tmp_path / "records.jsonl"
    save(endless, file)
    assert load(file) == endless
    assert main(["replay", str(file), "--repeat", "2", "--json", str(records)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert f"no-progress in {endless.stem} steps and a cycle of {endless.cycle}" in told[0]
    assert f"the path to the cycle, then {ROUNDS} times around it: {endless.round}" in told
    assert told[-1] == "2 of 2 showed the cycle"
    assert [(line["check"], line["cycle"]) for line in records_in(records)[1:]] == [(NO_PROGRESS, endless.cycle)] * 2


@pytest.mark.parametrize("cycle", [0, -1, 1000])
def test_a_no_progress_without_a_way_round_is_refused(
    tmp_path: Path, endless: Witness, capsys: pytest.CaptureFixture[str], cycle: int
) -> None:
    """In one line: the way to the cycle alone shows nothing."""
    save(replace(endless, cycle=cycle), tmp_path / "stem.json")
    assert main(["replay", str(tmp_path / "stem.json")]) == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is nothing to replay" in line


def test_a_witness_of_finer_steps_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Found with --no-fuse: a process cannot be stopped where its steps end, whatever they are."""
    witness = Case("device-irq", "skip-running-2020", None, "device | guest=hlt", Options(fuse=False)).shortest()
    with pytest.raises(WitnessError, match="found with --no-fuse: its steps are parts of what a process does in one"):
        replay_program(witness, program())
    save(witness, tmp_path / "fine.json")
    assert main(["replay", str(tmp_path / "fine.json")]) == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("explore without --no-fuse finds one that is")
    with pytest.raises(WitnessError, match="begins within a step of a process"):
        replay_program(replace(witness, fuse=True), program())


def test_a_witness_of_the_format_before_is_read(tmp_path: Path, store_buffered: Witness) -> None:
    """It knew of no cycles, and of fused steps only."""
    file = tmp_path / "old.json"
    save(store_buffered, file)
    data = json.loads(file.read_text())
    assert (data.pop("cycle"), data.pop("fuse")) == (0, True)
    file.write_text(json.dumps(data | {"witness": "1.0"}))
    assert load(file) == store_buffered
