"""One vCPU alone on the plain host: what the protocol does when nothing races, and what each local mutation breaks."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from emu.expected import by_name, policy_by_name
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS, COUNTERS, RECORD_WORDS
from emu.workload.scenarios import SCENARIOS
from emu.workload.setup import choose_race, power_on
from hosts.loader.program import Program, load_program
from hosts.sequential import SequentialHost

POLICIES = ["kick-2016", "skip-running-2020", "always-2021", "elide-self-2022"]
ALONE = [scenario.name for scenario in SCENARIOS if scenario.pcpus == 1]


@pytest.fixture(scope="session")
def program() -> Program:
    """Load the protocol with all its mutations, once."""
    return load_program(mutations=MUTATIONS)


class Result:
    """Counters and fired checks of a finished run."""

    def __init__(self, host: SequentialHost) -> None:
        cpu = host.machine.pcpus[0]
        self.counts = {name: host.load(cpu.counters[i]) for i, name in enumerate(COUNTERS)}
        fired = {name: host.load(cpu.records[i * RECORD_WORDS]) for i, name in enumerate(CHECKS)}
        self.fired = {name for name, count in fired.items() if count}


def run(program: Program, scenario: str, policy: str, mutation: str | None = None, turns: int = 600) -> Result:
    """Run one vCPU for some turns."""
    chosen = next(each for each in SCENARIOS if each.name == scenario)
    draw = random.Random(7)
    host = SequentialHost(choose=draw.randrange, turns=turns)
    common_interrupt: Callable[[], None] = program.functions["common_interrupt"]
    with host:
        power_on(host.machine, 1, 1, host.store)
        host.interrupt = common_interrupt
        host.mutation = by_name(mutation).number if mutation else 0
        selected = by_name(mutation) if mutation else None
        choose_race(host.machine, chosen, policy_by_name(policy).number, selected, host.store)
        program.functions["pcpu_thread"]()
    return Result(host)


@pytest.mark.parametrize("scenario", ALONE)
@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_fires_without_a_mutation(program: Program, scenario: str, policy: str) -> None:
    """Every timer post is delivered or merged into one that waits, and no checker speaks."""
    result = run(program, scenario, policy)
    assert result.fired == set()
    assert result.counts["self_posts"] > 10
    assert result.counts["deliveries"] + result.counts["merged"] == result.counts["accepted"]


@pytest.mark.parametrize("policy", POLICIES)
def test_cost_of_a_self_post(program: Program, policy: str) -> None:
    """``always`` and ``kick`` send one notification per self-post, which finds nothing; the others send none."""
    counts = run(program, "tscdeadline-immed", policy).counts
    sends = policy in {"always-2021", "kick-2016"}
    assert counts["ipis_sent"] == (counts["self_posts"] if sends else 0)
    assert counts["notifications_spurious"] == counts["ipis_sent"]
    assert counts["self_posts"] == counts["self_posts_on_in_guest"] == counts["self_ipis_sent"] + counts["ipis_elided"]


def test_always_survives_a_missing_fastpath_sync(program: Program) -> None:
    """The notification repairs what the run loop forgot: the safety net that eliding gives up."""
    assert run(program, "tscdeadline-immed", "always-2021", "no-fastpath-sync").fired == set()


def test_elide_self_does_not_survive_a_missing_fastpath_sync(program: Program) -> None:
    """Without the notification, the forgotten sync strands the interrupt (C1), a promise broken (C7)."""
    assert run(program, "tscdeadline-immed", "elide-self-2022", "no-fastpath-sync").fired == {"C1", "C7"}


@pytest.mark.parametrize(
    ("mutation", "check"),
    [("rvi-not-written", "C3"), ("self-ipi-not-elided", "C8")],
)
def test_a_local_mutation_is_caught(program: Program, mutation: str, check: str) -> None:
    """Bugs that need no race fire their checker on one pCPU."""
    assert check in run(program, "tscdeadline-immed", "elide-self-2022", mutation).fired


def test_the_slow_path_posts_from_outside(program: Program) -> None:
    """Before v5.8 an expired timer went through ``pending``: the self-post never sees IN_GUEST_MODE."""
    counts = run(program, "timer-slowpath", "always-2021").counts
    assert counts["self_posts"] > 0
    assert counts["self_posts_on_in_guest"] == 0
