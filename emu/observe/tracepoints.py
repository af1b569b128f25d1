"""Trace points: what happened on a pCPU and in what order, under the kernel's names where the kernel has one.

They stand where the kernel has them, and never between a store and the load that must come behind it. A host that runs
for real does two plain stores in each (:func:`emu.waist.trace`), others nothing. What the kernel does not trace,
because the processor does it or because it is this tool's own, is named in words of ours. What RVI names at a
``kvm_entry`` is delivered right after it, so deliveries have no point of their own.
"""

from __future__ import annotations

from typing import Final

from emu.machine import Vcpu
from emu.waist import local_read, trace

TRACE_EVENTS: Final = (
    "none",
    "kvm_entry",
    "kvm_exit",
    "kvm_apicv_accept_irq",
    "kvm_make_request",
    "kvm_vcpu_wakeup",
    "ipi_send_cpu",
    "irq_vector_entry",
    "sched_waking",
    "sched_switch",
    "posted_interrupt_processing",
    "sighting",
)
"""A position is an event's number."""

(
    _NONE, KVM_ENTRY, KVM_EXIT, KVM_APICV_ACCEPT_IRQ, KVM_MAKE_REQUEST, KVM_VCPU_WAKEUP, IPI_SEND_CPU, IRQ_VECTOR_ENTRY,
    SCHED_WAKING, SCHED_SWITCH, POSTED_INTERRUPT_PROCESSING, SIGHTING,
) = range(len(TRACE_EVENTS))  # fmt: skip


def trace_kvm_entry(vcpu: Vcpu) -> None:
    """VM-entry is next; argument: RVI."""
    trace(KVM_ENTRY, local_read(vcpu.vmcs.rvi))


def trace_kvm_exit(vcpu: Vcpu) -> None:
    """A VM-exit; argument: the exit reason, above it the vector of an external interrupt."""
    trace(KVM_EXIT, local_read(vcpu.vmcs.vm_exit_reason) | local_read(vcpu.vmcs.vm_exit_intr_info) << 8)


def trace_kvm_apicv_accept_irq(vcpu: Vcpu, vector: int) -> None:
    """A vector has gone through a descriptor; argument: the vector, above it the vCPU."""
    trace(KVM_APICV_ACCEPT_IRQ, vector | local_read(vcpu.id) << 8)


def trace_kvm_make_request(req: int, vcpu: Vcpu) -> None:
    """A request is being made (the kernel has no such point); argument: the request, above it the vCPU."""
    trace(KVM_MAKE_REQUEST, req | local_read(vcpu.id) << 8)


def trace_kvm_vcpu_wakeup(vcpu: Vcpu) -> None:
    """A halt is over; argument: the vCPU."""
    trace(KVM_VCPU_WAKEUP, local_read(vcpu.id))


def trace_ipi_send_cpu(cpu: int, vector: int) -> None:
    """An IPI is about to leave; argument: the vector, above it the target pCPU."""
    trace(IPI_SEND_CPU, vector | cpu << 8)


def trace_irq_vector_entry(vector: int) -> None:
    """The handler of a vector begins, in root mode; argument: the vector."""
    trace(IRQ_VECTOR_ENTRY, vector)


def trace_sched_waking(vcpu: Vcpu, state: int) -> None:
    """A vCPU's task was made runnable; argument: the state it was in, above it the vCPU."""
    trace(SCHED_WAKING, state | local_read(vcpu.id) << 8)


def trace_sched_switch(vcpu: Vcpu, runs: int) -> None:
    """The vCPU's task leaves its pCPU (0) or is back on it (1); argument: that, above it the vCPU."""
    trace(SCHED_SWITCH, runs | local_read(vcpu.id) << 8)


def trace_posted_interrupt_processing(vcpu: Vcpu) -> None:
    """The processor has processed a notification; argument: RVI after it."""
    trace(POSTED_INTERRUPT_PROCESSING, local_read(vcpu.vmcs.rvi))


def trace_sighting(check: int, vector: int) -> None:
    """A check has fired; argument: the check, above it the vector plus one (0: none)."""
    trace(SIGHTING, check | vector + 1 << 8)
