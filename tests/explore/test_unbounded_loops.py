"""Rules that tell nobody, or not enough: the loops that then never end are the machine's, and the verdict says so."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from emu.machine import USER
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import check_of
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.coverage import Endless
from hosts.explorer.threads.harness import scope_of
from hosts.explorer.threads.unbounded_loops import cycle
from hosts.loader.program import load_program
from hosts.loader.rule.faults import RuleFault
from hosts.loader.user_code import code_of

HEADER = """
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_wake_up
from emu.waist import READ_ONCE, cpu_relax
"""
ONLY_WAKES = "def trigger(vcpu, vec):\n    kvm_vcpu_wake_up(vcpu)\n"
TELLS_NOBODY = "def trigger(vcpu, vec):\n    return\n"
WAITS_FOR_A_KICK = """
def trigger(vcpu, vec):
    while READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        cpu_relax()
    kvm_vcpu_wake_up(vcpu)
"""


def explored(folder: Path, rule: str, scenario: str, scope: str | None = None) -> tuple[Builder, Model, Result, str]:
    """Explore a rule; give what was found, and the story of a violation."""
    file = folder / "rule.py"
    file.write_text(HEADER + dedent(rule))
    race = next(each for each in SCENARIOS if each.name == scenario)
    builder = Builder(load_program(code_of(f"{file}:trigger")), scope_of(race, scope), USER)
    result, search, model = explore(builder, Options())
    story = ""
    if result.violation is not None:
        names = {"scenario": scenario, "policy": f"{file}:trigger"}
        story = explained_witness(builder, model, Options(), search.path(), result.violation, **names).story
    return builder, model, result, story


@pytest.mark.parametrize(
    ("rule", "scenario"),
    [
        (ONLY_WAKES, "halt-wake"),
        pytest.param(TELLS_NOBODY, "halt-wake", marks=pytest.mark.slow),
        (TELLS_NOBODY, "device-irq"),
        pytest.param(TELLS_NOBODY, "all-to-all", marks=pytest.mark.slow),
    ],
)
def test_a_rule_that_tells_too_little_is_violated_and_never_an_error(tmp_path: Path, rule: str, scenario: str) -> None:
    """The sleeper whom nobody wakes waits in a loop of the machine: others act meanwhile, and a check tells."""
    *_, result, story = explored(tmp_path, rule, scenario)
    assert result.violation is not None
    assert result.violation.what == "sighting"
    assert check_of(result.violation.sighting)[0] in {"C1", "C2", "C7"}
    assert story


def test_the_words_that_a_sleeper_waits_for_are_shared_once_nobody_is_known_to_wake_it(tmp_path: Path) -> None:
    """Without that the thread would never come to an operation; a rule that wakes needs nothing of the kind."""
    builder, *_ = explored(tmp_path, TELLS_NOBODY, "halt-wake", "post:34 | guest=hlt")
    assert builder.world.words.opened == {builder.world.machine.vcpus[0].wait.state}
    builder, *_ = explored(tmp_path, ONLY_WAKES, "halt-wake", "post:34 | guest=hlt")
    assert not builder.world.words.opened


def test_a_rule_that_waits_for_what_others_may_do_is_no_error_of_its_own(tmp_path: Path) -> None:
    """A kick ends the loop; the vCPU that waits for it when it has come already waits for ever."""
    *_, result, story = explored(tmp_path, WAITS_FOR_A_KICK, "tscdeadline-immed", "kick | guest=now")
    assert result.violation is not None
    assert result.violation.what == "no-progress"
    assert "can stay in the PIR" in story


@pytest.mark.parametrize(
    ("loop", "line"),
    [
        ("    while READ_ONCE(vcpu.mode) == IN_GUEST_MODE:\n        cpu_relax()\n", 6),
        ("    while True:\n        pass\n", 6),
        pytest.param("    n = 0\n    while n >= 0:\n        n = n + 1\n", 7, marks=pytest.mark.slow),
    ],
)
def test_a_loop_of_the_users_that_nobody_can_end_is_their_error(tmp_path: Path, loop: str, line: int) -> None:
    """It is told with file and line, whoever else there is: they have nothing to do with what it waits for."""
    rule = f"\ndef trigger(vcpu, vec):\n{loop}"
    with pytest.raises((Endless, RuleFault), match=rf"(rule\.py:|line ){line}\b.* does not come to an end"):
        explored(tmp_path, rule, "tscdeadline-immed", "guest=now")


def test_edges_on_cycles() -> None:
    """What only leads to a cycle, or away from it, is on none."""
    edges = {0: [(0, 1)], 1: [(0, 2), (1, 3)], 2: [(5, 1)], 3: [(0, 4)], 4: [(0, 4)]}
    assert sorted(cycle(edges, 0)) == [(1, 0), (2, 5), (4, 0)]
    assert cycle(edges, 5) == []
