"""The guest's program, which keeps the run loop busy.

A *turn* begins when the guest opens it, either from within or, if its first action is an exit to the slow path, on the
host's side of that exit, so that the next entry or the block races with the other actors' first posts. The guest takes
one or two actions in a turn, each a VM-exit of some kind or a virtualised self-IPI. Then it *dwells*: it makes no exit
until every actor has finished its turn, so that a stranded interrupt stays stranded and can be seen (an exit would
repair it).
"""

from __future__ import annotations

from typing import Final

from emu.exits import EXIT_REASON_CPUID, EXIT_REASON_HLT, EXIT_REASON_MSR_WRITE, MSR_TSC_DEADLINE
from emu.lapic_regs import apic_set_vector, apic_test_vector, ppr_virtualization
from emu.machine import MAX_PCPUS, Guest, Vcpu, config, machine, smp_processor_id
from emu.observe.accounting import DWELLS, HALTS, HLT_IN_SHADOW, ROUNDS
from emu.observe.checkers import check_snapshot, check_stay, check_the_end
from emu.observe.ghost import count, window
from emu.observe.repair import put_right
from emu.observe.snapshot import quiet_stamp
from emu.vectors import SLOT_SELF_IPI, vector_of
from emu.waist import (
    LONG_PAST,
    READ_ONCE,
    all_silent,
    choose,
    cpu_relax,
    deadline_after,
    ipis_in_flight,
    local_read,
    local_write,
    mark,
    one_in,
    open_turn,
    peek,
    run_goes_on,
    say_silent,
)

GUEST_CPUID: Final = 0
"""Exit for nothing: leaves the fastpath loop, so that the next entry is a full one."""
GUEST_HLT: Final = 1
GUEST_ARM_NOW: Final = 2
"""WRMSR TSC_DEADLINE with a deadline that has passed: the ``tscdeadline_immed`` of the benchmarks."""
GUEST_ARM_LATER: Final = 3
"""A deadline ahead: the preemption timer exits."""
GUEST_SELF_IPI: Final = 4
GUEST_ICR: Final = 5
"""An IPI to another vCPU through the x2APIC ICR fastpath."""
GUEST_NOTHING: Final = 6
"""Stay in: what is posted must reach the guest without any exit."""
GUEST_CLI: Final = 7
GUEST_STI: Final = 8
"""Interrupts off, and on again: the shadow of the STI covers the next instruction."""
GUEST_STI_HLT: Final = 9
"""What an idle loop does with interrupts off: STI, and HLT in its shadow."""
GUEST_RAISE_TPR: Final = 10
GUEST_LOWER_TPR: Final = 11
GUEST_ICR_SELF: Final = 12
"""An IPI to itself through the x2APIC ICR, by its own APIC id: it reaches KVM, which a self-IPI does not."""
GUEST_ITEMS: Final = 13
"""How many there are."""

RAISED_TPR: Final = 0x70
"""Keeps back three of the four vectors that host threads post and the device's, and lets the timer's through."""

TIMER_DELTA: Final = 2000
"""How far ahead (TSC ticks) the guest arms its timer."""


def guest_step(vcpu: Vcpu) -> int:
    """Run one step of the guest's program; return an exit reason, or 0 if the guest stays in."""
    guest = vcpu.guest
    local_write(vcpu.vmcs.guest_interruptibility_info, 0)
    left = local_read(guest.actions_left)
    if left != 0:
        local_write(guest.actions_left, left - 1)
        return guest_action(vcpu, draw_action())
    if turn_over(local_read(guest.turn)) == 0:
        return dwell_step()
    patience = local_read(guest.patience)
    if patience != 0 and ipis_in_flight() != 0:
        local_write(guest.patience, patience - 1)
        cpu_relax()
        return 0
    if check_stay(vcpu) != 0:
        put_right(vcpu)
    return next_turn_or_end(vcpu)


