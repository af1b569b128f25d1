"""Power-on state: the words that are not zero when a machine starts."""

from __future__ import annotations

from typing import Final, Protocol

from emu.machine import Machine
from emu.memory import Word
from emu.mutations import Mutation
from emu.posted_intr import pi_control
from emu.vectors import POSTED_INTR_VECTOR
from emu.workload.scenarios import Scenario

MORE_ACTIONS: Final = 2
PATIENCE: Final = 400
SLOW_HANDLERS: Final = 8
SAMPLING: Final = 16


class Poke(Protocol):
    """How the host writes one word of a machine that does not run yet."""

    def __call__(self, word: Word, value: int) -> None:
        """Write."""


def power_on(machine: Machine, pcpus: int, vcpus: int, poke: Poke) -> None:
    """Number the pCPUs and load the first ``vcpus`` vCPUs, one on each, APICv on, SN clear, NV and NDST set."""
    poke(machine.config.pcpus, pcpus)
    poke(machine.config.vcpus, vcpus)
    poke(machine.config.in_turns, int(pcpus != 1))
    poke(machine.config.more_actions, MORE_ACTIONS)
    poke(machine.config.patience, PATIENCE)
    poke(machine.config.slow_handlers, SLOW_HANDLERS)
    poke(machine.config.sampling, SAMPLING)
    for i in range(pcpus):
        poke(machine.pcpus[i].id, i)
    for i in range(vcpus):
        vcpu = machine.vcpus[i]
        poke(vcpu.id, i)
        poke(vcpu.cpu, i)
        poke(vcpu.apicv_active, 1)
        poke(vcpu.apic.enabled, 1)
        poke(vcpu.guest.rflags_if, 1)
        poke(vcpu.guest.interrupts_left, -1)
        poke(vcpu.pi_desc.control, pi_control(POSTED_INTR_VECTOR, i))


def choose_race(machine: Machine, scenario: Scenario, policy: int, mutation: Mutation | None, poke: Poke) -> None:
    """Write what is raced into the configuration."""
    config = machine.config
    poke(config.policy, policy)
    poke(config.mutation, mutation.number if mutation else 0)
    poke(config.acts_per_turn, scenario.acts_per_turn)
    poke(config.slow_timer, int(scenario.slow_timer))
    for path in scenario.paths:
        poke(getattr(config, path), 1)
    poke(config.guest_items, len(scenario.guest_menu))
    poke(config.actor_items, len(scenario.actor_menu))
    for i, item in enumerate(scenario.guest_menu):
        poke(config.guest_menu[i], item)
    for i, item in enumerate(scenario.actor_menu):
        poke(config.actor_menu[i], item)
