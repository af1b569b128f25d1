"""Two reductions about interrupts against none at all: IPIs that leave early, and interrupts that are taken late.

An IPI of a delivery leaves in the step before, and an interrupt whose handler only counts is taken at the last point of
an open window (hosts.explorer.threads.machine_words). Without them, and without the partial order, every send is a step
of its own and every interrupt is taken at every point: what can be seen must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from emu.expected import by_name, policy_by_name
from emu.mutations import MUTATIONS, Edit, Mutation
from emu.observe.accounting import CHECKS, WINDOWS
from emu.vectors import DEVICE_VECTOR, POSTED_INTR_VECTOR, RESCHEDULE_VECTOR
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.model.operations import Op
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import AbstractionRefuted
from hosts.explorer.refine import explore, warm_up
from hosts.explorer.search.bfs import Search
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.deferrable import deferrable_vectors
from hosts.explorer.threads.harness import scope_of
from hosts.explorer.threads.machine_words import VECTORS
from hosts.loader.program import Program, load_program
from tests.choice import first_of_each, slow_but

pytestmark = pytest.mark.timeout(300)

SCOPES = {
    "device-irq": "device | guest=cpuid,hlt | timers=0",
    "kick": "kick | guest=cpuid | timers=0",
    "remote-post": "post:34 | guest=cpuid | timers=0",
    "halt-wake": "post:34 | guest=hlt | timers=0",
    "signal": "signal | guest=cpuid,hlt | timers=0",
    "masked-guest": "post:34 | guest=sti-hlt | timers=0",
    "hlt-fastpath": "post:34 | guest=hlt | timers=0",
    "halt-poll": "post:34 | guest=hlt | timers=0",
    "timer-halt": "post:34 | guest=hlt,timer | timers=1",
    "tscdeadline-immed": "post:34 | guest=cpuid,timer | timers=1",
    "housekeeping-timer": "hrtimer | guest=cpuid,timer | timers=1",
    "icr-self": "post:34 | guest=icr-self | timers=0",
    "self-vs-remote": "post:34 | guest=cpuid,timer | timers=1",
}
"""A small scope for what a scenario is about: of all of them but those in which vCPUs are tasks."""
CASES: list[tuple[str | None, str]] = [(None, scenario) for scenario in SCOPES] + [
    (each.name, scenario)
    for each in MUTATIONS
    for scenario in dict.fromkeys(row.scenario for row in each.rows if each.edits)
    if scenario in SCOPES
]
"""The machine as it is, and each seeded bug in the scope of the scenarios that the table has it in: nowhere else does
what it breaks happen at all."""
LOST_SIGNAL = ("signal-after-kick", "signal")
FAST = [LOST_SIGNAL, *first_of_each([each for each in CASES if each[0] and each[1] != "signal"], lambda each: each[1])]
"""In each scope a seeded bug; of signals the one that is an effect behind an IPI that leaves early."""
ELIDE, SKIP = "elide-self-2022", "skip-running-2020"
HALTING = "device | guest=hlt | timers=0"


class Seen(NamedTuple):
    """What a search to the end comes to."""

    checks: frozenset[str]
    windows: frozenset[str]
    finals: frozenset[frozenset[tuple[str, int]]]
    """The shared words at the end of every run, by name."""


def builder_of(program: Program, scenario: str, policy: str, mutation: str | None, scope: str = "") -> Builder:
    """Return what makes models of a configuration, with the words known that are shared."""
    seeded = by_name(mutation) if mutation is not None else None
    (named,) = (each for each in SCENARIOS if each.name == scenario)
    builder = Builder(program, scope_of(named, scope or SCOPES[scenario]), policy_by_name(policy).number, seeded)
    warm_up(builder, Options())
    return builder


def seen(builder: Builder, *, reduce: bool, eager: bool, deferrable: frozenset[int] | None = None) -> tuple[Seen, int]:
    """Search to the end, with some of the reductions; give how many states that took, too."""
    # Who is interrupted, and by what, is learnt anew: with other switches it is another matter.
    with world_of(builder, eager=eager, deferrable=deferrable, interrupted=set(), uninterrupted=set()):
        while True:
            try:
                model = builder.model()
                result = Search(model, Options(reduce=reduce, stop_at_first=False, keep_finals=True)).run()
            except AbstractionRefuted:
                continue
            break
    assert not {"seconds", "memory", "states"} & {*result.bounded_by}
    names = [*WINDOWS, *CHECKS]
    entered = frozenset(name for i, name in enumerate(names) if result.windows >> i & 1)
    fired = frozenset(CHECKS[each.sighting >> 8] if each.sighting >= 0 else each.what for each in result.violations)
    finals = frozenset(frozenset(zip(model.words, memory, strict=True)) for _, memory in result.finals)
    return Seen(fired, entered, finals), result.states


@contextmanager
def world_of(builder: Builder, **switches: Any) -> Iterator[None]:
    """Set the world's switches for a while; what is None stays."""
    before = {name: getattr(builder.world, name) for name in switches}
    for name, value in switches.items():
        if value is not None:
            setattr(builder.world, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(builder.world, name, value)


@pytest.mark.parametrize(("mutation", "scenario"), slow_but(FAST, CASES, several=True))
def test_what_can_be_seen_is_the_same(program: Program, scenario: str, mutation: str | None) -> None:
    """The checks that fire, the windows that are entered, the ends that are come to; in no more states."""
    builder = builder_of(program, scenario, ELIDE, mutation)
    brute, all_states = seen(builder, reduce=False, eager=False)
    reduced, states = seen(builder, reduce=True, eager=True)
    assert reduced == brute
    assert brute.finals
    assert states <= all_states


@pytest.mark.parametrize("switches", [(True, False, None), (False, True, None), (False, True, frozenset())], ids=str)
def test_each_by_itself(program: Program, switches: tuple[bool, bool, frozenset[int] | None]) -> None:
    """The partial order, both of these, and the early IPI alone, on the rule that loses wake-ups."""
    builder = builder_of(program, "device-irq", SKIP, None, HALTING)
    reduce, eager, deferrable = switches
    brute, _ = seen(builder, reduce=False, eager=False)
    assert seen(builder, reduce=reduce, eager=eager, deferrable=deferrable)[0] == brute
    assert "C2" in brute.checks


def test_an_interrupt_that_does_something_must_not_be_late(program: Program) -> None:
    """The comparison notices: a device's interrupt that waits for the last point hides a lost wake-up."""
    builder = builder_of(program, "device-irq", ELIDE, "no-second-check", HALTING)
    brute, _ = seen(builder, reduce=False, eager=False)
    wrong, _ = seen(builder, reduce=True, eager=True, deferrable=frozenset(VECTORS))
    assert "C2" in brute.checks
    assert "C2" not in wrong.checks
    assert wrong.windows < brute.windows


@pytest.mark.parametrize("scenario", slow_but(["signal"], SCOPES))
def test_whoever_looks_at_what_is_on_its_way_has_interrupts_off(program: Program, scenario: str) -> None:
    """Within an open window an interrupt that waits for the last point would seem to be still on its way."""
    builder = builder_of(program, scenario, ELIDE, None)
    _, _, model = explore(builder, Options(progress_check=False))
    looks = 0
    for number, thread in enumerate(model.threads):
        assert isinstance(thread, Automaton)
        flag = thread.slots.get(int(builder.world.machine.pcpus[number].irq.enabled))
        for operation, (_, own) in zip(thread.operations, thread.states, strict=True):
            if operation.kind in (Op.IN_FLIGHT, Op.PENDING, Op.QUIESCENT):
                assert flag is not None
                assert (own[flag] if flag < len(own) else thread.first[flag]) == 0
                looks += 1
    assert looks > 10


# --- which vectors are harmless ----------------------------------------------------------------------------------


def test_harmless_is_read_off_the_handlers(program: Program) -> None:
    """The notification in root mode and the reschedule; a device's handler posts."""
    assert deferrable_vectors(program, VECTORS) == {POSTED_INTR_VECTOR, RESCHEDULE_VECTOR}
    assert DEVICE_VECTOR in VECTORS


@pytest.mark.parametrize(
    "does", ["kvm_vcpu_wake_up(machine().vcpus[0])", "local_write(this_pcpu().between_check_and_sleep, 0)", "smp_mb()"]
)
def test_a_handler_that_does_more_is_not_harmless(does: str) -> None:
    """A seeded bug in it is enough: a wake-up, a word that the interrupted code reads, a barrier."""
    edit = Edit("sysvec_kvm_posted_intr_ipi", "probe_notified_in_root()", f"probe_notified_in_root()\n{does}")
    mutated = load_program(mutations=(Mutation(1, "does-more", "it does more", "this test", (edit,), ()),))
    assert deferrable_vectors(mutated, VECTORS) == {RESCHEDULE_VECTOR}