def next_turn_or_end(vcpu: Vcpu) -> int:
    """Open the next turn, or, when the run is over, wait for the others and check the end."""
    guest = vcpu.guest
    if run_goes_on() != 0:
        if acts_no_more(guest) != 0:
            cpu_relax()
            return 0
        count(ROUNDS)
        local_write(guest.actions_left, choose(local_read(config().more_actions)))
        patience = local_read(config().patience)
        if patience != 0:
            local_write(guest.patience, patience if one_in(16) != 0 else 0)
        item = draw_action()
        if local_read(config().in_turns) != 0:
            if item <= GUEST_HLT and one_in(64) == 0:
                local_write(guest.turn_wanted, 1)
            else:
                begin_turn(vcpu)
        return guest_action(vcpu, item)
    if local_read(config().task_pcpus) != 0:
        return end_of_task(vcpu)
    if local_read(guest.silent) == 0:
        local_write(guest.silent, 1)
        say_silent()
    if all_silent() == 0 or local_read(guest.in_service) != 0 or unmasked(vcpu) == 0:
        cpu_relax()
        return 0
    if check_snapshot(vcpu, True) != 0:
        put_right(vcpu)
    check_the_end(vcpu)
    local_write(guest.ended, 1)
    return EXIT_REASON_CPUID


def acts_no_more(guest: Guest) -> int:
    """Return whether the guest has acted in as many turns as it may; else count this one."""
    left = local_read(guest.turns_left)
    if left > 0:
        local_write(guest.turns_left, left - 1)
    return 1 if left == 0 else 0


def end_of_task(vcpu: Vcpu) -> int:
    """End the guest of a vCPU that is a task, once the others have finished the last turn and all they sent is here."""
    guest = vcpu.guest
    if local_read(guest.silent) == 0:
        local_write(guest.silent, 1)
        begin_turn(vcpu)
        return 0
    if quiet_stamp() < 0 or local_read(guest.in_service) != 0:
        cpu_relax()  # an idle pCPU that has found the vCPU asleep may still be at waking it
        return 0
    if check_snapshot(vcpu, True) != 0:
        put_right(vcpu)
    check_the_end(vcpu)
    local_write(guest.ended, 1)
    return EXIT_REASON_CPUID


def dwell_step() -> int:
    """Stay in while the actors finish, or leave early: most stays dwell, some race on."""
    count(DWELLS)
    if one_in(256) != 0:
        return EXIT_REASON_CPUID
    cpu_relax()
    return 0


def turn_over(turn: int) -> int:
    """Return whether every other pCPU that acts in turns has finished this turn."""
    if turn == 0:
        return 1
    for cpu in range(first_actor(), local_read(config().pcpus)):
        if peek(machine().pcpus[cpu].marks.turn_done) < turn:
            return 0
    return 1


def first_actor() -> int:
    """Return the first pCPU that runs no vCPU."""
    task_pcpus = local_read(config().task_pcpus)
    return task_pcpus if task_pcpus != 0 else local_read(config().vcpus)


def begin_turn(vcpu: Vcpu) -> None:
    """Open the environment's next turn."""
    local_write(vcpu.guest.turn_wanted, 0)
    local_write(vcpu.guest.turn, open_turn())


def draw_action() -> int:
    """Draw from the scenario's menu."""
    return local_read(config().guest_menu[choose(local_read(config().guest_items))])


def guest_action(vcpu: Vcpu, item: int) -> int:
    """Take one action."""
    if item == GUEST_HLT:
        return guest_halt(vcpu)
    if item == GUEST_ARM_NOW:
        return guest_arm_timer(vcpu, 0)
    if item == GUEST_ARM_LATER:
        return guest_arm_timer(vcpu, TIMER_DELTA)
    if item == GUEST_SELF_IPI:
        return guest_self_ipi(vcpu)
    if item == GUEST_ICR:
        return guest_write_icr(vcpu)
    if item == GUEST_ICR_SELF:
        return guest_write_icr_to(vcpu, local_read(vcpu.id)) if may_interrupt(vcpu) != 0 else 0
    if item > GUEST_NOTHING:
        return guest_mask(vcpu, item)
    return EXIT_REASON_CPUID if item == GUEST_CPUID else 0


def guest_mask(vcpu: Vcpu, item: int) -> int:
    """Take one of the actions that decide whether what is posted can be delivered."""
    if item == GUEST_CLI:
        local_write(vcpu.guest.rflags_if, 0)
    elif item == GUEST_STI:
        guest_sti(vcpu)
    elif item == GUEST_STI_HLT:
        guest_sti(vcpu)
        if local_read(vcpu.vmcs.rvi) > local_read(vcpu.apic.vppr) | 0x0F:
            window(HLT_IN_SHADOW)
        return guest_halt(vcpu)
    else:
        guest_write_tpr(vcpu, RAISED_TPR if item == GUEST_RAISE_TPR else 0)
    return 0


