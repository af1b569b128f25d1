"""The part of a state that a reader sees: registers and descriptor of each vCPU, IPIs, buffers, and ghost words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from emu.machine import MAX_PCPUS, Vcpu
from emu.observe.ghost import WHOM
from emu.posted_intr import POSTED_INTR_ON, POSTED_INTR_SN
from emu.vectors import SLOTS, vector_of
from hosts.explorer.explanation.format import vectors_in
from hosts.explorer.model.semantics import State
from hosts.explorer.model.system import Model
from hosts.explorer.threads.abstraction import Role
from hosts.explorer.threads.machine_words import World

Value = Callable[[int], int]
"""Returns what the word at an address holds."""
TOLD: Final = ("not asked", "nobody", "another", "itself")
"""Whom a rule under way has notified (see emu.observe.ghost)."""


def view_of(world: World, model: Model, state: State, own: Mapping[int, int]) -> dict[str, Any]:
    """Return the view of a state; ``own``: the private words of one thread, by address."""
    machine = world.machine

    def value(word: int) -> int:
        number = world.words.shared.get(word)
        if number is not None:
            return state.memory[number]
        return own.get(word, world.words.initial.get(word, 0))

    return {
        "vcpus": [vcpu_view(world, i, value) for i in range(world.vcpus)],
        **(_tasks(world, value) if world.tasks else {}),
        "inside": [i for i in range(world.pcpus) if value(machine.pcpus[i].marks.inside) & 1],
        "pending": [[model.vectors[i] for i in range(len(model.vectors)) if bits >> i & 1] for bits in state.pending],
        "flight": [[target, model.vectors[vector]] for target, vector in state.flight],
        "buffers": [[[model.words[word], value] for word, value in buffer] for buffer in state.buffers],
    }


def _tasks(world: World, value: Value) -> dict[str, Any]:
    """Return for each pCPU of tasks the vCPU whose task runs there (-1: none), those queued, and its wake-up list."""
    pcpus = [world.machine.pcpus[i] for i in range(world.tasks)]

    def named(word: int) -> list[int]:
        return [i for i in range(world.vcpus) if value(word) >> i & 1]

    return {
        "runs": [value(pcpu.rq.curr) - 1 for pcpu in pcpus],
        "queued": [named(pcpu.rq.queued) for pcpu in pcpus],
        "listed": [named(pcpu.wakeup.vcpus) for pcpu in pcpus],
    }


def vcpu_view(world: World, number: int, value: Value) -> dict[str, Any]:
    """Return the view of one vCPU."""
    vcpu = world.machine.vcpus[number]
    control = value(vcpu.pi_desc.control)
    cpu = value(vcpu.sched.cpu) if world.tasks else number
    return {
        "mode": value(vcpu.mode),
        "control": control,
        "on": control >> POSTED_INTR_ON & 1,
        "sn": control >> POSTED_INTR_SN & 1,
        "pir": vectors_in(value(vcpu.pi_desc.pir[i]) for i in range(4)),
        "requests": value(vcpu.requests),
        "rvi": value(vcpu.vmcs.rvi),
        "virr": vectors_in(value(vcpu.apic.virr[i]) for i in range(4)),
        "visr": vectors_in(value(vcpu.apic.visr[i]) for i in range(4)),
        "ppr": value(vcpu.apic.vppr),
        "if": value(vcpu.guest.rflags_if),
        "timer": ("idle", "armed", "due")[value(vcpu.timer_watch)],
        "waiting": value(vcpu.wait.task),
        "task": value(vcpu.wait.state),
        "told": TOLD[value(world.machine.pcpus[cpu].told) & WHOM],
        "untold": _untold(world, number, value),
        "books": _books(world, vcpu, value),
        "mail": _mail(world, vcpu, value),
    }


def _untold(world: World, number: int, value: Value) -> list[int]:
    """Return the senders that set the present ON and sent no notification."""
    vcpu = world.machine.vcpus[number]
    folded = world.folds.of(vcpu.untold[0]).role == Role.UNTOLD
    present = 2 if folded else value(vcpu.pi_desc.software[0]) + 1
    return [i for i in range(world.pcpus) if value(vcpu.untold[i]) == present]


def _books(world: World, vcpu: Vcpu, value: Value) -> list[list[int]]:
    """Return accepted - delivered - merged of each vector of which that is not 0."""

    def balance(slot: int) -> int:
        if world.folds.of(vcpu.merged[slot]).role == Role.CREDIT:
            return -value(vcpu.delivered[slot])
        accepted = sum(value(pcpu.accepted[value(vcpu.id) * SLOTS + slot]) for pcpu in pcpus)
        return accepted + value(vcpu.self_ipis[slot]) - value(vcpu.delivered[slot]) - value(vcpu.merged[slot])

    pcpus = [world.machine.pcpus[i] for i in range(world.pcpus)]
    return [[vector_of(slot), balance(slot)] for slot in range(SLOTS) if balance(slot)]


def _mail(world: World, vcpu: Vcpu, value: Value) -> list[list[Any]]:
    """Return the vectors with mail that was not read, each with the senders."""
    folded = world.folds.of(vcpu.mail[0]).role == Role.MAIL

    def unread(box: int) -> bool:
        return value(vcpu.mail[box]) != (0 if folded else value(vcpu.acknowledged[box]))

    senders = {
        vector_of(slot): [i for i in range(world.pcpus) if unread(slot * MAX_PCPUS + i)] for slot in range(SLOTS)
    }
    return [[vector, found] for vector, found in senders.items() if found]
