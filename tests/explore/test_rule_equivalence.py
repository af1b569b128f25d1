"""A rule that does what another does is told so, and no other rule is."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import USER
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.rule_equivalence import same_as
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.user_code import code_of

NUMBERS = [(policy.name, policy.number) for policy in POLICIES]

ELIDES = """
from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_kick, kvm_vcpu_wake_up
from emu.waist import READ_ONCE


def written_otherwise(vcpu, vec):
    if vec == 0x99:
        kvm_vcpu_kick(vcpu)
        return
    if READ_ONCE(vcpu.mode) != IN_GUEST_MODE:
        kvm_vcpu_wake_up(vcpu)
        return
    if vcpu != kvm_get_running_vcpu():
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)


def kicks_from_afar(vcpu, vec):
    if READ_ONCE(vcpu.mode) != IN_GUEST_MODE:
        kvm_vcpu_wake_up(vcpu)
        return
    if vcpu != kvm_get_running_vcpu():
        kvm_vcpu_kick(vcpu)


def looks_twice(vcpu, vec):
    READ_ONCE(vcpu.mode)
    if READ_ONCE(vcpu.mode) != IN_GUEST_MODE:
        kvm_vcpu_wake_up(vcpu)
        return
    if vcpu != kvm_get_running_vcpu():
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
"""


def searched(
    tmp_path: Path, function: str, scenario: str, scope: str | None, *, time: bool = True
) -> tuple[Result, list[str]]:
    """Search a scope under a rule of this test's, and name the policies that do the same."""
    file = tmp_path / "rule.py"
    file.write_text(ELIDES, encoding="utf-8")
    race = next(each for each in SCENARIOS if each.name == scenario)
    builder = Builder(load_program(code_of(f"{file}:{function}")), scope_of(race, scope), USER)
    result, search, model = explore(builder, Options())
    assert result.complete
    return result, list(same_as(builder, model, search.learnt, NUMBERS, lambda: time))


@pytest.mark.parametrize(
    ("function", "scenario", "scope", "same"),
    [
        ("written_otherwise", "device-irq", "device", ["elide-self-2022"]),
        pytest.param(
            "written_otherwise", "remote-post", "post:34", ["always-2021", "elide-self-2022"], marks=pytest.mark.slow
        ),
        pytest.param("kicks_from_afar", "device-irq", "device", ["elide-self-2022"], marks=pytest.mark.slow),
        ("kicks_from_afar", "remote-post", "post:34", []),
        pytest.param("looks_twice", "remote-post", "post:34", [], marks=pytest.mark.slow),
        ("written_otherwise", "tscdeadline-immed", None, ["skip-running-2020", "elide-self-2022"]),
    ],
)
def test_a_rule_is_the_same_as_those_that_do_the_same(
    tmp_path: Path, function: str, scenario: str, scope: str | None, same: list[str]
) -> None:
    """However it is written; a read more, or another way to tell, is a difference, if anybody ever comes to it."""
    assert searched(tmp_path, function, scenario, scope)[1] == same


@pytest.mark.slow
def test_the_searches_of_two_that_do_the_same_are_the_same(tmp_path: Path) -> None:
    """State by state: what was said of the one without searching it is so."""
    mine, same = searched(tmp_path, "kicks_from_afar", "device-irq", "device")
    race = next(each for each in SCENARIOS if each.name == "device-irq")
    for name, number in NUMBERS:
        its, _, _ = explore(Builder(load_program(), scope_of(race, "device"), number), Options())
        counted = [(each.states, each.transitions, each.depth, each.windows) for each in (mine, its)]
        assert (counted[0] == counted[1]) == (name in same)


def test_what_is_not_decided_in_time_is_not_said(tmp_path: Path) -> None:
    """Nothing rests on it."""
    assert searched(tmp_path, "written_otherwise", "device-irq", "device", time=False)[1] == []
