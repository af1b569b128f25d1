"""The posting of deliver.c, as emu has it."""

from emu.machine import Vcpu
from emu.policies import kvm_vcpu_trigger_posted_interrupt
from emu.posted_intr import pi_test_and_set_on, pi_test_and_set_pir
from emu.vectors import POSTED_INTR_VECTOR
from emu.waist import local_read


def vmx_deliver_posted_interrupt(vcpu: Vcpu, vector: int) -> int:
    """Post a vector."""
    if local_read(vcpu.apicv_active) == 0:
        return -1
    if pi_test_and_set_pir(vector, vcpu.pi_desc) == 0 and pi_test_and_set_on(vcpu.pi_desc) == 0:
        kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR)
    return 0
