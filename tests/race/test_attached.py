"""Copies of emu's functions as a user's patch, raced: what attaches to them sees what emu's own instruments see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emu.workload.scenarios import SCENARIOS
from hosts.runs.native_runner import built, native_runner
from hosts.runs.runner import Runner
from tests.race.conftest import LONGEST_SECONDS, Race, two_processors
from tests.unit.loader.patches import code_of, replaceable, verbatim

# The machine is compiled anew, which takes 10 s of processor time; tests/explore/test_attached.py has fast ones.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 2 * LONGEST_SECONDS)]

WATCHED = """
from emu.lapic_regs import apic_find_highest_irr
from emu.posted_intr import POSTED_INTR_ON
from emu.waist import BIT, READ_ONCE, WRITE_ONCE, cmpxchg, local_read, local_write, set_bit, test_and_set_bit, xchg


def turn_on(nr, word):
    return test_and_set_bit(nr, word)


def pi_test_and_set_pir(vector, pi_desc):
    return turn_on(vector & 63, pi_desc.pir[vector >> 6])


def pi_test_and_set_on(pi_desc):
    while True:
        old = READ_ONCE(pi_desc.control)
        if old & BIT(POSTED_INTR_ON):
            return turn_on(POSTED_INTR_ON, pi_desc.control)
        if cmpxchg(pi_desc.control, old, old | BIT(POSTED_INTR_ON)) == old:
            return 0


def kvm_apic_update_irr(vcpu):
    for i in range(4):
        if READ_ONCE(vcpu.pi_desc.pir[i]):
            bits = xchg(vcpu.pi_desc.pir[i], 0)
            local_write(vcpu.apic.virr[i], local_read(vcpu.apic.virr[i]) | bits)
    return apic_find_highest_irr(vcpu)
"""
OTHERWISE = {"pi_test_and_set_pir", "pi_test_and_set_on", "kvm_apic_update_irr"}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Race a patch of everything that may be replaced, some of it written in another way."""
    names = {name: module for name, module in replaceable().items() if name not in OTHERWISE}
    texts = [
        verbatim([name for name, where in names.items() if where == module], module)
        for module in sorted(set(names.values()))
    ]
    with native_runner(built(code_of(tmp_path_factory.mktemp("raced"), *texts, WATCHED), lambda *_: None)) as runner:
        yield runner


@pytest.mark.parametrize("scenario", [each.name for each in SCENARIOS])
@pytest.mark.parametrize("policy", ["always-2021", "elide-self-2022"])
def test_a_safe_rule_shows_nothing(race: Race, scenario: str, policy: str) -> None:
    """No check fires, and each window is entered that the scenario exists for."""
    raced = race(scenario, policy, seconds=1.5)
    assert raced.checks == set()
    assert raced.measured.counts["rounds"] > 0
    wanted = next(each.windows for each in SCENARIOS if each.name == scenario)
    if two_processors():
        assert not [window for window in wanted if raced.measured.windows[window] == 0]


@pytest.mark.skipif(not two_processors(), reason="a device interrupt needs a second processor to come from")
def test_the_rule_of_2020_loses_a_wake_up(race: Race) -> None:
    """As in emu itself."""
    assert "C2" in race("device-irq", "skip-running-2020", seconds=LONGEST_SECONDS, sought=("C2",)).checks


def test_costs_are_exact(race: Race) -> None:
    """C8's counts, of a post that a user's function makes."""
    counts = {
        policy: race("tscdeadline-immed", policy, seconds=0.4, regime="calm").measured.counts
        for policy in ("always-2021", "elide-self-2022")
    }
    assert counts["elide-self-2022"]["ipis_elided"] == counts["elide-self-2022"]["self_posts"] > 0
    assert counts["elide-self-2022"]["ipis_sent"] == 0
    assert counts["always-2021"]["ipis_sent"] == counts["always-2021"]["self_posts"] > 0
    assert counts["always-2021"]["ipis_elided"] == 0
