"""The pCPU's own state: interrupt flag, preempt count, running vCPU."""

from __future__ import annotations

from emu.machine import Vcpu, this_pcpu
from emu.observe.probes.post import probe_ipi_sent
from emu.observe.tracepoints import trace_ipi_send_cpu
from emu.waist import local_read, local_write, send_IPI


def preempt_disable() -> None:
    """Forbid the scheduler to take the pCPU away."""
    word = this_pcpu().irq.preempt_count
    local_write(word, local_read(word) + 1)


def preempt_enable() -> None:
    """Allow it again."""
    word = this_pcpu().irq.preempt_count
    local_write(word, local_read(word) - 1)


def local_irq_disable() -> None:
    """Clear RFLAGS.IF: what arrives stays pending in the local APIC. The moment before is an interrupt point."""
    local_write(this_pcpu().irq.enabled, 0)


def local_irq_enable() -> None:
    """Set RFLAGS.IF: a window that stays open, every shared operation and the next disable being a point in it."""
    local_write(this_pcpu().irq.enabled, 1)


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
