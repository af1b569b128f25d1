"""The delivery rule under test: ``kvm_vcpu_trigger_posted_interrupt`` in its historic forms.

Each form is called by whoever has just set ON, and has to make sure that the vCPU looks at its PIR. They differ in what
they do if the vCPU is the one that runs here, and in the fallback for a vCPU that is not in guest mode (fact 2.3). The
form of 2013 acts also if ON was set already, so ``vmx_deliver_posted_interrupt`` calls it by itself.
"""

from __future__ import annotations

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_host import IN_GUEST_MODE, KVM_REQ_EVENT
from emu.kvm_main import kvm_make_request, kvm_vcpu_kick, kvm_vcpu_wake_up
from emu.machine import ALWAYS_2021, ELIDE_SELF_2022, SKIP_RUNNING_2020, USER, Vcpu, config
from emu.vectors import POSTED_INTR_VECTOR
from emu.waist import READ_ONCE, local_read


def orig_2013(vcpu: Vcpu, on_was_set: int) -> None:
    """a20ed54d6e47 (v3.10): always make KVM_REQ_EVENT; kick also when ON was set, for perhaps nobody has notified."""
    kvm_make_request(KVM_REQ_EVENT, vcpu)
    if on_was_set == 0:
        kick_2016(vcpu, POSTED_INTR_VECTOR)
    else:
        kvm_vcpu_kick(vcpu)


def kick_2016(vcpu: Vcpu, vec: int) -> None:
    """b95234c84004 (v4.11): notify a vCPU in guest mode, kick any other."""
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_kick(vcpu)


def skip_running_2020(vcpu: Vcpu, vec: int) -> None:
    """379a3c8ee444 (v5.8): do nothing at all about the vCPU that runs here, whatever its mode."""
    if vcpu == kvm_get_running_vcpu():
        return
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_kick(vcpu)


def always_2021(vcpu: Vcpu, vec: int) -> None:
    """fdba608f15e2 (v5.16), with the fallback of v5.17: notify in guest mode, self included; else wake."""
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_wake_up(vcpu)


def elide_self_2022(vcpu: Vcpu, vec: int) -> None:
    """9b44423bf4c8 (v5.18): as before, but the own vCPU in guest mode is a fastpath, whose run loop syncs."""
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        if vcpu != kvm_get_running_vcpu():
            apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_wake_up(vcpu)


def user_kvm_vcpu_trigger_posted_interrupt(vcpu: Vcpu, vec: int) -> None:
    """Stand where the loader puts a user's own rule; as it is, it behaves like ``always_2021``."""
    always_2021(vcpu, vec)


def kvm_vcpu_trigger_posted_interrupt(vcpu: Vcpu, vec: int) -> None:
    """Make the vCPU look at its PIR, by the rule under test."""
    policy = local_read(config().policy)
    if policy == ELIDE_SELF_2022:
        elide_self_2022(vcpu, vec)
    elif policy == ALWAYS_2021:
        always_2021(vcpu, vec)
    elif policy == SKIP_RUNNING_2020:
        skip_running_2020(vcpu, vec)
    elif policy == USER:
        user_kvm_vcpu_trigger_posted_interrupt(vcpu, vec)
    else:
        kick_2016(vcpu, vec)
