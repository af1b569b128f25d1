"""What KVM's own C calls, and the functions of this machine do without: loaded only together with C.

Most of it is the kernel's way to say what the machine says with the vCPU as a parameter: the task that is current, the
VMCS that is loaded. The rest stands for what another kernel's function did at this place.
"""

from __future__ import annotations

from typing import Final

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu, preempt_disable
from emu.exits import EXIT_FASTPATH_EXIT_HANDLED, EXIT_FASTPATH_REENTER_GUEST
from emu.halt import schedule
from emu.lapic import kvm_lapic_switch_to_hv_timer, kvm_lapic_switch_to_sw_timer
from emu.machine import Vcpu, config, machine, smp_processor_id
from emu.rcuwait import set_current_state
from emu.sched import need_resched, preempt_enable
from emu.signal import xfer_to_guest_mode_work_pending
from emu.vectors import RESCHEDULE_VECTOR, SLOT_TIMER, vector_of
from emu.vmx import vmx_vcpu_run
from emu.vmx_intr import kvm_x86_sync_pir_to_irr, vmx_set_rvi
from emu.vmx_pi import list_del
from emu.waist import BIT, READ_ONCE, local_read
from emu.x86 import kvm_handle_signal_exit, kvm_vcpu_exit_request

APIC_LVT_TIMER_TSCDEADLINE: Final = 2 << 17
APIC_LVT_MASKED_SHIFT: Final = 16


def get_cpu() -> int:
    """Forbid preemption and return the number of this pCPU."""
    preempt_disable()
    return smp_processor_id()


def put_cpu() -> None:
    """Allow preemption again."""
    preempt_enable()


def smp_send_reschedule(cpu: int) -> None:
    """Make a pCPU leave what it is at."""
    apic_send_IPI(cpu, RESCHEDULE_VECTOR)


def set_state_of_current(state: int) -> None:
    """Publish the state of the task that is current: the vCPU's that runs here."""
    set_current_state(kvm_get_running_vcpu(), state)


def schedule_current() -> None:
    """Give up the pCPU, as the vCPU's task that runs here."""
    schedule(kvm_get_running_vcpu())


def set_rvi_of_current_vmcs(highest: int) -> None:
    """Write RVI of the VMCS that is loaded: that of the vCPU that runs here; -1 means none."""
    vmx_set_rvi(kvm_get_running_vcpu(), highest)


def list_del_entry(vcpu: Vcpu) -> None:
    """Take the vCPU off the wake-up list that it is on, whichever it is and whoever holds its lock."""
    for cpu in range(local_read(config().task_pcpus)):
        wakeup = machine().pcpus[cpu].wakeup
        if READ_ONCE(wakeup.vcpus) & BIT(local_read(vcpu.id)) != 0:
            list_del(vcpu, wakeup)


def online_vcpus() -> int:
    """Return how many vCPUs there are: numbers of those on a list are below it."""
    return local_read(config().vcpus)


def apic_lvtt(vcpu: Vcpu) -> int:
    """Return the LVT timer entry as KVM keeps it in the register page: fixed, edge-triggered, TSC-deadline mode."""
    masked = local_read(vcpu.apic.lvtt_masked) << APIC_LVT_MASKED_SHIFT
    return APIC_LVT_TIMER_TSCDEADLINE | masked | vector_of(SLOT_TIMER)


def thread_work_pending(vcpu: Vcpu) -> int:
    """Return whether the vCPU's task has to look up: for a signal, for another task, or because its guest has ended."""
    if local_read(vcpu.guest.ended) != 0 or xfer_to_guest_mode_work_pending(vcpu) != 0:
        return 1
    return 1 if need_resched() != 0 else 0


def xfer_to_guest_mode_handle_work(vcpu: Vcpu) -> int:
    """Do it, and return 0: a signal is taken in userspace, from where the vCPU comes back; 1: its guest has ended."""
    if local_read(vcpu.guest.ended) != 0:
        return 1
    if xfer_to_guest_mode_work_pending(vcpu) != 0:
        kvm_handle_signal_exit(vcpu)
    if need_resched() != 0:
        schedule(vcpu)
    return 0


def vmx_pre_block(vcpu: Vcpu) -> int:
    """Hand the timer to the host before blocking, as until v5.16 (the wake-up list is not in this machine)."""
    if local_read(vcpu.apic.hv_timer_in_use) != 0:
        kvm_lapic_switch_to_sw_timer(vcpu)
    return 0


def vmx_post_block(vcpu: Vcpu) -> None:
    """Take the timer back after blocking, as until v5.16."""
    kvm_lapic_switch_to_hv_timer(vcpu)


def vmx_vcpu_run_reentering(vcpu: Vcpu) -> int:
    """Run the guest, and again as often as the fastpath asks: until v5.12 that loop was in ``vmx_vcpu_run`` itself."""
    while True:
        exit_fastpath = vmx_vcpu_run(vcpu)
        if exit_fastpath != EXIT_FASTPATH_REENTER_GUEST:
            return exit_fastpath
        if kvm_vcpu_exit_request(vcpu) != 0:
            return EXIT_FASTPATH_EXIT_HANDLED
        kvm_x86_sync_pir_to_irr(vcpu)
