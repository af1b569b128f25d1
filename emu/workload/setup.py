"""Power-on state: the words that are not zero when a machine starts."""

from __future__ import annotations

from typing import Final, Protocol

from emu.machine import Machine
from emu.memory import Word
from emu.mutations import Mutation
from emu.posted_intr import POSTED_INTR_SN, pi_control
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


def power_on(machine: Machine, pcpus: int, vcpus: int, poke: Poke, task_pcpus: int = 0) -> None:
    """Number the pCPUs and load the first ``vcpus`` vCPUs, one on each, APICv on, SN clear, NV and NDST set.

    With ``task_pcpus`` the first so many pCPUs have vCPUs as tasks, spread over their run queues and not loaded yet.
    """
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
        poke(vcpu.guest.turns_left, -1)
        poke(vcpu.pi_desc.control, pi_control(POSTED_INTR_VECTOR, i))
    if task_pcpus != 0:
        queue_tasks(machine, vcpus, poke, task_pcpus)


def queue_tasks(machine: Machine, vcpus: int, poke: Poke, task_pcpus: int) -> None:
    """Put the vCPUs' tasks onto the run queues; SN is set until the first load, as the creation of a vCPU leaves it."""
    poke(machine.config.task_pcpus, task_pcpus)
    queued = [0] * task_pcpus
    for i in range(vcpus):
        vcpu, cpu = machine.vcpus[i], i % task_pcpus
        queued[cpu] |= 1 << i
        poke(vcpu.cpu, cpu)
        poke(vcpu.sched.cpu, cpu)
        poke(vcpu.sched.allowed, (1 << task_pcpus) - 1)
        poke(vcpu.sched.on_rq, 1)
        poke(vcpu.pi_desc.control, pi_control(POSTED_INTR_VECTOR, cpu) | 1 << POSTED_INTR_SN)
    for cpu in range(task_pcpus):
        poke(machine.pcpus[cpu].rq.queued, queued[cpu])
        poke(machine.pcpus[cpu].rq.need_resched, 1)


def choose_race(machine: Machine, scenario: Scenario, policy: int, mutation: Mutation | None, poke: Poke) -> None:
    """Write what is raced into the configuration."""
    config = machine.config
    poke(config.policy, policy)
    poke(config.mutation, mutation.number if mutation else 0)
    poke(config.acts_per_turn, scenario.acts_per_turn)
    poke(config.slow_timer, int(scenario.slow_timer))
    for path in scenario.paths:
        poke(getattr(config, path), 1)
    poke(machine.bypass, int(scenario.device_posts))
    poke(config.guest_items, len(scenario.guest_menu))
    poke(config.actor_items, len(scenario.actor_menu))
    for i, item in enumerate(scenario.guest_menu):
        poke(config.guest_menu[i], item)
    for i, item in enumerate(scenario.actor_menu):
        poke(config.actor_menu[i], item)
