"""Interrupts of an assigned device: the IRTE, posted or remapped, and KVM's part in it (facts 1, 3.6, 5.6)."""

from __future__ import annotations

from emu.iommu_post import vtd_post
from emu.kvm_host import KVM_REQ_UNBLOCK
from emu.kvm_main import kvm_make_request, kvm_vcpu_kick
from emu.machine import Vcpu, config, machine
from emu.observe.probes.iommu import probe_device_post_begin, probe_device_post_end
from emu.observe.probes.post import probe_effects_begin, probe_effects_end
from emu.vectors import SLOT_DEVICE, vector_of
from emu.waist import READ_ONCE, clear_bit, local_read, set_bit


def device_interrupt(vcpu: Vcpu) -> None:
    """Let the device of a vCPU interrupt, if one is assigned: its IRTE is in posted format, so no pCPU takes part."""
    if READ_ONCE(machine().bypass) == 0:
        return
    vector = vector_of(SLOT_DEVICE)
    probe_device_post_begin(vcpu, vector)
    found = vtd_post(vcpu, vector)
    probe_device_post_end(vcpu, vector, found)


def vmx_pi_start_assignment(vcpu_count: int) -> None:
    """Tell all vCPUs that a device can bypass KVM now: those that block go round and change NV (a2486020a82e)."""
    probe_effects_begin()
    set_bit(0, machine().bypass)
    for i in range(vcpu_count):
        kvm_make_request(KVM_REQ_UNBLOCK, machine().vcpus[i])
        kvm_vcpu_kick(machine().vcpus[i])
    probe_effects_end()


def kvm_arch_end_assignment() -> None:
    """Note that no device can bypass KVM any more. A vCPU that sleeps on a wake-up list stays there until it wakes."""
    clear_bit(0, machine().bypass)


def assign_or_remove_device() -> None:
    """Assign a device to the guest while its vCPUs run, or take it away if it is there: it does not interrupt then."""
    if READ_ONCE(machine().bypass) == 0:
        vmx_pi_start_assignment(local_read(config().vcpus))
    else:
        kvm_arch_end_assignment()
