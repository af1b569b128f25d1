"""Scenarios cut down to one post and its delivery on one pCPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emu.machine import Vcpu
from emu.mutations import Mutation
from emu.vectors import DEVICE_VECTOR
from emu.workload.program import GUEST_ARM_NOW, GUEST_HLT, TIMER_DELTA
from emu.workload.scenarios import SCENARIOS, Scenario
from emu.workload.setup import choose_race, power_on
from hosts.loader.policy_name import policy_number
from hosts.loader.program import Program
from hosts.trace.record import Recorder, Step, TracedHost


@dataclass(frozen=True)
class Story:
    """The trace of a scenario: how it is cut down."""

    root: str
    """The function whose call is traced."""
    turns: int = 0
    guest_menu: tuple[int, ...] = ()
    """The guest's menu in the turn, if there is one."""
    timer_armed: bool = False
    interrupt_at: tuple[str, str] | None = None
    """Function and operation before which the device's interrupt arrives."""


STORIES: Final = {
    "timer-fastpath": Story("vcpu_enter_guest", timer_armed=True),
    "tscdeadline-immed": Story("vcpu_enter_guest", turns=1, guest_menu=(GUEST_ARM_NOW,)),
    "timer-slowpath": Story("vcpu_run", timer_armed=True),
    "device-irq": Story("vcpu_run", turns=1, guest_menu=(GUEST_HLT,), interrupt_at=("schedule", "local_irq_disable")),
}


class NoStoryError(Exception):
    """The scenario needs other pCPUs, so it has no trace."""


def story_of(scenario: str) -> Story:
    """Return the story of a scenario."""
    if scenario not in STORIES:
        able = ", ".join(STORIES)
        raise NoStoryError(f"{scenario} is about other pCPUs, and a trace has one; these can be traced: {able}")
    return STORIES[scenario]


def pick(n: int) -> int:
    """Choose what keeps the trace short: no second action in a turn, no delays, no early exits, no full snapshots."""
    second_action = 2
    return 0 if n == second_action else n - 1


def tell(
    program: Program, scenario: str, policy: str, mutation: Mutation | None = None, *, everything: bool = False
) -> list[Step]:
    """Run the trace of a scenario, and return its steps."""
    story, number = story_of(scenario), policy_number(policy, patched=bool(program.replaced))
    host = TracedHost(pick, story.turns)
    host.program = program
    host.mutation = mutation.number if mutation is not None else 0
    host.interrupt = program.functions["common_interrupt"]
    host.interrupt_at, host.interrupt_vector = story.interrupt_at, DEVICE_VECTOR
    recorder = Recorder(host, program, story.root, everything=everything)
    with host:
        _set_up(host, story, _scenario(scenario), number, mutation)
        for word, value in program.own.first_words(host.machine, 1, 1):
            host.poke(word, value)
        if story.timer_armed:
            arm: Callable[[Vcpu, int], None] = program.functions["kvm_set_lapic_tscdeadline_msr"]
            arm(host.machine.vcpus[0], host.deadline_after(TIMER_DELTA))
        with recorder.recording():
            program.functions["pcpu_thread"]()
    return recorder.steps


def _scenario(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


def _set_up(host: TracedHost, story: Story, scenario: Scenario, policy: int, mutation: Mutation | None) -> None:
    power_on(host.machine, 1, 1, host.poke)
    choose_race(host.machine, scenario, policy, mutation, host.poke)
    config = host.machine.config
    host.poke(config.guest_items, len(story.guest_menu))
    for i, item in enumerate(story.guest_menu):
        host.poke(config.guest_menu[i], item)
