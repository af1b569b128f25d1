"""A function in C and the same in Python are the same to the search: states, outcome, and length of the witness."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import ELIDE_SELF_2022, USER
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import load_program
from hosts.loader.user_code import CodeSpec, read_code
from tests.choice import slow_but

FORMS = Path(__file__).parent.parent / "c_forms"
RULES = ("kick_2016", "skip_running_2020", "always_2021", "elide_self_2022")
LOSES = "skip_running_2020"
REPLACED = [
    ("harvest_early", "remote-post", None),
    ("harvest", "device-irq", "device"),
    ("deliver", "device-irq", "device"),
    ("kick", "kick", None),
    ("check_block", "halt-wake", None),
]
"""Files with a function, and where it is explored."""


def explored(spec: CodeSpec, scenario: str, scope: str | None, policy: int) -> Result:
    """Search a scope with a user's code."""
    race = next(each for each in SCENARIOS if each.name == scenario)
    return explore(Builder(load_program(read_code(spec)), scope_of(race, scope), policy), Options())[0]


def same(one: Result, other: Result) -> None:
    """Compare all that is counted."""
    counted = [
        (each.states, each.transitions, each.depth, each.complete, each.windows, each.violation is not None)
        for each in (one, other)
    ]
    assert counted[0] == counted[1]


@pytest.mark.timeout(300)  # learns the threads of two programs: five seconds of processor time
@pytest.mark.parametrize("rule", slow_but([LOSES], RULES))
def test_a_rule_in_c_is_the_rule_in_python(rule: str) -> None:
    """The rules of ``trigger.c`` and those of ``trigger.py``; that of 2020 loses a wake-up in both."""
    results = [
        explored(CodeSpec(rule=f"{FORMS}/trigger.{suffix}:{rule}"), "device-irq", "device", USER)
        for suffix in ("c", "py")
    ]
    same(*results)
    assert (results[0].violation is not None) == (rule == LOSES)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "scenario", "scope"), slow_but([("harvest", "device-irq", "device")], REPLACED, several=True)
)
def test_a_function_in_c_is_the_patch_in_python(name: str, scenario: str, scope: str | None) -> None:
    """A file of C in the place of a kernel's, and a patch that does the same; one of them has a mistake."""
    results = [
        explored(CodeSpec(kernel=f"{FORMS}/{name}.c"), scenario, scope, ELIDE_SELF_2022),
        explored(CodeSpec(patches=(f"{FORMS}/{name}.py",)), scenario, scope, ELIDE_SELF_2022),
    ]
    same(*results)
    assert (results[0].violation is not None) == (name == "harvest_early")