def guest_sti(vcpu: Vcpu) -> None:
    """STI: if interrupts were off, they stay blocked for one more instruction (SDM, blocking by STI)."""
    if local_read(vcpu.guest.rflags_if) == 0:
        local_write(vcpu.guest.rflags_if, 1)
        local_write(vcpu.vmcs.guest_interruptibility_info, 1)


def guest_write_tpr(vcpu: Vcpu, tpr: int) -> None:
    """TPR virtualization: the write is followed by PPR virtualization and the evaluation of what is pending."""
    local_write(vcpu.apic.vtpr, tpr)
    ppr_virtualization(vcpu)


def unmasked(vcpu: Vcpu) -> int:
    """Take everything from now on, for what was posted has to arrive at the end; return whether that was so before."""
    if local_read(vcpu.guest.rflags_if) != 0 and local_read(vcpu.apic.vtpr) == 0:
        return 1
    local_write(vcpu.guest.rflags_if, 1)
    guest_write_tpr(vcpu, 0)
    return 0


def guest_halt(vcpu: Vcpu) -> int:
    """HLT, unless a handler is still running or interrupts are off, when nothing would end it."""
    if local_read(vcpu.guest.in_service) != 0 or local_read(vcpu.guest.rflags_if) == 0:
        return 0
    count(HALTS)
    return EXIT_REASON_HLT


def guest_arm_timer(vcpu: Vcpu, delta: int) -> int:
    """WRMSR TSC_DEADLINE, unless a deadline is armed: now, or ``delta`` ticks ahead."""
    if timer_is_armed(vcpu) != 0 or may_interrupt(vcpu) == 0:
        return 0
    local_write(vcpu.apic.tscdeadline, deadline_after(delta) if delta != 0 else LONG_PAST)
    local_write(vcpu.vmcs.exit_qualification, MSR_TSC_DEADLINE)
    return EXIT_REASON_MSR_WRITE


def timer_is_armed(vcpu: Vcpu) -> int:
    """Return whether a deadline is open."""
    if local_read(config().posted_timers) != 0:
        return READ_ONCE(vcpu.hrtimer)
    return local_read(vcpu.apic.tscdeadline)


def may_interrupt(vcpu: Vcpu) -> int:
    """Return whether the guest may start one more timer or IPI, and count it."""
    left = local_read(vcpu.guest.interrupts_left)
    if left > 0:
        local_write(vcpu.guest.interrupts_left, left - 1)
    return 1 if left != 0 else 0


def guest_self_ipi(vcpu: Vcpu) -> int:
    """Self-IPI virtualization: straight into the vIRR, KVM never hears of it."""
    vector = vector_of(SLOT_SELF_IPI)
    apic = vcpu.apic
    box = SLOT_SELF_IPI * MAX_PCPUS + smp_processor_id()
    mark(vcpu.mail[box], peek(vcpu.mail[box]) + 1)
    mark(vcpu.self_ipis[SLOT_SELF_IPI], peek(vcpu.self_ipis[SLOT_SELF_IPI]) + 1)
    if apic_test_vector(vector, apic.virr) != 0:
        mark(vcpu.merged[SLOT_SELF_IPI], peek(vcpu.merged[SLOT_SELF_IPI]) + 1)
    apic_set_vector(vector, apic.virr)
    local_write(vcpu.vmcs.rvi, max(local_read(vcpu.vmcs.rvi), vector))
    return 0


def guest_write_icr(vcpu: Vcpu) -> int:
    """Send an IPI to another vCPU."""
    vcpus = local_read(config().vcpus)
    if vcpus == 1 or may_interrupt(vcpu) == 0:
        return 0
    other = choose(vcpus - 1)
    if other >= local_read(vcpu.id):
        other += 1
    return guest_write_icr_to(vcpu, other)


def guest_write_icr_to(vcpu: Vcpu, target: int) -> int:
    """WRMSR ICR: fixed delivery to the vCPU of that APIC id."""
    local_write(vcpu.vmcs.exit_qualification, 1 + target)
    return EXIT_REASON_MSR_WRITE
