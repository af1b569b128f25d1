"""The look of check_block.c, as emu has it."""

from emu.halt import kvm_vcpu_has_events
from emu.kvm_host import KVM_REQ_UNBLOCK
from emu.kvm_main import kvm_check_request
from emu.lapic import kvm_cpu_has_pending_timer
from emu.machine import Vcpu


def kvm_vcpu_check_block(vcpu: Vcpu) -> int:
    """Return whether there is a reason not to sleep."""
    if kvm_vcpu_has_events(vcpu) != 0:
        return 1
    if kvm_cpu_has_pending_timer(vcpu) != 0:
        return 1
    return kvm_check_request(KVM_REQ_UNBLOCK, vcpu)
