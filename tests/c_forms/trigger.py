"""The rules of trigger.c, as emu has them."""

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_host import IN_GUEST_MODE
from emu.kvm_main import kvm_vcpu_kick, kvm_vcpu_wake_up
from emu.machine import Vcpu
from emu.waist import READ_ONCE


def kick_2016(vcpu: Vcpu, vec: int) -> None:
    """Notify a vCPU in guest mode, kick any other."""
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_kick(vcpu)


def skip_running_2020(vcpu: Vcpu, vec: int) -> None:
    """Do nothing about the vCPU that runs here."""
    if vcpu == kvm_get_running_vcpu():
        return
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_kick(vcpu)


def always_2021(vcpu: Vcpu, vec: int) -> None:
    """Notify in guest mode, else wake."""
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_wake_up(vcpu)


def elide_self_2022(vcpu: Vcpu, vec: int) -> None:
    """The same, but for the own vCPU in guest mode."""
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        if vcpu != kvm_get_running_vcpu():
            apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_wake_up(vcpu)
