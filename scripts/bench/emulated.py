"""Pieces of the protocol in a loop, in the protocol's own language: loaded and compiled with it."""

from __future__ import annotations

from emu.cpu import kvm_set_running_vcpu, local_irq_enable
from emu.kvm_host import IN_GUEST_MODE
from emu.lapic_regs import apic_clear_vector
from emu.machine import Vcpu, machine, smp_processor_id, this_pcpu
from emu.nonroot import external_interrupt
from emu.vectors import SLOT_POST, SLOT_TIMER, vector_of
from emu.vmx_intr import kvm_x86_sync_pir_to_irr
from emu.waist import (
    WRITE_ONCE,
    apic_pending,
    cpu_relax,
    deadline_after,
    ipis_in_flight,
    mark,
    peek,
    say_silent,
)
from emu.workload.actors import post
from emu.x86 import kvm_arch_vcpu_ioctl_run

NEVER_AGAIN = 1 << 60
BATCHES = 32


def notified_deliveries(count: int) -> int:
    """Run a guest that stays in on pCPU 0, and post to it from pCPU 1, ``count`` times; return the ticks it took."""
    vcpu = machine().vcpus[0]
    if smp_processor_id() == 0:
        kvm_arch_vcpu_ioctl_run(vcpu)
        return 0
    local_irq_enable()
    post_and_wait(vcpu, 0)  # the guest is up
    start = deadline_after(0)
    for number in range(count):
        post_and_wait(vcpu, number + 1)
    took = deadline_after(0) - start
    mark(this_pcpu().marks.turn_done, NEVER_AGAIN)
    say_silent()
    return took


def post_and_wait(vcpu: Vcpu, handled: int) -> None:
    """Post, and wait until the guest's handler has run once more than ``handled`` times."""
    post(vcpu, SLOT_POST)
    while peek(vcpu.delivered[SLOT_POST]) == handled:
        cpu_relax()


def self_posts(count: int) -> int:
    """Post to the vCPU that runs here, as its fastpath does, and sync, as the run loop does before it re-enters.

    A notification, if the policy sends one, is taken in non-root mode when it comes. Gives the ticks that ``count``
    posts took, in the best of some batches: in the others something else ran on this processor.
    """
    vcpu = machine().vcpus[0]
    kvm_set_running_vcpu(vcpu)
    WRITE_ONCE(vcpu.mode, IN_GUEST_MODE)
    best = self_post_batch(vcpu, count)
    for _ in range(BATCHES - 1):
        best = min(best, self_post_batch(vcpu, count))
    return best


def self_post_batch(vcpu: Vcpu, count: int) -> int:
    """Time ``count`` posts."""
    start = deadline_after(0)
    for _ in range(count):
        post(vcpu, SLOT_TIMER)
        kvm_x86_sync_pir_to_irr(vcpu)
        apic_clear_vector(vector_of(SLOT_TIMER), vcpu.apic.virr)
        if apic_pending() != 0:
            external_interrupt(vcpu)
    while ipis_in_flight() != 0 or apic_pending() != 0:
        if apic_pending() != 0:
            external_interrupt(vcpu)
    return deadline_after(0) - start
