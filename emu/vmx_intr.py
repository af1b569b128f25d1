"""Posting a vector to a vCPU, and the vCPU's own look at its PIR: the interrupt half of vmx.c (facts 2.1, 4.1)."""

from __future__ import annotations

from emu.lapic_irr import kvm_apic_update_irr
from emu.lapic_regs import apic_find_highest_irr
from emu.machine import ORIG_2013, Vcpu, config
from emu.observe.probes.post import (
    probe_accepted,
    probe_before_on,
    probe_pir_was_set,
    probe_trigger_begin,
    probe_trigger_end,
)
from emu.observe.probes.sync import probe_before_on_cleared, probe_sync
from emu.observe.tracepoints import trace_kvm_apicv_accept_irq
from emu.policies import kvm_vcpu_trigger_posted_interrupt, orig_2013
from emu.posted_intr import pi_clear_on, pi_test_and_set_on, pi_test_and_set_pir, pi_test_on
from emu.vectors import POSTED_INTR_VECTOR
from emu.waist import local_read, local_write


def vmx_deliver_posted_interrupt(vcpu: Vcpu, vector: int) -> int:
    """Post a vector; -1 if APICv is off on the vCPU. A sender that finds PIR or ON set leaves it to the one before."""
    if local_read(vcpu.apicv_active) == 0:
        return -1
    if pi_test_and_set_pir(vector, vcpu.pi_desc) != 0:
        probe_pir_was_set()
        return 0
    probe = probe_before_on(vcpu)
    on_was_set = pi_test_and_set_on(vcpu.pi_desc)
    if local_read(config().policy) == ORIG_2013:
        orig_2013(vcpu, on_was_set)
    elif on_was_set == 0:
        probe = probe_trigger_begin(vcpu, probe)
        kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR)
        probe_trigger_end(vcpu, probe)
    probe_accepted(vcpu, vector, on_was_set)
    return 0


def vmx_deliver_interrupt(vcpu: Vcpu, vector: int) -> None:
    """Deliver through the descriptor (``kvm_x86_deliver_interrupt``); APICv is never off in this machine."""
    if vmx_deliver_posted_interrupt(vcpu, vector) == 0:
        trace_kvm_apicv_accept_irq(vcpu, vector)


def vmx_set_rvi(vcpu: Vcpu, vector: int) -> None:
    """Write RVI, the low byte of GUEST_INTR_STATUS; -1 means none, which the field spells 0."""
    local_write(vcpu.vmcs.rvi, max(vector, 0))


def vmx_sync_pir_to_irr(vcpu: Vcpu) -> int:
    """Move the PIR to the vIRR if ON is set; set RVI from the whole vIRR; return the highest vector or -1.

    ON is cleared before the PIR is read, so that a sender that posts behind the harvest finds ON clear and notifies.
    """
    probe_sync()
    if pi_test_on(vcpu.pi_desc) != 0:
        probe_before_on_cleared(vcpu)
        pi_clear_on(vcpu.pi_desc)
        max_irr = kvm_apic_update_irr(vcpu)
    else:
        max_irr = apic_find_highest_irr(vcpu)
    vmx_set_rvi(vcpu, max_irr)
    return max_irr


def kvm_x86_sync_pir_to_irr(vcpu: Vcpu) -> int:
    """Sync, as the run loop calls it."""
    return vmx_sync_pir_to_irr(vcpu)
