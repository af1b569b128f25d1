"""A function in C and the same in Python are the same to the search: states, outcome, and length of the witness."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import ELIDE_SELF_2022, USER
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
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
    ("wakeup", "wakeup-list", None),
    ("wakeup", "migrate", "cpus=2 | vcpus=1 | iommu@0 | guest=hlt"),
]
"""Files with functions, and where they are explored."""

REPAIR = "\tif (!pi_is_pir_empty(desc))\n\t\tpi_set_on(desc);\n"
SELF = "\tif (pi_test_on(&new))\n\t\tapic->send_IPI_self(POSTED_INTR_WAKEUP_VECTOR);\n"
BLOCKS = "\t\tpi_enable_wakeup_handler(vcpu);\n"
BUGS = [
    ("no-on-repair", REPAIR, ""),
    ("stays-on-the-list", "\t\tlist_del(&to_vmx(vcpu)->pi_wakeup_list);\n", ""),
    ("no-wakeup-to-self", SELF, ""),
    ("sn-on-a-sleeper", BLOCKS, "\t\tpi_set_sn(vcpu_to_pi_desc(vcpu));\n"),
    ("sn-not-cleared", "\t\tnew.sn = 0;\n", ""),
    ("ndst-not-moved", "new.ndst = x2apic", "new.ndst = 1 ? old.ndst : x2apic"),
    ("nv-not-restored", "\t\tnew.nv = POSTED_INTR_VECTOR;\n", ""),
]
"""Seeded bugs, and the same mistakes in wakeup.c: what is there, and what is there instead."""


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
    ("name", "scenario", "scope"),
    slow_but([("harvest", "device-irq", "device"), ("wakeup", "wakeup-list", None)], REPLACED, several=True),
)
def test_a_function_in_c_is_the_patch_in_python(name: str, scenario: str, scope: str | None) -> None:
    """A file of C in the place of a kernel's, and a patch that does the same; one of them has a mistake."""
    results = [
        explored(CodeSpec(kernel=f"{FORMS}/{name}.c"), scenario, scope, ELIDE_SELF_2022),
        explored(CodeSpec(patches=(f"{FORMS}/{name}.py",)), scenario, scope, ELIDE_SELF_2022),
    ]
    same(*results)
    assert (results[0].violation is not None) == (name == "harvest_early")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "there", "instead"), slow_but(BUGS[:1], BUGS, several=True))
def test_a_mistake_in_c_is_found_as_the_seeded_bug_is(tmp_path: Path, name: str, there: str, instead: str) -> None:
    """In the scenario of the bug, by a check that the table names of it."""
    text = (FORMS / "wakeup.c").read_text()
    assert text.count(there) == 1
    (tmp_path / "wakeup.c").write_text(text.replace(there, instead))
    (row,) = (each.rows[0] for each in MUTATIONS if each.name == name)
    found = explored(CodeSpec(kernel=str(tmp_path / "wakeup.c")), row.scenario, None, ELIDE_SELF_2022)
    assert found.violation is not None
    assert CHECKS[found.violation.sighting >> 8] in row.checks
