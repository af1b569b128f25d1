"""The pCPU's own state: interrupt flag, preempt count, running vCPU; and raw spinlocks, which need no more."""

from __future__ import annotations

from emu.machine import Vcpu, WakeupList, this_pcpu
from emu.observe.probes.post import probe_ipi_sent
from emu.observe.tracepoints import trace_ipi_send_cpu
from emu.waist import cpu_relax, local_read, local_write, send_IPI, smp_store_release, test_and_set_bit


def preempt_disable() -> None:
    """Forbid the scheduler to take the pCPU away."""
    word = this_pcpu().irq.preempt_count
    local_write(word, local_read(word) + 1)


def preempt_enable_no_resched() -> None:
    """Allow it again, without a look whether it wants to."""
    word = this_pcpu().irq.preempt_count
    local_write(word, local_read(word) - 1)


def local_irq_disable() -> None:
    """Clear RFLAGS.IF: what arrives stays pending in the local APIC. The moment before is an interrupt point."""
    local_write(this_pcpu().irq.enabled, 0)


def local_irq_enable() -> None:
    """Set RFLAGS.IF: a window that stays open, every shared operation and the next disable being a point in it."""
    local_write(this_pcpu().irq.enabled, 1)


def local_irq_save() -> int:
    """Clear RFLAGS.IF; return what it was."""
    flags = local_read(this_pcpu().irq.enabled)
    local_irq_disable()
    return flags


def local_irq_restore(flags: int) -> None:
    """Put RFLAGS.IF back."""
    local_write(this_pcpu().irq.enabled, flags)


def kvm_get_running_vcpu() -> Vcpu:
    """Return the vCPU whose task is current on this pCPU, in whatever context; null if none (fact 2.2)."""
    return Vcpu(local_read(this_pcpu().irq.running_vcpu))


def kvm_set_running_vcpu(vcpu: Vcpu) -> None:
    """Note that the vCPU's task is current from now on."""
    local_write(this_pcpu().irq.running_vcpu, vcpu.at)


def kvm_clear_running_vcpu() -> None:
    """Note that no vCPU's task is current."""
    local_write(this_pcpu().irq.running_vcpu, 0)


def apic_send_IPI(cpu: int, vector: int) -> None:
    """Send one IPI through the host's APIC driver, self included (an ordinary ICR write, not SELF_IPI)."""
    probe_ipi_sent(cpu, vector)
    trace_ipi_send_cpu(cpu, vector)
    send_IPI(cpu, vector)


def raw_spin_lock(wakeup: WakeupList) -> None:
    """Take a list's spinlock. Everywhere here it is taken with interrupts off, so that no holder is preempted."""
    while test_and_set_bit(0, wakeup.lock) != 0:
        cpu_relax()


def raw_spin_unlock(wakeup: WakeupList) -> None:
    """Give it back: on x86 a plain store."""
    smp_store_release(wakeup.lock, 0)
