"""posted_intr.c: the handler of the wake-up vector (fact 3.6)."""

from __future__ import annotations

from emu.cpu import raw_spin_lock, raw_spin_unlock
from emu.kvm_main import kvm_vcpu_wake_up
from emu.machine import config, machine, this_pcpu
from emu.posted_intr import pi_test_on
from emu.waist import BIT, READ_ONCE, local_read


def pi_wakeup_handler() -> None:
    """Wake every vCPU on this pCPU's list that has ON set. It clears no ON and takes nobody off the list."""
    raw_spin_lock(this_pcpu().wakeup)
    vcpus = READ_ONCE(this_pcpu().wakeup.vcpus)
    for i in range(local_read(config().vcpus)):
        if vcpus & BIT(i) != 0 and pi_test_on(machine().vcpus[i].pi_desc) != 0:
            kvm_vcpu_wake_up(machine().vcpus[i])
    raw_spin_unlock(this_pcpu().wakeup)
