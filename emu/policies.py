"""The delivery rule under test: ``kvm_vcpu_trigger_posted_interrupt`` in its historic forms.

Each form is called by whoever has just turned ON on, and has to see to it that the vCPU looks at its PIR. They differ
in what is done about the own vCPU and in the fallback for a vCPU that is not in guest mode (fact 2.3).
"""

from __future__ import annotations

from typing import Final

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_kick, kvm_vcpu_wake_up
from emu.machine import Vcpu, config
from emu.waist import READ_ONCE, local_read


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


KICK_2016: Final = 0
SKIP_RUNNING_2020: Final = 1
ALWAYS_2021: Final = 2
ELIDE_SELF_2022: Final = 3
USER: Final = 4
USER_UNPROMISED: Final = 0
"""A bit for each check, by its number, that a user's own rule does not promise to hold: the loader puts here what
``CHECKS`` of the rule's file leaves out."""
ORIG_2013: Final = 5
"""a20ed54d6e47 (v3.10): a variant of the caller, see emu.vmx_intr."""


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
