"""What is posted is not always deliverable: RFLAGS.IF, the shadow of an STI, and the TPR decide."""

from __future__ import annotations

import pytest

from emu.halt import kvm_vcpu_check_block, kvm_vcpu_has_events, skip_emulated_instruction
from emu.lapic_regs import ppr_virtualization
from emu.nonroot import pending_virtual_interrupt
from emu.observe.checkers import deliverable_vector
from emu.posted_intr import pi_test_and_set_on, pi_test_and_set_pir
from emu.vectors import SLOT_POST, vector_of
from emu.workload.program import RAISED_TPR, guest_sti, guest_write_tpr
from emu.workload.setup import power_on
from hosts.sequential import SequentialHost

LOW, HIGH = vector_of(SLOT_POST), vector_of(SLOT_POST + 2)


@pytest.fixture
def host() -> SequentialHost:
    """Return a machine with one vCPU that has not started."""
    host = SequentialHost()
    power_on(host.machine, 1, 1, host.poke)
    return host


def post(host: SequentialHost, vector: int) -> None:
    """Set the PIR bit and ON."""
    pi_test_and_set_pir(vector, host.machine.vcpus[0].pi_desc)
    pi_test_and_set_on(host.machine.vcpus[0].pi_desc)


@pytest.mark.parametrize(("tpr", "vector", "deliverable"), [(0, LOW, 1), (RAISED_TPR, LOW, 0), (RAISED_TPR, HIGH, 1)])
def test_a_raised_tpr_keeps_a_class_back(host: SequentialHost, tpr: int, vector: int, deliverable: int) -> None:
    """The block check, the processor and C2 say the same of it."""
    vcpu = host.machine.vcpus[0]
    with host:
        guest_write_tpr(vcpu, tpr)
        post(host, vector)
        assert deliverable_vector(vcpu) == (vector if deliverable else -1)
        assert kvm_vcpu_check_block(vcpu) == deliverable
        ppr_virtualization(vcpu)
        assert pending_virtual_interrupt(vcpu) == deliverable


def test_interrupts_off_keep_everything_back_but_move_it(host: SequentialHost) -> None:
    """Neither the block check nor C2 counts it; it is delivered once interrupts are on and the shadow is over."""
    vcpu = host.machine.vcpus[0]
    with host:
        host.poke(vcpu.guest.rflags_if, 0)
        post(host, HIGH)
        assert (kvm_vcpu_has_events(vcpu), deliverable_vector(vcpu)) == (0, -1)
        host.poke(vcpu.vmcs.rvi, HIGH)
        assert pending_virtual_interrupt(vcpu) == 0
        guest_sti(vcpu)
        assert pending_virtual_interrupt(vcpu) == 0
        host.poke(vcpu.vmcs.guest_interruptibility_info, 0)
        assert pending_virtual_interrupt(vcpu) == 1


def test_the_shadow_of_an_sti_ends_with_the_hlt_that_kvm_steps_over(host: SequentialHost) -> None:
    """Else an interrupt that was there before the HLT would not keep the guest from halting."""
    vcpu = host.machine.vcpus[0]
    with host:
        host.poke(vcpu.guest.rflags_if, 0)
        guest_sti(vcpu)
        post(host, LOW)
        assert kvm_vcpu_has_events(vcpu) == 0
        skip_emulated_instruction(vcpu)
        assert kvm_vcpu_has_events(vcpu) == 1


def test_an_sti_with_interrupts_on_casts_no_shadow(host: SequentialHost) -> None:
    """The SDM: only one that turns them on does."""
    vcpu = host.machine.vcpus[0]
    with host:
        guest_sti(vcpu)
        assert host.load(vcpu.vmcs.guest_interruptibility_info) == 0
